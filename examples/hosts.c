/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts.c - an example of libtctable: what every host sent and received.
 *
 * usage: hosts [SOCKET]
 *
 * cc -o hosts hosts.c $(pkg-config --cflags --libs tctable)
 */
#include <inttypes.h>
#include <stdio.h>

#include <tctable.h>

/* Called once for each record, which is there for the time of the call. */
static int print_host(const struct tctable_host *host, void *arg)
{
	uint64_t sent = 0, received = 0;
	char ip[TCTABLE_ADDR_TEXT];

	(void)arg;
	if (host->kind != TCTABLE_HOST) /* sums of those that are not listed */
		return 0;
	for (int c = 0; c < TCTABLE_CLASSES; c++) {
		sent += host->cls[c].tx.bytes;
		received += host->cls[c].rx.bytes;
	}
	printf("%s %" PRIu64 " %" PRIu64 "\n", tctable_addr_format(&host->ip, ip), sent, received);
	return 0; /* anything else would end it here */
}

int main(int argc, char **argv)
{
	struct tctable *t;
	int ret = tctable_open(&t, argc > 1 ? argv[1] : NULL);

	if (ret == 0)
		ret = tctable_hosts(t, print_host, NULL);
	if (ret < 0)
		fprintf(stderr, "hosts: %s\n", t ? tctable_error(t) : "out of memory");
	tctable_close(t);
	return ret < 0;
}
