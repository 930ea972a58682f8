/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_server.c - the server over a fake table, for clients in other languages.
 *
 * usage: fake_server SOCKET HOSTS CONNS
 *
 * Hosts 0 .. HOSTS-1, the odd ones IPv6; host 1 has CONNS connections, with
 * ids in another order than their slots. Prints "ready", and ends when its
 * standard input does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_table.h"
#include "query/server.h"

static void fill(struct table *t, uint32_t hosts, uint32_t conns)
{
	for (uint32_t n = 0; n < hosts; n++)
		fake_table_put_host(t, n, n & 1);
	for (uint32_t i = 0; i < conns; i++)
		fake_table_put_conn(t, i % FAKE_WORKERS, i / FAKE_WORKERS, 1, conns - 1 - i);
}

int main(int argc, char **argv)
{
	struct query_server *server;
	struct table *table;
	struct err e;
	char end;

	if (argc != 4) {
		fprintf(stderr, "usage: fake_server SOCKET HOSTS CONNS\n");
		return 2;
	}
	table = fake_table_new((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
	fill(table, (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
	if (query_server_start(&server,
			       &(struct query_server_conf){.table = table,
							   .path = argv[1],
							   .mode = 0660,
							   .source = "made up",
							   .software = "tcsniff test",
							   .start_ns = 4711},
			       &e) < 0) {
		fprintf(stderr, "fake_server: %s\n", e.text);
		fake_table_free(table);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	query_server_stop(server);
	fake_table_free(table);
	return 0;
}
