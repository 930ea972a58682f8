/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_model.c - what the live view shows: rows, order, filter, rates.
 *
 * The daemon puts hosts in order, of which there may be very many; connections of
 * one host are put in order here. A choice is kept by what it is, not by where it
 * stands: the row of a host moves, and the choice moves with it.
 */
#include "cli/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "cli/internal.h"

#define SOON_MS 400

void top_model_init(struct top_model *m)
{
	memset(m, 0, sizeof(*m));
	m->sort = TOP_TX;
	m->conn_sort = TOP_CONN_TX;
	m->window = TCTABLE_SINCE_2S;
	m->height = 1;
}

void top_model_fini(struct top_model *m)
{
	free(m->conns);
	m->conns = NULL;
	m->conns_n = 0;
}

/* --- the filter ---------------------------------------------------------------- */

static bool add_class(struct top_filter *f, const char *word)
{
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++)
		if (strcmp(word, print_class_names[c]) == 0) {
			f->classes |= (uint8_t)(1u << c);
			return true;
		}
	return false;
}

static int add_word(struct top_filter *f, const char *word, struct err *e)
{
	struct addr_net net;

	if (add_class(f, word))
		return 0;
	if (addr_net_parse(&net, word, NULL) < 0)
		return err_set(e, -EINVAL,
			       "filter '%.40s': write a network (10.0.0.0/8), an address, or a "
			       "class: tcp, udp, icmp, other",
			       word);
	memcpy(f->net.bytes, net.addr.b, sizeof(f->net.bytes));
	f->net.family = net.family;
	f->net_bits = net.bits;
	return 0;
}

int top_filter_parse(struct top_filter *out, const char *text, struct err *e)
{
	struct top_filter f = {.classes = 0};
	char words[TOP_FILTER_BYTES], *at = words, *word;

	if (strlen(text) >= sizeof(words))
		return err_set(e, -EINVAL, "filter '%.20s...': at most %zu characters", text,
			       sizeof(words) - 1);
	strcpy(words, text);
	strcpy(f.text, text);
	while ((word = strsep(&at, " ,")) != NULL)
		if (*word && add_word(&f, word, e) < 0)
			return -EINVAL;
	*out = f;
	return 0;
}

/* --- what to ask for -------------------------------------------------------------- */

static enum tctable_top_window next_window(enum tctable_top_window w, unsigned step)
{
	return (enum tctable_top_window)(1 + (w - 1 + step) % (TCTABLE_TOP_WINDOWS - 1));
}

enum tctable_top_window top_model_window(const struct top_model *m, enum top_column column)
{
	switch (column) {
	case TOP_TX:
	case TOP_RX:
	case TOP_TX_PACKETS:
	case TOP_RX_PACKETS:
		return m->window;
	case TOP_TX_NEXT:
	case TOP_RX_NEXT:
		return next_window(m->window, 1);
	case TOP_TX_LAST:
	case TOP_RX_LAST:
		return next_window(m->window, 2);
	default:
		return TCTABLE_SINCE_START;
	}
}

void top_model_want(const struct top_model *m, struct tctable_top *out)
{
	static const uint8_t keys[TOP_COLUMNS] = {
		[TOP_HOST] = TCTABLE_BY_IP,
		[TOP_TX] = TCTABLE_BY_TX,
		[TOP_RX] = TCTABLE_BY_RX,
		[TOP_TX_PACKETS] = TCTABLE_BY_TX_PACKETS,
		[TOP_RX_PACKETS] = TCTABLE_BY_RX_PACKETS,
		[TOP_TOTAL] = TCTABLE_BY_BYTES,
		[TOP_CONNS] = TCTABLE_BY_CONNS,
		[TOP_HALF_OPEN] = TCTABLE_BY_HALF_OPEN,
		[TOP_TX_NEXT] = TCTABLE_BY_TX,
		[TOP_RX_NEXT] = TCTABLE_BY_RX,
		[TOP_TX_LAST] = TCTABLE_BY_TX,
		[TOP_RX_LAST] = TCTABLE_BY_RX,
	};
	size_t rows = m->first + 2 * m->height; /* one may page on before the next answer */

	memset(out, 0, sizeof(*out));
	out->rows = (uint32_t)(rows < TCTABLE_TOP_ROWS_MAX ? rows : TCTABLE_TOP_ROWS_MAX);
	out->key = keys[m->sort];
	out->window = (uint8_t)top_model_window(m, m->sort);
	/* The lowest address stands first, as the largest number does. */
	out->ascending = m->ascending != (m->sort == TOP_HOST);
	out->net = m->filter.net;
	out->net_bits = m->filter.net_bits;
	out->classes = m->filter.classes;
}

/* --- answers ---------------------------------------------------------------------- */

static bool is_same(const struct tctable_addr *a, const struct tctable_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void keep_in_view(size_t *first, size_t *chosen, size_t n, size_t height)
{
	if (*chosen >= n)
		*chosen = n ? n - 1 : 0;
	if (*chosen < *first)
		*first = *chosen;
	if (*chosen >= *first + height)
		*first = *chosen + 1 - height;
}

void top_model_rows_begin(struct top_model *m)
{
	m->chosen_ip.family = 0;
	if (m->chosen && m->chosen < m->rows_n) /* who stands at the top stays there */
		m->chosen_ip = m->rows[m->chosen].host.ip;
	m->rows_n = 0;
	m->matched = 0;
}

void top_model_rows_add(struct top_model *m, const struct tctable_top_row *row)
{
	if (m->rows_n == TCTABLE_TOP_ROWS_MAX)
		return;
	m->rows[m->rows_n++] = *row;
	m->matched = row->matched;
}

void top_model_rows_end(struct top_model *m)
{
	for (size_t i = 0; m->chosen_ip.family && i < m->rows_n; i++)
		if (is_same(&m->rows[i].host.ip, &m->chosen_ip))
			m->chosen = i;
	keep_in_view(&m->first, &m->chosen, m->rows_n, m->height);
}

static uint64_t counter_of(const struct tctable_stats *s, const char *name)
{
	for (uint32_t i = 0; i < s->counters; i++)
		if (strcmp(s->counter[i].name, name) == 0)
			return s->counter[i].value;
	return 0;
}

void top_model_stats(struct top_model *m, const struct tctable_stats *s, uint64_t now_ms)
{
	struct top_header *h = &m->header;
	const struct tctable_ledger *l = &s->ledger;
	const bool is_soon = h->at_ms && now_ms - h->at_ms < SOON_MS;

	h->received = l->received;
	h->unaccounted = l->transit + l->not_ip + l->malformed;
	h->counted = l->counted.packets;
	h->drops = l->kernel_drops + counter_of(s, "nic_drops");
	h->flows = s->flows_live;
	h->flows_max = s->flows_capacity;
	h->hosts = s->hosts;
	h->hosts_max = s->hosts_max;
	if (is_soon) /* a key made us ask: no rate comes of so little time */
		return;
	/* Counters that went back belong to another daemon. */
	h->has_rates = h->at_ms && now_ms > h->at_ms && l->counted.bytes >= h->bytes &&
		       l->counted.packets >= h->packets;
	if (h->has_rates) {
		const double seconds = (double)(now_ms - h->at_ms) / 1000;

		h->bits_s = 8 * (double)(l->counted.bytes - h->bytes) / seconds;
		h->packets_s = (double)(l->counted.packets - h->packets) / seconds;
	}
	h->at_ms = now_ms;
	h->bytes = l->counted.bytes;
	h->packets = l->counted.packets;
}

void top_model_info(struct top_model *m, const struct tctable_info *info)
{
	snprintf(m->header.source, sizeof(m->header.source), "%.63s", info->source);
	snprintf(m->header.software, sizeof(m->header.software), "%.31s", info->software);
	m->header.at_ms = 0; /* maybe another daemon than before */
	m->header.has_rates = false;
}

/* --- connections ------------------------------------------------------------------ */

int top_conns_add(struct top_conns *c, const struct tctable_conn *conn,
		  const struct tctable_addr *ip)
{
	struct top_conn *to;

	if (c->n == TOP_CONNS_MAX) {
		c->skipped++;
		return 0;
	}
	if (c->n == c->room) {
		const size_t room = c->room ? 2 * c->room : 64;
		struct top_conn *at = reallocarray(c->at, room, sizeof(*at));

		if (!at)
			return -ENOMEM;
		c->at = at;
		c->room = room;
	}
	to = &c->at[c->n++];
	to->conn = *conn;
	to->is_orig = is_same(&conn->orig.ip, ip);
	to->tx = to->is_orig ? conn->orig.sent : conn->reply.sent;
	to->rx = to->is_orig ? conn->reply.sent : conn->orig.sent;
	to->tx_rate = to->rx_rate = -1;
	return 0;
}

static int by_id(const void *va, const void *vb)
{
	const struct top_conn *a = va, *b = vb;

	return (a->conn.id > b->conn.id) - (a->conn.id < b->conn.id);
}

/* Both by ascending id. */
static void measure_conns(struct top_conns *now, const struct top_conn *then, size_t then_n,
			  double seconds)
{
	size_t k = 0;

	for (size_t i = 0; i < now->n; i++) {
		struct top_conn *c = &now->at[i];

		while (k < then_n && then[k].conn.id < c->conn.id)
			k++;
		if (k < then_n && then[k].conn.id == c->conn.id &&
		    c->tx.bytes >= then[k].tx.bytes && c->rx.bytes >= then[k].rx.bytes) {
			c->tx_rate = (double)(c->tx.bytes - then[k].tx.bytes) / seconds;
			c->rx_rate = (double)(c->rx.bytes - then[k].rx.bytes) / seconds;
		} else {
			/* It is new: all of it was counted since. */
			c->tx_rate = (double)c->tx.bytes / seconds;
			c->rx_rate = (double)c->rx.bytes / seconds;
		}
	}
}

static const struct tctable_end *peer_of(const struct top_conn *c)
{
	return c->is_orig ? &c->conn.reply : &c->conn.orig;
}

static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b);
}

/* The most first; names and addresses the least first. */
static int compare_conns(const void *va, const void *vb, void *arg)
{
	const struct top_model *m = arg;
	const struct top_conn *a = va, *b = vb;
	int order = 0;

	switch (m->conn_sort) {
	case TOP_CONN_PROTOCOL:
		order = a->conn.protocol - b->conn.protocol;
		break;
	case TOP_CONN_STATE:
		order = strcmp(a->conn.state, b->conn.state);
		break;
	case TOP_CONN_PEER:
		order = memcmp(peer_of(a)->ip.bytes, peer_of(b)->ip.bytes, 16);
		break;
	case TOP_CONN_TX:
		order = compare_numbers(a->tx_rate, b->tx_rate);
		break;
	case TOP_CONN_RX:
		order = compare_numbers(a->rx_rate, b->rx_rate);
		break;
	case TOP_CONN_TX_BYTES:
		order = compare_numbers((double)a->tx.bytes, (double)b->tx.bytes);
		break;
	case TOP_CONN_RX_BYTES:
		order = compare_numbers((double)a->rx.bytes, (double)b->rx.bytes);
		break;
	default:
		break;
	}
	if (order == 0)
		order = by_id(a, b);
	return m->conn_ascending ? -order : order;
}

static void sort_conns(struct top_model *m)
{
	if (m->conns_n > 1)
		qsort_r(m->conns, m->conns_n, sizeof(*m->conns), compare_conns, m);
}

void top_model_conns(struct top_model *m, struct top_conns *c, uint64_t now_ms)
{
	const uint64_t chosen =
		m->conn_chosen < m->conns_n ? m->conns[m->conn_chosen].conn.id : UINT64_MAX;

	if (m->conns_ms && now_ms > m->conns_ms) {
		if (m->conns_n > 1)
			qsort(m->conns, m->conns_n, sizeof(*m->conns), by_id);
		measure_conns(c, m->conns, m->conns_n, (double)(now_ms - m->conns_ms) / 1000);
	}
	free(m->conns);
	m->conns = c->at;
	m->conns_n = c->n;
	m->conns_room = c->room;
	m->conns_skipped = c->skipped;
	m->conns_ms = now_ms;
	*c = (struct top_conns){.at = NULL};
	sort_conns(m);
	for (size_t i = 0; m->conn_chosen && i < m->conns_n; i++)
		if (m->conns[i].conn.id == chosen)
			m->conn_chosen = i;
	keep_in_view(&m->conn_first, &m->conn_chosen, m->conns_n, m->height);
}

/* --- what a user does -------------------------------------------------------------- */

void top_model_move(struct top_model *m, long rows)
{
	size_t *chosen = m->is_open ? &m->conn_chosen : &m->chosen;
	const size_t n = m->is_open ? m->conns_n : m->rows_n;

	if (rows < 0 && *chosen < (size_t)-rows)
		*chosen = 0;
	else
		*chosen = (size_t)((long)*chosen + rows);
	keep_in_view(m->is_open ? &m->conn_first : &m->first, chosen, n, m->height);
}

unsigned top_model_sort(const struct top_model *m)
{
	return m->is_open ? (unsigned)m->conn_sort : (unsigned)m->sort;
}

bool top_model_ascending(const struct top_model *m)
{
	return m->is_open ? m->conn_ascending : m->ascending;
}

void top_model_sort_by(struct top_model *m, unsigned column)
{
	const bool is_again = top_model_sort(m) == column;

	if (m->is_open) {
		m->conn_ascending = is_again && !m->conn_ascending;
		m->conn_sort = (enum top_conn_column)column;
		sort_conns(m);
	} else if (column != TOP_CLASSES) {
		m->ascending = is_again && !m->ascending;
		m->sort = (enum top_column)column;
		m->first = m->chosen = 0;
	}
}

void top_model_sort_next(struct top_model *m, int step)
{
	const unsigned n = m->is_open ? TOP_CONN_COLUMNS : TOP_CLASSES;
	const unsigned now = top_model_sort(m) < n ? top_model_sort(m) : 0;

	top_model_sort_by(m, (now + n + (unsigned)step) % n);
}

void top_model_open(struct top_model *m, const struct tctable_addr *ip)
{
	m->is_open = true;
	m->ip = *ip;
	memset(&m->host, 0, sizeof(m->host));
	m->host_is_gone = false;
	m->conn_first = m->conn_chosen = 0;
	m->conns_n = m->conns_skipped = 0;
	m->conns_ms = 0;
}

void top_model_close(struct top_model *m)
{
	m->is_open = false;
	m->conns_n = 0;
}

void top_model_fit(struct top_model *m, size_t height)
{
	m->height = height ? height : 1;
	keep_in_view(&m->first, &m->chosen, m->rows_n, m->height);
	keep_in_view(&m->conn_first, &m->conn_chosen, m->conns_n, m->height);
}
