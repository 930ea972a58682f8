/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_server.c - what clients send to the daemon, through its server and its socket.
 *
 * The bytes say which of three clients does what next: send so many of the bytes that
 * follow, in one piece; read a little; hang up. At the end each that is still there says
 * that it has no more to send. Each whole request must then have been answered, in turn,
 * by chunks that keep their bounds, and the connection closed; and once all have gone,
 * none of what they cost may be left.
 *
 * The server and its thread are one for all inputs, over the made-up hosts of tests/query.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../query/fake_table.h"
#include "fuzz.h"
#include "query/server.h"
#include "wire/wire.h"

#define CLIENTS	   3
#define SENT_MAX   1500 /* bytes of each */
#define SIP_BYTES  300
#define HOSTS	   400 /* more than one chunk of them */
#define SLOTS	   300 /* for each worker */
#define TICK_MS	   100
#define TICKS	   100 /* a machine that stands still meanwhile takes one */
#define SETTLE_MAX 1000
#define HANG_UPS   (QUERY_CLIENTS / 2) /* a crowd's would drop who is idle longest: the asker */

enum { READ_A_LITTLE = 62, HANG_UP = 63 };

struct client {
	int fd; /* -1: none */
	bool is_over;
	uint8_t sent[SENT_MAX];
	size_t sent_n, answered_n;	/* bytes; those of whole requests that were answered */
	uint8_t head[WIRE_REPLY_BYTES]; /* of the chunk that comes in */
	size_t head_n, body_left;
	bool goes_on; /* other chunks follow the one that comes in */
};

static struct sockaddr_un at = {.sun_family = AF_UNIX};
static char folder[] = "/tmp/fuzz_server.XXXXXX";
static struct query_server *server;
static struct table *table;
static int asker = -1; /* a client that behaves */
static uint64_t memory_alone;

/* --- what is due to a client -------------------------------------------------- */

/* The request that is to be answered next: its bytes, or 0, it is not whole. */
static size_t next_request(const struct client *c, struct wire_request *r, bool *closes)
{
	struct bytes b = bytes_of(c->sent + c->answered_n, c->sent_n - c->answered_n);
	const int ret = wire_request_decode(&b, r);

	*closes = ret == -EPROTO || (ret == 0 && r->body_bytes > WIRE_REQUEST_BODY_MAX);
	if (*closes)
		return c->sent_n - c->answered_n;
	if (ret < 0 || bytes_left(&b) < r->body_bytes)
		return 0;
	return WIRE_REQUEST_BYTES + r->body_bytes;
}

static void check_chunk(const struct client *c, const struct wire_reply *reply)
{
	struct wire_request r;
	bool closes;

	must(next_request(c, &r, &closes) > 0);
	must(reply->number == r.number);
	must(reply->status == WIRE_OK || !(reply->flags & WIRE_MORE));
	must((reply->status == WIRE_ENOMEM) == (reply->needed > 0));
	must(!closes || reply->status == WIRE_EPROTO || reply->status == WIRE_EINVAL);
	if (reply->status == WIRE_OK)
		must(reply->record_bytes == wire_record_bytes(r.number));
}

/* The last chunk of an answer has come. */
static void note_answer(struct client *c)
{
	struct wire_request r;
	bool closes;

	c->answered_n += next_request(c, &r, &closes);
}

/* n bytes of answers have come. */
static void hear(struct client *c, const uint8_t *data, size_t n)
{
	while (n) {
		struct wire_reply reply;
		struct bytes b;
		size_t most;

		if (c->body_left) {
			most = n < c->body_left ? n : c->body_left;
			c->body_left -= most;
		} else {
			most = WIRE_REPLY_BYTES - c->head_n;
			most = n < most ? n : most;
			memcpy(c->head + c->head_n, data, most);
			c->head_n += most;
			if (c->head_n < WIRE_REPLY_BYTES)
				return;
			b = bytes_of(c->head, c->head_n);
			must(wire_reply_decode(&b, &reply) == 0);
			check_chunk(c, &reply);
			c->goes_on = reply.flags & WIRE_MORE;
			c->body_left = reply.body_bytes;
		}
		data += most;
		n -= most;
		if (c->body_left == 0) {
			c->head_n = 0;
			if (!c->goes_on)
				note_answer(c);
		}
	}
}

/* --- clients -------------------------------------------------------------------- */

/* Something must come of it, and soon. */
static void await(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (unsigned i = 0; i < TICKS; i++)
		if (poll(&p, 1, TICK_MS) > 0)
			return;
	must(false);
}

static int plug(int flags)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	must(fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct client){.fd = -1};
}

/* Up to so many bytes of answers, if any are there. */
static void sip(struct client *c, size_t most)
{
	uint8_t room[16384];
	const ssize_t n = recv(c->fd, room, most < sizeof(room) ? most : sizeof(room), 0);

	if (n > 0)
		hear(c, room, (size_t)n);
	else
		c->is_over = n == 0 || errno == ECONNRESET;
	must(n >= 0 || errno == EAGAIN || errno == ECONNRESET);
}

static void send_piece(struct client *c, const uint8_t *data, size_t n)
{
	if (c->fd < 0)
		c->fd = plug(SOCK_NONBLOCK);
	if (n > SENT_MAX - c->sent_n)
		n = SENT_MAX - c->sent_n;
	while (n && !c->is_over) {
		const ssize_t done = send(c->fd, data, n, MSG_NOSIGNAL);

		if (done > 0) {
			memcpy(c->sent + c->sent_n, data, (size_t)done);
			c->sent_n += (size_t)done;
			data += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			await(c->fd, POLLIN | POLLOUT);
			sip(c, SIZE_MAX);
		} else {
			must(errno == EPIPE || errno == ECONNRESET);
			return;
		}
	}
}

/* It has no more to send: all that it asked is answered, and the server goes. */
static void part(struct client *c)
{
	struct wire_request r;
	bool closes;

	if (c->fd < 0)
		return;
	shutdown(c->fd, SHUT_WR);
	while (!c->is_over) {
		await(c->fd, POLLIN);
		sip(c, SIZE_MAX);
	}
	must(c->head_n == 0 && c->body_left == 0 && !c->goes_on);
	must(next_request(c, &r, &closes) == 0);
	hang_up(c);
}

/* --- the server -------------------------------------------------------------------- */

static void read_all(uint8_t *out, size_t n)
{
	while (n) {
		ssize_t got;

		await(asker, POLLIN);
		got = recv(asker, out, n, 0);
		must(got > 0);
		out += got;
		n -= (size_t)got;
	}
}

static uint64_t counter_of(const struct tctable_stats *s, const char *name)
{
	for (uint32_t i = 0; i < s->counters; i++)
		if (!strcmp(s->counter[i].name, name))
			return s->counter[i].value;
	must(false);
	return 0;
}

/* What the server says of itself. */
static void ask(uint64_t *clients, uint64_t *memory)
{
	uint8_t request[WIRE_REQUEST_BYTES], head[WIRE_REPLY_BYTES];
	static uint8_t body[WIRE_REPLY_BODY_MAX];
	struct tctable_stats stats;
	struct wire_reply reply;
	struct bytes b;

	wire_request_encode(request, &(struct wire_request){.number = WIRE_STATS});
	must(send(asker, request, sizeof(request), MSG_NOSIGNAL) == (ssize_t)sizeof(request));
	read_all(head, sizeof(head));
	b = bytes_of(head, sizeof(head));
	must(wire_reply_decode(&b, &reply) == 0 && reply.status == WIRE_OK && !reply.flags);
	read_all(body, reply.body_bytes);
	b = bytes_of(body, reply.body_bytes);
	must(wire_stats_decode(&b, &stats) == 0);
	*clients = counter_of(&stats, "query_clients");
	*memory = counter_of(&stats, "query_memory");
	must(*memory <= counter_of(&stats, "query_memory_max"));
}

static void end(void)
{
	close(asker);
	query_server_stop(server);
	fake_table_free(table);
	rmdir(folder);
}

static void begin(void)
{
	struct err e;
	uint64_t clients;

	table = fake_table_new(HOSTS, SLOTS);
	for (uint32_t n = 0; n < HOSTS; n++)
		fake_table_put_host(table, n, n & 1);
	for (uint32_t i = 0; i < SLOTS; i++)
		fake_table_put_conn(table, i % FAKE_WORKERS, i, 1, SLOTS - 1 - i);
	must(mkdtemp(folder) != NULL);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", folder);
	must(query_server_start(
		     &server,
		     &(struct query_server_conf){.table = table, .path = at.sun_path, .mode = 0600},
		     &e) == 0);
	atexit(end);
	asker = plug(0);
	ask(&clients, &memory_alone);
	must(clients == 1);
}

/* All have gone, and what they cost with them. */
static void check_that_all_is_given_back(void)
{
	uint64_t clients, memory;

	for (unsigned i = 0; i < SETTLE_MAX; i++) {
		ask(&clients, &memory);
		if (clients == 1 && memory == memory_alone)
			return;
		usleep(100);
	}
	must(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct client clients[CLIENTS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
	unsigned hang_ups = 0;

	if (!server)
		begin();
	while (n) {
		const uint32_t what = take(&data, &n, 1), act = what / 4;
		struct client *c = &clients[what % 4 % CLIENTS];
		const size_t piece = act < n ? act : n;

		if (act == HANG_UP) {
			if (hang_ups++ < HANG_UPS)
				hang_up(c);
		} else if (act == READ_A_LITTLE) {
			if (c->fd >= 0)
				sip(c, SIP_BYTES);
		} else {
			send_piece(c, data, piece);
			data += piece;
			n -= piece;
		}
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		part(&clients[i]);
	check_that_all_is_given_back();
	return 0;
}
