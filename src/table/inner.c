/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inner.c - which addresses are inner hosts.
 *
 * The networks of each family become ranges of numbers, sorted and merged.
 * IPv4 addresses are numbers in the upper word, as IPv6's first half is, so
 * that one search serves both.
 */
#include "table/inner.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"

struct number {
	uint64_t hi, lo;
};

struct inner_range {
	struct number first, last;
};

static int number_compare(struct number a, struct number b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

static struct number number_of(const struct addr *a)
{
	return (struct number){(uint64_t)load_be32(a->b) << 32 | load_be32(a->b + 4),
			       (uint64_t)load_be32(a->b + 8) << 32 | load_be32(a->b + 12)};
}

static struct inner_range range_of(const struct addr_net *net)
{
	struct inner_range r = {number_of(&net->addr), number_of(&net->addr)};

	if (net->bits < 64)
		r.last.hi |= UINT64_MAX >> net->bits;
	if (net->bits <= 64)
		r.last.lo = UINT64_MAX;
	else if (net->bits < 128)
		r.last.lo |= UINT64_MAX >> (net->bits - 64);
	return r;
}

static int range_compare(const void *a, const void *b)
{
	return number_compare(((const struct inner_range *)a)->first,
			      ((const struct inner_range *)b)->first);
}

static int ranges_fill(struct inner_ranges *out, const struct addr_net *nets, size_t n,
		       uint8_t family)
{
	size_t used = 0, merged = 0;

	out->r = calloc(n ? n : 1, sizeof(*out->r));
	if (!out->r)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (nets[i].family == family)
			out->r[used++] = range_of(&nets[i]);
	qsort(out->r, used, sizeof(*out->r), range_compare);
	for (size_t i = 0; i < used; i++) {
		if (merged && number_compare(out->r[i].first, out->r[merged - 1].last) <= 0) {
			if (number_compare(out->r[i].last, out->r[merged - 1].last) > 0)
				out->r[merged - 1].last = out->r[i].last;
			continue;
		}
		out->r[merged++] = out->r[i];
	}
	out->n = merged;
	return 0;
}

/* How many ranges begin at x or before it. */
static size_t ranges_up_to(const struct inner_ranges *rs, struct number x)
{
	size_t lo = 0, hi = rs->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (number_compare(rs->r[mid].first, x) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static uint8_t first_of(const struct inner_ranges *rs, uint8_t byte)
{
	const struct number x = {(uint64_t)byte << 56, 0};
	const struct number y = {x.hi | UINT64_MAX >> 8, UINT64_MAX};
	const size_t i = ranges_up_to(rs, x);

	if (i && number_compare(rs->r[i - 1].last, y) >= 0)
		return INNER_ALL;
	if (i && number_compare(rs->r[i - 1].last, x) >= 0)
		return INNER_SOME;
	return i < rs->n && number_compare(rs->r[i].first, y) <= 0 ? INNER_SOME : INNER_NONE;
}

/* Where some addresses never are hosts, it takes a second look. */
static void fill_first(struct inner_ranges *rs, uint8_t family)
{
	for (unsigned b = 0; b < 256; b++) {
		const bool has_never = b == 0 || b == 255 || (family == ADDR_V4 && b >> 4 == 14);

		rs->first[b] = first_of(rs, (uint8_t)b);
		if (has_never && rs->first[b] == INNER_ALL)
			rs->first[b] = INNER_SOME;
	}
}

static int fill(struct inner *in, const struct addr_net *nets, size_t n)
{
	if (ranges_fill(&in->v4, nets, n, ADDR_V4) < 0 ||
	    ranges_fill(&in->v6, nets, n, ADDR_V6) < 0)
		return -ENOMEM;
	fill_first(&in->v4, ADDR_V4);
	fill_first(&in->v6, ADDR_V6);
	return 0;
}

static int fill_default(struct inner *in)
{
	/* RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 section 2.5.6 */
	static const char *const texts[] = {
		"10.0.0.0/8",	  "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
		"169.254.0.0/16", "fc00::/7",	   "fe80::/10",
	};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct addr_net nets[N];

	for (size_t i = 0; i < N; i++)
		addr_net_parse(&nets[i], texts[i], NULL);
	return fill(in, nets, N);
}

int inner_new(struct inner **out, const struct addr_net *nets, size_t n, struct err *e)
{
	struct inner *in = calloc(1, sizeof(*in));

	if (!in || (n ? fill(in, nets, n) : fill_default(in)) < 0) {
		inner_free(in);
		return err_set(e, -ENOMEM, "no memory for %zu inner networks", n);
	}
	*out = in;
	return 0;
}

void inner_free(struct inner *in)
{
	if (!in)
		return;
	free(in->v4.r);
	free(in->v6.r);
	free(in);
}

static bool ranges_have(const struct inner_ranges *rs, struct number x)
{
	const size_t i = ranges_up_to(rs, x);

	return i && number_compare(x, rs->r[i - 1].last) <= 0;
}

/* RFC 1122 section 3.2.1.3, RFC 5771; RFC 4291 section 2.4 */
static bool is_never_a_host(const struct addr *a, uint8_t family)
{
	if (family == ADDR_V4) {
		const uint32_t v = load_be32(a->b);

		return v == 0 || v == UINT32_MAX || v >> 28 == 14;
	}
	return a->b[0] == 0xff || (a->w[0] | a->w[1]) == 0;
}

bool inner_can_have(const struct addr *a, uint8_t family)
{
	return !is_never_a_host(a, family);
}

bool inner_search(const struct inner *in, const struct addr *a, uint8_t family)
{
	const struct inner_ranges *rs = family == ADDR_V4 ? &in->v4 : &in->v6;

	return !is_never_a_host(a, family) && ranges_have(rs, number_of(a));
}
