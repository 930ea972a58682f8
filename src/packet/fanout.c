/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout.c - which of n workers a frame belongs to.
 *
 * By addresses alone: whatever belongs to one connection (later fragments,
 * which have no ports; ICMP errors, which quote both addresses) has them in
 * common, and nothing else. The sum of their words is the same for both
 * directions, and is what a classic BPF program can compute as well.
 */
#include "packet/fanout.h"

static uint32_t sum_words(const struct addr *a)
{
	return load_be32(a->b) + load_be32(a->b + 4) + load_be32(a->b + 8) + load_be32(a->b + 12);
}

static unsigned worker_of(const struct pkt *p, unsigned n)
{
	uint32_t h;

	if (p->kind == PKT_KIND_ICMP_ERROR && p->quoted == PKT_QUOTE_NONE)
		h = sum_words(&p->own[0]) + sum_words(&p->own[1]);
	else
		h = sum_words(&p->key.addr[0]) + sum_words(&p->key.addr[1]);
	return fanout_of_sum(h, n);
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

	if (fanout_is_plain(d, f, &sum))
		return fanout_of_sum(sum, n);
	return n == 1 || pkt_decode_with(d, f, &p) != PKT_OK ? 0 : worker_of(&p, n);
}
