/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.h - tell the service manager how it goes, if it asked for that
 * (sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names).
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Connects to it, while there is a right to. */
void notify_open(void);
void notify_close(void);

/* "READY=1", "STOPPING=1". Nothing happens if nobody asked; a manager that
 * does not listen is its own affair. */
void notify(const char *state);

/* That a reload has begun; "READY=1" ends it. */
void notify_reloading(void);

#endif
