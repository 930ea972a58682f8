/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h - what may change while workers count: inner networks, timeouts,
 * limits.
 *
 * A packet of a connection that lives counts on the hosts which that had when it
 * began, whatever the inner networks are now; a connection that begins gets its
 * hosts by those that hold. So no counter is moved, lost or counted twice, and
 * the ledger adds up. What is no longer a host is forgotten as any other is, once
 * it is silent.
 *
 * Threading: set and is_taken by the one thread that forgets hosts; each worker
 *            takes what was set for itself, between two batches.
 */
#ifndef TABLE_SETTINGS_H
#define TABLE_SETTINGS_H

#include <stdbool.h>

#include "base/atomics.h"
#include "table/table.h"

/* Of the conf: inner, timeouts, flows_max, hosts_max, host_timeout_ns; nothing
 * else is looked at. Limits above those that the table was made with are as
 * those. Limits below what is there end nothing. 0; or, and nothing is set,
 * -ENOMEM, or -EBUSY if a worker has not taken yet what was set before, with e
 * filled. */
int settings_set(struct table *t, const struct table_conf *c, struct err *e);

/* Whether all workers have taken what was set. What was before is freed then. */
bool settings_are_taken(struct table *t);

/* The first settings of a table, and its end. */
int settings_open(struct table *t, const struct table_conf *c, struct err *e);
void settings_close(struct table *t);

/* A worker: takes what was set, if it has not. */
void settings_take_new(struct account *a);

static inline void settings_take(struct account *a)
{
	if (load_relaxed(&a->settings) != load_acquire(a->settings_now))
		settings_take_new(a);
}

#endif
