/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fragments.c - the store of fragments beside a naive model, one list of
 * datagrams looked through from end to end; and in floods.
 *
 * The model knows what fragments.h promises. Who has to leave a full set is
 * compared with a hash so bad that there is one set only.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "flow/fragments.h"
#include "random.h"

#define START_NS (1700000000 * NS_PER_SEC + 123456789)
#define LIFE_NS	 (FRAGMENTS_LIFE_SEC * NS_PER_SEC)
#define SET	 8
#define BYTES	 100 /* of each packet */

static struct arena *arena;
static struct fragments *store;

static void open_store(uint32_t datagrams_max, uint64_t hash_mask)
{
	struct fragments_conf c = {.datagrams_max = datagrams_max, .hash_mask = hash_mask};
	struct random r = {4711};
	struct err e = {""};

	for (size_t i = 0; i < sizeof(c.secret); i++)
		c.secret[i] = (uint8_t)random_next(&r);
	assert_int_equal(arena_new(&arena, &e), 0);
	assert_int_equal(fragments_new(&store, &c, arena, &e), 0);
	fragments_clock(store, START_NS);
}

static void close_store(void)
{
	arena_free(arena);
}

/* --- fragments ------------------------------------------------------------------ */

struct datagram {
	uint8_t family, proto;
	uint8_t src, dst; /* last byte of the address */
	uint32_t id;
	uint16_t sport; /* of its first fragment; the other port is 53 */
};

static struct addr addr_of(const struct datagram *d, uint8_t last)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	a.b[0] = d->family == ADDR_V4 ? 10 : 0xfd;
	a.b[d->family == ADDR_V4 ? 3 : 15] = last;
	return a;
}

static struct pkt make_pkt(const struct datagram *d, enum pkt_fragment fragment, uint64_t ts_ns)
{
	struct pkt p;

	memset(&p, 0xa5, sizeof(p));
	p.verdict = PKT_OK;
	p.family = d->family;
	p.fragment = (uint8_t)fragment;
	p.frag_id = d->id;
	p.kind = fragment == PKT_LATER ? PKT_KIND_FRAGMENT : PKT_KIND_FLOW;
	p.side = d->src > d->dst;
	p.key.addr[p.side] = addr_of(d, d->src);
	p.key.addr[!p.side] = addr_of(d, d->dst);
	p.key.port[p.side] = fragment == PKT_LATER ? 0 : d->sport;
	p.key.port[!p.side] = fragment == PKT_LATER ? 0 : 53;
	p.key.proto = d->proto;
	p.key.family = d->family;
	p.key.zero = 0;
	if (fragment == PKT_LATER) {
		p.own[0] = addr_of(d, d->src);
		p.own[1] = addr_of(d, d->dst);
	}
	p.packets = 1;
	p.ip_bytes = BYTES;
	p.ts_ns = ts_ns;
	return p;
}

/* Returns how many packets had waited. */
static uint64_t first(const struct datagram *d, uint64_t ts_ns)
{
	const struct pkt p = make_pkt(d, PKT_FIRST, ts_ns);
	const struct fragments_early early = fragments_first(store, &p);

	assert_int_equal(early.bytes, early.packets * BYTES);
	return early.packets;
}

/* Whether the first was known; then of the flow from port d->sport. */
static bool later(const struct datagram *d, uint64_t ts_ns)
{
	const struct pkt f = make_pkt(d, PKT_FIRST, ts_ns), unknown = make_pkt(d, PKT_LATER, ts_ns);
	struct pkt p = unknown;

	if (!fragments_later(store, &p)) {
		assert_memory_equal(&p, &unknown, sizeof(p));
		return false;
	}
	assert_memory_equal(&p.key, &f.key, sizeof(p.key));
	assert_int_equal(p.side, f.side);
	assert_int_equal(p.kind, PKT_KIND_FRAGMENT);
	return true;
}

static const struct datagram some = {ADDR_V4, PROTO_UDP, 2, 1, 77, 1000};

/* --- one by one ------------------------------------------------------------------- */

static void later_fragments_get_the_flow_of_the_first(void **state)
{
	(void)state;
	open_store(64, UINT64_MAX);
	assert_int_equal(first(&some, START_NS), 0);
	assert_true(later(&some, START_NS + 1));
	assert_true(later(&some, START_NS + 2));
	close_store();
}

static void early_fragments_are_told_when_the_first_comes_and_once(void **state)
{
	struct fragments_stats s;

	(void)state;
	open_store(64, UINT64_MAX);
	for (unsigned i = 0; i < 5; i++)
		assert_false(later(&some, START_NS + i));
	assert_int_equal(first(&some, START_NS + 5), 5);
	assert_true(later(&some, START_NS + 6));
	assert_int_equal(first(&some, START_NS + 7), 0);
	fragments_stats(store, &s);
	assert_int_equal(s.capacity, 64);
	assert_int_equal(s.early, 5);
	assert_int_equal(s.credited, 5);
	assert_int_equal(s.firsts, 2);
	assert_int_equal(s.matched, 1);
	assert_int_equal(s.evicted, 0);
	close_store();
}

static void early_fragments_of_more_than_32_bits_are_told(void **state)
{
	struct pkt p = make_pkt(&some, PKT_LATER, START_NS);
	struct fragments_early early;

	(void)state;
	open_store(64, UINT64_MAX);
	p.packets = p.ip_bytes = UINT32_MAX;
	for (unsigned i = 0; i < 3; i++)
		assert_false(fragments_later(store, &p));
	p = make_pkt(&some, PKT_FIRST, START_NS);
	early = fragments_first(store, &p);
	assert_int_equal(early.packets, 3ull * UINT32_MAX);
	assert_int_equal(early.bytes, 3ull * UINT32_MAX);
	close_store();
}

static void another_first_takes_over(void **state)
{
	struct datagram again = some;

	(void)state;
	open_store(64, UINT64_MAX);
	first(&some, START_NS);
	assert_true(later(&some, START_NS));
	again.sport = 2000;
	assert_int_equal(first(&again, START_NS), 0);
	assert_true(later(&again, START_NS)); /* compares the port */
	close_store();
}

static void datagrams_differ_by_addresses_id_and_protocol(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		struct datagram d = some;

		open_store(64, i % 2 ? UINT64_MAX : 0);
		first(&some, START_NS);
		switch (i) {
		case 0:
			d.id++;
			break;
		case 1:
			d.id += 0x10000;
			break;
		case 2:
			d.src = 9;
			break;
		case 3:
			d.dst = 9;
			break;
		case 4: /* the other way */
			d.src = some.dst;
			d.dst = some.src;
			break;
		case 5:
			d.proto = PROTO_TCP;
			break;
		default:
			d.family = ADDR_V6;
			break;
		}
		assert_false(later(&d, START_NS));
		assert_true(later(&some, START_NS));
		close_store();
	}
}

static void protocol_is_no_part_of_an_ipv6_datagram(void **state)
{
	struct datagram d = some;
	struct pkt p;

	(void)state;
	open_store(64, UINT64_MAX);
	d.family = ADDR_V6;
	first(&d, START_NS);
	d.proto = PROTO_DSTOPTS;
	p = make_pkt(&d, PKT_LATER, START_NS);
	assert_true(fragments_later(store, &p));
	assert_int_equal(p.key.proto, PROTO_UDP);
	close_store();
}

/* --- time -------------------------------------------------------------------------- */

static void a_datagram_is_forgotten_after_its_life(void **state)
{
	(void)state;
	for (unsigned by_clock = 0; by_clock < 2; by_clock++) {
		const uint64_t second_ns = START_NS - START_NS % NS_PER_SEC;
		const uint64_t end_ns = by_clock ? second_ns + LIFE_NS : START_NS + LIFE_NS;
		const uint64_t born_ns = by_clock ? second_ns : START_NS;

		open_store(64, UINT64_MAX);
		first(&some, born_ns);
		fragments_clock(store, end_ns - 1);
		assert_true(later(&some, by_clock ? born_ns : end_ns - 1));
		fragments_clock(store, end_ns);
		assert_false(later(&some, by_clock ? born_ns : end_ns));
		/* nor do early ones wait longer, or come back by an earlier stamp */
		fragments_clock(store, end_ns + LIFE_NS);
		assert_int_equal(first(&some, end_ns + LIFE_NS), 0);
		close_store();
	}
}

static void early_fragments_make_no_datagram_live_longer(void **state)
{
	(void)state;
	open_store(64, UINT64_MAX);
	for (unsigned i = 0; i < FRAGMENTS_LIFE_SEC; i++) {
		fragments_clock(store, START_NS + i * NS_PER_SEC);
		assert_false(later(&some, START_NS + i * NS_PER_SEC));
	}
	/* the first is 30 s old: only what comes now is told */
	assert_false(later(&some, START_NS + LIFE_NS));
	assert_int_equal(first(&some, START_NS + LIFE_NS), 1);
	/* and its life begins anew with the first fragment */
	fragments_clock(store, START_NS + 2 * LIFE_NS - NS_PER_SEC);
	assert_true(later(&some, START_NS + 2 * LIFE_NS - 1));
	assert_false(later(&some, START_NS + 2 * LIFE_NS));
	close_store();
}

static void wild_stamps_count_as_the_clocks_second(void **state)
{
	static const uint64_t wild[] = {0, 1000, START_NS - 2 * LIFE_NS, START_NS + 2 * LIFE_NS,
					UINT64_MAX - 2 * LIFE_NS};

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		open_store(8, 0);
		first(&some, wild[i]);
		assert_true(later(&some, wild[i]));
		assert_true(later(&some, START_NS));
		fragments_clock(store, START_NS + LIFE_NS);
		assert_false(later(&some, START_NS + LIFE_NS));
		close_store();
	}
}

/* --- the model ---------------------------------------------------------------------- */

#define KEYS 24

enum model_kind { NOT_THERE, SINGLE, EARLY, PROVEN, MODEL_KINDS };

struct model {
	struct datagram keys[KEYS];
	enum model_kind kind[KEYS];
	uint64_t born_ns[KEYS];
	uint64_t early[KEYS];
	uint16_t sport[KEYS]; /* of the first that counts */
	uint64_t clock_ns, evicted;
	bool one_set;
	unsigned seed, step;
};

/* What has been looked at by this stamp is gone for earlier ones, too. */
static void model_forget(struct model *m, unsigned key, uint64_t ts_ns)
{
	const uint64_t second_ns = m->clock_ns - m->clock_ns % NS_PER_SEC;
	const uint64_t now_ns = ts_ns > second_ns ? ts_ns : second_ns;

	for (unsigned k = 0; k < KEYS; k++)
		if ((m->one_set || k == key) && m->born_ns[k] + LIFE_NS <= now_ns)
			m->kind[k] = NOT_THERE;
}

/* As fragments.h has it: of the kind most above its share, the newcomer's own
 * among equals, the oldest leaves. */
static void model_enter(struct model *m, unsigned key, enum model_kind kind, uint64_t ts_ns)
{
	static const int share[MODEL_KINDS] = {0, 2, 2, 4};
	int n[MODEL_KINDS] = {0};
	enum model_kind leaver = kind;
	unsigned live = 0, oldest = KEYS;

	for (unsigned k = 0; k < KEYS; k++) {
		n[m->kind[k]]++;
		live += m->kind[k] != NOT_THERE;
	}
	n[kind]++;
	if (m->one_set && live == SET) {
		for (enum model_kind k = SINGLE; k < MODEL_KINDS; k++)
			if (n[k] - share[k] > n[leaver] - share[leaver])
				leaver = k;
		for (unsigned k = 0; k < KEYS; k++)
			if (m->kind[k] == leaver &&
			    (oldest == KEYS || m->born_ns[k] < m->born_ns[oldest]))
				oldest = k;
		m->kind[oldest] = NOT_THERE;
		m->evicted++;
	}
	m->kind[key] = kind;
	m->born_ns[key] = ts_ns;
	m->early[key] = 0;
}

static void model_first(struct model *m, unsigned k, uint64_t ts_ns)
{
	uint64_t told = 0;

	if (m->kind[k] == NOT_THERE) {
		model_enter(m, k, SINGLE, ts_ns);
	} else if (m->kind[k] == EARLY) {
		told = m->early[k];
		m->kind[k] = PROVEN;
	}
	m->born_ns[k] = ts_ns;
	m->sport[k] = m->keys[k].sport = (uint16_t)(1000 + m->step % 100);
	expect(first(&m->keys[k], ts_ns) == told, m->seed, m->step);
}

static void model_later(struct model *m, unsigned k, uint64_t ts_ns)
{
	if (m->kind[k] == NOT_THERE)
		model_enter(m, k, EARLY, ts_ns);
	if (m->kind[k] == EARLY)
		m->early[k]++;
	else
		m->kind[k] = PROVEN;
	m->keys[k].sport = m->sport[k];
	expect(later(&m->keys[k], ts_ns) == (m->kind[k] == PROVEN), m->seed, m->step);
}

static void run_model(unsigned seed, bool one_set, unsigned keys)
{
	struct model m = {.seed = seed, .one_set = one_set, .clock_ns = START_NS};
	struct random r = {seed};
	struct fragments_stats s;

	/* Without a limit: more sets than datagrams, all with a tag of 2 bits. */
	open_store(one_set ? SET : 4096 * SET, one_set ? 3 : ~0xfffcull);
	for (unsigned k = 0; k < keys; k++)
		m.keys[k] = (struct datagram){.family = k & 1 ? ADDR_V4 : ADDR_V6,
					      .proto = k & 2 && k & 1 ? PROTO_TCP : PROTO_UDP,
					      .src = k & 4 ? 1 : 2,
					      .dst = k & 4 ? 2 : 1,
					      .id = k / 8 + (k & 2 && !(k & 1) ? 100 : 0)};
	for (m.step = 0; m.step < 30000; m.step++) {
		const unsigned k = random_below(&r, keys);
		/* No two alike; some stamped up to 5 s before others that came first. */
		const uint64_t ts_ns = m.clock_ns - m.clock_ns % 1000000 + m.step -
				       random_below(&r, 50) * 100000000ull;

		model_forget(&m, k, ts_ns);
		if (random_below(&r, 2))
			model_first(&m, k, ts_ns);
		else
			model_later(&m, k, ts_ns);
		m.clock_ns += random_below(&r, 8) ? random_below(&r, 1000000) * 1000ull
						  : random_below(&r, 12) * NS_PER_SEC;
		fragments_clock(store, m.clock_ns);
	}
	fragments_stats(store, &s);
	expect(s.evicted == m.evicted, seed, m.step);
	expect(one_set ? s.evicted > 1000 : s.evicted == 0, seed, m.step);
	close_store();
}

static void random_fragments_fare_as_in_the_model(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		run_model(seed, true, KEYS);
		run_model(seed, false, KEYS);
	}
}

/* --- floods -------------------------------------------------------------------------- */

#define STORE	4096
#define STREAMS 100

enum flood { FLOOD_FIRSTS, FLOOD_LATERS, FLOOD_BOTH, FLOOD_ONE_PAIR, FLOODS };

/* Packet i of a flood: from senders all over, or all of one. */
static void put_flood(enum flood flood, uint32_t i, uint64_t ts_ns)
{
	const bool is_first = flood == FLOOD_FIRSTS || (flood == FLOOD_BOTH && i & 1) ||
			      (flood == FLOOD_ONE_PAIR && i % 3);
	const struct datagram d = {ADDR_V4, PROTO_UDP, 200, 100, i & 0xffff, 7};
	struct pkt p = make_pkt(&d, is_first ? PKT_FIRST : PKT_LATER, ts_ns);

	if (flood != FLOOD_ONE_PAIR)
		memcpy(is_first ? &p.key.addr[1].b[4] : &p.own[0].b[4], &i, sizeof(i));
	if (is_first)
		fragments_first(store, &p);
	else
		fragments_later(store, &p);
}

static struct datagram stream(unsigned i, uint32_t id)
{
	return (struct datagram){ADDR_V4, PROTO_UDP, (uint8_t)(1 + i),
				 250,	  id,	     (uint16_t)(1000 + i)};
}

static void proven_datagrams_survive_floods_of_halves(void **state)
{
	(void)state;
	for (enum flood flood = 0; flood < FLOODS; flood++) {
		struct fragments_stats s;

		open_store(STORE, UINT64_MAX);
		for (unsigned i = 0; i < STREAMS; i++) {
			struct datagram d = stream(i, 5);

			assert_int_equal(first(&d, START_NS), 0);
			assert_true(later(&d, START_NS));
		}
		for (uint32_t i = 0; i < 100 * STORE; i++)
			put_flood(flood, i, START_NS + 1 + i);
		for (unsigned i = 0; i < STREAMS; i++) {
			struct datagram d = stream(i, 5);
			assert_true(later(&d, START_NS + NS_PER_SEC));
		}
		fragments_stats(store, &s);
		assert_true(s.evicted > 50 * STORE);
		close_store();
	}
}

/* Each datagram of a stream begins and ends while the flood goes on, with 16
 * of its packets, or 64, between any two. */
static void streams_go_on_in_floods(void **state)
{
	(void)state;
	for (enum flood flood = 0; flood < FLOODS; flood++)
		for (unsigned reversed = 0; reversed < 2; reversed++) {
			unsigned whole = 0, rounds = 20;
			uint64_t ts_ns = START_NS;
			uint32_t n = 0;

			open_store(STORE, UINT64_MAX);
			for (; n < 10 * STORE; n++)
				put_flood(flood, n, ts_ns++);
			for (unsigned i = 0; i < STREAMS * rounds; i++) {
				const uint32_t between = i & 1 ? 64 : 16;
				struct datagram d = stream(i % STREAMS, i);
				bool got;

				got = reversed ? !later(&d, ts_ns++) : first(&d, ts_ns++) == 0;
				for (uint32_t k = 0; k < between; k++)
					put_flood(flood, n++, ts_ns++);
				got &= reversed ? first(&d, ts_ns++) == 1 : later(&d, ts_ns++);
				for (uint32_t k = 0; k < between; k++)
					put_flood(flood, n++, ts_ns++);
				got &= later(&d, ts_ns++);
				whole += got;
			}
			/* Of several thousand none, or an unlucky one. */
			assert_true(whole >= STREAMS * rounds * 999 / 1000);
			close_store();
		}
}

/* Early fragments wait through a flood of firsts, and firsts are kept through
 * one of later fragments. */
static void a_half_survives_a_flood_of_the_other(void **state)
{
	(void)state;
	for (enum flood flood = FLOOD_FIRSTS; flood <= FLOOD_LATERS; flood++) {
		unsigned lost = 0;

		open_store(STORE, UINT64_MAX);
		for (unsigned i = 0; i < STREAMS; i++) {
			struct datagram d = stream(i, 5);

			if (flood == FLOOD_FIRSTS)
				assert_false(later(&d, START_NS));
			else
				assert_int_equal(first(&d, START_NS), 0);
		}
		for (uint32_t i = 0; i < 100 * STORE; i++)
			put_flood(flood, i, START_NS + 1 + i);
		for (unsigned i = 0; i < STREAMS; i++) {
			struct datagram d = stream(i, 5);

			if (flood == FLOOD_FIRSTS)
				lost += first(&d, START_NS + NS_PER_SEC) != 1;
			else
				lost += !later(&d, START_NS + NS_PER_SEC);
		}
		/* Three in one set of 512 are rare among 100. */
		assert_true(lost <= 2);
		close_store();
	}
}

/* --- set-up --------------------------------------------------------------------------- */

static void sizes_that_cannot_be_are_refused(void **state)
{
	struct fragments_conf c = {.hash_mask = UINT64_MAX};
	struct err e = {""};

	(void)state;
	assert_int_equal(arena_new(&arena, &e), 0);
	assert_int_equal(fragments_new(&store, &c, arena, &e), -EINVAL);
	assert_non_null(strstr(e.text, "0 datagrams"));
	c.datagrams_max = UINT32_MAX;
	assert_int_equal(fragments_new(&store, &c, arena, &e), -EINVAL);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_fragments_get_the_flow_of_the_first),
		cmocka_unit_test(early_fragments_are_told_when_the_first_comes_and_once),
		cmocka_unit_test(early_fragments_of_more_than_32_bits_are_told),
		cmocka_unit_test(another_first_takes_over),
		cmocka_unit_test(datagrams_differ_by_addresses_id_and_protocol),
		cmocka_unit_test(protocol_is_no_part_of_an_ipv6_datagram),
		cmocka_unit_test(a_datagram_is_forgotten_after_its_life),
		cmocka_unit_test(early_fragments_make_no_datagram_live_longer),
		cmocka_unit_test(wild_stamps_count_as_the_clocks_second),
		cmocka_unit_test(random_fragments_fare_as_in_the_model),
		cmocka_unit_test(proven_datagrams_survive_floods_of_halves),
		cmocka_unit_test(streams_go_on_in_floods),
		cmocka_unit_test(a_half_survives_a_flood_of_the_other),
		cmocka_unit_test(sizes_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
