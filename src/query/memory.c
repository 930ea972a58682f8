/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - what clients cost.
 *
 * Every client has one peer. A dump of connections has few references, or more
 * as long as the pool has some; a dump of hosts into a fixed room has one bit a
 * host; the first of an order are at most 1024. Rates are kept once for all
 * clients. So there is a most, which no number of requests goes beyond.
 */
#include <stdlib.h>

#include "query/internal.h"

void *query_calloc(struct answer_context *ctx, size_t n, size_t bytes)
{
	struct query_counts *c = &ctx->counts;
	void *p = calloc(n, bytes);

	if (!p)
		return NULL;
	c->memory_bytes += n * bytes;
	if (c->memory_bytes > c->memory_high_bytes)
		c->memory_high_bytes = c->memory_bytes;
	return p;
}

void query_free(struct answer_context *ctx, void *p, size_t n, size_t bytes)
{
	if (!p)
		return;
	ctx->counts.memory_bytes -= n * bytes;
	free(p);
}

uint64_t query_memory_max(const struct answer_context *ctx)
{
	struct view_totals totals;
	uint64_t bits, refs, hosts;

	table_totals_view(ctx->table, &totals);
	hosts = table_hosts_end(ctx->table); /* more than hosts_max if that was lowered */
	if (hosts < totals.hosts_max)
		hosts = totals.hosts_max;
	bits = (totals.hosts_max / 64 + 1) * sizeof(uint64_t);
	refs = QUERY_REFS_MIN * sizeof(struct conn_ref);
	return QUERY_CLIENTS * (sizeof(struct peer) + (bits > refs ? bits : refs)) +
	       QUERY_REFS_POOL * sizeof(struct conn_ref) + rates_bytes(hosts);
}
