/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_account.c - frames counted on hosts, beside a naive count; the ledger;
 * ids; the overflow record.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "books.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define HOSTS 6 /* inner: 10.0.0.1 ... and as many outer ones */

/* --- a naive count ---------------------------------------------------------------- */

struct naive {
	struct shard_class cls[HOSTS + 1][PKT_CLASSES];
	uint64_t counted, internal, transit, not_ip, malformed;
};

/* One random frame. What it says is noted as it is made. */
static void put_random(struct craft *c, struct random *r, struct naive *n, struct frame *f)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP, 50};
	const unsigned class = random_below(r, 4);
	uint8_t end[2];
	bool inner[2];
	size_t ip_bytes;

	memset(c, 0, sizeof(*c));
	craft_ethernet(c, 0x0800);
	for (unsigned i = 0; i < 2; i++) {
		end[i] = (uint8_t)(1 + random_below(r, HOSTS));
		inner[i] = random_below(r, 3) != 0;
	}
	craft_ipv4(c, end[0], end[1], protos[class], 0, 20);
	for (unsigned i = 0; i < 2; i++)
		if (!inner[i])
			craft_set(c, 14 + 12 + 4 * i, 4, 0x08080800u + end[i]);
	if (class == PKT_ICMP) {
		static const uint8_t types[] = {8, 0, 3, 11, 9};

		craft_icmp(c, types[random_below(r, COUNT(types))], 0,
			   (uint16_t)random_below(r, 3));
		craft_fill(c, 12, 0);
	} else {
		craft_tcp(c, (uint16_t)random_below(r, 3), (uint16_t)random_below(r, 3),
			  (uint8_t)random_below(r, 32));
	}
	if (random_below(r, 10) == 0)
		craft_set(c, 14 + 6, 2, 0x00b9); /* a later fragment */
	craft_fill(c, random_below(r, 20), 0);	 /* padding */
	f->caplen = f->wirelen = (uint32_t)c->n;
	ip_bytes = 40;

	switch (random_below(r, 20)) {
	case 0:
		craft_set(c, 12, 2, 0x0806);
		n->not_ip++;
		return;
	case 1:
		craft_set(c, 14 + 2, 2, 2000);
		n->malformed++;
		return;
	case 2: /* cut: counted all the same */
		f->caplen = 14 + 20 + random_below(r, 20);
		break;
	case 3: /* a large one, that offload has built */
		craft_set(c, 14 + 2, 2, 0);
		f->wirelen = 14 + 100000;
		ip_bytes = 100000;
		break;
	default:
		break;
	}
	n->transit += !inner[0] && !inner[1];
	n->counted += inner[0] || inner[1];
	n->internal += inner[0] && inner[1];
	if (inner[0]) {
		n->cls[end[0]][class].sum[SHARD_TX].packets++;
		n->cls[end[0]][class].sum[SHARD_TX].bytes += ip_bytes;
	}
	if (inner[1]) {
		n->cls[end[1]][class].sum[SHARD_RX].packets++;
		n->cls[end[1]][class].sum[SHARD_RX].bytes += ip_bytes;
	}
}

static void check_host(const struct table *t, const struct naive *n, uint8_t x)
{
	static const struct shard_class none[PKT_CLASSES];
	struct view_host h;

	if (!books_find(t, x, &h)) {
		assert_memory_equal(n->cls[x], none, sizeof(none));
		return;
	}
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		assert_int_equal(h.cls[c].tx.packets, n->cls[x][c].sum[SHARD_TX].packets);
		assert_int_equal(h.cls[c].tx.bytes, n->cls[x][c].sum[SHARD_TX].bytes);
		assert_int_equal(h.cls[c].rx.packets, n->cls[x][c].sum[SHARD_RX].packets);
		assert_int_equal(h.cls[c].rx.bytes, n->cls[x][c].sum[SHARD_RX].bytes);
	}
}

/* The live connections that can be listed are those that hosts claim. */
static void check_conns(const struct table *t)
{
	for (uint32_t i = 0; i < table_hosts_end(t); i++) {
		uint64_t conns[PKT_CLASSES] = {0}, half_open = 0, all = 0;
		struct view_host h;
		struct view_conn c;

		if (table_host_view(t, i, &h) < 0)
			continue;
		for (uint32_t s = 0; s < table_conns_end(t, 0); s++)
			if (table_conn_view(t, 0, s, i, &c) == 0) {
				conns[c.class]++;
				half_open += flow_state_is_half_open(c.state);
				assert_true(c.id < h.next_conn_id);
				all++;
			}
		for (unsigned k = 0; k < PKT_CLASSES; k++)
			assert_int_equal(h.cls[k].conns, conns[k]);
		assert_int_equal(h.half_open, half_open);
		assert_int_equal(h.use, 1 + all);
	}
}

static void random_frames_count_as_in_a_naive_count(void **state)
{
	static const uint32_t flows[] = {1000, 8};

	(void)state;
	for (unsigned seed = 0; seed < 6; seed++) {
		struct random r = {seed};
		struct naive n = {0};
		struct table *t = books_new(100, flows[seed % 2], 0);
		struct account *a = table_account(t, 0);
		struct craft crafts[ACCOUNT_BATCH];
		struct frame frames[ACCOUNT_BATCH];
		uint64_t now_ns = BOOKS_START_NS, received = 0;
		struct view_totals v;

		for (unsigned batch = 0; batch < 500; batch++) {
			const unsigned size = random_below(&r, ACCOUNT_BATCH + 1);

			for (unsigned i = 0; i < size; i++) {
				frames[i] = (struct frame){.data = crafts[i].b,
							   .link = LINK_ETHERNET,
							   .ts_ns = now_ns + i};
				put_random(&crafts[i], &r, &n, &frames[i]);
			}
			account_clock(a, now_ns);
			account_batch(a, frames, size);
			flow_table_sweep(a->flows, random_below(&r, 20));
			received += size;
			now_ns += random_below(&r, 2000) * NS_PER_MSEC;
			if (batch % 25 == 0) {
				books_check(t);
				check_conns(t);
			}
		}
		for (uint8_t x = 1; x <= HOSTS; x++)
			check_host(t, &n, x);
		table_totals_view(t, &v);
		assert_int_equal(v.ledger.received, received);
		assert_int_equal(v.ledger.counted.packets, n.counted);
		assert_int_equal(v.ledger.internal.packets, n.internal);
		assert_int_equal(v.ledger.transit, n.transit);
		assert_int_equal(v.ledger.not_ip, n.not_ip);
		assert_int_equal(v.ledger.malformed, n.malformed);
		assert_true(v.ledger.tracked > 0 && v.ledger.untracked_fragment > 0 &&
			    v.ledger.untracked_icmp_error > 0 && v.ledger.untracked_icmp_other > 0);
		assert_int_equal(v.ledger.untracked_table_full > 0, flows[seed % 2] == 8);
		/* All connections end, and then hosts have none. */
		books_sweep(t, now_ns + 10000 * NS_PER_SEC);
		check_conns(t);
		books_check(t);
		table_totals_view(t, &v);
		assert_int_equal(v.flows.live, 0);
		table_free(t);
	}
}

/* --- single things ------------------------------------------------------------------ */

static void packet_between_inner_hosts_is_on_both(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_host a, b;
	struct view_totals v;

	(void)state;
	books_udp(t, 1, 2, 1000, 53, BOOKS_START_NS);
	assert_true(books_find(t, 1, &a) && books_find(t, 2, &b));
	assert_int_equal(a.cls[PKT_UDP].tx.packets, 1);
	assert_int_equal(a.cls[PKT_UDP].tx.bytes, 28);
	assert_int_equal(a.cls[PKT_UDP].rx.packets, 0);
	assert_int_equal(b.cls[PKT_UDP].rx.bytes, 28);
	assert_int_equal(b.cls[PKT_UDP].tx.packets, 0);
	assert_int_equal(a.cls[PKT_UDP].conns, 1);
	assert_int_equal(b.cls[PKT_UDP].conns, 1);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.internal.packets, 1);
	assert_int_equal(v.ledger.internal.bytes, 28);
	books_check(t);
	table_free(t);
}

static void packet_to_oneself_is_sent_and_received_once(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_totals v;
	struct view_host h;

	(void)state;
	books_udp(t, 1, 1, 1000, 53, BOOKS_START_NS);
	books_udp(t, 1, 1, 53, 1000, BOOKS_START_NS);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 2);
	assert_int_equal(h.cls[PKT_UDP].rx.packets, 2);
	assert_int_equal(h.cls[PKT_UDP].conns, 1); /* one, not one an end */
	assert_int_equal(h.next_conn_id, 1);
	assert_int_equal(h.use, 2);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.internal.packets, 2);
	books_check(t);
	books_sweep(t, BOOKS_START_NS + 1000 * NS_PER_SEC);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_UDP].conns, 0);
	assert_int_equal(h.use, 1);
	table_free(t);
}

static void transit_makes_neither_host_nor_flow(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct view_totals v;

	(void)state;
	books_udp(t, 101, 102, 1000, 53, BOOKS_START_NS);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.transit, 1);
	assert_int_equal(v.hosts, 0);
	assert_int_equal(v.flows.started, 0);
	books_check(t);
	table_free(t);
}

static void hosts_past_the_limit_are_counted_on_the_overflow_record(void **state)
{
	struct table *t = books_new(2, 10, 0);
	struct view_host h;
	struct view_totals v;

	(void)state;
	for (uint8_t x = 1; x <= 5; x++)
		books_udp(t, x, 101, 1000, 53, BOOKS_START_NS);
	books_udp(t, 1, 5, 1000, 53, BOOKS_START_NS); /* to one that has no record */
	books_udp(t, 4, 5, 1000, 53, BOOKS_START_NS); /* and between two */
	table_totals_view(t, &v);
	assert_int_equal(v.hosts, 2);
	assert_int_equal(v.ledger.counted.packets, 7);
	assert_int_equal(v.ledger.untracked_host_limit, 5);
	assert_int_equal(v.ledger.tracked, 2);
	table_overflow_view(t, &h);
	assert_int_equal(h.family, 0);
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 4);
	assert_int_equal(h.cls[PKT_UDP].rx.packets, 2);
	assert_int_equal(h.cls[PKT_UDP].conns, 0);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 2);
	assert_false(books_find(t, 3, &h));
	books_check(t);
	table_free(t);
}

static void full_flow_table_loses_no_packet_of_a_host(void **state)
{
	struct table *t = books_new(10, 1, 0);
	struct view_totals v;
	struct view_host h;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	books_udp(t, 101, 1, 53, 1000, BOOKS_START_NS); /* answered: it stays */
	books_udp(t, 2, 101, 1000, 53, BOOKS_START_NS);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.untracked_table_full, 1);
	assert_int_equal(v.flows.early_drops, 0);
	assert_true(books_find(t, 2, &h));
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 1);
	assert_int_equal(h.cls[PKT_UDP].conns, 0);
	assert_int_equal(h.next_conn_id, 0); /* no connection, no id */
	books_check(t);
	table_free(t);
}

static void ids_count_from_0_in_each_host(void **state)
{
	struct table *t = books_new(10, 100, 0);
	struct view_host h;
	struct view_conn c;
	uint64_t seen = 0;

	(void)state;
	books_udp(t, 2, 101, 1, 53, BOOKS_START_NS);
	for (uint16_t i = 0; i < 10; i++)
		books_udp(t, i % 2 ? 1 : 101, i % 2 ? 101 : 1, 1000 + i, 53, BOOKS_START_NS);
	books_udp(t, 1, 2, 7, 53, BOOKS_START_NS); /* 10 of the one, 1 of the other */
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.next_conn_id, 11);
	for (uint32_t s = 0; s < table_conns_end(t, 0); s++) {
		if (table_conn_view(t, 0, s, h.index, &c) < 0)
			continue;
		assert_false(seen & 1u << c.id);
		seen |= 1u << c.id;
		assert_int_equal(c.end[0].port, c.id == 10 ? 7 : 1000 + c.id);
	}
	assert_int_equal(seen, 0x7ff);
	assert_true(books_find(t, 2, &h));
	assert_int_equal(h.next_conn_id, 2);
	table_free(t);
}

static void icmp_error_is_on_the_flow_that_it_quotes_and_on_its_hosts(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct craft c = {0};
	struct view_totals v;
	struct view_host h;
	struct view_conn conn;

	(void)state;
	books_udp(t, 1, 101, 1000, 53, BOOKS_START_NS);
	craft_ipv4(&c, 102, 1, PROTO_ICMP, 0, 8 + 28); /* from a router out there */
	books_addrs(&c, 102, 0);
	craft_icmp(&c, 11, 0, 0);
	craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 8);
	craft_set(&c, 28 + 16, 4, 0x08080801);
	craft_udp(&c, 1000, 53);
	books_count(t, &c, BOOKS_START_NS);
	craft_set(&c, 28 + 20, 2, 1001); /* and about a flow that nobody knows */
	books_count(t, &c, BOOKS_START_NS);

	table_totals_view(t, &v);
	assert_int_equal(v.ledger.tracked, 2);
	assert_int_equal(v.ledger.untracked_icmp_error, 1);
	assert_int_equal(v.flows.started, 1);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_ICMP].rx.packets, 2);
	assert_int_equal(h.cls[PKT_ICMP].conns, 0);
	assert_int_equal(table_conn_view(t, 0, 0, h.index, &conn), 0);
	assert_int_equal(conn.icmp_errors, 1);
	assert_int_equal(conn.end[0].sent.packets, 1);
	assert_int_equal(conn.end[1].sent.packets, 1);
	assert_int_equal(conn.end[1].sent.bytes, 56);
	assert_int_equal(conn.state, FLOW_UDP_UNANSWERED); /* it is no answer */
	books_check(t);
	table_free(t);
}

static void link_type_that_is_not_decoded_is_remembered(void **state)
{
	struct table *t = books_new(10, 10, 0);
	struct account *a = table_account(t, 0);
	const uint8_t b[64] = {0};
	const struct frame f = {.data = b, .caplen = 64, .wirelen = 64, .link = 105};
	struct view_totals v;

	(void)state;
	assert_int_equal(a->decoder.unknown_link, 0);
	account_batch(a, &f, 1);
	assert_int_equal(a->decoder.unknown_link, 106);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.not_ip, 1);
	assert_int_equal(v.ledger.verdict[PKT_NOT_IP_LINK], 1);
	books_check(t);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_frames_count_as_in_a_naive_count),
		cmocka_unit_test(packet_between_inner_hosts_is_on_both),
		cmocka_unit_test(packet_to_oneself_is_sent_and_received_once),
		cmocka_unit_test(transit_makes_neither_host_nor_flow),
		cmocka_unit_test(hosts_past_the_limit_are_counted_on_the_overflow_record),
		cmocka_unit_test(full_flow_table_loses_no_packet_of_a_host),
		cmocka_unit_test(ids_count_from_0_in_each_host),
		cmocka_unit_test(icmp_error_is_on_the_flow_that_it_quotes_and_on_its_hosts),
		cmocka_unit_test(link_type_that_is_not_decoded_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
