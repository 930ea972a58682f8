/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace_frame.c - one packet: its bytes into the file, its length onto the
 * counters of both its ends.
 */
#include "mktrace.h"

#include <errno.h>
#include <unistd.h>

/* RFC 1071, of a header of an even length. */
static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

void put_file_header(struct trace *t)
{
	const uint32_t header[6] = {0xa1b23c4d, 4 << 16 | 2, 0, 0, (uint32_t)t->c.snaplen, 1};

	memcpy(t->out, header, sizeof(header));
	t->out_n = sizeof(header);
}

int flush(struct trace *t)
{
	size_t done = 0;

	while (done < t->out_n) {
		ssize_t n = write(t->fd, t->out + done, t->out_n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	t->out_n = 0;
	return 0;
}

/* Appends a frame of `wire` bytes: head, then zeros. */
int put_frame(struct trace *t, const uint8_t *head, size_t head_n, size_t wire)
{
	size_t cap = wire < t->c.snaplen ? wire : t->c.snaplen;
	uint32_t record[4] = {(uint32_t)(t->ts_ns / NS_PER_SEC), (uint32_t)(t->ts_ns % NS_PER_SEC),
			      (uint32_t)cap, (uint32_t)wire};
	uint8_t *p;

	if (t->out_n + RECORD_HEADER + cap > OUT_BYTES) {
		int ret = flush(t);

		if (ret < 0)
			return ret;
	}
	if (head_n > cap)
		head_n = cap;
	p = put_bytes(t->out + t->out_n, record, sizeof(record));
	p = put_bytes(p, head, head_n);
	memset(p, 0, cap - head_n);
	t->out_n += RECORD_HEADER + cap;
	t->made++;
	t->ts_ns += t->gap_ns ? draw(t) % (2 * t->gap_ns) : 0;
	return 0;
}

uint8_t *put_link(uint8_t *p, unsigned tags, const uint16_t *vlan, uint16_t ethertype)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	p = put_bytes(p, macs, sizeof(macs));
	for (unsigned i = 0; i < tags; i++)
		p = put16(put16(p, i + 1 < tags ? 0x88a8 : 0x8100), vlan[i]);
	return put16(p, ethertype);
}

const struct addr *flow_addr(const struct trace *t, const struct flow *f, unsigned end)
{
	static const struct addr group4 = {.b = {239, 255, 255, 250}};
	static const struct addr group6 = {.b = {0xff, 0x02, [15] = 0xfb}};

	if (f->end[end] != NOBODY)
		return &t->entities[f->end[end]].ip;
	return f->family == ADDR_V4 ? &group4 : &group6;
}

uint8_t *put_ipv4(uint8_t *p, const struct packet *k, const struct addr *src,
		  const struct addr *dst)
{
	uint8_t *h = p;
	uint16_t fragment = (uint16_t)(k->offset / 8 | (k->more ? 0x2000 : 0));

	p = put16(p, 0x4500);
	p = put16(p, 20 + k->body_n);
	p = put16(p, k->ident);
	p = put16(p, k->is_fragment ? fragment : 0x4000);
	p = put16(p, 64 << 8 | k->proto);
	p = put16(p, 0);
	p = put_bytes(p, src->b, 4);
	p = put_bytes(p, dst->b, 4);
	put16(h + 10, checksum(h, 20));
	return p;
}

uint8_t *put_ipv6(uint8_t *p, const struct packet *k, const struct addr *src,
		  const struct addr *dst)
{
	p = put32(p, 0x60000000);
	p = put16(p, k->body_n + (k->is_fragment ? 8 : 0));
	p = put16(p, (k->is_fragment ? FRAGMENT : k->proto) << 8 | 64);
	p = put_bytes(p, src->b, 16);
	p = put_bytes(p, dst->b, 16);
	if (k->is_fragment) {
		p = put16(p, k->proto << 8);
		p = put16(p, k->offset | k->more);
		p = put32(p, k->ident);
	}
	return p;
}

void counter_add(struct counter *c, uint64_t bytes)
{
	c->packets++;
	c->bytes += bytes;
}

static void entity_count(struct trace *t, uint32_t i, unsigned class, unsigned rx, uint32_t bytes)
{
	if (i == NOBODY)
		return;
	counter_add(&t->entities[i].sum[class][rx], bytes);
	t->entities[i].last_ns = t->ts_ns;
}

void account(struct trace *t, const struct packet *k, uint32_t bytes)
{
	uint32_t src = k->flow->end[k->from], dst = k->flow->end[!k->from];
	unsigned inner = (src < t->inners) + (dst < t->inners);

	entity_count(t, src, k->class, 0, bytes);
	entity_count(t, dst, k->class, 1, bytes);
	counter_add(inner ? &t->inner : &t->transit, bytes);
	if (inner == 2)
		counter_add(&t->internal, bytes);
	if (dst == NOBODY)
		counter_add(&t->received_by_one, bytes);
}

uint8_t *put_ip(const struct trace *t, uint8_t *p, const struct packet *k, uint32_t *bytes)
{
	const struct addr *src = flow_addr(t, k->flow, k->from);
	const struct addr *dst = flow_addr(t, k->flow, !k->from);
	uint8_t *ip = p;

	if (k->flow->family == ADDR_V4) {
		p = put_ipv4(p, k, src, dst);
		*bytes = 20 + k->body_n;
	} else {
		p = put_ipv6(p, k, src, dst);
		*bytes = (uint32_t)(p - ip) + k->body_n;
	}
	return put_bytes(p, k->head, k->head_n);
}

/* Writes one IP packet, unless the file has its number of them. */
int put_packet(struct trace *t, const struct packet *k)
{
	const struct flow *f = k->flow;
	uint8_t frame[256], *p, *ip;
	uint32_t bytes;
	size_t wire;

	if (t->made == t->c.packets)
		return 0;
	if (t->in_tunnel)
		return put_tunneled(t, k);
	ip = put_link(frame, f->tags, f->vlan, f->family == ADDR_V4 ? 0x0800 : 0x86dd);
	p = put_ip(t, ip, k, &bytes);
	wire = (size_t)(ip - frame) + bytes;
	account(t, k, bytes);
	return put_frame(t, frame, (size_t)(p - frame), wire < 60 ? 60 : wire);
}

/* The same in 2 or 3 fragments; now and then the last comes first. */
int put_fragments(struct trace *t, const struct packet *whole)
{
	const uint32_t full = MTU - 60; /* a multiple of 8 that fits with every header */
	unsigned n = 2 + draw_below(t, 2);
	bool backwards = happens(t, 0.125);

	for (unsigned i = 0; i < n; i++) {
		unsigned part = backwards ? n - 1 - i : i;
		struct packet k = *whole;
		int ret;

		k.is_fragment = true;
		k.more = part + 1 < n;
		k.offset = (uint16_t)(part * full);
		k.body_n = k.more ? full : 8 + draw_below(t, full - 8);
		k.head_n = part ? 0 : whole->head_n;
		ret = put_packet(t, &k);
		if (ret < 0)
			return ret;
	}
	return 0;
}
