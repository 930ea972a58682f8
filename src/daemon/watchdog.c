/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watchdog.c - sees whether the workers of a live capture move.
 */
#include "daemon/watchdog.h"

#include <inttypes.h>
#include <time.h>

#include "base/units.h"
#include "daemon/report.h"

static uint64_t now_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void watchdog_begin(struct watchdog *w, const struct worker_team *team)
{
	pthread_mutex_lock(&w->lock);
	w->team = team;
	pthread_mutex_unlock(&w->lock);
}

void watchdog_end(struct watchdog *w)
{
	watchdog_begin(w, NULL);
}

static void say_stalled(unsigned worker, uint64_t still_ns)
{
	const uint64_t since_ms = (now_of(CLOCK_REALTIME) - still_ns) / NS_PER_MSEC;

	report(REPORT_WARNING,
	       "worker-%u stands still since %" PRIu64 ".%03" PRIu64
	       ": its frames wait in its ring, and are dropped when that is full; find out what "
	       "keeps the thread of that name, or start anew",
	       worker, since_ms / 1000, since_ms % 1000);
}

/* One worker: for how many milliseconds it has been standing still. */
static uint64_t look_at(struct watchdog *w, unsigned i, uint64_t now_ns)
{
	const uint64_t rounds = worker_team_rounds(w->team, i);
	const uint64_t still_ns = now_ns - w->workers[i].moved_ns;

	if (rounds != w->workers[i].rounds || !w->workers[i].moved_ns) {
		if (w->workers[i].is_told)
			report(REPORT_NOTICE, "worker-%u goes on after %" PRIu64 " s", i,
			       (uint64_t)(still_ns / NS_PER_SEC));
		w->workers[i].rounds = rounds;
		w->workers[i].moved_ns = now_ns;
		w->workers[i].looks = 0;
		w->workers[i].is_told = false;
		return 0;
	}
	if (++w->workers[i].looks < WATCHDOG_LOOKS)
		return 0;
	if (!w->workers[i].is_told)
		say_stalled(i, still_ns);
	w->workers[i].is_told = true;
	return still_ns / NS_PER_MSEC;
}

void watchdog_look(struct watchdog *w, uint64_t *stalled_ms, unsigned n)
{
	const uint64_t now_ns = now_of(CLOCK_MONOTONIC);

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < n; i++)
		stalled_ms[i] = w->team ? look_at(w, i, now_ns) : 0;
	pthread_mutex_unlock(&w->lock);
}
