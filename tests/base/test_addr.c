/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_addr.c - addresses and networks as text: the vectors of RFC 5952, the
 * C library as a second reader, and what must be refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void v6_text_is_as_rfc_5952_writes_it(void **state)
{
	/* Left: a form that the RFC allows to read. Right: the one to write. */
	static const char *const vectors[][2] = {
		/* 4.1: no leading zeros */
		{"2001:0db8::0001", "2001:db8::1"},
		{"2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"},
		/* 4.2.1: as short as can be */
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
		/* 4.2.2: not for one group */
		{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		/* 4.2.3: the longest run; of equal ones the first */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		/* 4.3: lower case */
		{"2001:DB8::AAAA", "2001:db8::aaaa"},
		/* 5: IPv4-mapped */
		{"::ffff:c000:201", "::ffff:192.0.2.1"},
		{"::FFFF:0:0", "::ffff:0.0.0.0"},
		/* not mapped, so not mixed */
		{"::192.0.2.1", "::c000:201"},
		{"::1:ffff:c000:201", "::1:ffff:c000:201"},
		/* runs at either end, and nothing but a run */
		{"0:0:0:0:0:0:0:0", "::"},
		{"0:0:0:0:0:0:0:1", "::1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"0:0:1:0:0:0:0:0", "0:0:1::"},
		{"0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"},
		{"fe80:0:0:0:0:0:0:0", "fe80::"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char text[ADDR_TEXT_BYTES];
		struct addr a;
		uint8_t family = 0;

		assert_int_equal(addr_parse(&a, &family, vectors[i][0], NULL), 0);
		assert_int_equal(family, ADDR_V6);
		assert_ptr_equal(addr_format(text, &a, family), text);
		assert_string_equal(text, vectors[i][1]);
	}
}

static void v4_text_goes_there_and_back(void **state)
{
	static const char *const vectors[] = {"0.0.0.0", "192.0.2.1", "10.20.30.40",
					      "255.255.255.255"};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char text[ADDR_TEXT_BYTES];
		struct addr a;
		uint8_t family = 0;

		assert_int_equal(addr_parse(&a, &family, vectors[i], NULL), 0);
		assert_int_equal(family, ADDR_V4);
		assert_string_equal(addr_format(text, &a, family), vectors[i]);
	}
}

static void v4_address_has_zeros_behind_its_four_bytes(void **state)
{
	static const uint8_t want[16] = {192, 0, 2, 1};
	struct addr a;
	uint8_t family;

	(void)state;
	memset(&a, 0xff, sizeof(a));
	assert_int_equal(addr_parse(&a, &family, "192.0.2.1", NULL), 0);
	assert_memory_equal(a.b, want, sizeof(want));
}

/* xorshift64: numbers that are the same in every run */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void v6_text_reads_back_as_the_same_address(void **state)
{
	uint64_t seed = 0x5952;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char text[ADDR_TEXT_BYTES];
		const uint64_t zeros = next_random(&seed); /* one bit a group */
		struct addr a;
		uint8_t back[16];

		a.w[0] = next_random(&seed);
		a.w[1] = next_random(&seed);
		for (int i = 0; i < 8; i++)
			if (zeros & 1u << i)
				a.b[2 * i] = a.b[2 * i + 1] = 0;
		addr_format(text, &a, ADDR_V6);
		assert_true(strlen(text) < ADDR_TEXT_BYTES);
		assert_int_equal(inet_pton(AF_INET6, text, back), 1);
		assert_memory_equal(back, a.b, sizeof(back));
	}
}

static void text_that_is_no_address_is_refused_by_name(void **state)
{
	static const char *const bad[] = {
		"",	      "1.2.3",	      "1.2.3.4.5",	   "256.1.1.1",
		"1.2.3.4 ",   " 1.2.3.4",     "0x1.2.3.4",	   "1.2.3.-4",
		"::1::",      ":::",	      "1:2:3:4:5:6",	   "12345::",
		"g::",	      "fe80::1%eth0", "::1/128",	   "[::1]",
		"10.0.0.0/8", "localhost",    "1:2:3:4:5:6:7:8:9",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		const struct addr before = {.w = {1, 2}};
		struct addr a = before;
		uint8_t family = 77;
		struct err e = {""};

		assert_int_equal(addr_parse(&a, &family, bad[i], &e), -EINVAL);
		assert_true(addr_equal(&a, &before));
		assert_int_equal(family, 77);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static void endless_text_is_refused_and_not_repeated_whole(void **state)
{
	char text[2000];
	struct addr a;
	struct addr_net net;
	uint8_t family;
	struct err e;

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(addr_parse(&a, &family, text, &e), -EINVAL);
	assert_true(strlen(e.text) < 200);
	assert_int_equal(addr_net_parse(&net, text, &e), -EINVAL);
	assert_true(strlen(e.text) < 200);
}

static void networks_are_read_with_their_prefix(void **state)
{
	static const struct {
		const char *text, *addr;
		uint8_t family, bits;
	} vectors[] = {
		{"10.0.0.0/8", "10.0.0.0", ADDR_V4, 8},
		{"172.16.0.0/12", "172.16.0.0", ADDR_V4, 12},
		{"100.64.0.0/10", "100.64.0.0", ADDR_V4, 10},
		{"0.0.0.0/0", "0.0.0.0", ADDR_V4, 0},
		{"192.0.2.1/32", "192.0.2.1", ADDR_V4, 32},
		{"192.0.2.1", "192.0.2.1", ADDR_V4, 32},
		{"fc00::/7", "fc00::", ADDR_V6, 7},
		{"fe80::/10", "fe80::", ADDR_V6, 10},
		{"::/0", "::", ADDR_V6, 0},
		{"2001:db8::1", "2001:db8::1", ADDR_V6, 128},
		{"::ffff:192.0.2.0/120", "::ffff:192.0.2.0", ADDR_V6, 120},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char text[ADDR_TEXT_BYTES];
		struct addr_net net;

		assert_int_equal(addr_net_parse(&net, vectors[i].text, NULL), 0);
		assert_int_equal(net.family, vectors[i].family);
		assert_int_equal(net.bits, vectors[i].bits);
		assert_string_equal(addr_format(text, &net.addr, net.family), vectors[i].addr);
	}
}

static void text_that_is_no_network_is_refused_by_name(void **state)
{
	static const char *const bad[] = {
		"",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10/8",
		"10.0.0.0/x",
		"10.0.0.0/8x",
		"10.0.0.0/ 8",
		"10.0.0.0/+8",
		"fc00::/129",
		"all",
		"10.0.0.0/0x8",
		"10.0.0.0/8/8",
		"10.1.0.0/8",
		"fc00::1/7",
		"0.0.0.1/0",
		"10.0.0.0/4294967304",
		"192.0.2.1/31",
		"10.0.0.0/18446744073709551624",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct addr_net net = {.bits = 99};
		struct err e = {""};

		assert_int_equal(addr_net_parse(&net, bad[i], &e), -EINVAL);
		assert_int_equal(net.bits, 99);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static void order_is_v4_first_then_by_value(void **state)
{
	static const char *const ascending[] = {
		"0.0.0.0", "9.255.255.255", "10.0.0.2",	  "10.0.0.10", "255.255.255.255",
		"::",	   "::1",	    "2001:db8::", "fe80::1"};

	(void)state;
	for (size_t i = 0; i < COUNT(ascending); i++) {
		for (size_t j = 0; j < COUNT(ascending); j++) {
			struct addr a, b;
			uint8_t fa, fb;
			int order;

			assert_int_equal(addr_parse(&a, &fa, ascending[i], NULL), 0);
			assert_int_equal(addr_parse(&b, &fb, ascending[j], NULL), 0);
			order = addr_compare(&a, fa, &b, fb);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

static void equality_looks_at_every_bit(void **state)
{
	struct addr a = {.w = {0, 0}};

	(void)state;
	for (int bit = 0; bit < 128; bit++) {
		struct addr b = a;

		assert_true(addr_equal(&a, &b));
		b.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(addr_equal(&a, &b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v6_text_is_as_rfc_5952_writes_it),
		cmocka_unit_test(v4_text_goes_there_and_back),
		cmocka_unit_test(v4_address_has_zeros_behind_its_four_bytes),
		cmocka_unit_test(v6_text_reads_back_as_the_same_address),
		cmocka_unit_test(text_that_is_no_address_is_refused_by_name),
		cmocka_unit_test(endless_text_is_refused_and_not_repeated_whole),
		cmocka_unit_test(networks_are_read_with_their_prefix),
		cmocka_unit_test(text_that_is_no_network_is_refused_by_name),
		cmocka_unit_test(order_is_v4_first_then_by_value),
		cmocka_unit_test(equality_looks_at_every_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
