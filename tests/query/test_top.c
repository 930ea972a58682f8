/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_top.c - the first hosts in an order, and how their rates are measured,
 * by libtctable against a server over made-up hosts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_table.h"
#include "query/server.h"
#include "tctable.h"

#define HOSTS 10000
#define ROOM  (HOSTS + 2000) /* of the table */

struct fixture {
	char folder[64], path[100];
	struct table *table;
	struct query_server *server;
	struct tctable *t;
};

static struct tctable *plug(const struct fixture *f)
{
	struct tctable *t;

	assert_int_equal(tctable_open(&t, f->path), 0);
	return t;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = {""};

	assert_non_null(f);
	strcpy(f->folder, "/tmp/test_top.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	f->table = fake_table_new(ROOM, 10);
	for (uint32_t n = 0; n < HOSTS; n++)
		fake_table_put_host(f->table, n, n & 1);
	if (query_server_start(
		    &f->server,
		    &(struct query_server_conf){.table = f->table, .path = f->path, .mode = 0660},
		    &e) < 0)
		fail_msg("%s", e.text);
	f->t = plug(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tctable_close(f->t);
	query_server_stop(f->server);
	fake_table_free(f->table);
	rmdir(f->folder);
	free(f);
	return 0;
}

struct rows {
	size_t n;
	struct tctable_top_row row[TCTABLE_TOP_ROWS_MAX];
};

static int take_row(const struct tctable_top_row *row, void *arg)
{
	struct rows *rows = arg;

	rows->row[rows->n++] = *row;
	return 0;
}

static struct rows *ask(struct tctable *t, struct tctable_top what)
{
	static struct rows rows;
	int ret;

	rows.n = 0;
	ret = tctable_top(t, &what, take_row, &rows);
	if (ret < 0)
		fail_msg("%s", tctable_error(t));
	return &rows;
}

static uint32_t number_of(const struct tctable_top_row *row)
{
	const uint8_t *p = row->host.ip.bytes + (row->host.ip.family == 6 ? 12 : 0);

	return (row->host.ip.family == 6 ? (uint32_t)p[0] << 24 : 0) | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void is_first(const struct rows *rows, uint32_t n)
{
	assert_true(rows->n > 0);
	assert_int_equal(number_of(&rows->row[0]), n);
}

/* What a rate says that was counted while it was measured, +-1 %. */
static void is_about(uint64_t rate, const struct tctable_top_row *row, double counted)
{
	const double said = (double)rate * row->measured_ms / 1000;

	if (said < counted * 0.99 - 1 || said > counted * 1.01 + 1)
		fail_msg("%" PRIu64 "/s for %" PRIu32 " ms are %.1f, not %.1f", rate,
			 row->measured_ms, said, counted);
}

#define BY_RATE(by) ((struct tctable_top){.rows = 3, .key = (by), .window = TCTABLE_SINCE_2S})

/* --- the order --------------------------------------------------------------------- */

static void the_first_of_random_hosts_are_those_that_a_sort_finds(void **state)
{
	struct fixture *f = *state;
	static uint64_t sent[HOSTS];
	unsigned seed = 4711;
	struct rows *rows;

	for (uint32_t n = 0; n < HOSTS; n++) {
		const uint64_t more = (uint64_t)rand_r(&seed) * 1000;

		fake_table_count(f->table, n, n % PKT_CLASSES, more, 0);
		sent[n] = 4 * 100ull * n + 64 + more;
	}
	rows = ask(f->t, (struct tctable_top){.rows = 1000, .key = TCTABLE_BY_TX_PACKETS});
	assert_int_equal(rows->n, 1000);
	for (size_t i = 0; i < rows->n; i++) {
		const uint32_t n = number_of(&rows->row[i]);
		size_t above = 0;

		for (uint32_t k = 0; k < HOSTS; k++)
			above += sent[k] > sent[n];
		assert_int_equal(above, i); /* no two are alike with this seed */
		assert_true(rows->row[i].matched == HOSTS);
	}
}

static void a_filter_by_class_sees_that_class_alone(void **state)
{
	struct fixture *f = *state;
	struct tctable_top what = {
		.rows = 2, .key = TCTABLE_BY_BYTES, .classes = 1u << TCTABLE_UDP};

	fake_table_count(f->table, 7, PKT_TCP, 9000000, 0);
	fake_table_count(f->table, 8, PKT_UDP, 5000000, 0);
	is_first(ask(f->t, what), 8);
	what.classes |= 1u << TCTABLE_TCP;
	is_first(ask(f->t, what), 7);
	what.classes = 0;
	is_first(ask(f->t, what), 7);
}

static void what_cannot_be_asked_is_refused_before_it_is_sent(void **state)
{
	struct fixture *f = *state;
	static const struct tctable_top wrong[] = {
		{.rows = 0},
		{.rows = TCTABLE_TOP_ROWS_MAX + 1},
		{.rows = 1, .key = TCTABLE_TOP_KEYS},
		{.rows = 1, .window = TCTABLE_TOP_WINDOWS},
		{.rows = 1, .net = {.family = 5}},
		{.rows = 1, .net = {.bytes = {10, 0, 0, 1}, .family = 4}, .net_bits = 8},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(tctable_top(f->t, &wrong[i], take_row, NULL), -EINVAL);
		assert_non_null(strstr(tctable_error(f->t), "at most 1024 rows"));
	}
}

/* --- rates ------------------------------------------------------------------------- */

static void a_rate_is_what_was_counted_between_two_requests(void **state)
{
	struct fixture *f = *state;
	const struct tctable_top what = BY_RATE(TCTABLE_BY_RX);
	struct rows *rows = ask(f->t, what);

	assert_int_equal(rows->row[0].measured_ms, 0);
	fake_table_count(f->table, 3, PKT_TCP, 10000, 0);
	fake_table_count(f->table, 4, PKT_UDP, 5000, 20000);
	usleep(600000);
	rows = ask(f->t, what);
	is_first(rows, 4);
	for (unsigned w = 0; w < TCTABLE_TOP_WINDOWS - 1; w++) {
		is_about(rows->row[0].rate[w].tx.packets, &rows->row[0], 5000);
		is_about(rows->row[0].rate[w].tx.bytes, &rows->row[0], 5000000);
		is_about(rows->row[0].rate[w].rx.packets, &rows->row[0], 20000);
		is_about(rows->row[0].rate[w].rx.bytes, &rows->row[0], 20000000);
	}
	rows = ask(f->t, BY_RATE(TCTABLE_BY_TX));
	is_first(rows, 3);
	is_about(rows->row[0].rate[0].tx.packets, &rows->row[0], 10000);
	assert_true(rows->row[0].rate[0].rx.packets == 0);
	assert_true(rows->row[2].rate[0].tx.bytes == 0);
}

static void what_is_over_leaves_the_short_window_first(void **state)
{
	struct fixture *f = *state;
	const struct tctable_top what = BY_RATE(TCTABLE_BY_BYTES);
	struct rows *rows;

	ask(f->t, what);
	fake_table_count(f->table, 5, PKT_TCP, 50000, 0);
	for (unsigned i = 0; i < 4; i++) {
		usleep(300000);
		ask(f->t, what);
	}
	usleep(2100000); /* longer than the window, and nothing happens */
	rows = ask(f->t, what);
	assert_true(rows->row[0].rate[0].tx.packets == 0);
	rows = ask(f->t, (struct tctable_top){
				 .rows = 1, .key = TCTABLE_BY_TX, .window = TCTABLE_SINCE_10S});
	is_first(rows, 5);
	is_about(rows->row[0].rate[1].tx.packets, &rows->row[0], 50000);
	is_about(rows->row[0].rate[2].tx.packets, &rows->row[0], 50000);
}

static void a_host_that_is_new_has_a_rate_at_once(void **state)
{
	struct fixture *f = *state;
	const struct tctable_top what = BY_RATE(TCTABLE_BY_TX);
	const uint32_t n = HOSTS + 1500;
	struct rows *rows;

	ask(f->t, what);
	usleep(400000);
	fake_table_put_host(f->table, n, false);
	rows = ask(f->t, what);
	is_first(rows, n);
	is_about(rows->row[0].rate[0].tx.packets, &rows->row[0], 400.0 * n + 64);
}

static void another_host_with_the_index_of_a_forgotten_one_is_another(void **state)
{
	struct fixture *f = *state;
	const struct tctable_top what = BY_RATE(TCTABLE_BY_TX);
	struct rows *rows;

	fake_table_count(f->table, 6, PKT_TCP, 1000000, 0);
	ask(f->t, what);
	fake_table_forget_host(f->table, 6);
	fake_table_put_host(f->table, 6, true);
	usleep(400000);
	rows = ask(f->t, what);
	is_first(rows, 6);
	is_about(rows->row[0].rate[0].tx.packets, &rows->row[0], 400.0 * 6 + 64);
}

static void clients_that_ask_in_turn_see_the_same(void **state)
{
	struct fixture *f = *state;
	const struct tctable_top what = BY_RATE(TCTABLE_BY_TX);
	struct tctable *other = plug(f);
	uint64_t rate;

	ask(f->t, what);
	fake_table_count(f->table, 9, PKT_TCP, 30000, 0);
	usleep(500000);
	rate = ask(other, what)->row[0].rate[0].tx.packets;
	assert_true(rate > 0);
	assert_true(ask(f->t, what)->row[0].rate[0].tx.packets == rate);
	tctable_close(other);
}

static void clients_that_ask_all_the_time_see_it_as_well(void **state)
{
	struct fixture *f = *state;
	const struct tctable_top what = BY_RATE(TCTABLE_BY_TX);
	struct rows *rows = ask(f->t, what);

	for (unsigned i = 0; i < 20; i++) {
		fake_table_count(f->table, 7, PKT_TCP, 1000, 0);
		usleep(60000);
		rows = ask(f->t, what);
	}
	is_first(rows, 7);
	assert_true(rows->row[0].rate[0].tx.packets > 0);
	usleep(300000);
	rows = ask(f->t, what);
	is_about(rows->row[0].rate[1].tx.packets, &rows->row[0], 20000);
	is_about(rows->row[0].rate[2].tx.packets, &rows->row[0], 20000);
}

static int take_counters(const struct tctable_stats *s, void *arg)
{
	uint64_t *found = arg;

	for (uint32_t i = 0; s->worker == UINT32_MAX && i < s->counters; i++) {
		if (strcmp(s->counter[i].name, "query_memory") == 0)
			found[0] = s->counter[i].value;
		if (strcmp(s->counter[i].name, "query_memory_max") == 0)
			found[1] = s->counter[i].value;
	}
	return 0;
}

static void rates_are_kept_as_long_as_somebody_asks_and_no_longer(void **state)
{
	struct fixture *f = *state;
	struct tctable *others[3];
	uint64_t before[2], with[2], after[2];

	assert_int_equal(tctable_stats(f->t, take_counters, before), 0);
	for (unsigned i = 0; i < 3; i++) {
		others[i] = plug(f);
		ask(others[i], BY_RATE(TCTABLE_BY_TX));
	}
	assert_int_equal(tctable_stats(f->t, take_counters, with), 0);
	assert_true(with[0] >= before[0] + 96ull * ROOM);    /* once, ... */
	assert_true(with[0] < before[0] + 2 * 96ull * ROOM); /* ... not thrice */
	assert_true(with[0] <= with[1]);
	for (unsigned i = 0; i < 3; i++)
		tctable_close(others[i]);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(tctable_stats(f->t, take_counters, after), 0);
		if (after[0] == before[0])
			return;
		usleep(50000);
	}
	fail_msg("%" PRIu64 " bytes before, %" PRIu64 " after", before[0], after[0]);
}

#define TOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOP_TEST(the_first_of_random_hosts_are_those_that_a_sort_finds),
		TOP_TEST(a_filter_by_class_sees_that_class_alone),
		TOP_TEST(what_cannot_be_asked_is_refused_before_it_is_sent),
		TOP_TEST(a_rate_is_what_was_counted_between_two_requests),
		TOP_TEST(what_is_over_leaves_the_short_window_first),
		TOP_TEST(a_host_that_is_new_has_a_rate_at_once),
		TOP_TEST(another_host_with_the_index_of_a_forgotten_one_is_another),
		TOP_TEST(clients_that_ask_in_turn_see_the_same),
		TOP_TEST(clients_that_ask_all_the_time_see_it_as_well),
		TOP_TEST(rates_are_kept_as_long_as_somebody_asks_and_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
