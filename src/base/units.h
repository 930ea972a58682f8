/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * units.h - numbers with units, from text.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdint.h>

struct err;

#define NS_PER_SEC  1000000000ull
#define NS_PER_MSEC 1000000ull

/* A duration: "30", "30s", "5m", "1h", "7d", "250ms"; a bare number is
 * seconds. 0 and *out_ns set, or -EINVAL (not a duration) or -ERANGE (above
 * 10 years) with e filled. */
int units_duration_parse(uint64_t *out_ns, const char *text, struct err *e);

/* A whole number in [min, max], optionally with k, M or G behind it
 * (powers of 1000). 0, or -EINVAL or -ERANGE with e filled. */
int units_count_parse(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct err *e);

/* A number of bytes in [min, max], optionally with K, M or G behind it (powers
 * of 1024). Errors as above. */
int units_bytes_parse(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct err *e);

#endif
