/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.c - what tctable can be asked.
 *
 * Lists are collected before a line of them is printed: their length stands in
 * front, hosts are sorted, and an answer that breaks off prints nothing rather
 * than a part that looks like the whole.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "cli/doctor.h"
#include "cli/exit.h"
#include "cli/hosts_print.h"
#include "cli/print.h"
#include "cli/top_names.h"

/* --- one record ------------------------------------------------------------- */

static int run_info(const struct command_request *r)
{
	struct doctor_report report;
	struct doctor_facts facts;
	struct tctable_info info;
	int ret = tctable_info(r->t, &info);

	if (ret < 0)
		return ret;
	ret = doctor_ask(r->t, &facts);
	if (ret == 0)
		doctor_judge(&report, &facts);
	(r->json ? print_info_json : print_info)(r->out, &info, ret == 0 ? &report : NULL);
	return 0;
}

static int run_doctor(const struct command_request *r)
{
	struct doctor_report report;
	struct doctor_facts facts;
	const int ret = doctor_ask(r->t, &facts);

	if (ret < 0)
		return ret;
	doctor_judge(&report, &facts);
	(r->json ? doctor_print_json : doctor_print)(r->out, &report);
	return report.findings ? EXIT_FINDINGS : 0;
}

static int run_count(const struct command_request *r)
{
	uint64_t hosts;
	const int ret = tctable_count(r->t, &hosts);

	if (ret < 0)
		return ret;
	(r->json ? print_count_json : print_count)(r->out, hosts);
	return 0;
}

static int run_host(const struct command_request *r)
{
	struct tctable_host host;
	const int ret = tctable_host(r->t, &r->ip, &host);

	if (ret < 0)
		return ret;
	(r->json ? print_host_json : print_host)(r->out, &host);
	return 0;
}

/* --- lists ------------------------------------------------------------------ */

/* More records than a tcsniff could hold are not collected, whoever it is that
 * sends them. */
#define LIST_RECORDS_MAX (1u << 27)

/* Records of one size in an array that grows. */
struct list {
	char *at;
	size_t record_bytes, n, room;
};

static int list_add(struct list *l, const void *record)
{
	if (l->n == LIST_RECORDS_MAX)
		return -ENOMEM;
	if (l->n == l->room) {
		const size_t room = l->room ? 2 * l->room : 64;
		char *at = reallocarray(l->at, room, l->record_bytes);

		if (!at)
			return -ENOMEM;
		l->at = at;
		l->room = room;
	}
	memcpy(l->at + l->n++ * l->record_bytes, record, l->record_bytes);
	return 0;
}

struct hosts {
	struct list list;
	struct tctable_host overflow, forgotten;
};

static int take_host(const struct tctable_host *host, void *arg)
{
	struct hosts *hosts = arg;

	switch (host->kind) {
	case TCTABLE_HOST_OVERFLOW:
		hosts->overflow = *host;
		return 0;
	case TCTABLE_HOST_FORGOTTEN:
		hosts->forgotten = *host;
		return 0;
	default:
		return list_add(&hosts->list, host);
	}
}

/* All hosts, sorted. The list is the caller's to free, in any case. */
static int ask_hosts(struct hosts *hosts, struct tctable *t)
{
	int ret;

	*hosts = (struct hosts){.list.record_bytes = sizeof(struct tctable_host),
				.overflow.kind = TCTABLE_HOST_OVERFLOW,
				.forgotten.kind = TCTABLE_HOST_FORGOTTEN};
	ret = tctable_hosts(t, take_host, hosts);
	if (ret < 0)
		return ret;
	print_hosts_sort((struct tctable_host *)hosts->list.at, hosts->list.n);
	return 0;
}

static int take_total(const struct tctable_stats *stats, void *arg)
{
	struct tctable_ledger *ledger = arg;

	if (stats->worker == UINT32_MAX)
		*ledger = stats->ledger;
	return 0;
}

static int print_all_hosts(const struct command_request *r)
{
	struct tctable_ledger ledger = {.received = 0};
	struct print_table table;
	struct hosts hosts;
	int ret = ask_hosts(&hosts, r->t);

	if (ret == 0 && r->json)
		ret = tctable_stats(r->t, take_total, &ledger);
	if (ret == 0) {
		table = (struct print_table){.ledger = &ledger,
					     .hosts = (struct tctable_host *)hosts.list.at,
					     .hosts_n = hosts.list.n,
					     .overflow = &hosts.overflow,
					     .forgotten = &hosts.forgotten};
		(r->json ? print_table_json : print_table_text)(r->out, &table);
	}
	free(hosts.list.at);
	return ret;
}

/* --- lists with options ------------------------------------------------------ */

#define NAMES_MOST    1024 /* rows that names are looked for before printing */
#define NAMES_WAIT_MS 3000 /* for all of them */

/* What was there at one time. All arrays are of `n`, and owned. */
struct look {
	struct hosts hosts;
	/* Sums of networks, and which these are; NULL: hosts are listed. */
	struct tctable_host *sums;
	struct group_net *nets;
	struct tctable_rate *rates;
	size_t *order;
	size_t hosts_n; /* in the network that is asked for */
	size_t n;	/* that are listed: as many, or networks */
	uint64_t at_ns; /* of a clock that is not set */
	struct tctable_ledger ledger;
	struct tctable_info info;
};

static void look_free(struct look *l)
{
	free(l->hosts.list.at);
	free(l->sums);
	free(l->nets);
	free(l->rates);
	free(l->order);
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static struct tctable_host *look_hosts(const struct look *l)
{
	return (struct tctable_host *)l->hosts.list.at;
}

static const struct tctable_host *look_listed(const struct look *l)
{
	return l->sums ? l->sums : look_hosts(l);
}

static int look_ask(struct look *l, const struct command_request *r)
{
	int ret = ask_hosts(&l->hosts, r->t);

	l->at_ns = monotonic_ns();
	if (ret == 0)
		ret = tctable_info(r->t, &l->info);
	if (ret == 0 && r->json)
		ret = tctable_stats(r->t, take_total, &l->ledger);
	return ret;
}

/* Chooses, sums up and puts in order. before: the look before this one, or NULL. */
static int look_arrange(struct look *l, const struct hosts_conf *c, const struct look *before)
{
	const size_t room = l->hosts.list.n ? l->hosts.list.n : 1;

	l->n = l->hosts_n = hosts_in_net(c, look_hosts(l), l->hosts.list.n);
	l->order = reallocarray(NULL, room, sizeof(*l->order));
	l->sums = c->is_grouped ? reallocarray(NULL, room, sizeof(*l->sums)) : NULL;
	l->nets = c->is_grouped ? reallocarray(NULL, room, sizeof(*l->nets)) : NULL;
	l->rates = before ? reallocarray(NULL, room, sizeof(*l->rates)) : NULL;
	if (!l->order || (c->is_grouped && (!l->sums || !l->nets)) || (before && !l->rates))
		return -ENOMEM;
	if (before)
		hosts_rates(l->rates, look_hosts(l), l->hosts_n, look_hosts(before),
			    before->hosts_n, l->at_ns - before->at_ns);
	if (c->is_grouped && l->n) {
		memcpy(l->sums, look_hosts(l), l->n * sizeof(*l->sums));
		l->n = group_sum(&c->group, l->sums, l->nets, l->n);
		if (before)
			hosts_rates_of_nets(l->rates, l->nets, l->n);
	}
	return hosts_order(l->order, look_listed(l), l->rates, l->n, c->key);
}

/* So that what is known by then is printed. */
static void look_for_names(const struct hosts_print *p, bool wait)
{
	char name[8];

	for (size_t i = 0; i < p->n && i < NAMES_MOST; i++)
		top_names_lookup(&p->hosts[p->order[i]].ip, name, sizeof(name));
	if (wait)
		top_names_wait(NAMES_WAIT_MS);
}

static void look_print(const struct look *l, const struct command_request *r, bool is_first)
{
	const struct hosts_conf *c = &r->list;
	const bool is_all = !c->net.family && !c->is_grouped && !c->rows;
	const struct hosts_print p = {
		.ledger = &l->ledger,
		.hosts = look_listed(l),
		.nets = l->nets,
		.rates = l->rates,
		.order = l->order,
		.n = c->rows && c->rows < l->n ? (size_t)c->rows : l->n,
		.all = l->n,
		.overflow = is_all ? &l->hosts.overflow : NULL,
		.forgotten = is_all ? &l->hosts.forgotten : NULL,
		.now_ns = l->info.now_ns,
		.name = c->with_names ? top_names_lookup : NULL,
	};

	if (c->with_names && !c->is_grouped)
		look_for_names(&p, is_first);
	if (!is_first && !r->json && !c->csv)
		fputc('\n', r->out);
	if (r->json)
		hosts_print_json(r->out, &p);
	else if (c->csv)
		hosts_print_csv(r->out, &p);
	else if (c->human)
		hosts_print_human(r->out, &p);
	else
		hosts_print_text(r->out, &p);
}

static void wait_ns(uint64_t ns)
{
	struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_SEC),
				.tv_nsec = (long)(ns % NS_PER_SEC)};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Look by look, until nobody reads it or the daemon goes. */
static int print_chosen_hosts(const struct command_request *r)
{
	struct look before = {.n = 0};
	int ret;

	for (bool is_first = true;; is_first = false) {
		struct look now = {.n = 0};

		ret = look_ask(&now, r);
		if (ret == 0)
			ret = look_arrange(&now, &r->list, is_first ? NULL : &before);
		if (ret == 0)
			look_print(&now, r, is_first);
		look_free(&before);
		before = now;
		if (ret < 0 || !r->list.interval_ns || fflush(r->out) != 0)
			break;
		wait_ns(r->list.interval_ns);
	}
	look_free(&before);
	return ret;
}

static int run_hosts(const struct command_request *r)
{
	const struct hosts_conf *c = &r->list;

	if (c->key || c->rows || c->interval_ns || c->human || c->csv || c->with_names ||
	    c->is_grouped || c->net.family)
		return print_chosen_hosts(r);
	return print_all_hosts(r);
}

static int run_proc(const struct command_request *r)
{
	const struct tctable_host *host;
	struct tctable_info info;
	struct print_json j;
	struct hosts hosts;
	int ret = ask_hosts(&hosts, r->t);

	if (ret == 0)
		ret = tctable_info(r->t, &info);
	if (ret < 0)
		goto done;
	host = (const struct tctable_host *)hosts.list.at;
	if (r->json)
		print_proc_json_begin(&j, r->out, info.now_ns);
	for (size_t i = 0; i < hosts.list.n; i++) {
		if (r->json)
			print_proc_json_add(&j, &host[i]);
		else
			print_host_proc(r->out, &host[i], info.now_ns);
	}
	if (r->json)
		print_proc_json_end(&j);
done:
	free(hosts.list.at);
	return ret;
}

static int take_conn(const struct tctable_conn *conn, void *arg)
{
	return list_add(arg, conn);
}

static int run_conns(const struct command_request *r)
{
	struct list list = {.record_bytes = sizeof(struct tctable_conn)};
	const int ret = tctable_conns(r->t, &r->ip, take_conn, &list);
	const struct tctable_conn *conn = (const struct tctable_conn *)list.at;
	struct print_json j;

	if (ret < 0)
		goto done;
	if (r->json)
		print_conns_json_begin(&j, r->out, &r->ip);
	else
		print_len(r->out, list.n);
	for (size_t i = 0; i < list.n; i++) {
		if (r->json)
			print_conns_json_add(&j, &conn[i]);
		else
			print_conn_line(r->out, &conn[i]);
	}
	if (r->json)
		print_conns_json_end(&j);
done:
	free(list.at);
	return ret;
}

static int take_stats(const struct tctable_stats *stats, void *arg)
{
	return list_add(arg, stats);
}

static int run_stats(const struct command_request *r)
{
	struct list list = {.record_bytes = sizeof(struct tctable_stats)};
	const int ret = tctable_stats(r->t, take_stats, &list);
	const struct tctable_stats *stats = (const struct tctable_stats *)list.at;
	struct print_json j;

	if (ret < 0 || list.n == 0)
		goto done;
	if (r->json)
		print_stats_json_begin(&j, r->out, &stats[0]);
	else
		print_stats(r->out, &stats[0]);
	for (size_t i = 1; i < list.n; i++) {
		if (r->json)
			print_stats_json_add(&j, &stats[i]);
		else
			print_stats(r->out, &stats[i]);
	}
	if (r->json)
		print_stats_json_end(&j);
done:
	free(list.at);
	return ret;
}

/* --- the table -------------------------------------------------------------- */

const struct command commands[] = {
	{'i', NULL, false, "the daemon: version, source, record sizes", run_info},
	{'c', NULL, false, "how many hosts there are", run_count},
	{'a', NULL, false, "all hosts, sorted by address", run_hosts},
	{'d', NULL, true, "one host, by class and direction", run_host},
	{'s', NULL, true, "the connections of a host, by id", run_conns},
	{'S', NULL, false, "statistics: ledger, flow tables, memory", run_stats},
	{'p', NULL, false, "all hosts, everything about each in a line", run_proc},
	{0, "doctor", false, "what is wrong with the mirror, and what to do about it", run_doctor},
};
const unsigned commands_n = sizeof(commands) / sizeof(commands[0]);

const struct command *command_lookup(int letter)
{
	for (unsigned i = 0; i < commands_n; i++)
		if (letter && commands[i].letter == letter)
			return &commands[i];
	return NULL;
}

const struct command *command_of_word(const char *word)
{
	for (unsigned i = 0; i < commands_n; i++)
		if (commands[i].word && !strcmp(commands[i].word, word))
			return &commands[i];
	return NULL;
}
