/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen.h - the daemon's side of a live capture: what is asked of it, and
 * what is said of it.
 *
 * Threading: the main thread.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "base/err.h"
#include "capture/live.h"
#include "daemon/options.h"
#include "table/table.h"

struct listen {
	const struct options *o;
	struct live *live;
	struct table *table;
	/* What was last said: */
	uint64_t drops, freezes, nic_drops, cut;
	uint64_t drops_said_ns, nic_said_ns, cut_said_ns; /* monotonic */
};

/* Opens the capture that `o` asks for; warns of what will hide frames. 0, or
 * -errno with e filled. */
int listen_open(struct listen *l, const struct options *o, struct table *table, struct err *e);
void listen_close(struct listen *l);

/* About once a second: reads what the kernel lost, notes it in the table, and
 * warns if it has grown, at most once in 10 s. */
void listen_look(struct listen *l);

/* "eth0, eth1" */
void listen_source_text(const struct options *o, char *text, size_t n);

#endif
