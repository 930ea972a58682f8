/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fanout_tunnels.c - the kernel's program sends all tunnels that are opened, and
 * errors about them, to one socket; and those that are not where pkt_fanout() says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/if_arp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf_vm.h"
#include "packet/fanout_bpf.h"
#include "tunnels.h"

#define SOCKETS 251 /* two that meet in one by chance are rare */

static struct sock_filter program[FANOUT_BPF_MAX];
static struct bpf_vm vm = {.program = program};

static void open_kinds(uint32_t kinds)
{
	const struct decap_conf c = {.kinds = kinds};

	vm.n = pkt_fanout_program(program, &c);
	vm.is_valid = true;
}

/* Of a raw IP packet; or behind Ethernet, which is put in front of it. */
static unsigned socket_of(const struct onion *raw, bool is_ethernet)
{
	struct onion o = *raw;
	const uint16_t type = onion_at(&o)[0] >> 4 == 4 ? 0x0800 : 0x86dd;
	struct bpf_frame f = {.protocol = type, .hatype = ARPHRD_NONE};
	unsigned socket;

	if (is_ethernet) {
		onion_ethernet(&o, type);
		f.net = 14;
		f.hatype = ARPHRD_ETHER;
	}
	f.bytes = onion_at(&o);
	f.n = o.n;
	socket = bpf_run(&vm, &f) % SOCKETS;
	assert_true(vm.is_valid);
	return socket;
}

static unsigned socket_by_addresses(const struct onion *raw)
{
	struct onion o = *raw;
	const struct frame f = onion_frame(onion_at(&o), LINK_RAW, o.n, o.n);
	const unsigned socket = pkt_fanout(&f, SOCKETS);

	assert_int_not_equal(socket, 0); /* or nothing is seen here */
	return socket;
}

/* An ICMP error of a router about what the onion holds. */
static void put_error(struct onion *o, uint8_t family)
{
	struct craft c = {0};

	craft_icmp(&c, family == ADDR_V4 ? 11 : 3, 0, 0);
	onion_put(o, c.b, c.n);
	onion_ip(o, family, 99, 11, family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6);
}

static void goes_to_the_first(const struct tunnel *t, uint8_t outer, struct onion *o,
			      const struct pkt *inner)
{
	(void)inner;
	for (unsigned is_ethernet = 0; is_ethernet < 2; is_ethernet++) {
		struct onion error = *o;

		put_error(&error, outer);
		open_kinds(1u << t->kind);
		assert_int_equal(socket_of(o, is_ethernet), 0);
		assert_int_equal(socket_of(&error, is_ethernet), 0);
		open_kinds(DECAP_ALL);
		assert_int_equal(socket_of(o, is_ethernet), 0);
		assert_int_equal(socket_of(&error, is_ethernet), 0);
	}
}

static void every_tunnel_that_is_opened_goes_to_the_first_socket(void **state)
{
	(void)state;
	tunnels_each(goes_to_the_first);
}

static void goes_by_addresses(const struct tunnel *t, uint8_t outer, struct onion *o,
			      const struct pkt *inner)
{
	const bool is_gre = t->proto == PROTO_GRE;
	const uint32_t as_it_seems = is_gre ? 1u << DECAP_GRE | 1u << DECAP_ERSPAN : 1u << t->kind;

	(void)inner;
	for (unsigned is_ethernet = 0; is_ethernet < 2; is_ethernet++) {
		struct onion error = *o;

		put_error(&error, outer);
		open_kinds(DECAP_ALL & ~as_it_seems);
		assert_int_equal(socket_of(o, is_ethernet), socket_by_addresses(o));
		assert_int_equal(socket_of(&error, is_ethernet), socket_by_addresses(&error));
	}
}

static void tunnels_that_stay_closed_go_by_their_addresses(void **state)
{
	(void)state;
	tunnels_each(goes_by_addresses);
}

static void packets_in_no_tunnel_go_by_their_addresses(void **state)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};

	(void)state;
	open_kinds(DECAP_ALL);
	for (unsigned i = 0; i < 2; i++) {
		struct onion o;

		tunnel_inner(&o, families[i]);
		assert_int_equal(socket_of(&o, true), socket_by_addresses(&o));
		put_error(&o, families[i]);
		assert_int_equal(socket_of(&o, true), socket_by_addresses(&o));
		o.n = 0;
		onion_fill(&o, 40, 0x55);
		onion_udp(&o, 5000, 53);
		onion_ip(&o, families[i], 1, 2, PROTO_UDP);
		assert_int_equal(socket_of(&o, true), socket_by_addresses(&o));
	}
}

static void all_fragments_of_a_udp_tunnel_go_by_their_addresses(void **state)
{
	static const char *const headers[] = {"1100 0001 00000007", "1100 0578 00000007"};
	struct onion o;

	(void)state;
	open_kinds(DECAP_ALL);
	for (unsigned i = 0; i < 2; i++) {
		o.n = 0;
		onion_fill(&o, 40, 0x55);
		onion_udp(&o, 5000, 4789);
		onion_ip(&o, ADDR_V4, 11, 12, PROTO_UDP);
		onion_at(&o)[6] = i ? 0x00 : 0x20;
		onion_at(&o)[7] = i ? 0xb9 : 0x00;
		assert_int_equal(socket_of(&o, true), socket_by_addresses(&o));
		o.n = 0;
		onion_fill(&o, 40, 0x55);
		onion_udp(&o, 5000, 4789);
		onion_hex(&o, headers[i]);
		onion_ip(&o, ADDR_V6, 11, 12, PROTO_FRAGMENT);
		assert_int_equal(socket_of(&o, true), socket_by_addresses(&o));
	}
}

static void fragments_of_other_tunnels_go_to_the_first_socket(void **state)
{
	static const char *const headers[] = {"2f00 0001 00000007", "2f00 0578 00000007"};
	struct onion o;

	(void)state;
	open_kinds(DECAP_ALL);
	for (unsigned i = 0; i < 2; i++) {
		tunnel_inner(&o, ADDR_V4);
		onion_hex(&o, "0000 0800");
		onion_hex(&o, headers[i]);
		onion_ip(&o, ADDR_V6, 11, 12, PROTO_FRAGMENT);
		assert_int_equal(socket_of(&o, true), 0);
	}
}

static void kernel_takes_the_longest_program(void **state)
{
	struct sock_fprog f = {.filter = program};
	int fd;

	(void)state;
	open_kinds(DECAP_ALL);
	f.len = (unsigned short)vm.n;
	assert_in_range(vm.n, 1, FANOUT_BPF_MAX);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tunnel_that_is_opened_goes_to_the_first_socket),
		cmocka_unit_test(tunnels_that_stay_closed_go_by_their_addresses),
		cmocka_unit_test(packets_in_no_tunnel_go_by_their_addresses),
		cmocka_unit_test(all_fragments_of_a_udp_tunnel_go_by_their_addresses),
		cmocka_unit_test(fragments_of_other_tunnels_go_to_the_first_socket),
		cmocka_unit_test(kernel_takes_the_longest_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
