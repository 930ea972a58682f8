/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hosts.c - networks, sums, rates and orders of a list of hosts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/units.h"
#include "cli/hosts.h"

static struct tctable_host host(const char *ip, uint64_t tx, uint64_t rx)
{
	struct tctable_host h = {.half_open = 1, .last_ns = tx * NS_PER_SEC};

	assert_int_equal(tctable_addr_parse(&h.ip, ip), 0);
	h.cls[TCTABLE_TCP].conns = tx % 7;
	h.cls[TCTABLE_TCP].tx = (struct tctable_counter){tx, 10 * tx};
	h.cls[TCTABLE_UDP].rx = (struct tctable_counter){rx, 10 * rx};
	return h;
}

static void assert_net(const char *text, const char *expected)
{
	struct tctable_addr ip;
	char buf[GROUP_NET_TEXT];
	uint8_t bits;
	struct err e;

	if (!expected) {
		assert_true(group_net_parse(&ip, &bits, text, &e) < 0);
		assert_non_null(strstr(e.text, text));
		return;
	}
	assert_int_equal(group_net_parse(&ip, &bits, text, &e), 0);
	assert_string_equal(group_net_text(buf, &ip, bits), expected);
}

static void networks_are_read_as_written(void **state)
{
	(void)state;
	assert_net("10.1.2.3/8", "10.0.0.0/8");
	assert_net("10.1.2.3/31", "10.1.2.2/31");
	assert_net("10.1.2.3", "10.1.2.3/32");
	assert_net("0.0.0.0/0", "0.0.0.0/0");
	assert_net("2001:db8:ffff::1/33", "2001:db8:8000::/33");
	assert_net("::1", "::1/128");
	assert_net("10.0.0.0/33", NULL);
	assert_net("::/129", NULL);
	assert_net("10.0.0.0/-1", NULL);
	assert_net("10.0.0.0/8 ", NULL);
	assert_net("10.0.0.0/1k", NULL);
}

static void prefixes_are_read_as_written(void **state)
{
	static const struct {
		const char *text;
		uint8_t v4, v6;
	} good[] = {{"/24,/64", 24, 64}, {"16,48", 16, 48}, {"/8", 8, 64},
		    {"/48", 24, 48},	 {"/0,/0", 0, 0},   {"/32,/128", 32, 128}};
	static const char *const bad[] = {"",		",",	"/",	    "/129", "/24,", ",/64",
					  "/24,/64,/1", "//24", "/24 ,/64", "all",  "/1k"};
	struct group_conf c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(group_parse(&c, good[i].text, &e), 0);
		assert_int_equal(c.bits_v4, good[i].v4);
		assert_int_equal(c.bits_v6, good[i].v6);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(group_parse(&c, bad[i], &e) < 0);
}

static void sums_have_all_of_their_hosts(void **state)
{
	struct tctable_host h[] = {host("10.0.0.1", 1, 2),
				   host("10.0.0.255", 3, 4),
				   host("10.0.1.0", 5, 6),
				   host("2001:db8::1", 7, 8),
				   host("2001:db8::ffff:0:0:0", 9, 10),
				   host("2001:db8:0:1::", 11, 12)};
	const struct group_conf c = {24, 64};
	struct group_net nets[6];
	char text[GROUP_NET_TEXT];

	(void)state;
	assert_int_equal(group_sum(&c, h, nets, 6), 4);
	assert_string_equal(group_net_text(text, &h[0].ip, nets[0].bits), "10.0.0.0/24");
	assert_int_equal(nets[0].hosts, 2);
	assert_int_equal(h[0].cls[TCTABLE_TCP].tx.packets, 4);
	assert_int_equal(h[0].cls[TCTABLE_TCP].tx.bytes, 40);
	assert_int_equal(h[0].cls[TCTABLE_UDP].rx.packets, 6);
	assert_int_equal(h[0].cls[TCTABLE_TCP].conns, 4);
	assert_int_equal(h[0].half_open, 2);
	assert_int_equal(h[0].last_ns, 3 * NS_PER_SEC);
	assert_string_equal(group_net_text(text, &h[1].ip, nets[1].bits), "10.0.1.0/24");
	assert_string_equal(group_net_text(text, &h[2].ip, nets[2].bits), "2001:db8::/64");
	assert_int_equal(nets[2].hosts, 2);
	assert_string_equal(group_net_text(text, &h[3].ip, nets[3].bits), "2001:db8:0:1::/64");
	assert_int_equal(group_sum(&c, h, nets, 0), 0);
}

static void rates_are_since_the_look_before(void **state)
{
	const struct tctable_host before[] = {host("10.0.0.1", 10, 10), host("10.0.0.3", 50, 0),
					      host("10.0.0.4", 1, 1)};
	const struct tctable_host now[] = {host("10.0.0.1", 30, 10), host("10.0.0.2", 4, 2),
					   host("10.0.0.3", 8, 0), host("::1", 2, 0)};
	struct tctable_rate r[4];

	(void)state;
	hosts_rates(r, now, 4, before, 3, 2 * NS_PER_SEC);
	assert_int_equal(r[0].tx.packets, 10);
	assert_int_equal(r[0].tx.bytes, 100);
	assert_int_equal(r[0].rx.packets, 0);
	assert_int_equal(r[1].tx.packets, 2); /* new */
	assert_int_equal(r[1].rx.packets, 1);
	assert_int_equal(r[2].tx.packets, 4); /* forgotten, and there again */
	assert_int_equal(r[3].tx.packets, 1);
}

static void rates_of_networks_are_those_of_their_hosts(void **state)
{
	const struct tctable_host before[] = {host("10.0.0.1", 10, 0), host("10.0.0.2", 900, 0),
					      host("10.0.1.1", 1, 0)};
	struct tctable_host now[] = {host("10.0.0.1", 14, 0), host("10.0.0.3", 2, 0),
				     host("10.0.1.1", 3, 6)};
	const struct group_conf c = {24, 64};
	struct group_net nets[3];
	struct tctable_rate r[3];

	(void)state;
	hosts_rates(r, now, 3, before, 3, 2 * NS_PER_SEC);
	assert_int_equal(group_sum(&c, now, nets, 3), 2);
	hosts_rates_of_nets(r, nets, 2);
	assert_int_equal(r[0].tx.packets, 3); /* although its sum has fallen */
	assert_int_equal(r[1].tx.packets, 1);
	assert_int_equal(r[1].rx.packets, 3);
}

static void assert_order(enum hosts_key key, const struct tctable_rate *rates, const char *expected)
{
	const struct tctable_host h[] = {host("10.0.0.1", 5, 1), host("10.0.0.2", 8, 1),
					 host("10.0.0.3", 1, 9), host("10.0.0.4", 5, 2)};
	char text[5] = "";
	size_t order[4];

	assert_int_equal(hosts_order(order, h, rates, 4, key), 0);
	for (unsigned i = 0; i < 4; i++)
		text[i] = (char)('1' + order[i]);
	assert_string_equal(text, expected);
}

static void the_most_come_first_and_equals_by_address(void **state)
{
	const struct tctable_rate rates[4] = {
		{.tx = {1, 1}}, {.tx = {0, 0}}, {.tx = {9, 9}}, {.rx = {5, 5}}};

	(void)state;
	assert_order(HOSTS_BY_IP, NULL, "1234");
	assert_order(HOSTS_BY_TX, NULL, "2143");
	assert_order(HOSTS_BY_RX, NULL, "3412");
	assert_order(HOSTS_BY_BYTES, NULL, "3241");
	assert_order(HOSTS_BY_PACKETS, NULL, "3241");
	assert_order(HOSTS_BY_CONNS, NULL, "1423");
	assert_order(HOSTS_BY_LAST, NULL, "2143");
	assert_order(HOSTS_BY_TX, rates, "3124");
	assert_order(HOSTS_BY_CONNS, rates, "1423");
}

static void only_hosts_of_the_network_are_kept(void **state)
{
	struct tctable_host h[] = {host("10.0.0.1", 1, 1), host("10.128.0.1", 1, 1),
				   host("a00::", 1, 1)};
	struct hosts_conf c = {.key = HOSTS_BY_IP};
	struct err e;

	(void)state;
	assert_int_equal(hosts_in_net(&c, h, 3), 3);
	assert_int_equal(group_net_parse(&c.net, &c.net_bits, "10.128.0.0/9", &e), 0);
	assert_int_equal(hosts_in_net(&c, h, 3), 1);
	assert_int_equal(h[0].ip.bytes[1], 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_are_read_as_written),
		cmocka_unit_test(prefixes_are_read_as_written),
		cmocka_unit_test(sums_have_all_of_their_hosts),
		cmocka_unit_test(rates_are_since_the_look_before),
		cmocka_unit_test(rates_of_networks_are_those_of_their_hosts),
		cmocka_unit_test(the_most_come_first_and_equals_by_address),
		cmocka_unit_test(only_hosts_of_the_network_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
