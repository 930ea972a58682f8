/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_ask.c - fills the live view's model with what the daemon says now.
 *
 * A daemon that is gone is said to be, and looked for again at each refresh: a
 * new conversation each time, so that nothing of the old one is believed.
 */
#include "cli/top_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t top_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void top_asker_fini(struct top_asker *a)
{
	tctable_close(a->t);
	a->t = NULL;
	a->knows_daemon = false;
}

struct taken_rows {
	struct tctable_top_row *at;
	size_t n;
};

static int take_row(const struct tctable_top_row *row, void *arg)
{
	struct taken_rows *taken = arg;

	taken->at[taken->n++] = *row; /* no more come than were asked for */
	return 0;
}

static int take_stats(const struct tctable_stats *stats, void *arg)
{
	if (stats->worker == UINT32_MAX)
		top_model_stats(arg, stats, top_clock_ms());
	return 0;
}

struct taken {
	struct top_conns conns;
	const struct tctable_addr *ip;
};

static int take_conn(const struct tctable_conn *conn, void *arg)
{
	struct taken *taken = arg;

	return top_conns_add(&taken->conns, conn, taken->ip);
}

static int ask_host(struct top_asker *a, struct top_model *m)
{
	struct taken taken = {.ip = &m->ip};
	int ret = tctable_host(a->t, &m->ip, &m->host);

	if (ret == 0)
		ret = tctable_conns(a->t, &m->ip, take_conn, &taken);
	m->host_is_gone = ret == -ENOENT;
	if (ret == 0)
		top_model_conns(m, &taken.conns, top_clock_ms());
	free(taken.conns.at);
	return ret == -ENOENT ? 0 : ret;
}

/* Those that are shown stay if these do not all come. */
static int ask_rows(struct top_asker *a, struct top_model *m)
{
	struct taken_rows taken = {.n = 0};
	struct tctable_top what;
	int ret;

	top_model_want(m, &what);
	taken.at = reallocarray(NULL, what.rows, sizeof(*taken.at));
	if (!taken.at)
		return -ENOMEM;
	ret = tctable_top(a->t, &what, take_row, &taken);
	if (ret == 0) {
		top_model_rows_begin(m);
		for (size_t i = 0; i < taken.n; i++)
			top_model_rows_add(m, &taken.at[i]);
		top_model_rows_end(m);
	}
	free(taken.at);
	return ret;
}

static int ask_info(struct top_asker *a, struct top_model *m)
{
	struct tctable_info info;
	const int ret = a->knows_daemon ? 0 : tctable_info(a->t, &info);

	if (ret == 0 && !a->knows_daemon) {
		top_model_info(m, &info);
		a->knows_daemon = true;
	}
	return ret;
}

int top_ask(struct top_asker *a, struct top_model *m)
{
	int ret = a->t ? 0 : tctable_open(&a->t, a->path);

	if (ret == 0)
		ret = ask_info(a, m);
	if (ret == 0)
		ret = tctable_stats(a->t, take_stats, m);
	if (ret == 0)
		ret = m->is_open ? ask_host(a, m) : ask_rows(a, m);
	m->trouble[0] = '\0';
	if (ret < 0) {
		snprintf(m->trouble, sizeof(m->trouble), "%.250s", tctable_error(a->t));
		top_asker_fini(a);
	}
	return ret;
}
