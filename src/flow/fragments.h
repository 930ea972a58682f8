/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fragments.h - which flow the later fragments of a datagram belong to.
 *
 * Only a datagram's first fragment has ports. The store keeps its flow for
 * those that follow; and of those that come before it how many packets and
 * bytes they are, to be credited to the flow when it comes. Nothing is put
 * together: overlapping, repeated and missing fragments are packets like all
 * others, and a first one that comes again, or another with an identification
 * that is used again, is from then on the one that counts.
 *
 * A datagram is known by source, destination, identification and, but for
 * IPv6 (RFC 8200), protocol. ICMP errors are not for this store: the flow that
 * their first fragment quotes may be another worker's than the one to which
 * the later ones come by their addresses.
 *
 * Threading: a store belongs to one worker thread; no call locks. Only
 *            fragments_stats() may be called from others, at any time.
 * Memory:    everything is allocated in fragments_new(), from the caller's
 *            arena, and touched only as fragments come; no other call
 *            allocates.
 * Time:      the stream's clock, as in flow_table.h. A datagram is forgotten
 *            FRAGMENTS_LIFE_SEC after its first fragment or, as long as that
 *            is missing, after the first one seen. A stamp farther than that
 *            from the clock's whole second counts as coming then.
 *
 * A full store: a keyed hash spreads datagrams over sets of 8, and a newcomer
 * to a full set takes the place of an old one. There are three kinds: single
 * (a first fragment, no later one yet), early (later ones, the first missing)
 * and proven (both). Of a set 2, 2 and 4 places are theirs; the kind that has
 * most above its share gives up its oldest. So a flood of halves of datagrams,
 * from one sender or any number, takes nothing from proven ones, and floods of
 * first fragments nothing from early ones or the other way round. A datagram
 * that begins in a flood of its own kind has a quarter of its set or more: it
 * is lost if that many of the flood come to this set between its first two
 * fragments, which is rare as long as fewer come in all than there are sets.
 * A flood of datagrams with both halves cannot be told from traffic: then what
 * began before half a store's worth of them is gone.
 */
#ifndef FLOW_FRAGMENTS_H
#define FLOW_FRAGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "packet/pkt.h"

struct fragments;

#define FRAGMENTS_LIFE_SEC    30
#define FRAGMENTS_MAX_DEFAULT 65536 /* 5 MB when all are used */

struct fragments_conf {
	uint32_t datagrams_max; /* 1 or more; whole sets of 8 are made of it */
	uint8_t secret[192];	/* key of the hash; copied */
	uint64_t hash_mask;	/* ~0; fewer bits make a bad hash for tests */
};

struct fragments_stats {
	uint64_t capacity; /* datagrams */
	uint64_t firsts;   /* first fragments */
	uint64_t matched;  /* later ones whose first was known */
	uint64_t early;	   /* later ones whose first was not */
	uint64_t credited; /* of these, those whose first came in time */
	uint64_t evicted;  /* datagrams, to make room */
};

/* 0 and *out set, or -EINVAL / -ENOMEM with e filled. The store and all its
 * memory live in `arena` and end with it. */
int fragments_new(struct fragments **out, const struct fragments_conf *c, struct arena *arena,
		  struct err *e);

/* Moves the clock; it never goes back. */
void fragments_clock(struct fragments *fr, uint64_t now_ns);

/* Asks for the memory that a fragment needs, some packets ahead of it. */
void fragments_prefetch(const struct fragments *fr, const struct pkt *p);

struct fragments_early {
	uint64_t packets;
	uint64_t bytes; /* IP bytes */
};

/* p, a PKT_FIRST and PKT_KIND_FLOW, counts on the flow that its key names: so
 * will those that follow. Returns what came before it, which is forgotten here. */
struct fragments_early fragments_first(struct fragments *fr, const struct pkt *p);

/* p is a PKT_LATER. True if its first one is known: then key and side are the
 * first one's now, and p->hash is to be filled anew. False: p is as it was, and
 * waits. */
bool fragments_later(struct fragments *fr, struct pkt *p);

/* Any thread. Each counter exact; together not one instant. */
void fragments_stats(const struct fragments *fr, struct fragments_stats *out);

#endif
