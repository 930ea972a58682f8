/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_quick.c - tables that the quick way of a packet goes by.
 */
#include "flow/flow_quick.h"

#include "flow/flow.h"

/* What a packet does to the flags of its flow, but for FLOW_AGED. Whatever is not
 * about its protocol is not looked at later; not to ask is quicker. */
static uint8_t next_flags(unsigned flags, unsigned side)
{
	const unsigned direction = side ^ flow_orig_side_of(flags);

	return (uint8_t)(flags | FLOW_HEARD | direction * FLOW_ANSWERED |
			 (flags & FLOW_ANSWERED) * (FLOW_CONFIRMED / FLOW_ANSWERED));
}

static bool is_closing(enum flow_state s)
{
	return s == FLOW_TCP_TIME_WAIT || s == FLOW_TCP_CLOSE;
}

void flow_quick_init(struct flow_quick *q)
{
	for (unsigned i = 0; i < 2 * sizeof(q->flags[0]); i++)
		q->flags[i / sizeof(q->flags[0])][i % sizeof(q->flags[0])] =
			next_flags(i % sizeof(q->flags[0]), i / sizeof(q->flags[0]));
	for (unsigned i = 0; i < 2 * FLOW_TCP_FLAGS * FLOW_STATES; i++) {
		const enum flow_state s = (enum flow_state)(i % FLOW_STATES);
		const uint8_t tcp_flags = i / FLOW_STATES % FLOW_TCP_FLAGS;
		const unsigned direction = i / FLOW_STATES / FLOW_TCP_FLAGS;
		const enum flow_tcp_event ev = flow_tcp_event(tcp_flags);

		q->state[direction][tcp_flags][s] =
			ev == FLOW_TCP_EV_SYN && is_closing(s)
				? FLOW_STATES
				: (uint8_t)flow_next_state(s, direction, ev);
	}
}
