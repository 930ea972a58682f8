/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_table.c - bytes as a sequence of packets with times, through all tables.
 *
 * The tables are small, so that they fill. After some packets and at the end the
 * books are balanced; then all time passes, and nothing may be left.
 */
#include <sys/random.h>

#include "fuzz.h"

#define assert_int_equal(a, b) must((uint64_t)(a) == (uint64_t)(b))
#define fail_msg(...)	       __builtin_trap()

#include "../table/books.h"

#define HOSTS_MAX 6
#define FLOWS_MAX 40
#define DAY_NS	  (86400 * NS_PER_SEC)

/* Instead of the system's, so that a finding can be repeated. */
ssize_t getrandom(void *out, size_t n, unsigned flags)
{
	(void)flags;
	memset(out, 0x5a, n);
	return (ssize_t)n;
}

static struct table *new_table(void)
{
	struct table_conf c = {
		.workers = 1,
		.flows_max = FLOWS_MAX,
		.hosts_max = HOSTS_MAX,
		.fragments_max = 8,
		.host_timeout_ns = 20 * NS_PER_SEC,
		.decap.kinds = DECAP_ALL,
	};
	struct table *t;
	struct err e;

	flow_timeouts_init(&c.timeouts);
	must(table_new(&t, &c, &e) == 0);
	account_clock(table_account(t, 0), BOOKS_START_NS);
	return t;
}

/* Every connection is some host's, and every host has those it says. */
static void check_conns(const struct table *t)
{
	const uint32_t slots = table_conns_end(t, 0);
	struct view_totals v;
	struct view_host h;
	struct view_conn c;
	uint64_t live = 0;

	table_totals_view(t, &v);
	for (uint32_t i = 0; i < table_hosts_end(t); i++) {
		uint64_t conns = 0, said = 0;

		if (table_host_view(t, i, &h) < 0)
			continue;
		for (uint32_t s = 0; s < slots; s++) {
			if (table_conn_view(t, 0, s, i, &c) < 0)
				continue;
			must(c.id < h.next_conn_id);
			conns++;
		}
		for (unsigned k = 0; k < PKT_CLASSES; k++)
			said += h.cls[k].conns;
		must(conns == said && h.half_open <= conns);
	}
	for (uint32_t s = 0; s < slots; s++)
		for (uint32_t i = 0; i < table_hosts_end(t); i++)
			if (table_conn_view(t, 0, s, i, &c) == 0) {
				live++;
				break;
			}
	must(v.flows.live == live && live <= v.flows.capacity);
	must(v.flows.live + v.flows.expired + v.flows.replaced + v.flows.early_drops ==
	     v.flows.started);
}

static void check_all(const struct table *t)
{
	books_check(t);
	check_conns(t);
}

/* A packet of few addresses and ports, in many ways odd. */
static void put_packet(struct craft *c, const uint8_t **data, size_t *n)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP, 50,
					 PROTO_TCP, PROTO_TCP, PROTO_GRE,  PROTO_IPIP};
	const uint32_t ends = take(data, n, 1), kind = take(data, n, 1), odd = take(data, n, 1);
	const uint8_t src = (uint8_t)(ends & 7), dst = (uint8_t)(ends >> 4 & 7);
	const uint8_t proto = protos[kind & 7];
	const uint16_t ports = (uint16_t)(kind >> 3 & 7);

	craft_ipv4(c, src, dst, proto, 0, 24);
	books_addrs(c, ends & 8 ? 100 + src : src, ends & 128 ? 100 + dst : dst);
	if (proto == PROTO_ICMP)
		craft_icmp(c, (uint8_t)(odd & 15), 0, ports);
	else if (proto == PROTO_UDP)
		craft_udp(c, ports, ports ^ 1);
	else
		craft_tcp(c, ports, ports ^ 1, (uint8_t)(odd & 0x3f));
	if (odd & 64) /* a fragment: offset and more to come; and which datagram */
		craft_set(c, 6, 2, take(data, n, 2) & 0x2003);
	while (c->n < 44)
		c->b[c->n++] = (uint8_t)take(data, n, 1);
}

static void count(struct table *t, const struct craft *c, uint16_t link, uint64_t ts_ns)
{
	uint8_t *bytes = alone(c->b, c->n);
	const struct frame f = {.data = bytes,
				.caplen = (uint32_t)c->n,
				.wirelen = (uint32_t)c->n,
				.link = link,
				.ts_ns = ts_ns};

	account_batch(table_account(t, 0), &f, 1);
	free(bytes);
}

/* The frame as it stands there, as long as the next byte says. */
static void put_raw(struct craft *c, const uint8_t **data, size_t *n)
{
	uint32_t bytes = take(data, n, 1);

	while (bytes-- && *n)
		c->b[c->n++] = (uint8_t)take(data, n, 1);
}

static void end_everything(struct table *t, uint64_t now_ns)
{
	struct view_totals v;

	for (unsigned i = 0; i < 3; i++) {
		now_ns += 400 * DAY_NS;
		books_sweep(t, now_ns);
		table_forget_hosts(t, now_ns);
	}
	check_all(t);
	table_totals_view(t, &v);
	must(v.flows.live == 0 && v.hosts == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct table *t = new_table();
	uint64_t now_ns = BOOKS_START_NS;
	unsigned steps = 0;

	while (n) {
		const uint32_t op = take(&data, &n, 1);
		struct craft c = {.n = 0};

		switch (op & 7) {
		case 0: /* time passes */
			now_ns += (uint64_t)take(&data, &n, 2) * NS_PER_SEC / 100;
			account_clock(table_account(t, 0), now_ns);
			break;
		case 1:
			flow_table_sweep(table_account(t, 0)->flows, op >> 3);
			break;
		case 2:
			table_forget_hosts(t, now_ns);
			break;
		case 3:
			put_raw(&c, &data, &n);
			count(t, &c, op & 8 ? LINK_ETHERNET : LINK_RAW, now_ns);
			break;
		default: /* stamps may be older than the clock */
			put_packet(&c, &data, &n);
			count(t, &c, LINK_RAW, op & 8 ? now_ns - (op >> 4) * NS_PER_SEC : now_ns);
			break;
		}
		if (++steps % 64 == 0)
			check_all(t);
	}
	check_all(t);
	end_everything(t, now_ns);
	table_free(t);
	return 0;
}
