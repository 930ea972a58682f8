/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - single fields as bytes, for the encoders and decoders.
 *
 * Fields are written and read one after the other, in the order of the tables
 * in docs/protocol.md: what a put_ writes, the get_ at the same place reads.
 * A put_ stays within its buffer by assertion: our own code decides how much
 * it writes. A get_ behind the end of its cursor reads zero.
 */
#ifndef WIRE_INTERNAL_H
#define WIRE_INTERNAL_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "tctable.h"

struct put {
	uint8_t *p, *end;
};

static inline uint8_t *put_room(struct put *w, size_t n)
{
	uint8_t *at = w->p;

	assert((size_t)(w->end - w->p) >= n);
	w->p += n;
	return at;
}

static inline void put_u8(struct put *w, uint8_t v)
{
	*put_room(w, 1) = v;
}

static inline void put_u16(struct put *w, uint16_t v)
{
	store_le16(put_room(w, 2), v);
}

static inline void put_u32(struct put *w, uint32_t v)
{
	store_le32(put_room(w, 4), v);
}

static inline void put_u64(struct put *w, uint64_t v)
{
	store_le64(put_room(w, 8), v);
}

static inline void put_zeros(struct put *w, size_t n)
{
	memset(put_room(w, n), 0, n);
}

/* At most n - 1 bytes of text, and NULs. */
static inline void put_text(struct put *w, const char *text, size_t n)
{
	const size_t len = strnlen(text, n - 1);
	uint8_t *at = put_room(w, n);

	memcpy(at, text, len);
	memset(at + len, 0, n - len);
}

/* Without the family, which stands elsewhere. */
static inline void put_addr(struct put *w, const struct tctable_addr *a)
{
	const size_t n = a->family == 6 ? 16 : a->family == 4 ? 4 : 0;
	uint8_t *at = put_room(w, 16);

	memcpy(at, a->bytes, n);
	memset(at + n, 0, 16 - n);
}

static inline void put_counter(struct put *w, const struct tctable_counter *c)
{
	put_u64(w, c->packets);
	put_u64(w, c->bytes);
}

static inline uint8_t get_u8(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 1);

	return p ? *p : 0;
}

static inline uint16_t get_u16(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 2);

	return p ? load_le16(p) : 0;
}

static inline uint32_t get_u32(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 4);

	return p ? load_le32(p) : 0;
}

static inline uint64_t get_u64(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 8);

	return p ? load_le64(p) : 0;
}

static inline void get_zeros(struct bytes *b, size_t n)
{
	bytes_take(b, n);
}

/* Up to the first NUL; nothing of what stands behind it comes along. */
static inline void get_text(struct bytes *b, char *out, size_t n)
{
	const uint8_t *p = bytes_take(b, n);
	const size_t len = p ? strnlen((const char *)p, n - 1) : 0;

	memset(out, 0, n);
	if (len)
		memcpy(out, p, len);
}

static inline void get_addr(struct bytes *b, struct tctable_addr *out, uint8_t family)
{
	const uint8_t *p = bytes_take(b, 16);
	const size_t n = family == 6 ? 16 : family == 4 ? 4 : 0;

	memset(out, 0, sizeof(*out));
	if (p)
		memcpy(out->bytes, p, n);
	out->family = family;
}

static inline void get_counter(struct bytes *b, struct tctable_counter *c)
{
	c->packets = get_u64(b);
	c->bytes = get_u64(b);
}

#endif
