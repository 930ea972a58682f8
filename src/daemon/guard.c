/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.c - what the start was about, should a library end it.
 *
 * A crash stays one: the signal that came is raised again, so that there is a
 * core dump of it.
 */
#include "daemon/guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define SIGNALS 3

static const char *volatile doing; /* NULL: nothing is guarded */
static struct sigaction before[SIGNALS];

/* By write alone, since a signal may come anywhere. */
static void put(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody listens */
}

static void tell(const char *what)
{
	put("tcsniff: ended while ");
	put(doing);
	put(": a library ");
	put(what);
	put(", as some do that find no memory\n");
}

static void on_exit_inside(void)
{
	if (doing)
		tell("gave up");
}

static void on_crash(int signal)
{
	tell("crashed");
	raise(signal); /* SA_RESETHAND: to the system */
}

static void on_no_end(int signal)
{
	(void)signal;
	tell("did not come to an end");
	_exit(EXIT_FAILURE);
}

static const struct {
	int number;
	void (*handler)(int);
} signals[SIGNALS] = {{SIGSEGV, on_crash}, {SIGABRT, on_crash}, {SIGVTALRM, on_no_end}};

static void set_timer(unsigned cpu_s)
{
	const struct itimerval timer = {.it_value.tv_sec = cpu_s};

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

void guard_begin(const char *what, unsigned cpu_s)
{
	static bool is_registered;

	if (!is_registered)
		is_registered = atexit(on_exit_inside) == 0;
	doing = what;
	for (unsigned i = 0; i < SIGNALS; i++) {
		const struct sigaction a = {.sa_handler = signals[i].handler,
					    .sa_flags = (int)SA_RESETHAND};

		sigaction(signals[i].number, &a, &before[i]);
	}
	set_timer(cpu_s);
}

void guard_end(void)
{
	set_timer(0);
	for (unsigned i = 0; i < SIGNALS; i++)
		sigaction(signals[i].number, &before[i], NULL);
	doing = NULL;
}
