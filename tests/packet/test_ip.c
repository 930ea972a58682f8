/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ip.c - IPv4 and IPv6 headers, extension headers, fragments, ports, and
 * which cut makes what of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "craft.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint8_t families[] = {ADDR_V4, ADDR_V6};

static enum pkt_verdict decode_raw(const struct craft *c, size_t caplen, struct pkt *p)
{
	return craft_decode(c, LINK_RAW, caplen, c->n, p);
}

/* What is the same of every packet of a flow by addresses or ports. */
static void check_flow(const struct pkt *p, uint8_t family, uint8_t proto, uint16_t sport,
		       uint16_t dport)
{
	const struct addr src = craft_addr(family, 1), dst = craft_addr(family, 2);

	assert_int_equal(p->verdict, PKT_OK);
	assert_int_equal(p->kind, PKT_KIND_FLOW);
	assert_int_equal(p->family, family);
	assert_int_equal(p->key.family, family);
	assert_int_equal(p->key.proto, proto);
	assert_int_equal(p->key.zero, 0);
	assert_true(addr_equal(&p->key.addr[p->side], &src));
	assert_true(addr_equal(&p->key.addr[!p->side], &dst));
	assert_int_equal(p->key.port[p->side], sport);
	assert_int_equal(p->key.port[!p->side], dport);
	assert_false(p->is_reply);
}

static void ports_are_read_of_every_protocol_that_has_them(void **state)
{
	static const struct {
		uint8_t proto, class;
		bool has_ports;
	} protos[] = {
		{PROTO_TCP, PKT_TCP, true},	   {PROTO_UDP, PKT_UDP, true},
		{PROTO_SCTP, PKT_OTHER, true},	   {PROTO_DCCP, PKT_OTHER, true},
		{PROTO_UDPLITE, PKT_OTHER, true},  {50 /* ESP */, PKT_OTHER, false},
		{47 /* GRE */, PKT_OTHER, false},  {2 /* IGMP */, PKT_OTHER, false},
		{41 /* 6in4 */, PKT_OTHER, false}, {4 /* IP in IP */, PKT_OTHER, false},
		{89 /* OSPF */, PKT_OTHER, false}, {59 /* no next header */, PKT_OTHER, false},
		{255, PKT_OTHER, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(protos); i++)
		for (size_t v = 0; v < 2; v++) {
			struct craft c = {0};
			struct pkt p;

			craft_ip(&c, families[v], 1, 2, protos[i].proto, 20);
			craft_tcp(&c, 40000, 443, PKT_TCP_SYN);
			for (size_t cap = c.n - 20; cap <= c.n; cap++) {
				const bool ports = protos[i].has_ports && cap >= c.n - 16;

				decode_raw(&c, cap, &p);
				check_flow(&p, families[v], protos[i].proto, ports ? 40000 : 0,
					   ports ? 443 : 0);
				assert_int_equal(p.class, protos[i].class);
				assert_int_equal(p.ip_bytes, c.n);
				assert_int_equal(p.tcp_flags,
						 protos[i].proto == PROTO_TCP && cap >= c.n - 6
							 ? PKT_TCP_SYN
							 : 0);
			}
		}
}

static void icmp_of_the_other_version_is_just_a_protocol(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		const uint8_t proto = families[v] == ADDR_V4 ? PROTO_ICMPV6 : PROTO_ICMP;
		struct craft c = {0};
		struct pkt p;

		craft_ip(&c, families[v], 1, 2, proto, 8);
		craft_icmp(&c, proto == PROTO_ICMP ? 8 : 128, 0, 77);
		decode_raw(&c, c.n, &p);
		check_flow(&p, families[v], proto, 0, 0);
		assert_int_equal(p.class, PKT_OTHER);
	}
}

static void both_directions_have_one_key(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (uint8_t dst = 1; dst < 4; dst++) /* one to itself, too */
			for (uint16_t dport = 999; dport <= 1001; dport++) {
				struct craft there = {0}, back = {0};
				struct pkt p, q;

				craft_ip(&there, families[v], 1, dst, PROTO_TCP, 20);
				craft_tcp(&there, 1000, dport, PKT_TCP_ACK);
				craft_ip(&back, families[v], dst, 1, PROTO_TCP, 20);
				craft_tcp(&back, dport, 1000, PKT_TCP_ACK);
				decode_raw(&there, there.n, &p);
				decode_raw(&back, back.n, &q);
				assert_memory_equal(&p.key, &q.key, sizeof(p.key));
				if (dst != 1 || dport != 1000)
					assert_int_not_equal(p.side, q.side);
				else
					assert_int_equal(p.side, q.side);
			}
}

static void ipv4_options_need_not_be_captured(void **state)
{
	(void)state;
	for (unsigned options = 0; options <= 40; options += 4) {
		struct craft c = {0};
		struct pkt p;

		craft_ipv4(&c, 1, 2, PROTO_UDP, options, 8);
		craft_udp(&c, 1000, 53);
		for (size_t cap = 0; cap <= c.n; cap++) {
			const bool has_ports = cap >= 20 + options + 4;

			if (cap < 20) {
				assert_int_equal(decode_raw(&c, cap, &p), PKT_MALFORMED_CUT);
				continue;
			}
			decode_raw(&c, cap, &p);
			check_flow(&p, ADDR_V4, PROTO_UDP, has_ports ? 1000 : 0,
				   has_ports ? 53 : 0);
			assert_int_equal(p.class, PKT_UDP);
			assert_int_equal(p.ip_bytes, 28 + options);
		}
	}
}

static void lengths_that_cannot_be_are_malformed(void **state)
{
	static const struct {
		uint8_t family;
		uint8_t at, bytes; /* what is written over, */
		uint16_t value;	   /* and with what, */
		int wire;	   /* added to the wire length */
		enum pkt_verdict want;
		uint32_t ip_bytes;
	} changes[] = {
		/* The packet has 28 bytes of IPv4, or 48 of IPv6. */
		{4, 0, 1, 0x44, 0, PKT_MALFORMED_IHL, 0},
		{4, 0, 1, 0x40, 0, PKT_MALFORMED_IHL, 0},
		{4, 0, 1, 0x48, 0, PKT_MALFORMED_SHORT, 0}, /* a header of 32 bytes */
		{4, 0, 1, 0x47, 0, PKT_OK, 28},
		{4, 2, 2, 19, 0, PKT_MALFORMED_SHORT, 0},
		{4, 2, 2, 1, 0, PKT_MALFORMED_SHORT, 0},
		{4, 2, 2, 20, 0, PKT_OK, 20},
		{4, 2, 2, 27, 0, PKT_OK, 27}, /* the last byte is padding */
		{4, 2, 2, 29, 0, PKT_MALFORMED_LONG, 0},
		{4, 2, 2, 29, 1, PKT_OK, 29}, /* cut: it was there on the wire */
		{4, 2, 2, 65535, 0, PKT_MALFORMED_LONG, 0},
		{4, 2, 2, 65535, 65535 - 28, PKT_OK, 65535},
		{4, 2, 2, 0, 0, PKT_OK, 28}, /* offload: the wire says how long */
		{4, 2, 2, 0, 100000, PKT_OK, 100028},
		{4, 2, 2, 0, 19 - 28, PKT_MALFORMED_SHORT, 0},
		{4, 2, 2, 28, -1, PKT_MALFORMED_LONG, 0},
		{6, 4, 2, 9, 0, PKT_MALFORMED_LONG, 0},
		{6, 4, 2, 9, 1, PKT_OK, 49},
		{6, 4, 2, 7, 0, PKT_OK, 47},
		{6, 4, 2, 65535, 0, PKT_MALFORMED_LONG, 0},
		{6, 4, 2, 65535, 65535 - 8, PKT_OK, 65575},
		{6, 4, 2, 0, 0, PKT_OK, 48}, /* a jumbogram, or offload */
		{6, 4, 2, 0, 200000, PKT_OK, 200048},
		{6, 4, 2, 0, 39 - 48, PKT_MALFORMED_SHORT, 0},
		{6, 4, 2, 8, -1, PKT_MALFORMED_LONG, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++)
		for (unsigned ethernet = 0; ethernet < 2; ethernet++) {
			struct craft c = {0};
			size_t wire;
			struct pkt p;

			if (ethernet)
				craft_ethernet(&c, changes[i].family == 4 ? 0x0800 : 0x86dd);
			c.ip = c.n;
			craft_ip(&c, changes[i].family, 1, 2, PROTO_UDP, 8);
			craft_udp(&c, 1000, 53);
			craft_set(&c, c.ip + changes[i].at, changes[i].bytes, changes[i].value);
			wire = (size_t)((int)c.n + changes[i].wire);
			craft_decode(&c, ethernet ? LINK_ETHERNET : LINK_RAW, c.n, wire, &p);
			if (p.verdict != changes[i].want)
				fail_msg("change %zu: %s", i,
					 pkt_verdict_name((enum pkt_verdict)p.verdict));
			if (p.verdict == PKT_OK)
				assert_int_equal(p.ip_bytes, changes[i].ip_bytes);
		}
}

static void padding_behind_a_packet_is_not_read_as_ports(void **state)
{
	struct craft c = {0};
	struct pkt p;

	(void)state;
	craft_ethernet(&c, 0x0800);
	craft_ipv4(&c, 1, 2, PROTO_TCP, 0, 2); /* a TCP header of 2 bytes */
	craft_tcp(&c, 40000, 443, PKT_TCP_SYN);
	craft_fill(&c, 20, 0x41);
	craft_decode(&c, LINK_ETHERNET, c.n, c.n, &p);
	check_flow(&p, ADDR_V4, PROTO_TCP, 0, 0);
	assert_int_equal(p.tcp_flags, 0);
	assert_int_equal(p.ip_bytes, 22);
}

static void fragments_but_the_first_have_no_ports(void **state)
{
	/* flags and offset: more, the last, one with the reserved bit */
	static const uint16_t later[] = {0x2001, 0x00b9, 0x1fff, 0x8001};

	(void)state;
	for (size_t i = 0; i < COUNT(later) + 2; i++) {
		const bool is_later = i < COUNT(later);
		const struct addr src = craft_addr(ADDR_V4, 1), dst = craft_addr(ADDR_V4, 2);
		struct craft c = {0};
		struct pkt p;

		craft_ethernet(&c, 0x0800);
		craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 20);
		craft_set(&c, 14 + 6, 2, is_later ? later[i] : i % 2 ? 0x2000 : 0x8000);
		craft_tcp(&c, 1000, 53, 0);
		craft_decode(&c, LINK_ETHERNET, c.n, c.n, &p);
		assert_int_equal(p.class, PKT_UDP);
		assert_int_equal(p.ip_bytes, 40);
		assert_true(addr_equal(pkt_src(&p), &src));
		assert_true(addr_equal(pkt_dst(&p), &dst));
		assert_int_equal(p.kind, is_later ? PKT_KIND_FRAGMENT : PKT_KIND_FLOW);
		assert_int_equal(p.key.port[p.side], is_later ? 0 : 1000);
		assert_int_equal(p.fragment, is_later ? PKT_LATER : i % 2 ? PKT_FIRST : PKT_WHOLE);
		if (p.fragment != PKT_WHOLE)
			assert_int_equal(p.frag_id, 0x1234);
	}
}

/* --- IPv6 extension headers --------------------------------------------------- */

/* One of each kind; `units` as its length field counts. */
static void put_extension(struct craft *c, uint8_t kind, uint8_t next, uint8_t units)
{
	size_t n = (units + 1u) * 8;

	if (kind == PROTO_AH)
		n = (units + 2u) * 4;
	if (kind == PROTO_FRAGMENT)
		n = 8;
	craft_be(c, 1, next);
	craft_be(c, 1, kind == PROTO_FRAGMENT ? 0 : units);
	craft_fill(c, n - 2, 0);
}

static void put_chain(struct craft *c, const uint8_t *kinds, const uint8_t *units, unsigned n)
{
	craft_ipv6(c, 1, 2, n ? kinds[0] : PROTO_UDP, 0);
	for (unsigned i = 0; i < n; i++)
		put_extension(c, kinds[i], i + 1 < n ? kinds[i + 1] : PROTO_UDP, units[i]);
	craft_udp(c, 1000, 53);
	craft_set(c, 4, 2, (uint32_t)c->n - 40);
}

static const uint8_t extensions[] = {PROTO_HOPOPTS, PROTO_ROUTING, PROTO_DSTOPTS, PROTO_AH,
				     PROTO_FRAGMENT};

/* Cut anywhere: by the upper protocol if the chain is whole, else by the first
 * header that is not. */
static void extension_chains_are_walked_as_far_as_captured(void **state)
{
	struct random r = {5};

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		const unsigned n = random_below(&r, 7);
		uint8_t kinds[7], units[7];
		size_t ends[7], at = 40;
		struct craft c = {0};
		struct pkt p;

		for (unsigned i = 0; i < n; i++) {
			kinds[i] = extensions[random_below(&r, COUNT(extensions))];
			units[i] = (uint8_t)random_below(&r, 4);
			at += kinds[i] == PROTO_AH	   ? (units[i] + 2u) * 4
			      : kinds[i] == PROTO_FRAGMENT ? 8
							   : (units[i] + 1u) * 8;
			ends[i] = at;
		}
		put_chain(&c, kinds, units, n);
		for (size_t cap = 0; cap <= c.n; cap++) {
			unsigned whole = 0;

			decode_raw(&c, cap, &p);
			if (cap < 40) {
				assert_int_equal(p.verdict, PKT_MALFORMED_CUT);
				continue;
			}
			assert_int_equal(p.ip_bytes, c.n);
			while (whole < n && ends[whole] <= cap)
				whole++;
			if (whole == n) {
				const bool ports = cap >= at + 4;

				check_flow(&p, ADDR_V6, PROTO_UDP, ports ? 1000 : 0,
					   ports ? 53 : 0);
				assert_int_equal(p.class, PKT_UDP);
			} else {
				check_flow(&p, ADDR_V6, kinds[whole], 0, 0);
				assert_int_equal(p.class, PKT_OTHER);
			}
		}
	}
}

static void later_fragments_of_ipv6_are_of_the_protocol_that_they_name(void **state)
{
	static const struct {
		uint8_t next, class;
	} nexts[] = {
		{PROTO_UDP, PKT_UDP},	     {PROTO_TCP, PKT_TCP},	 {PROTO_ICMPV6, PKT_ICMP},
		{PROTO_DSTOPTS, PKT_OTHER},  {PROTO_AH, PKT_OTHER},	 {PROTO_ROUTING, PKT_OTHER},
		{PROTO_FRAGMENT, PKT_OTHER}, {PROTO_HOPOPTS, PKT_OTHER}, {50, PKT_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(nexts); i++)
		for (unsigned before = 0; before < 2; before++) {
			const struct addr src = craft_addr(ADDR_V6, 1);
			struct craft c = {0};
			struct pkt p;

			craft_ipv6(&c, 1, 2, before ? PROTO_ROUTING : PROTO_FRAGMENT,
				   8 + 16 + before * 8);
			if (before)
				put_extension(&c, PROTO_ROUTING, PROTO_FRAGMENT, 0);
			put_extension(&c, PROTO_FRAGMENT, nexts[i].next, 0);
			craft_set(&c, c.n - 6, 2, 8 | 1); /* one unit on, and more to come */
			craft_fill(&c, 16, 0x11);
			decode_raw(&c, c.n, &p);
			assert_int_equal(p.verdict, PKT_OK);
			assert_int_equal(p.kind, PKT_KIND_FRAGMENT);
			assert_int_equal(p.class, nexts[i].class);
			assert_int_equal(p.fragment, PKT_LATER);
			assert_int_equal(p.frag_id, 0);
			assert_int_equal(p.ip_bytes, c.n);
			assert_int_equal(p.key.port[0], 0);
			assert_int_equal(p.key.port[1], 0);
			assert_true(addr_equal(pkt_src(&p), &src));
		}
}

static void fragments_of_ipv6_carry_their_identification(void **state)
{
	/* offset and more: of all, the first, a later one */
	static const struct {
		uint16_t field;
		uint8_t fragment;
	} cases[] = {{0, PKT_WHOLE}, {6, PKT_WHOLE}, {1, PKT_FIRST}, {8, PKT_LATER}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct craft c = {0};
		struct pkt p;

		craft_ipv6(&c, 1, 2, PROTO_FRAGMENT, 16 + 8);
		put_extension(&c, PROTO_FRAGMENT, PROTO_DSTOPTS, 0);
		craft_set(&c, c.n - 6, 2, cases[i].field);
		craft_set(&c, c.n - 4, 4, 0x89abcdef);
		put_extension(&c, PROTO_DSTOPTS, PROTO_UDP, 0);
		craft_udp(&c, 1000, 53);
		for (size_t cap = 48; cap <= c.n; cap++) {
			decode_raw(&c, cap, &p);
			assert_int_equal(p.verdict, PKT_OK);
			assert_int_equal(p.fragment, cases[i].fragment);
			if (p.fragment != PKT_WHOLE)
				assert_int_equal(p.frag_id, 0x89abcdef);
		}
		assert_int_equal(p.kind, i == 3 ? PKT_KIND_FRAGMENT : PKT_KIND_FLOW);
		assert_int_equal(p.key.port[p.side], i == 3 ? 0 : 1000);
		/* not captured: nobody knows that it is a fragment */
		decode_raw(&c, 47, &p);
		assert_int_equal(p.fragment, PKT_WHOLE);
	}
}

static void ah_of_ipv4_is_another_protocol(void **state)
{
	struct craft c = {0};
	struct pkt p;

	(void)state;
	craft_ipv4(&c, 1, 2, PROTO_AH, 0, 24 + 8);
	put_extension(&c, PROTO_AH, PROTO_UDP, 4);
	craft_udp(&c, 1000, 53);
	decode_raw(&c, c.n, &p);
	check_flow(&p, ADDR_V4, PROTO_AH, 0, 0);
	assert_int_equal(p.class, PKT_OTHER);
}

/* The longest chain there can be in a packet ends, and so does one that says
 * to be longer than its packet. */
static void endless_chains_end_with_their_packet(void **state)
{
	for (unsigned units = 0; units < 256; units += 51) {
		struct craft c = {0};
		struct pkt p;

		(void)state;
		craft_ipv6(&c, 1, 2, PROTO_DSTOPTS, CRAFT_BYTES - 40);
		while (c.n + 8 <= CRAFT_BYTES) {
			craft_be(&c, 1, PROTO_DSTOPTS);
			craft_be(&c, 1, units);
			craft_fill(&c, 6, 0);
		}
		craft_decode(&c, LINK_RAW, c.n, CRAFT_BYTES, &p);
		check_flow(&p, ADDR_V6, PROTO_DSTOPTS, 0, 0);
	}
}

/* --- any bytes ------------------------------------------------------------------ */

static void check_sane(const struct pkt *p, const struct frame *f)
{
	if (p->verdict != PKT_OK) {
		assert_true(p->verdict < PKT_VERDICTS);
		return;
	}
	assert_in_range(p->ip_bytes, 20, f->wirelen);
	assert_true(p->class < PKT_CLASSES && p->kind < PKT_KINDS && p->side < 2);
	assert_true(p->family == ADDR_V4 || p->family == ADDR_V6);
	assert_int_equal(p->key.family, p->family);
	assert_int_equal(p->key.zero, 0);
	if (p->kind == PKT_KIND_ICMP_ERROR)
		assert_true(p->quoted <= PKT_QUOTE_WHOLE);
}

static const uint16_t links[] = {
	LINK_NULL,     LINK_ETHERNET, LINK_PPP,	       LINK_RAW_12, LINK_RAW_14,
	LINK_PPP_HDLC, LINK_RAW,      LINK_C_HDLC,     LINK_LOOP,   LINK_LINUX_SLL,
	LINK_IPV4,     LINK_IPV6,     LINK_LINUX_SLL2, 147,
};

static void random_bytes_of_every_link_type_get_a_verdict(void **state)
{
	struct random r = {1};

	(void)state;
	for (unsigned round = 0; round < 40000; round++) {
		static const uint8_t firsts[] = {0x45, 0x46, 0x60, 0x4f, 0xff, 0x0f, 0x21, 0x57};
		const size_t n = random_below(&r, 120);
		struct craft c = {.n = n};
		struct frame f = {0};
		struct pkt p;

		for (size_t i = 0; i < n; i++)
			c.b[i] = (uint8_t)random_next(&r);
		c.b[0] = random_below(&r, 2) ? firsts[random_below(&r, COUNT(firsts))] : c.b[0];
		f.link = links[round % COUNT(links)];
		f.wirelen = random_below(&r, 4) ? (uint32_t)n + random_below(&r, 70000)
						: random_below(&r, 120); /* a file may lie */
		craft_decode(&c, f.link, n, f.wirelen, &p);
		check_sane(&p, &f);
	}
}

/* Good packets with a few bytes changed get further into the decoders. And
 * whatever the link in front, the same IP packet says the same: so the way of
 * plain Ethernet frames, which is a short cut, beside that of raw ones. */
static void changed_packets_say_the_same_behind_every_link(void **state)
{
	static const uint8_t protos[] = {PROTO_TCP,  PROTO_UDP,	     PROTO_ICMP,    PROTO_ICMPV6,
					 PROTO_SCTP, PROTO_FRAGMENT, PROTO_HOPOPTS, PROTO_AH};
	struct random r = {2};
	unsigned counted = 0;

	(void)state;
	for (unsigned round = 0; round < 100000; round++) {
		const uint8_t family = families[random_below(&r, 2)];
		struct craft raw = {0}, ethernet = {0};
		size_t cap, wire;
		struct pkt p, q;

		craft_ip(&raw, family, (uint8_t)random_below(&r, 3), (uint8_t)random_below(&r, 3),
			 protos[random_below(&r, COUNT(protos))], 60);
		while (raw.n < (family == ADDR_V4 ? 80u : 100u))
			craft_be(&raw, 1, random_below(&r, 3) ? random_below(&r, 256) : 0);
		for (unsigned k = random_below(&r, 4); k; k--)
			raw.b[random_below(&r, (uint32_t)raw.n)] = (uint8_t)random_next(&r);
		if (random_below(&r, 8) == 0)
			craft_set(&raw, family == ADDR_V4 ? 2 : 4, 2, random_below(&r, 120));
		craft_ethernet(&ethernet, family == ADDR_V4 ? 0x0800 : 0x86dd);
		memcpy(ethernet.b + 14, raw.b, raw.n);
		ethernet.n = raw.n + 14;
		cap = random_below(&r, 2) ? raw.n : random_below(&r, (uint32_t)raw.n + 1);
		wire = raw.n - 2 + random_below(&r, 5);
		craft_decode(&raw, family == ADDR_V4 ? LINK_IPV4 : LINK_IPV6, cap, wire, &p);
		craft_decode(&ethernet, LINK_ETHERNET, cap + 14, wire + 14, &q);
		expect(p.verdict == q.verdict, 2, round);
		if (p.verdict != PKT_OK)
			continue;
		counted++;
		expect(memcmp(&p.key, &q.key, sizeof(p.key)) == 0, 2, round);
		expect(p.ip_bytes == q.ip_bytes && p.class == q.class && p.kind == q.kind, 2,
		       round);
		expect(p.side == q.side && p.family == q.family, 2, round);
		expect(p.tcp_flags == q.tcp_flags && p.is_reply == q.is_reply, 2, round);
		expect(p.ts_ns == q.ts_ns && p.way == q.way, 2, round);
		if (p.kind == PKT_KIND_ICMP_ERROR)
			expect(p.quoted == q.quoted, 2, round);
		if (p.kind != PKT_KIND_FLOW)
			expect(memcmp(p.own, q.own, sizeof(p.own)) == 0, 2, round);
	}
	assert_true(counted > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_read_of_every_protocol_that_has_them),
		cmocka_unit_test(icmp_of_the_other_version_is_just_a_protocol),
		cmocka_unit_test(both_directions_have_one_key),
		cmocka_unit_test(ipv4_options_need_not_be_captured),
		cmocka_unit_test(lengths_that_cannot_be_are_malformed),
		cmocka_unit_test(padding_behind_a_packet_is_not_read_as_ports),
		cmocka_unit_test(fragments_but_the_first_have_no_ports),
		cmocka_unit_test(extension_chains_are_walked_as_far_as_captured),
		cmocka_unit_test(fragments_of_ipv6_carry_their_identification),
		cmocka_unit_test(later_fragments_of_ipv6_are_of_the_protocol_that_they_name),
		cmocka_unit_test(ah_of_ipv4_is_another_protocol),
		cmocka_unit_test(endless_chains_end_with_their_packet),
		cmocka_unit_test(random_bytes_of_every_link_type_get_a_verdict),
		cmocka_unit_test(changed_packets_say_the_same_behind_every_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
