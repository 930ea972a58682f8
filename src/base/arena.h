/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - memory of one owner: a jemalloc arena, so that it can be counted
 * and given back as a whole.
 *
 * Threading: new, alloc and free from any thread, one at a time;
 *            arena_bytes() from any thread at any time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;

/* 0 and *out set, or -ENOMEM with e filled. */
int arena_new(struct arena **out, struct err *e);
/* Frees the arena and everything allocated from it. NULL is fine. */
void arena_free(struct arena *a);

/* n zeroed bytes, aligned to a cache line (to a huge page if as large as
 * one); NULL if there are none. Large blocks cost memory only where they are
 * touched. Owned by the arena. */
void *arena_zalloc(struct arena *a, size_t n);

/* What was allocated from it, in bytes of address space. */
uint64_t arena_bytes(const struct arena *a);

#endif
