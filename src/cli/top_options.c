/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_options.c - the command line of the live view.
 */
#include "cli/top_options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/units.h"

const char top_options_help[] =
	"usage: tctable top [option...] [NETWORK] [CLASS...]\n"
	"       tctable -t  likewise\n\n"
	"A live view of hosts and what they send and receive now. NETWORK (10.0.0.0/8, or\n"
	"an address) and CLASS (tcp, udp, icmp, other) show these alone.\n\n"
	"  --once          print one frame as text, for scripts and poor terminals\n"
	"  --rows N        how many hosts that has (20)\n"
	"  --sort COLUMN   host, tx, rx, txp, rxp, total, conn or half (tx)\n"
	"  --interval TIME between two refreshes, 500ms to 60s (2s)\n"
	"  --bytes         rates in bytes, not in bits\n"
	"  --names         names of addresses, by reverse DNS, as they come\n"
	"  --socket PATH   where the daemon answers (" TCTABLE_SOCKET_DEFAULT ")\n"
	"  -h, --help      print this; in the view, '?' tells the keys\n";

enum { OPT_ONCE = 256, OPT_ROWS, OPT_SORT, OPT_INTERVAL, OPT_BYTES, OPT_NAMES, OPT_SOCKET };

static const struct option longs[] = {
	{"once", no_argument, NULL, OPT_ONCE},
	{"rows", required_argument, NULL, OPT_ROWS},
	{"sort", required_argument, NULL, OPT_SORT},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"bytes", no_argument, NULL, OPT_BYTES},
	{"names", no_argument, NULL, OPT_NAMES},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int take_rows(struct top_options *o, const char *text, struct err *e)
{
	uint64_t n;

	if (units_count_parse(&n, text, 1, TCTABLE_TOP_ROWS_MAX, NULL) < 0)
		return err_set(e, -EINVAL, "--rows '%.40s': give a number from 1 to %u", text,
			       TCTABLE_TOP_ROWS_MAX);
	o->rows = (unsigned)n;
	return 0;
}

static int take_interval(struct top_options *o, const char *text, struct err *e)
{
	uint64_t ns;

	if (units_duration_parse(&ns, text, NULL) < 0 || ns < 500 * NS_PER_MSEC ||
	    ns > 60 * NS_PER_SEC)
		return err_set(e, -EINVAL, "--interval '%.40s': give a time from 500ms to 60s",
			       text);
	o->interval_ms = ns / NS_PER_MSEC;
	return 0;
}

static int take_sort(struct top_model *m, const char *text, struct err *e)
{
	static const char *const names[] = {
		[TOP_HOST] = "host",	  [TOP_TX] = "tx",	    [TOP_RX] = "rx",
		[TOP_TX_PACKETS] = "txp", [TOP_RX_PACKETS] = "rxp", [TOP_TOTAL] = "total",
		[TOP_CONNS] = "conn",	  [TOP_HALF_OPEN] = "half",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			m->sort = (enum top_column)i;
			return 0;
		}
	return err_set(e, -EINVAL,
		       "--sort '%.40s': give host, tx, rx, txp, rxp, total, conn or half", text);
}

static int take_option(struct top_options *o, struct top_model *m, int opt, char *word,
		       struct err *e)
{
	switch (opt) {
	case OPT_ONCE:
		o->once = true;
		return 0;
	case OPT_ROWS:
		return take_rows(o, optarg, e);
	case OPT_SORT:
		return take_sort(m, optarg, e);
	case OPT_INTERVAL:
		return take_interval(o, optarg, e);
	case OPT_BYTES:
		m->in_bytes = true;
		return 0;
	case OPT_NAMES:
		m->with_names = true;
		return 0;
	case OPT_SOCKET:
		o->socket = optarg;
		return *optarg ? 0 : err_set(e, -EINVAL, "--socket '': give the path of a socket");
	case 'h':
		o->help = true;
		return 0;
	case ':':
		return err_set(e, -EINVAL, "top: %.40s needs a value behind it", word);
	default:
		return err_set(e, -EINVAL, "top: %.40s: no such option, or it takes no value",
			       word);
	}
}

int top_options_parse(struct top_options *o, struct top_model *m, int argc, char **argv,
		      struct err *e)
{
	char filter[TOP_FILTER_BYTES] = "";
	int opt, ret = 0;

	*o = (struct top_options){.interval_ms = 2000, .rows = 20};
	opterr = 0;
	while (ret == 0 && (opt = getopt_long(argc, argv, ":h", longs, NULL)) != -1)
		ret = take_option(o, m, opt, argv[optind - 1], e);
	for (int i = optind; ret == 0 && i < argc; i++) {
		if (strlen(filter) + strlen(argv[i]) + 2 > sizeof(filter))
			return err_set(e, -EINVAL, "'%.40s': a filter too many", argv[i]);
		if (*filter)
			strcat(filter, " ");
		strcat(filter, argv[i]);
	}
	return ret < 0 ? ret : top_filter_parse(&m->filter, filter, e);
}
