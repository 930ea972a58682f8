/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_inner.c - the search for an inner network beside comparing with each.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../flow/random.h"
#include "table/inner.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NETS_MAX 3000

static bool has_bit(const struct addr *a, unsigned i)
{
	return a->b[i / 8] & 0x80u >> i % 8;
}

static void clear_behind(struct addr *a, unsigned bits, unsigned bits_max)
{
	for (unsigned i = bits; i < bits_max; i++)
		a->b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

static bool net_has(const struct addr_net *net, const struct addr *a, uint8_t family)
{
	if (net->family != family)
		return false;
	for (unsigned i = 0; i < net->bits; i++)
		if (has_bit(&net->addr, i) != has_bit(a, i))
			return false;
	return true;
}

static bool is_never_a_host(const struct addr *a, uint8_t family)
{
	static const struct addr zero = {.w = {0, 0}};

	if (addr_equal(a, &zero))
		return true;
	if (family == ADDR_V6)
		return a->b[0] == 0xff;
	return (a->b[0] >= 224 && a->b[0] <= 239) ||
	       (a->b[0] == 255 && a->b[1] == 255 && a->b[2] == 255 && a->b[3] == 255);
}

static bool naive_has(const struct addr_net *nets, size_t n, const struct addr *a, uint8_t family)
{
	for (size_t i = 0; i < n; i++)
		if (net_has(&nets[i], a, family))
			return !is_never_a_host(a, family);
	return false;
}

static struct addr random_addr(struct random *r, uint8_t family)
{
	struct addr a = {.w = {0, 0}};

	/* Few values a byte, so that networks overlap and touch. */
	for (unsigned i = 0; i < (family == ADDR_V4 ? 4 : 16); i++)
		a.b[i] = random_below(r, 3)
				 ? (uint8_t)(random_below(r, 3) * 127 + random_below(r, 2))
				 : (uint8_t)random_next(r);
	return a;
}

static struct addr_net random_net(struct random *r, unsigned bits_least)
{
	struct addr_net net = {.family = random_below(r, 2) ? ADDR_V4 : ADDR_V6};
	const unsigned max = net.family == ADDR_V4 ? 32 : 128;

	net.addr = random_addr(r, net.family);
	net.bits = (uint8_t)(bits_least + random_below(r, max + 1 - bits_least));
	clear_behind(&net.addr, net.bits, max);
	return net;
}

/* The address, and those before and behind it. */
static struct addr neighbour(const struct addr *a, unsigned bytes, int step)
{
	struct addr n = *a;

	for (unsigned i = bytes; step && i--;) {
		const int v = n.b[i] + step;

		n.b[i] = (uint8_t)v;
		step = v < 0 ? -1 : v > 255 ? 1 : 0;
	}
	return n;
}

static struct addr last_of(const struct addr_net *net)
{
	struct addr a = net->addr;

	for (unsigned i = net->bits; i < (net->family == ADDR_V4 ? 32u : 128u); i++)
		a.b[i / 8] |= (uint8_t)(0x80u >> i % 8);
	return a;
}

static void random_networks_have_what_each_of_them_has(void **state)
{
	static const unsigned sizes[] = {1, 2, 5, 30, 300, NETS_MAX};
	struct addr_net *nets = calloc(NETS_MAX, sizeof(*nets));
	unsigned had = 0, had_not = 0;

	(void)state;
	assert_non_null(nets);
	for (unsigned seed = 1; seed <= 12; seed++) {
		struct random r = {seed};
		const unsigned n = sizes[seed % COUNT(sizes)];
		struct inner *in;

		/* Large ones hide the others, so seldom. */
		for (unsigned i = 0; i < n; i++)
			nets[i] = random_net(&r, random_below(&r, 100) ? 12 : seed % 3 ? 4 : 0);
		assert_int_equal(inner_new(&in, nets, n, NULL), 0);
		for (unsigned i = 0; i < 2000; i++) {
			const struct addr_net *net = &nets[random_below(&r, n)];
			const struct addr ends[2] = {net->addr, last_of(net)};
			const uint8_t family = i % 3 ? net->family : ADDR_V4;
			const struct addr a =
				i % 2 ? random_addr(&r, family)
				      : neighbour(&ends[i / 2 % 2], family == ADDR_V4 ? 4 : 16,
						  (int)random_below(&r, 3) - 1);
			const bool has = naive_has(nets, n, &a, family);

			if (i % 3 == 0 && i % 2 == 0 && net->family == ADDR_V6)
				continue; /* half an IPv6 address is no IPv4 one */
			expect(inner_has(in, &a, family) == has, seed, i);
			had += has;
			had_not += !has;
		}
		inner_free(in);
	}
	assert_true(had > 2000 && had_not > 2000);
	free(nets);
}

static bool default_has(const struct inner *in, const char *text)
{
	struct addr a;
	uint8_t family;

	assert_int_equal(addr_parse(&a, &family, text, NULL), 0);
	return inner_has(in, &a, family);
}

static void default_list_is_of_private_and_link_local_networks(void **state)
{
	static const char *const in_it[] = {
		"10.0.0.0",    "10.255.255.255",
		"172.16.0.0",  "172.31.255.255",
		"192.168.0.0", "192.168.255.255",
		"100.64.0.0",  "100.127.255.255",
		"169.254.0.0", "169.254.255.255",
		"fc00::",      "fdff:ffff::1",
		"fe80::1",     "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	static const char *const not_in_it[] = {
		"9.255.255.255",
		"11.0.0.0",
		"172.15.255.255",
		"172.32.0.0",
		"192.167.255.255",
		"192.169.0.0",
		"100.63.255.255",
		"100.128.0.0",
		"169.253.255.255",
		"169.255.0.0",
		"8.8.8.8",
		"127.0.0.1",
		"fbff::1",
		"fe00::1",
		"fec0::1",
		"2001:db8::1",
		"::1",
		"::ffff:10.0.0.1",
		"::10.0.0.1",
	};
	struct inner *in;

	(void)state;
	assert_int_equal(inner_new(&in, NULL, 0, NULL), 0);
	for (size_t i = 0; i < COUNT(in_it); i++)
		if (!default_has(in, in_it[i]))
			fail_msg("%s is not inner", in_it[i]);
	for (size_t i = 0; i < COUNT(not_in_it); i++)
		if (default_has(in, not_in_it[i]))
			fail_msg("%s is inner", not_in_it[i]);
	inner_free(in);
}

static void some_addresses_are_never_hosts(void **state)
{
	static const char *const never[] = {
		"0.0.0.0",     "255.255.255.255", "224.0.0.0",
		"224.0.0.251", "239.255.255.255", "::",
		"ff00::",      "ff02::1",	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	static const char *const others[] = {
		"0.0.0.1", "255.255.255.254", "223.255.255.255", "240.0.0.0", "10.255.255.255",
		"::1",	   "feff::1",	      "100::",
	};
	const struct addr_net all[2] = {{.family = ADDR_V4}, {.family = ADDR_V6}};
	struct inner *in;

	(void)state;
	assert_int_equal(inner_new(&in, all, 2, NULL), 0);
	for (size_t i = 0; i < COUNT(never); i++)
		assert_false(default_has(in, never[i]));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_true(default_has(in, others[i]));
	inner_free(in);
}

static void networks_of_one_family_say_nothing_of_the_other(void **state)
{
	const struct addr_net all[2] = {{.family = ADDR_V4}, {.family = ADDR_V6}};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct inner *in;

		assert_int_equal(inner_new(&in, &all[i], 1, NULL), 0);
		assert_int_equal(default_has(in, "10.0.0.1"), i == 0);
		assert_int_equal(default_has(in, "a00:1::"), i == 1); /* the same first bytes */
		inner_free(in);
	}
	inner_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_networks_have_what_each_of_them_has),
		cmocka_unit_test(default_list_is_of_private_and_link_local_networks),
		cmocka_unit_test(some_addresses_are_never_hosts),
		cmocka_unit_test(networks_of_one_family_say_nothing_of_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
