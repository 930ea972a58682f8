/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wire.c - headers and records through bytes and back, cut at every
 * byte, and made of random bytes.
 *
 * Every buffer that is decoded lies at the very end of an allocation of its
 * own size, so that a sanitizer sees the first byte read too many.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

#define SEED	     0x5eed0001u
#define RANDOM_TRIES 20000

/* --- random records --------------------------------------------------------- */

static uint64_t random_state;

static int seed(void **state)
{
	(void)state;
	random_state = SEED;
	return 0;
}

/* splitmix64: public domain constants */
static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void random_fill(void *out, size_t n)
{
	uint8_t *p = out;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)random_u64();
}

static void random_text(char *out, size_t n)
{
	const size_t len = random_u64() % n;

	memset(out, 0, n);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)('a' + random_u64() % 26);
}

static void random_addr(struct tctable_addr *out, uint8_t family)
{
	memset(out, 0, sizeof(*out));
	random_fill(out->bytes, family == 6 ? 16 : family == 4 ? 4 : 0);
	out->family = family;
}

static uint8_t random_family(void)
{
	return random_u64() & 1 ? 4 : 6;
}

static void random_counter(struct tctable_counter *c)
{
	c->packets = random_u64();
	c->bytes = random_u64();
}

static void random_host(struct tctable_host *h)
{
	memset(h, 0, sizeof(*h));
	h->kind = (uint8_t)(random_u64() % 3);
	random_addr(&h->ip, h->kind == TCTABLE_HOST ? random_family() : 0);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		h->cls[c].conns = random_u64();
		random_counter(&h->cls[c].tx);
		random_counter(&h->cls[c].rx);
	}
	h->half_open = random_u64();
	h->last_ns = random_u64();
	h->next_conn_id = random_u64();
	h->use = random_u64();
	h->forget_ns = random_u64();
}

static void random_conn(struct tctable_conn *c)
{
	const uint8_t family = random_family();

	memset(c, 0, sizeof(*c));
	c->id = random_u64();
	c->last_ns = random_u64();
	c->protocol = (uint8_t)random_u64();
	c->cls = (uint8_t)(random_u64() % TCTABLE_CLASSES);
	c->is_icmp = (uint8_t)(random_u64() & 1);
	random_fill(c->icmp_type, sizeof(c->icmp_type));
	c->icmp_code = (uint8_t)random_u64();
	c->icmp_id = (uint16_t)random_u64();
	c->icmp_errors = (uint32_t)random_u64();
	random_text(c->state, sizeof(c->state));
	random_addr(&c->orig.ip, family);
	random_addr(&c->reply.ip, family);
	c->orig.port = (uint16_t)random_u64();
	c->reply.port = (uint16_t)random_u64();
	random_counter(&c->orig.sent);
	random_counter(&c->reply.sent);
}

static void random_info(struct tctable_info *i)
{
	memset(i, 0, sizeof(*i));
	i->version = WIRE_VERSION;
	i->hz = WIRE_HZ;
	i->host_size = WIRE_HOST_BYTES;
	i->conn_size = WIRE_CONN_BYTES;
	i->stats_size = WIRE_STATS_BYTES;
	i->info_size = WIRE_INFO_BYTES;
	i->workers = (uint32_t)random_u64();
	i->flags = (uint32_t)random_u64();
	i->start_ns = random_u64();
	i->now_ns = random_u64();
	i->host_timeout_ns = random_u64();
	random_text(i->software, sizeof(i->software));
	random_text(i->source, sizeof(i->source));
}

static void random_stats(struct tctable_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->worker = (uint32_t)random_u64();
	random_fill(&s->ledger, sizeof(s->ledger)); /* 64-bit numbers and nothing else */
	s->flows_capacity = random_u64();
	s->flows_live = random_u64();
	s->flows_started = random_u64();
	s->flows_expired = random_u64();
	s->flows_replaced = random_u64();
	s->flows_early_drops = random_u64();
	s->arena_bytes = random_u64();
	s->hosts = random_u64();
	s->hosts_max = random_u64();
	s->hosts_forgotten = random_u64();
	s->directory_bytes = random_u64();
	s->verdicts = (uint32_t)(random_u64() % (TCTABLE_VERDICTS + 1));
	for (uint32_t i = 0; i < s->verdicts; i++) {
		random_text(s->verdict[i].name, sizeof(s->verdict[i].name));
		s->verdict[i].frames = random_u64();
	}
	s->counters = (uint32_t)(random_u64() % (TCTABLE_COUNTERS + 1));
	for (uint32_t i = 0; i < s->counters; i++) {
		random_text(s->counter[i].name, sizeof(s->counter[i].name));
		s->counter[i].value = random_u64();
	}
}

/* --- one way to call every codec -------------------------------------------- */

union record {
	struct tctable_info info;
	struct tctable_host host;
	struct tctable_conn conn;
	struct tctable_stats stats;
	struct tctable_top_row top;
	struct tctable_top what;
	struct tctable_sample sample;
	struct tctable_addr addr;
	uint64_t count;
	struct wire_request request;
	struct wire_reply reply;
};

struct codec {
	const char *name;
	size_t bytes; /* encoded */
	size_t struct_bytes;
	int too_short; /* what decode says of a cut one */
	void (*random)(union record *r);
	void (*encode)(uint8_t *out, const union record *r);
	int (*decode)(struct bytes *b, union record *r);
};

static void info_random(union record *r)
{
	random_info(&r->info);
}

static void info_encode(uint8_t *out, const union record *r)
{
	wire_info_encode(out, &r->info);
}

static int info_decode(struct bytes *b, union record *r)
{
	return wire_info_decode(b, &r->info);
}

static void count_random(union record *r)
{
	r->count = random_u64();
}

static void count_encode(uint8_t *out, const union record *r)
{
	wire_count_encode(out, r->count);
}

static int count_decode(struct bytes *b, union record *r)
{
	return wire_count_decode(b, &r->count);
}

static void host_random(union record *r)
{
	random_host(&r->host);
}

static void host_encode(uint8_t *out, const union record *r)
{
	wire_host_encode(out, &r->host);
}

static int host_decode(struct bytes *b, union record *r)
{
	return wire_host_decode(b, &r->host);
}

static void conn_random(union record *r)
{
	random_conn(&r->conn);
}

static void conn_encode(uint8_t *out, const union record *r)
{
	wire_conn_encode(out, &r->conn);
}

static int conn_decode(struct bytes *b, union record *r)
{
	return wire_conn_decode(b, &r->conn);
}

static void stats_random(union record *r)
{
	random_stats(&r->stats);
}

static void stats_encode(uint8_t *out, const union record *r)
{
	wire_stats_encode(out, &r->stats);
}

static int stats_decode(struct bytes *b, union record *r)
{
	return wire_stats_decode(b, &r->stats);
}

static void top_random(union record *r)
{
	memset(&r->top, 0, sizeof(r->top));
	do
		random_host(&r->top.host);
	while (r->top.host.kind != TCTABLE_HOST);
	for (unsigned i = 0; i < TCTABLE_TOP_WINDOWS - 1; i++) {
		random_counter(&r->top.rate[i].tx);
		random_counter(&r->top.rate[i].rx);
	}
	r->top.matched = random_u64();
	r->top.measured_ms = (uint32_t)random_u64();
}

static void top_encode(uint8_t *out, const union record *r)
{
	wire_top_encode(out, &r->top);
}

static int top_decode(struct bytes *b, union record *r)
{
	return wire_top_decode(b, &r->top);
}

static void sample_random(union record *r)
{
	struct tctable_sample *s = &r->sample;

	memset(s, 0, sizeof(*s));
	s->counters = (uint32_t)(random_u64() % (TCTABLE_SAMPLE_COUNTERS + 1));
	for (uint32_t i = 0; i < s->counters; i++) {
		random_text(s->counter[i].name, sizeof(s->counter[i].name));
		s->counter[i].value = random_u64();
	}
	s->nets = (uint32_t)(random_u64() % (TCTABLE_SAMPLE_NETS + 1));
	for (uint32_t i = 0; i < s->nets; i++) {
		random_addr(&s->net[i].ip, random_family());
		s->net[i].bits = (uint8_t)(random_u64() % 33);
		s->net[i].packets = random_u64();
	}
}

static void sample_encode(uint8_t *out, const union record *r)
{
	wire_sample_encode(out, &r->sample);
}

static int sample_decode(struct bytes *b, union record *r)
{
	return wire_sample_decode(b, &r->sample);
}

/* Nothing behind the prefix. */
static void what_random(union record *r)
{
	struct tctable_top *w = &r->what;

	memset(w, 0, sizeof(*w));
	w->rows = 1 + (uint32_t)(random_u64() % TCTABLE_TOP_ROWS_MAX);
	w->key = (uint8_t)(random_u64() % TCTABLE_TOP_KEYS);
	w->window = (uint8_t)(random_u64() % TCTABLE_TOP_WINDOWS);
	w->ascending = (uint8_t)(random_u64() % 2);
	w->classes = (uint8_t)(random_u64() % 16);
	random_addr(&w->net, random_family());
	w->net_bits = (uint8_t)(random_u64() % (w->net.family == 4 ? 33 : 129));
	for (unsigned i = w->net_bits; i < 128; i++)
		w->net.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static void what_encode(uint8_t *out, const union record *r)
{
	wire_top_what_encode(out, &r->what);
}

static int what_decode(struct bytes *b, union record *r)
{
	return wire_top_what_decode(b, &r->what);
}

static void addr_random(union record *r)
{
	random_addr(&r->addr, random_family());
}

static void addr_encode(uint8_t *out, const union record *r)
{
	wire_addr_encode(out, &r->addr);
}

static int addr_decode(struct bytes *b, union record *r)
{
	return wire_addr_decode(b, &r->addr);
}

static void request_random(union record *r)
{
	r->request = (struct wire_request){
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.number = (uint32_t)random_u64(),
		.body_bytes = (uint32_t)random_u64(),
		.room = random_u64(),
	};
}

static void request_encode(uint8_t *out, const union record *r)
{
	wire_request_encode(out, &r->request);
}

static int request_decode(struct bytes *b, union record *r)
{
	return wire_request_decode(b, &r->request);
}

static void reply_random(union record *r)
{
	const uint32_t record_bytes = (uint32_t)(random_u64() % 2000);
	const uint32_t records = (uint32_t)(random_u64() % 33);

	r->reply = (struct wire_reply){
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.number = (uint32_t)random_u64(),
		.body_bytes = record_bytes * records,
		.record_bytes = record_bytes,
		.records = records,
		.flags = (uint32_t)(random_u64() & WIRE_MORE),
		.needed = random_u64(),
	};
	if (!r->reply.flags)
		r->reply.status = (uint32_t)random_u64();
}

static void reply_encode(uint8_t *out, const union record *r)
{
	wire_reply_encode(out, &r->reply);
}

static int reply_decode(struct bytes *b, union record *r)
{
	return wire_reply_decode(b, &r->reply);
}

#define CODEC(name, bytes, member, too_short)                                                      \
	{                                                                                          \
#name, bytes, sizeof(((union record *)0)->member), too_short, name##_random,       \
			name##_encode, name##_decode                                               \
	}

static const struct codec codecs[] = {
	CODEC(info, WIRE_INFO_BYTES, info, -EBADMSG),
	CODEC(count, WIRE_COUNT_BYTES, count, -EBADMSG),
	CODEC(host, WIRE_HOST_BYTES, host, -EBADMSG),
	CODEC(conn, WIRE_CONN_BYTES, conn, -EBADMSG),
	CODEC(stats, WIRE_STATS_BYTES, stats, -EBADMSG),
	CODEC(addr, WIRE_ADDR_BYTES, addr, -EINVAL),
	CODEC(request, WIRE_REQUEST_BYTES, request, -EAGAIN),
	CODEC(reply, WIRE_REPLY_BYTES, reply, -EAGAIN),
	CODEC(top, WIRE_TOP_BYTES, top, -EBADMSG),
	CODEC(what, WIRE_TOP_WHAT_BYTES, what, -EINVAL),
	CODEC(sample, WIRE_SAMPLE_BYTES, sample, -EBADMSG),
};

#define CODECS (sizeof(codecs) / sizeof(codecs[0]))

/* Decodes n bytes that lie at the end of what may be read. */
static int decode_at_end(const struct codec *c, const uint8_t *bytes, size_t n, union record *out,
			 size_t *used)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct bytes b;
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	b = bytes_of(copy, n);
	ret = c->decode(&b, out);
	*used = n - bytes_left(&b);
	free(copy);
	return ret;
}

/* --- tests ------------------------------------------------------------------ */

static void every_record_comes_back_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODECS; i++) {
		const struct codec *c = &codecs[i];

		for (unsigned n = 0; n < 500; n++) {
			uint8_t bytes[4096], again[4096];
			union record sent, got;
			size_t used;

			memset(&sent, 0, sizeof(sent));
			memset(&got, 0xa5, sizeof(got));
			c->random(&sent);
			c->encode(bytes, &sent);
			assert_int_equal(decode_at_end(c, bytes, c->bytes, &got, &used), 0);
			assert_int_equal(used, c->bytes);
			c->encode(again, &got);
			assert_memory_equal(bytes, again, c->bytes);
			/* Headers are compared field by field, in the next test. */
			if (c->too_short != -EAGAIN)
				assert_memory_equal(&sent, &got, c->struct_bytes);
		}
	}
}

static void headers_come_back_field_by_field(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		uint8_t bytes[WIRE_REPLY_BYTES];
		union record sent, got;
		size_t used;

		request_random(&sent);
		request_encode(bytes, &sent);
		assert_int_equal(decode_at_end(&codecs[6], bytes, WIRE_REQUEST_BYTES, &got, &used),
				 0);
		assert_int_equal(got.request.number, sent.request.number);
		assert_int_equal(got.request.body_bytes, sent.request.body_bytes);
		assert_true(got.request.room == sent.request.room);
		reply_random(&sent);
		reply_encode(bytes, &sent);
		assert_int_equal(decode_at_end(&codecs[7], bytes, WIRE_REPLY_BYTES, &got, &used),
				 0);
		assert_int_equal(got.reply.number, sent.reply.number);
		assert_int_equal(got.reply.status, sent.reply.status);
		assert_int_equal(got.reply.body_bytes, sent.reply.body_bytes);
		assert_int_equal(got.reply.record_bytes, sent.reply.record_bytes);
		assert_int_equal(got.reply.records, sent.reply.records);
		assert_int_equal(got.reply.flags, sent.reply.flags);
		assert_true(got.reply.needed == sent.reply.needed);
	}
}

static void a_cut_record_is_refused_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODECS; i++) {
		const struct codec *c = &codecs[i];
		uint8_t bytes[4096];
		union record sent, got;
		size_t used;

		memset(&sent, 0, sizeof(sent));
		c->random(&sent);
		c->encode(bytes, &sent);
		for (size_t n = 0; n < c->bytes; n++) {
			assert_int_equal(decode_at_end(c, bytes, n, &got, &used), c->too_short);
			assert_int_equal(used, 0);
		}
	}
}

/* Whatever is taken must be something that a program can index by. */
static void check_is_sane(const struct codec *c, const union record *r)
{
	if (c->decode == host_decode) {
		assert_true(r->host.kind <= TCTABLE_HOST_FORGOTTEN);
		assert_true((r->host.kind == TCTABLE_HOST) == (r->host.ip.family != 0));
	} else if (c->decode == conn_decode) {
		assert_true(r->conn.cls < TCTABLE_CLASSES);
		assert_true(r->conn.orig.ip.family == 4 || r->conn.orig.ip.family == 6);
		assert_true(memchr(r->conn.state, 0, sizeof(r->conn.state)) != NULL);
	} else if (c->decode == stats_decode) {
		assert_true(r->stats.verdicts <= TCTABLE_VERDICTS);
		for (uint32_t i = 0; i < TCTABLE_VERDICTS; i++)
			assert_non_null(memchr(r->stats.verdict[i].name, 0, TCTABLE_NAME_BYTES));
		assert_true(r->stats.counters <= TCTABLE_COUNTERS);
		for (uint32_t i = 0; i < TCTABLE_COUNTERS; i++)
			assert_non_null(memchr(r->stats.counter[i].name, 0, TCTABLE_NAME_BYTES));
	} else if (c->decode == info_decode) {
		assert_non_null(memchr(r->info.software, 0, sizeof(r->info.software)));
		assert_non_null(memchr(r->info.source, 0, sizeof(r->info.source)));
	} else if (c->decode == top_decode) {
		assert_true(r->top.host.kind <= TCTABLE_HOST_FORGOTTEN);
	} else if (c->decode == what_decode) {
		assert_int_equal(wire_top_what_check(&r->what), 0);
	} else if (c->decode == sample_decode) {
		assert_true(r->sample.counters <= TCTABLE_SAMPLE_COUNTERS);
		assert_true(r->sample.nets <= TCTABLE_SAMPLE_NETS);
		for (uint32_t i = 0; i < TCTABLE_SAMPLE_COUNTERS; i++)
			assert_non_null(memchr(r->sample.counter[i].name, 0, TCTABLE_NAME_BYTES));
		for (uint32_t i = 0; i < r->sample.nets; i++)
			assert_true(r->sample.net[i].bits <= 128);
	} else if (c->decode == reply_decode) {
		assert_true(r->reply.body_bytes <= WIRE_REPLY_BODY_MAX);
		assert_true((uint64_t)r->reply.records * r->reply.record_bytes ==
			    r->reply.body_bytes);
	}
}

static void random_bytes_are_refused_or_become_a_sane_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODECS; i++) {
		const struct codec *c = &codecs[i];

		for (unsigned n = 0; n < RANDOM_TRIES; n++) {
			uint8_t bytes[4096];
			const size_t len = random_u64() % (c->bytes + 9);
			union record got;
			size_t used;
			int ret;

			random_fill(bytes, len);
			ret = decode_at_end(c, bytes, len, &got, &used);
			assert_int_equal(used, ret == 0 ? c->bytes : 0);
			if (ret == 0)
				check_is_sane(c, &got);
		}
	}
}

/* A good record with a few bytes changed comes further than random bytes. */
static void damaged_records_are_refused_or_become_a_sane_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODECS; i++) {
		const struct codec *c = &codecs[i];

		for (unsigned n = 0; n < RANDOM_TRIES; n++) {
			uint8_t bytes[4096];
			union record sent, got;
			size_t used;
			int ret;

			memset(&sent, 0, sizeof(sent));
			c->random(&sent);
			c->encode(bytes, &sent);
			for (uint64_t d = random_u64() % 4; d-- > 0;)
				bytes[random_u64() % c->bytes] = (uint8_t)random_u64();
			ret = decode_at_end(c, bytes, c->bytes, &got, &used);
			assert_int_equal(used, ret == 0 ? c->bytes : 0);
			if (ret == 0)
				check_is_sane(c, &got);
		}
	}
}

static void a_request_of_another_version_shows_it_in_its_first_bytes(void **state)
{
	uint8_t bytes[WIRE_REQUEST_BYTES];
	struct wire_request r = {.number = WIRE_INFO}, got;
	struct bytes b;

	(void)state;
	wire_request_encode(bytes, &r);
	store_le32(bytes + 4, 3);
	for (size_t n = 0; n < WIRE_PREFIX_BYTES; n++) {
		b = bytes_of(bytes, n);
		assert_int_equal(wire_request_decode(&b, &got), -EAGAIN);
	}
	b = bytes_of(bytes, WIRE_PREFIX_BYTES);
	assert_int_equal(wire_request_decode(&b, &got), -EPROTO);
	assert_int_equal(got.version, 3);
	assert_int_equal(got.number, WIRE_INFO);
	store_le32(bytes, 0x12345678);
	b = bytes_of(bytes, sizeof(bytes));
	assert_int_equal(wire_request_decode(&b, &got), -EPROTO);
	assert_int_equal(got.magic, 0x12345678);
}

static void a_reply_of_another_version_shows_it_in_its_first_bytes(void **state)
{
	uint8_t bytes[WIRE_REPLY_BYTES];
	struct wire_reply r = {.number = WIRE_INFO, .status = WIRE_EPROTO}, got;
	struct bytes b;

	(void)state;
	wire_reply_encode(bytes, &r);
	store_le32(bytes + 4, 7);
	b = bytes_of(bytes, WIRE_PREFIX_BYTES);
	assert_int_equal(wire_reply_decode(&b, &got), -EPROTO);
	assert_int_equal(got.magic, WIRE_MAGIC);
	assert_int_equal(got.version, 7);
	assert_int_equal(got.status, WIRE_EPROTO);
}

static void info_of_another_version_still_tells_its_figures(void **state)
{
	struct tctable_info info;
	uint8_t bytes[WIRE_INFO_BYTES];
	struct tctable_info got;
	struct bytes b;

	(void)state;
	random_info(&info);
	wire_info_encode(bytes, &info);
	store_le32(bytes + 4, 9);
	store_le32(bytes + 12, 1000);
	b = bytes_of(bytes, WIRE_INFO_PREFIX_BYTES);
	assert_int_equal(wire_info_decode(&b, &got), -EPROTO);
	assert_int_equal(got.version, 9);
	assert_int_equal(got.host_size, 1000);
	assert_int_equal(got.conn_size, WIRE_CONN_BYTES);
	assert_string_equal(got.software, "");
	/* The same version with records of another size is as foreign. */
	store_le32(bytes + 4, WIRE_VERSION);
	b = bytes_of(bytes, sizeof(bytes));
	assert_int_equal(wire_info_decode(&b, &got), -EPROTO);
	assert_int_equal(got.version, WIRE_VERSION);
	assert_int_equal(got.host_size, 1000);
}

static void a_reply_whose_figures_contradict_is_refused(void **state)
{
	static const struct wire_reply bad[] = {
		{.body_bytes = 224, .record_bytes = 224, .records = 2},
		{.body_bytes = 0, .record_bytes = 224, .records = 1},
		{.body_bytes = 65537, .record_bytes = 1, .records = 65537},
		{.body_bytes = 0, .record_bytes = 0x80000000u, .records = 2}, /* wraps at 32 bits */
		{.flags = 2},
		{.flags = WIRE_MORE, .status = WIRE_ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t bytes[WIRE_REPLY_BYTES];
		struct wire_reply got;
		struct bytes b = bytes_of(bytes, sizeof(bytes));

		wire_reply_encode(bytes, &bad[i]);
		assert_int_equal(wire_reply_decode(&b, &got), -EBADMSG);
		assert_int_equal(bytes_left(&b), WIRE_REPLY_BYTES);
	}
}

static void texts_end_whatever_was_sent(void **state)
{
	struct tctable_conn conn, got;
	uint8_t bytes[WIRE_CONN_BYTES];
	struct bytes b = bytes_of(bytes, sizeof(bytes));

	(void)state;
	random_conn(&conn);
	wire_conn_encode(bytes, &conn);
	memset(bytes + 40, 'x', sizeof(conn.state));
	assert_int_equal(wire_conn_decode(&b, &got), 0);
	assert_string_equal(got.state, "xxxxxxxxxxxxxxx");
	/* A text that fills its field to the brim is cut by the encoder. */
	memset(conn.state, 'y', sizeof(conn.state));
	wire_conn_encode(bytes, &conn);
	b = bytes_of(bytes, sizeof(bytes));
	assert_int_equal(wire_conn_decode(&b, &got), 0);
	assert_string_equal(got.state, "yyyyyyyyyyyyyyy");
}

static void more_verdicts_than_fit_are_cut_when_sent_and_refused_when_received(void **state)
{
	struct tctable_stats s, got;
	uint8_t bytes[WIRE_STATS_BYTES];
	struct bytes b = bytes_of(bytes, sizeof(bytes));

	(void)state;
	random_stats(&s);
	memset(&s.verdict, 0, sizeof(s.verdict));
	s.verdicts = TCTABLE_VERDICTS + 5;
	wire_stats_encode(bytes, &s);
	assert_int_equal(wire_stats_decode(&b, &got), 0);
	assert_int_equal(got.verdicts, TCTABLE_VERDICTS);
	store_le32(bytes + 4, TCTABLE_VERDICTS + 1);
	b = bytes_of(bytes, sizeof(bytes));
	assert_int_equal(wire_stats_decode(&b, &got), -EBADMSG);
}

static void an_address_of_no_family_is_refused(void **state)
{
	uint8_t bytes[WIRE_ADDR_BYTES] = {192, 0, 2, 1};

	(void)state;
	for (unsigned family = 0; family < 256; family++) {
		struct bytes b = bytes_of(bytes, sizeof(bytes));
		struct tctable_addr got;

		bytes[16] = (uint8_t)family;
		assert_int_equal(wire_addr_decode(&b, &got),
				 family == 4 || family == 6 ? 0 : -EINVAL);
	}
}

static void bytes_behind_an_ipv4_address_do_not_make_it_another(void **state)
{
	uint8_t bytes[WIRE_ADDR_BYTES];
	const struct tctable_addr plain = {.bytes = {192, 0, 2, 1}, .family = 4};
	struct tctable_addr got;
	struct bytes b = bytes_of(bytes, sizeof(bytes));

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, plain.bytes, 4);
	bytes[16] = 4;
	assert_int_equal(wire_addr_decode(&b, &got), 0);
	assert_memory_equal(&got, &plain, sizeof(got));
}

/* The tables of docs/protocol.md, where a client in another language looks. */
static void fields_stand_where_the_document_says(void **state)
{
	struct tctable_host h;
	struct tctable_conn c;
	struct tctable_stats s;
	uint8_t bytes[4096];

	(void)state;
	random_host(&h);
	random_conn(&c);
	random_stats(&s);
	wire_host_encode(bytes, &h);
	assert_int_equal(bytes[17], h.kind);
	assert_true(load_le64(bytes + 32) == h.last_ns);
	assert_true(load_le64(bytes + 56) == h.forget_ns);
	assert_true(load_le64(bytes + 64 + 40 * TCTABLE_UDP) == h.cls[TCTABLE_UDP].conns);
	assert_true(load_le64(bytes + 64 + 40 * TCTABLE_OTHER + 32) ==
		    h.cls[TCTABLE_OTHER].rx.bytes);
	wire_conn_encode(bytes, &c);
	assert_int_equal(bytes[16], c.orig.ip.family);
	assert_int_equal(bytes[21], c.icmp_type[1]);
	assert_int_equal(load_le16(bytes + 28), c.reply.port);
	assert_memory_equal(bytes + 72, c.reply.ip.bytes, 16);
	assert_true(load_le64(bytes + 112) == c.reply.sent.bytes);
	wire_stats_encode(bytes, &s);
	assert_true(load_le64(bytes + 8 + 8 * 15) == s.ledger.ring_freezes);
	assert_true(load_le64(bytes + 184) == s.arena_bytes);
	assert_true(load_le64(bytes + 216) == s.directory_bytes);
	s.verdicts = s.counters = 1;
	wire_stats_encode(bytes, &s);
	assert_true(load_le64(bytes + 224 + 24) == s.verdict[0].frames);
	assert_int_equal(bytes[1248], 1);
	assert_true(load_le64(bytes + 1256 + 24) == s.counter[0].value);
}

static void sizes_are_known_for_requests_and_for_nothing_else(void **state)
{
	(void)state;
	for (uint32_t number = 0; number < 1000; number++) {
		const bool is_request = number >= WIRE_INFO && number <= WIRE_SAMPLE;
		const uint32_t body = number == WIRE_HOST || number == WIRE_CONNS ? WIRE_ADDR_BYTES
				      : number == WIRE_TOP ? WIRE_TOP_WHAT_BYTES
							   : 0;

		assert_int_equal(wire_record_bytes(number) != 0, is_request);
		assert_int_equal(wire_body_bytes(number), body);
	}
	assert_int_equal(wire_status_errno(WIRE_OK), 0);
	assert_int_equal(wire_status_errno(WIRE_ENOENT), -ENOENT);
	assert_int_equal(wire_status_errno(WIRE_ENOMEM), -ENOMEM);
	assert_int_equal(wire_status_errno(4711), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_comes_back_as_it_was),
		cmocka_unit_test(headers_come_back_field_by_field),
		cmocka_unit_test(a_cut_record_is_refused_at_every_byte),
		cmocka_unit_test(random_bytes_are_refused_or_become_a_sane_record),
		cmocka_unit_test(damaged_records_are_refused_or_become_a_sane_record),
		cmocka_unit_test(a_request_of_another_version_shows_it_in_its_first_bytes),
		cmocka_unit_test(a_reply_of_another_version_shows_it_in_its_first_bytes),
		cmocka_unit_test(info_of_another_version_still_tells_its_figures),
		cmocka_unit_test(a_reply_whose_figures_contradict_is_refused),
		cmocka_unit_test(texts_end_whatever_was_sent),
		cmocka_unit_test(
			more_verdicts_than_fit_are_cut_when_sent_and_refused_when_received),
		cmocka_unit_test(an_address_of_no_family_is_refused),
		cmocka_unit_test(bytes_behind_an_ipv4_address_do_not_make_it_another),
		cmocka_unit_test(fields_stand_where_the_document_says),
		cmocka_unit_test(sizes_are_known_for_requests_and_for_nothing_else),
	};

	printf("seed %#x\n", SEED);
	return cmocka_run_group_tests(tests, seed, NULL);
}
