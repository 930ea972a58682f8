/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - memory of one owner: a jemalloc arena.
 */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <jemalloc/jemalloc.h>

#include "base/atomics.h"

#define CACHE_LINE 64
#define HUGE_PAGE  (2ul << 20)

#define AHEAD_LEAST (1ul << 20)	 /* bytes that are touched beyond those in use: a quarter, */
#define AHEAD_MOST  (16ul << 20) /* between these */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14 */
#endif

struct growing {
	char *at;
	size_t bytes, item_bytes;
	size_t touched;
	const uint32_t *end;
};

struct arena {
	unsigned index; /* jemalloc's number for it */
	unsigned growing_n;
	struct growing growing[ARENA_GROWING];
};

int arena_new(struct arena **out, struct err *e)
{
	struct arena *a = calloc(1, sizeof(*a));
	size_t n = sizeof(a->index);
	int ret;

	if (!a)
		return err_set(e, -ENOMEM, "no memory for an arena");
	ret = mallctl("arenas.create", &a->index, &n, NULL, 0);
	if (ret) {
		free(a);
		return err_set(e, -ENOMEM, "jemalloc made no arena (error %d)", ret);
	}
	*out = a;
	return 0;
}

void arena_free(struct arena *a)
{
	char name[48];

	if (!a)
		return;
	snprintf(name, sizeof(name), "arena.%u.destroy", a->index);
	mallctl(name, NULL, NULL, NULL, 0);
	free(a);
}

void *arena_zalloc(struct arena *a, size_t n)
{
	const size_t align = n >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
	void *p = mallocx(n ? n : 1, MALLOCX_ARENA(a->index) | MALLOCX_TCACHE_NONE | MALLOCX_ZERO |
					     MALLOCX_ALIGN(align));

	/* Only advice: where there are no huge pages, small ones do. */
	if (p && n >= HUGE_PAGE)
		madvise(p, n, MADV_HUGEPAGE);
	return p;
}

/* Only advice: where it is not known, the first use does it. The pages at both ends
 * may hold something else already, to which nothing is done. */
static void touch(char *at, size_t n)
{
	const uintptr_t begin = (uintptr_t)at & ~(uintptr_t)4095;
	const uintptr_t end = ((uintptr_t)at + n + 4095) & ~(uintptr_t)4095;

	madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
}

void *arena_zalloc_touched(struct arena *a, size_t n, size_t item_bytes)
{
	char *p = arena_zalloc(a, n * item_bytes);

	if (p)
		touch(p, n * item_bytes);
	return p;
}

/* Up to a whole number of huge pages. True if there was something to do. */
static bool touch_up_to(struct growing *g, size_t bytes)
{
	size_t to = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;

	if (to > g->bytes)
		to = g->bytes;
	if (to <= g->touched)
		return false;
	touch(g->at + g->touched, to - g->touched);
	g->touched = to;
	return true;
}

void *arena_zalloc_growing(struct arena *a, size_t n, size_t item_bytes, const uint32_t *end)
{
	char *p = arena_zalloc(a, n * item_bytes);
	struct growing *g = &a->growing[a->growing_n];

	if (!p)
		return NULL;
	assert(a->growing_n < ARENA_GROWING);
	a->growing_n++;
	*g = (struct growing){
		.at = p, .bytes = n * item_bytes, .item_bytes = item_bytes, .end = end};
	touch_up_to(g, 1);
	return p;
}

bool arena_touch_ahead(struct arena *a)
{
	bool any = false;

	for (unsigned i = 0; i < a->growing_n; i++) {
		struct growing *g = &a->growing[i];
		const size_t used = load_relaxed(g->end) * g->item_bytes;
		size_t ahead = used / 4;

		if (ahead < AHEAD_LEAST)
			ahead = AHEAD_LEAST;
		if (ahead > AHEAD_MOST)
			ahead = AHEAD_MOST;
		any |= touch_up_to(g, used + ahead);
	}
	return any;
}

uint64_t arena_bytes(const struct arena *a)
{
	uint64_t epoch = 1;
	size_t bytes = 0, n = sizeof(bytes);
	char name[48];

	mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	snprintf(name, sizeof(name), "stats.arenas.%u.mapped", a->index);
	mallctl(name, &bytes, &n, NULL, 0);
	return bytes;
}
