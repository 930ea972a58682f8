/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * micro.c - what each step on the way of a packet costs by itself.
 *
 * Steps come in batches of 64, as in table/account.c. Packets are decoded
 * beforehand where decoding is not what is measured; so they come from memory,
 * as frames do. The steps do not add up to the whole: alone, each waits for
 * memory that would have come while another was at work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "flow/wheel.h"

#define CHUNK  65536 /* packets of a round */
#define TIMERS 65536
#define TICKS  120

struct micro {
	uint32_t flows_n;
	struct arena *arena;
	struct flow_table *flows; /* with flows_n in it */
	struct traffic *known;	  /* packets of these */
	struct frame *frames;
	uint8_t *bytes;
	struct pkt *pkts;
	struct pkt_decoder decoder;
};

static void print(const char *name, double *rounds)
{
	printf("%s=%.1f\n", name, bench_median(rounds, BENCH_ROUNDS));
	fflush(stdout);
}

static void ignore_end(void *arg, const struct flow *f, uint64_t end_ns)
{
	(void)arg, (void)f, (void)end_ns;
}

static void ignore_opened(void *arg, const struct flow *f)
{
	(void)arg, (void)f;
}

static struct traffic *new_traffic(const struct micro *m, uint32_t flows, uint64_t seed)
{
	struct traffic_conf c;
	struct traffic *t;

	traffic_conf_init(&c);
	c.flows = flows;
	c.hosts = m->flows_n / 10 + 1;
	c.gap_ns = 10; /* none ends while we are at work */
	c.seed = seed;
	t = traffic_new(&c);
	if (!t) {
		fputs("bench: no memory for the traffic; ask for fewer flows\n", stderr);
		exit(EXIT_FAILURE);
	}
	return t;
}

static void make(struct micro *m, struct traffic *t)
{
	traffic_make(t, m->frames, m->bytes, CHUNK);
}

/* All of the chunk; ns a packet. */
static double decode(struct micro *m)
{
	const uint64_t begin_ns = bench_cpu_ns();

	for (unsigned i = 0; i < CHUNK; i++)
		pkt_decode_with(&m->decoder, &m->frames[i], &m->pkts[i]);
	return (double)(bench_cpu_ns() - begin_ns) / CHUNK;
}

static void hash(const struct micro *m, struct pkt *pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		flow_table_hash(m->flows, &pkts[i]);
}

/* Looks for the flows of all of the chunk, and starts them if they are unknown
 * and `starts`; ns a packet. */
static double look_up(struct micro *m, bool starts)
{
	static const uint32_t hosts[2] = {1, FLOW_NO_HOST}, ids[2] = {0, 0};
	const uint64_t begin_ns = bench_cpu_ns();
	uint8_t fresh[ACCOUNT_BATCH];

	for (struct pkt *p = m->pkts; p < m->pkts + CHUNK; p += ACCOUNT_BATCH) {
		hash(m, p, ACCOUNT_BATCH);
		flow_table_expect(m->flows, p, ACCOUNT_BATCH);
		flow_table_prefetch(m->flows, p, ACCOUNT_BATCH, fresh);
		for (unsigned i = 0; i < ACCOUNT_BATCH; i++) {
			uint32_t place;

			if (flow_table_touch(m->flows, &p[i]) || !starts)
				continue;
			place = flow_table_place(m->flows, &p[i]);
			if (place != FLOW_NO_PLACE)
				flow_table_start(m->flows, place, &p[i], hosts, ids);
		}
	}
	return (double)(bench_cpu_ns() - begin_ns) / CHUNK;
}

static void measure_decode(struct micro *m)
{
	double rounds[BENCH_ROUNDS];

	for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
		make(m, m->known);
		rounds[i] = decode(m);
	}
	print("decode", rounds);
}

static void measure_look_up(struct micro *m, const char *name, struct traffic *t, bool starts)
{
	double rounds[BENCH_ROUNDS];

	for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
		make(m, t);
		decode(m);
		rounds[i] = look_up(m, starts);
	}
	print(name, rounds);
}

/* Of connections that are all new. In slots that others have had: what fresh
 * memory costs is the kernel's doing, and comes once. */
static void measure_start(struct micro *m)
{
	static double rounds[BENCH_ROUNDS];
	uint64_t now_ns = 0;

	for (unsigned time = 0; time < 2; time++) {
		struct traffic *t = new_traffic(m, BENCH_ROUNDS * CHUNK, 3 + time);

		traffic_opening(t);
		for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
			make(m, t);
			decode(m);
			rounds[i] = look_up(m, true);
		}
		now_ns = m->frames[0].ts_ns + 86400ull * 1000000000;
		flow_table_clock(m->flows, now_ns);
		while (flow_table_sweep(m->flows, CHUNK) == CHUNK)
			;
		traffic_free(t);
	}
	print("start", rounds);
}

static uint64_t timer_due(void *arg, uint32_t i, uint64_t now)
{
	(void)arg, (void)i, (void)now;
	return 0;
}

/* A timer is set, comes to its date, and is gone. */
static void measure_wheel(void)
{
	static struct wheel wheel;
	struct wheel_link *links = bench_memory(TIMERS * sizeof(struct flow_cold));
	double rounds[BENCH_ROUNDS];
	uint64_t now = 1;

	wheel_init(&wheel, links, sizeof(struct flow_cold));
	wheel_start(&wheel, now);
	for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
		const uint64_t begin_ns = bench_cpu_ns();

		for (uint32_t i = 0; i < TIMERS; i++)
			wheel_add(&wheel, i, now + 1 + (i * 2654435761u >> 16) % TICKS);
		for (unsigned s = 0; s <= TICKS; s++)
			while (wheel_sweep(&wheel, now + s, 128, timer_due, NULL) == 128)
				;
		now += TICKS;
		rounds[n] = (double)(bench_cpu_ns() - begin_ns) / TIMERS;
	}
	print("wheel", rounds);
}

/* Each packet counts on the row of one host, of a tenth of the flows. */
static void measure_hosts(struct micro *m)
{
	const uint32_t rows_n = m->flows_n / 10 + 1;
	struct shard_row *rows = bench_memory(rows_n * sizeof(*rows));
	double rounds[BENCH_ROUNDS];

	for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
		uint64_t begin_ns;

		make(m, m->known);
		decode(m);
		hash(m, m->pkts, CHUNK);
		begin_ns = bench_cpu_ns();
		for (const struct pkt *p = m->pkts; p < m->pkts + CHUNK; p += ACCOUNT_BATCH) {
			struct shard_row *at[ACCOUNT_BATCH];

			for (unsigned i = 0; i < ACCOUNT_BATCH; i++) {
				at[i] = &rows[(p[i].hash & UINT32_MAX) * rows_n >> 32];
				__builtin_prefetch(at[i], 1);
			}
			for (unsigned i = 0; i < ACCOUNT_BATCH; i++) {
				shard_row_count(at[i], &at[i]->cls[p[i].class].sum[p[i].side],
						&p[i]);
			}
		}
		rounds[n] = (double)(bench_cpu_ns() - begin_ns) / CHUNK;
	}
	print("host", rounds);
}

/* All of it: a batch as the worker counts it. */
static void measure_whole(struct micro *m)
{
	struct table *t = bench_table(2 * m->flows_n + 64, m->flows_n / 10 + 64);
	struct account *a = table_account(t, 0);
	struct traffic *known = new_traffic(m, m->flows_n, 1);
	double rounds[BENCH_ROUNDS];
	unsigned n = 0;

	while (n < BENCH_ROUNDS) {
		const bool is_open = !traffic_opening(known);
		uint64_t begin_ns;

		make(m, known);
		begin_ns = bench_cpu_ns();
		for (unsigned i = 0; i < CHUNK; i += ACCOUNT_BATCH)
			bench_work(a, m->frames + i, ACCOUNT_BATCH);
		rounds[n] = (double)(bench_cpu_ns() - begin_ns) / CHUNK;
		n += is_open;
	}
	print("whole", rounds);
	traffic_free(known);
	table_free(t);
}

static void set_up(struct micro *m)
{
	struct flow_table_conf c = {.hash_mask = UINT64_MAX,
				    .ended = ignore_end,
				    .opened = ignore_opened,
				    /* Room for those that are started as well. */
				    .flows_max = 2 * m->flows_n + 2 * BENCH_ROUNDS * CHUNK};
	const struct decap_conf decap = {0};
	struct err e;

	flow_timeouts_init(&c.timeouts);
	memset(c.secret, 0x5a, sizeof(c.secret));
	pkt_decoder_init(&m->decoder, &decap);
	if (arena_new(&m->arena, &e) < 0 || flow_table_new(&m->flows, &c, m->arena, &e) < 0) {
		fprintf(stderr, "bench: %s\n", e.text);
		exit(EXIT_FAILURE);
	}
	m->frames = bench_memory(CHUNK * sizeof(*m->frames));
	m->bytes = bench_memory((size_t)CHUNK * TRAFFIC_FRAME_MAX);
	m->pkts = bench_memory(CHUNK * sizeof(*m->pkts));
	memset(m->pkts, 0, CHUNK * sizeof(*m->pkts)); /* a decoder fills all but what is unused */
	m->known = new_traffic(m, m->flows_n, 1);
	while (traffic_opening(m->known)) {
		make(m, m->known);
		decode(m);
		look_up(m, true);
	}
}

int bench_micro(int argc, char **argv)
{
	const uint64_t flows = argc > 1 ? bench_number(argv[1]) : 200000;
	struct micro m = {.flows_n = (uint32_t)flows};
	struct traffic *unknown;

	if (flows < 64 || flows > 100000000) {
		fputs("bench: micro takes 64 to 100M flows\n", stderr);
		return 2;
	}
	set_up(&m);
	measure_decode(&m);
	measure_look_up(&m, "hit", m.known, false);
	unknown = new_traffic(&m, m.flows_n, 2);
	measure_look_up(&m, "miss", unknown, false);
	traffic_free(unknown);
	measure_start(&m);
	measure_wheel();
	measure_hosts(&m);
	measure_whole(&m);
	traffic_free(m.known);
	arena_free(m.arena);
	return EXIT_SUCCESS;
}
