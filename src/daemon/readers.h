/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readers.h - capture files as sources for one worker or several.
 *
 * Threading: opened and closed by one thread; each source is a worker's.
 */
#ifndef DAEMON_READERS_H
#define DAEMON_READERS_H

#include "base/err.h"
#include "capture/replay.h"
#include "capture/source.h"
#include "packet/decap.h"

struct readers;

/* For n workers, at most OPTIONS_WORKERS_MAX: 0, *out and n sources set; or -errno with e
 * filled. */
int readers_open(struct readers **out, struct source *sources, unsigned n,
		 const struct replay_conf *c, const struct decap_conf *decap, struct err *e);
void readers_close(struct readers *r); /* NULL is fine */

/* For progress and times: one of those that read, and all have the same. */
const struct replay *readers_replay(const struct readers *r);

#endif
