/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - a file of keys and values, with the lines where they stand. What
 * they mean is daemon/options.c's affair.
 *
 *	# a comment; also behind a value, after a blank and ';'
 *	key = value
 *		and a line that begins with a blank: another value of that key
 *
 * Memory: config_read() and config_parse() allocate, at most in proportion to
 *         CONFIG_BYTES_MAX; config_free() frees.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define CONFIG_BYTES_MAX (16u << 20)

struct config_entry {
	char *key, *value; /* owned by the config */
	unsigned line;
	bool goes_on; /* the line begins with a blank */
};

struct config {
	struct config_entry *entries; /* as they stand in the file */
	size_t n;
};

/* 0 and *c set; or -errno, with e saying file, line and remedy. */
int config_read(struct config *c, const char *path, struct err *e);
/* The same of n bytes. path: what errors call them. */
int config_parse(struct config *c, const char *text, size_t n, const char *path, struct err *e);
void config_free(struct config *c); /* all zero is fine */

#endif
