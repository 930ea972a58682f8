/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pkt.h - what one frame says, once decoded.
 *
 * pkt_decode() is pure: it reads the frame it is given, writes one struct pkt
 * and nothing else. Any thread. It never allocates and never fails: a frame
 * that cannot be counted gets a verdict that says why.
 * Ports, lengths and identifiers are in host order, addresses in network order.
 */
#ifndef PACKET_PKT_H
#define PACKET_PKT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/frame.h"
#include "base/hash.h"

/* Every frame gets exactly one. The first is the good one; those up to
 * PKT_NOT_IP_LAST make the class not_ip, the others malformed. */
enum pkt_verdict {
	PKT_OK,
	PKT_NOT_IP,	 /* another protocol */
	PKT_NOT_IP_LINK, /* a link type that is not decoded */
	PKT_NOT_IP_CUT,	 /* a link, tag, label or PPPoE header not wholly captured */
	PKT_NOT_IP_LAST = PKT_NOT_IP_CUT,
	PKT_MALFORMED_CUT,     /* fewer than 20 or 40 bytes of IP header captured */
	PKT_MALFORMED_VERSION, /* a version other than the link layer said */
	PKT_MALFORMED_IHL,     /* IPv4 header length below 5 words */
	PKT_MALFORMED_SHORT,   /* a length below the header's */
	PKT_MALFORMED_LONG,    /* a length above the wire length */
	PKT_VERDICTS
};

/* The protocol classes that hosts are counted by. */
enum pkt_class { PKT_TCP, PKT_UDP, PKT_ICMP, PKT_OTHER, PKT_CLASSES };

/* What a packet is to a flow table. */
enum pkt_kind {
	PKT_KIND_FLOW,	     /* its key names its flow */
	PKT_KIND_ICMP_ERROR, /* about the flow it quotes: see enum pkt_quote */
	PKT_KIND_ICMP_OTHER, /* neighbour discovery and the like: no flow */
	PKT_KIND_FRAGMENT,   /* a later fragment: its ports are in another packet */
	PKT_KINDS
};

/* How much of the quoted flow an ICMP error tells. */
enum pkt_quote {
	PKT_QUOTE_NONE,	 /* nothing; key is the packet's own */
	PKT_QUOTE_ADDRS, /* the addresses in key are the quoted ones */
	PKT_QUOTE_WHOLE, /* the whole key is */
};

/* What a packet is of its datagram. An IPv6 packet with a fragment header that
 * is all of its datagram is whole. */
enum pkt_fragment {
	PKT_WHOLE,
	PKT_FIRST, /* at offset 0, and more to come */
	PKT_LATER, /* the same as PKT_KIND_FRAGMENT */
};

/* TCP flags, where they are in byte 13 of the header (RFC 9293). */
#define PKT_TCP_FIN 0x01
#define PKT_TCP_SYN 0x02
#define PKT_TCP_RST 0x04
#define PKT_TCP_ACK 0x10

/* IP protocol numbers that are looked into (IANA). */
enum pkt_proto {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_IPIP = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_IPV6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,
};

/* A connection, the same for both directions: side 0 is the lower address
 * (and the lower port where the addresses are equal). Without ports (ESP,
 * cut headers) they are 0; ICMP queries have see pkt_icmp_port(). Compared
 * and hashed as 40 bytes. */
struct pkt_key {
	struct addr addr[2];
	uint16_t port[2];
	uint8_t proto;
	uint8_t family; /* ADDR_V4 or ADDR_V6 */
	uint16_t zero;
};

/* Its bytes behind the addresses as one word, as they lie in memory. */
static inline uint64_t pkt_key_rest(uint16_t port0, uint16_t port1, uint8_t proto, uint8_t family)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return port0 | (uint32_t)port1 << 16 | (uint64_t)proto << 32 | (uint64_t)family << 40;
#else
	return (uint64_t)port0 << 48 | (uint64_t)port1 << 32 | (uint32_t)proto << 24 |
	       (uint32_t)family << 16;
#endif
}

/* A keyed hash of it, from its words; of IPv4 addresses only the first ones count.
 * Who knows the secret can make any number of keys collide; so it is random, and
 * no hash leaves the process. */
#define PKT_KEY_SECRETS 6

static inline uint64_t pkt_hash_ipv4(uint64_t addr0, uint64_t addr1, uint64_t rest,
				     const uint64_t s[PKT_KEY_SECRETS])
{
	return hash_fold(hash_fold(addr0 ^ s[0], addr1 ^ s[1]) ^ s[4], rest ^ s[5]);
}

static inline uint64_t pkt_hash_ipv6(const struct addr *addr0, const struct addr *addr1,
				     uint64_t rest, const uint64_t s[PKT_KEY_SECRETS])
{
	const uint64_t h = hash_fold(addr0->w[0] ^ s[0], addr1->w[0] ^ s[1]) +
			   hash_fold(addr0->w[1] ^ s[2], addr1->w[1] ^ s[3]);

	return hash_fold(h ^ s[4], rest ^ s[5]);
}

static inline uint64_t pkt_key_hash(const struct pkt_key *k, const uint64_t s[PKT_KEY_SECRETS])
{
	const uint64_t rest = pkt_key_rest(k->port[0], k->port[1], k->proto, k->family);

	if (k->family == ADDR_V4)
		return pkt_hash_ipv4(k->addr[0].w[0], k->addr[1].w[0], rest, s);
	return pkt_hash_ipv6(&k->addr[0], &k->addr[1], rest, s);
}

/* As many as the length fields of an IPv6 header can say. */
#define PKT_SIMPLE_BYTES (40 + 65535)

struct pkt {
	struct pkt_key key; /* the flow it belongs to, or quotes */
	uint64_t ts_ns;
	uint64_t hash;	   /* of key; filled by whoever has the secret */
	uint32_t guess;	   /* for whoever keeps flows: where its flow may be */
	uint32_t ip_bytes; /* IP length, no link header; of all its packets */
	uint32_t packets;  /* 1, or the segments that were merged into the frame */
	uint8_t verdict;   /* enum pkt_verdict; the rest holds if PKT_OK */
	uint8_t kind;	   /* enum pkt_kind */
	uint8_t quoted;	   /* enum pkt_quote, of PKT_KIND_ICMP_ERROR */
	uint8_t fragment;  /* enum pkt_fragment */
	bool is_reply;	   /* an ICMP reply type */
	bool is_simple;	   /* PKT_KIND_FLOW, PKT_WHOLE, one packet, PKT_SIMPLE_BYTES at most */
	uint8_t family;	   /* of the packet itself */
	uint8_t class;	   /* enum pkt_class */
	uint8_t side;	   /* the side of key that is the source */
	uint8_t tcp_flags; /* 0 if not captured */
	uint8_t way;	   /* enum frame_way */
	uint32_t frag_id;  /* the datagram's identification, if it is not whole */
	/* The packet's own addresses. For PKT_KIND_FLOW the same as the key's
	 * and not filled: see pkt_src() and pkt_dst(). */
	struct addr own[2];
};

static inline const struct addr *pkt_src(const struct pkt *p)
{
	return p->kind == PKT_KIND_FLOW ? &p->key.addr[p->side] : &p->own[0];
}

static inline const struct addr *pkt_dst(const struct pkt *p)
{
	return p->kind == PKT_KIND_FLOW ? &p->key.addr[!p->side] : &p->own[1];
}

/* Decodes f into p and returns p->verdict. Tunnels over IP stay closed: see
 * decap.h. */
enum pkt_verdict pkt_decode(const struct frame *f, struct pkt *p);

/* A stable lower-case name for a verdict, as the ledger prints it. */
const char *pkt_verdict_name(enum pkt_verdict v);

/* For splitting frames among n workers: which of them f belongs to, so that
 * both directions of a connection, all fragments of its datagrams and the
 * ICMP errors about it meet in one. Frames without IP go to worker 0. */
unsigned pkt_fanout(const struct frame *f, unsigned n);

/* ICMP queries are keyed by identifier, and by request type and code in
 * place of the second port; requests and replies have the same key. */
static inline uint16_t pkt_icmp_port(uint8_t request_type, uint8_t code)
{
	return (uint16_t)(request_type << 8 | code);
}

/* The reply's type for a request's; 0 if it is not a request type. */
uint8_t pkt_icmp_reply_type(uint8_t family, uint8_t request_type);

#endif
