/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_view.c - hosts and connections as a reader sees them: while nothing
 * moves, and while a worker counts and hosts are forgotten.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "../flow/random.h"
#include "base/atomics.h"
#include "books.h"
#include "patience.h"

/* The only connection of host x. */
static struct view_conn only_conn(const struct table *t, uint8_t x)
{
	struct view_conn c, found = {0};
	struct view_host h;
	unsigned n = 0;

	assert_true(books_find(t, x, &h));
	for (uint32_t s = 0; s < table_conns_end(t, 0); s++)
		if (table_conn_view(t, 0, s, h.index, &c) == 0) {
			found = c;
			n++;
		}
	assert_int_equal(n, 1);
	return found;
}

static void connection_is_shown_from_its_originator(void **state)
{
	for (unsigned outer_first = 0; outer_first < 2; outer_first++) {
		const uint8_t from = outer_first ? 101 : 1, to = outer_first ? 1 : 101;
		struct table *t = books_new(10, 10, 0);
		struct view_conn c;
		struct addr inner = books_addr(1);

		(void)state;
		books_tcp(t, from, to, 1000, 443, PKT_TCP_SYN, BOOKS_START_NS);
		books_tcp(t, to, from, 443, 1000, PKT_TCP_SYN | PKT_TCP_ACK, BOOKS_START_NS + 1);
		books_tcp(t, from, to, 1000, 443, PKT_TCP_ACK, BOOKS_START_NS + 2);
		c = only_conn(t, 1);
		assert_int_equal(c.id, 0);
		assert_int_equal(c.last_ns, BOOKS_START_NS + 2);
		assert_int_equal(c.family, ADDR_V4);
		assert_int_equal(c.proto, PROTO_TCP);
		assert_int_equal(c.class, PKT_TCP);
		assert_int_equal(c.state, FLOW_TCP_ESTABLISHED);
		assert_false(c.is_icmp);
		assert_int_equal(c.end[0].port, 1000);
		assert_int_equal(c.end[1].port, 443);
		assert_true(addr_equal(&c.end[outer_first].ip, &inner));
		assert_int_equal(c.end[0].sent.packets, 2);
		assert_int_equal(c.end[0].sent.bytes, 80);
		assert_int_equal(c.end[1].sent.packets, 1);
		assert_int_equal(c.end[1].sent.bytes, 40);
		table_free(t);
	}
}

static void syn_ack_seen_first_makes_its_destination_the_originator(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_conn c;

	(void)state;
	books_tcp(t, 101, 1, 443, 1000, PKT_TCP_SYN | PKT_TCP_ACK, BOOKS_START_NS);
	c = only_conn(t, 1);
	assert_int_equal(c.state, FLOW_TCP_SYN_RECV);
	assert_int_equal(c.end[0].port, 1000);
	assert_int_equal(c.end[0].sent.packets, 0);
	assert_int_equal(c.end[1].sent.packets, 1);
	table_free(t);
}

static void half_open_connections_are_counted_until_they_open_or_end(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_host a, b;

	(void)state;
	books_tcp(t, 1, 2, 1000, 443, PKT_TCP_SYN, BOOKS_START_NS); /* will open */
	books_tcp(t, 1, 2, 1001, 443, PKT_TCP_SYN, BOOKS_START_NS); /* will be refused */
	books_tcp(t, 1, 2, 1002, 443, PKT_TCP_SYN, BOOKS_START_NS); /* will time out */
	books_udp(t, 1, 2, 1000, 53, BOOKS_START_NS);		    /* is none */
	assert_true(books_find(t, 1, &a) && books_find(t, 2, &b));
	assert_int_equal(a.half_open, 3);
	assert_int_equal(b.half_open, 3);
	assert_int_equal(a.cls[PKT_TCP].conns, 3);
	assert_int_equal(a.use, 5);
	books_tcp(t, 2, 1, 443, 1000, PKT_TCP_SYN | PKT_TCP_ACK, BOOKS_START_NS);
	assert_true(books_find(t, 1, &a));
	assert_int_equal(a.half_open, 3);
	books_tcp(t, 1, 2, 1000, 443, PKT_TCP_ACK, BOOKS_START_NS);
	assert_true(books_find(t, 1, &a));
	assert_int_equal(a.half_open, 2);
	books_tcp(t, 2, 1, 443, 1001, PKT_TCP_RST, BOOKS_START_NS);
	assert_true(books_find(t, 1, &a) && books_find(t, 2, &b));
	assert_int_equal(a.half_open, 1);
	assert_int_equal(b.half_open, 1);
	books_sweep(t, BOOKS_START_NS + 121 * NS_PER_SEC);
	assert_true(books_find(t, 1, &a) && books_find(t, 2, &b));
	assert_int_equal(a.half_open, 0);
	assert_int_equal(b.half_open, 0);
	assert_int_equal(a.cls[PKT_TCP].conns, 1);
	assert_int_equal(a.use, 2);
	assert_int_equal(a.next_conn_id, 4);
	table_free(t);
}

static void icmp_is_shown_by_types_code_and_identifier(void **state)
{
	for (unsigned reply_first = 0; reply_first < 2; reply_first++) {
		struct table *t = books_new(10, 10, 0);
		struct view_conn c;

		(void)state;
		books_icmp(t, 1, 101, reply_first ? 0 : 8, 77, BOOKS_START_NS);
		c = only_conn(t, 1);
		assert_true(c.is_icmp);
		assert_int_equal(c.icmp_type[0], reply_first ? 0 : 8);
		assert_int_equal(c.icmp_type[1], reply_first ? 8 : 0);
		assert_int_equal(c.icmp_code, 0);
		assert_int_equal(c.icmp_id, 77);
		assert_int_equal(c.end[0].port | c.end[1].port, 0);
		assert_int_equal(c.state, FLOW_ICMP_UNANSWERED);
		books_icmp(t, 101, 1, reply_first ? 8 : 0, 77, BOOKS_START_NS);
		assert_int_equal(only_conn(t, 1).state, FLOW_ICMP_ANSWERED);
		assert_int_equal(only_conn(t, 1).end[1].sent.packets, 1);
		table_free(t);
	}
}

static void what_is_not_there_is_told(void **state)
{
	struct table *t = books_new(10, 10, 0);
	const struct addr a = books_addr(2);
	struct view_host h;
	struct view_conn c;
	uint32_t i = 77;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	assert_int_equal(table_host_find(t, &a, ADDR_V4, &i), -ENOENT);
	assert_int_equal(i, 77);
	assert_int_equal(table_host_view(t, 1, &h), -ENOENT);
	assert_int_equal(table_host_view(t, UINT32_MAX, &h), -ENOENT);
	assert_int_equal(table_conn_view(t, 0, 0, 1, &c), -ENOENT);
	assert_int_equal(table_workers(t), 1);
	assert_int_equal(table_hosts_end(t), 1);
	assert_int_equal(table_conns_end(t, 0), 1);
	books_sweep(t, BOOKS_START_NS + 100 * NS_PER_SEC);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(table_conn_view(t, 0, 0, h.index, &c), -ENOENT);
	table_free(t);
}

static void table_tells_its_sizes_and_clock(void **state)
{
	struct table *t = books_new(10, 20, 900 * NS_PER_SEC);
	struct view_totals v;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS + 5);
	table_totals_view(t, &v);
	assert_int_equal(v.hosts_max, 10);
	assert_int_equal(v.hosts, 1);
	assert_int_equal(v.flows.capacity, 20);
	assert_int_equal(v.flows.live, 1);
	assert_int_equal(v.host_timeout_ns, 900 * NS_PER_SEC);
	assert_int_equal(v.now_ns, BOOKS_START_NS + 5);
	assert_true(v.directory_bytes > 0 && v.flows.arena_bytes > 0);
	table_free(t);
}

/* --- beside a worker ------------------------------------------------------------------ */

#define PACKETS 60000 /* at least */
#define READ	1000  /* hosts and connections, at least */

struct reading {
	struct table *table;
	bool stop;
	uint64_t hosts, conns; /* atomic */
	uint64_t wrong;
};

static bool has_read_enough(const struct reading *r)
{
	return load_relaxed(&r->hosts) >= READ && load_relaxed(&r->conns) >= READ;
}

/* Every packet here has 28 bytes, so every counter is a multiple. */
static bool is_whole(const struct view_counter *c)
{
	return c->bytes == 28 * c->packets;
}

static void read_hosts(struct reading *r)
{
	struct view_host h;
	struct view_conn c;

	for (uint32_t i = 0; i < table_hosts_end(r->table); i++) {
		if (table_host_view(r->table, i, &h) < 0)
			continue;
		counter_add(&r->hosts, 1);
		r->wrong += h.family != ADDR_V4 || h.ip.b[0] != 10 || h.index != i;
		for (unsigned k = 0; k < PKT_CLASSES; k++)
			r->wrong += !is_whole(&h.cls[k].tx) || !is_whole(&h.cls[k].rx);
		r->wrong += h.use < 1 || h.half_open != 0;
		for (uint32_t s = 0; s < table_conns_end(r->table, 0); s++) {
			if (table_conn_view(r->table, 0, s, i, &c) < 0)
				continue;
			counter_add(&r->conns, 1);
			r->wrong += !is_whole(&c.end[0].sent) || !is_whole(&c.end[1].sent);
			r->wrong += c.class != PKT_UDP || c.end[1].port != 53;
		}
	}
}

static void *read_all(void *arg)
{
	struct reading *r = arg;
	struct view_totals v;
	uint64_t received = 0;

	while (!load_acquire(&r->stop)) {
		const struct view_ledger *l = &v.ledger;

		read_hosts(r);
		table_totals_view(r->table, &v);
		r->wrong +=
			l->received != l->counted.packets + l->transit + l->not_ip + l->malformed;
		r->wrong += l->received < received;
		r->wrong += !is_whole(&l->counted);
		received = l->received;
	}
	return NULL;
}

static void views_beside_a_worker_are_states_that_existed(void **state)
{
	struct reading r = {.table = books_new(8, 16, 40 * NS_PER_SEC)};
	struct random rnd = {11};
	const uint64_t until_ns = patience_ends_ns();
	uint64_t now_ns = BOOKS_START_NS;
	struct view_totals v;
	pthread_t reader;

	(void)state;
	assert_int_equal(pthread_create(&reader, NULL, read_all, &r), 0);
	for (unsigned i = 0; i < PACKETS || (!has_read_enough(&r) && !patience_is_over(until_ns));
	     i++) {
		const uint8_t src = (uint8_t)(1 + random_below(&rnd, 6));

		now_ns += random_below(&rnd, 200) * NS_PER_MSEC;
		if (random_below(&rnd, 500) == 0)
			now_ns += random_below(&rnd, 100) * NS_PER_SEC;
		books_udp(r.table, src, random_below(&rnd, 3) ? 101 : 20, src * 10, 53, now_ns);
		if (i % 8 == 0) {
			books_sweep(r.table, now_ns);
			table_forget_hosts(r.table, now_ns); /* nobody else is in a batch */
		}
	}
	store_release(&r.stop, true);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(r.wrong, 0);
	assert_true(has_read_enough(&r));
	table_totals_view(r.table, &v);
	assert_true(v.hosts_forgotten > 10);
	books_check(r.table);
	table_free(r.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_is_shown_from_its_originator),
		cmocka_unit_test(syn_ack_seen_first_makes_its_destination_the_originator),
		cmocka_unit_test(half_open_connections_are_counted_until_they_open_or_end),
		cmocka_unit_test(icmp_is_shown_by_types_code_and_identifier),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(table_tells_its_sizes_and_clock),
		cmocka_unit_test(views_beside_a_worker_are_states_that_existed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
