/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_client.c - libtctable against a daemon that says what it should, and
 * against ones that lie, break off, or speak something else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fake_daemon.h"

#define HELLO	 WIRE_REQUEST_BYTES			/* bytes of a request without address */
#define ADDRESS	 (WIRE_REQUEST_BYTES + WIRE_ADDR_BYTES) /* and with one */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- what a test has to do with ---------------------------------------------- */

/* A daemon that greets and then answers one request. */
struct stage {
	struct blob hello, reply;
	struct fake_script script;
	struct fake_daemon daemon;
	struct tctable *t;
};

static void stage_play(struct stage *s)
{
	fake_daemon_begin(&s->daemon, &s->script);
	assert_int_equal(tctable_open(&s->t, s->daemon.path), 0);
}

/* Begins with `reply` as the answer to a request of that many bytes. */
static void stage_begin(struct stage *s, size_t request_bytes, struct blob reply)
{
	memset(s, 0, sizeof(*s));
	s->hello = blob_of_hello();
	s->reply = reply;
	s->script.conns = 1;
	s->script.conn[0] = (struct fake_conn){
		.step = {{HELLO, s->hello, 0}, {request_bytes, reply, 0}},
		.steps = 2,
		.end = FAKE_HOLD,
	};
	stage_play(s);
}

static void stage_end(struct stage *s)
{
	tctable_close(s->t);
	fake_daemon_end(&s->daemon);
	blob_free(&s->hello);
	blob_free(&s->reply);
}

static struct tctable_addr ip_of(const char *text)
{
	struct tctable_addr ip;

	assert_int_equal(tctable_addr_parse(&ip, text), 0);
	return ip;
}

/* A reply of one chunk whose records are at `records`, which is freed. */
static struct blob reply_of(uint32_t number, struct blob *records)
{
	struct blob b = {NULL, 0};

	blob_add_chunk(&b, number, 0, records);
	blob_free(records);
	return b;
}

static struct blob reply_of_status(uint32_t number, uint32_t status, uint64_t needed)
{
	const struct wire_reply r = {.number = number, .status = status, .needed = needed};
	struct blob b = {NULL, 0};

	blob_add_header(&b, &r);
	return b;
}

static void add_rest(struct blob *records)
{
	const struct tctable_host overflow = fake_rest(TCTABLE_HOST_OVERFLOW);
	const struct tctable_host forgotten = fake_rest(TCTABLE_HOST_FORGOTTEN);

	blob_add_host(records, &overflow);
	blob_add_host(records, &forgotten);
}

static void add_hosts(struct blob *records, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char text[16];
		struct tctable_host h;

		snprintf(text, sizeof(text), "10.0.0.%u", i + 1);
		h = fake_host(text);
		blob_add_host(records, &h);
	}
}

static struct blob reply_of_hosts(unsigned n)
{
	struct blob records = {NULL, 0};

	add_hosts(&records, n);
	add_rest(&records);
	return reply_of(WIRE_HOSTS, &records);
}

static struct blob reply_of_host(const char *ip)
{
	const struct tctable_host h = fake_host(ip);
	struct blob records = {NULL, 0};

	blob_add_host(&records, &h);
	return reply_of(WIRE_HOST, &records);
}

static struct blob reply_of_conns(const uint64_t *ids, size_t n)
{
	struct blob records = {NULL, 0};

	for (size_t i = 0; i < n; i++)
		blob_add_conn(&records, ids[i]);
	return reply_of(WIRE_CONNS, &records);
}

static struct blob reply_of_stats(const uint32_t *workers, size_t n)
{
	struct blob records = {NULL, 0};

	for (size_t i = 0; i < n; i++)
		blob_add_stats(&records, workers[i]);
	return reply_of(WIRE_STATS, &records);
}

static struct blob reply_of_count(uint64_t hosts)
{
	struct blob records = {NULL, 0};
	uint8_t out[WIRE_COUNT_BYTES];

	wire_count_encode(out, hosts);
	blob_add(&records, out, sizeof(out));
	return reply_of(WIRE_COUNT, &records);
}

/* Callbacks that count; what is in the records is looked at elsewhere. */
static int count_host(const struct tctable_host *h, void *arg)
{
	(void)h;
	++*(unsigned *)arg;
	return 0;
}

static int count_conn(const struct tctable_conn *c, void *arg)
{
	(void)c;
	++*(unsigned *)arg;
	return 0;
}

static int count_stats(const struct tctable_stats *s, void *arg)
{
	(void)s;
	++*(unsigned *)arg;
	return 0;
}

/* --- the requests ------------------------------------------------------------- */

static void info_is_what_the_daemon_said(void **state)
{
	struct tctable_info info;
	struct stage s;

	(void)state;
	stage_begin(&s, HELLO, blob_of_hello());
	assert_int_equal(tctable_info(s.t, &info), 0);
	assert_int_equal(info.version, TCTABLE_VERSION);
	assert_int_equal(info.hz, 1000000000);
	assert_int_equal(info.workers, 3);
	assert_int_equal(info.now_ns, 1275451200250000000u);
	assert_string_equal(info.software, "tcsniff 9.8.7");
	assert_string_equal(info.source, "fake.pcap");
	stage_end(&s);
}

static void count_is_what_the_daemon_said(void **state)
{
	uint64_t hosts = 0;
	struct stage s;

	(void)state;
	stage_begin(&s, HELLO, reply_of_count(UINT64_MAX));
	assert_int_equal(tctable_count(s.t, &hosts), 0);
	assert_true(hosts == UINT64_MAX);
	stage_end(&s);
}

static void host_is_what_the_daemon_said(void **state)
{
	const struct tctable_addr ip = ip_of("2001:db8::1");
	struct tctable_host h;
	struct stage s;

	(void)state;
	stage_begin(&s, ADDRESS, reply_of_host("2001:db8::1"));
	assert_int_equal(tctable_host(s.t, &ip, &h), 0);
	assert_memory_equal(h.ip.bytes, ip.bytes, sizeof(ip.bytes));
	assert_int_equal(h.cls[TCTABLE_TCP].rx.bytes, 1002070);
	assert_int_equal(h.next_conn_id, 18);
	stage_end(&s);
}

static void hosts_come_in_chunks_and_empty_ones_are_fine(void **state)
{
	struct blob reply = {NULL, 0}, records = {NULL, 0}, none = {NULL, 0};
	struct tctable_host hosts[7];
	size_t n = COUNT(hosts);
	struct stage s;

	(void)state;
	add_hosts(&records, 2);
	blob_add_chunk(&reply, WIRE_HOSTS, WIRE_MORE, &records);
	blob_add_chunk(&reply, WIRE_HOSTS, WIRE_MORE, &none);
	blob_add_chunk(&reply, WIRE_HOSTS, WIRE_MORE, &records);
	blob_free(&records);
	add_rest(&records);
	blob_add_chunk(&reply, WIRE_HOSTS, 0, &records);
	blob_free(&records);

	stage_begin(&s, HELLO, reply);
	assert_int_equal(tctable_hosts_array(s.t, hosts, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(hosts[3].ip.bytes[3], 2);
	assert_int_equal(hosts[4].kind, TCTABLE_HOST_OVERFLOW);
	assert_int_equal(hosts[5].kind, TCTABLE_HOST_FORGOTTEN);
	stage_end(&s);
}

static void connections_of_a_host_may_be_none(void **state)
{
	const struct tctable_addr ip = ip_of("10.0.0.1");
	struct stage s;
	size_t n = 0;

	(void)state;
	stage_begin(&s, ADDRESS, reply_of_conns(NULL, 0));
	assert_int_equal(tctable_conns_array(s.t, &ip, NULL, &n), 0);
	assert_int_equal(n, 0);
	stage_end(&s);
}

static void connections_are_what_the_daemon_said(void **state)
{
	static const uint64_t ids[] = {0, 7, UINT64_MAX};
	const struct tctable_addr ip = ip_of("10.0.0.1");
	struct tctable_conn conns[4];
	size_t n = COUNT(conns);
	struct stage s;

	(void)state;
	stage_begin(&s, ADDRESS, reply_of_conns(ids, COUNT(ids)));
	assert_int_equal(tctable_conns_array(s.t, &ip, conns, &n), 0);
	assert_int_equal(n, 3);
	assert_true(conns[2].id == UINT64_MAX);
	assert_memory_equal(conns[0].orig.ip.bytes, ip.bytes, 4);
	assert_int_equal(conns[1].orig.port, 60222);
	assert_int_equal(conns[1].reply.sent.bytes, 104348);
	assert_string_equal(conns[1].state, "established");
	stage_end(&s);
}

static int check_stats(const struct tctable_stats *s, void *arg)
{
	unsigned *n = arg;

	assert_int_equal(s->worker, *n ? *n - 1 : UINT32_MAX);
	assert_int_equal(s->ledger.counted.bytes, 4711);
	assert_string_equal(s->verdict[0].name, "ok");
	++*n;
	return 0;
}

static void statistics_are_the_sum_and_each_worker(void **state)
{
	static const uint32_t workers[] = {UINT32_MAX, 0, 1, 2};
	unsigned n = 0;
	struct stage s;

	(void)state;
	stage_begin(&s, HELLO, reply_of_stats(workers, COUNT(workers)));
	assert_int_equal(tctable_stats(s.t, check_stats, &n), 0);
	assert_int_equal(n, 4);
	stage_end(&s);
}

/* --- room ------------------------------------------------------------------- */

static void too_small_an_array_is_told_the_size_and_left_alone(void **state)
{
	const struct tctable_addr ip = ip_of("10.0.0.1");
	struct tctable_host hosts[2], before[2];
	struct tctable_conn conn;
	struct stage s;
	size_t n = COUNT(hosts);

	(void)state;
	memset(hosts, 0xa5, sizeof(hosts));
	memset(before, 0xa5, sizeof(before));
	stage_begin(&s, HELLO, reply_of_status(WIRE_HOSTS, WIRE_ENOMEM, 4711));
	assert_int_equal(tctable_hosts_array(s.t, hosts, &n), -ENOMEM);
	assert_int_equal(n, 4711);
	assert_memory_equal(hosts, before, sizeof(hosts));
	assert_string_equal(tctable_error(s.t), "there are 4711 records, and room for 2");
	stage_end(&s);

	n = 1;
	stage_begin(&s, ADDRESS, reply_of_status(WIRE_CONNS, WIRE_ENOMEM, 2));
	assert_int_equal(tctable_conns_array(s.t, &ip, &conn, &n), -ENOMEM);
	assert_int_equal(n, 2);
	stage_end(&s);
}

static void more_records_than_room_are_never_written(void **state)
{
	struct tctable_host hosts[4], before;
	struct stage s;
	size_t n = 3;

	(void)state;
	memset(hosts, 0xa5, sizeof(hosts));
	memset(&before, 0xa5, sizeof(before));
	stage_begin(&s, HELLO, reply_of_hosts(50));
	assert_int_equal(tctable_hosts_array(s.t, hosts, &n), -ENOMEM);
	assert_int_equal(n, 52);
	assert_memory_equal(&hosts[3], &before, sizeof(before));
	stage_end(&s);
}

static void room_for_none_tells_how_many_there_are(void **state)
{
	static const uint64_t ids[] = {5};
	const struct tctable_addr ip = ip_of("10.0.0.1");
	struct stage s;
	size_t n = 0;

	(void)state;
	stage_begin(&s, ADDRESS, reply_of_conns(ids, 1));
	assert_int_equal(tctable_conns_array(s.t, &ip, NULL, &n), -ENOMEM);
	assert_int_equal(n, 1);
	stage_end(&s);
}

/* --- failures that leave the conversation as it is ---------------------------- */

static void unknown_host_is_enoent_and_the_next_request_works(void **state)
{
	const struct tctable_addr ip = ip_of("203.0.113.9");
	unsigned conns = 0;
	struct tctable_host h;
	struct blob count = reply_of_count(13);
	struct blob unknown = reply_of_status(WIRE_CONNS, WIRE_ENOENT, 0);
	struct stage s = {.hello = blob_of_hello(),
			  .reply = reply_of_status(WIRE_HOST, WIRE_ENOENT, 0)};
	uint64_t hosts = 0;

	(void)state;
	s.script = (struct fake_script){
		.conn = {{.step = {{HELLO, s.hello, 0},
				   {ADDRESS, s.reply, 0},
				   {ADDRESS, unknown, 0},
				   {HELLO, count, 0}},
			  .steps = 4,
			  .end = FAKE_HOLD}},
		.conns = 1,
	};
	stage_play(&s);
	assert_int_equal(tctable_host(s.t, &ip, &h), -ENOENT);
	assert_string_equal(tctable_error(s.t), "tcsniff knows no such host");
	assert_int_equal(tctable_conns(s.t, &ip, count_conn, &conns), -ENOENT);
	assert_int_equal(tctable_count(s.t, &hosts), 0);
	assert_int_equal(hosts, 13);
	stage_end(&s);
	assert_int_equal(s.daemon.accepted, 1);
	blob_free(&count);
	blob_free(&unknown);
}

static void each_status_has_its_errno(void **state)
{
	static const struct {
		uint32_t status;
		int ret;
	} vectors[] = {
		{WIRE_EAGAIN, -EAGAIN},	 {WIRE_EINVAL, -EINVAL},  {WIRE_ENOSYS, -ENOSYS},
		{WIRE_ENOENT, -EBADMSG}, {WIRE_ENOMEM, -EBADMSG}, {WIRE_EPROTO, -EBADMSG},
		{999, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint64_t hosts = 77;
		struct stage s;

		stage_begin(&s, HELLO, reply_of_status(WIRE_COUNT, vectors[i].status, 0));
		assert_int_equal(tctable_count(s.t, &hosts), vectors[i].ret);
		assert_true(strlen(tctable_error(s.t)) > 10);
		assert_int_equal(hosts, 77);
		stage_end(&s);
	}
}

static int stop_at_once(const struct tctable_host *h, void *arg)
{
	(void)h;
	(void)arg;
	return 42;
}

static void stopped_request_returns_what_the_callback_did(void **state)
{
	unsigned n = 0;
	struct stage s;

	(void)state;
	stage_begin(&s, HELLO, reply_of_hosts(5));
	assert_int_equal(tctable_hosts(s.t, stop_at_once, NULL), 42);
	/* The rest of that reply is not taken for the next one's. */
	assert_int_equal(tctable_hosts(s.t, count_host, &n), 0);
	assert_int_equal(n, 7);
	stage_end(&s);
	assert_int_equal(s.daemon.accepted, 2);
}

static void idle_connection_that_was_closed_is_opened_anew(void **state)
{
	struct blob count = reply_of_count(13);
	struct stage s = {.hello = blob_of_hello()};
	uint64_t hosts = 0;

	(void)state;
	s.script.conns = 2;
	s.script.conn[0] = (struct fake_conn){.step = {{HELLO, s.hello, 0}}, .steps = 1};
	s.script.conn[1] = (struct fake_conn){
		.step = {{HELLO, s.hello, 0}, {HELLO, count, 0}}, .steps = 2, .end = FAKE_HOLD};
	stage_play(&s);
	usleep(20000); /* so that it is closed by now, mostly; either way it works */
	assert_int_equal(tctable_count(s.t, &hosts), 0);
	assert_int_equal(hosts, 13);
	stage_end(&s);
	assert_int_equal(s.daemon.accepted, 2);
	blob_free(&count);
}

static void daemon_that_went_away_is_not_an_unknown_host(void **state)
{
	const struct tctable_addr ip = ip_of("10.0.0.1");
	struct stage s = {.hello = blob_of_hello()};
	struct tctable_host h;

	(void)state;
	s.script.conns = 1;
	s.script.conn[0] = (struct fake_conn){.step = {{HELLO, s.hello, 0}}, .steps = 1};
	stage_play(&s);
	fake_daemon_end(&s.daemon);
	assert_int_equal(tctable_host(s.t, &ip, &h), -ECONNREFUSED);
	tctable_close(s.t);
	blob_free(&s.hello);
}

/* --- other versions ------------------------------------------------------------- */

/* Opens a conversation with a daemon that greets with `hello`, which is freed. */
static int open_to(struct blob *hello, char words[512])
{
	const struct fake_script script = {
		.conn = {{.step = {{HELLO, *hello, 0}}, .steps = 1}},
		.conns = 1,
	};
	struct fake_daemon d;
	struct tctable *t;
	int ret;

	fake_daemon_begin(&d, &script);
	ret = tctable_open(&t, d.path);
	assert_non_null(t);
	snprintf(words, 512, "%s", tctable_error(t));
	tctable_close(t);
	fake_daemon_end(&d);
	blob_free(hello);
	return ret;
}

static void other_magic_or_version_is_a_mismatch_with_both_figures(void **state)
{
	char words[512];
	struct blob b = blob_of_hello();

	(void)state;
	store_le32(b.p + 4, 3);
	assert_int_equal(open_to(&b, words), -EPROTO);
	assert_memory_equal(words, "Version mismatch! ", 18);
	assert_non_null(strstr(words, "version 2 of the protocol (magic 0x0073777a)"));
	assert_non_null(strstr(words, "version 3 (magic 0x0073777a)"));

	b = blob_of_hello();
	store_le32(b.p, 0x7a777300);
	b.n = WIRE_PREFIX_BYTES; /* what follows is of another shape, or missing */
	assert_int_equal(open_to(&b, words), -EPROTO);
	assert_memory_equal(words, "Version mismatch! ", 18);
	assert_non_null(strstr(words, "version 2 (magic 0x7a777300)"));

	b = (struct blob){NULL, 0};
	blob_add(&b, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	assert_int_equal(open_to(&b, words), -EPROTO);
	assert_memory_equal(words, "Version mismatch! ", 18);
}

/* Each figure of the info record: version, hz, and the four sizes. */
static void other_sizes_of_records_are_a_mismatch_with_both_figures(void **state)
{
	static const char *const ours[] = {"version 2,",       "hz 1000000000,",
					   "host 224,",	       "connection 120,",
					   "statistics 3304,", "info 352 bytes;"};
	static const char *const theirs[] = {"version 77,",    "hz 77,",	 "host 77,",
					     "connection 77,", "statistics 77,", "info 77 bytes"};

	(void)state;
	for (unsigned i = 0; i < COUNT(ours); i++) {
		struct blob b = blob_of_hello();
		const char *second;
		char words[512];

		store_le32(b.p + WIRE_REPLY_BYTES + 4 + (size_t)4 * i, 77);
		assert_int_equal(open_to(&b, words), -EPROTO);
		assert_memory_equal(words, "Version mismatch! ", 18);
		second = strstr(words, "; ");
		assert_non_null(second);
		assert_non_null(strstr(words, ours[i]));
		assert_non_null(strstr(second, theirs[i]));
	}
}

static void info_record_of_another_length_is_a_mismatch(void **state)
{
	const struct wire_reply r = {.number = WIRE_INFO,
				     .body_bytes = WIRE_INFO_PREFIX_BYTES,
				     .record_bytes = WIRE_INFO_PREFIX_BYTES,
				     .records = 1};
	struct blob b = {NULL, 0}, info = {NULL, 0};
	char words[512];

	(void)state;
	blob_add_info(&info);
	store_le32(info.p + 24, WIRE_INFO_PREFIX_BYTES);
	blob_add_header(&b, &r);
	blob_add(&b, info.p, WIRE_INFO_PREFIX_BYTES);
	blob_free(&info);
	assert_int_equal(open_to(&b, words), -EPROTO);
	assert_non_null(strstr(words, "info 28 bytes"));
}

static void daemon_that_refuses_our_version_is_a_mismatch(void **state)
{
	const struct wire_reply r = {.number = WIRE_INFO,
				     .status = WIRE_EPROTO,
				     .body_bytes = WIRE_INFO_BYTES,
				     .record_bytes = WIRE_INFO_BYTES,
				     .records = 1};
	struct blob b = {NULL, 0}, info = {NULL, 0};
	char words[512];

	(void)state;
	blob_add_info(&info);
	store_le32(info.p + 4, 1);
	blob_add_header(&b, &r);
	blob_add(&b, info.p, info.n);
	blob_free(&info);
	assert_int_equal(open_to(&b, words), -EPROTO);
	assert_memory_equal(words, "Version mismatch! ", 18);
	assert_non_null(strstr(words, "has version 1,"));
}

/* --- lies --------------------------------------------------------------------- */

/* Asks `number` and returns how it went; *taken is how many records came. */
static int ask(struct tctable *t, uint32_t number, unsigned *taken)
{
	const struct tctable_addr ip = ip_of("10.0.0.1");
	struct tctable_info info;
	struct tctable_host h;
	uint64_t hosts;

	*taken = 0;
	switch (number) {
	case WIRE_INFO:
		return tctable_info(t, &info);
	case WIRE_COUNT:
		return tctable_count(t, &hosts);
	case WIRE_HOSTS:
		return tctable_hosts(t, count_host, taken);
	case WIRE_HOST:
		return tctable_host(t, &ip, &h);
	case WIRE_CONNS:
		return tctable_conns(t, &ip, count_conn, taken);
	default:
		return tctable_stats(t, count_stats, taken);
	}
}

static void refused(uint32_t number, struct blob reply, const char *says)
{
	const size_t request = WIRE_REQUEST_BYTES + wire_body_bytes(number);
	unsigned taken;
	struct stage s;

	stage_begin(&s, request, reply);
	assert_int_equal(ask(s.t, number, &taken), -EBADMSG);
	assert_non_null(strstr(tctable_error(s.t), "makes no sense"));
	if (!strstr(tctable_error(s.t), says))
		fail_msg("'%s' does not say '%s'", tctable_error(s.t), says);
	stage_end(&s);
}

/* A reply to `number` with one figure of its header replaced. */
static struct blob lie(uint32_t number, size_t at, uint32_t value)
{
	static const uint32_t sum[] = {UINT32_MAX};
	static const uint64_t ids[] = {0};
	struct blob b = number == WIRE_INFO    ? blob_of_hello()
			: number == WIRE_COUNT ? reply_of_count(1)
			: number == WIRE_HOSTS ? reply_of_hosts(3)
			: number == WIRE_HOST  ? reply_of_host("10.0.0.1")
			: number == WIRE_CONNS ? reply_of_conns(ids, 1)
					       : reply_of_stats(sum, 1);

	store_le32(b.p + at, value);
	return b;
}

static void figures_that_contradict_each_other_are_refused(void **state)
{
	(void)state;
	for (uint32_t number = WIRE_INFO; number <= WIRE_STATS; number++) {
		refused(number, lie(number, 16, UINT32_MAX), "header contradicts itself");
		refused(number, lie(number, 16, WIRE_REPLY_BODY_MAX + 1), "header contradicts");
		refused(number, lie(number, 16, 0), "header contradicts itself");
		refused(number, lie(number, 20, 0), "header contradicts itself");
		refused(number, lie(number, 24, 0), "header contradicts itself");
		refused(number, lie(number, 24, UINT32_MAX), "header contradicts itself");
		refused(number, lie(number, 28, 0x80000000), "header contradicts itself");
		refused(number, lie(number, 8, number + 1), "it answers another request");
	}
}

/* 4 billion records of no bytes: neither memory nor time is spent on them. */
static void records_of_no_bytes_are_refused(void **state)
{
	(void)state;
	for (uint32_t number = WIRE_INFO; number <= WIRE_STATS; number++) {
		const struct wire_reply r = {.number = number, .records = UINT32_MAX};
		struct blob b = {NULL, 0};

		blob_add_header(&b, &r);
		refused(number, b, number == WIRE_INFO ? "record" : "of another size");
	}
}

static void records_of_another_size_are_refused(void **state)
{
	const struct wire_reply r = {
		.number = WIRE_HOSTS, .body_bytes = 448, .record_bytes = 112, .records = 4};
	struct blob b = {NULL, 0}, records = {NULL, 0};

	(void)state;
	add_rest(&records);
	blob_add_header(&b, &r);
	blob_add(&b, records.p, records.n);
	blob_free(&records);
	refused(WIRE_HOSTS, b, "its records are of another size");
}

static void missing_and_surplus_records_are_refused(void **state)
{
	static const uint32_t numbers[] = {WIRE_INFO, WIRE_COUNT, WIRE_HOST};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct blob one = lie(numbers[i], 8, numbers[i]), records = {NULL, 0};

		refused(numbers[i], reply_of(numbers[i], &records), "it has no record");
		blob_add(&records, one.p + WIRE_REPLY_BYTES, one.n - WIRE_REPLY_BYTES);
		blob_add(&records, one.p + WIRE_REPLY_BYTES, one.n - WIRE_REPLY_BYTES);
		blob_free(&one);
		refused(numbers[i], reply_of(numbers[i], &records), "more than one record");
	}
	refused(WIRE_STATS, reply_of_stats(NULL, 0), "it has no record");
	refused(WIRE_HOST, reply_of_host("10.0.0.2"), "about another host");
}

static void lists_out_of_order_are_refused(void **state)
{
	static const uint64_t twice[] = {0, 3, 3}, back[] = {5, 4};
	static const uint32_t no_sum[] = {0, 1}, gap[] = {UINT32_MAX, 1};
	struct tctable_host h = fake_host("10.0.0.1");
	const struct tctable_host forgotten = fake_rest(TCTABLE_HOST_FORGOTTEN);
	struct blob records = {NULL, 0};

	(void)state;
	refused(WIRE_CONNS, reply_of_conns(twice, 3), "ids of connections do not ascend");
	refused(WIRE_CONNS, reply_of_conns(back, 2), "ids of connections do not ascend");
	refused(WIRE_STATS, reply_of_stats(no_sum, 2), "statistics are out of order");
	refused(WIRE_STATS, reply_of_stats(gap, 2), "statistics are out of order");

	add_hosts(&records, 2);
	refused(WIRE_HOSTS, reply_of(WIRE_HOSTS, &records), "ends before the last record");
	add_rest(&records);
	blob_add_host(&records, &h);
	refused(WIRE_HOSTS, reply_of(WIRE_HOSTS, &records), "hosts are out of order");
	add_rest(&records);
	blob_add_host(&records, &forgotten);
	refused(WIRE_HOSTS, reply_of(WIRE_HOSTS, &records), "hosts are out of order");
	blob_add_host(&records, &forgotten);
	refused(WIRE_HOSTS, reply_of(WIRE_HOSTS, &records), "hosts are out of order");
	h.ip.family = 5;
	blob_add_host(&records, &h);
	refused(WIRE_HOSTS, reply_of(WIRE_HOSTS, &records), "a host's record is damaged");
}

/* --- replies that break off or are damaged --------------------------------------- */

static void play_damaged(struct fake_script *script, struct blob hello, uint32_t number,
			 struct blob reply)
{
	*script = (struct fake_script){
		.conn = {{.step = {{HELLO, hello, 0},
				   {WIRE_REQUEST_BYTES + wire_body_bytes(number), reply, 0}},
			  .steps = 2}},
		.conns = 1,
	};
}

static void reply_cut_at_any_byte_is_an_error(void **state)
{
	struct blob hello = blob_of_hello();

	(void)state;
	for (uint32_t number = WIRE_INFO; number <= WIRE_STATS; number++) {
		struct blob whole = lie(number, 8, number), cut = whole;

		for (cut.n = 0; cut.n < whole.n; cut.n++) {
			struct fake_script script;
			struct fake_daemon d;
			struct tctable *t;
			unsigned taken;

			play_damaged(&script, hello, number, cut);
			fake_daemon_begin(&d, &script);
			assert_int_equal(tctable_open(&t, d.path), 0);
			assert_int_equal(ask(t, number, &taken), -ECONNRESET);
			assert_int_equal(taken, 0);
			tctable_close(t);
			fake_daemon_end(&d);
		}
		blob_free(&whole);
	}
	blob_free(&hello);
}

static void greeting_cut_at_any_byte_is_an_error(void **state)
{
	struct blob hello = blob_of_hello();
	const size_t n = hello.n;

	(void)state;
	blob_free(&hello);
	for (size_t cut = 0; cut < n; cut++) {
		struct blob b = blob_of_hello();
		char words[512];

		b.n = cut;
		assert_int_equal(open_to(&b, words), -ECONNRESET);
		assert_true(strlen(words) > 10);
	}
}

/* Whatever a damaged byte does, the request ends, and with an error or not. */
static void reply_damaged_at_any_byte_ends(void **state)
{
	static const int fine[] = {0,	    -EBADMSG, -EPROTO, -ECONNRESET, -ENOENT,
				   -EAGAIN, -EINVAL,  -ENOSYS, -ENOMEM};
	struct blob hello = blob_of_hello();
	uint32_t seed = 20100602;

	(void)state;
	for (uint32_t number = WIRE_INFO; number <= WIRE_STATS; number++) {
		struct blob reply = lie(number, 8, number);

		for (size_t at = 0; at < reply.n; at++) {
			const uint8_t was = reply.p[at];
			struct fake_script script;
			struct fake_daemon d;
			struct tctable *t;
			unsigned taken;
			bool is_fine = false;
			int ret;

			seed = seed * 1103515245 + 12345;
			reply.p[at] ^= (uint8_t)(1 + (seed >> 16) % 255);
			play_damaged(&script, hello, number, reply);
			fake_daemon_begin(&d, &script);
			assert_int_equal(tctable_open(&t, d.path), 0);
			ret = ask(t, number, &taken);
			for (size_t i = 0; i < COUNT(fine); i++)
				is_fine |= ret == fine[i];
			if (!is_fine)
				fail_msg("byte %zu of request %u: %d", at, number, ret);
			tctable_close(t);
			fake_daemon_end(&d);
			reply.p[at] = was;
		}
		blob_free(&reply);
	}
	blob_free(&hello);
}

/* --- opening ------------------------------------------------------------------ */

static void opening_fails_with_words_where_nobody_listens(void **state)
{
	char dir[] = "/tmp/tctable-XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct tctable *t;
	char path[160];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	assert_int_equal(tctable_open(&t, at.sun_path), -ENOENT);
	assert_non_null(strstr(tctable_error(t), at.sun_path));
	tctable_close(t);

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(tctable_open(&t, at.sun_path), -ECONNREFUSED);
	assert_non_null(strstr(tctable_error(t), at.sun_path));
	tctable_close(t);
	close(fd);
	unlink(at.sun_path);
	rmdir(dir);

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(tctable_open(&t, path), -ENAMETOOLONG);
	assert_non_null(strstr(tctable_error(t), "at most 107 bytes"));
	tctable_close(t);

	assert_int_equal(tctable_open(&t, ""), -EINVAL);
	tctable_close(t);
	tctable_close(NULL);
}

static void address_of_no_family_is_einval_and_not_sent(void **state)
{
	const struct tctable_addr none = {.family = 0};
	struct tctable_host h;
	unsigned n = 0;
	struct stage s;

	(void)state;
	stage_begin(&s, HELLO, reply_of_count(1));
	assert_int_equal(tctable_host(s.t, &none, &h), -EINVAL);
	assert_int_equal(tctable_conns(s.t, &none, count_conn, &n), -EINVAL);
	assert_int_equal(ask(s.t, WIRE_COUNT, &n), 0);
	stage_end(&s);
}

static void addresses_go_there_and_back(void **state)
{
	static const char *const vectors[][2] = {{"192.0.2.1", "192.0.2.1"},
						 {"2001:DB8:0:0::1", "2001:db8::1"},
						 {"::ffff:192.0.2.1", "::ffff:192.0.2.1"}};
	struct tctable_addr ip = {.family = 9};
	char text[TCTABLE_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		assert_int_equal(tctable_addr_parse(&ip, vectors[i][0]), 0);
		assert_ptr_equal(tctable_addr_format(&ip, text), text);
		assert_string_equal(text, vectors[i][1]);
	}
	ip.family = 9;
	assert_int_equal(tctable_addr_parse(&ip, "192.0.2.256"), -EINVAL);
	assert_int_equal(ip.family, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(info_is_what_the_daemon_said),
		cmocka_unit_test(count_is_what_the_daemon_said),
		cmocka_unit_test(host_is_what_the_daemon_said),
		cmocka_unit_test(hosts_come_in_chunks_and_empty_ones_are_fine),
		cmocka_unit_test(connections_of_a_host_may_be_none),
		cmocka_unit_test(connections_are_what_the_daemon_said),
		cmocka_unit_test(statistics_are_the_sum_and_each_worker),
		cmocka_unit_test(too_small_an_array_is_told_the_size_and_left_alone),
		cmocka_unit_test(more_records_than_room_are_never_written),
		cmocka_unit_test(room_for_none_tells_how_many_there_are),
		cmocka_unit_test(unknown_host_is_enoent_and_the_next_request_works),
		cmocka_unit_test(each_status_has_its_errno),
		cmocka_unit_test(stopped_request_returns_what_the_callback_did),
		cmocka_unit_test(idle_connection_that_was_closed_is_opened_anew),
		cmocka_unit_test(daemon_that_went_away_is_not_an_unknown_host),
		cmocka_unit_test(other_magic_or_version_is_a_mismatch_with_both_figures),
		cmocka_unit_test(other_sizes_of_records_are_a_mismatch_with_both_figures),
		cmocka_unit_test(info_record_of_another_length_is_a_mismatch),
		cmocka_unit_test(daemon_that_refuses_our_version_is_a_mismatch),
		cmocka_unit_test(figures_that_contradict_each_other_are_refused),
		cmocka_unit_test(records_of_no_bytes_are_refused),
		cmocka_unit_test(records_of_another_size_are_refused),
		cmocka_unit_test(missing_and_surplus_records_are_refused),
		cmocka_unit_test(lists_out_of_order_are_refused),
		cmocka_unit_test(reply_cut_at_any_byte_is_an_error),
		cmocka_unit_test(greeting_cut_at_any_byte_is_an_error),
		cmocka_unit_test(reply_damaged_at_any_byte_ends),
		cmocka_unit_test(opening_fails_with_words_where_nobody_listens),
		cmocka_unit_test(address_of_no_family_is_einval_and_not_sent),
		cmocka_unit_test(addresses_go_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
