/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unpack.h - gzip (RFC 1952) and zstd (RFC 8878), a piece at a time.
 *
 * Several gzip members or zstd frames in a row are one stream, zeros behind
 * the last gzip member are padding. Pure but for memory: bytes in, bytes out.
 * Threading: one unpacker belongs to one thread.
 * Memory:    an input buffer, and what the format asks of a reader: 32 KiB
 *            for gzip, at most 128 MiB for zstd (its windows beyond that are
 *            refused, as by the zstd program).
 */
#ifndef CAPTURE_UNPACK_H
#define CAPTURE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define UNPACK_MAGIC_BYTES 4

enum unpack_format { UNPACK_PLAIN, UNPACK_GZIP, UNPACK_ZSTD };

struct unpack;

/* What the first n bytes of a file say that it is. */
enum unpack_format unpack_format_of(const uint8_t *head, size_t n);

/* format: not UNPACK_PLAIN. 0 and *out set, or -ENOMEM with e filled. */
int unpack_new(struct unpack **out, enum unpack_format format, struct err *e);
void unpack_free(struct unpack *u); /* NULL is fine */

/* Where the next packed bytes go, and room for how many; only once
 * unpack_run() has returned 0. Then how many were put there. */
uint8_t *unpack_room(struct unpack *u, size_t *room_bytes);
void unpack_fed(struct unpack *u, size_t n);

/* Up to n unpacked bytes to dst: how many. 0: more input is needed. -EBADMSG:
 * damaged there, and unpack_fault() says how; what came before is good. */
int unpack_run(struct unpack *u, uint8_t *dst, size_t n);

/* What was wrong, or what is wrong if the input ends here: NULL, nothing. */
const char *unpack_fault(const struct unpack *u);

#endif
