/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print_text.c - the records of tctable.h as lines for people.
 */
#include "cli/print.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "cli/doctor.h"
#include "cli/internal.h"

static void put_text(FILE *out, const char *s)
{
	while (*s) {
		const unsigned n = print_char_bytes(s);

		if (n)
			fwrite(s, 1, n, out);
		else
			fputc('?', out);
		s += n ? n : 1;
	}
}

/* Seconds and whole milliseconds. */
static void put_time(FILE *out, const char *key, uint64_t ns)
{
	const uint64_t sec = ns / NS_PER_SEC, msec = ns % NS_PER_SEC / NS_PER_MSEC;

	fprintf(out, "%s=%" PRIu64 ".%03" PRIu64, key, sec, msec);
}

static void put_counter(FILE *out, const struct tctable_counter *c)
{
	fprintf(out, "pcnt=%" PRIu64 " bcnt=%" PRIu64, c->packets, c->bytes);
}

static void put_class(FILE *out, const struct tctable_host *host, unsigned c)
{
	const struct tctable_traffic *t = &host->cls[c];

	fprintf(out, "%s conn=%" PRIu64 " tx ", print_class_names[c], t->conns);
	put_counter(out, &t->tx);
	fputs(" rx ", out);
	put_counter(out, &t->rx);
}

/* Connections and traffic of all classes, both ways. */
static struct tctable_counter sum_of(const struct tctable_host *host, uint64_t *conns)
{
	struct tctable_counter sum = {0, 0};

	*conns = 0;
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		const struct tctable_traffic *t = &host->cls[c];

		*conns += t->conns;
		sum.packets += t->tx.packets + t->rx.packets;
		sum.bytes += t->tx.bytes + t->rx.bytes;
	}
	return sum;
}

static void put_findings(FILE *out, const struct doctor_report *r)
{
	const char *before = "";

	if (!r) {
		fputs("doctor=unknown\n", out);
		return;
	}
	fputs("doctor=", out);
	for (unsigned i = 0; i < r->n; i++) {
		if (!r->check[i].is_finding)
			continue;
		fprintf(out, "%s%s", before, r->check[i].code);
		before = ",";
	}
	fputs(r->findings ? " (see 'tctable doctor')\n" : "no findings\n", out);
}

void print_info(FILE *out, const struct tctable_info *info, const struct doctor_report *doctor)
{
	fputs("software=", out);
	put_text(out, info->software);
	fprintf(out, "\nversion=%" PRIu32 "\nhz=%" PRIu32 "\n", info->version, info->hz);
	fprintf(out,
		"host_size=%" PRIu32 "\nconn_size=%" PRIu32 "\nstats_size=%" PRIu32
		"\ninfo_size=%" PRIu32 "\n",
		info->host_size, info->conn_size, info->stats_size, info->info_size);
	put_time(out, "start", info->start_ns);
	fputc('\n', out);
	put_time(out, "now", info->now_ns);
	fputc('\n', out);
	put_time(out, "host_timeout", info->host_timeout_ns);
	fputc('\n', out);
	fputs("source=", out);
	put_text(out, info->source);
	fprintf(out, "\nworkers=%" PRIu32 "\n", info->workers);
	fprintf(out, "live=%s\nsegments=%s\ndirection=%s\n",
		info->flags & TCTABLE_INFO_LIVE ? "yes" : "no",
		info->flags & TCTABLE_INFO_SEGMENTS ? "on" : "off",
		info->flags & TCTABLE_INFO_NIC ? "nic" : "inner");
	put_findings(out, doctor);
}

void print_count(FILE *out, uint64_t hosts)
{
	fprintf(out, "tc_counter_count=%" PRIu64 "\n", hosts);
}

void print_len(FILE *out, uint64_t n)
{
	fprintf(out, "len=%" PRIu64 "\n", n);
}

/* Puts words and numbers at p; one behind the last. */
static char *add_word(char *p, const char *word)
{
	const size_t n = strlen(word);

	memcpy(p, word, n);
	return p + n;
}

static char *add_number(char *p, const char *word, uint64_t v, unsigned least_digits)
{
	char digits[20];
	unsigned n = 0;

	for (; v || n < least_digits; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	p = add_word(p, word);
	while (n)
		*p++ = digits[--n];
	return p;
}

/* There may be millions, of which printf would need most of the time. */
void print_host_fields(FILE *out, const struct tctable_host *host)
{
	char ip[TCTABLE_ADDR_TEXT], line[TCTABLE_ADDR_TEXT + 7 * 32];
	uint64_t conns;
	const struct tctable_counter sum = sum_of(host, &conns);
	char *p = add_word(line, print_addr(ip, &host->ip));

	p = add_number(p, " conn=", conns, 1);
	p = add_number(p, " pcnt=", sum.packets, 1);
	p = add_number(p, " bcnt=", sum.bytes, 1);
	p = add_number(p, " last=", host->last_ns / NS_PER_SEC, 1);
	p = add_number(p, ".", host->last_ns % NS_PER_SEC / NS_PER_MSEC, 3);
	p = add_number(p, " next_id=", host->next_conn_id, 1);
	p = add_number(p, " use=", host->use, 1);
	fwrite(line, 1, (size_t)(p - line), out);
}

void print_host_line(FILE *out, const struct tctable_host *host)
{
	print_host_fields(out, host);
	fputc('\n', out);
}

void print_rest_line(FILE *out, const struct tctable_host *rest)
{
	uint64_t conns;
	const struct tctable_counter sum = sum_of(rest, &conns);

	if (sum.packets == 0)
		return;
	fprintf(out, "%s conn=%" PRIu64 " ",
		rest->kind == TCTABLE_HOST_OVERFLOW ? "overflow" : "forgotten", conns);
	put_counter(out, &sum);
	fputc('\n', out);
}

void print_host(FILE *out, const struct tctable_host *host)
{
	char ip[TCTABLE_ADDR_TEXT];

	fprintf(out, "%s\n", print_addr(ip, &host->ip));
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		put_class(out, host, c);
		fputc('\n', out);
	}
}

void print_host_proc(FILE *out, const struct tctable_host *host, uint64_t now_ns)
{
	const uint64_t left_ns = host->forget_ns > now_ns ? host->forget_ns - now_ns : 0;
	const uint64_t left_sec = left_ns / NS_PER_SEC + (left_ns % NS_PER_SEC != 0);
	char ip[TCTABLE_ADDR_TEXT];

	fputs(print_addr(ip, &host->ip), out);
	if (host->forget_ns == 0)
		fputs(" -", out);
	else
		fprintf(out, " %" PRIu64, left_sec);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		fputc(' ', out);
		put_class(out, host, c);
	}
	fputc(' ', out);
	put_time(out, "last", host->last_ns);
	fprintf(out, " next_id=%" PRIu64 " use=%" PRIu64 "\n", host->next_conn_id, host->use);
}

/* --- connections ------------------------------------------------------------ */

static void put_end(FILE *out, const struct tctable_conn *conn, const struct tctable_end *end)
{
	const bool has_port = !conn->is_icmp && print_protocol_has_ports(conn->protocol);
	char ip[TCTABLE_ADDR_TEXT];

	print_addr(ip, &end->ip);
	if (!has_port)
		fputs(ip, out);
	else if (end->ip.family == 6)
		fprintf(out, "[%s]:%u", ip, end->port);
	else
		fprintf(out, "%s:%u", ip, end->port);
}

static void put_direction(FILE *out, const struct tctable_conn *conn, bool is_reply)
{
	const struct tctable_end *from = is_reply ? &conn->reply : &conn->orig;
	const struct tctable_end *to = is_reply ? &conn->orig : &conn->reply;

	fputs(is_reply ? " reply " : " orig ", out);
	put_end(out, conn, from);
	fputs("->", out);
	put_end(out, conn, to);
	fputc(' ', out);
	if (conn->is_icmp)
		fprintf(out, "type=%u code=%u id=%u ", conn->icmp_type[is_reply], conn->icmp_code,
			conn->icmp_id);
	put_counter(out, &from->sent);
}

void print_conn_line(FILE *out, const struct tctable_conn *conn)
{
	const char *name = print_protocol_name(conn->protocol);

	fprintf(out, "id=%" PRIu64 " ", conn->id);
	put_time(out, "last", conn->last_ns);
	if (name)
		fprintf(out, " %s", name);
	else
		fprintf(out, " %u", conn->protocol);
	put_direction(out, conn, false);
	put_direction(out, conn, true);
	if (conn->state[0]) {
		fputs(" state=", out);
		put_text(out, conn->state);
	}
	if (conn->icmp_errors)
		fprintf(out, " icmp_err=%" PRIu32, conn->icmp_errors);
	fputc('\n', out);
}

/* --- statistics ------------------------------------------------------------- */

void print_ledger(FILE *out, const struct tctable_ledger *l)
{
	const uint64_t untracked =
		l->table_full + l->host_limit + l->icmp_error + l->icmp_other + l->fragment;

	fprintf(out,
		"received %" PRIu64 " = counted %" PRIu64 " + transit %" PRIu64 " + not_ip %" PRIu64
		" + malformed %" PRIu64 "\n",
		l->received, l->counted.packets, l->transit, l->not_ip, l->malformed);
	fprintf(out, "counted %" PRIu64 " = tracked %" PRIu64 " + untracked %" PRIu64 "\n",
		l->counted.packets, l->tracked, untracked);
	fprintf(out,
		"untracked %" PRIu64 " = table_full %" PRIu64 " + host_limit %" PRIu64
		" + icmp_error %" PRIu64 " + icmp_other %" PRIu64 " + fragment %" PRIu64 "\n",
		untracked, l->table_full, l->host_limit, l->icmp_error, l->icmp_other, l->fragment);
	fprintf(out, "on hosts %" PRIu64 " packets = counted %" PRIu64 " + internal %" PRIu64 "\n",
		l->counted.packets + l->internal.packets, l->counted.packets, l->internal.packets);
	fprintf(out, "on hosts %" PRIu64 " bytes = counted %" PRIu64 " + internal %" PRIu64 "\n",
		l->counted.bytes + l->internal.bytes, l->counted.bytes, l->internal.bytes);
	fprintf(out, "lost before: kernel_drops %" PRIu64 ", ring_freezes %" PRIu64 "\n",
		l->kernel_drops, l->ring_freezes);
}

/* Those that are not 0, on one line. */
static void put_counters(FILE *out, const struct tctable_stats *s)
{
	const uint32_t n = s->counters < TCTABLE_COUNTERS ? s->counters : TCTABLE_COUNTERS;
	bool is_first = true;

	for (uint32_t i = 0; i < n; i++) {
		if (s->counter[i].value == 0)
			continue;
		fputs(is_first ? "counters: " : ", ", out);
		put_text(out, s->counter[i].name);
		fprintf(out, " %" PRIu64, s->counter[i].value);
		is_first = false;
	}
	if (!is_first)
		fputc('\n', out);
}

void print_stats(FILE *out, const struct tctable_stats *s)
{
	const bool is_total = s->worker == UINT32_MAX;
	const uint32_t verdicts = s->verdicts < TCTABLE_VERDICTS ? s->verdicts : TCTABLE_VERDICTS;
	bool is_first = true;

	if (is_total)
		fputs("total\n", out);
	else
		fprintf(out, "worker %" PRIu32 "\n", s->worker);
	print_ledger(out, &s->ledger);
	for (uint32_t i = 0; i < verdicts; i++) {
		if (s->verdict[i].frames == 0)
			continue;
		fputs(is_first ? "refused: " : ", ", out);
		put_text(out, s->verdict[i].name);
		fprintf(out, " %" PRIu64, s->verdict[i].frames);
		is_first = false;
	}
	if (!is_first)
		fputc('\n', out);
	fprintf(out,
		"flows: live %" PRIu64 " of %" PRIu64 ", started %" PRIu64 ", expired %" PRIu64
		", replaced %" PRIu64 ", early_drops %" PRIu64 "\n",
		s->flows_live, s->flows_capacity, s->flows_started, s->flows_expired,
		s->flows_replaced, s->flows_early_drops);
	put_counters(out, s);
	if (is_total)
		fprintf(out, "hosts: %" PRIu64 " of %" PRIu64 ", forgotten %" PRIu64 "\n", s->hosts,
			s->hosts_max, s->hosts_forgotten);
	fprintf(out, "memory: arena %" PRIu64 " bytes", s->arena_bytes);
	if (is_total)
		fprintf(out, ", directory %" PRIu64 " bytes", s->directory_bytes);
	fputc('\n', out);
}

void print_table_text(FILE *out, const struct print_table *t)
{
	print_len(out, t->hosts_n);
	for (size_t i = 0; i < t->hosts_n; i++)
		print_host_line(out, &t->hosts[i]);
	print_rest_line(out, t->overflow);
	print_rest_line(out, t->forgotten);
}
