/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hash.c - can somebody who knows how the flow table hashes, but not its
 * secret, choose tuples that meet in few buckets?
 *
 * The hash is a sum of two folded products, folded once more with the rest of
 * the key (packet/pkt.h). Whoever knows the secret can make a factor 0, so that
 * the other one no longer matters: any number of tuples then has one hash. That
 * is done here, for one secret and for one that somebody forgot to fill, and by
 * trying, too; then it is seen what becomes of those tuples under another secret.
 *
 * The bound: n tuples that fall into b buckets by chance leave the longest one
 * at m or more with a probability below b * P(Poisson(n/b) >= m). bound() is the
 * smallest m for which that is below 1e-9.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow/flow_table.h"
#include "random.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define TUPLES	(1u << 20)
#define BUCKETS (TUPLES / 8) /* 8 on average, as in a full table */
#define BATCH	64
#define SECRETS 3
#define SQUEEZE 16 /* a tuple is kept whose bucket is in the first one of so many parts */
#define START	(1700000000 * 1000000000ull)

_Static_assert(sizeof(struct pkt_key) == 40, "the crafted tuples are made for this length");

struct secret {
	uint64_t w[PKT_KEY_SECRETS];
};

static void make_secret(struct secret *s, uint64_t seed)
{
	struct random r = {seed};

	for (size_t i = 0; i < PKT_KEY_SECRETS; i++)
		s->w[i] = random_next(&r);
}

/* What the attacker knows: another secret, or that it is all 0. */
static const struct secret *known(bool is_default)
{
	static struct secret other;
	static const struct secret standard;

	make_secret(&other, 4711);
	return is_default ? &standard : &other;
}

static uint64_t hash_with(const struct secret *s, const struct pkt_key *k)
{
	return pkt_key_hash(k, s->w);
}

/* By either half of the hash. */
static uint32_t bucket_of(uint64_t hash, unsigned half)
{
	return (uint32_t)((half ? hash >> 32 : hash & UINT32_MAX) * BUCKETS >> 32);
}

/* --- tuples ------------------------------------------------------------------- */

static void random_key(struct pkt_key *k, struct random *r)
{
	memset(k, 0, sizeof(*k));
	for (unsigned i = 0; i < 2; i++) {
		k->addr[0].w[i] = random_next(r);
		k->addr[1].w[i] = random_next(r);
	}
	k->port[0] = (uint16_t)random_next(r);
	k->port[1] = (uint16_t)random_next(r);
	k->proto = PROTO_UDP;
	k->family = ADDR_V6;
}

static void plain_key(struct pkt_key *k, uint8_t family)
{
	static const struct addr ends[2] = {{.b = {10, 0, 0, 1}}, {.b = {198, 18, 0, 1}}};

	memset(k, 0, sizeof(*k));
	memcpy(k->addr, ends, sizeof(ends));
	k->port[0] = 1024;
	k->port[1] = 443;
	k->proto = PROTO_TCP;
	k->family = family;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * (3 - i));
}

static void by_chance(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)i;
	random_key(k, r);
}

static void tried(struct pkt_key *k, struct random *r, bool is_default)
{
	const struct secret *s = known(is_default);

	do
		random_key(k, r);
	while (bucket_of(hash_with(s, k), 0) >= BUCKETS / SQUEEZE);
}

static void tried_with_another_secret(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)i;
	tried(k, r, false);
}

static void tried_without_a_key(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)i;
	tried(k, r, true);
}

/* Bytes 8 to 15 of the second address do not count with the known secret: what
 * they are multiplied with is 0. */
static void annulled(struct pkt_key *k, uint32_t i, bool is_default)
{
	const struct secret *s = known(is_default);

	plain_key(k, ADDR_V6);
	k->addr[0].w[1] = s->w[2];
	put32(k->addr[1].b + 12, i);
}

static void annulled_with_another_secret(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	annulled(k, i, false);
}

static void annulled_without_a_key(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	annulled(k, i, true);
}

static void sequential_sources(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	plain_key(k, ADDR_V4);
	put32(k->addr[1].b, 0xc6120000 + i);
}

static void addresses_a_power_of_two_apart(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	plain_key(k, ADDR_V4);
	put32(k->addr[1].b, i << 12 | i >> 20);
}

static void sequential_ports(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	plain_key(k, ADDR_V4);
	k->port[0] = (uint16_t)i;
	k->port[1] = (uint16_t)(i >> 16);
}

static void low_halves_of_a_64(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	plain_key(k, ADDR_V6);
	put32(k->addr[0].b + 12, i);
}

/* Two to four bits of one tuple turned over. */
static void turned_bits(struct pkt_key *k, uint32_t i, struct random *r)
{
	uint8_t *b = (uint8_t *)k;

	(void)r;
	plain_key(k, ADDR_V6);
	for (unsigned n = 0; n < 4; n++) {
		const unsigned bit = (i >> 5 * n & 31) + 32 * (2 * n + (i >> 5 * n & 1));

		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Every word the same number: what cancels itself in weaker sums. */
static void equal_words(struct pkt_key *k, uint32_t i, struct random *r)
{
	(void)r;
	plain_key(k, ADDR_V6);
	for (unsigned w = 0; w < 4; w++) {
		put32(k->addr[0].b + 4 * w, i);
		put32(k->addr[1].b + 4 * w, i);
	}
}

static const struct family {
	const char *name;
	void (*make)(struct pkt_key *k, uint32_t i, struct random *r);
} families[] = {
	{"by chance", by_chance},
	{"tried with another secret", tried_with_another_secret},
	{"tried without a key", tried_without_a_key},
	{"annulled with another secret", annulled_with_another_secret},
	{"annulled without a key", annulled_without_a_key},
	{"sequential sources", sequential_sources},
	{"addresses a power of two apart", addresses_a_power_of_two_apart},
	{"sequential ports", sequential_ports},
	{"low halves of a /64", low_halves_of_a_64},
	{"turned bits", turned_bits},
	{"equal words", equal_words},
};

/* --- buckets ---------------------------------------------------------------------- */

static unsigned bound(double tuples, double buckets)
{
	const double mean = tuples / buckets;
	double term = exp(-mean); /* P(X = m) */
	unsigned m = 0;

	/* The tail from its first terms: 1 less the rest would lose its digits. */
	for (;; m++) {
		double tail = 0, t = term;

		for (unsigned i = 1; i < 200; i++) {
			tail += t;
			t *= mean / (m + i);
		}
		if (buckets * tail < 1e-9)
			return m;
		term *= mean / (m + 1);
	}
}

static unsigned longest(const uint32_t *sizes)
{
	uint32_t most = 0;

	for (uint32_t b = 0; b < BUCKETS; b++)
		most = sizes[b] > most ? sizes[b] : most;
	return most;
}

static void ignore_flow(void *arg, const struct flow *f)
{
	(void)arg;
	(void)f;
}

static void ignore_end(void *arg, const struct flow *f, uint64_t end_ns)
{
	(void)arg;
	(void)f;
	(void)end_ns;
}

static struct flow_table *table_new(const struct secret *s, uint32_t flows_max,
				    struct arena **arena)
{
	struct flow_table_conf c = {
		.flows_max = flows_max,
		.hash_mask = UINT64_MAX,
		.ended = ignore_end,
		.opened = ignore_flow,
	};
	struct flow_table *t;

	flow_timeouts_init(&c.timeouts);
	memcpy(c.secret, s->w, sizeof(c.secret));
	assert_int_equal(arena_new(arena, NULL), 0);
	assert_int_equal(flow_table_new(&t, &c, *arena, NULL), 0);
	return t;
}

/* The longest bucket by each half of the table's own hash. */
static void fill_buckets(const struct family *f, const struct secret *s, unsigned most[2])
{
	static uint32_t sizes[2][BUCKETS];
	static struct pkt pkts[BATCH];
	struct random r = {99};
	struct arena *arena;
	struct flow_table *t = table_new(s, 16, &arena);

	memset(sizes, 0, sizeof(sizes));
	for (uint32_t i = 0; i < TUPLES; i += BATCH) {
		for (unsigned n = 0; n < BATCH; n++)
			f->make(&pkts[n].key, i + n, &r);
		for (unsigned n = 0; n < BATCH; n++)
			flow_table_hash(t, &pkts[n]);
		for (unsigned n = 0; n < BATCH; n++)
			for (unsigned half = 0; half < 2; half++)
				sizes[half][bucket_of(pkts[n].hash, half)]++;
	}
	for (unsigned half = 0; half < 2; half++)
		most[half] = longest(sizes[half]);
	arena_free(arena);
}

static void crafted_tuples_fill_no_bucket_more_than_random_ones(void **state)
{
	const unsigned limit = bound(TUPLES, BUCKETS);

	(void)state;
	assert_in_range(limit, 25, 40);
	for (uint64_t seed = 1; seed <= SECRETS; seed++) {
		struct secret s;

		make_secret(&s, seed);
		for (size_t i = 0; i < COUNT(families); i++) {
			unsigned most[2];

			fill_buckets(&families[i], &s, most);
			print_message("secret %u, %s: %u and %u of at most %u\n", (unsigned)seed,
				      families[i].name, most[0], most[1], limit - 1);
			if (most[0] >= limit || most[1] >= limit)
				fail_msg("secret %u: too many", (unsigned)seed);
		}
	}
}

/* Else the test above would show nothing. */
static void crafted_tuples_are_dangerous_with_the_secret_they_are_for(void **state)
{
	const struct family *tries[2] = {&families[1], &families[2]};
	const struct family *annuls[2] = {&families[3], &families[4]};

	(void)state;
	for (unsigned is_default = 0; is_default < 2; is_default++) {
		unsigned most[2];

		fill_buckets(tries[is_default], known(is_default), most);
		assert_in_range(most[0], TUPLES / BUCKETS * SQUEEZE, TUPLES);
		fill_buckets(annuls[is_default], known(is_default), most);
		assert_int_equal(most[0], TUPLES);
	}
}

/* Flows that a table has room for, but finds no place for. */
static uint32_t refused_by(const struct secret *s, const struct family *f)
{
	const uint32_t host[2] = {1, 2}, id[2] = {0, 0};
	struct random r = {99};
	struct arena *arena;
	struct flow_table *t = table_new(s, TUPLES, &arena);
	uint32_t refused = 0;
	uint8_t fresh[1];

	for (uint32_t i = 0; i < TUPLES; i++) {
		struct pkt p = {.ts_ns = START,
				.packets = 1,
				.ip_bytes = 100,
				.kind = PKT_KIND_FLOW,
				.class = PKT_TCP,
				.tcp_flags = PKT_TCP_ACK,
				.family = ADDR_V6};
		uint32_t place;

		f->make(&p.key, i, &r);
		flow_table_hash(t, &p);
		flow_table_prefetch(t, &p, 1, fresh);
		if (flow_table_touch(t, &p))
			continue; /* by chance: the tuple of another */
		place = flow_table_place(t, &p);
		if (place == FLOW_NO_PLACE) {
			refused++;
			continue;
		}
		flow_table_start(t, place, &p, host, id);
		p.side = 1; /* answered, so that it makes room for nobody */
		assert_non_null(flow_table_touch(t, &p));
	}
	arena_free(arena);
	return refused;
}

static void table_finds_places_for_crafted_tuples(void **state)
{
	const struct family *annulled_ones = &families[3];
	struct secret s;

	(void)state;
	make_secret(&s, 1);
	assert_in_range(refused_by(&s, &families[0]), 0, TUPLES / 1000);
	assert_in_range(refused_by(&s, annulled_ones), 0, TUPLES / 1000);
	/* Two buckets are all they get from a table whose secret is known. */
	assert_int_equal(refused_by(known(false), annulled_ones), TUPLES - 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crafted_tuples_fill_no_bucket_more_than_random_ones),
		cmocka_unit_test(crafted_tuples_are_dangerous_with_the_secret_they_are_for),
		cmocka_unit_test(table_finds_places_for_crafted_tuples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
