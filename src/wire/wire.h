/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - the protocol between tctable and tcsniff: requests, replies and
 * records as bytes, both ways. docs/protocol.md tells the same in prose.
 *
 * Pure: any thread, no allocation, no I/O. Encoders write exactly the stated
 * number of bytes; decoders read from a cursor that cannot leave its buffer
 * and leave it where it was when they fail. All integers are little-endian.
 *
 * A conversation: the client sends a request (header, body), the daemon
 * answers it with one or more chunks (header, records), the last of them
 * without WIRE_MORE; then the next request. The first 16 bytes of either
 * header, and the first 28 of the info record, are the same in every version.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdint.h>

#include "base/bytes.h"
#include "tctable.h"

#define WIRE_MAGIC   0x0073777au
#define WIRE_VERSION 2u
#define WIRE_HZ	     1000000000u

enum wire_number {
	WIRE_INFO = 256,   /* -> one info record */
	WIRE_COUNT = 257,  /* -> one count record */
	WIRE_HOSTS = 258,  /* -> host records, then overflow's and forgotten's */
	WIRE_HOST = 259,   /* address -> one host record */
	WIRE_CONNS = 260,  /* address -> connection records by ascending id */
	WIRE_STATS = 261,  /* -> the sum's stats record, then each worker's */
	WIRE_TOP = 262,	   /* what -> top records, best first */
	WIRE_SAMPLE = 263, /* -> one sample record */
};

/* How a request ended; numbers of the protocol, not of a C library. */
enum wire_status {
	WIRE_OK = 0,
	WIRE_ENOENT = 2,  /* no host of that address */
	WIRE_EAGAIN = 11, /* the daemon has no memory for it now */
	WIRE_ENOMEM = 12, /* more records than the request has room for */
	WIRE_EINVAL = 22, /* a body of the wrong length, or what makes no sense */
	WIRE_ENOSYS = 38, /* no such request */
	WIRE_EPROTO = 71, /* another magic or version; the connection is closed */
};

/* ---- sizes, bytes ---- */

#define WIRE_PREFIX_BYTES      16    /* of either header; the same in every version */
#define WIRE_REQUEST_BYTES     24    /* a request's header */
#define WIRE_REQUEST_BODY_MAX  64    /* a longer body is refused, and the connection closed */
#define WIRE_ADDR_BYTES	       24    /* body of WIRE_HOST and WIRE_CONNS */
#define WIRE_TOP_WHAT_BYTES    32    /* body of WIRE_TOP */
#define WIRE_REPLY_BYTES       40    /* a chunk's header */
#define WIRE_REPLY_BODY_MAX    65536 /* a chunk's records */
#define WIRE_INFO_PREFIX_BYTES 28    /* of the info record; the same in every version */
#define WIRE_INFO_BYTES	       352
#define WIRE_COUNT_BYTES       8
#define WIRE_HOST_BYTES	       224
#define WIRE_CONN_BYTES	       120
#define WIRE_STATS_BYTES       3304
#define WIRE_TOP_BYTES	       336
#define WIRE_SAMPLE_BYTES      1800

/* The bytes of a request's body, and of one record of its reply; 0 if there
 * is no such request (or no body). */
uint32_t wire_body_bytes(uint32_t number);
uint32_t wire_record_bytes(uint32_t number);

/* ---- requests ---- */

struct wire_request {
	uint32_t magic, version; /* set by decode; encode writes its own */
	uint32_t number;	 /* enum wire_number */
	uint32_t body_bytes;
	uint64_t room; /* of WIRE_HOSTS and WIRE_CONNS: the most records that
			* the caller can hold; 0: any number */
};

void wire_request_encode(uint8_t out[WIRE_REQUEST_BYTES], const struct wire_request *r);

/* 0, or -EAGAIN: fewer than WIRE_REQUEST_BYTES are there. -EPROTO: another
 * magic or version; then the first 16 bytes suffice, and *out has them. */
int wire_request_decode(struct bytes *b, struct wire_request *out);

/* The body of WIRE_HOST and WIRE_CONNS. */
void wire_addr_encode(uint8_t out[WIRE_ADDR_BYTES], const struct tctable_addr *ip);

/* 0; -EINVAL: too short, or neither IPv4 nor IPv6. */
int wire_addr_decode(struct bytes *b, struct tctable_addr *out);

/* The body of WIRE_TOP. Decode: 0; -EINVAL: too short, or a value that is none
 * of those that tctable.h names. */
void wire_top_what_encode(uint8_t out[WIRE_TOP_WHAT_BYTES], const struct tctable_top *what);
int wire_top_what_decode(struct bytes *b, struct tctable_top *out);

/* Whether it could be sent: 0, or -EINVAL. */
int wire_top_what_check(const struct tctable_top *what);

/* ---- replies ---- */

#define WIRE_MORE 1u /* another chunk of this reply follows */

struct wire_reply {
	uint32_t magic, version; /* set by decode; encode writes its own */
	uint32_t number;	 /* of the request */
	uint32_t status;	 /* enum wire_status */
	uint32_t body_bytes;	 /* records * record_bytes */
	uint32_t record_bytes;	 /* of one record */
	uint32_t records;	 /* in this chunk; 0 unless WIRE_OK (or WIRE_EPROTO: 1) */
	uint32_t flags;		 /* WIRE_MORE */
	uint64_t needed;	 /* WIRE_ENOMEM: the room needed, in records */
};

void wire_reply_encode(uint8_t out[WIRE_REPLY_BYTES], const struct wire_reply *r);

/* 0; -EAGAIN: fewer than WIRE_REPLY_BYTES are there. -EPROTO: another magic or
 * version; then the first 16 bytes suffice, and *out has them. -EBADMSG: its
 * figures contradict each other, or the body is above WIRE_REPLY_BODY_MAX. A
 * reply of status WIRE_EPROTO carries the daemon's info record. */
int wire_reply_decode(struct bytes *b, struct wire_reply *out);

/* The -errno of this system for a status; -EBADMSG for one that is not ours. */
int wire_status_errno(uint32_t status);

/* ---- records ----
 *
 * Decoders return 0, or -EBADMSG: too short, or a value that no daemon sends.
 * Texts always end with a NUL once decoded; what they hold is the sender's. */

/* The sizes, version and hz in `info` are not looked at: encode writes ours. */
void wire_info_encode(uint8_t out[WIRE_INFO_BYTES], const struct tctable_info *info);

/* Of a body that holds an info record. Also -EPROTO: the version or a size of
 * a record is not ours; then *out has version, hz and the sizes as received
 * and everything else 0. */
int wire_info_decode(struct bytes *b, struct tctable_info *out);

void wire_count_encode(uint8_t out[WIRE_COUNT_BYTES], uint64_t hosts);
int wire_count_decode(struct bytes *b, uint64_t *hosts);

void wire_host_encode(uint8_t out[WIRE_HOST_BYTES], const struct tctable_host *h);
int wire_host_decode(struct bytes *b, struct tctable_host *out);

void wire_conn_encode(uint8_t out[WIRE_CONN_BYTES], const struct tctable_conn *c);
int wire_conn_decode(struct bytes *b, struct tctable_conn *out);

void wire_stats_encode(uint8_t out[WIRE_STATS_BYTES], const struct tctable_stats *s);
int wire_stats_decode(struct bytes *b, struct tctable_stats *out);

void wire_top_encode(uint8_t out[WIRE_TOP_BYTES], const struct tctable_top_row *row);
int wire_top_decode(struct bytes *b, struct tctable_top_row *out);

void wire_sample_encode(uint8_t out[WIRE_SAMPLE_BYTES], const struct tctable_sample *s);
int wire_sample_decode(struct bytes *b, struct tctable_sample *out);

#endif
