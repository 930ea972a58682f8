/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_forget.c - hosts that are silent for long enough, and what stays of
 * them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "books.h"

#define TIMEOUT_NS (900 * NS_PER_SEC)
#define UDP_NS	   (30 * NS_PER_SEC)

static uint64_t forget_at(struct table *t, uint64_t now_ns)
{
	books_sweep(t, now_ns);
	return table_forget_hosts(t, now_ns);
}

static void host_goes_when_its_time_is_over_and_not_a_second_before(void **state)
{
	/* Its last connection ends 30 s after its packet. */
	const uint64_t last_ns = BOOKS_START_NS + 123;
	const uint64_t over_ns = last_ns + UDP_NS + TIMEOUT_NS;
	struct table *t = books_new(10, 10, TIMEOUT_NS);
	struct view_totals v;
	struct view_host h;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, last_ns);
	assert_true(forget_at(t, last_ns + UDP_NS - 1) <= over_ns);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.idle_ns, 0); /* its connection lives */
	assert_true(forget_at(t, BOOKS_START_NS + 100 * NS_PER_SEC) <= over_ns);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.idle_ns, last_ns + UDP_NS);
	/* The whole second of the clock counts. */
	assert_int_equal(forget_at(t, over_ns + NS_PER_SEC - 124), over_ns + NS_PER_SEC - 123);
	assert_true(books_find(t, 1, &h));
	books_check(t);
	forget_at(t, over_ns + NS_PER_SEC - 123);
	assert_false(books_find(t, 1, &h));
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 0);
	assert_int_equal(v.hosts_forgotten, 1);
	books_check(t);
	table_free(t);
}

static void host_without_connections_goes_by_its_last_packet(void **state)
{
	struct table *t = books_new(10, 10, TIMEOUT_NS);
	struct view_host h;

	(void)state;
	books_icmp(t, 1, 101, 9, 0, BOOKS_START_NS); /* no query: no flow */
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.idle_ns, BOOKS_START_NS);
	assert_int_equal(forget_at(t, BOOKS_START_NS), BOOKS_START_NS + TIMEOUT_NS);
	forget_at(t, BOOKS_START_NS + TIMEOUT_NS - 1);
	assert_true(books_find(t, 1, &h));
	forget_at(t, BOOKS_START_NS + TIMEOUT_NS);
	assert_false(books_find(t, 1, &h));
	books_check(t);
	table_free(t);
}

static void host_whose_first_packet_is_being_counted_stays(void **state)
{
	struct table *t = books_new(1, 10, TIMEOUT_NS);
	struct host_dir *hosts = table_account(t, 0)->hosts;
	const struct addr ip = {.b = {10, 0, 0, 1}};
	const uint32_t index = host_dir_touch(hosts, &ip, ADDR_V4);
	struct view_host h;

	(void)state;
	assert_int_equal(forget_at(t, BOOKS_START_NS), BOOKS_START_NS + NS_PER_SEC);
	assert_int_equal(host_dir_lookup(hosts, &ip, ADDR_V4), index);
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.index, index);
	forget_at(t, BOOKS_START_NS + UDP_NS + TIMEOUT_NS);
	assert_false(books_find(t, 1, &h));
	books_check(t);
	table_free(t);
}

static void live_connection_keeps_its_host(void **state)
{
	struct table *t = books_new(10, 10, TIMEOUT_NS);
	struct view_host h;

	(void)state;
	books_tcp(t, 1, 101, 1000, 443, PKT_TCP_ACK, BOOKS_START_NS);
	forget_at(t, BOOKS_START_NS + 3599 * NS_PER_SEC); /* it has an hour */
	assert_true(books_find(t, 1, &h));
	forget_at(t, BOOKS_START_NS + 3600 * NS_PER_SEC + TIMEOUT_NS);
	assert_false(books_find(t, 1, &h));
	table_free(t);
}

static void timeout_of_0_forgets_nobody(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_host h;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	assert_int_equal(forget_at(t, 2 * BOOKS_START_NS), UINT64_MAX);
	assert_true(books_find(t, 1, &h));
	table_free(t);
}

static void sums_stay_on_the_forgotten_record(void **state)
{
	struct table *t = books_new(10, 10, TIMEOUT_NS);
	struct view_host h;

	(void)state;
	books_udp(t, 1, 2, 1000, 53, BOOKS_START_NS);
	books_tcp(t, 101, 1, 443, 1000, PKT_TCP_RST, BOOKS_START_NS);
	forget_at(t, BOOKS_START_NS + 2000 * NS_PER_SEC);
	table_forgotten_view(t, &h);
	assert_int_equal(h.family, 0);
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 1);
	assert_int_equal(h.cls[PKT_UDP].tx.bytes, 28);
	assert_int_equal(h.cls[PKT_UDP].rx.packets, 1);
	assert_int_equal(h.cls[PKT_TCP].rx.packets, 1);
	assert_int_equal(h.cls[PKT_TCP].rx.bytes, 40);
	assert_int_equal(h.cls[PKT_TCP].conns, 0);
	books_check(t);
	table_free(t);
}

static void host_that_comes_back_begins_anew(void **state)
{
	struct table *t = books_new(1, 10, TIMEOUT_NS);
	struct view_host h;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	forget_at(t, BOOKS_START_NS + 2000 * NS_PER_SEC);
	/* There is room for one: another has its place, with nothing in it. */
	books_udp(t, 2, 101, 1000, 53, BOOKS_START_NS + 2000 * NS_PER_SEC);
	assert_true(books_find(t, 2, &h));
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 1);
	assert_int_equal(h.cls[PKT_UDP].conns, 1);
	assert_int_equal(h.next_conn_id, 1);
	assert_int_equal(h.half_open, 0);
	books_check(t);
	forget_at(t, BOOKS_START_NS + 4000 * NS_PER_SEC);
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS + 4000 * NS_PER_SEC);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 1);
	assert_int_equal(h.next_conn_id, 1);
	books_check(t);
	table_free(t);
}

/* When the answer says "not before", nobody goes before. */
static void time_told_is_never_too_late(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct random r = {seed};
		struct table *t = books_new(20, 100, 60 * NS_PER_SEC);
		uint64_t now_ns = BOOKS_START_NS, next_ns = 0;

		for (unsigned step = 0; step < 2000; step++) {
			struct view_totals before, after;
			uint64_t told_ns;

			now_ns += random_below(&r, 4) ? random_below(&r, 3000) * NS_PER_MSEC
						      : random_below(&r, 60) * NS_PER_SEC;
			if (random_below(&r, 3))
				books_udp(t, (uint8_t)(1 + random_below(&r, 10)), 101,
					  (uint16_t)random_below(&r, 3), 53, now_ns);
			table_totals_view(t, &before);
			told_ns = forget_at(t, now_ns);
			table_totals_view(t, &after);
			if (now_ns - now_ns % NS_PER_SEC < next_ns)
				expect(after.hosts_forgotten == before.hosts_forgotten, seed, step);
			expect(told_ns > now_ns - now_ns % NS_PER_SEC, seed, step);
			next_ns = told_ns;
			expect(after.hosts + after.hosts_forgotten ==
				       before.hosts + before.hosts_forgotten,
			       seed, step);
		}
		books_check(t);
		table_free(t);
	}
}

/* More than are taken out at once, with all of them due in the same second. */
static void many_go_at_once(void **state)
{
	struct table *t = books_new(70000, 10, TIMEOUT_NS);
	struct view_totals v;

	(void)state;
	for (uint32_t i = 0; i < 70000; i++) {
		struct craft c = {0};

		craft_ipv4(&c, 1, 101, PROTO_ICMP, 0, 8);
		books_addrs(&c, 1, 101);
		craft_set(&c, 12, 4, 0x0a000000u + i);
		craft_icmp(&c, 9, 0, 0); /* no query: no flow */
		books_count(t, &c, BOOKS_START_NS);
	}
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 70000);
	assert_int_equal(forget_at(t, BOOKS_START_NS), BOOKS_START_NS + TIMEOUT_NS);
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 70000);
	forget_at(t, BOOKS_START_NS + TIMEOUT_NS);
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 0);
	assert_int_equal(v.hosts_forgotten, 70000);
	books_check(t);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_goes_when_its_time_is_over_and_not_a_second_before),
		cmocka_unit_test(host_without_connections_goes_by_its_last_packet),
		cmocka_unit_test(host_whose_first_packet_is_being_counted_stays),
		cmocka_unit_test(live_connection_keeps_its_host),
		cmocka_unit_test(timeout_of_0_forgets_nobody),
		cmocka_unit_test(sums_stay_on_the_forgotten_record),
		cmocka_unit_test(host_that_comes_back_begins_anew),
		cmocka_unit_test(time_told_is_never_too_late),
		cmocka_unit_test(many_go_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
