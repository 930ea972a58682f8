/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_number.h - counts on the benchmarks' command lines.
 */
#ifndef BENCH_BENCH_NUMBER_H
#define BENCH_BENCH_NUMBER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A count: digits, and k, M or G. Ends the program at anything else. */
static inline uint64_t bench_number(const char *text)
{
	static const char units[] = "kMG";
	char *end;
	uint64_t v = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (unit) {
		for (const char *u = units; u <= unit; u++)
			v *= 1000;
		end++;
	}
	if (end == text || *end || *text == '-' || v > 1000000000000) {
		fprintf(stderr, "'%s' is no number like 10000, 10k, 10M or 10G\n", text);
		exit(2);
	}
	return v;
}

#endif
