/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * craft.h - frames made by hand, header by header.
 *
 * Lengths of IP headers are given as what follows; whoever wants a wrong one
 * writes over it with craft_set().
 */
#ifndef TESTS_PACKET_CRAFT_H
#define TESTS_PACKET_CRAFT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/link.h"
#include "packet/pkt.h"

#define CRAFT_BYTES 2048

struct craft {
	size_t n;
	size_t ip; /* where the outermost IP header starts */
	uint8_t b[CRAFT_BYTES];
};

static inline void craft_be(struct craft *c, unsigned bytes, uint32_t v)
{
	while (bytes--)
		c->b[c->n++] = (uint8_t)(v >> 8 * bytes);
}

static inline void craft_fill(struct craft *c, size_t n, uint8_t v)
{
	memset(c->b + c->n, v, n);
	c->n += n;
}

static inline void craft_set(struct craft *c, size_t at, unsigned bytes, uint64_t v)
{
	while (bytes--)
		c->b[at++] = (uint8_t)(v >> 8 * bytes);
}

static inline void craft_ethernet(struct craft *c, uint16_t type)
{
	craft_fill(c, 6, 0x02);
	craft_fill(c, 6, 0x06);
	craft_be(c, 2, type);
}

/* Addresses 10.0.0.x or fd00::x; 0xcc.. further on are never read as such. */
static inline struct addr craft_addr(uint8_t family, uint8_t x)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	a.b[0] = family == ADDR_V4 ? 10 : 0xfd;
	a.b[family == ADDR_V4 ? 3 : 15] = x;
	return a;
}

/* `options`: a multiple of 4; `rest`: bytes behind the header. */
static inline void craft_ipv4(struct craft *c, uint8_t src, uint8_t dst, uint8_t proto,
			      unsigned options, unsigned rest)
{
	const struct addr s = craft_addr(ADDR_V4, src), d = craft_addr(ADDR_V4, dst);

	craft_be(c, 1, 0x45 + options / 4);
	craft_be(c, 1, 0);
	craft_be(c, 2, 20 + options + rest);
	craft_be(c, 4, 0x12344000); /* id; do not fragment */
	craft_be(c, 1, 64);
	craft_be(c, 1, proto);
	craft_be(c, 2, 0xbad); /* a checksum nobody looks at */
	memcpy(c->b + c->n, s.b, 4);
	memcpy(c->b + c->n + 4, d.b, 4);
	c->n += 8;
	craft_fill(c, options, 1);
}

static inline void craft_ipv6(struct craft *c, uint8_t src, uint8_t dst, uint8_t next,
			      unsigned rest)
{
	const struct addr s = craft_addr(ADDR_V6, src), d = craft_addr(ADDR_V6, dst);

	craft_be(c, 4, 0x6abcdef0);
	craft_be(c, 2, rest);
	craft_be(c, 1, next);
	craft_be(c, 1, 64);
	memcpy(c->b + c->n, s.b, 16);
	memcpy(c->b + c->n + 16, d.b, 16);
	c->n += 32;
}

/* Either, for what is the same in both. */
static inline void craft_ip(struct craft *c, uint8_t family, uint8_t src, uint8_t dst,
			    uint8_t proto, unsigned rest)
{
	if (family == ADDR_V4)
		craft_ipv4(c, src, dst, proto, 0, rest);
	else
		craft_ipv6(c, src, dst, proto, rest);
}

static inline void craft_tcp(struct craft *c, uint16_t sport, uint16_t dport, uint8_t flags)
{
	craft_be(c, 2, sport);
	craft_be(c, 2, dport);
	craft_fill(c, 8, 0x77);
	craft_be(c, 1, 0x50);
	craft_be(c, 1, flags);
	craft_fill(c, 6, 0x77);
}

static inline void craft_udp(struct craft *c, uint16_t sport, uint16_t dport)
{
	craft_be(c, 2, sport);
	craft_be(c, 2, dport);
	craft_fill(c, 4, 0x77);
}

static inline void craft_icmp(struct craft *c, uint8_t type, uint8_t code, uint16_t id)
{
	craft_be(c, 1, type);
	craft_be(c, 1, code);
	craft_be(c, 2, 0xbad);
	craft_be(c, 2, id);
	craft_be(c, 2, 1);
}

/* Decodes the first caplen bytes, which lie alone on the heap, so that a
 * sanitizer sees every read behind them. */
static inline enum pkt_verdict craft_decode(const struct craft *c, uint16_t link, size_t caplen,
					    size_t wirelen, struct pkt *p)
{
	uint8_t *alone = malloc(caplen ? caplen : 1);
	struct frame f = {
		.data = alone,
		.caplen = (uint32_t)caplen,
		.wirelen = (uint32_t)wirelen,
		.link = link,
		.ts_ns = 1700000000123456789,
		.way = FRAME_WAY_IN,
	};
	enum pkt_verdict v;

	memcpy(alone, c->b, caplen);
	memset(p, 0xa5, sizeof(*p)); /* what is not filled will be seen */
	v = pkt_decode(&f, p);
	free(alone);
	return v;
}

#endif
