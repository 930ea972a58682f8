/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.h - networks: which one an address is in, and what all of one sum up to.
 *
 * Pure; any thread. Addresses are in network order, prefixes in bits.
 */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tctable.h"

/* How long the prefixes are that hosts are summed up by. */
struct group_conf {
	uint8_t bits_v4, bits_v6;
};

struct group_net {
	uint8_t bits;
	uint64_t hosts; /* that it has */
};

#define GROUP_NET_TEXT (TCTABLE_ADDR_TEXT + 4)

/* "/24,/64": of IPv4, of IPv6; one that is left out is /24 or /64. 0, or -EINVAL
 * with e filled. */
int group_parse(struct group_conf *out, const char *text, struct err *e);

/* "10.0.0.0/8", or an address alone; bits behind the prefix become 0. 0, or -EINVAL
 * with e filled. */
int group_net_parse(struct tctable_addr *ip, uint8_t *bits, const char *text, struct err *e);

/* Whether ip is in the network; net's bits behind its prefix are 0. */
bool group_net_has(const struct tctable_addr *net, uint8_t bits, const struct tctable_addr *ip);

/* "10.0.0.0/8". Returns buf. */
const char *group_net_text(char buf[GROUP_NET_TEXT], const struct tctable_addr *net, uint8_t bits);

/* Sums n hosts, sorted by address, up by their networks: hosts[] and nets[] (room for
 * n) become the networks, sorted as well; how many is returned. A sum has its
 * network's address, all traffic and connections, and the last packet of any. */
size_t group_sum(const struct group_conf *c, struct tctable_host *hosts, struct group_net *nets,
		 size_t n);

#endif
