/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wheel.c - the timer wheel beside a list of dates: random adds, removals,
 * dates put off, sweeps with small budgets, and leaps of the clock.
 *
 * What must hold: after a sweep that has caught up nothing is left whose date
 * has come; nothing is ended before its date; nothing that was neither ended
 * nor removed is forgotten; a sweep asks about no more than its budget.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flow/wheel.h"
#include "random.h"

#define THINGS 300
#define STEPS  20000

/* The link stands in the middle, as it may. */
struct thing {
	uint64_t date; /* when it is due; may move up while it is on the wheel */
	uint64_t born; /* the tick in which it was set: what is behind is due in the next */
	struct wheel_link link;
	bool is_set;
	bool was_asked;
};

struct model {
	struct wheel wheel;
	struct thing things[THINGS];
	uint64_t now; /* of the last sweep */
	uint32_t asked;
	uint32_t ended;
	unsigned seed, step;
};

static uint64_t thing_due(void *arg, uint32_t i, uint64_t now)
{
	struct model *m = arg;
	struct thing *t = &m->things[i];

	m->asked++;
	t->was_asked = true;
	expect(i < THINGS, m->seed, m->step);
	expect(t->is_set, m->seed, m->step);
	expect(now == m->now, m->seed, m->step);
	if (t->date > now)
		return t->date;
	t->is_set = false;
	m->ended++;
	return 0;
}

static struct model *model_new(unsigned seed, uint64_t start)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->seed = seed;
	m->now = start;
	wheel_init(&m->wheel, &m->things[0].link, sizeof(m->things[0]));
	wheel_start(&m->wheel, start);
	return m;
}

static void set(struct model *m, uint32_t i, uint64_t date)
{
	m->things[i].date = date;
	m->things[i].born = m->now;
	m->things[i].is_set = true;
	wheel_add(&m->wheel, i, date);
}

static uint32_t sweep(struct model *m, uint64_t now, uint32_t budget)
{
	uint32_t asked;

	m->now = now;
	m->asked = 0;
	asked = wheel_sweep(&m->wheel, now, budget, thing_due, m);
	expect(asked == m->asked, m->seed, m->step);
	expect(asked <= budget, m->seed, m->step);
	return asked;
}

static void nothing_due_is_left(const struct model *m)
{
	for (unsigned i = 0; i < THINGS; i++) {
		const struct thing *t = &m->things[i];

		expect(!t->is_set || t->date > m->now || t->born == m->now, m->seed, m->step);
	}
}

/* As a timer's date may be: soon, far, behind, at the ends of a turn. */
static uint64_t random_date(struct random *r, uint64_t now)
{
	static const int32_t edges[] = {-5,
					0,
					1,
					2,
					WHEEL_SLOTS - 2,
					WHEEL_SLOTS - 1,
					WHEEL_SLOTS,
					WHEEL_SLOTS + 1,
					2 * WHEEL_SLOTS,
					86400};

	switch (random_below(r, 4)) {
	case 0:
		return now + (uint64_t)(int64_t)edges[random_below(r, 10)];
	case 1:
		return now + random_below(r, 3 * WHEEL_SLOTS);
	default:
		return now + random_below(r, 200);
	}
}

static uint64_t random_leap(struct random *r)
{
	static const uint32_t edges[] = {WHEEL_SLOTS - 1, WHEEL_SLOTS, WHEEL_SLOTS + 1,
					 3 * WHEEL_SLOTS + 7, 10000000};

	switch (random_below(r, 40)) {
	case 0:
		return edges[random_below(r, 5)];
	case 1:
	case 2:
	case 3:
		return random_below(r, 500);
	default:
		return random_below(r, 3);
	}
}

static void change_one(struct model *m, struct random *r)
{
	const uint32_t i = random_below(r, THINGS);
	struct thing *t = &m->things[i];

	if (!t->is_set) {
		set(m, i, random_date(r, m->now));
	} else if (random_below(r, 3) == 0) {
		wheel_remove(&m->wheel, i);
		t->is_set = false;
	} else { /* put off without the wheel's knowing, as a packet does */
		t->date += random_below(r, 300);
	}
}

static void random_life_beside_a_list(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 8; seed++) {
		struct random r = {seed};
		struct model *m = model_new(seed, random_below(&r, 2) ? 1700000000 : 5);
		uint64_t clock = m->now;
		uint32_t ended = 0;

		for (m->step = 0; m->step < STEPS; m->step++) {
			if (random_below(&r, 5)) {
				change_one(m, &r);
				continue;
			}
			clock += random_leap(&r);
			if (random_below(&r, 2)) { /* all that there is to do */
				while (sweep(m, clock, 7) == 7)
					;
				nothing_due_is_left(m);
			} else {
				sweep(m, clock, random_below(&r, 4));
			}
			ended += m->ended;
			m->ended = 0;
		}
		/* Everything that is set still comes to its end. */
		while (sweep(m, clock + 200000, 50) == 50)
			;
		for (unsigned i = 0; i < THINGS; i++)
			expect(!m->things[i].is_set, seed, i);
		expect(ended > STEPS / 50, seed, ended);
		free(m);
	}
}

static void thing_within_a_turn_is_asked_at_its_tick_and_not_before(void **state)
{
	struct model *m = model_new(0, 1000);

	(void)state;
	for (uint32_t i = 0; i < THINGS; i++)
		set(m, i, 1001 + i * 13 % (WHEEL_SLOTS - 1));
	for (uint64_t now = 1001; now < 1000 + WHEEL_SLOTS; now++) {
		sweep(m, now, THINGS);
		for (uint32_t i = 0; i < THINGS; i++)
			expect(m->things[i].was_asked == (m->things[i].date <= now), now, i);
	}
	free(m);
}

static void thing_far_away_is_asked_once_a_turn(void **state)
{
	struct model *m = model_new(0, 50);
	uint32_t asked = 0;

	(void)state;
	set(m, 0, 50 + 10 * WHEEL_SLOTS);
	for (uint64_t now = 51; now < 50 + 10 * WHEEL_SLOTS; now++)
		asked += sweep(m, now, 10);
	assert_true(m->things[0].is_set);
	assert_in_range(asked, 9, 11);
	assert_int_equal(sweep(m, 50 + 10 * WHEEL_SLOTS, 10), 1);
	assert_false(m->things[0].is_set);
	free(m);
}

static void leap_over_years_looks_at_each_thing_at_most_twice(void **state)
{
	struct model *m = model_new(0, 7);
	const uint64_t now = 7 + 300000000;

	(void)state;
	for (uint32_t i = 0; i < THINGS; i++)
		set(m, i, i % 2 ? 8 + i * 40 : now + 1 + i);
	assert_in_range(sweep(m, now, 10 * THINGS), THINGS, 2 * THINGS);
	nothing_due_is_left(m);
	for (uint32_t i = 0; i < THINGS; i++)
		assert_int_equal(m->things[i].is_set, i % 2 == 0);
	sweep(m, now + THINGS, THINGS);
	for (uint32_t i = 0; i < THINGS; i++)
		assert_false(m->things[i].is_set);
	free(m);
}

static void clock_that_stands_asks_what_is_due_and_one_that_goes_back_nothing(void **state)
{
	struct model *m = model_new(0, 1000);

	(void)state;
	set(m, 0, 900); /* behind: due at once */
	set(m, 1, 1001);
	assert_int_equal(sweep(m, 999, 10), 0);
	assert_int_equal(sweep(m, 0, 10), 0);
	assert_int_equal(sweep(m, 1000, 10), 1);
	assert_false(m->things[0].is_set);
	free(m);
}

static void sweep_goes_on_where_its_budget_ended(void **state)
{
	struct model *m = model_new(0, 1);
	uint32_t asked = 0, calls = 0, n;

	(void)state;
	for (uint32_t i = 0; i < THINGS; i++)
		set(m, i, 2 + i / 100);
	assert_int_equal(sweep(m, 100, 0), 0);
	do {
		n = sweep(m, 100, 7);
		asked += n;
		calls++;
	} while (n == 7);
	assert_int_equal(asked, THINGS);
	assert_int_equal(calls, THINGS / 7 + 1);
	assert_int_equal(m->ended, THINGS);
	free(m);
}

static void any_of_many_on_one_slot_can_be_taken_off(void **state)
{
	struct random r = {99};

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct model *m = model_new(round, 1);
		uint32_t left = 20;

		for (uint32_t i = 0; i < 20; i++)
			set(m, i, 2);
		for (unsigned k = random_below(&r, 20); k; k--) {
			const uint32_t i = random_below(&r, 20);

			if (!m->things[i].is_set)
				continue;
			wheel_remove(&m->wheel, i);
			m->things[i].is_set = false;
			left--;
		}
		expect(sweep(m, 2, 100) == left, round, left);
		free(m);
	}
}

static void next_is_the_tick_of_whoever_comes_first(void **state)
{
	struct model *m = model_new(0, 1);

	(void)state;
	assert_int_equal(wheel_next(&m->wheel, 100), 100);
	set(m, 1, 50);
	set(m, 2, 70);
	assert_int_equal(wheel_next(&m->wheel, 100), 50);
	assert_int_equal(wheel_next(&m->wheel, 40), 40);
	assert_int_equal(sweep(m, 50, 10), 1);
	assert_int_equal(wheel_next(&m->wheel, 100), 70);
	assert_int_equal(sweep(m, 70, 10), 1);
	/* Nothing is set: whoever is set from now on comes within a turn. */
	assert_int_equal(wheel_next(&m->wheel, 1000000), 70 + WHEEL_SLOTS);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_life_beside_a_list),
		cmocka_unit_test(thing_within_a_turn_is_asked_at_its_tick_and_not_before),
		cmocka_unit_test(thing_far_away_is_asked_once_a_turn),
		cmocka_unit_test(leap_over_years_looks_at_each_thing_at_most_twice),
		cmocka_unit_test(clock_that_stands_asks_what_is_due_and_one_that_goes_back_nothing),
		cmocka_unit_test(sweep_goes_on_where_its_budget_ended),
		cmocka_unit_test(any_of_many_on_one_slot_can_be_taken_off),
		cmocka_unit_test(next_is_the_tick_of_whoever_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
