/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - what the command line of tcsniff asks for.
 *
 * Memory: options_free() frees; names and texts are borrowed from argv.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "capture/live.h"
#include "flow/flow_state.h"
#include "packet/decap.h"

#define OPTIONS_WORKERS_MAX 64
#define OPTIONS_CPUS_MAX    1024

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
	enum options_action action;
	const char **reads; /* capture files, in order; "-": standard input */
	size_t reads_n;
	const char *interfaces[LIVE_INTERFACES]; /* of a live capture */
	size_t interfaces_n;
	struct ring_conf ring;
	uint32_t snaplen; /* bytes of a frame that the kernel copies */
	enum live_fanout fanout;
	int fanout_group;
	bool promisc;
	bool by_way;			 /* --direction nic */
	const char *user;		 /* to become; NULL: see daemon/privileges.h */
	uint16_t cpus[OPTIONS_CPUS_MAX]; /* for the workers in turn; 0 of them: any */
	size_t cpus_n;
	char *filter; /* BPF expression, or NULL */
	unsigned workers;
	struct addr_net *inner; /* 0 of them: the default list */
	size_t inner_n;
	uint64_t flows_max, hosts_max, fragments_max;
	uint64_t host_timeout_ns; /* 0: never */
	struct flow_timeouts timeouts;
	struct decap_conf decap;
	double speed; /* 1: as recorded; 0: as fast as possible */
	bool quiet, json, linger;
	bool no_sandbox;
	const char *socket; /* NULL: the default one, if any is opened */
};

/* 0, or -EINVAL or -ENOMEM with e saying what is wrong and the remedy; o is to
 * be freed in any case. */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_free(struct options *o);

/* What --help prints. */
extern const char options_help[];

#endif
