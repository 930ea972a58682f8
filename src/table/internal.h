/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - the table as its own folder sees it.
 */
#ifndef TABLE_INTERNAL_H
#define TABLE_INTERNAL_H

#include "table/table.h"

#define TABLE_GONE_MAX 1024

struct table {
	unsigned workers;     /* that there are */
	unsigned workers_max; /* that there will be */
	bool by_way;
	uint64_t host_timeout_ns;  /* atomic */
	struct settings *settings; /* atomic; owned */
	struct host_dir *hosts;
	struct arena *hosts_arena;
	struct account **accounts;
	struct shard_row forgotten; /* written under quiescence, by one thread */
	uint64_t hosts_forgotten;
	uint64_t nic_drops;
	uint32_t times_seq; /* guards the next: base/atomics.h */
	struct clock_history times;
	uint32_t gone[TABLE_GONE_MAX]; /* out of the directory, not given back yet */
	uint32_t gone_n;
};

/* The sum of all workers' rows of one index. */
void table_row_merge(const struct table *t, uint32_t index, struct shard_row *out);

#endif
