/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.c - the benchmarks that need no process of their own.
 *
 * usage: bench NAME [argument...]
 *
 *   touch [BYTES]          touch so much memory (3G) and end: on virtual machines
 *                          memory that was never used is slow at first
 *   micro [FLOWS]          ns of each step of a packet, on a table of FLOWS (200k)
 *   growth [MOST [LIFE]]   ns a packet as connections grow from 1,000 to MOST
 *                          (10M); each has LIFE packets on average (0: no end)
 *   pauses [PACKETS [FLOWS [HOSTS [ROUNDS]]]]
 *                          the longest that 64 packets take
 *                          (100M packets, 1M flows, 100k hosts, 2 rounds)
 *
 * Numbers may end in k, M or G. Prints lines of NAME=VALUE; tools/bench makes
 * the tables of docs/performance.md from them. Exits 1 if something failed; 2:
 * usage.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "flow/flow_table.h"

#define SWEEP_BUDGET 128 /* as daemon/worker.c has it */

uint64_t bench_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

struct table *bench_table(uint64_t flows_max, uint32_t hosts_max)
{
	struct table_conf c = {.workers = 1, .flows_max = flows_max, .hosts_max = hosts_max};
	struct table *t;
	struct err e;

	flow_timeouts_init(&c.timeouts);
	c.fragments_max = 65536;
	if (table_new(&t, &c, &e) < 0) {
		fprintf(stderr, "bench: %s\n", e.text);
		exit(EXIT_FAILURE);
	}
	return t;
}

void *bench_memory(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "bench: no %zu bytes of memory; ask for less\n", n);
		exit(EXIT_FAILURE);
	}
	madvise(p, n, MADV_HUGEPAGE);
	for (size_t i = 0; i < n; i += 4096)
		((volatile char *)p)[i] = 1;
	return p;
}

void bench_work(struct account *a, const struct frame *frames, unsigned n)
{
	account_clock(a, frames[n - 1].ts_ns);
	account_batch(a, frames, n);
	flow_table_sweep(a->flows, SWEEP_BUDGET);
}

static int touch(int argc, char **argv)
{
	bench_memory(argc > 1 ? bench_number(argv[1]) : 3000000000);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} benches[] = {
		{"touch", touch},
		{"micro", bench_micro},
		{"growth", bench_growth},
		{"pauses", bench_pauses},
	};

	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
		if (argc > 1 && strcmp(argv[1], benches[i].name) == 0)
			return benches[i].run(argc - 1, argv + 1);
	fputs("usage: bench touch|micro|growth|pauses [argument...]\n", stderr);
	return 2;
}
