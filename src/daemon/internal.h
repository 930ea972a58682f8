/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - the options, shared by the files that parse them.
 */
#ifndef DAEMON_INTERNAL_H
#define DAEMON_INTERNAL_H

#include "base/err.h"
#include "daemon/options.h"

enum {
	OPT_FANOUT = 256,
	OPT_INNER,
	OPT_MAX_FLOWS,
	OPT_MAX_HOSTS,
	OPT_HOST_TIMEOUT,
	OPT_TIMEOUT,
	OPT_SPEED,
	OPT_JSON,
	OPT_LINGER,
	OPT_SOCKET,
	OPT_DIRECTION,
	OPT_NO_PROMISC,
	OPT_NO_SEGMENTS,
	OPT_SNAPLEN,
	OPT_BLOCK_BYTES,
	OPT_BLOCKS,
	OPT_RETIRE,
	OPT_FANOUT_MODE,
	OPT_FANOUT_GROUP,
	OPT_CPUS,
	OPT_USER,
	OPT_DECAP,
	OPT_VXLAN_PORT,
	OPT_MAX_FRAGMENTS,
	OPT_NO_SANDBOX,
	OPT_SOCKET_MODE,
	OPT_SOCKET_GROUP,
	OPT_LOG_LEVEL,
	OPT_CONFIG,
	OPT_CHECK_CONFIG,
	OPT_FILTER
};

/* options_values.c: all, the value in getopt's optarg; a switch may have none.
 * 0, or -EINVAL or -ENOMEM with e filled, which begins with --name. */
void options_values_init(struct options *o);
int options_room(struct options *o, size_t reads, struct err *e); /* for so many files */
void options_values_free(struct options *o);
int options_value_parse(struct options *o, int opt, struct err *e);
int options_word(const char *option, const char *const words[], const char *all, struct err *e);

/* options_live.c: those of a live capture; the value is in getopt's optarg. */
void options_live_init(struct options *o);
int options_live_parse(struct options *o, int opt, struct err *e);
int options_live_check(const struct options *o, struct err *e);

#endif
