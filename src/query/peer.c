/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.c - one client's connection: whole requests in, whole chunks out.
 *
 * A peer is in one of three phases: it asks (we read), we work on its answer
 * (neither), it is sent a chunk (we write). While it is not asking nothing is
 * read from it, so that one who sends and never reads fills the kernel's
 * buffers and not ours.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "query/internal.h"

int peer_new(struct peer **out, int fd, struct answer_context *ctx, uint64_t now_ns)
{
	struct peer *p = query_calloc(ctx, 1, sizeof(*p));
	socklen_t n = sizeof(p->who);

	if (!p)
		return -ENOMEM;
	p->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &p->who, &n) < 0)
		p->who = (struct ucred){.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
	p->active_ns = now_ns;
	p->answer.ctx = ctx;
	*out = p;
	return 0;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	answer_end(&p->answer);
	if (p->answer.uses_rates)
		rates_release(p->answer.ctx);
	close(p->fd);
	query_free(p->answer.ctx, p, 1, sizeof(*p));
}

uint32_t peer_events(const struct peer *p)
{
	switch (p->phase) {
	case PEER_ASKS:
		return EPOLLIN;
	case PEER_SENT:
		return EPOLLOUT;
	default:
		return 0; /* EPOLLHUP and EPOLLERR come unasked */
	}
}

uint64_t peer_deadline_ns(const struct peer *p, uint64_t stall_ns)
{
	const bool waits = p->phase == PEER_SENT || (p->phase == PEER_ASKS && p->in_n > 0);

	return waits ? p->since_ns + stall_ns : UINT64_MAX;
}

/* --- in ------------------------------------------------------------------------- */

static void consume(struct peer *p, size_t n)
{
	p->in_n -= n;
	memmove(p->in, p->in + n, p->in_n);
}

/* Begins to answer the request at the head of what came in, if it is whole. */
static void take_request(struct peer *p)
{
	struct bytes b = bytes_of(p->in, p->in_n);
	struct wire_request r;
	const int ret = wire_request_decode(&b, &r);

	if (ret == -EAGAIN)
		return;
	if (ret < 0) {
		answer_begin_mismatch(&p->answer, &r);
		p->is_closing = true;
		p->refused = "it speaks another version, or another protocol";
	} else if (r.body_bytes > WIRE_REQUEST_BODY_MAX) {
		answer_begin_refusal(&p->answer, &r);
		p->is_closing = true;
		p->refused = "its request says that it is longer than any is";
	} else if (bytes_left(&b) < r.body_bytes) {
		return;
	} else {
		answer_begin(&p->answer, &r, bytes_of(b.p, r.body_bytes));
		consume(p, WIRE_REQUEST_BYTES + r.body_bytes);
		if (p->answer.status == WIRE_EINVAL)
			p->refused = "its request is not as the protocol has it";
		else if (p->answer.status == WIRE_ENOSYS)
			p->refused = "there is no such request";
	}
	p->phase = PEER_WORKED_FOR;
}

bool peer_read(struct peer *p, uint64_t now_ns)
{
	const ssize_t n = recv(p->fd, p->in + p->in_n, sizeof(p->in) - p->in_n, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (p->in_n == 0)
		p->since_ns = now_ns;
	p->in_n += (size_t)n;
	p->active_ns = now_ns;
	take_request(p);
	return true;
}

/* --- out ------------------------------------------------------------------------ */

bool peer_work(struct peer *p, uint64_t now_ns)
{
	p->active_ns = now_ns;
	if (!answer_step(&p->answer))
		return true;
	p->phase = PEER_SENT;
	p->out_n = 0;
	p->since_ns = now_ns;
	return peer_write(p, now_ns);
}

/* The chunk is out. */
static bool go_on(struct peer *p, uint64_t now_ns)
{
	if (!p->answer.done) {
		answer_next(&p->answer);
		p->phase = PEER_WORKED_FOR;
		return true;
	}
	answer_end(&p->answer);
	if (p->is_closing)
		return false;
	p->phase = PEER_ASKS;
	p->since_ns = now_ns;
	take_request(p); /* the next one may be here already */
	return true;
}

bool peer_write(struct peer *p, uint64_t now_ns)
{
	const size_t left = answer_bytes(&p->answer) - p->out_n;
	const ssize_t n = send(p->fd, p->answer.chunk + p->out_n, left, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->out_n += (size_t)n;
	p->active_ns = now_ns;
	return (size_t)n < left || go_on(p, now_ns);
}
