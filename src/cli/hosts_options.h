/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts_options.h - the part of the command line that says which hosts -a lists,
 * and how.
 */
#ifndef CLI_HOSTS_OPTIONS_H
#define CLI_HOSTS_OPTIONS_H

#include "cli/hosts.h"

/* Of getopt_long(): the values of the long ones, which begin behind 512. */
enum {
	OPT_SORT = 512,
	OPT_HUMAN,
	OPT_CSV,
	OPT_NAMES,
	OPT_GROUP,
};

/* Whether an option of getopt_long() is one of these. */
bool hosts_options_has(int opt);

/* Its name as it is written: "--sort". */
const char *hosts_options_name(int opt);

/* What such an option says. 0, or -EINVAL with e filled. */
int hosts_options_take(struct hosts_conf *c, int opt, const char *value, struct err *e);

#endif
