/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipv4.c - the IPv4 header (RFC 791).
 *
 * Judged by its length fields, not by how much was captured: options may be
 * missing, as may all that follows.
 */
#include "packet/internal.h"

#define IPV4_BYTES	20
#define FRAGMENT_OFFSET 0x1fff
#define FRAGMENT_MORE	0x2000

static void read_addrs(struct addr *src, struct addr *dst, const uint8_t *h)
{
	src->w[0] = src->w[1] = 0;
	dst->w[0] = dst->w[1] = 0;
	memcpy(src->b, h + 12, 4);
	memcpy(dst->b, h + 16, 4);
}

static enum pkt_fragment read_fragment(const uint8_t *h)
{
	const uint16_t field = load_be16(h + 6);

	if (field & FRAGMENT_OFFSET)
		return PKT_LATER;
	return field & FRAGMENT_MORE ? PKT_FIRST : PKT_WHOLE;
}

enum walk_next ipv4_walk(struct walk *w, struct pkt *p)
{
	const uint8_t *h = bytes_peek(&w->b, IPV4_BYTES);
	struct addr src, dst;
	struct bytes rest;
	uint32_t header, length;

	if (!h)
		return walk_end(w, PKT_MALFORMED_CUT);
	if (h[0] >> 4 != ADDR_V4)
		return walk_end(w, PKT_MALFORMED_VERSION);
	header = (h[0] & 0x0fu) * 4;
	if (header < IPV4_BYTES)
		return walk_end(w, PKT_MALFORMED_IHL);
	length = load_be16(h + 2);
	if (length == 0) /* larger than 64 KiB, built by offload */
		length = (uint32_t)w->wire;
	if (length < header)
		return walk_end(w, PKT_MALFORMED_SHORT);
	if (length > w->wire && !w->is_cut)
		return walk_end(w, PKT_MALFORMED_LONG);

	walk_ip_header(w, h, h[9]);
	p->ip_bytes = length;
	p->fragment = (uint8_t)read_fragment(h);
	p->frag_id = load_be16(h + 4);
	read_addrs(&src, &dst, h);
	/* From here on, only what belongs to the packet: no padding. */
	rest = bytes_of(h, bytes_left(&w->b) < length ? bytes_left(&w->b) : length);
	if (p->fragment == PKT_LATER)
		packet_finish_without(p, &src, &dst, PKT_KIND_FRAGMENT, ADDR_V4, h[9]);
	else if (!bytes_take(&rest, header))
		packet_finish_without(p, &src, &dst, PKT_KIND_FLOW, ADDR_V4, h[9]);
	else
		walk_finish(w, p, &src, &dst, rest, ADDR_V4);
	return WALK_TUNNEL;
}

enum pkt_quote ipv4_quote_read(struct pkt *p, struct bytes *b)
{
	const uint8_t *h = bytes_peek(b, IPV4_BYTES);
	enum pkt_quote quote = PKT_QUOTE_ADDRS;
	struct transport t = {0};
	struct addr src, dst;
	uint8_t side;

	if (!h || h[0] >> 4 != ADDR_V4 || (h[0] & 0x0f) < 5)
		return PKT_QUOTE_NONE;
	read_addrs(&src, &dst, h);
	if (!(load_be16(h + 6) & FRAGMENT_OFFSET) && bytes_take(b, (h[0] & 0x0fu) * 4)) {
		transport_read(&t, b, ADDR_V4, h[9]);
		quote = t.kind == PKT_KIND_FLOW ? PKT_QUOTE_WHOLE : PKT_QUOTE_ADDRS;
	}
	side = key_fill(&p->key, &src, &dst, &t, ADDR_V4, h[9]);
	p->side = !side;
	return quote;
}
