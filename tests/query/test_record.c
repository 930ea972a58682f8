/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c - views as records: every figure arrives, in its own place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "flow/flow_state.h"
#include "query/record.h"

/* Every word of a view differs from every other. */
static void fill_words(void *out, size_t bytes)
{
	uint64_t *words = out;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = 1000 + i;
}

static void check_counter(const struct tctable_counter *got, const struct view_counter *v)
{
	assert_true(got->packets == v->packets);
	assert_true(got->bytes == v->bytes);
}

static struct view_host some_host(void)
{
	struct view_host v;

	memset(&v, 0, sizeof(v));
	v.ip.b[0] = 192;
	v.ip.b[3] = 7;
	v.family = ADDR_V4;
	fill_words(v.cls, sizeof(v.cls));
	v.half_open = 1;
	v.last_ns = 2;
	v.next_conn_id = 3;
	v.use = 4;
	return v;
}

static void a_host_keeps_all_its_figures(void **state)
{
	const struct view_host v = some_host();
	struct tctable_host h;

	(void)state;
	record_host(&h, &v, 900);
	assert_int_equal(h.kind, TCTABLE_HOST);
	assert_int_equal(h.ip.family, 4);
	assert_memory_equal(h.ip.bytes, v.ip.b, 16);
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		assert_true(h.cls[c].conns == v.cls[c].conns);
		check_counter(&h.cls[c].tx, &v.cls[c].tx);
		check_counter(&h.cls[c].rx, &v.cls[c].rx);
	}
	assert_true(h.half_open == 1 && h.last_ns == 2 && h.next_conn_id == 3 && h.use == 4);
}

static void a_host_is_to_be_forgotten_a_timeout_after_it_fell_idle(void **state)
{
	struct view_host v = some_host();
	struct tctable_host h;

	(void)state;
	record_host(&h, &v, 900); /* it has a connection */
	assert_true(h.forget_ns == 0);
	v.idle_ns = 5000;
	record_host(&h, &v, 900);
	assert_true(h.forget_ns == 5900);
	record_host(&h, &v, 0); /* hosts stay for ever */
	assert_true(h.forget_ns == 0);
}

static void the_records_that_are_no_hosts_say_which_they_are(void **state)
{
	struct view_host v = some_host();
	struct tctable_host h;

	(void)state;
	v.family = 0;
	v.idle_ns = 5000;
	record_rest(&h, &v, TCTABLE_HOST_FORGOTTEN);
	assert_int_equal(h.kind, TCTABLE_HOST_FORGOTTEN);
	assert_int_equal(h.ip.family, 0);
	assert_true(h.forget_ns == 0);
	check_counter(&h.cls[TCTABLE_OTHER].rx, &v.cls[PKT_OTHER].rx);
	record_rest(&h, &v, TCTABLE_HOST_OVERFLOW);
	assert_int_equal(h.kind, TCTABLE_HOST_OVERFLOW);
}

static void a_connection_keeps_its_ends_apart(void **state)
{
	struct tctable_conn c;
	struct view_conn v;

	(void)state;
	memset(&v, 0, sizeof(v));
	v.id = 5;
	v.last_ns = 6;
	v.family = ADDR_V6;
	v.proto = PROTO_TCP;
	v.class = PKT_TCP;
	v.state = FLOW_TCP_TIME_WAIT;
	v.icmp_errors = 7;
	v.end[0].ip.b[15] = 1;
	v.end[0].port = 1111;
	v.end[0].sent = (struct view_counter){10, 1000};
	v.end[1].ip.b[15] = 2;
	v.end[1].port = 80;
	v.end[1].sent = (struct view_counter){20, 2000};
	record_conn(&c, &v);
	assert_true(c.id == 5 && c.last_ns == 6 && c.icmp_errors == 7);
	assert_int_equal(c.protocol, PROTO_TCP);
	assert_int_equal(c.cls, TCTABLE_TCP);
	assert_int_equal(c.is_icmp, 0);
	assert_string_equal(c.state, "time_wait");
	assert_int_equal(c.orig.ip.bytes[15], 1);
	assert_int_equal(c.orig.ip.family, 6);
	assert_int_equal(c.orig.port, 1111);
	check_counter(&c.orig.sent, &v.end[0].sent);
	assert_int_equal(c.reply.ip.bytes[15], 2);
	assert_int_equal(c.reply.ip.family, 6);
	assert_int_equal(c.reply.port, 80);
	check_counter(&c.reply.sent, &v.end[1].sent);
}

static void an_icmp_query_has_types_code_and_identifier(void **state)
{
	struct tctable_conn c;
	struct view_conn v;

	(void)state;
	memset(&v, 0, sizeof(v));
	v.family = ADDR_V4;
	v.proto = PROTO_ICMP;
	v.class = PKT_ICMP;
	v.state = FLOW_ICMP_ANSWERED;
	v.is_icmp = true;
	v.icmp_type[0] = 8;
	v.icmp_code = 3;
	v.icmp_id = 4711;
	record_conn(&c, &v);
	assert_int_equal(c.is_icmp, 1);
	assert_int_equal(c.icmp_type[0], 8);
	assert_int_equal(c.icmp_type[1], 0);
	assert_int_equal(c.icmp_code, 3);
	assert_int_equal(c.icmp_id, 4711);
	assert_string_equal(c.state, "answered");
}

static void every_state_has_a_name_that_fits(void **state)
{
	(void)state;
	for (unsigned s = 0; s < FLOW_STATES; s++) {
		struct view_conn v;
		struct tctable_conn c;

		memset(&v, 0, sizeof(v));
		v.state = (uint8_t)s;
		record_conn(&c, &v);
		assert_string_equal(c.state, flow_state_name((enum flow_state)s));
		assert_true(c.state[0] != '\0');
	}
}

static void check_ledger(const struct tctable_ledger *l, const struct view_ledger *v)
{
	assert_true(l->received == v->received);
	check_counter(&l->counted, &v->counted);
	check_counter(&l->internal, &v->internal);
	assert_true(l->tracked == v->tracked);
	assert_true(l->table_full == v->untracked_table_full);
	assert_true(l->host_limit == v->untracked_host_limit);
	assert_true(l->icmp_error == v->untracked_icmp_error);
	assert_true(l->icmp_other == v->untracked_icmp_other);
	assert_true(l->fragment == v->untracked_fragment);
	assert_true(l->transit == v->transit);
	assert_true(l->not_ip == v->not_ip);
	assert_true(l->malformed == v->malformed);
	assert_true(l->kernel_drops == v->kernel_drops);
	assert_true(l->ring_freezes == v->ring_freezes);
}

static void check_flows(const struct tctable_stats *s, const struct view_flows *v)
{
	assert_true(s->flows_capacity == v->capacity);
	assert_true(s->flows_live == v->live);
	assert_true(s->flows_started == v->started);
	assert_true(s->flows_expired == v->expired);
	assert_true(s->flows_replaced == v->replaced);
	assert_true(s->flows_early_drops == v->early_drops);
	assert_true(s->arena_bytes == v->arena_bytes);
}

static void a_worker_has_figures_of_its_own_and_none_of_the_whole(void **state)
{
	struct tctable_stats s;
	struct view_worker v;

	(void)state;
	fill_words(&v, sizeof(v));
	record_stats(&s, &v, 3);
	assert_int_equal(s.worker, 3);
	check_ledger(&s.ledger, &v.ledger);
	check_flows(&s, &v.flows);
	assert_true(s.hosts == 0 && s.hosts_max == 0 && s.directory_bytes == 0);
}

static void the_sum_has_the_figures_of_the_whole(void **state)
{
	struct tctable_stats s;
	struct view_totals v;

	(void)state;
	fill_words(&v, sizeof(v));
	record_totals(&s, &v);
	assert_true(s.worker == UINT32_MAX);
	check_ledger(&s.ledger, &v.ledger);
	check_flows(&s, &v.flows);
	assert_true(s.hosts == v.hosts && s.hosts_max == v.hosts_max);
	assert_true(s.hosts_forgotten == v.hosts_forgotten);
	assert_true(s.directory_bytes == v.directory_bytes);
}

static void every_reason_but_the_good_one_is_named_whole(void **state)
{
	struct tctable_stats s;
	struct view_worker v;

	(void)state;
	fill_words(&v, sizeof(v));
	record_stats(&s, &v, 0);
	assert_int_equal(s.verdicts, PKT_VERDICTS - 1);
	for (unsigned i = PKT_OK + 1; i < PKT_VERDICTS; i++) {
		assert_string_equal(s.verdict[i - 1].name, pkt_verdict_name((enum pkt_verdict)i));
		assert_true(s.verdict[i - 1].frames == v.ledger.verdict[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_keeps_all_its_figures),
		cmocka_unit_test(a_host_is_to_be_forgotten_a_timeout_after_it_fell_idle),
		cmocka_unit_test(the_records_that_are_no_hosts_say_which_they_are),
		cmocka_unit_test(a_connection_keeps_its_ends_apart),
		cmocka_unit_test(an_icmp_query_has_types_code_and_identifier),
		cmocka_unit_test(every_state_has_a_name_that_fits),
		cmocka_unit_test(a_worker_has_figures_of_its_own_and_none_of_the_whole),
		cmocka_unit_test(the_sum_has_the_figures_of_the_whole),
		cmocka_unit_test(every_reason_but_the_good_one_is_named_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
