/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * books.h - frames for a table with one worker, and the ledger's identity.
 */
#ifndef TESTS_TABLE_BOOKS_H
#define TESTS_TABLE_BOOKS_H

#include <string.h>

#include "../packet/craft.h"
#include "base/units.h"
#include "table/table.h"
#include "table/view.h"

#define BOOKS_START_NS (1700000000 * NS_PER_SEC)

static inline struct table *books_new(uint32_t hosts_max, uint64_t flows_max, uint64_t timeout_ns)
{
	struct table_conf c = {
		.workers = 1,
		.flows_max = flows_max,
		.hosts_max = hosts_max,
		.host_timeout_ns = timeout_ns,
	};
	struct err e = {""};
	struct table *t;

	flow_timeouts_init(&c.timeouts);
	if (table_new(&t, &c, &e) < 0)
		fail_msg("%s", e.text);
	account_clock(table_account(t, 0), BOOKS_START_NS);
	return t;
}

/* One frame that holds IP, at the clock's time. */
static inline void books_count(struct table *t, const struct craft *c, uint64_t ts_ns)
{
	const struct frame f = {.data = c->b,
				.caplen = (uint32_t)c->n,
				.wirelen = (uint32_t)c->n,
				.link = LINK_RAW,
				.ts_ns = ts_ns};

	account_clock(table_account(t, 0), ts_ns);
	account_batch(table_account(t, 0), &f, 1);
}

static inline void books_sweep(struct table *t, uint64_t now_ns)
{
	account_clock(table_account(t, 0), now_ns);
	while (flow_table_sweep(table_account(t, 0)->flows, 64) == 64)
		;
}

/* From 10.0.0.src to 10.0.0.dst; both may be 100 + n for the outer 8.8.8.n. */
static inline void books_addrs(struct craft *c, uint8_t src, uint8_t dst)
{
	if (src >= 100)
		craft_set(c, 12, 4, 0x08080800u + src - 100);
	if (dst >= 100)
		craft_set(c, 16, 4, 0x08080800u + dst - 100);
}

static inline void books_udp(struct table *t, uint8_t src, uint8_t dst, uint16_t sport,
			     uint16_t dport, uint64_t ts_ns)
{
	struct craft c = {0};

	craft_ipv4(&c, src, dst, PROTO_UDP, 0, 8);
	books_addrs(&c, src, dst);
	craft_udp(&c, sport, dport);
	books_count(t, &c, ts_ns);
}

static inline void books_tcp(struct table *t, uint8_t src, uint8_t dst, uint16_t sport,
			     uint16_t dport, uint8_t flags, uint64_t ts_ns)
{
	struct craft c = {0};

	craft_ipv4(&c, src, dst, PROTO_TCP, 0, 20);
	books_addrs(&c, src, dst);
	craft_tcp(&c, sport, dport, flags);
	books_count(t, &c, ts_ns);
}

static inline void books_icmp(struct table *t, uint8_t src, uint8_t dst, uint8_t type, uint16_t id,
			      uint64_t ts_ns)
{
	struct craft c = {0};

	craft_ipv4(&c, src, dst, PROTO_ICMP, 0, 8);
	books_addrs(&c, src, dst);
	craft_icmp(&c, type, 0, id);
	books_count(t, &c, ts_ns);
}

static inline struct addr books_addr(uint8_t x)
{
	return craft_addr(ADDR_V4, x);
}

static inline bool books_find(const struct table *t, uint8_t x, struct view_host *out)
{
	const struct addr a = books_addr(x);
	uint32_t i;

	return table_host_find(t, &a, ADDR_V4, &i) == 0 && table_host_view(t, i, out) == 0;
}

static inline void books_add(struct view_counter *sum, const struct view_host *h)
{
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		sum->packets += h->cls[c].tx.packets + h->cls[c].rx.packets;
		sum->bytes += h->cls[c].tx.bytes + h->cls[c].rx.bytes;
	}
}

/* What DESIGN promises of every run: every frame in one class, and the hosts'
 * sums those of the counted and the internal. */
static inline void books_check(const struct table *t)
{
	struct view_counter sum = {0};
	struct view_totals v;
	struct view_host h;
	uint64_t hosts = 0;

	for (uint32_t i = 0; i < table_hosts_end(t); i++)
		if (table_host_view(t, i, &h) == 0) {
			books_add(&sum, &h);
			hosts++;
		}
	table_overflow_view(t, &h);
	books_add(&sum, &h);
	table_forgotten_view(t, &h);
	books_add(&sum, &h);
	table_totals_view(t, &v);
	assert_int_equal(v.ledger.received, v.ledger.counted.packets + v.ledger.transit +
						    v.ledger.not_ip + v.ledger.malformed);
	assert_int_equal(v.ledger.counted.packets,
			 v.ledger.tracked + v.ledger.untracked_table_full +
				 v.ledger.untracked_host_limit + v.ledger.untracked_icmp_error +
				 v.ledger.untracked_icmp_other + v.ledger.untracked_fragment);
	assert_int_equal(v.ledger.verdict[PKT_OK], v.ledger.counted.packets + v.ledger.transit);
	assert_int_equal(sum.packets, v.ledger.counted.packets + v.ledger.internal.packets);
	assert_int_equal(sum.bytes, v.ledger.counted.bytes + v.ledger.internal.bytes);
	assert_int_equal(v.hosts, hosts);
	assert_int_equal(table_hosts_count(t), hosts);
}

#endif
