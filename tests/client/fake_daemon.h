/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_daemon.h - a daemon that says what a test wants it to.
 *
 * A thread accepts connections, one after another, and plays a script on each:
 * so many bytes of requests are read, then so many of a reply are sent.
 */
#ifndef FAKE_DAEMON_H
#define FAKE_DAEMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tctable.h"
#include "wire/wire.h"

#define FAKE_STEPS 4
#define FAKE_CONNS 3

/* Bytes to be sent; they grow at the end. */
struct blob {
	uint8_t *p;
	size_t n;
};

enum fake_end {
	FAKE_CLOSE, /* after the last step */
	FAKE_HOLD,  /* say nothing until the client goes */
	FAKE_REPEAT /* send the last step again and again, until the client goes */
};

struct fake_step {
	size_t request_bytes; /* are read first; 0: none */
	struct blob reply;    /* borrowed; all of it is sent, ... */
	unsigned pause_ms;    /* ... this long between one byte and the next */
};

struct fake_conn {
	struct fake_step step[FAKE_STEPS];
	unsigned steps;
	enum fake_end end;
};

struct fake_script {
	struct fake_conn conn[FAKE_CONNS]; /* the last one serves all further ones */
	unsigned conns;
};

struct fake_daemon {
	char dir[32], path[48];
	int listener;
	pthread_t thread;
	const struct fake_script *script; /* borrowed */
	unsigned accepted;		  /* valid after fake_daemon_end() */
};

void fake_daemon_begin(struct fake_daemon *d, const struct fake_script *script);
/* All clients must have been closed. */
void fake_daemon_end(struct fake_daemon *d);

void blob_free(struct blob *b);
void blob_add(struct blob *b, const void *data, size_t n);
/* A chunk: header and body. */
void blob_add_chunk(struct blob *b, uint32_t number, uint32_t flags, const struct blob *records);
/* The header of a chunk, as it is told. */
void blob_add_header(struct blob *b, const struct wire_reply *r);

/* Records, encoded. */
void blob_add_info(struct blob *b);
void blob_add_host(struct blob *b, const struct tctable_host *h);
void blob_add_conn(struct blob *b, uint64_t id);
void blob_add_stats(struct blob *b, uint32_t worker);

/* The reply to the request that every connection begins with. */
struct blob blob_of_hello(void);

/* The host that the fake daemon knows best, and the record of what is left. */
struct tctable_host fake_host(const char *ip);
struct tctable_host fake_rest(enum tctable_host_kind kind);

#endif
