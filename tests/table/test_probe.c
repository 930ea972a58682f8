/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_probe.c - which batches are looked at, and what is found in them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>

#include "../flow/random.h"
#include "../packet/craft.h"
#include "base/arena.h"
#include "base/atomics.h"
#include "table/inner.h"
#include "table/probe.h"

#define NOW_NS 1700000000000000000ull
#define MS     1000000ull

struct bench {
	struct arena *arena;
	struct inner *inner;
	struct probe *probe;
};

static void open_bench(struct bench *b, bool by_way)
{
	const struct decap_conf conf = {.kinds = 1u << DECAP_IPIP};
	struct pkt_decoder decoder;
	struct err e;

	pkt_decoder_init(&decoder, &conf);
	decoder.secret[0] = 0x5eed;
	decoder.secret[4] = 0x1eaf;
	assert_int_equal(arena_new(&b->arena, &e), 0);
	assert_int_equal(inner_new(&b->inner, NULL, 0, &e), 0);
	b->probe = probe_new(b->arena, &decoder, by_way);
	assert_non_null(b->probe);
}

static int begin(void **state)
{
	static struct bench b;

	open_bench(&b, false);
	*state = &b;
	return 0;
}

static int end(void **state)
{
	struct bench *b = *state;

	inner_free(b->inner);
	arena_free(b->arena);
	return 0;
}

static uint64_t count_of(const struct bench *b, enum probe_counter i)
{
	struct probe_seen seen;

	probe_read(b->probe, &seen);
	return seen.n[i];
}

static struct frame frame_of(const struct craft *c, uint64_t ts_ns)
{
	return (struct frame){.data = c->b,
			      .caplen = (uint32_t)c->n,
			      .wirelen = (uint32_t)c->n,
			      .link = c->ip ? LINK_ETHERNET : LINK_RAW,
			      .ts_ns = ts_ns};
}

static void show(const struct bench *b, const struct craft *c, uint64_t ts_ns)
{
	const struct frame f = frame_of(c, ts_ns);

	probe_batch(b->probe, b->inner, &f, 1);
}

/* UDP between 10.0.0.src and 10.0.0.dst, in Ethernet. */
static struct craft udp(uint8_t src, uint8_t dst, uint16_t id)
{
	struct craft c = {0};

	craft_ethernet(&c, 0x0800);
	c.ip = c.n;
	craft_ipv4(&c, src, dst, PROTO_UDP, 0, 8);
	craft_set(&c, c.ip + 4, 2, id);
	craft_udp(&c, 1000, 53);
	return c;
}

static struct craft tcp(uint8_t family, uint8_t src, uint8_t dst, uint16_t id, unsigned data)
{
	struct craft c = {0};

	craft_ethernet(&c, family == ADDR_V4 ? 0x0800 : 0x86dd);
	c.ip = c.n;
	craft_ip(&c, family, src, dst, PROTO_TCP, 20 + data);
	if (family == ADDR_V4)
		craft_set(&c, c.ip + 4, 2, id);
	craft_tcp(&c, 1000, 80, PKT_TCP_ACK);
	craft_fill(&c, data, 0x61);
	return c;
}

/* --- which batches ------------------------------------------------------------ */

static void show_full_batches(const struct bench *b, unsigned n)
{
	const struct craft c = udp(1, 2, 7);
	struct frame frames[PROBE_BATCH];

	for (unsigned i = 0; i < PROBE_BATCH; i++)
		frames[i] = frame_of(&c, NOW_NS);
	while (n--)
		probe_batch(b->probe, b->inner, frames, PROBE_BATCH);
}

static void first_batches_are_all_looked_at_then_a_run_now_and_then(void **state)
{
	const struct bench *b = *state;

	show_full_batches(b, PROBE_FIRST);
	assert_int_equal(count_of(b, PROBE_BATCHES), PROBE_FIRST);
	assert_int_equal(count_of(b, PROBE_FRAMES), PROBE_FIRST * PROBE_BATCH);
	show_full_batches(b, PROBE_EVERY - PROBE_FIRST - 1);
	assert_int_equal(count_of(b, PROBE_BATCHES), PROBE_FIRST);
	show_full_batches(b, 1 + PROBE_EVERY - 1);
	assert_int_equal(count_of(b, PROBE_BATCHES), PROBE_FIRST + PROBE_RUN);
	show_full_batches(b, 99 * PROBE_EVERY);
	assert_int_equal(count_of(b, PROBE_BATCHES), PROBE_FIRST + 100 * PROBE_RUN);
}

static void batches_less_than_half_full_are_always_looked_at(void **state)
{
	const struct bench *b = *state;
	const struct craft c = udp(1, 2, 7);

	show_full_batches(b, PROBE_FIRST + 1);
	for (unsigned i = 0; i < 100; i++)
		show(b, &c, NOW_NS);
	assert_int_equal(count_of(b, PROBE_BATCHES), PROBE_FIRST + 100);
}

/* --- repetitions --------------------------------------------------------------- */

static void packet_that_comes_twice_is_a_repetition(void **state)
{
	const struct bench *b = *state;
	struct craft c = udp(1, 2, 7);

	show(b, &c, NOW_NS);
	show(b, &c, NOW_NS + MS);
	assert_int_equal(count_of(b, PROBE_REPEATABLE), 2);
	assert_int_equal(count_of(b, PROBE_REPEATED), 1);
	show(b, &c, NOW_NS); /* out of order, the third */
	assert_int_equal(count_of(b, PROBE_REPEATED), 2);
}

static void what_a_router_or_a_switch_changes_makes_no_difference(void **state)
{
	const struct bench *b = *state;
	struct craft first = udp(1, 2, 7), c = {0};

	show(b, &first, NOW_NS);
	craft_ethernet(&c, 0x8100);
	craft_set(&c, 0, 6, 0x99);
	craft_be(&c, 2, 12); /* a VLAN */
	craft_be(&c, 2, 0x0800);
	c.ip = c.n;
	memcpy(c.b + c.n, first.b + first.ip, first.n - first.ip);
	c.n += first.n - first.ip;
	craft_set(&c, c.ip + 1, 1, 0x28);    /* class of service */
	craft_set(&c, c.ip + 8, 1, 63);	     /* hops */
	craft_set(&c, c.ip + 10, 2, 0xbeef); /* the checksum for it */
	craft_fill(&c, 10, 0);		     /* padding */
	show(b, &c, NOW_NS + MS);
	assert_int_equal(count_of(b, PROBE_REPEATED), 1);
}

static void what_differs_or_comes_later_is_none(void **state)
{
	const struct bench *b = *state;
	struct craft c = udp(1, 2, 7), other = udp(1, 2, 8), third = udp(1, 3, 7);

	show(b, &c, NOW_NS);
	show(b, &other, NOW_NS);
	show(b, &third, NOW_NS);
	show(b, &c, NOW_NS + PROBE_REPEAT_NS + 1);
	show(b, &other, NOW_NS - PROBE_REPEAT_NS - 1);
	assert_int_equal(count_of(b, PROBE_REPEATABLE), 5);
	assert_int_equal(count_of(b, PROBE_REPEATED), 0);
}

static void acknowledgements_without_identification_are_nothing_to_go_by(void **state)
{
	const struct bench *b = *state;
	const struct {
		uint8_t family;
		uint16_t id;
		unsigned data, repeatable;
	} cases[] = {{ADDR_V4, 0, 0, 0},
		     {ADDR_V4, 0, 5, 2},
		     {ADDR_V4, 9, 0, 2},
		     {ADDR_V6, 0, 0, 0},
		     {ADDR_V6, 0, 5, 2}};
	uint64_t sum = 0;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct craft c =
			tcp(cases[i].family, (uint8_t)(10 + i), 2, cases[i].id, cases[i].data);

		show(b, &c, NOW_NS);
		show(b, &c, NOW_NS);
		sum += cases[i].repeatable;
		assert_int_equal(count_of(b, PROBE_REPEATABLE), sum);
		assert_int_equal(count_of(b, PROBE_REPEATED), sum / 2);
	}
}

static void inside_of_an_opened_tunnel_is_what_is_compared(void **state)
{
	const struct bench *b = *state;
	const struct craft inside = udp(1, 2, 7);

	for (uint16_t id = 1; id <= 2; id++) { /* each its own outside */
		struct craft c = {0};

		craft_ethernet(&c, 0x0800);
		c.ip = c.n;
		craft_ipv4(&c, 101, 102, PROTO_IPIP, 0, (unsigned)(inside.n - inside.ip));
		craft_set(&c, c.ip + 4, 2, id);
		memcpy(c.b + c.n, inside.b + inside.ip, inside.n - inside.ip);
		c.n += inside.n - inside.ip;
		show(b, &c, NOW_NS);
	}
	assert_int_equal(count_of(b, PROBE_REPEATED), 1);
}

static void every_cut_of_a_frame_is_looked_at_without_harm(void **state)
{
	const struct bench *b = *state;
	const struct craft frames[] = {udp(1, 2, 7), tcp(ADDR_V4, 1, 2, 9, 50),
				       tcp(ADDR_V6, 1, 2, 0, 50)};

	for (unsigned k = 0; k < 3; k++)
		for (size_t n = 0; n <= frames[k].n; n++) {
			uint8_t *cut = malloc(n ? n : 1); /* for sanitizers */
			struct frame f = frame_of(&frames[k], NOW_NS);

			memcpy(cut, frames[k].b, n);
			f.data = cut;
			f.caplen = (uint32_t)n;
			probe_batch(b->probe, b->inner, &f, 1);
			free(cut);
		}
	assert_int_equal(count_of(b, PROBE_FRAMES), frames[0].n + frames[1].n + frames[2].n + 3);
}

/* --- the rest ------------------------------------------------------------------- */

static void ports_that_are_not_captured_are_told(void **state)
{
	const struct bench *b = *state;
	const struct craft c = tcp(ADDR_V4, 1, 2, 7, 0);
	struct frame f = frame_of(&c, NOW_NS);

	f.caplen = (uint32_t)c.ip + 22;
	probe_batch(b->probe, b->inner, &f, 1);
	f.caplen = (uint32_t)c.n;
	probe_batch(b->probe, b->inner, &f, 1);
	assert_int_equal(count_of(b, PROBE_PACKETS), 2);
	assert_int_equal(count_of(b, PROBE_PORTLESS), 1);
}

static void long_frames_are_told_from_merged_ones_that_say_so(void **state)
{
	const struct bench *b = *state;
	struct craft c = tcp(ADDR_V4, 1, 2, 7, 1460);
	struct frame f = frame_of(&c, NOW_NS);

	probe_batch(b->probe, b->inner, &f, 1); /* 1500 */
	assert_int_equal(count_of(b, PROBE_LONG), 0);
	c = tcp(ADDR_V4, 1, 2, 7, 1500);
	f = frame_of(&c, NOW_NS);
	probe_batch(b->probe, b->inner, &f, 1);
	assert_int_equal(count_of(b, PROBE_LONG), 1);
	assert_int_equal(count_of(b, PROBE_LONGEST), 1540);
	f.gso_proto = PROTO_TCP;
	f.gso_size = 750;
	probe_batch(b->probe, b->inner, &f, 1);
	assert_int_equal(count_of(b, PROBE_LONG), 1);
	assert_int_equal(count_of(b, PROBE_MERGED), 1);
	assert_int_equal(count_of(b, PROBE_REPEATED), 0);
}

static void connections_with_tags_one_way_are_told(void **state)
{
	const struct bench *b = *state;
	/* tag there, tag back */
	const uint16_t tags[][2] = {{0, 0}, {0x8100, 0x8100}, {0x8100, 0}, {0, 0x88a8}};

	for (uint8_t i = 0; i < 4; i++) {
		for (unsigned way = 0; way < 4; way++) { /* twice each */
			const struct craft c = tcp(ADDR_V4, way & 1 ? 2 : (uint8_t)(10 + i),
						   way & 1 ? (uint8_t)(10 + i) : 2, 7, 0);
			struct craft turned = c;
			struct frame f;

			if (way & 1) { /* the ports, too */
				craft_set(&turned, turned.ip + 20, 2, 80);
				craft_set(&turned, turned.ip + 22, 2, 1000);
			}
			f = frame_of(&turned, NOW_NS);
			f.vlan_tpid = tags[i][way & 1];
			probe_batch(b->probe, b->inner, &f, 1);
		}
		assert_int_equal(count_of(b, PROBE_PAIRS), i + 1);
		assert_int_equal(count_of(b, PROBE_HALF_TAGGED), i < 2 ? 0 : i - 1);
	}
}

/* From 198.51.100.x to anywhere. */
static void show_transit(const struct bench *b, struct random *r)
{
	struct craft c = udp(1, 2, 7);

	craft_set(&c, c.ip + 12, 4, 0xc6336400u + random_below(r, 256));
	craft_set(&c, c.ip + 16, 4, 0x08000000u + random_below(r, 0x01000000));
	show(b, &c, NOW_NS);
}

static uint64_t ends_of(const struct probe_seen *seen, const char *net)
{
	struct addr a;
	uint8_t family;

	assert_int_equal(addr_parse(&a, &family, net, NULL), 0);
	for (unsigned i = 0; i < PROBE_NETS; i++)
		if (seen->nets[i].family == family && addr_equal(&seen->nets[i].addr, &a))
			return seen->nets[i].ends;
	return 0;
}

static void network_that_is_in_all_transit_packets_is_found_among_thousands(void **state)
{
	const struct bench *b = *state;
	struct random r = {20261124};
	struct probe_seen seen;
	struct craft c = {0};

	for (unsigned i = 0; i < 3000; i++)
		show_transit(b, &r);
	craft_ethernet(&c, 0x86dd);
	c.ip = c.n;
	craft_ipv6(&c, 1, 2, PROTO_UDP, 8);
	craft_set(&c, c.ip + 8, 2, 0x2001);
	craft_set(&c, c.ip + 24, 2, 0x2002);
	craft_udp(&c, 1, 2);
	for (unsigned i = 0; i < 500; i++)
		show(b, &c, NOW_NS);
	probe_read(b->probe, &seen);
	assert_int_equal(seen.n[PROBE_TRANSIT], 3500);
	assert_in_range(ends_of(&seen, "198.51.100.0"), 3000, 3000 + 7000 / PROBE_NETS);
	assert_in_range(ends_of(&seen, "2001::"), 500, 500 + 7000 / PROBE_NETS);
	for (unsigned i = 0; i < PROBE_NETS; i++)
		if (seen.nets[i].addr.b[0] == 8)
			assert_in_range(seen.nets[i].ends, 0, 7000 / PROBE_NETS);
}

static void inner_and_multicast_addresses_are_in_no_network(void **state)
{
	const struct bench *b = *state;
	struct craft c = udp(1, 2, 7);
	struct probe_seen seen;

	show(b, &c, NOW_NS);
	craft_set(&c, c.ip + 12, 4, 0xc6336401u);
	show(b, &c, NOW_NS); /* one end is inner */
	assert_int_equal(count_of(b, PROBE_TRANSIT), 0);
	craft_set(&c, c.ip + 16, 4, 0xe0000001u);
	show(b, &c, NOW_NS);
	probe_read(b->probe, &seen);
	assert_int_equal(seen.n[PROBE_TRANSIT], 1);
	assert_int_equal(ends_of(&seen, "198.51.100.0"), 1);
	assert_int_equal(seen.nets[1].family, 0);
}

static void where_direction_tells_hosts_there_is_no_transit(void **state)
{
	struct bench b;
	struct random r = {1};
	void *of_b = &b;

	(void)state;
	open_bench(&b, true);
	show_transit(&b, &r);
	assert_int_equal(count_of(&b, PROBE_PACKETS), 1);
	assert_int_equal(count_of(&b, PROBE_TRANSIT), 0);
	end(&of_b);
}

static void what_several_saw_is_added(void **state)
{
	const struct bench *b = *state;
	struct probe_seen sum = {.n = {0}}, seen;
	struct random r = {7};

	show_transit(b, &r);
	probe_read(b->probe, &seen);
	seen.n[PROBE_LONGEST] = 2000;
	probe_add(&sum, &seen);
	seen.n[PROBE_LONGEST] = 1600;
	probe_add(&sum, &seen);
	assert_int_equal(sum.n[PROBE_FRAMES], 2);
	assert_int_equal(sum.n[PROBE_LONGEST], 2000);
	assert_int_equal(ends_of(&sum, "198.51.100.0"), 2);
	for (unsigned i = 0; i < PROBE_NETS; i++) { /* as many others, each with more */
		seen.nets[i].addr.b[0] = (uint8_t)(20 + i);
		seen.nets[i].family = ADDR_V4;
		seen.nets[i].ends = 10 + i;
	}
	probe_add(&sum, &seen);
	assert_int_equal(ends_of(&sum, "198.51.100.0"), 0);
	for (unsigned i = 0; i < PROBE_NETS; i++)
		assert_true(sum.nets[i].ends >= 10);
}

/* --- threads --------------------------------------------------------------------- */

struct writer {
	const struct bench *b;
	bool stop;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;

	while (!load_relaxed(&w->stop))
		show_full_batches(w->b, 1);
	return NULL;
}

static void reader_sees_whole_batches(void **state)
{
	struct writer w = {.b = *state};
	struct probe_seen seen;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, write_on, &w), 0);
	do {
		probe_read(w.b->probe, &seen);
		assert_int_equal(seen.n[PROBE_FRAMES], seen.n[PROBE_BATCHES] * PROBE_BATCH);
	} while (seen.n[PROBE_BATCHES] < PROBE_FIRST + 20 * PROBE_RUN);
	store_relaxed(&w.stop, true);
	pthread_join(t, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_batches_are_all_looked_at_then_a_run_now_and_then),
		TEST(batches_less_than_half_full_are_always_looked_at),
		TEST(packet_that_comes_twice_is_a_repetition),
		TEST(what_a_router_or_a_switch_changes_makes_no_difference),
		TEST(what_differs_or_comes_later_is_none),
		TEST(acknowledgements_without_identification_are_nothing_to_go_by),
		TEST(inside_of_an_opened_tunnel_is_what_is_compared),
		TEST(every_cut_of_a_frame_is_looked_at_without_harm),
		TEST(ports_that_are_not_captured_are_told),
		TEST(long_frames_are_told_from_merged_ones_that_say_so),
		TEST(connections_with_tags_one_way_are_told),
		TEST(network_that_is_in_all_transit_packets_is_found_among_thousands),
		TEST(inner_and_multicast_addresses_are_in_no_network),
		cmocka_unit_test(where_direction_tells_hosts_there_is_no_transit),
		TEST(what_several_saw_is_added),
		TEST(reader_sees_whole_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
