/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics_print.c - the books as metrics, in Prometheus' text format 0.0.4.
 */
#include "cli/metrics_print.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "cli/internal.h"

static const char *const ways[] = {"tx", "rx"};

/* What precedes the values of a metric. */
static void begin(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP tcsniff_%s %s\n# TYPE tcsniff_%s %s\n", name, help, name, type);
}

static void put_one(FILE *out, const char *name, const char *type, const char *help, uint64_t v)
{
	begin(out, name, type, help);
	fprintf(out, "tcsniff_%s %" PRIu64 "\n", name, v);
}

/* With a label whose value is harmless. */
static void put(FILE *out, const char *name, const char *label, const char *value, uint64_t v)
{
	fprintf(out, "tcsniff_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, v);
}

/* A label's value: what is not printable is replaced, the rest quoted. */
static void put_escaped(FILE *out, const char *s)
{
	while (*s) {
		const unsigned n = print_char_bytes(s);

		if (n == 1 && (*s == '"' || *s == '\\'))
			fputc('\\', out);
		if (n)
			fwrite(s, 1, n, out);
		else
			fputc('?', out);
		s += n ? n : 1;
	}
}

static void put_seconds(FILE *out, const char *name, const char *help, uint64_t ns)
{
	const uint64_t sec = ns / NS_PER_SEC, msec = ns % NS_PER_SEC / NS_PER_MSEC;

	begin(out, name, "gauge", help);
	fprintf(out, "tcsniff_%s %" PRIu64 ".%03" PRIu64 "\n", name, sec, msec);
}

static void put_daemon(FILE *out, const struct tctable_info *info)
{
	begin(out, "build_info", "gauge", "The daemon's version and what it captures from.");
	fputs("tcsniff_build_info{version=\"", out);
	put_escaped(out, info->software);
	fputs("\",source=\"", out);
	put_escaped(out, info->source);
	fputs("\"} 1\n", out);
	put_seconds(out, "start_time_seconds", "When the daemon started.", info->start_ns);
	put_seconds(out, "clock_seconds", "The clock of the packets.", info->now_ns);
	put_one(out, "workers", "gauge", "Threads that count.", info->workers);
}

/* --- the ledger ------------------------------------------------------------------ */

static void put_ledger(FILE *out, const struct tctable_ledger *l)
{
	const struct {
		const char *reason;
		uint64_t packets;
	} untracked[] = {
		{"table_full", l->table_full}, {"host_limit", l->host_limit},
		{"icmp_error", l->icmp_error}, {"icmp_other", l->icmp_other},
		{"fragment", l->fragment},
	};

	put_one(out, "received_packets_total", "counter",
		"Frames, merged ones as the packets that they were: counted, transit, not IP and "
		"malformed.",
		l->received);
	put_one(out, "counted_packets_total", "counter", "Packets of inner addresses.",
		l->counted.packets);
	put_one(out, "counted_bytes_total", "counter", "Their IP bytes.", l->counted.bytes);
	put_one(out, "internal_packets_total", "counter",
		"Of these, packets between two inner addresses, which count on both.",
		l->internal.packets);
	put_one(out, "internal_bytes_total", "counter", "Their IP bytes.", l->internal.bytes);
	put_one(out, "tracked_packets_total", "counter", "Counted packets on a connection.",
		l->tracked);
	begin(out, "untracked_packets_total", "counter",
	      "Counted packets on no connection, by the reason.");
	for (unsigned i = 0; i < sizeof(untracked) / sizeof(untracked[0]); i++)
		put(out, "untracked_packets_total", "reason", untracked[i].reason,
		    untracked[i].packets);
	put_one(out, "transit_packets_total", "counter", "Packets without an inner address.",
		l->transit);
	put_one(out, "not_ip_packets_total", "counter", "Frames without an IP packet.", l->not_ip);
	put_one(out, "malformed_packets_total", "counter", "Frames with a malformed one.",
		l->malformed);
	put_one(out, "kernel_drops_total", "counter",
		"Frames that the kernel had no room for, beside those received.", l->kernel_drops);
	put_one(out, "ring_freezes_total", "counter", "How often a ring was full.",
		l->ring_freezes);
}

static void put_refused(FILE *out, const struct tctable_stats *s)
{
	const uint32_t n = s->verdicts < TCTABLE_VERDICTS ? s->verdicts : TCTABLE_VERDICTS;

	begin(out, "refused_packets_total", "counter",
	      "Frames that are not IP or malformed, by the reason.");
	for (uint32_t i = 0; i < n; i++) {
		fputs("tcsniff_refused_packets_total{reason=\"", out);
		put_escaped(out, s->verdict[i].name);
		fprintf(out, "\"} %" PRIu64 "\n", s->verdict[i].frames);
	}
}

/* --- tables ---------------------------------------------------------------------- */

static void put_tables(FILE *out, const struct tctable_stats *s)
{
	const uint32_t n = s->counters < TCTABLE_COUNTERS ? s->counters : TCTABLE_COUNTERS;

	put_one(out, "flows", "gauge", "Live connections.", s->flows_live);
	put_one(out, "flows_max", "gauge", "Connections that there is room for.",
		s->flows_capacity);
	put_one(out, "flows_started_total", "counter", "Connections that began.", s->flows_started);
	put_one(out, "flows_expired_total", "counter", "Connections that ended by a timeout.",
		s->flows_expired);
	put_one(out, "flows_replaced_total", "counter",
		"Connections that a new one of the same addresses and ports ended.",
		s->flows_replaced);
	put_one(out, "flows_early_drops_total", "counter",
		"Connections that ended early to make room.", s->flows_early_drops);
	put_one(out, "hosts", "gauge", "Inner addresses known now.", s->hosts);
	put_one(out, "hosts_max", "gauge", "Inner addresses that there is room for.", s->hosts_max);
	put_one(out, "hosts_forgotten_total", "counter", "Inner addresses that fell silent.",
		s->hosts_forgotten);
	begin(out, "memory_bytes", "gauge", "Memory of the tables.");
	put(out, "memory_bytes", "part", "arena", s->arena_bytes);
	put(out, "memory_bytes", "part", "directory", s->directory_bytes);
	begin(out, "figure", "untyped", "The other figures of 'tctable -S', by their names there.");
	for (uint32_t i = 0; i < n; i++) {
		fputs("tcsniff_figure{name=\"", out);
		put_escaped(out, s->counter[i].name);
		fprintf(out, "\"} %" PRIu64 "\n", s->counter[i].value);
	}
}

/* --- traffic --------------------------------------------------------------------- */

static void add(struct tctable_host *sum, const struct tctable_host *h)
{
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		sum->cls[c].conns += h->cls[c].conns;
		sum->cls[c].tx.packets += h->cls[c].tx.packets;
		sum->cls[c].tx.bytes += h->cls[c].tx.bytes;
		sum->cls[c].rx.packets += h->cls[c].rx.packets;
		sum->cls[c].rx.bytes += h->cls[c].rx.bytes;
	}
}

static struct tctable_traffic sum_of(const struct tctable_host *h)
{
	struct tctable_host all = {.kind = 0};

	add(&all, h);
	for (unsigned c = 1; c < TCTABLE_CLASSES; c++) {
		all.cls[0].conns += all.cls[c].conns;
		all.cls[0].tx.packets += all.cls[c].tx.packets;
		all.cls[0].tx.bytes += all.cls[c].tx.bytes;
		all.cls[0].rx.packets += all.cls[c].rx.packets;
		all.cls[0].rx.bytes += all.cls[c].rx.bytes;
	}
	return all.cls[0];
}

static void put_class(FILE *out, const char *name, unsigned class, unsigned way, uint64_t v)
{
	fprintf(out, "tcsniff_%s{class=\"%s\",direction=\"%s\"} %" PRIu64 "\n", name,
		print_class_names[class], ways[way], v);
}

/* Of all hosts, also those forgotten, so that it never falls. */
static void put_classes(FILE *out, const struct metrics *m)
{
	struct tctable_host sum = {.kind = 0};

	for (size_t i = 0; i < m->n; i++)
		add(&sum, &m->hosts[i]);
	add(&sum, &m->overflow);
	add(&sum, &m->forgotten);
	begin(out, "class_packets_total", "counter", "What all hosts sent and received, by class.");
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		put_class(out, "class_packets_total", c, 0, sum.cls[c].tx.packets);
		put_class(out, "class_packets_total", c, 1, sum.cls[c].rx.packets);
	}
	begin(out, "class_bytes_total", "counter", "The IP bytes of these.");
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		put_class(out, "class_bytes_total", c, 0, sum.cls[c].tx.bytes);
		put_class(out, "class_bytes_total", c, 1, sum.cls[c].rx.bytes);
	}
	begin(out, "class_connections", "gauge",
	      "Live connections of all hosts, by class; internal ones count on both.");
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++)
		put(out, "class_connections", "class", print_class_names[c], sum.cls[c].conns);
}

enum figure { PACKETS, BYTES, CONNS };

/* One line for each way (of connections: one) of one host or network. */
static void put_traffic(FILE *out, const char *name, const char *label, const char *who,
			const struct tctable_traffic *t, enum figure figure)
{
	const uint64_t v[2] = {figure == BYTES ? t->tx.bytes : t->tx.packets,
			       figure == BYTES ? t->rx.bytes : t->rx.packets};

	if (figure == CONNS) {
		put(out, name, label, who, t->conns);
		return;
	}
	for (unsigned w = 0; w < 2; w++)
		fprintf(out, "tcsniff_%s{%s=\"%s\",direction=\"%s\"} %" PRIu64 "\n", name, label,
			who, ways[w], v[w]);
}

static void put_hosts(FILE *out, const struct metrics *m, const char *name, enum figure figure)
{
	char text[TCTABLE_ADDR_TEXT];

	for (size_t i = 0; i < m->top_n; i++) {
		const struct tctable_host *h = &m->hosts[m->top[i]];
		const struct tctable_traffic sum = sum_of(h);

		put_traffic(out, name, "ip", print_addr(text, &h->ip), &sum, figure);
	}
}

static void put_nets(FILE *out, const struct metrics *m, const char *name, enum figure figure)
{
	char text[GROUP_NET_TEXT];

	for (size_t i = 0; i < m->nets_n; i++) {
		const struct tctable_traffic sum = sum_of(&m->sums[i]);

		put_traffic(out, name, "network",
			    group_net_text(text, &m->sums[i].ip, m->nets[i].bits), &sum, figure);
	}
}

static void put_all_hosts(FILE *out, const struct metrics *m)
{
	begin(out, "host_packets_total", "counter", "What a host sent and received.");
	put_hosts(out, m, "host_packets_total", PACKETS);
	begin(out, "host_bytes_total", "counter", "The IP bytes of these.");
	put_hosts(out, m, "host_bytes_total", BYTES);
	begin(out, "host_connections", "gauge", "Its live connections.");
	put_hosts(out, m, "host_connections", CONNS);
}

static void put_all_nets(FILE *out, const struct metrics *m)
{
	begin(out, "network_packets", "gauge",
	      "What the known hosts of a network sent and received; falls when one is forgotten.");
	put_nets(out, m, "network_packets", PACKETS);
	begin(out, "network_bytes", "gauge", "The IP bytes of these.");
	put_nets(out, m, "network_bytes", BYTES);
	begin(out, "network_connections", "gauge", "Their live connections.");
	put_nets(out, m, "network_connections", CONNS);
	begin(out, "network_hosts", "gauge", "How many they are.");
	for (size_t i = 0; i < m->nets_n; i++) {
		char text[GROUP_NET_TEXT];

		put(out, "network_hosts", "network",
		    group_net_text(text, &m->sums[i].ip, m->nets[i].bits), m->nets[i].hosts);
	}
}

void metrics_print(FILE *out, const struct metrics *m)
{
	put_one(out, "up", "gauge", "Whether the daemon answers.", m != NULL);
	if (!m)
		return;
	put_daemon(out, &m->info);
	put_ledger(out, &m->total.ledger);
	put_refused(out, &m->total);
	put_tables(out, &m->total);
	put_classes(out, m);
	put_all_hosts(out, m);
	if (m->nets)
		put_all_nets(out, m);
}
