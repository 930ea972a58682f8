/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_segments.c - a frame of several segments counts as they would, had they
 * come one by one: on hosts, flow and ledger.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "books.h"

#define NOW BOOKS_START_NS

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What is sent from one address to another, in segments or merged. */
struct load {
	uint8_t family, src, dst; /* books_addrs(); IPv6: both inner */
	uint8_t proto;
	uint16_t sport, dport;
	uint16_t size;	  /* payload of a segment */
	uint32_t payload; /* of all */
	uint8_t way;
};

static unsigned headers_of(const struct load *l)
{
	return (l->family == ADDR_V4 ? 20 : 40) + (l->proto == PROTO_TCP ? 20 : 8);
}

/* The headers of a packet with this much payload, of which nothing is captured.
 * A length that 16 bits do not hold is told as 0. */
static void count_packet(struct table *t, const struct load *l, uint32_t payload, bool is_merged)
{
	const unsigned rest = l->proto == PROTO_TCP ? 20 : 8;
	const uint32_t ip_bytes = headers_of(l) + payload;
	const bool is_long = ip_bytes > 65535;
	struct craft c = {0};
	struct frame f = {.data = c.b, .link = LINK_RAW, .ts_ns = NOW, .way = l->way};

	craft_ip(&c, l->family, l->src, l->dst, l->proto, rest + payload);
	if (l->family == ADDR_V4)
		books_addrs(&c, l->src, l->dst);
	if (is_long)
		craft_set(&c, l->family == ADDR_V4 ? 2 : 4, 2, 0);
	if (l->proto == PROTO_TCP)
		craft_tcp(&c, l->sport, l->dport, PKT_TCP_ACK);
	else
		craft_udp(&c, l->sport, l->dport);
	f.caplen = (uint32_t)c.n;
	f.wirelen = ip_bytes;
	if (is_merged) {
		f.gso_size = l->size;
		f.gso_proto = l->proto;
	}
	account_batch(table_account(t, 0), &f, 1);
}

static void count_merged(struct table *t, const struct load *l)
{
	count_packet(t, l, l->payload, true);
}

static void count_one_by_one(struct table *t, const struct load *l)
{
	for (uint32_t left = l->payload; left;) {
		const uint32_t n = left < l->size ? left : l->size;

		count_packet(t, l, n, false);
		left -= n;
	}
}

/* --- beside the same, one by one ---------------------------------------------- */

static struct table *table_of(bool by_way, uint32_t hosts_max)
{
	struct table_conf c = {
		.workers = 1, .flows_max = 1000, .hosts_max = hosts_max, .by_way = by_way};
	struct err e = {""};
	struct table *t;

	flow_timeouts_init(&c.timeouts);
	if (table_new(&t, &c, &e) < 0)
		fail_msg("%s", e.text);
	account_clock(table_account(t, 0), NOW);
	return t;
}

static void expect_same_conns(const struct table *a, const struct table *b, uint32_t host,
			      unsigned seed)
{
	for (uint32_t s = 0; s < table_conns_end(a, 0); s++) {
		struct view_conn x, y;
		const int found = table_conn_view(a, 0, s, host, &x);

		expect(found == table_conn_view(b, 0, s, host, &y), seed, s);
		if (found < 0)
			continue;
		for (unsigned i = 0; i < 2; i++) {
			expect(x.end[i].port == y.end[i].port, seed, s);
			expect(x.end[i].sent.packets == y.end[i].sent.packets, seed, s);
			expect(x.end[i].sent.bytes == y.end[i].sent.bytes, seed, s);
		}
	}
}

static void expect_same_counters(const struct view_host *a, const struct view_host *b,
				 unsigned seed, unsigned host)
{
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		expect(a->cls[c].tx.packets == b->cls[c].tx.packets, seed, host);
		expect(a->cls[c].tx.bytes == b->cls[c].tx.bytes, seed, host);
		expect(a->cls[c].rx.packets == b->cls[c].rx.packets, seed, host);
		expect(a->cls[c].rx.bytes == b->cls[c].rx.bytes, seed, host);
	}
}

static void expect_same(const struct table *a, const struct table *b, unsigned seed)
{
	struct view_totals v, w;
	struct view_host x, y;

	assert_int_equal(table_hosts_end(a), table_hosts_end(b));
	for (uint32_t i = 0; i < table_hosts_end(a); i++) {
		assert_int_equal(table_host_view(a, i, &x), 0);
		assert_int_equal(table_host_view(b, i, &y), 0);
		assert_true(addr_equal(&x.ip, &y.ip));
		expect_same_counters(&x, &y, seed, i);
		expect_same_conns(a, b, i, seed);
	}
	table_overflow_view(a, &x);
	table_overflow_view(b, &y);
	expect_same_counters(&x, &y, seed, UINT32_MAX);
	table_totals_view(a, &v);
	table_totals_view(b, &w);
	assert_memory_equal(&v.ledger, &w.ledger, sizeof(v.ledger));
}

static struct load random_load(struct random *r)
{
	struct load l = {
		.family = random_below(r, 4) ? ADDR_V4 : ADDR_V6,
		.src = (uint8_t)(1 + random_below(r, 4)),
		.dst = (uint8_t)(1 + random_below(r, 4)),
		.proto = random_below(r, 2) ? PROTO_TCP : PROTO_UDP,
		.sport = (uint16_t)random_below(r, 3),
		.dport = (uint16_t)random_below(r, 3),
		.size = (uint16_t)(1 + random_below(r, 1448)),
		.way = (uint8_t)(FRAME_WAY_IN + random_below(r, 3)),
	};

	if (l.family == ADDR_V4) {
		l.src = (uint8_t)(l.src + (random_below(r, 2) ? 100 : 0));
		l.dst = (uint8_t)(l.dst + (random_below(r, 2) ? 100 : 0));
	}
	l.payload = 1 + random_below(r, l.size * 45u);
	if (random_below(r, 8) == 0) { /* as large as the kernel's are by now */
		l.size = 1448;
		l.payload = 66000 + random_below(r, 100000);
	}
	return l;
}

static void merged_frames_count_as_their_segments(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 12; seed++) {
		const uint32_t hosts_max = seed % 3 ? 100 : 4;
		struct table *merged = table_of(seed % 2, hosts_max);
		struct table *single = table_of(seed % 2, hosts_max);
		struct random r = {seed};
		struct view_totals v;

		for (unsigned i = 0; i < 300; i++) {
			const struct load l = random_load(&r);

			count_merged(merged, &l);
			count_one_by_one(single, &l);
		}
		expect_same(merged, single, seed);
		books_check(merged);
		table_totals_view(merged, &v);
		assert_true(v.ledger.received > 3000 && v.ledger.transit > 300);
		assert_true(seed % 2 ? !v.ledger.internal.packets
				     : v.ledger.internal.packets > 300);
		assert_int_equal(v.ledger.untracked_host_limit > 0, hosts_max == 4);
		table_free(merged);
		table_free(single);
	}
}

/* --- single things ------------------------------------------------------------ */

static void merged_frame_is_on_host_flow_and_ledger(void **state)
{
	const struct load l = {.family = ADDR_V4,
			       .src = 1,
			       .dst = 101,
			       .proto = PROTO_TCP,
			       .sport = 1000,
			       .dport = 443,
			       .size = 1000,
			       .payload = 3500};
	struct table *t = books_new(10, 10, 0);
	struct view_totals v;
	struct view_host h;
	struct view_conn c;

	(void)state;
	count_merged(t, &l);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_TCP].tx.packets, 4);
	assert_int_equal(h.cls[PKT_TCP].tx.bytes, 3500 + 4 * 40);
	assert_int_equal(h.cls[PKT_TCP].conns, 1);
	assert_int_equal(table_conn_view(t, 0, 0, h.index, &c), 0);
	assert_int_equal(c.end[0].sent.packets, 4);
	assert_int_equal(c.end[0].sent.bytes, 3500 + 4 * 40);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.received, 4);
	assert_int_equal(v.ledger.counted.packets, 4);
	assert_int_equal(v.ledger.counted.bytes, 3500 + 4 * 40);
	assert_int_equal(v.ledger.tracked, 4);
	assert_int_equal(v.flows.started, 1);
	books_check(t);
	table_free(t);
}

static void merged_frame_that_has_no_flow_is_untracked_in_all_its_segments(void **state)
{
	const struct load l = {.family = ADDR_V4,
			       .src = 2,
			       .dst = 101,
			       .proto = PROTO_TCP,
			       .sport = 1000,
			       .dport = 443,
			       .size = 1000,
			       .payload = 3500};
	struct table *t = books_new(10, 1, 0);
	struct view_totals v;
	struct view_host h;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, NOW);
	books_udp(t, 101, 1, 53, 1000, NOW); /* answered: it makes no room */
	count_merged(t, &l);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.received, 6);
	assert_int_equal(v.ledger.tracked, 2);
	assert_int_equal(v.ledger.untracked_table_full, 4);
	assert_true(books_find(t, 2, &h));
	assert_int_equal(h.cls[PKT_TCP].tx.packets, 4);
	assert_int_equal(h.cls[PKT_TCP].tx.bytes, 3500 + 4 * 40);
	assert_int_equal(h.cls[PKT_TCP].conns, 0);
	books_check(t);
	table_free(t);
}

/* What cannot be told apart counts as it came: one packet, its own length. */
static void frame_whose_segments_cannot_be_told_is_one_packet(void **state)
{
	static const struct {
		const char *name;
		uint8_t proto, gso_proto;
		uint16_t gso_size;
		uint32_t caplen;
	} cases[] = {
		{"not merged", PROTO_TCP, 0, 0, 40},
		{"merged of nothing", PROTO_TCP, PROTO_TCP, 0, 40},
		{"of another protocol", PROTO_TCP, PROTO_UDP, 1000, 40},
		{"a protocol that is not merged", 50, 50, 1000, 40},
		{"its TCP header is cut", PROTO_TCP, PROTO_TCP, 1000, 39},
		{"one segment", PROTO_TCP, PROTO_TCP, 3500, 40},
		{"less than one", PROTO_UDP, PROTO_UDP, 60000, 40},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct table *t = books_new(10, 10, 0);
		struct craft c = {0};
		struct frame f = {.data = c.b,
				  .link = LINK_RAW,
				  .ts_ns = NOW,
				  .caplen = cases[i].caplen,
				  .wirelen = 3540,
				  .gso_proto = cases[i].gso_proto,
				  .gso_size = cases[i].gso_size};
		struct view_totals v;

		craft_ipv4(&c, 1, 101, cases[i].proto, 0, 3520);
		books_addrs(&c, 1, 101);
		craft_tcp(&c, 1000, 443, PKT_TCP_ACK);
		account_batch(table_account(t, 0), &f, 1);
		table_totals_view(t, &v);
		if (v.ledger.counted.packets != 1 || v.ledger.counted.bytes != 3540)
			fail_msg("%s: %llu packets", cases[i].name,
				 (unsigned long long)v.ledger.counted.packets);
		assert_int_equal(v.ledger.received, 1);
		books_check(t);
		table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merged_frames_count_as_their_segments),
		cmocka_unit_test(merged_frame_is_on_host_flow_and_ledger),
		cmocka_unit_test(merged_frame_that_has_no_flow_is_untracked_in_all_its_segments),
		cmocka_unit_test(frame_whose_segments_cannot_be_told_is_one_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
