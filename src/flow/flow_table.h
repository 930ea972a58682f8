/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_table.h - the live flows of one worker.
 *
 * Threading: a table belongs to one worker thread; no call locks. Only
 *            flow_table_read() and flow_table_stats() may be called from
 *            others, at any time.
 * Memory:    everything is allocated in flow_table_new(), from the caller's
 *            arena, and touched only as flows come; no other call allocates.
 * Time:      the stream's clock (capture/source.h), in ns since the epoch. A
 *            flow is over once its timeout has passed by its own last stamp
 *            and by either the clock's whole second or the stamp of a packet
 *            that would belong to it. So it makes no difference when the
 *            sweep gets to it. A first packet whose flow would be over by
 *            its stamp counts as coming at the clock's second.
 * Full:      a flow that is half-open or unanswered makes room, if there is
 *            one in the two buckets of the new one: roughly the one that began
 *            first of those that have not been heard since. No other ever does.
 *            From FLOW_EMERGENCY_ABOVE percent of the capacity until it is below
 *            FLOW_EMERGENCY_BELOW again such flows are over by the emergency
 *            timeout of their state, if that is sooner, yet not before the
 *            emergency has begun; and what they are over by depends on the
 *            others in the table.
 */
#ifndef FLOW_FLOW_TABLE_H
#define FLOW_FLOW_TABLE_H

#include <stdint.h>

#include "base/arena.h"
#include "flow/flow.h"

struct flow_table;

#define FLOW_NO_PLACE UINT32_MAX

/* Of its capacity, in percent: where an emergency begins, and where it ends. */
#define FLOW_EMERGENCY_ABOVE 90
#define FLOW_EMERGENCY_BELOW 80

/* The flow is about to leave: counters, state and hosts are still there.
 * end_ns is when it ended: its timeout, or the stamp of what replaced it. */
typedef void (*flow_ended_fn)(void *arg, const struct flow *f, uint64_t end_ns);
/* The flow has just stopped being half-open. */
typedef void (*flow_opened_fn)(void *arg, const struct flow *f);

struct flow_table_conf {
	uint32_t flows_max;	       /* 1 .. 2^31 - 1 */
	struct flow_timeouts timeouts; /* copied */
	/* Of half-open and unanswered flows in an emergency; copied. 0: as always. */
	struct flow_timeouts emergency;
	uint64_t secret[PKT_KEY_SECRETS]; /* key of the hash, random; copied */
	uint64_t hash_mask;		  /* ~0; fewer bits make a bad hash for tests */
	flow_ended_fn ended;
	flow_opened_fn opened;
	void *arg; /* of both */
};

struct flow_stats {
	uint64_t capacity; /* the bound that holds now */
	uint64_t live;
	uint64_t started;
	uint64_t expired;	    /* by their timeout */
	uint64_t replaced;	    /* by a SYN on a closing tuple */
	uint64_t early_drops;	    /* to make room */
	uint64_t emergencies;	    /* that have begun */
	uint64_t emergency_expired; /* of `expired`, those that one ended before their time */
	bool is_emergency;	    /* now */
};

/* 0 and *out set, or -EINVAL / -ENOMEM with e filled. The table and all its
 * memory live in `arena` and end with it. */
int flow_table_new(struct flow_table **out, const struct flow_table_conf *c, struct arena *arena,
		   struct err *e);

/* Other timeouts (as in the conf), and another bound of live flows, up to the
 * conf's flows_max; between batches. Nothing is ended by it: who is too many
 * stays, and makes room as in a full table. What is over by the new timeouts
 * ends as upkeep gets to it, or a packet. */
void flow_table_set(struct flow_table *t, const struct flow_timeouts *timeouts,
		    const struct flow_timeouts *emergency, uint32_t flows_limit);

/* Moves the clock; it never goes back. */
void flow_table_clock(struct flow_table *t, uint64_t now_ns);

/* Two steps of a batch, of 256 packets at most, before touching its packets: asks
 * for the index lines; asks for the flows' lines, and says which packets seem to
 * be the first of theirs: their numbers to fresh, how many they are is returned.
 * Correct without them but for p->guess, which the second one fills. All need
 * p->hash, by the secret of the table. */
void flow_table_expect(const struct flow_table *t, const struct pkt *pkts, unsigned n);
unsigned flow_table_prefetch(const struct flow_table *t, struct pkt *pkts, unsigned n,
			     uint8_t *fresh);

/* Instead, for one packet by itself: hashes its key, and guesses nothing. */
void flow_table_hash(const struct flow_table *t, struct pkt *p);

/* Hot path. The flow of a PKT_KIND_FLOW packet, with the packet counted on
 * it, or NULL if there is none (or its time was over, or the packet is a SYN
 * that wants a new one): see flow_table_start(). */
struct flow *flow_table_touch(struct flow_table *t, const struct pkt *p);

/* Hot path. Whether a look at the index is enough to say that there is no flow of p,
 * as nearly always if there is none; then flow_table_touch() need not be asked. */
bool flow_table_lacks(const struct flow_table *t, const struct pkt *p);

/* The hosts of a flow, by side. */
struct flow_hosts {
	uint32_t of[2];
};

/* The same for the packets from i on, n being their end, as long as each is found
 * at once and nothing odd about it, and their flows' hosts: the number of the
 * first that is not, which, as all behind it, is not touched. */
unsigned flow_table_touch_run(struct flow_table *t, const struct pkt *pkts, unsigned i, unsigned n,
			      struct flow_hosts *hosts);

/* A place for the flow of p, which flow_table_touch() did not find, or
 * FLOW_NO_PLACE if the table is full and nothing near by may be dropped. The
 * next call must be flow_table_start(). */
uint32_t flow_table_place(struct flow_table *t, const struct pkt *p);

/* Starts the flow there and counts p on it. By side, host[] and id[] are kept
 * for the caller. */
struct flow *flow_table_start(struct flow_table *t, uint32_t place, const struct pkt *p,
			      const uint32_t host[2], const uint32_t id[2]);

/* Gives a side of a live flow, whose host[] was FLOW_NO_HOST, a host and an id. */
void flow_table_attach(struct flow_table *t, struct flow *f, unsigned side, uint32_t host,
		       uint32_t id);

/* Counts an ICMP error about the flow that its key names; its timeout and
 * state stay. The flow, or NULL if there is none. */
struct flow *flow_table_count_error(struct flow_table *t, const struct pkt *p);

/* Counts a later fragment, whose key and hash are those of its first one. The
 * flow goes on, but its state stays. The flow, or NULL if there is none. */
struct flow *flow_table_count_fragment(struct flow_table *t, const struct pkt *p);

/* Adds to what a side of a live flow has sent; nothing else. */
void flow_table_credit(struct flow_table *t, struct flow *f, unsigned side, uint64_t packets,
		       uint64_t bytes);

/* Ends flows whose time is over, looking at most at `budget`. Returns how many
 * it looked at: less than budget means none is left. */
uint32_t flow_table_sweep(struct flow_table *t, uint32_t budget);

/* Slots that have ever been used: 0 .. end-1. Any thread. */
uint32_t flow_table_end(const struct flow_table *t);

/* A flow as it is at some instant. */
struct flow_copy {
	struct flow hot;
	struct flow_cold cold;
	struct flow_sum sent[2]; /* by side, whole */
};

/* Any thread. Whether slot i holds a flow that belongs to `host`; and if so,
 * a copy of it in which everything belongs together. */
bool flow_table_read(const struct flow_table *t, uint32_t i, uint32_t host, struct flow_copy *out);

/* Any thread. Each counter exact; together not one instant. */
void flow_table_stats(const struct flow_table *t, struct flow_stats *out);

#endif
