/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what the fuzzing harnesses have in common.
 *
 * Each is a program of libFuzzer: it is given bytes, and has to end by a trap, or by
 * a sanitizer's word, if what must hold does not.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What must hold. */
static inline void must(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* Takes a number off the bytes; 0 if there are none left. */
static inline uint32_t take(const uint8_t **data, size_t *n, unsigned bytes)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < bytes && *n; i++, (*data)++, (*n)--)
		v = v << 8 | **data;
	return v;
}

/* A copy that ends where the bytes do, so that every read behind is seen. */
static inline uint8_t *alone(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	must(copy != NULL);
	memcpy(copy, data, n);
	return copy;
}

#endif
