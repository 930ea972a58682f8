/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics_print.h - the books as metrics, in Prometheus' text format 0.0.4.
 *
 * Names, units and types follow https://prometheus.io/docs/practices/naming/:
 * seconds and bytes; what only grows ends in _total.
 *
 * Threading, memory, errors: as print.h.
 */
#ifndef CLI_METRICS_PRINT_H
#define CLI_METRICS_PRINT_H

#include <stdio.h>

#include "cli/group.h"
#include "tctable.h"

/* One look at a daemon. All is borrowed. */
struct metrics {
	struct tctable_info info;
	struct tctable_stats total;
	struct tctable_host overflow, forgotten;
	const struct tctable_host *hosts; /* sorted by address */
	size_t n;
	const size_t *top; /* which of them are named, and how many */
	size_t top_n;
	/* Sums of networks; NULL: not asked for. */
	const struct tctable_host *sums;
	const struct group_net *nets;
	size_t nets_n;
};

/* NULL: there is no daemon; then that alone is said. */
void metrics_print(FILE *out, const struct metrics *m);

#endif
