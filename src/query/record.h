/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - what table/view.h shows, as the public records of tctable.h.
 *
 * Pure: any thread; fills the whole of *out; nothing is allocated.
 */
#ifndef QUERY_RECORD_H
#define QUERY_RECORD_H

#include <stdint.h>

#include "table/view.h"
#include "tctable.h"

/* A host. A view without a family becomes the overflow record; use
 * record_rest() to say which of the two it is. host_timeout_ns as in struct
 * view_totals: 0 if hosts are never forgotten. */
void record_host(struct tctable_host *out, const struct view_host *v, uint64_t host_timeout_ns);

/* The overflow or the forgotten record, which is never forgotten itself. */
void record_rest(struct tctable_host *out, const struct view_host *v, enum tctable_host_kind kind);

void record_conn(struct tctable_conn *out, const struct view_conn *v);

/* One worker's figures. */
void record_stats(struct tctable_stats *out, const struct view_worker *v, unsigned worker);

/* The sum of all workers'. */
void record_totals(struct tctable_stats *out, const struct view_totals *v);

/* What was found in some of the frames. */
void record_sample(struct tctable_sample *out, const struct view_sample *v);

/* One more named counter. At most TCTABLE_COUNTERS; a name has at most 23
 * characters. */
void record_counter(struct tctable_stats *out, const char *name, uint64_t value);

#endif
