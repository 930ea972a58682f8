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
 */
#include "flow/internal.h"

#include "base/bytes.h"

#define PREFETCH_ROOM 64 /* flows */

/* --- index ------------------------------------------------------------- */

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

static void index_take(struct flow_table *t, uint64_t hash, uint32_t slot)
{
	struct bucket *b = &t->buckets[first_bucket(t, hash)];

	if (bucket_take(b, slot))
		return;
	bucket_take(&t->buckets[second_bucket(t, hash)], slot);
	b->spilled--;
}

/* --- time --------------------------------------------------------------- */

/* When to ask about a flow for the next time. */
static uint64_t ask_tick(const struct flow_table *t, const struct flow *f, uint64_t now)
{
	const uint64_t at = tick_of(timeout_ns(t, f));

	if (!is_asked_soon(f))
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

void flow_table_expire(struct flow_table *t, uint32_t i, uint64_t hash)
{
	struct flow *f = &t->hot[i];

	settle_udp(f, &t->cold[i]);
	wheel_remove(&t->wheel, i);
	tell_expired(t, f, deadline_ns(t, f));
	free_slot(t, i, hash);
}

/* After the stamp of the packet that brings it. */
static void set_state(struct flow_table *t, struct flow *f, enum flow_state next)
{
	const uint32_t i = (uint32_t)(f - t->hot);
	const enum flow_state old = (enum flow_state)f->state;
	const uint64_t timer_ns = timer_latest_ns(t, f);

	store_relaxed(&f->state, (uint8_t)next);
	if (timer_ns > timeout_ns(t, f)) {
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
		flow_table_expire(t, (uint32_t)(f - t->hot), p->hash);
		return NULL;
	}
	direction = p->side ^ flow_orig_side(f);
	next = t->quick.state[direction][p->tcp_flags & FLOW_TCP_MASK][f->state];
	if (next == FLOW_STATES) {
		end_replaced(t, f, p);
		return NULL;
	}
	count(t, f, p);
	flags = t->quick.flags[p->side][f->flags];
	if (p->ts_ns >= f->last_ns + FLOW_STREAM_MS * NS_PER_MSEC)
		flags |= FLOW_AGED;
	store_relaxed(&f->flags, flags);
	if (p->ts_ns > f->last_ns)
		store_relaxed(&f->last_ns, p->ts_ns);
	if (next != f->state)
		set_state(t, f, (enum flow_state)next);
	return f;
}

bool flow_table_lacks(const struct flow_table *t, const struct pkt *p)
{
	const struct bucket *b = &t->buckets[first_bucket(t, p->hash)];

	if (bucket_match(b, tag_of(p->hash)))
		return false;
	return !b->spilled ||
	       !bucket_match(&t->buckets[second_bucket(t, p->hash)], tag_of(p->hash));
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

/* --- starts ------------------------------------------------------------------- */

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

/* Sets the timer of a place, unless one that was left there comes soon enough. */
static void arm(struct flow_table *t, uint32_t place, const struct flow *f)
{
	if (t->armed_ns) {
		if (t->armed_ns <= timer_latest_ns(t, f))
			return;
		wheel_remove(&t->wheel, place);
	}
	wheel_add(&t->wheel, place, ask_tick(t, f, t->now_tick));
}

static unsigned first_flags(const struct flow_table *t, const struct pkt *p, enum flow_state state)
{
	/* A SYN+ACK seen first answers a SYN that we missed. */
	const unsigned orig = state == FLOW_TCP_SYN_RECV ? !p->side : p->side;

	return FLOW_LIVE | t->place_flags | orig * FLOW_ORIG_SIDE |
	       (orig != p->side) * FLOW_ANSWERED | p->is_reply * FLOW_REPLY_FIRST;
}

/* The flow of p into its slot, but for what p counts. By words: their pieces would
 * take more steps, and be slow to load as a whole right after. The sequence number
 * is held. */
static void fill(struct flow_table *t, struct flow *f, const struct pkt *p, uint64_t last_ns,
		 enum flow_state state, const uint32_t host[2])
{
	const uint64_t no_deltas = 0;
	uint64_t rest;

	memcpy(&rest, p->key.port, sizeof(rest));
	rest |= flow_state_word(state, first_flags(t, p, state));
	for (unsigned s = 0; s < 2; s++) {
		seq_set(&f->addr[s].w[0], p->key.addr[s].w[0]);
		seq_set(&f->addr[s].w[1], p->key.addr[s].w[1]);
	}
	seq_store_words(f->port, &rest, 1);
	seq_store_words(f->host, host, 1);
	seq_store_words(f->delta, &no_deltas, 1);
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
	fill(t, f, p, ts_ns, state, host);
	for (unsigned s = 0; s < 2; s++) {
		seq_set(&c->sum[s].packets, 0);
		seq_set(&c->sum[s].bytes, 0);
	}
	seq_store_words(c->conn_id, id, 1);
	seq_set(&c->icmp_errors, 0);
	seq_set(&c->born_ms, ms_of(ts_ns));
	seq_write_end(&c->seq);

	count(t, f, p);
	arm(t, place, f);
	counter_add(&t->stats.started, 1);
	counter_add(&t->stats.live, 1);
	if (t->stats.live > t->enter_above && !t->emergency_ns) {
		counter_add(&t->stats.emergencies, 1);
		flow_table_emergency_set(t, t->quick.now_floor_ns);
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
	if (tick_of(at) > now) {
		if (flow_class(f) == PKT_TCP)
			store_relaxed(&f->flags, (uint8_t)(f->flags | FLOW_TCP_LATE));
		return ask_tick(t, f, now);
	}
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
	flow_table_walk(t, budget - asked);
	if (t->walked < t->end)
		return budget;
	/* Not in the middle: what is behind would live, and what was before not. */
	if (t->stats.live < t->leave_below)
		flow_table_emergency_set(t, 0);
	return asked;
}
