/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - what the start was about, should a library end it.
 *
 * Libraries that find no memory do not all say so to us: some exit, some crash, one
 * goes round for ever. Between begin and end that is told on standard error, with
 * what was being done; the last also ends the process with EXIT_FAILURE.
 *
 * Threading: by the main thread, as long as there is no other.
 */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

/* doing: "looking up the user"; borrows until end. cpu_s: after so many seconds of the
 * processor's time it is taken to go round for ever; 0: however long. */
void guard_begin(const char *doing, unsigned cpu_s);
void guard_end(void);

#endif
