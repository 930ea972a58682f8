/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patience.h - how long a test waits for a thread that the machine does not run.
 */
#ifndef TESTS_TABLE_PATIENCE_H
#define TESTS_TABLE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/units.h"

#define PATIENCE_NS (30 * NS_PER_SEC)

static inline uint64_t patience_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t patience_ends_ns(void)
{
	return patience_clock_ns() + PATIENCE_NS;
}

static inline bool patience_is_over(uint64_t until_ns)
{
	return patience_clock_ns() >= until_ns;
}

#endif
