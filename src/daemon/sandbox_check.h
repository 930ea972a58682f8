/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox_check.h - whether a filter does what its table says.
 */
#ifndef DAEMON_SANDBOX_CHECK_H
#define DAEMON_SANDBOX_CHECK_H

#include <linux/filter.h>
#include <stdint.h>

#include "daemon/sandbox_calls.h"

#define SANDBOX_CALLS_MAX 1024 /* no system call has a higher number */

/* Runs the filter for every call that there can be: those of the role pass, with
 * the arguments that they want and with no others; the rest does not. 0, or
 * -EILSEQ with e naming the call. */
int sandbox_check(const struct sock_fprog *filter, enum sandbox_role role, struct err *e);

#endif
