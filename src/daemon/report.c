/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - what tcsniff says: the books at the end, and progress on the way.
 */
#include "daemon/report.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/units.h"
#include "cli/print.h"
#include "query/record.h"
#include "table/view.h"

static enum report_level level_most = REPORT_NOTICE; /* atomic */
static bool is_journal;				     /* standard error */

void report_level_set(enum report_level most)
{
	store_relaxed(&level_most, most);
}

/* JOURNAL_STREAM names the file that is the journal, as its device and inode. */
void report_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return;
	snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	is_journal = strcmp(stream, here) == 0;
}

/* A pipe that nobody reads must not hold up who has something to say. */
static bool is_heard(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}

void report(enum report_level level, const char *fmt, ...)
{
	char sentence[1024], prefix[16] = "";
	va_list args;

	if (level > load_relaxed(&level_most) || !is_heard())
		return;
	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	if (is_journal) /* sd-daemon(3): as syslog's, 3 is an error */
		snprintf(prefix, sizeof(prefix), "<%d>", 3 + (int)level);
	fprintf(stderr, "%stcsniff: %s\n", prefix, sentence);
}

void report_say(const char *sentence)
{
	report(REPORT_WARNING, "%s", sentence);
}

/* --- progress ------------------------------------------------------------- */

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void report_progress(struct report_progress *p, const struct table *t, uint64_t done,
		     uint64_t total)
{
	const uint64_t now_ns = monotonic_ns();
	struct view_totals v;
	double seconds, rate;

	table_totals_view(t, &v);
	seconds = (double)(now_ns - p->last_ns) / NS_PER_SEC;
	rate = p->last_ns ? (double)(v.ledger.received - p->last_packets) / seconds : 0;
	fprintf(stderr, "\r%" PRIu64 " packets, %.2f million a second", v.ledger.received,
		rate / 1e6);
	if (total)
		fprintf(stderr, ", %.0f %% read", 100.0 * (double)done / (double)total);
	fputs("\033[K", stderr);
	p->last_ns = now_ns;
	p->last_packets = v.ledger.received;
	p->shown = true;
}

void report_progress_end(struct report_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

/* --- warnings --------------------------------------------------------------- */

static bool link_is_new(struct report_links *r, uint16_t link)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->said[i] == link)
			return false;
	if (r->n == sizeof(r->said) / sizeof(r->said[0]))
		return false;
	r->said[r->n++] = link;
	return true;
}

void report_unknown_links(struct report_links *r, struct table *t)
{
	for (unsigned w = 0; w < table_workers(t); w++) {
		const uint32_t seen = load_relaxed(&table_account(t, w)->decoder.unknown_link);
		const char *name;
		char sentence[160];

		if (!seen || !link_is_new(r, (uint16_t)(seen - 1)))
			continue;
		name = pcap_datalink_val_to_name((int)seen - 1);
		snprintf(sentence, sizeof(sentence),
			 "frames of link type %" PRIu32 " (%s) are not decoded: they count as "
			 "not_ip",
			 seen - 1, name ? name : "no name");
		report_say(sentence);
	}
}

void report_jumps(struct report_jumps *r, const struct table *t)
{
	struct view_totals v;
	char sentence[256];

	table_totals_view(t, &v);
	if (v.jumps.back == r->back && v.jumps.forward == r->forward)
		return;
	r->back = v.jumps.back;
	r->forward = v.jumps.forward;
	snprintf(sentence, sizeof(sentence),
		 "time stamps jumped back %" PRIu64 " times and forward %" PRIu64
		 " times: packets behind a jump are counted as if it had not been",
		 r->back, r->forward);
	report_say(sentence);
}

void report_emergency(struct report_emergency *r, const struct table *t)
{
	struct view_totals v;
	char sentence[320];

	table_totals_view(t, &v);
	if (v.flows.emergencies > r->said) {
		snprintf(sentence, sizeof(sentence),
			 "the flow table was more than 90 %% full (%" PRIu64 " of %" PRIu64
			 " connections now): half-open and unanswered ones end sooner until it is "
			 "below 80 %%; if this is no flood, raise --max-flows",
			 v.flows.live, v.flows.capacity);
		report_say(sentence);
		r->said = v.flows.emergencies;
		r->is_on = true;
	}
	if (r->is_on && !v.flows.in_emergency) {
		snprintf(sentence, sizeof(sentence),
			 "the flow table is below 80 %% again: %" PRIu64
			 " connections were ended early, %" PRIu64 " to make room, and %" PRIu64
			 " packets found none",
			 v.flows.emergency_expired, v.flows.early_drops,
			 v.ledger.untracked_table_full);
		report_say(sentence);
		r->is_on = false;
	}
}

/* --- books ------------------------------------------------------------------ */

/* All hosts, sorted. NULL: no memory. */
static struct tctable_host *hosts_of(const struct table *t, const struct view_totals *v, size_t *n)
{
	struct tctable_host *hosts = calloc(v->hosts ? v->hosts : 1, sizeof(*hosts));
	struct view_host host;

	*n = 0;
	if (!hosts)
		return NULL;
	for (uint32_t i = 0; i < table_hosts_end(t) && *n < v->hosts; i++)
		if (table_host_view(t, i, &host) == 0)
			record_host(&hosts[(*n)++], &host, v->host_timeout_ns);
	print_hosts_sort(hosts, *n);
	return hosts;
}

static int print_books(const struct table *t, bool json, FILE *out, struct err *e)
{
	struct tctable_host overflow, forgotten;
	struct print_table p = {.overflow = &overflow, .forgotten = &forgotten};
	struct tctable_host *hosts;
	struct tctable_stats sum;
	struct view_totals totals;
	struct view_host host;

	table_totals_view(t, &totals);
	record_totals(&sum, &totals);
	hosts = hosts_of(t, &totals, &p.hosts_n);
	if (!hosts)
		return err_set(e, -ENOMEM, "no memory to sort %" PRIu64 " hosts", totals.hosts);
	table_overflow_view(t, &host);
	record_rest(&overflow, &host, TCTABLE_HOST_OVERFLOW);
	table_forgotten_view(t, &host);
	record_rest(&forgotten, &host, TCTABLE_HOST_FORGOTTEN);
	p.ledger = &sum.ledger;
	p.hosts = hosts;
	if (json)
		print_table_json(out, &p);
	else
		print_table_text(out, &p);
	free(hosts);
	return 0;
}

int report_books(const struct table *t, bool quiet, bool json, FILE *out, struct err *e)
{
	struct tctable_stats sum;
	struct view_totals totals;
	int ret = 0;

	table_totals_view(t, &totals);
	record_totals(&sum, &totals);
	if (!json)
		print_ledger(quiet ? out : stderr, &sum.ledger);
	if (!quiet)
		ret = print_books(t, json, out, e);
	else if (json)
		print_ledger_json(out, &sum.ledger);
	return ret < 0 ? ret : print_finish(out, "standard output", e);
}
