/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_decap_paths.c - tunnels beside everything else that is told of a frame:
 * fragments, ICMP errors, merged segments, layers, the two ways of decoding.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tunnels.h"

static uint64_t seen_layer(const struct pkt_decoder *d, unsigned layer)
{
	return layer_counter_read(&d->counts, LAYER_SEEN + layer);
}

/* --- fragments ---------------------------------------------------------------- */

static void a_fragment_of_a_tunnel_stays_closed(void **state)
{
	static const uint16_t fields[] = {0x2000, 0x2001, 0x0001, 0x1fff};
	struct onion o;

	(void)state;
	for (size_t i = 0; i < TUNNELS; i++)
		for (unsigned n = 0; n < 4; n++) {
			const bool is_first = fields[n] == 0x2000;
			const bool is_udp = tunnels[i].port != 0;
			/* A later one has no header that tells more than IP's. */
			const uint8_t kind = is_first || tunnels[i].kind != DECAP_ERSPAN
						     ? tunnels[i].kind
						     : DECAP_GRE;
			struct pkt_decoder d = onion_decoder(DECAP_ALL);
			struct pkt p, as_it_is;

			if (tunnels[i].outer == ADDR_V6)
				continue;
			tunnel_inner(&o, tunnels[i].inner);
			tunnel_put(&o, &tunnels[i], ADDR_V4);
			onion_at(&o)[6] = (uint8_t)(fields[n] >> 8);
			onion_at(&o)[7] = (uint8_t)fields[n];
			onion_decode(NULL, &o, LINK_RAW, o.n, &as_it_is);
			onion_decode(&d, &o, LINK_RAW, o.n, &p);
			assert_true(onion_same(&p, &as_it_is));
			assert_int_equal(p.kind, is_first ? PKT_KIND_FLOW : PKT_KIND_FRAGMENT);
			assert_int_equal(onion_opened(&d, kind), 0);
			assert_int_equal(onion_seen(&d, kind), is_first || !is_udp);
			assert_int_equal(onion_unreadable(&d, kind), is_first || !is_udp);
		}
}

static void an_ipv6_fragment_of_a_tunnel_stays_closed_unless_it_is_all(void **state)
{
	static const struct {
		const char *fragment;
		bool is_whole;
	} headers[] = {
		{"2f00 0000 12345678", true},
		{"2f00 0001 12345678", false},
		{"2f00 0008 12345678", false},
		{"2f00 0009 12345678", false},
	};
	struct onion o;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct pkt p, inner, outer;

		tunnel_inner(&o, ADDR_V4);
		onion_decode(NULL, &o, LINK_RAW, o.n, &inner);
		onion_hex(&o, "0000 0800");
		onion_hex(&o, headers[i].fragment);
		onion_ip(&o, ADDR_V6, 11, 12, PROTO_FRAGMENT);
		onion_decode(NULL, &o, LINK_RAW, o.n, &outer);
		onion_decode(&d, &o, LINK_RAW, o.n, &p);
		assert_true(onion_same(&p, headers[i].is_whole ? &inner : &outer));
		assert_int_equal(onion_seen(&d, DECAP_GRE), 1);
		assert_int_equal(onion_opened(&d, DECAP_GRE), headers[i].is_whole);
		assert_int_equal(onion_unreadable(&d, DECAP_GRE), !headers[i].is_whole);
	}
}

static void a_fragment_inside_a_tunnel_is_one(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct onion o;
	struct pkt p;

	(void)state;
	tunnel_inner(&o, ADDR_V4);
	onion_at(&o)[6] = 0x00;
	onion_at(&o)[7] = 0x10;
	onion_ip(&o, ADDR_V4, 11, 12, PROTO_IPIP);
	onion_decode(&d, &o, LINK_RAW, o.n, &p);
	assert_int_equal(p.kind, PKT_KIND_FRAGMENT);
	assert_int_equal(p.fragment, PKT_LATER);
	assert_int_equal(p.frag_id, 0x1234);
	assert_int_equal(p.ip_bytes, 140);
	assert_int_equal(pkt_src(&p)->b[3], 1);
}

static void extension_headers_before_a_tunnel_are_stepped_over(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct pkt p, inner;
	struct onion o;

	(void)state;
	tunnel_inner(&o, ADDR_V6);
	onion_decode(NULL, &o, LINK_RAW, o.n, &inner);
	onion_hex(&o, "2900 0401 0401 0100"); /* tunnel encapsulation limit, RFC 2473 */
	onion_ip(&o, ADDR_V6, 11, 12, PROTO_DSTOPTS);
	onion_decode(&d, &o, LINK_RAW, o.n, &p);
	assert_true(onion_same(&p, &inner));
	assert_int_equal(onion_opened(&d, DECAP_IP6IP6), 1);
}

/* --- ICMP errors ---------------------------------------------------------------- */

static void an_icmp_error_about_a_tunnel_is_about_the_tunnel(void **state)
{
	struct onion o;

	(void)state;
	for (size_t i = 0; i < TUNNELS; i++) {
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct pkt p;

		if (tunnels[i].outer == ADDR_V6)
			continue;
		tunnel_inner(&o, tunnels[i].inner);
		tunnel_put(&o, &tunnels[i], ADDR_V4);
		onion_hex(&o, "0304 0000 0000 0578");
		onion_ip(&o, ADDR_V4, 12, 11, PROTO_ICMP);
		onion_decode(&d, &o, LINK_RAW, o.n, &p);
		assert_int_equal(p.kind, PKT_KIND_ICMP_ERROR);
		assert_int_equal(p.quoted, PKT_QUOTE_WHOLE);
		assert_int_equal(p.key.proto, tunnels[i].proto);
		assert_int_equal(p.key.addr[0].b[3], 11);
		assert_int_equal(p.key.addr[1].b[3], 12);
		for (unsigned k = 0; k < DECAP_KINDS; k++)
			assert_int_equal(onion_seen(&d, k), 0);
	}
}

static void an_icmp_error_inside_a_tunnel_is_about_what_it_quotes(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct pkt p, alone;
	struct onion o;

	(void)state;
	tunnel_inner(&o, ADDR_V4);
	onion_hex(&o, "0301 0000 0000 0000");
	onion_ip(&o, ADDR_V4, 3, 1, PROTO_ICMP);
	onion_decode(NULL, &o, LINK_RAW, o.n, &alone);
	onion_hex(&o, "0000 0800");
	onion_ip(&o, ADDR_V4, 11, 12, PROTO_GRE);
	onion_decode(&d, &o, LINK_RAW, o.n, &p);
	assert_int_equal(p.kind, PKT_KIND_ICMP_ERROR);
	assert_true(onion_same(&p, &alone));
}

/* --- frames that a switch cut ----------------------------------------------------- */

/* An ERSPAN frame of which the switch kept 54 bytes, marked as cut or not. */
static enum pkt_verdict decode_cut(struct pkt_decoder *d, const char *headers, struct pkt *p)
{
	struct onion o;
	struct onion kept = {0};

	tunnel_inner(&o, ADDR_V4);
	onion_put(&kept, onion_at(&o), 40);
	onion_hex(&kept, headers);
	onion_ip(&kept, ADDR_V4, 11, 12, PROTO_GRE);
	return onion_decode(d, &kept, LINK_RAW, kept.n, p);
}

static void a_frame_that_the_switch_cut_counts_whole(void **state)
{
	static const char *const marked[] = {
		"1000 88be 00000001 1064 0401 00000002 " TUNNEL_MACS "0800",
		"1000 22eb 00000001 2064 0401 00000002 0000 8000 " TUNNEL_MACS "0800",
		"1000 22eb 00000001 2064 0401 00000002 0000 8000 " TUNNEL_MACS "8100 0001 0800",
	};
	static const char *const unmarked[] = {
		"0000 88be " TUNNEL_MACS "0800",
		"1000 88be 00000001 1064 0001 00000002 " TUNNEL_MACS "0800",
		"1000 22eb 00000001 2064 0001 00000002 0000 8000 " TUNNEL_MACS "0800",
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct pkt p;

		assert_int_equal(decode_cut(&d, marked[i], &p), PKT_OK);
		assert_int_equal(p.key.proto, PROTO_TCP);
		assert_int_equal(p.key.port[p.side], 40000);
		assert_int_equal(p.ip_bytes, 140);
		assert_int_equal(onion_opened(&d, DECAP_ERSPAN), 1);

		assert_int_equal(decode_cut(&d, unmarked[i], &p), PKT_OK);
		assert_int_equal(p.key.proto, PROTO_GRE);
		assert_int_equal(onion_unreadable(&d, DECAP_ERSPAN), 1);
	}
}

static void only_the_next_packet_may_be_cut(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct onion o, kept = {0};
	struct pkt p;

	(void)state;
	tunnel_inner(&o, ADDR_V4);
	onion_at(&o)[2] = 0xff; /* its length is above its tunnel's */
	onion_ip(&o, ADDR_V4, 21, 22, PROTO_IPIP);
	onion_put(&kept, onion_at(&o), 60);
	onion_hex(&kept, "1000 88be 00000001 1064 0401 00000002 " TUNNEL_MACS "0800");
	onion_ip(&kept, ADDR_V4, 11, 12, PROTO_GRE);
	onion_decode(&d, &kept, LINK_RAW, kept.n, &p);
	assert_int_equal(p.key.proto, PROTO_IPIP);
	assert_int_equal(p.ip_bytes, 160);
	assert_int_equal(onion_opened(&d, DECAP_ERSPAN), 1);
	assert_int_equal(onion_unreadable(&d, DECAP_IPIP), 1);
}

/* --- merged segments ---------------------------------------------------------------- */

static void segments_inside_a_tunnel_have_the_inner_headers(void **state)
{
	struct onion o;

	(void)state;
	for (size_t i = 0; i < TUNNELS; i++) {
		const uint8_t outer = tunnels[i].outer ? tunnels[i].outer : ADDR_V4;
		const unsigned headers = tunnels[i].inner == ADDR_V4 ? 40 : 60;
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct frame f;
		struct pkt p;

		o.n = 0;
		onion_fill(&o, 1000, 0x55);
		onion_tcp(&o, 40000, 443, PKT_TCP_ACK);
		onion_ip(&o, tunnels[i].inner, 1, 2, PROTO_TCP);
		tunnel_put(&o, &tunnels[i], outer);
		f = onion_frame(onion_at(&o), LINK_RAW, o.n, o.n);
		f.gso_proto = PROTO_TCP;
		f.gso_size = 300;
		assert_int_equal(pkt_decode_with(&d, &f, &p), PKT_OK);
		assert_int_equal(p.packets, 4);
		assert_int_equal(p.ip_bytes, 1000 + 4 * headers);
	}
}

static void a_merged_tunnel_that_is_not_opened_is_what_it_was(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct onion o = {0};
	struct pkt p, q;
	struct frame f;

	(void)state;
	onion_fill(&o, 1000, 0x55);
	onion_udp(&o, 55555, 4789);
	onion_ip(&o, ADDR_V4, 11, 12, PROTO_UDP);
	f = onion_frame(onion_at(&o), LINK_RAW, o.n, o.n);
	f.gso_proto = PROTO_UDP;
	f.gso_size = 300;
	assert_int_equal(pkt_decode(&f, &p), PKT_OK);
	assert_int_equal(p.packets, 4);
	assert_int_equal(pkt_decode_with(&d, &f, &q), PKT_OK);
	assert_true(onion_same(&p, &q));
	assert_int_equal(onion_unreadable(&d, DECAP_VXLAN), 1);
}

/* A kernel leaves the length of what is above 64 KiB at 0, in both headers. */
static void lengths_of_0_are_what_is_left_of_the_frame(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct frame f;
	struct onion o;
	struct pkt p;

	(void)state;
	tunnel_inner(&o, ADDR_V4);
	onion_at(&o)[2] = onion_at(&o)[3] = 0;
	onion_hex(&o, "0000 0800");
	onion_ip(&o, ADDR_V4, 11, 12, PROTO_GRE);
	onion_at(&o)[2] = onion_at(&o)[3] = 0;
	f = onion_frame(onion_at(&o), LINK_RAW, o.n, 100000);
	assert_int_equal(pkt_decode_with(&d, &f, &p), PKT_OK);
	assert_int_equal(p.key.proto, PROTO_TCP);
	assert_int_equal(p.ip_bytes, 100000 - 24);
}

/* --- ports, layers and both ways of decoding ------------------------------------------ */

static void ports_can_be_set_and_either_tells(void **state)
{
	const struct decap_conf conf = {.kinds = DECAP_ALL,
					.vxlan_port = 8472,
					.vxlan_gpe_port = 8473,
					.geneve_port = 8474,
					.gtpu_port = 8475};
	static const struct {
		uint16_t port;
		uint8_t kind;
		const char *hex;
	} ports[] = {
		{8472, DECAP_VXLAN, "08000000 00002a00 " TUNNEL_MACS "0800"},
		{8473, DECAP_VXLAN, "0c000001 00002a00"},
		{8474, DECAP_GENEVE, "0000 0800 00002a00"},
		{8475, DECAP_GTPU, "30 ff 008c 0000002a"},
		{4789, DECAP_KINDS, "08000000 00002a00 " TUNNEL_MACS "0800"},
		{4790, DECAP_KINDS, "0c000001 00002a00"},
		{6081, DECAP_KINDS, "0000 0800 00002a00"},
		{2152, DECAP_KINDS, "30 ff 008c 0000002a"},
	};
	struct pkt_decoder d;
	struct onion o;
	struct pkt p;

	(void)state;
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		for (unsigned link = 0; link < 2; link++)
			for (unsigned to = 0; to < 2; to++) {
				const bool is_open = ports[i].kind < DECAP_KINDS;

				pkt_decoder_init(&d, &conf);
				tunnel_inner(&o, ADDR_V4);
				onion_hex(&o, ports[i].hex);
				onion_udp(&o, to ? 55555 : ports[i].port,
					  to ? ports[i].port : 55555);
				onion_ip(&o, ADDR_V4, 11, 12, PROTO_UDP);
				if (link)
					onion_ethernet(&o, 0x0800);
				onion_decode(&d, &o, link ? LINK_ETHERNET : LINK_RAW, o.n, &p);
				assert_int_equal(p.class, is_open ? PKT_TCP : PKT_UDP);
				for (unsigned k = 0; k < DECAP_KINDS; k++)
					assert_int_equal(onion_seen(&d, k),
							 is_open && k == ports[i].kind);
			}
	}
}

/* The walk and the short way in front of it count the same. */
static void every_udp_port_is_seen_alike_on_both_ways(void **state)
{
	struct pkt_decoder walk = onion_decoder(0), fast = onion_decoder(0);

	(void)state;
	for (uint32_t port = 0; port < 65536; port++) {
		struct onion o = {0};
		struct pkt p;

		onion_fill(&o, 20, 0);
		if (port & 2)
			onion_udp(&o, (uint16_t)port, 55555);
		else
			onion_udp(&o, 55555, (uint16_t)port);
		onion_ip(&o, ADDR_V4 + (port & 1) * 2, 11, 12, PROTO_UDP);
		onion_decode(&walk, &o, LINK_RAW, o.n, &p);
		onion_ethernet(&o, port & 1 ? 0x86dd : 0x0800);
		onion_decode(&fast, &o, LINK_ETHERNET, o.n, &p);
		assert_int_equal(p.key.port[port & 2 ? p.side : !p.side], port);
	}
	assert_memory_equal(&walk.counts, &fast.counts, sizeof(walk.counts));
	assert_int_equal(onion_seen(&fast, DECAP_VXLAN), 2);
	assert_int_equal(onion_seen(&fast, DECAP_GENEVE), 1);
	assert_int_equal(onion_seen(&fast, DECAP_GTPU), 1);
}

static void layers_are_counted_where_they_are(void **state)
{
	static const struct {
		const char *hex;
		unsigned vlan, qinq, mpls, pppoe;
	} frames[] = {
		{TUNNEL_MACS "0800", 0, 0, 0, 0},
		{TUNNEL_MACS "8100 0001 0800", 1, 0, 0, 0},
		{TUNNEL_MACS "8100 0001 8100 0002 0800", 2, 0, 0, 0},
		{TUNNEL_MACS "88a8 0001 8100 0002 0800", 1, 1, 0, 0},
		{TUNNEL_MACS "9100 0001 9200 0002 9300 0003 0800", 0, 3, 0, 0},
		{TUNNEL_MACS "8847 00010040 00020140", 0, 0, 1, 0},
		{TUNNEL_MACS "8100 0001 8864 1100 0001 0100 0021", 1, 0, 0, 1},
		{TUNNEL_MACS "8864 1100 0001 0100 0281 00020140", 0, 0, 1, 1},
		{TUNNEL_MACS
		 "0800 450000b600000000402f0000 0b000001 0b000002 0000 6558 " TUNNEL_MACS
		 "8100 0001 0800",
		 1, 0, 0, 0},
	};
	struct onion o;

	(void)state;
	for (unsigned i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		for (unsigned tag = 0; tag < 3; tag++) {
			struct pkt_decoder d = onion_decoder(DECAP_ALL);
			struct frame f;
			struct pkt p;

			tunnel_inner(&o, ADDR_V4);
			onion_hex(&o, frames[i].hex);
			f = onion_frame(onion_at(&o), LINK_ETHERNET, o.n, o.n);
			f.vlan_tpid = tag == 1 ? 0x8100 : tag == 2 ? 0x88a8 : 0;
			assert_int_equal(pkt_decode_with(&d, &f, &p), PKT_OK);
			assert_int_equal(p.ip_bytes, 140);
			assert_int_equal(seen_layer(&d, LAYER_VLAN), frames[i].vlan + (tag == 1));
			assert_int_equal(seen_layer(&d, LAYER_QINQ), frames[i].qinq + (tag == 2));
			assert_int_equal(seen_layer(&d, LAYER_MPLS), frames[i].mpls);
			assert_int_equal(seen_layer(&d, LAYER_PPPOE), frames[i].pppoe);
		}
}

static void the_way_and_the_worker_of_a_tunnel_are_the_outer_frames(void **state)
{
	struct pkt_decoder d = onion_decoder(DECAP_ALL);
	struct onion o, outer, inside;
	struct frame f, g;
	struct pkt p;

	(void)state;
	for (unsigned n = 2; n <= 8; n++)
		for (uint8_t inner = 0; inner < 20; inner++) {
			o.n = 0;
			onion_tcp(&o, 1, 2, 0);
			onion_ip(&o, ADDR_V4, inner, 99, PROTO_TCP);
			onion_ip(&o, ADDR_V4, 11, 12, PROTO_IPIP);
			f = onion_frame(onion_at(&o), LINK_RAW, o.n, o.n);
			f.way = FRAME_WAY_OUT;
			outer.n = 0;
			onion_ip(&outer, ADDR_V4, 12, 11, 50);
			g = onion_frame(onion_at(&outer), LINK_RAW, outer.n, outer.n);
			assert_int_equal(pkt_decode_with(&d, &f, &p), PKT_OK);
			assert_int_equal(p.way, FRAME_WAY_OUT);
			assert_int_equal(p.class, PKT_TCP);
			assert_int_equal(p.ts_ns, f.ts_ns);
			assert_int_equal(pkt_fanout(&f, n), pkt_fanout(&g, n));
			inside.n = 0;
			onion_ip(&inside, ADDR_V4, 99, inner, 50);
			g = onion_frame(onion_at(&inside), LINK_RAW, inside.n, inside.n);
			assert_int_equal(pkt_fanout_with(&d, &f, n), pkt_fanout(&g, n));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fragment_of_a_tunnel_stays_closed),
		cmocka_unit_test(an_ipv6_fragment_of_a_tunnel_stays_closed_unless_it_is_all),
		cmocka_unit_test(a_fragment_inside_a_tunnel_is_one),
		cmocka_unit_test(extension_headers_before_a_tunnel_are_stepped_over),
		cmocka_unit_test(an_icmp_error_about_a_tunnel_is_about_the_tunnel),
		cmocka_unit_test(an_icmp_error_inside_a_tunnel_is_about_what_it_quotes),
		cmocka_unit_test(a_frame_that_the_switch_cut_counts_whole),
		cmocka_unit_test(only_the_next_packet_may_be_cut),
		cmocka_unit_test(segments_inside_a_tunnel_have_the_inner_headers),
		cmocka_unit_test(a_merged_tunnel_that_is_not_opened_is_what_it_was),
		cmocka_unit_test(lengths_of_0_are_what_is_left_of_the_frame),
		cmocka_unit_test(ports_can_be_set_and_either_tells),
		cmocka_unit_test(every_udp_port_is_seen_alike_on_both_ways),
		cmocka_unit_test(layers_are_counted_where_they_are),
		cmocka_unit_test(the_way_and_the_worker_of_a_tunnel_are_the_outer_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
