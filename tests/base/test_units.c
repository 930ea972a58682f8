/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_units.c - durations and counts from text, to the last value that fits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void durations_are_read_in_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} vectors[] = {
		{"0", 0},
		{"30", 30000000000},
		{"30s", 30000000000},
		{"250ms", 250000000},
		{"5m", 300000000000},
		{"1h", 3600000000000},
		{"7d", 604800000000000},
		{"007s", 7000000000},
		{"3653d", 315619200000000000},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint64_t ns = 1;

		assert_int_equal(units_duration_parse(&ns, vectors[i].text, NULL), 0);
		assert_int_equal(ns, vectors[i].ns);
	}
}

static void text_that_is_no_duration_is_refused_by_name(void **state)
{
	static const char *const bad[] = {"",	"s",  "-1",  "+1",   " 1",  "1 ", "1 s", "1.5h",
					  "1S", "1w", "1sm", "0x10", "1e3", "m5", "ten", "1h30m"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t ns = 77;
		struct err e = {""};

		assert_int_equal(units_duration_parse(&ns, bad[i], &e), -EINVAL);
		assert_int_equal(ns, 77);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static void durations_above_ten_years_are_out_of_range(void **state)
{
	static const char *const bad[] = {
		"3654d",
		"315619201s",
		"87673h",
		"18446744073709551615",	 /* 2^64 - 1 seconds: wraps when multiplied */
		"18446744073709551616d", /* does not fit at all */
		"213503982335d",	 /* times 86400 s wraps to little more than 0 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t ns = 77;
		struct err e = {""};

		assert_int_equal(units_duration_parse(&ns, bad[i], &e), -ERANGE);
		assert_int_equal(ns, 77);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static void counts_are_read_with_their_suffix(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
	} vectors[] = {
		{"0", 0},	 {"64", 64},	     {"4k", 4000},
		{"1M", 1000000}, {"2G", 2000000000}, {"18446744073709551615", UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint64_t v = 1;

		assert_int_equal(units_count_parse(&v, vectors[i].text, 0, UINT64_MAX, NULL), 0);
		assert_int_equal(v, vectors[i].v);
	}
}

static void counts_include_both_ends_of_their_range(void **state)
{
	uint64_t v = 77;
	struct err e = {""};

	(void)state;
	assert_int_equal(units_count_parse(&v, "0", 1, 64, &e), -ERANGE);
	assert_int_equal(units_count_parse(&v, "65", 1, 64, &e), -ERANGE);
	assert_int_equal(v, 77);
	assert_non_null(strstr(e.text, "'65'"));
	assert_non_null(strstr(e.text, "1 and 64"));
	assert_int_equal(units_count_parse(&v, "1", 1, 64, NULL), 0);
	assert_int_equal(v, 1);
	assert_int_equal(units_count_parse(&v, "64", 1, 64, NULL), 0);
	assert_int_equal(v, 64);
}

static void counts_that_wrap_are_out_of_range(void **state)
{
	static const char *const bad[] = {"18446744073709551616", "18446744073709552k",
					  "18446744073709551615G"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t v = 77;
		struct err e = {""};

		assert_int_equal(units_count_parse(&v, bad[i], 0, UINT64_MAX, &e), -ERANGE);
		assert_int_equal(v, 77);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static void text_that_is_no_count_is_refused_by_name(void **state)
{
	static const char *const bad[] = {"",	"k",  "-1",  "+1",  " 1",
					  "1 ", "1K", "1kk", "1.5", "1e6"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t v = 77;
		struct err e = {""};

		assert_int_equal(units_count_parse(&v, bad[i], 0, UINT64_MAX, &e), -EINVAL);
		assert_int_equal(v, 77);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_in_every_unit),
		cmocka_unit_test(text_that_is_no_duration_is_refused_by_name),
		cmocka_unit_test(durations_above_ten_years_are_out_of_range),
		cmocka_unit_test(counts_are_read_with_their_suffix),
		cmocka_unit_test(counts_include_both_ends_of_their_range),
		cmocka_unit_test(counts_that_wrap_are_out_of_range),
		cmocka_unit_test(text_that_is_no_count_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
