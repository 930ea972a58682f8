/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inner.h - which addresses are inner hosts.
 *
 * Threading: made once; inner_has() from any thread after that.
 * Cost:      a binary search over disjoint ranges, whatever the number of
 *            networks they came from.
 */
#ifndef TABLE_INNER_H
#define TABLE_INNER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

/* What is inner of all addresses with one first byte. */
enum inner_first { INNER_NONE, INNER_ALL, INNER_SOME };

struct inner_range;

/* Of one family; inner.c. */
struct inner_ranges {
	struct inner_range *r;
	size_t n;
	uint8_t first[256]; /* enum inner_first */
};

struct inner {
	struct inner_ranges v4, v6;
};

/* The set of n networks (copied; overlaps are fine). n == 0: the default
 * list, private and link-local networks of both families. 0 and *out set, or
 * -ENOMEM with e filled. */
int inner_new(struct inner **out, const struct addr_net *nets, size_t n, struct err *e);
void inner_free(struct inner *in); /* NULL is fine */

/* Unspecified, limited-broadcast and multicast addresses never are; with any
 * others a set may be made. */
bool inner_can_have(const struct addr *a, uint8_t family);
bool inner_search(const struct inner *in, const struct addr *a, uint8_t family);

/* For most addresses the first byte tells, without a search. */
static inline bool inner_has(const struct inner *in, const struct addr *a, uint8_t family)
{
	const uint8_t first = (family == ADDR_V4 ? &in->v4 : &in->v6)->first[a->b[0]];

	return first == INNER_SOME ? inner_search(in, a, family) : first == INNER_ALL;
}

#endif
