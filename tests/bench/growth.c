/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth.c - what a packet costs as there are ever more connections.
 *
 * Packets come on any connection alike, which no real traffic does: what is
 * seen is the worst that the size of the tables can do. A tenth as many hosts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define CHUNK 65536 /* frames made, and then counted */

struct stream {
	struct traffic *traffic;
	struct frame *frames;
	uint8_t *bytes;
};

/* Counts the next chunk; what that took. */
static uint64_t go(struct account *a, struct stream *s)
{
	uint64_t begin_ns;

	traffic_make(s->traffic, s->frames, s->bytes, CHUNK);
	begin_ns = bench_cpu_ns();
	for (unsigned i = 0; i < CHUNK; i += ACCOUNT_BATCH)
		bench_work(a, s->frames + i, ACCOUNT_BATCH);
	return bench_cpu_ns() - begin_ns;
}

static void measure(struct stream *s, uint32_t flows, uint32_t life)
{
	struct traffic_conf c;
	struct table *t = bench_table(flows + flows / 4 + 64, flows / 10 + 64);
	double rounds[BENCH_ROUNDS * 4];
	uint64_t opening_ns = 0, opened = 0;

	traffic_conf_init(&c);
	c.flows = flows;
	c.hosts = flows / 10 + 1;
	c.life = life;
	s->traffic = traffic_new(&c);
	if (!s->traffic) {
		fputs("bench: no memory for the traffic; ask for fewer flows\n", stderr);
		exit(EXIT_FAILURE);
	}
	while (traffic_opening(s->traffic)) {
		opening_ns += go(table_account(t, 0), s);
		opened += CHUNK;
	}
	for (unsigned i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++)
		rounds[i] = (double)go(table_account(t, 0), s) / CHUNK;
	printf("flows=%u ns=%.1f", flows, bench_median(rounds, sizeof(rounds) / sizeof(rounds[0])));
	if (flows >= CHUNK)
		printf(" start_ns=%.1f", (double)opening_ns / (double)opened);
	putchar('\n');
	fflush(stdout);
	traffic_free(s->traffic);
	table_free(t);
}

int bench_growth(int argc, char **argv)
{
	const uint64_t most = argc > 1 ? bench_number(argv[1]) : 10000000;
	const uint64_t life = argc > 2 ? bench_number(argv[2]) : 0;
	struct stream s = {.frames = malloc(CHUNK * sizeof(*s.frames)),
			   .bytes = bench_memory((size_t)CHUNK * TRAFFIC_FRAME_MAX)};

	if (!s.frames)
		return EXIT_FAILURE;
	for (uint64_t flows = 1000; flows <= most && flows < 1000000000;) {
		const uint64_t half = flows * 32 / 10 / 1000 * 1000; /* between powers of ten */

		measure(&s, (uint32_t)flows, (uint32_t)life);
		if (half <= most)
			measure(&s, (uint32_t)half, (uint32_t)life);
		flows *= 10;
	}
	free(s.frames);
	return EXIT_SUCCESS;
}
