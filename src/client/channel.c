/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.c - bytes to and from the daemon's socket, with a time limit.
 *
 * A daemon that sends a byte now and then must not hold us for ever, so the
 * limit is a time to end at, not a time to wait in each system call.
 */
#include "client/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MSEC;
}

uint64_t channel_deadline(void)
{
	return now_ms() + CHANNEL_WAIT_MS;
}

/* A connect() that finds the queue of the listener full waits for as long as
 * may be spent on sending; it says EAGAIN then. */
static int connect_in_time(int fd, const struct sockaddr_un *at, uint64_t end_ms)
{
	const struct timeval wait = {.tv_sec = CHANNEL_WAIT_MS / 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
		return -1;
	while (connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		if (errno == EAGAIN)
			errno = ETIMEDOUT;
		if (errno != EINTR)
			return -1;
		if (now_ms() >= end_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return 0;
}

int channel_open(int *out, const char *path, uint64_t end_ms, struct err *e)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const size_t n = strlen(path);
	int fd, ret;

	if (n == 0)
		return err_set(e, -EINVAL, "the path of the socket is empty");
	if (n >= sizeof(at.sun_path))
		return err_set(e, -ENAMETOOLONG,
			       "cannot connect to %.128s...: the path of a socket has at most %zu "
			       "bytes",
			       path, sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "cannot make a Unix socket");
	if (connect_in_time(fd, &at, end_ms) < 0) {
		ret = err_sys(e, "cannot connect to %s", path);
		close(fd);
		return ret;
	}
	*out = fd;
	return 0;
}

/* Waits until fd is ready for `events` or end_ms has come. */
static int wait_for(int fd, short events, uint64_t end_ms, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		const uint64_t at_ms = now_ms();
		const int n = poll(&p, 1, at_ms < end_ms ? (int)(end_ms - at_ms) : 0);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(e, "cannot wait for the daemon");
		if (n == 0)
			return err_set(e, -ETIMEDOUT, "the daemon did not answer within %d seconds",
				       CHANNEL_WAIT_MS / 1000);
	}
}

/* What a failed send or receive comes to: 0 if it is to be done again. */
static int retry(int fd, short events, uint64_t end_ms, struct err *e)
{
	if (errno == EINTR && now_ms() < end_ms)
		return 0;
	if (errno == EAGAIN || errno == EINTR)
		return wait_for(fd, events, end_ms, e);
	if (errno == EPIPE)
		errno = ECONNRESET;
	return err_sys(e, "the conversation with the daemon broke off");
}

int channel_send(int fd, const void *data, size_t n, uint64_t end_ms, struct err *e)
{
	const uint8_t *p = data;

	while (n) {
		const ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0) {
			const int ret = retry(fd, POLLOUT, end_ms, e);

			if (ret < 0)
				return ret;
			continue;
		}
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

int channel_recv(int fd, void *data, size_t n, uint64_t end_ms, struct err *e)
{
	uint8_t *p = data;

	while (n) {
		const ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

		if (got < 0) {
			const int ret = retry(fd, POLLIN, end_ms, e);

			if (ret < 0)
				return ret;
			continue;
		}
		if (got == 0)
			return err_set(e, -ECONNRESET,
				       "the daemon closed the connection in the middle of a reply");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}
