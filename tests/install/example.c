/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * example.c - a program of somebody else's: what tctable.pc and tctable.h are
 * for. Valid as C and as C++.
 *
 * Prints the address given, and the traffic of its host as the daemon at the
 * socket given has it. Exits 1 if there is none.
 */
#include <inttypes.h>
#include <stdio.h>

#include <tctable.h>

static int show(const char *socket, const struct tctable_addr *ip)
{
	struct tctable *t = NULL;
	struct tctable_host host;
	int ret = tctable_open(&t, socket);

	if (ret == 0)
		ret = tctable_host(t, ip, &host);
	if (ret == 0)
		printf("sent %" PRIu64 " bytes over TCP\n", host.cls[TCTABLE_TCP].tx.bytes);
	else
		printf("cannot tell: %s\n", t ? tctable_error(t) : "no memory");
	tctable_close(t);
	return ret < 0;
}

int main(int argc, char **argv)
{
	char text[TCTABLE_ADDR_TEXT];
	struct tctable_addr ip;

	if (argc != 3 || tctable_addr_parse(&ip, argv[2]) < 0) {
		fprintf(stderr, "usage: example SOCKET ADDRESS\n");
		return 2;
	}
	puts(tctable_addr_format(&ip, text));
	return show(argv[1], &ip);
}
