/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - one line of time from stamps that jump.
 *
 * Stamps may lag behind the clock a little (frames come out of order) and leave
 * it behind (nothing came for a while). What is beyond that is a jump: a clock
 * that was set, a damaged stamp, an older file after a newer one. From there on
 * stamps are shifted so that the clock goes on where it was, until a stamp fits
 * as it is again. So neither ends everything at once, nor stops anything from
 * ending. The last shifts are kept, so that a time on the line can be told as
 * it was stamped.
 *
 * Threading: one thread; clock_history() is for any other.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define CLOCK_BACK_NS	 (60 * NS_PER_SEC)	   /* a stamp may lag behind by as much */
#define CLOCK_FORWARD_NS (30 * 86400 * NS_PER_SEC) /* or leave the clock behind by as much */

#define CLOCK_SHIFTS 16 /* kept */

/* From here on the line, this was added to stamps, modulo 2^64. */
struct clock_shift {
	uint64_t from_ns, shift_ns;
};

struct clock_history {
	uint64_t back, forward; /* jumps */
	uint64_t shifts_n;
	struct clock_shift shifts[CLOCK_SHIFTS]; /* the latest last; before the first: none */
};

struct clock {
	uint64_t now_ns;   /* the largest stamp so far, shifted; 0: none */
	uint64_t shift_ns; /* now */
	uint32_t seq;	   /* guards the history */
	struct clock_history history;
};

/* Whether a stamp on the line is near enough to a clock. */
static inline bool clock_is_near(uint64_t now_ns, uint64_t ns)
{
	return ns - now_ns + CLOCK_BACK_NS <= CLOCK_BACK_NS + CLOCK_FORWARD_NS;
}

/* clock.c: the stamp does not fit. */
uint64_t clock_jump(struct clock *c, uint64_t stamp_ns);

/* Where on the line the stamp stands. Does not move now_ns. */
static inline uint64_t clock_place(struct clock *c, uint64_t stamp_ns)
{
	const uint64_t ns = stamp_ns + c->shift_ns;

	return __builtin_expect(clock_is_near(c->now_ns, ns), 1) ? ns : clock_jump(c, stamp_ns);
}

/* A time on the line as it was stamped. */
static inline uint64_t clock_stamped(const struct clock_history *h, uint64_t ns)
{
	uint64_t i = h->shifts_n;

	while (i && ns < h->shifts[i - 1].from_ns)
		i--;
	return i ? ns - h->shifts[i - 1].shift_ns : ns;
}

/* Any thread. */
void clock_history(const struct clock *c, struct clock_history *out);

#endif
