/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_read.c - what other threads see of a flow table.
 */
#include "flow/internal.h"

/* Of the cold part: all but the timer. */
#define COLD_READ_WORDS ((sizeof(struct flow_cold) - offsetof(struct flow_cold, sum)) / 8)

uint32_t flow_table_end(const struct flow_table *t)
{
	return load_acquire(&t->end);
}

bool flow_table_read(const struct flow_table *t, uint32_t i, uint32_t host, struct flow_copy *out)
{
	const struct flow *f = &t->hot[i];
	const struct flow_cold *c = &t->cold[i];
	uint16_t seq;

	if (load_relaxed(&f->host[0]) != host && load_relaxed(&f->host[1]) != host)
		return false;
	do {
		seq = load_acquire(&c->seq);
		seq_copy_words(&out->hot, f, sizeof(*f) / 8);
		seq_copy_words(&out->cold.sum, &c->sum, COLD_READ_WORDS);
	} while (seq & 1 || seq != load_relaxed(&c->seq));
	settle_udp(&out->hot, &out->cold);
	for (unsigned s = 0; s < 2; s++) {
		const uint32_t d = out->hot.delta[s];

		out->sent[s].packets = out->cold.sum[s].packets + (d >> FLOW_DELTA_SHIFT);
		out->sent[s].bytes = out->cold.sum[s].bytes + (d & FLOW_DELTA_BYTES);
	}
	return out->hot.flags & FLOW_LIVE && (out->hot.host[0] == host || out->hot.host[1] == host);
}

void flow_table_stats(const struct flow_table *t, struct flow_stats *out)
{
	out->capacity = load_relaxed(&t->flows_limit);
	out->live = load_relaxed(&t->stats.live);
	out->started = load_relaxed(&t->stats.started);
	out->expired = load_relaxed(&t->stats.expired);
	out->replaced = load_relaxed(&t->stats.replaced);
	out->early_drops = load_relaxed(&t->stats.early_drops);
	out->emergencies = load_relaxed(&t->stats.emergencies);
	out->emergency_expired = load_relaxed(&t->stats.emergency_expired);
	out->is_emergency = load_relaxed(&t->emergency_ns) != 0;
}
