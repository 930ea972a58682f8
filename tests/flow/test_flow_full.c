/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flow_full.c - a flow table that is flooded: who stays, and what an
 * emergency does.
 *
 * Tuples are numbered; a number's flow is asked for by touching it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "flow/flow_table.h"
#include "random.h"

#define START_NS    (1700000000 * NS_PER_SEC)
#define FLOWS	    10000
#define HOST	    1
#define FAST_SWEEPS 64 /* packets between two sweeps, as a worker has it */

struct stage {
	struct flow_table *table;
	struct arena *arena;
	uint64_t now_ns;
	uint64_t ended, ended_droppable;
	uint64_t end_ns; /* of the last that ended */
	uint32_t packets;
};

static void note_end(void *arg, const struct flow *f, uint64_t end_ns)
{
	struct stage *s = arg;

	s->ended++;
	s->ended_droppable += flow_is_droppable(f);
	s->end_ns = end_ns;
}

static void note_opened(void *arg, const struct flow *f)
{
	(void)arg;
	(void)f;
}

static int open_stage(void **state)
{
	struct random r = {1};
	struct stage *s = calloc(1, sizeof(*s));
	struct flow_table_conf c = {
		.flows_max = FLOWS,
		.hash_mask = UINT64_MAX,
		.ended = note_end,
		.opened = note_opened,
		.arg = s,
	};

	assert_non_null(s);
	for (size_t i = 0; i < PKT_KEY_SECRETS; i++)
		c.secret[i] = random_next(&r);
	flow_timeouts_init(&c.timeouts);
	flow_timeouts_emergency(&c.emergency, &c.timeouts);
	assert_int_equal(arena_new(&s->arena, NULL), 0);
	assert_int_equal(flow_table_new(&s->table, &c, s->arena, NULL), 0);
	s->now_ns = START_NS;
	flow_table_clock(s->table, s->now_ns);
	*state = s;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;

	arena_free(s->arena);
	free(s);
	return 0;
}

static struct flow_stats stats_of(const struct stage *s)
{
	struct flow_stats st;

	flow_table_stats(s->table, &st);
	assert_int_equal(st.started, st.live + st.expired + st.replaced + st.early_drops);
	return st;
}

static struct pkt packet_of(const struct stage *s, uint32_t n, unsigned side, enum pkt_class class,
			    uint8_t tcp_flags)
{
	static const uint8_t protos[PKT_CLASSES] = {
		[PKT_TCP] = PROTO_TCP,
		[PKT_UDP] = PROTO_UDP,
		[PKT_ICMP] = PROTO_ICMP,
		[PKT_OTHER] = 132,
	};
	struct pkt p = {.ts_ns = s->now_ns,
			.packets = 1,
			.ip_bytes = 40,
			.kind = PKT_KIND_FLOW,
			.class = class,
			.side = (uint8_t)side,
			.tcp_flags = tcp_flags,
			.family = ADDR_V4};

	p.key.family = ADDR_V4;
	p.key.proto = protos[class];
	p.key.addr[0].b[0] = 10;
	memcpy(p.key.addr[1].b, &n, sizeof(n));
	p.key.port[1] = 443;
	return p;
}

/* Counts a packet as a worker does. False: it is on no flow. */
static bool send(struct stage *s, struct pkt *p)
{
	const uint32_t host[2] = {HOST, FLOW_NO_HOST}, id[2] = {0, 0};
	uint8_t fresh[1];
	uint32_t place;

	if (++s->packets % FAST_SWEEPS == 0)
		flow_table_sweep(s->table, 2 * FAST_SWEEPS);
	flow_table_hash(s->table, p);
	flow_table_prefetch(s->table, p, 1, fresh);
	if (flow_table_touch(s->table, p))
		return true;
	place = flow_table_place(s->table, p);
	if (place == FLOW_NO_PLACE)
		return false;
	flow_table_start(s->table, place, p, host, id);
	return true;
}

static bool send_one(struct stage *s, uint32_t n, unsigned side, enum pkt_class class,
		     uint8_t tcp_flags)
{
	struct pkt p = packet_of(s, n, side, class, tcp_flags);

	return send(s, &p);
}

static bool is_known(const struct stage *s, uint32_t n, enum pkt_class class)
{
	struct pkt p = packet_of(s, n, 0, class, PKT_TCP_ACK);

	flow_table_hash(s->table, &p);
	return flow_table_count_error(s->table, &p) != NULL;
}

static void pass(struct stage *s, uint64_t ns)
{
	s->now_ns += ns;
	flow_table_clock(s->table, s->now_ns);
}

static void sweep_all(struct stage *s)
{
	while (flow_table_sweep(s->table, 1000) == 1000)
		;
}

static void establish(struct stage *s, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++) {
		assert_true(send_one(s, i, 0, PKT_TCP, PKT_TCP_SYN));
		assert_true(send_one(s, i, 1, PKT_TCP, PKT_TCP_SYN | PKT_TCP_ACK));
		assert_true(send_one(s, i, 0, PKT_TCP, PKT_TCP_ACK));
	}
}

static void flood(struct stage *s, uint32_t first, uint32_t n, enum pkt_class class)
{
	for (uint32_t i = first; i < first + n; i++)
		send_one(s, i, 1, class, PKT_TCP_SYN);
}

/* --- a full table ------------------------------------------------------------- */

static void answered_flows_survive_every_flood(void **state)
{
	static const enum pkt_class classes[] = {PKT_TCP, PKT_UDP, PKT_ICMP, PKT_OTHER};
	struct stage *s = *state;
	const uint32_t kept = FLOWS / 4;

	establish(s, 0, kept);
	for (uint32_t i = kept; i < 2 * kept; i++) {
		assert_true(send_one(s, i, 0, PKT_UDP, 0));
		assert_true(send_one(s, i, 1, PKT_UDP, 0));
	}
	for (unsigned c = 0; c < 4; c++)
		flood(s, (c + 1) * 1000000, 3 * FLOWS, classes[c]);
	for (uint32_t i = 0; i < 2 * kept; i++)
		assert_true(is_known(s, i, i < kept ? PKT_TCP : PKT_UDP));
	assert_int_equal(s->ended, s->ended_droppable);
	assert_true(stats_of(s).early_drops > 10 * FLOWS);
	assert_true(stats_of(s).live <= FLOWS);
}

/* All but a few find room: those whose two buckets are all answered flows. */
static void flood_finds_room_beside_many_answered_flows(void **state)
{
	struct stage *s = *state;
	unsigned refused = 0;

	establish(s, 0, FLOWS / 2);
	for (uint32_t i = 0; i < 5 * FLOWS; i++)
		refused += !send_one(s, 1000000 + i, 1, PKT_TCP, PKT_TCP_SYN);
	assert_in_range(refused, 0, 5 * FLOWS / 100);
}

static void table_of_answered_flows_refuses(void **state)
{
	struct stage *s = *state;
	struct flow_stats before, after;

	for (uint32_t i = 0; stats_of(s).live < FLOWS; i++) {
		struct pkt p = packet_of(s, i, 0, PKT_TCP, PKT_TCP_ACK);

		if (!send(s, &p))
			continue;
		p.side = 1;
		assert_true(send(s, &p));
	}
	before = stats_of(s);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_false(send_one(s, 1000000 + i, 0, PKT_UDP, 0));
	after = stats_of(s);
	assert_int_equal(after.live, FLOWS);
	assert_int_equal(after.started, before.started);
	assert_int_equal(s->ended, 0);
}

/* One that is heard again and again is not the next to go, though unanswered. */
static void one_way_flow_that_goes_on_survives(void **state)
{
	struct stage *s = *state;
	const uint32_t streams = 50;

	for (uint32_t n = 0; n < streams; n++)
		assert_true(send_one(s, n, 0, PKT_UDP, 0));
	for (uint32_t i = 0; i < 10 * FLOWS; i++) {
		/* Each once while 2,000 come, which is a fifth of a bucket's turn. */
		if (i % 40 == 0)
			send_one(s, i / 40 % streams, 0, PKT_UDP, 0);
		send_one(s, 1000000 + i, 1, PKT_UDP, 0);
	}
	/* A few buckets turn much faster than others. */
	assert_in_range(stats_of(s).started, 10 * FLOWS + streams, 10 * FLOWS + streams + 10);
}

/* A handshake that takes as long as a flood needs for a third of the table. */
static void handshake_in_a_flood_is_one_flow(void **state)
{
	struct stage *s = *state;
	unsigned known = 0;

	flood(s, 1000000, 2 * FLOWS, PKT_TCP);
	for (uint32_t n = 0; n < 100; n++) {
		send_one(s, n, 0, PKT_TCP, PKT_TCP_SYN);
		flood(s, 2000000 + n * FLOWS, FLOWS / 3, PKT_TCP);
		known += is_known(s, n, PKT_TCP);
	}
	assert_in_range(known, 95, 100);
}

/* Slots and timers that change hands still end flows when their time is over. */
static void flows_that_took_over_end_in_time(void **state)
{
	static const enum pkt_class classes[] = {PKT_OTHER, PKT_TCP, PKT_ICMP, PKT_UDP, PKT_TCP};
	struct stage *s = *state;

	for (unsigned c = 0; c < 5; c++) {
		flood(s, (c + 1) * 1000000, 2 * FLOWS, classes[c]);
		pass(s, NS_PER_SEC / 2);
	}
	/* The longest timeout of all was `other`'s; the last were SYNs. */
	pass(s, 121 * NS_PER_SEC);
	sweep_all(s);
	assert_in_range(stats_of(s).live, 0, FLOWS / 100);
	pass(s, 600 * NS_PER_SEC);
	sweep_all(s);
	assert_int_equal(stats_of(s).live, 0);
}

/* --- emergencies ----------------------------------------------------------------- */

static void emergency_begins_above_90_and_ends_below_80_percent(void **state)
{
	struct stage *s = *state;

	flood(s, 0, FLOWS / 100 * 90, PKT_UDP);
	assert_false(stats_of(s).is_emergency);
	flood(s, 1000000, 1, PKT_UDP);
	assert_true(stats_of(s).is_emergency);
	assert_int_equal(stats_of(s).emergencies, 1);

	/* Nobody's time is over: it goes on, and does not begin again. */
	sweep_all(s);
	flood(s, 1000001, 2 * FLOWS, PKT_UDP);
	assert_true(stats_of(s).is_emergency);
	assert_int_equal(stats_of(s).emergencies, 1);
	assert_int_equal(stats_of(s).emergency_expired, 0);

	/* 3 s instead of 30. */
	pass(s, 3 * NS_PER_SEC);
	sweep_all(s);
	assert_false(stats_of(s).is_emergency);
	assert_int_equal(stats_of(s).live, 0);
	assert_in_range(stats_of(s).emergency_expired, FLOWS / 100 * 99, FLOWS);

	flood(s, 2000000, 2 * FLOWS, PKT_UDP);
	assert_int_equal(stats_of(s).emergencies, 2);
}

static void emergency_that_hovers_is_one(void **state)
{
	struct stage *s = *state;

	flood(s, 0, FLOWS / 100 * 85, PKT_UDP);
	for (unsigned round = 1; round <= 20; round++) {
		pass(s, NS_PER_SEC);
		flood(s, round * 1000000, FLOWS / 100 * 30, PKT_UDP);
		sweep_all(s);
		assert_true(stats_of(s).is_emergency);
	}
	assert_int_equal(stats_of(s).emergencies, 1);
}

static void emergency_ends_half_open_flows_after_a_tenth(void **state)
{
	struct stage *s = *state;

	flood(s, 1000000, FLOWS / 100 * 60, PKT_TCP); /* SYN_SENT: 120 s, 10 s */
	for (uint32_t i = 0; i < FLOWS / 100 * 32; i++) {
		assert_true(send_one(s, i, 0, PKT_TCP, PKT_TCP_SYN));
		assert_true(send_one(s, i, 1, PKT_TCP, PKT_TCP_SYN | PKT_TCP_ACK));
	}
	assert_true(stats_of(s).is_emergency);
	pass(s, 6 * NS_PER_SEC - 1);
	sweep_all(s);
	assert_int_equal(stats_of(s).emergency_expired, 0);
	pass(s, 1);
	sweep_all(s); /* SYN_RECV: 60 s, 6 s */
	assert_int_equal(stats_of(s).emergency_expired, FLOWS / 100 * 32);
	assert_int_equal(s->end_ns, START_NS + 6 * NS_PER_SEC);
	/* Below 80 %: the others have their time again. */
	assert_false(stats_of(s).is_emergency);
	pass(s, 100 * NS_PER_SEC);
	sweep_all(s);
	assert_int_equal(stats_of(s).live, FLOWS / 100 * 60);
}

static void emergency_ends_no_answered_flow(void **state)
{
	struct stage *s = *state;
	const uint32_t kept = FLOWS / 100 * 85;

	establish(s, 0, kept);
	flood(s, 1000000, 2 * FLOWS, PKT_TCP);
	for (unsigned i = 0; i < 100; i++) {
		pass(s, NS_PER_SEC);
		sweep_all(s);
	}
	assert_int_equal(stats_of(s).live, kept);
	assert_true(stats_of(s).is_emergency); /* there are more than 80 % */
	assert_int_equal(s->ended, s->ended_droppable);
	/* An hour of silence ends them as ever. */
	pass(s, 3600 * NS_PER_SEC);
	sweep_all(s);
	assert_int_equal(stats_of(s).live, 0);
	assert_false(stats_of(s).is_emergency);
}

/* What has been silent for long when it begins is over then, not before: its
 * hosts had a connection until now. */
static void emergency_ends_nothing_before_it_began(void **state)
{
	struct stage *s = *state;

	assert_true(send_one(s, 0, 0, PKT_TCP, PKT_TCP_SYN));
	pass(s, 50 * NS_PER_SEC);
	flood(s, 1000000, FLOWS / 100 * 91, PKT_TCP);
	assert_true(stats_of(s).is_emergency);
	assert_false(is_known(s, 0, PKT_TCP));
	sweep_all(s);
	assert_int_equal(stats_of(s).emergency_expired, 1);
	assert_int_equal(s->end_ns, START_NS + 50 * NS_PER_SEC);
}

/* Whether the sweep or a packet finds it makes no difference. */
static void flow_over_in_an_emergency_starts_anew(void **state)
{
	struct stage *s = *state;

	flood(s, 1000000, FLOWS / 100 * 91, PKT_TCP);
	pass(s, 10 * NS_PER_SEC);
	assert_true(send_one(s, 1000000, 1, PKT_TCP, PKT_TCP_ACK));
	assert_int_equal(stats_of(s).emergency_expired, 1);
	assert_int_equal(stats_of(s).started, FLOWS / 100 * 91 + 1);
	assert_int_equal(s->end_ns, START_NS + 10 * NS_PER_SEC);
}

#define STAGED(f) cmocka_unit_test_setup_teardown(f, open_stage, close_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(answered_flows_survive_every_flood),
		STAGED(flood_finds_room_beside_many_answered_flows),
		STAGED(table_of_answered_flows_refuses),
		STAGED(one_way_flow_that_goes_on_survives),
		STAGED(handshake_in_a_flood_is_one_flow),
		STAGED(flows_that_took_over_end_in_time),
		STAGED(emergency_begins_above_90_and_ends_below_80_percent),
		STAGED(emergency_that_hovers_is_one),
		STAGED(emergency_ends_half_open_flows_after_a_tenth),
		STAGED(emergency_ends_no_answered_flow),
		STAGED(emergency_ends_nothing_before_it_began),
		STAGED(flow_over_in_an_emergency_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
