/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pcap_classic.c - every variant of the pcap format, whole, cut and lying.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

#define MICRO	  0xa1b2c3d4
#define NANO	  0xa1b23c4d
#define KUZNETZOV 0xa1b2cd34

static const struct variant {
	const char *name;
	uint32_t magic;
	bool is_big_endian;
	uint16_t major, minor;
	bool swapped; /* lengths in records */
} variants[] = {
	{"little-endian", MICRO, false, 2, 4, false},
	{"big-endian", MICRO, true, 2, 4, false},
	{"nanoseconds", NANO, false, 2, 4, false},
	{"big-endian nanoseconds", NANO, true, 2, 4, false},
	{"Kuznetzov", KUZNETZOV, false, 2, 4, false},
	{"big-endian Kuznetzov", KUZNETZOV, true, 2, 4, false},
	{"2.2", MICRO, false, 2, 2, true},
	{"big-endian 2.0", MICRO, true, 2, 0, true},
	{"2.3 in order", MICRO, false, 2, 3, false},
	{"2.3 swapped", MICRO, false, 2, 3, true},
	{"DG/UX", MICRO, true, 543, 0, true},
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static const struct packet {
	uint32_t s, fraction, caplen, wirelen;
} packets[] = {
	{1, 5, 60, 60},
	{1275451200, 250000, 40, 1500},
	{4294967295, 999999, 0, 1},
	{7, 0, 3, 3},
};

#define PACKETS (sizeof(packets) / sizeof(packets[0]))

static void put_packet(struct made *m, const struct variant *v, const struct packet *p)
{
	struct made *record = made_new(v->is_big_endian);

	put_classic_record(record, p->s, p->fraction, p->caplen, p->wirelen);
	put_bytes(m, record->bytes, 8);
	put_bytes(m, record->bytes + (v->swapped ? 12 : 8), 4);
	put_bytes(m, record->bytes + (v->swapped ? 8 : 12), 4);
	if (v->magic == KUZNETZOV)
		put64(m, 0x1122334455667788);
	put_bytes(m, record->bytes + 16, p->caplen);
	end_part(m, true);
	free(record);
}

static struct made *make(const struct variant *v)
{
	struct made *m = made_new(v->is_big_endian);

	put_classic_header(m, v->magic, v->major, v->minor, 65535, 1);
	for (size_t i = 0; i < PACKETS; i++)
		put_packet(m, v, &packets[i]);
	return m;
}

static void check_packets(const struct variant *v, const struct seen *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct seen_frame *f = &s->frames[i];
		const uint64_t ns = packets[i].fraction * (v->magic == NANO ? 1ull : 1000ull);

		assert_int_equal(f->ts_ns, packets[i].s * 1000000000ull + ns);
		assert_int_equal(f->caplen, packets[i].caplen);
		assert_int_equal(f->wirelen, packets[i].wirelen);
		assert_int_equal(f->link, 1);
		assert_int_equal(f->first, f->caplen ? made_fill(f->caplen) : 0);
	}
}

static void every_variant_is_read(void **state)
{
	(void)state;
	for (size_t v = 0; v < VARIANTS; v++) {
		struct made *m = make(&variants[v]);

		for (int how = 0; how < HOWS; how++) {
			struct seen s;

			see_bytes(&s, m->bytes, m->n, (enum how)how);
			if (s.opened || s.status || s.n != PACKETS)
				fail_msg("%s: %zu packets, %s", variants[v].name, s.n, s.err);
			assert_int_equal(s.was_mapped, how == MAPPED);
			check_packets(&variants[v], &s);
			seen_free(&s);
		}
		free(m);
	}
}

static void every_variant_cut_anywhere_gives_its_whole_records(void **state)
{
	(void)state;
	for (size_t v = 0; v < VARIANTS; v++) {
		struct made *m = make(&variants[v]);

		for (size_t n = 0; n <= m->n; n++) {
			for (int how = 0; how < HOWS; how++) {
				struct seen s;

				see_bytes(&s, m->bytes, n, (enum how)how);
				check_cut(m, n, &s, variants[v].name);
				check_packets(&variants[v], &s);
				seen_free(&s);
			}
		}
		free(m);
	}
}

static void a_cut_is_named_with_record_and_offset(void **state)
{
	struct made *m = make(&variants[0]);
	struct seen s;

	(void)state;
	see_bytes(&s, m->bytes, 24 + 16 + 60 + 16 + 39, MAPPED);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.status, -EBADMSG);
	assert_non_null(strstr(s.err, "/proc/self/fd/"));
	assert_non_null(strstr(s.err, "record 2, at byte 100, is cut"));
	seen_free(&s);
	free(m);
}

static void the_link_type_is_without_its_flags(void **state)
{
	struct made *m = made_new(false);
	struct seen s;

	(void)state;
	put_classic_header(m, MICRO, 2, 4, 65535, 0x24000000 | 276); /* an FCS of 4 bytes */
	put_classic_record(m, 1, 1, 60, 60);
	see_bytes(&s, m->bytes, m->n, MAPPED);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.frames[0].link, 276);
	seen_free(&s);
	free(m);
}

static void more_captured_than_there_was_is_handed_on(void **state)
{
	struct made *m = made_new(false);
	struct seen s;

	(void)state;
	put_classic_header(m, MICRO, 2, 4, 65535, 1);
	put_classic_record(m, 1, 1, 60, 42);
	see_bytes(&s, m->bytes, m->n, PIPED);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.frames[0].caplen, 60);
	assert_int_equal(s.frames[0].wirelen, 42);
	seen_free(&s);
	free(m);
}

/* Two packets of which the second says that it has `caplen` bytes. */
static void see_length(struct seen *s, uint32_t snaplen, uint32_t caplen, enum how how)
{
	struct made *m = made_new(false);

	put_classic_header(m, MICRO, 2, 4, snaplen, 1);
	put_classic_record(m, 1, 1, 60, 60);
	put_classic_record(m, 2, 2, caplen <= 300000 ? caplen : 0, caplen);
	m->bytes[24 + 76 + 8] = (uint8_t)caplen;
	m->bytes[24 + 76 + 9] = (uint8_t)(caplen >> 8);
	m->bytes[24 + 76 + 10] = (uint8_t)(caplen >> 16);
	m->bytes[24 + 76 + 11] = (uint8_t)(caplen >> 24);
	see_bytes(s, m->bytes, m->n, how);
	free(m);
}

static void a_record_longer_than_any_is_damage(void **state)
{
	static const struct {
		uint32_t snaplen, caplen;
		size_t n;
		int status;
		const char *words;
	} cases[] = {
		{65535, 262144, 2, 0, ""},
		{65535, 262145, 1, -EBADMSG, "record 2, at byte 100, is damaged"},
		{0, 262145, 1, -EBADMSG, "the most is 262144"},
		{300000, 300000, 2, 0, ""},
		{300000, 300001, 1, -EBADMSG, "the most is 300000"},
		{65535, 0xffffffff, 1, -EBADMSG, "its length is 4294967295"},
		{0xffffffff, 134217729, 1, -EBADMSG, "the most is 134217728"},
		{0xffffffff, 134217728, 1, -EBADMSG, "is cut"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int how = 0; how < HOWS; how++) {
			struct seen s;

			see_length(&s, cases[i].snaplen, cases[i].caplen, (enum how)how);
			assert_int_equal(s.n, cases[i].n);
			assert_int_equal(s.status, cases[i].status);
			assert_non_null(strstr(s.err, cases[i].words));
			/* the bytes beyond SOURCE_CAP_MAX are not handed on */
			if (s.n == 2)
				assert_int_equal(s.frames[1].caplen, 65536);
			seen_free(&s);
		}
	}
}

static void versions_that_nobody_knows_are_refused(void **state)
{
	static const uint16_t versions[][2] = {{1, 0}, {2, 5}, {3, 4}, {543, 1}, {0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct made *m = made_new(false);
		struct seen s;

		put_classic_header(m, MICRO, versions[i][0], versions[i][1], 65535, 1);
		see_bytes(&s, m->bytes, m->n, MAPPED);
		assert_int_equal(s.opened, -EINVAL);
		assert_non_null(strstr(s.err, "version"));
		free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_variant_is_read),
		cmocka_unit_test(every_variant_cut_anywhere_gives_its_whole_records),
		cmocka_unit_test(a_cut_is_named_with_record_and_offset),
		cmocka_unit_test(the_link_type_is_without_its_flags),
		cmocka_unit_test(more_captured_than_there_was_is_handed_on),
		cmocka_unit_test(a_record_longer_than_any_is_damage),
		cmocka_unit_test(versions_that_nobody_knows_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
