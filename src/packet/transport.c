/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport.c - ports and flags, and the key that they make.
 *
 * TCP (RFC 9293), UDP (RFC 768), UDP-Lite (RFC 3828), SCTP (RFC 9260) and
 * DCCP (RFC 4340) all begin with source and destination port.
 */
#include "packet/internal.h"

#define TCP_FLAGS_AT 13

void transport_read(struct transport *t, struct bytes *b, uint8_t family, uint8_t proto)
{
	const uint8_t *h;

	switch (proto) {
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_SCTP:
	case PROTO_DCCP:
		h = bytes_peek(b, 4);
		if (!h)
			return;
		t->sport = load_be16(h);
		t->dport = load_be16(h + 2);
		if (proto == PROTO_TCP && bytes_peek(b, TCP_FLAGS_AT + 1))
			t->tcp_flags = h[TCP_FLAGS_AT];
		return;
	case PROTO_ICMP:
		if (family == ADDR_V4)
			icmp_read(t, b, family);
		return;
	case PROTO_ICMPV6:
		if (family == ADDR_V6)
			icmp_read(t, b, family);
		return;
	default:
		return;
	}
}

/* Whether the source is the higher end. Between equal addresses the ports
 * decide, or for an ICMP query to oneself whether it is the reply. */
static uint8_t side_of(const struct addr *src, const struct addr *dst, const struct transport *t,
		       bool is_icmp)
{
	if (src->w[0] != dst->w[0])
		return src->w[0] > dst->w[0];
	if (src->w[1] != dst->w[1])
		return src->w[1] > dst->w[1];
	return is_icmp ? t->is_reply : t->sport > t->dport;
}

uint8_t key_fill(struct pkt_key *k, const struct addr *src, const struct addr *dst,
		 const struct transport *t, uint8_t family, uint8_t proto)
{
	const bool is_icmp = class_of(family, proto) == PKT_ICMP;
	const uint8_t side = side_of(src, dst, t, is_icmp);

	k->addr[side] = *src;
	k->addr[!side] = *dst;
	k->port[is_icmp ? 0 : side] = t->sport;
	k->port[is_icmp ? 1 : !side] = t->dport;
	k->proto = proto;
	k->family = family;
	k->zero = 0;
	return side;
}

static void finish(struct pkt *p, const struct addr *src, const struct addr *dst,
		   const struct transport *t, uint8_t family, uint8_t proto)
{
	p->family = family;
	p->class = (uint8_t)class_of(family, proto);
	p->kind = t->kind;
	p->tcp_flags = t->tcp_flags;
	p->is_reply = t->is_reply;
	if (t->kind != PKT_KIND_FLOW) {
		p->own[0] = *src;
		p->own[1] = *dst;
	}
	p->side = key_fill(&p->key, src, dst, t, family, proto);
}

void packet_finish(struct pkt *p, const struct addr *src, const struct addr *dst, struct bytes *b,
		   uint8_t family, uint8_t proto)
{
	struct transport t = {0};

	transport_read(&t, b, family, proto);
	finish(p, src, dst, &t, family, proto);
	p->quoted = PKT_QUOTE_NONE;
	if (t.has_quote)
		p->quoted = family == ADDR_V4 ? ipv4_quote_read(p, b) : ipv6_quote_read(p, b);
}

void packet_finish_without(struct pkt *p, const struct addr *src, const struct addr *dst,
			   enum pkt_kind kind, uint8_t family, uint8_t proto)
{
	const struct transport t = {.kind = (uint8_t)kind};

	finish(p, src, dst, &t, family, proto);
}
