/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.c - one source's frames, split among n workers.
 *
 * Each share is a ring of blocks with one emptier, its worker, and one filler at
 * a time: whichever worker finds its share empty takes the baton and reads on
 * for all of them, until there is a block in its own. So there is no thread that
 * only reads, and while one reads the others count.
 *
 * A block holds frames of one second, and the clock. At the turn of a second all
 * open blocks are sent off, and an empty one with the new time to everybody.
 * Who has the baton waits for nobody for long: if another share has no room, its
 * worker may be waiting for him.
 */
#include "capture/split.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/atomics.h"
#include "base/units.h"

#define SPLIT_BLOCKS 128
#define BLOCK_BYTES  (2 * SOURCE_CAP_MAX) /* of copied frames */
/* What one batch may take of a share: blocks of two copied frames at least, and
 * at the turn of a second two more. */
#define ROOM_BLOCKS  (SOURCE_BATCH / 2 + 4)
#define WAIT_MAX_NS  (50 * NS_PER_MSEC) /* between looks at whether to stop */
#define SPINS	     2000		/* looks before waiting: others read for microseconds */
#define SPINS_YIELD  64			/* now and then to whoever has no CPU */

struct block {
	uint64_t now_ns;
	unsigned n;
	uint32_t used; /* of bytes */
	uint8_t *bytes;
	struct frame frames[SOURCE_BATCH];
};

struct share {
	struct split *split;
	pthread_mutex_t lock; /* of whoever waits */
	pthread_cond_t moved;
	unsigned filled, emptied;	  /* blocks ever; atomic */
	bool filler_waits, emptier_waits; /* atomic */
	uint64_t now_ns;		  /* the emptier's */
	struct block blocks[SPLIT_BLOCKS];
};

struct split {
	struct replay *replay;
	split_fanout_fn fanout;
	void *fanout_arg;
	unsigned n;
	struct share *shares;
	pthread_mutex_t baton; /* of whoever reads; for all below */
	struct source source;
	uint64_t now_ns, tick;
	bool ended;	/* no block will follow; atomic */
	int status;	/* then, */
	struct err err; /* and why */
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

/* --- filling --------------------------------------------------------------- */

static struct block *open_block(struct share *h)
{
	return &h->blocks[h->filled % SPLIT_BLOCKS];
}

static bool has_room(const struct share *h)
{
	return filled(h) - emptied(h) <= SPLIT_BLOCKS - ROOM_BLOCKS;
}

/* Whether all shares have; waits a while for one that has not. */
static bool wait_for_room(struct split *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct share *h = &s->shares[i];

		if (has_room(h))
			continue;
		pthread_mutex_lock(&h->lock);
		__atomic_store_n(&h->filler_waits, true, __ATOMIC_SEQ_CST);
		if (!has_room(h))
			wait_moved(h);
		__atomic_store_n(&h->filler_waits, false, __ATOMIC_SEQ_CST);
		pthread_mutex_unlock(&h->lock);
		if (!has_room(h))
			return false;
	}
	return true;
}

/* Sends the open block off; the next one is free. */
static void send_block(struct share *h, uint64_t now_ns)
{
	open_block(h)->now_ns = now_ns;
	move_on(&h->filled);
	open_block(h)->n = 0;
	open_block(h)->used = 0;
}

/* All open blocks; with `empty`, also those without frames. */
static void send_all(struct split *s, uint64_t now_ns, bool empty)
{
	for (unsigned i = 0; i < s->n; i++)
		if (open_block(&s->shares[i])->n || empty)
			send_block(&s->shares[i], now_ns);
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
		if (!at) {
			send_block(h, now_ns);
			b = open_block(h);
			at = copy_room(b, f->caplen);
		}
		if (!at)
			return -ENOMEM;
		memcpy(at, f->data, f->caplen);
	}
	b->frames[b->n] = *f;
	if (!stays)
		b->frames[b->n].data = at;
	if (++b->n == SOURCE_BATCH)
		send_block(h, now_ns);
	return 0;
}

/* Reads a batch into the shares, which have room. How many frames, or why there
 * will be no more. */
static int read_batch(struct split *s)
{
	const uint64_t before_ns = s->now_ns;
	const struct frame *frames;
	const int n = source_recv(&s->source, &frames, &s->now_ns, &s->err);
	bool stays;

	if (n < 0) {
		send_all(s, s->now_ns, true);
		return n;
	}
	if (s->now_ns / SOURCE_TICK_NS != s->tick) {
		s->tick = s->now_ns / SOURCE_TICK_NS;
		send_all(s, before_ns, false);
		send_all(s, s->now_ns, true);
	} else if (n == 0) {
		send_all(s, s->now_ns, false);
	}
	stays = replay_frames_stay(s->replay);
	for (int i = 0; i < n; i++) {
		const unsigned w = s->fanout(s->fanout_arg, &frames[i], s->n);

		if (put_frame(&s->shares[w], &frames[i], s->now_ns, stays) < 0)
			return err_set(&s->err, -ENOMEM, "no memory to hand frames to %u workers",
				       s->n);
	}
	source_release(&s->source);
	return n;
}

/* With the baton: until there is a block in h, or no more will come, or none does
 * for now. */
static void read_for(struct split *s, const struct share *h)
{
	while (filled(h) == emptied(h) && !load_relaxed(&s->ended) && wait_for_room(s)) {
		const int n = read_batch(s);

		if (n < 0) {
			s->status = n;
			store_release(&s->ended, true);
		}
		if (n <= 0)
			return;
	}
}

/* --- emptying -------------------------------------------------------------- */

static bool is_empty(const struct share *h)
{
	return filled(h) == emptied(h);
}

/* Until a block has come, or the baton is free, or nothing happens for a while. */
static void wait_for_block(struct share *h)
{
	pthread_mutex_lock(&h->lock);
	__atomic_store_n(&h->emptier_waits, true, __ATOMIC_SEQ_CST);
	if (is_empty(h) && !load_acquire(&h->split->ended))
		wait_moved(h);
	__atomic_store_n(&h->emptier_waits, false, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&h->lock);
}

static inline void pause_cpu(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* Gets a block into h, if one comes soon. */
static void get_block(struct share *h)
{
	struct split *s = h->split;

	for (unsigned i = 0; i < SPINS; i++) {
		if (!is_empty(h) || load_acquire(&s->ended))
			return;
		if (pthread_mutex_trylock(&s->baton) != 0) {
			if (i % SPINS_YIELD == SPINS_YIELD - 1)
				sched_yield();
			pause_cpu();
			continue;
		}
		read_for(s, h);
		pthread_mutex_unlock(&s->baton);
		for (unsigned w = 0; w < s->n; w++)
			wake(&s->shares[w], &s->shares[w].emptier_waits);
		return;
	}
	wait_for_block(h);
}

static void share_release(void *ctx)
{
	struct share *h = ctx;

	move_on(&h->emptied);
	if (has_room(h))
		wake(h, &h->filler_waits);
}

/* Why no more comes. */
static int end_of(struct split *s, struct err *e)
{
	if (s->status != -ENODATA)
		*e = s->err;
	return s->status;
}

static int share_recv(void *ctx, const struct frame **frames, uint64_t *now_ns, struct err *e)
{
	struct share *h = ctx;
	const struct block *b;
	int n;

	*now_ns = h->now_ns;
	if (is_empty(h))
		get_block(h);
	/* In this order: what came last came before the end. */
	if (load_acquire(&h->split->ended) && is_empty(h))
		return end_of(h->split, e);
	if (is_empty(h))
		return 0;
	b = &h->blocks[h->emptied % SPLIT_BLOCKS];
	*frames = b->frames;
	*now_ns = h->now_ns = b->now_ns;
	n = (int)b->n;
	if (n == 0)
		share_release(h);
	return n;
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
	pthread_mutex_destroy(&s->baton);
	free(s->shares);
	free(s);
}

int split_open(struct split **out, struct replay *r, const struct split_conf *c, struct err *e)
{
	struct split *s = calloc(1, sizeof(*s));

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
	pthread_mutex_init(&s->baton, NULL);
	*out = s;
	return 0;
}

void split_close(struct split *s)
{
	if (s)
		free_all(s);
}
