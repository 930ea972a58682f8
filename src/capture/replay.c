/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - capture files, one after the other, as a source of frames.
 *
 * Frames are read a batch ahead into `pending` and handed out up to the end of
 * their second. Files stay open until close: those that are mapped hold frames
 * that somebody may still have.
 */
#include "capture/replay.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/atomics.h"
#include "base/units.h"
#include "base/clock.h"
#include "capture/filter.h"
#include "capture/pcap_file.h"
#include "capture/stream.h"

#define NAP_MAX_NS  (50 * NS_PER_MSEC) /* between looks at whether to stop */
#define NAP_TEAM_NS (50000ull)	       /* for those behind */
#define LOOKS	    4
#define LOOKS_TEAM  1000 /* before somebody else may have the processor */

/* What those who read the same have in common of a file. */
struct team_file {
	struct pcap_file *first; /* of whoever opened it */
	bool is_bad;		 /* it could not be opened */
	bool is_told;		 /* something is wrong with it, and that was said */
};

/* How many seconds a member has come to: all come to the same ones. */
struct team_member {
	_Alignas(64) uint64_t seconds; /* atomic */
};

struct replay_team {
	pthread_mutex_t lock;
	unsigned n;
	unsigned open; /* not yet closed */
	struct team_member *members;
	struct team_file files[];
};

struct replay {
	struct replay_conf conf;
	struct replay_team *team; /* NULL: alone */
	unsigned member;	  /* which one of it, */
	uint64_t tick, seconds;	  /* where it is, and the how manieth second that is */
	uint64_t entered;	  /* the last one that it might enter */
	struct filter *filter;	  /* NULL: all pass */
	struct pcap_file **files;
	size_t current; /* read by replay_progress() */
	struct frame pending[SOURCE_BATCH];
	unsigned pos, pending_n;
	struct clock clock; /* of what is in pending */
	uint64_t now_ns, tick_end_ns;
	uint64_t wall_start_ns, first_ns; /* of the paced clock; 0: not started */
	uint64_t total_bytes;
};

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void nap(uint64_t ns)
{
	const struct timespec ts = {0, (long)ns};

	nanosleep(&ts, NULL);
}

/* Keeps of the n frames just read those that pass the filter. */
static int choose(struct replay *r, unsigned n, struct err *e)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		const int match = filter_match(r->filter, &r->pending[i], e);

		if (match < 0)
			return match;
		if (!match)
			continue;
		if (kept != i)
			r->pending[kept] = r->pending[i];
		kept++;
	}
	r->pending_n = kept;
	return 0;
}

/* Puts the stamps of what is pending on one line. */
static void place(struct replay *r)
{
	uint64_t now_ns = r->clock.now_ns, shift_ns = r->clock.shift_ns;

	for (unsigned i = 0; i < r->pending_n; i++) {
		uint64_t ns = r->pending[i].ts_ns + shift_ns;

		if (__builtin_expect(!clock_is_near(now_ns, ns), 0)) {
			r->clock.now_ns = now_ns;
			ns = clock_jump(&r->clock, r->pending[i].ts_ns);
			shift_ns = r->clock.shift_ns;
		}
		r->pending[i].ts_ns = ns;
		now_ns = ns > now_ns ? ns : now_ns;
	}
	r->clock.now_ns = now_ns;
}

/* What is wrong with file i. */
static void tell_damage(struct replay *r, size_t i, const char *sentence)
{
	struct replay_team *t = r->team;

	if (!t) {
		r->conf.damage(r->conf.arg, sentence);
		return;
	}
	pthread_mutex_lock(&t->lock);
	if (!t->files[i].is_told)
		r->conf.damage(r->conf.arg, sentence);
	t->files[i].is_told = true;
	pthread_mutex_unlock(&t->lock);
}

/* The first one of a team opens it, the others join. */
static int open_in_team(struct replay *r, size_t i, struct err *e)
{
	struct team_file *file = &r->team->files[i];
	int ret;

	if (file->is_bad)
		return -EINVAL; /* as was told */
	if (file->first)
		return pcap_file_join(&r->files[i], file->first, e);
	ret = pcap_file_open(&r->files[i], r->conf.paths[i], e);
	if (ret == 0 && !pcap_file_share(r->files[i], r->team->n))
		ret = err_set(e, -EINVAL, "%s is another file than it was at the start",
			      r->conf.paths[i]);
	file->is_bad = ret < 0;
	file->first = ret < 0 ? NULL : r->files[i];
	return ret;
}

static int open_file(struct replay *r, size_t i, struct err *e)
{
	int ret;

	if (!r->team)
		return pcap_file_open(&r->files[i], r->conf.paths[i], e);
	pthread_mutex_lock(&r->team->lock);
	ret = open_in_team(r, i, e);
	pthread_mutex_unlock(&r->team->lock);
	return ret;
}

/* The next file that can be opened: 0, or if a team is not yet through with this
 * one; or -ENODATA. */
static int next_file(struct replay *r)
{
	struct err e;

	if (r->team && !pcap_file_is_left(r->files[r->current])) {
		nap(NAP_TEAM_NS);
		return 0;
	}
	for (size_t i = r->current + 1; i < r->conf.paths_n; i++) {
		if (open_file(r, i, &e) < 0) {
			tell_damage(r, i, e.text);
			continue;
		}
		store_release(&r->current, i);
		return 0;
	}
	return -ENODATA;
}

/* One look for frames: into pending, if there are any and some of them pass. */
static int refill(struct replay *r, struct err *e)
{
	struct err why;
	const int n = pcap_file_recv(r->files[r->current], r->pending, SOURCE_BATCH, &why);

	r->pos = r->pending_n = 0;
	if (n == -EAGAIN)
		return 0;
	if (n < 0) {
		tell_damage(r, r->current, why.text);
		return 0; /* next time it will be at its end */
	}
	if (n == 0)
		return next_file(r);
	if (r->filter)
		return choose(r, (unsigned)n, e);
	r->pending_n = (unsigned)n;
	return 0;
}

/* Looks until there are frames; gives up after a while, so that the caller can
 * be stopped while nothing passes or comes. */
static int find_frames(struct replay *r, struct err *e)
{
	int ret = 0;

	for (unsigned i = 0; i < LOOKS && ret == 0 && r->pos == r->pending_n; i++) {
		ret = refill(r, e);
		if (ret == 0)
			place(r);
	}
	return ret;
}

/* With a speed: moves the clock, and says how long the frame's time is yet to
 * come. */
static uint64_t wait_ns(struct replay *r, uint64_t ts_ns)
{
	uint64_t virtual_ns;
	double wait;

	if (!r->wall_start_ns) {
		r->wall_start_ns = wall_ns();
		r->first_ns = ts_ns;
	}
	virtual_ns =
		r->first_ns + (uint64_t)((double)(wall_ns() - r->wall_start_ns) * r->conf.speed);
	if (ts_ns <= virtual_ns)
		return 0;
	if (virtual_ns > r->now_ns)
		r->now_ns = virtual_ns;
	wait = (double)(ts_ns - virtual_ns) / r->conf.speed;
	return wait < NAP_MAX_NS ? (uint64_t)wait + 1 : NAP_MAX_NS;
}

static int replay_recv(void *ctx, const struct frame **frames, uint64_t *now_ns, struct err *e)
{
	struct replay *r = ctx;
	uint64_t wait;
	unsigned n = 0;
	int ret;

	ret = find_frames(r, e);
	if (ret < 0)
		return ret;
	if (r->pos == r->pending_n) {
		*now_ns = r->now_ns;
		return 0;
	}
	*frames = &r->pending[r->pos];
	wait = r->conf.speed > 0 ? wait_ns(r, r->pending[r->pos].ts_ns) : 0;
	if (wait) {
		nap(wait);
		*now_ns = r->now_ns;
		return 0;
	}
	if (r->pending[r->pos].ts_ns > r->now_ns)
		r->now_ns = r->pending[r->pos].ts_ns;
	if (r->now_ns >= r->tick_end_ns)
		r->tick_end_ns = r->now_ns - r->now_ns % SOURCE_TICK_NS + SOURCE_TICK_NS;
	if (r->conf.speed <= 0 && r->clock.now_ns < r->tick_end_ns) { /* as nearly always */
		n = r->pending_n - r->pos;
		r->pos = r->pending_n;
		r->now_ns = r->clock.now_ns > r->now_ns ? r->clock.now_ns : r->now_ns;
	}
	while (r->pos < r->pending_n && r->pending[r->pos].ts_ns < r->tick_end_ns) {
		if (r->conf.speed > 0 && n && wait_ns(r, r->pending[r->pos].ts_ns))
			break;
		if (r->pending[r->pos].ts_ns > r->now_ns)
			r->now_ns = r->pending[r->pos].ts_ns;
		r->pos++;
		n++;
	}
	*now_ns = r->now_ns;
	return (int)n;
}

bool replay_run_begin(struct replay *r, struct pcap_run *out)
{
	if (r->pos < r->pending_n || r->filter || r->conf.speed > 0 || r->clock.shift_ns ||
	    !r->now_ns)
		return false;
	return pcap_file_run_begin(r->files[r->current], r->now_ns / SOURCE_TICK_NS, out);
}

uint64_t replay_run_end(struct replay *r, const struct pcap_run *run)
{
	const uint64_t last_ns =
		run->s * SOURCE_TICK_NS + (uint64_t)run->last * (SOURCE_TICK_NS / run->units);

	pcap_file_run_end(r->files[r->current], run);
	if (run->n && last_ns > r->now_ns)
		r->now_ns = r->clock.now_ns = last_ns;
	return r->now_ns;
}

static bool all_have_come_to(const struct replay_team *t, uint64_t seconds)
{
	for (unsigned i = 0; i < t->n; i++)
		if (load_acquire(&t->members[i].seconds) < seconds)
			return false;
	return true;
}

bool replay_may_enter(struct replay *r, uint64_t now_ns)
{
	const uint64_t tick = now_ns / SOURCE_TICK_NS;

	if (tick != r->tick) {
		r->tick = tick;
		r->seconds++;
		store_release(&r->team->members[r->member].seconds, r->seconds);
	}
	if (r->entered == r->seconds)
		return true;
	for (unsigned i = 0; !all_have_come_to(r->team, r->seconds - 1); i++) {
		if (i == LOOKS_TEAM) {
			sched_yield();
			return false;
		}
	}
	r->entered = r->seconds;
	return true;
}

void replay_retire(struct replay *r)
{
	store_release(&r->team->members[r->member].seconds, UINT64_MAX);
}

static void replay_release(void *ctx)
{
	(void)ctx; /* frames stay until the next recv() or longer */
}

static void replay_close_ctx(void *ctx)
{
	replay_close(ctx);
}

struct source replay_source(struct replay *r)
{
	static const struct source_ops ops = {replay_recv, replay_release, replay_close_ctx};

	return (struct source){&ops, r};
}

bool replay_frames_stay(const struct replay *r)
{
	return pcap_file_is_mapped(r->files[r->current]);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* 0 if the size of one is not known. */
static uint64_t size_of_all(const struct replay_conf *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->paths_n; i++) {
		const uint64_t size = size_of(c->paths[i]);

		if (!size)
			return 0;
		sum += size;
	}
	return sum;
}

/* Of a file that is done with: as much as its share of the total. */
static uint64_t bytes_done(const struct replay *r, size_t i)
{
	uint64_t done, size;

	if (!r->files[i])
		return size_of(r->conf.paths[i]);
	pcap_file_progress(r->files[i], &done, &size);
	return size ? size : done;
}

void replay_progress(const struct replay *r, uint64_t *done, uint64_t *total)
{
	const size_t current = load_acquire(&r->current);
	uint64_t size;

	pcap_file_progress(r->files[current], done, &size);
	for (size_t i = 0; i < current; i++)
		*done += bytes_done(r, i);
	*total = r->total_bytes;
}

void replay_times(const struct replay *r, struct clock_history *out)
{
	clock_history(&r->clock, out);
}

/* All but the first file. */
static int replay_new(struct replay **out, const struct replay_conf *c, struct err *e)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a replay");
	r->conf = *c;
	r->files = calloc(c->paths_n, sizeof(struct pcap_file *));
	if (!r->files) {
		free(r);
		return err_set(e, -ENOMEM, "no memory for %zu files", c->paths_n);
	}
	r->total_bytes = size_of_all(c);
	*out = r;
	return 0;
}

int replay_open(struct replay **out, const struct replay_conf *c, struct err *e)
{
	struct replay *r;
	int ret = replay_new(&r, c, e);

	if (ret < 0)
		return ret;
	if (c->filter)
		ret = filter_new(&r->filter, c->filter, e);
	if (ret == 0)
		ret = open_file(r, 0, e);
	if (ret < 0) {
		replay_close(r);
		return ret;
	}
	*out = r;
	return 0;
}

static bool can_be_shared(const struct replay_conf *c)
{
	if (c->filter || c->speed > 0)
		return false;
	for (size_t i = 0; i < c->paths_n; i++)
		if (!stream_is_plain(c->paths[i]))
			return false;
	return true;
}

static void leave_team(struct replay_team *t)
{
	if (!t || --t->open)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->members);
	free(t);
}

/* Adds a replay to a team. */
static int join(struct replay **out, struct replay_team *t, const struct replay_conf *c,
		struct err *e)
{
	struct replay *r;
	int ret = replay_new(&r, c, e);

	if (ret < 0)
		return ret;
	r->team = t;
	r->member = t->open++ - 1;
	ret = open_file(r, 0, e);
	if (ret < 0) {
		replay_close(r);
		return ret;
	}
	*out = r;
	return 0;
}

int replay_open_team(struct replay *out[], unsigned n, const struct replay_conf *c, struct err *e)
{
	struct replay_team *t;
	int ret = 0;

	if (!can_be_shared(c))
		return -ENOTSUP;
	t = calloc(1, sizeof(*t) + c->paths_n * sizeof(t->files[0]));
	if (t)
		t->members = aligned_alloc(sizeof(*t->members), n * sizeof(*t->members));
	if (!t || !t->members) {
		free(t);
		return err_set(e, -ENOMEM, "no memory for %u readers", n);
	}
	memset(t->members, 0, n * sizeof(*t->members));
	pthread_mutex_init(&t->lock, NULL);
	t->n = n;
	t->open = 1; /* ours */
	for (unsigned i = 0; i < n && ret == 0; i++) {
		ret = join(&out[i], t, c, e);
		for (unsigned k = 0; ret < 0 && k < i; k++)
			replay_close(out[k]);
	}
	leave_team(t);
	return ret;
}

void replay_close(struct replay *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->files && i < r->conf.paths_n; i++)
		pcap_file_close(r->files[i]);
	leave_team(r->team);
	free(r->files);
	filter_free(r->filter);
	free(r);
}
