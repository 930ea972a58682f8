/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts_print.c - a list of hosts or networks as lines, a table, CSV or JSON.
 */
#include "cli/hosts_print.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "cli/internal.h"
#include "cli/print.h"
#include "cli/top_format.h"

#define NAME_BYTES 256
#define TIME_BYTES 32

/* Who it is: the address, or the network's. */
static const char *who(char buf[GROUP_NET_TEXT], const struct hosts_print *p, size_t i)
{
	if (p->nets)
		return group_net_text(buf, &p->hosts[i].ip, p->nets[i].bits);
	return print_addr(buf, &p->hosts[i].ip);
}

/* "" if it is not known. A server of names may say anything. */
static const char *name_of(char buf[NAME_BYTES], const struct hosts_print *p, size_t i)
{
	if (!p->name || p->nets || !p->name(&p->hosts[i].ip, buf, NAME_BYTES))
		return "";
	for (char *c = buf; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '"')
			*c = '?';
	return buf;
}

static struct tctable_traffic sum_of(const struct tctable_host *h)
{
	struct tctable_traffic sum = {.conns = 0};

	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		sum.conns += h->cls[c].conns;
		sum.tx.packets += h->cls[c].tx.packets;
		sum.tx.bytes += h->cls[c].tx.bytes;
		sum.rx.packets += h->cls[c].rx.packets;
		sum.rx.bytes += h->cls[c].rx.bytes;
	}
	return sum;
}

/* --- lines ---------------------------------------------------------------------- */

static void put_net(FILE *out, const struct hosts_print *p, size_t i)
{
	const struct tctable_host *h = &p->hosts[i];
	const struct tctable_traffic sum = sum_of(h);
	const uint64_t sec = h->last_ns / NS_PER_SEC, rest_ns = h->last_ns % NS_PER_SEC;
	const uint64_t msec = rest_ns / NS_PER_MSEC;
	char text[GROUP_NET_TEXT];

	fprintf(out,
		"%s hosts=%" PRIu64 " conn=%" PRIu64 " pcnt=%" PRIu64 " bcnt=%" PRIu64
		" last=%" PRIu64 ".%03" PRIu64,
		who(text, p, i), p->nets[i].hosts, sum.conns, sum.tx.packets + sum.rx.packets,
		sum.tx.bytes + sum.rx.bytes, sec, msec);
}

void hosts_print_text(FILE *out, const struct hosts_print *p)
{
	char name[NAME_BYTES];

	print_len(out, p->n);
	for (size_t at = 0; at < p->n; at++) {
		const size_t i = p->order[at];
		const struct tctable_rate *r = p->rates ? &p->rates[i] : NULL;

		if (p->nets)
			put_net(out, p, i);
		else
			print_host_fields(out, &p->hosts[i]);
		if (r)
			fprintf(out,
				" rate tx pcnt=%" PRIu64 " bcnt=%" PRIu64 " rx pcnt=%" PRIu64
				" bcnt=%" PRIu64,
				r->tx.packets, r->tx.bytes, r->rx.packets, r->rx.bytes);
		if (*name_of(name, p, i))
			fprintf(out, " name=%s", name);
		fputc('\n', out);
	}
	if (p->overflow)
		print_rest_line(out, p->overflow);
	if (p->forgotten)
		print_rest_line(out, p->forgotten);
}

/* --- for people ------------------------------------------------------------------ */

static const char *local_time(char buf[TIME_BYTES], uint64_t ns)
{
	const time_t sec = (time_t)(ns / NS_PER_SEC);
	struct tm tm;

	if (!ns || !localtime_r(&sec, &tm) || !strftime(buf, TIME_BYTES, "%Y-%m-%d %H:%M:%S", &tm))
		strcpy(buf, "-");
	return buf;
}

static void put_short(FILE *out, int width, uint64_t n)
{
	char buf[TOP_NUMBER_BYTES];

	fprintf(out, " %*s", width, top_format_number(buf, (double)n));
}

static void put_row(FILE *out, const struct hosts_print *p, int width, const char *text,
		    const struct tctable_host *h, const struct tctable_rate *r)
{
	const struct tctable_traffic sum = sum_of(h);
	char last[TIME_BYTES];

	fprintf(out, "%-*s", width, text);
	if (p->rates) {
		put_short(out, 7, r ? 8 * r->tx.bytes : 0);
		put_short(out, 7, r ? 8 * r->rx.bytes : 0);
	}
	put_short(out, 6, sum.tx.bytes);
	put_short(out, 6, sum.rx.bytes);
	put_short(out, 6, sum.tx.packets);
	put_short(out, 6, sum.rx.packets);
	put_short(out, 6, sum.conns);
	fprintf(out, "  %s", local_time(last, h->last_ns));
}

void hosts_print_human(FILE *out, const struct hosts_print *p)
{
	char text[GROUP_NET_TEXT], name[NAME_BYTES], now[TIME_BYTES];
	int width = 15;

	for (size_t at = 0; at < p->n; at++) {
		const int n = (int)strlen(who(text, p, p->order[at]));

		width = n > width ? n : width;
	}
	fprintf(out, "%zu of %zu %s at %s\n", p->n, p->all, p->nets ? "networks" : "hosts",
		local_time(now, p->now_ns));
	fprintf(out, "%-*s", width, p->nets ? "NETWORK" : "HOST");
	if (p->rates)
		fputs(" TXbit/s RXbit/s", out);
	fputs("     TX     RX  TXpkt  RXpkt   CONN  LAST", out);
	fprintf(out, "%s\n",
		p->nets	  ? "                 HOSTS"
		: p->name ? "                 NAME"
			  : "");
	for (size_t at = 0; at < p->n; at++) {
		const size_t i = p->order[at];

		put_row(out, p, width, who(text, p, i), &p->hosts[i],
			p->rates ? &p->rates[i] : NULL);
		if (p->nets)
			put_short(out, 6, p->nets[i].hosts);
		else if (*name_of(name, p, i))
			fprintf(out, "  %s", name);
		fputc('\n', out);
	}
	if (p->overflow && sum_of(p->overflow).tx.packets + sum_of(p->overflow).rx.packets) {
		put_row(out, p, width, "overflow", p->overflow, NULL);
		fputc('\n', out);
	}
	if (p->forgotten && sum_of(p->forgotten).tx.packets + sum_of(p->forgotten).rx.packets) {
		put_row(out, p, width, "forgotten", p->forgotten, NULL);
		fputc('\n', out);
	}
}

/* --- CSV ------------------------------------------------------------------------- */

static void put_counter_csv(FILE *out, const struct tctable_counter *c)
{
	fprintf(out, ",%" PRIu64 ",%" PRIu64, c->packets, c->bytes);
}

/* All fields but the first, of a record or of none. */
static void put_record_csv(FILE *out, const struct hosts_print *p, const struct tctable_host *h,
			   const struct tctable_rate *r, const struct group_net *net,
			   const char *name)
{
	static const struct tctable_rate none;
	const struct tctable_traffic sum = sum_of(h);
	const uint64_t sec = h->last_ns / NS_PER_SEC, nsec = h->last_ns % NS_PER_SEC;

	if (p->nets)
		fprintf(out, ",%" PRIu64, net ? net->hosts : 0);
	fprintf(out, ",%" PRIu64 ".%09" PRIu64 ",%" PRIu64 ",%" PRIu64, sec, nsec, sum.conns,
		h->half_open);
	put_counter_csv(out, &sum.tx);
	put_counter_csv(out, &sum.rx);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		fprintf(out, ",%" PRIu64, h->cls[c].conns);
		put_counter_csv(out, &h->cls[c].tx);
		put_counter_csv(out, &h->cls[c].rx);
	}
	if (p->rates) {
		put_counter_csv(out, r ? &r->tx : &none.tx);
		put_counter_csv(out, r ? &r->rx : &none.rx);
	}
	if (p->name)
		fprintf(out, *name ? ",\"%s\"" : ",%s", name);
	fputc('\n', out);
}

static void put_header_csv(FILE *out, const struct hosts_print *p)
{
	fputs(p->nets ? "network,hosts" : "ip", out);
	fputs(",last,conns,half_open,tx_packets,tx_bytes,rx_packets,rx_bytes", out);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		const char *class = print_class_names[c];

		fprintf(out, ",%s_conns,%s_tx_packets,%s_tx_bytes,%s_rx_packets,%s_rx_bytes", class,
			class, class, class, class);
	}
	if (p->rates)
		fputs(",tx_packets_per_s,tx_bytes_per_s,rx_packets_per_s,rx_bytes_per_s", out);
	fputs(p->name ? ",name\n" : "\n", out);
}

void hosts_print_csv(FILE *out, const struct hosts_print *p)
{
	char text[GROUP_NET_TEXT], name[NAME_BYTES];

	put_header_csv(out, p);
	for (size_t at = 0; at < p->n; at++) {
		const size_t i = p->order[at];

		fputs(who(text, p, i), out);
		put_record_csv(out, p, &p->hosts[i], p->rates ? &p->rates[i] : NULL,
			       p->nets ? &p->nets[i] : NULL, name_of(name, p, i));
	}
	if (p->overflow) {
		fputs("overflow", out);
		put_record_csv(out, p, p->overflow, NULL, NULL, "");
	}
	if (p->forgotten) {
		fputs("forgotten", out);
		put_record_csv(out, p, p->forgotten, NULL, NULL, "");
	}
}

/* --- JSON ------------------------------------------------------------------------ */

static void put_counter_json(FILE *out, const char *before, const struct tctable_counter *c)
{
	fprintf(out, "%s{\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", before, c->packets,
		c->bytes);
}

static void put_one_json(FILE *out, const struct hosts_print *p, size_t i)
{
	char text[GROUP_NET_TEXT], name[NAME_BYTES];

	if (p->nets)
		fprintf(out, "{\"network\": \"%s\", \"hosts\": %" PRIu64, who(text, p, i),
			p->nets[i].hosts);
	else
		fprintf(out, "{\"ip\": \"%s\"", who(text, p, i));
	print_host_keys_json(out, &p->hosts[i], !p->nets);
	if (p->rates) {
		put_counter_json(out, ", \"rate\": {\"tx\": ", &p->rates[i].tx);
		put_counter_json(out, ", \"rx\": ", &p->rates[i].rx);
		fputc('}', out);
	}
	if (*name_of(name, p, i)) {
		fputs(", \"name\": ", out);
		print_string_json(out, name);
	}
	fputc('}', out);
}

void hosts_print_json(FILE *out, const struct hosts_print *p)
{
	fputs("{\"ledger\": ", out);
	print_ledger_value_json(out, p->ledger);
	fprintf(out, ",\n \"now_ns\": %" PRIu64 ", \"matched\": %zu,\n \"%s\": [", p->now_ns,
		p->all, p->nets ? "networks" : "hosts");
	for (size_t at = 0; at < p->n; at++) {
		fputs(at ? ",\n  " : "\n  ", out);
		put_one_json(out, p, p->order[at]);
	}
	fputs(p->n ? "\n ]" : "]", out);
	if (p->overflow) {
		fputs(",\n \"overflow\": ", out);
		print_classes_json(out, "{", p->overflow);
		fputc('}', out);
	}
	if (p->forgotten) {
		fputs(",\n \"forgotten\": ", out);
		print_classes_json(out, "{", p->forgotten);
		fputc('}', out);
	}
	fputs("}\n", out);
}
