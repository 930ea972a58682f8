/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_account_fragments.c - fragments counted on the flow of their datagram,
 * whatever the order in which they come.
 *
 * After each step the ledger's identity holds, and what all connections and
 * the ledger say is compared with what was sent.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "books.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define AT(ms)	(BOOKS_START_NS + (ms)*NS_PER_MSEC)
#define WHOLE	0xffff /* in place of an offset: not a fragment */
#define PAYLOAD 64     /* bytes behind the IP header, or the fragment header */

/* One packet of a datagram; hosts as in books.h. */
struct piece {
	uint8_t family, proto;
	uint8_t src, dst;
	uint32_t id;
	uint16_t offset; /* in units of 8 bytes */
	bool more;
	uint16_t sport, dport; /* TCP and UDP; only the first carries them */
	uint8_t tcp_flags;
	uint8_t payload; /* 0: PAYLOAD */
};

static struct table *open_table(unsigned workers, uint64_t udp_ns)
{
	struct table_conf c = {
		.workers = workers, .flows_max = 8000, .hosts_max = 100, .fragments_max = 8192};
	struct err e = {""};
	struct table *t;

	flow_timeouts_init(&c.timeouts);
	if (udp_ns)
		c.timeouts.ns[FLOW_UDP_UNANSWERED] = udp_ns;
	assert_int_equal(table_new(&t, &c, &e), 0);
	for (unsigned w = 0; w < workers; w++)
		account_clock(table_account(t, w), BOOKS_START_NS);
	return t;
}

static void craft_piece(struct craft *c, const struct piece *p)
{
	const unsigned payload = p->payload ? p->payload : PAYLOAD;
	const bool is_whole = p->offset == WHOLE;

	memset(c, 0, sizeof(*c));
	if (p->family == ADDR_V4) {
		craft_ipv4(c, p->src, p->dst, p->proto, 0, payload);
		books_addrs(c, p->src, p->dst);
		craft_set(c, 4, 2, p->id);
		craft_set(c, 6, 2, is_whole ? 0x4000 : p->offset | (p->more ? 0x2000u : 0));
	} else if (is_whole) {
		craft_ipv6(c, p->src, p->dst, p->proto, payload);
	} else {
		craft_ipv6(c, p->src, p->dst, PROTO_FRAGMENT, 8 + payload);
		craft_be(c, 2, (uint32_t)p->proto << 8);
		craft_be(c, 2, (uint32_t)p->offset << 3 | p->more);
		craft_be(c, 4, p->id);
	}
	if ((is_whole || p->offset == 0) && payload >= 8) {
		craft_be(c, 2, p->sport);
		craft_be(c, 2, p->dport);
		craft_fill(c, 9, 0);
		craft_be(c, 1, p->tcp_flags);
		c->n -= payload < 14 ? 14 - payload : 0;
	}
	craft_fill(c, (p->family == ADDR_V4 ? 20 : is_whole ? 40 : 48) + payload - c->n, 0x11);
}

static uint32_t ip_bytes(const struct piece *p)
{
	const uint32_t payload = p->payload ? p->payload : PAYLOAD;

	return payload + (p->family == ADDR_V4 ? 20 : p->offset == WHOLE ? 40 : 48);
}

static void count(struct table *t, const struct piece *p, uint64_t ts_ns)
{
	struct craft c;

	craft_piece(&c, p);
	assert_int_equal(c.n, ip_bytes(p));
	books_count(t, &c, ts_ns);
	books_check(t);
}

static void check_tracked(const struct table *t, uint64_t tracked, uint64_t fragment)
{
	struct view_totals v;

	table_totals_view(t, &v);
	assert_int_equal(v.ledger.tracked, tracked);
	assert_int_equal(v.ledger.untracked_fragment, fragment);
	assert_int_equal(v.ledger.counted.packets, tracked + fragment);
}

/* The connection of a host by the ports of its originator; where there are
 * several, the latest. */
static bool find_conn(const struct table *t, uint8_t family, uint8_t host, uint8_t proto,
		      uint16_t sport, struct view_conn *out)
{
	const struct addr a = craft_addr(family, host);
	bool found = false;
	uint32_t h;

	if (table_host_find(t, &a, family, &h) < 0)
		return false;
	for (unsigned w = 0; w < table_workers(t); w++)
		for (uint32_t i = 0; i < table_conns_end(t, w); i++) {
			struct view_conn c;

			if (table_conn_view(t, w, i, h, &c) < 0 || c.proto != proto ||
			    c.end[0].port != sport)
				continue;
			if (!found || c.id > out->id)
				*out = c;
			found = true;
		}
	return found;
}

static void check_sent(const struct view_conn *c, unsigned end, uint64_t packets, uint64_t bytes)
{
	assert_int_equal(c->end[end].sent.packets, packets);
	assert_int_equal(c->end[end].sent.bytes, bytes);
}

/* A datagram in three, of either family. */
static void make_three(struct piece p[3], uint8_t family, uint8_t src, uint8_t dst, uint16_t sport,
		       uint16_t dport)
{
	for (unsigned i = 0; i < 3; i++)
		p[i] = (struct piece){.family = family,
				      .proto = PROTO_UDP,
				      .src = src,
				      .dst = dst,
				      .id = 0xbeef,
				      .offset = (uint16_t)(i * PAYLOAD / 8),
				      .more = i < 2,
				      .sport = sport,
				      .dport = dport};
}

static const uint8_t families[] = {ADDR_V4, ADDR_V6};

/* --- the order of one datagram ------------------------------------------------------ */

static void every_order_gives_the_same_flow(void **state)
{
	static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (size_t f = 0; f < 2; f++)
		for (size_t o = 0; o < COUNT(orders); o++)
			for (unsigned up = 0; up < 2; up++) {
				struct table *t = open_table(1, 0);
				uint64_t early = 0, known = 0;
				struct view_conn c;
				struct piece p[3];

				make_three(p, families[f], up ? 1 : 2, up ? 2 : 1, 4000, 53);
				for (unsigned i = 0; i < 3; i++) {
					count(t, &p[orders[o][i]], AT(i));
					if (orders[o][i] == 0) {
						known += early + 1;
						early = 0;
					} else if (known) {
						known++;
					} else {
						early++;
					}
					check_tracked(t, known, early);
				}
				assert_int_equal(known, 3);
				assert_true(find_conn(t, families[f], 1, PROTO_UDP, 4000, &c));
				check_sent(&c, 0, 3, 3 * ip_bytes(&p[0]));
				check_sent(&c, 1, 0, 0);
				assert_int_equal(c.last_ns, AT(2));
				table_free(t);
			}
}

static void frames_of_one_batch_count_in_their_order(void **state)
{
	(void)state;
	for (unsigned reversed = 0; reversed < 2; reversed++) {
		struct table *t = open_table(1, 0);
		struct view_conn conn;
		struct frame frames[6];
		struct craft c[6];
		struct piece p[3];

		make_three(p, ADDR_V4, 1, 2, 4000, 53);
		for (unsigned i = 0; i < 6; i++) {
			const unsigned k = i % 3;

			craft_piece(&c[i], &p[reversed ? 2 - k : k]);
			craft_set(&c[i], 4, 2, i / 3);
			frames[i] = (struct frame){.data = c[i].b,
						   .caplen = (uint32_t)c[i].n,
						   .wirelen = (uint32_t)c[i].n,
						   .link = LINK_RAW,
						   .ts_ns = AT(i)};
		}
		account_batch(table_account(t, 0), frames, 6);
		books_check(t);
		check_tracked(t, 6, 0);
		assert_true(find_conn(t, ADDR_V4, 1, PROTO_UDP, 4000, &conn));
		check_sent(&conn, 0, 6, 6 * ip_bytes(&p[0]));
		table_free(t);
	}
}

static void fragments_of_an_answer_count_as_sent_by_the_answerer(void **state)
{
	(void)state;
	for (size_t f = 0; f < 2; f++) {
		struct table *t = open_table(1, 0);
		struct piece ask = {.family = families[f],
				    .proto = PROTO_UDP,
				    .src = 1,
				    .dst = 2,
				    .offset = WHOLE,
				    .sport = 4000,
				    .dport = 53};
		struct view_conn c;
		struct piece p[3];

		make_three(p, families[f], 2, 1, 53, 4000);
		count(t, &ask, AT(0));
		count(t, &p[1], AT(3000));
		count(t, &p[0], AT(3001));
		count(t, &p[2], AT(3002));
		check_tracked(t, 4, 0);
		assert_true(find_conn(t, families[f], 1, PROTO_UDP, 4000, &c));
		check_sent(&c, 0, 1, ip_bytes(&ask));
		check_sent(&c, 1, 3, 3 * ip_bytes(&p[0]));
		/* One datagram is one answer: no stream yet. */
		assert_int_equal(c.state, FLOW_UDP_ANSWERED);
		assert_int_equal(c.last_ns, AT(3002));
		table_free(t);
	}
}

static void credit_of_many_bytes_is_exact(void **state)
{
	struct piece p = {.family = ADDR_V4, .proto = PROTO_UDP, .src = 1, .dst = 2, .id = 9};
	struct table *t = open_table(1, 0);
	struct view_conn conn;
	struct craft c;

	(void)state;
	/* More than what gathers in a flow's hot half. */
	for (unsigned i = 0; i < 2000; i++) {
		struct frame f = {.data = c.b, .link = LINK_RAW, .ts_ns = AT(i)};

		p.offset = 100;
		craft_piece(&c, &p);
		craft_set(&c, 2, 2, 60000);
		f.caplen = (uint32_t)c.n;
		f.wirelen = 60000;
		account_batch(table_account(t, 0), &f, 1);
	}
	check_tracked(t, 0, 2000);
	p.offset = 0;
	p.more = true;
	p.sport = 7;
	p.payload = 200;
	count(t, &p, AT(2000));
	count(t, &p, AT(2001));
	check_tracked(t, 2002, 0);
	assert_true(find_conn(t, ADDR_V4, 1, PROTO_UDP, 7, &conn));
	check_sent(&conn, 0, 2002, 2000 * 60000 + 2 * 220);
	table_free(t);
}

/* --- what is and is not the same datagram --------------------------------------------- */

static void tiny_first_fragments_have_a_flow_without_ports(void **state)
{
	(void)state;
	for (size_t f = 0; f < 2; f++)
		for (unsigned tcp = 0; tcp < 2; tcp++) {
			/* Two bytes of ports: nobody's flow but the addresses'. */
			struct piece p = {.family = families[f],
					  .proto = tcp ? PROTO_TCP : PROTO_UDP,
					  .src = 1,
					  .dst = 2,
					  .id = 5,
					  .offset = 1,
					  .payload = 3};
			struct table *t = open_table(1, 0);
			struct view_conn c;

			count(t, &p, AT(0));
			p.offset = 0;
			p.more = true;
			count(t, &p, AT(1));
			p.offset = 2;
			count(t, &p, AT(2));
			check_tracked(t, 3, 0);
			assert_true(find_conn(t, families[f], 1, p.proto, 0, &c));
			assert_int_equal(c.end[1].port, 0);
			check_sent(&c, 0, 3, 3 * ip_bytes(&p));
			table_free(t);
		}
}

/* TCP of which the first fragment ends before the flags, and the next brings
 * them (RFC 1858): it is a later fragment, whatever it says. */
static void flags_in_a_later_fragment_are_not_looked_at(void **state)
{
	struct piece p = {.family = ADDR_V4,
			  .proto = PROTO_TCP,
			  .src = 1,
			  .dst = 2,
			  .id = 5,
			  .more = true,
			  .sport = 4000,
			  .dport = 80,
			  .payload = 8};
	struct table *t = open_table(1, 0);
	struct view_conn c, after;

	(void)state;
	count(t, &p, AT(0));
	assert_true(find_conn(t, ADDR_V4, 1, PROTO_TCP, 4000, &c));
	p.offset = 1;
	p.payload = 200; /* 0x11: FIN and ACK, would it be read */
	count(t, &p, AT(1));
	assert_true(find_conn(t, ADDR_V4, 1, PROTO_TCP, 4000, &after));
	assert_int_equal(after.state, c.state);
	check_sent(&after, 0, 2, 28 + 220);
	check_tracked(t, 2, 0);
	table_free(t);
}

static void first_fragments_of_which_ports_are_not_captured(void **state)
{
	struct table *t = open_table(1, 0);
	struct piece p[3];
	struct view_conn conn;
	struct craft c;

	(void)state;
	make_three(p, ADDR_V4, 1, 2, 4000, 53);
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = {.data = c.b, .caplen = 20, .link = LINK_RAW, .ts_ns = AT(i)};

		craft_piece(&c, &p[i]);
		f.wirelen = (uint32_t)c.n;
		account_batch(table_account(t, 0), &f, 1);
	}
	check_tracked(t, 3, 0);
	assert_true(find_conn(t, ADDR_V4, 1, PROTO_UDP, 0, &conn));
	check_sent(&conn, 0, 3, 3 * ip_bytes(&p[0]));
	table_free(t);
}

static void repeated_and_overlapping_fragments_are_frames_like_others(void **state)
{
	(void)state;
	for (size_t f = 0; f < 2; f++) {
		struct table *t = open_table(1, 0);
		struct view_conn c, other;
		struct piece p[3];

		make_three(p, families[f], 1, 2, 4000, 53);
		count(t, &p[0], AT(0));
		count(t, &p[0], AT(1));
		count(t, &p[1], AT(2));
		count(t, &p[1], AT(3));
		p[1].offset--;
		count(t, &p[1], AT(4));
		assert_true(find_conn(t, families[f], 1, PROTO_UDP, 4000, &c));
		check_sent(&c, 0, 5, 5 * ip_bytes(&p[0]));
		/* The same identification, used again for another flow. */
		p[0].sport = 5000;
		count(t, &p[0], AT(5));
		count(t, &p[2], AT(6));
		assert_true(find_conn(t, families[f], 1, PROTO_UDP, 4000, &c));
		assert_true(find_conn(t, families[f], 1, PROTO_UDP, 5000, &other));
		check_sent(&c, 0, 5, 5 * ip_bytes(&p[0]));
		check_sent(&other, 0, 2, 2 * ip_bytes(&p[0]));
		check_tracked(t, 7, 0);
		table_free(t);
	}
}

static void an_ipv6_packet_in_one_fragment_is_whole(void **state)
{
	struct table *t = open_table(1, 0);
	struct piece p[3];

	(void)state;
	make_three(p, ADDR_V6, 1, 2, 4000, 53);
	p[0].more = false;
	count(t, &p[0], AT(0));
	count(t, &p[1], AT(1));
	check_tracked(t, 1, 1);
	table_free(t);
}

/* --- what is on no flow ------------------------------------------------------------------ */

static void fragments_without_a_first_stay_untracked(void **state)
{
	struct table *t = open_table(1, 0);
	struct piece p[3];
	struct view_host h;

	(void)state;
	make_three(p, ADDR_V4, 1, 2, 4000, 53);
	count(t, &p[1], AT(0));
	count(t, &p[2], AT(0));
	check_tracked(t, 0, 2);
	/* 30 s later it is another datagram's first. */
	count(t, &p[0], AT(30000));
	check_tracked(t, 1, 2);
	count(t, &p[1], AT(59999));
	check_tracked(t, 2, 2);
	count(t, &p[1], AT(60000));
	check_tracked(t, 2, 3);
	assert_true(books_find(t, 1, &h));
	assert_int_equal(h.cls[PKT_UDP].tx.packets, 5);
	assert_int_equal(h.next_conn_id, 1);
	table_free(t);
}

static void fragments_whose_flow_is_over_start_none(void **state)
{
	(void)state;
	for (unsigned swept = 0; swept < 2; swept++) {
		struct table *t = open_table(1, NS_PER_SEC);
		struct view_host h;
		struct piece p[3];

		make_three(p, ADDR_V4, 1, 2, 4000, 53);
		count(t, &p[0], AT(0));
		count(t, &p[1], AT(900));
		count(t, &p[1], AT(1800)); /* they keep it alive */
		check_tracked(t, 3, 0);
		if (swept)
			books_sweep(t, AT(5000));
		count(t, &p[2], AT(5000));
		check_tracked(t, 3, 1);
		books_sweep(t, AT(6000));
		assert_true(books_find(t, 1, &h));
		assert_int_equal(h.next_conn_id, 1);
		assert_int_equal(h.use, 1);
		table_free(t);
	}
}

static void packets_in_transit_take_no_place(void **state)
{
	struct table *t = open_table(1, 0);
	struct view_totals v;
	struct piece p[3];

	(void)state;
	make_three(p, ADDR_V4, 101, 102, 4000, 53);
	count(t, &p[1], AT(0));
	count(t, &p[0], AT(1));
	count(t, &p[2], AT(2));
	check_tracked(t, 0, 0);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.transit, 3);
	assert_int_equal(v.fragments.capacity, 8192);
	assert_int_equal(v.fragments.firsts + v.fragments.matched + v.fragments.early, 0);
	table_free(t);
}

static void without_a_store_later_fragments_are_on_no_flow(void **state)
{
	struct table *t = books_new(100, 1000, 0);
	struct view_conn c;
	struct piece p[3];

	(void)state;
	make_three(p, ADDR_V4, 1, 2, 4000, 53);
	for (unsigned i = 0; i < 3; i++)
		count(t, &p[i], AT(i));
	check_tracked(t, 1, 2);
	assert_true(find_conn(t, ADDR_V4, 1, PROTO_UDP, 4000, &c));
	check_sent(&c, 0, 1, ip_bytes(&p[0]));
	table_free(t);
}

/* An ICMP error that is itself in fragments: the first is about the flow that
 * it quotes. The others' addresses lead to another worker, so they are about
 * none, with one worker, too. */
static void later_fragments_of_an_icmp_error_are_on_no_flow(void **state)
{
	const struct piece asked = {.family = ADDR_V4,
				    .proto = PROTO_UDP,
				    .src = 1,
				    .dst = 2,
				    .offset = WHOLE,
				    .sport = 4000,
				    .dport = 53};
	const struct piece rest = {.family = ADDR_V4,
				   .proto = PROTO_ICMP,
				   .src = 9,
				   .dst = 1,
				   .id = 3,
				   .offset = 5,
				   .payload = 100};

	(void)state;
	for (unsigned reversed = 0; reversed < 2; reversed++) {
		struct table *t = open_table(1, 0);
		struct craft c = {0}, quote;
		struct view_conn conn;
		struct view_host h;

		count(t, &asked, AT(0));
		if (reversed)
			count(t, &rest, AT(1));
		craft_piece(&quote, &asked);
		craft_ipv4(&c, 9, 1, PROTO_ICMP, 0, 8 + 32);
		craft_set(&c, 4, 4, 0x00032000);
		craft_icmp(&c, 3, 1, 0);
		memcpy(c.b + c.n, quote.b, 32);
		c.n += 32;
		books_count(t, &c, AT(2));
		books_check(t);
		if (!reversed)
			count(t, &rest, AT(3));
		check_tracked(t, 2, 1);
		assert_true(find_conn(t, ADDR_V4, 1, PROTO_UDP, 4000, &conn));
		check_sent(&conn, 0, 1, ip_bytes(&asked));
		check_sent(&conn, 1, 1, 60);
		assert_int_equal(conn.icmp_errors, 1);
		assert_int_equal(conn.last_ns, AT(0));
		assert_true(books_find(t, 9, &h));
		assert_int_equal(h.cls[PKT_ICMP].tx.packets, 2);
		assert_int_equal(h.next_conn_id, 0);
		table_free(t);
	}
}

/* --- many at once -------------------------------------------------------------------------- */

#define PIECES	  4
#define DATAGRAMS 300

/* Datagrams of both families and three protocols among a few hosts; many have
 * the same identification. Each has a flow of its own. */
static void make_many(struct piece p[DATAGRAMS][PIECES], struct random *r)
{
	static const uint8_t protos[] = {PROTO_UDP, PROTO_TCP, PROTO_UDPLITE};

	for (unsigned d = 0; d < DATAGRAMS; d++) {
		struct piece one = {.family = families[d % 2],
				    .proto = protos[d / 2 % 3],
				    .src = (uint8_t)(1 + d / 6 % 5),
				    .dst = (uint8_t)(11 + d / 30 % 3),
				    .id = d / 90 % 4,
				    .sport = (uint16_t)(1000 + d),
				    .dport = 53,
				    .tcp_flags = PKT_TCP_ACK};

		/* Protocols of IPv6 have no identifications of their own. */
		if (one.family == ADDR_V6)
			one.id += 100u * (d / 2 % 3);
		if (random_below(r, 2)) {
			one.src ^= one.dst;
			one.dst ^= one.src;
			one.src ^= one.dst;
		}
		for (unsigned i = 0; i < PIECES; i++) {
			p[d][i] = one;
			p[d][i].offset = (uint16_t)(10 * i);
			p[d][i].more = i < PIECES - 1;
			p[d][i].payload = (uint8_t)(16 + random_below(r, 100));
		}
	}
}

/* All fragments of all datagrams in a random order, by batches of random
 * sizes, to n workers; then each connection has its own, and nothing else. */
static void shuffle_through(unsigned workers, unsigned seed)
{
	static struct piece p[DATAGRAMS][PIECES];
	static struct craft c[ACCOUNT_BATCH];
	struct frame f[8][ACCOUNT_BATCH];
	uint16_t order[DATAGRAMS * PIECES];
	struct table *t = open_table(workers, 0);
	struct random r = {seed};
	struct view_totals v;

	make_many(p, &r);
	for (unsigned i = 0; i < COUNT(order); i++) {
		const unsigned at = random_below(&r, i + 1);

		order[i] = order[at];
		order[at] = (uint16_t)i;
	}
	for (unsigned i = 0; i < COUNT(order);) {
		const unsigned n = 1 + random_below(&r, ACCOUNT_BATCH);
		unsigned filled[8] = {0};

		for (unsigned k = 0; k < n && i < COUNT(order); k++, i++) {
			struct frame one = {.data = c[k].b, .link = LINK_RAW, .ts_ns = AT(i)};
			unsigned w;

			craft_piece(&c[k], &p[order[i] / PIECES][order[i] % PIECES]);
			one.caplen = one.wirelen = (uint32_t)c[k].n;
			w = pkt_fanout(&one, workers);
			f[w][filled[w]++] = one;
		}
		for (unsigned w = 0; w < workers; w++) {
			account_clock(table_account(t, w), AT(i));
			account_batch(table_account(t, w), f[w], filled[w]);
		}
		books_check(t);
	}
	check_tracked(t, COUNT(order), 0);
	for (unsigned d = 0; d < DATAGRAMS; d++) {
		uint64_t bytes = 0;
		struct view_conn conn;

		for (unsigned i = 0; i < PIECES; i++)
			bytes += ip_bytes(&p[d][i]);
		assert_true(find_conn(t, p[d][0].family, p[d][0].src, p[d][0].proto, p[d][0].sport,
				      &conn));
		check_sent(&conn, 0, PIECES, bytes);
		check_sent(&conn, 1, 0, 0);
	}
	table_totals_view(t, &v);
	assert_int_equal(v.fragments.firsts, DATAGRAMS);
	assert_int_equal(v.fragments.credited, v.fragments.early);
	assert_int_equal(v.fragments.matched + v.fragments.early, DATAGRAMS * (PIECES - 1));
	assert_true(v.fragments.early > DATAGRAMS && v.fragments.matched > DATAGRAMS);
	assert_int_equal(v.fragments.evicted, 0);
	table_free(t);
}

static void interleaved_datagrams_are_told_apart_by_any_number_of_workers(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 10; seed++)
		for (unsigned workers = 1; workers <= 8; workers *= 2)
			shuffle_through(workers, seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_gives_the_same_flow),
		cmocka_unit_test(frames_of_one_batch_count_in_their_order),
		cmocka_unit_test(fragments_of_an_answer_count_as_sent_by_the_answerer),
		cmocka_unit_test(credit_of_many_bytes_is_exact),
		cmocka_unit_test(tiny_first_fragments_have_a_flow_without_ports),
		cmocka_unit_test(flags_in_a_later_fragment_are_not_looked_at),
		cmocka_unit_test(first_fragments_of_which_ports_are_not_captured),
		cmocka_unit_test(repeated_and_overlapping_fragments_are_frames_like_others),
		cmocka_unit_test(an_ipv6_packet_in_one_fragment_is_whole),
		cmocka_unit_test(fragments_without_a_first_stay_untracked),
		cmocka_unit_test(fragments_whose_flow_is_over_start_none),
		cmocka_unit_test(packets_in_transit_take_no_place),
		cmocka_unit_test(without_a_store_later_fragments_are_on_no_flow),
		cmocka_unit_test(later_fragments_of_an_icmp_error_are_on_no_flow),
		cmocka_unit_test(interleaved_datagrams_are_told_apart_by_any_number_of_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
