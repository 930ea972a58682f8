/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pick.c - of the frames of a replay, those that are for one of n workers.
 *
 * What is for others costs as little as can be: whose it is is told by the record
 * where it lies, and nothing is made of it.
 */
#include "capture/pick.h"

#include <errno.h>
#include <stdlib.h>

struct pick {
	struct replay *replay;
	struct source source;
	struct pick_conf conf;
	uint64_t now_ns, told_ns; /* the clock; and as it was last told */
	bool is_held;		  /* the batch may not be given yet */
	int held_n;		  /* its frames */
	struct frame batch[SOURCE_BATCH];
};

/* Own records of the clock's second. */
static unsigned pick_records(struct pick *p)
{
	const struct pick_conf *c = &p->conf;
	const uint8_t *own[SOURCE_BATCH + 1];
	struct pcap_run run;
	unsigned n;

	if (!replay_run_begin(p->replay, &run))
		return 0;
	n = c->own_of(c->arg, &run, c->i, c->n, own, SOURCE_BATCH);
	for (unsigned i = 0; i < n; i++)
		pcap_run_frame(&run, own[i], &p->batch[i]);
	p->now_ns = replay_run_end(p->replay, &run);
	return n;
}

/* The same of any frames, and into another second: these are a batch by themselves,
 * even if none is own, for the clock's sake. */
static int pick_frames(struct pick *p, struct err *e)
{
	const struct pick_conf *c = &p->conf;
	const struct frame *frames;
	const int n = source_recv(&p->source, &frames, &p->now_ns, e);
	int own_n = 0;

	for (int i = 0; i < n; i++)
		if (c->is_own(c->arg, &frames[i], c->i, c->n))
			p->batch[own_n++] = frames[i];
	if (n > 0)
		source_release(&p->source);
	return n < 0 ? n : own_n;
}

/* The next batch, at p->now_ns. */
static int next_batch(struct pick *p, struct err *e)
{
	const unsigned n = pick_records(p);

	return n ? (int)n : pick_frames(p, e);
}

static int pick_recv(void *ctx, const struct frame **frames, uint64_t *now_ns, struct err *e)
{
	struct pick *p = ctx;
	const int n = p->is_held ? p->held_n : next_batch(p, e);

	if (n < 0) {
		replay_retire(p->replay);
		return n;
	}
	*frames = p->batch;
	p->held_n = n;
	p->is_held = !replay_may_enter(p->replay, p->now_ns);
	if (p->is_held) {
		*now_ns = p->told_ns;
		return 0;
	}
	*now_ns = p->told_ns = p->now_ns;
	return n;
}

static void pick_release(void *ctx)
{
	(void)ctx; /* frames stay */
}

static void pick_close_source(void *ctx)
{
	(void)ctx;
}

struct source pick_source(struct pick *p)
{
	static const struct source_ops ops = {pick_recv, pick_release, pick_close_source};

	return (struct source){&ops, p};
}

int pick_open(struct pick **out, struct replay *r, const struct pick_conf *c, struct err *e)
{
	struct pick *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "no memory for the frames of worker %u", c->i);
	p->replay = r;
	p->source = replay_source(r);
	p->conf = *c;
	*out = p;
	return 0;
}

void pick_close(struct pick *p)
{
	free(p);
}
