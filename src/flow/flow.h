/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.h - one connection, as it lies in memory.
 *
 * 64 hot bytes, one cache line, are all that a packet of a live flow touches;
 * 56 cold ones are for starts, ends and overflows. With its 8 bytes of index a
 * flow costs 128.
 *
 * Sides: 0 is the lower address, as in struct pkt_key. Everything that is
 * counted is counted by the side that sent; only printing asks which of them
 * is the originator.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow_state.h"
#include "flow/wheel.h"
#include "packet/pkt.h"

#define FLOW_NO_HOST UINT32_MAX

#define FLOW_LIVE	 0x01 /* the slot holds a flow */
#define FLOW_ORIG_SIDE	 0x02 /* the originator is side 1 */
#define FLOW_ANSWERED	 0x04 /* both sides have sent */
#define FLOW_REPLY_FIRST 0x08 /* ICMP: the first packet was a reply */
#define FLOW_TCP_LATE	 0x08 /* TCP: its timer may be as late as its timeout */
#define FLOW_AGED	 0x10 /* has lived for FLOW_STREAM_MS; of use for UDP */
#define FLOW_CONFIRMED	 0x20 /* a packet came after the first answer; of use for UDP */
#define FLOW_SPILLED	 0x80 /* its index entry is in its second bucket */
#define FLOW_HEARD	 0x40 /* has had a packet since it began, or was spared by the early drop */

/* A UDP flow that is answered after living this long is a stream; a number
 * of nf_conntrack's. */
#define FLOW_STREAM_MS 2000

/* Packets and bytes of one side since they were last added to the cold sums,
 * in one word: an update is one store, and a reader sees both or neither. Above
 * each of the two is a bit that is set in no stored word: one addition, and one
 * look at both bits, tell whether there is room for more. */
#define FLOW_DELTA_BYTES_BITS	21
#define FLOW_DELTA_PACKETS_BITS 9
#define FLOW_DELTA_SHIFT	(FLOW_DELTA_BYTES_BITS + 1)
#define FLOW_DELTA_BYTES	((1u << FLOW_DELTA_BYTES_BITS) - 1)
#define FLOW_DELTA_PACKETS	((1u << FLOW_DELTA_PACKETS_BITS) - 1)
#define FLOW_DELTA_FULL		(1u << FLOW_DELTA_BYTES_BITS | 1u << 31)

struct flow {
	struct addr addr[2];
	uint16_t port[2]; /* these four as in struct pkt_key */
	uint8_t proto;
	uint8_t family;
	uint8_t state;	  /* enum flow_state; of UDP as last settled: flow_table.c */
	uint8_t flags;	  /* FLOW_* */
	uint32_t host[2]; /* row of each side's host, for the layer above */
	uint32_t delta[2];
	uint64_t last_ns; /* largest stamp of its packets */
};

struct flow_sum {
	uint64_t packets;
	uint64_t bytes;
};

struct flow_cold {
	struct wheel_link timer;
	struct flow_sum sum[2]; /* what delta has given up */
	uint32_t conn_id[2];	/* low 32 bits of its id in each host, for the layer above */
	uint32_t icmp_errors;	/* that quoted it */
	uint16_t born_ms;	/* stamp of its first packet, modulo 65.536 s */
	uint16_t seq;		/* guards the cold part and the identity: base/atomics.h */
};

_Static_assert(sizeof(struct flow) == 64, "the hot part of a flow is one cache line");
_Static_assert(sizeof(struct flow_cold) == 56, "see the sum at the top");

/* The class of its protocol, which its states belong to. */
static inline enum pkt_class flow_class(const struct flow *f)
{
	if (f->state < FLOW_TCP_STATES)
		return PKT_TCP;
	if (f->state <= FLOW_UDP_STREAM)
		return PKT_UDP;
	return f->state <= FLOW_ICMP_ANSWERED ? PKT_ICMP : PKT_OTHER;
}

/* State and flags as they lie behind ports, protocol and family, in one word. */
static inline uint64_t flow_state_word(enum flow_state state, unsigned flags)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (uint64_t)state << 48 | (uint64_t)flags << 56;
#else
	return (uint64_t)state << 8 | flags;
#endif
}

static inline unsigned flow_orig_side_of(unsigned flags)
{
	return flags / FLOW_ORIG_SIDE % 2;
}

static inline unsigned flow_orig_side(const struct flow *f)
{
	return flow_orig_side_of(f->flags);
}

/* What the early drop may end: nobody would miss it. */
static inline bool flow_is_droppable(const struct flow *f)
{
	return !(f->flags & FLOW_ANSWERED) || flow_state_is_half_open(f->state);
}

#endif
