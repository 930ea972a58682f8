/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts.c - which hosts -a lists, in what order, and how fast they are.
 */
#include "cli/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

int hosts_key_parse(enum hosts_key *out, const char *text, struct err *e)
{
	static const char *const names[HOSTS_KEYS] = {
		[HOSTS_BY_IP] = "ip",		[HOSTS_BY_TX] = "tx",
		[HOSTS_BY_RX] = "rx",		[HOSTS_BY_BYTES] = "bytes",
		[HOSTS_BY_PACKETS] = "packets", [HOSTS_BY_CONNS] = "conns",
		[HOSTS_BY_LAST] = "last",
	};

	for (unsigned k = 0; k < HOSTS_KEYS; k++)
		if (strcmp(text, names[k]) == 0) {
			*out = (enum hosts_key)k;
			return 0;
		}
	return err_set(e, -EINVAL, "'%.40s': give tx, rx, bytes, packets, conns, ip or last", text);
}

size_t hosts_in_net(const struct hosts_conf *c, struct tctable_host *hosts, size_t n)
{
	size_t kept = 0;

	if (!c->net.family)
		return n;
	for (size_t i = 0; i < n; i++)
		if (group_net_has(&c->net, c->net_bits, &hosts[i].ip))
			hosts[kept++] = hosts[i];
	return kept;
}

/* --- rates ---------------------------------------------------------------------- */

static struct tctable_rate traffic_of(const struct tctable_host *h)
{
	struct tctable_rate r = {.tx = {0, 0}};

	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		r.tx.packets += h->cls[c].tx.packets;
		r.tx.bytes += h->cls[c].tx.bytes;
		r.rx.packets += h->cls[c].rx.packets;
		r.rx.bytes += h->cls[c].rx.bytes;
	}
	return r;
}

static uint64_t rate(uint64_t now, uint64_t before, uint64_t ns)
{
	const uint64_t more = now >= before ? now - before : now;

	return (uint64_t)((double)more * (double)NS_PER_SEC / (double)ns + 0.5);
}

static struct tctable_counter rate_of(const struct tctable_counter *now,
				      const struct tctable_counter *before, uint64_t ns)
{
	return (struct tctable_counter){.packets = rate(now->packets, before->packets, ns),
					.bytes = rate(now->bytes, before->bytes, ns)};
}

static int compare_addrs(const struct tctable_addr *a, const struct tctable_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

void hosts_rates(struct tctable_rate *rates, const struct tctable_host *now, size_t n,
		 const struct tctable_host *before, size_t before_n, uint64_t ns)
{
	size_t b = 0;

	for (size_t i = 0; i < n; i++) {
		struct tctable_rate was = {.tx = {0, 0}};
		const struct tctable_rate is = traffic_of(&now[i]);

		while (b < before_n && compare_addrs(&before[b].ip, &now[i].ip) < 0)
			b++;
		if (b < before_n && compare_addrs(&before[b].ip, &now[i].ip) == 0)
			was = traffic_of(&before[b]);
		rates[i] = (struct tctable_rate){.tx = rate_of(&is.tx, &was.tx, ns ? ns : 1),
						 .rx = rate_of(&is.rx, &was.rx, ns ? ns : 1)};
	}
}

static void add_counter(struct tctable_counter *sum, const struct tctable_counter *c)
{
	sum->packets += c->packets;
	sum->bytes += c->bytes;
}

void hosts_rates_of_nets(struct tctable_rate *rates, const struct group_net *nets, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct tctable_rate sum = {.tx = {0, 0}};

		for (uint64_t h = 0; h < nets[i].hosts; h++, at++) {
			add_counter(&sum.tx, &rates[at].tx);
			add_counter(&sum.rx, &rates[at].rx);
		}
		rates[i] = sum;
	}
}

/* --- order ---------------------------------------------------------------------- */

struct rank {
	uint64_t key;
	size_t at;
};

static uint64_t key_of(const struct tctable_host *h, const struct tctable_rate *rate,
		       enum hosts_key key)
{
	const struct tctable_rate r = rate ? *rate : traffic_of(h);
	uint64_t conns = 0;

	switch (key) {
	case HOSTS_BY_TX:
		return r.tx.bytes;
	case HOSTS_BY_RX:
		return r.rx.bytes;
	case HOSTS_BY_BYTES:
		return r.tx.bytes + r.rx.bytes;
	case HOSTS_BY_PACKETS:
		return r.tx.packets + r.rx.packets;
	case HOSTS_BY_CONNS:
		for (unsigned c = 0; c < TCTABLE_CLASSES; c++)
			conns += h->cls[c].conns;
		return conns;
	case HOSTS_BY_LAST:
		return h->last_ns;
	default: /* they are in order */
		return 0;
	}
}

static int compare_ranks(const void *va, const void *vb)
{
	const struct rank *a = va, *b = vb;

	if (a->key != b->key)
		return a->key > b->key ? -1 : 1;
	return (a->at > b->at) - (a->at < b->at);
}

int hosts_order(size_t *order, const struct tctable_host *hosts, const struct tctable_rate *rates,
		size_t n, enum hosts_key key)
{
	struct rank *ranks = reallocarray(NULL, n ? n : 1, sizeof(*ranks));

	if (!ranks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ranks[i] = (struct rank){key_of(&hosts[i], rates ? &rates[i] : NULL, key), i};
	if (key != HOSTS_BY_IP)
		qsort(ranks, n, sizeof(*ranks), compare_ranks);
	for (size_t i = 0; i < n; i++)
		order[i] = ranks[i].at;
	free(ranks);
	return 0;
}
