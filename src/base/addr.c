/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.c - IP addresses and networks as text and back.
 *
 * inet_ntop() is not used for IPv6: glibc writes some addresses in the mixed
 * notation (::1.2.3.4) that RFC 5952 section 5 wants only for known prefixes.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

static void format_v6(char *out, const uint8_t *b)
{
	int best = -1, best_len = 1; /* one group alone is never shortened */
	size_t n = 0;

	for (int i = 0; i < 8;) {
		int j = i;

		while (j < 8 && load_be16(b + 2 * j) == 0)
			j++;
		if (j - i > best_len) {
			best = i;
			best_len = j - i;
		}
		i = j > i ? j : i + 1;
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			n += (size_t)sprintf(out + n, "::");
			i += best_len - 1;
			continue;
		}
		if (i > 0 && out[n - 1] != ':')
			out[n++] = ':';
		n += (size_t)sprintf(out + n, "%x", load_be16(b + 2 * i));
	}
	out[n] = '\0';
}

const char *addr_format(char *out, const struct addr *a, uint8_t family)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	const uint8_t *b = a->b;

	if (family == ADDR_V4)
		sprintf(out, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	else if (memcmp(b, mapped, sizeof(mapped)) == 0)
		sprintf(out, "::ffff:%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
	else
		format_v6(out, b);
	return out;
}

int addr_parse(struct addr *out, uint8_t *family, const char *text, struct err *e)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, text, a.b) == 1)
		*family = ADDR_V4;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		*family = ADDR_V6;
	else
		return err_set(e, -EINVAL, "'%.64s' is not an IPv4 or IPv6 address", text);
	*out = a;
	return 0;
}

int addr_net_parse(struct addr_net *out, const char *text, struct err *e)
{
	char host[ADDR_TEXT_BYTES];
	const char *slash = strchr(text, '/');
	const size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct addr_net net;
	unsigned bits_max;

	if (n >= sizeof(host))
		goto bad;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse(&net.addr, &net.family, host, e) < 0)
		goto bad;
	bits_max = net.family == ADDR_V4 ? 32 : 128;
	net.bits = (uint8_t)bits_max;
	if (slash) {
		char *end;
		const unsigned long bits = strtoul(slash + 1, &end, 10);

		if (slash[1] < '0' || slash[1] > '9' || *end || bits > bits_max)
			return err_set(e, -EINVAL,
				       "'%.64s': the prefix length must be from 0 to %u", text,
				       bits_max);
		net.bits = (uint8_t)bits;
	}
	for (unsigned i = net.bits; i < bits_max; i++)
		if (net.addr.b[i / 8] & (0x80u >> i % 8))
			return err_set(e, -EINVAL,
				       "'%.64s' has bits set behind its prefix length; "
				       "write the network's own address",
				       text);
	*out = net;
	return 0;
bad:
	return err_set(e, -EINVAL,
		       "'%.64s' is not a network; write one like 10.0.0.0/8 or fc00::/7", text);
}

int addr_compare(const struct addr *a, uint8_t fa, const struct addr *b, uint8_t fb)
{
	return fa != fb ? fa - fb : memcmp(a->b, b->b, sizeof(a->b));
}
