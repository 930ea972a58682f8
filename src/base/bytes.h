/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bytes.h - a read cursor that cannot leave its buffer.
 *
 * Every byte that comes from the wire, a file or a socket is read through it.
 * Loads are byte-wise or memcpy, so no alignment is asked of the buffer.
 * Borrows the buffer; any thread, one cursor a thread.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *p;   /* next byte to read */
	const uint8_t *end; /* one behind the last */
};

static inline struct bytes bytes_of(const void *data, size_t n)
{
	const uint8_t *p = data;

	return (struct bytes){p, n ? p + n : p}; /* NULL + 0 is undefined in C */
}

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->p);
}

/* Where the next n bytes start, or NULL if fewer are left. Does not move. */
static inline const uint8_t *bytes_peek(const struct bytes *b, size_t n)
{
	return bytes_left(b) < n ? NULL : b->p;
}

/* Steps over n bytes and returns where they start, or NULL, unmoved. */
static inline const uint8_t *bytes_take(struct bytes *b, size_t n)
{
	const uint8_t *at = b->p;

	if (bytes_left(b) < n)
		return NULL;
	b->p += n;
	return at;
}

/* Loads of n bytes at p; the caller has taken or peeked at least as many. */
static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p + 4) << 32 | load_le32(p);
}

static inline void store_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
	store_le16(p, (uint16_t)v);
	store_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
	store_le32(p, (uint32_t)v);
	store_le32(p + 4, (uint32_t)(v >> 32));
}

#endif
