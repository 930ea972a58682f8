/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flow_state.c - every cell of the TCP table, the first states, and the
 * timeouts.
 *
 * The table here is written from what Linux nf_conntrack does, in its own
 * words: "ig" a packet that it ignores, "iv" one that it calls invalid, "nw"
 * one that it takes for a new connection. We only watch, so the first two mean
 * that the state stays.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "flow/flow_state.h"
#include "packet/pkt.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const events[] = {"syn", "syn+ack", "fin", "ack", "rst", "none"};
static const enum flow_tcp_event event_of[] = {FLOW_TCP_EV_SYN, FLOW_TCP_EV_SYNACK,
					       FLOW_TCP_EV_FIN, FLOW_TCP_EV_ACK,
					       FLOW_TCP_EV_RST, FLOW_TCP_EV_NONE};

static const struct {
	const char *name;
	enum flow_state state;
} states[] = {
	{"ss", FLOW_TCP_SYN_SENT},   {"s2", FLOW_TCP_SYN_SENT2},   {"sr", FLOW_TCP_SYN_RECV},
	{"r2", FLOW_TCP_SYN_RECV2},  {"es", FLOW_TCP_ESTABLISHED}, {"fw", FLOW_TCP_FIN_WAIT},
	{"cw", FLOW_TCP_CLOSE_WAIT}, {"la", FLOW_TCP_LAST_ACK},	   {"tw", FLOW_TCP_TIME_WAIT},
	{"cl", FLOW_TCP_CLOSE},
};

/* From the states in the order of `states`, by direction and event. One cell
 * is not nf_conntrack's: a SYN of the other end on CLOSE is invalid to it,
 * because it would block it. Who watches sees a tuple used again from the
 * other side, and "a SYN on a closing tuple starts a new connection". */
static const char *const table[2][6] = {
	{
		"ss s2 ig ig ig ig ig ig nw nw", /* syn */
		"iv r2 sr r2 iv iv iv iv iv iv", /* syn+ack: of a simultaneous open */
		"iv iv fw fw fw la la la tw cl", /* fin */
		"iv iv es es es cw cw tw tw cl", /* ack */
		"cl cl cl cl cl cl cl cl cl cl", /* rst */
		"iv iv iv iv iv iv iv iv iv iv", /* none */
	},
	{
		"s2 s2 iv iv iv iv iv iv nw nw", /* syn */
		"sr r2 ig ig ig ig ig ig ig ig", /* syn+ack */
		"iv iv fw fw fw la la la tw cl", /* fin */
		"ig ig sr es es cw cw tw tw cl", /* ack: of a simultaneous open, too */
		"cl cl cl cl cl cl cl cl cl cl", /* rst */
		"iv iv iv iv iv iv iv iv iv iv", /* none */
	},
};

static enum flow_state state_named(const char *name, enum flow_state from)
{
	for (size_t i = 0; i < COUNT(states); i++)
		if (strncmp(states[i].name, name, 2) == 0)
			return states[i].state;
	if (strncmp(name, "ig", 2) != 0 && strncmp(name, "iv", 2) != 0 &&
	    strncmp(name, "nw", 2) != 0) /* the table starts it, not the machine */
		fail_msg("'%.2s' is not a state", name);
	return from;
}

static void every_cell_of_the_tcp_table_is_as_nf_conntracks(void **state)
{
	unsigned cells = 0;

	(void)state;
	for (unsigned d = 0; d < 2; d++)
		for (size_t e = 0; e < COUNT(events); e++)
			for (size_t s = 0; s < COUNT(states); s++) {
				const enum flow_state from = states[s].state;
				const enum flow_state want = state_named(table[d][e] + 3 * s, from);
				const enum flow_state got = flow_next_state(from, d, event_of[e]);

				cells++;
				if (got != want)
					fail_msg("%s of the %s in %s: %s, not %s", events[e],
						 d ? "other end" : "originator",
						 flow_state_name(from), flow_state_name(got),
						 flow_state_name(want));
			}
	assert_int_equal(cells, 2 * FLOW_TCP_EVENTS * FLOW_TCP_STATES);
}

static void no_state_becomes_half_open_again(void **state)
{
	(void)state;
	for (unsigned d = 0; d < 2; d++)
		for (unsigned e = 0; e < FLOW_TCP_EVENTS; e++)
			for (uint8_t s = FLOW_TCP_ESTABLISHED; s < FLOW_TCP_STATES; s++)
				assert_false(flow_state_is_half_open((uint8_t)flow_next_state(
					(enum flow_state)s, d, (enum flow_tcp_event)e)));
}

static void half_open_are_the_states_before_established(void **state)
{
	(void)state;
	for (unsigned s = 0; s < FLOW_STATES; s++)
		assert_int_equal(flow_state_is_half_open((uint8_t)s),
				 s == FLOW_TCP_SYN_SENT || s == FLOW_TCP_SYN_SENT2 ||
					 s == FLOW_TCP_SYN_RECV || s == FLOW_TCP_SYN_RECV2);
}

static void handshake_and_close_walk_as_in_the_rfc(void **state)
{
	/* who sends what, and what nf_conntrack then says */
	static const struct {
		unsigned direction;
		uint8_t flags;
		enum flow_state then;
	} steps[] = {
		{1, PKT_TCP_SYN | PKT_TCP_ACK, FLOW_TCP_SYN_RECV},
		{0, PKT_TCP_ACK, FLOW_TCP_ESTABLISHED},
		{1, PKT_TCP_ACK | 0x08, FLOW_TCP_ESTABLISHED},
		{0, PKT_TCP_FIN | PKT_TCP_ACK, FLOW_TCP_FIN_WAIT},
		{1, PKT_TCP_ACK, FLOW_TCP_CLOSE_WAIT},
		{1, PKT_TCP_FIN | PKT_TCP_ACK, FLOW_TCP_LAST_ACK},
		{0, PKT_TCP_ACK, FLOW_TCP_TIME_WAIT},
	};
	enum flow_state s = flow_tcp_first(flow_tcp_event(PKT_TCP_SYN));

	(void)state;
	assert_int_equal(s, FLOW_TCP_SYN_SENT);
	for (size_t i = 0; i < COUNT(steps); i++) {
		s = flow_next_state(s, steps[i].direction, flow_tcp_event(steps[i].flags));
		assert_int_equal(s, steps[i].then);
	}
}

static void after_a_simultaneous_open_the_first_ack_opens(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 2; first++) /* whose SYN+ACK comes first */
		for (unsigned acks = 0; acks < 2; acks++) {
			enum flow_state s = FLOW_TCP_SYN_SENT;

			s = flow_next_state(s, 1, FLOW_TCP_EV_SYN);
			assert_string_equal(flow_state_name(s), "syn_sent2");
			s = flow_next_state(s, first, FLOW_TCP_EV_SYNACK);
			s = flow_next_state(s, !first, FLOW_TCP_EV_SYNACK);
			assert_string_equal(flow_state_name(s), "syn_recv");
			assert_true(flow_state_is_half_open((uint8_t)s));
			s = flow_next_state(s, acks, FLOW_TCP_EV_ACK);
			assert_int_equal(s, FLOW_TCP_ESTABLISHED);
		}
}

static void all_64_flag_combinations_are_one_event_each(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) { /* with CWR and ECE, too */
		enum flow_tcp_event want = FLOW_TCP_EV_NONE;

		/* From the weakest to the strongest: each overrules those before. */
		if (flags & 0x10)
			want = FLOW_TCP_EV_ACK;
		if (flags & 0x01)
			want = FLOW_TCP_EV_FIN;
		if (flags & 0x02)
			want = flags & 0x10 ? FLOW_TCP_EV_SYNACK : FLOW_TCP_EV_SYN;
		if (flags & 0x04)
			want = FLOW_TCP_EV_RST;
		if (flow_tcp_event((uint8_t)flags) != want)
			fail_msg("flags 0x%02x: event %d, not %d", flags,
				 flow_tcp_event((uint8_t)flags), want);
	}
}

/* nf_conntrack starts no connection with a FIN, an RST or no flags. Here every
 * packet is on a flow: picked up in the middle, "as established", and moved on
 * by that same packet. */
static void first_states_are_of_a_connection_picked_up_there(void **state)
{
	(void)state;
	assert_int_equal(flow_tcp_first(FLOW_TCP_EV_SYN), FLOW_TCP_SYN_SENT);
	assert_int_equal(flow_tcp_first(FLOW_TCP_EV_SYNACK), FLOW_TCP_SYN_RECV);
	for (unsigned d = 0; d < 2; d++) {
		static const enum flow_tcp_event picked_up[] = {FLOW_TCP_EV_FIN, FLOW_TCP_EV_ACK,
								FLOW_TCP_EV_RST, FLOW_TCP_EV_NONE};

		for (size_t i = 0; i < COUNT(picked_up); i++)
			assert_int_equal(flow_tcp_first(picked_up[i]),
					 flow_next_state(FLOW_TCP_ESTABLISHED, d, picked_up[i]));
	}
}

static void states_are_printed_by_lower_case_names(void **state)
{
	static const char *const names[FLOW_STATES] = {
		"syn_sent",   "syn_sent2",  "syn_recv",	 "syn_recv",   "established", "fin_wait",
		"close_wait", "last_ack",   "time_wait", "close",      "unanswered",  "answered",
		"stream",     "unanswered", "answered",	 "unanswered", "answered",
	};

	(void)state;
	for (unsigned s = 0; s < FLOW_STATES; s++)
		assert_string_equal(flow_state_name((enum flow_state)s), names[s]);
	assert_string_equal(flow_state_name(FLOW_STATES), "unknown");
}

static const struct {
	const char *name;
	unsigned seconds;
	enum flow_state state[2];
} timeouts[] = {
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

static void every_state_has_its_default_timeout(void **state)
{
	struct flow_timeouts t;
	unsigned seen = 0;

	(void)state;
	memset(&t, 0xff, sizeof(t));
	flow_timeouts_init(&t);
	for (size_t i = 0; i < COUNT(timeouts); i++)
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(t.ns[timeouts[i].state[k]],
					 timeouts[i].seconds * NS_PER_SEC);
			seen |= 1u << timeouts[i].state[k];
		}
	assert_int_equal(seen, (1u << FLOW_STATES) - 1);
}

static void each_timeout_is_set_by_its_name_and_no_other_moves(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(timeouts); i++) {
		struct flow_timeouts t, defaults;
		char text[64];

		flow_timeouts_init(&defaults);
		flow_timeouts_init(&t);
		snprintf(text, sizeof(text), "%s=1d", timeouts[i].name);
		assert_int_equal(flow_timeouts_parse(&t, text, NULL), 0);
		for (unsigned s = 0; s < FLOW_STATES; s++) {
			const bool its = s == timeouts[i].state[0] || s == timeouts[i].state[1];

			assert_int_equal(t.ns[s], its ? 86400 * NS_PER_SEC : defaults.ns[s]);
		}
	}
}

static void durations_down_to_a_second_are_taken_as_they_are(void **state)
{
	struct flow_timeouts t;

	(void)state;
	flow_timeouts_init(&t);
	assert_int_equal(flow_timeouts_parse(&t, "udp=1", NULL), 0);
	assert_int_equal(t.ns[FLOW_UDP_UNANSWERED], NS_PER_SEC);
	assert_int_equal(flow_timeouts_parse(&t, "udp=1500ms", NULL), 0);
	assert_int_equal(t.ns[FLOW_UDP_ANSWERED], 1500 * NS_PER_MSEC);
	assert_int_equal(flow_timeouts_parse(&t, "tcp-close=3653d", NULL), 0);
	assert_int_equal(t.ns[FLOW_TCP_CLOSE], 3653 * 86400 * NS_PER_SEC);
}

static void wrong_timeouts_change_nothing_and_say_what_to_write(void **state)
{
	static const struct {
		const char *text;
		const char *says; /* one thing that the sentence must contain */
	} bad[] = {
		{"", "tcp-established"},
		{"udp", "NAME=DURATION"},
		{"=5s", "'=5s'"},
		{"tcp=5s", "'tcp=5s'"},
		{"ud=5s", "udp-stream"},
		{"udp-=5s", "udp-stream"},
		{"udp-streams=5s", "'udp-streams=5s'"},
		{"UDP=5s", "'UDP=5s'"},
		{" udp=5s", "' udp=5s'"},
		{"udp =5s", "'udp =5s'"},
		{"udp=", "timeout udp:"},
		{"udp=5", NULL},
		{"udp=soon", "'soon'"},
		{"udp==5", "'=5'"},
		{"udp=5s,icmp=5s", "'5s,icmp=5s'"},
		{"udp=0", "below 1s"},
		{"tcp-close=999ms", "'999ms'"},
		{"icmp=3654d", "10 years"},
		{"other=18446744073709551616", "timeout other:"},
		{"udp=-1", "'-1'"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct flow_timeouts t, defaults;
		struct err e = {""};

		flow_timeouts_init(&t);
		flow_timeouts_init(&defaults);
		if (!bad[i].says) { /* the good one between them, so that they differ by little */
			assert_int_equal(flow_timeouts_parse(&t, bad[i].text, &e), 0);
			continue;
		}
		assert_int_equal(flow_timeouts_parse(&t, bad[i].text, &e), -EINVAL);
		assert_memory_equal(&t, &defaults, sizeof(t));
		if (!strstr(e.text, bad[i].says))
			fail_msg("'%s': \"%s\" does not say %s", bad[i].text, e.text, bad[i].says);
	}
}

static void sentence_about_an_unknown_name_lists_all_names(void **state)
{
	struct flow_timeouts t;
	struct err e = {""};

	(void)state;
	flow_timeouts_init(&t);
	assert_int_equal(flow_timeouts_parse(&t, "tcp-opened=5s", &e), -EINVAL);
	for (size_t i = 0; i < COUNT(timeouts); i++)
		assert_non_null(strstr(e.text, timeouts[i].name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_of_the_tcp_table_is_as_nf_conntracks),
		cmocka_unit_test(no_state_becomes_half_open_again),
		cmocka_unit_test(half_open_are_the_states_before_established),
		cmocka_unit_test(handshake_and_close_walk_as_in_the_rfc),
		cmocka_unit_test(after_a_simultaneous_open_the_first_ack_opens),
		cmocka_unit_test(all_64_flag_combinations_are_one_event_each),
		cmocka_unit_test(first_states_are_of_a_connection_picked_up_there),
		cmocka_unit_test(states_are_printed_by_lower_case_names),
		cmocka_unit_test(every_state_has_its_default_timeout),
		cmocka_unit_test(each_timeout_is_set_by_its_name_and_no_other_moves),
		cmocka_unit_test(durations_down_to_a_second_are_taken_as_they_are),
		cmocka_unit_test(wrong_timeouts_change_nothing_and_say_what_to_write),
		cmocka_unit_test(sentence_about_an_unknown_name_lists_all_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
