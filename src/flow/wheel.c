/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wheel.c - timers for numbered things, one tick a slot.
 *
 * Invariant: a thing in slot s is asked about when the sweep passes a tick
 * that is s modulo the wheel's length, and never later than its tick. What is
 * due already hangs on the slot that was swept last, where every sweep begins.
 */
#include "flow/wheel.h"

#define SLOT_MASK (WHEEL_SLOTS - 1)
#define ON_SLOT	  0x80000000u

static struct wheel_link *link_of(const struct wheel *w, uint32_t i)
{
	return (struct wheel_link *)(void *)(w->links + i * w->stride);
}

void wheel_init(struct wheel *w, void *links, size_t stride)
{
	w->tick = 0;
	w->links = links;
	w->stride = stride;
	for (unsigned s = 0; s < WHEEL_SLOTS; s++)
		w->head[s] = WHEEL_NONE;
}

void wheel_start(struct wheel *w, uint64_t tick)
{
	w->tick = tick;
}

void wheel_add(struct wheel *w, uint32_t i, uint64_t tick)
{
	struct wheel_link *l = link_of(w, i);
	uint32_t s;

	if (tick < w->tick)
		tick = w->tick;
	if (tick - w->tick >= WHEEL_SLOTS)
		tick = w->tick + WHEEL_SLOTS - 1;
	s = tick & SLOT_MASK;
	l->next = w->head[s];
	l->prev = ON_SLOT | s;
	if (l->next != WHEEL_NONE)
		link_of(w, l->next)->prev = i;
	w->head[s] = i;
}

void wheel_remove(struct wheel *w, uint32_t i)
{
	const struct wheel_link *l = link_of(w, i);

	if (l->prev & ON_SLOT)
		w->head[l->prev & SLOT_MASK] = l->next;
	else
		link_of(w, l->prev)->next = l->next;
	if (l->next != WHEEL_NONE)
		link_of(w, l->next)->prev = l->prev;
}

void wheel_prefetch(const struct wheel *w, uint32_t i)
{
	const struct wheel_link *l = link_of(w, i);

	if (!(l->prev & ON_SLOT))
		__builtin_prefetch(link_of(w, l->prev), 1);
	if (l->next != WHEEL_NONE)
		__builtin_prefetch(link_of(w, l->next), 1);
}

uint32_t wheel_sweep(struct wheel *w, uint64_t now, uint32_t budget, wheel_due_fn fn, void *arg)
{
	uint32_t asked = 0;

	if (now < w->tick)
		return 0;
	/* After a leap of the clock one turn visits everything. */
	if (now - w->tick > WHEEL_SLOTS)
		w->tick = now - WHEEL_SLOTS;
	for (;;) {
		const uint32_t s = w->tick & SLOT_MASK;
		uint32_t i;

		while ((i = w->head[s]) != WHEEL_NONE) {
			uint64_t again;

			if (asked == budget)
				return asked;
			asked++;
			wheel_remove(w, i);
			again = fn(arg, i, now);
			if (again)
				wheel_add(w, i, again);
		}
		if (w->tick >= now)
			break;
		w->tick++;
	}
	return asked;
}

uint64_t wheel_next(const struct wheel *w, uint64_t limit)
{
	uint64_t tick = w->tick;

	while (tick < limit && tick < w->tick + WHEEL_SLOTS &&
	       w->head[tick & SLOT_MASK] == WHEEL_NONE)
		tick++;
	return tick < limit ? tick : limit;
}
