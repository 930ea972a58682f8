/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_frame.c - the live view's model as a frame of text.
 *
 * Three lines of header (five with a host open), titles, rows, a line of keys. Columns
 * are shown from left to right as long as they fit; what is left over widens
 * the first one. The column that sorts has an arrow: nothing is told by looks alone.
 */
#include "cli/top_frame.h"

#include <inttypes.h>
#include <string.h>

#include "cli/internal.h"
#include "cli/print.h"
#include "cli/top_format.h"
#include "cli/top_names.h"

#define HEADER_LINES 3
#define OPEN_LINES   5
#define SHARES	     6
#define HOST_MIN     17
#define HOST_MAX     39
#define PEER_MIN     21
#define PEER_MAX     45

/* --- columns --------------------------------------------------------------------- */

struct column {
	unsigned id, width;
	bool is_left;
	const char *title;
};

/* In the order in which they stand, the first ones first to be shown. */
static const struct column host_columns[] = {
	{TOP_HOST, HOST_MIN, true, "HOST"},
	{TOP_TX, 8, false, "TX"},
	{TOP_RX, 8, false, "RX"},
	{TOP_TX_PACKETS, 7, false, "TXp"},
	{TOP_RX_PACKETS, 7, false, "RXp"},
	{TOP_TOTAL, 7, false, "TOTAL"},
	{TOP_CONNS, 6, false, "CONN"},
	{TOP_HALF_OPEN, 6, false, "HALF"},
	{TOP_CLASSES, SHARES, true, "CLASS"},
	{TOP_TX_NEXT, 8, false, "TX"},
	{TOP_RX_NEXT, 8, false, "RX"},
	{TOP_TX_LAST, 8, false, "TX"},
	{TOP_RX_LAST, 8, false, "RX"},
};

static const struct column conn_columns[] = {
	{TOP_CONN_PEER, PEER_MIN, true, "PEER"}, {TOP_CONN_PROTOCOL, 6, true, "PROTO"},
	{TOP_CONN_STATE, 11, true, "STATE"},	 {TOP_CONN_TX, 7, false, "TX"},
	{TOP_CONN_RX, 7, false, "RX"},		 {TOP_CONN_TX_BYTES, 7, false, "SENT"},
	{TOP_CONN_RX_BYTES, 7, false, "RECVD"},	 {TOP_CONN_ID, 6, false, "ID"},
};

struct columns {
	const struct column *at;
	unsigned n, first_width; /* that are shown; of the first */
};

static struct columns columns_of(const struct top_model *m, unsigned width)
{
	const unsigned all = m->is_open ? sizeof(conn_columns) / sizeof(conn_columns[0])
					: sizeof(host_columns) / sizeof(host_columns[0]);
	const unsigned most = m->is_open ? PEER_MAX : HOST_MAX;
	struct columns c = {.at = m->is_open ? conn_columns : host_columns};
	unsigned used = 0;

	while (c.n < all && used + c.at[c.n].width + (c.n > 0) <= width)
		used += c.at[c.n].width + (c.n > 0), c.n++;
	if (c.n == 0)
		return c;
	c.first_width = c.at[0].width + width - used;
	if (c.first_width > most)
		c.first_width = most;
	return c;
}

static unsigned width_of(const struct columns *c, unsigned i)
{
	return i ? c->at[i].width : c->first_width;
}

/* --- what hosts and ends are called ------------------------------------------------ */

static const char *name_of(const struct top_model *m, const struct tctable_addr *ip, char *buf,
			   size_t n)
{
	char text[TCTABLE_ADDR_TEXT];

	if (!m->with_names || !top_names_lookup(ip, buf, n))
		snprintf(buf, n, "%s", print_addr(text, ip));
	return buf;
}

/* --- the header -------------------------------------------------------------------- */

static void put_line(struct top_canvas *c, unsigned y, const char *text)
{
	top_canvas_put(c, 0, y, c->width, false, text);
}

static void draw_totals(struct top_canvas *c, const struct top_model *m)
{
	const struct top_header *h = &m->header;
	char a[TOP_NUMBER_BYTES], b[TOP_NUMBER_BYTES], d[TOP_NUMBER_BYTES], line[512];

	if (h->has_rates)
		snprintf(line, sizeof(line), "link %s%s  %s packet/s",
			 top_format_number(a, m->in_bytes ? h->bits_s / 8 : h->bits_s),
			 m->in_bytes ? "B/s" : "bit/s", top_format_number(b, h->packets_s));
	else
		snprintf(line, sizeof(line), "link: being measured");
	snprintf(line + strlen(line), sizeof(line) - strlen(line), "  drops %s  hosts %s of %s",
		 top_format_number(a, (double)h->drops), top_format_number(b, (double)h->hosts),
		 top_format_number(d, (double)h->hosts_max));
	put_line(c, 1, line);
	snprintf(line, sizeof(line), "ledger: received %s = counted %s + other %s",
		 top_format_number(a, (double)h->received),
		 top_format_number(b, (double)h->counted),
		 top_format_number(d, (double)h->unaccounted));
	snprintf(line + strlen(line), sizeof(line) - strlen(line), "  flows %s of %s (%.0f%%)",
		 top_format_number(a, (double)h->flows), top_format_number(b, (double)h->flows_max),
		 h->flows_max ? 100 * (double)h->flows / (double)h->flows_max : 0.0);
	put_line(c, 2, line);
}

static void draw_head(struct top_canvas *c, const struct top_model *m)
{
	char line[512];

	snprintf(line, sizeof(line), "tctable top  %s  %s%s", m->header.source, m->header.software,
		 m->is_paused ? "  PAUSED" : "");
	put_line(c, 0, line);
	top_canvas_look(c, 0, 0, c->width, TOP_BOLD);
	if (m->trouble[0]) {
		put_line(c, 1, m->trouble);
		top_canvas_look(c, 1, 0, c->width, TOP_REVERSE);
		put_line(c, 2, "What is shown below is what was known then. Trying again.");
	} else {
		draw_totals(c, m);
	}
}

static void draw_host(struct top_canvas *c, const struct top_model *m)
{
	char ip[TCTABLE_ADDR_TEXT], name[256], line[512];
	char n[TOP_NUMBER_BYTES], tx[TOP_NUMBER_BYTES];
	size_t at;

	snprintf(line, sizeof(line), "host %s%s%s  %s connections%s", print_addr(ip, &m->ip),
		 m->with_names ? " " : "",
		 m->with_names && top_names_lookup(&m->ip, name, sizeof(name)) ? name : "",
		 top_format_number(n, (double)(m->host.use ? m->host.use - 1 : 0)),
		 m->host_is_gone    ? "  (it has been forgotten)"
		 : m->conns_skipped ? "  (65536 of them are shown)"
				    : "");
	put_line(c, 3, line);
	top_canvas_look(c, 3, 0, c->width, TOP_BOLD);
	at = (size_t)snprintf(line, sizeof(line), "tx/rx");
	for (unsigned k = 0; k < TCTABLE_CLASSES; k++) {
		const struct tctable_traffic *t = &m->host.cls[k];

		at += (size_t)snprintf(line + at, sizeof(line) - at, "  %s %s/%s",
				       print_class_names[k],
				       top_format_number(tx, (double)t->tx.bytes),
				       top_format_number(n, (double)t->rx.bytes));
	}
	put_line(c, 4, line);
}

static unsigned title_line(const struct top_model *m)
{
	return m->is_open ? OPEN_LINES : HEADER_LINES;
}

static bool is_rate(const struct top_model *m, unsigned id)
{
	return m->is_open ? id == TOP_CONN_TX || id == TOP_CONN_RX
			  : top_model_window(m, (enum top_column)id) != TCTABLE_SINCE_START;
}

static void draw_titles(struct top_canvas *c, const struct top_model *m, const struct columns *cols)
{
	static const char *const windows[] = {"", "2s", "10s", "40s"};
	unsigned x = 0;

	for (unsigned i = 0; i < cols->n; i++) {
		const struct column *col = &cols->at[i];
		char title[32];

		snprintf(title, sizeof(title), "%s%s%s",
			 col->id == top_model_sort(m) ? (top_model_ascending(m) ? "^" : "v") : "",
			 col->title,
			 m->is_open || !is_rate(m, col->id)
				 ? ""
				 : windows[top_model_window(m, (enum top_column)col->id)]);
		top_canvas_put(c, x, title_line(m), width_of(cols, i), !col->is_left, title);
		x += width_of(cols, i) + 1;
	}
	top_canvas_look(c, title_line(m), 0, c->width, TOP_REVERSE);
}

/* --- rows -------------------------------------------------------------------------- */

static const char *rate_text(const struct top_model *m, char buf[TOP_NUMBER_BYTES], double bytes)
{
	if (bytes < 0)
		return strcpy(buf, "..");
	return top_format_number(buf, m->in_bytes ? bytes : 8 * bytes);
}

/* What is ordered by: of the classes that are asked for. */
static double total_of(const struct top_model *m, const struct tctable_host *h, bool of_conns)
{
	const unsigned classes = m->filter.classes ? m->filter.classes : ~0u;
	double all = 0;

	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		const struct tctable_traffic *t = &h->cls[c];

		if (classes >> c & 1)
			all += of_conns ? (double)t->conns
					: (double)t->tx.bytes + (double)t->rx.bytes;
	}
	return all;
}

static const char *host_cell(const struct top_model *m, const struct tctable_top_row *row,
			     enum top_column id, unsigned room, char *buf)
{
	const enum tctable_top_window w = top_model_window(m, id);
	const struct tctable_rate *rate = w ? &row->rate[w - 1] : NULL;
	char name[256];

	if (rate && !row->measured_ms)
		return strcpy(buf, "..");
	switch (id) {
	case TOP_HOST:
		return top_format_short(buf, room, name_of(m, &row->host.ip, name, sizeof(name)));
	case TOP_TX_PACKETS:
		return top_format_number(buf, (double)rate->tx.packets);
	case TOP_RX_PACKETS:
		return top_format_number(buf, (double)rate->rx.packets);
	case TOP_TX:
	case TOP_TX_NEXT:
	case TOP_TX_LAST:
		return rate_text(m, buf, (double)rate->tx.bytes);
	case TOP_RX:
	case TOP_RX_NEXT:
	case TOP_RX_LAST:
		return rate_text(m, buf, (double)rate->rx.bytes);
	case TOP_TOTAL:
		return top_format_number(buf, total_of(m, &row->host, false));
	case TOP_CONNS:
		return top_format_number(buf, total_of(m, &row->host, true));
	case TOP_HALF_OPEN:
		return top_format_number(buf, (double)row->host.half_open);
	default:
		return top_format_shares(buf, SHARES, row->host.cls);
	}
}

/* "<" in front of a peer that began it. */
static void format_peer(const struct top_model *m, const struct top_conn *x, unsigned room,
			char *buf)
{
	const struct tctable_end *peer = x->is_orig ? &x->conn.reply : &x->conn.orig;
	char name[256], all[300];

	name_of(m, &peer->ip, name, sizeof(name));
	if (print_protocol_has_ports(x->conn.protocol))
		snprintf(all, sizeof(all), "%c%s%s%s:%u", x->is_orig ? '>' : '<',
			 strchr(name, ':') ? "[" : "", name, strchr(name, ':') ? "]" : "",
			 peer->port);
	else
		snprintf(all, sizeof(all), "%c%s", x->is_orig ? '>' : '<', name);
	top_format_short(buf, room, all);
}

static const char *conn_cell(const struct top_model *m, const struct top_conn *x,
			     enum top_conn_column id, unsigned room, char *buf)
{
	const char *name;

	switch (id) {
	case TOP_CONN_PEER:
		format_peer(m, x, room, buf);
		return buf;
	case TOP_CONN_PROTOCOL:
		name = print_protocol_name(x->conn.protocol);
		if (name)
			return top_format_short(buf, room, name);
		return top_format_number(buf, x->conn.protocol);
	case TOP_CONN_STATE:
		return top_format_short(buf, room, x->conn.state);
	case TOP_CONN_TX:
		return rate_text(m, buf, x->tx_rate);
	case TOP_CONN_RX:
		return rate_text(m, buf, x->rx_rate);
	case TOP_CONN_TX_BYTES:
		return top_format_number(buf, (double)x->tx.bytes);
	case TOP_CONN_RX_BYTES:
		return top_format_number(buf, (double)x->rx.bytes);
	default:
		return top_format_number(buf, (double)x->conn.id);
	}
}

static void draw_rows(struct top_canvas *c, const struct top_model *m, const struct columns *cols)
{
	const size_t first = m->is_open ? m->conn_first : m->first;
	const size_t n = m->is_open ? m->conns_n : m->rows_n;
	const size_t chosen = m->is_open ? m->conn_chosen : m->chosen;
	const size_t fit = top_frame_rows(m, c->height);

	for (size_t i = 0; i < fit && first + i < n; i++) {
		const unsigned y = title_line(m) + 1 + (unsigned)i;
		unsigned x = 0;

		for (unsigned k = 0; k < cols->n; k++) {
			const struct column *col = &cols->at[k];
			char buf[64];

			if (m->is_open)
				conn_cell(m, &m->conns[first + i], (enum top_conn_column)col->id,
					  width_of(cols, k), buf);
			else
				host_cell(m, &m->rows[first + i], (enum top_column)col->id,
					  width_of(cols, k), buf);
			top_canvas_put(c, x, y, width_of(cols, k), !col->is_left, buf);
			x += width_of(cols, k) + 1;
		}
		if (first + i == chosen)
			top_canvas_look(c, y, 0, c->width, TOP_REVERSE);
	}
}

/* --- the last line ----------------------------------------------------------------- */

static void draw_foot(struct top_canvas *c, const struct top_model *m)
{
	char line[512];

	if (m->said[0])
		snprintf(line, sizeof(line), "%s", m->said);
	else if (m->is_open)
		snprintf(line, sizeof(line),
			 "Esc back  <> sort  r reverse  p pause  n names  b %s  ? help  q quit",
			 m->in_bytes ? "bits" : "bytes");
	else
		snprintf(line, sizeof(line),
			 "%" PRIu64 " hosts%s%s  Enter open  <> sort  / filter  ? help  q quit",
			 m->matched, m->filter.text[0] ? " of " : "", m->filter.text);
	put_line(c, c->height - 1, line);
	top_canvas_look(c, c->height - 1, 0, c->width, m->said[0] ? TOP_REVERSE : TOP_DIM);
}

static void draw_help(struct top_canvas *c)
{
	static const char *const lines[] = {
		"",
		" Up Down PgUp PgDn Home End   choose a row        Enter   open the host",
		" < > or Left Right            sort by a column    r       the other way round",
		" /                            filter by network, address, class (empty: none)",
		" c                            next class          w       rates of 2, 10, 40 s",
		" b                            bits or bytes       n       names of addresses",
		" p or space                   pause               Esc     back",
		" Mouse: a title sorts, a row is chosen, and opened by a second click.",
		"",
		" TX RX: sent, received a second; TXp RXp: packets. TOTAL: bytes, since the start.",
		" With a filter by class TOTAL and CONN are of that, rates of all.",
		" HALF: connections not established yet. CLASS: shares of T tcp, U udp, I icmp,",
		" O other. '..': not measured yet. v ^: sorted, the most or the least first.",
		" > peer: the host began the connection; < peer: the peer did.",
		"",
		" Any key goes on.",
	};
	const unsigned n = sizeof(lines) / sizeof(lines[0]);

	for (unsigned i = 0; i < n && 3 + i < c->height; i++) {
		char blank[256];

		memset(blank, ' ', sizeof(blank) - 1);
		blank[sizeof(blank) - 1] = '\0';
		put_line(c, 3 + i, blank);
		top_canvas_look(c, 3 + i, 0, c->width, TOP_PLAIN);
		put_line(c, 3 + i, lines[i]);
	}
}

/* --- all of it --------------------------------------------------------------------- */

size_t top_frame_rows(const struct top_model *m, unsigned height)
{
	const unsigned other = title_line(m) + 2;

	return height > other ? height - other : 0;
}

void top_frame_draw(struct top_canvas *c, const struct top_model *m)
{
	struct columns cols;

	if (c->width < TOP_FRAME_WIDTH_MIN || c->height < TOP_FRAME_HEIGHT_MIN) {
		put_line(c, 0, "too small: 40x8 is needed");
		return;
	}
	cols = columns_of(m, c->width);
	draw_head(c, m);
	if (m->is_open)
		draw_host(c, m);
	draw_titles(c, m, &cols);
	draw_rows(c, m, &cols);
	if (m->with_help)
		draw_help(c);
	draw_foot(c, m);
}

int top_frame_column_at(const struct top_model *m, unsigned width, unsigned x, unsigned y)
{
	const struct columns cols = columns_of(m, width);
	unsigned at = 0;

	if (y != title_line(m))
		return -1;
	for (unsigned i = 0; i < cols.n; i++) {
		at += width_of(&cols, i) + 1;
		if (x < at)
			return (int)cols.at[i].id;
	}
	return -1;
}

long top_frame_row_at(const struct top_model *m, unsigned height, unsigned y)
{
	const unsigned first = title_line(m) + 1;

	return y >= first && y - first < top_frame_rows(m, height) ? (long)(y - first) : -1;
}
