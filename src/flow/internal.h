/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - a flow table from within, for the files that it is made of:
 * flow_table.c (packets, starts, upkeep), flow_full.c (room), flow_read.c (other
 * threads), flow_conf.c (set-up).
 */
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include <stddef.h>
#include <string.h>

#include "base/atomics.h"
#include "base/units.h"
#include "flow/bucket.h"
#include "flow/flow_quick.h"
#include "flow/flow_table.h"

#define FLOW_BUCKET_FLOWS 8 /* on average, in a full table */

struct flow_table {
	struct bucket *buckets;
	struct flow *hot;
	struct flow_cold *cold;
	uint32_t buckets_n;
	uint32_t free_head;
	uint32_t end; /* slots used so far */
	uint32_t flows_max;
	uint32_t flows_limit; /* of live ones; at most flows_max */
	/* Not 0: the timer of the place just given is set, for this time or before. */
	uint64_t armed_ns;
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
	uint32_t ask_ticks;		   /* how soon to ask: is_asked_soon() */
	uint32_t enter_above, leave_below; /* live flows: an emergency */
	uint64_t emergency_ns;		   /* when it began; 0: there is none */
	uint64_t walk_tick;		   /* of the walk at hand */
	uint32_t walked;		   /* slots */
	uint32_t retimed, retime_end;	   /* slots that have the timers of other timeouts */
	struct flow_stats stats;
	struct wheel wheel;
	uint64_t secret[PKT_KEY_SECRETS];
};

/* --- index: the two buckets of a key ------------------------------------------ */

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

static inline uint64_t hash_key(const struct flow_table *t, const struct pkt_key *key)
{
	return pkt_key_hash(key, t->secret) & t->hash_mask;
}

static inline uint64_t hash_flow(const struct flow_table *t, const struct flow *f)
{
	struct pkt_key key = {.zero = 0};

	memcpy(key.addr, f->addr, sizeof(key.addr));
	memcpy(key.port, f->port, sizeof(key.port));
	key.proto = f->proto;
	key.family = f->family;
	return hash_key(t, &key);
}

/* --- time --------------------------------------------------------------------- */

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

static inline uint64_t tick_of(uint64_t ns) /* the first one that is not before */
{
	return (ns + NS_PER_SEC - 1) / NS_PER_SEC;
}

/* It may be a stream before anybody looks. */
static inline bool is_young_udp(const struct flow *f)
{
	return f->state == FLOW_UDP_UNANSWERED || f->state == FLOW_UDP_ANSWERED;
}

/* Whether its timer comes within ask_ticks, whatever its timeout. TCP connections
 * are asked about once, so that those that are short change their state as they
 * like, without a word to their timers. */
static inline bool is_asked_soon(const struct flow *f)
{
	return is_young_udp(f) || (f->state < FLOW_TCP_STATES && !(f->flags & FLOW_TCP_LATE));
}

/* The latest that its timer can come. */
static inline uint64_t timer_latest_ns(const struct flow_table *t, const struct flow *f)
{
	const uint64_t ns = timeout_ns(t, f);
	const uint64_t soon_ns = t->quick.now_floor_ns + t->ask_ticks * NS_PER_SEC;

	return is_asked_soon(f) && soon_ns < ns ? soon_ns : ns;
}

static inline uint16_t ms_of(uint64_t ns)
{
	return (uint16_t)(ns / NS_PER_MSEC);
}

/* UDP as nf_conntrack has it: a packet after the first answer, FLOW_STREAM_MS
 * after the first packet or more, makes a stream. The low bits of its birth are
 * enough, because the timer looks at least every ASK_SEC, and a longer pause
 * says by itself that it has aged. */
static inline void settle_udp(struct flow *f, const struct flow_cold *c)
{
	if (!is_young_udp(f))
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

/* --- ends --------------------------------------------------------------------- */

/* Tells that a flow is over, whose deadline is end_ns. */
static inline void tell_expired(struct flow_table *t, const struct flow *f, uint64_t end_ns)
{
	counter_add(&t->stats.expired, 1);
	if (end_ns < timeout_ns(t, f))
		counter_add(&t->stats.emergency_expired, 1);
	t->ended(t->arg, f, end_ns);
}

/* flow_table.c: its time is over; out of everything with it. */
void flow_table_expire(struct flow_table *t, uint32_t i, uint64_t hash);

/* --- flow_full.c -------------------------------------------------------------- */

/* What the quick look at a flow's time goes by; after a change of timeouts. */
void flow_table_soonest_set(struct flow_table *t);
/* An emergency has begun, or (0) is over. */
void flow_table_emergency_set(struct flow_table *t, uint64_t begin_ns);
/* In one: looks at every slot once a second, at most at `budget` now. */
void flow_table_walk(struct flow_table *t, uint32_t budget);

#endif
