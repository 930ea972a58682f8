/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_daemon.c - a daemon that says what a test wants it to.
 */
#include "fake_daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Threads may not use cmocka's asserts; what fails here ends the program. */
#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			perror(#what);                                                             \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* --- bytes ------------------------------------------------------------------ */

void blob_free(struct blob *b)
{
	free(b->p);
	*b = (struct blob){NULL, 0};
}

void blob_add(struct blob *b, const void *data, size_t n)
{
	if (n == 0)
		return;
	b->p = realloc(b->p, b->n + n);
	MUST(b->p);
	memcpy(b->p + b->n, data, n);
	b->n += n;
}

void blob_add_header(struct blob *b, const struct wire_reply *r)
{
	uint8_t head[WIRE_REPLY_BYTES];

	wire_reply_encode(head, r);
	blob_add(b, head, sizeof(head));
}

void blob_add_chunk(struct blob *b, uint32_t number, uint32_t flags, const struct blob *records)
{
	const uint32_t record_bytes = wire_record_bytes(number);
	const struct wire_reply r = {
		.number = number,
		.status = WIRE_OK,
		.body_bytes = (uint32_t)records->n,
		.record_bytes = record_bytes,
		.records = (uint32_t)(records->n / record_bytes),
		.flags = flags,
	};

	blob_add_header(b, &r);
	blob_add(b, records->p, records->n);
}

void blob_add_info(struct blob *b)
{
	const struct tctable_info info = {
		.workers = 3,
		.start_ns = 1700000000000000000u,
		.now_ns = 1275451200250000000u,
		.host_timeout_ns = 900000000000u,
		.software = "tcsniff 9.8.7",
		.source = "fake.pcap",
	};
	uint8_t out[WIRE_INFO_BYTES];

	wire_info_encode(out, &info);
	blob_add(b, out, sizeof(out));
}

void blob_add_host(struct blob *b, const struct tctable_host *h)
{
	uint8_t out[WIRE_HOST_BYTES];

	wire_host_encode(out, h);
	blob_add(b, out, sizeof(out));
}

void blob_add_conn(struct blob *b, uint64_t id)
{
	struct tctable_conn c = {
		.id = id,
		.last_ns = 1275451200250000000u,
		.protocol = 6,
		.state = "established",
		.orig = {.port = 60222, .sent = {1434, 100000}},
		.reply = {.port = 22, .sent = {1264, 104348}},
	};
	uint8_t out[WIRE_CONN_BYTES];

	tctable_addr_parse(&c.orig.ip, "10.0.0.1");
	tctable_addr_parse(&c.reply.ip, "192.0.2.1");
	wire_conn_encode(out, &c);
	blob_add(b, out, sizeof(out));
}

void blob_add_stats(struct blob *b, uint32_t worker)
{
	const struct tctable_stats s = {
		.worker = worker,
		.ledger = {.received = 10, .counted = {7, 4711}},
		.flows_capacity = 1000,
		.verdicts = 1,
		.verdict = {{"ok", 7}},
	};
	uint8_t out[WIRE_STATS_BYTES];

	wire_stats_encode(out, &s);
	blob_add(b, out, sizeof(out));
}

struct blob blob_of_hello(void)
{
	struct blob info = {NULL, 0}, b = {NULL, 0};

	blob_add_info(&info);
	blob_add_chunk(&b, WIRE_INFO, 0, &info);
	blob_free(&info);
	return b;
}

struct tctable_host fake_host(const char *ip)
{
	struct tctable_host h = {
		.cls = {[TCTABLE_TCP] = {2, {5842, 1073769}, {5470, 1002070}}},
		.last_ns = 1275451200250000000u,
		.next_conn_id = 18,
		.use = 3,
	};

	tctable_addr_parse(&h.ip, ip);
	return h;
}

struct tctable_host fake_rest(enum tctable_host_kind kind)
{
	return (struct tctable_host){.kind = (uint8_t)kind};
}

/* --- the thread --------------------------------------------------------------- */

/* False: the client has gone. */
static bool read_request(int fd, size_t n)
{
	uint8_t in[256];

	while (n) {
		const ssize_t got = recv(fd, in, n < sizeof(in) ? n : sizeof(in), 0);

		if (got <= 0)
			return false;
		n -= (size_t)got;
	}
	return true;
}

static bool send_reply(int fd, const struct fake_step *s)
{
	const struct timespec pause = {s->pause_ms / 1000, s->pause_ms % 1000 * 1000000};

	for (size_t at = 0; at < s->reply.n;) {
		const size_t n = s->pause_ms ? 1 : s->reply.n - at;
		const ssize_t sent = send(fd, s->reply.p + at, n, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		at += (size_t)sent;
		if (s->pause_ms)
			nanosleep(&pause, NULL);
	}
	return true;
}

static void serve(int fd, const struct fake_conn *c)
{
	bool is_there = true;

	for (unsigned i = 0; is_there && i < c->steps; i++)
		is_there =
			read_request(fd, c->step[i].request_bytes) && send_reply(fd, &c->step[i]);
	while (is_there && c->end == FAKE_REPEAT)
		is_there = send_reply(fd, &c->step[c->steps - 1]);
	if (is_there && c->end == FAKE_HOLD)
		read_request(fd, SIZE_MAX);
}

static void *run(void *arg)
{
	struct fake_daemon *d = arg;
	int fd;

	while ((fd = accept(d->listener, NULL, NULL)) >= 0) {
		const unsigned last = d->script->conns - 1;

		serve(fd, &d->script->conn[d->accepted < last ? d->accepted : last]);
		close(fd);
		d->accepted++;
	}
	return NULL;
}

void fake_daemon_begin(struct fake_daemon *d, const struct fake_script *script)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	*d = (struct fake_daemon){.dir = "/tmp/tctable-XXXXXX", .script = script};
	MUST(mkdtemp(d->dir));
	snprintf(d->path, sizeof(d->path), "%s/s", d->dir);
	strcpy(at.sun_path, d->path);
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(d->listener >= 0);
	MUST(bind(d->listener, (const struct sockaddr *)&at, sizeof(at)) == 0);
	MUST(listen(d->listener, 4) == 0);
	MUST(pthread_create(&d->thread, NULL, run, d) == 0);
}

void fake_daemon_end(struct fake_daemon *d)
{
	MUST(shutdown(d->listener, SHUT_RDWR) == 0);
	MUST(pthread_join(d->thread, NULL) == 0);
	close(d->listener);
	unlink(d->path);
	rmdir(d->dir);
}
