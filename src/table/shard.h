/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shard.h - one worker's counters of all hosts, a row each.
 *
 * Threading: one writer, the worker; shard_row_read() from any thread.
 * Memory:    one array from the worker's arena; rows are touched as hosts
 *            come. What all workers count for a host is the sum of its rows.
 */
#ifndef TABLE_SHARD_H
#define TABLE_SHARD_H

#include <stdint.h>

#include "base/atomics.h"
#include "packet/pkt.h"

struct shard_sum {
	uint64_t packets, bytes;
};

/* Of one class: what the host sent and received. */
enum shard_way { SHARD_TX, SHARD_RX };

struct shard_class {
	struct shard_sum sum[2]; /* by enum shard_way */
};

/* A TCP packet touches the first line only. */
struct shard_row {
	uint32_t seq; /* guards the rest: base/atomics.h */
	uint32_t half_open;
	uint32_t conns[PKT_CLASSES]; /* live connections that this worker has */
	uint64_t last_ns;	     /* largest stamp of its packets */
	struct shard_class cls[PKT_CLASSES];
	uint64_t conn_ended_ns; /* when the last connection to end did */
	uint64_t zero[3];
};

_Static_assert(sizeof(struct shard_row) == 192, "a row is three cache lines");

static inline void shard_max(uint64_t *p, uint64_t v)
{
	if (v > load_relaxed(p))
		seq_set(p, v);
}

/* Counts p on a sum of r. */
static inline void shard_row_count(struct shard_row *r, struct shard_sum *sum, const struct pkt *p)
{
	const uint32_t seq = load_relaxed(&r->seq);

	store_relaxed(&r->seq, seq + 1);
	seq_add(&sum->packets, p->packets);
	seq_add(&sum->bytes, p->ip_bytes);
	shard_max(&r->last_ns, p->ts_ns);
	store_release(&r->seq, seq + 2);
}

/* Any thread: a state that the row was in. */
static inline void shard_row_read(const struct shard_row *r, struct shard_row *out)
{
	uint32_t seq;

	do {
		seq = load_acquire(&r->seq);
		seq_copy_words(out, r, sizeof(*r) / 8);
	} while (seq & 1 || seq != load_relaxed(&r->seq));
}

#endif
