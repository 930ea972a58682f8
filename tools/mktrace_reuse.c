/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace_reuse.c - TCP connections one after the other on the same tuples.
 *
 * Each goes the way of a script to its end, TIME_WAIT or CLOSE; then a SYN on
 * the same tuple, from either end, begins the next. Packets that must not begin
 * one are among them: SYNs that come again, before and after the answer, and
 * late ones on an open connection.
 */
#include "mktrace.h"

#define STEPS_MAX 12

struct step_of {
	uint8_t flags;
	uint8_t from; /* 0: who began */
};

#define S_  TCP_SYN
#define SA_ TCP_SYN | TCP_ACK
#define A_  TCP_ACK
#define F_  TCP_FIN | TCP_ACK
#define R_  TCP_RST | TCP_ACK

static const struct step_of scripts[][STEPS_MAX] = {
	/* closed by who began */
	{{S_, 0}, {SA_, 1}, {A_, 0}, {A_, 0}, {A_, 1}, {F_, 0}, {F_, 1}, {A_, 0}},
	/* by the other, with a half-close, and a late FIN */
	{{S_, 0}, {SA_, 1}, {A_, 0}, {F_, 1}, {A_, 0}, {A_, 0}, {F_, 0}, {A_, 1}, {F_, 0}},
	/* reset */
	{{S_, 0}, {SA_, 1}, {A_, 0}, {A_, 1}, {R_, 1}, {R_, 1}},
	/* refused */
	{{S_, 0}, {R_, 1}},
	/* all of it sent twice */
	{{S_, 0},
	 {S_, 0},
	 {SA_, 1},
	 {S_, 0},
	 {SA_, 1},
	 {A_, 0},
	 {S_, 0},
	 {F_, 0},
	 {F_, 0},
	 {F_, 1},
	 {A_, 0}},
	/* begun by both at once */
	{{S_, 0}, {S_, 1}, {SA_, 0}, {SA_, 1}, {A_, 0}, {A_, 1}, {R_, 0}},
};

#define SCRIPTS (sizeof(scripts) / sizeof(scripts[0]))

static void begin(struct trace *t, struct flow *f)
{
	for (unsigned e = 0; e < 2; e++)
		t->entities[f->end[e]].conns++;
	f->left = draw_below(t, SCRIPTS);
	f->answers = happens(t, 0.25); /* the other end begins this time */
}

/* One step; f->step counts them, f->left is the script. */
static int reuse_turn(struct trace *t, struct flow *f)
{
	const struct step_of *s;

	if (f->step == 0)
		begin(t, f);
	s = &scripts[f->left][f->step++];
	if (f->step == STEPS_MAX || !s[1].flags)
		f->step = 0;
	return put_tcp(t, f, s->from ^ f->answers, s->flags, 0);
}

int make_reuse(struct trace *t)
{
	const uint32_t flows = (uint32_t)t->c.flows;
	int ret = 0;

	for (uint32_t i = 0; i < flows; i++) {
		struct flow *f = &t->flows[i];

		open_pair(t, f, i);
		f->proto = TCP;
		f->class = CLASS_TCP;
	}
	for (uint64_t i = 0; ret == 0 && t->made < t->c.packets; i++)
		ret = reuse_turn(t, &t->flows[i % flows]);
	return ret;
}
