/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source.h - where a worker's frames come from: a ring, a file, a share of one.
 *
 * Threading: one source belongs to one worker thread.
 * Memory:    frames are borrowed from recv() until release().
 * Time:      *now_ns is the stream's clock: wall time when live, the largest
 *            stamp so far in replay. It never goes back, and all frames of
 *            one batch lie in one second of it, so that what depends on time
 *            does not depend on how frames fell into batches.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/frame.h"

#define SOURCE_TICK_NS 1000000000ull /* a batch never spans two of these */
#define SOURCE_BATCH   64	     /* the most frames that recv() gives */
#define SOURCE_CAP_MAX 65536	     /* a frame's bytes beyond these are not handed on */

struct source_ops {
	/* The number of frames, and *frames at the first, up to SOURCE_BATCH.
	 * 0: none now, but *now_ns may have moved. -ENODATA: there will be no
	 * more. Another -errno: broken, e says how. */
	int (*recv)(void *ctx, const struct frame **frames, uint64_t *now_ns, struct err *e);
	/* Gives back all frames of the last recv(). */
	void (*release)(void *ctx);
	void (*close)(void *ctx);
};

struct source {
	const struct source_ops *ops;
	void *ctx;
};

static inline int source_recv(struct source *s, const struct frame **frames, uint64_t *now_ns,
			      struct err *e)
{
	return s->ops->recv(s->ctx, frames, now_ns, e);
}

static inline void source_release(struct source *s)
{
	s->ops->release(s->ctx);
}

static inline void source_close(struct source *s)
{
	if (s->ops)
		s->ops->close(s->ctx);
	s->ops = NULL;
}

#endif
