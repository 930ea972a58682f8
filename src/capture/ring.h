/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - one AF_PACKET socket with a TPACKET_V3 ring, as a source of frames
 * (packet(7), Documentation/networking/packet_mmap.rst).
 *
 * The kernel fills blocks; a block is ours from the moment its status says so
 * until we give it back. Frames are read in place.
 *
 * Threading: a ring's source belongs to one worker. ring_stats() and the
 *            socket's options belong to one other thread. ring_high() any.
 * Time:      the clock is the largest stamp so far, jumps taken out
 *            (base/clock.h); while nothing comes, wall time less what may
 *            still wait in an unfinished block.
 */
#ifndef CAPTURE_RING_H
#define CAPTURE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/clock.h"
#include "capture/source.h"

struct ring;

struct ring_conf {
	uint32_t block_bytes; /* a power of two, of pages; a frame is at most one */
	uint32_t blocks;
	uint32_t retire_ms; /* an unfinished block is handed over after this */
	bool segments;	    /* ask for what was merged (PACKET_VNET_HDR) */
};

/* A ring that takes nothing yet: its socket has no protocol. 0 and *out set;
 * -EPERM: CAP_NET_RAW is missing; or another -errno; with e filled. */
int ring_open(struct ring **out, const struct ring_conf *c, struct err *e);
void ring_close(struct ring *r); /* NULL is fine */

/* For setting filter, fanout and memberships. */
int ring_fd(const struct ring *r);

/* From now on it takes the frames of all interfaces that pass its filter. */
int ring_bind(struct ring *r, struct err *e);

struct source ring_source(struct ring *r);

struct ring_stats {
	uint64_t drops;	  /* frames that found no room */
	uint64_t freezes; /* times that the ring was full */
	struct clock_history times;
};

/* Since it was opened. The kernel forgets its counters when it tells them, so
 * nobody else may ask it. */
void ring_stats(struct ring *r, struct ring_stats *out);

/* The most blocks that were waiting for us at once. */
uint32_t ring_high(const struct ring *r);

#endif
