/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_table.c - the live flows of one worker.
 *
 * Flows lie in a slab of slots, hot and cold halves in two arrays. An index of
 * cache-line buckets finds them: each bucket has 10 entries of a 16-bit tag
 * and a slot number. A key hashes to two buckets; a flow stands in its first
 * one unless that was nearly full when it started and the second was emptier.
 * A bucket counts the flows that spilled from it, so a lookup that misses in
 * a bucket without spills is over after one cache line, and never looks at
 * more than two. There are 8 flows a bucket at most on average: two full
 * buckets at once are rare, and are treated as a full table is. Nothing is
 * ever rebuilt or moved: the cost of a packet does not depend on the load.
 *
 * Invariant: a live flow has exactly one index entry, in one of its two
 * buckets, and one timer, which is set to its deadline or earlier. Packets only
 * move last_ns, and the sweep asks again.
 *
 * A packet touches the hot half alone. So whether a UDP flow is a stream, for
 * which its age is needed, is settled only when somebody wants to know: when it
 * seems to be over, when its timer comes, when it is read.
 *
 * Slots never used lie at the end and are not touched; freed ones are chained
 * through their timers' links.
 *
 * In a full table every packet of a flood ends one flow and starts another, and
 * must not cost much more than a packet of a known flow. So the one that makes
 * room is chosen by the bucket alone, like a page by the clock algorithm: a hand
 * goes round the entries, skips those known to be answered, for good, and once
 * those that were heard again since they began or were last spared. It is known
 * when the batch is prefetched. The new flow takes over slot, entry and, if it
 * will do, the timer. (1M SYNs on 95,000 slots, looking for the oldest in both
 * buckets: 0.62 s of CPU; this way 0.23 s; usual traffic 0.10 s.)
 *
 * Above FLOW_EMERGENCY_ABOVE percent the emergency timeouts hold as well. Timers
 * know nothing of them: the sweep walks over the slots, once a second at most.
 */
#include "flow/flow_table.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/units.h"
#include "flow/bucket.h"
#include "flow/flow_quick.h"

#define BUCKET_FLOWS  8	   /* on average, in a full table */
#define BUCKET_NEARLY 0x3u /* not more free entries than in this mask: look at the other one */
#define ASK_SEC	      30   /* well below what flow_cold's born_ms can tell apart */
#define PREFETCH_ROOM 64   /* flows */
#define WALK_ENDS     16   /* flows that are ended side by side */

/* What other threads read of the cold part: all but the timer. */
#define COLD_READ_WORDS ((sizeof(struct flow_cold) - offsetof(struct flow_cold, sum)) / 8)

struct flow_table {
	struct bucket *buckets;
	struct flow *hot;
	struct flow_cold *cold;
	uint32_t buckets_n;
	uint32_t free_head;
	uint32_t end; /* slots used so far */
	uint32_t flows_max;
	uint32_t flows_limit; /* of live ones; at most flows_max */
	/* Not 0: the timer of the place just given is set, for this tick or before. */
	uint64_t armed_tick;
	uint8_t place_flags; /* that the flow there begins with */
	uint64_t now_tick;
	uint64_t hash_mask;
	flow_ended_fn ended;
	flow_opened_fn opened;
	void *arg;
	struct flow_quick quick;
	struct flow_timeouts timeouts;
	struct flow_timeouts emergency;
	uint64_t soonest_ns[FLOW_STATES];  /* of what holds now, but what UDP may turn out to be */
	uint32_t ask_ticks;		   /* how often to ask about UDP flows */
	uint32_t enter_above, leave_below; /* live flows: an emergency */
	uint64_t emergency_ns;		   /* when it began; 0: there is none */
	uint64_t walk_tick;		   /* of the walk at hand */
	uint32_t walked;		   /* slots */
	uint32_t retimed, retime_end;	   /* slots that have the timers of other timeouts */
	struct flow_stats stats;
	struct wheel wheel;
	uint64_t secret[PKT_KEY_SECRETS];
};

/* --- index ------------------------------------------------------------- */

static inline uint16_t tag_of(uint64_t hash)
{
	const uint16_t tag = (uint16_t)hash;

	return tag ? tag : 1;
}

static inline uint32_t first_bucket(const struct flow_table *t, uint64_t hash)
{
	return (uint32_t)((hash & UINT32_MAX) * t->buckets_n >> 32);
}

static inline uint32_t second_bucket(const struct flow_table *t, uint64_t hash)
{
	const uint32_t b = (uint32_t)((hash >> 32) * t->buckets_n >> 32);

	if (b != first_bucket(t, hash))
		return b;
	return b + 1 == t->buckets_n ? 0 : b + 1;
}

/* 0 if f has that key. All in one: it nearly always does, or differs anywhere. */
static inline uint64_t key_diff(const struct flow *f, const struct pkt_key *k)
{
	/* Ports, protocol, family; then state and flags, which are shifted out. */
	const uint64_t rest = load_le64((const uint8_t *)f + offsetof(struct flow, port)) ^
			      load_le64((const uint8_t *)k + offsetof(struct pkt_key, port));

	return (f->addr[0].w[0] ^ k->addr[0].w[0]) | (f->addr[0].w[1] ^ k->addr[0].w[1]) |
	       (f->addr[1].w[0] ^ k->addr[1].w[0]) | (f->addr[1].w[1] ^ k->addr[1].w[1]) |
	       rest << 16;
}

static inline uint32_t find_in(const struct flow_table *t, const struct bucket *b, uint64_t hash,
			       const struct pkt_key *k)
{
	for (uint32_t m = bucket_match(b, tag_of(hash)); m; m &= m - 1) {
		const uint32_t i = b->slot[__builtin_ctz(m)];

		if (!key_diff(&t->hot[i], k))
			return i;
	}
	return FLOW_NO_PLACE;
}

static inline uint32_t find(const struct flow_table *t, uint64_t hash, const struct pkt_key *k)
{
	const struct bucket *b = &t->buckets[first_bucket(t, hash)];
	const uint32_t i = find_in(t, b, hash, k);

	if (i != FLOW_NO_PLACE || !b->spilled)
		return i;
	return find_in(t, &t->buckets[second_bucket(t, hash)], hash, k);
}

/* False if both buckets are full. */
static bool index_put(struct flow_table *t, uint64_t hash, uint32_t slot)
{
	struct bucket *b = &t->buckets[first_bucket(t, hash)];
	const uint32_t free = bucket_free(b);

	if (!bucket_has_more(free, BUCKET_NEARLY)) {
		struct bucket *other = &t->buckets[second_bucket(t, hash)];
		const uint32_t other_free = bucket_free(other);

		if (bucket_has_more(other_free, free)) {
			bucket_set(other, (unsigned)__builtin_ctz(other_free), tag_of(hash), slot);
			b->spilled++;
			t->place_flags = FLOW_SPILLED;
			return true;
		}
		if (!free)
			return false;
	}
	bucket_set(b, (unsigned)__builtin_ctz(free), tag_of(hash), slot);
	return true;
}

static void index_take(struct flow_table *t, uint64_t hash, uint32_t slot)
{
	struct bucket *b = &t->buckets[first_bucket(t, hash)];

	if (bucket_take(b, slot))
		return;
	bucket_take(&t->buckets[second_bucket(t, hash)], slot);
	b->spilled--;
}

/* --- time --------------------------------------------------------------- */

/* When its timeout will have passed, but for an emergency. Timers go by this. */
static inline uint64_t timeout_ns(const struct flow_table *t, const struct flow *f)
{
	return f->last_ns + t->timeouts.ns[f->state];
}

/* When it is over. An emergency does not end it before it has begun. */
static inline uint64_t deadline_ns(const struct flow_table *t, const struct flow *f)
{
	const uint64_t ns = timeout_ns(t, f);
	uint64_t early_ns;

	if (!t->emergency_ns || !flow_is_droppable(f))
		return ns;
	early_ns = f->last_ns + t->emergency.ns[f->state];
	if (early_ns < t->emergency_ns)
		early_ns = t->emergency_ns;
	return early_ns < ns ? early_ns : ns;
}

static uint64_t tick_of(uint64_t ns) /* the first one that is not before */
{
	return (ns + NS_PER_SEC - 1) / NS_PER_SEC;
}

static uint16_t ms_of(uint64_t ns)
{
	return (uint16_t)(ns / NS_PER_MSEC);
}

/* UDP as nf_conntrack has it: a packet after the first answer, FLOW_STREAM_MS
 * after the first packet or more, makes a stream. The low bits of its birth are
 * enough, because the timer looks at least every ASK_SEC, and a longer pause
 * says by itself that it has aged. */
static void settle_udp(struct flow *f, const struct flow_cold *c)
{
	if (f->state != FLOW_UDP_UNANSWERED && f->state != FLOW_UDP_ANSWERED)
		return;
	if ((uint16_t)(ms_of(f->last_ns) - c->born_ms) >= FLOW_STREAM_MS)
		store_relaxed(&f->flags, (uint8_t)(f->flags | FLOW_AGED));
	if (f->flags & FLOW_AGED && f->flags & FLOW_CONFIRMED)
		store_relaxed(&f->state, (uint8_t)FLOW_UDP_STREAM);
}

/* Whether the time of f may be over, by a packet's stamp or by the clock. */
static inline bool is_past(const struct flow_table *t, const struct flow *f, uint64_t ts_ns)
{
	const uint64_t now_ns = ts_ns > t->quick.now_floor_ns ? ts_ns : t->quick.now_floor_ns;

	return f->last_ns + t->soonest_ns[f->state] <= now_ns;
}

/* Whether it is. */
static inline bool is_over(const struct flow_table *t, struct flow *f, uint64_t ts_ns)
{
	const uint64_t now_ns = ts_ns > t->quick.now_floor_ns ? ts_ns : t->quick.now_floor_ns;

	if (!is_past(t, f, ts_ns))
		return false;
	settle_udp(f, &t->cold[f - t->hot]);
	return deadline_ns(t, f) <= now_ns;
}

/* When to ask about a flow for the next time. */
static uint64_t ask_tick(const struct flow_table *t, const struct flow *f, uint64_t now)
{
	const uint64_t at = tick_of(timeout_ns(t, f));

	if (f->state != FLOW_UDP_UNANSWERED && f->state != FLOW_UDP_ANSWERED)
		return at;
	return at < now + t->ask_ticks ? at : now + t->ask_ticks;
}

void flow_table_clock(struct flow_table *t, uint64_t now_ns)
{
	const uint64_t tick = now_ns / NS_PER_SEC;

	if (tick <= t->now_tick)
		return;
	if (!t->stats.started)
		wheel_start(&t->wheel, tick);
	t->now_tick = tick;
	t->quick.now_floor_ns = tick * NS_PER_SEC;
}

/* --- the life of a flow --------------------------------------------------- */

static inline uint64_t hash_key(const struct flow_table *t, const struct pkt_key *key)
{
	return pkt_key_hash(key, t->secret) & t->hash_mask;
}

static uint64_t hash_flow(const struct flow_table *t, const struct flow *f)
{
	struct pkt_key key = {.zero = 0};

	memcpy(key.addr, f->addr, sizeof(key.addr));
	memcpy(key.port, f->port, sizeof(key.port));
	key.proto = f->proto;
	key.family = f->family;
	return hash_key(t, &key);
}

/* Tells that a flow is over, whose deadline is end_ns. */
static void tell_expired(struct flow_table *t, const struct flow *f, uint64_t end_ns)
{
	counter_add(&t->stats.expired, 1);
	if (end_ns < timeout_ns(t, f))
		counter_add(&t->stats.emergency_expired, 1);
	t->ended(t->arg, f, end_ns);
}

/* Takes slot i, whose end has been told, out of everything but the wheel, which
 * has let it go. */
static void free_slot(struct flow_table *t, uint32_t i, uint64_t hash)
{
	struct flow *f = &t->hot[i];
	struct flow_cold *c = &t->cold[i];

	index_take(t, hash, i);
	seq_write_begin(&c->seq);
	seq_set(&f->flags, 0);
	seq_set(&f->family, 0); /* a stale index entry must not find it */
	seq_write_end(&c->seq);
	c->timer.next = t->free_head;
	t->free_head = i;
	counter_add(&t->stats.live, (uint64_t)-1);
}

/* Its time is over. */
static void expire(struct flow_table *t, uint32_t i, uint64_t hash)
{
	struct flow *f = &t->hot[i];

	settle_udp(f, &t->cold[i]);
	wheel_remove(&t->wheel, i);
	tell_expired(t, f, deadline_ns(t, f));
	free_slot(t, i, hash);
}

static void set_state(struct flow_table *t, struct flow *f, enum flow_state next)
{
	const uint32_t i = (uint32_t)(f - t->hot);
	const enum flow_state old = (enum flow_state)f->state;

	store_relaxed(&f->state, (uint8_t)next);
	if (t->timeouts.ns[next] < t->timeouts.ns[old]) {
		wheel_remove(&t->wheel, i);
		wheel_add(&t->wheel, i, tick_of(timeout_ns(t, f)));
	}
	if (flow_state_is_half_open(old) && !flow_state_is_half_open(next))
		t->opened(t->arg, f);
}

/* Moves what has gathered in delta, and what is new, to the cold sums. */
static void spill_delta(struct flow_table *t, struct flow *f, unsigned side, uint64_t packets,
			uint64_t bytes)
{
	struct flow_cold *c = &t->cold[f - t->hot];
	const uint32_t d = f->delta[side];

	seq_write_begin(&c->seq);
	seq_add(&c->sum[side].packets, (d >> FLOW_DELTA_SHIFT) + packets);
	seq_add(&c->sum[side].bytes, (d & FLOW_DELTA_BYTES) + bytes);
	seq_set(&f->delta[side], 0);
	seq_write_end(&c->seq);
}

static inline void count(struct flow_table *t, struct flow *f, const struct pkt *p)
{
	const uint32_t d = f->delta[p->side] + (p->packets << FLOW_DELTA_SHIFT) + p->ip_bytes;

	if (__builtin_expect((d & FLOW_DELTA_FULL) | p->ip_bytes >> FLOW_DELTA_BYTES_BITS |
				     p->packets >> FLOW_DELTA_PACKETS_BITS,
			     0))
		spill_delta(t, f, p->side, p->packets, p->ip_bytes);
	else
		store_relaxed(&f->delta[p->side], d);
}

/* By a new one: p is its SYN. */
static void end_replaced(struct flow_table *t, struct flow *f, const struct pkt *p)
{
	const uint32_t i = (uint32_t)(f - t->hot);

	wheel_remove(&t->wheel, i);
	counter_add(&t->stats.replaced, 1);
	t->ended(t->arg, f, p->ts_ns);
	free_slot(t, i, p->hash);
}

struct flow *flow_table_touch(struct flow_table *t, const struct pkt *p)
{
	struct flow *f = &t->hot[p->guess];
	unsigned direction;
	uint8_t flags, next;

	/* A live flow with this key is the one, wherever the index has it. */
	if (key_diff(f, &p->key)) {
		const uint32_t i = find(t, p->hash, &p->key);

		if (i == FLOW_NO_PLACE)
			return NULL;
		f = &t->hot[i];
	}
	if (is_over(t, f, p->ts_ns)) {
		expire(t, (uint32_t)(f - t->hot), p->hash);
		return NULL;
	}
	direction = p->side ^ flow_orig_side(f);
	next = t->quick.state[direction][p->tcp_flags & FLOW_TCP_MASK][f->state];
	if (next == FLOW_STATES) {
		end_replaced(t, f, p);
		return NULL;
	}
	count(t, f, p);
	if (next != f->state)
		set_state(t, f, (enum flow_state)next);
	flags = t->quick.flags[p->side][f->flags];
	if (p->ts_ns >= f->last_ns + FLOW_STREAM_MS * NS_PER_MSEC)
		flags |= FLOW_AGED;
	store_relaxed(&f->flags, flags);
	if (p->ts_ns > f->last_ns)
		store_relaxed(&f->last_ns, p->ts_ns);
	return f;
}

/* flow_table_touch() of a packet that changes nothing but counters, stamp and
 * flags: false, and nothing done, if it may do more. */
static inline bool touch_quick(const struct flow_quick *q, struct flow *f, const struct pkt *p)
{
	const unsigned side = p->side, flags = f->flags, state = f->state;
	const unsigned direction = side ^ flow_orig_side_of(flags);
	const uint32_t delta = f->delta[side] + (1u << FLOW_DELTA_SHIFT) + p->ip_bytes;

	/* Not after a pause, not out of order, not later than its second. */
	if (key_diff(f, &p->key) | !p->is_simple || p->ts_ns - f->last_ns >= q->pause_ns ||
	    p->ts_ns < q->now_floor_ns || delta & FLOW_DELTA_FULL ||
	    q->state[direction][p->tcp_flags & FLOW_TCP_MASK][state] != state)
		return false;
	store_relaxed(&f->delta[side], delta);
	store_relaxed(&f->flags, q->flags[side][flags]);
	store_relaxed(&f->last_ns, p->ts_ns);
	return true;
}

unsigned flow_table_touch_run(struct flow_table *t, const struct pkt *pkts, unsigned i, unsigned n,
			      struct flow_hosts *hosts)
{
	for (; i < n; i++) {
		struct flow *f = &t->hot[pkts[i].guess];

		if (__builtin_expect(!touch_quick(&t->quick, f, &pkts[i]), 0))
			break;
		memcpy(hosts[i].of, f->host, sizeof(hosts[i].of));
	}
	return i;
}

void flow_table_attach(struct flow_table *t, struct flow *f, unsigned side, uint32_t host,
		       uint32_t id)
{
	struct flow_cold *c = &t->cold[f - t->hot];

	seq_write_begin(&c->seq);
	seq_set(&c->conn_id[side], id);
	seq_set(&f->host[side], host);
	seq_write_end(&c->seq);
}

struct flow *flow_table_count_error(struct flow_table *t, const struct pkt *p)
{
	const uint32_t i = find(t, p->hash, &p->key);
	struct flow *f;

	if (i == FLOW_NO_PLACE || is_over(t, &t->hot[i], p->ts_ns))
		return NULL;
	f = &t->hot[i];
	count(t, f, p);
	counter_add(&t->cold[i].icmp_errors, 1);
	return f;
}

struct flow *flow_table_count_fragment(struct flow_table *t, const struct pkt *p)
{
	const uint32_t i = find(t, p->hash, &p->key);
	struct flow *f;

	if (i == FLOW_NO_PLACE || is_over(t, &t->hot[i], p->ts_ns))
		return NULL;
	f = &t->hot[i];
	count(t, f, p);
	if (p->ts_ns <= f->last_ns)
		return f;
	/* As advance() has it; nothing else there is about fragments. */
	if (f->state >= FLOW_TCP_STATES && p->ts_ns >= f->last_ns + FLOW_STREAM_MS * NS_PER_MSEC)
		store_relaxed(&f->flags, (uint8_t)(f->flags | FLOW_AGED));
	store_relaxed(&f->last_ns, p->ts_ns);
	return f;
}

void flow_table_credit(struct flow_table *t, struct flow *f, unsigned side, uint64_t packets,
		       uint64_t bytes)
{
	spill_delta(t, f, side, packets, bytes);
}

static enum flow_state first_state(const struct pkt *p)
{
	switch (p->class) {
	case PKT_TCP:
		return flow_tcp_first(flow_tcp_event(p->tcp_flags));
	case PKT_UDP:
		return FLOW_UDP_UNANSWERED;
	case PKT_ICMP:
		return FLOW_ICMP_UNANSWERED;
	default:
		return FLOW_OTHER_UNANSWERED;
	}
}

/* --- room in a full table --------------------------------------------------- */

static bool is_full(const struct flow_table *t)
{
	return t->stats.live >= t->flows_limit;
}

/* An entry of b that nobody would miss, BUCKET_NONE if there is none. */
static unsigned choose_droppable(struct flow_table *t, struct bucket *b, uint64_t ts_ns)
{
	uint32_t m = bucket_candidates(b);
	unsigned chances = BUCKET_ENTRIES;

	while (m) {
		const unsigned e = bucket_next(b, m);
		const unsigned hand = e + 1 == BUCKET_ENTRIES ? 0 : e + 1;
		struct flow *f = &t->hot[b->slot[e]];

		b->kept = (uint16_t)((b->kept & BUCKET_ALL) | hand << BUCKET_HAND_SHIFT);
		if (!flow_is_droppable(f)) {
			b->kept |= (uint16_t)(1u << e);
			m &= ~(1u << e);
			if (is_over(t, f, ts_ns))
				return e;
			continue;
		}
		if (!(f->flags & FLOW_HEARD) || !chances || is_over(t, f, ts_ns))
			return e;
		store_relaxed(&f->flags, (uint8_t)(f->flags & ~FLOW_HEARD));
		chances--;
	}
	return BUCKET_NONE;
}

/* The same among those that are kept as long as their time is not over. */
static unsigned choose_over(struct flow_table *t, const struct bucket *b, uint64_t ts_ns)
{
	for (uint32_t m = b->kept & ~bucket_free(b) & BUCKET_ALL; m; m &= m - 1) {
		const unsigned e = (unsigned)__builtin_ctz(m);

		if (is_over(t, &t->hot[b->slot[e]], ts_ns))
			return e;
	}
	return BUCKET_NONE;
}

/* Ends the flow of an entry, and gives its slot and, if it is in the first
 * bucket of `hash` or that is full, its entry to a new one. Its timer is left
 * where it is: it may serve the new one. */
static uint32_t replace(struct flow_table *t, struct bucket *b, unsigned e, uint64_t hash,
			uint64_t ts_ns)
{
	const uint32_t i = b->slot[e];
	struct flow *f = &t->hot[i];
	struct bucket *first = &t->buckets[first_bucket(t, hash)];

	if (is_over(t, f, ts_ns)) {
		tell_expired(t, f, deadline_ns(t, f));
	} else {
		settle_udp(f, &t->cold[i]);
		counter_add(&t->stats.early_drops, 1);
		t->ended(t->arg, f, ts_ns);
	}
	counter_add(&t->stats.live, (uint64_t)-1);
	t->armed_tick = tick_of(timeout_ns(t, f));
	if (f->flags & FLOW_SPILLED)
		t->buckets[first_bucket(t, hash_flow(t, f))].spilled--;
	if (b == first) {
		bucket_set(b, e, tag_of(hash), i);
		return i;
	}
	bucket_tag_set(b, e, 0);
	index_put(t, hash, i);
	return i;
}

/* The place of a flow near by that nobody would miss. */
static uint32_t make_room(struct flow_table *t, uint64_t hash, uint64_t ts_ns)
{
	struct bucket *const near[2] = {&t->buckets[first_bucket(t, hash)],
					&t->buckets[second_bucket(t, hash)]};

	for (unsigned n = 0; n < 2; n++) {
		const unsigned e = choose_droppable(t, near[n], ts_ns);

		if (e != BUCKET_NONE)
			return replace(t, near[n], e, hash, ts_ns);
	}
	for (unsigned n = 0; n < 2; n++) {
		const unsigned e = choose_over(t, near[n], ts_ns);

		if (e != BUCKET_NONE)
			return replace(t, near[n], e, hash, ts_ns);
	}
	return FLOW_NO_PLACE;
}

static uint32_t take_slot(struct flow_table *t)
{
	uint32_t i = t->free_head;

	if (i != FLOW_NO_PLACE) {
		t->free_head = t->cold[i].timer.next;
		if (t->free_head != FLOW_NO_PLACE)
			__builtin_prefetch(&t->cold[t->free_head], 1);
		return i;
	}
	i = t->end;
	store_release(&t->end, i + 1);
	return i;
}

uint32_t flow_table_place(struct flow_table *t, const struct pkt *p)
{
	uint32_t i;

	t->armed_tick = 0;
	t->place_flags = 0;
	if (is_full(t))
		return make_room(t, p->hash, p->ts_ns);
	i = take_slot(t);
	if (index_put(t, p->hash, i))
		return i;
	t->cold[i].timer.next = t->free_head;
	t->free_head = i;
	return make_room(t, p->hash, p->ts_ns);
}

/* --- emergencies ------------------------------------------------------------ */

/* What the quick look at a flow's time goes by. */
static void set_soonest(struct flow_table *t)
{
	const uint64_t stream_ns = t->timeouts.ns[FLOW_UDP_STREAM];
	uint64_t *answered_ns = &t->soonest_ns[FLOW_UDP_ANSWERED];

	memcpy(t->soonest_ns, t->timeouts.ns, sizeof(t->soonest_ns));
	if (stream_ns < *answered_ns)
		*answered_ns = stream_ns;
	for (unsigned s = 0; t->emergency_ns && s < FLOW_STATES; s++)
		if (t->emergency.ns[s] < t->soonest_ns[s])
			t->soonest_ns[s] = t->emergency.ns[s];
	t->quick.pause_ns = FLOW_STREAM_MS * NS_PER_MSEC;
	for (unsigned s = 0; s < FLOW_STATES; s++)
		if (t->soonest_ns[s] < t->quick.pause_ns)
			t->quick.pause_ns = t->soonest_ns[s];
}

static void set_emergency(struct flow_table *t, uint64_t begin_ns)
{
	store_relaxed(&t->emergency_ns, begin_ns);
	t->walk_tick = 0;
	set_soonest(t);
}

struct over {
	uint32_t slot;
	uint64_t hash;
};

/* Ends flows side by side, as far as memory goes: bucket, timer, and the timers
 * before and after it. */
static void expire_all(struct flow_table *t, const struct over *over, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		__builtin_prefetch(&t->buckets[first_bucket(t, over[i].hash)], 1);
		__builtin_prefetch(&t->cold[over[i].slot], 1);
	}
	for (unsigned i = 0; i < n; i++)
		wheel_prefetch(&t->wheel, over[i].slot);
	for (unsigned i = 0; i < n; i++)
		expire(t, over[i].slot, over[i].hash);
}

/* Looks at every slot once a second, at most at `budget` now. */
static void walk(struct flow_table *t, uint32_t budget)
{
	struct over over[WALK_ENDS];
	unsigned over_n = 0;

	if (t->walk_tick != t->now_tick && (!t->walk_tick || t->walked == t->end)) {
		t->walk_tick = t->now_tick;
		t->walked = 0;
	}
	for (; budget && t->walked < t->end; budget--) {
		const uint32_t i = t->walked++;

		if (!(t->hot[i].flags & FLOW_LIVE) || !is_over(t, &t->hot[i], 0))
			continue;
		over[over_n++] = (struct over){i, hash_flow(t, &t->hot[i])};
		if (over_n == WALK_ENDS) {
			expire_all(t, over, over_n);
			over_n = 0;
		}
	}
	expire_all(t, over, over_n);
}

/* Sets the timer of a place, unless one that was left there will do. */
static void arm(struct flow_table *t, uint32_t place, uint64_t tick)
{
	if (t->armed_tick && t->armed_tick <= tick)
		return;
	if (t->armed_tick)
		wheel_remove(&t->wheel, place);
	wheel_add(&t->wheel, place, tick);
}

/* The flow of p, by itself, into its slot: field by field, as words made of small
 * pieces are slow to load right after. The sequence number is held. */
static void fill(struct flow_table *t, struct flow *f, const struct pkt *p, uint64_t last_ns,
		 enum flow_state state)
{
	/* A SYN+ACK seen first answers a SYN that we missed. */
	const unsigned orig = state == FLOW_TCP_SYN_RECV ? !p->side : p->side;
	const unsigned flags = FLOW_LIVE | t->place_flags | orig * FLOW_ORIG_SIDE |
			       (orig != p->side) * FLOW_ANSWERED | p->is_reply * FLOW_REPLY_FIRST;

	for (unsigned s = 0; s < 2; s++) {
		seq_set(&f->addr[s].w[0], p->key.addr[s].w[0]);
		seq_set(&f->addr[s].w[1], p->key.addr[s].w[1]);
		seq_set(&f->port[s], p->key.port[s]);
		seq_set(&f->delta[s], 0);
	}
	seq_set(&f->proto, p->key.proto);
	seq_set(&f->family, p->key.family);
	seq_set(&f->state, (uint8_t)state);
	seq_set(&f->flags, (uint8_t)flags);
	seq_set(&f->last_ns, last_ns);
}

struct flow *flow_table_start(struct flow_table *t, uint32_t place, const struct pkt *p,
			      const uint32_t host[2], const uint32_t id[2])
{
	const enum flow_state state = first_state(p);
	struct flow *f = &t->hot[place];
	struct flow_cold *c = &t->cold[place];
	uint64_t ts_ns = p->ts_ns;

	/* Stamped long ago, by another clock or in a file out of order: it comes
	 * now, or the next packet of the flow would find it over. */
	if (ts_ns + t->soonest_ns[state] <= t->quick.now_floor_ns)
		ts_ns = t->quick.now_floor_ns;
	seq_write_begin(&c->seq);
	fill(t, f, p, ts_ns, state);
	for (unsigned s = 0; s < 2; s++) {
		seq_set(&f->host[s], host[s]);
		seq_set(&c->conn_id[s], id[s]);
		seq_set(&c->sum[s].packets, 0);
		seq_set(&c->sum[s].bytes, 0);
	}
	seq_set(&c->icmp_errors, 0);
	seq_set(&c->born_ms, ms_of(ts_ns));
	seq_write_end(&c->seq);

	count(t, f, p);
	arm(t, place, ask_tick(t, f, t->now_tick));
	counter_add(&t->stats.started, 1);
	counter_add(&t->stats.live, 1);
	if (t->stats.live > t->enter_above && !t->emergency_ns) {
		counter_add(&t->stats.emergencies, 1);
		set_emergency(t, t->quick.now_floor_ns);
	}
	return f;
}

/* --- batches and upkeep ------------------------------------------------------ */

void flow_table_hash(const struct flow_table *t, struct pkt *p)
{
	p->hash = hash_key(t, &p->key);
	p->guess = 0;
}

void flow_table_expect(const struct flow_table *t, const struct pkt *pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&t->buckets[first_bucket(t, pkts[i].hash)]);
}

/* p's flow is not in its first bucket b. */
static void prefetch_unknown(const struct flow_table *t, struct pkt *p, const struct bucket *b)
{
	uint32_t m;

	if (b->spilled)
		__builtin_prefetch(&t->buckets[second_bucket(t, p->hash)]);
	/* Full, or it will be before this batch is through. */
	if (t->flows_max - t->stats.live > PREFETCH_ROOM)
		return;
	m = bucket_candidates(b);
	if (!m)
		return;
	p->guess = b->slot[bucket_next(b, m)];
	__builtin_prefetch(&t->cold[p->guess], 1);
	__builtin_prefetch((const char *)&t->cold[p->guess + 1] - 1, 1);
}

/* Of the slots that n flows will start in. Freed ones are chained, so that only
 * the first is known; but they have been in use. */
static void prefetch_slots(const struct flow_table *t, unsigned n)
{
	if (t->free_head != FLOW_NO_PLACE)
		__builtin_prefetch(&t->cold[t->free_head], 1);
	for (uint32_t i = t->end; n && i < t->flows_max; i++, n--) {
		__builtin_prefetch(&t->hot[i], 1);
		__builtin_prefetch(&t->cold[i], 1);
	}
}

unsigned flow_table_prefetch(const struct flow_table *t, struct pkt *pkts, unsigned n,
			     uint8_t *fresh)
{
	unsigned fresh_n = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct bucket *b = &t->buckets[first_bucket(t, pkts[i].hash)];
		const uint32_t m = bucket_match(b, tag_of(pkts[i].hash));

		/* Without a match, any slot does: its key will not. */
		pkts[i].guess = b->slot[__builtin_ctz(m | 1u << (BUCKET_ENTRIES - 1))];
		if (__builtin_expect(!m, 0))
			prefetch_unknown(t, &pkts[i], b);
		__builtin_prefetch(&t->hot[pkts[i].guess], 1);
		fresh[fresh_n] = (uint8_t)i;
		fresh_n += !m;
	}
	prefetch_slots(t, fresh_n);
	return fresh_n;
}

static uint64_t timer_due(void *arg, uint32_t i, uint64_t now)
{
	struct flow_table *t = arg;
	struct flow *f = &t->hot[i];
	uint64_t at;

	settle_udp(f, &t->cold[i]);
	at = deadline_ns(t, f);
	if (tick_of(at) > now)
		return ask_tick(t, f, now);
	tell_expired(t, f, at);
	free_slot(t, i, hash_flow(t, f));
	return 0;
}

/* Sets timers anew, at most of n slots: the timeouts have changed since they were
 * set. Returns whether more are left. */
static bool retime(struct flow_table *t, uint32_t n)
{
	for (; n && t->retimed < t->retime_end; n--) {
		const uint32_t i = t->retimed++;

		if (!(t->hot[i].flags & FLOW_LIVE))
			continue;
		wheel_remove(&t->wheel, i);
		wheel_add(&t->wheel, i, ask_tick(t, &t->hot[i], t->now_tick));
	}
	return t->retimed < t->retime_end;
}

uint32_t flow_table_sweep(struct flow_table *t, uint32_t budget)
{
	const bool is_retiming = t->retimed < t->retime_end && retime(t, budget / 4 + 1);
	uint32_t asked = wheel_sweep(&t->wheel, t->now_tick, budget, timer_due, t);

	if (is_retiming)
		return budget;
	if (!t->emergency_ns)
		return asked;
	walk(t, budget - asked);
	if (t->walked < t->end)
		return budget;
	/* Not in the middle: what is behind would live, and what was before not. */
	if (t->stats.live < t->leave_below)
		set_emergency(t, 0);
	return asked;
}

/* --- other threads --------------------------------------------------------------- */

uint32_t flow_table_end(const struct flow_table *t)
{
	return load_acquire(&t->end);
}

bool flow_table_read(const struct flow_table *t, uint32_t i, uint32_t host, struct flow_copy *out)
{
	const struct flow *f = &t->hot[i];
	const struct flow_cold *c = &t->cold[i];
	uint16_t seq;

	if (load_relaxed(&f->host[0]) != host && load_relaxed(&f->host[1]) != host)
		return false;
	do {
		seq = load_acquire(&c->seq);
		seq_copy_words(&out->hot, f, sizeof(*f) / 8);
		seq_copy_words(&out->cold.sum, &c->sum, COLD_READ_WORDS);
	} while (seq & 1 || seq != load_relaxed(&c->seq));
	settle_udp(&out->hot, &out->cold);
	for (unsigned s = 0; s < 2; s++) {
		const uint32_t d = out->hot.delta[s];

		out->sent[s].packets = out->cold.sum[s].packets + (d >> FLOW_DELTA_SHIFT);
		out->sent[s].bytes = out->cold.sum[s].bytes + (d & FLOW_DELTA_BYTES);
	}
	return out->hot.flags & FLOW_LIVE && (out->hot.host[0] == host || out->hot.host[1] == host);
}

void flow_table_stats(const struct flow_table *t, struct flow_stats *out)
{
	out->capacity = load_relaxed(&t->flows_limit);
	out->live = load_relaxed(&t->stats.live);
	out->started = load_relaxed(&t->stats.started);
	out->expired = load_relaxed(&t->stats.expired);
	out->replaced = load_relaxed(&t->stats.replaced);
	out->early_drops = load_relaxed(&t->stats.early_drops);
	out->emergencies = load_relaxed(&t->stats.emergencies);
	out->emergency_expired = load_relaxed(&t->stats.emergency_expired);
	out->is_emergency = load_relaxed(&t->emergency_ns) != 0;
}

/* --- set-up ------------------------------------------------------------------------ */

static void set_timeouts(struct flow_table *t, const struct flow_timeouts *timeouts,
			 const struct flow_timeouts *emergency)
{
	const uint64_t stream_ns = timeouts->ns[FLOW_UDP_STREAM];

	t->timeouts = *timeouts;
	t->emergency = *emergency;
	for (unsigned s = 0; s < FLOW_STATES; s++)
		if (!t->emergency.ns[s])
			t->emergency.ns[s] = t->timeouts.ns[s];
	set_soonest(t);
	/* Early enough for one that becomes a stream right after. */
	t->ask_ticks = ASK_SEC;
	if (stream_ns < ASK_SEC * NS_PER_SEC)
		t->ask_ticks = stream_ns < 2 * NS_PER_SEC ? 1 : stream_ns / NS_PER_SEC - 1;
}

static void set_limit(struct flow_table *t, uint32_t limit)
{
	store_relaxed(&t->flows_limit, limit < t->flows_max ? limit : t->flows_max);
	t->enter_above = (uint32_t)((uint64_t)t->flows_limit * FLOW_EMERGENCY_ABOVE / 100);
	t->leave_below = (uint32_t)((uint64_t)t->flows_limit * FLOW_EMERGENCY_BELOW / 100);
}

void flow_table_set(struct flow_table *t, const struct flow_timeouts *timeouts,
		    const struct flow_timeouts *emergency, uint32_t flows_limit)
{
	set_timeouts(t, timeouts, emergency);
	set_limit(t, flows_limit);
	t->retimed = 0;
	t->retime_end = t->end;
}

int flow_table_new(struct flow_table **out, const struct flow_table_conf *c, struct arena *arena,
		   struct err *e)
{
	struct flow_table *t;

	if (c->flows_max == 0 || c->flows_max >= WHEEL_MAX)
		return err_set(e, -EINVAL, "a flow table of %u flows: 1 to 2147483647 can be",
			       c->flows_max);
	t = arena_zalloc(arena, sizeof(*t));
	if (!t)
		goto no_memory;
	t->flows_max = c->flows_max;
	t->buckets_n = c->flows_max / BUCKET_FLOWS + 2;
	t->free_head = FLOW_NO_PLACE;
	t->hash_mask = c->hash_mask;
	set_timeouts(t, &c->timeouts, &c->emergency);
	set_limit(t, c->flows_max);
	flow_quick_init(&t->quick);
	t->ended = c->ended;
	t->opened = c->opened;
	t->arg = c->arg;
	memcpy(t->secret, c->secret, sizeof(t->secret));
	t->buckets = arena_zalloc_touched(arena, t->buckets_n, sizeof(*t->buckets));
	t->hot = arena_zalloc_growing(arena, t->flows_max, sizeof(*t->hot), &t->end);
	t->cold = arena_zalloc_growing(arena, t->flows_max, sizeof(*t->cold), &t->end);
	if (!t->buckets || !t->hot || !t->cold)
		goto no_memory;
	wheel_init(&t->wheel, t->cold, sizeof(*t->cold));
	*out = t;
	return 0;

no_memory:
	return err_set(e, -ENOMEM, "no memory for a flow table of %u flows; lower --max-flows",
		       c->flows_max);
}
