/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox_calls.h - the system calls of each kind of thread.
 */
#ifndef DAEMON_SANDBOX_CALLS_H
#define DAEMON_SANDBOX_CALLS_H

#include <seccomp.h>

#include "daemon/sandbox.h"

#define SANDBOX_ROLE(role) (1u << (role))
#define SANDBOX_ARGS	   2
#define SANDBOX_OWN_PID	   0xfffffffeu /* as an argument: this process's id */

struct sandbox_call {
	unsigned roles; /* SANDBOX_ROLE() of each that may make it */
	int number;
	unsigned args_n;
	struct scmp_arg_cmp args[SANDBOX_ARGS]; /* all must hold */
};

/* Ends with one of no roles. Of several entries for a call, one must fit. */
extern const struct sandbox_call sandbox_calls[];

/* The runtimes of sanitizers make calls of their own in every thread, and stop
 * and trace them to find leaks. In such a build these alone are refused, so
 * that what the filters do is run. Likewise. */
extern const struct sandbox_call sandbox_refused_sanitized[];

#endif
