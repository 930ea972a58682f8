/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - a conversation with tcsniff: one request and its records.
 */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tctable.h"
#include "wire/wire.h"

struct tctable {
	int fd; /* -1: not connected */
	char *path;
	struct err err;
	uint8_t body[WIRE_REPLY_BODY_MAX];
};

/* One request, and what becomes of its records. */
struct query {
	uint32_t number;	       /* enum wire_number */
	const struct tctable_addr *ip; /* NULL: the request has none */
	const struct tctable_top *top; /* likewise */
	uint64_t room;		       /* the most records wanted; 0: any number */
	/* Takes one record from b: 0, or -errno with t->err filled. */
	int (*take)(struct tctable *t, struct query *q, struct bytes *b);
	void *arg; /* of take */

	/* Set while the reply is received: */
	uint64_t chunks, records; /* so far */
	uint64_t needed;	  /* if the result is -ENOMEM: the room needed */
	bool has_ended;		  /* the socket stands behind the reply */
};

/* -EBADMSG, with the words: the reply does not follow the protocol. */
int query_bad_reply(struct tctable *t, const char *what);

/* Connects to t->path and makes sure that both sides are of one version. 0, or
 * -errno with t->err filled, not connected. */
int query_connect(struct tctable *t);

/* Asks and takes all records, connecting first if need be. 0, or -errno with
 * t->err filled, or what `take` returned. */
int query_run(struct tctable *t, struct query *q);

/* Closes the connection, if there is any. */
void query_disconnect(struct tctable *t);

#endif
