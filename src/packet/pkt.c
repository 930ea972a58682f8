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

static enum walk_next walk_step(struct walk *w, struct pkt *p, enum walk_next next)
{
	switch (next) {
	case WALK_IP:
		return ip_walk(w, p);
	case WALK_TUNNEL:
		return tunnel_walk(w, p);
	case WALK_ETHERTYPE:
		return ethertype_walk(w);
	case WALK_MPLS:
		return mpls_walk(w);
	case WALK_PPPOE:
		return pppoe_walk(w);
	default:
		return ppp_walk(w);
	}
}

/* Out of line, so that nothing of it is paid for by frames that need none. */
__attribute__((noinline)) enum pkt_verdict frame_walk(struct pkt_decoder *d, const struct frame *f,
						      struct pkt *p)
{
	struct walk w = {.b = bytes_of(f->data, f->caplen), .wire = f->wirelen, .decoder = d};
	struct pkt outer;
	enum walk_next next;

	w.outer = &outer;
	p->ts_ns = f->ts_ns;
	p->way = f->way;
	p->packets = 1;
	if (f->vlan_tpid)
		vlan_count(d, f->vlan_tpid);
	next = link_walk(&w, p, f->link);
	while (next != WALK_END)
		next = walk_step(&w, p, next);
	if (w.is_opening)
		tunnel_leave(&w, p);
	p->verdict = w.verdict;
	if (d && w.verdict == PKT_NOT_IP_LINK)
		store_relaxed(&d->unknown_link, f->link + 1u);
	if (w.verdict != PKT_OK)
		return (enum pkt_verdict)w.verdict;
	if (d)
		p->hash = pkt_key_hash(&p->key, d->secret);
	if (f->gso_proto)
		segments_count(p, &w, f);
	p->is_simple = p->kind == PKT_KIND_FLOW && p->fragment == PKT_WHOLE && p->packets == 1 &&
		       p->ip_bytes <= PKT_SIMPLE_BYTES;
	return PKT_OK;
}

enum pkt_verdict pkt_decode(const struct frame *f, struct pkt *p)
{
	static const uint64_t nobodys[PKT_KEY_SECRETS];
	uint32_t ports;

	if (__builtin_expect(fast_decode(f, p, &ports, nobodys), 1))
		return PKT_OK;
	return frame_walk(NULL, f, p);
}

/* Counts the layers of a frame that fast_decode() took; true if it is a tunnel
 * that is to be opened, and nothing was counted. */
static __attribute__((noinline)) bool note_fast(struct pkt_decoder *d, const struct frame *f,
						const struct pkt *p)
{
	const uint16_t *port = p->key.port;
	const enum decap_kind kind =
		p->class == PKT_UDP ? udp_tunnel_kind(&d->conf, port[p->side], port[!p->side])
				    : DECAP_KINDS;

	if (kind != DECAP_KINDS) {
		if (d->conf.kinds >> kind & 1)
			return true;
		layer_count(d, LAYER_SEEN + LAYER_TUNNEL + kind);
	}
	if (f->vlan_tpid)
		vlan_count(d, f->vlan_tpid);
	return false;
}

static inline enum pkt_verdict decode(struct pkt_decoder *d, const struct frame *f, struct pkt *p)
{
	uint32_t ports;

	if (__builtin_expect(fast_decode(f, p, &ports, d->secret), 1)) {
		const unsigned hit = (p->class == PKT_UDP) & udp_ports_hit(d, ports);

		if (__builtin_expect((hit | f->vlan_tpid) == 0, 1) || !note_fast(d, f, p))
			return PKT_OK;
	}
	return frame_walk(d, f, p);
}

enum pkt_verdict pkt_decode_with(struct pkt_decoder *d, const struct frame *f, struct pkt *p)
{
	return decode(d, f, p);
}

unsigned pkt_decode_all(struct pkt_decoder *d, const struct frame *frames, unsigned n,
			struct pkt *pkts, uint64_t *verdicts)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		const enum pkt_verdict v = decode(d, &frames[i], &pkts[good]);

		if (__builtin_expect(v != PKT_OK, 0)) {
			verdicts[v]++;
			continue;
		}
		good++;
	}
	return good;
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
