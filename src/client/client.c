/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - libtctable: what a program may ask of tcsniff.
 */
#include "tctable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "client/internal.h"

/* The map names what is exported; the compiler must be told as well. */
#define EXPORT __attribute__((visibility("default")))

/* --- a conversation ----------------------------------------------------------- */

EXPORT int tctable_open(struct tctable **out, const char *path)
{
	struct tctable *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return -ENOMEM;
	t->fd = -1;
	t->path = strdup(path ? path : TCTABLE_SOCKET_DEFAULT);
	if (!t->path) {
		free(t);
		return -ENOMEM;
	}
	*out = t;
	return query_connect(t);
}

EXPORT void tctable_close(struct tctable *t)
{
	if (!t)
		return;
	query_disconnect(t);
	free(t->path);
	free(t);
}

EXPORT const char *tctable_error(const struct tctable *t)
{
	return t ? t->err.text : "out of memory";
}

static int check_ip(struct tctable *t, const struct tctable_addr *ip)
{
	if (ip->family != ADDR_V4 && ip->family != ADDR_V6)
		return err_set(&t->err, -EINVAL, "the address is of family %u; give 4 or 6",
			       ip->family);
	return 0;
}

/* What a callback returned ends the request; it has said all there is to say. */
static int stopped(struct tctable *t, int ret)
{
	return ret ? err_set(&t->err, ret, "the caller wanted no more records") : 0;
}

/* --- one record ------------------------------------------------------------- */

/* Runs a request whose reply is one record. */
static int run_single(struct tctable *t, struct query *q)
{
	const int ret = query_run(t, q);

	if (ret == 0 && q->records != 1)
		return query_bad_reply(t, "it has no record");
	return ret;
}

static int check_single(struct tctable *t, const struct query *q, int decoded)
{
	if (decoded < 0)
		return query_bad_reply(t, "a record is damaged");
	if (q->records)
		return query_bad_reply(t, "it has more than one record");
	return 0;
}

static int take_info(struct tctable *t, struct query *q, struct bytes *b)
{
	return check_single(t, q, wire_info_decode(b, q->arg));
}

EXPORT int tctable_info(struct tctable *t, struct tctable_info *out)
{
	struct tctable_info info;
	struct query q = {.number = WIRE_INFO, .take = take_info, .arg = &info};
	const int ret = run_single(t, &q);

	if (ret == 0)
		*out = info;
	return ret;
}

static int take_count(struct tctable *t, struct query *q, struct bytes *b)
{
	return check_single(t, q, wire_count_decode(b, q->arg));
}

EXPORT int tctable_count(struct tctable *t, uint64_t *out)
{
	uint64_t hosts = 0;
	struct query q = {.number = WIRE_COUNT, .take = take_count, .arg = &hosts};
	const int ret = run_single(t, &q);

	if (ret == 0)
		*out = hosts;
	return ret;
}

static bool is_of(const struct tctable_host *h, const struct tctable_addr *ip)
{
	return h->kind == TCTABLE_HOST && h->ip.family == ip->family &&
	       memcmp(h->ip.bytes, ip->bytes, ip->family == ADDR_V4 ? 4 : 16) == 0;
}

static int take_host(struct tctable *t, struct query *q, struct bytes *b)
{
	const int ret = check_single(t, q, wire_host_decode(b, q->arg));

	if (ret == 0 && !is_of(q->arg, q->ip))
		return query_bad_reply(t, "it is about another host");
	return ret;
}

EXPORT int tctable_host(struct tctable *t, const struct tctable_addr *ip, struct tctable_host *out)
{
	struct tctable_host host;
	struct query q = {.number = WIRE_HOST, .ip = ip, .take = take_host, .arg = &host};
	int ret = check_ip(t, ip);

	if (ret < 0)
		return ret;
	ret = run_single(t, &q);
	if (ret == 0)
		*out = host;
	return ret;
}

/* --- hosts ------------------------------------------------------------------ */

/* Where the records of a list go: to a callback, or into an array. */
struct sink {
	union {
		tctable_host_fn *host;
		tctable_conn_fn *conn;
		tctable_stats_fn *stats;
	} fn; /* none: an array */
	void *arg;
	char *array;
	size_t room, n;
	uint64_t last; /* kind or id of the last record */
};

static void put_in_array(struct sink *s, const void *record, size_t record_bytes)
{
	if (s->n < s->room)
		memcpy(s->array + s->n * record_bytes, record, record_bytes);
	s->n++;
}

/* Room for none cannot be told apart from room for any number on the wire. */
static uint64_t room_of(size_t n)
{
	return n ? n : 1;
}

/* The end of a request into an array of *n records. */
static int finish_array(struct tctable *t, const struct query *q, const struct sink *s, int ret,
			size_t *n)
{
	if (ret == 0 && s->n > s->room)
		ret = err_set(&t->err, -ENOMEM, "there are %zu records, and room for %zu", s->n,
			      s->room);
	else if (ret == -ENOMEM) {
		*n = q->needed < SIZE_MAX ? (size_t)q->needed : SIZE_MAX;
		return ret;
	}
	if (ret == 0 || ret == -ENOMEM)
		*n = s->n;
	return ret;
}

/* Hosts, then the overflow record, then the forgotten one, which is the last. */
static int take_hosts(struct tctable *t, struct query *q, struct bytes *b)
{
	struct sink *s = q->arg;
	struct tctable_host host;

	if (wire_host_decode(b, &host) < 0)
		return query_bad_reply(t, "a host's record is damaged");
	if (host.kind < s->last || s->last == TCTABLE_HOST_FORGOTTEN ||
	    (host.kind > TCTABLE_HOST && host.kind != s->last + 1))
		return query_bad_reply(t, "the records of hosts are out of order");
	s->last = host.kind;
	if (s->fn.host)
		return stopped(t, s->fn.host(&host, s->arg));
	put_in_array(s, &host, sizeof(host));
	return 0;
}

static int run_hosts(struct tctable *t, struct query *q, const struct sink *s)
{
	const int ret = query_run(t, q);

	if (ret == 0 && s->last != TCTABLE_HOST_FORGOTTEN)
		return query_bad_reply(t, "it ends before the last record");
	return ret;
}

EXPORT int tctable_hosts(struct tctable *t, tctable_host_fn *fn, void *arg)
{
	struct sink s = {.fn.host = fn, .arg = arg};
	struct query q = {.number = WIRE_HOSTS, .take = take_hosts, .arg = &s};

	return run_hosts(t, &q, &s);
}

EXPORT int tctable_hosts_array(struct tctable *t, struct tctable_host *hosts, size_t *n)
{
	struct sink s = {.array = (char *)hosts, .room = *n};
	struct query q = {.number = WIRE_HOSTS, .room = room_of(*n), .take = take_hosts, .arg = &s};

	return finish_array(t, &q, &s, run_hosts(t, &q, &s), n);
}

/* --- connections -------------------------------------------------------------- */

static int take_conns(struct tctable *t, struct query *q, struct bytes *b)
{
	struct sink *s = q->arg;
	struct tctable_conn conn;

	if (wire_conn_decode(b, &conn) < 0)
		return query_bad_reply(t, "a connection's record is damaged");
	if (q->records && conn.id <= s->last)
		return query_bad_reply(t, "the ids of connections do not ascend");
	s->last = conn.id;
	if (s->fn.conn)
		return stopped(t, s->fn.conn(&conn, s->arg));
	put_in_array(s, &conn, sizeof(conn));
	return 0;
}

EXPORT int tctable_conns(struct tctable *t, const struct tctable_addr *ip, tctable_conn_fn *fn,
			 void *arg)
{
	struct sink s = {.fn.conn = fn, .arg = arg};
	struct query q = {.number = WIRE_CONNS, .ip = ip, .take = take_conns, .arg = &s};
	const int ret = check_ip(t, ip);

	return ret < 0 ? ret : query_run(t, &q);
}

EXPORT int tctable_conns_array(struct tctable *t, const struct tctable_addr *ip,
			       struct tctable_conn *conns, size_t *n)
{
	struct sink s = {.array = (char *)conns, .room = *n};
	struct query q = {
		.number = WIRE_CONNS, .ip = ip, .room = room_of(*n), .take = take_conns, .arg = &s};
	const int ret = check_ip(t, ip);

	return ret < 0 ? ret : finish_array(t, &q, &s, query_run(t, &q), n);
}

/* --- statistics ------------------------------------------------------------- */

/* The sum, then workers 0, 1, 2, ... */
static int take_stats(struct tctable *t, struct query *q, struct bytes *b)
{
	const uint64_t expected = q->records ? q->records - 1 : UINT32_MAX;
	struct sink *s = q->arg;
	struct tctable_stats stats;

	if (wire_stats_decode(b, &stats) < 0)
		return query_bad_reply(t, "a record of statistics is damaged");
	if (stats.worker != expected)
		return query_bad_reply(t, "the records of statistics are out of order");
	return stopped(t, s->fn.stats(&stats, s->arg));
}

EXPORT int tctable_stats(struct tctable *t, tctable_stats_fn *fn, void *arg)
{
	struct sink s = {.fn.stats = fn, .arg = arg};
	struct query q = {.number = WIRE_STATS, .take = take_stats, .arg = &s};
	const int ret = query_run(t, &q);

	if (ret == 0 && q.records == 0)
		return query_bad_reply(t, "it has no record");
	return ret;
}

/* --- the sample --------------------------------------------------------------- */

static int take_sample(struct tctable *t, struct query *q, struct bytes *b)
{
	return check_single(t, q, wire_sample_decode(b, q->arg));
}

EXPORT int tctable_sample(struct tctable *t, struct tctable_sample *out)
{
	struct tctable_sample sample;
	struct query q = {.number = WIRE_SAMPLE, .take = take_sample, .arg = &sample};
	const int ret = run_single(t, &q);

	if (ret == 0)
		*out = sample;
	return ret;
}

/* --- addresses ---------------------------------------------------------------- */

EXPORT int tctable_addr_parse(struct tctable_addr *out, const char *text)
{
	struct tctable_addr ip = {.family = 0};
	struct addr a;
	const int ret = addr_parse(&a, &ip.family, text, NULL);

	if (ret < 0)
		return ret;
	memcpy(ip.bytes, a.b, sizeof(ip.bytes));
	*out = ip;
	return 0;
}

EXPORT const char *tctable_addr_format(const struct tctable_addr *ip, char buf[TCTABLE_ADDR_TEXT])
{
	struct addr a;

	memcpy(a.b, ip->bytes, sizeof(a.b));
	return addr_format(buf, &a, ip->family);
}
