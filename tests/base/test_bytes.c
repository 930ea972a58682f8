/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_bytes.c - the cursor stays inside, and loads say what the bytes say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const uint8_t octets[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void take_gives_every_byte_once_and_then_null(void **state)
{
	struct bytes b = bytes_of(octets, sizeof(octets));

	(void)state;
	assert_int_equal(bytes_left(&b), 8);
	assert_ptr_equal(bytes_take(&b, 3), octets);
	assert_ptr_equal(bytes_take(&b, 0), octets + 3);
	assert_ptr_equal(bytes_take(&b, 5), octets + 3);
	assert_int_equal(bytes_left(&b), 0);
	assert_null(bytes_take(&b, 1));
	assert_non_null(bytes_take(&b, 0));
}

static void take_of_too_many_leaves_the_cursor_where_it_was(void **state)
{
	static const size_t too_many[] = {5, 6, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(too_many) / sizeof(too_many[0]); i++) {
		struct bytes b = bytes_of(octets, 8);

		assert_non_null(bytes_take(&b, 4));
		assert_null(bytes_take(&b, too_many[i]));
		assert_null(bytes_peek(&b, too_many[i]));
		assert_ptr_equal(b.p, octets + 4);
		assert_int_equal(bytes_left(&b), 4);
	}
}

static void peek_does_not_move(void **state)
{
	struct bytes b = bytes_of(octets, sizeof(octets));

	(void)state;
	assert_ptr_equal(bytes_peek(&b, 8), octets);
	assert_ptr_equal(bytes_peek(&b, 8), octets);
	assert_int_equal(bytes_left(&b), 8);
}

static void nothing_at_all_is_a_buffer_too(void **state)
{
	struct bytes b = bytes_of(NULL, 0);

	(void)state;
	assert_int_equal(bytes_left(&b), 0);
	assert_null(bytes_take(&b, 1));
	assert_null(bytes_peek(&b, 1));
}

static void loads_read_either_byte_order(void **state)
{
	(void)state;
	assert_int_equal(load_be16(octets), 0x0123);
	assert_int_equal(load_le16(octets), 0x2301);
	assert_int_equal(load_be32(octets), 0x01234567);
	assert_int_equal(load_le32(octets), 0x67452301);
	assert_true(load_le64(octets) == 0xefcdab8967452301);
	/* the top bit of each must not spread as a sign */
	assert_int_equal(load_be16(octets + 6), 0xcdef);
	assert_int_equal(load_le16(octets + 6), 0xefcd);
	assert_true(load_be32(octets + 4) == 0x89abcdef);
	assert_true(load_le32(octets + 4) == 0xefcdab89);
}

/* On the heap to its exact size, so that a sanitizer sees one byte too many. */
static void loads_and_stores_need_no_alignment_and_no_byte_more(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		uint8_t *room = malloc(shift + 8);
		uint8_t *p = room + shift;

		assert_non_null(room);
		store_le64(p, 0x0123456789abcdef);
		assert_true(load_le64(p) == 0x0123456789abcdef);
		assert_int_equal(p[0], 0xef);
		assert_int_equal(p[7], 0x01);
		store_le32(p + 4, 0x89abcdef);
		assert_true(load_le32(p + 4) == 0x89abcdef);
		assert_true(load_be32(p + 4) == 0xefcdab89);
		store_le16(p + 6, 0xfedc);
		assert_int_equal(load_le16(p + 6), 0xfedc);
		assert_int_equal(p[6], 0xdc);
		assert_int_equal(p[5], 0xcd); /* its neighbour is untouched */
		free(room);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_gives_every_byte_once_and_then_null),
		cmocka_unit_test(take_of_too_many_leaves_the_cursor_where_it_was),
		cmocka_unit_test(peek_does_not_move),
		cmocka_unit_test(nothing_at_all_is_a_buffer_too),
		cmocka_unit_test(loads_read_either_byte_order),
		cmocka_unit_test(loads_and_stores_need_no_alignment_and_no_byte_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
