/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.h - numbers for model tests: the same for the same seed everywhere.
 *
 * expect() fails with the seed and the step, so that a failure can be seen
 * again. Both are looked for as variables where it stands.
 */
#ifndef TESTS_FLOW_RANDOM_H
#define TESTS_FLOW_RANDOM_H

#include <stdint.h>

#define expect(cond, seed, step)                                                                   \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fail_msg("seed %u, step %u: not %s", (unsigned)(seed), (unsigned)(step),   \
				 #cond);                                                           \
	} while (0)

struct random {
	uint64_t at;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->at += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* 0 .. n-1 */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

#endif
