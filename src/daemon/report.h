/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - what tcsniff says: the books at the end, and progress on the way.
 *
 * Threading: the main thread, but for report() and report_say().
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "table/table.h"

enum report_level { REPORT_ERROR, REPORT_WARNING, REPORT_NOTICE, REPORT_INFO, REPORT_DEBUG };

/* At the start, by one thread. */
void report_open(void);

/* How much is said from now on: up to this level. REPORT_NOTICE at first. */
void report_level_set(enum report_level most);

/* "tcsniff: sentence" on standard error, on a line of its own; with its level in
 * front if that is the journal of systemd. Any thread. */
void report(enum report_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_say(const char *sentence); /* a warning */

/* The table of hosts and the ledger: the ledger to standard error and the
 * table to `out`; if quiet, the ledger alone to `out`; as JSON both to `out`.
 * 0; -ENOMEM, or the -errno of writing, with e filled. */
int report_books(const struct table *t, bool quiet, bool json, FILE *out, struct err *e);

/* Progress on a terminal: one line that overwrites itself. */
struct report_progress {
	uint64_t last_ns, last_packets;
	bool shown;
};

/* done of total bytes are read (total 0: not known). */
void report_progress(struct report_progress *p, const struct table *t, uint64_t done,
		     uint64_t total);
void report_progress_end(struct report_progress *p);

/* Says once for each link type that some frames were not decoded for it. */
struct report_links {
	uint16_t said[16];
	unsigned n;
};

/* Says once that a flow table is nearly full, and once that it no longer is. */
struct report_emergency {
	uint64_t said; /* emergencies */
	bool is_on;
};

void report_emergency(struct report_emergency *r, const struct table *t);

/* Says that stamps have jumped, if they have since the last time. */
struct report_jumps {
	uint64_t back, forward;
};

void report_jumps(struct report_jumps *r, const struct table *t);

void report_unknown_links(struct report_links *r, struct table *t);

#endif
