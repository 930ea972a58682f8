/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_server.c - the server against clients that are slow, many, mute or lie,
 * and against what may be at its path.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "fake_table.h"
#include "query/server.h"
#include "wire/wire.h"

#define HOSTS	    2000
#define SLOTS	    40000
#define BUSY	    5 /* the host with connections */
#define STALL_NS    (300 * NS_PER_MSEC)
#define HOSTS_THERE (HOSTS / 2 + 1) /* the even ones, and BUSY */
#define FLAPPING    12
#define FEW	    4
#define FEW_CONNS   9000
#define MANY_SLOTS  100000 /* for each worker */
#define MANY_CONNS  270000
#define WAIT_MS	    30000 /* for what must come; sanitizers are slow */

/* The file that a link to is put in the place of the socket made next; NULL: none. */
static const char *bind_swaps_for;

/* In front of the C library's. */
int bind(int fd, __CONST_SOCKADDR_ARG at, socklen_t n)
{
	const char *path = at.__sockaddr_un__->sun_path;

	if (syscall(SYS_bind, fd, at.__sockaddr__, n) < 0)
		return -1;
	if (!bind_swaps_for)
		return 0;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(bind_swaps_for, path), 0);
	bind_swaps_for = NULL;
	return 0;
}

struct fixture {
	char folder[64], path[100];
	struct table *table;
	struct query_server *server;
	struct query_server_conf conf;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->folder, "/tmp/test_server.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	f->table = fake_table_new(HOSTS, SLOTS);
	for (uint32_t n = 0; n < HOSTS; n += 2)
		fake_table_put_host(f->table, n, false);
	fake_table_put_host(f->table, BUSY, true);
	f->conf = (struct query_server_conf){
		.table = f->table, .path = f->path, .mode = 0660, .stall_ns = 3600 * NS_PER_SEC};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	query_server_stop(f->server);
	fake_table_free(f->table);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	struct err e = {""};

	if (query_server_start(&f->server, &f->conf, &e) < 0)
		fail_msg("%s", e.text);
}

/* --- a client ------------------------------------------------------------------- */

static int plug(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static size_t make_request(uint8_t out[64], uint32_t number, uint32_t host, uint64_t room)
{
	const struct wire_request r = {
		.number = number, .body_bytes = wire_body_bytes(number), .room = room};
	struct tctable_addr ip;
	struct addr a;

	wire_request_encode(out, &r);
	if (!r.body_bytes)
		return WIRE_REQUEST_BYTES;
	fake_table_addr(host, host & 1, &a, &ip.family);
	memcpy(ip.bytes, a.b, sizeof(ip.bytes));
	wire_addr_encode(out + WIRE_REQUEST_BYTES, &ip);
	return WIRE_REQUEST_BYTES + WIRE_ADDR_BYTES;
}

static void ask(int fd, uint32_t number, uint32_t host, uint64_t room)
{
	uint8_t bytes[64];
	const size_t n = make_request(bytes, number, host, room);

	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (int)n);
}

/* False: the connection is over. */
static bool get(int fd, void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&wait, 1, WAIT_MS) != 1)
			fail_msg("no answer within %d ms", WAIT_MS);
		got = recv(fd, p, n, 0);
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

typedef void record_fn(struct bytes *b, void *arg);

/* All chunks of an answer, each record given to fn. Returns the status. */
static uint32_t get_answer(int fd, uint32_t number, struct wire_reply *out, record_fn *fn,
			   void *arg)
{
	static uint8_t body[WIRE_REPLY_BODY_MAX]; /* one thread reads at a time */
	uint8_t head[WIRE_REPLY_BYTES];
	struct bytes b;

	do {
		assert_true(get(fd, head, sizeof(head)));
		b = bytes_of(head, sizeof(head));
		assert_int_equal(wire_reply_decode(&b, out), 0);
		assert_int_equal(out->number, number);
		assert_true(get(fd, body, out->body_bytes));
		b = bytes_of(body, out->body_bytes);
		for (uint32_t i = 0; fn && i < out->records; i++)
			fn(&b, arg);
	} while (out->flags & WIRE_MORE);
	return out->status;
}

static void count_is(int fd, uint64_t hosts)
{
	struct wire_reply r;
	uint8_t bytes[WIRE_REPLY_BYTES + WIRE_COUNT_BYTES];
	struct bytes b = bytes_of(bytes, sizeof(bytes));
	uint64_t got;

	assert_true(get(fd, bytes, sizeof(bytes)));
	assert_int_equal(wire_reply_decode(&b, &r), 0);
	assert_int_equal(r.number, WIRE_COUNT);
	assert_int_equal(wire_count_decode(&b, &got), 0);
	assert_true(got == hosts);
}

static bool is_over(int fd, int wait_ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&wait, 1, wait_ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* --- requests in pieces and in one ------------------------------------------------ */

static void a_request_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	struct wire_reply r;
	uint8_t bytes[64];
	size_t n;
	int fd;

	start(f);
	fd = plug(f->path);
	n = make_request(bytes, WIRE_HOST, 4, 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(send(fd, bytes + i, 1, 0), 1);
		usleep(1000);
	}
	assert_int_equal(get_answer(fd, WIRE_HOST, &r, NULL, NULL), WIRE_OK);
	assert_int_equal(r.records, 1);
	close(fd);
}

static void many_requests_in_one_write_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[50 * 64];
	struct wire_reply r;
	size_t n = 0;
	int fd;

	start(f);
	fd = plug(f->path);
	for (unsigned i = 0; i < 25; i++) {
		n += make_request(bytes + n, WIRE_COUNT, 0, 0);
		n += make_request(bytes + n, WIRE_HOST, i, 0);
	}
	assert_int_equal(send(fd, bytes, n, 0), (int)n);
	shutdown(fd, SHUT_WR); /* nothing more to ask, but answers are awaited */
	for (unsigned i = 0; i < 25; i++) {
		count_is(fd, HOSTS_THERE);
		assert_int_equal(get_answer(fd, WIRE_HOST, &r, NULL, NULL),
				 i % 2 == 0 || i == BUSY ? WIRE_OK : WIRE_ENOENT);
	}
	assert_true(is_over(fd, WAIT_MS));
	close(fd);
}

static void a_client_that_leaves_half_way_harms_nobody(void **state)
{
	struct fixture *f = *state;
	int fd;

	start(f);
	for (unsigned i = 0; i < 200; i++) {
		uint8_t bytes[64];
		const size_t n = make_request(bytes, WIRE_HOSTS, 0, i & 1 ? HOSTS : 0);

		fd = plug(f->path);
		assert_int_equal(send(fd, bytes, i % (n + 1), 0), (int)(i % (n + 1)));
		close(fd);
	}
	fd = plug(f->path);
	ask(fd, WIRE_COUNT, 0, 0);
	count_is(fd, HOSTS_THERE);
	close(fd);
}

static void random_bytes_end_in_an_error_and_the_server_lives(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 1;
	int fd;

	start(f);
	for (unsigned i = 0; i < 300; i++) {
		uint8_t bytes[100];

		fd = plug(f->path);
		make_request(bytes, 256 + i % 7, 0, 0);
		for (size_t k = i % 7 * 4; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)rand_r(&seed);
		send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		while (recv(fd, bytes, sizeof(bytes), 0) > 0)
			;
		close(fd);
	}
	fd = plug(f->path);
	ask(fd, WIRE_COUNT, 0, 0);
	count_is(fd, HOSTS_THERE);
	close(fd);
}

/* --- dumps ---------------------------------------------------------------------- */

struct ids {
	uint64_t n, next_least;
	bool ascend, agree;
};

static void see_conn(struct bytes *b, void *arg)
{
	struct ids *ids = arg;
	struct tctable_conn c;

	assert_int_equal(wire_conn_decode(b, &c), 0);
	ids->ascend &= c.id >= ids->next_least;
	ids->agree &= c.orig.sent.bytes == 100 * c.orig.sent.packets;
	ids->next_least = c.id + 1;
	ids->n++;
}

static void connections_come_by_ascending_id_from_all_workers(void **state)
{
	struct fixture *f = *state;
	struct ids ids = {.ascend = true, .agree = true};
	struct wire_reply r;
	uint32_t slot = 0;
	int fd;

	for (uint64_t i = 0; i < SLOTS; i++, slot = (slot + 7919) % SLOTS)
		fake_table_put_conn(f->table, i % FAKE_WORKERS, slot, BUSY, i);
	start(f);
	fd = plug(f->path);
	ask(fd, WIRE_CONNS, BUSY, 0);
	assert_int_equal(get_answer(fd, WIRE_CONNS, &r, see_conn, &ids), WIRE_OK);
	assert_true(ids.n == SLOTS && ids.ascend && ids.agree);
	ask(fd, WIRE_CONNS, BUSY, SLOTS - 1);
	assert_int_equal(get_answer(fd, WIRE_CONNS, &r, NULL, NULL), WIRE_ENOMEM);
	assert_int_equal(r.records, 0);
	assert_true(r.needed == SLOTS);
	ids = (struct ids){.ascend = true, .agree = true};
	ask(fd, WIRE_CONNS, BUSY, SLOTS);
	assert_int_equal(get_answer(fd, WIRE_CONNS, &r, see_conn, &ids), WIRE_OK);
	assert_true(ids.n == SLOTS && ids.ascend && ids.agree);
	close(fd);
}

/* Another table, with more connections of BUSY than one pass can sort, and some
 * of FEW. */
static void fill_beyond_one_pass(struct fixture *f)
{
	fake_table_free(f->table);
	f->conf.table = f->table = fake_table_new(BUSY + 1, MANY_SLOTS);
	fake_table_put_host(f->table, BUSY, true);
	fake_table_put_host(f->table, FEW, false);
	for (uint32_t i = 0; i < MANY_CONNS; i++)
		fake_table_put_conn(f->table, i / MANY_SLOTS, i % MANY_SLOTS, BUSY,
				    MANY_CONNS - 1 - i);
	for (uint32_t i = 0; i < FEW_CONNS; i++)
		fake_table_put_conn(f->table, FAKE_WORKERS - 1, MANY_SLOTS - 1 - i, FEW, i);
}

static void more_connections_than_a_pass_can_sort_come_in_order_too(void **state)
{
	struct fixture *f = *state;
	struct ids ids = {.ascend = true, .agree = true};
	struct wire_reply r;
	int fd;

	fill_beyond_one_pass(f);
	start(f);
	fd = plug(f->path);
	ask(fd, WIRE_CONNS, BUSY, 0);
	assert_int_equal(get_answer(fd, WIRE_CONNS, &r, see_conn, &ids), WIRE_OK);
	assert_true(ids.n == MANY_CONNS && ids.ascend && ids.agree);
	close(fd);
}

/* Eight large dumps take all memory there is for sorting; a ninth goes on with
 * the little that each may have. */
static void a_dump_with_little_memory_makes_more_passes(void **state)
{
	struct fixture *f = *state;
	struct ids ids = {.ascend = true, .agree = true};
	struct wire_reply r;
	int mute[8], fd;

	fill_beyond_one_pass(f);
	start(f);
	for (unsigned i = 0; i < 8; i++) {
		struct pollfd begun = {.events = POLLIN};

		begun.fd = mute[i] = plug(f->path);
		ask(mute[i], WIRE_CONNS, BUSY, 0);
		assert_int_equal(poll(&begun, 1, WAIT_MS), 1);
	}
	fd = plug(f->path);
	ask(fd, WIRE_CONNS, FEW, 0);
	assert_int_equal(get_answer(fd, WIRE_CONNS, &r, see_conn, &ids), WIRE_OK);
	assert_true(ids.n == FEW_CONNS && ids.ascend && ids.agree);
	for (unsigned i = 0; i < 8; i++)
		close(mute[i]);
	close(fd);
}

/* Connections begin and end, and hosts come and go, while they are dumped. */
struct churn {
	struct table *table;
	int stop; /* atomic */
};

static void *churn(void *arg)
{
	struct churn *c = arg;
	uint64_t id = 1000001;

	for (; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); id += 2) {
		const uint32_t slot = (uint32_t)(id % 5000); /* odd: the even ones stay */

		fake_table_put_conn(c->table, 1, slot, BUSY, id);
		fake_table_end_conn(c->table, 1, slot);
		fake_table_forget_host(c->table, FLAPPING);
		fake_table_put_host(c->table, FLAPPING, false);
	}
	return NULL;
}

struct ids_kept {
	uint64_t kept, next_least;
	bool ascend;
};

static void see_kept(struct bytes *b, void *arg)
{
	struct ids_kept *ids = arg;
	struct tctable_conn c;

	assert_int_equal(wire_conn_decode(b, &c), 0);
	ids->ascend &= c.id >= ids->next_least;
	ids->next_least = c.id + 1;
	ids->kept += c.id < 1000000;
}

static void see_host(struct bytes *b, void *arg)
{
	struct tctable_host h;

	assert_int_equal(wire_host_decode(b, &h), 0);
	assert_true(h.cls[0].tx.bytes == 1000 * h.cls[0].tx.packets);
	++*(uint64_t *)arg;
}

static void what_stays_is_in_every_dump_while_the_rest_changes(void **state)
{
	struct fixture *f = *state;
	struct churn c = {.table = f->table};
	struct wire_reply r;
	pthread_t thread;
	int fd;

	for (uint32_t slot = 0; slot < 5000; slot += 2)
		fake_table_put_conn(f->table, 1, slot, BUSY, 999998 - slot);
	start(f);
	fd = plug(f->path);
	assert_int_equal(pthread_create(&thread, NULL, churn, &c), 0);
	for (unsigned i = 0; i < 20; i++) {
		struct ids_kept ids = {.ascend = true};
		uint64_t hosts = 0;

		ask(fd, WIRE_CONNS, BUSY, i & 1 ? 10000 : 0);
		assert_int_equal(get_answer(fd, WIRE_CONNS, &r, see_kept, &ids), WIRE_OK);
		assert_true(ids.ascend);
		assert_int_equal(ids.kept, 2500);
		ask(fd, WIRE_HOSTS, 0, i & 1 ? HOSTS_THERE + 2 : 0);
		assert_int_equal(get_answer(fd, WIRE_HOSTS, &r, see_host, &hosts), WIRE_OK);
		assert_true(hosts >= HOSTS_THERE + 1 && hosts <= HOSTS_THERE + 2);
	}
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(fd);
}

static void a_client_that_never_reads_delays_nobody(void **state)
{
	struct fixture *f = *state;
	int mute[20], fd;

	start(f);
	for (unsigned i = 0; i < 20; i++) {
		mute[i] = plug(f->path);
		for (unsigned k = 0; k < 10; k++) /* 224 KB each: more than a socket takes */
			ask(mute[i], WIRE_HOSTS, 0, 0);
	}
	fd = plug(f->path);
	for (unsigned i = 0; i < 100; i++) {
		ask(fd, WIRE_COUNT, 0, 0);
		count_is(fd, HOSTS_THERE);
	}
	for (unsigned i = 0; i < 20; i++) { /* whoever begins to read gets it all */
		struct wire_reply r;

		for (unsigned k = 0; i < 2 && k < 10; k++) {
			uint64_t hosts = 0;

			assert_int_equal(get_answer(mute[i], WIRE_HOSTS, &r, see_host, &hosts),
					 WIRE_OK);
			assert_true(hosts == HOSTS_THERE + 2);
		}
		close(mute[i]);
	}
	close(fd);
}

/* --- many, and stalled ------------------------------------------------------------- */

static void the_65th_client_takes_the_place_of_the_longest_idle(void **state)
{
	struct fixture *f = *state;
	int fds[QUERY_CLIENTS + 1];

	start(f);
	for (unsigned i = 0; i < QUERY_CLIENTS; i++) {
		fds[i] = plug(f->path);
		ask(fds[i], WIRE_COUNT, 0, 0);
		count_is(fds[i], HOSTS_THERE);
	}
	ask(fds[0], WIRE_COUNT, 0, 0); /* now the second is the longest idle */
	count_is(fds[0], HOSTS_THERE);
	fds[QUERY_CLIENTS] = plug(f->path);
	ask(fds[QUERY_CLIENTS], WIRE_COUNT, 0, 0);
	count_is(fds[QUERY_CLIENTS], HOSTS_THERE);
	assert_true(is_over(fds[1], WAIT_MS));
	for (unsigned i = 0; i <= QUERY_CLIENTS; i++) {
		if (i == 1)
			continue;
		ask(fds[i], WIRE_COUNT, 0, 0);
		count_is(fds[i], HOSTS_THERE);
	}
	for (unsigned i = 0; i <= QUERY_CLIENTS; i++)
		close(fds[i]);
}

static void who_stalls_is_dropped_and_who_is_idle_is_not(void **state)
{
	static uint8_t all[10 * HOSTS_THERE * WIRE_HOST_BYTES];
	struct fixture *f = *state;
	int half, mute, idle;

	f->conf.stall_ns = STALL_NS;
	start(f);
	idle = plug(f->path);
	ask(idle, WIRE_COUNT, 0, 0);
	count_is(idle, HOSTS_THERE);
	half = plug(f->path);
	assert_int_equal(send(half, "zws", 3, 0), 3);
	mute = plug(f->path);
	for (unsigned i = 0; i < 10; i++)
		ask(mute, WIRE_HOSTS, 0, 0);
	assert_false(is_over(half, STALL_NS / NS_PER_MSEC / 3));
	assert_true(is_over(half, WAIT_MS));
	usleep(3 * STALL_NS / 1000);
	/* What is in the socket can be read; but it ends before the answers do. */
	assert_false(get(mute, all, sizeof(all)));
	ask(idle, WIRE_COUNT, 0, 0);
	count_is(idle, HOSTS_THERE);
	close(half);
	close(mute);
	close(idle);
}

static void without_descriptors_a_client_waits_until_there_are_some(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct rlimit before, low;
	struct pollfd answer = {.events = POLLIN};
	int fd;

	start(f);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", f->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ask(fd, WIRE_COUNT, 0, 0);
	answer.fd = fd;
	assert_int_equal(poll(&answer, 1, 250), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	count_is(fd, HOSTS_THERE);
	close(fd);
}

static void stopping_ends_all_connections_and_removes_the_socket(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int fds[10];

	start(f);
	for (unsigned i = 0; i < 10; i++) {
		fds[i] = plug(f->path);
		for (unsigned k = 0; k < i; k++)
			ask(fds[i], WIRE_HOSTS, 0, 0);
	}
	query_server_stop(f->server);
	f->server = NULL;
	assert_int_equal(lstat(f->path, &st), -1);
	assert_true(is_over(fds[0], WAIT_MS));
	for (unsigned i = 0; i < 10; i++)
		close(fds[i]);
	query_server_stop(NULL);
}

/* --- the path ------------------------------------------------------------------------ */

static void refuse(struct fixture *f, int expected, const char *part)
{
	struct query_server *none = NULL;
	struct err e = {""};

	assert_int_equal(query_server_start(&none, &f->conf, &e), expected);
	assert_null(none);
	if (!strstr(e.text, part))
		fail_msg("'%s' does not say '%s'", e.text, part);
}

static void the_socket_has_its_mode_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	const mode_t before = umask(0177);
	struct stat st;

	start(f);
	umask(before);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void the_group_is_set_or_named_in_the_error(void **state)
{
	struct fixture *f = *state;
	const struct group *own = getgrgid(getgid());
	struct stat st;

	f->conf.group = "no-such-group";
	refuse(f, -ENOENT, "no group 'no-such-group'");
	assert_int_equal(lstat(f->path, &st), -1);
	if (!own)
		skip();
	f->conf.group = own->gr_name;
	start(f);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_gid, getgid());
}

static void a_live_socket_is_refused_and_goes_on_living(void **state)
{
	struct fixture *f = *state;
	int fd;

	start(f);
	refuse(f, -EADDRINUSE, "already running");
	refuse(f, -EADDRINUSE, f->path);
	fd = plug(f->path);
	ask(fd, WIRE_COUNT, 0, 0);
	count_is(fd, HOSTS_THERE);
	close(fd);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	start(f);
	fd = plug(f->path);
	ask(fd, WIRE_COUNT, 0, 0);
	count_is(fd, HOSTS_THERE);
	close(fd);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char kept[5] = "";
	int fd = open(f->path, O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, "mine", 4), 4);
	close(fd);
	refuse(f, -EEXIST, "no socket");
	fd = open(f->path, O_RDONLY);
	assert_int_equal(read(fd, kept, 4), 4);
	assert_string_equal(kept, "mine");
	close(fd);
	unlink(f->path);
	assert_int_equal(symlink("elsewhere", f->path), 0);
	refuse(f, -EEXIST, "no socket");
}

/* Whoever may write to the directory is quick: see bind(). */
static void a_link_in_the_place_of_the_socket_opens_no_other_file(void **state)
{
	struct fixture *f = *state;
	char victim[100];
	struct stat st;

	snprintf(victim, sizeof(victim), "%s/victim", f->folder);
	close(open(victim, O_WRONLY | O_CREAT, 0600));
	bind_swaps_for = victim;
	refuse(f, -EEXIST, "no longer the socket");
	assert_null(bind_swaps_for);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(victim);
}

static void a_socket_of_another_kind_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	refuse(f, -EEXIST, "another kind");
	close(fd);
}

static void a_socket_put_there_by_somebody_else_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct query_server *second = NULL;
	struct stat st;
	struct err e;

	start(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(query_server_start(&second, &f->conf, &e), 0);
	query_server_stop(f->server);
	f->server = second;
	assert_int_equal(lstat(f->path, &st), 0);
}

static void paths_that_cannot_be_are_named(void **state)
{
	struct fixture *f = *state;
	char path[300];

	snprintf(path, sizeof(path), "%s/%0200d", f->folder, 0);
	f->conf.path = path;
	refuse(f, -ENAMETOOLONG, "107 are the most");
	f->conf.path = "";
	refuse(f, -EINVAL, "empty");
	snprintf(path, sizeof(path), "%s/no/such/s", f->folder);
	refuse(f, -EINVAL, "empty");
	f->conf.path = path;
	refuse(f, -ENOENT, "/no/such");
	close(open(f->path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/s", f->path);
	refuse(f, -ENOTDIR, f->path);
}

static void a_missing_directory_is_made_for_others_to_enter(void **state)
{
	struct fixture *f = *state;
	const mode_t before = umask(077);
	char folder[80], path[100];
	struct stat st;
	int fd;

	snprintf(folder, sizeof(folder), "%s/d", f->folder);
	snprintf(path, sizeof(path), "%s/s", folder);
	f->conf.path = path;
	start(f);
	umask(before);
	assert_int_equal(lstat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	fd = plug(path);
	ask(fd, WIRE_COUNT, 0, 0);
	count_is(fd, HOSTS_THERE);
	close(fd);
	query_server_stop(f->server);
	f->server = NULL;
	assert_int_equal(rmdir(folder), 0);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(a_request_may_come_byte_by_byte),
		SERVER_TEST(many_requests_in_one_write_are_answered_in_order),
		SERVER_TEST(a_client_that_leaves_half_way_harms_nobody),
		SERVER_TEST(random_bytes_end_in_an_error_and_the_server_lives),
		SERVER_TEST(connections_come_by_ascending_id_from_all_workers),
		SERVER_TEST(more_connections_than_a_pass_can_sort_come_in_order_too),
		SERVER_TEST(a_dump_with_little_memory_makes_more_passes),
		SERVER_TEST(what_stays_is_in_every_dump_while_the_rest_changes),
		SERVER_TEST(a_client_that_never_reads_delays_nobody),
		SERVER_TEST(the_65th_client_takes_the_place_of_the_longest_idle),
		SERVER_TEST(who_stalls_is_dropped_and_who_is_idle_is_not),
		SERVER_TEST(without_descriptors_a_client_waits_until_there_are_some),
		SERVER_TEST(stopping_ends_all_connections_and_removes_the_socket),
		SERVER_TEST(the_socket_has_its_mode_whatever_the_umask),
		SERVER_TEST(the_group_is_set_or_named_in_the_error),
		SERVER_TEST(a_live_socket_is_refused_and_goes_on_living),
		SERVER_TEST(a_stale_socket_is_replaced),
		SERVER_TEST(what_is_no_socket_is_left_alone),
		SERVER_TEST(a_link_in_the_place_of_the_socket_opens_no_other_file),
		SERVER_TEST(a_socket_of_another_kind_is_left_alone),
		SERVER_TEST(a_socket_put_there_by_somebody_else_is_not_removed),
		SERVER_TEST(paths_that_cannot_be_are_named),
		SERVER_TEST(a_missing_directory_is_made_for_others_to_enter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
