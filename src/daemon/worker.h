/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - threads that take frames from their sources and count them.
 *
 * Threading: a team is started, tended and joined by one thread; each worker
 *            is a thread of its own, and shares nothing with the others but
 *            the host directory.
 * Forgetting: a host is forgotten when no worker is in a batch that may still
 *            know it. In step, as replay runs, all sources pass through the
 *            same seconds and all workers meet at some of them, so what is
 *            forgotten does not depend on how many they are. Live, no worker
 *            waits for another: whoever tends the team waits until each has
 *            left the batch that it was in.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/source.h"
#include "table/table.h"

struct worker_team;

/* What each worker does before its work; 0, or -errno with e filled: it ends. */
typedef int (*worker_enter_fn)(void *arg, struct err *e);

struct worker_team_conf {
	struct table *table;
	const struct source *sources; /* one for each of the table's workers; copied, not closed */
	unsigned n;
	int ended_fd;	       /* an eventfd that gets 1 added when a worker has ended */
	bool in_step;	       /* see above */
	const uint16_t *cpus;  /* one for each worker, in turn; copied */
	size_t cpus_n;	       /* 0: any */
	worker_enter_fn enter; /* NULL: nothing */
	void *arg;
};

/* 0 and *out set, or -errno with e filled. */
int worker_team_start(struct worker_team **out, const struct worker_team_conf *c, struct err *e);

/* About once a second, unless in step: forgets hosts. */
void worker_team_tend(struct worker_team *t);

/* Hosts may be due sooner than was thought: the next tending looks. The thread
 * that tends. */
void worker_team_hosts_due(struct worker_team *t);

/* Any thread: all workers end after the batch that they are in; unless in step,
 * once nothing waits for them any more (see that nothing more comes). */
void worker_team_stop(struct worker_team *t);

/* Any thread, until join: how many batches worker i has left. Even a silent link
 * makes it leave one some times a second. */
uint64_t worker_team_rounds(const struct worker_team *t, unsigned i);

/* Any thread: true when all have ended. */
bool worker_team_ended(const struct worker_team *t);

/* Waits until all have ended, and brings the books to the end of the stream.
 * 0; or the first worker's -errno that failed, with e filled. Frees t. */
int worker_team_join(struct worker_team *t, struct err *e);

#endif
