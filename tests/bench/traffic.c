/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.c - an endless stream of invented frames, made as fast as they are
 * counted.
 *
 * A connection is a number, and all of its tuple follows from that number by a
 * hash: nothing is kept of it but the number and how many packets it has had.
 */
#include "traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/link.h"

#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define TCP_FIN 0x11 /* and ACK */

struct slot {
	uint32_t number; /* of the connection; 0: none yet */
	uint32_t packets;
};

struct traffic {
	struct traffic_conf c;
	uint64_t random;
	uint64_t now_ns;
	uint64_t begun;
	uint32_t opening; /* connections that wait for their first packet */
	struct slot slots[];
};

struct talk { /* one packet of a connection */
	uint32_t host;
	uint64_t hash;
	bool is_v6, is_up, is_first, is_last;
	uint8_t protocol;
	uint16_t bytes;
};

static uint64_t scramble(uint64_t x) /* splitmix64 */
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t next_random(struct traffic *t)
{
	t->random += 0x9e3779b97f4a7c15;
	return scramble(t->random);
}

/* 0 .. n-1 */
static uint32_t below(uint64_t random, uint32_t n)
{
	return (uint32_t)((random >> 32) * n >> 32);
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

void traffic_conf_init(struct traffic_conf *c)
{
	*c = (struct traffic_conf){.flows = 1,
				   .hosts = 1,
				   .gap_ns = 1000,
				   .start_ns = 1700000000ull * 1000000000,
				   .tcp = 85,
				   .udp = 13,
				   .v6 = 15,
				   .seed = 1};
}

struct traffic *traffic_new(const struct traffic_conf *c)
{
	struct traffic *t = calloc(1, sizeof(*t) + c->flows * sizeof(t->slots[0]));

	if (!t)
		return NULL;
	t->c = *c;
	t->random = c->seed;
	t->now_ns = c->start_ns;
	return t;
}

void traffic_free(struct traffic *t)
{
	free(t);
}

uint32_t traffic_opening(struct traffic *t)
{
	if (!t->begun)
		t->opening = t->c.flows;
	return t->opening;
}

uint64_t traffic_flows(const struct traffic *t)
{
	return t->begun;
}

static uint8_t *put_v4(uint8_t *p, const struct talk *k)
{
	const uint32_t in = 10u << 24 | k->host, out = 198u << 24 | (uint32_t)(k->hash & 0xffffff);

	p = put32(p, 0x45000000u | k->bytes);
	p = put32(p, 0);
	p = put32(p, 64u << 24 | (uint32_t)k->protocol << 16);
	p = put32(p, k->is_up ? in : out);
	return put32(p, k->is_up ? out : in);
}

static uint8_t *put_v6(uint8_t *p, const struct talk *k)
{
	uint8_t *in, *out;

	p = put32(p, 0x60000000);
	p = put32(p, (uint32_t)(k->bytes - 40) << 16 |
			     (uint32_t)(k->protocol == 1 ? 58 : k->protocol) << 8 | 64);
	in = k->is_up ? p : p + 16;
	out = k->is_up ? p + 16 : p;
	memset(p, 0, 32);
	in[0] = 0xfd;
	put32(in + 12, k->host + 1);
	put16(out, 0x2001);
	put32(out + 12, (uint32_t)k->hash);
	return p + 32;
}

static uint8_t *put_ports(uint8_t *p, const struct talk *k)
{
	const unsigned in = 1024 + below(k->hash << 24, 64000), out = k->hash >> 62 ? 443 : 53;

	p = put16(p, k->is_up ? in : out);
	return put16(p, k->is_up ? out : in);
}

static uint8_t *put_transport(uint8_t *p, const struct talk *k)
{
	const unsigned request = k->is_v6 ? 128 : 8, reply = k->is_v6 ? 129 : 0;

	memset(p, 0, 20);
	if (k->protocol == 1) {
		p[0] = (uint8_t)(k->is_up ? request : reply);
		put16(p + 4, (unsigned)(k->hash >> 24) & 0xffff);
		return p + 8;
	}
	put_ports(p, k);
	if (k->protocol == 17) {
		put16(p + 4, k->bytes - (k->is_v6 ? 40u : 20u));
		return p + 8;
	}
	p[12] = 0x50;
	p[13] = k->is_first ? TCP_SYN : k->is_last ? TCP_FIN : TCP_ACK;
	return p + 20;
}

/* The bytes of a packet at p; how many. */
static uint32_t put_frame(uint8_t *p, const struct talk *k)
{
	static const uint8_t macs[2][12] = {{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1},
					    {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}};
	uint8_t *at = p;

	memcpy(at, macs[k->is_up], sizeof(macs[0]));
	at = put16(at + 12, k->is_v6 ? 0x86dd : 0x0800);
	at = k->is_v6 ? put_v6(at, k) : put_v4(at, k);
	return (uint32_t)(put_transport(at, k) - p);
}

/* The next packet of a connection, or the first of another in its place. */
static void talk(struct traffic *t, struct slot *s, uint64_t random, struct talk *k)
{
	const uint32_t life = t->c.life;
	uint32_t percent;

	if (!s->number) {
		s->number = (uint32_t)++t->begun;
		s->packets = 0;
	}
	k->hash = scramble(s->number + t->c.seed * 0x9e3779b97f4a7c15);
	percent = (uint32_t)(k->hash >> 40) % 100;
	k->protocol = percent < t->c.tcp ? 6 : percent < t->c.tcp + t->c.udp ? 17 : 1;
	k->host = s->number % t->c.hosts; /* round all of them */
	k->is_v6 = (uint32_t)scramble(k->host) % 100 < t->c.v6;
	k->is_first = s->packets == 0;
	k->is_up = k->is_first || random & 1;
	s->packets++;
	/* Ends by chance, after two packets at least. */
	k->is_last = life && s->packets > 1 && below(random << 16, life > 2 ? life - 1 : 1) == 0;
	k->bytes = random & 2 ? 1500 : 64;
	if (t->c.is_short)
		k->bytes = (k->is_v6 ? 40 : 20) + (k->protocol == 6 ? 20 : 8);
	if (k->is_last)
		s->number = 0;
}

void traffic_make(struct traffic *t, struct frame *frames, uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++, bytes += TRAFFIC_FRAME_MAX) {
		const uint64_t random = next_random(t);
		const uint32_t at = t->opening ? --t->opening : below(random, t->c.flows);
		struct talk k;

		talk(t, &t->slots[at], random, &k);
		frames[i] = (struct frame){.data = bytes,
					   .ts_ns = t->now_ns,
					   .caplen = put_frame(bytes, &k),
					   .wirelen = 14u + k.bytes,
					   .link = LINK_ETHERNET};
		t->now_ns += t->c.gap_ns;
	}
}
