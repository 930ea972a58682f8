/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pkt.c - from a frame to what it says.
 *
 * Pure: reads the frame it is given, writes one pkt, nothing else.
 */
#include "packet/pkt.h"

#include "packet/fast.h"
#include "packet/internal.h"

/* The version nibble decides; what the layer below said must agree. */
static enum walk_next ip_walk(struct walk *w, struct pkt *p)
{
	uint8_t version = w->ip_family;

	if (!version) {
		const uint8_t *at = bytes_peek(&w->b, 1);

		if (!at)
			return walk_end(w, PKT_MALFORMED_CUT);
		version = at[0] >> 4;
	}
	if (version == 4)
		return ipv4_walk(w, p);
	if (version == 6)
		return ipv6_walk(w, p);
	return walk_end(w, PKT_MALFORMED_VERSION);
}

enum pkt_verdict pkt_decode(const struct frame *f, struct pkt *p)
{
	struct walk w;
	enum walk_next next;

	if (__builtin_expect(fast_decode(f, p), 1))
		return PKT_OK;
	w = (struct walk){.b = bytes_of(f->data, f->caplen), .wire = f->wirelen};
	p->ts_ns = f->ts_ns;
	p->way = f->way;
	next = link_walk(&w, p, f->link);
	while (next != WALK_END) {
		switch (next) {
		case WALK_IP:
			next = ip_walk(&w, p);
			break;
		case WALK_ETHERTYPE:
			next = ethertype_walk(&w);
			break;
		case WALK_MPLS:
			next = mpls_walk(&w);
			break;
		case WALK_PPPOE:
			next = pppoe_walk(&w);
			break;
		default:
			next = ppp_walk(&w);
			break;
		}
	}
	p->verdict = w.verdict;
	p->packets = 1;
	if (f->gso_proto && w.verdict == PKT_OK)
		segments_count(p, &w, f);
	return (enum pkt_verdict)w.verdict;
}

const char *pkt_verdict_name(enum pkt_verdict v)
{
	static const char *const names[PKT_VERDICTS] = {
		[PKT_OK] = "ok",
		[PKT_NOT_IP] = "not_ip_protocol",
		[PKT_NOT_IP_LINK] = "not_ip_link_type",
		[PKT_NOT_IP_CUT] = "not_ip_cut",
		[PKT_MALFORMED_CUT] = "malformed_cut",
		[PKT_MALFORMED_VERSION] = "malformed_version",
		[PKT_MALFORMED_IHL] = "malformed_header_length",
		[PKT_MALFORMED_SHORT] = "malformed_length_short",
		[PKT_MALFORMED_LONG] = "malformed_length_long",
	};

	return v < PKT_VERDICTS ? names[v] : "unknown";
}
