/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_arena.c - blocks of an arena, and when their memory is touched.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>

#include "base/arena.h"

#define MIB	   (1ul << 20)
#define HUGE	   (2 * MIB)
#define ITEM_BYTES 64
#define ITEMS	   (MIB) /* 64 MiB of them */

static struct arena *new_arena(void)
{
	struct arena *a;
	struct err e;

	assert_int_equal(arena_new(&a, &e), 0);
	return a;
}

/* Whether all pages of [from, to) have been touched. */
static bool is_touched(char *block, size_t from, size_t to)
{
	const size_t pages = (to - from) / 4096;
	unsigned char *there = malloc(pages);
	bool all = true;

	assert_non_null(there);
	assert_int_equal(mincore(block + from, to - from, there), 0);
	for (size_t i = 0; i < pages; i++)
		all &= there[i] & 1;
	free(there);
	return all;
}

/* Kernels before 5.14 do not take the advice. */
static bool can_touch(void)
{
	struct arena *a = new_arena();
	char *p = arena_zalloc_touched(a, 8, HUGE);
	const bool can = is_touched(p, 0, 8 * HUGE);

	arena_free(a);
	return can;
}

static void block_is_zero_and_aligned_and_not_touched(void **state)
{
	struct arena *a = new_arena();
	char *small = arena_zalloc(a, 100), *large = arena_zalloc(a, 16 * MIB);

	(void)state;
	assert_int_equal((uintptr_t)small % 64, 0);
	assert_int_equal((uintptr_t)large % HUGE, 0);
	assert_false(is_touched(large, 8 * MIB, 16 * MIB));
	for (size_t i = 0; i < 16 * MIB; i += 4096)
		assert_int_equal(large[i], 0);
	assert_true(arena_bytes(a) >= 16 * MIB);
	arena_free(a);
}

static void growing_block_is_touched_a_little_ahead_of_its_end(void **state)
{
	struct arena *a = new_arena();
	uint32_t end = 0;
	char *p = arena_zalloc_growing(a, ITEMS, ITEM_BYTES, &end);

	(void)state;
	if (!can_touch())
		skip();
	assert_true(is_touched(p, 0, HUGE));
	assert_false(is_touched(p, HUGE, 2 * HUGE));
	assert_false(arena_touch_ahead(a)); /* nothing is used */
	end = MIB / ITEM_BYTES + 1;
	assert_true(arena_touch_ahead(a));
	assert_true(is_touched(p, 0, 2 * HUGE));
	assert_false(is_touched(p, 2 * HUGE, 3 * HUGE));
	assert_false(arena_touch_ahead(a));
	end = 32 * MIB / ITEM_BYTES; /* a quarter ahead */
	assert_true(arena_touch_ahead(a));
	assert_true(is_touched(p, 0, 40 * MIB));
	assert_false(is_touched(p, 42 * MIB, 64 * MIB));
	end = ITEMS;
	assert_true(arena_touch_ahead(a));
	assert_true(is_touched(p, 0, 64 * MIB));
	assert_false(arena_touch_ahead(a));
	arena_free(a);
}

static void touching_changes_nothing(void **state)
{
	struct arena *a = new_arena();
	uint32_t end = 0;
	char *small = arena_zalloc(a, 64);
	char *p = arena_zalloc_growing(a, ITEMS, ITEM_BYTES, &end);
	char *odd = arena_zalloc_touched(a, 3, 1001);

	(void)state;
	small[63] = 1;
	for (size_t i = 0; i < ITEMS * ITEM_BYTES; i += MIB)
		p[i] = 2;
	end = ITEMS;
	arena_touch_ahead(a);
	assert_int_equal(small[63], 1);
	for (size_t i = 0; i < ITEMS * ITEM_BYTES; i += MIB) {
		assert_int_equal(p[i], 2);
		assert_int_equal(p[i + 1], 0);
	}
	for (size_t i = 0; i < 3003; i++)
		assert_int_equal(odd[i], 0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_is_zero_and_aligned_and_not_touched),
		cmocka_unit_test(growing_block_is_touched_a_little_ahead_of_its_end),
		cmocka_unit_test(touching_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
