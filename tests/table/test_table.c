/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_table.c - what a table is told of its sources; sizes that it refuses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "books.h"

#define WORKERS 3

static struct table_conf conf_of(unsigned workers)
{
	struct table_conf c = {.workers = workers, .flows_max = 30, .hosts_max = 10};

	flow_timeouts_init(&c.timeouts);
	return c;
}

static struct table *workers_new(void)
{
	const struct table_conf c = conf_of(WORKERS);
	struct err e = {""};
	struct table *t;

	if (table_new(&t, &c, &e) < 0)
		fail_msg("%s", e.text);
	return t;
}

static void losses_stand_beside_the_ledger(void **state)
{
	struct table *t = workers_new();
	struct view_totals v;
	struct view_worker w;

	(void)state;
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.kernel_drops, 0);
	assert_int_equal(v.ledger.ring_freezes, 0);
	table_note_losses(t, 0, 5, 1);
	table_note_losses(t, 1, 7, 0);
	table_note_losses(t, 2, 1000000000000, 3);
	table_note_losses(t, 0, 6, 2); /* since the start, not since the last time */
	table_worker_view(t, 0, &w);
	assert_int_equal(w.ledger.kernel_drops, 6);
	assert_int_equal(w.ledger.ring_freezes, 2);
	table_worker_view(t, 1, &w);
	assert_int_equal(w.ledger.kernel_drops, 7);
	assert_int_equal(w.ledger.ring_freezes, 0);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.kernel_drops, 1000000000013);
	assert_int_equal(v.ledger.ring_freezes, 5);
	assert_int_equal(v.ledger.received, 0); /* they are not of it */
	books_check(t);
	table_free(t);
}

static void losses_stay_while_frames_are_counted(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_totals v;

	(void)state;
	table_note_losses(t, 0, 4, 1);
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.kernel_drops, 4);
	assert_int_equal(v.ledger.ring_freezes, 1);
	assert_int_equal(v.ledger.received, 1);
	books_check(t);
	table_free(t);
}

static void rings_are_summed_but_for_the_most_that_waited(void **state)
{
	struct table *t = workers_new();
	struct view_totals v;
	struct view_worker w;

	(void)state;
	table_note_ring(t, 0, 64, 3);
	table_note_ring(t, 1, 64, 9);
	table_note_ring(t, 2, 32, 5);
	table_note_nic(t, 77);
	table_worker_view(t, 1, &w);
	assert_int_equal(w.ring.blocks, 64);
	assert_int_equal(w.ring.blocks_high, 9);
	table_totals_view(t, &v);
	assert_int_equal(v.ring.blocks, 160);
	assert_int_equal(v.ring.blocks_high, 9);
	assert_int_equal(v.nic_drops, 77);
	table_free(t);
}

static void flows_are_shared_out_among_workers(void **state)
{
	struct table *t = workers_new();
	struct view_totals v;
	struct view_worker w;

	(void)state;
	assert_int_equal(table_workers(t), WORKERS);
	for (unsigned i = 0; i < WORKERS; i++) {
		table_worker_view(t, i, &w);
		assert_int_equal(w.flows.capacity, 10);
	}
	table_totals_view(t, &v);
	assert_int_equal(v.flows.capacity, 30);
	table_free(t);
}

static void tables_of_impossible_sizes_are_refused(void **state)
{
	struct table_conf c = conf_of(1);
	struct table *t = (void *)&c;
	struct err e = {""};

	(void)state;
	c.hosts_max = 0;
	assert_int_equal(table_new(&t, &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, " 0 hosts"));
	c = conf_of(1);
	c.flows_max = 0;
	assert_int_equal(table_new(&t, &c, &e), -EINVAL);
	assert_true(e.text[0]);
	assert_ptr_equal(t, &c);
	table_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_stand_beside_the_ledger),
		cmocka_unit_test(losses_stay_while_frames_are_counted),
		cmocka_unit_test(rings_are_summed_but_for_the_most_that_waited),
		cmocka_unit_test(flows_are_shared_out_among_workers),
		cmocka_unit_test(tables_of_impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
