/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.c - a file in memory, and who has come how far in it.
 *
 * A mapped file that somebody cuts while it is read would end the process with
 * SIGBUS. Paging in a window ahead tells in time, but for cuts behind it.
 */
#include "capture/mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/atomics.h"

#define WINDOW	    MAPPING_WINDOW_BYTES
#define KEEP	    64	  /* windows behind a reader: others may still have frames there ... */
#define KEEP_SHARED 0	  /* ... unless each reads for himself */
#define GIVE_BACK   16	  /* at once: all processors have to hear of it */
#define NAP_NS	    20000 /* for those behind */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* since Linux 5.14 */
#endif

enum paged { PAGED_NOT, PAGED_SOON, PAGED_IN };

struct window {
	uint8_t paged;	/* enum paged; atomic */
	uint8_t passed; /* readers that have come here; atomic */
};

struct mapping {
	uint8_t *base;
	size_t mapped; /* bytes */
	size_t start;
	size_t bytes; /* of the file now; atomic */
	int fd;
	unsigned readers; /* atomic */
	unsigned left;	  /* of them; atomic */
	unsigned joined;
	size_t windows_n, keep;
	struct window windows[];
};

struct mapping *mapping_open(int fd, size_t bytes, size_t start)
{
	const size_t n = (bytes + WINDOW - 1) / WINDOW;
	struct mapping *m = calloc(1, sizeof(*m) + n * sizeof(m->windows[0]));

	if (!m)
		return NULL;
	m->base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (m->base == MAP_FAILED) {
		free(m);
		return NULL;
	}
	madvise(m->base, bytes, MADV_SEQUENTIAL);
	m->mapped = m->bytes = bytes;
	m->start = start;
	m->fd = fd;
	m->windows_n = n;
	m->readers = m->joined = 1;
	m->keep = KEEP;
	for (size_t i = 0; i < start / WINDOW; i++)
		m->windows[i].passed = UINT8_MAX; /* by whoever there is */
	return m;
}

void mapping_share(struct mapping *m, unsigned readers)
{
	m->readers = readers;
	m->keep = readers > 1 ? KEEP_SHARED : KEEP;
}

void mapping_join(struct mapping *m)
{
	m->joined++;
}

void mapping_close(struct mapping *m)
{
	if (!m || --m->joined)
		return;
	munmap(m->base, m->mapped);
	free(m);
}

const uint8_t *mapping_base(const struct mapping *m)
{
	return m->base;
}

size_t mapping_start(const struct mapping *m)
{
	return m->start;
}

static void page_in(struct mapping *m, size_t window)
{
	const size_t at = window * WINDOW;
	const size_t n = m->mapped - at < WINDOW ? m->mapped - at : WINDOW;
	struct stat st;

	if (madvise(m->base + at, n, MADV_POPULATE_READ) < 0) {
		if (errno == EINVAL) /* before Linux 5.14: it is read ahead, at least */
			madvise(m->base + at, n, MADV_WILLNEED);
		if (fstat(m->fd, &st) == 0 && (uint64_t)st.st_size < m->mapped)
			store_relaxed(&m->bytes, (size_t)st.st_size);
	}
	store_release(&m->windows[window].paged, (uint8_t)PAGED_IN);
}

/* Unless somebody else is about to. */
static void page_in_ahead(struct mapping *m, size_t window)
{
	uint8_t not = PAGED_NOT;

	if (window < m->windows_n &&
	    __atomic_compare_exchange_n(&m->windows[window].paged, &not, (uint8_t)PAGED_SOON, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		page_in(m, window);
}

static void nap(void)
{
	const struct timespec ts = {0, NAP_NS};

	nanosleep(&ts, NULL);
}

bool mapping_enter(struct mapping *m, size_t window, size_t *bytes)
{
	if (window >= MAPPING_WINDOWS_APART &&
	    load_relaxed(&m->windows[window - MAPPING_WINDOWS_APART].passed) <
		    load_relaxed(&m->readers)) {
		nap();
		return false;
	}
	/* Frames there stay valid: touched again, they are paged in again. */
	if (__atomic_add_fetch(&m->windows[window].passed, 1, __ATOMIC_RELAXED) ==
		    load_relaxed(&m->readers) &&
	    window % GIVE_BACK == 0 && window >= m->keep + GIVE_BACK)
		madvise(m->base + (window - m->keep - GIVE_BACK) * WINDOW, GIVE_BACK * WINDOW,
			MADV_DONTNEED);
	if (load_acquire(&m->windows[window].paged) != PAGED_IN)
		page_in(m, window);
	page_in_ahead(m, window + 1);
	*bytes = load_relaxed(&m->bytes);
	return true;
}

void mapping_leave(struct mapping *m)
{
	__atomic_fetch_add(&m->left, 1, __ATOMIC_RELEASE);
}

bool mapping_is_left(const struct mapping *m)
{
	return load_acquire(&m->left) >= load_relaxed(&m->readers);
}

void mapping_excuse(struct mapping *m)
{
	__atomic_fetch_sub(&m->readers, 1, __ATOMIC_RELAXED);
}
