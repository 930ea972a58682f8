/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watchdog.h - sees whether the workers of a live capture move, and says which
 * does not, and since when.
 *
 * A worker comes round some times a second even if nothing comes. One that has
 * not for WATCHDOG_LOOKS looks stands still. Looks are counted, not seconds: a
 * process that was stopped as a whole looks again when its workers go on.
 *
 * Threading: look by one thread, about once a second; begin and end by another.
 */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/options.h"
#include "daemon/worker.h"

#define WATCHDOG_LOOKS 3

struct watchdog {
	pthread_mutex_t lock;		/* of team */
	const struct worker_team *team; /* NULL: nobody is watched */
	struct {
		uint64_t rounds, moved_ns; /* at the last look that saw it move */
		unsigned looks;		   /* since then */
		bool is_told;
	} workers[OPTIONS_WORKERS_MAX];
};

#define WATCHDOG_INIT                                                                              \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

/* From now on, until end; which must come before the team is stopped. */
void watchdog_begin(struct watchdog *w, const struct worker_team *team);
void watchdog_end(struct watchdog *w);

/* stalled_ms: for each of n workers how long it has been standing still; 0: it
 * moves. */
void watchdog_look(struct watchdog *w, uint64_t *stalled_ms, unsigned n);

#endif
