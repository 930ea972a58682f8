/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - capture files, one after the other, as a source of frames.
 *
 * Threading: one thread, but for replay_progress(), which any may call.
 * Time:      the stream's clock is the largest stamp so far, jumps taken out
 *            (base/clock.h); with a speed, it goes on between frames as it
 *            did when they were captured.
 */
#ifndef CAPTURE_REPLAY_H
#define CAPTURE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/clock.h"
#include "capture/source.h"

struct replay;

/* A file that cannot be read to its end: what is wrong. The replay goes on
 * with the next one. Called from the thread that receives. */
typedef void (*replay_damage_fn)(void *arg, const char *sentence);

struct replay_conf {
	const char *const *paths; /* borrowed until close; "-" is standard input */
	size_t paths_n;		  /* 1 at least */
	const char *filter;	  /* BPF expression, or NULL */
	double speed;		  /* 1: as recorded; 0: as fast as possible */
	replay_damage_fn damage;
	void *arg;
};

/* Opens the first file. 0 and *out set, or -errno with e filled. */
int replay_open(struct replay **out, const struct replay_conf *c, struct err *e);
void replay_close(struct replay *r); /* NULL is fine */

/* r as a source; closing the source closes r. */
struct source replay_source(struct replay *r);

/* True if the frames of the last recv() stay valid until close. */
bool replay_frames_stay(const struct replay *r);

/* Any thread. Bytes of all files read, and their size (0: not known). */
void replay_progress(const struct replay *r, uint64_t *done, uint64_t *total);

/* Any thread. How stamps have jumped. */
void replay_times(const struct replay *r, struct clock_history *out);

#endif
