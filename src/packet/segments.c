/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segments.c - a frame into which several packets were merged (GRO, LRO), or
 * that was to be cut into several on its way out (TSO, USO).
 *
 * What was on the wire: each gso_size bytes of payload, the last one less, had
 * headers of its own, as long as those that the frame has.
 */
#include "packet/internal.h"

#define TCP_BYTES 20
#define UDP_BYTES 8

/* Bytes of the transport header; 0: not captured, of a length that cannot be,
 * or none that is merged. */
static uint32_t header_bytes(const struct bytes *l4, uint8_t proto)
{
	const uint8_t *h;
	uint32_t n;

	if (proto == PROTO_UDP)
		return UDP_BYTES;
	h = bytes_peek(l4, TCP_BYTES);
	if (!h || proto != PROTO_TCP)
		return 0;
	n = (h[12] >> 4) * 4u;
	return n < TCP_BYTES ? 0 : n;
}

void segments_count(struct pkt *p, const struct walk *w, const struct frame *f)
{
	uint32_t headers, payload, packets;
	uint64_t bytes;

	if (p->kind != PKT_KIND_FLOW || p->key.proto != f->gso_proto || !f->gso_size || !w->l4.p)
		return;
	headers = header_bytes(&w->l4, p->key.proto);
	if (!headers)
		return;
	headers += (uint32_t)(w->l4.p - w->ip);
	if (p->ip_bytes <= headers)
		return;
	payload = p->ip_bytes - headers;
	packets = payload / f->gso_size + (payload % f->gso_size != 0);
	bytes = p->ip_bytes + (packets - 1) * (uint64_t)headers;
	if (bytes > UINT32_MAX) /* a length lies, or the size */
		return;
	p->packets = packets;
	p->ip_bytes = (uint32_t)bytes;
}
