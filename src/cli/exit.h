/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exit.h - what tctable's exit statuses mean.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum exit_status {
	EXIT_DONE,
	EXIT_NOT_FOUND, /* or something else failed */
	EXIT_USAGE,
	EXIT_UNREACHABLE,
	EXIT_VERSION,
	EXIT_FINDINGS, /* the doctor's */
};

#endif
