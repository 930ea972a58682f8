/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c - what is odd about the frames themselves, told from a few of them.
 *
 * Frames are decoded once more, by a decoder of the probe's own, so that nothing
 * on the way of all the others has to remember anything for it. What it finds is
 * gathered where nobody else looks, and published after each batch.
 *
 * A repetition is told by what no router changes: length, identification, the
 * addresses and the first bytes behind the IP header. Two packets that are alike
 * in all of it are one that came twice if its sender gives identifications, or
 * if there is data in it: TCP acknowledges the same more than once.
 */
#include "table/probe.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/atomics.h"
#include "base/bytes.h"
#include "base/link.h"
#include "table/inner.h"

#define MARKS	    512 /* packets that a repetition is known of; a power of two */
#define PAIRS	    256 /* connections, likewise */
#define MARK_BYTES  40	/* behind the IP header, */
#define PRINT_LEAST 8	/* and at least */

struct mark {
	uint64_t print, ts_ns;
};

/* Which sides of a connection were seen, and how: a bit for side and tag. */
#define SIDE(side, is_tagged) (1u << (2 * (side) + (is_tagged)))
#define SIDE_ANY(side)	      (SIDE(side, 0) | SIDE(side, 1))

struct pair {
	uint64_t hash;
	uint64_t seen;
};

struct probe {
	uint32_t wait; /* batches until the next run */
	uint32_t left; /* batches of this run */
	bool by_way;
	struct pkt_decoder decoder;
	struct probe_seen now;
	struct mark marks[MARKS];
	struct pair pairs[PAIRS];
	uint64_t seq; /* guards the rest: base/atomics.h */
	struct probe_seen seen;
};

struct probe *probe_new(struct arena *arena, const struct pkt_decoder *decoder, bool by_way)
{
	struct probe *p = arena_zalloc(arena, sizeof(*p));

	if (!p)
		return NULL;
	pkt_decoder_init(&p->decoder, &decoder->conf);
	memcpy(p->decoder.secret, decoder->secret, sizeof(p->decoder.secret));
	p->by_way = by_way;
	p->left = PROBE_FIRST;
	p->wait = PROBE_EVERY;
	return p;
}

/* --- networks ----------------------------------------------------------------- */

static struct addr net_of(const struct addr *ip, uint8_t family)
{
	struct addr net = {.w = {0, 0}};

	memcpy(net.b, ip->b, family == ADDR_V4 ? PROBE_V4_BITS / 8 : PROBE_V6_BITS / 8);
	return net;
}

/* Where a network is, or else the one with the fewest, whose place it may take. */
static struct probe_net *net_at(struct probe_net *nets, const struct addr *addr, uint64_t family)
{
	struct probe_net *least = nets;

	for (struct probe_net *n = nets; n < nets + PROBE_NETS; n++) {
		if (n->family == family && addr_equal(&n->addr, addr))
			return n;
		if (n->ends < least->ends)
			least = n;
	}
	return least;
}

/* A newcomer inherits the count of whom it replaces: so none that is frequent is
 * lost, however many others come between. */
static void add_end(struct probe_seen *s, const struct addr *ip, uint8_t family)
{
	const struct addr net = net_of(ip, family);
	struct probe_net *at = net_at(s->nets, &net, family);

	at->addr = net;
	at->family = family;
	at->ends++;
}

/* --- packets ------------------------------------------------------------------ */

/* Where in the frame the IP header of the packet is, that it was decoded to: its
 * two addresses stand side by side. NULL: not captured. */
static const uint8_t *header_of(const struct frame *f, const struct pkt *p)
{
	const size_t n = p->family == ADDR_V4 ? 4 : 16, before = p->family == ADDR_V4 ? 12 : 8;
	const uint32_t caplen = f->caplen < 512 ? f->caplen : 512;
	uint8_t both[32];
	const uint8_t *at;

	memcpy(both, pkt_src(p)->b, n);
	memcpy(both + n, pkt_dst(p)->b, n);
	at = memmem(f->data, caplen, both, 2 * n);
	return at && (size_t)(at - f->data) >= before ? at - before : NULL;
}

/* Whether there is data that its sender would not say twice: TCP's, if it begins
 * before the packet ends, and what is between ports. l4: at its header, so much of
 * which was captured. */
static bool has_data(const struct pkt *p, const uint8_t *l4, size_t captured, size_t bytes)
{
	if (p->kind != PKT_KIND_FLOW)
		return false;
	return p->class != PKT_TCP || (captured > 12 && bytes > (size_t)(l4[12] >> 4) * 4);
}

/* 0: it is nothing to go by. */
static uint64_t print_of(const struct probe *b, const struct frame *f, const struct pkt *p)
{
	const uint8_t *ip = header_of(f, p), *end = f->data + f->caplen;
	const bool is_v4 = p->family == ADDR_V4;
	uint8_t text[6 + 32 + MARK_BYTES];
	size_t header, captured, n = 0;

	if (!ip || p->packets != 1)
		return 0;
	header = is_v4 ? (size_t)(ip[0] & 15) * 4 : 40;
	if (header < 20 || (size_t)(end - ip) <= header || p->ip_bytes <= header)
		return 0;
	captured = (size_t)(end - ip) - header;
	if (captured > p->ip_bytes - header)
		captured = p->ip_bytes - header;
	if (captured < PRINT_LEAST && captured < p->ip_bytes - header)
		return 0;
	if (!(is_v4 && load_be16(ip + 4)) &&
	    !has_data(p, ip + header, captured, p->ip_bytes - header))
		return 0;
	if (captured > MARK_BYTES)
		captured = MARK_BYTES;
	memcpy(text, ip + (is_v4 ? 2 : 4), is_v4 ? 6 : 3); /* all but class and hops */
	n += is_v4 ? 6 : 3;
	memcpy(text + n, ip + (is_v4 ? 12 : 8), is_v4 ? 8 : 32);
	n += is_v4 ? 8 : 32;
	memcpy(text + n, ip + header, captured);
	return XXH3_64bits_withSeed(text, n + captured, b->decoder.secret[0]) | 1;
}

static void look_for_repetition(struct probe *b, const struct frame *f, const struct pkt *p)
{
	const uint64_t print = print_of(b, f, p);
	struct mark *m = &b->marks[print >> 32 & (MARKS - 1)];

	if (!print)
		return;
	b->now.n[PROBE_REPEATABLE]++;
	if (m->print == print && f->ts_ns - m->ts_ns + PROBE_REPEAT_NS <= 2 * PROBE_REPEAT_NS)
		b->now.n[PROBE_REPEATED]++;
	*m = (struct mark){print, f->ts_ns};
}

/* The outermost tag: that of a mirror, if there is one. */
static bool is_tagged(const struct frame *f)
{
	uint16_t type;

	if (f->vlan_tpid)
		return true;
	if (f->link != LINK_ETHERNET || f->caplen < 14)
		return false;
	type = load_be16(f->data + 12);
	return type == 0x8100 || type == 0x88a8;
}

static void look_at_tags(struct probe *b, const struct frame *f, const struct pkt *p)
{
	struct pair *pair = &b->pairs[p->hash >> 32 & (PAIRS - 1)];
	uint64_t seen;

	if (p->kind != PKT_KIND_FLOW)
		return;
	seen = pair->hash == p->hash ? pair->seen : 0;
	if (seen & SIDE_ANY(p->side)) /* nothing new, but for a tag that comes and goes */
		return;
	seen |= SIDE(p->side, is_tagged(f));
	*pair = (struct pair){p->hash, seen};
	if (!(seen & SIDE_ANY(0)) || !(seen & SIDE_ANY(1)))
		return;
	b->now.n[PROBE_PAIRS]++;
	b->now.n[PROBE_HALF_TAGGED] +=
		seen == (SIDE(0, 0) | SIDE(1, 1)) || seen == (SIDE(0, 1) | SIDE(1, 0));
}

static void look_at_length(struct probe *b, const struct frame *f, const struct pkt *p)
{
	uint64_t *n = b->now.n;

	if (f->gso_proto) {
		n[PROBE_MERGED]++;
		return;
	}
	if (p->ip_bytes <= PROBE_USUAL_BYTES)
		return;
	n[PROBE_LONG]++;
	if (p->ip_bytes > n[PROBE_LONGEST])
		n[PROBE_LONGEST] = p->ip_bytes;
}

static void look_at_ends(struct probe *b, const struct inner *inner, const struct pkt *p)
{
	const struct addr *src = pkt_src(p), *dst = pkt_dst(p);

	if (b->by_way || inner_has(inner, src, p->family) || inner_has(inner, dst, p->family))
		return;
	b->now.n[PROBE_TRANSIT]++;
	if (inner_can_have(src, p->family))
		add_end(&b->now, src, p->family);
	if (inner_can_have(dst, p->family))
		add_end(&b->now, dst, p->family);
}

static void look_at(struct probe *b, const struct inner *inner, const struct frame *f)
{
	struct pkt p;

	b->now.n[PROBE_FRAMES]++;
	if (pkt_decode_with(&b->decoder, f, &p) != PKT_OK)
		return;
	b->now.n[PROBE_PACKETS]++;
	b->now.n[PROBE_PORTLESS] +=
		p.kind == PKT_KIND_FLOW && p.class <= PKT_UDP && !p.key.port[0] && !p.key.port[1];
	look_at_length(b, f, &p);
	look_at_ends(b, inner, &p);
	look_at_tags(b, f, &p);
	look_for_repetition(b, f, &p);
}

/* --- batches ------------------------------------------------------------------ */

static void publish(struct probe *b)
{
	seq_write_begin(&b->seq);
	seq_store_words(&b->seen, &b->now, sizeof(b->now) / 8);
	seq_write_end(&b->seq);
}

/* Whether this batch is one to look at. */
static bool is_due(struct probe *b, unsigned n)
{
	if (--b->wait == 0) {
		b->wait = PROBE_EVERY;
		b->left = PROBE_RUN;
	}
	if (b->left) {
		b->left--;
		return true;
	}
	return n < PROBE_BATCH / 2;
}

void probe_batch(struct probe *b, const struct inner *inner, const struct frame *frames, unsigned n)
{
	if (!is_due(b, n))
		return;
	b->now.n[PROBE_BATCHES]++;
	for (unsigned i = 0; i < n; i++)
		look_at(b, inner, &frames[i]);
	publish(b);
}

void probe_read(const struct probe *b, struct probe_seen *out)
{
	uint64_t seq;

	do {
		seq = load_acquire(&b->seq);
		seq_copy_words(out, &b->seen, sizeof(*out) / 8);
	} while (seq & 1 || seq != load_relaxed(&b->seq));
}

void probe_add(struct probe_seen *to, const struct probe_seen *from)
{
	const uint64_t longest = to->n[PROBE_LONGEST] > from->n[PROBE_LONGEST]
					 ? to->n[PROBE_LONGEST]
					 : from->n[PROBE_LONGEST];

	for (unsigned i = 0; i < PROBE_COUNTERS; i++)
		to->n[i] += from->n[i];
	to->n[PROBE_LONGEST] = longest;
	for (unsigned i = 0; i < PROBE_NETS && from->nets[i].family; i++) {
		const struct probe_net *net = &from->nets[i];
		struct probe_net *at = net_at(to->nets, &net->addr, net->family);

		if (at->family == net->family && addr_equal(&at->addr, &net->addr))
			at->ends += net->ends;
		else if (at->ends < net->ends)
			*at = *net;
	}
}
