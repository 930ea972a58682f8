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

struct inner;

/* The set of n networks (copied; overlaps are fine). n == 0: the default
 * list, private and link-local networks of both families. 0 and *out set, or
 * -ENOMEM with e filled. */
int inner_new(struct inner **out, const struct addr_net *nets, size_t n, struct err *e);
void inner_free(struct inner *in); /* NULL is fine */

/* Unspecified, limited-broadcast and multicast addresses never are; with any
 * others a set may be made. */
bool inner_can_have(const struct addr *a, uint8_t family);
bool inner_has(const struct inner *in, const struct addr *a, uint8_t family);

#endif
