/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h - where every frame of one worker ended.
 *
 * received = counted + transit + not_ip + malformed, and counted = tracked +
 * untracked by reason. A worker gathers a batch in a ledger of its own and
 * adds it as a whole, so a reader never sees half a batch.
 *
 * Threading: one writer; ledger_read() from any thread.
 */
#ifndef TABLE_LEDGER_H
#define TABLE_LEDGER_H

#include <stdint.h>

#include "packet/pkt.h"

enum ledger_untracked {
	LEDGER_TABLE_FULL,
	LEDGER_HOST_LIMIT,
	LEDGER_ICMP_ERROR, /* about a flow that is not known */
	LEDGER_ICMP_OTHER, /* neighbour discovery and the like */
	LEDGER_FRAGMENT,   /* its first one was never seen */
	LEDGER_UNTRACKED
};

/* All fields are sums of 64 bits, in any order. */
struct ledger {
	uint64_t received;
	uint64_t counted, counted_bytes;
	uint64_t internal, internal_bytes; /* of counted: inner host at both ends */
	uint64_t tracked;
	uint64_t untracked[LEDGER_UNTRACKED];
	uint64_t transit;
	uint64_t verdict[PKT_VERDICTS];
};

struct ledger_guarded {
	uint64_t seq; /* base/atomics.h */
	struct ledger sum;
};

void ledger_add(struct ledger_guarded *l, const struct ledger *batch);
void ledger_read(const struct ledger_guarded *l, struct ledger *out);

#endif
