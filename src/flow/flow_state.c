/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_state.c - the states of a flow and what moves it from one to the next.
 *
 * The machine is RFC 9293's as somebody in the middle sees it, with the states
 * that Linux nf_conntrack names. We only watch: a packet that an end would
 * refuse changes nothing, and is counted all the same.
 *
 * In the middle of a close, FIN_WAIT means that one FIN was seen, CLOSE_WAIT
 * that it was acknowledged, LAST_ACK that both were seen, TIME_WAIT that both
 * were acknowledged.
 *
 * SYN_RECV is left by the originator's ACK alone, as the other end's may only
 * be its answer sent again. But after a simultaneous open the SYN+ACK that came
 * first was anybody's, so anybody's ACK opens: that is SYN_RECV2.
 */
#include "flow/flow_state.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "packet/pkt.h"

#define SS FLOW_TCP_SYN_SENT
#define S2 FLOW_TCP_SYN_SENT2
#define SR FLOW_TCP_SYN_RECV
#define R2 FLOW_TCP_SYN_RECV2
#define ES FLOW_TCP_ESTABLISHED
#define FW FLOW_TCP_FIN_WAIT
#define CW FLOW_TCP_CLOSE_WAIT
#define LA FLOW_TCP_LAST_ACK
#define TW FLOW_TCP_TIME_WAIT
#define CL FLOW_TCP_CLOSE

/* By FIN 0x01, SYN 0x02, RST 0x04 and ACK 0x10: RST goes before SYN, SYN before
 * FIN, and FIN before ACK. */
const uint8_t flow_tcp_events[FLOW_TCP_FLAGS] = {
	/* none of them, FIN, SYN, SYN+FIN, then the same with RST */
	FLOW_TCP_EV_NONE,
	FLOW_TCP_EV_FIN,
	FLOW_TCP_EV_SYN,
	FLOW_TCP_EV_SYN,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	/* 0x08 is not looked at */
	FLOW_TCP_EV_NONE,
	FLOW_TCP_EV_FIN,
	FLOW_TCP_EV_SYN,
	FLOW_TCP_EV_SYN,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	/* as the first, with ACK */
	FLOW_TCP_EV_ACK,
	FLOW_TCP_EV_FIN,
	FLOW_TCP_EV_SYNACK,
	FLOW_TCP_EV_SYNACK,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
	FLOW_TCP_EV_RST,
};

/* The states of other protocols, which have no events: whatever the responder
 * sends answers. */
#define ORIG_REST                                                                                  \
	FLOW_UDP_UNANSWERED, FLOW_UDP_ANSWERED, FLOW_UDP_STREAM, FLOW_ICMP_UNANSWERED,             \
		FLOW_ICMP_ANSWERED, FLOW_OTHER_UNANSWERED, FLOW_OTHER_ANSWERED
#define REPLY_REST                                                                                 \
	FLOW_UDP_ANSWERED, FLOW_UDP_ANSWERED, FLOW_UDP_STREAM, FLOW_ICMP_ANSWERED,                 \
		FLOW_ICMP_ANSWERED, FLOW_OTHER_ANSWERED, FLOW_OTHER_ANSWERED

/* [direction][event][state]. A SYN on TIME_WAIT or CLOSE never gets here: it
 * starts a new connection. */
const uint8_t flow_next_states[2][FLOW_TCP_EVENTS][FLOW_STATES_ROW] = {
	{
		/* sent by the originator */
		/*                      SS  S2  SR  R2  ES  FW  CW  LA  TW  CL */
		[FLOW_TCP_EV_SYN] = {SS, S2, SR, R2, ES, FW, CW, LA, TW, CL, ORIG_REST},
		[FLOW_TCP_EV_SYNACK] = {SS, R2, SR, R2, ES, FW, CW, LA, TW, CL, ORIG_REST},
		[FLOW_TCP_EV_FIN] = {SS, S2, FW, FW, FW, LA, LA, LA, TW, CL, ORIG_REST},
		[FLOW_TCP_EV_ACK] = {SS, S2, ES, ES, ES, CW, CW, TW, TW, CL, ORIG_REST},
		[FLOW_TCP_EV_RST] = {CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, ORIG_REST},
		[FLOW_TCP_EV_NONE] = {SS, S2, SR, R2, ES, FW, CW, LA, TW, CL, ORIG_REST},
	},
	{
		/* sent by the other end */
		/*                      SS  S2  SR  R2  ES  FW  CW  LA  TW  CL */
		[FLOW_TCP_EV_SYN] = {S2, S2, SR, R2, ES, FW, CW, LA, TW, CL, REPLY_REST},
		[FLOW_TCP_EV_SYNACK] = {SR, R2, SR, R2, ES, FW, CW, LA, TW, CL, REPLY_REST},
		[FLOW_TCP_EV_FIN] = {SS, S2, FW, FW, FW, LA, LA, LA, TW, CL, REPLY_REST},
		[FLOW_TCP_EV_ACK] = {SS, S2, SR, ES, ES, CW, CW, TW, TW, CL, REPLY_REST},
		[FLOW_TCP_EV_RST] = {CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, REPLY_REST},
		[FLOW_TCP_EV_NONE] = {SS, S2, SR, R2, ES, FW, CW, LA, TW, CL, REPLY_REST},
	},
};

enum flow_state flow_tcp_first(enum flow_tcp_event ev)
{
	switch (ev) {
	case FLOW_TCP_EV_SYN:
		return FLOW_TCP_SYN_SENT;
	case FLOW_TCP_EV_SYNACK:
		return FLOW_TCP_SYN_RECV;
	case FLOW_TCP_EV_FIN: /* picked up in the middle, as established, ... */
		return FLOW_TCP_FIN_WAIT;
	case FLOW_TCP_EV_RST: /* ... and then closed by the same packet */
		return FLOW_TCP_CLOSE;
	default:
		return FLOW_TCP_ESTABLISHED;
	}
}

const char *flow_state_name(enum flow_state s)
{
	static const char *const names[FLOW_STATES] = {
		[FLOW_TCP_SYN_SENT] = "syn_sent",	[FLOW_TCP_SYN_SENT2] = "syn_sent2",
		[FLOW_TCP_SYN_RECV] = "syn_recv",	[FLOW_TCP_SYN_RECV2] = "syn_recv",
		[FLOW_TCP_ESTABLISHED] = "established", [FLOW_TCP_FIN_WAIT] = "fin_wait",
		[FLOW_TCP_CLOSE_WAIT] = "close_wait",	[FLOW_TCP_LAST_ACK] = "last_ack",
		[FLOW_TCP_TIME_WAIT] = "time_wait",	[FLOW_TCP_CLOSE] = "close",
		[FLOW_UDP_UNANSWERED] = "unanswered",	[FLOW_UDP_ANSWERED] = "answered",
		[FLOW_UDP_STREAM] = "stream",		[FLOW_ICMP_UNANSWERED] = "unanswered",
		[FLOW_ICMP_ANSWERED] = "answered",	[FLOW_OTHER_UNANSWERED] = "unanswered",
		[FLOW_OTHER_ANSWERED] = "answered",
	};

	return s < FLOW_STATES ? names[s] : "unknown";
}

struct timeout_name {
	const char *name;
	uint16_t seconds;
	uint8_t state[2]; /* the states that it is for; twice the same if one */
};

static const struct timeout_name timeout_names[] = {
	{"tcp-syn-sent", 120, {FLOW_TCP_SYN_SENT, FLOW_TCP_SYN_SENT2}},
	{"tcp-syn-recv", 60, {FLOW_TCP_SYN_RECV, FLOW_TCP_SYN_RECV2}},
	{"tcp-established", 3600, {FLOW_TCP_ESTABLISHED, FLOW_TCP_ESTABLISHED}},
	{"tcp-fin-wait", 120, {FLOW_TCP_FIN_WAIT, FLOW_TCP_FIN_WAIT}},
	{"tcp-close-wait", 60, {FLOW_TCP_CLOSE_WAIT, FLOW_TCP_CLOSE_WAIT}},
	{"tcp-last-ack", 30, {FLOW_TCP_LAST_ACK, FLOW_TCP_LAST_ACK}},
	{"tcp-time-wait", 120, {FLOW_TCP_TIME_WAIT, FLOW_TCP_TIME_WAIT}},
	{"tcp-close", 10, {FLOW_TCP_CLOSE, FLOW_TCP_CLOSE}},
	{"udp", 30, {FLOW_UDP_UNANSWERED, FLOW_UDP_ANSWERED}},
	{"udp-stream", 120, {FLOW_UDP_STREAM, FLOW_UDP_STREAM}},
	{"icmp", 30, {FLOW_ICMP_UNANSWERED, FLOW_ICMP_ANSWERED}},
	{"other", 600, {FLOW_OTHER_UNANSWERED, FLOW_OTHER_ANSWERED}},
};

#define TIMEOUT_NAMES (sizeof(timeout_names) / sizeof(timeout_names[0]))

static void set(struct flow_timeouts *t, const struct timeout_name *n, uint64_t ns)
{
	t->ns[n->state[0]] = ns;
	t->ns[n->state[1]] = ns;
}

void flow_timeouts_init(struct flow_timeouts *t)
{
	for (size_t i = 0; i < TIMEOUT_NAMES; i++)
		set(t, &timeout_names[i], timeout_names[i].seconds * NS_PER_SEC);
}

void flow_timeouts_emergency(struct flow_timeouts *out, const struct flow_timeouts *of)
{
	for (unsigned s = 0; s < FLOW_STATES; s++) {
		const uint64_t ns = of->ns[s] / 10;

		out->ns[s] = ns < NS_PER_SEC ? NS_PER_SEC : ns;
		if (out->ns[s] > 10 * NS_PER_SEC)
			out->ns[s] = 10 * NS_PER_SEC;
	}
}

int flow_timeouts_parse(struct flow_timeouts *t, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');
	struct err why;
	uint64_t ns;

	for (size_t i = 0; equals && i < TIMEOUT_NAMES; i++) {
		const struct timeout_name *n = &timeout_names[i];

		if (strlen(n->name) != (size_t)(equals - text) ||
		    strncmp(n->name, text, (size_t)(equals - text)) != 0)
			continue;
		if (units_duration_parse(&ns, equals + 1, &why) < 0)
			return err_set(e, -EINVAL, "timeout %s: %s", n->name, why.text);
		if (ns < NS_PER_SEC)
			return err_set(e, -EINVAL, "timeout %s: '%.64s' is below 1s", n->name,
				       equals + 1);
		set(t, n, ns);
		return 0;
	}
	return err_set(e, -EINVAL,
		       "'%.64s' is not NAME=DURATION with one of the names tcp-syn-sent, "
		       "tcp-syn-recv, tcp-established, tcp-fin-wait, tcp-close-wait, "
		       "tcp-last-ack, tcp-time-wait, tcp-close, udp, udp-stream, icmp, other",
		       text);
}
