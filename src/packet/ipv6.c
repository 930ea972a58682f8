/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipv6.c - the IPv6 header and its extension headers (RFC 8200, RFC 4302).
 */
#include "packet/internal.h"

#define IPV6_BYTES     40
#define FRAGMENT_BYTES 8

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_DSTOPTS ||
	       proto == PROTO_AH || proto == PROTO_FRAGMENT;
}

/* What a fragment header says: offset, two bits for nobody, more to come. */
static enum pkt_fragment read_fragment_header(const uint8_t *h)
{
	const uint16_t field = load_be16(h + 2);

	if (field >> 3)
		return PKT_LATER;
	return field & 1 ? PKT_FIRST : PKT_WHOLE;
}

/* Walks the extension headers to the upper protocol, or to the first that is
 * not wholly there: *proto is then that header's own number. Ends at a later
 * fragment, whose upper header is in another packet. Returns which fragment it
 * is, and its identification if it is one. */
static enum pkt_fragment walk_extensions(struct bytes *b, uint8_t *proto, uint32_t *id)
{
	enum pkt_fragment fragment = PKT_WHOLE;

	while (is_extension(*proto)) {
		const uint8_t *h = bytes_peek(b, 2);
		size_t n;

		if (!h)
			return fragment;
		if (*proto == PROTO_FRAGMENT)
			n = FRAGMENT_BYTES;
		else if (*proto == PROTO_AH)
			n = (h[1] + 2u) * 4;
		else
			n = (h[1] + 1u) * 8;
		if (!bytes_take(b, n))
			return fragment;
		if (*proto == PROTO_FRAGMENT && read_fragment_header(h) != PKT_WHOLE) {
			fragment = read_fragment_header(h);
			*id = load_be32(h + 4);
		}
		*proto = h[0];
		if (fragment == PKT_LATER)
			break;
	}
	return fragment;
}

enum walk_next ipv6_walk(struct walk *w, struct pkt *p)
{
	const uint8_t *h = bytes_peek(&w->b, IPV6_BYTES);
	struct addr src, dst;
	struct bytes rest;
	uint64_t length;
	uint8_t proto;

	if (!h)
		return walk_end(w, PKT_MALFORMED_CUT);
	if (h[0] >> 4 != ADDR_V6)
		return walk_end(w, PKT_MALFORMED_VERSION);
	length = load_be16(h + 4);
	length = length ? length + IPV6_BYTES : w->wire; /* 0: a jumbogram, or offload */
	if (length < IPV6_BYTES)
		return walk_end(w, PKT_MALFORMED_SHORT);
	if (length > w->wire && !w->is_cut)
		return walk_end(w, PKT_MALFORMED_LONG);

	p->ip_bytes = (uint32_t)length;
	memcpy(src.b, h + 8, 16);
	memcpy(dst.b, h + 24, 16);
	rest = bytes_of(h, bytes_left(&w->b) < length ? bytes_left(&w->b) : (size_t)length);
	bytes_take(&rest, IPV6_BYTES);
	proto = h[6];
	p->fragment = (uint8_t)walk_extensions(&rest, &proto, &p->frag_id);
	walk_ip_header(w, h, proto);
	if (p->fragment == PKT_LATER)
		packet_finish_without(p, &src, &dst, PKT_KIND_FRAGMENT, ADDR_V6, proto);
	else if (is_extension(proto))
		packet_finish_without(p, &src, &dst, PKT_KIND_FLOW, ADDR_V6, proto);
	else
		walk_finish(w, p, &src, &dst, rest, ADDR_V6);
	return WALK_TUNNEL;
}

enum pkt_quote ipv6_quote_read(struct pkt *p, struct bytes *b)
{
	const uint8_t *h = bytes_take(b, IPV6_BYTES);
	enum pkt_quote quote = PKT_QUOTE_ADDRS;
	struct transport t = {0};
	struct addr src, dst;
	uint8_t proto, side;
	uint32_t id;

	if (!h || h[0] >> 4 != ADDR_V6)
		return PKT_QUOTE_NONE;
	memcpy(src.b, h + 8, 16);
	memcpy(dst.b, h + 24, 16);
	proto = h[6];
	if (walk_extensions(b, &proto, &id) != PKT_LATER && !is_extension(proto)) {
		transport_read(&t, b, ADDR_V6, proto);
		quote = t.kind == PKT_KIND_FLOW ? PKT_QUOTE_WHOLE : PKT_QUOTE_ADDRS;
	}
	side = key_fill(&p->key, &src, &dst, &t, ADDR_V6, proto);
	p->side = !side;
	return quote;
}
