/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.c - what text and JSON have in common: names, order, the last word
 * about writing.
 */
#include "cli/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "cli/internal.h"

const char *const print_class_names[TCTABLE_CLASSES] = {
	[TCTABLE_TCP] = "tcp",
	[TCTABLE_UDP] = "udp",
	[TCTABLE_ICMP] = "icmp",
	[TCTABLE_OTHER] = "other",
};

/* The names are IANA's, in lower case; 58 as everybody calls it. */
const char *print_protocol_name(uint8_t protocol)
{
	static const char *const names[256] = {
		[1] = "icmp",	[2] = "igmp",	  [4] = "ipip",	  [6] = "tcp",	     [8] = "egp",
		[17] = "udp",	[27] = "rdp",	  [33] = "dccp",  [41] = "ipv6",     [46] = "rsvp",
		[47] = "gre",	[50] = "esp",	  [51] = "ah",	  [58] = "icmpv6",   [88] = "eigrp",
		[89] = "ospf",	[97] = "etherip", [103] = "pim",  [108] = "ipcomp",  [112] = "vrrp",
		[115] = "l2tp", [124] = "isis",	  [132] = "sctp", [136] = "udplite", [137] = "mpls",
	};

	return names[protocol];
}

bool print_protocol_has_ports(uint8_t protocol)
{
	switch (protocol) {
	case 6:	  /* TCP */
	case 17:  /* UDP */
	case 33:  /* DCCP */
	case 132: /* SCTP */
	case 136: /* UDP-Lite */
		return true;
	default:
		return false;
	}
}

const char *print_addr(char buf[TCTABLE_ADDR_TEXT], const struct tctable_addr *ip)
{
	struct addr a;

	_Static_assert(TCTABLE_ADDR_TEXT >= ADDR_TEXT_BYTES, "room for any address");
	if (ip->family != ADDR_V4 && ip->family != ADDR_V6)
		return strcpy(buf, "none");
	memcpy(a.b, ip->bytes, sizeof(a.b));
	return addr_format(buf, &a, ip->family);
}

/* RFC 3629: how many bytes, and what the second may be for each first. Beyond
 * it, the control characters C1 (U+0080 to U+009F) do not pass either. */
unsigned print_char_bytes(const char *s)
{
	const unsigned char *b = (const unsigned char *)s;
	unsigned n, low = 0x80, high = 0xbf;

	if (b[0] >= 0x20 && b[0] < 0x7f)
		return 1;
	if (b[0] >= 0xc2 && b[0] <= 0xdf)
		n = 2;
	else if (b[0] >= 0xe0 && b[0] <= 0xef)
		n = 3;
	else if (b[0] >= 0xf0 && b[0] <= 0xf4)
		n = 4;
	else
		return 0;
	switch (b[0]) {
	case 0xc2:
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed: /* no surrogates */
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4: /* nothing above U+10FFFF */
		high = 0x8f;
		break;
	}
	if (b[1] < low || b[1] > high)
		return 0;
	for (unsigned i = 2; i < n; i++)
		if (b[i] < 0x80 || b[i] > 0xbf)
			return 0;
	return n;
}

/* What a host is sorted by: in the order of the numbers, as its bytes are. */
struct rank {
	uint64_t kind, high, low; /* kind and family; the address */
	size_t at;
};

static uint64_t be64_at(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static struct rank rank_of(const struct tctable_host *h, size_t at)
{
	return (struct rank){.kind = (uint64_t)h->kind << 8 | h->ip.family,
			     .high = be64_at(h->ip.bytes),
			     .low = be64_at(h->ip.bytes + 8),
			     .at = at};
}

static int compare_ranks(const void *va, const void *vb)
{
	const struct rank *a = va, *b = vb;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return (a->low > b->low) - (a->low < b->low);
}

static int compare_hosts(const void *va, const void *vb)
{
	const struct rank a = rank_of(va, 0), b = rank_of(vb, 0);

	return compare_ranks(&a, &b);
}

/* Moves each host to the place of its rank: round the circles of the permutation. */
static void put_in_order(struct tctable_host *hosts, struct rank *ranks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct tctable_host first = hosts[i];
		size_t to = i;

		while (ranks[to].at != i) {
			const size_t from = ranks[to].at;

			hosts[to] = hosts[from];
			ranks[to].at = to;
			to = from;
		}
		hosts[to] = first;
		ranks[to].at = to;
	}
}

void print_hosts_sort(struct tctable_host *hosts, size_t n)
{
	struct rank *ranks = n > 1 ? reallocarray(NULL, n, sizeof(*ranks)) : NULL;

	if (!ranks) { /* or there is no memory: slower */
		if (n > 1)
			qsort(hosts, n, sizeof(*hosts), compare_hosts);
		return;
	}
	for (size_t i = 0; i < n; i++)
		ranks[i] = rank_of(&hosts[i], i);
	qsort(ranks, n, sizeof(*ranks), compare_ranks);
	put_in_order(hosts, ranks, n);
	free(ranks);
}

int print_finish(FILE *out, const char *what, struct err *e)
{
	/* A write that failed earlier has left its mark on the stream and its
	 * errno nowhere: flushing what is left mostly fails the same way. */
	const bool has_failed = ferror(out);

	errno = 0;
	if (fflush(out) == 0 && !has_failed)
		return 0;
	if (errno == 0)
		errno = EIO;
	return err_sys(e, "cannot write to %s", what);
}
