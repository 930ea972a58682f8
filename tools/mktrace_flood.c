/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace_flood.c - a flood, and the connections beneath it.
 *
 * The connections are answered before it begins; while it lasts they take
 * turns, one packet after every 19 of the flood; behind it each has one more.
 * So who forgets one of them sees it begin anew.
 *
 * The packets of a flood are numbered, and numbers made into addresses, ports
 * and ids by mappings that are one to one: no two packets have the same tuple.
 */
#include "mktrace.h"

#define TURN_EVERY  20
#define ANSWER_ONE  8
#define UDP_SOURCES 16

/* A number of 32 bits for another, one to one: each step can be undone. */
static uint32_t mix(uint32_t x)
{
	for (unsigned round = 0; round < 3; round++) {
		x ^= x >> 15;
		x = x * 0x9e3779b1u + 0x7f4a7c15u;
	}
	return x ^ x >> 16;
}

/* --- beneath --------------------------------------------------------------- */

void open_pair(struct trace *t, struct flow *f, uint32_t i)
{
	static const uint8_t protos[] = {TCP, TCP, TCP, TCP, TCP, UDP, TCP, UDP, TCP, ICMP};
	const uint32_t host = i % (uint32_t)t->c.hosts;
	const uint8_t family = t->entities[host].family;
	const unsigned inbound = i % 3 == 0;

	*f = (struct flow){.proto = protos[i % sizeof(protos)], .family = family};
	f->class = f->proto == TCP ? CLASS_TCP : f->proto == UDP ? CLASS_UDP : CLASS_ICMP;
	if (f->proto == ICMP && family == ADDR_V6)
		f->proto = ICMP6;
	f->end[inbound] = host;
	/* No other number's ends, as long as there are enough outer addresses. */
	f->end[!inbound] =
		t->inners + 2 * (i / (uint32_t)t->c.hosts % t->outers) + (family == ADDR_V6);
	/* And if not, another's ports. */
	f->port[0] = (uint16_t)(32768 + i % 28000);
	f->port[1] = (uint16_t)(1024 + i / 28000);
	f->seq[0] = (uint32_t)draw(t);
	f->seq[1] = (uint32_t)draw(t);
}

/* One packet, from either end. */
static int put_data(struct trace *t, struct flow *f, unsigned from)
{
	if (f->class == CLASS_TCP)
		return put_tcp(t, f, from, TCP_ACK | TCP_PSH, 20 + 100 * from);
	return f->class == CLASS_UDP ? put_udp(t, f, from, 80) : put_echo(t, f, from);
}

/* Of everybody's packet number `n` before the flood. */
static int put_opening(struct trace *t, struct flow *f, unsigned n)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK};

	if (f->class == CLASS_TCP && n < 3)
		return put_tcp(t, f, n & 1, flags[n], 0);
	return put_data(t, f, n & 1);
}

static int establish(struct trace *t)
{
	for (uint32_t i = 0; i < t->c.established; i++) {
		struct entity *host = &t->entities[i % t->c.hosts];

		open_pair(t, &t->flows[i], i);
		host->conns++;
		host->established++;
	}
	for (unsigned n = 0; n < 4; n++) {
		for (uint32_t i = 0; i < t->c.established; i++) {
			const int ret = put_opening(t, &t->flows[i], n);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

/* --- floods ------------------------------------------------------------------ */

static void set_stranger(struct trace *t, uint32_t ip)
{
	struct entity *e = &t->entities[t->stranger];

	e->family = ADDR_V4;
	put32(e->ip.b, ip);
}

/* Neither inner by default, nor an address of no single host. */
static bool is_outer(uint32_t ip)
{
	return ip >> 24 != 0 && ip >> 24 != 10 && ip >> 24 != 127 && ip >> 28 < 14 &&
	       ip >> 20 != 0xac1 && ip >> 16 != 0xc0a8 && ip >> 22 != (100 << 2 | 1) &&
	       ip >> 16 != 0xa9fe;
}

/* Numbers the packets of the flood by *n. */
static int syn_turn(struct trace *t, struct flow *f, uint32_t *n)
{
	uint32_t ip;

	if (f->answers) {
		f->answers = false;
		return put_tcp(t, f, 1, TCP_SYN | TCP_ACK, 0);
	}
	do
		ip = mix((*n)++);
	while (!is_outer(ip));
	set_stranger(t, ip);
	f->port[0] = (uint16_t)(1024 + draw_below(t, 64512));
	f->port[1] = 443;
	f->seq[0] = (uint32_t)draw(t);
	f->answers = *n % ANSWER_ONE == 0;
	t->entities[f->end[1]].conns++;
	return put_tcp(t, f, 0, TCP_SYN, 0);
}

static int udp_turn(struct trace *t, struct flow *f, uint32_t *n)
{
	const uint32_t ports = mix(*n);

	set_stranger(t, 198u << 24 | 18u << 16 | *n % UDP_SOURCES);
	(*n)++;
	f->port[0] = (uint16_t)(ports >> 16);
	f->port[1] = (uint16_t)ports;
	t->entities[f->end[1]].conns++;
	return put_udp(t, f, 0, 0);
}

static int icmp_turn(struct trace *t, struct flow *f, uint32_t *n)
{
	const uint32_t who = mix((*n)++);

	set_stranger(t, 198u << 24 | 18u << 16 | who >> 16);
	f->port[0] = (uint16_t)who;
	t->entities[f->end[1]].conns++;
	return put_echo(t, f, 0);
}

/* From one source to the next of the flooded addresses. */
static int scan_turn(struct trace *t, struct flow *f, uint32_t *n)
{
	f->end[0] = t->inners + (f->family == ADDR_V6);
	f->end[1] = (uint32_t)t->c.hosts + (*n)++;
	f->port[0] = (uint16_t)(32768 + draw_below(t, 28232));
	f->port[1] = 22;
	f->seq[0] = (uint32_t)draw(t);
	t->entities[f->end[1]].conns++;
	return put_tcp(t, f, 0, TCP_SYN, 0);
}

static const struct {
	uint8_t proto, class;
	int (*turn)(struct trace *t, struct flow *f, uint32_t *n);
} floods[MODES] = {
	[MODE_SYNFLOOD] = {TCP, CLASS_TCP, syn_turn},
	[MODE_UDPFLOOD] = {UDP, CLASS_UDP, udp_turn},
	[MODE_ICMPFLOOD] = {ICMP, CLASS_ICMP, icmp_turn},
	[MODE_SCAN4] = {TCP, CLASS_TCP, scan_turn},
	[MODE_SCAN6] = {TCP, CLASS_TCP, scan_turn},
};

int make_flood(struct trace *t)
{
	const uint64_t established = t->c.established;
	struct flow f = {.proto = floods[t->c.mode].proto, .class = floods[t->c.mode].class};
	uint64_t turn = 0;
	uint32_t n = 0;
	int ret = establish(t);

	f.family = t->entities[t->c.hosts].family;
	f.end[0] = t->stranger;
	f.end[1] = (uint32_t)t->c.hosts;
	while (ret == 0 && t->made < t->c.packets - established) {
		const uint64_t i = turn++ / TURN_EVERY;

		if (!established || turn % TURN_EVERY)
			ret = floods[t->c.mode].turn(t, &f, &n);
		else
			ret = put_data(t, &t->flows[i % established],
				       (unsigned)(i / established & 1));
	}
	for (uint64_t i = 0; ret == 0 && t->made < t->c.packets; i++)
		ret = put_data(t, &t->flows[i], 0);
	return ret;
}
