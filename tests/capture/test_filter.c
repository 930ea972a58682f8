/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_filter.c - one expression on frames of different link types.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/link.h"
#include "capture/filter.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define IP_BYTES 28
#define LINK_MAX 24

/* UDP from 10.0.0.1, port 1000, to 10.0.0.2, port 53. */
static const uint8_t udp[IP_BYTES] = {
	0x45, 0, 0,  28, 0, 0, 0,    0,	   64, 17, 0, 0, 10, 0,
	0,    1, 10, 0,	 0, 2, 0x03, 0xe8, 0,  53, 0, 8, 0,  0,
};

/* What stands before IP, by link type. */
static const struct {
	uint16_t link;
	uint8_t n;
	uint8_t bytes[LINK_MAX];
} links[] = {
	{LINK_ETHERNET, 14, {2, 2, 2, 2, 2, 2, 6, 6, 6, 6, 6, 6, 0x08, 0x00}},
	{LINK_RAW, 0, {0}},
	{LINK_RAW_12, 0, {0}},
	{LINK_RAW_14, 0, {0}},
	{LINK_IPV4, 0, {0}},
	{LINK_LINUX_SLL, 16, {0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x08, 0x00}},
	{LINK_LINUX_SLL2, 20, {0x08, 0x00, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2}},
	{LINK_LOOP, 4, {0, 0, 0, 2}},
	{LINK_PPP_HDLC, 4, {0xff, 0x03, 0x00, 0x21}},
	{LINK_C_HDLC, 4, {0x0f, 0x00, 0x08, 0x00}},
};

/* The packet on links[i], without its last `cut` bytes. They stand alone on the
 * heap, so that a sanitizer sees each read behind them. */
static struct frame frame_on(size_t i, uint32_t cut)
{
	const uint32_t n = links[i].n + IP_BYTES;
	uint8_t whole[LINK_MAX + IP_BYTES], *alone;

	memcpy(whole, links[i].bytes, links[i].n);
	memcpy(whole + links[i].n, udp, IP_BYTES);
	alone = malloc(n - cut);
	assert_non_null(alone);
	memcpy(alone, whole, n - cut);
	return (struct frame){
		.data = alone, .caplen = n - cut, .wirelen = n, .link = links[i].link};
}

static int match(struct filter *f, size_t i, uint32_t cut, struct err *e)
{
	const struct frame frame = frame_on(i, cut);
	const int ret = filter_match(f, &frame, e);

	free((void *)(uintptr_t)frame.data);
	return ret;
}

static struct filter *filter_of(const char *text)
{
	struct err e = {""};
	struct filter *f;

	if (filter_new(&f, text, &e) < 0)
		fail_msg("%s", e.text);
	return f;
}

static void expression_holds_on_every_link_type(void **state)
{
	static const struct {
		const char *text;
		int match;
	} cases[] = {
		{"udp port 53", 1},
		{"udp and src host 10.0.0.1 and dst port 53", 1},
		{"ip", 1},
		{"net 10.0.0.0/8", 1},
		{"not udp", 0},
		{"ip6", 0},
		{"tcp port 53", 0},
		{"src host 10.0.0.2", 0},
		{"", 1},
	};

	(void)state;
	for (size_t k = 0; k < COUNT(cases); k++) {
		struct filter *f = filter_of(cases[k].text);

		/* Round and round: a program that was made is found again. */
		for (size_t n = 0; n < 3 * COUNT(links); n++) {
			const size_t i = n * 7 % COUNT(links);
			struct err e = {""};

			if (match(f, i, 0, &e) != cases[k].match)
				fail_msg("'%s' on link type %u: %s", cases[k].text, links[i].link,
					 e.text);
		}
		filter_free(f);
	}
}

static void bytes_that_were_not_captured_match_nothing(void **state)
{
	struct filter *f = filter_of("udp dst port 53");

	(void)state;
	for (size_t i = 0; i < COUNT(links); i++)
		for (uint32_t cut = 0; cut <= links[i].n + (uint32_t)IP_BYTES; cut++)
			assert_int_equal(match(f, i, cut, NULL), cut <= 4);
	filter_free(f);
}

static void length_is_that_on_the_wire(void **state)
{
	struct filter *f = filter_of("greater 1000");
	struct frame frame = frame_on(0, 0);

	(void)state;
	assert_int_equal(filter_match(f, &frame, NULL), 0);
	frame.wirelen = 1500;
	assert_int_equal(filter_match(f, &frame, NULL), 1);
	free((void *)(uintptr_t)frame.data);
	filter_free(f);
}

static void bad_expression_is_refused_with_its_text(void **state)
{
	static const char *const bad[] = {"udp prot 53", "host 10.0.0.300", "(udp", "port 70000",
					  "ip and ip6"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct filter *f = (void *)&i;
		struct err e = {""};

		assert_int_equal(filter_new(&f, bad[i], &e), -EINVAL);
		assert_ptr_equal(f, &i);
		if (!strstr(e.text, bad[i]) || !strstr(e.text, "pcap-filter(7)"))
			fail_msg("'%s'", e.text);
	}
	filter_free(NULL);
}

static void expression_that_a_link_type_cannot_have_is_told_there(void **state)
{
	struct filter *f = filter_of("ether src host 06:06:06:06:06:06");
	struct err e = {""};

	(void)state;
	assert_int_equal(match(f, 0, 0, NULL), 1);
	for (unsigned i = 0; i < 3; i++) { /* and each time that it is met */
		assert_int_equal(match(f, 1, 0, &e), -EINVAL);
		assert_non_null(strstr(e.text, "'ether src host 06:06:06:06:06:06'"));
		assert_non_null(strstr(e.text, "link type 101"));
		assert_int_equal(match(f, 0, 0, NULL), 1);
	}
	filter_free(f);
}

/* SLL2 has the interface's index, and cooked captures have the direction. */
static void what_only_some_link_types_have_is_good_there(void **state)
{
	static const struct {
		const char *text;
		bool in_sll;
		int match;
	} cases[] = {{"ifindex 3", false, 1}, {"ifindex 4", false, 0}, {"outbound", true, 0}};

	(void)state;
	for (size_t k = 0; k < COUNT(cases); k++) {
		struct filter *f = filter_of(cases[k].text);

		for (size_t i = 0; i < COUNT(links); i++) {
			const bool has = links[i].link == LINK_LINUX_SLL2 ||
					 (links[i].link == LINK_LINUX_SLL && cases[k].in_sll);
			struct err e = {""};

			assert_int_equal(match(f, i, 0, &e), has ? cases[k].match : -EINVAL);
			if (!has)
				assert_non_null(strstr(e.text, "no capture file"));
		}
		filter_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expression_holds_on_every_link_type),
		cmocka_unit_test(bytes_that_were_not_captured_match_nothing),
		cmocka_unit_test(length_is_that_on_the_wire),
		cmocka_unit_test(bad_expression_is_refused_with_its_text),
		cmocka_unit_test(expression_that_a_link_type_cannot_have_is_told_there),
		cmocka_unit_test(what_only_some_link_types_have_is_good_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
