/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - what table/view.h shows, as the public records of tctable.h.
 */
#include "query/record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "flow/flow_state.h"
#include "packet/pkt.h"

/* Both name the classes in one order, so that an index serves both. */
static_assert((int)PKT_TCP == TCTABLE_TCP && (int)PKT_UDP == TCTABLE_UDP &&
		      (int)PKT_ICMP == TCTABLE_ICMP && (int)PKT_OTHER == TCTABLE_OTHER &&
		      (int)PKT_CLASSES == TCTABLE_CLASSES,
	      "classes of packets and of records differ");
static_assert(PKT_VERDICTS - 1 <= TCTABLE_VERDICTS, "no room for every verdict");

static void fill_addr(struct tctable_addr *out, const struct addr *a, uint8_t family)
{
	memcpy(out->bytes, a->b, sizeof(out->bytes));
	out->family = family;
}

static struct tctable_counter counter_of(const struct view_counter *v)
{
	return (struct tctable_counter){.packets = v->packets, .bytes = v->bytes};
}

void record_host(struct tctable_host *out, const struct view_host *v, uint64_t host_timeout_ns)
{
	memset(out, 0, sizeof(*out));
	fill_addr(&out->ip, &v->ip, v->family);
	out->kind = v->family ? TCTABLE_HOST : TCTABLE_HOST_OVERFLOW;
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		out->cls[c].conns = v->cls[c].conns;
		out->cls[c].tx = counter_of(&v->cls[c].tx);
		out->cls[c].rx = counter_of(&v->cls[c].rx);
	}
	out->half_open = v->half_open;
	out->last_ns = v->last_ns;
	out->next_conn_id = v->next_conn_id;
	out->use = v->use;
	if (v->idle_ns && host_timeout_ns)
		out->forget_ns = v->idle_ns + host_timeout_ns;
}

void record_rest(struct tctable_host *out, const struct view_host *v, enum tctable_host_kind kind)
{
	record_host(out, v, 0);
	memset(&out->ip, 0, sizeof(out->ip));
	out->kind = (uint8_t)kind;
}

static void fill_end(struct tctable_end *out, const struct view_end *v, uint8_t family)
{
	fill_addr(&out->ip, &v->ip, family);
	out->port = v->port;
	out->sent = counter_of(&v->sent);
}

void record_conn(struct tctable_conn *out, const struct view_conn *v)
{
	memset(out, 0, sizeof(*out));
	out->id = v->id;
	out->last_ns = v->last_ns;
	out->protocol = v->proto;
	out->cls = v->class;
	out->is_icmp = v->is_icmp;
	out->icmp_type[0] = v->icmp_type[0];
	out->icmp_type[1] = v->icmp_type[1];
	out->icmp_code = v->icmp_code;
	out->icmp_id = v->icmp_id;
	out->icmp_errors = v->icmp_errors;
	snprintf(out->state, sizeof(out->state), "%s", flow_state_name(v->state));
	fill_end(&out->orig, &v->end[0], v->family);
	fill_end(&out->reply, &v->end[1], v->family);
}

static void fill_ledger(struct tctable_ledger *out, const struct view_ledger *v)
{
	out->received = v->received;
	out->counted = counter_of(&v->counted);
	out->internal = counter_of(&v->internal);
	out->tracked = v->tracked;
	out->table_full = v->untracked_table_full;
	out->host_limit = v->untracked_host_limit;
	out->icmp_error = v->untracked_icmp_error;
	out->icmp_other = v->untracked_icmp_other;
	out->fragment = v->untracked_fragment;
	out->transit = v->transit;
	out->not_ip = v->not_ip;
	out->malformed = v->malformed;
	out->kernel_drops = v->kernel_drops;
	out->ring_freezes = v->ring_freezes;
}

/* Every reason has its place, whether a frame met it or not. */
static void fill_verdicts(struct tctable_stats *out, const struct view_ledger *v)
{
	for (unsigned i = PKT_OK + 1; i < PKT_VERDICTS; i++) {
		struct tctable_verdict *to = &out->verdict[out->verdicts++];

		snprintf(to->name, sizeof(to->name), "%s", pkt_verdict_name((enum pkt_verdict)i));
		to->frames = v->verdict[i];
	}
}

static void fill_flows(struct tctable_stats *out, const struct view_flows *v)
{
	out->flows_capacity = v->capacity;
	out->flows_live = v->live;
	out->flows_started = v->started;
	out->flows_expired = v->expired;
	out->flows_replaced = v->replaced;
	out->flows_early_drops = v->early_drops;
	out->arena_bytes = v->arena_bytes;
}

void record_counter(struct tctable_stats *out, const char *name, uint64_t value)
{
	struct tctable_named *to = &out->counter[out->counters++];

	assert(out->counters <= TCTABLE_COUNTERS);
	snprintf(to->name, sizeof(to->name), "%s", name);
	to->value = value;
}

static void fill_ring(struct tctable_stats *out, const struct view_ring *v)
{
	record_counter(out, "ring_blocks", v->blocks);
	record_counter(out, "ring_blocks_high", v->blocks_high);
}

static void fill_jumps(struct tctable_stats *out, const struct view_jumps *v)
{
	record_counter(out, "clock_jumps_back", v->back);
	record_counter(out, "clock_jumps_forward", v->forward);
}

static void fill_emergency(struct tctable_stats *out, const struct view_flows *v)
{
	record_counter(out, "emergencies", v->emergencies);
	record_counter(out, "emergency_expired", v->emergency_expired);
	record_counter(out, "in_emergency", v->in_emergency);
}

static void fill_fragments(struct tctable_stats *out, const struct view_fragments *v)
{
	record_counter(out, "fragments_max", v->capacity);
	record_counter(out, "fragments_first", v->firsts);
	record_counter(out, "fragments_matched", v->matched);
	record_counter(out, "fragments_early", v->early);
	record_counter(out, "fragments_credited", v->credited);
	record_counter(out, "fragments_evicted", v->evicted);
}

static void fill_layers(struct tctable_stats *out, const struct view_layers *v)
{
	for (unsigned i = 0; i < LAYER_COUNTERS; i++)
		record_counter(out, layer_counter_name(i), v->n[i]);
}

void record_stats(struct tctable_stats *out, const struct view_worker *v, unsigned worker)
{
	memset(out, 0, sizeof(*out));
	out->worker = worker;
	fill_ledger(&out->ledger, &v->ledger);
	fill_verdicts(out, &v->ledger);
	fill_flows(out, &v->flows);
	fill_ring(out, &v->ring);
	fill_jumps(out, &v->jumps);
	fill_layers(out, &v->layers);
	fill_fragments(out, &v->fragments);
	fill_emergency(out, &v->flows);
}

void record_totals(struct tctable_stats *out, const struct view_totals *v)
{
	memset(out, 0, sizeof(*out));
	out->worker = UINT32_MAX;
	fill_ledger(&out->ledger, &v->ledger);
	fill_verdicts(out, &v->ledger);
	fill_flows(out, &v->flows);
	fill_ring(out, &v->ring);
	fill_jumps(out, &v->jumps);
	fill_layers(out, &v->layers);
	fill_fragments(out, &v->fragments);
	fill_emergency(out, &v->flows);
	record_counter(out, "nic_drops", v->nic_drops);
	out->hosts = v->hosts;
	out->hosts_max = v->hosts_max;
	out->hosts_forgotten = v->hosts_forgotten;
	out->directory_bytes = v->directory_bytes;
}

static void sample_counter(struct tctable_sample *out, const char *name, uint64_t value)
{
	struct tctable_named *to = &out->counter[out->counters++];

	snprintf(to->name, sizeof(to->name), "%s", name);
	to->value = value;
}

/* The most frequent networks first; equal ones as they come. */
static void sample_nets(struct tctable_sample *out, const struct probe_seen *s)
{
	bool is_out[PROBE_NETS] = {false};

	while (out->nets < TCTABLE_SAMPLE_NETS) {
		struct tctable_net *to = &out->net[out->nets];
		unsigned most = PROBE_NETS;

		for (unsigned i = 0; i < PROBE_NETS; i++)
			if (s->nets[i].family && !is_out[i] &&
			    (most == PROBE_NETS || s->nets[i].ends > s->nets[most].ends))
				most = i;
		if (most == PROBE_NETS)
			return;
		is_out[most] = true;
		fill_addr(&to->ip, &s->nets[most].addr, (uint8_t)s->nets[most].family);
		to->bits = to->ip.family == ADDR_V4 ? PROBE_V4_BITS : PROBE_V6_BITS;
		to->packets = s->nets[most].ends;
		out->nets++;
	}
}

void record_sample(struct tctable_sample *out, const struct view_sample *v)
{
	static const char *const names[PROBE_COUNTERS] = {
		[PROBE_BATCHES] = "batches",
		[PROBE_FRAMES] = "frames",
		[PROBE_PACKETS] = "packets",
		[PROBE_TRANSIT] = "transit",
		[PROBE_PORTLESS] = "portless",
		[PROBE_MERGED] = "merged",
		[PROBE_LONG] = "long",
		[PROBE_LONGEST] = "longest_bytes",
		[PROBE_REPEATABLE] = "repeatable",
		[PROBE_REPEATED] = "repeated",
		[PROBE_PAIRS] = "pairs",
		[PROBE_HALF_TAGGED] = "half_tagged",
	};

	static_assert(PROBE_COUNTERS + 1 <= TCTABLE_SAMPLE_COUNTERS, "no room for every figure");
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < PROBE_COUNTERS; i++)
		sample_counter(out, names[i], v->seen.n[i]);
	sample_counter(out, "mtu", v->mtu);
	sample_nets(out, &v->seen);
}
