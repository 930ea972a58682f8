/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_state.h - the states of a flow, their timeouts, and what moves a TCP
 * flow from one to the next.
 *
 * States and default timeouts are Linux nf_conntrack's, but for ESTABLISHED
 * (3600 s, not 5 days: a mirror loses FINs). Pure; any thread.
 */
#ifndef FLOW_FLOW_STATE_H
#define FLOW_FLOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/pkt.h"

struct err;

enum flow_state {
	FLOW_TCP_SYN_SENT,
	FLOW_TCP_SYN_SENT2, /* simultaneous open: a SYN from either side */
	FLOW_TCP_SYN_RECV,
	FLOW_TCP_SYN_RECV2, /* the same, after a simultaneous open */
	FLOW_TCP_ESTABLISHED,
	FLOW_TCP_FIN_WAIT,
	FLOW_TCP_CLOSE_WAIT,
	FLOW_TCP_LAST_ACK,
	FLOW_TCP_TIME_WAIT,
	FLOW_TCP_CLOSE,
	FLOW_TCP_STATES,
	FLOW_UDP_UNANSWERED = FLOW_TCP_STATES,
	FLOW_UDP_ANSWERED,
	FLOW_UDP_STREAM, /* answered, and 2 s old or more */
	FLOW_ICMP_UNANSWERED,
	FLOW_ICMP_ANSWERED,
	FLOW_OTHER_UNANSWERED,
	FLOW_OTHER_ANSWERED,
	FLOW_STATES
};

/* The TCP flags that matter, RST before SYN before FIN before ACK. */
enum flow_tcp_event {
	FLOW_TCP_EV_SYN,
	FLOW_TCP_EV_SYNACK,
	FLOW_TCP_EV_FIN,
	FLOW_TCP_EV_ACK,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_NONE, /* none of them, or not captured */
	FLOW_TCP_EVENTS
};

#define FLOW_TCP_MASK  (PKT_TCP_FIN | PKT_TCP_SYN | PKT_TCP_RST | PKT_TCP_ACK)
#define FLOW_TCP_FLAGS (FLOW_TCP_MASK + 1)
extern const uint8_t flow_tcp_events[FLOW_TCP_FLAGS];
#define FLOW_STATES_ROW 32 /* FLOW_STATES, and a power of two */
extern const uint8_t flow_next_states[2][FLOW_TCP_EVENTS][FLOW_STATES_ROW];

/* What the flags of a packet (PKT_TCP_*) mean: a table of all that FIN, SYN, RST
 * and ACK can say together. */
static inline enum flow_tcp_event flow_tcp_event(uint8_t tcp_flags)
{
	return (enum flow_tcp_event)flow_tcp_events[tcp_flags & FLOW_TCP_MASK];
}

/* The next state of a flow; direction 0 is the originator's. Events of other
 * protocols are FLOW_TCP_EV_NONE; what becomes of UDP_ANSWERED with time is not
 * said here. */
static inline enum flow_state flow_next_state(enum flow_state s, unsigned direction,
					      enum flow_tcp_event ev)
{
	return (enum flow_state)flow_next_states[direction][ev][s];
}

/* The state in which a TCP flow begins whose first packet is this. */
enum flow_state flow_tcp_first(enum flow_tcp_event ev);

/* Connections that are not open yet: SYN_SENT, SYN_SENT2, SYN_RECV, SYN_RECV2. */
static inline bool flow_state_is_half_open(uint8_t s)
{
	return s < FLOW_TCP_ESTABLISHED;
}

/* Lower-case name as printed: "established", "unanswered", ... */
const char *flow_state_name(enum flow_state s);

struct flow_timeouts {
	uint64_t ns[FLOW_STATES];
};

void flow_timeouts_init(struct flow_timeouts *t);

/* The timeouts of half-open and unanswered flows while a table is nearly full:
 * a tenth of theirs, between 1 and 10 s. With the defaults:
 *	SYN_SENT, SYN_SENT2	 120 s -> 10 s
 *	SYN_RECV		  60 s ->  6 s
 *	UDP and ICMP unanswered	  30 s ->  3 s
 *	other unanswered	 600 s -> 10 s
 *	ESTABLISHED, one way	3600 s -> 10 s
 * and so on for TCP states that a one-sided view comes to. */
void flow_timeouts_emergency(struct flow_timeouts *out, const struct flow_timeouts *of);

/* Sets one from "NAME=DURATION" (tcp-established=1d). 0, or -EINVAL with e
 * naming the names there are. 1 s is the least. */
int flow_timeouts_parse(struct flow_timeouts *t, const char *text, struct err *e);

#endif
