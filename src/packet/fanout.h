/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout.h - pkt_fanout_with() for whoever asks about every frame of a file: the
 * part of it that nearly all frames need, inline.
 */
#ifndef PACKET_FANOUT_H
#define PACKET_FANOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/frame.h"
#include "base/link.h"
#include "packet/decap.h"

#define FANOUT_ETHERNET_BYTES 14
#define FANOUT_IPV4_BYTES     20
#define FANOUT_IPV6_BYTES     40
#define FANOUT_PORTS_BYTES    14 /* a TCP header up to its flags; a UDP header has fewer */

/* The worker of a sum of addresses. */
static inline unsigned fanout_of_sum(uint32_t sum, unsigned n)
{
	sum *= 0x9e3779b1; /* 2^32 / golden ratio: neighbours spread */
	sum >>= 16;
	return n & (n - 1) ? sum % n : sum & (n - 1);
}

static inline uint32_t fanout_sum_bytes(const uint8_t *p, unsigned words)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < words; i++)
		sum += load_be32(p + 4 * i);
	return sum;
}

/* A TCP or UDP packet that is not longer than it was on the wire. */
static inline bool fanout_is_whole(const struct frame *f, uint32_t length, uint8_t proto,
				   uint32_t header)
{
	return (proto == PROTO_TCP) | (proto == PROTO_UDP) &&
	       length >= header + FANOUT_PORTS_BYTES &&
	       length + FANOUT_ETHERNET_BYTES <= f->wirelen;
}

/* Whether f is one of those that nearly all are: Ethernet II, IPv4 without options
 * or IPv6 without extension headers, TCP or UDP, no tunnel that is to be opened. Then
 * *sum is that of the addresses. */
static inline bool fanout_is_plain(const struct pkt_decoder *d, const struct frame *f,
				   uint32_t *sum)
{
	const uint8_t *h = f->data + FANOUT_ETHERNET_BYTES;
	uint16_t type;

	if (d->conf.kinds || f->link != LINK_ETHERNET || f->gso_proto ||
	    f->caplen < FANOUT_ETHERNET_BYTES + FANOUT_IPV4_BYTES + FANOUT_PORTS_BYTES)
		return false;
	type = load_be16(h - 2);
	if (type == 0x0800 && h[0] == 0x45 && !(load_be16(h + 6) & 0x3fff) &&
	    fanout_is_whole(f, load_be16(h + 2), h[9], FANOUT_IPV4_BYTES)) {
		*sum = fanout_sum_bytes(h + 12, 2);
		return true;
	}
	if (type == 0x86dd &&
	    f->caplen >= FANOUT_ETHERNET_BYTES + FANOUT_IPV6_BYTES + FANOUT_PORTS_BYTES &&
	    h[0] >> 4 == 6 &&
	    fanout_is_whole(f, load_be16(h + 4) + FANOUT_IPV6_BYTES, h[6], FANOUT_IPV6_BYTES)) {
		*sum = fanout_sum_bytes(h + 8, 8);
		return true;
	}
	return false;
}

/* For whoever asks about every frame of a file, and more than once: in most cases the
 * answer is known from where addresses usually are. What is IPv4 or IPv6, and no tunnel
 * that is opened, has its own addresses for a key, but for ICMP errors; malformed frames
 * have none, and may go to any worker. */
static inline bool fanout_is_usual(const struct pkt_decoder *d, uint16_t link)
{
	return !d->conf.kinds && link == LINK_ETHERNET;
}

/* The sum of n words of 8 bytes, as words of 4. */
static inline uint32_t fanout_sum_wide(const uint8_t *p, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint64_t wide = load_be64(p + 8 * i);

		sum += (wide >> 32) + wide;
	}
	return (uint32_t)sum;
}

/* Of such a frame, if that much of it is captured. False: it takes pkt_fanout_with(). */
static inline bool fanout_sum(const uint8_t *data, uint32_t caplen, uint32_t *sum)
{
	const uint8_t *h = data + FANOUT_ETHERNET_BYTES;
	uint32_t start;

	if (caplen < FANOUT_ETHERNET_BYTES + FANOUT_IPV4_BYTES + 1)
		return false;
	start = load_be32(h - 2); /* the type, and the first bytes of the IP header */
	if ((start & 0xfffff000) == 0x08004000) {
		/* An echo, or its reply; with options it is somewhere else. */
		if (__builtin_expect(h[9] == PROTO_ICMP, 0) &&
		    (h[0] != 0x45 || (h[20] != 0 && h[20] != 8)))
			return false;
		*sum = fanout_sum_wide(h + 12, 1);
		return true;
	}
	if ((start & 0xfffff000) == 0x86dd6000 &&
	    caplen >= FANOUT_ETHERNET_BYTES + FANOUT_IPV6_BYTES &&
	    (h[6] == PROTO_TCP || h[6] == PROTO_UDP)) {
		*sum = fanout_sum_wide(h + 8, 4);
		return true;
	}
	return false;
}

#endif
