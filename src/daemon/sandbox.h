/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - what the process can do once it has started: its work.
 *
 * Everything that needs more is open by then. seccomp (libseccomp) leaves each
 * kind of thread the system calls that it makes, some only with certain
 * arguments; Landlock, where the kernel has it, leaves the files named below.
 * There is no way back, and no thread can do what the process may not.
 *
 * Whatever else is tried fails with EPERM, and is said on standard error, each
 * call once. It is not answered by death: whoever has broken in gains nothing
 * by either, but a call that a library makes unforeseen must not end a capture.
 * Only a call of another architecture's ends the process.
 *
 * Threading: prepare by one thread, before it starts others; enter by each
 *            thread for itself.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum sandbox_role {
	SANDBOX_PROCESS,  /* before there are other threads: what one of them needs, and to start
			   * them. All threads are bound by this from then on */
	SANDBOX_MAIN,	  /* after the others were started */
	SANDBOX_CAPTURER, /* a worker with a ring */
	SANDBOX_READER,	  /* a worker with capture files */
	SANDBOX_QUERY,
	SANDBOX_ROLES
};

#define SANDBOX_FOLDERS 4

struct sandbox_conf {
	const char *const *files; /* may be opened for reading; borrowed for the call */
	size_t files_n;
	const char *folders[SANDBOX_FOLDERS]; /* what is below may be; NULL: none */
	const char *socket; /* may be removed, as may others in its folder; NULL: none */
};

struct sandbox;

/* 0 and *out set, or -errno with e filled. */
int sandbox_prepare(struct sandbox **out, const struct sandbox_conf *c, struct err *e);
void sandbox_free(struct sandbox *s); /* what was entered stays; NULL is fine */

/* Takes from the calling thread, for SANDBOX_PROCESS from all, what the role
 * does not need; with s NULL nothing. 0, or -errno with e filled. */
int sandbox_enter(const struct sandbox *s, enum sandbox_role role, struct err *e);

/* Whether the kernel has Landlock: 0, or the version that it speaks. */
int sandbox_landlock_version(void);

#endif
