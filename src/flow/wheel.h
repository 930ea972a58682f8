/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wheel.h - timers for numbered things, one tick a slot.
 *
 * A thing is set to a tick; when the sweep gets there, its owner is asked
 * whether it is really due, and if not, until when to wait. So a timer that is
 * put off again and again costs nothing until its first date; and one that
 * lies further away than the wheel is long is asked about once a turn.
 *
 * Threading: one thread. Memory: the caller's; links are embedded in the
 * things, at a fixed distance from each other. No call allocates.
 */
#ifndef FLOW_WHEEL_H
#define FLOW_WHEEL_H

#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS 4096 /* ticks of one turn; a power of two */
#define WHEEL_NONE  UINT32_MAX
#define WHEEL_MAX   (1u << 31) /* things are numbered below this */

struct wheel_link {
	uint32_t next;
	uint32_t prev; /* or the slot it hangs on, with the top bit set */
};

struct wheel {
	uint64_t tick; /* slots up to this one have been swept */
	char *links;   /* of thing 0 */
	size_t stride; /* bytes from one thing's link to the next's */
	uint32_t head[WHEEL_SLOTS];
};

/* Thing `i` has come to its date at `now` (a tick). Returns the tick until
 * which to wait, above now, or 0 if it was due and is no longer there. */
typedef uint64_t (*wheel_due_fn)(void *arg, uint32_t i, uint64_t now);

void wheel_init(struct wheel *w, void *links, size_t stride);

/* Starts the clock: nothing is set yet. */
void wheel_start(struct wheel *w, uint64_t tick);

void wheel_add(struct wheel *w, uint32_t i, uint64_t tick);
void wheel_remove(struct wheel *w, uint32_t i);

/* Asks for the memory that wheel_remove() needs; the thing's own link should be
 * there. */
void wheel_prefetch(const struct wheel *w, uint32_t i);

/* Moves up to now, asking about at most `budget` things. Returns how many it
 * asked about; less than budget means that it has caught up. */
uint32_t wheel_sweep(struct wheel *w, uint64_t now, uint32_t budget, wheel_due_fn fn, void *arg);

/* The tick at which the next thing is to be asked about, or `limit` if that comes
 * first. */
uint64_t wheel_next(const struct wheel *w, uint64_t limit);

#endif
