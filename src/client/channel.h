/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h - bytes to and from the daemon's socket, with a time limit.
 *
 * Threading: a channel belongs to one thread at a time.
 * Time:      a call waits until end_ms, interrupted or not; that is a time of
 *            the machine's own clock, as channel_deadline() tells it.
 * Errors:    -errno, with a sentence in e: -ETIMEDOUT, -ECONNRESET (the other
 *            side closed), or whatever the system said.
 */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_WAIT_MS 10000

/* CHANNEL_WAIT_MS from now. */
uint64_t channel_deadline(void);

/* Connects to the Unix stream socket at path. 0 and *fd set, or -errno. The
 * caller closes it; a program that this process becomes does not get it. */
int channel_open(int *fd, const char *path, uint64_t end_ms, struct err *e);

/* Sends all n bytes. Raises no SIGPIPE. */
int channel_send(int fd, const void *data, size_t n, uint64_t end_ms, struct err *e);

/* Receives exactly n bytes. */
int channel_recv(int fd, void *data, size_t n, uint64_t end_ms, struct err *e);

#endif
