/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reload.c - SIGHUP: the configuration file is read again.
 */
#include "daemon/reload.h"

#include <inttypes.h>
#include <time.h>

#include "base/units.h"
#include "daemon/notify.h"
#include "table/settings.h"

#define TAKE_MS 1000 /* a live worker looks at least so often */

static void say_restart(void *arg, const char *name)
{
	(void)arg;
	report(REPORT_WARNING, "reload: '%s' has changed, and needs a restart; it stays as it was",
	       name);
}

static void say_limit(const char *name, uint64_t wanted, uint64_t most)
{
	if (wanted > most)
		report(REPORT_WARNING,
		       "reload: '%s = %" PRIu64 "' needs a restart; without it %" PRIu64
		       ", with which it started, is the most",
		       name, wanted, most);
}

static void say_what_stays(const struct reload *r, const struct options *fresh)
{
	options_need_restart(r->o, fresh, say_restart, NULL);
	say_limit("max-flows", fresh->flows_max, r->o->flows_max);
	say_limit("max-hosts", fresh->hosts_max, r->o->hosts_max);
	/* Its workers agree on when they meet to forget hosts. */
	if (!r->is_live && fresh->host_timeout_ns != r->o->host_timeout_ns)
		say_restart(NULL, "host-timeout");
}

static void wait_until_taken(struct table *t)
{
	const struct timespec ms = {.tv_nsec = NS_PER_MSEC};
	unsigned waited = 0;

	while (!settings_are_taken(t) && waited++ < TAKE_MS)
		nanosleep(&ms, NULL);
	report(REPORT_DEBUG, "reload: taken by the workers within %u ms", waited);
}

static int set_table(const struct reload *r, const struct options *fresh, struct err *e)
{
	const struct table_conf conf = {
		.flows_max = fresh->flows_max,
		.hosts_max = (uint32_t)fresh->hosts_max,
		.host_timeout_ns = r->is_live ? fresh->host_timeout_ns : r->o->host_timeout_ns,
		.timeouts = fresh->timeouts,
		.inner = fresh->inner,
		.inner_n = fresh->inner_n,
	};
	const int ret = settings_set(r->table, &conf, e);

	if (ret < 0)
		return ret;
	wait_until_taken(r->table);
	worker_team_hosts_due(r->team);
	return 0;
}

static int apply(const struct reload *r, const struct options *fresh, struct err *e)
{
	int ret = 0;

	if (r->team)
		ret = set_table(r, fresh, e);
	if (ret < 0)
		return ret;
	report_level_set(fresh->log_level);
	say_what_stays(r, fresh);
	report(REPORT_INFO,
	       "reload: %zu inner networks (0: the default ones), %" PRIu64
	       " connections and %" PRIu64 " hosts at most",
	       fresh->inner_n, fresh->flows_max, fresh->hosts_max);
	report(REPORT_NOTICE, "reload: %s is in force",
	       fresh->config_path ? fresh->config_path : "the command line, without a file,");
	return 0;
}

void reload(const struct reload *r)
{
	struct options fresh;
	struct err e;
	int ret;

	notify_reloading();
	ret = options_parse(&fresh, r->argc, r->argv, &e);
	if (ret == 0)
		ret = apply(r, &fresh, &e);
	if (ret < 0)
		report(REPORT_ERROR, "reload refused, all stays as it was: %s", e.text);
	notify(ret < 0 ? "READY=1\nSTATUS=The last reload was refused." : "READY=1\nSTATUS=");
	options_free(&fresh);
}
