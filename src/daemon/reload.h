/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reload.h - SIGHUP: the configuration file is read again, with the command
 * line in front of it as at the start.
 *
 * What changes while it counts: inner networks, timeouts, limits and the level
 * of what is said; every counter stays (table/settings.h). What would need a
 * restart is named, and stays as it was. If anything is wrong, all does.
 *
 * Threading: the main thread. It waits for the workers up to a second.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <stdbool.h>

#include "daemon/options.h"
#include "daemon/worker.h"

struct reload {
	int argc;
	char **argv;
	const struct options *o; /* that it started with */
	struct table *table;
	struct worker_team *team; /* NULL: nothing is counted any more */
	bool is_live;
};

/* What came of it is reported, and the service manager told. */
void reload(const struct reload *r);

#endif
