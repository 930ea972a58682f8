/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_options.h - the command line of the live view.
 */
#ifndef CLI_TOP_OPTIONS_H
#define CLI_TOP_OPTIONS_H

#include "base/err.h"
#include "cli/top_model.h"

struct top_options {
	bool once, help;
	const char *socket;   /* NULL: the default */
	uint64_t interval_ms; /* between two refreshes */
	unsigned rows;	      /* of --once */
};

/* argv without the word at `word`. 0, or -EINVAL with e filled; fills options, and
 * of the model what the options say. */
int top_options_parse(struct top_options *o, struct top_model *m, int argc, char **argv,
		      struct err *e);

/* What --help prints of the view. */
extern const char top_options_help[];

#endif
