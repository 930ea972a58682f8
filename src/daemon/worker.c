/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - take a batch, count it, give it back, do a little upkeep.
 */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomics.h"
#include "flow/flow_table.h"
#include "table/probe.h"
#include "table/settings.h"

#define SWEEP_BUDGET 128  /* flows looked at after each batch: what 64 packets can start, twice */
#define SWEEP_ALL    4096 /* when there is time */

struct worker {
	struct worker_team *team;
	struct source source;
	struct account *account;
	uint64_t now_ns, tick; /* tick 0: no frame yet */
	uint64_t rounds;       /* batches it has left; read by who tends */
	uint64_t rounds_noted; /* when hosts were last taken out of the directory */
	pthread_t thread;
	int status;
	struct err err;
	char name[16];
};

struct worker_team {
	struct table *table;
	worker_enter_fn enter;
	void *arg;
	int ended_fd;
	bool in_step;
	bool is_forgetting; /* hosts are out of the directory, and wait to be given back */
	uint64_t tend_ns;   /* when the next one can be due */
	bool stop;	    /* atomic */
	unsigned ended;	    /* atomic */
	unsigned n;	    /* started */
	uint64_t due_ns;    /* of the next meeting; changes only while all meet. 0: not known */
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
	if (w->team->in_step && w->tick >= w->team->due_ns / SOURCE_TICK_NS)
		meet(w);
}

/* --- tending ---------------------------------------------------------------- */

/* Two rounds: the first that is seen may have begun before. */
static bool all_have_moved_on(const struct worker_team *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (__atomic_load_n(&t->workers[i].rounds, __ATOMIC_SEQ_CST) <
		    t->workers[i].rounds_noted + 2)
			return false;
	return true;
}

void worker_team_tend(struct worker_team *t)
{
	uint64_t now_ns = 0;

	if (t->is_forgetting) {
		if (!all_have_moved_on(t))
			return;
		table_forget_finish(t->table);
		t->is_forgetting = false;
	}
	for (unsigned i = 0; i < t->n; i++) {
		const uint64_t ns = load_relaxed(&t->workers[i].account->now_ns);

		now_ns = ns > now_ns ? ns : now_ns;
	}
	if (now_ns < t->tend_ns)
		return;
	t->tend_ns = table_forget_begin(t->table, now_ns);
	t->is_forgetting = true;
	for (unsigned i = 0; i < t->n; i++)
		t->workers[i].rounds_noted =
			__atomic_load_n(&t->workers[i].rounds, __ATOMIC_SEQ_CST);
}

void worker_team_hosts_due(struct worker_team *t)
{
	t->tend_ns = 0;
}

/* --- work ------------------------------------------------------------------ */

/* Until the source has no more. */
static int work(struct worker *w)
{
	const struct frame *frames;

	for (;;) {
		const bool stop = load_relaxed(&w->team->stop);
		int n;

		if (stop && w->team->in_step)
			return 0;
		n = source_recv(&w->source, &frames, &w->now_ns, &w->err);
		if (n < 0)
			return n == -ENODATA ? 0 : n;
		if (stop && n == 0)
			return 0;
		settings_take(w->account);
		account_clock(w->account, w->now_ns);
		if (w->now_ns / SOURCE_TICK_NS != w->tick)
			turn_second(w);
		if (n) {
			account_batch(w->account, frames, (unsigned)n);
			probe_batch(w->account->probe, w->account->inner, frames, (unsigned)n);
			source_release(&w->source);
		}
		flow_table_sweep(w->account->flows, n < SOURCE_BATCH ? SWEEP_ALL : SWEEP_BUDGET);
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_SEQ_CST);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	const uint64_t one = 1;

	pthread_setname_np(pthread_self(), w->name);
	w->status = w->team->enter ? w->team->enter(w->team->arg, &w->err) : 0;
	if (w->status == 0)
		w->status = work(w);
	if (w->status < 0 && w->team->in_step)
		worker_team_stop(w->team); /* the others would wait for it */
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

uint64_t worker_team_rounds(const struct worker_team *t, unsigned i)
{
	return load_relaxed(&t->workers[i].rounds);
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
	table_forget_finish(t->table);
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

static int pin(const struct worker_team_conf *c, unsigned i, pthread_attr_t *attr, struct err *e)
{
	const unsigned cpu = c->cpus_n ? c->cpus[i % c->cpus_n] : 0;
	cpu_set_t set;

	if (!c->cpus_n)
		return 0;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && !CPU_ISSET(cpu, &set))
		return err_set(e, -EINVAL,
			       "--cpus: this process may not run on CPU %u; name others", cpu);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return -pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

static int start_one(struct worker_team *t, const struct worker_team_conf *c, struct err *e)
{
	struct worker *w = &t->workers[t->n];
	pthread_attr_t attr;
	int ret;

	w->team = t;
	w->source = c->sources[t->n];
	w->account = table_account(c->table, t->n);
	snprintf(w->name, sizeof(w->name), "worker-%u", t->n);
	pthread_attr_init(&attr);
	ret = pin(c, t->n, &attr, e);
	if (ret == 0) {
		ret = -pthread_create(&w->thread, &attr, worker_main, w);
		if (ret)
			err_set(e, ret, "no thread for worker %u: %s; lower --fanout", t->n,
				strerror(-ret));
	}
	pthread_attr_destroy(&attr);
	return ret;
}

int worker_team_start(struct worker_team **out, const struct worker_team_conf *c, struct err *e)
{
	struct worker_team *t = calloc(1, sizeof(*t) + c->n * sizeof(t->workers[0]));
	struct err ignored;

	if (!t)
		return err_set(e, -ENOMEM, "no memory for %u workers", c->n);
	t->table = c->table;
	t->enter = c->enter;
	t->arg = c->arg;
	t->ended_fd = c->ended_fd;
	t->in_step = c->in_step;
	t->present = c->n;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->met, NULL);
	for (; t->n < c->n; t->n++) {
		const int ret = start_one(t, c, e);

		if (ret < 0) {
			worker_team_stop(t);
			excuse(t, c->n - t->n);
			join_all(t, &ignored);
			return ret;
		}
	}
	*out = t;
	return 0;
}
