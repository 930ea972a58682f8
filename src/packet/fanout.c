/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout.c - which of n workers a frame belongs to.
 *
 * By addresses alone: whatever belongs to one connection (later fragments,
 * which have no ports; ICMP errors, which quote both addresses) has them in
 * common, and nothing else. The sum of their words is the same for both
 * directions, and is what a classic BPF program can compute as well.
 */
#include "base/bytes.h"
#include "base/link.h"
#include "packet/decap.h"

#define ETHERNET_BYTES 14
#define IPV4_BYTES     20
#define IPV6_BYTES     40
#define PORTS_BYTES    14 /* a TCP header up to its flags; a UDP header has fewer */

static uint32_t sum_words(const struct addr *a)
{
	return load_be32(a->b) + load_be32(a->b + 4) + load_be32(a->b + 8) + load_be32(a->b + 12);
}

static unsigned worker_of_sum(uint32_t sum, unsigned n)
{
	sum *= 0x9e3779b1; /* 2^32 / golden ratio: neighbours spread */
	return (sum >> 16) % n;
}

static uint32_t sum_bytes(const uint8_t *p, unsigned words)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < words; i++)
		sum += load_be32(p + 4 * i);
	return sum;
}

/* A TCP or UDP packet that is not longer than it was on the wire. */
static bool is_plain(const struct frame *f, uint32_t length, uint8_t proto, uint32_t header)
{
	return (proto == PROTO_TCP || proto == PROTO_UDP) && length >= header + PORTS_BYTES &&
	       length + ETHERNET_BYTES <= f->wirelen;
}

/* Whether f is one of those that nearly all are: Ethernet II, IPv4 without options
 * or IPv6 without extension headers, TCP or UDP. Then *sum is that of the addresses.
 * The splitter of a replay looks at every frame, and all of its time is lost. */
static bool sum_of_plain(const struct frame *f, uint32_t *sum)
{
	const uint8_t *h = f->data + ETHERNET_BYTES;
	uint16_t type;

	if (f->link != LINK_ETHERNET || f->gso_proto ||
	    f->caplen < ETHERNET_BYTES + IPV4_BYTES + PORTS_BYTES)
		return false;
	type = load_be16(h - 2);
	if (type == 0x0800 && h[0] == 0x45 && !(load_be16(h + 6) & 0x3fff) &&
	    is_plain(f, load_be16(h + 2), h[9], IPV4_BYTES)) {
		*sum = sum_bytes(h + 12, 2);
		return true;
	}
	if (type == 0x86dd && f->caplen >= ETHERNET_BYTES + IPV6_BYTES + PORTS_BYTES &&
	    h[0] >> 4 == 6 && is_plain(f, load_be16(h + 4) + IPV6_BYTES, h[6], IPV6_BYTES)) {
		*sum = sum_bytes(h + 8, 8);
		return true;
	}
	return false;
}

static unsigned worker_of(const struct pkt *p, unsigned n)
{
	uint32_t h;

	if (p->kind == PKT_KIND_ICMP_ERROR && p->quoted == PKT_QUOTE_NONE)
		h = sum_words(&p->own[0]) + sum_words(&p->own[1]);
	else
		h = sum_words(&p->key.addr[0]) + sum_words(&p->key.addr[1]);
	return worker_of_sum(h, n);
}

unsigned pkt_fanout(const struct frame *f, unsigned n)
{
	struct pkt p;

	return n == 1 || pkt_decode(f, &p) != PKT_OK ? 0 : worker_of(&p, n);
}

unsigned pkt_fanout_with(struct pkt_decoder *d, const struct frame *f, unsigned n)
{
	struct pkt p;
	uint32_t sum;

	if (!d->conf.kinds && sum_of_plain(f, &sum)) /* tunnels over UDP stay closed */
		return worker_of_sum(sum, n);
	return n == 1 || pkt_decode_with(d, f, &p) != PKT_OK ? 0 : worker_of(&p, n);
}
