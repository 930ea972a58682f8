/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * units.c - numbers with units, from text.
 */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define DURATION_MAX_NS (3653ull * 86400 * NS_PER_SEC)

struct unit {
	const char *name;
	uint64_t factor;
};

/* The digits at the front of text, times the factor of the unit behind them.
 * -EINVAL: not of that form; -ERANGE: more than 64 bits. */
static int parse(uint64_t *out, const char *text, const struct unit *units, size_t n)
{
	char *end;
	uint64_t v;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		return __builtin_mul_overflow(v, units[i].factor, out) ? -ERANGE : 0;
	}
	return -EINVAL;
}

int units_duration_parse(uint64_t *out_ns, const char *text, struct err *e)
{
	static const struct unit units[] = {
		{"", NS_PER_SEC},	{"s", NS_PER_SEC},	  {"ms", NS_PER_MSEC},
		{"m", 60 * NS_PER_SEC}, {"h", 3600 * NS_PER_SEC}, {"d", 86400 * NS_PER_SEC},
	};
	uint64_t v = 0;
	const int ret = parse(&v, text, units, sizeof(units) / sizeof(units[0]));

	if (ret == -EINVAL)
		return err_set(e, ret,
			       "'%.64s' is not a duration; write one like 30s, 5m, 1h or 7d", text);
	if (ret == -ERANGE || v > DURATION_MAX_NS)
		return err_set(e, -ERANGE, "'%.64s' is longer than 10 years (3653d)", text);
	*out_ns = v;
	return 0;
}

static int parse_between(uint64_t *out, const char *text, const struct unit units[4], uint64_t min,
			 uint64_t max, const char *letters, struct err *e)
{
	uint64_t v = 0;
	const int ret = parse(&v, text, units, 4);

	if (ret == -EINVAL)
		return err_set(e, ret, "'%.64s' is not a whole number (%s may follow it)", text,
			       letters);
	if (ret == -ERANGE || v < min || v > max)
		return err_set(e, -ERANGE, "'%.64s' is not between %" PRIu64 " and %" PRIu64, text,
			       min, max);
	*out = v;
	return 0;
}

int units_count_parse(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct err *e)
{
	static const struct unit units[] = {
		{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}};

	return parse_between(out, text, units, min, max, "k, M and G", e);
}

int units_bytes_parse(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct err *e)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};

	return parse_between(out, text, units, min, max, "K, M and G", e);
}
