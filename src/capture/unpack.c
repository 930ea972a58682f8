/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unpack.c - gzip (RFC 1952) and zstd (RFC 8878), a piece at a time.
 *
 * zlib and libzstd unpack; here stands only what lies between the members of
 * a gzip file, and when a file may end.
 */
#include "capture/unpack.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"

#define INPUT_BYTES (64 * 1024)
#define GZIP_WINDOW (15 + 16) /* the largest, with gzip headers only */

enum place { BETWEEN, INSIDE, PADDING, DAMAGED };

struct unpack {
	enum unpack_format format;
	enum place place; /* BETWEEN: the input may end here */
	size_t pos, end;  /* of what is in input */
	union {
		z_stream gzip;
		ZSTD_DStream *zstd;
	};
	char fault[80];
	uint8_t input[INPUT_BYTES];
};

enum unpack_format unpack_format_of(const uint8_t *head, size_t n)
{
	if (n >= 2 && head[0] == 0x1f && head[1] == 0x8b)
		return UNPACK_GZIP;
	if (n < 4)
		return UNPACK_PLAIN;
	/* a frame, or one of the skippable frames that some packers begin with */
	if (load_le32(head) == 0xfd2fb528 || (load_le32(head) & 0xfffffff0) == 0x184d2a50)
		return UNPACK_ZSTD;
	return UNPACK_PLAIN;
}

int unpack_new(struct unpack **out, enum unpack_format format, struct err *e)
{
	struct unpack *u = calloc(1, sizeof(*u));
	bool ok;

	if (!u)
		return err_set(e, -ENOMEM, "no memory to unpack a file");
	u->format = format;
	if (format == UNPACK_GZIP) {
		ok = inflateInit2(&u->gzip, GZIP_WINDOW) == Z_OK;
	} else {
		u->zstd = ZSTD_createDStream();
		ok = u->zstd != NULL;
	}
	if (!ok) {
		free(u);
		return err_set(e, -ENOMEM, "no memory to unpack a file");
	}
	*out = u;
	return 0;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	if (u->format == UNPACK_GZIP)
		inflateEnd(&u->gzip);
	else
		ZSTD_freeDStream(u->zstd);
	free(u);
}

uint8_t *unpack_room(struct unpack *u, size_t *room_bytes)
{
	/* a gzip member's first byte may wait here for its second */
	memmove(u->input, u->input + u->pos, u->end - u->pos);
	u->end -= u->pos;
	u->pos = 0;
	*room_bytes = sizeof(u->input) - u->end;
	return u->input + u->end;
}

void unpack_fed(struct unpack *u, size_t n)
{
	u->end += n;
}

static int damaged(struct unpack *u, const char *program, const char *why)
{
	snprintf(u->fault, sizeof(u->fault), "the %s data is damaged (%s)", program, why);
	u->place = DAMAGED;
	return -EBADMSG;
}

/* Behind a member: 1 at the next one, 0 if more input must tell, or damage. */
static int find_member(struct unpack *u)
{
	if (u->place == BETWEEN && u->end - u->pos < 2 && u->input[u->pos] != 0)
		return 0;
	if (u->place == BETWEEN && unpack_format_of(u->input + u->pos, 2) == UNPACK_GZIP) {
		inflateReset(&u->gzip);
		u->place = INSIDE;
		return 1;
	}
	u->place = PADDING;
	for (; u->pos < u->end; u->pos++)
		if (u->input[u->pos] != 0)
			return damaged(u, "gzip", "something else is behind it");
	return 0;
}

static int run_gzip(struct unpack *u, uint8_t *dst, size_t n)
{
	z_stream *z = &u->gzip;

	z->next_out = dst;
	z->avail_out = n < INT_MAX ? (uInt)n : INT_MAX;
	while (z->next_out == dst && u->pos < u->end) {
		int ret;

		if (u->place != INSIDE) {
			ret = find_member(u);
			if (ret <= 0)
				return ret;
		}
		z->next_in = u->input + u->pos;
		z->avail_in = (uInt)(u->end - u->pos);
		ret = inflate(z, Z_NO_FLUSH);
		u->pos = u->end - z->avail_in;
		if (ret == Z_STREAM_END)
			u->place = BETWEEN;
		else if (ret == Z_BUF_ERROR)
			break; /* a call that could not get on: no fault */
		else if (ret != Z_OK && z->next_out == dst)
			return damaged(u, "gzip", z->msg ? z->msg : zError(ret));
		else if (ret != Z_OK)
			break; /* what it made first; the next call fails alike */
	}
	return (int)(z->next_out - dst);
}

static int run_zstd(struct unpack *u, uint8_t *dst, size_t n)
{
	ZSTD_outBuffer out = {dst, n < INT_MAX ? n : INT_MAX, 0};
	ZSTD_inBuffer in = {u->input, u->end, u->pos};

	while (out.pos == 0) {
		const size_t pos_before = in.pos;
		size_t ret;

		/* without input it may still hold output of a frame begun */
		if (in.pos == in.size && u->place == BETWEEN)
			break;
		ret = ZSTD_decompressStream(u->zstd, &out, &in);
		u->pos = in.pos;
		if (ZSTD_isError(ret))
			return damaged(u, "zstd", ZSTD_getErrorName(ret));
		u->place = ret == 0 ? BETWEEN : INSIDE;
		if (in.pos == pos_before && out.pos == 0)
			break;
	}
	return (int)out.pos;
}

int unpack_run(struct unpack *u, uint8_t *dst, size_t n)
{
	if (u->place == DAMAGED)
		return -EBADMSG;
	return u->format == UNPACK_GZIP ? run_gzip(u, dst, n) : run_zstd(u, dst, n);
}

const char *unpack_fault(const struct unpack *u)
{
	if (u->place == DAMAGED)
		return u->fault;
	if (u->place == INSIDE)
		return u->format == UNPACK_GZIP ? "the gzip data is cut" : "the zstd data is cut";
	if (u->pos < u->end)
		return "the gzip data is damaged (something else is behind it)";
	return NULL;
}
