/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the tcsniff program: from the command line to the books.
 *
 * The main thread sets everything up, gives up what only that needs, then waits
 * for signals and for the workers, and takes everything down again. All signals
 * come to it alone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/units.h"
#include "capture/filter.h"
#include "capture/replay.h"
#include "daemon/guard.h"
#include "daemon/listen.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/privileges.h"
#include "daemon/readers.h"
#include "daemon/reload.h"
#include "daemon/report.h"
#include "daemon/sandbox.h"
#include "daemon/watchdog.h"
#include "daemon/worker.h"
#include "query/server.h"
#include "table/table.h"
#include "tctable.h"

#define EXIT_USAGE     2
#define LOOK_MS	       500 /* between looks at progress and warnings; live: twice that */
#define NAP_LEAST_MS   5   /* between looks at how much memory is used, while ever more is */
#define NAP_MOST_MS    80  /* when that goes on no longer */
#define SANDBOX_CPU_S  2   /* to make its filters; a hundredth is usual */
#define SOCKET_DEFAULT "/run/tcsniff/tctable.sock"

/* For jemalloc: one arena for all that is not a worker's own. A thread that makes
 * itself another and finds no memory for it would crash inside jemalloc. */
__attribute__((visibility("default"))) extern const char *malloc_conf;
const char *malloc_conf = "narenas:1";

struct run {
	const struct options *o;
	int argc;
	char **argv;
	struct table *table;
	struct readers *readers; /* NULL if live */
	struct listen listen;
	bool is_live;
	struct privileges_user user; /* to become, if live */
	struct query_server *server;
	struct sandbox *sandbox; /* NULL: none was wanted */
	struct watchdog watchdog;
	struct worker_team *team;
	int signal_fd, ended_fd;
	unsigned damaged; /* files; atomic */
	bool interrupted;
	int nap_ms; /* wait_for() */
	struct report_progress progress;
	struct report_links links;
	struct report_jumps jumps;
	struct report_emergency emergency;
};

static const char *socket_path(const struct run *r)
{
	return r->o->socket ? r->o->socket : SOCKET_DEFAULT;
}

/* --- up --------------------------------------------------------------------- */

static int check_files(const struct options *o, struct err *e)
{
	for (size_t i = 0; i < o->reads_n; i++)
		if (strcmp(o->reads[i], "-") != 0 && access(o->reads[i], R_OK) < 0)
			return err_sys(e, "cannot read %s", o->reads[i]);
	return 0;
}

static int take_signals(struct run *r, struct err *e)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		return err_sys(e, "signalfd");
	r->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->ended_fd < 0 ? err_sys(e, "eventfd") : 0;
}

static int open_table(struct run *r, struct err *e)
{
	const struct table_conf conf = {
		.workers = r->o->workers,
		.flows_max = r->o->flows_max,
		.fragments_max = r->o->fragments_max,
		.hosts_max = (uint32_t)r->o->hosts_max,
		.host_timeout_ns = r->o->host_timeout_ns,
		.timeouts = r->o->timeouts,
		.inner = r->o->inner,
		.inner_n = r->o->inner_n,
		.by_way = r->o->by_way,
		.decap = r->o->decap,
	};

	return table_new(&r->table, &conf, e);
}

static void note_damage(void *arg, const char *sentence)
{
	struct run *r = arg;

	__atomic_fetch_add(&r->damaged, 1, __ATOMIC_RELAXED);
	report(REPORT_ERROR, "%s", sentence);
}

static int open_replay(struct run *r, struct source sources[OPTIONS_WORKERS_MAX], struct err *e)
{
	const struct replay_conf conf = {
		.paths = r->o->reads,
		.paths_n = r->o->reads_n,
		.filter = r->o->filter,
		.speed = r->o->speed,
		.damage = note_damage,
		.arg = r,
	};

	return readers_open(&r->readers, sources, r->o->workers, &conf, &r->o->decap, e);
}

static int open_live(struct run *r, struct source sources[OPTIONS_WORKERS_MAX], struct err *e)
{
	int ret = listen_open(&r->listen, r->o, r->table, e);

	for (unsigned i = 0; ret == 0 && i < r->o->workers; i++)
		sources[i] = live_source(r->listen.live, i);
	return ret;
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint32_t info_flags(const struct options *o)
{
	if (!o->interfaces_n)
		return 0;
	return TCTABLE_INFO_LIVE | (o->ring.segments ? TCTABLE_INFO_SEGMENTS : 0) |
	       (o->by_way ? TCTABLE_INFO_NIC : 0);
}

static int enter_worker(void *arg, struct err *e)
{
	const struct run *r = arg;

	return sandbox_enter(r->sandbox, r->is_live ? SANDBOX_CAPTURER : SANDBOX_READER, e);
}

static void say_of_socket(void *arg, const char *sentence)
{
	(void)arg;
	report_say(sentence);
}

static void look_at_workers(void *arg, uint64_t *stalled_ms, unsigned n)
{
	struct run *r = arg;

	watchdog_look(&r->watchdog, stalled_ms, n);
}

static int enter_query(void *arg, struct err *e)
{
	const struct run *r = arg;

	return sandbox_enter(r->sandbox, SANDBOX_QUERY, e);
}

/* Gives up what was needed to open everything; before there are other threads. */
static int shut_in(struct run *r, struct err *e)
{
	const struct sandbox_conf conf = {
		.files = r->o->reads,
		.files_n = r->o->reads_n,
		/* To read the configuration again; the NICs' counters. */
		.folders = {r->o->config_folder, r->is_live ? "/sys/devices" : NULL},
		.socket = r->server ? socket_path(r) : NULL,
	};
	int ret = r->is_live ? privileges_drop(&r->user, e)
			     : privileges_keep_reading(r->o->reads_n > 1, e);

	if (ret == 0 && !r->o->no_sandbox) {
		guard_begin("making the sandbox", SANDBOX_CPU_S);
		ret = sandbox_prepare(&r->sandbox, &conf, e);
		guard_end();
	}
	return ret < 0 ? ret : sandbox_enter(r->sandbox, SANDBOX_PROCESS, e);
}

static int open_server(struct run *r, struct err *e)
{
	char interfaces[256];
	const struct query_server_conf conf = {
		.table = r->table,
		.path = socket_path(r),
		.mode = r->o->socket_mode,
		.group = r->o->socket_group,
		.owned = r->is_live && geteuid() == 0,
		.uid = r->user.uid,
		.gid = r->user.gid,
		.source = r->is_live ? interfaces : r->o->reads[0],
		.flags = info_flags(r->o),
		.start_ns = wall_ns(),
		.enter = enter_query,
		.say = say_of_socket,
		.look = r->is_live ? look_at_workers : NULL,
		.arg = r,
	};

	if (!r->is_live && !r->o->linger && r->o->speed <= 0 && !r->o->socket)
		return 0;
	listen_source_text(r->o, interfaces, sizeof(interfaces));
	return query_server_open(&r->server, &conf, e);
}

static int run_server(struct run *r, struct err *e)
{
	const int ret = r->server ? query_server_run(r->server, e) : 0;

	if (r->server && ret == 0)
		report(REPORT_NOTICE, "answering tctable on %s", socket_path(r));
	return ret;
}

/* --- run --------------------------------------------------------------------- */

/* Whether it is to end. SIGHUP does not ask for that, unless it comes because
 * the terminal is gone. */
static bool end_came(const struct run *r)
{
	const struct reload again = {r->argc, r->argv, r->o, r->table, r->team, r->is_live};
	struct signalfd_siginfo info;

	while (read(r->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGHUP || info.ssi_code == SI_KERNEL)
			return true;
		reload(&again);
	}
	return false;
}

/* In what is counted, not in us. */
static void look_for_faults(struct run *r)
{
	struct clock_history times;

	if (r->readers) {
		replay_times(readers_replay(r->readers), &times);
		table_note_times(r->table, 0, &times);
	}
	report_unknown_links(&r->links, r->table);
	report_jumps(&r->jumps, r->table);
	report_emergency(&r->emergency, r->table);
}

static void look(struct run *r, bool terminal)
{
	uint64_t done, total;

	look_for_faults(r);
	if (!terminal)
		return;
	replay_progress(readers_replay(r->readers), &done, &total);
	report_progress(&r->progress, r->table, done, total);
}

/* poll(), and memory that the workers will soon need is touched meanwhile. */
static int wait_for(struct run *r, struct pollfd *fds, nfds_t n, int ms)
{
	int ret = 0;

	while (ms > 0 && ret == 0) {
		const bool grows = table_touch_ahead(r->table);

		if (grows || !r->nap_ms)
			r->nap_ms = NAP_LEAST_MS;
		else if (r->nap_ms < NAP_MOST_MS)
			r->nap_ms *= 2;
		ret = poll(fds, n, r->nap_ms < ms ? r->nap_ms : ms);
		ms -= r->nap_ms;
	}
	return ret;
}

/* Until all workers have ended, by themselves or because of a signal. */
static void watch_replay(struct run *r)
{
	const bool terminal = isatty(STDERR_FILENO) && !r->o->quiet;
	struct pollfd fds[] = {{.fd = r->signal_fd, .events = POLLIN},
			       {.fd = r->ended_fd, .events = POLLIN}};
	uint64_t ends;

	while (!worker_team_ended(r->team)) {
		if (wait_for(r, fds, 2, LOOK_MS) == 0)
			look(r, terminal);
		while (read(r->ended_fd, &ends, sizeof(ends)) > 0)
			;
		if (end_came(r)) {
			r->interrupted = true;
			worker_team_stop(r->team);
		}
	}
	report_progress_end(&r->progress);
	look_for_faults(r);
}

/* Until a signal; or a worker has failed, and so all have to end. */
static void watch_live(struct run *r)
{
	struct pollfd fds[] = {{.fd = r->signal_fd, .events = POLLIN},
			       {.fd = r->ended_fd, .events = POLLIN},
			       {.fd = live_watch_fd(r->listen.live), .events = POLLIN}};
	uint64_t ends;

	watchdog_begin(&r->watchdog, r->team);
	notify("READY=1");
	while (!end_came(r) && read(r->ended_fd, &ends, sizeof(ends)) < 0) {
		wait_for(r, fds, 3, 2 * LOOK_MS);
		live_watch(r->listen.live);
		listen_look(&r->listen);
		worker_team_tend(r->team);
		look_for_faults(r);
	}
	notify("STOPPING=1");
	watchdog_end(&r->watchdog);
	live_shut(r->listen.live);
	worker_team_stop(r->team);
}

static void linger(const struct run *r)
{
	struct pollfd fd = {.fd = r->signal_fd, .events = POLLIN};

	while (!end_came(r))
		poll(&fd, 1, -1);
}

static int set_up(struct run *r, struct err *e)
{
	struct source sources[OPTIONS_WORKERS_MAX];
	const struct worker_team_conf team = {
		.table = r->table,
		.sources = sources,
		.n = r->o->workers,
		.ended_fd = r->ended_fd,
		.in_step = !r->is_live,
		.cpus = r->o->cpus,
		.cpus_n = r->o->cpus_n,
		.enter = enter_worker,
		.arg = r,
	};
	int ret;

	guard_begin(r->o->filter ? "compiling the filter" : "opening what it listens to", 0);
	ret = r->is_live ? open_live(r, sources, e) : open_replay(r, sources, e);
	guard_end();
	if (ret < 0)
		return ret;
	guard_begin("opening the socket", 0);
	ret = open_server(r, e);
	guard_end();
	if (ret < 0)
		return ret;
	ret = shut_in(r, e);
	if (ret < 0)
		return ret;
	ret = worker_team_start(&r->team, &team, e);
	if (ret == 0)
		ret = run_server(r, e);
	return ret < 0 ? ret : sandbox_enter(r->sandbox, SANDBOX_MAIN, e);
}

/* After the last frame. status: of the workers, with e filled if it is bad. */
static int finish_live(struct run *r, int status, struct err *e)
{
	int ret;

	listen_look(&r->listen);
	ret = report_books(r->table, true, r->o->json, r->o->json || r->o->quiet ? stdout : stderr,
			   status < 0 ? NULL : e);
	return status < 0 ? status : ret;
}

static int finish_replay(struct run *r, int status, struct err *e)
{
	const int ret =
		report_books(r->table, r->o->quiet, r->o->json, stdout, status < 0 ? NULL : e);

	if (status < 0 || ret < 0)
		return status < 0 ? status : ret;
	if (r->interrupted)
		return err_set(e, -EINTR, "stopped by a signal before the end of %s",
			       r->o->reads_n > 1 ? "the files" : r->o->reads[0]);
	if (r->o->linger)
		linger(r);
	return 0;
}

static int run(struct run *r, struct err *e)
{
	int ret;

	guard_begin("looking up the user", 0);
	ret = r->is_live ? privileges_find_user(&r->user, r->o->user, e) : check_files(r->o, e);
	guard_end();
	if (ret < 0)
		return ret;
	notify_open();
	ret = take_signals(r, e);
	if (ret < 0)
		return ret;
	ret = open_table(r, e);
	if (ret < 0)
		return ret;
	ret = set_up(r, e);
	if (ret < 0)
		return ret;
	if (r->is_live)
		watch_live(r);
	else
		watch_replay(r);
	ret = worker_team_join(r->team, e);
	r->team = NULL;
	return r->is_live ? finish_live(r, ret, e) : finish_replay(r, ret, e);
}

/* --- down -------------------------------------------------------------------- */

/* The workers were started, and what was to come after failed. */
static void end_workers(struct run *r)
{
	struct err ignored;

	if (!r->team)
		return;
	if (r->is_live)
		live_shut(r->listen.live);
	worker_team_stop(r->team);
	worker_team_join(r->team, &ignored);
}

static void close_all(struct run *r)
{
	query_server_stop(r->server);
	end_workers(r);
	readers_close(r->readers);
	listen_close(&r->listen);
	table_free(r->table);
	sandbox_free(r->sandbox);
	notify_close();
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	if (r->ended_fd >= 0)
		close(r->ended_fd);
}

/* As far as that can be known without starting. */
static int check_config(const struct options *o, struct err *e)
{
	struct filter *f;
	int ret;

	if (o->filter) {
		guard_begin("compiling the filter", 0);
		ret = filter_new(&f, o->filter, e);
		guard_end();
		if (ret < 0)
			return ret;
		filter_free(f);
	}
	printf("%s: no errors\n", o->config_path ? o->config_path : "command line");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o;
	struct run r = {.o = &o,
			.argc = argc,
			.argv = argv,
			.watchdog = WATCHDOG_INIT,
			.signal_fd = -1,
			.ended_fd = -1};
	struct err e = {""};
	int status = EXIT_SUCCESS;

	report_open();
	if (options_parse(&o, argc, argv, &e) < 0) {
		report(REPORT_ERROR, "%s", e.text);
		fputs("Try 'tcsniff --help'.\n", stderr);
		status = EXIT_USAGE;
	} else if (o.action == OPTIONS_HELP) {
		options_help(stdout);
	} else if (o.action == OPTIONS_VERSION) {
		puts("tcsniff " TCSNIFF_VERSION);
	} else if (o.action == OPTIONS_CHECK) {
		if (check_config(&o, &e) < 0) {
			report(REPORT_ERROR, "%s", e.text);
			status = EXIT_USAGE;
		}
	} else {
		report_level_set(o.log_level);
		if (o.config_path)
			report(REPORT_INFO, "options are from %s, too", o.config_path);
		r.is_live = o.interfaces_n > 0;
		if (run(&r, &e) < 0) {
			report(REPORT_ERROR, "%s", e.text);
			status = EXIT_FAILURE;
		}
		close_all(&r);
	}
	options_free(&o);
	if (fflush(stdout) || ferror(stdout)) {
		err_sys(&e, "cannot write to standard output");
		report(REPORT_ERROR, "%s", e.text);
		status = EXIT_FAILURE;
	}
	return r.damaged ? EXIT_FAILURE : status;
}
