/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.c - networks: which one an address is in, and what all of one sum up to.
 */
#include "cli/group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

#define BITS_V4 32
#define BITS_V6 128

static uint8_t bits_of(uint8_t family)
{
	return family == 4 ? BITS_V4 : BITS_V6;
}

static void mask(struct tctable_addr *ip, uint8_t bits)
{
	for (unsigned i = 0; i < sizeof(ip->bytes); i++) {
		const unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			ip->bytes[i] &= (uint8_t)(0xff00 >> kept);
	}
}

/* "/24" or "24". */
static int prefix_parse(uint8_t *out, const char *text, uint8_t most)
{
	uint64_t n;

	if (units_count_parse(&n, text + (*text == '/'), 0, most, NULL) < 0)
		return -EINVAL;
	*out = (uint8_t)n;
	return 0;
}

int group_parse(struct group_conf *out, const char *text, struct err *e)
{
	struct group_conf c = {.bits_v4 = 24, .bits_v6 = 64};
	char first[8];
	const size_t n = strcspn(text, ",");

	snprintf(first, sizeof(first), "%.*s", n < sizeof(first) ? (int)n : 0, text);
	if (text[n] == ',') {
		if (prefix_parse(&c.bits_v4, first, BITS_V4) == 0 &&
		    prefix_parse(&c.bits_v6, text + n + 1, BITS_V6) == 0)
			goto good;
	} else if (prefix_parse(&c.bits_v4, first, BITS_V4) == 0 ||
		   prefix_parse(&c.bits_v6, first, BITS_V6) == 0) {
		goto good;
	}
	return err_set(e, -EINVAL,
		       "'%.40s': give the length of a prefix of IPv4 and of IPv6, as in /24,/64",
		       text);
good:
	*out = c;
	return 0;
}

int group_net_parse(struct tctable_addr *ip, uint8_t *bits, const char *text, struct err *e)
{
	const char *slash = strchr(text, '/');
	char addr[TCTABLE_ADDR_TEXT] = "";
	const size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n < sizeof(addr))
		memcpy(addr, text, n);
	if (tctable_addr_parse(ip, addr) < 0)
		goto bad;
	*bits = bits_of(ip->family);
	if (slash && (slash[1] == '/' || prefix_parse(bits, slash + 1, *bits) < 0))
		goto bad;
	mask(ip, *bits);
	return 0;
bad:
	return err_set(e, -EINVAL,
		       "'%.64s': not a network; write one like 10.0.0.0/8 or 2001:db8::/32", text);
}

bool group_net_has(const struct tctable_addr *net, uint8_t bits, const struct tctable_addr *ip)
{
	struct tctable_addr of = *ip;

	if (ip->family != net->family)
		return false;
	mask(&of, bits);
	return memcmp(of.bytes, net->bytes, sizeof(of.bytes)) == 0;
}

const char *group_net_text(char buf[GROUP_NET_TEXT], const struct tctable_addr *net, uint8_t bits)
{
	char ip[TCTABLE_ADDR_TEXT];

	snprintf(buf, GROUP_NET_TEXT, "%s/%u", tctable_addr_format(net, ip), bits);
	return buf;
}

static void add_counter(struct tctable_counter *sum, const struct tctable_counter *c)
{
	sum->packets += c->packets;
	sum->bytes += c->bytes;
}

static void add_host(struct tctable_host *sum, const struct tctable_host *h)
{
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		sum->cls[c].conns += h->cls[c].conns;
		add_counter(&sum->cls[c].tx, &h->cls[c].tx);
		add_counter(&sum->cls[c].rx, &h->cls[c].rx);
	}
	sum->half_open += h->half_open;
	sum->last_ns = h->last_ns > sum->last_ns ? h->last_ns : sum->last_ns;
}

size_t group_sum(const struct group_conf *c, struct tctable_host *hosts, struct group_net *nets,
		 size_t n)
{
	size_t sums = 0;

	for (size_t i = 0; i < n; i++) {
		const struct tctable_host h = hosts[i];
		const uint8_t bits = h.ip.family == 4 ? c->bits_v4 : c->bits_v6;

		if (sums && group_net_has(&hosts[sums - 1].ip, bits, &h.ip)) {
			add_host(&hosts[sums - 1], &h);
			nets[sums - 1].hosts++;
			continue;
		}
		hosts[sums] = (struct tctable_host){.ip = h.ip, .kind = h.kind};
		mask(&hosts[sums].ip, bits);
		add_host(&hosts[sums], &h);
		nets[sums++] = (struct group_net){.bits = bits, .hosts = 1};
	}
	return sums;
}
