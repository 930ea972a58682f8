/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pauses.c - the longest that a batch of 64 packets takes.
 *
 * The worker's steps with each batch are timed in CPU time, page faults and
 * upkeep included. What else the machine does falls on any batch, what the
 * structures do on the same one each time: so the stream is gone through
 * several times, each time by a new table, and of each batch the quickest
 * counts. Another thread touches memory ahead, as the daemon's does. Forgetting
 * hosts is not in it: whoever tends the workers does it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/atomics.h"
#include "bench.h"

#define WORST 8

struct pauses {
	uint64_t batches;
	uint32_t *ns; /* of each batch the quickest */
	struct traffic_conf conf;
};

struct toucher {
	struct table *table;
	bool stop; /* atomic */
};

static void *touch_ahead(void *arg)
{
	struct timespec nap = {0, 0};
	struct toucher *t = arg;

	while (!load_relaxed(&t->stop)) {
		if (table_touch_ahead(t->table) || !nap.tv_nsec)
			nap.tv_nsec = 5000000;
		else if (nap.tv_nsec < 80000000)
			nap.tv_nsec *= 2;
		nanosleep(&nap, NULL);
	}
	return NULL;
}

/* One pass through the stream. */
static int go_through(struct pauses *p)
{
	static uint8_t bytes[ACCOUNT_BATCH * TRAFFIC_FRAME_MAX];
	struct frame frames[ACCOUNT_BATCH];
	struct traffic *traffic = traffic_new(&p->conf);
	struct table *t = bench_table(p->conf.flows + p->conf.flows / 4 + 64, p->conf.hosts + 64);
	struct account *a = table_account(t, 0);
	struct toucher toucher = {t, false};
	uint64_t sum_ns = 0;
	pthread_t thread;

	if (!traffic || pthread_create(&thread, NULL, touch_ahead, &toucher) != 0) {
		traffic_free(traffic);
		table_free(t);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < p->batches; i++) {
		uint64_t ns;

		traffic_make(traffic, frames, bytes, ACCOUNT_BATCH);
		ns = bench_cpu_ns();
		bench_work(a, frames, ACCOUNT_BATCH);
		ns = bench_cpu_ns() - ns;
		sum_ns += ns;
		if (ns < p->ns[i])
			p->ns[i] = (uint32_t)ns;
	}
	printf("round ns=%.1f flows=%llu\n", (double)sum_ns / (double)p->batches / ACCOUNT_BATCH,
	       (unsigned long long)traffic_flows(traffic));
	fflush(stdout);
	store_relaxed(&toucher.stop, true);
	pthread_join(thread, NULL);
	traffic_free(traffic);
	table_free(t);
	return 0;
}

static void print_worst(struct pauses *p)
{
	for (unsigned n = 0; n < WORST && n < p->batches; n++) {
		uint64_t worst = 0;

		for (uint64_t i = 0; i < p->batches; i++)
			if (p->ns[i] > p->ns[worst])
				worst = i;
		printf("worst batch=%llu us=%.1f\n", (unsigned long long)worst,
		       (double)p->ns[worst] / 1000);
		p->ns[worst] = 0;
	}
}

static void print_histogram(const struct pauses *p)
{
	static const uint32_t above_us[] = {10, 30, 100, 300, 1000};

	for (unsigned k = 0; k < sizeof(above_us) / sizeof(above_us[0]); k++) {
		uint64_t n = 0;

		for (uint64_t i = 0; i < p->batches; i++)
			n += p->ns[i] > above_us[k] * 1000;
		printf("above us=%u batches=%llu\n", above_us[k], (unsigned long long)n);
	}
}

int bench_pauses(int argc, char **argv)
{
	const uint64_t packets = argc > 1 ? bench_number(argv[1]) : 100000000;
	const uint64_t rounds = argc > 4 ? bench_number(argv[4]) : 2;
	struct pauses p = {.batches = packets / ACCOUNT_BATCH};
	int ret = 0;

	traffic_conf_init(&p.conf);
	p.conf.flows = (uint32_t)(argc > 2 ? bench_number(argv[2]) : 1000000);
	p.conf.hosts = (uint32_t)(argc > 3 ? bench_number(argv[3]) : 100000);
	p.conf.life = 20;
	p.ns = malloc(p.batches * sizeof(*p.ns));
	if (!p.ns || !p.conf.flows || !p.conf.hosts || !p.batches) {
		fputs("bench: pauses needs packets, flows and hosts, and memory\n", stderr);
		return EXIT_FAILURE;
	}
	memset(p.ns, 0xff, p.batches * sizeof(*p.ns));
	for (uint64_t i = 0; i < rounds && ret == 0; i++)
		ret = go_through(&p);
	if (ret == 0) {
		print_histogram(&p);
		print_worst(&p);
	}
	free(p.ns);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
