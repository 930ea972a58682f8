/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_icmp.c - queries and their replies, errors and what they quote.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "craft.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint8_t icmp_of(uint8_t family)
{
	return family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6;
}

static void decode(const struct craft *c, struct pkt *p)
{
	craft_decode(c, LINK_RAW, c->n, c->n, p);
	assert_int_equal(p->verdict, PKT_OK);
	assert_int_equal(p->ip_bytes, c->n);
}

static void put_query(struct craft *c, uint8_t family, uint8_t src, uint8_t dst, uint8_t type,
		      uint8_t code, uint16_t id)
{
	memset(c, 0, sizeof(*c));
	craft_ip(c, family, src, dst, icmp_of(family), 12);
	craft_icmp(c, type, code, id);
	craft_fill(c, 4, 0x55);
}

/* --- queries ------------------------------------------------------------------- */

static const struct {
	uint8_t family, request, reply;
} queries[] = {
	{ADDR_V4, 8, 0},   /* echo */
	{ADDR_V4, 13, 14}, /* timestamp */
	{ADDR_V4, 15, 16}, /* information */
	{ADDR_V4, 17, 18}, /* address mask */
	{ADDR_V6, 128, 129},
};

static void query_and_reply_are_one_flow_by_identifier(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(queries); i++)
		for (uint8_t dst = 1; dst < 3; dst++) { /* one to itself, too */
			struct craft c;
			struct pkt request, reply, other;

			put_query(&c, queries[i].family, 1, dst, queries[i].request, 0, 77);
			decode(&c, &request);
			put_query(&c, queries[i].family, dst, 1, queries[i].reply, 0, 77);
			decode(&c, &reply);
			assert_int_equal(request.kind, PKT_KIND_FLOW);
			assert_int_equal(request.class, PKT_ICMP);
			assert_int_equal(reply.kind, PKT_KIND_FLOW);
			assert_int_equal(reply.class, PKT_ICMP);
			assert_false(request.is_reply);
			assert_true(reply.is_reply);
			assert_int_not_equal(request.side, reply.side);
			assert_memory_equal(&request.key, &reply.key, sizeof(request.key));
			assert_int_equal(pkt_icmp_reply_type(queries[i].family, queries[i].request),
					 queries[i].reply);

			put_query(&c, queries[i].family, 1, dst, queries[i].request, 0, 78);
			decode(&c, &other);
			assert_memory_not_equal(&request.key, &other.key, sizeof(request.key));
		}
}

static void queries_of_different_types_are_different_flows(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < i; k++) {
			struct craft c;
			struct pkt p, q;

			put_query(&c, ADDR_V4, 1, 2, queries[i].request, 0, 77);
			decode(&c, &p);
			put_query(&c, ADDR_V4, 1, 2, queries[k].request, 0, 77);
			decode(&c, &q);
			assert_memory_not_equal(&p.key, &q.key, sizeof(p.key));
		}
}

static void query_without_its_identifier_is_a_flow_by_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(queries); i++) {
		const size_t header = queries[i].family == ADDR_V4 ? 20 : 40;
		struct craft c;
		struct pkt p;

		put_query(&c, queries[i].family, 1, 2, queries[i].request, 0, 77);
		for (size_t cap = header; cap < header + 6; cap++) {
			assert_int_equal(craft_decode(&c, LINK_RAW, cap, c.n, &p), PKT_OK);
			assert_int_equal(p.kind, PKT_KIND_FLOW);
			assert_int_equal(p.class, PKT_ICMP);
			assert_int_equal(p.key.port[0] | p.key.port[1], 0);
		}
		craft_decode(&c, LINK_RAW, header + 6, c.n, &p);
		assert_int_not_equal(p.key.port[0] | p.key.port[1], 0);
	}
}

static bool is_among(uint8_t type, const uint8_t *types, size_t n)
{
	return n && memchr(types, type, n) != NULL;
}

static void every_type_is_a_query_an_error_or_neither(void **state)
{
	static const uint8_t flows[2][10] = {{0, 8, 13, 14, 15, 16, 17, 18, 8, 8}, {128, 129}};
	static const uint8_t errors[2][5] = {{3, 4, 5, 11, 12}, {1, 2, 3, 4, 4}};

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned type = 0; type < 256; type++) {
			const uint8_t t = (uint8_t)type;
			enum pkt_kind want = PKT_KIND_ICMP_OTHER;
			struct craft c;
			struct pkt p;

			if (is_among(t, flows[v6], v6 ? 2 : 10))
				want = PKT_KIND_FLOW;
			if (is_among(t, errors[v6], 5))
				want = PKT_KIND_ICMP_ERROR;
			put_query(&c, v6 ? ADDR_V6 : ADDR_V4, 1, 2, t, 0, 77);
			decode(&c, &p);
			assert_int_equal(p.class, PKT_ICMP);
			assert_int_equal(p.kind, want);
			if (want == PKT_KIND_ICMP_ERROR) /* 4 bytes are no header to quote */
				assert_int_equal(p.quoted, PKT_QUOTE_NONE);
		}
}

/* --- errors ---------------------------------------------------------------------- */

/* From the router 3 to host 1, whose packet to 2 it quotes: `rest` bytes of
 * quote, which the caller puts. */
static void put_error(struct craft *c, uint8_t family, unsigned rest)
{
	memset(c, 0, sizeof(*c));
	craft_ip(c, family, 3, 1, icmp_of(family), 8 + rest);
	craft_icmp(c, family == ADDR_V4 ? 3 : 1, 1, 0);
}

static void check_error(const struct pkt *p, uint8_t family, enum pkt_quote quoted)
{
	const struct addr router = craft_addr(family, 3), host = craft_addr(family, 1);

	assert_int_equal(p->kind, PKT_KIND_ICMP_ERROR);
	assert_int_equal(p->class, PKT_ICMP);
	assert_int_equal(p->family, family);
	assert_int_equal(p->quoted, quoted);
	assert_true(addr_equal(pkt_src(p), &router));
	assert_true(addr_equal(pkt_dst(p), &host));
}

static const uint8_t families[] = {ADDR_V4, ADDR_V6};

static void error_has_the_key_of_the_flow_that_it_quotes(void **state)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_DCCP,
					 PROTO_UDPLITE};

	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < COUNT(protos); i++) {
			const unsigned header = families[v] == ADDR_V4 ? 20 : 40;
			struct craft c = {0};
			struct pkt sent, p;

			craft_ip(&c, families[v], 1, 2, protos[i], 20);
			craft_tcp(&c, 40000, 443, PKT_TCP_ACK);
			decode(&c, &sent);
			put_error(&c, families[v], header + 8); /* the first 8 bytes, as RFC 792 */
			craft_ip(&c, families[v], 1, 2, protos[i], 20);
			craft_be(&c, 4, 40000u << 16 | 443);
			craft_be(&c, 4, 0);
			decode(&c, &p);
			check_error(&p, families[v], PKT_QUOTE_WHOLE);
			assert_memory_equal(&p.key, &sent.key, sizeof(p.key));
			/* It comes back: as if the other end had sent it. */
			assert_int_equal(p.side, !sent.side);
		}
}

static void error_about_a_query_has_its_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(queries); i++)
		for (unsigned about_reply = 0; about_reply < 2; about_reply++) {
			const uint8_t family = queries[i].family;
			const uint8_t type = about_reply ? queries[i].reply : queries[i].request;
			struct craft c;
			struct pkt sent, p;

			put_query(&c, family, 1, 2, type, 0, 77);
			decode(&c, &sent);
			put_error(&c, family, (family == ADDR_V4 ? 20 : 40) + 8);
			craft_ip(&c, family, 1, 2, icmp_of(family), 12);
			craft_icmp(&c, type, 0, 77);
			decode(&c, &p);
			check_error(&p, family, PKT_QUOTE_WHOLE);
			assert_memory_equal(&p.key, &sent.key, sizeof(p.key));
			assert_int_equal(p.side, !sent.side);
		}
}

static void error_that_quotes_a_later_fragment_tells_addresses_only(void **state)
{
	const struct addr from = craft_addr(ADDR_V4, 1);
	struct craft c;
	struct pkt p;

	(void)state;
	put_error(&c, ADDR_V4, 28);
	craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 1000);
	craft_set(&c, c.n - 20 + 6, 2, 0x0010);
	craft_udp(&c, 1000, 53);
	decode(&c, &p);
	check_error(&p, ADDR_V4, PKT_QUOTE_ADDRS);
	assert_true(addr_equal(&p.key.addr[!p.side], &from));
	assert_int_equal(p.key.port[0] | p.key.port[1], 0);

	put_error(&c, ADDR_V6, 40 + 8 + 8);
	craft_ipv6(&c, 1, 2, PROTO_FRAGMENT, 1000);
	craft_be(&c, 4, (uint32_t)PROTO_UDP << 24 | 8);
	craft_be(&c, 4, 0x1234);
	craft_udp(&c, 1000, 53);
	decode(&c, &p);
	check_error(&p, ADDR_V6, PKT_QUOTE_ADDRS);
	assert_int_equal(p.key.port[0] | p.key.port[1], 0);
}

static void error_about_an_error_tells_addresses_only(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct craft c;
		struct pkt p;

		put_error(&c, families[v], (families[v] == ADDR_V4 ? 20 : 40) + 8);
		craft_ip(&c, families[v], 1, 2, icmp_of(families[v]), 100);
		craft_icmp(&c, families[v] == ADDR_V4 ? 3 : 1, 0, 0);
		decode(&c, &p);
		check_error(&p, families[v], PKT_QUOTE_ADDRS);
	}
}

static void quote_with_options_or_extensions_is_read_behind_them(void **state)
{
	struct craft c = {0};
	struct pkt sent, p;

	(void)state;
	craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 8);
	craft_udp(&c, 1000, 53);
	decode(&c, &sent);
	put_error(&c, ADDR_V4, 44 + 8);
	craft_ipv4(&c, 1, 2, PROTO_UDP, 24, 8);
	craft_udp(&c, 1000, 53);
	decode(&c, &p);
	check_error(&p, ADDR_V4, PKT_QUOTE_WHOLE);
	assert_memory_equal(&p.key, &sent.key, sizeof(p.key));

	memset(&c, 0, sizeof(c));
	craft_ipv6(&c, 1, 2, PROTO_UDP, 8);
	craft_udp(&c, 1000, 53);
	decode(&c, &sent);
	put_error(&c, ADDR_V6, 40 + 8 + 8);
	craft_ipv6(&c, 1, 2, PROTO_DSTOPTS, 16);
	craft_be(&c, 4, (uint32_t)PROTO_UDP << 24);
	craft_be(&c, 4, 0);
	craft_udp(&c, 1000, 53);
	decode(&c, &p);
	check_error(&p, ADDR_V6, PKT_QUOTE_WHOLE);
	assert_memory_equal(&p.key, &sent.key, sizeof(p.key));
}

/* An error is one wherever it is cut behind its type; how much it tells of the
 * flow grows with what is there. */
static void error_cut_anywhere_tells_what_is_there(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		const size_t header = families[v] == ADDR_V4 ? 20 : 40;
		const size_t quote = header + 8;
		struct craft c;
		struct pkt p;

		put_error(&c, families[v], (unsigned)header + 8);
		craft_ip(&c, families[v], 1, 2, PROTO_UDP, 8);
		craft_udp(&c, 1000, 53);
		for (size_t cap = header + 1; cap <= c.n; cap++) {
			const bool has_addrs = cap >= quote + header;

			assert_int_equal(craft_decode(&c, LINK_RAW, cap, c.n, &p), PKT_OK);
			assert_int_equal(p.ip_bytes, c.n);
			if (!has_addrs)
				check_error(&p, families[v], PKT_QUOTE_NONE);
			else
				assert_int_not_equal(p.quoted, PKT_QUOTE_NONE);
			assert_int_equal(p.key.port[0] | p.key.port[1],
					 cap >= quote + header + 4 ? 1000 | 53 : 0);
		}
	}
}

static void quote_of_another_version_tells_nothing(void **state)
{
	static const uint8_t firsts[] = {0x65, 0x05, 0x44, 0xff};

	(void)state;
	for (size_t i = 0; i < COUNT(firsts); i++) {
		struct craft c;
		struct pkt p;

		put_error(&c, ADDR_V4, 28);
		craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 8);
		craft_udp(&c, 1000, 53);
		c.b[28] = firsts[i];
		decode(&c, &p);
		check_error(&p, ADDR_V4, PKT_QUOTE_NONE);

		put_error(&c, ADDR_V6, 48);
		craft_ipv6(&c, 1, 2, PROTO_UDP, 8);
		craft_udp(&c, 1000, 53);
		c.b[48] = i ? firsts[i] : 0x45;
		decode(&c, &p);
		check_error(&p, ADDR_V6, PKT_QUOTE_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_and_reply_are_one_flow_by_identifier),
		cmocka_unit_test(queries_of_different_types_are_different_flows),
		cmocka_unit_test(query_without_its_identifier_is_a_flow_by_addresses),
		cmocka_unit_test(every_type_is_a_query_an_error_or_neither),
		cmocka_unit_test(error_has_the_key_of_the_flow_that_it_quotes),
		cmocka_unit_test(error_about_a_query_has_its_key),
		cmocka_unit_test(error_that_quotes_a_later_fragment_tells_addresses_only),
		cmocka_unit_test(error_about_an_error_tells_addresses_only),
		cmocka_unit_test(quote_with_options_or_extensions_is_read_behind_them),
		cmocka_unit_test(error_cut_anywhere_tells_what_is_there),
		cmocka_unit_test(quote_of_another_version_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
