/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts_options.c - the part of the command line that says which hosts -a lists,
 * and how.
 */
#include "cli/hosts_options.h"

#include <errno.h>

#include "base/units.h"

#define INTERVAL_MIN_NS (100 * NS_PER_MSEC)
#define INTERVAL_MAX_NS (86400 * NS_PER_SEC)
#define ROWS_MAX	1000000000

bool hosts_options_has(int opt)
{
	return opt == 'n' || opt == 'w' || (opt >= OPT_SORT && opt <= OPT_GROUP);
}

const char *hosts_options_name(int opt)
{
	switch (opt) {
	case 'n':
		return "-n";
	case 'w':
		return "-w";
	case OPT_SORT:
		return "--sort";
	case OPT_HUMAN:
		return "--human";
	case OPT_CSV:
		return "--csv";
	case OPT_NAMES:
		return "--names";
	default:
		return "--group";
	}
}

static int take_rows(struct hosts_conf *c, const char *text, struct err *e)
{
	if (units_count_parse(&c->rows, text, 1, ROWS_MAX, NULL) == 0)
		return 0;
	return err_set(e, -EINVAL, "'%.40s': give a number of rows from 1 on", text);
}

static int take_interval(struct hosts_conf *c, const char *text, struct err *e)
{
	if (units_duration_parse(&c->interval_ns, text, NULL) == 0 &&
	    c->interval_ns >= INTERVAL_MIN_NS && c->interval_ns <= INTERVAL_MAX_NS)
		return 0;
	return err_set(e, -EINVAL, "'%.40s': give a time from 100ms to 1d, as in 5 or 500ms", text);
}

int hosts_options_take(struct hosts_conf *c, int opt, const char *value, struct err *e)
{
	switch (opt) {
	case 'n':
		return take_rows(c, value, e);
	case 'w':
		return take_interval(c, value, e);
	case OPT_SORT:
		return hosts_key_parse(&c->key, value, e);
	case OPT_GROUP:
		c->is_grouped = true;
		return group_parse(&c->group, value, e);
	case OPT_HUMAN:
		c->human = true;
		return 0;
	case OPT_CSV:
		c->csv = true;
		return 0;
	default:
		c->with_names = true;
		return 0;
	}
}
