/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges.h - give up what is needed only to start.
 *
 * Rings, memberships and the server's socket are open by then; nothing that
 * happens later needs a capability (packet(7): CAP_NET_RAW opens the socket).
 *
 * Threading: before any other thread is started, so that all inherit it.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct privileges_user {
	uid_t uid;
	gid_t gid;
	char name[33];
};

/* Who to become: `name`; or, if it is NULL, "tcsniff" if there is such a user,
 * else "nobody". 0, or -ENOENT with e filled. */
int privileges_find_user(struct privileges_user *out, const char *name, struct err *e);

/* As root: becomes the user, without supplementary groups. Anybody: keeps no
 * capability, in no set, and can gain none (no_new_privs). 0, or -EPERM. */
int privileges_drop(const struct privileges_user *user, struct err *e);

/* The same for who reads capture files, and stays who it is. With files yet to
 * be opened it keeps the right to read any file, if it has that. */
int privileges_keep_reading(bool files_to_come, struct err *e);

#endif
