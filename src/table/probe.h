/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - what is odd about the frames themselves, told from a few of them.
 *
 * A worker shows it every batch, and it looks at some: the first PROBE_FIRST;
 * then PROBE_RUN, one behind the other, of every PROBE_EVERY; and each that is
 * less than half full, because then there is time. So a slow link is looked at
 * wholly, and a fast one costs an increment a batch. What it finds are shares of
 * the frames that it looked at, not counts of all.
 *
 * Threading: one writer, the worker; probe_read() from any thread.
 * Memory:    one block of the worker's arena; nothing is allocated later.
 */
#ifndef TABLE_PROBE_H
#define TABLE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/frame.h"
#include "packet/decap.h"

#define PROBE_FIRST 64 /* batches */
#define PROBE_RUN   4
#define PROBE_EVERY 2048
#define PROBE_BATCH 64 /* frames in a full one */

struct arena;
struct inner;
struct probe;

enum probe_counter {
	PROBE_BATCHES, /* looked at; as all below */
	PROBE_FRAMES,
	PROBE_PACKETS,	   /* frames that hold IP */
	PROBE_TRANSIT,	   /* of these, inner at neither end */
	PROBE_PORTLESS,	   /* TCP or UDP whose ports were not captured */
	PROBE_MERGED,	   /* several segments in a frame that says so */
	PROBE_LONG,	   /* longer than PROBE_USUAL_BYTES, and it does not */
	PROBE_LONGEST,	   /* of these, the most IP bytes; not a sum */
	PROBE_REPEATABLE,  /* packets that can be told from another like them */
	PROBE_REPEATED,	   /* of these, those that came a second time */
	PROBE_PAIRS,	   /* connections that were seen both ways */
	PROBE_HALF_TAGGED, /* of these, those with VLAN tags one way and without the other */
	PROBE_COUNTERS
};

#define PROBE_USUAL_BYTES 1500	       /* of an IP packet, on Ethernet */
#define PROBE_REPEAT_NS	  100000000ull /* the same once more within this is a repetition */

/* A /24 or /64, and how many ends of transit packets were in it: those that are
 * in one of PROBE_NETS-th of all are among them, for sure; and are counted too
 * high by no more than that. */
#define PROBE_NETS    32
#define PROBE_V4_BITS 24
#define PROBE_V6_BITS 64

struct probe_net {
	struct addr addr;
	uint64_t family; /* 0: none */
	uint64_t ends;
};

/* All are 64-bit words. */
struct probe_seen {
	uint64_t n[PROBE_COUNTERS];
	struct probe_net nets[PROBE_NETS];
};

/* NULL: no memory. The decoder's secrets and tunnels are copied. by_way: what is
 * a host is told by a frame's direction, and transit is not looked at. */
struct probe *probe_new(struct arena *arena, const struct pkt_decoder *decoder, bool by_way);

/* A batch that is still borrowed, whenever there is one. */
void probe_batch(struct probe *p, const struct inner *inner, const struct frame *frames,
		 unsigned n);

/* Any thread: a state that existed. */
void probe_read(const struct probe *p, struct probe_seen *out);

/* Adds what another worker saw; of networks, the most that there is room for. */
void probe_add(struct probe_seen *to, const struct probe_seen *from);

#endif
