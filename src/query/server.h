/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - the thread that answers tctable on a Unix socket.
 *
 * Threading: open, run and stop by one thread. The server has a thread of its
 *            own ("query") from run to stop, which reads the table through table/view.h and
 *            never makes a worker wait. All signals are blocked in it, but for
 *            SIGSYS, which tells it what a sandbox has refused it.
 * Memory:    at most QUERY_CLIENTS clients, each with one chunk of an answer
 *            and what it asked last; the dumps of connections share a pool of
 *            QUERY_REFS_POOL, and a dump of hosts into a fixed room has one
 *            bit a host. While anybody asks for the top of hosts, their rates
 *            are kept once: 96 bytes a host. Nothing grows with what clients send or do not read.
 * Time:      a client that has sent half a request, or has not read what was
 *            sent to it, for stall_ns is dropped.
 */
#ifndef QUERY_SERVER_H
#define QUERY_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct table;
struct query_server;

/* The longest idle makes room for a new one: of the user that has most. */
#define QUERY_CLIENTS	    64
#define QUERY_STALL_DEFAULT 10000000000ull
#define QUERY_SAY_EVERY	    10000000000ull

struct query_server_conf {
	const struct table *table; /* borrows until stop */
	const char *path;	   /* of the socket; copies */
	mode_t mode;		   /* of the socket's file: 0660 */
	const char *group;	   /* that it belongs to; NULL: see owned */
	bool owned;		   /* it, and a directory made for it, belong to uid and gid; */
	uid_t uid;		   /* else to the process's */
	gid_t gid;
	const char *source;   /* interface or file, for the info reply; copies */
	const char *software; /* NULL: "tcsniff" and its version; copies */
	uint32_t flags;	      /* TCTABLE_INFO_* */
	uint64_t start_ns;    /* when the daemon started */
	uint64_t stall_ns;    /* 0: QUERY_STALL_DEFAULT */
	/* The thread's first act: 0, or -errno with e filled; then run fails with
	 * that. NULL: nothing. */
	int (*enter)(void *arg, struct err *e);
	/* Who was refused or dropped, and why: at most one sentence in
	 * QUERY_SAY_EVERY. By the thread. NULL: nobody is told. */
	void (*say)(void *arg, const char *sentence);
	/* About once a second, by the thread: to look after the workers, and note
	 * for each how long it has been standing still, for the statistics. NULL:
	 * nobody does. */
	void (*look)(void *arg, uint64_t *stalled_ms, unsigned workers);
	void *arg;
};

/* Listens: who asks will wait. 0 and *out set; -EADDRINUSE: another daemon is already
 * running there; -EEXIST: what is at the path is no socket, and was left
 * alone; or another -errno; always with e filled. A socket file that nobody
 * answers on is replaced; a missing directory is made (0755). */
int query_server_open(struct query_server **out, const struct query_server_conf *conf,
		      struct err *e);

/* Answers from now on: once, after open. 0, or -errno with e filled. */
int query_server_run(struct query_server *s, struct err *e);

/* Both; or neither. */
int query_server_start(struct query_server **out, const struct query_server_conf *conf,
		       struct err *e);

/* Closes every connection, ends the thread, and removes the socket's file if
 * it is still the server's own. NULL is fine. */
void query_server_stop(struct query_server *s);

#endif
