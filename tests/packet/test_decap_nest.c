/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_decap_nest.c - tunnels in tunnels, tunnels damaged at random, and what
 * cannot be opened.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "tunnels.h"

static uint64_t too_deep(const struct pkt_decoder *d)
{
	return layer_counter_read(&d->counts, LAYER_TOO_DEEP);
}

/* A tunnel for an inner packet of a family, and what its outer one is. */
static const struct tunnel *random_tunnel(struct random *r, uint8_t inner, uint8_t *outer)
{
	const struct tunnel *t;

	do {
		t = &tunnels[random_below(r, TUNNELS)];
	} while (t->inner != inner);
	*outer = random_below(r, 2) ? ADDR_V4 : ADDR_V6;
	*outer = t->outer ? t->outer : *outer;
	return t;
}

/* depth tunnels of any kind around a packet; in whole[i] and kinds[i] what is
 * there with i tunnels around it, and which the outermost of these is. */
static void nest(struct random *r, struct onion *o, unsigned depth, struct pkt *whole,
		 uint8_t *kinds)
{
	uint8_t family = random_below(r, 2) ? ADDR_V4 : ADDR_V6;

	tunnel_inner(o, family);
	onion_decode(NULL, o, LINK_RAW, o->n, &whole[0]);
	for (unsigned i = 1; i <= depth; i++) {
		const struct tunnel *t = random_tunnel(r, family, &family);

		tunnel_put(o, t, family);
		kinds[i] = t->kind;
		onion_decode(NULL, o, LINK_RAW, o->n, &whole[i]);
	}
}

static void eight_tunnels_are_opened_and_a_ninth_is_not(void **state)
{
	struct random r = {1};
	struct onion o;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		const unsigned depth = random_below(&r, 12);
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		uint64_t seen = 0, opened = 0;
		struct pkt whole[12], p;
		uint8_t kinds[12];

		nest(&r, &o, depth, whole, kinds);
		onion_decode(&d, &o, LINK_RAW, o.n, &p);
		if (!onion_same(&p, &whole[depth > DECAP_DEPTH_MAX ? depth - DECAP_DEPTH_MAX : 0]))
			fail_msg("nest %u, %u deep: not what is inside", i, depth);
		for (unsigned k = 0; k < DECAP_KINDS; k++) {
			seen += onion_seen(&d, k);
			opened += onion_opened(&d, k);
			assert_int_equal(onion_unreadable(&d, k), 0);
		}
		assert_int_equal(opened, depth > DECAP_DEPTH_MAX ? DECAP_DEPTH_MAX : depth);
		assert_int_equal(too_deep(&d), depth > DECAP_DEPTH_MAX);
		assert_int_equal(seen, opened + too_deep(&d));
	}
}

static void what_is_not_asked_for_stops_the_way_in(void **state)
{
	struct random r = {2};
	struct onion o;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		const uint32_t asked = random_below(&r, DECAP_ALL + 1);
		const unsigned depth = 1 + random_below(&r, DECAP_DEPTH_MAX);
		struct pkt_decoder d = onion_decoder(asked);
		struct pkt whole[DECAP_DEPTH_MAX + 1], p;
		uint8_t kinds[DECAP_DEPTH_MAX + 1];
		unsigned at = depth;

		nest(&r, &o, depth, whole, kinds);
		while (at && asked >> kinds[at] & 1)
			at--;
		onion_decode(&d, &o, LINK_RAW, o.n, &p);
		if (!onion_same(&p, &whole[at]))
			fail_msg("nest %u, %u deep, kinds %#x: not what is %u deep", i, depth,
				 asked, at);
	}
}

/* Cut anywhere, it is one of the packets on the way in, as much of it as is
 * captured, and never one farther in than the cut. */
static void a_cut_nest_is_one_of_its_packets(void **state)
{
	struct random r = {3};
	struct onion o, from;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		const unsigned depth = 2 + random_below(&r, 4);
		struct pkt whole[8], p, alone;
		unsigned last = depth;
		uint8_t kinds[8];

		nest(&r, &o, depth, whole, kinds);
		for (size_t cap = 0; cap <= o.n; cap++) {
			struct pkt_decoder d = onion_decoder(DECAP_ALL);
			unsigned at;

			if (onion_decode(&d, &o, LINK_RAW, cap, &p) != PKT_OK) {
				assert_true(cap < 40);
				continue;
			}
			for (at = depth; at && whole[at].ip_bytes != p.ip_bytes; at--)
				;
			assert_int_equal(whole[at].ip_bytes, p.ip_bytes);
			assert_true(at <= last);
			last = at;
			from = o;
			from.n = p.ip_bytes;
			onion_decode(NULL, &from, LINK_RAW, cap - (o.n - from.n), &alone);
			assert_true(onion_same(&p, &alone));
		}
		assert_int_equal(last, 0);
	}
}

/* What is seen of a kind that is asked for was opened, or not, or too deep. */
static void check_balance(const struct pkt_decoder *d)
{
	uint64_t seen = 0, told = too_deep(d);

	for (unsigned k = 0; k < DECAP_KINDS; k++) {
		if (!(d->conf.kinds >> k & 1)) {
			assert_int_equal(onion_opened(d, k) + onion_unreadable(d, k), 0);
			continue;
		}
		seen += onion_seen(d, k);
		told += onion_opened(d, k) + onion_unreadable(d, k);
	}
	assert_int_equal(seen, told);
}

/* A damaged frame is what it is without tunnels being opened, or an IP packet
 * that really stands behind the outermost header. */
static void check_damaged(struct pkt_decoder *d, struct onion *o, size_t cap)
{
	const uint8_t *at = onion_at(o);
	struct pkt p, closed;

	onion_decode(d, o, LINK_RAW, cap, &p);
	onion_decode(NULL, o, LINK_RAW, cap, &closed);
	assert_int_equal(p.verdict == PKT_OK, closed.verdict == PKT_OK);
	if (onion_same(&p, &closed))
		return;
	assert_int_equal(p.verdict, PKT_OK);
	assert_true(p.ip_bytes >= 20 && p.packets == 1);
	assert_true(p.family == ADDR_V4 || p.family == ADDR_V6);
	for (size_t i = 20; i + (p.family == ADDR_V4 ? 20 : 40) <= cap; i++) {
		const size_t n = p.family == ADDR_V4 ? 4 : 16, src = p.family == ADDR_V4 ? 12 : 8;

		if (at[i] >> 4 == p.family && !memcmp(at + i + src, pkt_src(&p)->b, n) &&
		    !memcmp(at + i + src + n, pkt_dst(&p)->b, n))
			return;
	}
	fail_msg("a packet that is not in the frame");
}

static void damaged_tunnels_are_outer_or_inner_packets(void **state)
{
	struct pkt_decoder all = onion_decoder(DECAP_ALL);
	struct pkt_decoder some = onion_decoder(1u << DECAP_ERSPAN | 1u << DECAP_VXLAN |
						1u << DECAP_GTPU | 1u << DECAP_IP6IP6);
	struct random r = {4};
	uint64_t opened = 0;
	struct onion o;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct pkt whole[4];
		uint8_t kinds[4];
		size_t cap;

		nest(&r, &o, 1 + random_below(&r, 3), whole, kinds);
		for (unsigned n = 1 + random_below(&r, 4); n; n--)
			onion_at(&o)[random_below(&r, (uint32_t)o.n)] = (uint8_t)random_next(&r);
		cap = random_below(&r, 4) ? o.n : random_below(&r, (uint32_t)o.n + 1);
		check_damaged(i % 2 ? &all : &some, &o, cap);
	}
	check_balance(&all);
	check_balance(&some);
	for (unsigned k = 0; k < DECAP_KINDS; k++) {
		opened += onion_opened(&all, k);
		assert_in_range(onion_unreadable(&all, k), 1, 200000);
	}
	assert_in_range(opened, 100000, 400000);
}

/* --- what cannot be opened -------------------------------------------------- */

/* Hex behind an outer IPv4 header and, with a port, UDP; an IPv4 packet
 * follows unless the digits say "-". */
static const struct closed {
	const char *name;
	uint8_t kind, proto;
	uint16_t port;
	const char *hex;
} closed[] = {
	{"PPTP", DECAP_GRE, PROTO_GRE, 0, "3001 880b 0020 0001 00000001"},
	{"GRE version 1 with IP", DECAP_GRE, PROTO_GRE, 0, "0001 0800"},
	{"GRE keepalive", DECAP_GRE, PROTO_GRE, 0, "0000 0000-"},
	{"GRE, ARP", DECAP_GRE, PROTO_GRE, 0, "0000 0806 0001 0800 0604 0001-"},
	{"GRE, a length", DECAP_GRE, PROTO_GRE, 0, "0000 05dc"},
	{"GRE, routes without end", DECAP_GRE, PROTO_GRE, 0, "4000 0800 00000000 0800 00 ff"},
	{"GRE, says IPv6", DECAP_GRE, PROTO_GRE, 0, "0000 86dd"},
	{"GRE, MPLS pseudowire", DECAP_GRE, PROTO_GRE, 0, "0000 8847 00010140 00000000-"},
	{"GRE, nothing", DECAP_GRE, PROTO_GRE, 0, "0000 0800-"},
	{"GRE, Ethernet, LLC", DECAP_GRE, PROTO_GRE, 0, "0000 6558 " TUNNEL_MACS "0026 424203-"},
	{"ERSPAN II, no sequence", DECAP_ERSPAN, PROTO_GRE, 0,
	 "0000 88be 1064 0001 00000002 " TUNNEL_MACS "0800"},
	{"ERSPAN version 0", DECAP_ERSPAN, PROTO_GRE, 0,
	 "1000 88be 00000001 0064 0001 00000002 " TUNNEL_MACS "0800"},
	{"ERSPAN version 3", DECAP_ERSPAN, PROTO_GRE, 0,
	 "1000 22eb 00000001 3064 0001 00000002 0000 0000 " TUNNEL_MACS "0800"},
	{"ERSPAN III, frame type 7", DECAP_ERSPAN, PROTO_GRE, 0,
	 "1000 22eb 00000001 2064 0001 00000002 0000 1c00 " TUNNEL_MACS "0800"},
	{"ERSPAN III, IP of version 5", DECAP_ERSPAN, PROTO_GRE, 0,
	 "1000 22eb 00000001 2064 0001 00000002 0000 0800 50"},
	{"VXLAN, no VNI", DECAP_VXLAN, PROTO_UDP, 4789, "00000000 00002a00 " TUNNEL_MACS "0800"},
	{"VXLAN, ARP", DECAP_VXLAN, PROTO_UDP, 4789,
	 "08000000 00002a00 " TUNNEL_MACS "0806 0001 0800 0604 0001-"},
	{"GPE, NSH", DECAP_VXLAN, PROTO_UDP, 4790, "0c000004 00002a00"},
	{"GPE, version 1", DECAP_VXLAN, PROTO_UDP, 4790, "1c000001 00002a00"},
	{"GPE, OAM", DECAP_VXLAN, PROTO_UDP, 4790, "0d000001 00002a00"},
	{"GPE, no P bit, reserved", DECAP_VXLAN, PROTO_UDP, 4790, "08000006 00002a00"},
	{"GPE, no next protocol, OAM", DECAP_VXLAN, PROTO_UDP, 4790,
	 "09000001 00002a00 " TUNNEL_MACS "0800"},
	{"GPE on VXLAN's port, OAM", DECAP_VXLAN, PROTO_UDP, 4789, "0d000001 00002a00"},
	{"GENEVE, version 1", DECAP_GENEVE, PROTO_UDP, 6081, "4000 0800 00002a00"},
	{"GENEVE, control", DECAP_GENEVE, PROTO_UDP, 6081, "0080 0800 00002a00"},
	{"GENEVE, long options", DECAP_GENEVE, PROTO_UDP, 6081, "3f00 0800 00002a00"},
	{"GTP-U, echo", DECAP_GTPU, PROTO_UDP, 2152, "32 01 0004 00000000 0001 0000-"},
	{"GTP-U, end marker", DECAP_GTPU, PROTO_UDP, 2152, "30 fe 0000 0000002a-"},
	{"GTP-U, error indication", DECAP_GTPU, PROTO_UDP, 2152, "30 1a 0000 00000000"},
	{"GTP', no GTP", DECAP_GTPU, PROTO_UDP, 2152, "20 ff 008c 0000002a"},
	{"GTP-U, version 2", DECAP_GTPU, PROTO_UDP, 2152, "50 ff 008c 0000002a"},
	{"GTP-U, extension of length 0", DECAP_GTPU, PROTO_UDP, 2152,
	 "34 ff 0094 0000002a 0000 00 85 00 1009 00"},
	{"GTP-U, extensions without end", DECAP_GTPU, PROTO_UDP, 2152,
	 "34 ff 0094 0000002a 0000 00 85 ff 1009 00"},
	{"GTP-U, a frame", DECAP_GTPU, PROTO_UDP, 2152, "30 ff 008c 0000002a 02"},
	{"IP in IP, version 6", DECAP_IPIP, PROTO_IPIP, 0, "60"},
	{"IP in IP, nothing", DECAP_IPIP, PROTO_IPIP, 0, "-"},
	{"IP in IP, IHL 4", DECAP_IPIP, PROTO_IPIP, 0, "4400001400000000000000000a0000010a000002-"},
	{"IP in IP, length 19", DECAP_IPIP, PROTO_IPIP, 0,
	 "4500001300000000000000000a0000010a000002-"},
	{"IP in IP, length too long", DECAP_IPIP, PROTO_IPIP, 0,
	 "4500001500000000000000000a0000010a000002-"},
	{"6in4, version 4", DECAP_6IN4, PROTO_IPV6, 0, ""},
};

static void put_closed(struct onion *o, const struct closed *c)
{
	char hex[256];
	const size_t n = strcspn(c->hex, "-");

	tunnel_inner(o, ADDR_V4);
	if (c->hex[n])
		o->n = 0;
	snprintf(hex, sizeof(hex), "%.*s", (int)n, c->hex);
	onion_hex(o, hex);
	if (c->port)
		onion_udp(o, 55555, c->port);
	onion_ip(o, ADDR_V4, 11, 12, c->proto);
}

static void what_cannot_be_opened_is_the_packet_outside_and_counted(void **state)
{
	struct onion o;

	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct pkt p, as_it_is;

		put_closed(&o, &closed[i]);
		onion_decode(NULL, &o, LINK_RAW, o.n, &as_it_is);
		onion_decode(&d, &o, LINK_RAW, o.n, &p);
		assert_int_equal(p.verdict, PKT_OK);
		if (!onion_same(&p, &as_it_is) || onion_unreadable(&d, closed[i].kind) != 1)
			fail_msg("%s: opened", closed[i].name);
		check_balance(&d);
	}
}

/* The same inside another tunnel: then that one's inside counts. */
static void what_cannot_be_opened_in_a_tunnel_is_what_that_holds(void **state)
{
	struct onion o;

	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct pkt p, as_it_is;

		put_closed(&o, &closed[i]);
		onion_decode(NULL, &o, LINK_RAW, o.n, &as_it_is);
		onion_hex(&o, "0000 0800");
		onion_ip(&o, ADDR_V6, 21, 22, PROTO_GRE);
		onion_decode(&d, &o, LINK_RAW, o.n, &p);
		if (!onion_same(&p, &as_it_is) || onion_unreadable(&d, closed[i].kind) != 1)
			fail_msg("%s in GRE: opened, or GRE not", closed[i].name);
		assert_int_equal(onion_opened(&d, DECAP_GRE), 1);
		check_balance(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_tunnels_are_opened_and_a_ninth_is_not),
		cmocka_unit_test(what_is_not_asked_for_stops_the_way_in),
		cmocka_unit_test(a_cut_nest_is_one_of_its_packets),
		cmocka_unit_test(damaged_tunnels_are_outer_or_inner_packets),
		cmocka_unit_test(what_cannot_be_opened_is_the_packet_outside_and_counted),
		cmocka_unit_test(what_cannot_be_opened_in_a_tunnel_is_what_that_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
