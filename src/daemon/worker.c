/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - take a batch, count it, give it back, do a little upkeep.
 */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomics.h"
#include "flow/flow_table.h"

#define SWEEP_BUDGET 128 /* flows looked at after each batch: what 64 packets can start, twice */
#define SWEEP_ALL    4096

struct worker {
	struct worker_team *team;
	struct source source;
	struct account *account;
	uint64_t now_ns, tick; /* tick 0: no frame yet */
	pthread_t thread;
	int status;
	struct err err;
	char name[16];
};

struct worker_team {
	struct table *table;
	int ended_fd;
	bool stop;	 /* atomic */
	unsigned ended;	 /* atomic */
	unsigned n;	 /* started */
	uint64_t due_ns; /* of the next meeting; changes only while all meet. 0: not known */
	/* Under the lock: */
	pthread_mutex_t lock;
	pthread_cond_t met;
	unsigned present; /* workers that have not ended */
	unsigned waiting; /* of these, those that wait for the others */
	uint64_t meetings;
	uint64_t meeting_ns; /* the time that the waiting have come to */
	struct worker workers[];
};

/* --- meetings -------------------------------------------------------------- */

/* Every flow whose time is over is ended, so that no host is held by one. */
static void sweep_all(struct worker *w)
{
	while (flow_table_sweep(w->account->flows, SWEEP_ALL) == SWEEP_ALL)
		;
}

/* All are here. The lock is held. */
static void hold_meeting(struct worker_team *t)
{
	t->due_ns = table_forget_hosts(t->table, t->meeting_ns);
	t->waiting = 0;
	t->meetings++;
	pthread_cond_broadcast(&t->met);
}

static void meet(struct worker *w)
{
	struct worker_team *t = w->team;
	uint64_t meeting;

	sweep_all(w);
	pthread_mutex_lock(&t->lock);
	meeting = t->meetings;
	t->meeting_ns = w->now_ns;
	if (++t->waiting == t->present)
		hold_meeting(t);
	while (t->meetings == meeting)
		pthread_cond_wait(&t->met, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

/* n workers will not come to meetings any more. */
static void excuse(struct worker_team *t, unsigned n)
{
	pthread_mutex_lock(&t->lock);
	t->present -= n;
	if (t->waiting && t->waiting == t->present)
		hold_meeting(t);
	pthread_mutex_unlock(&t->lock);
}

/* The clock has come to another second. The first one meets too: only there is
 * known when the first host can be due. */
static void turn_second(struct worker *w)
{
	w->tick = w->now_ns / SOURCE_TICK_NS;
	if (w->now_ns / SOURCE_TICK_NS >= w->team->due_ns / SOURCE_TICK_NS)
		meet(w);
}

/* --- work ------------------------------------------------------------------ */

/* Until the source has no more. */
static int work(struct worker *w)
{
	const struct frame *frames;

	while (!load_relaxed(&w->team->stop)) {
		const int n = source_recv(&w->source, &frames, &w->now_ns, &w->err);

		if (n < 0)
			return n == -ENODATA ? 0 : n;
		account_clock(w->account, w->now_ns);
		if (w->now_ns / SOURCE_TICK_NS != w->tick)
			turn_second(w);
		if (n) {
			account_batch(w->account, frames, (unsigned)n);
			source_release(&w->source);
		}
		flow_table_sweep(w->account->flows, SWEEP_BUDGET);
	}
	return 0;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	const uint64_t one = 1;

	pthread_setname_np(pthread_self(), w->name);
	w->status = work(w);
	sweep_all(w);
	excuse(w->team, 1);
	__atomic_fetch_add(&w->team->ended, 1, __ATOMIC_RELEASE);
	if (write(w->team->ended_fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* an eventfd far from full takes every 1 */
	return NULL;
}

void worker_team_stop(struct worker_team *t)
{
	store_relaxed(&t->stop, true);
}

bool worker_team_ended(const struct worker_team *t)
{
	return load_acquire(&t->ended) == t->n;
}

static int join_all(struct worker_team *t, struct err *e)
{
	uint64_t now_ns = 0;
	int ret = 0;

	for (unsigned i = 0; i < t->n; i++) {
		struct worker *w = &t->workers[i];

		pthread_join(w->thread, NULL);
		if (w->now_ns > now_ns)
			now_ns = w->now_ns;
		if (w->status < 0 && ret == 0) {
			ret = w->status;
			*e = w->err;
		}
	}
	table_forget_hosts(t->table, now_ns);
	pthread_cond_destroy(&t->met);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return ret;
}

int worker_team_join(struct worker_team *t, struct err *e)
{
	return join_all(t, e);
}

int worker_team_start(struct worker_team **out, struct table *table, const struct source *sources,
		      unsigned n, int ended_fd, struct err *e)
{
	struct worker_team *t = calloc(1, sizeof(*t) + n * sizeof(t->workers[0]));
	struct err ignored;

	if (!t)
		return err_set(e, -ENOMEM, "no memory for %u workers", n);
	t->table = table;
	t->ended_fd = ended_fd;
	t->present = n;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->met, NULL);
	for (; t->n < n; t->n++) {
		struct worker *w = &t->workers[t->n];
		int ret;

		w->team = t;
		w->source = sources[t->n];
		w->account = table_account(table, t->n);
		snprintf(w->name, sizeof(w->name), "worker-%u", t->n);
		ret = pthread_create(&w->thread, NULL, worker_main, w);
		if (ret) {
			err_set(e, -ret, "no thread for worker %u: %s; lower --fanout", t->n,
				strerror(ret));
			worker_team_stop(t);
			excuse(t, n - t->n);
			join_all(t, &ignored);
			return -ret;
		}
	}
	*out = t;
	return 0;
}
