/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - the bytes of a file in order: mapped, read, or unpacked.
 *
 * A plain regular file is mapped, and all of it is in the window. Everything
 * else passes through a buffer, and the window is what is in it.
 *
 * Threading: one thread, but for stream_progress(), which any may call.
 * Memory:    a buffer of 256 KiB; it grows only to hold what was asked for
 *            with stream_need(), and only as the bytes come.
 */
#ifndef CAPTURE_STREAM_H
#define CAPTURE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/mapping.h"
#include "capture/unpack.h"

struct stream {
	const uint8_t *p;	 /* the window: next byte; the reader moves it */
	const uint8_t *end;	 /* one behind its last */
	const uint8_t *base;	 /* the byte that stands at base_at ... */
	uint64_t base_at;	 /* ... of the file, unpacked */
	struct mapping *mapping; /* if it is mapped, and ... */
	const uint8_t *turn;	 /* ... where the next window of it begins */
	bool is_mapped;
	uint8_t *buf;
	size_t buf_bytes;
	struct unpack *unpack;
	bool is_sniffed; /* unpack is what it will be */
	bool must_wait;	 /* reading may block: poll first */
	bool at_end;
	int fd;
	uint64_t done, total; /* bytes on disk; done is atomic */
	const char *fault;    /* why the bytes end before the file does, or NULL */
	const char *name;     /* borrowed; for sentences */
};

/* path "-": standard input. 0, or -errno with e filled. */
int stream_open(struct stream *s, const char *path, struct err *e);
/* Whether it is a file that will be mapped, as far as one can see. */
bool stream_is_plain(const char *path);

/* Another reader, from the start, of a stream that is mapped. */
void stream_join(struct stream *s, const struct stream *other);
void stream_close(struct stream *s);

/* 1: at least n bytes are in the window (s->p may have moved elsewhere).
 * 0: the file ends before; what is left of it is in the window, and s->fault
 * is set if it should not end there. -EAGAIN: none came within 50 ms.
 * Another -errno: e says what. */
int stream_need(struct stream *s, size_t n, struct err *e);

/* Frees what only further reading needs; the window becomes empty unless the
 * stream is mapped. stream_progress() goes on to work. */
void stream_end(struct stream *s);

void stream_progress(const struct stream *s, uint64_t *done, uint64_t *total);

/* Private to stream_look_ahead(). */
bool stream_turn(struct stream *s);

/* Call once a batch: keeps the mapped pages in front of s->p paged in. False: other
 * readers are too far behind. */
static inline bool stream_look_ahead(struct stream *s)
{
	return !s->is_mapped || s->p < s->turn || stream_turn(s);
}

static inline size_t stream_left(const struct stream *s)
{
	return (size_t)(s->end - s->p);
}

/* Where s->p is in the file, unpacked. */
static inline uint64_t stream_at(const struct stream *s)
{
	return s->base_at + (uint64_t)(s->p - s->base);
}

#endif
