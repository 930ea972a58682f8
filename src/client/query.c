/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query.c - a request to tcsniff, and the chunks of its reply.
 *
 * A conversation outlives its connection. The daemon may close one that has
 * been idle, to make room for others; and a reply that was left in the middle
 * (the caller had enough, or it was damaged) leaves bytes behind that nobody
 * wants. Then the socket is closed, and the next request connects anew. So a
 * socket that is open always stands between two replies.
 *
 * Every figure of a reply is checked before it is used: by wire/ whether it
 * agrees with itself, here whether it answers what was asked.
 */
#include "client/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "client/channel.h"

void query_disconnect(struct tctable *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int query_bad_reply(struct tctable *t, const char *what)
{
	return err_set(&t->err, -EBADMSG, "the reply of %s makes no sense: %s", t->path, what);
}

/* --- who is at the other end -------------------------------------------------- */

/* All that is known of the other side is the beginning of its header. */
static int mismatch(struct tctable *t, const struct wire_reply *r)
{
	return err_set(&t->err, -EPROTO,
		       "Version mismatch! This side speaks version %u of the protocol (magic "
		       "0x%08x); %s answers with version %" PRIu32 " (magic 0x%08" PRIx32 ")",
		       WIRE_VERSION, WIRE_MAGIC, t->path, r->version, r->magic);
}

static int mismatch_of_records(struct tctable *t, const struct tctable_info *i)
{
	return err_set(&t->err, -EPROTO,
		       "Version mismatch! This side has version %u, hz %u, and records of host "
		       "%u, connection %u, statistics %u, info %u bytes; %s has version %" PRIu32
		       ", hz %" PRIu32 ", and records of host %" PRIu32 ", connection %" PRIu32
		       ", statistics %" PRIu32 ", info %" PRIu32 " bytes",
		       WIRE_VERSION, WIRE_HZ, WIRE_HOST_BYTES, WIRE_CONN_BYTES, WIRE_STATS_BYTES,
		       WIRE_INFO_BYTES, t->path, i->version, i->hz, i->host_size, i->conn_size,
		       i->stats_size, i->info_size);
}

static int read_info(struct tctable *t, struct bytes *b, struct tctable_info *info)
{
	switch (wire_info_decode(b, info)) {
	case 0:
		return 0;
	case -EPROTO:
		return mismatch_of_records(t, info);
	default:
		return query_bad_reply(t, "its info record is damaged");
	}
}

static int take_info(struct tctable *t, struct query *q, struct bytes *b)
{
	return read_info(t, b, q->arg);
}

/* --- one chunk of a reply --------------------------------------------------- */

/* Reads a chunk's header; magic and version before anything else. */
static int recv_header(struct tctable *t, struct wire_reply *r, uint64_t end_ms)
{
	uint8_t head[WIRE_REPLY_BYTES];
	struct bytes b;
	int ret = channel_recv(t->fd, head, WIRE_PREFIX_BYTES, end_ms, &t->err);

	if (ret < 0)
		return ret;
	b = bytes_of(head, WIRE_PREFIX_BYTES);
	if (wire_reply_decode(&b, r) == -EPROTO)
		return mismatch(t, r);
	ret = channel_recv(t->fd, head + WIRE_PREFIX_BYTES, sizeof(head) - WIRE_PREFIX_BYTES,
			   end_ms, &t->err);
	if (ret < 0)
		return ret;
	b = bytes_of(head, sizeof(head));
	if (wire_reply_decode(&b, r) < 0 || r->body_bytes > sizeof(t->body))
		return query_bad_reply(t, "its header contradicts itself");
	return 0;
}

/* A reply that says that the request failed. */
static int failure_of(struct tctable *t, struct query *q, const struct wire_reply *r)
{
	struct bytes b = bytes_of(t->body, r->body_bytes);
	const int ret = wire_status_errno(r->status);
	struct tctable_info info;

	q->has_ended = true;
	switch (r->status) {
	case WIRE_ENOENT:
		if (!q->ip)
			break;
		return err_set(&t->err, ret, "tcsniff knows no such host");
	case WIRE_ENOMEM:
		if (!q->room || r->needed <= q->room)
			break;
		q->needed = r->needed;
		return err_set(&t->err, ret, "there are %" PRIu64 " records, and room for %" PRIu64,
			       r->needed, q->room);
	case WIRE_EAGAIN:
		return err_set(&t->err, ret, "tcsniff has no memory to answer now; try again");
	case WIRE_EINVAL:
	case WIRE_ENOSYS:
		return err_set(&t->err, ret, "tcsniff at %s does not take request %" PRIu32,
			       t->path, q->number);
	case WIRE_EPROTO:
		if (read_info(t, &b, &info) == -EPROTO)
			return -EPROTO;
		break;
	}
	return query_bad_reply(t, "its status does not belong to the request");
}

/* Whether the reply is one to q. */
static int check_header(struct tctable *t, const struct query *q, const struct wire_reply *r)
{
	if (r->status == WIRE_EPROTO)
		return 0;
	if (r->number != q->number)
		return query_bad_reply(t, "it answers another request");
	/* An info record of another size is a version mismatch; it says so itself. */
	if (r->records && q->number != WIRE_INFO && r->record_bytes != wire_record_bytes(q->number))
		return query_bad_reply(t, "its records are of another size");
	return 0;
}

/* Receives a chunk and takes its records. */
static int recv_chunk(struct tctable *t, struct query *q, uint64_t end_ms)
{
	struct wire_reply r;
	int ret = recv_header(t, &r, end_ms);

	if (ret < 0)
		return ret;
	ret = channel_recv(t->fd, t->body, r.body_bytes, end_ms, &t->err);
	if (ret < 0)
		return ret;
	ret = check_header(t, q, &r);
	if (ret < 0)
		return ret;
	q->chunks++;
	if (r.status != WIRE_OK)
		return failure_of(t, q, &r);
	for (uint32_t i = 0; i < r.records; i++) {
		struct bytes b = bytes_of(t->body + (size_t)i * r.record_bytes, r.record_bytes);

		ret = q->take(t, q, &b);
		if (ret != 0)
			return ret;
		q->records++;
	}
	q->has_ended = !(r.flags & WIRE_MORE);
	return 0;
}

/* --- a request and its reply ------------------------------------------------ */

static int send_request(struct tctable *t, const struct query *q, uint64_t end_ms)
{
	const struct wire_request r = {
		.number = q->number,
		.body_bytes = wire_body_bytes(q->number),
		.room = q->room,
	};
	uint8_t out[WIRE_REQUEST_BYTES + WIRE_REQUEST_BODY_MAX];
	size_t n = WIRE_REQUEST_BYTES;

	wire_request_encode(out, &r);
	if (q->ip) {
		wire_addr_encode(out + n, q->ip);
		n += WIRE_ADDR_BYTES;
	}
	if (q->top) {
		wire_top_what_encode(out + n, q->top);
		n += WIRE_TOP_WHAT_BYTES;
	}
	return channel_send(t->fd, out, n, end_ms, &t->err);
}

/* Asks over the open connection. Chunks without a record do not put off the
 * end of our patience: there is no limit to their number. */
static int exchange(struct tctable *t, struct query *q)
{
	uint64_t end_ms = channel_deadline();
	int ret = send_request(t, q, end_ms);

	q->has_ended = false;
	q->chunks = q->records = 0;
	while (ret == 0 && !q->has_ended) {
		const uint64_t before = q->records;

		ret = recv_chunk(t, q, end_ms);
		if (q->records > before)
			end_ms = channel_deadline();
	}
	if (!q->has_ended || ret == -EPROTO || ret == -EBADMSG)
		query_disconnect(t);
	return ret;
}

int query_connect(struct tctable *t)
{
	struct tctable_info info;
	struct query q = {.number = WIRE_INFO, .take = take_info, .arg = &info};
	int ret = channel_open(&t->fd, t->path, channel_deadline(), &t->err);

	if (ret < 0)
		return ret;
	ret = exchange(t, &q);
	if (ret == 0 && q.records != 1)
		ret = query_bad_reply(t, "it has not one info record");
	if (ret < 0)
		query_disconnect(t);
	return ret;
}

/* -ENOENT means that a host is unknown, once the daemon has been there. */
static int connect_anew(struct tctable *t)
{
	const int ret = query_connect(t);

	return ret == -ENOENT ? -ECONNREFUSED : ret;
}

int query_run(struct tctable *t, struct query *q)
{
	const bool was_open = t->fd >= 0;
	int ret = was_open ? 0 : connect_anew(t);

	if (ret == 0)
		ret = exchange(t, q);
	/* The daemon may have closed an idle connection before it was asked. */
	if (ret == -ECONNRESET && was_open && q->chunks == 0) {
		ret = connect_anew(t);
		if (ret == 0)
			ret = exchange(t, q);
	}
	return ret;
}
