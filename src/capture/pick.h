/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pick.h - of the frames of a replay, those that are for one of n workers.
 *
 * The replays of a team (replay.h) each read all, and each worker picks its own: so
 * nothing is handed from one thread to another. Every worker's clock passes through
 * the same seconds, whether frames in them are its own or not.
 *
 * Threading: a pick belongs to one worker; open and close by one thread.
 * Memory:    frames are those of the replay, in place.
 */
#ifndef CAPTURE_PICK_H
#define CAPTURE_PICK_H

#include "base/err.h"
#include "capture/replay.h"
#include "capture/source.h"

struct pick;

#define PICK_RECORDS 16384 /* looked at in one go; the caller may have to stop */

struct pick_conf {
	unsigned i, n; /* it is worker i of n */
	/* Whether a frame is for worker i of n. */
	bool (*is_own)(void *arg, const struct frame *f, unsigned i, unsigned n);
	/* The same of records: walks along a run until `most` are own, PICK_RECORDS have
	 * been looked at or it is over. Returns how many are, and own[] where. Room is
	 * for one more. */
	unsigned (*own_of)(void *arg, struct pcap_run *run, unsigned i, unsigned n,
			   const uint8_t **own, unsigned most);
	void *arg; /* of both */
};

/* 0 and *out set, or -ENOMEM with e filled. Borrows r, whose frames stay (one of a
 * team), until close. */
int pick_open(struct pick **out, struct replay *r, const struct pick_conf *c, struct err *e);
void pick_close(struct pick *p); /* NULL is fine */

/* It as a source; closing that does nothing. */
struct source pick_source(struct pick *p);

#endif
