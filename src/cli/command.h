/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - what tctable can be asked: one table, both dispatcher and help.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/hosts.h"
#include "tctable.h"

/* One request of a user, ready to be asked. */
struct command_request {
	struct tctable *t; /* borrowed; open */
	struct tctable_addr ip;
	struct hosts_conf list; /* of -a */
	bool json;
	FILE *out;
};

struct command {
	char letter;	  /* or 0, and */
	const char *word; /* a word of its own */
	bool has_ip;	  /* takes an address */
	const char *help;
	/* 0, or another exit status; or -errno with the words in tctable_error();
	 * what is printed may still be in the buffer of `out`. */
	int (*run)(const struct command_request *r);
};

extern const struct command commands[];
extern const unsigned commands_n;

/* NULL: there is none. */
const struct command *command_lookup(int letter);
const struct command *command_of_word(const char *word);

#endif
