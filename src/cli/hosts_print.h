/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts_print.h - a list of hosts or networks as lines, a table, CSV or JSON.
 *
 * Threading, memory, errors, foreign bytes: as print.h.
 */
#ifndef CLI_HOSTS_PRINT_H
#define CLI_HOSTS_PRINT_H

#include <stdio.h>

#include "cli/hosts.h"

/* One look. All is borrowed. */
struct hosts_print {
	const struct tctable_ledger *ledger; /* for JSON alone */
	const struct tctable_host *hosts;    /* or sums of networks, */
	const struct group_net *nets;	     /* which these are; NULL: they are hosts */
	const struct tctable_rate *rates;    /* of each; NULL: none are known */
	const size_t *order;		     /* the first n, of `all` that there are */
	size_t n, all;
	/* NULL: they are not among what was asked for */
	const struct tctable_host *overflow, *forgotten;
	uint64_t now_ns; /* the stream's clock */
	/* What an address is called, if that is known; NULL: names are not asked for. */
	bool (*name)(const struct tctable_addr *ip, char *out, size_t n);
};

/* As -a alone prints them, with more behind: see tctable(1). */
void hosts_print_text(FILE *out, const struct hosts_print *p);
/* For people: columns, short numbers, local time. */
void hosts_print_human(FILE *out, const struct hosts_print *p);
/* RFC 4180, but for lines that end as in all texts here; a header first. */
void hosts_print_csv(FILE *out, const struct hosts_print *p);
void hosts_print_json(FILE *out, const struct hosts_print *p);

#endif
