/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.h - an endless stream of invented frames, made as fast as they are
 * counted.
 *
 * So many connections are open at any time; each has its packets and ends, and
 * another begins in its place. Every connection has a tuple of its own, and
 * hosts come one after the other round all the inner addresses there are, so
 * with many of them each is met rarely. The same options make the same stream.
 *
 * Threading: a stream belongs to one thread.
 * Memory:    8 bytes a connection; frames are the caller's.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"

#define TRAFFIC_FRAME_MAX 96 /* bytes captured of a frame, rounded up to lines */

struct traffic_conf {
	uint32_t flows;	   /* open at once; 1 or more */
	uint32_t hosts;	   /* inner addresses; 1 to 2^24 */
	uint32_t life;	   /* packets of a connection, on average; 0: it never ends */
	uint64_t gap_ns;   /* between two packets */
	uint64_t start_ns; /* stamp of the first */
	uint32_t tcp, udp; /* in percent; the rest are ICMP echoes */
	uint32_t v6;	   /* in percent */
	bool is_short;	   /* packets are their headers alone: all of them is captured */
	uint64_t seed;
};

struct traffic;

/* 1 µs a packet, TCP 85, UDP 13, IPv6 15 %, and the rest 0. */
void traffic_conf_init(struct traffic_conf *c);

/* NULL: no memory. */
struct traffic *traffic_new(const struct traffic_conf *c);
void traffic_free(struct traffic *t); /* NULL is fine */

/* Makes the next n frames, with TRAFFIC_FRAME_MAX bytes at `bytes` for each. */
void traffic_make(struct traffic *t, struct frame *frames, uint8_t *bytes, unsigned n);

/* Called before anything is made: the connections that are open first have their
 * first packets before any other comes. How many of these are left to make. */
uint32_t traffic_opening(struct traffic *t);

/* Connections begun so far. */
uint64_t traffic_flows(const struct traffic *t);

#endif
