/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_clock.c - stamps that lag, pause and jump, on one line of time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define START (1700000000 * NS_PER_SEC)
#define DAY   (86400 * NS_PER_SEC)
#define YEAR  (365 * DAY)

/* As a source does for each frame. */
static uint64_t take(struct clock *c, uint64_t stamp_ns)
{
	const uint64_t ns = clock_place(c, stamp_ns);

	if (ns > c->now_ns)
		c->now_ns = ns;
	return ns;
}

static void check_jumps(const struct clock *c, uint64_t back, uint64_t forward)
{
	assert_int_equal(c->history.back, back);
	assert_int_equal(c->history.forward, forward);
}

static void stamps_that_fit_stay_as_they_are(void **state)
{
	static const uint64_t stamps[] = {START, START + 5, START - 60 * NS_PER_SEC + 5,
					  START + DAY, START + 30 * DAY};
	struct clock c = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++)
		assert_int_equal(take(&c, stamps[i]), stamps[i]);
	check_jumps(&c, 0, 0);
}

static void the_first_stamp_sets_the_clock_whatever_it_is(void **state)
{
	static const uint64_t stamps[] = {1, START, INT64_MAX};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct clock c = {0};

		assert_int_equal(take(&c, stamps[i]), stamps[i]);
		check_jumps(&c, 0, 0);
	}
}

static void an_older_file_goes_on_where_the_newer_one_ended(void **state)
{
	struct clock c = {0};

	(void)state;
	take(&c, START);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(take(&c, START - 2 * YEAR + i * NS_PER_SEC),
				 START + 1 + i * NS_PER_SEC);
	check_jumps(&c, 1, 0);
	assert_int_equal(take(&c, START + 2000 * NS_PER_SEC), START + 2000 * NS_PER_SEC);
	check_jumps(&c, 1, 1);
	assert_int_equal(c.shift_ns, 0);
}

static void one_damaged_stamp_moves_nothing_but_itself(void **state)
{
	static const uint64_t bad[] = {0, 1, START - YEAR, START + YEAR, INT64_MAX, UINT64_MAX};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct clock c = {0};

		take(&c, START);
		assert_int_equal(take(&c, bad[i]), START + 1);
		assert_int_equal(take(&c, START + NS_PER_SEC), START + NS_PER_SEC);
		assert_int_equal(c.history.back + c.history.forward, 2);
	}
}

static void the_limits_are_those_that_are_stated(void **state)
{
	struct clock c = {.now_ns = START};

	(void)state;
	assert_int_equal(clock_place(&c, START - CLOCK_BACK_NS), START - CLOCK_BACK_NS);
	assert_int_equal(clock_place(&c, START + CLOCK_FORWARD_NS), START + CLOCK_FORWARD_NS);
	check_jumps(&c, 0, 0);
	assert_int_equal(clock_place(&c, START - CLOCK_BACK_NS - 1), START + 1);
	check_jumps(&c, 1, 0);
	c.shift_ns = 0;
	assert_int_equal(clock_place(&c, START + CLOCK_FORWARD_NS + 1), START + 1);
	check_jumps(&c, 1, 1);
}

static void asking_twice_counts_a_jump_once(void **state)
{
	struct clock c = {.now_ns = START};

	(void)state;
	assert_int_equal(clock_place(&c, START + YEAR), START + 1);
	assert_int_equal(clock_place(&c, START + YEAR), START + 1);
	check_jumps(&c, 0, 1);
}

static void the_last_shifts_are_kept(void **state)
{
	struct clock c = {0};
	struct clock_history h;

	(void)state;
	take(&c, START);
	for (unsigned i = 1; i <= 20; i++) {
		const uint64_t ns = take(&c, START - i * YEAR);

		clock_history(&c, &h);
		assert_int_equal(h.back, i);
		assert_int_equal(h.shifts_n, i < CLOCK_SHIFTS ? i : CLOCK_SHIFTS);
		assert_int_equal(h.shifts[h.shifts_n - 1].from_ns, ns);
		assert_int_equal(ns - h.shifts[h.shifts_n - 1].shift_ns, START - i * YEAR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_that_fit_stay_as_they_are),
		cmocka_unit_test(the_first_stamp_sets_the_clock_whatever_it_is),
		cmocka_unit_test(an_older_file_goes_on_where_the_newer_one_ended),
		cmocka_unit_test(one_damaged_stamp_moves_nothing_but_itself),
		cmocka_unit_test(the_limits_are_those_that_are_stated),
		cmocka_unit_test(asking_twice_counts_a_jump_once),
		cmocka_unit_test(the_last_shifts_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
