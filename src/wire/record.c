/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - the records of tctable.h as bytes, both ways.
 *
 * A decoder first takes the whole of its record from the caller's cursor, and
 * then reads from a cursor over that record alone.
 */
#include <errno.h>
#include <stdbool.h>

#include "wire/internal.h"
#include "wire/wire.h"

/* Takes a record of n bytes from b as a cursor of its own. */
static int take_record(struct bytes *b, struct bytes *record, size_t n)
{
	const uint8_t *at = bytes_take(b, n);

	if (!at)
		return -EBADMSG;
	*record = bytes_of(at, n);
	return 0;
}

/* Puts the cursor back to where a record of n bytes began. */
static int refuse(struct bytes *b, size_t n)
{
	b->p -= n;
	return -EBADMSG;
}

/* --- info and count --------------------------------------------------------- */

void wire_info_encode(uint8_t out[WIRE_INFO_BYTES], const struct tctable_info *info)
{
	struct put w = {out, out + WIRE_INFO_BYTES};

	put_u32(&w, WIRE_MAGIC);
	put_u32(&w, WIRE_VERSION);
	put_u32(&w, WIRE_HZ);
	put_u32(&w, WIRE_HOST_BYTES);
	put_u32(&w, WIRE_CONN_BYTES);
	put_u32(&w, WIRE_STATS_BYTES);
	put_u32(&w, WIRE_INFO_BYTES);
	put_u32(&w, info->workers);
	put_u64(&w, info->start_ns);
	put_u64(&w, info->now_ns);
	put_u64(&w, info->host_timeout_ns);
	put_text(&w, info->software, sizeof(info->software));
	put_text(&w, info->source, sizeof(info->source));
	put_u32(&w, info->flags);
	put_zeros(&w, 4);
	assert(w.p == w.end);
}

/* The part that is the same in every version. */
static int get_info_prefix(struct bytes *b, struct tctable_info *out)
{
	if (!bytes_peek(b, WIRE_INFO_PREFIX_BYTES) || get_u32(b) != WIRE_MAGIC)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->version = get_u32(b);
	out->hz = get_u32(b);
	out->host_size = get_u32(b);
	out->conn_size = get_u32(b);
	out->stats_size = get_u32(b);
	out->info_size = get_u32(b);
	if (out->version != WIRE_VERSION || out->hz != WIRE_HZ ||
	    out->host_size != WIRE_HOST_BYTES || out->conn_size != WIRE_CONN_BYTES ||
	    out->stats_size != WIRE_STATS_BYTES || out->info_size != WIRE_INFO_BYTES)
		return -EPROTO;
	return 0;
}

int wire_info_decode(struct bytes *b, struct tctable_info *out)
{
	struct tctable_info got;
	struct bytes r = *b;
	const int ret = get_info_prefix(&r, &got);

	if (ret == -EPROTO)
		*out = got;
	if (ret < 0)
		return ret;
	if (!bytes_peek(b, WIRE_INFO_BYTES))
		return -EBADMSG;
	got.workers = get_u32(&r);
	got.start_ns = get_u64(&r);
	got.now_ns = get_u64(&r);
	got.host_timeout_ns = get_u64(&r);
	get_text(&r, got.software, sizeof(got.software));
	get_text(&r, got.source, sizeof(got.source));
	got.flags = get_u32(&r);
	get_zeros(&r, 4);
	*b = r;
	*out = got;
	return 0;
}

void wire_count_encode(uint8_t out[WIRE_COUNT_BYTES], uint64_t hosts)
{
	store_le64(out, hosts);
}

int wire_count_decode(struct bytes *b, uint64_t *hosts)
{
	const uint8_t *p = bytes_take(b, WIRE_COUNT_BYTES);

	if (!p)
		return -EBADMSG;
	*hosts = load_le64(p);
	return 0;
}

/* --- hosts ------------------------------------------------------------------ */

void wire_host_encode(uint8_t out[WIRE_HOST_BYTES], const struct tctable_host *h)
{
	struct put w = {out, out + WIRE_HOST_BYTES};

	put_addr(&w, &h->ip);
	put_u8(&w, h->ip.family);
	put_u8(&w, h->kind);
	put_zeros(&w, 6);
	put_u64(&w, h->half_open);
	put_u64(&w, h->last_ns);
	put_u64(&w, h->next_conn_id);
	put_u64(&w, h->use);
	put_u64(&w, h->forget_ns);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		put_u64(&w, h->cls[c].conns);
		put_counter(&w, &h->cls[c].tx);
		put_counter(&w, &h->cls[c].rx);
	}
	assert(w.p == w.end);
}

/* A host has an address; the overflow and the forgotten record have none. */
static bool host_head_is_good(uint8_t family, uint8_t kind)
{
	if (kind == TCTABLE_HOST)
		return family == 4 || family == 6;
	return kind <= TCTABLE_HOST_FORGOTTEN && family == 0;
}

int wire_host_decode(struct bytes *b, struct tctable_host *out)
{
	struct bytes r;

	if (take_record(b, &r, WIRE_HOST_BYTES) < 0)
		return -EBADMSG;
	if (!host_head_is_good(r.p[16], r.p[17]))
		return refuse(b, WIRE_HOST_BYTES);
	memset(out, 0, sizeof(*out));
	get_addr(&r, &out->ip, r.p[16]);
	get_u8(&r); /* the family, just looked at */
	out->kind = get_u8(&r);
	get_zeros(&r, 6);
	out->half_open = get_u64(&r);
	out->last_ns = get_u64(&r);
	out->next_conn_id = get_u64(&r);
	out->use = get_u64(&r);
	out->forget_ns = get_u64(&r);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		out->cls[c].conns = get_u64(&r);
		get_counter(&r, &out->cls[c].tx);
		get_counter(&r, &out->cls[c].rx);
	}
	return 0;
}

/* --- connections ------------------------------------------------------------ */

void wire_conn_encode(uint8_t out[WIRE_CONN_BYTES], const struct tctable_conn *c)
{
	struct put w = {out, out + WIRE_CONN_BYTES};

	put_u64(&w, c->id);
	put_u64(&w, c->last_ns);
	put_u8(&w, c->orig.ip.family); /* of both ends */
	put_u8(&w, c->protocol);
	put_u8(&w, c->cls);
	put_u8(&w, c->is_icmp);
	put_u8(&w, c->icmp_type[0]);
	put_u8(&w, c->icmp_type[1]);
	put_u8(&w, c->icmp_code);
	put_zeros(&w, 1);
	put_u16(&w, c->icmp_id);
	put_u16(&w, c->orig.port);
	put_u16(&w, c->reply.port);
	put_zeros(&w, 2);
	put_u32(&w, c->icmp_errors);
	put_zeros(&w, 4);
	put_text(&w, c->state, sizeof(c->state));
	put_addr(&w, &c->orig.ip);
	put_addr(&w, &c->reply.ip);
	put_counter(&w, &c->orig.sent);
	put_counter(&w, &c->reply.sent);
	assert(w.p == w.end);
}

static bool conn_head_is_good(uint8_t family, uint8_t cls, uint8_t is_icmp)
{
	return (family == 4 || family == 6) && cls < TCTABLE_CLASSES && is_icmp <= 1;
}

int wire_conn_decode(struct bytes *b, struct tctable_conn *out)
{
	struct bytes r;
	uint8_t family;

	if (take_record(b, &r, WIRE_CONN_BYTES) < 0)
		return -EBADMSG;
	if (!conn_head_is_good(r.p[16], r.p[18], r.p[19]))
		return refuse(b, WIRE_CONN_BYTES);
	memset(out, 0, sizeof(*out));
	out->id = get_u64(&r);
	out->last_ns = get_u64(&r);
	family = get_u8(&r);
	out->protocol = get_u8(&r);
	out->cls = get_u8(&r);
	out->is_icmp = get_u8(&r);
	out->icmp_type[0] = get_u8(&r);
	out->icmp_type[1] = get_u8(&r);
	out->icmp_code = get_u8(&r);
	get_zeros(&r, 1);
	out->icmp_id = get_u16(&r);
	out->orig.port = get_u16(&r);
	out->reply.port = get_u16(&r);
	get_zeros(&r, 2);
	out->icmp_errors = get_u32(&r);
	get_zeros(&r, 4);
	get_text(&r, out->state, sizeof(out->state));
	get_addr(&r, &out->orig.ip, family);
	get_addr(&r, &out->reply.ip, family);
	get_counter(&r, &out->orig.sent);
	get_counter(&r, &out->reply.sent);
	return 0;
}

/* --- statistics ------------------------------------------------------------- */

static void put_ledger(struct put *w, const struct tctable_ledger *l)
{
	put_u64(w, l->received);
	put_counter(w, &l->counted);
	put_counter(w, &l->internal);
	put_u64(w, l->tracked);
	put_u64(w, l->table_full);
	put_u64(w, l->host_limit);
	put_u64(w, l->icmp_error);
	put_u64(w, l->icmp_other);
	put_u64(w, l->fragment);
	put_u64(w, l->transit);
	put_u64(w, l->not_ip);
	put_u64(w, l->malformed);
	put_u64(w, l->kernel_drops);
	put_u64(w, l->ring_freezes);
}

static void get_ledger(struct bytes *b, struct tctable_ledger *l)
{
	l->received = get_u64(b);
	get_counter(b, &l->counted);
	get_counter(b, &l->internal);
	l->tracked = get_u64(b);
	l->table_full = get_u64(b);
	l->host_limit = get_u64(b);
	l->icmp_error = get_u64(b);
	l->icmp_other = get_u64(b);
	l->fragment = get_u64(b);
	l->transit = get_u64(b);
	l->not_ip = get_u64(b);
	l->malformed = get_u64(b);
	l->kernel_drops = get_u64(b);
	l->ring_freezes = get_u64(b);
}

#define NAMED_BYTES (TCTABLE_NAME_BYTES + 8)
#define COUNTERS_AT (224 + TCTABLE_VERDICTS * NAMED_BYTES)

static void put_named(struct put *w, const char *name, uint64_t value)
{
	put_text(w, name, TCTABLE_NAME_BYTES);
	put_u64(w, value);
}

void wire_stats_encode(uint8_t out[WIRE_STATS_BYTES], const struct tctable_stats *s)
{
	const uint32_t verdicts = s->verdicts < TCTABLE_VERDICTS ? s->verdicts : TCTABLE_VERDICTS;
	const uint32_t counters = s->counters < TCTABLE_COUNTERS ? s->counters : TCTABLE_COUNTERS;
	struct put w = {out, out + WIRE_STATS_BYTES};

	put_u32(&w, s->worker);
	put_u32(&w, verdicts);
	put_ledger(&w, &s->ledger);
	put_u64(&w, s->flows_capacity);
	put_u64(&w, s->flows_live);
	put_u64(&w, s->flows_started);
	put_u64(&w, s->flows_expired);
	put_u64(&w, s->flows_replaced);
	put_u64(&w, s->flows_early_drops);
	put_u64(&w, s->arena_bytes);
	put_u64(&w, s->hosts);
	put_u64(&w, s->hosts_max);
	put_u64(&w, s->hosts_forgotten);
	put_u64(&w, s->directory_bytes);
	for (uint32_t i = 0; i < verdicts; i++)
		put_named(&w, s->verdict[i].name, s->verdict[i].frames);
	put_zeros(&w, (size_t)(TCTABLE_VERDICTS - verdicts) * NAMED_BYTES);
	put_u32(&w, counters);
	put_zeros(&w, 4);
	for (uint32_t i = 0; i < counters; i++)
		put_named(&w, s->counter[i].name, s->counter[i].value);
	put_zeros(&w, (size_t)(w.end - w.p));
}

int wire_stats_decode(struct bytes *b, struct tctable_stats *out)
{
	struct bytes r;

	if (take_record(b, &r, WIRE_STATS_BYTES) < 0)
		return -EBADMSG;
	if (load_le32(r.p + 4) > TCTABLE_VERDICTS ||
	    load_le32(r.p + COUNTERS_AT) > TCTABLE_COUNTERS)
		return refuse(b, WIRE_STATS_BYTES);
	memset(out, 0, sizeof(*out));
	out->worker = get_u32(&r);
	out->verdicts = get_u32(&r);
	get_ledger(&r, &out->ledger);
	out->flows_capacity = get_u64(&r);
	out->flows_live = get_u64(&r);
	out->flows_started = get_u64(&r);
	out->flows_expired = get_u64(&r);
	out->flows_replaced = get_u64(&r);
	out->flows_early_drops = get_u64(&r);
	out->arena_bytes = get_u64(&r);
	out->hosts = get_u64(&r);
	out->hosts_max = get_u64(&r);
	out->hosts_forgotten = get_u64(&r);
	out->directory_bytes = get_u64(&r);
	for (uint32_t i = 0; i < out->verdicts; i++) {
		get_text(&r, out->verdict[i].name, TCTABLE_NAME_BYTES);
		out->verdict[i].frames = get_u64(&r);
	}
	get_zeros(&r, (TCTABLE_VERDICTS - out->verdicts) * NAMED_BYTES);
	out->counters = get_u32(&r);
	get_zeros(&r, 4);
	for (uint32_t i = 0; i < out->counters; i++) {
		get_text(&r, out->counter[i].name, TCTABLE_NAME_BYTES);
		out->counter[i].value = get_u64(&r);
	}
	return 0;
}
