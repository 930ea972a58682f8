/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_by_way.c - hosts told by the direction of frames, as on a gateway's
 * inner interface.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "books.h"

#define NOW    BOOKS_START_NS
#define OUTER  100 /* + n: 8.8.8.n */
#define HOSTS  5
#define FRAMES 5000

static struct table *gateway_new(void)
{
	static const struct addr_net nowhere = {
		.addr.b = {192, 0, 2}, .family = ADDR_V4, .bits = 24};
	struct table_conf c = {
		.workers = 1,
		.flows_max = 1000,
		.hosts_max = 100,
		.inner = &nowhere,
		.inner_n = 1,
		.by_way = true,
	};
	struct err e = {""};
	struct table *t;

	flow_timeouts_init(&c.timeouts);
	if (table_new(&t, &c, &e) < 0)
		fail_msg("%s", e.text);
	account_clock(table_account(t, 0), NOW);
	return t;
}

/* A UDP packet of 28 bytes. */
static void count(struct table *t, uint8_t src, uint8_t dst, enum frame_way way)
{
	struct craft c = {0};
	struct frame f = {.data = c.b, .link = LINK_RAW, .ts_ns = NOW, .way = (uint8_t)way};

	craft_ipv4(&c, src, dst, PROTO_UDP, 0, 8);
	books_addrs(&c, src, dst);
	craft_udp(&c, 1000, 1000);
	f.caplen = f.wirelen = (uint32_t)c.n;
	account_batch(table_account(t, 0), &f, 1);
}

static struct view_counter udp_of(const struct table *t, uint8_t x, bool tx)
{
	struct view_host h;

	if (!books_find(t, x, &h))
		return (struct view_counter){0};
	return tx ? h.cls[PKT_UDP].tx : h.cls[PKT_UDP].rx;
}

static void a_frame_that_came_in_is_tx_of_its_source_alone(void **state)
{
	struct table *t = gateway_new();

	(void)state;
	count(t, 1, OUTER + 1, FRAME_WAY_IN);
	count(t, OUTER + 1, 1, FRAME_WAY_OUT);
	count(t, OUTER + 1, 1, FRAME_WAY_OUT);
	assert_int_equal(table_hosts_count(t), 1);
	assert_int_equal(udp_of(t, 1, true).packets, 1);
	assert_int_equal(udp_of(t, 1, false).packets, 2);
	assert_int_equal(udp_of(t, 1, false).bytes, 2 * 28);
	books_check(t);
	table_free(t);
}

static void frames_for_others_are_transit(void **state)
{
	struct table *t = gateway_new();
	struct view_totals v;

	(void)state;
	count(t, 1, 2, FRAME_WAY_OTHER);
	count(t, 1, 2, FRAME_WAY_UNKNOWN);
	count(t, 1, 2, FRAME_WAY_IN);
	count(t, 1, 2, FRAME_WAY_OTHER); /* of a flow that is known */
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.transit, 3);
	assert_int_equal(v.ledger.counted.packets, 1);
	assert_int_equal(table_hosts_count(t), 1);
	books_check(t);
	table_free(t);
}

static void a_connection_between_two_hosts_belongs_to_both(void **state)
{
	struct table *t = gateway_new();
	struct view_totals v;
	struct view_host h;

	(void)state;
	count(t, 1, 2, FRAME_WAY_IN); /* in from one ... */
	assert_false(books_find(t, 2, &h));
	count(t, 1, 2, FRAME_WAY_OUT); /* ... and out to the other, by the same interface */
	assert_int_equal(udp_of(t, 1, true).packets, 1);
	assert_int_equal(udp_of(t, 2, false).packets, 1);
	assert_int_equal(udp_of(t, 2, true).packets, 0);
	for (uint8_t x = 1; x <= 2; x++) {
		assert_true(books_find(t, x, &h));
		assert_int_equal(h.cls[PKT_UDP].conns, 1);
		assert_int_equal(h.next_conn_id, 1);
	}
	table_totals_view(t, &v);
	assert_int_equal(v.flows.live, 1);
	assert_int_equal(v.ledger.internal.packets, 0);
	books_sweep(t, NOW + 3600 * NS_PER_SEC);
	for (uint8_t x = 1; x <= 2; x++) {
		assert_true(books_find(t, x, &h));
		assert_int_equal(h.use, 1);
	}
	books_check(t);
	table_free(t);
}

static void random_frames_count_as_in_a_naive_count(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 5; seed++) {
		struct table *t = gateway_new();
		struct random r = {.at = seed};
		uint64_t tx[HOSTS + 1] = {0}, rx[HOSTS + 1] = {0};
		struct view_host h;

		for (unsigned n = 0; n < FRAMES; n++) {
			const uint8_t src = (uint8_t)(1 + random_below(&r, HOSTS));
			const uint8_t dst = (uint8_t)(1 + random_below(&r, HOSTS));
			const unsigned way = random_below(&r, FRAME_WAY_OUT + 1);

			count(t, src, dst, (enum frame_way)way);
			tx[src] += way == FRAME_WAY_IN;
			rx[dst] += way == FRAME_WAY_OUT;
		}
		for (uint8_t x = 1; x <= HOSTS; x++) {
			assert_int_equal(udp_of(t, x, true).packets, tx[x]);
			assert_int_equal(udp_of(t, x, false).packets, rx[x]);
		}
		books_check(t);
		books_sweep(t, NOW + 3600 * NS_PER_SEC);
		for (uint8_t x = 1; x <= HOSTS; x++)
			if (books_find(t, x, &h))
				assert_int_equal(h.use, 1);
		table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_came_in_is_tx_of_its_source_alone),
		cmocka_unit_test(frames_for_others_are_transit),
		cmocka_unit_test(a_connection_between_two_hosts_belongs_to_both),
		cmocka_unit_test(random_frames_count_as_in_a_naive_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
