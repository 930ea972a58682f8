/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tunnels.h - every tunnel header that is opened, with all that may be in it.
 */
#ifndef TESTS_PACKET_TUNNELS_H
#define TESTS_PACKET_TUNNELS_H

#include "onion.h"

#define TUNNEL_MACS "020202020202 060606060606 "

/* What an inner IP packet is put in: `hex`, then UDP if there is a port, then
 * the outer IP header. */
struct tunnel {
	const char *name;
	uint8_t kind;
	uint8_t outer; /* family; 0: either */
	uint8_t inner;
	uint8_t proto;
	uint16_t port;
	const char *hex;
};

#define GRE(name, inner, hex)                                                                      \
	{                                                                                          \
		name, DECAP_GRE, 0, inner, PROTO_GRE, 0, hex                                       \
	}
#define ERSPAN(name, inner, hex)                                                                   \
	{                                                                                          \
		name, DECAP_ERSPAN, 0, inner, PROTO_GRE, 0, hex                                    \
	}
#define VXLAN(name, inner, hex)                                                                    \
	{                                                                                          \
		name, DECAP_VXLAN, 0, inner, PROTO_UDP, 4789, hex                                  \
	}
#define GPE(name, inner, hex)                                                                      \
	{                                                                                          \
		name, DECAP_VXLAN, 0, inner, PROTO_UDP, 4790, hex                                  \
	}
#define GENEVE(name, inner, hex)                                                                   \
	{                                                                                          \
		name, DECAP_GENEVE, 0, inner, PROTO_UDP, 6081, hex                                 \
	}
#define GTPU(name, inner, hex)                                                                     \
	{                                                                                          \
		name, DECAP_GTPU, 0, inner, PROTO_UDP, 2152, hex                                   \
	}
#define NO_HEADER(name, kind, outer, inner, proto)                                                 \
	{                                                                                          \
		name, kind, outer, inner, proto, 0, ""                                             \
	}

static const struct tunnel tunnels[] = {
	NO_HEADER("IPv4 in IPv4", DECAP_IPIP, 4, 4, PROTO_IPIP),
	NO_HEADER("IPv6 in IPv4", DECAP_6IN4, 4, 6, PROTO_IPV6),
	NO_HEADER("IPv4 in IPv6", DECAP_4IN6, 6, 4, PROTO_IPIP),
	NO_HEADER("IPv6 in IPv6", DECAP_IP6IP6, 6, 6, PROTO_IPV6),

	GRE("GRE", 4, "0000 0800"),
	GRE("GRE", 6, "0000 86dd"),
	GRE("GRE, checksum", 4, "8000 0800 abcd0000"),
	GRE("GRE, key", 6, "2000 86dd 00000007"),
	GRE("GRE, sequence", 4, "1000 0800 00000001"),
	GRE("GRE, checksum, key, sequence", 4, "b000 0800 abcd0000 00000007 00000001"),
	GRE("GRE, no routes", 4, "4000 0800 00000000 00000000"),
	GRE("GRE, routes", 6,
	    "4800 86dd abcd0000 0800 04 08 0a000001 0a000002 fffe 00 03 010203 0000 00 00"),
	GRE("GRE, all of it", 4,
	    "f800 0800 abcd0000 00000007 00000001 0800 00 04 0a000001 00000000"),
	GRE("GRE, recursion bits", 4, "0300 0800"),
	GRE("GRE, MPLS", 4, "0000 8847 00010040 00020140"),
	GRE("GRE, multicast MPLS", 6, "2000 8848 00000007 00010140"),
	GRE("GRE, Ethernet", 4, "0000 6558 " TUNNEL_MACS "0800"),
	GRE("GRE, NVGRE", 6, "2000 6558 00123400 " TUNNEL_MACS "86dd"),
	GRE("GRE, Ethernet, tags", 4, "0000 6558 " TUNNEL_MACS "88a8 0064 8100 000a 0800"),
	GRE("GRE, Ethernet, tag, MPLS", 6, "0000 6558 " TUNNEL_MACS "8100 000a 8847 00010140"),
	GRE("GRE, Ethernet, PPPoE", 4, "0000 6558 " TUNNEL_MACS "8864 1100 0001 0100 0021"),

	ERSPAN("ERSPAN I", 4, "0000 88be " TUNNEL_MACS "0800"),
	ERSPAN("ERSPAN I, key", 6, "2000 88be 00000007 " TUNNEL_MACS "86dd"),
	ERSPAN("ERSPAN II", 4, "1000 88be 00000001 1064 0001 00000002 " TUNNEL_MACS "0800"),
	ERSPAN("ERSPAN II", 6, "1000 88be 00000001 1064 0001 00000002 " TUNNEL_MACS "86dd"),
	ERSPAN("ERSPAN II, checksum, key, tag", 4,
	       "b000 88be abcd0000 00000007 00000001 1064 0001 00000002 " TUNNEL_MACS
	       "8100 0064 0800"),
	ERSPAN("ERSPAN III", 4,
	       "1000 22eb 00000001 2064 0001 00000002 0000 8000 " TUNNEL_MACS "0800"),
	ERSPAN("ERSPAN III, subheader", 6,
	       "1000 22eb 00000001 2064 0001 00000002 0000 83f7 0102030405060708 " TUNNEL_MACS
	       "86dd"),
	ERSPAN("ERSPAN III, MPLS", 4,
	       "1000 22eb 00000001 2064 0001 00000002 0000 0000 " TUNNEL_MACS "8847 00010140"),
	ERSPAN("ERSPAN III, IP", 4, "1000 22eb 00000001 2064 0001 00000002 0000 0800"),
	ERSPAN("ERSPAN III, IP, subheader", 6,
	       "1000 22eb 00000001 2064 0001 00000002 0000 0801 0102030405060708"),

	VXLAN("VXLAN", 4, "08000000 00002a00 " TUNNEL_MACS "0800"),
	VXLAN("VXLAN", 6, "08000000 00002a00 " TUNNEL_MACS "86dd"),
	VXLAN("VXLAN, reserved bits", 4, "bbffff00 00002aff " TUNNEL_MACS "0800"),
	VXLAN("VXLAN, tags", 4, "08000000 00002a00 " TUNNEL_MACS "88a8 0064 8100 000a 0800"),
	VXLAN("VXLAN, MPLS", 6, "08000000 00002a00 " TUNNEL_MACS "8847 00010040 00020140"),
	VXLAN("GPE on VXLAN's port", 4, "0c000001 00002a00"),
	GPE("VXLAN on GPE's port", 4, "08000000 00002a00 " TUNNEL_MACS "0800"),
	GPE("GPE, no P bit", 4, "08000001 00002a00"),
	GPE("GPE, IPv4", 4, "0c000001 00002a00"),
	GPE("GPE, IPv6", 6, "0c000002 00002a00"),
	GPE("GPE, Ethernet", 6, "0c000003 00002a00 " TUNNEL_MACS "86dd"),
	GPE("GPE, MPLS", 4, "0c000005 00002a00 00010140"),
	GPE("GPE, BUM traffic", 4, "0e000001 00002a00"),

	GENEVE("GENEVE, Ethernet", 4, "0000 6558 00002a00 " TUNNEL_MACS "0800"),
	GENEVE("GENEVE, IPv4", 4, "0000 0800 00002a00"),
	GENEVE("GENEVE, IPv6", 6, "0000 86dd 00002a00"),
	GENEVE("GENEVE, an option", 4, "0200 6558 00002a00 0102 0101 aabbccdd " TUNNEL_MACS "0800"),
	GENEVE("GENEVE, critical options", 6,
	       "0540 86dd 00002a00 0102 8101 aabbccdd 0102 8202 0102030405060708"),
	GENEVE("GENEVE, tags", 4, "0000 6558 00002a00 " TUNNEL_MACS "8100 0064 8100 000a 0800"),
	GENEVE("GENEVE, MPLS", 4, "0000 8847 00002a00 00010140"),

	GTPU("GTP-U", 4, "30 ff 008c 0000002a"),
	GTPU("GTP-U", 6, "30 ff 00a0 0000002a"),
	GTPU("GTP-U, spare bit", 4, "38 ff 008c 0000002a"),
	GTPU("GTP-U, sequence", 4, "32 ff 0090 0000002a 0001 00 00"),
	GTPU("GTP-U, N-PDU number", 6, "31 ff 00a4 0000002a 0000 07 00"),
	/* without E, the type of a next extension says nothing */
	GTPU("GTP-U, sequence, junk", 4, "33 ff 0090 0000002a 0001 07 85"),
	GTPU("GTP-U, extension", 4, "34 ff 0094 0000002a 0000 00 85 01 1009 00"),
	GTPU("GTP-U, no extension after all", 4, "34 ff 0090 0000002a 0000 00 00"),
	GTPU("GTP-U, extensions", 6,
	     "37 ff 00b4 0000002a 0001 07 c0 01 1234 85 02 100901020304 32 01 0000 00"),
};

#define TUNNELS (sizeof(tunnels) / sizeof(tunnels[0]))

/* Puts what the onion holds, an IP packet of family t->inner, into the tunnel,
 * from address 11 to 12. outer: ADDR_V4 or ADDR_V6, one that t allows. */
static inline void tunnel_put(struct onion *o, const struct tunnel *t, uint8_t outer)
{
	onion_hex(o, t->hex);
	if (t->port)
		onion_udp(o, 55555, t->port);
	onion_ip(o, outer, 11, 12, t->proto);
}

/* The packet that most tests put in: 100 bytes of TCP, from 1 to 2. */
static inline void tunnel_inner(struct onion *o, uint8_t family)
{
	o->n = 0;
	onion_fill(o, 100, 0x55);
	onion_tcp(o, 40000, 443, PKT_TCP_SYN);
	onion_ip(o, family, 1, 2, PROTO_TCP);
}

/* Calls fn for every tunnel of each outer family, with it in the onion as a
 * raw IP packet, and the inner packet alone as it would be decoded. */
static inline void tunnels_each(void (*fn)(const struct tunnel *t, uint8_t outer, struct onion *o,
					   const struct pkt *inner))
{
	static struct onion o;

	for (size_t i = 0; i < TUNNELS; i++)
		for (uint8_t outer = ADDR_V4; outer <= ADDR_V6; outer += ADDR_V6 - ADDR_V4) {
			struct pkt inner;

			if (tunnels[i].outer && tunnels[i].outer != outer)
				continue;
			tunnel_inner(&o, tunnels[i].inner);
			onion_decode(NULL, &o, LINK_RAW, o.n, &inner);
			tunnel_put(&o, &tunnels[i], outer);
			fn(&tunnels[i], outer, &o, &inner);
		}
}

#endif
