/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_conf.c - a flow table is made, and gets other timeouts and limits.
 */
#include <errno.h>

#include "flow/internal.h"

#define ASK_SEC 30 /* well below what flow_cold's born_ms can tell apart */

static void set_timeouts(struct flow_table *t, const struct flow_timeouts *timeouts,
			 const struct flow_timeouts *emergency)
{
	const uint64_t stream_ns = timeouts->ns[FLOW_UDP_STREAM];

	t->timeouts = *timeouts;
	t->emergency = *emergency;
	for (unsigned s = 0; s < FLOW_STATES; s++)
		if (!t->emergency.ns[s])
			t->emergency.ns[s] = t->timeouts.ns[s];
	flow_table_soonest_set(t);
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
	t->buckets_n = c->flows_max / FLOW_BUCKET_FLOWS + 2;
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
