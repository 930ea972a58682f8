/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_unpack.c - packed capture files give what plain ones give; cut, damaged,
 * and in several members.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../flow/random.h"
#include "capture/unpack.h"
#include "files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define PACKETS	   1500
#define DATA_BYTES 500 /* of each */
#define RECORD	   (16 + DATA_BYTES)

typedef uint8_t *(*pack_fn)(const void *bytes, size_t n, size_t *packed_n);

static const struct {
	const char *name;
	pack_fn pack;
	/* Damage may show as late as this many bytes behind it: a block. */
	size_t late;
} packers[] = {{"gzip", pack_gzip, 70000}, {"zstd", pack_zstd, 300000}};

/* Random bytes, so that the packed file is as long as the plain one. */
static struct made *make_plain(void)
{
	struct made *m = made_new(false);
	struct random r = {1};

	put_classic_header(m, 0xa1b2c3d4, 2, 4, 65535, 1);
	for (unsigned i = 0; i < PACKETS; i++) {
		put32(m, 1275451200 + i);
		put32(m, i);
		put32(m, DATA_BYTES);
		put32(m, DATA_BYTES);
		for (unsigned b = 0; b < DATA_BYTES; b += 4)
			put32(m, (uint32_t)random_next(&r));
		end_part(m, true);
	}
	return m;
}

/* A file of packed pieces, one behind the other. */
static void append(struct made *m, pack_fn pack, const void *bytes, size_t n)
{
	size_t packed_n;
	uint8_t *packed = pack(bytes, n, &packed_n);

	put_bytes(m, packed, packed_n);
	free(packed);
}

static struct made *packed_of(const struct made *plain, pack_fn pack)
{
	struct made *m = made_new(false);

	append(m, pack, plain->bytes, plain->n);
	return m;
}

static void expect_equal(const struct made *m, const struct seen *plain, const char *what)
{
	for (int how = 0; how < HOWS; how++) {
		struct seen s;

		see_bytes(&s, m->bytes, m->n, (enum how)how);
		if (s.status || !seen_equal(&s, plain))
			fail_msg("%s: %zu of %zu packets, '%s'", what, s.n, plain->n, s.err);
		assert_false(s.was_mapped);
		seen_free(&s);
	}
}

static void packed_files_and_pipes_are_as_plain_ones(void **state)
{
	struct made *m = make_plain();
	struct seen plain, piped;

	(void)state;
	see_bytes(&plain, m->bytes, m->n, MAPPED);
	assert_int_equal(plain.n, PACKETS);
	see_bytes(&piped, m->bytes, m->n, PIPED);
	assert_true(seen_equal(&plain, &piped));
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *packed = packed_of(m, packers[i].pack);

		expect_equal(packed, &plain, packers[i].name);
		free(packed);
	}
	seen_free(&plain);
	seen_free(&piped);
	free(m);
}

static void packed_pcapng_is_as_plain(void **state)
{
	struct made *m = made_new(true);
	struct seen plain;

	(void)state;
	put_section(m);
	put_interface(m, 1, 0);
	for (unsigned i = 0; i < 300; i++) {
		put_enhanced(m, 0, i, 40 + i, 40 + i);
		put_unknown(m, 0xbad, i * 16);
	}
	put_unknown(m, 0xbad, 200000);
	put_simple(m, 60, 60);
	see_bytes(&plain, m->bytes, m->n, MAPPED);
	assert_int_equal(plain.n, 301);
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *packed = packed_of(m, packers[i].pack);

		expect_equal(packed, &plain, packers[i].name);
		free(packed);
	}
	seen_free(&plain);
	free(m);
}

static void members_in_a_row_are_one_file(void **state)
{
	struct made *m = make_plain();
	struct random r = {2};
	struct seen plain;

	(void)state;
	see_bytes(&plain, m->bytes, m->n, MAPPED);
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *packed = made_new(false);

		append(packed, packers[i].pack, "", 0); /* also empty ones */
		for (size_t at = 0, n; at < m->n; at += n) {
			n = random_below(&r, 4) ? random_below(&r, 20) : random_below(&r, 40000);
			n = n < m->n - at ? n : m->n - at;
			append(packed, packers[i].pack, m->bytes + at, n);
		}
		expect_equal(packed, &plain, packers[i].name);
		free(packed);
	}
	seen_free(&plain);
	free(m);
}

static void padding_and_skippable_frames_are_passed_over(void **state)
{
	static const uint8_t zeros[1000];
	struct made *m = make_plain(), *gzip = packed_of(m, pack_gzip), *zstd = made_new(false);
	struct seen plain;

	(void)state;
	see_bytes(&plain, m->bytes, m->n, MAPPED);
	put_bytes(gzip, zeros, sizeof(zeros));
	expect_equal(gzip, &plain, "gzip, padded");
	put32(zstd, 0x184d2a5a);
	put32(zstd, sizeof(zeros));
	put_bytes(zstd, zeros, sizeof(zeros));
	append(zstd, pack_zstd, m->bytes, m->n);
	expect_equal(zstd, &plain, "zstd, behind a skippable frame");
	seen_free(&plain);
	free(gzip);
	free(zstd);
	free(m);
}

/* --- cut and damaged ---------------------------------------------------------------- */

/* How many of a's first frames are b's, too. */
static size_t same_frames(const struct seen *a, const struct seen *b)
{
	size_t n = 0;

	while (n < a->n && n < b->n &&
	       memcmp(&a->frames[n], &b->frames[n], sizeof(a->frames[n])) == 0)
		n++;
	return n;
}

static void cut_packed_file_gives_what_came_before(void **state)
{
	struct made *m = make_plain();
	struct seen plain;

	(void)state;
	see_bytes(&plain, m->bytes, m->n, MAPPED);
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *packed = packed_of(m, packers[i].pack);

		for (size_t cut = 1; cut < packed->n; cut += cut < 40 ? 1 : 20011) {
			const size_t n = cut < 40 ? cut : packed->n - (cut - 39);
			struct seen s;

			see_bytes(&s, packed->bytes, n, (enum how)(cut % HOWS));
			if (n < 4) {
				assert_int_equal(s.opened, -EINVAL);
			} else if (!strstr(s.err, packers[i].name) || !strstr(s.err, "is cut") ||
				   (s.opened ? s.opened != -EINVAL : s.status != -EBADMSG)) {
				fail_msg("%s cut at %zu: '%s'", packers[i].name, n, s.err);
			}
			assert_int_equal(same_frames(&s, &plain), s.n);
			assert_true((s.n + 1) * RECORD + packers[i].late > n);
			seen_free(&s);
		}
		free(packed);
	}
	seen_free(&plain);
	free(m);
}

/* Random bytes are packed as they are, so what is damaged is mostly found by
 * its checksum, and frames may have been handed out that hold the damage. */
static void damaged_packed_file_is_found_out(void **state)
{
	struct made *m = make_plain();
	struct seen plain;

	(void)state;
	see_bytes(&plain, m->bytes, m->n, MAPPED);
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *packed = packed_of(m, packers[i].pack);

		for (size_t at = 20; at < packed->n; at += 19997) {
			struct seen s;

			packed->bytes[at] ^= 0x40;
			see_bytes(&s, packed->bytes, packed->n, (enum how)(at % HOWS));
			if (s.opened ? s.opened != -EINVAL : s.status != -EBADMSG)
				fail_msg("%s damaged at %zu: '%s'", packers[i].name, at, s.err);
			assert_true(same_frames(&s, &plain) * RECORD + packers[i].late > at);
			assert_true(s.n <= plain.n);
			packed->bytes[at] ^= 0x40;
			seen_free(&s);
		}
		free(packed);
	}
	seen_free(&plain);
	free(m);
}

static void what_is_no_member_behind_a_file_is_told(void **state)
{
	struct made *m = make_plain();

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(packers); i++) {
		struct made *packed = packed_of(m, packers[i / 2].pack);
		struct seen s;

		put_bytes(packed, "\x1funk", 4);
		see_bytes(&s, packed->bytes, packed->n, (enum how)(i % 2));
		assert_int_equal(s.n, PACKETS);
		assert_int_equal(s.status, -EBADMSG);
		assert_non_null(strstr(s.err, packers[i / 2].name));
		seen_free(&s);
		free(packed);
	}
	free(m);
}

static void expect_refused(const void *bytes, size_t n, const char *words)
{
	for (int how = 0; how < HOWS; how++) {
		struct seen s;

		see_bytes(&s, bytes, n, (enum how)how);
		assert_int_equal(s.opened, -EINVAL);
		if (!strstr(s.err, words) || !strstr(s.err, "/proc/self/fd/"))
			fail_msg("'%s', not '%s'", s.err, words);
	}
}

static void packed_file_that_is_no_capture_is_refused(void **state)
{
	static const char text[] = "No capture at all.";
	/* of a window of 2 GiB */
	static const uint8_t greedy[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *m = made_new(false);

		append(m, packers[i].pack, "", 0);
		expect_refused(m->bytes, m->n, "is empty");
		append(m, packers[i].pack, text, sizeof(text));
		expect_refused(m->bytes, m->n, "begins with 4e 6f 20 63");
		free(m);
	}
	expect_refused("\x1f\x8b\x07 not deflated", 16, "gzip data is damaged");
	expect_refused(greedy, sizeof(greedy), "zstd data is damaged");
}

/* --- a byte at a time --------------------------------------------------------------- */

static void unpacker_takes_and_gives_single_bytes(void **state)
{
	static const char text[] = "All that comes is what went in, in whatever pieces it comes.";

	(void)state;
	for (size_t i = 0; i < COUNT(packers); i++) {
		struct made *m = made_new(false);
		struct unpack *u;
		char out[2 * sizeof(text)];
		size_t fed = 0, n = 0;

		append(m, packers[i].pack, text, sizeof(text));
		append(m, packers[i].pack, text, sizeof(text));
		assert_int_equal(unpack_new(&u, unpack_format_of(m->bytes, 4), NULL), 0);
		for (;;) {
			uint8_t byte;
			const int ret = unpack_run(u, &byte, 1);
			size_t room_bytes;

			assert_true(ret >= 0);
			if (ret) {
				assert_true(n < sizeof(out));
				out[n++] = (char)byte;
				continue;
			}
			if (fed == m->n)
				break;
			*unpack_room(u, &room_bytes) = m->bytes[fed++];
			assert_true(room_bytes > 0);
			unpack_fed(u, 1);
			if (fed > 4 && fed < m->n / 2)
				assert_non_null(unpack_fault(u)); /* if it ended here */
		}
		assert_null(unpack_fault(u));
		assert_int_equal(n, sizeof(out));
		assert_memory_equal(out, text, sizeof(text));
		assert_memory_equal(out + sizeof(text), text, sizeof(text));
		unpack_free(u);
		free(m);
	}
	unpack_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_files_and_pipes_are_as_plain_ones),
		cmocka_unit_test(packed_pcapng_is_as_plain),
		cmocka_unit_test(members_in_a_row_are_one_file),
		cmocka_unit_test(padding_and_skippable_frames_are_passed_over),
		cmocka_unit_test(cut_packed_file_gives_what_came_before),
		cmocka_unit_test(damaged_packed_file_is_found_out),
		cmocka_unit_test(what_is_no_member_behind_a_file_is_told),
		cmocka_unit_test(packed_file_that_is_no_capture_is_refused),
		cmocka_unit_test(unpacker_takes_and_gives_single_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
