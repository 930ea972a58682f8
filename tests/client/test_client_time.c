/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_client_time.c - libtctable against daemons that take their time, and
 * among signals.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/channel.h"
#include "fake_daemon.h"

#define REQUEST WIRE_REQUEST_BYTES

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- waiting ------------------------------------------------------------------ */

/* One client that asks for all hosts, in a thread of its own. */
struct asker {
	const char *name;
	struct fake_script script;
	struct fake_daemon daemon;
	pthread_t thread;
	int ret; /* of opening, or else of asking */
	uint64_t took_ms;
};

static int take(const struct tctable_host *h, void *arg)
{
	(void)h;
	(void)arg;
	return 0;
}

static void *ask(void *arg)
{
	struct asker *a = arg;
	const uint64_t begin_ms = now_ms();
	struct tctable *t;

	a->ret = tctable_open(&t, a->daemon.path);
	if (a->ret == 0)
		a->ret = tctable_hosts(t, take, NULL);
	a->took_ms = now_ms() - begin_ms;
	tctable_close(t);
	return NULL;
}

static void nobody_waits_for_ever(void **state)
{
	struct blob hello = blob_of_hello(), none = {NULL, 0}, nothing = {NULL, 0};
	struct asker askers[] = {
		{.name = "says nothing",
		 .script =
			 {.conn = {{.step = {{REQUEST, none, 0}}, .steps = 1, .end = FAKE_HOLD}}}},
		{.name = "greets and says nothing",
		 .script =
			 {.conn = {{.step = {{REQUEST, hello, 0}}, .steps = 1, .end = FAKE_HOLD}}}},
		{.name = "sends a byte now and then",
		 .script = {.conn = {{.step = {{REQUEST, hello, 300}}, .steps = 1}}}},
		{.name = "sends empty chunks for ever",
		 .script = {.conn = {{.step = {{REQUEST, hello, 0}, {REQUEST, none, 1}},
				      .steps = 2,
				      .end = FAKE_REPEAT}}}},
	};
	const unsigned n = sizeof(askers) / sizeof(askers[0]);

	(void)state;
	blob_add_chunk(&nothing, WIRE_HOSTS, WIRE_MORE, &none);
	askers[3].script.conn[0].step[1].reply = nothing;
	for (unsigned i = 0; i < n; i++) {
		askers[i].script.conns = 1;
		fake_daemon_begin(&askers[i].daemon, &askers[i].script);
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
	}
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		fake_daemon_end(&askers[i].daemon);
	}
	for (unsigned i = 0; i < n; i++)
		if (askers[i].ret != -ETIMEDOUT || askers[i].took_ms < CHANNEL_WAIT_MS ||
		    askers[i].took_ms > 2 * CHANNEL_WAIT_MS)
			fail_msg("one that %s: %d after %u ms", askers[i].name, askers[i].ret,
				 (unsigned)askers[i].took_ms);
	blob_free(&hello);
	blob_free(&nothing);
}

/* A listener that accepts nobody, with its queue full. */
static void full_queue_of_a_listener_is_not_waited_for_for_ever(void **state)
{
	char dir[] = "/tmp/tctable-XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const uint64_t begin_ms = now_ms();
	struct tctable *t;
	int listener, queued;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 0), 0);
	queued = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(queued, (const struct sockaddr *)&at, sizeof(at)), 0);

	assert_int_equal(tctable_open(&t, at.sun_path), -ETIMEDOUT);
	assert_in_range(now_ms() - begin_ms, CHANNEL_WAIT_MS - 100, 2 * CHANNEL_WAIT_MS);
	tctable_close(t);
	close(queued);
	close(listener);
	unlink(at.sun_path);
	rmdir(dir);
}

/* --- signals ------------------------------------------------------------------ */

static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	(void)signal;
	ticks++;
}

/* A slow reply, while a signal comes every millisecond. */
static void signals_do_not_disturb(void **state)
{
	const struct sigaction action = {.sa_handler = tick}; /* no SA_RESTART */
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct blob hello = blob_of_hello();
	const struct fake_script script = {
		.conn = {{.step = {{REQUEST, hello, 1}}, .steps = 1, .end = FAKE_HOLD}},
		.conns = 1,
	};
	sigset_t alarms;
	struct fake_daemon d;
	struct tctable *t;

	(void)state;
	/* The thread of the daemon is made with the signal blocked. */
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &alarms, NULL), 0);
	fake_daemon_begin(&d, &script);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &alarms, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(tctable_open(&t, d.path), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(ticks > 50);
	tctable_close(t);
	fake_daemon_end(&d);
	blob_free(&hello);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_do_not_disturb),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(full_queue_of_a_listener_is_not_waited_for_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
