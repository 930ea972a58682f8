/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fast.h - the way of the frames that nearly all are: Ethernet II, IPv4
 * without options or IPv6 without extension headers, TCP or UDP, whole headers
 * captured, nothing odd about them.
 *
 * Says of such a frame exactly what the walk says, in a tenth of the steps,
 * and nothing of any other.
 */
#ifndef PACKET_FAST_H
#define PACKET_FAST_H

#include "base/link.h"
#include "packet/internal.h"

#define FAST_ETHERNET_BYTES 14
#define FAST_IPV4_BYTES	    20
#define FAST_IPV6_BYTES	    40
#define FAST_TCP_BYTES	    14 /* up to the flags */

/* The addresses are in place in k, source first; puts the lower one first. */
static inline uint8_t fast_key(struct pkt_key *k, const struct addr *src, const struct addr *dst,
			       const uint8_t *ports, uint8_t proto, uint8_t family)
{
	const uint16_t sport = load_be16(ports), dport = load_be16(ports + 2);
	const bool equal0 = src->w[0] == dst->w[0], equal1 = src->w[1] == dst->w[1];
	const unsigned side = (src->w[0] > dst->w[0]) | (equal0 & (src->w[1] > dst->w[1])) |
			      (equal0 & equal1 & (sport > dport));

	k->addr[side] = *src;
	k->addr[!side] = *dst;
	k->port[side] = sport;
	k->port[!side] = dport;
	k->proto = proto;
	k->family = family;
	k->zero = 0;
	return (uint8_t)side;
}

/* Whether f is such a frame; then p is all filled, and *ports are source and
 * destination port as they stand in it. */
static inline bool fast_decode(const struct frame *f, struct pkt *p, uint32_t *ports)
{
	const uint8_t *h = f->data;
	struct addr src, dst;
	const uint8_t *l4;
	uint32_t length, header;
	uint16_t type;
	uint8_t proto;

	if (f->link != LINK_ETHERNET || f->gso_proto ||
	    f->caplen < FAST_ETHERNET_BYTES + FAST_IPV4_BYTES + FAST_TCP_BYTES)
		return false;
	type = load_be16(h + 12);
	h += FAST_ETHERNET_BYTES;
	if (type == 0x0800) {
		header = FAST_IPV4_BYTES;
		/* no options, no fragment */
		if (h[0] != 0x45 || load_be16(h + 6) & 0x3fff)
			return false;
		length = load_be16(h + 2);
		proto = h[9];
		src = (struct addr){.w = {0, 0}};
		dst = (struct addr){.w = {0, 0}};
		memcpy(src.b, h + 12, 4);
		memcpy(dst.b, h + 16, 4);
		l4 = h + FAST_IPV4_BYTES;
	} else if (type == 0x86dd) {
		header = FAST_IPV6_BYTES;
		if (f->caplen < FAST_ETHERNET_BYTES + FAST_IPV6_BYTES + FAST_TCP_BYTES ||
		    h[0] >> 4 != ADDR_V6)
			return false;
		length = load_be16(h + 4) + FAST_IPV6_BYTES;
		proto = h[6];
		memcpy(src.b, h + 8, 16);
		memcpy(dst.b, h + 24, 16);
		l4 = h + FAST_IPV6_BYTES;
	} else {
		return false;
	}
	/* TCP or UDP, all of what is read belonging to the packet, which is not
	 * longer than it was on the wire. */
	if ((proto != PROTO_TCP && proto != PROTO_UDP) || length < header + FAST_TCP_BYTES ||
	    length + FAST_ETHERNET_BYTES > f->wirelen)
		return false;
	memcpy(ports, l4, 4);
	p->ts_ns = f->ts_ns;
	p->ip_bytes = length;
	p->packets = 1;
	p->verdict = PKT_OK;
	p->class = proto == PROTO_TCP ? PKT_TCP : PKT_UDP;
	p->kind = PKT_KIND_FLOW;
	p->tcp_flags = proto == PROTO_TCP ? l4[13] : 0;
	p->family = header == FAST_IPV4_BYTES ? ADDR_V4 : ADDR_V6;
	p->way = f->way;
	p->quoted = PKT_QUOTE_NONE;
	p->is_reply = false;
	p->fragment = PKT_WHOLE;
	p->side = fast_key(&p->key, &src, &dst, l4, proto, p->family);
	return true;
}

#endif
