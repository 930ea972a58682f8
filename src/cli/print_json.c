/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print_json.c - the records of tctable.h as JSON (RFC 8259) for programs.
 *
 * Keys are never renamed and never taken away; new ones may come. Counters are
 * printed as whole numbers of up to 64 bits.
 */
#include "cli/print.h"

#include <inttypes.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/internal.h"

/* A string, quoted. What is not printable UTF-8 becomes
 * U+FFFD, the replacement character. */
void print_string_json(FILE *out, const char *s)
{
	fputc('"', out);
	while (*s) {
		const unsigned n = print_char_bytes(s);

		if (n == 0) {
			fputs("\\ufffd", out);
			s++;
			continue;
		}
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fwrite(s, 1, n, out);
		s += n;
	}
	fputc('"', out);
}

/* The key, its colon, and what stands before it. */
static void put_key(FILE *out, const char *before, const char *key)
{
	fprintf(out, "%s\"%s\": ", before, key);
}

static void put_number(FILE *out, const char *before, const char *key, uint64_t n)
{
	fprintf(out, "%s\"%s\": %" PRIu64, before, key, n);
}

static void put_addr(FILE *out, const char *before, const char *key, const struct tctable_addr *ip)
{
	char text[TCTABLE_ADDR_TEXT];

	fprintf(out, "%s\"%s\": \"%s\"", before, key, print_addr(text, ip));
}

static void put_counter(FILE *out, const char *before, const char *key,
			const struct tctable_counter *c)
{
	fprintf(out, "%s\"%s\": {\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", before, key,
		c->packets, c->bytes);
}

void print_classes_json(FILE *out, const char *before, const struct tctable_host *host)
{
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		const struct tctable_traffic *t = &host->cls[c];

		put_key(out, c ? ", " : before, print_class_names[c]);
		put_number(out, "{", "conns", t->conns);
		put_counter(out, ", ", "tx", &t->tx);
		put_counter(out, ", ", "rx", &t->rx);
		fputc('}', out);
	}
}

void print_host_keys_json(FILE *out, const struct tctable_host *host, bool is_host)
{
	uint64_t conns = 0;

	for (unsigned c = 0; c < TCTABLE_CLASSES; c++)
		conns += host->cls[c].conns;
	put_number(out, ", ", "conns", conns);
	put_number(out, ", ", "half_open", host->half_open);
	put_number(out, ", ", "last_ns", host->last_ns);
	if (is_host) {
		put_number(out, ", ", "next_conn_id", host->next_conn_id);
		put_number(out, ", ", "use", host->use);
	}
	print_classes_json(out, ", ", host);
}

/* All of a host but the closing brace. */
static void put_host(FILE *out, const struct tctable_host *host)
{
	put_addr(out, "{", "ip", &host->ip);
	print_host_keys_json(out, host, true);
}

void print_ledger_value_json(FILE *out, const struct tctable_ledger *l)
{
	put_number(out, "{", "received", l->received);
	put_number(out, ", ", "counted", l->counted.packets);
	put_number(out, ", ", "counted_bytes", l->counted.bytes);
	put_number(out, ", ", "internal", l->internal.packets);
	put_number(out, ", ", "internal_bytes", l->internal.bytes);
	put_number(out, ", ", "tracked", l->tracked);
	put_key(out, ", ", "untracked");
	put_number(out, "{", "table_full", l->table_full);
	put_number(out, ", ", "host_limit", l->host_limit);
	put_number(out, ", ", "icmp_error", l->icmp_error);
	put_number(out, ", ", "icmp_other", l->icmp_other);
	put_number(out, ", ", "fragment", l->fragment);
	put_number(out, "}, ", "transit", l->transit);
	put_number(out, ", ", "not_ip", l->not_ip);
	put_number(out, ", ", "malformed", l->malformed);
	put_number(out, ", ", "kernel_drops", l->kernel_drops);
	put_number(out, ", ", "ring_freezes", l->ring_freezes);
	fputc('}', out);
}

/* What stands between two records of a list: a record a line. */
static void put_separator(struct print_json *j)
{
	fputs(j->has_some ? ",\n  " : "\n  ", j->out);
	j->has_some = true;
}

static void end_list(struct print_json *j)
{
	fputs(j->has_some ? "\n ]" : "]", j->out);
}

/* The names of what the doctor found; null: it could not be asked. */
static void put_findings(FILE *out, const struct doctor_report *r)
{
	const char *before = "";

	put_key(out, ", ", "findings");
	if (!r) {
		fputs("null", out);
		return;
	}
	fputc('[', out);
	for (unsigned i = 0; i < r->n; i++) {
		if (!r->check[i].is_finding)
			continue;
		fprintf(out, "%s\"%s\"", before, r->check[i].code);
		before = ", ";
	}
	fputc(']', out);
}

void print_info_json(FILE *out, const struct tctable_info *info, const struct doctor_report *doctor)
{
	put_number(out, "{", "version", info->version);
	put_number(out, ", ", "hz", info->hz);
	put_key(out, ", ", "record_sizes");
	put_number(out, "{", "host", info->host_size);
	put_number(out, ", ", "connection", info->conn_size);
	put_number(out, ", ", "stats", info->stats_size);
	put_number(out, ", ", "info", info->info_size);
	put_key(out, "}, ", "software");
	print_string_json(out, info->software);
	put_number(out, ", ", "start_ns", info->start_ns);
	put_number(out, ", ", "now_ns", info->now_ns);
	put_number(out, ", ", "host_timeout_ns", info->host_timeout_ns);
	put_key(out, ", ", "source");
	print_string_json(out, info->source);
	put_number(out, ", ", "workers", info->workers);
	fprintf(out, ", \"live\": %s, \"segments\": %s, \"direction\": \"%s\"",
		info->flags & TCTABLE_INFO_LIVE ? "true" : "false",
		info->flags & TCTABLE_INFO_SEGMENTS ? "true" : "false",
		info->flags & TCTABLE_INFO_NIC ? "nic" : "inner");
	put_findings(out, doctor);
	fputs("}\n", out);
}

void print_count_json(FILE *out, uint64_t hosts)
{
	put_number(out, "{", "count", hosts);
	fputs("}\n", out);
}

void print_host_json(FILE *out, const struct tctable_host *host)
{
	put_host(out, host);
	fputs("}\n", out);
}

void print_ledger_json(FILE *out, const struct tctable_ledger *ledger)
{
	put_key(out, "{", "ledger");
	print_ledger_value_json(out, ledger);
	fputs("}\n", out);
}

void print_hosts_json_begin(struct print_json *j, FILE *out, const struct tctable_ledger *ledger)
{
	*j = (struct print_json){.out = out};
	put_key(out, "{", "ledger");
	print_ledger_value_json(out, ledger);
	put_key(out, ",\n ", "hosts");
	fputc('[', out);
}

void print_hosts_json_add(struct print_json *j, const struct tctable_host *host)
{
	put_separator(j);
	put_host(j->out, host);
	fputc('}', j->out);
}

void print_hosts_json_end(struct print_json *j, const struct tctable_host *overflow,
			  const struct tctable_host *forgotten)
{
	end_list(j);
	put_key(j->out, ",\n ", "overflow");
	print_classes_json(j->out, "{", overflow);
	put_key(j->out, "},\n ", "forgotten");
	print_classes_json(j->out, "{", forgotten);
	fputs("}}\n", j->out);
}

void print_proc_json_begin(struct print_json *j, FILE *out, uint64_t now_ns)
{
	*j = (struct print_json){.out = out};
	put_number(out, "{", "now_ns", now_ns);
	put_key(out, ",\n ", "hosts");
	fputc('[', out);
}

void print_proc_json_add(struct print_json *j, const struct tctable_host *host)
{
	put_separator(j);
	put_host(j->out, host);
	if (host->forget_ns)
		put_number(j->out, ", ", "forget_ns", host->forget_ns);
	else
		fputs(", \"forget_ns\": null", j->out);
	fputc('}', j->out);
}

void print_proc_json_end(struct print_json *j)
{
	end_list(j);
	fputs("}\n", j->out);
}

/* --- connections ------------------------------------------------------------ */

static void put_direction(FILE *out, const struct tctable_conn *conn, bool is_reply)
{
	const struct tctable_end *from = is_reply ? &conn->reply : &conn->orig;
	const struct tctable_end *to = is_reply ? &conn->orig : &conn->reply;

	put_key(out, ", ", is_reply ? "reply" : "orig");
	put_addr(out, "{", "src", &from->ip);
	if (!conn->is_icmp)
		put_number(out, ", ", "src_port", from->port);
	put_addr(out, ", ", "dst", &to->ip);
	if (!conn->is_icmp) {
		put_number(out, ", ", "dst_port", to->port);
	} else {
		put_number(out, ", ", "type", conn->icmp_type[is_reply]);
		put_number(out, ", ", "code", conn->icmp_code);
		put_number(out, ", ", "id", conn->icmp_id);
	}
	put_number(out, ", ", "packets", from->sent.packets);
	put_number(out, ", ", "bytes", from->sent.bytes);
	fputc('}', out);
}

void print_conns_json_begin(struct print_json *j, FILE *out, const struct tctable_addr *ip)
{
	*j = (struct print_json){.out = out};
	put_addr(out, "{", "ip", ip);
	put_key(out, ",\n ", "connections");
	fputc('[', out);
}

void print_conns_json_add(struct print_json *j, const struct tctable_conn *conn)
{
	const char *name = print_protocol_name(conn->protocol);
	FILE *out = j->out;

	put_separator(j);
	put_number(out, "{", "id", conn->id);
	put_number(out, ", ", "last_ns", conn->last_ns);
	put_key(out, ", ", "protocol");
	if (name)
		fprintf(out, "\"%s\"", name);
	else
		fprintf(out, "%u", conn->protocol);
	put_key(out, ", ", "state");
	print_string_json(out, conn->state);
	put_direction(out, conn, false);
	put_direction(out, conn, true);
	if (conn->icmp_errors)
		put_number(out, ", ", "icmp_errors", conn->icmp_errors);
	fputc('}', out);
}

void print_conns_json_end(struct print_json *j)
{
	end_list(j);
	fputs("}\n", j->out);
}

/* --- statistics ------------------------------------------------------------- */

/* All but the closing brace. */
static void put_stats(FILE *out, const char *before, const struct tctable_stats *s)
{
	const uint32_t verdicts = s->verdicts < TCTABLE_VERDICTS ? s->verdicts : TCTABLE_VERDICTS;
	const uint32_t counters = s->counters < TCTABLE_COUNTERS ? s->counters : TCTABLE_COUNTERS;

	put_key(out, before, "ledger");
	print_ledger_value_json(out, &s->ledger);
	put_key(out, ", ", "flows");
	put_number(out, "{", "capacity", s->flows_capacity);
	put_number(out, ", ", "live", s->flows_live);
	put_number(out, ", ", "started", s->flows_started);
	put_number(out, ", ", "expired", s->flows_expired);
	put_number(out, ", ", "replaced", s->flows_replaced);
	put_number(out, ", ", "early_drops", s->flows_early_drops);
	put_number(out, "}, ", "arena_bytes", s->arena_bytes);
	put_key(out, ", ", "verdicts");
	fputc('{', out);
	for (uint32_t i = 0; i < verdicts; i++) {
		if (i)
			fputs(", ", out);
		print_string_json(out, s->verdict[i].name);
		fprintf(out, ": %" PRIu64, s->verdict[i].frames);
	}
	put_key(out, "}, ", "counters");
	fputc('{', out);
	for (uint32_t i = 0; i < counters; i++) {
		if (i)
			fputs(", ", out);
		print_string_json(out, s->counter[i].name);
		fprintf(out, ": %" PRIu64, s->counter[i].value);
	}
	fputc('}', out);
}

void print_stats_json_begin(struct print_json *j, FILE *out, const struct tctable_stats *total)
{
	*j = (struct print_json){.out = out};
	put_key(out, "{", "total");
	put_stats(out, "{", total);
	put_key(out, ", ", "hosts");
	put_number(out, "{", "live", total->hosts);
	put_number(out, ", ", "max", total->hosts_max);
	put_number(out, ", ", "forgotten", total->hosts_forgotten);
	put_number(out, "}, ", "directory_bytes", total->directory_bytes);
	put_key(out, "},\n ", "workers");
	fputc('[', out);
}

void print_stats_json_add(struct print_json *j, const struct tctable_stats *worker)
{
	put_separator(j);
	put_number(j->out, "{", "worker", worker->worker);
	put_stats(j->out, ", ", worker);
	fputc('}', j->out);
}

void print_stats_json_end(struct print_json *j)
{
	end_list(j);
	fputs("}\n", j->out);
}

void print_table_json(FILE *out, const struct print_table *t)
{
	struct print_json j;

	print_hosts_json_begin(&j, out, t->ledger);
	for (size_t i = 0; i < t->hosts_n; i++)
		print_hosts_json_add(&j, &t->hosts[i]);
	print_hosts_json_end(&j, t->overflow, t->forgotten);
}
