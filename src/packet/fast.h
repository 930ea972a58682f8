/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fast.h - the way of the frames that nearly all are: Ethernet II, IPv4
 * without options or IPv6 without extension headers, TCP, UDP or ICMP echo, whole
 * headers captured, nothing odd about them.
 *
 * Says of such a frame exactly what the walk says, in a tenth of the steps,
 * and nothing of any other.
 */
#ifndef PACKET_FAST_H
#define PACKET_FAST_H

#include "base/link.h"
#include "packet/internal.h"

#define FAST_ETHERNET_BYTES 14
#define FAST_IPV4_BYTES	    20
#define FAST_IPV6_BYTES	    40
#define FAST_TCP_BYTES	    14 /* up to the flags */
#define FAST_UDP_BYTES	    8
#define FAST_ECHO_BYTES	    8

/* What is keyed of the transport header. */
struct fast_ports {
	uint16_t src, dst;
	bool change;	/* places, with the addresses */
	bool of_equals; /* the side of the source, if the addresses are equal */
};

/* What is the same of all such packets. */
static inline void fast_fill(const struct frame *f, struct pkt *p, uint32_t length, uint8_t family,
			     uint8_t class)
{
	p->ts_ns = f->ts_ns;
	p->ip_bytes = length;
	p->packets = 1;
	p->verdict = PKT_OK;
	p->kind = PKT_KIND_FLOW;
	p->quoted = PKT_QUOTE_NONE;
	p->fragment = PKT_WHOLE;
	p->is_reply = false;
	p->is_simple = true;
	p->family = family;
	p->class = class;
	p->way = f->way;
}

/* What TCP and UDP have in common: length, protocol and transport header of a
 * packet of this family, whose header has so many bytes. False: it is not one. */
static inline bool fast_rest(const struct frame *f, struct pkt *p, uint32_t length, uint8_t proto,
			     uint8_t family, uint32_t header, const uint8_t *l4)
{
	/* Of the two numbers that pass below. */
	const uint8_t class = proto >> 4;
	const uint32_t least = header + FAST_TCP_BYTES - class * (FAST_TCP_BYTES - FAST_UDP_BYTES);

	_Static_assert(PROTO_TCP >> 4 == PKT_TCP && PROTO_UDP >> 4 == PKT_UDP, "see class");
	/* TCP or UDP (which of them is as good as random, so one test and not two),
	 * all of what is read belonging to the packet, which is not longer than it
	 * was on the wire. */
	if ((uint32_t)(proto - PROTO_TCP) * (uint32_t)(proto - PROTO_UDP) != 0 || length < least ||
	    FAST_ETHERNET_BYTES + least > f->caplen || length + FAST_ETHERNET_BYTES > f->wirelen)
		return false;
	fast_fill(f, p, length, family, class);
	p->tcp_flags = l4[13 & (class - 1u)] & (uint8_t)(class - 1);
	return true;
}

/* Side, ports, protocol and family of a key; the latter three returned as a word. */
static inline uint64_t fast_key(struct pkt *p, unsigned side, struct fast_ports ports,
				uint8_t proto, uint8_t family)
{
	const uint16_t change = (uint16_t)((ports.src ^ ports.dst) & -(side & ports.change));
	const uint64_t rest = pkt_key_rest(ports.src ^ change, ports.dst ^ change, proto, family);

	p->side = (uint8_t)side;
	memcpy(p->key.port, &rest, sizeof(rest));
	return rest;
}

static inline struct fast_ports fast_ports_of(const uint8_t *l4)
{
	const uint16_t src = load_be16(l4), dst = load_be16(l4 + 2);

	return (struct fast_ports){src, dst, true, src > dst};
}

/* Which address is the lower one is as good as random, too: they change places
 * without a branch. And the key is hashed from registers, because what has just
 * been stored in pieces is slow to load as a whole. */
static inline void fast_ipv4_key(struct pkt *p, const uint8_t *h, struct fast_ports ports,
				 const uint64_t *secret)
{
	struct addr src = {.w = {0, 0}}, dst = {.w = {0, 0}};
	uint64_t change, rest;
	unsigned side;

	memcpy(src.b, h + 12, 4);
	memcpy(dst.b, h + 16, 4);
	side = src.w[0] > dst.w[0];
	if (__builtin_expect(src.w[0] == dst.w[0], 0))
		side = ports.of_equals;
	change = (src.w[0] ^ dst.w[0]) & -(uint64_t)side;
	src.w[0] ^= change;
	dst.w[0] ^= change;
	p->key.addr[0] = src;
	p->key.addr[1] = dst;
	rest = fast_key(p, side, ports, h[9], ADDR_V4);
	p->hash = pkt_hash_ipv4(src.w[0], dst.w[0], rest, secret);
}

static inline void fast_ipv6_key(struct pkt *p, const uint8_t *h, struct fast_ports ports,
				 const uint64_t *secret)
{
	struct addr src, dst;
	uint64_t rest;
	unsigned side;

	memcpy(src.b, h + 8, 16);
	memcpy(dst.b, h + 24, 16);
	side = (src.w[0] > dst.w[0]) | ((src.w[0] == dst.w[0]) & (src.w[1] > dst.w[1]));
	if (__builtin_expect(addr_equal(&src, &dst), 0))
		side = ports.of_equals;
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t change = (src.w[i] ^ dst.w[i]) & -(uint64_t)side;

		src.w[i] ^= change;
		dst.w[i] ^= change;
	}
	p->key.addr[0] = src;
	p->key.addr[1] = dst;
	rest = fast_key(p, side, ports, h[6], ADDR_V6);
	p->hash = pkt_hash_ipv6(&src, &dst, rest, secret);
}

/* The same of an ICMP echo request or reply, a flood of which must not take the long
 * way. Of what stands at the ports' place it makes what is keyed. */
static inline bool fast_echo(const struct frame *f, struct pkt *p, uint32_t length, uint8_t family,
			     uint32_t header, struct fast_ports *ports)
{
	const bool is_v4 = family == ADDR_V4;
	const uint8_t *l4 = f->data + FAST_ETHERNET_BYTES + header;
	const uint8_t request = is_v4 ? 8 : 128, reply = is_v4 ? 0 : 129;
	const uint32_t least = header + FAST_ECHO_BYTES;

	if (length < least || FAST_ETHERNET_BYTES + least > f->caplen ||
	    length + FAST_ETHERNET_BYTES > f->wirelen || (l4[0] != request && l4[0] != reply))
		return false;
	fast_fill(f, p, length, family, PKT_ICMP);
	p->tcp_flags = 0;
	p->is_reply = l4[0] == reply;
	*ports = (struct fast_ports){load_be16(l4 + 4), pkt_icmp_port(request, l4[1]), false,
				     p->is_reply};
	return true;
}

/* Out of line, so that TCP and UDP do not pay for it. */
static __attribute__((noinline)) bool fast_ipv4_echo(const struct frame *f, struct pkt *p,
						     const uint64_t *secret)
{
	const uint8_t *h = f->data + FAST_ETHERNET_BYTES;
	struct fast_ports ports;

	if (!fast_echo(f, p, load_be16(h + 2), ADDR_V4, FAST_IPV4_BYTES, &ports))
		return false;
	fast_ipv4_key(p, h, ports, secret);
	return true;
}

static __attribute__((noinline)) bool fast_ipv6_echo(const struct frame *f, struct pkt *p,
						     const uint64_t *secret)
{
	const uint8_t *h = f->data + FAST_ETHERNET_BYTES;
	struct fast_ports ports;

	if (!fast_echo(f, p, load_be16(h + 4) + FAST_IPV6_BYTES, ADDR_V6, FAST_IPV6_BYTES, &ports))
		return false;
	fast_ipv6_key(p, h, ports, secret);
	return true;
}

static inline bool fast_ipv4(const struct frame *f, struct pkt *p, const uint64_t *secret)
{
	const uint8_t *h = f->data + FAST_ETHERNET_BYTES, *l4 = h + FAST_IPV4_BYTES;

	/* no options, no fragment */
	if (h[0] != 0x45 || load_be16(h + 6) & 0x3fff)
		return false;
	if (!fast_rest(f, p, load_be16(h + 2), h[9], ADDR_V4, FAST_IPV4_BYTES, l4))
		return h[9] == PROTO_ICMP && fast_ipv4_echo(f, p, secret);
	fast_ipv4_key(p, h, fast_ports_of(l4), secret);
	return true;
}

static inline bool fast_ipv6(const struct frame *f, struct pkt *p, const uint64_t *secret)
{
	const uint8_t *h = f->data + FAST_ETHERNET_BYTES, *l4 = h + FAST_IPV6_BYTES;

	if (h[0] >> 4 != ADDR_V6)
		return false;
	if (!fast_rest(f, p, load_be16(h + 4) + FAST_IPV6_BYTES, h[6], ADDR_V6, FAST_IPV6_BYTES,
		       l4))
		return h[6] == PROTO_ICMPV6 && fast_ipv6_echo(f, p, secret);
	fast_ipv6_key(p, h, fast_ports_of(l4), secret);
	return true;
}

/* Whether f is such a frame; then p is all filled, its key hashed with the
 * PKT_KEY_SECRETS words of secret, and *ports are source and
 * destination port as they stand in it. */
static inline bool fast_decode(const struct frame *f, struct pkt *p, uint32_t *ports,
			       const uint64_t *secret)
{
	const uint8_t *h = f->data;
	uint16_t type;

	if (f->link != LINK_ETHERNET || f->gso_proto ||
	    f->caplen < FAST_ETHERNET_BYTES + FAST_IPV4_BYTES + FAST_UDP_BYTES)
		return false;
	type = load_be16(h + 12);
	if (type == 0x0800) {
		memcpy(ports, h + FAST_ETHERNET_BYTES + FAST_IPV4_BYTES, 4);
		return fast_ipv4(f, p, secret);
	}
	if (type != 0x86dd || f->caplen < FAST_ETHERNET_BYTES + FAST_IPV6_BYTES + FAST_UDP_BYTES)
		return false;
	memcpy(ports, h + FAST_ETHERNET_BYTES + FAST_IPV6_BYTES, 4);
	return fast_ipv6(f, p, secret);
}

#endif
