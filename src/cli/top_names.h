/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_names.h - what addresses are called, by reverse DNS, without waiting.
 *
 * Threading: lookup by one thread; it starts another one that asks, at its first
 *            call, which ends with the process.
 * Memory:    a fixed table: a name that is looked for makes another one go.
 */
#ifndef CLI_TOP_NAMES_H
#define CLI_TOP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "tctable.h"

/* True and its name, if that is known. False: not yet, or it has none; if nobody has
 * asked for it yet, the other thread will. */
bool top_names_lookup(const struct tctable_addr *ip, char *out, size_t n);

/* Waits until nothing is looked for any more, but not longer than `ms`. */
void top_names_wait(unsigned ms);

#endif
