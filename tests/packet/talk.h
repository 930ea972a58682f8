/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * talk.h - packets of all kinds that two ends send each other, and what
 * somebody between them says of these.
 *
 * For tests of what belongs together: addresses are any.
 */
#ifndef TESTS_PACKET_TALK_H
#define TESTS_PACKET_TALK_H

#include "../flow/random.h"
#include "onion.h"

/* Two ends, and somebody between them. */
struct talk {
	uint8_t family;
	uint8_t end[2][16];
	uint8_t router[16];
};

enum talk_kind {
	TALK_TCP,
	TALK_UDP,
	TALK_ESP,
	TALK_ECHO,
	TALK_OTHER_ICMP,
	TALK_FIRST_FRAGMENT,
	TALK_LATER_FRAGMENT,
	TALK_ERROR,	     /* a header quoted, and 8 bytes */
	TALK_ERROR_OPTIONS,  /* options or extension headers in the quote */
	TALK_ERROR_FRAGMENT, /* about a later fragment */
	TALK_KINDS,
	TALK_ERROR_CUT = TALK_KINDS, /* its quote too short to tell: about nothing known */
};

static inline struct talk talk_any(struct random *r)
{
	struct talk t = {.family = random_below(r, 2) ? ADDR_V4 : ADDR_V6};

	for (unsigned i = 0; i < 16; i++) {
		t.end[0][i] = (uint8_t)random_next(r);
		t.end[1][i] = (uint8_t)random_next(r);
		t.router[i] = (uint8_t)random_next(r);
	}
	return t;
}

static inline void talk_put_ip(struct onion *o, uint8_t family, const uint8_t *src,
			       const uint8_t *dst, uint8_t proto, unsigned options)
{
	const size_t at = family == ADDR_V4 ? 12 : 8, n = family == ADDR_V4 ? 4 : 16;
	struct craft c = {0};

	if (family == ADDR_V4)
		craft_ipv4(&c, 1, 2, proto, options, (unsigned)o->n);
	else
		craft_ipv6(&c, 1, 2, proto, (unsigned)o->n);
	memcpy(c.b + at, src, n);
	memcpy(c.b + at + n, dst, n);
	onion_put(o, c.b, c.n);
}

/* In front of what is there: the fragment header of a packet that is whole, or
 * one of the other extensions, with 8 to 24 bytes. Returns its number. */
static inline uint8_t talk_put_extension(struct onion *o, struct random *r, uint8_t next)
{
	static const uint8_t kinds[] = {PROTO_HOPOPTS, PROTO_ROUTING, PROTO_DSTOPTS, PROTO_AH,
					PROTO_FRAGMENT};
	const uint8_t kind = kinds[random_below(r, sizeof(kinds))];
	const unsigned eights = kind == PROTO_FRAGMENT ? 1 : 1 + random_below(r, 3);
	uint8_t h[24] = {next};

	if (kind == PROTO_AH)
		h[1] = (uint8_t)(eights * 2 - 2);
	else if (kind != PROTO_FRAGMENT)
		h[1] = (uint8_t)(eights - 1);
	onion_put(o, h, eights * 8);
	return kind;
}

static inline uint8_t talk_put_extensions(struct onion *o, struct random *r, uint8_t proto,
					  unsigned n)
{
	while (n--)
		proto = talk_put_extension(o, r, proto);
	return proto;
}

static inline void talk_put_transport(struct onion *o, enum talk_kind what, unsigned from)
{
	if (what == TALK_UDP)
		onion_udp(o, from ? 53 : 1000, from ? 1000 : 53);
	else
		onion_tcp(o, from ? 443 : 1000, from ? 1000 : 443, PKT_TCP_ACK);
}

static inline void talk_put_echo(struct onion *o, uint8_t family, bool is_echo, unsigned from)
{
	static const uint8_t echo[2][2] = {{8, 0}, {128, 129}};
	struct craft c = {0};

	if (is_echo)
		craft_icmp(&c, echo[family != ADDR_V4][from], 0, 77);
	else
		craft_icmp(&c, family == ADDR_V4 ? 9 : 135, 0, 0);
	onion_put(o, c.b, c.n);
}

/* The fragment header of a first or later one. Returns its number. */
static inline uint8_t talk_put_fragment_header(struct onion *o, uint8_t next, bool is_first)
{
	const uint8_t h[8] = {next, 0, is_first ? 0 : 5, is_first ? 1 : 0xc8, 1, 2, 3, 4};

	onion_put(o, h, sizeof(h));
	return PROTO_FRAGMENT;
}

/* The same for IPv4, in the header that was put last. */
static inline void talk_set_fragment(struct onion *o, bool is_first)
{
	onion_at(o)[6] = is_first ? 0x20 : 0x00;
	onion_at(o)[7] = is_first ? 0x00 : 0xb9;
}

static inline uint8_t talk_icmp(uint8_t family)
{
	return family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6;
}

/* An IP packet from an end, other than an error, with n extension headers or n
 * words of options. */
static inline void talk_put_packet(struct onion *o, struct random *r, const struct talk *t,
				   enum talk_kind what, unsigned from, unsigned n)
{
	const bool is_v4 = t->family == ADDR_V4;
	uint8_t proto = what == TALK_UDP ? PROTO_UDP : PROTO_TCP;

	onion_fill(o, 16, 0x5a);
	if (what == TALK_ECHO || what == TALK_OTHER_ICMP) {
		talk_put_echo(o, t->family, what == TALK_ECHO, from);
		proto = talk_icmp(t->family);
	} else if (what == TALK_ESP) {
		proto = 50;
	} else if (what != TALK_LATER_FRAGMENT) {
		talk_put_transport(o, what, from);
	}
	if (what == TALK_FIRST_FRAGMENT || what == TALK_LATER_FRAGMENT) {
		if (!is_v4)
			proto = talk_put_fragment_header(o, proto, what == TALK_FIRST_FRAGMENT);
		else if (what == TALK_LATER_FRAGMENT && random_below(r, 2))
			proto = PROTO_ICMP; /* whose bytes are no ICMP header */
	}
	if (!is_v4)
		proto = talk_put_extensions(o, r, proto, n);
	talk_put_ip(o, t->family, t->end[from], t->end[!from], proto, n * 4);
	if (is_v4 && (what == TALK_FIRST_FRAGMENT || what == TALK_LATER_FRAGMENT))
		talk_set_fragment(o, what == TALK_FIRST_FRAGMENT);
}

/* An error about the first `bytes` bytes of the packet that o is, to an end. */
static inline void talk_put_error(struct onion *o, struct random *r, const struct talk *t,
				  unsigned to, size_t bytes, unsigned n)
{
	static const uint8_t types[2][5] = {{3, 4, 5, 11, 12}, {1, 2, 3, 4, 1}};
	uint8_t proto = talk_icmp(t->family);
	uint8_t quote[ONION_BYTES];
	struct craft c = {0};

	memcpy(quote, onion_at(o), bytes);
	o->n = 0;
	onion_put(o, quote, bytes);
	craft_icmp(&c, types[t->family != ADDR_V4][random_below(r, 5)], 1, 0);
	onion_put(o, c.b, c.n);
	if (t->family == ADDR_V6)
		proto = talk_put_extensions(o, r, proto, n);
	talk_put_ip(o, t->family, t->router, t->end[to], proto, n * 4);
}

/* Sent from an end, or about what was sent from it. n as above. */
static inline void talk_put(struct onion *o, struct random *r, const struct talk *t,
			    enum talk_kind what, unsigned from, unsigned n)
{
	const unsigned header = t->family == ADDR_V4 ? 20 : 40;
	const enum talk_kind quoted = what == TALK_ERROR_FRAGMENT ? TALK_LATER_FRAGMENT
				      : random_below(r, 2)	  ? TALK_TCP
								  : TALK_UDP;

	o->n = 0;
	if (what < TALK_ERROR) {
		talk_put_packet(o, r, t, what, from, n);
		return;
	}
	talk_put_packet(o, r, t, quoted, from,
			what == TALK_ERROR_OPTIONS ? 1 + random_below(r, 3) : 0);
	if (what == TALK_ERROR)
		talk_put_error(o, r, t, from, header + 8, n);
	else if (what == TALK_ERROR_CUT)
		talk_put_error(o, r, t, from, random_below(r, header), n);
	else
		talk_put_error(o, r, t, from, o->n, n);
}

#endif
