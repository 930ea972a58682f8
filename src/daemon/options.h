/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - what the command line of tcsniff asks for, and a file beside it.
 *
 * Memory: options_free() frees; names and texts are borrowed from argv, and from
 *         the file's entries, which are kept.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/err.h"
#include "capture/live.h"
#include "daemon/config.h"
#include "daemon/report.h"
#include "flow/flow_state.h"
#include "packet/decap.h"

#define OPTIONS_WORKERS_MAX 64
#define OPTIONS_CPUS_MAX    1024
#define OPTIONS_KNOWN	    36

enum options_action { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_HELP, OPTIONS_VERSION };

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
	mode_t socket_mode;
	const char *socket_group; /* NULL: the group of the user to become, or ours */
	enum report_level log_level;
	const char *config_path;   /* of the file that was read; NULL: there is none */
	char config_folder[4096];  /* where it is, or would be */
	struct config config;	   /* what it says */
	bool given[OPTIONS_KNOWN]; /* what the command line names */
};

/* 0, or -EINVAL or -ENOMEM with e saying what is wrong and the remedy; o is to
 * be freed in any case. */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_free(struct options *o);

typedef void (*options_named_fn)(void *arg, const char *name);

/* Calls fn with each option that the file says something else of than when
 * `runs` was parsed, and that cannot change without a restart. Both of the same
 * command line. */
void options_need_restart(const struct options *runs, const struct options *fresh,
			  options_named_fn fn, void *arg);

/* What --help prints. */
void options_help(FILE *out);

#endif
