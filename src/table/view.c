/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.c - reading the tables from another thread while workers write.
 *
 * A host's rows may be cleared for the next one with its index while they are
 * being read: the directory's sequence number tells, and the host is gone.
 */
#include "table/view.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/units.h"
#include "table/internal.h"

unsigned table_workers(const struct table *t)
{
	return t->workers;
}

uint64_t table_hosts_count(const struct table *t)
{
	return host_dir_count(t->hosts);
}

uint32_t table_hosts_end(const struct table *t)
{
	return host_dir_end(t->hosts);
}

static void counter_view(struct view_counter *out, uint64_t packets, uint64_t bytes)
{
	out->packets = packets;
	out->bytes = bytes;
}

/* A time as its packet was stamped. */
static uint64_t stamped(const struct table *t, uint64_t ns)
{
	struct clock_history h;
	uint32_t seq;

	if (!load_acquire(&t->times.shifts_n))
		return ns;
	do {
		seq = load_acquire(&t->times_seq);
		seq_copy_words(&h, &t->times, sizeof(h) / 8);
	} while (seq & 1 || seq != load_relaxed(&t->times_seq));
	return clock_stamped(&h, ns);
}

static void row_view(const struct table *t, struct view_host *out, const struct shard_row *r)
{
	uint64_t conns = 0;

	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		out->cls[c].conns = r->conns[c];
		counter_view(&out->cls[c].tx, r->cls[c].sum[SHARD_TX].packets,
			     r->cls[c].sum[SHARD_TX].bytes);
		counter_view(&out->cls[c].rx, r->cls[c].sum[SHARD_RX].packets,
			     r->cls[c].sum[SHARD_RX].bytes);
		conns += r->conns[c];
	}
	out->half_open = r->half_open;
	out->last_ns = stamped(t, r->last_ns);
	out->use = 1 + conns;
	if (!conns)
		out->idle_ns =
			stamped(t, r->last_ns > r->conn_ended_ns ? r->last_ns : r->conn_ended_ns);
}

void table_host_prefetch(const struct table *t, uint32_t index)
{
	if (index >= host_dir_end(t->hosts))
		return;
	host_dir_prefetch_entry(t->hosts, index);
	for (unsigned w = 0; w < t->workers; w++) {
		const char *row = (const char *)&t->accounts[w]->rows[index];

		for (size_t at = 0; at < sizeof(struct shard_row); at += 64)
			__builtin_prefetch(row + at);
	}
}

int table_host_view(const struct table *t, uint32_t index, struct view_host *out)
{
	struct host_dir_entry before, after;
	struct shard_row row;

	if (index >= host_dir_end(t->hosts) || !host_dir_read(t->hosts, index, &before))
		return -ENOENT;
	table_row_merge(t, index, &row);
	if (!host_dir_read(t->hosts, index, &after) || after.seq != before.seq)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	out->ip = after.ip;
	out->family = after.family;
	out->index = index;
	out->next_conn_id = after.next_id;
	row_view(t, out, &row);
	return 0;
}

void table_host_glance_prefetch(const struct table *t, uint32_t index)
{
	if (index >= host_dir_end(t->hosts))
		return;
	host_dir_prefetch_entry(t->hosts, index);
	for (unsigned w = 0; w < t->workers; w++)
		__builtin_prefetch(&t->accounts[w]->rows[index]);
}

/* The head of a row: what stands before the sums. */
static void glance_at_row(struct view_glance *out, const struct shard_row *row)
{
	struct shard_row r;

	do {
		r.seq = load_acquire(&row->seq);
		seq_copy_words(&r, row, offsetof(struct shard_row, cls) / 8);
	} while (r.seq & 1 || r.seq != load_relaxed(&row->seq));
	out->changes += r.seq;
	for (unsigned c = 0; c < PKT_CLASSES; c++)
		out->conns[c] += r.conns[c];
	out->half_open += r.half_open;
	if (r.last_ns > out->last_ns)
		out->last_ns = r.last_ns;
}

int table_host_glance(const struct table *t, uint32_t index, struct view_glance *out)
{
	struct host_dir_entry before, after;

	if (index >= host_dir_end(t->hosts) || !host_dir_read(t->hosts, index, &before))
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	for (unsigned w = 0; w < t->workers; w++)
		glance_at_row(out, &t->accounts[w]->rows[index]);
	if (!host_dir_read(t->hosts, index, &after) || after.seq != before.seq)
		return -ENOENT;
	out->ip = after.ip;
	out->family = after.family;
	out->seq = after.seq;
	return 0;
}

void table_host_sums(const struct table *t, uint32_t index, struct view_sums *out)
{
	struct shard_row row;

	table_row_merge(t, index, &row);
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		const struct shard_sum *sum = row.cls[c].sum;

		counter_view(&out->tx[c], sum[SHARD_TX].packets, sum[SHARD_TX].bytes);
		counter_view(&out->rx[c], sum[SHARD_RX].packets, sum[SHARD_RX].bytes);
	}
}

int table_host_find(const struct table *t, const struct addr *ip, uint8_t family, uint32_t *index)
{
	const uint32_t i = host_dir_lookup(t->hosts, ip, family);

	if (i == HOST_NONE)
		return -ENOENT;
	*index = i;
	return 0;
}

void table_overflow_view(const struct table *t, struct view_host *out)
{
	struct shard_row row;

	table_row_merge(t, host_dir_max(t->hosts), &row);
	memset(out, 0, sizeof(*out));
	row_view(t, out, &row);
}

void table_forgotten_view(const struct table *t, struct view_host *out)
{
	struct shard_row row;

	shard_row_read(&t->forgotten, &row);
	memset(out, 0, sizeof(*out));
	row_view(t, out, &row);
}

uint32_t table_conns_end(const struct table *t, unsigned worker)
{
	return flow_table_end(t->accounts[worker]->flows);
}

/* A flow keeps the low half of its id. The host's next id is ahead of it by
 * less than 2^32, so the full one follows. */
static uint64_t full_id(uint64_t next_id, uint32_t id)
{
	return next_id - (uint32_t)((uint32_t)next_id - id);
}

static void icmp_view(struct view_conn *out, const struct flow *f)
{
	const uint8_t request = (uint8_t)(f->port[1] >> 8);
	const uint8_t reply = pkt_icmp_reply_type(f->family, request);
	const bool reply_first = f->flags & FLOW_REPLY_FIRST;

	out->is_icmp = true;
	out->icmp_type[0] = reply_first ? reply : request;
	out->icmp_type[1] = reply_first ? request : reply;
	out->icmp_code = (uint8_t)f->port[1];
	out->icmp_id = f->port[0];
}

int table_conn_view(const struct table *t, unsigned worker, uint32_t slot, uint32_t host,
		    struct view_conn *out)
{
	struct host_dir_entry entry;
	struct flow_copy copy;
	const struct flow *f = &copy.hot;
	unsigned orig;

	if (!flow_table_read(t->accounts[worker]->flows, slot, host, &copy) ||
	    !host_dir_read(t->hosts, host, &entry))
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	orig = flow_orig_side(f);
	out->id = full_id(entry.next_id, copy.cold.conn_id[f->host[0] == host ? 0 : 1]);
	out->last_ns = stamped(t, f->last_ns);
	out->family = f->family;
	out->proto = f->proto;
	out->class = (uint8_t)flow_class(f);
	out->state = f->state;
	out->icmp_errors = copy.cold.icmp_errors;
	for (unsigned i = 0; i < 2; i++) {
		const unsigned side = orig ^ i;

		out->end[i].ip = f->addr[side];
		out->end[i].port = f->port[side];
		counter_view(&out->end[i].sent, copy.sent[side].packets, copy.sent[side].bytes);
	}
	if (out->class == PKT_ICMP) {
		icmp_view(out, f);
		out->end[0].port = out->end[1].port = 0;
	}
	return 0;
}

static void ledger_view(struct view_ledger *out, const struct account *a)
{
	struct ledger l;

	ledger_read(&a->ledger, &l);
	out->received = l.received;
	counter_view(&out->counted, l.counted, l.counted_bytes);
	counter_view(&out->internal, l.internal, l.internal_bytes);
	out->tracked = l.tracked;
	out->untracked_table_full = l.untracked[LEDGER_TABLE_FULL];
	out->untracked_host_limit = l.untracked[LEDGER_HOST_LIMIT];
	out->untracked_icmp_error = l.untracked[LEDGER_ICMP_ERROR];
	out->untracked_icmp_other = l.untracked[LEDGER_ICMP_OTHER];
	out->untracked_fragment = l.untracked[LEDGER_FRAGMENT];
	out->transit = l.transit;
	for (unsigned v = 0; v < PKT_VERDICTS; v++) {
		out->verdict[v] = l.verdict[v];
		if (v > PKT_NOT_IP_LAST)
			out->malformed += l.verdict[v];
		else if (v != PKT_OK)
			out->not_ip += l.verdict[v];
	}
	out->kernel_drops = load_relaxed(&a->kernel_drops);
	out->ring_freezes = load_relaxed(&a->ring_freezes);
}

static void fragments_view(struct view_fragments *out, const struct fragments *fr)
{
	struct fragments_stats s;

	fragments_stats(fr, &s);
	out->capacity = s.capacity;
	out->firsts = s.firsts;
	out->matched = s.matched;
	out->early = s.early;
	out->credited = s.credited;
	out->evicted = s.evicted;
}

void table_worker_view(const struct table *t, unsigned worker, struct view_worker *out)
{
	const struct account *a = t->accounts[worker];
	struct flow_stats s;

	memset(out, 0, sizeof(*out));
	ledger_view(&out->ledger, a);
	flow_table_stats(a->flows, &s);
	out->flows.capacity = s.capacity;
	out->flows.live = s.live;
	out->flows.started = s.started;
	out->flows.expired = s.expired;
	out->flows.replaced = s.replaced;
	out->flows.early_drops = s.early_drops;
	out->flows.emergencies = s.emergencies;
	out->flows.emergency_expired = s.emergency_expired;
	out->flows.in_emergency = s.is_emergency;
	out->flows.arena_bytes = arena_bytes(a->arena);
	if (a->fragments)
		fragments_view(&out->fragments, a->fragments);
	for (unsigned i = 0; i < LAYER_COUNTERS; i++)
		out->layers.n[i] = layer_counter_read(&a->decoder.counts, i);
	out->jumps.back = load_relaxed(&a->jumps_back);
	out->jumps.forward = load_relaxed(&a->jumps_forward);
	out->ring.blocks = load_relaxed(&a->ring_blocks);
	out->ring.blocks_high = load_relaxed(&a->ring_blocks_high);
}

/* These views are nothing but 64-bit sums. */
static void add_words(void *to, const void *from, size_t bytes)
{
	uint64_t *t = to;
	const uint64_t *f = from;

	for (size_t i = 0; i < bytes / sizeof(*t); i++)
		t[i] += f[i];
}

uint64_t table_host_timeout_ns(const struct table *t)
{
	return load_relaxed(&t->host_timeout_ns);
}

void table_totals_view(const struct table *t, struct view_totals *out)
{
	struct view_worker w;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < t->workers; i++) {
		const uint64_t now_ns = load_relaxed(&t->accounts[i]->now_ns);

		table_worker_view(t, i, &w);
		add_words(&out->ledger, &w.ledger, sizeof(w.ledger));
		add_words(&out->flows, &w.flows, sizeof(w.flows));
		add_words(&out->fragments, &w.fragments, sizeof(w.fragments));
		add_words(&out->layers, &w.layers, sizeof(w.layers));
		add_words(&out->jumps, &w.jumps, sizeof(w.jumps));
		out->ring.blocks += w.ring.blocks;
		if (w.ring.blocks_high > out->ring.blocks_high)
			out->ring.blocks_high = w.ring.blocks_high;
		out->now_ns = now_ns > out->now_ns ? now_ns : out->now_ns;
	}
	out->nic_drops = load_relaxed(&t->nic_drops);
	out->now_ns = stamped(t, out->now_ns);
	out->hosts = host_dir_count(t->hosts);
	out->hosts_max = host_dir_limit(t->hosts);
	out->hosts_forgotten = load_relaxed(&t->hosts_forgotten);
	out->directory_bytes = arena_bytes(t->hosts_arena);
	out->host_timeout_ns = table_host_timeout_ns(t);
}

void table_sample_view(const struct table *t, struct view_sample *out)
{
	struct probe_seen seen;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < t->workers; i++) {
		probe_read(t->accounts[i]->probe, &seen);
		probe_add(&out->seen, &seen);
	}
	out->mtu = load_relaxed(&t->mtu);
}
