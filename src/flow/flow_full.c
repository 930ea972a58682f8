/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_full.c - places for new flows, and what is done when they run out.
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
#include "flow/internal.h"

#define BUCKET_NEARLY 0x3u /* not more free entries than in this mask: look at the other one */
#define WALK_ENDS     16   /* flows that are ended side by side */
#define WALK_AHEAD    16   /* flows */

/* --- places ------------------------------------------------------------------- */

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
	t->armed_ns = timer_latest_ns(t, f);
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

	t->armed_ns = 0;
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

/* --- emergencies -------------------------------------------------------------- */

void flow_table_soonest_set(struct flow_table *t)
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

void flow_table_emergency_set(struct flow_table *t, uint64_t begin_ns)
{
	store_relaxed(&t->emergency_ns, begin_ns);
	t->walk_tick = 0;
	flow_table_soonest_set(t);
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
		flow_table_expire(t, over[i].slot, over[i].hash);
}

void flow_table_walk(struct flow_table *t, uint32_t budget)
{
	struct over over[WALK_ENDS];
	unsigned over_n = 0;

	if (t->walk_tick != t->now_tick && (!t->walk_tick || t->walked == t->end)) {
		t->walk_tick = t->now_tick;
		t->walked = 0;
	}
	for (; budget && t->walked < t->end; budget--) {
		const uint32_t i = t->walked++;

		if (i + WALK_AHEAD < t->end)
			__builtin_prefetch(&t->hot[i + WALK_AHEAD]);
		if (!is_past(t, &t->hot[i], 0) || !(t->hot[i].flags & FLOW_LIVE) ||
		    !is_over(t, &t->hot[i], 0))
			continue;
		over[over_n++] = (struct over){i, hash_flow(t, &t->hot[i])};
		if (over_n == WALK_ENDS) {
			expire_all(t, over, over_n);
			over_n = 0;
		}
	}
	expire_all(t, over, over_n);
}
