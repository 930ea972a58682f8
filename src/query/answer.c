/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.c - one function for each request, and the chunk that they fill.
 *
 * Whatever walks the table does so in slices, so that the thread comes back to
 * its other clients within a millisecond; where it stands in its walk is kept
 * in the answer. A walk ends where the table ended when it began.
 */
#include <errno.h>
#include <string.h>

#include "query/internal.h"
#include "query/record.h"

#define HOSTS_SLICE 512 /* hosts looked at; each is a sum over all workers */
#define HOSTS_AHEAD 6	/* of the one that is looked at, memory is asked for */

uint8_t *answer_add(struct answer *a, uint32_t n)
{
	uint8_t *at = a->chunk + WIRE_REPLY_BYTES + a->body_bytes;

	if (WIRE_REPLY_BODY_MAX - a->body_bytes < n)
		return NULL;
	a->body_bytes += n;
	a->records++;
	return at;
}

/* --- info, count, statistics -------------------------------------------------- */

static bool info_step(struct answer *a)
{
	struct tctable_info info = a->ctx->info;
	struct view_totals totals;

	table_totals_view(a->ctx->table, &totals);
	info.now_ns = totals.now_ns;
	info.host_timeout_ns = totals.host_timeout_ns;
	wire_info_encode(answer_add(a, WIRE_INFO_BYTES), &info);
	return true;
}

static bool count_step(struct answer *a)
{
	wire_count_encode(answer_add(a, WIRE_COUNT_BYTES), table_hosts_count(a->ctx->table));
	return true;
}

static enum wire_status stats_begin(struct answer *a)
{
	a->next = 0;
	return WIRE_OK;
}

static void add_counts(struct tctable_stats *out, const struct answer_context *ctx)
{
	const struct query_counts *c = &ctx->counts;
	unsigned stalled = 0;

	record_counter(out, "query_clients", c->clients);
	record_counter(out, "query_refused", c->refused);
	record_counter(out, "query_stalled", c->stalled);
	record_counter(out, "query_crowded_out", c->crowded_out);
	record_counter(out, "query_memory", c->memory_bytes);
	record_counter(out, "query_memory_high", c->memory_high_bytes);
	record_counter(out, "query_memory_max", query_memory_max(ctx));
	for (unsigned i = 0; i < table_workers(ctx->table); i++)
		stalled += ctx->stalled_ms[i] != 0;
	record_counter(out, "workers_stalled", stalled);
}

static bool stats_step(struct answer *a)
{
	const struct table *t = a->ctx->table;
	struct tctable_stats stats;
	struct view_totals totals;
	struct view_worker worker;
	uint8_t *at;

	if (a->next > table_workers(t))
		return true;
	at = answer_add(a, WIRE_STATS_BYTES);
	if (!at)
		return false;
	if (a->next == 0) {
		table_totals_view(t, &totals);
		record_totals(&stats, &totals);
		add_counts(&stats, a->ctx);
	} else {
		table_worker_view(t, a->next - 1, &worker);
		record_stats(&stats, &worker, a->next - 1);
		record_counter(&stats, "stalled_ms", a->ctx->stalled_ms[a->next - 1]);
	}
	wire_stats_encode(at, &stats);
	return ++a->next > table_workers(t);
}

static bool sample_step(struct answer *a)
{
	struct tctable_sample sample;
	struct view_sample view;

	table_sample_view(a->ctx->table, &view);
	record_sample(&sample, &view);
	wire_sample_encode(answer_add(a, WIRE_SAMPLE_BYTES), &sample);
	return true;
}

/* --- one host ----------------------------------------------------------------- */

int answer_host(const struct answer *a, uint32_t *index, struct view_host *out)
{
	struct addr ip;
	int ret;

	memcpy(ip.b, a->ip.bytes, sizeof(ip.b));
	ret = table_host_find(a->ctx->table, &ip, a->ip.family, index);
	if (ret < 0)
		return ret;
	ret = table_host_view(a->ctx->table, *index, out);
	if (ret < 0)
		return ret;
	/* Between the two it may have been forgotten, and its index reused. */
	return out->family == a->ip.family && addr_equal(&out->ip, &ip) ? 0 : -ENOENT;
}

static bool host_step(struct answer *a)
{
	struct tctable_host host;
	struct view_host view;
	uint32_t index;

	if (answer_host(a, &index, &view) < 0) {
		a->status = WIRE_ENOENT;
		return true;
	}
	record_host(&host, &view, table_host_timeout_ns(a->ctx->table));
	wire_host_encode(answer_add(a, WIRE_HOST_BYTES), &host);
	return true;
}

/* --- all hosts ---------------------------------------------------------------- */

/* A client with a fixed room must get all hosts or none. So they are counted
 * first, and which were there is kept, a bit each: those alone are sent, and
 * a host that appears meanwhile cannot overflow the room. */
static enum wire_status hosts_begin(struct answer *a)
{
	struct hosts_dump *d = &a->hosts;
	const uint64_t room = a->request.room;

	memset(d, 0, sizeof(*d));
	d->end = table_hosts_end(a->ctx->table);
	if (!room)
		return WIRE_OK;
	d->counting = true;
	d->present_n = (size_t)d->end / 64 + 1;
	d->present = query_calloc(a->ctx, d->present_n, sizeof(*d->present));
	return d->present ? WIRE_OK : WIRE_EAGAIN;
}

static void hosts_end(struct answer *a)
{
	struct hosts_dump *d = &a->hosts;

	query_free(a->ctx, d->present, d->present_n, sizeof(*d->present));
	d->present = NULL;
}

/* True: that was the last slice, and there is room for what it found. */
static void count_hosts(struct answer *a, uint32_t end)
{
	struct hosts_dump *d = &a->hosts;
	struct view_host view;

	for (; d->next < end; d->next++) {
		if (table_host_view(a->ctx->table, d->next, &view) < 0)
			continue;
		d->present[d->next / 64] |= 1ull << (d->next % 64);
		d->found++;
	}
}

static void send_hosts(struct answer *a, uint32_t end)
{
	struct hosts_dump *d = &a->hosts;
	struct tctable_host host;
	struct view_host view;
	uint8_t *at;

	for (; d->next < end; d->next++) {
		if (d->present && !(d->present[d->next / 64] >> (d->next % 64) & 1))
			continue;
		table_host_prefetch(a->ctx->table, d->next + HOSTS_AHEAD);
		if (table_host_view(a->ctx->table, d->next, &view) < 0)
			continue;
		at = answer_add(a, WIRE_HOST_BYTES);
		if (!at)
			return;
		record_host(&host, &view, table_host_timeout_ns(a->ctx->table));
		wire_host_encode(at, &host);
	}
}

/* The two records that are no hosts, after all others. True: both are sent. */
static bool send_rests(struct answer *a)
{
	struct hosts_dump *d = &a->hosts;
	struct tctable_host host;
	struct view_host view;
	uint8_t *at;

	for (; d->rests < 2; d->rests++) {
		at = answer_add(a, WIRE_HOST_BYTES);
		if (!at)
			return false;
		if (d->rests == 0)
			table_overflow_view(a->ctx->table, &view);
		else
			table_forgotten_view(a->ctx->table, &view);
		record_rest(&host, &view,
			    d->rests == 0 ? TCTABLE_HOST_OVERFLOW : TCTABLE_HOST_FORGOTTEN);
		wire_host_encode(at, &host);
	}
	return true;
}

static bool hosts_step(struct answer *a)
{
	struct hosts_dump *d = &a->hosts;
	const uint32_t end = d->end - d->next > HOSTS_SLICE ? d->next + HOSTS_SLICE : d->end;

	if (!d->counting) {
		send_hosts(a, end);
		return d->next == d->end && send_rests(a);
	}
	count_hosts(a, end);
	if (d->next < d->end)
		return false;
	d->counting = false;
	d->next = 0;
	if (d->found + 2 <= a->request.room)
		return false;
	a->status = WIRE_ENOMEM;
	a->needed = d->found + 2;
	return true;
}

/* --- all requests ------------------------------------------------------------- */

static const struct answer_kind kinds[] = {
	{WIRE_INFO, NULL, info_step, NULL},
	{WIRE_COUNT, NULL, count_step, NULL},
	{WIRE_HOSTS, hosts_begin, hosts_step, hosts_end},
	{WIRE_HOST, NULL, host_step, NULL},
	{WIRE_CONNS, conns_begin, conns_step, conns_end},
	{WIRE_STATS, stats_begin, stats_step, NULL},
	{WIRE_TOP, top_begin, top_step, top_end},
	{WIRE_SAMPLE, NULL, sample_step, NULL},
};

static const struct answer_kind *kind_of(uint32_t number)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].number == number)
			return &kinds[i];
	return NULL;
}

static void reset(struct answer *a, const struct wire_request *r, enum wire_status status)
{
	a->request = *r;
	a->kind = NULL;
	a->status = status;
	a->needed = 0;
	a->done = false;
	a->records = a->body_bytes = 0;
}

static bool take_body(struct answer *a, struct bytes body)
{
	if (!bytes_left(&body))
		return true;
	if (a->request.number == WIRE_TOP)
		return wire_top_what_decode(&body, &a->what) == 0;
	return wire_addr_decode(&body, &a->ip) == 0;
}

void answer_begin(struct answer *a, const struct wire_request *r, struct bytes body)
{
	const struct answer_kind *kind = kind_of(r->number);

	reset(a, r, WIRE_OK);
	if (!kind)
		a->status = WIRE_ENOSYS;
	else if (r->body_bytes != wire_body_bytes(r->number) || !take_body(a, body))
		a->status = WIRE_EINVAL;
	if (a->status != WIRE_OK)
		return;
	a->kind = kind;
	if (kind->begin)
		a->status = kind->begin(a);
}

void answer_begin_mismatch(struct answer *a, const struct wire_request *r)
{
	reset(a, r, WIRE_EPROTO);
	info_step(a);
}

void answer_begin_refusal(struct answer *a, const struct wire_request *r)
{
	reset(a, r, WIRE_EINVAL);
}

/* The size of the records in the chunk. */
static uint32_t record_bytes(const struct answer *a)
{
	if (a->status == WIRE_EPROTO)
		return WIRE_INFO_BYTES;
	return a->kind ? wire_record_bytes(a->kind->number) : 0;
}

bool answer_step(struct answer *a)
{
	struct wire_reply reply;

	if (!a->done && a->status == WIRE_OK) {
		a->done = a->kind->step(a);
		if (!a->done && WIRE_REPLY_BODY_MAX - a->body_bytes >= record_bytes(a))
			return false;
	} else {
		a->done = true;
	}
	reply = (struct wire_reply){
		.number = a->request.number,
		.status = a->status,
		.body_bytes = a->body_bytes,
		.record_bytes = record_bytes(a),
		.records = a->records,
		.flags = a->done ? 0 : WIRE_MORE,
		.needed = a->needed,
	};
	wire_reply_encode(a->chunk, &reply);
	return true;
}

void answer_next(struct answer *a)
{
	a->records = a->body_bytes = 0;
}

void answer_end(struct answer *a)
{
	if (a->kind && a->kind->end)
		a->kind->end(a);
	a->kind = NULL;
}
