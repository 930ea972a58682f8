/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_model.h - what the live view shows: rows, order, filter, rates.
 *
 * Threading: one thread.
 * Memory:    fixed but for the connections of the host that is open, of which at
 *            most TOP_CONNS_MAX are kept; top_model_fini() frees them.
 * Pure:      asks nobody, draws nothing, reads no clock: times are given.
 */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tctable.h"

#define TOP_CONNS_MAX	 65536
#define TOP_FILTER_BYTES 80

enum top_column {
	TOP_HOST,
	TOP_TX,
	TOP_RX,
	TOP_TX_PACKETS,
	TOP_RX_PACKETS,
	TOP_TOTAL,
	TOP_CONNS,
	TOP_HALF_OPEN,
	TOP_CLASSES, /* no order */
	TOP_TX_NEXT, /* the other two windows */
	TOP_RX_NEXT,
	TOP_TX_LAST,
	TOP_RX_LAST,
	TOP_COLUMNS
};

enum top_conn_column {
	TOP_CONN_ID,
	TOP_CONN_PROTOCOL,
	TOP_CONN_STATE,
	TOP_CONN_PEER,
	TOP_CONN_TX,
	TOP_CONN_RX,
	TOP_CONN_TX_BYTES,
	TOP_CONN_RX_BYTES,
	TOP_CONN_COLUMNS
};

/* A connection as its host sees it. */
struct top_conn {
	struct tctable_conn conn;
	bool is_orig; /* the host began it */
	struct tctable_counter tx, rx;
	double tx_rate, rx_rate; /* bytes a second, since the answer before; -1: unknown */
};

struct top_filter {
	struct tctable_addr net;
	uint8_t net_bits, classes;
	char text[TOP_FILTER_BYTES]; /* as it was typed */
};

/* What stands above all rows. */
struct top_header {
	char source[64], software[32];
	bool has_rates;
	double bits_s, packets_s; /* counted, between the last two answers */
	uint64_t drops, received, counted, unaccounted, flows, flows_max, hosts, hosts_max;
	uint64_t at_ms, bytes, packets; /* of the answer that rates are measured from */
};

struct top_model {
	enum top_column sort;
	enum top_conn_column conn_sort;
	bool ascending, conn_ascending;
	enum tctable_top_window window;
	bool in_bytes, is_paused, with_names, with_help;
	struct top_filter filter;
	struct top_header header;
	char trouble[256]; /* why there is nothing newer; "": all is well */
	char said[128];	   /* to the user, until the next key */

	size_t first, chosen, height; /* the first row shown, the one chosen, how many fit */
	struct tctable_top_row rows[TCTABLE_TOP_ROWS_MAX];
	size_t rows_n;
	uint64_t matched;
	struct tctable_addr chosen_ip; /* while rows are replaced */

	bool is_open; /* a host is: its connections are shown */
	struct tctable_addr ip;
	struct tctable_host host;
	bool host_is_gone;
	size_t conn_first, conn_chosen;
	struct top_conn *conns; /* in order of the column; owned */
	size_t conns_n, conns_room, conns_skipped;
	uint64_t conns_ms;
};

void top_model_init(struct top_model *m);
void top_model_fini(struct top_model *m);

/* "10.0.0.0/8 udp": networks (the last one holds) and classes. 0, or -EINVAL with e
 * filled and *out as it was. "": no filter. */
int top_filter_parse(struct top_filter *out, const char *text, struct err *e);

/* What is to be asked for: as many rows as are shown, in their order. */
void top_model_want(const struct top_model *m, struct tctable_top *out);

/* Answers. Rows: begin, each, end; the row that was chosen stays chosen. */
void top_model_rows_begin(struct top_model *m);
void top_model_rows_add(struct top_model *m, const struct tctable_top_row *row);
void top_model_rows_end(struct top_model *m);
void top_model_stats(struct top_model *m, const struct tctable_stats *total, uint64_t now_ms);
void top_model_info(struct top_model *m, const struct tctable_info *info);

/* Connections, by ascending id. 0; -ENOMEM. end takes over from what was shown
 * before, for the rates. */
struct top_conns {
	struct top_conn *at;
	size_t n, room, skipped;
};
int top_conns_add(struct top_conns *c, const struct tctable_conn *conn,
		  const struct tctable_addr *ip);
void top_model_conns(struct top_model *m, struct top_conns *c, uint64_t now_ms);

/* What a user does. */
void top_model_move(struct top_model *m, long rows);
void top_model_sort_by(struct top_model *m, unsigned column); /* again: the other way round */
void top_model_sort_next(struct top_model *m, int step);
void top_model_open(struct top_model *m, const struct tctable_addr *ip);
void top_model_close(struct top_model *m);
void top_model_fit(struct top_model *m, size_t height);

unsigned top_model_sort(const struct top_model *m); /* of the view that is shown */
bool top_model_ascending(const struct top_model *m);

/* The window of a column of rates; TCTABLE_SINCE_START: it has none. */
enum tctable_top_window top_model_window(const struct top_model *m, enum top_column column);

#endif
