/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_print.c - what is printed, against exact strings.
 *
 * The texts named DESIGN_* are the examples that users were promised, byte for
 * byte.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/print.h"

#define DESIGN_COUNT "tc_counter_count=13\n"
#define DESIGN_HOST_LINE                                                                           \
	"192.168.1.226 conn=1 pcnt=109 bcnt=14210 last=1275451200.250 next_id=101 use=2\n"
#define DESIGN_HOST                                                                                \
	"192.168.1.250\n"                                                                          \
	"tcp conn=2 tx pcnt=5842 bcnt=1073769 rx pcnt=5470 bcnt=1002070\n"                         \
	"udp conn=0 tx pcnt=21 bcnt=2614 rx pcnt=5 bcnt=816\n"                                     \
	"icmp conn=0 tx pcnt=0 bcnt=0 rx pcnt=0 bcnt=0\n"                                          \
	"other conn=0 tx pcnt=0 bcnt=0 rx pcnt=0 bcnt=0\n"
#define DESIGN_CONN_LINE                                                                           \
	"id=0 last=1275451200.250 tcp "                                                            \
	"orig 192.168.1.250:60222->192.168.1.231:22 pcnt=1434 bcnt=100000 "                        \
	"reply 192.168.1.231:22->192.168.1.250:60222 pcnt=1264 bcnt=104348\n"
#define DESIGN_LEDGER_JSON                                                                         \
	"{\"received\": 10, \"counted\": 7, \"counted_bytes\": 4711, \"internal\": 2, "            \
	"\"internal_bytes\": 300, \"tracked\": 6, \"untracked\": {\"table_full\": 0, "             \
	"\"host_limit\": 0, \"icmp_error\": 0, \"icmp_other\": 1, \"fragment\": 0}, "              \
	"\"transit\": 1, \"not_ip\": 1, \"malformed\": 1, \"kernel_drops\": 0, "                   \
	"\"ring_freezes\": 0}"
#define DESIGN_HOST_JSON                                                                           \
	"{\"ip\": \"192.168.1.250\", \"conns\": 2, \"half_open\": 0, "                             \
	"\"last_ns\": 1275451200250000000, \"next_conn_id\": 18, \"use\": 3, "                     \
	"\"tcp\": {\"conns\": 2, \"tx\": {\"packets\": 5842, \"bytes\": 1073769}, "                \
	"\"rx\": {\"packets\": 5470, \"bytes\": 1002070}}, "                                       \
	"\"udp\": {\"conns\": 0, \"tx\": {\"packets\": 21, \"bytes\": 2614}, "                     \
	"\"rx\": {\"packets\": 5, \"bytes\": 816}}, "                                              \
	"\"icmp\": " NOTHING_JSON ", \"other\": " NOTHING_JSON "}"
#define NOTHING_JSON                                                                               \
	"{\"conns\": 0, \"tx\": {\"packets\": 0, \"bytes\": 0}, "                                  \
	"\"rx\": {\"packets\": 0, \"bytes\": 0}}"
#define NO_CLASSES_JSON                                                                            \
	"{\"tcp\": " NOTHING_JSON ", \"udp\": " NOTHING_JSON ", \"icmp\": " NOTHING_JSON           \
	", \"other\": " NOTHING_JSON "}"

#define LAST_NS 1275451200250000000ull

/* --- catching what is printed ---------------------------------------------- */

struct catch
{
	FILE *out;
	char *text;
	size_t n;
};

static FILE *catch_begin(struct catch *c)
{
	c->out = open_memstream(&c->text, &c->n);
	assert_non_null(c->out);
	return c->out;
}

static void catch_end(struct catch *c, const char *expected)
{
	assert_int_equal(fclose(c->out), 0);
	assert_string_equal(c->text, expected);
	assert_int_equal(c->n, strlen(expected));
	free(c->text);
}

/* --- records ------------------------------------------------------------------ */

static struct tctable_addr addr(const char *text)
{
	struct tctable_addr a = {.family = strchr(text, ':') ? 6 : 4};

	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.bytes), 1);
	return a;
}

static struct tctable_host design_host(void)
{
	return (struct tctable_host){
		.ip = addr("192.168.1.250"),
		.cls = {[TCTABLE_TCP] = {2, {5842, 1073769}, {5470, 1002070}},
			[TCTABLE_UDP] = {0, {21, 2614}, {5, 816}}},
		.last_ns = LAST_NS,
		.next_conn_id = 18,
		.use = 3,
	};
}

static struct tctable_ledger design_ledger(void)
{
	return (struct tctable_ledger){
		.received = 10,
		.counted = {7, 4711},
		.internal = {2, 300},
		.tracked = 6,
		.icmp_other = 1,
		.transit = 1,
		.not_ip = 1,
		.malformed = 1,
	};
}

static struct tctable_conn conn_of(uint8_t protocol, const char *orig, uint16_t orig_port,
				   const char *reply, uint16_t reply_port)
{
	return (struct tctable_conn){
		.last_ns = LAST_NS,
		.protocol = protocol,
		.orig = {addr(orig), orig_port, {1434, 100000}},
		.reply = {addr(reply), reply_port, {1264, 104348}},
	};
}

/* Figures that all differ, so that none can stand in another's place. */
static struct tctable_stats stats_of(uint32_t worker)
{
	return (struct tctable_stats){
		.worker = worker,
		.ledger = {.received = 1000,
			   .counted = {700, 70000},
			   .internal = {30, 3000},
			   .tracked = 600,
			   .table_full = 10,
			   .host_limit = 20,
			   .icmp_error = 31,
			   .icmp_other = 19,
			   .fragment = 20,
			   .transit = 150,
			   .not_ip = 100,
			   .malformed = 50,
			   .kernel_drops = 7,
			   .ring_freezes = 2},
		.flows_capacity = 1048576,
		.flows_live = 400,
		.flows_started = 500,
		.flows_expired = 90,
		.flows_replaced = 4,
		.flows_early_drops = 6,
		.arena_bytes = 33554432,
		.hosts = 13,
		.hosts_max = 65536,
		.hosts_forgotten = 5,
		.directory_bytes = 4194304,
		.verdicts = 3,
		.verdict = {{"not_ip", 100}, {"bad_length", 50}, {"bad_ihl", 0}},
		.counters = 3,
		.counter = {{"ring_blocks", 64}, {"ring_blocks_high", 0}, {"nic_drops", 12}},
	};
}

/* --- text ------------------------------------------------------------------- */

static void count_is_as_promised(void **state)
{
	struct catch c;

	(void)state;
	print_count(catch_begin(&c), 13);
	catch_end(&c, DESIGN_COUNT);
}

static void host_line_sums_packets_into_packets_and_bytes_into_bytes(void **state)
{
	const struct tctable_host host = {
		.ip = addr("192.168.1.226"),
		.cls = {[TCTABLE_TCP] = {1, {50, 10000}, {49, 4000}},
			[TCTABLE_UDP] = {0, {3, 150}, {2, 20}},
			[TCTABLE_ICMP] = {0, {1, 8}, {1, 7}},
			[TCTABLE_OTHER] = {0, {2, 20}, {1, 5}}},
		.last_ns = LAST_NS,
		.next_conn_id = 101,
		.use = 2,
	};
	struct catch c;

	(void)state;
	print_host_line(catch_begin(&c), &host);
	catch_end(&c, DESIGN_HOST_LINE);
}

static void host_is_as_promised(void **state)
{
	const struct tctable_host host = design_host();
	struct catch c;

	(void)state;
	print_host(catch_begin(&c), &host);
	catch_end(&c, DESIGN_HOST);
}

static void connection_line_is_as_promised(void **state)
{
	const struct tctable_conn conn = conn_of(6, "192.168.1.250", 60222, "192.168.1.231", 22);
	struct catch c;

	(void)state;
	print_len(catch_begin(&c), 2);
	print_conn_line(c.out, &conn);
	catch_end(&c, "len=2\n" DESIGN_CONN_LINE);
}

static void connection_line_ends_with_state_and_icmp_errors(void **state)
{
	struct tctable_conn conn = conn_of(17, "2001:db8::1", 5353, "2001:db8:0:0:0:0:2:1", 53);
	struct catch c;

	(void)state;
	conn.id = 18446744073709551615u;
	conn.last_ns = 999999;
	strcpy(conn.state, "stream");
	conn.icmp_errors = 3;
	print_conn_line(catch_begin(&c), &conn);
	catch_end(&c, "id=18446744073709551615 last=0.000 udp "
		      "orig [2001:db8::1]:5353->[2001:db8::2:1]:53 pcnt=1434 bcnt=100000 "
		      "reply [2001:db8::2:1]:53->[2001:db8::1]:5353 pcnt=1264 bcnt=104348 "
		      "state=stream icmp_err=3\n");
}

static void icmp_connection_has_type_code_and_id_for_ports(void **state)
{
	struct tctable_conn conn = conn_of(58, "fe80::1", 0, "fe80::2", 0);
	struct catch c;

	(void)state;
	conn.is_icmp = 1;
	conn.icmp_type[0] = 128;
	conn.icmp_type[1] = 129;
	conn.icmp_id = 4242;
	print_conn_line(catch_begin(&c), &conn);
	catch_end(&c, "id=0 last=1275451200.250 icmpv6 "
		      "orig fe80::1->fe80::2 type=128 code=0 id=4242 pcnt=1434 bcnt=100000 "
		      "reply fe80::2->fe80::1 type=129 code=0 id=4242 pcnt=1264 bcnt=104348\n");
}

static void protocol_without_ports_has_addresses_alone(void **state)
{
	static const struct {
		uint8_t protocol;
		const char *text;
	} vectors[] = {{47, "gre"},  {50, "esp"}, {89, "ospf"}, {2, "igmp"},
		       {253, "253"}, {0, "0"},	  {51, "ah"}};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct tctable_conn conn =
			conn_of(vectors[i].protocol, "10.0.0.1", 0, "10.0.0.2", 0);
		char expected[256];
		struct catch c;

		snprintf(expected, sizeof(expected),
			 "id=0 last=1275451200.250 %s orig 10.0.0.1->10.0.0.2 pcnt=1434 "
			 "bcnt=100000 reply 10.0.0.2->10.0.0.1 pcnt=1264 bcnt=104348\n",
			 vectors[i].text);
		print_conn_line(catch_begin(&c), &conn);
		catch_end(&c, expected);
	}
}

static void protocols_with_ports_have_names(void **state)
{
	(void)state;
	assert_string_equal(print_protocol_name(6), "tcp");
	assert_string_equal(print_protocol_name(17), "udp");
	assert_string_equal(print_protocol_name(1), "icmp");
	assert_string_equal(print_protocol_name(58), "icmpv6");
	assert_string_equal(print_protocol_name(132), "sctp");
	assert_string_equal(print_protocol_name(33), "dccp");
	assert_string_equal(print_protocol_name(136), "udplite");
	assert_null(print_protocol_name(255));
}

static void proc_line_has_everything(void **state)
{
	struct tctable_host host = design_host();
	struct catch c;

	(void)state;
	host.cls[TCTABLE_OTHER].rx = (struct tctable_counter){9, 99};
	host.forget_ns = LAST_NS + 1000000001; /* one nanosecond more than a second */
	print_host_proc(catch_begin(&c), &host, LAST_NS);
	catch_end(&c, "192.168.1.250 2 "
		      "tcp conn=2 tx pcnt=5842 bcnt=1073769 rx pcnt=5470 bcnt=1002070 "
		      "udp conn=0 tx pcnt=21 bcnt=2614 rx pcnt=5 bcnt=816 "
		      "icmp conn=0 tx pcnt=0 bcnt=0 rx pcnt=0 bcnt=0 "
		      "other conn=0 tx pcnt=0 bcnt=0 rx pcnt=9 bcnt=99 "
		      "last=1275451200.250 next_id=18 use=3\n");
}

static void seconds_until_forgotten_count_down_to_0(void **state)
{
	static const struct {
		uint64_t forget_ns, now_ns;
		const char *text;
	} vectors[] = {
		{0, 5, "-"},
		{900000000000, 0, "900"},
		{900000000000, 1, "900"},
		{900000000000, 1000000000, "899"},
		{900000000000, 899999999999, "1"},
		{900000000000, 900000000000, "0"},
		{900000000000, 900000000001, "0"},
		{UINT64_MAX, 0, "18446744074"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct tctable_host host = design_host();
		char expected[64];
		struct catch c;

		host.forget_ns = vectors[i].forget_ns;
		print_host_proc(catch_begin(&c), &host, vectors[i].now_ns);
		assert_int_equal(fclose(c.out), 0);
		snprintf(expected, sizeof(expected), "192.168.1.250 %s tcp ", vectors[i].text);
		assert_memory_equal(c.text, expected, strlen(expected));
		free(c.text);
	}
}

static void ledger_text_is_an_identity(void **state)
{
	const struct tctable_ledger ledger = design_ledger();
	struct catch c;

	(void)state;
	print_ledger(catch_begin(&c), &ledger);
	catch_end(&c, "received 10 = counted 7 + transit 1 + not_ip 1 + malformed 1\n"
		      "counted 7 = tracked 6 + untracked 1\n"
		      "untracked 1 = table_full 0 + host_limit 0 + icmp_error 0 + icmp_other 1 + "
		      "fragment 0\n"
		      "on hosts 9 packets = counted 7 + internal 2\n"
		      "on hosts 5011 bytes = counted 4711 + internal 300\n"
		      "lost before: kernel_drops 0, ring_freezes 0\n");
}

static const char stats_text[] =
	"received 1000 = counted 700 + transit 150 + not_ip 100 + malformed 50\n"
	"counted 700 = tracked 600 + untracked 100\n"
	"untracked 100 = table_full 10 + host_limit 20 + icmp_error 31 + icmp_other 19 + "
	"fragment 20\n"
	"on hosts 730 packets = counted 700 + internal 30\n"
	"on hosts 73000 bytes = counted 70000 + internal 3000\n"
	"lost before: kernel_drops 7, ring_freezes 2\n"
	"refused: not_ip 100, bad_length 50\n"
	"flows: live 400 of 1048576, started 500, expired 90, replaced 4, early_drops 6\n"
	"counters: ring_blocks 64, nic_drops 12\n";

static void stats_text_has_total_and_workers(void **state)
{
	const struct tctable_stats total = stats_of(UINT32_MAX), worker = stats_of(7);
	char expected[2048];
	struct catch c;

	(void)state;
	snprintf(expected, sizeof(expected),
		 "total\n%shosts: 13 of 65536, forgotten 5\n"
		 "memory: arena 33554432 bytes, directory 4194304 bytes\n"
		 "worker 7\n%smemory: arena 33554432 bytes\n",
		 stats_text, stats_text);
	print_stats(catch_begin(&c), &total);
	print_stats(c.out, &worker);
	catch_end(&c, expected);
}

static void more_verdicts_than_there_is_room_for_are_not_read(void **state)
{
	struct tctable_stats s = stats_of(0);
	struct print_json j;
	struct catch c;

	(void)state;
	s.verdicts = s.counters = UINT32_MAX;
	print_stats(catch_begin(&c), &s);
	print_stats_json_begin(&j, c.out, &s);
	print_stats_json_end(&j);
	assert_int_equal(fclose(c.out), 0);
	assert_non_null(strstr(c.text, "refused: not_ip 100, bad_length 50\n"));
	free(c.text);
}

static struct tctable_info info_of(const char *source)
{
	struct tctable_info i = {
		.version = 2,
		.hz = 1000000000,
		.host_size = 208,
		.conn_size = 120,
		.stats_size = 1200,
		.info_size = 344,
		.workers = 4,
		.flags = TCTABLE_INFO_LIVE | TCTABLE_INFO_SEGMENTS,
		.start_ns = LAST_NS,
		.now_ns = LAST_NS + 5000000,
		.host_timeout_ns = 900000000000,
		.software = "tcsniff 0.1.0",
	};

	strcpy(i.source, source);
	return i;
}

static void info_text_is_a_figure_a_line(void **state)
{
	const struct doctor_report good = {.n = 1, .check = {{.code = "one_way"}}};
	const struct doctor_report report = {.n = 3,
					     .findings = 2,
					     .check = {{.code = "one_way", .is_finding = true},
						       {.code = "inner"},
						       {.code = "drops", .is_finding = true}}};
	const struct tctable_info info = info_of("lan.pcap");
	struct catch c;

	(void)state;
	print_info(catch_begin(&c), &info, &report);
	catch_end(&c, "software=tcsniff 0.1.0\nversion=2\nhz=1000000000\nhost_size=208\n"
		      "conn_size=120\nstats_size=1200\ninfo_size=344\n"
		      "start=1275451200.250\nnow=1275451200.255\nhost_timeout=900.000\n"
		      "source=lan.pcap\nworkers=4\nlive=yes\nsegments=on\ndirection=inner\n"
		      "doctor=one_way,drops (see 'tctable doctor')\n");
	print_info(catch_begin(&c), &info, &good);
	assert_int_equal(fclose(c.out), 0);
	assert_non_null(strstr(c.text, "\ndoctor=no findings\n"));
	free(c.text);
	print_info_json(catch_begin(&c), &info, &report);
	assert_int_equal(fclose(c.out), 0);
	assert_non_null(strstr(c.text, ", \"findings\": [\"one_way\", \"drops\"]}\n"));
	free(c.text);
}

/* --- foreign bytes ------------------------------------------------------------ */

/* An escape sequence, C1's CSI as UTF-8, a cut character, an overlong slash, a
 * surrogate, one above U+10FFFF; and what may pass. */
#define HOSTILE                                                                                    \
	"a\x1b[2J\n\xc2\x9bz\xe2\x82"                                                              \
	"b\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\"\\ \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f"

static void no_terminal_is_told_what_to_do(void **state)
{
	const struct tctable_info info = info_of(HOSTILE);
	struct catch c;

	(void)state;
	print_info(catch_begin(&c), &info, NULL);
	assert_int_equal(fclose(c.out), 0);
	assert_non_null(strstr(c.text, "source=a?[2J???z??b?????????\"\\ "
				       "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80?\n"));
	free(c.text);
}

static void json_strings_are_escaped(void **state)
{
	const struct tctable_info info = info_of(HOSTILE);
	struct catch c;

	(void)state;
#define R "\\ufffd"
	print_info_json(catch_begin(&c), &info, NULL);
	catch_end(&c, "{\"version\": 2, \"hz\": 1000000000, \"record_sizes\": {\"host\": 208, "
		      "\"connection\": 120, \"stats\": 1200, \"info\": 344}, "
		      "\"software\": \"tcsniff 0.1.0\", \"start_ns\": 1275451200250000000, "
		      "\"now_ns\": 1275451200255000000, \"host_timeout_ns\": 900000000000, "
		      "\"source\": \"a" R "[2J" R R R "z" R R "b" R R R R R R R R R
		      "\\\"\\\\ \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" R "\", \"workers\": 4, "
		      "\"live\": true, \"segments\": true, \"direction\": \"inner\", "
		      "\"findings\": null}\n");
#undef R
}

/* --- JSON ------------------------------------------------------------------- */

static void json_table_is_as_promised(void **state)
{
	const struct tctable_host hosts[] = {design_host(), design_host()};
	const struct tctable_ledger ledger = design_ledger();
	const struct tctable_host overflow = {.kind = TCTABLE_HOST_OVERFLOW};
	const struct tctable_host forgotten = {.kind = TCTABLE_HOST_FORGOTTEN};
	const struct print_table table = {&ledger, hosts, 2, &overflow, &forgotten};
	const char *expected =
		"{\"ledger\": " DESIGN_LEDGER_JSON ",\n"
		" \"hosts\": [\n  " DESIGN_HOST_JSON ",\n  " DESIGN_HOST_JSON "\n ],\n"
		" \"overflow\": " NO_CLASSES_JSON ",\n"
		" \"forgotten\": " NO_CLASSES_JSON "}\n";
	struct print_json j;
	struct catch c;

	(void)state;
	print_table_json(catch_begin(&c), &table);
	catch_end(&c, expected);

	print_hosts_json_begin(&j, catch_begin(&c), &ledger);
	print_hosts_json_add(&j, &hosts[0]);
	print_hosts_json_add(&j, &hosts[1]);
	print_hosts_json_end(&j, &overflow, &forgotten);
	catch_end(&c, expected);
}

static void json_ledger_alone_is_that_of_the_table(void **state)
{
	const struct tctable_ledger ledger = design_ledger();
	struct catch c;

	(void)state;
	print_ledger_json(catch_begin(&c), &ledger);
	catch_end(&c, "{\"ledger\": " DESIGN_LEDGER_JSON "}\n");
}

static void json_table_of_no_hosts_is_an_empty_list(void **state)
{
	const struct tctable_ledger ledger = design_ledger();
	const struct tctable_host overflow = {.kind = TCTABLE_HOST_OVERFLOW};
	const struct tctable_host forgotten = {.kind = TCTABLE_HOST_FORGOTTEN};
	const struct print_table table = {&ledger, NULL, 0, &overflow, &forgotten};
	struct catch c;

	(void)state;
	print_table_json(catch_begin(&c), &table);
	catch_end(&c, "{\"ledger\": " DESIGN_LEDGER_JSON ",\n \"hosts\": [],\n"
		      " \"overflow\": " NO_CLASSES_JSON ",\n"
		      " \"forgotten\": " NO_CLASSES_JSON "}\n");
}

static void text_table_shows_overflow_and_forgotten_if_they_counted(void **state)
{
	const struct tctable_host host = design_host();
	const struct tctable_ledger ledger = design_ledger();
	const struct tctable_host overflow = {
		.kind = TCTABLE_HOST_OVERFLOW,
		.cls = {[TCTABLE_UDP] = {0, {2, 200}, {1, 50}}},
	};
	const struct tctable_host forgotten = {.kind = TCTABLE_HOST_FORGOTTEN};
	const struct print_table table = {&ledger, &host, 1, &overflow, &forgotten};
	struct catch c;

	(void)state;
	print_table_text(catch_begin(&c), &table);
	catch_end(&c, "len=1\n"
		      "192.168.1.250 conn=2 pcnt=11338 bcnt=2079269 last=1275451200.250 "
		      "next_id=18 use=3\n"
		      "overflow conn=0 pcnt=3 bcnt=250\n");
}

static void json_host_count_and_proc_are_of_the_same_shape(void **state)
{
	struct tctable_host host = design_host();
	struct print_json j;
	struct catch c;

	(void)state;
	print_host_json(catch_begin(&c), &host);
	catch_end(&c, DESIGN_HOST_JSON "\n");

	print_count_json(catch_begin(&c), 13);
	catch_end(&c, "{\"count\": 13}\n");

	print_proc_json_begin(&j, catch_begin(&c), LAST_NS);
	print_proc_json_add(&j, &host);
	host.forget_ns = LAST_NS + 1;
	print_proc_json_add(&j, &host);
	print_proc_json_end(&j);
	assert_int_equal(fclose(c.out), 0);
	assert_non_null(strstr(c.text, ", \"forget_ns\": null},\n"));
	assert_non_null(strstr(c.text, ", \"forget_ns\": 1275451200250000001}\n ]}\n"));
	free(c.text);
}

static void json_connections_are_as_promised(void **state)
{
	const struct tctable_addr ip = addr("192.168.1.250");
	struct tctable_conn conn = conn_of(6, "192.168.1.250", 60222, "192.168.1.231", 22);
	struct print_json j;
	struct catch c;

	(void)state;
	strcpy(conn.state, "established");
	print_conns_json_begin(&j, catch_begin(&c), &ip);
	print_conns_json_add(&j, &conn);
	conn.id = 1;
	conn.protocol = 1;
	conn.is_icmp = 1;
	conn.icmp_type[0] = 8;
	conn.icmp_id = 77;
	conn.icmp_errors = 2;
	conn.state[0] = '\0';
	print_conns_json_add(&j, &conn);
	conn.id = 2;
	conn.protocol = 253;
	conn.is_icmp = 0;
	conn.icmp_errors = 0;
	conn.orig.port = conn.reply.port = 0;
	print_conns_json_add(&j, &conn);
	print_conns_json_end(&j);
	catch_end(&c,
		  "{\"ip\": \"192.168.1.250\",\n \"connections\": [\n"
		  "  {\"id\": 0, \"last_ns\": 1275451200250000000, \"protocol\": \"tcp\", "
		  "\"state\": \"established\", "
		  "\"orig\": {\"src\": \"192.168.1.250\", \"src_port\": 60222, "
		  "\"dst\": \"192.168.1.231\", \"dst_port\": 22, \"packets\": 1434, "
		  "\"bytes\": 100000}, "
		  "\"reply\": {\"src\": \"192.168.1.231\", \"src_port\": 22, "
		  "\"dst\": \"192.168.1.250\", \"dst_port\": 60222, \"packets\": 1264, "
		  "\"bytes\": 104348}},\n"
		  "  {\"id\": 1, \"last_ns\": 1275451200250000000, \"protocol\": \"icmp\", "
		  "\"state\": \"\", "
		  "\"orig\": {\"src\": \"192.168.1.250\", \"dst\": \"192.168.1.231\", "
		  "\"type\": 8, \"code\": 0, \"id\": 77, \"packets\": 1434, \"bytes\": 100000}, "
		  "\"reply\": {\"src\": \"192.168.1.231\", \"dst\": \"192.168.1.250\", "
		  "\"type\": 0, \"code\": 0, \"id\": 77, \"packets\": 1264, \"bytes\": 104348}, "
		  "\"icmp_errors\": 2},\n"
		  "  {\"id\": 2, \"last_ns\": 1275451200250000000, \"protocol\": 253, "
		  "\"state\": \"\", "
		  "\"orig\": {\"src\": \"192.168.1.250\", \"src_port\": 0, "
		  "\"dst\": \"192.168.1.231\", \"dst_port\": 0, \"packets\": 1434, "
		  "\"bytes\": 100000}, "
		  "\"reply\": {\"src\": \"192.168.1.231\", \"src_port\": 0, "
		  "\"dst\": \"192.168.1.250\", \"dst_port\": 0, \"packets\": 1264, "
		  "\"bytes\": 104348}}\n ]}\n");
}

#define STATS_JSON                                                                                 \
	"\"ledger\": {\"received\": 1000, \"counted\": 700, \"counted_bytes\": 70000, "            \
	"\"internal\": 30, \"internal_bytes\": 3000, \"tracked\": 600, "                           \
	"\"untracked\": {\"table_full\": 10, \"host_limit\": 20, \"icmp_error\": 31, "             \
	"\"icmp_other\": 19, \"fragment\": 20}, \"transit\": 150, \"not_ip\": 100, "               \
	"\"malformed\": 50, \"kernel_drops\": 7, \"ring_freezes\": 2}, "                           \
	"\"flows\": {\"capacity\": 1048576, \"live\": 400, \"started\": 500, \"expired\": 90, "    \
	"\"replaced\": 4, \"early_drops\": 6}, \"arena_bytes\": 33554432, "                        \
	"\"verdicts\": {\"not_ip\": 100, \"bad_length\": 50, \"bad_ihl\": 0}, "                    \
	"\"counters\": {\"ring_blocks\": 64, \"ring_blocks_high\": 0, \"nic_drops\": 12}"

static void json_stats_have_total_and_workers(void **state)
{
	const struct tctable_stats total = stats_of(UINT32_MAX), w0 = stats_of(0), w1 = stats_of(1);
	struct print_json j;
	struct catch c;

	(void)state;
	print_stats_json_begin(&j, catch_begin(&c), &total);
	print_stats_json_add(&j, &w0);
	print_stats_json_add(&j, &w1);
	print_stats_json_end(&j);
	catch_end(&c, "{\"total\": {" STATS_JSON
		      ", \"hosts\": {\"live\": 13, \"max\": 65536, \"forgotten\": 5}, "
		      "\"directory_bytes\": 4194304},\n"
		      " \"workers\": [\n"
		      "  {\"worker\": 0, " STATS_JSON "},\n"
		      "  {\"worker\": 1, " STATS_JSON "}\n ]}\n");
}

/* --- order and the end --------------------------------------------------------- */

static void hosts_are_sorted_by_address_ipv4_first(void **state)
{
	static const char *const order[] = {"9.255.255.255", "10.0.0.2", "10.0.0.10",
					    "192.168.1.1",   "::1",	 "2001:db8::1",
					    "2001:db8::1:0", "fe80::1"};
	static const unsigned shuffled[] = {5, 2, 7, 0, 4, 1, 6, 3};
	struct tctable_host hosts[10];

	(void)state;
	memset(hosts, 0, sizeof(hosts));
	hosts[0].kind = TCTABLE_HOST_FORGOTTEN;
	hosts[1].kind = TCTABLE_HOST_OVERFLOW;
	for (unsigned i = 0; i < 8; i++)
		hosts[i + 2].ip = addr(order[shuffled[i]]);
	print_hosts_sort(hosts, 10);
	for (unsigned i = 0; i < 8; i++) {
		const struct tctable_addr a = addr(order[i]);

		assert_int_equal(hosts[i].ip.family, a.family);
		assert_memory_equal(hosts[i].ip.bytes, a.bytes, sizeof(a.bytes));
	}
	assert_int_equal(hosts[8].kind, TCTABLE_HOST_OVERFLOW);
	assert_int_equal(hosts[9].kind, TCTABLE_HOST_FORGOTTEN);
	print_hosts_sort(NULL, 0);
}

static void full_disk_is_an_error_with_words(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct err e = {""};

	(void)state;
	assert_non_null(out);
	print_count(out, 13);
	assert_int_equal(print_finish(out, "standard output", &e), -ENOSPC);
	assert_string_equal(e.text, "cannot write to standard output: No space left on device");
	/* A failure is not forgotten because the buffer is empty by now. */
	assert_true(print_finish(out, "standard output", &e) < 0);
	fclose(out);
}

static void finish_of_what_was_written_is_0(void **state)
{
	struct catch c;

	(void)state;
	print_count(catch_begin(&c), 13);
	assert_int_equal(print_finish(c.out, "memory", NULL), 0);
	catch_end(&c, DESIGN_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(count_is_as_promised),
		cmocka_unit_test(host_line_sums_packets_into_packets_and_bytes_into_bytes),
		cmocka_unit_test(host_is_as_promised),
		cmocka_unit_test(connection_line_is_as_promised),
		cmocka_unit_test(connection_line_ends_with_state_and_icmp_errors),
		cmocka_unit_test(icmp_connection_has_type_code_and_id_for_ports),
		cmocka_unit_test(protocol_without_ports_has_addresses_alone),
		cmocka_unit_test(protocols_with_ports_have_names),
		cmocka_unit_test(proc_line_has_everything),
		cmocka_unit_test(seconds_until_forgotten_count_down_to_0),
		cmocka_unit_test(ledger_text_is_an_identity),
		cmocka_unit_test(stats_text_has_total_and_workers),
		cmocka_unit_test(more_verdicts_than_there_is_room_for_are_not_read),
		cmocka_unit_test(info_text_is_a_figure_a_line),
		cmocka_unit_test(no_terminal_is_told_what_to_do),
		cmocka_unit_test(json_strings_are_escaped),
		cmocka_unit_test(json_table_is_as_promised),
		cmocka_unit_test(json_ledger_alone_is_that_of_the_table),
		cmocka_unit_test(json_table_of_no_hosts_is_an_empty_list),
		cmocka_unit_test(text_table_shows_overflow_and_forgotten_if_they_counted),
		cmocka_unit_test(json_host_count_and_proc_are_of_the_same_shape),
		cmocka_unit_test(json_connections_are_as_promised),
		cmocka_unit_test(json_stats_have_total_and_workers),
		cmocka_unit_test(hosts_are_sorted_by_address_ipv4_first),
		cmocka_unit_test(full_disk_is_an_error_with_words),
		cmocka_unit_test(finish_of_what_was_written_is_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
