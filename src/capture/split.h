/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.h - one source's frames, split among n workers as a fanout group
 * splits a NIC's.
 *
 * Each worker has a queue; who finds his own empty reads the source for all.
 * Every worker's clock passes through the same seconds, whether frames came
 * for it or not, and no frame of a second is handed out before the frames of
 * all seconds before it are queued.
 *
 * Threading: open and close by one thread; share i belongs to worker i.
 * Memory:    bounded: queues of SPLIT_BLOCKS blocks. Frames that the source
 *            keeps are passed on in place, others are copied.
 */
#ifndef CAPTURE_SPLIT_H
#define CAPTURE_SPLIT_H

#include "base/err.h"
#include "capture/replay.h"
#include "capture/source.h"

struct split;

/* Which of n workers a frame is for. Called by one thread at a time. */
typedef unsigned (*split_fanout_fn)(void *arg, const struct frame *f, unsigned n);

struct split_conf {
	unsigned n; /* workers */
	split_fanout_fn fanout;
	void *arg; /* its */
};

/* 0 and *out set, or -errno with e filled. Borrows r until split_close(). */
int split_open(struct split **out, struct replay *r, const struct split_conf *c, struct err *e);
/* No share may be in use. NULL is fine. */
void split_close(struct split *s);

/* Worker i's share; closing it does nothing. */
struct source split_share(struct split *s, unsigned i);

#endif
