/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_input.c - what keys and the mouse do to the live view's model.
 */
#include "cli/top_input.h"

#include <stdio.h>
#include <string.h>

#include "cli/internal.h"
#include "cli/top_frame.h"

/* --- the filter --------------------------------------------------------------------- */

static void show_typed(const struct top_input *in, struct top_model *m)
{
	snprintf(m->said, sizeof(m->said), "filter (network, address, class): %s_", in->typed);
}

static enum top_wish set_filter(struct top_input *in, struct top_model *m)
{
	struct err e;

	if (top_filter_parse(&m->filter, in->typed, &e) < 0) {
		snprintf(m->said, sizeof(m->said), "%.127s", e.text);
		return TOP_WISH_DRAW;
	}
	m->said[0] = '\0';
	m->first = m->chosen = 0;
	return TOP_WISH_ASK;
}

static enum top_wish type(struct top_input *in, struct top_model *m, int key)
{
	const size_t n = strlen(in->typed);

	switch (key) {
	case TOP_KEY_NONE:
	case TOP_KEY_MOUSE:
	case TOP_KEY_RESIZE:
		return TOP_WISH_DRAW;
	case TOP_KEY_BACK:
		in->is_typing = false;
		m->said[0] = '\0';
		return TOP_WISH_DRAW;
	case TOP_KEY_ENTER:
		in->is_typing = false;
		return set_filter(in, m);
	case TOP_KEY_ERASE:
		if (n)
			in->typed[n - 1] = '\0';
		break;
	default:
		if (key < 0x7f && n + 1 < sizeof(in->typed))
			in->typed[n] = (char)key, in->typed[n + 1] = '\0';
	}
	show_typed(in, m);
	return TOP_WISH_DRAW;
}

/* All, then each class alone. The network stays. */
static enum top_wish next_class(struct top_model *m)
{
	char net[TCTABLE_ADDR_TEXT], text[TOP_FILTER_BYTES] = "";
	unsigned next = 0;
	struct err e;

	while (m->filter.classes && !(m->filter.classes >> next & 1))
		next++;
	next = m->filter.classes ? next + 1 : 0;
	if (m->filter.net.family)
		snprintf(text, sizeof(text), "%s/%u ", tctable_addr_format(&m->filter.net, net),
			 m->filter.net_bits);
	if (next < TCTABLE_CLASSES)
		strcat(text, print_class_names[next]);
	top_filter_parse(&m->filter, text, &e);
	m->first = m->chosen = 0;
	return TOP_WISH_ASK;
}

/* --- keys ------------------------------------------------------------------------------ */

/* The daemon has the hosts in order; the connections are all here. */
static enum top_wish of_order(const struct top_model *m)
{
	return m->is_open ? TOP_WISH_DRAW : TOP_WISH_ASK;
}

static enum top_wish open_chosen(struct top_model *m)
{
	if (m->is_open || m->chosen >= m->rows_n)
		return TOP_WISH_NOTHING;
	top_model_open(m, &m->rows[m->chosen].host.ip);
	return TOP_WISH_ASK;
}

static enum top_wish move(struct top_model *m, long rows)
{
	const size_t first = m->first;

	top_model_move(m, rows);
	return m->first != first ? TOP_WISH_ASK : TOP_WISH_DRAW;
}

static enum top_wish take_click(struct top_model *m, const struct top_event *event, unsigned width,
				unsigned height)
{
	const int column = top_frame_column_at(m, width, event->x, event->y);
	const long row = top_frame_row_at(m, height, event->y);
	const size_t first = m->is_open ? m->conn_first : m->first;
	const size_t chosen = m->is_open ? m->conn_chosen : m->chosen;

	if (column >= 0) {
		top_model_sort_by(m, (unsigned)column);
		return of_order(m);
	}
	if (row < 0)
		return TOP_WISH_NOTHING;
	if (event->is_double_click || first + (size_t)row == chosen)
		return open_chosen(m);
	return move(m, (long)(first + (size_t)row) - (long)chosen);
}

static enum top_wish take_letter(struct top_input *in, struct top_model *m, int key)
{
	switch (key) {
	case 'q':
		return TOP_WISH_QUIT;
	case '<':
	case '>':
		top_model_sort_next(m, key == '<' ? -1 : 1);
		return of_order(m);
	case 'r':
		top_model_sort_by(m, top_model_sort(m));
		return of_order(m);
	case 'w':
		m->window = m->window % (TCTABLE_TOP_WINDOWS - 1) + 1;
		return of_order(m);
	case 'b':
		m->in_bytes = !m->in_bytes;
		return TOP_WISH_DRAW;
	case 'n':
		m->with_names = !m->with_names;
		return TOP_WISH_DRAW;
	case 'p':
	case ' ':
		m->is_paused = !m->is_paused;
		return m->is_paused ? TOP_WISH_DRAW : TOP_WISH_ASK;
	case 'c':
		return m->is_open ? TOP_WISH_NOTHING : next_class(m);
	case '?':
	case 'h':
		m->with_help = true;
		return TOP_WISH_DRAW;
	case '/':
		if (m->is_open)
			return TOP_WISH_NOTHING;
		in->is_typing = true;
		in->typed[0] = '\0';
		show_typed(in, m);
		return TOP_WISH_DRAW;
	default:
		return TOP_WISH_NOTHING;
	}
}

enum top_wish top_input_take(struct top_input *in, struct top_model *m,
			     const struct top_event *event, unsigned width, unsigned height)
{
	const long page = m->height > 1 ? (long)m->height - 1 : 1;

	if (event->key == TOP_KEY_OVER)
		return TOP_WISH_QUIT;
	if (in->is_typing)
		return type(in, m, event->key);
	if (event->key != TOP_KEY_NONE && event->key != TOP_KEY_RESIZE) {
		m->said[0] = '\0';
		if (m->with_help) {
			m->with_help = false;
			return TOP_WISH_DRAW;
		}
	}
	switch (event->key) {
	case TOP_KEY_NONE:
		return TOP_WISH_NOTHING;
	case TOP_KEY_RESIZE:
		return of_order(m);
	case TOP_KEY_UP:
		return move(m, -1);
	case TOP_KEY_DOWN:
		return move(m, 1);
	case TOP_KEY_PAGE_UP:
		return move(m, -page);
	case TOP_KEY_PAGE_DOWN:
		return move(m, page);
	case TOP_KEY_HOME:
		return move(m, -TOP_CONNS_MAX);
	case TOP_KEY_END:
		return move(m, TOP_CONNS_MAX);
	case TOP_KEY_LEFT:
		return take_letter(in, m, '<');
	case TOP_KEY_RIGHT:
		return take_letter(in, m, '>');
	case TOP_KEY_ENTER:
		return open_chosen(m);
	case TOP_KEY_BACK:
	case TOP_KEY_ERASE:
		if (!m->is_open)
			return TOP_WISH_NOTHING;
		top_model_close(m);
		return TOP_WISH_ASK;
	case TOP_KEY_MOUSE:
		return take_click(m, event, width, height);
	default:
		return take_letter(in, m, event->key);
	}
}
