/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts.h - which hosts -a lists, in what order, and how fast they are.
 *
 * Pure; any thread. Lists are sorted by address where they come in.
 */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/group.h"
#include "tctable.h"

/* All but the address: the most first. */
enum hosts_key {
	HOSTS_BY_IP,
	HOSTS_BY_TX, /* bytes */
	HOSTS_BY_RX,
	HOSTS_BY_BYTES,
	HOSTS_BY_PACKETS,
	HOSTS_BY_CONNS,
	HOSTS_BY_LAST,
	HOSTS_KEYS
};

/* What was asked for. All 0: every host, by address, once. */
struct hosts_conf {
	enum hosts_key key;
	uint64_t rows;	      /* at most; 0: all */
	uint64_t interval_ns; /* between looks; 0: one look */
	bool human, csv, with_names;
	bool is_grouped;
	struct group_conf group;
	struct tctable_addr net; /* only hosts in it; family 0: all */
	uint8_t net_bits;
};

/* "tx". 0, or -EINVAL with e filled. */
int hosts_key_parse(enum hosts_key *out, const char *text, struct err *e);

/* Keeps those of n hosts that are in the network; how many. */
size_t hosts_in_net(const struct hosts_conf *c, struct tctable_host *hosts, size_t n);

/* How fast each of n hosts was since a look `ns` before, when there were others. Who
 * was forgotten and came anew has counted all of it since. */
void hosts_rates(struct tctable_rate *rates, const struct tctable_host *now, size_t n,
		 const struct tctable_host *before, size_t before_n, uint64_t ns);

/* Adds up the rates of hosts, sorted by address, to those of n networks that have all
 * of them. The sum of a network falls when a host is forgotten; its rate does not. */
void hosts_rates_of_nets(struct tctable_rate *rates, const struct group_net *nets, size_t n);

/* Puts the numbers of n hosts in order; what is equal stays in order of addresses.
 * rates: where traffic is the key, it is the rate; NULL: the sum. 0, or -ENOMEM. */
int hosts_order(size_t *order, const struct tctable_host *hosts, const struct tctable_rate *rates,
		size_t n, enum hosts_key key);

#endif
