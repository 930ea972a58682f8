/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h - the step that keyed hashes of short keys are made of.
 *
 * Two words that somebody else may choose are each mixed with a secret one (by
 * XOR), multiplied, and the halves of the product folded into one. Who does not
 * know the secrets cannot say which words will collide, and no word can make the
 * other one count for nothing but by hitting its secret.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__extension__ const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
