/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fragments.c - which flow the later fragments of a datagram belong to.
 *
 * A set-associative cache: a datagram hashes to one set of WAYS places and is
 * in one of these or nowhere. A set holds what is needed to search it and to
 * choose who leaves; the rest lies in an array of its own. Nothing is swept: a
 * place whose time is over is free to whoever looks at it next.
 *
 * Invariant: at most one place holds a datagram. A search gives all places of
 * its set free whose time is over, so that a packet stamped earlier cannot find it again.
 */
#include "flow/fragments.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/atomics.h"
#include "base/units.h"

#define WAYS	    8
#define NO_WAY	    WAYS
#define LIFE_NS	    (FRAGMENTS_LIFE_SEC * NS_PER_SEC)
#define SET_BYTES   128
#define SETS_MAX    ((UINT32_MAX >> 1) / WAYS)
#define IDENT_BYTES 40

enum kind {
	KIND_FREE,
	KIND_SINGLE, /* a first fragment alone */
	KIND_EARLY,  /* later ones alone */
	KIND_PROVEN, /* both */
	KINDS
};

/* Places of a set that no other kind may take. */
static const int share[KINDS] = {
	[KIND_SINGLE] = 2,
	[KIND_EARLY] = 2,
	[KIND_PROVEN] = 4,
};

struct fragments_set {
	uint64_t born_ns[WAYS];
	uint16_t tag[WAYS]; /* bits of the hash */
	uint8_t kind[WAYS];
	uint8_t zero[SET_BYTES - WAYS * (8 + 2 + 1)];
};

_Static_assert(sizeof(struct fragments_set) == SET_BYTES, "a set is two cache lines");

/* Of a datagram; compared and hashed as bytes. */
struct fragments_ident {
	struct addr addr[2]; /* source, destination */
	uint32_t id;
	uint8_t proto; /* 0 for IPv6 */
	uint8_t family;
	uint16_t zero;
};

_Static_assert(sizeof(struct fragments_ident) == IDENT_BYTES, "no padding");

/* What the key of a flow has besides the datagram's addresses. */
struct fragments_flow {
	uint16_t port[2]; /* as in struct pkt_key */
	uint8_t proto;
	uint8_t side; /* that sent it */
};

struct fragments_entry {
	struct fragments_ident ident;
	union {
		struct fragments_flow flow;
		struct fragments_early early; /* KIND_EARLY */
	};
	uint64_t zero;
};

_Static_assert(sizeof(struct fragments_entry) == 64, "an entry is one cache line");

struct fragments {
	struct fragments_set *sets;
	struct fragments_entry *entries; /* WAYS for each set */
	uint32_t sets_n;
	uint64_t now_floor_ns; /* the clock's whole second */
	uint64_t hash_mask;
	struct fragments_stats stats;
	uint8_t secret[192];
};

/* Where a datagram is, or would be. */
struct place {
	struct fragments_set *set;
	struct fragments_entry *entries; /* of the set */
	struct fragments_ident ident;
	uint64_t ts_ns;	 /* of the packet, as it counts here */
	uint64_t now_ns; /* this, or the clock's second if that is later */
	uint16_t tag;
	unsigned way; /* NO_WAY: it is not there */
};

static void ident_fill(struct fragments_ident *d, const struct pkt *p)
{
	d->addr[0] = *pkt_src(p);
	d->addr[1] = *pkt_dst(p);
	d->id = p->frag_id;
	d->family = p->family;
	d->zero = 0;
	d->proto = p->family == ADDR_V6 ? 0 : p->key.proto;
}

static uint64_t near_clock(const struct fragments *fr, uint64_t ts_ns)
{
	if (ts_ns + LIFE_NS <= fr->now_floor_ns || ts_ns > fr->now_floor_ns + LIFE_NS)
		return fr->now_floor_ns;
	return ts_ns;
}

static uint64_t hash_ident(const struct fragments *fr, const struct fragments_ident *d)
{
	return XXH3_64bits_withSecret(d, sizeof(*d), fr->secret, sizeof(fr->secret)) &
	       fr->hash_mask;
}

static uint32_t set_of(const struct fragments *fr, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * fr->sets_n >> 32);
}

void fragments_prefetch(const struct fragments *fr, const struct pkt *p)
{
	const struct fragments_set *set;
	struct fragments_ident d;

	ident_fill(&d, p);
	set = &fr->sets[set_of(fr, hash_ident(fr, &d))];
	__builtin_prefetch(set->born_ns, 1);
	__builtin_prefetch(set->tag, 1);
}

static void find(struct fragments *fr, const struct pkt *p, struct place *at)
{
	uint64_t hash;
	uint32_t i;

	ident_fill(&at->ident, p);
	hash = hash_ident(fr, &at->ident);
	i = set_of(fr, hash);
	at->set = &fr->sets[i];
	at->entries = &fr->entries[(size_t)i * WAYS];
	at->tag = (uint16_t)hash;
	at->ts_ns = near_clock(fr, p->ts_ns);
	at->now_ns = at->ts_ns > fr->now_floor_ns ? at->ts_ns : fr->now_floor_ns;
	at->way = NO_WAY;
	for (unsigned w = 0; w < WAYS; w++) {
		if (!at->set->kind[w])
			continue;
		if (at->set->born_ns[w] + LIFE_NS <= at->now_ns)
			at->set->kind[w] = KIND_FREE;
		else if (at->set->tag[w] == at->tag &&
			 !memcmp(&at->entries[w].ident, &at->ident, IDENT_BYTES))
			at->way = w;
	}
}

/* The oldest of the kind that has most above its share, the newcomer's own
 * among equals. All places are taken, and with the newcomer there is one more
 * than the shares add up to: so one kind is above. */
static unsigned choose_leaver(const struct fragments_set *s, enum kind newcomer)
{
	int above[KINDS] = {0};
	unsigned most = newcomer, oldest = NO_WAY;

	above[newcomer] = 1;
	for (unsigned k = KIND_SINGLE; k < KINDS; k++)
		above[k] -= share[k];
	for (unsigned w = 0; w < WAYS; w++)
		above[s->kind[w]]++;
	for (unsigned k = KIND_SINGLE; k < KINDS; k++)
		if (above[k] > above[most])
			most = k;
	for (unsigned w = 0; w < WAYS; w++)
		if (s->kind[w] == most && (oldest == NO_WAY || s->born_ns[w] < s->born_ns[oldest]))
			oldest = w;
	return oldest;
}

/* Gives the datagram, which is not there, a place. */
static void take_way(struct fragments *fr, struct place *at, enum kind kind)
{
	const uint8_t *free_way = memchr(at->set->kind, KIND_FREE, WAYS);

	if (free_way) {
		at->way = (unsigned)(free_way - at->set->kind);
	} else {
		at->way = choose_leaver(at->set, kind);
		counter_add(&fr->stats.evicted, 1);
	}
	at->set->kind[at->way] = (uint8_t)kind;
	at->set->tag[at->way] = at->tag;
	at->set->born_ns[at->way] = at->ts_ns;
	at->entries[at->way].ident = at->ident;
}

struct fragments_early fragments_first(struct fragments *fr, const struct pkt *p)
{
	struct fragments_early early = {0, 0};
	struct fragments_entry *e;
	struct place at;

	find(fr, p, &at);
	if (at.way == NO_WAY)
		take_way(fr, &at, KIND_SINGLE);
	e = &at.entries[at.way];
	if (at.set->kind[at.way] == KIND_EARLY) {
		early = e->early;
		at.set->kind[at.way] = KIND_PROVEN;
		counter_add(&fr->stats.credited, early.packets);
	}
	at.set->born_ns[at.way] = at.ts_ns;
	e->flow.port[0] = p->key.port[0];
	e->flow.port[1] = p->key.port[1];
	e->flow.proto = p->key.proto;
	e->flow.side = p->side;
	counter_add(&fr->stats.firsts, p->packets);
	return early;
}

static void name_flow(struct pkt *p, const struct fragments_entry *e)
{
	p->side = e->flow.side;
	p->key.addr[p->side] = e->ident.addr[0];
	p->key.addr[!p->side] = e->ident.addr[1];
	p->key.port[0] = e->flow.port[0];
	p->key.port[1] = e->flow.port[1];
	p->key.proto = e->flow.proto;
}

bool fragments_later(struct fragments *fr, struct pkt *p)
{
	const struct fragments_early none = {0, 0};
	struct fragments_entry *e;
	struct place at;

	find(fr, p, &at);
	if (at.way == NO_WAY) {
		take_way(fr, &at, KIND_EARLY);
		at.entries[at.way].early = none;
	}
	e = &at.entries[at.way];
	if (at.set->kind[at.way] == KIND_EARLY) {
		e->early.packets += p->packets;
		e->early.bytes += p->ip_bytes;
		counter_add(&fr->stats.early, p->packets);
		return false;
	}
	at.set->kind[at.way] = KIND_PROVEN;
	name_flow(p, e);
	counter_add(&fr->stats.matched, p->packets);
	return true;
}

void fragments_clock(struct fragments *fr, uint64_t now_ns)
{
	const uint64_t floor_ns = now_ns - now_ns % NS_PER_SEC;

	if (floor_ns > fr->now_floor_ns)
		fr->now_floor_ns = floor_ns;
}

void fragments_stats(const struct fragments *fr, struct fragments_stats *out)
{
	out->capacity = fr->stats.capacity;
	out->firsts = load_relaxed(&fr->stats.firsts);
	out->matched = load_relaxed(&fr->stats.matched);
	out->early = load_relaxed(&fr->stats.early);
	out->credited = load_relaxed(&fr->stats.credited);
	out->evicted = load_relaxed(&fr->stats.evicted);
}

int fragments_new(struct fragments **out, const struct fragments_conf *c, struct arena *arena,
		  struct err *e)
{
	struct fragments *fr;

	if (c->datagrams_max == 0 || c->datagrams_max > SETS_MAX * WAYS)
		return err_set(e, -EINVAL, "a store of fragments of %u datagrams: 1 to %u can be",
			       c->datagrams_max, SETS_MAX * WAYS);
	fr = arena_zalloc(arena, sizeof(*fr));
	if (!fr)
		goto no_memory;
	fr->sets_n = (c->datagrams_max + WAYS - 1) / WAYS;
	fr->stats.capacity = (uint64_t)fr->sets_n * WAYS;
	fr->hash_mask = c->hash_mask;
	memcpy(fr->secret, c->secret, sizeof(fr->secret));
	fr->sets = arena_zalloc(arena, fr->sets_n * sizeof(*fr->sets));
	fr->entries = arena_zalloc(arena, fr->stats.capacity * sizeof(*fr->entries));
	if (!fr->sets || !fr->entries)
		goto no_memory;
	*out = fr;
	return 0;

no_memory:
	return err_set(e, -ENOMEM,
		       "no memory for the fragments of %u datagrams; lower --max-fragments",
		       c->datagrams_max);
}
