/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_ask.h - fills the live view's model with what the daemon says now.
 */
#ifndef CLI_TOP_ASK_H
#define CLI_TOP_ASK_H

#include "cli/top_model.h"

/* Of a conversation, with a daemon that may go and come back. */
struct top_asker {
	const char *path;  /* of the socket; NULL: the default */
	struct tctable *t; /* NULL: not connected */
	bool knows_daemon; /* its info was asked for */
};

/* Asks for what the view shows, connecting first if need be. 0, or -errno; then
 * m->trouble says why, and the rest of m is as it was. */
int top_ask(struct top_asker *a, struct top_model *m);
void top_asker_fini(struct top_asker *a);

uint64_t top_clock_ms(void);

#endif
