/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_reply.c - what a daemon answers, through the whole of the library.
 *
 * The first byte chooses the request; the rest is what comes for it, and then the
 * end of the connection.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "client/internal.h"
#include "fuzz.h"

#define REPLY_MAX 100000 /* what a socket holds */

static int count_host(const struct tctable_host *host, void *arg)
{
	(void)host;
	++*(unsigned *)arg;
	return 0;
}

static int count_conn(const struct tctable_conn *conn, void *arg)
{
	must(strlen(conn->state) < sizeof(conn->state));
	++*(unsigned *)arg;
	return 0;
}

static int count_stats(const struct tctable_stats *stats, void *arg)
{
	must(stats->verdicts <= TCTABLE_VERDICTS && stats->counters <= TCTABLE_COUNTERS);
	++*(unsigned *)arg;
	return 0;
}

static int count_row(const struct tctable_top_row *row, void *arg)
{
	(void)row;
	++*(unsigned *)arg;
	return 0;
}

static int ask(struct tctable *t, unsigned which)
{
	const struct tctable_addr ip = {.bytes = {10, 0, 0, 1}, .family = 4};
	const struct tctable_top what = {.rows = 100};
	struct tctable_host host, hosts[16];
	struct tctable_sample sample;
	struct tctable_info info;
	size_t n = 16;
	uint64_t count;
	unsigned seen = 0;

	switch (which % 8) {
	case 0:
		return tctable_info(t, &info);
	case 1:
		return tctable_count(t, &count);
	case 2:
		return tctable_hosts(t, count_host, &seen);
	case 3:
		return tctable_host(t, &ip, &host);
	case 4:
		return tctable_conns(t, &ip, count_conn, &seen);
	case 5:
		return tctable_stats(t, count_stats, &seen);
	case 6:
		return tctable_top(t, &what, count_row, &seen);
	default:
		if (tctable_sample(t, &sample) < 0)
			return tctable_hosts_array(t, hosts, &n);
		must(sample.counters <= TCTABLE_SAMPLE_COUNTERS &&
		     sample.nets <= TCTABLE_SAMPLE_NETS);
		return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const unsigned which = take(&data, &n, 1);
	static struct tctable t;
	static char path[] = "/nonexistent/socket";
	int fd[2];

	n = n < REPLY_MAX ? n : REPLY_MAX;
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	must(write(fd[1], data, n) == (ssize_t)n);
	must(shutdown(fd[1], SHUT_WR) == 0);
	memset(&t.err, 0, sizeof(t.err));
	t.fd = fd[0];
	t.path = path;
	if (ask(&t, which) < 0)
		must(tctable_error(&t)[0] != 0);
	if (t.fd >= 0)
		close(t.fd);
	close(fd[1]);
	return 0;
}
