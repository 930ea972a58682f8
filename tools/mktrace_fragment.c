/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace_fragment.c - nothing but fragments of datagrams: in order, reversed,
 * mixed, some without their first one.
 *
 * Many datagrams are on their way at the same time. Identifications are
 * numbered by flow and direction, and no two flows have the same ends: a late
 * fragment can be taken for no other datagram's.
 */
#include "mktrace.h"

#define ON_THEIR_WAY  64
#define FRAGMENTS_MAX 8
#define FULL	      (MTU - 60) /* a multiple of 8 that fits with every header */

struct datagram {
	struct packet whole;
	uint8_t order[FRAGMENTS_MAX];
	uint8_t n, sent; /* of n */
	uint8_t parts;	 /* in the datagram; one more than n if the first is not sent */
	bool first_came;
};

static void shuffle(struct trace *t, uint8_t *order, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		const unsigned j = draw_below(t, i);
		const uint8_t swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

static void open_datagram(struct trace *t, struct datagram *d)
{
	struct flow *f = &t->flows[draw_below(t, (uint32_t)t->c.flows)];
	const unsigned from = draw_below(t, 2), way = draw_below(t, 4);

	*d = (struct datagram){.parts = (uint8_t)(2 + draw_below(t, FRAGMENTS_MAX - 1))};
	d->whole = f->class == CLASS_UDP ? udp_packet(t, f, from, d->parts * FULL)
					 : echo_packet(t, f, from);
	d->whole.ident = ++f->seq[from];
	d->n = d->parts;
	for (uint8_t i = 0; i < d->n; i++)
		d->order[i] = way == 1 ? (uint8_t)(d->n - 1 - i) : i;
	if (way == 2)
		shuffle(t, d->order, d->n);
	if (way == 3) /* the first is missing */
		memmove(d->order, d->order + 1, --d->n);
}

static int fragment_turn(struct trace *t, struct datagram *d)
{
	struct packet k = d->whole;
	const unsigned part = d->order[d->sent++];

	k.is_fragment = true;
	k.more = part + 1 < d->parts;
	k.offset = (uint16_t)(part * FULL);
	k.body_n = k.more ? FULL : 8 + draw_below(t, FULL - 8);
	if (part)
		k.head_n = 0;
	else
		d->first_came = true;
	return put_packet(t, &k);
}

static void close_datagram(struct trace *t, const struct datagram *d)
{
	if (!d->first_came)
		t->astray += d->sent;
}

int make_fragments(struct trace *t)
{
	struct datagram on_way[ON_THEIR_WAY];
	int ret = 0;

	for (uint32_t i = 0; i < t->c.flows; i++) {
		struct flow *f = &t->flows[i];

		open_pair(t, f, i);
		f->class = i % 4 ? CLASS_UDP : CLASS_ICMP;
		f->proto = i % 4 ? UDP : f->family == ADDR_V4 ? ICMP : ICMP6;
		f->seq[0] = f->seq[1] = i;
	}
	for (unsigned i = 0; i < ON_THEIR_WAY; i++)
		open_datagram(t, &on_way[i]);
	while (ret == 0 && t->made < t->c.packets) {
		struct datagram *d = &on_way[draw_below(t, ON_THEIR_WAY)];

		ret = fragment_turn(t, d);
		if (d->sent < d->n)
			continue;
		close_datagram(t, d);
		open_datagram(t, d);
	}
	for (unsigned i = 0; i < ON_THEIR_WAY; i++)
		close_datagram(t, &on_way[i]);
	return ret;
}
