/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c - capture files made byte by byte, plain and packed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "files.h"

struct made *made_new(bool is_big_endian)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->is_big_endian = is_big_endian;
	return m;
}

void put_bytes(struct made *m, const void *bytes, size_t n)
{
	assert_true(n <= MADE_BYTES - m->n);
	if (n)
		memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

static void put_number(struct made *m, uint64_t v, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[m->is_big_endian ? n - 1 - i : i] = (uint8_t)(v >> 8 * i);
	put_bytes(m, b, n);
}

void put16(struct made *m, uint16_t v)
{
	put_number(m, v, 2);
}

void put32(struct made *m, uint32_t v)
{
	put_number(m, v, 4);
}

void put64(struct made *m, uint64_t v)
{
	put_number(m, v, 8);
}

void end_part(struct made *m, bool is_packet)
{
	assert_true(m->parts < MADE_PARTS);
	m->part[m->parts].end = m->n;
	m->part[m->parts++].is_packet = is_packet;
}

static void put_data(struct made *m, uint32_t caplen)
{
	const uint8_t byte = made_fill(caplen);

	for (uint32_t i = 0; i < caplen; i++)
		put_bytes(m, &byte, 1);
}

void put_classic_header(struct made *m, uint32_t magic, uint16_t major, uint16_t minor,
			uint32_t snaplen, uint32_t link)
{
	put32(m, magic);
	put16(m, major);
	put16(m, minor);
	put64(m, 0);
	put32(m, snaplen);
	put32(m, link);
	end_part(m, false);
}

void put_classic_record(struct made *m, uint32_t s, uint32_t fraction, uint32_t caplen,
			uint32_t wirelen)
{
	put32(m, s);
	put32(m, fraction);
	put32(m, caplen);
	put32(m, wirelen);
	put_data(m, caplen);
	end_part(m, true);
}

void put_block(struct made *m, uint32_t type, const struct made *body, bool is_packet)
{
	const uint32_t padded = ((uint32_t)body->n + 3) & ~3u;

	put32(m, type);
	put32(m, padded + 12);
	put_bytes(m, body->bytes, body->n);
	put_bytes(m, "\0\0\0", padded - body->n);
	put32(m, padded + 12);
	end_part(m, is_packet);
}

/* A block's body to fill, in m's byte order. */
static struct made *body_of(const struct made *m)
{
	return made_new(m->is_big_endian);
}

static void put_body(struct made *m, uint32_t type, struct made *body, bool is_packet)
{
	put_block(m, type, body, is_packet);
	free(body);
}

void put_section(struct made *m)
{
	struct made *b = body_of(m);

	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put64(b, UINT64_MAX); /* length not said */
	put_body(m, 0x0a0d0d0a, b, false);
}

void put_interface(struct made *m, uint16_t link, uint32_t snaplen)
{
	struct made *b = body_of(m);

	put16(b, link);
	put16(b, 0);
	put32(b, snaplen);
	put_body(m, 1, b, false);
}

void put_interface_ticks(struct made *m, uint16_t link, uint8_t tsresol, int64_t tsoffset)
{
	struct made *b = body_of(m);
	const uint8_t value[4] = {tsresol, 0, 0, 0};

	put16(b, link);
	put16(b, 0);
	put32(b, 0);
	put16(b, 2); /* if_name, to be passed over */
	put16(b, 3);
	put_bytes(b, "lo0", 4);
	put16(b, 9);
	put16(b, 1);
	put_bytes(b, value, 4);
	put16(b, 14);
	put16(b, 8);
	put64(b, (uint64_t)tsoffset);
	put32(b, 0);
	put_body(m, 1, b, false);
}

void put_enhanced(struct made *m, uint32_t interface, uint64_t ticks, uint32_t caplen,
		  uint32_t wirelen)
{
	struct made *b = body_of(m);

	put32(b, interface);
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	put32(b, caplen);
	put32(b, wirelen);
	put_data(b, caplen);
	put_body(m, 6, b, true);
}

void put_simple(struct made *m, uint32_t caplen, uint32_t wirelen)
{
	struct made *b = body_of(m);

	put32(b, wirelen);
	put_data(b, caplen);
	put_body(m, 3, b, true);
}

void put_unknown(struct made *m, uint32_t type, size_t n)
{
	struct made *b = made_new(m->is_big_endian);

	memset(b->bytes, 0x5a, n);
	b->n = n;
	put_block(m, type, b, false);
	free(b);
}

void put_obsolete(struct made *m, uint16_t interface, uint64_t ticks, uint32_t caplen,
		  uint32_t wirelen)
{
	struct made *b = made_new(m->is_big_endian);

	put16(b, interface);
	put16(b, 0xffff); /* drops: not known */
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	put32(b, caplen);
	put32(b, wirelen);
	memset(b->bytes + b->n, made_fill(caplen), caplen);
	b->n += caplen;
	put_block(m, 2, b, true);
	free(b);
}

uint8_t *pack_gzip(const void *bytes, size_t n, size_t *packed_n)
{
	z_stream z = {0};
	uint8_t *out;

	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	*packed_n = deflateBound(&z, n);
	out = malloc(*packed_n);
	assert_non_null(out);
	z.next_in = (void *)(uintptr_t)bytes;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)*packed_n;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*packed_n -= z.avail_out;
	deflateEnd(&z);
	return out;
}

uint8_t *pack_zstd(const void *bytes, size_t n, size_t *packed_n)
{
	uint8_t *out = malloc(ZSTD_compressBound(n));
	ZSTD_CCtx *z = ZSTD_createCCtx();

	assert_true(out && z);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1); /* as the program does */
	*packed_n = ZSTD_compress2(z, out, ZSTD_compressBound(n), bytes, n);
	assert_false(ZSTD_isError(*packed_n));
	ZSTD_freeCCtx(z);
	return out;
}
