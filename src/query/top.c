/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.c - the first hosts in an order.
 *
 * All hosts are looked at once, in slices; the best so far stand in a heap
 * whose top is the worst of them, so most hosts cost one comparison with that.
 * Then the heap is sorted, and each host is sent as it is then; who was
 * forgotten meanwhile is left out.
 *
 * Hosts that are equal stand in the order of their addresses, so that a list of
 * silent ones does not move.
 */
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "query/internal.h"
#include "query/record.h"

#define PICK_SLICE 4096 /* hosts looked at; about 200 us */
#define PICK_AHEAD 16	/* of the one that is looked at, memory is asked for */
#define SEND_SLICE 128

static uint32_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MSEC);
}

enum wire_status top_begin(struct answer *a)
{
	struct top_pick *p = &a->top;

	memset(p, 0, sizeof(*p));
	p->end = table_hosts_end(a->ctx->table);
	p->now_ms = monotonic_ms();
	p->now_ms += p->now_ms == 0; /* which means never */
	if (!rates_hold(a->ctx, p->end, !a->uses_rates))
		return WIRE_EAGAIN;
	a->uses_rates = true;
	p->looks = rates_begin(&a->ctx->rates, p->now_ms);
	p->best = query_calloc(a->ctx, a->what.rows, sizeof(*p->best));
	return p->best ? WIRE_OK : WIRE_EAGAIN;
}

void top_end(struct answer *a)
{
	query_free(a->ctx, a->top.best, a->what.rows, sizeof(*a->top.best));
	a->top.best = NULL;
}

/* --- who is wanted, and by what --------------------------------------------------- */

static bool is_within(const struct view_glance *g, const struct tctable_top *what)
{
	const unsigned whole = what->net_bits / 8, rest = what->net_bits % 8;

	if (!what->net.family)
		return true;
	if (g->family != what->net.family || memcmp(g->ip.b, what->net.bytes, whole) != 0)
		return false;
	return !rest || !((g->ip.b[whole] ^ what->net.bytes[whole]) & (0xff00 >> rest));
}

/* What hosts are compared by, if not by rates. */
struct merits {
	struct host_sums sums;
	uint64_t conns;
	const struct view_glance *glance;
};

/* All of it, or what it has of the classes wanted; then false if that is nothing. */
static bool find_merits(const struct answer *a, uint32_t index, const struct view_glance *g,
			const struct host_sums *all, struct merits *m)
{
	struct view_sums sums;

	*m = (struct merits){.glance = g};
	if (!a->what.classes) {
		m->sums = *all;
		for (unsigned c = 0; c < PKT_CLASSES; c++)
			m->conns += g->conns[c];
		return true;
	}
	table_host_sums(a->ctx->table, index, &sums);
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		if (!(a->what.classes >> c & 1))
			continue;
		m->sums.tx_packets += sums.tx[c].packets;
		m->sums.tx_bytes += sums.tx[c].bytes;
		m->sums.rx_packets += sums.rx[c].packets;
		m->sums.rx_bytes += sums.rx[c].bytes;
		m->conns += g->conns[c];
	}
	return m->conns || m->sums.tx_packets || m->sums.rx_packets;
}

static uint64_t key_of(const struct answer *a, uint32_t index, const struct merits *m)
{
	const enum tctable_top_key key = a->what.key;

	if (a->what.window != TCTABLE_SINCE_START && key <= TCTABLE_BY_PACKETS)
		return rates_key(&a->ctx->rates, index, key, a->what.window);
	switch (key) {
	case TCTABLE_BY_TX:
		return m->sums.tx_bytes;
	case TCTABLE_BY_RX:
		return m->sums.rx_bytes;
	case TCTABLE_BY_BYTES:
		return m->sums.tx_bytes + m->sums.rx_bytes;
	case TCTABLE_BY_TX_PACKETS:
		return m->sums.tx_packets;
	case TCTABLE_BY_RX_PACKETS:
		return m->sums.rx_packets;
	case TCTABLE_BY_PACKETS:
		return m->sums.tx_packets + m->sums.rx_packets;
	case TCTABLE_BY_CONNS:
		return m->conns;
	case TCTABLE_BY_HALF_OPEN:
		return m->glance->half_open;
	case TCTABLE_BY_LAST:
		return m->glance->last_ns;
	default:
		return 0; /* the address decides */
	}
}

/* --- the heap ----------------------------------------------------------------------- */

static bool comes_before(const struct tctable_top *what, const struct top_entry *x,
			 const struct top_entry *y)
{
	int order;

	if (x->key != y->key)
		return what->ascending ? x->key < y->key : x->key > y->key;
	order = addr_compare(&x->ip, x->family, &y->ip, y->family);
	return what->key == TCTABLE_BY_IP && !what->ascending ? order > 0 : order < 0;
}

/* e finds its place in the heap of n below its root, which is free. */
static void sift_down(struct answer *a, uint32_t n, struct top_entry e)
{
	struct top_entry *heap = a->top.best;
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && comes_before(&a->what, &heap[child], &heap[child + 1]))
			child++;
		if (!comes_before(&a->what, &e, &heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = e;
}

static void sift_up(struct answer *a, uint32_t at, struct top_entry e)
{
	struct top_entry *heap = a->top.best;

	while (at && comes_before(&a->what, &heap[(at - 1) / 2], &e)) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = e;
}

static void offer(struct answer *a, uint32_t index, const struct merits *m)
{
	struct top_pick *p = &a->top;
	const struct top_entry e = {.key = key_of(a, index, m),
				    .ip = m->glance->ip,
				    .index = index,
				    .family = m->glance->family};

	p->matched++;
	if (p->best_n < a->what.rows)
		sift_up(a, p->best_n++, e);
	else if (comes_before(&a->what, &e, &p->best[0]))
		sift_down(a, p->best_n, e);
}

/* Takes the worst off the heap, again and again: to where the heap ended. */
static void sort_best(struct answer *a)
{
	struct top_entry *heap = a->top.best;

	for (uint32_t n = a->top.best_n; n > 1; n--) {
		const struct top_entry worst = heap[0];

		sift_down(a, n - 1, heap[n - 1]);
		heap[n - 1] = worst;
	}
}

/* --- the two halves of the way ---------------------------------------------------- */

static void pick(struct answer *a, uint32_t end)
{
	struct top_pick *p = &a->top;
	const struct host_sums *sums;
	struct view_glance g;
	struct merits m;

	for (; p->next < end; p->next++) {
		table_host_glance_prefetch(a->ctx->table, p->next + PICK_AHEAD);
		rates_prefetch(&a->ctx->rates, p->next + PICK_AHEAD);
		if (table_host_glance(a->ctx->table, p->next, &g) < 0)
			continue;
		sums = rates_look(a->ctx, p->next, &g, p);
		if (is_within(&g, &a->what) && find_merits(a, p->next, &g, sums, &m))
			offer(a, p->next, &m);
	}
}

/* True: all are sent. */
static bool send_best(struct answer *a)
{
	struct top_pick *p = &a->top;
	struct tctable_top_row row;
	struct view_host view;
	uint8_t *at;

	for (unsigned i = 0; i < SEND_SLICE && p->sent < p->best_n; i++, p->sent++) {
		const struct top_entry *e = &p->best[p->sent];

		if (table_host_view(a->ctx->table, e->index, &view) < 0 ||
		    view.family != e->family || !addr_equal(&view.ip, &e->ip))
			continue;
		at = answer_add(a, WIRE_TOP_BYTES);
		if (!at)
			return false;
		record_host(&row.host, &view, table_host_timeout_ns(a->ctx->table));
		rates_read(&a->ctx->rates, e->index, &row);
		row.matched = p->matched;
		wire_top_encode(at, &row);
	}
	return p->sent == p->best_n;
}

bool top_step(struct answer *a)
{
	struct top_pick *p = &a->top;

	if (p->is_picked)
		return send_best(a);
	pick(a, p->end - p->next > PICK_SLICE ? p->next + PICK_SLICE : p->end);
	if (p->next < p->end)
		return false;
	if (p->looks)
		rates_pass(&a->ctx->rates, p->now_ms);
	sort_best(a);
	p->is_picked = true;
	return false;
}
