/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what the benchmarks have in common.
 *
 * Time: CPU time of the calling thread, so that what else the machine does
 *       matters little; caches and memory are shared all the same.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>

#include "bench_number.h"
#include "table/table.h"
#include "traffic.h"

#define BENCH_ROUNDS 7 /* of which the median is told */

uint64_t bench_cpu_ns(void);

/* The median; sorts v. */
double bench_median(double *v, unsigned n);

/* A table with one worker that forgets no host, with room for so many. Ends the
 * program if there is no memory. */
struct table *bench_table(uint64_t flows_max, uint32_t hosts_max);

/* n bytes in huge pages, touched. Ends the program if there are none. */
void *bench_memory(size_t n);

/* What the worker does with a batch. */
void bench_work(struct account *a, const struct frame *frames, unsigned n);

/* The benchmarks; argv[0] is the name. They print, and return an exit status. */
int bench_micro(int argc, char **argv);
int bench_growth(int argc, char **argv);
int bench_pauses(int argc, char **argv);

#endif
