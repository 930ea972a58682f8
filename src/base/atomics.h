/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atomics.h - counters with one writer, and records that are read whole.
 *
 * A counter has one writing thread; others may read it at any time. So the
 * writer needs no locked instruction: a plain load, an add and a store that
 * the compiler may neither tear nor cache.
 *
 * A record whose fields belong together carries a sequence number that is odd
 * while its writer is inside. Readers copy, and copy again if the number was
 * odd or moved. Every store inside is a release and every load an acquire
 * (free on x86), so no fence is needed and ThreadSanitizer can follow.
 */
#ifndef BASE_ATOMICS_H
#define BASE_ATOMICS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define load_relaxed(p)	    __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)	    __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Adds to a counter that only the calling thread writes. */
#define counter_add(p, n) store_relaxed((p), load_relaxed(p) + (n))

/* The same inside a record guarded by a sequence number. */
#define seq_add(p, n) store_release((p), load_relaxed(p) + (n))
#define seq_set(p, v) store_release((p), (v))

#define seq_write_begin(seq) store_relaxed((seq), load_relaxed(seq) + 1)
#define seq_write_end(seq)   store_release((seq), load_relaxed(seq) + 1)

/* Copies n 64-bit words of a guarded record; both sides 8-byte aligned. */
static inline void seq_copy_words(void *dst, const void *src, size_t n)
{
	uint64_t *d = dst;
	const uint64_t *s = src;

	for (size_t i = 0; i < n; i++)
		d[i] = load_acquire(&s[i]);
}

/* Stores n 64-bit words into a guarded record, by its writer; dst is 8-byte aligned. */
static inline void seq_store_words(void *dst, const void *src, size_t n)
{
	uint64_t *d = dst;

	for (size_t i = 0; i < n; i++) {
		uint64_t word;

		memcpy(&word, (const char *)src + i * sizeof(word), sizeof(word));
		store_release(&d[i], word);
	}
}

#endif
