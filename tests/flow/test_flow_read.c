/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flow_read.c - flows read by other threads while their worker counts.
 *
 * Every packet of a side of a flow has the same size, which the flow's port
 * and the side tell; its hosts and ids follow from the port as well. So a
 * reader that sees two halves of different moments, or of different flows
 * that had the slot one after the other, sees them disagree.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/atomics.h"
#include "base/units.h"
#include "flow/flow_table.h"
#include "random.h"

#define PACKETS	  400000
#define FLOWS_MAX 64
#define KEYS	  100 /* more than fit */
#define HOSTS	  10
#define READERS	  2
#define START_NS  (1700000000 * NS_PER_SEC)

struct bench {
	struct flow_table *table;
	bool stop;
	uint64_t ended; /* by the worker */
};

struct reader {
	struct bench *bench;
	pthread_t thread;
	uint64_t seen;	   /* flows read; atomic */
	uint64_t wrong;	   /* of these, those whose parts disagree */
	uint64_t backward; /* counters that went back */
};

static uint32_t bytes_of_side(uint16_t port, unsigned side)
{
	/* A word of deltas is full after a few large ones, or after 1023. */
	return port % 3 ? 60000 + port * 2u + side : 40 + port * 2u + side;
}

static uint32_t host_of(uint16_t port, unsigned side)
{
	return (port + side) % HOSTS;
}

static uint32_t id_of(uint16_t port, unsigned side)
{
	return port * 7919u + side;
}

static void flow_ended(void *arg, const struct flow *f, uint64_t end_ns)
{
	struct bench *b = arg;

	(void)f;
	(void)end_ns;
	b->ended++;
}

static void flow_opened(void *arg, const struct flow *f)
{
	(void)arg;
	(void)f;
}

static void send(struct bench *b, uint16_t port, unsigned side, uint8_t flags, uint64_t ts_ns)
{
	const uint32_t host[2] = {host_of(port, 0), host_of(port, 1)};
	const uint32_t id[2] = {id_of(port, 0), id_of(port, 1)};
	struct pkt p = {
		.key = {.port = {port, 443}, .proto = PROTO_TCP, .family = ADDR_V4},
		.ts_ns = ts_ns,
		.ip_bytes = bytes_of_side(port, side),
		.packets = 1,
		.class = PKT_TCP,
		.side = (uint8_t)side,
		.tcp_flags = flags,
	};
	uint32_t place;

	p.key.addr[0].b[0] = 10;
	p.key.addr[0].b[3] = (uint8_t)port;
	p.key.addr[1].b[0] = 11;
	flow_table_hash(b->table, &p);
	if (flow_table_touch(b->table, &p))
		return;
	place = flow_table_place(b->table, &p);
	if (place != FLOW_NO_PLACE)
		flow_table_start(b->table, place, &p, host, id);
}

static bool parts_agree(const struct flow_copy *c, uint32_t host)
{
	const uint16_t port = c->hot.port[0];

	if (c->hot.addr[0].b[3] != (uint8_t)port || c->hot.port[1] != 443 ||
	    c->hot.proto != PROTO_TCP)
		return false;
	if (host != host_of(port, 0) && host != host_of(port, 1))
		return false;
	for (unsigned s = 0; s < 2; s++) {
		if (c->hot.host[s] != host_of(port, s) || c->cold.conn_id[s] != id_of(port, s))
			return false;
		if (c->sent[s].bytes != c->sent[s].packets * bytes_of_side(port, s))
			return false;
	}
	return c->hot.last_ns >= START_NS && c->hot.state < FLOW_TCP_STATES;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct bench *b = r->bench;
	struct flow_stats before = {0}, now;

	while (!load_acquire(&b->stop)) {
		for (uint32_t i = 0; i < flow_table_end(b->table); i++)
			for (uint32_t host = 0; host < HOSTS; host++) {
				struct flow_copy c;

				if (!flow_table_read(b->table, i, host, &c))
					continue;
				counter_add(&r->seen, 1);
				r->wrong += !parts_agree(&c, host);
			}
		flow_table_stats(b->table, &now);
		r->backward += now.started < before.started || now.expired < before.expired ||
			       now.replaced < before.replaced ||
			       now.early_drops < before.early_drops || now.live > FLOWS_MAX;
		before = now;
	}
	return NULL;
}

/* From now_ns on; when it is over. */
static uint64_t write_all(struct bench *b, struct random *r, uint64_t now_ns)
{
	static const uint8_t flags[] = {PKT_TCP_SYN, PKT_TCP_SYN | PKT_TCP_ACK, PKT_TCP_ACK,
					PKT_TCP_ACK, PKT_TCP_FIN | PKT_TCP_ACK};

	for (unsigned i = 0; i < PACKETS; i++) {
		const uint16_t port = (uint16_t)(1 + random_below(r, KEYS));
		const uint32_t one = random_below(r, 200);

		/* A few connections long, most short. */
		if (port > 5 && one > 60)
			send(b, (uint16_t)(port % 5 + 1), one & 1, PKT_TCP_ACK, now_ns);
		else
			send(b, port, one & 1, one ? flags[one % 5] : PKT_TCP_RST, now_ns);
		now_ns += random_below(r, 20) * NS_PER_MSEC;
		flow_table_clock(b->table, now_ns);
		flow_table_sweep(b->table, 2);
	}
	return now_ns;
}

/* A busy machine may let a reader wait. */
static bool all_have_seen(const struct reader *readers)
{
	for (unsigned i = 0; i < READERS; i++)
		if (!load_relaxed(&readers[i].seen))
			return false;
	return true;
}

static void packets_and_bytes_read_beside_the_worker_belong_together(void **state)
{
	struct bench b = {0};
	struct flow_table_conf c = {
		.flows_max = FLOWS_MAX,
		.hash_mask = UINT64_MAX,
		.secret = {1, 2, 3, 4, 5, 6},
		.ended = flow_ended,
		.opened = flow_opened,
		.arg = &b,
	};
	struct reader readers[READERS] = {0};
	struct random r = {7};
	struct arena *arena;
	struct flow_stats s;
	uint64_t now_ns = START_NS;

	(void)state;
	flow_timeouts_init(&c.timeouts);
	assert_int_equal(arena_new(&arena, NULL), 0);
	assert_int_equal(flow_table_new(&b.table, &c, arena, NULL), 0);
	flow_table_clock(b.table, START_NS);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i].bench = &b;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]),
				 0);
	}
	do
		now_ns = write_all(&b, &r, now_ns);
	while (!all_have_seen(readers));
	store_release(&b.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
		assert_true(readers[i].seen > 0);
		assert_int_equal(readers[i].wrong, 0);
		assert_int_equal(readers[i].backward, 0);
	}
	flow_table_stats(b.table, &s);
	assert_int_equal(b.ended, s.expired + s.replaced + s.early_drops);
	assert_int_equal(s.started, s.live + b.ended);
	assert_true(s.expired > 0 && s.replaced > 0 && s.early_drops > 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_and_bytes_read_beside_the_worker_belong_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
