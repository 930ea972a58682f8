/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pcapng.c - sections, interfaces and blocks of the pcapng format, whole,
 * cut and lying.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "capture/source.h"
#include "files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define SEC 1000000000ull

static struct made *section_new(bool is_big_endian)
{
	struct made *m = made_new(is_big_endian);

	put_section(m);
	return m;
}

/* Of everything something: three sections, the second of the other order. */
static struct made *make_mixed(bool is_big_endian)
{
	struct made *m = section_new(is_big_endian);

	put_interface(m, 1, 100);
	put_interface_ticks(m, 101, 9, 0);
	put_enhanced(m, 0, 1275451200250000, 60, 60);
	put_unknown(m, 4, 8);
	put_simple(m, 100, 1500);
	put_simple(m, 33, 33);
	put_enhanced(m, 1, 1275451200300000001, 28, 40);
	put_obsolete(m, 1, 1275451200300000002, 31, 31);
	m->is_big_endian = !is_big_endian;
	put_section(m);
	put_unknown(m, 0x80000bad, 3);
	put_interface_ticks(m, 113, 0x8a, 5);
	put_obsolete(m, 0, 1536, 44, 1044);
	put_unknown(m, 5, 0);
	put_interface(m, 276, 0);
	put_enhanced(m, 1, 1, 0, 0);
	m->is_big_endian = is_big_endian;
	put_section(m);
	put_interface(m, 228, 0);
	put_simple(m, 20, 20);
	return m;
}

static const struct seen_frame mixed[] = {
	{1275451200250000000, 0, 60, 60, 1, 0},
	{1275451200250000000, 0, 100, 1500, 1, 0},
	{1275451200250000000, 0, 33, 33, 1, 0},
	{1275451200300000001, 0, 28, 40, 101, 0},
	{1275451200300000002, 0, 31, 31, 101, 0},
	{6500000000, 0, 44, 1044, 113, 0},
	{1000, 0, 0, 0, 276, 0},
	{1000, 0, 20, 20, 228, 0},
};

/* The first n frames are those of the mixed file. */
static void check_mixed(const struct seen *s, size_t n)
{
	assert_true(s->n >= n);
	for (size_t i = 0; i < n; i++) {
		const struct seen_frame *f = &s->frames[i];

		assert_int_equal(f->ts_ns, mixed[i].ts_ns);
		assert_int_equal(f->caplen, mixed[i].caplen);
		assert_int_equal(f->wirelen, mixed[i].wirelen);
		assert_int_equal(f->link, mixed[i].link);
		assert_int_equal(f->first, f->caplen ? made_fill(f->caplen) : 0);
	}
}

static void sections_interfaces_and_blocks_of_every_kind_are_read(void **state)
{
	static const unsigned batches[] = {1, 3, 64};

	(void)state;
	for (unsigned n = 0; n < 2 * HOWS * COUNT(batches); n++) {
		const enum how how = (enum how)(n / 2 % HOWS);
		struct made *m = make_mixed(n % 2);
		struct staged st;
		struct seen s;

		stage(&st, m->bytes, m->n, how);
		see_path(&s, st.path, batches[n / (2 * HOWS)]);
		unstage(&st);
		assert_int_equal(s.opened | s.status, 0);
		assert_int_equal(s.was_mapped, how == MAPPED);
		assert_int_equal(s.n, COUNT(mixed));
		check_mixed(&s, s.n);
		seen_free(&s);
		free(m);
	}
}

static void stamps_have_each_resolution_and_offset(void **state)
{
	static const struct {
		uint8_t resolution;
		int64_t offset_s;
		uint64_t ticks, ns;
	} cases[] = {
		{0, 0, 7, 7 * SEC},
		{3, 0, 1234, 1234000000},
		{6, 0, 1275451200250001, 1275451200250001000},
		{7, 0, 5, 500},
		{9, 0, 1275451200250000001, 1275451200250000001},
		{12, 0, 1234567, 1234},
		{18, 0, 1999999999, 1},
		{28, 0, UINT64_MAX, 1},
		{29, 0, UINT64_MAX, 0},
		{127, 0, UINT64_MAX, 0},
		{0x80, 0, 5, 5 * SEC},
		{0x81, 0, 3, 3 * SEC / 2},
		{0x9e, 0, 3ull << 29, 3 * SEC / 2},
		{0xa0, 0, 1275451200ull << 32 | 1u << 30, 1275451200 * SEC + SEC / 4},
		{0xc0, 0, UINT64_MAX, SEC - 1},
		{0xff, 0, UINT64_MAX, 0},
		{6, 1700000000, 5, 1700000000 * SEC + 5000},
		{0xa0, 1700000000, 1u << 31, 1700000000 * SEC + SEC / 2},
		{6, -10, 11000000, SEC},
		/* before 1970 and after 2262 */
		{6, -10, 9000000, 0},
		{6, INT64_MIN, 9000000, 0},
		{6, INT64_MAX, 9000000, INT64_MAX},
		{0, 0, UINT64_MAX, INT64_MAX},
		{0x80, INT64_MAX, UINT64_MAX, INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		struct made *m = section_new(i % 2);
		struct seen s;

		put_interface_ticks(m, 1, cases[i / 2].resolution, cases[i / 2].offset_s);
		put_enhanced(m, 0, cases[i / 2].ticks, 20, 20);
		see_bytes(&s, m->bytes, m->n, MAPPED);
		assert_int_equal(s.n, 1);
		if (s.frames[0].ts_ns != cases[i / 2].ns)
			fail_msg("case %zu: %llu ns", i / 2, (unsigned long long)s.frames[0].ts_ns);
		seen_free(&s);
		free(m);
	}
}

static void option_that_is_no_option_says_nothing(void **state)
{
	static const uint16_t lengths[] = {0, 2, 5, 0x7fff, 0xffff};
	struct made *m = section_new(false);
	const size_t at = m->n + 8 + 8 + 8 + 2; /* the length of if_tsresol */

	(void)state;
	put_interface_ticks(m, 1, 9, 0);
	put_enhanced(m, 0, 77, 20, 20);
	assert_int_equal(load_le16(m->bytes + at), 1);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct seen s;

		m->bytes[at] = (uint8_t)lengths[i];
		m->bytes[at + 1] = (uint8_t)(lengths[i] >> 8);
		see_bytes(&s, m->bytes, m->n, MAPPED);
		assert_int_equal(s.status, 0);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.frames[0].ts_ns, 77000); /* as if not said */
		seen_free(&s);
	}
	free(m);
}

/* --- cut and lying ---------------------------------------------------------------- */

static void cut_anywhere_gives_its_whole_packets(void **state)
{
	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		struct made *m = make_mixed(big);

		for (size_t n = 0; n <= m->n; n++) {
			for (int how = 0; how < HOWS; how++) {
				struct seen s;

				see_bytes(&s, m->bytes, n, (enum how)how);
				check_cut(m, n, &s, big ? "big-endian" : "little-endian");
				check_mixed(&s, s.n);
				seen_free(&s);
			}
		}
		free(m);
	}
}

/* The length at byte `at` of part i becomes `value`. What comes before the part
 * is as ever, and what is wrong is said with its place; unless `may_be`. */
static void check_lie(struct made *m, unsigned i, size_t at, uint32_t value, bool may_be)
{
	const size_t from = i ? m->part[i - 1].end : 0;
	const bool is_le = load_le32(m->bytes + from + 4) == m->part[i].end - from;
	uint8_t was[4];
	size_t before = 0;
	char place[64];

	for (unsigned k = 0; k < i; k++)
		before += m->part[k].is_packet;
	snprintf(place, sizeof(place), ": record %zu, at byte %zu", before + 1, from);
	memcpy(was, m->bytes + at, 4);
	for (unsigned k = 0; k < 4; k++)
		m->bytes[at + k] = (uint8_t)(value >> 8 * (is_le ? k : 3 - k));
	for (int how = 0; how < HOWS; how++) {
		struct seen s;

		see_bytes(&s, m->bytes, m->n, (enum how)how);
		if (may_be && s.n == COUNT(mixed))
			assert_int_equal(s.status, 0);
		else if ((i == 0 ? s.opened != -EINVAL : s.status != -EBADMSG) || s.n != before ||
			 !strstr(s.err, "/proc/self/fd/") || !strstr(s.err, place))
			fail_msg("part %u, %u at byte %zu: %zu packets, '%s', not '%s'", i, value,
				 at, s.n, s.err, place);
		check_mixed(&s, before);
		seen_free(&s);
	}
	memcpy(m->bytes + at, was, 4);
}

static void lengths_that_lie_are_damage_where_they_stand(void **state)
{
	static const uint32_t lies[] = {0, 1, 0x7fffffff, 0xffffffff};

	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		struct made *m = make_mixed(big);

		for (unsigned i = 0; i < m->parts; i++) {
			const size_t from = i ? m->part[i - 1].end : 0;
			const bool is_simple = m->bytes[from] == 3 || m->bytes[from + 3] == 3;

			for (size_t k = 0; k < COUNT(lies); k++) {
				check_lie(m, i, from + 4, lies[k], false);
				check_lie(m, i, m->part[i].end - 4, lies[k], false);
				/* less than there was can be true */
				if (m->part[i].is_packet)
					check_lie(m, i, from + (is_simple ? 8 : 20), lies[k],
						  lies[k] < 2 || is_simple);
			}
		}
		free(m);
	}
}

/* One section with one interface and one packet, then what `put` makes. */
static void see_behind(struct seen *s, void (*put)(struct made *m), enum how how)
{
	struct made *m = section_new(false);

	put_interface(m, 1, 0);
	put_enhanced(m, 0, 1, 60, 60);
	put(m);
	see_bytes(s, m->bytes, m->n, how);
	free(m);
}

static void put_strange_interface(struct made *m)
{
	put_enhanced(m, 7, 1, 60, 60);
}

static void put_packet_without_interface(struct made *m)
{
	put_section(m); /* forgets the interface */
	put_simple(m, 60, 60);
}

static void put_new_version(struct made *m)
{
	const size_t at = m->n;

	put_section(m);
	m->bytes[at + 12] = 2;
}

static void put_no_byte_order(struct made *m)
{
	const size_t at = m->n;

	put_section(m);
	m->bytes[at + 8] = 0xee;
}

static void put_misfit(struct made *m)
{
	const size_t at = m->n;

	put_enhanced(m, 0, 1, 60, 60);
	m->bytes[at + 20] = 61;
}

static void put_cut_large(struct made *m)
{
	put_unknown(m, 0xbad, 300000);
	m->n -= 100;
}

static void put_wrong_large(struct made *m)
{
	put_unknown(m, 0xbad, 300000);
	m->bytes[m->n - 4] ^= 4;
}

static void damage_is_told_in_words(void **state)
{
	static const struct {
		void (*put)(struct made *m);
		const char *words;
	} cases[] = {
		{put_strange_interface, "it came by interface 7, 1 are described"},
		{put_packet_without_interface, "it came by interface 0, 0 are described"},
		{put_new_version, "version 2.0"},
		{put_no_byte_order, "ee 3c 2b 1a"},
		{put_misfit, "its length is 61, its block has room for 60"},
		{put_cut_large, "cut"},
		{put_wrong_large, "damaged"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases) * HOWS; i++) {
		struct seen s;

		see_behind(&s, cases[i / HOWS].put, (enum how)(i % HOWS));
		assert_int_equal(s.n, 1);
		assert_int_equal(s.status, -EBADMSG);
		if (!strstr(s.err, cases[i / HOWS].words) || !strstr(s.err, ": record 2, at byte "))
			fail_msg("'%s', not '%s'", s.err, cases[i / HOWS].words);
		seen_free(&s);
	}
}

/* --- large things ------------------------------------------------------------------ */

static void put_large(struct made *m)
{
	put_unknown(m, 0xbad, 300000);
	put_enhanced(m, 0, 2, 61, 61);
	put_enhanced(m, 0, 3, 200000, 200000);
}

static void put_many(struct made *m)
{
	for (unsigned i = 0; i < 20000; i++) {
		put32(m, 0xbad);
		put32(m, 12);
		put32(m, 12);
	}
	put_enhanced(m, 0, 2, 61, 61);
	put_enhanced(m, 0, 3, 200000, 200000);
}

static void large_blocks_and_many_are_passed_over(void **state)
{
	(void)state;
	for (int how = 0; how < 2 * HOWS; how++) {
		struct seen s;

		see_behind(&s, how < HOWS ? put_large : put_many, (enum how)(how % HOWS));
		assert_int_equal(s.status, 0);
		assert_int_equal(s.n, 3);
		assert_int_equal(s.frames[1].caplen, 61);
		assert_int_equal(s.frames[2].caplen, SOURCE_CAP_MAX);
		assert_int_equal(s.frames[2].wirelen, 200000);
		seen_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_interfaces_and_blocks_of_every_kind_are_read),
		cmocka_unit_test(stamps_have_each_resolution_and_offset),
		cmocka_unit_test(option_that_is_no_option_says_nothing),
		cmocka_unit_test(cut_anywhere_gives_its_whole_packets),
		cmocka_unit_test(lengths_that_lie_are_damage_where_they_stand),
		cmocka_unit_test(damage_is_told_in_words),
		cmocka_unit_test(large_blocks_and_many_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
