/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - capture files, one after the other, as a source of frames.
 *
 * Threading: one thread, but for replay_progress(), which any may call. Those of
 *            a team have a thread each; opened and closed by one.
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
#include "capture/pcap_file.h"
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
	replay_damage_fn damage;  /* not by two threads at a time */
	void *arg;
};

/* Opens the first file. 0 and *out set, or -errno with e filled. */
int replay_open(struct replay **out, const struct replay_conf *c, struct err *e);
void replay_close(struct replay *r); /* NULL is fine */

/* n replays of the same, for as many threads: each reads all, and none gets far
 * ahead of the others in a file. Damage is told once. 0 and out[] set, or -errno with e filled;
 * -ENOTSUP: only one can read it (a pipe, packed, with a filter or a speed). */
int replay_open_team(struct replay *out[], unsigned n, const struct replay_conf *c, struct err *e);

/* r as a source; closing the source closes r. */
struct source replay_source(struct replay *r);

/* True if the frames of the last recv() stay valid until close. */
bool replay_frames_stay(const struct replay *r);

/* Instead of a recv(), of whose frames the last have been given back: a run of records
 * (pcap_file.h) of the second that the clock is in. False: it is not that simple, a
 * recv() is needed. */
bool replay_run_begin(struct replay *r, struct pcap_run *out);
/* What was walked along is read: moves the clock, and returns it. */
uint64_t replay_run_end(struct replay *r, const struct pcap_run *run);

/* Of a team, before frames are given to a worker that move its clock there, all frames
 * before having been given back: whether all others have come to the second with frames
 * before that one. So no worker is further ahead. False, after a moment: ask again. */
bool replay_may_enter(struct replay *r, uint64_t now_ns);
/* It will give no more: nobody waits for it. */
void replay_retire(struct replay *r);

/* Any thread. Bytes of all files read, and their size (0: not known). */
void replay_progress(const struct replay *r, uint64_t *done, uint64_t *total);

/* Any thread. How stamps have jumped. */
void replay_times(const struct replay *r, struct clock_history *out);

#endif
