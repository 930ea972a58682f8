/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decap.h - which tunnels over IP are opened, and what layers were met.
 *
 * A tunnel counts as what it is, outer addresses and protocol, unless its kind
 * is asked for: then the IP packet inside it is what counts, by its own
 * addresses and length. So with tunnels inside tunnels, DECAP_DEPTH_MAX at
 * most. What cannot be opened (a fragment, a header cut or malformed, a
 * control message, an inside that is not IP) counts as the packet that it is.
 * For each kind of tunnel that is asked for,
 *	seen = opened + unreadable, but for those that were too deep,
 * which one counter of all kinds tells.
 *
 * An ICMP error about a tunnel's packet is about the tunnel, not about what
 * was inside. pkt_fanout() goes by the outermost addresses; pkt_fanout_with()
 * goes by what counts. The kernel cannot look that deep: see fanout_bpf.h.
 *
 * Threading: a decoder belongs to one thread; its counts may be read by any
 *            through layer_counter_read(). conf does not change after init.
 * Memory:    nothing is allocated.
 */
#ifndef PACKET_DECAP_H
#define PACKET_DECAP_H

#include <stdint.h>

#include "packet/pkt.h"

struct err;

#define DECAP_DEPTH_MAX 8

enum decap_kind {
	DECAP_GRE,    /* version 0; version 1 is PPTP's, and stays closed */
	DECAP_ERSPAN, /* types I, II and III */
	DECAP_IPIP,   /* IPv4 in IPv4 */
	DECAP_6IN4,   /* IPv6 in IPv4 */
	DECAP_4IN6,   /* IPv4 in IPv6 */
	DECAP_IP6IP6, /* IPv6 in IPv6 */
	DECAP_VXLAN,  /* and VXLAN-GPE */
	DECAP_GENEVE,
	DECAP_GTPU,
	DECAP_KINDS
};

#define DECAP_ALL ((1u << DECAP_KINDS) - 1)

/* A UDP tunnel is told by its destination port, or by its source port if that
 * says nothing: where ports are swapped for the way back. */
#define DECAP_VXLAN_PORT     4789
#define DECAP_VXLAN_GPE_PORT 4790
#define DECAP_GENEVE_PORT    6081
#define DECAP_GTPU_PORT	     2152

struct decap_conf {
	uint32_t kinds; /* bit 1u << enum decap_kind: to be opened */
	/* UDP ports, host order; 0: the default above */
	uint16_t vxlan_port, vxlan_gpe_port, geneve_port, gtpu_port;
};

/* From "erspan,vxlan" or "all". 0, or -EINVAL with e filled. */
int decap_parse(uint32_t *kinds, const char *text, struct err *e);

/* A stable lower-case name: "vxlan". */
const char *decap_kind_name(enum decap_kind k);

/* Layers that frames are counted by, opened or not: VLAN tags each by itself,
 * labels by their stack. Of tunnels, a later fragment is seen where the IP
 * header alone tells the kind. */
enum layer_kind {
	LAYER_VLAN, /* 802.1Q; also one that the NIC took off */
	LAYER_QINQ, /* 802.1ad, and the numbers in use before it */
	LAYER_MPLS,
	LAYER_PPPOE,
	LAYER_TUNNEL, /* + enum decap_kind */
	LAYER_KINDS = LAYER_TUNNEL + DECAP_KINDS
};

/* Where the counters are. */
enum layer_counter {
	LAYER_SEEN = 0,					 /* + enum layer_kind */
	LAYER_OPENED = LAYER_KINDS,			 /* + enum decap_kind */
	LAYER_UNREADABLE = LAYER_OPENED + DECAP_KINDS,	 /* + enum decap_kind: asked for, in vain */
	LAYER_TOO_DEEP = LAYER_UNREADABLE + DECAP_KINDS, /* asked for, in DECAP_DEPTH_MAX others */
	LAYER_COUNTERS
};

/* Counted in frames. One thread writes. */
struct layer_counts {
	uint64_t n[LAYER_COUNTERS];
};

/* A stable lower-case name, at most 23 characters: "layer_vlan",
 * "decap_vxlan", "decap_vxlan_unreadable", "decap_too_deep". i is below
 * LAYER_COUNTERS. */
const char *layer_counter_name(unsigned i);

/* Any thread. */
uint64_t layer_counter_read(const struct layer_counts *c, unsigned i);

/* What a thread decodes with. */
struct pkt_decoder {
	uint64_t secret[PKT_KEY_SECRETS]; /* that keys are hashed with; set by its owner */
	/* The tunnels' ports in network order, each twice. */
	uint16_t udp_ports[8];
	struct decap_conf conf;
	struct layer_counts counts;
	uint32_t unknown_link; /* 1 + the last link type met that is not decoded; 0: none */
};

/* Counters are 0 then. */
void pkt_decoder_init(struct pkt_decoder *d, const struct decap_conf *c);

/* Decodes f into p, opening the tunnels that are asked for, and counts its
 * layers. Returns p->verdict. Without a kind asked for, p is what pkt_decode()
 * says. */
enum pkt_verdict pkt_decode_with(struct pkt_decoder *d, const struct frame *f, struct pkt *p);

/* The same for n frames: the packets that are PKT_OK, one behind the other, and
 * how many they are; of the others, how many were of each verdict is added. Hot
 * path. */
unsigned pkt_decode_all(struct pkt_decoder *d, const struct frame *frames, unsigned n,
			struct pkt *pkts, uint64_t *verdicts);

/* pkt_fanout() by the packet that counts. */
unsigned pkt_fanout_with(struct pkt_decoder *d, const struct frame *f, unsigned n);

#endif
