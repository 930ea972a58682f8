/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - the table as its own folder sees it.
 */
#ifndef TABLE_INTERNAL_H
#define TABLE_INTERNAL_H

#include "flow/wheel.h"
#include "table/table.h"

/* Hosts that are on their way out at once. Live, a batch of them takes about a
 * second. */
#define TABLE_GONE_MAX 65536

/* What forget.c knows of the hosts. */
struct forget {
	uint64_t timeout_ns;	  /* that the timers were set by; 0: none is set */
	uint32_t listed;	  /* indices that have a timer: those below */
	struct wheel_link *links; /* one for each index; in the directory's arena */
	struct wheel wheel;	  /* a tick a second */
};

struct table {
	unsigned workers;     /* that there are */
	unsigned workers_max; /* that there will be */
	bool by_way;
	uint64_t host_timeout_ns;  /* atomic */
	struct settings *settings; /* atomic; owned */
	struct host_dir *hosts;
	struct arena *hosts_arena;
	struct forget *forget; /* in that arena */
	struct account **accounts;
	struct shard_row forgotten; /* written under quiescence, by one thread */
	uint64_t hosts_forgotten;
	uint64_t nic_drops;
	uint32_t mtu;
	uint32_t times_seq; /* guards the next: base/atomics.h */
	struct clock_history times;
	uint32_t gone[TABLE_GONE_MAX]; /* out of the directory, not given back yet */
	uint32_t gone_n;
};

/* 0, or -ENOMEM with e filled; ends with the directory's arena. */
int forget_open(struct table *t, struct err *e);

/* The sum of all workers' rows of one index. */
void table_row_merge(const struct table *t, uint32_t index, struct shard_row *out);

#endif
