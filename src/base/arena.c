/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - memory of one owner: a jemalloc arena.
 */
#include "base/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <jemalloc/jemalloc.h>

#define CACHE_LINE 64
#define HUGE_PAGE  (2ul << 20)

struct arena {
	unsigned index; /* jemalloc's number for it */
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
