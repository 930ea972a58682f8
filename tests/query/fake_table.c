/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_table.c - the calls of table/view.h over made-up data.
 *
 * Host n: every class c has conns 0, tx (100n + 10c + 1 packets, 1000 times as
 * many bytes) and rx (one more of each); last_ns is FAKE_NOW_NS - n.
 * Connection id: sent id + 1 packets and got id + 2, 100 bytes each.
 */
#include "fake_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "flow/flow_state.h"

struct fake_host {
	bool is_there, v6;
	uint64_t next_id, conns;
	uint64_t more[PKT_CLASSES][2]; /* packets, beside those made from n */
	uint32_t seq, changes;
};

struct fake_conn {
	bool is_live;
	uint32_t host;
	uint64_t id;
};

struct table {
	pthread_mutex_t lock;
	uint32_t hosts_end, slots_max;
	uint64_t hosts_n;
	struct fake_host *hosts;
	struct fake_conn *conns[FAKE_WORKERS];
};

static void hold(const struct table *t)
{
	pthread_mutex_lock((pthread_mutex_t *)&t->lock);
}

static void let_go(const struct table *t)
{
	pthread_mutex_unlock((pthread_mutex_t *)&t->lock);
}

static void *zalloc(size_t n, size_t each)
{
	void *p = calloc(n ? n : 1, each);

	if (!p)
		abort();
	return p;
}

struct table *fake_table_new(uint32_t hosts_max, uint32_t slots_max)
{
	struct table *t = zalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	t->hosts_end = hosts_max;
	t->slots_max = slots_max;
	t->hosts = zalloc(hosts_max, sizeof(*t->hosts));
	for (unsigned w = 0; w < FAKE_WORKERS; w++)
		t->conns[w] = zalloc(slots_max, sizeof(*t->conns[w]));
	return t;
}

void fake_table_free(struct table *t)
{
	for (unsigned w = 0; w < FAKE_WORKERS; w++)
		free(t->conns[w]);
	free(t->hosts);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void fake_table_addr(uint32_t n, bool v6, struct addr *ip, uint8_t *family)
{
	const uint8_t low[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				(uint8_t)n};
	static const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};

	memset(ip, 0, sizeof(*ip));
	*family = v6 ? ADDR_V6 : ADDR_V4;
	memcpy(v6 ? ip->b + 12 : ip->b, low, 4);
	if (v6)
		memcpy(ip->b, prefix, 4);
	else
		ip->b[0] = 10;
}

void fake_table_put_host(struct table *t, uint32_t n, bool v6)
{
	hold(t);
	t->hosts_n += !t->hosts[n].is_there;
	t->hosts[n].is_there = true;
	t->hosts[n].changes += 2;
	t->hosts[n].v6 = v6;
	let_go(t);
}

void fake_table_forget_host(struct table *t, uint32_t n)
{
	hold(t);
	t->hosts_n -= t->hosts[n].is_there;
	t->hosts[n] = (struct fake_host){.seq = t->hosts[n].seq + 2};
	let_go(t);
}

void fake_table_count(struct table *t, uint32_t n, unsigned c, uint64_t tx, uint64_t rx)
{
	hold(t);
	t->hosts[n].more[c][0] += tx;
	t->hosts[n].more[c][1] += rx;
	t->hosts[n].changes += 2;
	let_go(t);
}

void fake_table_put_conn(struct table *t, unsigned worker, uint32_t slot, uint32_t n, uint64_t id)
{
	hold(t);
	t->conns[worker][slot] = (struct fake_conn){.is_live = true, .host = n, .id = id};
	t->hosts[n].conns++;
	if (t->hosts[n].next_id <= id)
		t->hosts[n].next_id = id + 1;
	let_go(t);
}

void fake_table_end_conn(struct table *t, unsigned worker, uint32_t slot)
{
	hold(t);
	t->hosts[t->conns[worker][slot].host].conns--;
	t->conns[worker][slot].is_live = false;
	let_go(t);
}

/* --- table/view.h --------------------------------------------------------------- */

unsigned table_workers(const struct table *t)
{
	(void)t;
	return FAKE_WORKERS;
}

uint64_t table_hosts_count(const struct table *t)
{
	uint64_t n;

	hold(t);
	n = t->hosts_n;
	let_go(t);
	return n;
}

uint32_t table_hosts_end(const struct table *t)
{
	return t->hosts_end;
}

static void fill_classes(struct view_host *out, uint64_t base)
{
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		const uint64_t packets = base + 10 * c + 1;

		out->cls[c].tx = (struct view_counter){packets, 1000 * packets};
		out->cls[c].rx = (struct view_counter){packets + 1, 1000 * (packets + 1)};
	}
}

void table_host_prefetch(const struct table *t, uint32_t index)
{
	(void)t, (void)index;
}

int table_host_view(const struct table *t, uint32_t index, struct view_host *out)
{
	struct fake_host h = {0};

	hold(t);
	if (index < t->hosts_end)
		h = t->hosts[index];
	let_go(t);
	if (!h.is_there)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	fake_table_addr(index, h.v6, &out->ip, &out->family);
	out->index = index;
	fill_classes(out, 100ull * index);
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		out->cls[c].tx.packets += h.more[c][0];
		out->cls[c].tx.bytes += 1000 * h.more[c][0];
		out->cls[c].rx.packets += h.more[c][1];
		out->cls[c].rx.bytes += 1000 * h.more[c][1];
	}
	out->cls[PKT_TCP].conns = h.conns;
	out->last_ns = FAKE_NOW_NS - index;
	out->next_conn_id = h.next_id;
	out->use = 1 + h.conns;
	out->idle_ns = h.conns ? 0 : out->last_ns;
	return 0;
}

void table_host_glance_prefetch(const struct table *t, uint32_t index)
{
	(void)t, (void)index;
}

int table_host_glance(const struct table *t, uint32_t index, struct view_glance *out)
{
	struct view_host host;

	if (table_host_view(t, index, &host) < 0)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	out->ip = host.ip;
	out->family = host.family;
	out->half_open = (uint32_t)host.half_open;
	out->last_ns = host.last_ns;
	for (unsigned c = 0; c < PKT_CLASSES; c++)
		out->conns[c] = (uint32_t)host.cls[c].conns;
	hold(t);
	out->seq = t->hosts[index].seq + 1;
	out->changes = t->hosts[index].changes;
	let_go(t);
	return 0;
}

void table_host_sums(const struct table *t, uint32_t index, struct view_sums *out)
{
	struct view_host host;

	memset(out, 0, sizeof(*out));
	if (table_host_view(t, index, &host) < 0)
		return;
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		out->tx[c] = host.cls[c].tx;
		out->rx[c] = host.cls[c].rx;
	}
}

int table_host_find(const struct table *t, const struct addr *ip, uint8_t family, uint32_t *index)
{
	const uint8_t *low = family == ADDR_V6 ? ip->b + 12 : ip->b;
	const uint32_t n = (family == ADDR_V6 ? (uint32_t)low[0] << 24 : 0) |
			   (uint32_t)low[1] << 16 | (uint32_t)low[2] << 8 | low[3];
	struct view_host host;

	if (table_host_view(t, n, &host) < 0 || host.family != family || !addr_equal(&host.ip, ip))
		return -ENOENT;
	*index = n;
	return 0;
}

void table_overflow_view(const struct table *t, struct view_host *out)
{
	(void)t;
	memset(out, 0, sizeof(*out));
	fill_classes(out, 7000000);
}

void table_forgotten_view(const struct table *t, struct view_host *out)
{
	(void)t;
	memset(out, 0, sizeof(*out));
	fill_classes(out, 8000000);
}

uint32_t table_conns_end(const struct table *t, unsigned worker)
{
	(void)worker;
	return t->slots_max;
}

int table_conn_view(const struct table *t, unsigned worker, uint32_t slot, uint32_t host,
		    struct view_conn *out)
{
	struct fake_conn c;
	bool v6;

	hold(t);
	c = t->conns[worker][slot];
	v6 = t->hosts[host].v6;
	let_go(t);
	if (!c.is_live || c.host != host)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	out->id = c.id;
	out->last_ns = FAKE_NOW_NS + c.id;
	out->proto = PROTO_TCP;
	out->class = PKT_TCP;
	out->state = FLOW_TCP_ESTABLISHED;
	fake_table_addr(host, v6, &out->end[c.id & 1].ip, &out->family);
	fake_table_addr(0x00ffff00, v6, &out->end[!(c.id & 1)].ip, &out->family);
	for (unsigned i = 0; i < 2; i++) {
		out->end[i].port = (uint16_t)(c.id + i);
		out->end[i].sent = (struct view_counter){c.id + 1 + i, 100 * (c.id + 1 + i)};
	}
	return 0;
}

/* Every word of a worker's figures is 1000 times the worker plus its place. */
static void fill_words(void *out, size_t bytes, uint64_t base)
{
	uint64_t *words = out;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = base + i;
}

void table_worker_view(const struct table *t, unsigned worker, struct view_worker *out)
{
	(void)t;
	fill_words(out, sizeof(*out), 1000ull * worker);
}

void table_totals_view(const struct table *t, struct view_totals *out)
{
	fill_words(out, sizeof(*out), 5000);
	out->hosts = table_hosts_count(t);
	out->hosts_max = t->hosts_end;
	out->now_ns = FAKE_NOW_NS;
	out->host_timeout_ns = FAKE_HOST_TIMEOUT;
}

uint64_t table_host_timeout_ns(const struct table *t)
{
	(void)t;
	return FAKE_HOST_TIMEOUT;
}

/* Counter i is 9000 + i; networks 198.51.0.0/24, 198.51.1.0/24, ... with 10, 11, ... ends. */
void table_sample_view(const struct table *t, struct view_sample *out)
{
	(void)t;
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < PROBE_COUNTERS; i++)
		out->seen.n[i] = 9000 + i;
	for (unsigned i = 0; i < PROBE_NETS; i++)
		out->seen.nets[i] = (struct probe_net){
			.addr = {.b = {198, 51, (uint8_t)i}}, .family = ADDR_V4, .ends = 10 + i};
	out->mtu = 1500;
}
