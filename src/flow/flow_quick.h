/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_quick.h - tables that the quick way of a packet goes by: what becomes of
 * a flow's flags and state, without asking what kind of flow it is.
 *
 * Threading: of a flow table, and as that.
 */
#ifndef FLOW_FLOW_QUICK_H
#define FLOW_FLOW_QUICK_H

#include <stdint.h>

#include "flow/flow_state.h"

struct flow_quick {
	uint64_t now_floor_ns; /* the clock's whole second */
	uint64_t pause_ns;     /* shorter than any timeout, and ages nothing */
	uint8_t flags[2][256]; /* next, by a packet's side; but for FLOW_AGED */
	/* Next, by direction and flags. Where a SYN begins another connection:
	 * FLOW_STATES, which is none. */
	uint8_t state[2][FLOW_TCP_FLAGS][FLOW_STATES_ROW];
};

/* Fills flags and state. */
void flow_quick_init(struct flow_quick *q);

#endif
