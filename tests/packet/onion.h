/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onion.h - packets in packets made by hand, from the inside out, so that each
 * header knows how much it has below it.
 */
#ifndef TESTS_PACKET_ONION_H
#define TESTS_PACKET_ONION_H

#include <stdio.h>

#include "base/bytes.h"
#include "craft.h"
#include "packet/decap.h"

#define ONION_BYTES 4096

struct onion {
	size_t n; /* bytes so far, which are the last of b */
	uint8_t b[ONION_BYTES];
};

static inline uint8_t *onion_at(struct onion *o)
{
	return o->b + ONION_BYTES - o->n;
}

/* Puts n bytes in front. */
static inline void onion_put(struct onion *o, const void *data, size_t n)
{
	o->n += n;
	memcpy(onion_at(o), data, n);
}

static inline void onion_fill(struct onion *o, size_t n, uint8_t v)
{
	o->n += n;
	memset(onion_at(o), v, n);
}

/* Puts what the hex digits say in front; blanks are skipped. */
static inline void onion_hex(struct onion *o, const char *hex)
{
	uint8_t bytes[512];
	size_t n = 0;
	unsigned v;

	for (; *hex; hex += 2) {
		hex += strspn(hex, " ");
		sscanf(hex, "%2x", &v);
		bytes[n++] = (uint8_t)v;
	}
	onion_put(o, bytes, n);
}

/* The header of an IP packet that everything so far is in. */
static inline void onion_ip(struct onion *o, uint8_t family, uint8_t src, uint8_t dst,
			    uint8_t proto)
{
	struct craft c = {0};

	craft_ip(&c, family, src, dst, proto, (unsigned)o->n);
	onion_put(o, c.b, c.n);
}

static inline void onion_udp(struct onion *o, uint16_t sport, uint16_t dport)
{
	struct craft c = {0};

	craft_be(&c, 2, sport);
	craft_be(&c, 2, dport);
	craft_be(&c, 2, (uint32_t)o->n + 8);
	craft_be(&c, 2, 0);
	onion_put(o, c.b, c.n);
}

static inline void onion_tcp(struct onion *o, uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct craft c = {0};

	craft_tcp(&c, sport, dport, flags);
	onion_put(o, c.b, c.n);
}

static inline void onion_ethernet(struct onion *o, uint16_t type)
{
	struct craft c = {0};

	craft_ethernet(&c, type);
	onion_put(o, c.b, c.n);
}

static inline struct frame onion_frame(const uint8_t *data, uint16_t link, size_t caplen,
				       size_t wirelen)
{
	return (struct frame){
		.data = data,
		.caplen = (uint32_t)caplen,
		.wirelen = (uint32_t)wirelen,
		.link = link,
		.ts_ns = 1700000000123456789,
		.way = FRAME_WAY_IN,
	};
}

/* Decodes the first caplen bytes, which lie alone on the heap; without a
 * decoder by pkt_decode(). */
static inline enum pkt_verdict onion_decode(struct pkt_decoder *d, struct onion *o, uint16_t link,
					    size_t caplen, struct pkt *p)
{
	uint8_t *alone = malloc(caplen ? caplen : 1);
	const struct frame f = onion_frame(alone, link, caplen, o->n);
	enum pkt_verdict v;

	memcpy(alone, onion_at(o), caplen);
	memset(p, 0xa5, sizeof(*p));
	v = d ? pkt_decode_with(d, &f, p) : pkt_decode(&f, p);
	free(alone);
	return v;
}

/* A decoder of some kinds on the default ports. */
static inline struct pkt_decoder onion_decoder(uint32_t kinds)
{
	const struct decap_conf conf = {.kinds = kinds};
	struct pkt_decoder d;

	pkt_decoder_init(&d, &conf);
	return d;
}

static inline uint64_t onion_seen(const struct pkt_decoder *d, unsigned kind)
{
	return layer_counter_read(&d->counts, LAYER_SEEN + LAYER_TUNNEL + kind);
}

static inline uint64_t onion_opened(const struct pkt_decoder *d, unsigned kind)
{
	return layer_counter_read(&d->counts, LAYER_OPENED + kind);
}

static inline uint64_t onion_unreadable(const struct pkt_decoder *d, unsigned kind)
{
	return layer_counter_read(&d->counts, LAYER_UNREADABLE + kind);
}

/* Whether two packets say the same; what is not filled is not looked at. */
static inline bool onion_same(const struct pkt *a, const struct pkt *b)
{
	if (a->verdict != b->verdict)
		return false;
	if (a->verdict != PKT_OK)
		return true;
	return a->ip_bytes == b->ip_bytes && a->packets == b->packets && a->class == b->class &&
	       a->kind == b->kind && a->side == b->side && a->tcp_flags == b->tcp_flags &&
	       a->family == b->family && a->way == b->way && a->is_reply == b->is_reply &&
	       a->fragment == b->fragment && addr_equal(pkt_src(a), pkt_src(b)) &&
	       addr_equal(pkt_dst(a), pkt_dst(b)) && !memcmp(&a->key, &b->key, sizeof(a->key));
}

#endif
