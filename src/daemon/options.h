/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - what the command line of tcsniff asks for.
 *
 * Memory: options_free() frees; paths and texts are borrowed from argv.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "flow/flow_state.h"

#define OPTIONS_WORKERS_MAX 64

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
	enum options_action action;
	const char **reads; /* capture files, in order; "-": standard input */
	size_t reads_n;
	char *filter; /* BPF expression, or NULL */
	unsigned workers;
	struct addr_net *inner; /* 0 of them: the default list */
	size_t inner_n;
	uint64_t flows_max, hosts_max;
	uint64_t host_timeout_ns; /* 0: never */
	struct flow_timeouts timeouts;
	double speed; /* 1: as recorded; 0: as fast as possible */
	bool quiet, json, linger;
	const char *socket; /* NULL: the default one, if any is opened */
};

/* 0, or -EINVAL or -ENOMEM with e saying what is wrong and the remedy; o is to
 * be freed in any case. */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_free(struct options *o);

/* What --help prints. */
extern const char options_help[];

#endif
