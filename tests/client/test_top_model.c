/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_top_model.c - the live view without a terminal and without a daemon: order,
 * filter, rates, what keys do, and the frames that come of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top_canvas.h"
#include "cli/top_format.h"
#include "cli/top_frame.h"
#include "cli/top_input.h"
#include "cli/top_model.h"

static struct top_model m;
static struct top_input in;

static int set_up(void **state)
{
	(void)state;
	top_model_init(&m);
	memset(&in, 0, sizeof(in));
	top_model_fit(&m, 10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	top_model_fini(&m);
	return 0;
}

static struct tctable_addr ip_of(unsigned n)
{
	return (struct tctable_addr){.bytes = {10, 0, (uint8_t)(n >> 8), (uint8_t)n}, .family = 4};
}

static void put_rows(const unsigned *hosts, size_t n)
{
	top_model_rows_begin(&m);
	for (size_t i = 0; i < n; i++) {
		struct tctable_top_row row = {.matched = 1000, .measured_ms = 2000};

		row.host.ip = ip_of(hosts[i]);
		row.host.use = 4;
		row.host.half_open = 2;
		row.host.cls[TCTABLE_TCP].tx.bytes = 3000000;
		row.host.cls[TCTABLE_UDP].rx.bytes = 1000000;
		row.host.cls[TCTABLE_UDP].conns = 3;
		row.rate[0].tx = (struct tctable_counter){.packets = 77, .bytes = 125000};
		row.rate[1].tx = (struct tctable_counter){.packets = 50, .bytes = 250000};
		top_model_rows_add(&m, &row);
	}
	top_model_rows_end(&m);
}

static void put_many_rows(size_t n)
{
	unsigned hosts[TCTABLE_TOP_ROWS_MAX];

	for (unsigned i = 0; i < n; i++)
		hosts[i] = i;
	put_rows(hosts, n);
}

static enum top_wish press(int key)
{
	const struct top_event event = {.key = key};

	return top_input_take(&in, &m, &event, 80, 24);
}

static void press_all(const char *text)
{
	for (; *text; text++)
		press(*text);
}

static struct tctable_top wanted(void)
{
	struct tctable_top what;

	top_model_want(&m, &what);
	return what;
}

/* Line y of a frame of that size, without the blanks at its end. */
static const char *line_of(unsigned width, unsigned height, unsigned y)
{
	static char line[512];
	struct top_canvas c;
	unsigned n = width;

	assert_int_equal(top_canvas_init(&c, width, height), 0);
	top_model_fit(&m, top_frame_rows(&m, height));
	top_frame_draw(&c, &m);
	while (n && c.text[(size_t)y * width + n - 1] == ' ')
		n--;
	snprintf(line, sizeof(line), "%.*s", (int)n, c.text + (size_t)y * width);
	top_canvas_fini(&c);
	return line;
}

/* --- order ------------------------------------------------------------------------- */

static void every_column_is_asked_for_by_its_key_and_window(void **state)
{
	static const struct {
		enum top_column column;
		uint8_t key, window;
	} expected[] = {
		{TOP_TX, TCTABLE_BY_TX, TCTABLE_SINCE_2S},
		{TOP_RX, TCTABLE_BY_RX, TCTABLE_SINCE_2S},
		{TOP_TX_PACKETS, TCTABLE_BY_TX_PACKETS, TCTABLE_SINCE_2S},
		{TOP_RX_PACKETS, TCTABLE_BY_RX_PACKETS, TCTABLE_SINCE_2S},
		{TOP_TOTAL, TCTABLE_BY_BYTES, TCTABLE_SINCE_START},
		{TOP_CONNS, TCTABLE_BY_CONNS, TCTABLE_SINCE_START},
		{TOP_HALF_OPEN, TCTABLE_BY_HALF_OPEN, TCTABLE_SINCE_START},
		{TOP_TX_NEXT, TCTABLE_BY_TX, TCTABLE_SINCE_10S},
		{TOP_RX_LAST, TCTABLE_BY_RX, TCTABLE_SINCE_40S},
	};

	(void)state;
	m.sort = TOP_CLASSES;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		top_model_sort_by(&m, expected[i].column);
		assert_int_equal(wanted().key, expected[i].key);
		assert_int_equal(wanted().window, expected[i].window);
		assert_int_equal(wanted().ascending, 0);
		press('r');
		assert_int_equal(wanted().ascending, 1);
	}
	top_model_sort_by(&m, TOP_HOST); /* the lowest address first, unless reversed */
	assert_int_equal(wanted().ascending, 1);
	press('r');
	assert_int_equal(wanted().ascending, 0);
	top_model_sort_by(&m, TOP_CLASSES); /* has no order */
	assert_int_equal(top_model_sort(&m), TOP_HOST);
}

static void the_window_moves_the_other_two_along(void **state)
{
	(void)state;
	assert_int_equal(press('w'), TOP_WISH_ASK);
	assert_int_equal(wanted().window, TCTABLE_SINCE_10S);
	assert_int_equal(top_model_window(&m, TOP_TX_NEXT), TCTABLE_SINCE_40S);
	assert_int_equal(top_model_window(&m, TOP_RX_LAST), TCTABLE_SINCE_2S);
	press('w');
	press('w');
	assert_int_equal(wanted().window, TCTABLE_SINCE_2S);
}

static void no_more_rows_are_asked_for_than_may_be(void **state)
{
	(void)state;
	assert_int_equal(wanted().rows, 20);
	m.first = 5000;
	assert_int_equal(wanted().rows, TCTABLE_TOP_ROWS_MAX);
}

/* --- the filter -------------------------------------------------------------------- */

static void a_filter_has_networks_and_classes(void **state)
{
	(void)state;
	press_all("/10.1.0.0/16 udp,icmp");
	assert_int_equal(press(TOP_KEY_ENTER), TOP_WISH_ASK);
	assert_int_equal(wanted().net_bits, 16);
	assert_int_equal(wanted().net.bytes[1], 1);
	assert_int_equal(wanted().classes, 1u << TCTABLE_UDP | 1u << TCTABLE_ICMP);
	press('c'); /* beyond icmp there is other, in the same network */
	assert_string_equal(m.filter.text, "10.1.0.0/16 icmp");
	press('/');
	press(TOP_KEY_ENTER);
	assert_int_equal(wanted().net.family, 0);
	assert_int_equal(wanted().classes, 0);
}

static void a_class_after_the_other_and_then_all(void **state)
{
	static const unsigned expected[] = {1, 2, 4, 8, 0};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		press('c');
		assert_int_equal(wanted().classes, expected[i]);
	}
}

static void a_filter_that_makes_no_sense_is_named_and_changes_nothing(void **state)
{
	(void)state;
	press_all("/10.1.0.0/16");
	press(TOP_KEY_ENTER);
	press_all("/10.0.0.1/8");
	assert_int_equal(press(TOP_KEY_ENTER), TOP_WISH_DRAW);
	assert_non_null(strstr(m.said, "'10.0.0.1/8': write a network (10.0.0.0/8)"));
	assert_int_equal(wanted().net_bits, 16);
	press_all("/10");
	press(TOP_KEY_ERASE);
	assert_non_null(strstr(m.said, ": 1_"));
	press(TOP_KEY_BACK);
	assert_int_equal(wanted().net_bits, 16);
}

static void a_filter_of_any_length_is_taken_or_cut(void **state)
{
	(void)state;
	press('/');
	for (unsigned i = 0; i < 1000; i++)
		press('1');
	assert_int_equal(strlen(in.typed), TOP_FILTER_BYTES - 1);
	press(TOP_KEY_ENTER);
	assert_non_null(strstr(m.said, "filter '111"));
}

/* --- choosing ------------------------------------------------------------------------ */

static void the_choice_stays_in_view_and_with_its_host(void **state)
{
	static const unsigned before[] = {1, 2, 3, 4}, after[] = {4, 3, 1, 2};

	(void)state;
	put_rows(before, 4);
	press(TOP_KEY_DOWN);
	press(TOP_KEY_DOWN);
	put_rows(after, 4);
	assert_int_equal(m.rows[m.chosen].host.ip.bytes[3], 3);
	press(TOP_KEY_HOME);
	put_rows(before, 4); /* who looks at the first goes on looking at the first */
	assert_int_equal(m.chosen, 0);
	put_many_rows(500);
	press(TOP_KEY_END);
	assert_int_equal(m.chosen, 499);
	assert_int_equal(m.first, 490);
	press(TOP_KEY_PAGE_UP);
	assert_int_equal(m.chosen, 490);
	put_rows(before, 1);
	assert_int_equal(m.chosen, 0);
	put_rows(before, 0);
	press(TOP_KEY_DOWN);
	assert_int_equal(press(TOP_KEY_ENTER), TOP_WISH_NOTHING);
}

static void a_click_sorts_or_chooses_and_the_next_one_opens(void **state)
{
	struct top_event click = {.key = TOP_KEY_MOUSE, .x = 30, .y = 3};

	(void)state;
	put_many_rows(20);
	line_of(80, 24, 0);
	assert_int_equal(top_input_take(&in, &m, &click, 80, 24), TOP_WISH_ASK);
	assert_int_equal(top_model_sort(&m), TOP_RX);
	click.y = 7;
	assert_int_equal(top_input_take(&in, &m, &click, 80, 24), TOP_WISH_DRAW);
	assert_int_equal(m.chosen, 3);
	assert_int_equal(top_input_take(&in, &m, &click, 80, 24), TOP_WISH_ASK);
	assert_true(m.is_open);
	assert_int_equal(m.ip.bytes[3], 3);
	for (click.y = 0; click.y < 100; click.y++)
		for (click.x = 0; click.x < 200; click.x += 3)
			top_input_take(&in, &m, &click, 80, 24);
}

/* --- a host -------------------------------------------------------------------------- */

static struct top_conns conns_of(const struct tctable_addr *ip, const uint64_t *ids,
				 const uint64_t *sent, size_t n)
{
	struct top_conns conns = {.at = NULL};

	for (size_t i = 0; i < n; i++) {
		struct tctable_conn conn = {.id = ids[i], .protocol = 6, .state = "established"};

		conn.orig.ip = i & 1 ? ip_of(9999) : *ip;
		conn.reply.ip = i & 1 ? *ip : ip_of(9999);
		*(i & 1 ? &conn.reply.sent : &conn.orig.sent) =
			(struct tctable_counter){.packets = 1, .bytes = sent[i]};
		assert_int_equal(top_conns_add(&conns, &conn, ip), 0);
	}
	return conns;
}

static void rates_of_connections_are_between_two_answers(void **state)
{
	const struct tctable_addr ip = ip_of(1);
	struct top_conns conns;

	(void)state;
	put_many_rows(3);
	press(TOP_KEY_DOWN);
	press(TOP_KEY_ENTER);
	conns = conns_of(&ip, (uint64_t[]){1, 4, 9}, (uint64_t[]){100, 2000, 50}, 3);
	top_model_conns(&m, &conns, 1000);
	assert_true(m.conns[0].tx_rate < 0);
	conns = conns_of(&ip, (uint64_t[]){1, 9, 12}, (uint64_t[]){5100, 50, 700}, 3);
	top_model_conns(&m, &conns, 3000);
	assert_int_equal(m.conns_n, 3);
	assert_true(m.conns[0].conn.id == 1 && m.conns[0].tx_rate == 2500);
	assert_true(m.conns[1].conn.id == 12 && m.conns[1].tx_rate == 350); /* it is new */
	assert_true(m.conns[2].conn.id == 9 && m.conns[2].tx_rate == 0);
	press(TOP_KEY_BACK);
	assert_false(m.is_open);
}

static void connections_beyond_the_most_are_counted_and_not_kept(void **state)
{
	const struct tctable_addr ip = ip_of(1);
	struct tctable_conn conn = {.orig.ip = ip};
	struct top_conns conns = {.at = NULL};

	(void)state;
	for (conn.id = 0; conn.id < TOP_CONNS_MAX + 5; conn.id++)
		assert_int_equal(top_conns_add(&conns, &conn, &ip), 0);
	assert_int_equal(conns.n, TOP_CONNS_MAX);
	assert_int_equal(conns.skipped, 5);
	free(conns.at);
}

/* --- the header ---------------------------------------------------------------------- */

static void the_link_is_measured_between_two_answers(void **state)
{
	struct tctable_stats s = {.worker = UINT32_MAX, .ledger.counted = {1000, 1000000}};

	(void)state;
	top_model_stats(&m, &s, 5000);
	assert_false(m.header.has_rates);
	s.ledger.counted.bytes += 2500000;
	s.ledger.counted.packets += 5000;
	top_model_stats(&m, &s, 5100); /* too soon: a key was pressed */
	assert_false(m.header.has_rates);
	top_model_stats(&m, &s, 7000);
	assert_true(m.header.has_rates && m.header.bits_s == 10e6 && m.header.packets_s == 2500);
	s.ledger.counted = (struct tctable_counter){1, 40};
	top_model_stats(&m, &s, 9000); /* another daemon */
	assert_false(m.header.has_rates);
}

/* --- frames --------------------------------------------------------------------------- */

static void a_frame_says_what_the_model_has(void **state)
{
	(void)state;
	put_many_rows(30);
	assert_string_equal(line_of(80, 24, 3), "HOST                 vTX2s     RX2s   TXp2s   "
						"RXp2s   TOTAL   CONN   HALF CLASS");
	assert_string_equal(line_of(80, 24, 4), "10.0.0.0             1.00M        0      77   "
						"    0   4.00M      3      2 TTTTUU");
	press('b');
	assert_non_null(strstr(line_of(80, 24, 4), " 125k "));
	press('w');
	assert_non_null(strstr(line_of(80, 24, 4), " 250k "));
	press('c'); /* tcp: of which there are 3 MB and no connection */
	assert_non_null(strstr(line_of(80, 24, 4), "3.00M      0"));
	assert_non_null(strstr(line_of(140, 24, 3), "TX40s"));
	m.rows[0].measured_ms = 0;
	assert_non_null(strstr(line_of(80, 24, 4), " ..  "));
}

static void frames_of_all_sizes_stay_within_themselves(void **state)
{
	(void)state;
	put_many_rows(200);
	for (unsigned open = 0; open < 2; open++) {
		for (unsigned width = 1; width < 300; width += 7)
			for (unsigned height = 1; height < 70; height += 3) {
				m.with_help = width & 1;
				line_of(width, height, height - 1);
			}
		top_model_open(&m, &m.rows[0].host.ip);
	}
	assert_string_equal(line_of(39, 24, 0), "too small: 40x8 is needed");
}

static void what_a_daemon_says_cannot_speak_to_the_terminal(void **state)
{
	struct tctable_info info = {.source = "\033[2J\xff\n", .software = "tcsniff 0.1.0"};

	(void)state;
	top_model_info(&m, &info);
	assert_string_equal(line_of(80, 24, 0), "tctable top  ?[2J??  tcsniff 0.1.0");
}

static void numbers_take_five_characters(void **state)
{
	static const struct {
		double v;
		const char *text;
	} expected[] = {
		{0, "0"},	   {9999, "9999"},   {9999.6, "10.0k"},
		{99949, "99.9k"},  {99999, "100k"},  {999499, "999k"},
		{999600, "1.00M"}, {1.5e9, "1.50G"}, {1e20, "100E"},
	};
	char buf[TOP_NUMBER_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_string_equal(top_format_number(buf, expected[i].v), expected[i].text);
}

static void shares_fill_their_width_and_forget_nobody(void **state)
{
	struct tctable_traffic cls[TCTABLE_CLASSES] = {0};
	char buf[32];

	(void)state;
	assert_string_equal(top_format_shares(buf, 6, cls), "......");
	cls[TCTABLE_TCP].tx.bytes = 1000000;
	assert_string_equal(top_format_shares(buf, 6, cls), "TTTTTT");
	cls[TCTABLE_ICMP].rx.bytes = 1;
	cls[TCTABLE_OTHER].rx.bytes = 1;
	cls[TCTABLE_UDP].rx.bytes = 1;
	assert_string_equal(top_format_shares(buf, 6, cls), "TTTUIO");
	cls[TCTABLE_UDP].rx.bytes = 1000000;
	assert_string_equal(top_format_shares(buf, 4, cls), "TUIO");
	cls[TCTABLE_ICMP].rx.bytes = cls[TCTABLE_OTHER].rx.bytes = 1000000;
	assert_string_equal(top_format_shares(buf, 6, cls), "TUIIOO");
	assert_string_equal(top_format_short(buf, 9, "2001:db8::1234"), "200..1234");
}

#define TOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOP_TEST(every_column_is_asked_for_by_its_key_and_window),
		TOP_TEST(the_window_moves_the_other_two_along),
		TOP_TEST(no_more_rows_are_asked_for_than_may_be),
		TOP_TEST(a_filter_has_networks_and_classes),
		TOP_TEST(a_class_after_the_other_and_then_all),
		TOP_TEST(a_filter_that_makes_no_sense_is_named_and_changes_nothing),
		TOP_TEST(a_filter_of_any_length_is_taken_or_cut),
		TOP_TEST(the_choice_stays_in_view_and_with_its_host),
		TOP_TEST(a_click_sorts_or_chooses_and_the_next_one_opens),
		TOP_TEST(rates_of_connections_are_between_two_answers),
		TOP_TEST(connections_beyond_the_most_are_counted_and_not_kept),
		TOP_TEST(the_link_is_measured_between_two_answers),
		TOP_TEST(a_frame_says_what_the_model_has),
		TOP_TEST(frames_of_all_sizes_stay_within_themselves),
		TOP_TEST(what_a_daemon_says_cannot_speak_to_the_terminal),
		TOP_TEST(numbers_take_five_characters),
		TOP_TEST(shares_fill_their_width_and_forget_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
