/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.c - one line of time from stamps that jump.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>

#include "base/atomics.h"

static bool fits(const struct clock *c, uint64_t ns)
{
	return ns - c->now_ns + CLOCK_BACK_NS <= CLOCK_BACK_NS + CLOCK_FORWARD_NS;
}

static void note(struct clock *c, bool is_back, const struct clock_shift *shift)
{
	struct clock_history h = c->history;

	if (is_back)
		h.back++;
	else
		h.forward++;
	if (h.shifts_n == CLOCK_SHIFTS)
		memmove(&h.shifts[0], &h.shifts[1], --h.shifts_n * sizeof(*shift));
	h.shifts[h.shifts_n++] = *shift;
	seq_write_begin(&c->seq);
	seq_store_words(&c->history, &h, sizeof(h) / 8);
	seq_write_end(&c->seq);
}

/* What is shifted goes on just behind the clock, so that it can be told from
 * what came before. */
uint64_t clock_jump(struct clock *c, uint64_t stamp_ns)
{
	const bool is_back = (int64_t)(stamp_ns + c->shift_ns - c->now_ns) < 0;
	struct clock_shift shift = {.from_ns = stamp_ns};

	if (!c->now_ns) /* the first one sets the clock */
		return stamp_ns;
	if (!fits(c, stamp_ns)) {
		shift.from_ns = c->now_ns + 1;
		shift.shift_ns = shift.from_ns - stamp_ns;
	}
	note(c, is_back, &shift);
	c->shift_ns = shift.shift_ns;
	return stamp_ns + c->shift_ns;
}

void clock_history(const struct clock *c, struct clock_history *out)
{
	uint32_t seq;

	do {
		seq = load_acquire(&c->seq);
		seq_copy_words(out, &c->history, sizeof(*out) / 8);
	} while (seq & 1 || seq != load_relaxed(&c->seq));
}
