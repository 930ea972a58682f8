/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.h - IP addresses and networks as values.
 *
 * An IPv4 address stands in the first 4 of 16 bytes, the others 0; its family
 * stands beside it, because every 128-bit value is an IPv6 address that a
 * packet may carry. Bytes are in network order.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define ADDR_V4		4
#define ADDR_V6		6
#define ADDR_TEXT_BYTES 46 /* longest text, with its NUL */

struct addr {
	union {
		uint8_t b[16]; /* network order */
		uint64_t w[2]; /* the same bytes, for comparing and hashing only */
	};
};

struct addr_net {
	struct addr addr;
	uint8_t family; /* ADDR_V4 or ADDR_V6 */
	uint8_t bits;	/* prefix length */
};

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1])) == 0;
}

/* Text of an address: dotted quad, or RFC 5952. `out` has ADDR_TEXT_BYTES.
 * Returns out. */
const char *addr_format(char *out, const struct addr *a, uint8_t family);

/* An address from text; 0, or -EINVAL with e filled. */
int addr_parse(struct addr *out, uint8_t *family, const char *text, struct err *e);

/* A network from "10.0.0.0/8", "fc00::/7" or one address. Bits behind the
 * prefix must be 0. 0, or -EINVAL with e filled. */
int addr_net_parse(struct addr_net *out, const char *text, struct err *e);

/* Orders IPv4 before IPv6, then by value: <0, 0, >0. */
int addr_compare(const struct addr *a, uint8_t fa, const struct addr *b, uint8_t fb);

#endif
