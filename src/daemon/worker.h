/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - threads that take frames from their sources and count them.
 *
 * Threading: a team is started, watched and joined by one thread; each worker
 *            is a thread of its own, and shares nothing with the others but
 *            the host directory, and the moments at which they meet.
 * Meeting:   hosts are forgotten when no worker is inside a batch. All sources
 *            of a team pass through the same seconds, so all workers come to
 *            the same meetings, and what is forgotten does not depend on how
 *            many they are.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/source.h"
#include "table/table.h"

struct worker_team;

/* n sources (copied, not closed), one for each of the table's workers.
 * `ended_fd` is an eventfd that gets 1 added when a worker has ended. 0 and
 * *out set, or -errno with e filled. */
int worker_team_start(struct worker_team **out, struct table *table, const struct source *sources,
		      unsigned n, int ended_fd, struct err *e);

/* Any thread: all workers end after the batch that they are in. */
void worker_team_stop(struct worker_team *t);

/* Any thread: true when all have ended. */
bool worker_team_ended(const struct worker_team *t);

/* Waits until all have ended, and brings the books to the end of the stream.
 * 0; or the first worker's -errno that failed, with e filled. Frees t. */
int worker_team_join(struct worker_team *t, struct err *e);

#endif
