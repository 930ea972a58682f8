/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_settings.c - other networks, timeouts and limits while it counts: every
 * counter stays, and the books balance.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "../flow/random.h"
#include "books.h"
#include "table/settings.h"

#define SEC NS_PER_SEC

static const struct addr_net outer = {.addr = {.b = {8, 8, 8}}, .family = ADDR_V4, .bits = 24};

static struct table_conf conf(void)
{
	struct table_conf c = {
		.workers = 1, .flows_max = 1000, .hosts_max = 100, .host_timeout_ns = 900 * SEC};

	flow_timeouts_init(&c.timeouts);
	return c;
}

static void set(struct table *t, const struct table_conf *c)
{
	struct err e = {""};

	if (settings_set(t, c, &e) < 0)
		fail_msg("%s", e.text);
	settings_take(table_account(t, 0));
	assert_true(settings_are_taken(t));
}

static uint64_t tx(const struct table *t, uint8_t x)
{
	struct view_host h;

	return books_find(t, x, &h) ? h.cls[PKT_UDP].tx.packets : UINT64_MAX;
}

static void connection_keeps_the_hosts_that_it_began_with(void **state)
{
	struct table *t = books_new(100, 1000, 0);
	struct table_conf c = conf();
	struct view_totals v;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	books_udp(t, 102, 103, 1000, 53, BOOKS_START_NS); /* transit */
	c.inner = &outer;
	c.inner_n = 1;
	set(t, &c);
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS); /* the same connection */
	assert_int_equal(tx(t, 1), 2);
	assert_int_equal(tx(t, 101), UINT64_MAX);
	books_udp(t, 1, 101, 1001, 53, BOOKS_START_NS); /* another one */
	books_udp(t, 102, 103, 1000, 53, BOOKS_START_NS);
	assert_int_equal(tx(t, 1), 2);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.received, 5);
	assert_int_equal(v.ledger.transit, 1);
	assert_int_equal(v.ledger.counted.packets, 4);
	assert_int_equal(v.ledger.internal.packets, 1);
	books_check(t);
	table_free(t);
}

static void host_that_is_none_any_more_is_forgotten_with_its_counters_kept(void **state)
{
	struct table *t = books_new(100, 1000, 900 * SEC);
	struct table_conf c = conf();
	struct view_host h;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	c.inner = &outer;
	c.inner_n = 1;
	set(t, &c);
	books_sweep(t, BOOKS_START_NS + 31 * SEC);
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS + 32 * SEC);
	assert_int_equal(tx(t, 1), 1);
	table_forget_hosts(t, BOOKS_START_NS + 930 * SEC);
	assert_false(books_find(t, 1, &h));
	table_forgotten_view(t, &h);
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 1);
	books_check(t);
	table_free(t);
}

static void shorter_timeout_ends_connections_that_began_under_a_longer_one(void **state)
{
	struct table *t = books_new(100, 4000, 0);
	struct table_conf c = conf();
	struct view_totals v;

	(void)state;
	for (uint16_t i = 0; i < 500; i++)
		books_tcp(t, 1, 101, (uint16_t)(1000 + i), 443, PKT_TCP_ACK, BOOKS_START_NS);
	c.timeouts.ns[FLOW_TCP_ESTABLISHED] = 5 * SEC;
	set(t, &c);
	books_sweep(t, BOOKS_START_NS + 4 * SEC);
	table_totals_view(t, &v);
	assert_int_equal(v.flows.live, 500);
	books_sweep(t, BOOKS_START_NS + 5 * SEC);
	table_totals_view(t, &v);
	assert_int_equal(v.flows.live, 0);
	assert_int_equal(v.flows.expired, 500);
	books_check(t);
	table_free(t);
}

static void longer_timeout_keeps_connections_that_began_under_a_shorter_one(void **state)
{
	struct table *t = books_new(100, 4000, 0);
	struct table_conf c = conf();
	struct view_totals v;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	c.timeouts.ns[FLOW_UDP_UNANSWERED] = 100 * SEC;
	set(t, &c);
	books_sweep(t, BOOKS_START_NS + 99 * SEC);
	table_totals_view(t, &v);
	assert_int_equal(v.flows.live, 1);
	books_sweep(t, BOOKS_START_NS + 100 * SEC);
	table_totals_view(t, &v);
	assert_int_equal(v.flows.live, 0);
	table_free(t);
}

static void lower_limits_end_nothing_and_hold_for_what_comes(void **state)
{
	struct table *t = books_new(100, 1000, 0);
	struct table_conf c = conf();
	struct view_totals v;

	(void)state;
	for (uint8_t i = 1; i <= 20; i++)
		books_tcp(t, i, 101, 1000, 443, PKT_TCP_ACK, BOOKS_START_NS);
	c.hosts_max = 10;
	c.flows_max = 15;
	set(t, &c);
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 20);
	assert_int_equal(v.hosts_max, 10);
	assert_int_equal(v.flows.live, 20);
	assert_int_equal(v.flows.capacity, 15);
	books_udp(t, 21, 101, 1000, 53, BOOKS_START_NS); /* a new host: overflow */
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 20);
	assert_int_equal(v.ledger.untracked_host_limit, 1);
	c.hosts_max = 100;
	set(t, &c);
	books_udp(t, 21, 101, 1000, 53, BOOKS_START_NS); /* may be one now, but the table is full */
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 21);
	assert_in_range(v.flows.live, 20, 20);
	c.flows_max = 1000000; /* more than there is room for */
	c.hosts_max = 1000000;
	set(t, &c);
	table_totals_view(t, &v);
	assert_int_equal(v.hosts_max, 100);
	assert_int_equal(v.flows.capacity, 1000);
	books_udp(t, 21, 101, 1000, 53, BOOKS_START_NS);
	table_totals_view(t, &v);
	assert_int_equal(v.flows.live, v.flows.started - v.flows.early_drops);
	assert_int_equal(v.hosts, 21);
	books_check(t);
	table_free(t);
}

static void host_timeout_holds_from_now_on(void **state)
{
	struct table *t = books_new(100, 1000, 0);
	struct table_conf c = conf();
	struct view_totals v;

	(void)state;
	books_icmp(t, 1, 101, 9, 0, BOOKS_START_NS);
	assert_int_equal(table_forget_hosts(t, BOOKS_START_NS + 10000 * SEC), UINT64_MAX);
	c.host_timeout_ns = 10 * SEC;
	set(t, &c);
	table_forget_hosts(t, BOOKS_START_NS + 10000 * SEC);
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 0);
	assert_int_equal(v.host_timeout_ns, 10 * SEC);
	books_check(t);
	table_free(t);
}

static void next_settings_wait_until_all_workers_have_these(void **state)
{
	struct table *t = books_new(100, 1000, 0);
	const struct table_conf c = conf();
	struct err e = {""};

	(void)state;
	assert_int_equal(settings_set(t, &c, &e), 0);
	assert_false(settings_are_taken(t));
	assert_int_equal(settings_set(t, &c, &e), -EBUSY);
	assert_non_null(strstr(e.text, "worker"));
	settings_take(table_account(t, 0));
	assert_true(settings_are_taken(t));
	assert_int_equal(settings_set(t, &c, &e), 0);
	table_free(t); /* with both sets */
}

/* Anything, in any order: the books balance at every moment. */
static void books_balance_whatever_is_set(void **state)
{
	struct random r = {20261124};
	struct table *t = books_new(100, 1000, 60 * SEC);
	uint64_t now_ns = BOOKS_START_NS;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		const uint8_t src = (uint8_t)random_below(&r, 130);
		const uint8_t dst = (uint8_t)random_below(&r, 130);
		const uint16_t port = (uint16_t)random_below(&r, 50);

		now_ns += random_below(&r, (uint32_t)(SEC / 4));
		if (random_below(&r, 2))
			books_udp(t, src, dst, port, 53, now_ns);
		else
			books_tcp(t, src, dst, port, 80, (uint8_t)random_below(&r, 32), now_ns);
		flow_table_sweep(table_account(t, 0)->flows, 8);
		if (n % 97 == 0) {
			struct table_conf c = conf();

			c.inner = &outer;
			c.inner_n = random_below(&r, 2); /* or the default ones */
			c.flows_max = 1 + random_below(&r, 1000);
			c.hosts_max = 1 + (uint32_t)random_below(&r, 100);
			c.host_timeout_ns = random_below(&r, 100) * SEC;
			for (unsigned s = 0; s < FLOW_STATES; s++)
				c.timeouts.ns[s] = (1 + random_below(&r, 100)) * SEC;
			set(t, &c);
			books_check(t);
		}
		if (n % 50 == 0)
			table_forget_hosts(t, now_ns);
	}
	books_check(t);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_keeps_the_hosts_that_it_began_with),
		cmocka_unit_test(host_that_is_none_any_more_is_forgotten_with_its_counters_kept),
		cmocka_unit_test(shorter_timeout_ends_connections_that_began_under_a_longer_one),
		cmocka_unit_test(longer_timeout_keeps_connections_that_began_under_a_shorter_one),
		cmocka_unit_test(lower_limits_end_nothing_and_hold_for_what_comes),
		cmocka_unit_test(host_timeout_holds_from_now_on),
		cmocka_unit_test(next_settings_wait_until_all_workers_have_these),
		cmocka_unit_test(books_balance_whatever_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
