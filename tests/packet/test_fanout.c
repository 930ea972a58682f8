/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fanout.c - what belongs to one connection goes to one worker.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "craft.h"
#include "packet/fanout.h"

#define WORKERS 8

static unsigned worker_of(const struct craft *c, unsigned n)
{
	const struct frame f = {.data = c->b,
				.caplen = (uint32_t)c->n,
				.wirelen = (uint32_t)c->n,
				.link = LINK_RAW};

	return pkt_fanout(&f, n);
}

/* Any addresses instead of craft's. */
static void set_addrs(struct craft *c, size_t at, uint8_t family, const uint8_t *src,
		      const uint8_t *dst)
{
	const size_t n = family == ADDR_V4 ? 4 : 16, first = family == ADDR_V4 ? 12 : 8;

	memcpy(c->b + at + first, src, n);
	memcpy(c->b + at + first + n, dst, n);
}

static void put_tcp(struct craft *c, uint8_t family, const uint8_t *src, const uint8_t *dst,
		    uint16_t sport, uint16_t dport)
{
	memset(c, 0, sizeof(*c));
	craft_ip(c, family, 1, 2, PROTO_TCP, 20);
	set_addrs(c, 0, family, src, dst);
	craft_tcp(c, sport, dport, PKT_TCP_ACK);
}

static void put_fragment(struct craft *c, uint8_t family, const uint8_t *src, const uint8_t *dst)
{
	memset(c, 0, sizeof(*c));
	craft_ip(c, family, 1, 2, family == ADDR_V4 ? PROTO_TCP : PROTO_FRAGMENT, 24);
	set_addrs(c, 0, family, src, dst);
	if (family == ADDR_V4)
		craft_set(c, 6, 2, 0x20b9);
	craft_be(c, 4, (uint32_t)PROTO_TCP << 24 | 0x05c8);
	craft_fill(c, 20, 0x5a);
}

/* From somebody to src, about a packet of src to dst. */
static void put_error(struct craft *c, uint8_t family, const uint8_t *src, const uint8_t *dst,
		      const uint8_t *router)
{
	const unsigned header = family == ADDR_V4 ? 20 : 40;

	memset(c, 0, sizeof(*c));
	craft_ip(c, family, 1, 2, family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6, 8 + header + 8);
	set_addrs(c, 0, family, router, src);
	craft_icmp(c, family == ADDR_V4 ? 11 : 3, 0, 0);
	craft_ip(c, family, 1, 2, PROTO_TCP, 20);
	set_addrs(c, header + 8, family, src, dst);
	craft_fill(c, 8, 0x5a);
}

static void connection_its_fragments_and_errors_meet_in_one_worker(void **state)
{
	struct random r = {3};
	unsigned per_worker[WORKERS] = {0};

	(void)state;
	for (unsigned round = 0; round < 8000; round++) {
		const uint8_t family = round % 2 ? ADDR_V4 : ADDR_V6;
		uint8_t a[16], b[16], router[16];
		struct craft c;

		for (unsigned i = 0; i < 16; i++) {
			a[i] = (uint8_t)random_next(&r);
			b[i] = (uint8_t)random_next(&r);
			router[i] = (uint8_t)random_next(&r);
		}
		for (unsigned n = 1; n <= WORKERS; n++) {
			unsigned w;

			put_tcp(&c, family, a, b, 1000, 443);
			w = worker_of(&c, n);
			expect(w < n, n, round);
			put_tcp(&c, family, b, a, 443, 1000);
			expect(worker_of(&c, n) == w, n, round);
			put_fragment(&c, family, a, b);
			expect(worker_of(&c, n) == w, n, round);
			put_fragment(&c, family, b, a);
			expect(worker_of(&c, n) == w, n, round);
			put_error(&c, family, a, b, router);
			expect(worker_of(&c, n) == w, n, round);
			put_error(&c, family, b, a, router);
			expect(worker_of(&c, n) == w, n, round);
			per_worker[w] += n == WORKERS;
		}
	}
	for (unsigned w = 0; w < WORKERS; w++) /* even, to a few standard deviations */
		assert_in_range(per_worker[w], 850, 1150);
}

/* One server, and clients whose addresses follow each other. */
static void neighbours_are_spread(void **state)
{
	for (unsigned n = 2; n <= WORKERS; n *= 2) {
		static const uint8_t server[4] = {192, 168, 1, 1};
		unsigned per_worker[WORKERS] = {0};

		(void)state;
		for (unsigned i = 0; i < 1024; i++) {
			const uint8_t client[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
			struct craft c;

			put_tcp(&c, ADDR_V4, client, server, 1000, 443);
			per_worker[worker_of(&c, n)]++;
		}
		for (unsigned w = 0; w < n; w++)
			assert_in_range(per_worker[w], 1024 / n / 2, 2 * 1024 / n);
	}
}

static void link_in_front_makes_no_difference(void **state)
{
	(void)state;
	for (uint8_t i = 1; i < 100; i++) {
		struct craft c = {0}, tagged = {0};
		struct frame f = {.data = tagged.b, .link = LINK_ETHERNET};

		craft_ipv4(&c, i, 200, PROTO_UDP, 0, 8);
		craft_udp(&c, 1000, 53);
		craft_ethernet(&tagged, 0x8100);
		craft_be(&tagged, 4, 0x000a0800);
		memcpy(tagged.b + tagged.n, c.b, c.n);
		f.caplen = f.wirelen = (uint32_t)(tagged.n + c.n);
		assert_int_equal(pkt_fanout(&f, WORKERS), worker_of(&c, WORKERS));
	}
}

static void frames_that_are_not_counted_go_to_the_first_worker(void **state)
{
	struct craft c = {0};
	struct frame f = {.data = c.b, .caplen = 60, .wirelen = 60, .link = LINK_ETHERNET};

	(void)state;
	craft_ethernet(&c, 0x0806);
	assert_int_equal(pkt_fanout(&f, WORKERS), 0);
	f.caplen = 0;
	assert_int_equal(pkt_fanout(&f, WORKERS), 0);
	f.link = 105;
	assert_int_equal(pkt_fanout(&f, WORKERS), 0);
}

/* Frames of all protocols and lengths, of which some bytes are changed. */
static uint32_t make_random(struct random *r, struct craft *c)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP,	    PROTO_ICMP, PROTO_ICMPV6,
					 PROTO_GRE, PROTO_FRAGMENT, PROTO_AH,	PROTO_DSTOPTS};
	const uint8_t family = random_below(r, 2) ? ADDR_V4 : ADDR_V6;

	memset(c, 0, sizeof(*c));
	craft_ethernet(c, family == ADDR_V4 ? 0x0800 : 0x86dd);
	craft_ip(c, family, (uint8_t)random_below(r, 9), (uint8_t)random_below(r, 9),
		 protos[random_below(r, sizeof(protos))], 60);
	for (unsigned i = 0; i < 60; i++)
		craft_fill(c, 1, (uint8_t)(random_below(r, 3) ? random_below(r, 16) : 0x45));
	for (unsigned i = random_below(r, 3); i; i--)
		c->b[random_below(r, 80)] = (uint8_t)random_below(r, 256);
	return random_below(r, 4) ? (uint32_t)c->n : random_below(r, (uint32_t)c->n);
}

static void sum_where_addresses_usually_are_is_that_of_the_key(void **state)
{
	struct random r = {1};
	unsigned usual = 0;

	(void)state;
	for (unsigned step = 0; step < 300000; step++) {
		const unsigned n = 2 + random_below(&r, 7);
		struct craft c;
		struct frame f = {.data = c.b, .link = LINK_ETHERNET};
		struct pkt p;
		uint32_t sum;

		f.caplen = make_random(&r, &c);
		f.wirelen = (uint32_t)c.n;
		if (!fanout_sum(f.data, f.caplen, &sum) || pkt_decode(&f, &p) != PKT_OK)
			continue;
		usual++;
		if (fanout_of_sum(sum, n) != pkt_fanout(&f, n))
			fail_msg("step %u: protocol %u, %u bytes", step, p.key.proto, f.caplen);
	}
	assert_true(usual > 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_its_fragments_and_errors_meet_in_one_worker),
		cmocka_unit_test(sum_where_addresses_usually_are_is_that_of_the_key),
		cmocka_unit_test(neighbours_are_spread),
		cmocka_unit_test(link_in_front_makes_no_difference),
		cmocka_unit_test(frames_that_are_not_counted_go_to_the_first_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
