/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges.c - give up what is needed only to start.
 */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct passwd *default_user(void)
{
	const struct passwd *pw = getpwnam("tcsniff");

	return pw ? pw : getpwnam("nobody");
}

int privileges_find_user(struct privileges_user *out, const char *name, struct err *e)
{
	const struct passwd *pw = name ? getpwnam(name) : default_user();

	if (!pw)
		return err_set(e, -ENOENT,
			       "there is no user '%.64s' to become; name another with --user",
			       name ? name : "nobody");
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	snprintf(out->name, sizeof(out->name), "%s", pw->pw_name);
	return 0;
}

static int gain_none(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_sys(e, "no_new_privs") : 0;
}

int privileges_drop(const struct privileges_user *user, struct err *e)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (geteuid() == 0 && user->uid != 0) {
		const int ret = capng_change_id((int)user->uid, (int)user->gid,
						CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING |
							CAPNG_CLEAR_AMBIENT);

		if (ret < 0)
			return err_set(e, -EPERM, "cannot become user %s (libcap-ng: %d)",
				       user->name, ret);
	} else if (capng_apply(geteuid() == 0 ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) < 0) {
		return err_set(e, -EPERM, "cannot give up capabilities");
	}
	return gain_none(e);
}

int privileges_keep_reading(bool files_to_come, struct err *e)
{
	const bool may = capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_READ_SEARCH);

	capng_clear(CAPNG_SELECT_ALL);
	if (files_to_come && may)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
	if (capng_apply(geteuid() == 0 ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) < 0)
		return err_set(e, -EPERM, "cannot give up capabilities");
	return gain_none(e);
}
