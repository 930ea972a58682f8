/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_doctor.c - what the doctor makes of figures: each finding, and the least
 * that is none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

static void set(struct tctable_named *named, uint32_t *n, const char *name, uint64_t value)
{
	uint32_t i = 0;

	while (i < *n && strcmp(named[i].name, name) != 0)
		i++;
	snprintf(named[i].name, sizeof(named[i].name), "%s", name);
	named[i].value = value;
	*n += i == *n;
}

static void counter(struct doctor_facts *f, const char *name, uint64_t value)
{
	set(f->total.counter, &f->total.counters, name, value);
}

static void sampled(struct doctor_facts *f, const char *name, uint64_t value)
{
	set(f->sample.counter, &f->sample.counters, name, value);
}

static void verdict(struct doctor_facts *f, const char *name, uint64_t frames)
{
	struct tctable_verdict *v = &f->total.verdict[f->total.verdicts++];

	snprintf(v->name, sizeof(v->name), "%s", name);
	v->frames = frames;
}

/* A mirror that nothing is wrong with. */
static struct doctor_facts healthy(void)
{
	struct doctor_facts f = {
		.info = {.workers = 2, .flags = TCTABLE_INFO_LIVE | TCTABLE_INFO_SEGMENTS},
		.total.ledger = {.received = 100000, .counted = {90000, 1}, .transit = 9000},
		.has_sample = true,
	};

	f.hosts = (struct doctor_hosts){.n = 100,
					.tx = 45000,
					.rx = 45000,
					.tcp = 50,
					.tcp_tx_only = 1,
					.tcp_rx_only = 1,
					.tcp_packets = 80000,
					.tcp_one_way = 50};
	counter(&f, "ring_blocks", 128);
	counter(&f, "ring_blocks_high", 3);
	counter(&f, "layer_vlan", 50000);
	counter(&f, "layer_6in4", 100);
	sampled(&f, "packets", 5000);
	sampled(&f, "transit", 450);
	sampled(&f, "repeatable", 4000);
	sampled(&f, "repeated", 39);
	sampled(&f, "merged", 700);
	sampled(&f, "pairs", 200);
	sampled(&f, "half_tagged", 4);
	sampled(&f, "mtu", 1500);
	return f;
}

/* The only finding of these facts; its report. */
static struct doctor_check only(const struct doctor_facts *f, const char *code)
{
	struct doctor_check found = {.code = NULL};
	struct doctor_report r;

	doctor_judge(&r, f);
	for (unsigned i = 0; i < r.n; i++) {
		assert_true(r.check[i].evidence[0] != 0);
		if (!r.check[i].is_finding) {
			assert_int_equal(r.check[i].remedy[0], 0);
			continue;
		}
		assert_true(r.check[i].remedy[0] != 0);
		found = r.check[i];
	}
	if (r.findings != 1 || strcmp(found.code, code) != 0)
		fail_msg("%u findings, %s and not only %s", r.findings, found.code, code);
	return found;
}

static void nothing(const struct doctor_facts *f)
{
	struct doctor_report r;

	doctor_judge(&r, f);
	for (unsigned i = 0; i < r.n; i++)
		if (r.check[i].is_finding)
			fail_msg("%s: %s", r.check[i].code, r.check[i].evidence);
	assert_int_equal(r.findings, 0);
	assert_true(r.n > 10);
}

#define assert_says(text, words)                                                                   \
	do {                                                                                       \
		if (!strstr(text, words))                                                          \
			fail_msg("no '%s' in '%s'", words, text);                                  \
	} while (0)

static void healthy_mirror_has_no_findings(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	nothing(&f);
	f.has_sample = false; /* an older daemon */
	f.sample = (struct tctable_sample){.counters = 0};
	nothing(&f);
}

static void silence_is_told_with_where_to_look(void **state)
{
	struct doctor_facts f = {.info.flags = TCTABLE_INFO_LIVE, .age_sec = 77};

	(void)state;
	assert_says(only(&f, "silent").evidence, "0 frames received in 77 s");
	assert_says(only(&f, "silent").remedy, "cable");
	f.info.flags = 0;
	assert_says(only(&f, "silent").remedy, "files");
	f.total.ledger = (struct tctable_ledger){.received = 20, .not_ip = 20};
	assert_says(only(&f, "silent").remedy, "tctable -S");
	f.total.ledger.received = 19;
	nothing(&f);
}

static void one_direction_is_told_by_hosts_and_their_packets(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	f.hosts.tcp_tx_only = 45;
	f.hosts.tcp_one_way = 70000;
	assert_says(only(&f, "one_way").evidence, "of 50 hosts with TCP, 45 only sent and 1 only");
	assert_says(only(&f, "one_way").evidence, "(88 % of");
	assert_says(only(&f, "one_way").remedy, "-i tap0 -i tap1");
	f.hosts.tcp_one_way = 5000; /* a scan of many addresses */
	nothing(&f);
	f.hosts.tcp_tx_only = 1; /* a flood at one */
	f.hosts.tcp_one_way = 70000;
	nothing(&f);
}

static void without_tcp_one_direction_is_told_if_nothing_comes_back_at_all(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	f.hosts = (struct doctor_hosts){.n = 3, .tx = 0, .rx = 100};
	assert_says(only(&f, "one_way").evidence, "sent 0 packets and received 100");
	f.hosts.rx = 99;
	nothing(&f);
	f.hosts.rx = 10000;
	f.hosts.tx = 1;
	nothing(&f);
}

static void hosts_are_added_up_by_what_they_did(void **state)
{
	struct tctable_host h = {.cls = {[TCTABLE_TCP] = {.tx = {9, 9}}}};
	struct doctor_hosts sums = {.n = 0};

	(void)state;
	doctor_add_host(&sums, &h); /* too few */
	h.cls[TCTABLE_TCP].tx.packets = 10;
	doctor_add_host(&sums, &h);
	h.cls[TCTABLE_TCP].rx.packets = 1;
	doctor_add_host(&sums, &h);
	h.cls[TCTABLE_TCP].tx.packets = 0;
	h.cls[TCTABLE_TCP].rx.packets = 30;
	h.cls[TCTABLE_UDP].tx.packets = 7;
	doctor_add_host(&sums, &h);
	h.kind = TCTABLE_HOST_FORGOTTEN;
	doctor_add_host(&sums, &h);
	assert_int_equal(sums.n, 4);
	assert_int_equal(sums.tx, 9 + 10 + 10 + 7);
	assert_int_equal(sums.rx, 31);
	assert_int_equal(sums.tcp, 3);
	assert_int_equal(sums.tcp_packets, 10 + 11 + 30);
	assert_int_equal(sums.tcp_tx_only, 1);
	assert_int_equal(sums.tcp_rx_only, 1);
	assert_int_equal(sums.tcp_one_way, 40);
}

static void duplicates_are_told_by_their_share(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	sampled(&f, "repeated", 1990);
	assert_says(only(&f, "duplicates").evidence, "1990 of 4000 sampled packets (50 %)");
	assert_says(only(&f, "duplicates").remedy, "-i any");
	sampled(&f, "repeatable", 19);
	sampled(&f, "repeated", 19);
	nothing(&f);
}

/* --- networks -------------------------------------------------------------------- */

static void net(struct doctor_facts *f, const char *ip, uint8_t bits, uint64_t packets)
{
	struct tctable_net *n = &f->sample.net[f->sample.nets++];

	assert_int_equal(tctable_addr_parse(&n->ip, ip), 0);
	n->bits = bits;
	n->packets = packets;
}

static struct doctor_facts transit(void)
{
	struct doctor_facts f = healthy();

	f.total.ledger.counted.packets = 0;
	f.total.ledger.transit = 90000;
	sampled(&f, "transit", 1000);
	return f;
}

static void unknown_network_is_suggested(void **state)
{
	struct doctor_facts f = transit();
	struct doctor_check c;

	(void)state;
	net(&f, "203.0.113.0", 24, 999);
	net(&f, "8.8.8.0", 24, 600);
	c = only(&f, "inner");
	assert_says(c.evidence, "90000 of 90000 IP packets (100 %)");
	assert_says(c.evidence, "203.0.113.0/24 (100 %), 8.8.8.0/24 (60 %)");
	assert_says(c.remedy, "perhaps --inner 203.0.113.0/24; or");
	f.total.ledger.counted.packets = 90001;
	nothing(&f);
}

static void neighbouring_networks_are_suggested_as_one(void **state)
{
	struct doctor_facts f = transit();

	(void)state;
	net(&f, "198.51.100.0", 24, 250);
	net(&f, "198.51.103.0", 24, 250);
	net(&f, "198.51.101.0", 24, 250);
	net(&f, "198.51.102.0", 24, 250);
	assert_says(only(&f, "inner").remedy, "--inner 198.51.100.0/22; or");
}

static void several_networks_are_suggested_together(void **state)
{
	struct doctor_facts f = transit();

	(void)state;
	net(&f, "2001:db8:1:2::", 64, 500);
	net(&f, "198.51.100.0", 24, 480);
	net(&f, "8.8.8.0", 24, 30);
	assert_says(only(&f, "inner").remedy, "--inner 2001:db8:1:2::/64,198.51.100.0/24; or");
}

static void wide_network_is_put_together_from_its_parts(void **state)
{
	struct doctor_facts f = transit(), g = transit();
	char ip[32];

	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		snprintf(ip, sizeof(ip), "172.32.%u.0", 10 * i);
		net(&f, ip, 24, 42);
		snprintf(ip, sizeof(ip), "2001:db8:7:%x::", 0x1111 * (i % 15));
		net(&g, ip, 64, 42);
	}
	assert_says(only(&f, "inner").remedy, "--inner 172.32.0.0/16; or");
	assert_says(only(&g, "inner").remedy, "--inner 2001:db8:7::/48; or");
}

static void nothing_is_suggested_where_nothing_stands_out(void **state)
{
	struct doctor_facts f = transit();
	char ip[32];

	(void)state;
	for (unsigned i = 0; i < TCTABLE_SAMPLE_NETS; i++) {
		snprintf(ip, sizeof(ip), "%u.7.7.0", 20 + 3 * i);
		net(&f, ip, 24, 60);
	}
	assert_says(only(&f, "inner").remedy, "Name your networks with --inner; or");
}

static void frames_between_others_are_no_gateways(void **state)
{
	struct doctor_facts f = transit();

	(void)state;
	f.info.flags |= TCTABLE_INFO_NIC;
	assert_says(only(&f, "inner").remedy, "--direction nic");
}

/* --- what is cut -------------------------------------------------------------------- */

static void cut_headers_are_told_by_either_figure(void **state)
{
	struct doctor_facts f = healthy(), g = healthy();

	(void)state;
	verdict(&f, "malformed_cut", 60);
	verdict(&f, "not_ip_cut", 40);
	assert_says(only(&f, "snaplen").evidence, "100 of 100000 frames");
	assert_says(only(&f, "snaplen").remedy, "--snaplen");
	f.info.flags = 0;
	assert_says(only(&f, "snaplen").remedy, "tcpdump -s");
	f.total.ledger.received = 100001;
	nothing(&f);
	sampled(&g, "portless", 20);
	assert_says(only(&g, "snaplen").evidence, "20 of 5000 sampled packets without their ports");
}

static void frames_cut_on_the_way_are_told(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	verdict(&f, "malformed_length_long", 5000);
	assert_says(only(&f, "truncated").evidence, "5000 of 100000 frames were shorter");
	assert_says(only(&f, "truncated").remedy, "truncation");
}

static void merged_segments_are_a_finding_where_they_count_as_one(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	sampled(&f, "long", 300);
	sampled(&f, "longest_bytes", 64000);
	assert_says(only(&f, "merged").evidence, "300 of 5000 sampled packets longer than 1500");
	assert_says(only(&f, "merged").evidence, "longest of 64000 (the interface's MTU is 1500)");
	assert_says(only(&f, "merged").remedy, "lro off");
	f.info.flags &= ~TCTABLE_INFO_SEGMENTS;
	assert_says(only(&f, "merged").remedy, "--no-segments");
	f.info.flags = 0;
	sampled(&f, "mtu", 0);
	assert_says(only(&f, "merged").remedy, "recorded");
	sampled(&f, "longest_bytes", 9000); /* jumbo frames */
	nothing(&f);
	f.info.flags = TCTABLE_INFO_LIVE;
	sampled(&f, "mtu", 9000);
	nothing(&f);
	sampled(&f, "longest_bytes", 9001);
	only(&f, "merged");
}

static void tags_of_one_direction_are_told(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	sampled(&f, "half_tagged", 190);
	assert_says(only(&f, "vlan").evidence, "of 200 sampled connections, 190 have tags in one");
	sampled(&f, "half_tagged", 19);
	nothing(&f);
}

/* --- what is lost -------------------------------------------------------------------- */

static void drops_are_told_with_the_option_that_helps(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	f.total.ledger.kernel_drops = 11;
	f.workers_lossy = 2;
	counter(&f, "ring_blocks_high", 64);
	assert_says(only(&f, "drops").evidence, "11 frames dropped by the kernel");
	assert_says(only(&f, "drops").evidence, "64 of the 64 blocks");
	assert_says(only(&f, "drops").remedy, "--fanout (now 2)");
	f.workers_lossy = 1;
	assert_says(only(&f, "drops").remedy, "--ring-blocks");
	assert_says(only(&f, "drops").remedy, "--cpus");
	f.total.ledger.kernel_drops = 10;
	nothing(&f);
}

static void drops_of_the_interface_are_told_apart(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	counter(&f, "nic_drops", 20);
	assert_says(only(&f, "nic_drops").remedy, "ethtool -G");
	f.total.ledger.received = 1000000;
	nothing(&f);
	f = healthy();
	counter(&f, "nic_drops", 40);
	counter(&f, "layer_qinq", 20); /* that nobody but us took */
	assert_says(only(&f, "nic_drops").evidence, "20 frames dropped");
	counter(&f, "layer_qinq", 40);
	nothing(&f);
}

static void jumps_of_the_clock_are_told(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	counter(&f, "clock_jumps_back", 1);
	assert_says(only(&f, "clock").remedy, "NTP");
	counter(&f, "clock_jumps_back", 0);
	counter(&f, "clock_jumps_forward", 2);
	f.info.flags = 0;
	assert_says(only(&f, "clock").evidence, "forward 2 times");
	assert_says(only(&f, "clock").remedy, "order");
}

static void full_tables_are_told(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	counter(&f, "emergencies", 1);
	assert_says(only(&f, "limits").remedy, "--max-flows");
	counter(&f, "emergencies", 0);
	f.total.ledger.host_limit = 1;
	assert_says(only(&f, "limits").remedy, "--max-hosts");
}

/* --- tunnels ------------------------------------------------------------------------- */

static void tunnels_that_are_most_of_it_are_to_be_opened(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	counter(&f, "layer_vxlan", 60000);
	counter(&f, "layer_erspan", 5000);
	assert_says(only(&f, "decap").evidence, "vxlan in 60000 of 100000 frames (60 %)");
	assert_says(only(&f, "decap").remedy, "--decap erspan,vxlan counts");
	counter(&f, "decap_vxlan", 59000);
	counter(&f, "decap_vxlan_unreadable", 1000);
	assert_says(only(&f, "decap").remedy, "--decap erspan counts");
	counter(&f, "layer_erspan", 4999);
	nothing(&f);
}

static void tunnels_that_cannot_be_opened_are_told(void **state)
{
	struct doctor_facts f = healthy();

	(void)state;
	counter(&f, "layer_gre", 1000);
	counter(&f, "decap_gre", 950);
	counter(&f, "decap_gre_unreadable", 50);
	assert_says(only(&f, "unreadable").evidence, "gre: 50 of 1000 frames");
	assert_says(only(&f, "unreadable").remedy, "--snaplen");
}

/* --- words ---------------------------------------------------------------------------- */

static char *printed(void (*print)(FILE *, const struct doctor_report *),
		     const struct doctor_facts *f)
{
	struct doctor_report r;
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	doctor_judge(&r, f);
	print(out, &r);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void report_is_for_a_terminal_of_80_columns(void **state)
{
	struct doctor_facts f = healthy();
	char *text = printed(doctor_print, &f);

	(void)state;
	assert_ptr_equal(strstr(text, "no findings\n"), text);
	free(text);
	counter(&f, "clock_jumps_back", 1);
	text = printed(doctor_print, &f);
	assert_ptr_equal(strstr(text, "1 finding\n\nclock: the clock jumps\n    stamps jumped"),
			 text);
	assert_says(text, "\n    To do: The clock was set");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_in_range(strlen(line), 0, 79);
	free(text);
}

static void report_for_programs_has_the_same(void **state)
{
	struct doctor_facts f = healthy();
	char *text = printed(doctor_print_json, &f);

	(void)state;
	assert_ptr_equal(
		strstr(text, "{\"findings\": [],\n \"checked\": [\n  {\"code\": \"silent\""), text);
	free(text);
	counter(&f, "clock_jumps_back", 1);
	text = printed(doctor_print_json, &f);
	assert_says(text,
		    "{\"findings\": [\n  {\"code\": \"clock\", \"title\": \"the clock jumps\", "
		    "\"evidence\": \"stamps jumped back 1 times");
	assert_says(text, "\"remedy\": \"The clock was set");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_mirror_has_no_findings),
		cmocka_unit_test(silence_is_told_with_where_to_look),
		cmocka_unit_test(one_direction_is_told_by_hosts_and_their_packets),
		cmocka_unit_test(without_tcp_one_direction_is_told_if_nothing_comes_back_at_all),
		cmocka_unit_test(hosts_are_added_up_by_what_they_did),
		cmocka_unit_test(duplicates_are_told_by_their_share),
		cmocka_unit_test(unknown_network_is_suggested),
		cmocka_unit_test(neighbouring_networks_are_suggested_as_one),
		cmocka_unit_test(several_networks_are_suggested_together),
		cmocka_unit_test(wide_network_is_put_together_from_its_parts),
		cmocka_unit_test(nothing_is_suggested_where_nothing_stands_out),
		cmocka_unit_test(frames_between_others_are_no_gateways),
		cmocka_unit_test(cut_headers_are_told_by_either_figure),
		cmocka_unit_test(frames_cut_on_the_way_are_told),
		cmocka_unit_test(merged_segments_are_a_finding_where_they_count_as_one),
		cmocka_unit_test(tags_of_one_direction_are_told),
		cmocka_unit_test(drops_are_told_with_the_option_that_helps),
		cmocka_unit_test(drops_of_the_interface_are_told_apart),
		cmocka_unit_test(jumps_of_the_clock_are_told),
		cmocka_unit_test(full_tables_are_told),
		cmocka_unit_test(tunnels_that_are_most_of_it_are_to_be_opened),
		cmocka_unit_test(tunnels_that_cannot_be_opened_are_told),
		cmocka_unit_test(report_is_for_a_terminal_of_80_columns),
		cmocka_unit_test(report_for_programs_has_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
