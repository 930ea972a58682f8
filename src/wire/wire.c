/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c - headers of requests and replies as bytes, both ways.
 */
#include "wire/wire.h"

#include <errno.h>

#include "wire/internal.h"

/* --- sizes ------------------------------------------------------------------ */

uint32_t wire_body_bytes(uint32_t number)
{
	switch (number) {
	case WIRE_HOST:
	case WIRE_CONNS:
		return WIRE_ADDR_BYTES;
	case WIRE_TOP:
		return WIRE_TOP_WHAT_BYTES;
	default:
		return 0;
	}
}

uint32_t wire_record_bytes(uint32_t number)
{
	switch (number) {
	case WIRE_INFO:
		return WIRE_INFO_BYTES;
	case WIRE_COUNT:
		return WIRE_COUNT_BYTES;
	case WIRE_HOSTS:
	case WIRE_HOST:
		return WIRE_HOST_BYTES;
	case WIRE_CONNS:
		return WIRE_CONN_BYTES;
	case WIRE_STATS:
		return WIRE_STATS_BYTES;
	case WIRE_TOP:
		return WIRE_TOP_BYTES;
	case WIRE_SAMPLE:
		return WIRE_SAMPLE_BYTES;
	default:
		return 0;
	}
}

/* --- requests --------------------------------------------------------------- */

void wire_request_encode(uint8_t out[WIRE_REQUEST_BYTES], const struct wire_request *r)
{
	struct put w = {out, out + WIRE_REQUEST_BYTES};

	put_u32(&w, WIRE_MAGIC);
	put_u32(&w, WIRE_VERSION);
	put_u32(&w, r->number);
	put_u32(&w, r->body_bytes);
	put_u64(&w, r->room);
	assert(w.p == w.end);
}

int wire_request_decode(struct bytes *b, struct wire_request *out)
{
	struct bytes r = *b;
	struct wire_request got = {0};

	if (!bytes_peek(b, WIRE_PREFIX_BYTES))
		return -EAGAIN;
	got.magic = get_u32(&r);
	got.version = get_u32(&r);
	got.number = get_u32(&r);
	got.body_bytes = get_u32(&r);
	if (got.magic != WIRE_MAGIC || got.version != WIRE_VERSION) {
		*out = got;
		return -EPROTO;
	}
	if (!bytes_peek(b, WIRE_REQUEST_BYTES))
		return -EAGAIN;
	got.room = get_u64(&r);
	*b = r;
	*out = got;
	return 0;
}

void wire_addr_encode(uint8_t out[WIRE_ADDR_BYTES], const struct tctable_addr *ip)
{
	struct put w = {out, out + WIRE_ADDR_BYTES};

	put_addr(&w, ip);
	put_u8(&w, ip->family);
	put_zeros(&w, 7);
	assert(w.p == w.end);
}

int wire_addr_decode(struct bytes *b, struct tctable_addr *out)
{
	const uint8_t *p = bytes_peek(b, WIRE_ADDR_BYTES);

	if (!p || (p[16] != 4 && p[16] != 6))
		return -EINVAL;
	get_addr(b, out, p[16]);
	get_zeros(b, WIRE_ADDR_BYTES - 16);
	return 0;
}

/* --- replies ---------------------------------------------------------------- */

void wire_reply_encode(uint8_t out[WIRE_REPLY_BYTES], const struct wire_reply *r)
{
	struct put w = {out, out + WIRE_REPLY_BYTES};

	put_u32(&w, WIRE_MAGIC);
	put_u32(&w, WIRE_VERSION);
	put_u32(&w, r->number);
	put_u32(&w, r->status);
	put_u32(&w, r->body_bytes);
	put_u32(&w, r->record_bytes);
	put_u32(&w, r->records);
	put_u32(&w, r->flags);
	put_u64(&w, r->needed);
	assert(w.p == w.end);
}

int wire_reply_decode(struct bytes *b, struct wire_reply *out)
{
	struct bytes r = *b;
	struct wire_reply got = {0};

	if (!bytes_peek(b, WIRE_PREFIX_BYTES))
		return -EAGAIN;
	got.magic = get_u32(&r);
	got.version = get_u32(&r);
	got.number = get_u32(&r);
	got.status = get_u32(&r);
	if (got.magic != WIRE_MAGIC || got.version != WIRE_VERSION) {
		*out = got;
		return -EPROTO;
	}
	if (!bytes_peek(b, WIRE_REPLY_BYTES))
		return -EAGAIN;
	got.body_bytes = get_u32(&r);
	got.record_bytes = get_u32(&r);
	got.records = get_u32(&r);
	got.flags = get_u32(&r);
	got.needed = get_u64(&r);
	if (got.body_bytes > WIRE_REPLY_BODY_MAX ||
	    (uint64_t)got.records * got.record_bytes != got.body_bytes)
		return -EBADMSG;
	if (got.flags & ~WIRE_MORE || (got.flags & WIRE_MORE && got.status != WIRE_OK))
		return -EBADMSG;
	*b = r;
	*out = got;
	return 0;
}

int wire_status_errno(uint32_t status)
{
	switch (status) {
	case WIRE_OK:
		return 0;
	case WIRE_ENOENT:
		return -ENOENT;
	case WIRE_EAGAIN:
		return -EAGAIN;
	case WIRE_ENOMEM:
		return -ENOMEM;
	case WIRE_EINVAL:
		return -EINVAL;
	case WIRE_ENOSYS:
		return -ENOSYS;
	case WIRE_EPROTO:
		return -EPROTO;
	default:
		return -EBADMSG;
	}
}
