/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.c - asks for what the doctor judges by, and prints the report.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/internal.h"

#define WIDTH 78

/* --- asking --------------------------------------------------------------------- */

void doctor_add_host(struct doctor_hosts *sums, const struct tctable_host *host)
{
	const struct tctable_traffic *tcp = &host->cls[TCTABLE_TCP];
	const uint64_t packets = tcp->tx.packets + tcp->rx.packets;

	if (host->kind != TCTABLE_HOST)
		return;
	sums->n++;
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		sums->tx += host->cls[c].tx.packets;
		sums->rx += host->cls[c].rx.packets;
	}
	if (packets < DOCTOR_TCP_LEAST)
		return;
	sums->tcp++;
	sums->tcp_packets += packets;
	sums->tcp_tx_only += !tcp->rx.packets;
	sums->tcp_rx_only += !tcp->tx.packets;
	if (!tcp->rx.packets || !tcp->tx.packets)
		sums->tcp_one_way += packets;
}

static int take_host(const struct tctable_host *host, void *arg)
{
	doctor_add_host(arg, host);
	return 0;
}

static int take_stats(const struct tctable_stats *stats, void *arg)
{
	struct doctor_facts *f = arg;

	if (stats->worker == UINT32_MAX)
		f->total = *stats;
	else
		f->workers_lossy += stats->ledger.kernel_drops != 0;
	return 0;
}

static uint64_t age_of(const struct tctable_info *info)
{
	const uint64_t now_sec = (uint64_t)time(NULL), start_sec = info->start_ns / info->hz;

	return now_sec > start_sec ? now_sec - start_sec : 0;
}

int doctor_ask(struct tctable *t, struct doctor_facts *out)
{
	int ret;

	memset(out, 0, sizeof(*out));
	ret = tctable_info(t, &out->info);
	if (ret == 0)
		ret = tctable_stats(t, take_stats, out);
	if (ret == 0)
		ret = tctable_hosts(t, take_host, &out->hosts);
	if (ret < 0)
		return ret;
	ret = tctable_sample(t, &out->sample);
	out->has_sample = ret == 0;
	out->age_sec = age_of(&out->info);
	return ret == -ENOSYS ? 0 : ret;
}

/* --- printing ------------------------------------------------------------------- */

/* Words, in lines that begin with so many blanks; the first is at column `at`. */
static void put_wrapped(FILE *out, const char *text, unsigned indent, unsigned at)
{
	while (*text) {
		const size_t n = strcspn(text, " ");

		if (at > indent && at + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, n, out);
		at += (unsigned)n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void put_finding(FILE *out, const struct doctor_check *c)
{
	fprintf(out, "\n%s: %s\n    ", c->code, c->title);
	put_wrapped(out, c->evidence, 4, 4);
	fputs("    To do: ", out);
	put_wrapped(out, c->remedy, 11, 11);
}

void doctor_print(FILE *out, const struct doctor_report *r)
{
	if (r->findings)
		fprintf(out, "%u finding%s\n", r->findings, r->findings > 1 ? "s" : "");
	else
		fputs("no findings\n", out);
	for (unsigned i = 0; i < r->n; i++)
		if (r->check[i].is_finding)
			put_finding(out, &r->check[i]);
	fputs("\nChecked, and nothing found:\n", out);
	for (unsigned i = 0; i < r->n; i++) {
		if (r->check[i].is_finding)
			continue;
		fprintf(out, "  %-12s", r->check[i].code);
		put_wrapped(out, r->check[i].evidence, 14, 14);
	}
}

static void put_json(FILE *out, const char *before, const char *key, const char *text)
{
	fprintf(out, "%s\"%s\": ", before, key);
	print_string_json(out, text);
}

static void put_list(FILE *out, const struct doctor_report *r, bool findings)
{
	const char *before = "\n  ";

	for (unsigned i = 0; i < r->n; i++) {
		const struct doctor_check *c = &r->check[i];

		if (c->is_finding != findings)
			continue;
		fputs(before, out);
		put_json(out, "{", "code", c->code);
		if (findings)
			put_json(out, ", ", "title", c->title);
		put_json(out, ", ", "evidence", c->evidence);
		if (findings)
			put_json(out, ", ", "remedy", c->remedy);
		fputc('}', out);
		before = ",\n  ";
	}
}

void doctor_print_json(FILE *out, const struct doctor_report *r)
{
	fputs("{\"findings\": [", out);
	put_list(out, r, true);
	fputs("],\n \"checked\": [", out);
	put_list(out, r, false);
	fputs("]}\n", out);
}
