/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.c - one source's frames, split among n workers.
 *
 * Each share is a ring of blocks with one filler and one emptier. A block
 * holds frames of one second, and the clock. At the turn of a second all open
 * blocks are sent off, and an empty one with the new time to everybody.
 */
#include "capture/split.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/atomics.h"
#include "base/units.h"

#define SPLIT_BLOCKS   128
#define BLOCKS_TO_WAKE 32
#define BLOCK_BYTES    (2 * SOURCE_CAP_MAX) /* of copied frames */
#define WAIT_MAX_NS    (50 * NS_PER_MSEC)   /* between looks at whether to stop */

struct block {
	uint64_t now_ns;
	unsigned n;
	uint32_t used; /* of bytes */
	uint8_t *bytes;
	struct frame frames[SOURCE_BATCH];
};

struct share {
	struct split *split;
	pthread_mutex_t lock; /* of whoever waits, and of how it ended */
	pthread_cond_t moved;
	unsigned filled, emptied;	  /* blocks ever; atomic */
	bool filler_waits, emptier_waits; /* atomic */
	bool ended;			  /* no block will follow */
	struct err err;			  /* with status: why */
	int status;
	uint64_t now_ns; /* the emptier's */
	struct block blocks[SPLIT_BLOCKS];
};

struct split {
	struct replay *replay;
	struct source source;
	split_fanout_fn fanout;
	void *fanout_arg;
	unsigned n;
	bool stop; /* atomic */
	pthread_t thread;
	struct share *shares;
};

/* Blocks are handed over without the lock. Who finds none says that he waits, and
 * looks again; the other one moves on, and looks then whether somebody waits: one
 * of them sees the other. */
static unsigned filled(const struct share *h)
{
	return __atomic_load_n(&h->filled, __ATOMIC_SEQ_CST);
}

static unsigned emptied(const struct share *h)
{
	return __atomic_load_n(&h->emptied, __ATOMIC_SEQ_CST);
}

static void move_on(unsigned *blocks)
{
	__atomic_store_n(blocks, *blocks + 1, __ATOMIC_SEQ_CST);
}

static void wake(struct share *h, const bool *waits)
{
	if (!__atomic_load_n(waits, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&h->lock);
	pthread_cond_signal(&h->moved);
	pthread_mutex_unlock(&h->lock);
}

/* Under the lock, having said so. */
static void wait_moved(struct share *h)
{
	struct timespec until;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = (uint64_t)until.tv_nsec + WAIT_MAX_NS;
	until.tv_sec += (time_t)(ns / NS_PER_SEC);
	until.tv_nsec = (long)(ns % NS_PER_SEC);
	pthread_cond_timedwait(&h->moved, &h->lock, &until);
}

/* --- the filler ---------------------------------------------------------- */

static struct block *open_block(struct share *h)
{
	return &h->blocks[h->filled % SPLIT_BLOCKS];
}

static bool is_full(const struct share *h)
{
	return filled(h) - emptied(h) == SPLIT_BLOCKS;
}

static void wait_for_room(struct share *h)
{
	pthread_mutex_lock(&h->lock);
	__atomic_store_n(&h->filler_waits, true, __ATOMIC_SEQ_CST);
	while (is_full(h) && !load_relaxed(&h->split->stop))
		wait_moved(h);
	__atomic_store_n(&h->filler_waits, false, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&h->lock);
}

/* Sends the open block off and waits until the next one is free. False: stop. */
static bool send_block(struct share *h, uint64_t now_ns)
{
	open_block(h)->now_ns = now_ns;
	move_on(&h->filled);
	/* A few at a time: to wake somebody takes longer than to fill a block. */
	if (filled(h) - emptied(h) >= BLOCKS_TO_WAKE)
		wake(h, &h->emptier_waits);
	if (is_full(h)) {
		wait_for_room(h);
		if (is_full(h))
			return false;
	}
	open_block(h)->n = 0;
	open_block(h)->used = 0;
	return true;
}

/* All open blocks, and nobody is left asleep; with `empty`, also those without
 * frames. */
static bool send_all(struct split *s, uint64_t now_ns, bool empty)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct share *h = &s->shares[i];

		if ((open_block(h)->n || empty) && !send_block(h, now_ns))
			return false;
		if (filled(h) != emptied(h))
			wake(h, &h->emptier_waits);
	}
	return true;
}

/* Room for a copy of n bytes in the open block; NULL: there is none. */
static uint8_t *copy_room(struct block *b, uint32_t n)
{
	uint8_t *at;

	if (!b->bytes)
		b->bytes = malloc(BLOCK_BYTES);
	if (!b->bytes || BLOCK_BYTES - b->used < n)
		return NULL;
	at = b->bytes + b->used;
	b->used += n;
	return at;
}

static int put_frame(struct share *h, const struct frame *f, uint64_t now_ns, bool stays)
{
	struct block *b = open_block(h);
	uint8_t *at = NULL;

	if (!stays) {
		at = copy_room(b, f->caplen);
		if (!at && !send_block(h, now_ns))
			return -ECANCELED;
		b = open_block(h);
		if (!at)
			at = copy_room(b, f->caplen);
		if (!at)
			return -ENOMEM;
		memcpy(at, f->data, f->caplen);
	}
	b->frames[b->n] = *f;
	if (!stays)
		b->frames[b->n].data = at;
	b->n++;
	return b->n < SOURCE_BATCH || send_block(h, now_ns) ? 0 : -ECANCELED;
}

/* Until the source ends, or an error, or stop. */
static int split_frames(struct split *s, struct err *e)
{
	uint64_t now_ns = 0, tick = 0;

	while (!load_relaxed(&s->stop)) {
		const uint64_t before_ns = now_ns;
		const struct frame *frames;
		int n = source_recv(&s->source, &frames, &now_ns, e);
		bool stays;

		if (n < 0)
			return send_all(s, now_ns, true) ? n : -ECANCELED;
		if (now_ns / SOURCE_TICK_NS != tick) {
			tick = now_ns / SOURCE_TICK_NS;
			if (!send_all(s, before_ns, false) || !send_all(s, now_ns, true))
				return -ECANCELED;
		} else if (n == 0 && !send_all(s, now_ns, false)) {
			return -ECANCELED;
		}
		stays = replay_frames_stay(s->replay);
		for (int i = 0; i < n; i++) {
			const unsigned w = s->fanout(s->fanout_arg, &frames[i], s->n);
			const int ret = put_frame(&s->shares[w], &frames[i], now_ns, stays);

			if (ret == -ENOMEM)
				return err_set(e, ret, "no memory to hand frames to %u workers",
					       s->n);
			if (ret < 0)
				return ret;
		}
		source_release(&s->source);
	}
	return -ECANCELED;
}

static void *split_main(void *arg)
{
	struct split *s = arg;
	struct err e = {""};
	const int status = split_frames(s, &e);

	for (unsigned i = 0; i < s->n; i++) {
		struct share *h = &s->shares[i];

		pthread_mutex_lock(&h->lock);
		h->ended = true;
		h->status = status == -ECANCELED ? -ENODATA : status;
		h->err = e;
		pthread_cond_signal(&h->moved);
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

/* --- the emptier ----------------------------------------------------------- */

/* Until a block has come, or nothing does for a while. *e: why the last one was. */
static int wait_for_block(struct share *h, struct err *e)
{
	int ret = 0;

	pthread_mutex_lock(&h->lock);
	__atomic_store_n(&h->emptier_waits, true, __ATOMIC_SEQ_CST);
	if (filled(h) == emptied(h) && !h->ended)
		wait_moved(h);
	__atomic_store_n(&h->emptier_waits, false, __ATOMIC_SEQ_CST);
	if (filled(h) == emptied(h) && h->ended)
		ret = h->status;
	if (ret < 0 && ret != -ENODATA)
		*e = h->err;
	pthread_mutex_unlock(&h->lock);
	return ret;
}

static void share_release(void *ctx)
{
	struct share *h = ctx;

	move_on(&h->emptied);
	if (filled(h) - emptied(h) <= SPLIT_BLOCKS / 2)
		wake(h, &h->filler_waits);
}

static int share_recv(void *ctx, const struct frame **frames, uint64_t *now_ns, struct err *e)
{
	struct share *h = ctx;
	const struct block *b;
	int ret = 0;

	*now_ns = h->now_ns;
	if (filled(h) == emptied(h))
		ret = wait_for_block(h, e);
	if (ret < 0 || filled(h) == emptied(h))
		return ret;
	b = &h->blocks[h->emptied % SPLIT_BLOCKS];
	*frames = b->frames;
	*now_ns = h->now_ns = b->now_ns;
	ret = (int)b->n;
	if (ret == 0)
		share_release(h);
	return ret;
}

static void share_close(void *ctx)
{
	(void)ctx;
}

struct source split_share(struct split *s, unsigned i)
{
	static const struct source_ops ops = {share_recv, share_release, share_close};

	return (struct source){&ops, &s->shares[i]};
}

/* --- set-up ------------------------------------------------------------------- */

static void share_init(struct share *h, struct split *s)
{
	pthread_condattr_t attr;

	h->split = s;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->moved, &attr);
	pthread_condattr_destroy(&attr);
}

static void free_all(struct split *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		pthread_cond_destroy(&s->shares[i].moved);
		pthread_mutex_destroy(&s->shares[i].lock);
		for (unsigned b = 0; b < SPLIT_BLOCKS; b++)
			free(s->shares[i].blocks[b].bytes);
	}
	free(s->shares);
	free(s);
}

int split_open(struct split **out, struct replay *r, const struct split_conf *c, struct err *e)
{
	struct split *s = calloc(1, sizeof(*s));
	int ret;

	if (s)
		s->shares = calloc(c->n, sizeof(*s->shares));
	if (!s || !s->shares) {
		free(s);
		return err_set(e, -ENOMEM, "no memory for the queues of %u workers", c->n);
	}
	s->replay = r;
	s->source = replay_source(r);
	s->fanout = c->fanout;
	s->fanout_arg = c->arg;
	s->n = c->n;
	for (unsigned i = 0; i < c->n; i++)
		share_init(&s->shares[i], s);
	ret = pthread_create(&s->thread, NULL, split_main, s);
	if (ret) {
		free_all(s);
		return err_set(e, -ret, "no thread to split the replay: %s", strerror(ret));
	}
	pthread_setname_np(s->thread, "tcs-split");
	*out = s;
	return 0;
}

void split_close(struct split *s)
{
	if (!s)
		return;
	store_relaxed(&s->stop, true);
	pthread_join(s->thread, NULL);
	free_all(s);
}
