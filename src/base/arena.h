/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - memory of one owner: a jemalloc arena, so that it can be counted
 * and given back as a whole.
 *
 * Threading: new, alloc and free from any thread, one at a time;
 *            arena_bytes() from any thread at any time; arena_touch_ahead()
 *            from one, while others use what was allocated.
 * Fresh memory: a page costs when it is first touched, and a huge one so much
 *            (2 MiB to clear; on virtual machines the host's part besides) that
 *            whoever counts packets must not be the one to pay. So blocks can be
 *            touched when they are allocated, or by another thread ahead of use.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
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

/* The same of a block of n items of which any may be needed at once: touched. */
void *arena_zalloc_touched(struct arena *a, size_t n, size_t item_bytes);

/* The same of a block whose items are used in order, *end so many so far: the
 * first of them are touched, the others by arena_touch_ahead(). end is borrowed
 * until the arena is freed, and read atomically. At most ARENA_GROWING. */
#define ARENA_GROWING 4
void *arena_zalloc_growing(struct arena *a, size_t n, size_t item_bytes, const uint32_t *end);

/* Touches what will be used soon. True: something was; call again soon. */
bool arena_touch_ahead(struct arena *a);

/* What was allocated from it, in bytes of address space. */
uint64_t arena_bytes(const struct arena *a);

#endif
