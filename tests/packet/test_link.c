/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_link.c - every link header, tag, label and session that is stepped
 * through, with one UDP packet of either version below.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "craft.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes of a header in front of IP, as text of hex digits. */
struct header {
	const char *name;
	uint16_t link;
	uint8_t family; /* of what follows */
	const char *hex;
};

#define MACS "020202020202060606060606"

static const struct header steps[] = {
	{"Ethernet", LINK_ETHERNET, 4, MACS "0800"},
	{"Ethernet", LINK_ETHERNET, 6, MACS "86dd"},
	{"802.1Q", LINK_ETHERNET, 4, MACS "8100000a0800"},
	{"802.1Q", LINK_ETHERNET, 6, MACS "8100e00a86dd"},
	{"802.1ad", LINK_ETHERNET, 4, MACS "88a800640800"},
	{"0x9100", LINK_ETHERNET, 4, MACS "910000640800"},
	{"0x9200", LINK_ETHERNET, 4, MACS "920000640800"},
	{"0x9300", LINK_ETHERNET, 6, MACS "9300006486dd"},
	{"QinQ", LINK_ETHERNET, 4, MACS "88a800648100000a0800"},
	{"five tags", LINK_ETHERNET, 6,
	 MACS "88a8006491000001920000029300000381000004"
	      "86dd"},
	{"MPLS", LINK_ETHERNET, 4,
	 MACS "8847"
	      "00010140"},
	{"MPLS", LINK_ETHERNET, 6,
	 MACS "8847"
	      "00010140"},
	{"MPLS multicast", LINK_ETHERNET, 4,
	 MACS "8848"
	      "00010140"},
	{"three labels", LINK_ETHERNET, 6,
	 MACS "8847"
	      "00010040"
	      "fffffeff"
	      "00011140"},
	{"tag and labels", LINK_ETHERNET, 4,
	 MACS "8100000a8847"
	      "00010040"
	      "00010140"},
	{"PPPoE", LINK_ETHERNET, 4,
	 MACS "8864"
	      "11000001ffff"
	      "0021"},
	{"PPPoE", LINK_ETHERNET, 6,
	 MACS "8864"
	      "110000010000"
	      "0057"},
	{"PPPoE, short protocol", LINK_ETHERNET, 4,
	 MACS "8864"
	      "110000010000"
	      "21"},
	{"PPPoE in a tag", LINK_ETHERNET, 4,
	 MACS "810000078864"
	      "110000010000"
	      "0021"},
	{"MPLS in PPPoE", LINK_ETHERNET, 4,
	 MACS "8864"
	      "110000010000"
	      "0281"
	      "00010140"},
	{"SLL", LINK_LINUX_SLL, 4,
	 "0000000100060202020202020000"
	 "0800"},
	{"SLL", LINK_LINUX_SLL, 6,
	 "0004000100060202020202020000"
	 "86dd"},
	{"SLL, 802.1Q", LINK_LINUX_SLL, 4,
	 "0000000100060202020202020000"
	 "8100000a0800"},
	{"SLL2", LINK_LINUX_SLL2, 4,
	 "0800"
	 "00000000000200010006"
	 "0202020202020000"},
	{"SLL2", LINK_LINUX_SLL2, 6,
	 "86dd"
	 "00000000000200010406"
	 "0202020202020000"},
	{"SLL2, 802.1ad", LINK_LINUX_SLL2, 4,
	 "88a8"
	 "00000000000200010006"
	 "0202020202020000"
	 "000a0800"},
	{"raw 12", LINK_RAW_12, 4, ""},
	{"raw 12", LINK_RAW_12, 6, ""},
	{"raw 14", LINK_RAW_14, 4, ""},
	{"raw 14", LINK_RAW_14, 6, ""},
	{"raw", LINK_RAW, 4, ""},
	{"raw", LINK_RAW, 6, ""},
	{"IPv4", LINK_IPV4, 4, ""},
	{"IPv6", LINK_IPV6, 6, ""},
	{"NULL, little-endian", LINK_NULL, 4, "02000000"},
	{"NULL, big-endian", LINK_NULL, 4, "00000002"},
	{"NULL of Linux", LINK_NULL, 6, "0a000000"},
	{"NULL of NetBSD", LINK_NULL, 6, "18000000"},
	{"NULL of FreeBSD", LINK_NULL, 6, "1c000000"},
	{"NULL of macOS", LINK_NULL, 6, "1e000000"},
	{"NULL of macOS, big-endian", LINK_NULL, 6, "0000001e"},
	{"LOOP", LINK_LOOP, 4, "00000002"},
	{"LOOP of OpenBSD", LINK_LOOP, 6, "00000018"},
	{"LOOP, little-endian", LINK_LOOP, 6, "18000000"},
	{"PPP", LINK_PPP, 4, "0021"},
	{"PPP", LINK_PPP, 6, "0057"},
	{"PPP, short protocol", LINK_PPP, 6, "57"},
	{"PPP with address and control", LINK_PPP, 4, "ff030021"},
	{"PPP, all short but those", LINK_PPP, 4, "ff0321"},
	{"PPP-HDLC", LINK_PPP_HDLC, 4, "ff030021"},
	{"PPP-HDLC", LINK_PPP_HDLC, 6, "ff030057"},
	{"PPP-HDLC of Cisco", LINK_PPP_HDLC, 4, "0f000800"},
	{"PPP-HDLC of Cisco, multicast", LINK_PPP_HDLC, 6, "8f0086dd"},
	{"MPLS in PPP", LINK_PPP_HDLC, 4,
	 "ff030281"
	 "00010140"},
	{"C-HDLC", LINK_C_HDLC, 4, "0f000800"},
	{"C-HDLC", LINK_C_HDLC, 6, "8f0086dd"},
	{"MPLS in C-HDLC", LINK_C_HDLC, 6,
	 "0f008847"
	 "00010140"},
};

static void put_hex(struct craft *c, const char *hex)
{
	for (; *hex; hex += 2) {
		const char two[3] = {hex[0], hex[1], '\0'};

		craft_be(c, 1, (uint32_t)strtoul(two, NULL, 16));
	}
}

/* The header, and 10.0.0.1:1000 -> 10.0.0.2:53 or the same in IPv6. */
static void put_all(struct craft *c, const struct header *h)
{
	memset(c, 0, sizeof(*c));
	put_hex(c, h->hex);
	c->ip = c->n;
	craft_ip(c, h->family, 1, 2, PROTO_UDP, 8 + 5);
	craft_udp(c, 1000, 53);
	craft_fill(c, 5, 0x99);
}

static void every_link_header_leads_to_its_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct header *h = &steps[i];
		const struct addr src = craft_addr(h->family, 1), dst = craft_addr(h->family, 2);
		struct craft c;
		struct pkt p;

		put_all(&c, h);
		if (craft_decode(&c, h->link, c.n, c.n, &p) != PKT_OK)
			fail_msg("%s, IPv%u: %s", h->name, h->family,
				 pkt_verdict_name((enum pkt_verdict)p.verdict));
		assert_int_equal(p.verdict, PKT_OK);
		assert_int_equal(p.kind, PKT_KIND_FLOW);
		assert_int_equal(p.class, PKT_UDP);
		assert_int_equal(p.family, h->family);
		assert_int_equal(p.key.family, h->family);
		assert_int_equal(p.key.proto, PROTO_UDP);
		assert_int_equal(p.key.zero, 0);
		assert_int_equal(p.ip_bytes, c.n - c.ip);
		assert_int_equal(p.ts_ns, 1700000000123456789);
		assert_int_equal(p.tcp_flags, 0);
		assert_true(addr_equal(pkt_src(&p), &src));
		assert_true(addr_equal(pkt_dst(&p), &dst));
		assert_int_equal(p.key.port[p.side], 1000);
		assert_int_equal(p.key.port[!p.side], 53);
	}
}

/* What a cut leaves: no whole link header is not_ip, no whole IP header is
 * malformed, and everything behind that is counted whole. */
static void every_cut_is_judged_by_the_header_that_it_hits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct header *h = &steps[i];
		const size_t ip_header = h->family == ADDR_V4 ? 20 : 40;
		struct craft c;
		struct pkt p;

		put_all(&c, h);
		for (size_t cap = 0; cap <= c.n; cap++) {
			const bool has_ports = cap >= c.ip + ip_header + 4;
			enum pkt_verdict want = PKT_OK;

			if (cap < c.ip)
				want = PKT_NOT_IP_CUT;
			else if (cap < c.ip + ip_header)
				want = PKT_MALFORMED_CUT;
			/* Below a label only the first nibble says what it is. */
			if (cap == c.ip && strstr(h->name, "MPLS"))
				want = PKT_NOT_IP_CUT;
			if (cap == c.ip && strstr(h->name, "label"))
				want = PKT_NOT_IP_CUT;
			if (craft_decode(&c, h->link, cap, c.n, &p) != want)
				fail_msg("%s, IPv%u, cut at %zu: %s, not %s", h->name, h->family,
					 cap, pkt_verdict_name((enum pkt_verdict)p.verdict),
					 pkt_verdict_name(want));
			if (want != PKT_OK)
				continue;
			assert_int_equal(p.ip_bytes, c.n - c.ip);
			assert_int_equal(p.key.port[p.side], has_ports ? 1000 : 0);
			assert_int_equal(p.key.port[!p.side], has_ports ? 53 : 0);
		}
	}
}

static void what_is_no_ip_is_said_to_be_none(void **state)
{
	static const struct {
		struct header h;
		enum pkt_verdict want;
	} others[] = {
		{{"ARP", LINK_ETHERNET, 4, MACS "0806"}, PKT_NOT_IP},
		{{"LLDP", LINK_ETHERNET, 4, MACS "88cc"}, PKT_NOT_IP},
		{{"LLC", LINK_ETHERNET, 4,
		  MACS "0026"
		       "424203"},
		 PKT_NOT_IP},
		{{"LLC/SNAP with IP", LINK_ETHERNET, 4,
		  MACS "0030"
		       "aaaa03"
		       "000000"
		       "0800"},
		 PKT_NOT_IP},
		{{"LLC in a tag", LINK_ETHERNET, 4,
		  MACS "8100000a"
		       "0026"},
		 PKT_NOT_IP},
		{{"the largest length", LINK_ETHERNET, 4, MACS "05dc"}, PKT_NOT_IP},
		{{"ARP in a tag", LINK_ETHERNET, 4,
		  MACS "8100000a"
		       "0806"},
		 PKT_NOT_IP},
		{{"PPPoE discovery", LINK_ETHERNET, 4,
		  MACS "8863"
		       "110900000000"
		       "0021"},
		 PKT_NOT_IP},
		{{"PPPoE of another code", LINK_ETHERNET, 4,
		  MACS "8864"
		       "11a700010000"
		       "0021"},
		 PKT_NOT_IP},
		{{"LCP in PPPoE", LINK_ETHERNET, 4,
		  MACS "8864"
		       "110000010000"
		       "c021"},
		 PKT_NOT_IP},
		{{"802.3 in SLL", LINK_LINUX_SLL, 4,
		  "0000000100060202020202020000"
		  "0004"},
		 PKT_NOT_IP},
		{{"ARP in SLL2", LINK_LINUX_SLL2, 4,
		  "0806"
		  "00000000000200010006"
		  "0202020202020000"},
		 PKT_NOT_IP},
		{{"AppleTalk in NULL", LINK_NULL, 4, "10000000"}, PKT_NOT_IP},
		{{"no family", LINK_NULL, 4, "00000000"}, PKT_NOT_IP},
		{{"both halves of a family", LINK_LOOP, 4, "02000002"}, PKT_NOT_IP},
		{{"IPCP", LINK_PPP, 4, "8021"}, PKT_NOT_IP},
		{{"address without control", LINK_PPP_HDLC, 4, "ff210021"}, PKT_NOT_IP},
		{{"SLARP", LINK_C_HDLC, 4, "8f008035"}, PKT_NOT_IP},
		{{"IEEE 802.11", 105, 4, ""}, PKT_NOT_IP_LINK},
		{{"a link type of no name", 65535, 4, ""}, PKT_NOT_IP_LINK},
		{{"IPv6 that is called IPv4", LINK_ETHERNET, 6, MACS "0800"},
		 PKT_MALFORMED_VERSION},
		{{"IPv4 that is called IPv6", LINK_ETHERNET, 4,
		  MACS "86dd"
		       "4500"},
		 PKT_MALFORMED_VERSION},
		{{"IPv6 in a link of IPv4", LINK_IPV4, 6, ""}, PKT_MALFORMED_VERSION},
		{{"version 5", LINK_RAW, 4, "55"}, PKT_MALFORMED_VERSION},
		{{"version 0", LINK_RAW_12, 6, "00"}, PKT_MALFORMED_VERSION},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		const struct header *h = &others[i].h;
		struct craft c;
		struct pkt p;

		put_all(&c, h);
		craft_fill(&c, 20, 0x45);
		if (craft_decode(&c, h->link, c.n, c.n, &p) != others[i].want)
			fail_msg("%s: %s", h->name, pkt_verdict_name((enum pkt_verdict)p.verdict));
	}
}

static void label_stack_over_no_ip_is_not_ip_by_its_first_nibble(void **state)
{
	(void)state;
	for (unsigned nibble = 0; nibble < 16; nibble++) {
		struct craft c = {0};
		struct pkt p;
		enum pkt_verdict v;

		craft_ethernet(&c, 0x8847);
		craft_be(&c, 4, 0x00010140);
		craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 40);
		craft_fill(&c, 40, 0);
		c.b[18] = (uint8_t)(nibble << 4 | 5);
		v = craft_decode(&c, LINK_ETHERNET, c.n, c.n, &p);
		assert_int_equal(v == PKT_NOT_IP, nibble != 4 && nibble != 6);
		assert_int_equal(v == PKT_OK, nibble == 4);
	}
}

static void tag_that_the_nic_took_off_changes_nothing(void **state)
{
	struct craft c = {0};
	struct pkt p;
	struct frame f = {.data = c.b, .link = LINK_ETHERNET, .vlan_tci = 10, .vlan_tpid = 0x8100};

	(void)state;
	craft_ethernet(&c, 0x8100); /* the inner one of two is still there */
	craft_be(&c, 4, 0x00140800);
	craft_ipv4(&c, 1, 2, PROTO_UDP, 0, 8);
	craft_udp(&c, 1000, 53);
	f.caplen = f.wirelen = (uint32_t)c.n;
	assert_int_equal(pkt_decode(&f, &p), PKT_OK);
	assert_int_equal(p.ip_bytes, 28);
	assert_int_equal(p.key.port[p.side], 1000);
}

static void cooked_headers_tell_which_way_a_frame_went(void **state)
{
	static const uint8_t ways[] = {FRAME_WAY_IN,	FRAME_WAY_IN,  FRAME_WAY_IN,
				       FRAME_WAY_OTHER, FRAME_WAY_OUT, FRAME_WAY_UNKNOWN};

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct craft c = {0};
		struct pkt p;

		craft_fill(&c, 20, 0);
		c.b[1] = (uint8_t)i;
		c.b[14] = 8;
		assert_int_equal(craft_decode(&c, LINK_LINUX_SLL, 20, 20, &p), PKT_MALFORMED_CUT);
		assert_int_equal(p.way, ways[i]);
		memset(c.b, 0, 20);
		c.b[0] = 8;
		c.b[10] = (uint8_t)i;
		assert_int_equal(craft_decode(&c, LINK_LINUX_SLL2, 20, 20, &p), PKT_MALFORMED_CUT);
		assert_int_equal(p.way, ways[i]);
	}
	/* Elsewhere it is what the source said. */
	{
		struct craft c = {0};
		struct pkt p;

		craft_decode(&c, LINK_RAW, 0, 0, &p);
		assert_int_equal(p.way, FRAME_WAY_IN);
	}
}

/* The largest frame that a source hands on, with nothing but tags: each step
 * takes its bytes off, so the walk ends with the frame. */
static void frame_full_of_tags_is_walked_to_its_end(void **state)
{
	enum { BYTES = 65536 };
	static const struct {
		uint8_t tag[4];
		enum pkt_verdict want;
	} tags[] = {
		{{0x00, 0x01, 0x81, 0x00}, PKT_NOT_IP_CUT}, /* VLAN, and again VLAN */
		{{0x00, 0x01, 0x00, 0x40}, PKT_NOT_IP_CUT}, /* labels, none the last */
	};
	uint8_t *b = malloc(BYTES);

	(void)state;
	assert_non_null(b);
	for (size_t i = 0; i < COUNT(tags); i++) {
		const struct frame f = {
			.data = b, .caplen = BYTES, .wirelen = BYTES, .link = LINK_ETHERNET};
		struct pkt p;

		memset(b, 0, 14);
		b[12] = i ? 0x88 : 0x81;
		b[13] = i ? 0x47 : 0x00;
		for (size_t at = 14; at + 4 <= BYTES; at += 4)
			memcpy(b + at, tags[i].tag, 4);
		assert_int_equal(pkt_decode(&f, &p), tags[i].want);
	}
	free(b);
}

static void every_verdict_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PKT_VERDICTS; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(pkt_verdict_name((enum pkt_verdict)i),
						pkt_verdict_name((enum pkt_verdict)k));
	assert_string_equal(pkt_verdict_name(PKT_VERDICTS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_header_leads_to_its_packet),
		cmocka_unit_test(every_cut_is_judged_by_the_header_that_it_hits),
		cmocka_unit_test(what_is_no_ip_is_said_to_be_none),
		cmocka_unit_test(label_stack_over_no_ip_is_not_ip_by_its_first_nibble),
		cmocka_unit_test(tag_that_the_nic_took_off_changes_nothing),
		cmocka_unit_test(cooked_headers_tell_which_way_a_frame_went),
		cmocka_unit_test(frame_full_of_tags_is_walked_to_its_end),
		cmocka_unit_test(every_verdict_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
