/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_segments.c - a merged frame counts the packets that were on the wire.
 *
 * What is expected comes from cutting the payload segment by segment, each with
 * headers of its own, as an offload would.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "craft.h"

#define SEED   5077
#define ROUNDS 20000

/* A frame whose payload is not captured. */
struct merged {
	uint8_t family, proto;
	unsigned tags;		/* before the IP header */
	unsigned ip_options;	/* IPv4: bytes */
	unsigned extensions;	/* IPv6: destination options of 8 bytes, each */
	unsigned tcp_options;	/* bytes */
	uint32_t payload;	/* bytes, of all segments */
	uint16_t size;		/* gso_size ... */
	uint8_t as;		/* ... and gso_proto */
	bool is_without_length; /* as more than 64 KiB are told */
	unsigned captured;	/* bytes of the transport header; 0: all */
};

struct sum {
	uint64_t packets, bytes;
};

static unsigned transport_bytes(const struct merged *m)
{
	return m->proto == PROTO_TCP ? 20 + m->tcp_options : 8;
}

static unsigned headers_bytes(const struct merged *m)
{
	return (m->family == ADDR_V4 ? 20 + m->ip_options : 40 + 8 * m->extensions) +
	       transport_bytes(m);
}

/* One after the other: what each took on the wire. */
static struct sum cut(const struct merged *m)
{
	struct sum s = {0, 0};

	for (uint32_t left = m->payload; left;) {
		const uint32_t n = left < m->size ? left : m->size;

		s.packets++;
		s.bytes += headers_bytes(m) + n;
		left -= n;
	}
	return s;
}

/* As it came: one packet. */
static struct sum whole(const struct merged *m)
{
	return (struct sum){1, headers_bytes(m) + m->payload};
}

static void put_ip(struct craft *c, const struct merged *m)
{
	const unsigned rest = transport_bytes(m) + m->payload;

	c->ip = c->n;
	if (m->family == ADDR_V4) {
		craft_ipv4(c, 1, 2, m->proto, m->ip_options, rest);
		if (m->is_without_length)
			craft_set(c, c->ip + 2, 2, 0);
		return;
	}
	craft_ipv6(c, 1, 2, m->extensions ? PROTO_DSTOPTS : m->proto, 8 * m->extensions + rest);
	if (m->is_without_length)
		craft_set(c, c->ip + 4, 2, 0);
	for (unsigned i = m->extensions; i; i--) {
		craft_be(c, 1, i > 1 ? PROTO_DSTOPTS : m->proto);
		craft_fill(c, 7, 0);
	}
}

static void put_transport(struct craft *c, const struct merged *m)
{
	if (m->proto == PROTO_UDP) {
		craft_udp(c, 1000, 53);
		return;
	}
	craft_tcp(c, 1000, 443, PKT_TCP_ACK);
	craft_set(c, c->n - 8, 1, (20 + m->tcp_options) / 4 << 4);
	craft_fill(c, m->tcp_options, 1);
}

/* c: for a test that changes it; its transport header is at c->n less
 * transport_bytes(). Returns how long the frame was. */
static uint32_t put_frame(struct craft *c, const struct merged *m)
{
	const uint16_t type = m->family == ADDR_V4 ? 0x0800 : 0x86dd;

	memset(c, 0, sizeof(*c));
	craft_ethernet(c, m->tags ? 0x8100 : type);
	for (unsigned i = m->tags; i; i--)
		craft_be(c, 4, i > 1 ? 0x00078100 : 0x00070000u | type);
	put_ip(c, m);
	put_transport(c, m);
	return (uint32_t)c->n + m->payload;
}

static struct pkt decode(const struct craft *c, const struct merged *m, uint32_t wirelen)
{
	uint8_t *alone = malloc(c->n);
	struct frame f = {
		.data = alone,
		.caplen = (uint32_t)c->n,
		.wirelen = wirelen,
		.link = LINK_ETHERNET,
		.gso_size = m->size,
		.gso_proto = m->as,
	};
	struct pkt p;

	if (m->captured)
		f.caplen -= transport_bytes(m) - m->captured;
	memcpy(alone, c->b, c->n);
	memset(&p, 0xa5, sizeof(p));
	assert_int_equal(pkt_decode(&f, &p), PKT_OK);
	free(alone);
	return p;
}

static void assert_counts(const struct merged *m, struct sum want, unsigned step)
{
	struct craft c;
	const uint32_t wirelen = put_frame(&c, m);
	const struct pkt p = decode(&c, m, wirelen);

	if (p.packets != want.packets || p.ip_bytes != want.bytes)
		fail_msg("seed %u, step %u: %u packets, %u bytes; cut: %u, %u", SEED, step,
			 p.packets, p.ip_bytes, (unsigned)want.packets, (unsigned)want.bytes);
}

/* --- what is merged ------------------------------------------------------------ */

static const struct merged tcp4 = {
	.family = ADDR_V4, .proto = PROTO_TCP, .payload = 4000, .size = 1448, .as = PROTO_TCP};
static const struct merged tcp6 = {
	.family = ADDR_V6, .proto = PROTO_TCP, .payload = 4000, .size = 1428, .as = PROTO_TCP};
static const struct merged udp4 = {
	.family = ADDR_V4, .proto = PROTO_UDP, .payload = 4000, .size = 1200, .as = PROTO_UDP};
static const struct merged udp6 = {
	.family = ADDR_V6, .proto = PROTO_UDP, .payload = 4000, .size = 1200, .as = PROTO_UDP};

/* Reckoned by hand, to hold cut() to something. */
static void segments_have_headers_of_their_own(void **state)
{
	struct merged m = tcp4; /* 1448 + 1448 + 1104 */

	(void)state;
	assert_counts(&m, (struct sum){3, 4000 + 3 * 40}, 0);
	m.tcp_options = 12;
	assert_counts(&m, (struct sum){3, 4000 + 3 * 52}, 1);
	m.ip_options = 8;
	assert_counts(&m, (struct sum){3, 4000 + 3 * 60}, 2);
	m = tcp6; /* 1428 + 1428 + 1144 */
	assert_counts(&m, (struct sum){3, 4000 + 3 * 60}, 3);
	m.extensions = 2;
	assert_counts(&m, (struct sum){3, 4000 + 3 * 76}, 4);
	m = udp4; /* 3 of 1200, and 400 */
	assert_counts(&m, (struct sum){4, 4000 + 4 * 28}, 5);
	m = udp6;
	assert_counts(&m, (struct sum){4, 4000 + 4 * 48}, 6);
}

/* To the byte around each multiple. */
static void last_segment_is_as_long_as_what_is_left(void **state)
{
	static const struct merged *const kinds[] = {&tcp4, &tcp6, &udp4, &udp6};

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		for (uint32_t n = 1; n <= 5; n++) {
			struct merged m = *kinds[k];

			m.payload = n * m.size;
			assert_int_equal(cut(&m).packets, n);
			assert_counts(&m, cut(&m), k * 10 + n);
			m.payload--;
			assert_int_equal(cut(&m).packets, n);
			assert_counts(&m, cut(&m), k * 10 + n);
			m.payload += 2;
			assert_int_equal(cut(&m).packets, n + 1);
			assert_counts(&m, cut(&m), k * 10 + n);
		}
	}
}

static void any_merged_frame_counts_as_when_cut(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct merged m = {
			.family = random_below(&r, 2) ? ADDR_V4 : ADDR_V6,
			.proto = random_below(&r, 2) ? PROTO_TCP : PROTO_UDP,
			.tags = random_below(&r, 3),
			.ip_options = random_below(&r, 11) * 4,
			.extensions = random_below(&r, 4),
			.tcp_options = random_below(&r, 11) * 4,
			.payload = 1 + random_below(&r, 60000),
			.size = (uint16_t)(1 +
					   random_below(&r, random_below(&r, 2) ? 9000 : 65535)),
		};

		m.as = m.proto;
		assert_counts(&m, cut(&m), i);
		/* and alike without the length, which only the frame then tells */
		m.is_without_length = true;
		m.payload += random_below(&r, 400000);
		assert_counts(&m, cut(&m), i);
	}
}

static void tags_in_front_make_no_difference(void **state)
{
	(void)state;
	for (unsigned tags = 1; tags <= 3; tags++) {
		struct merged m = tcp4;

		m.tags = tags;
		assert_counts(&m, cut(&tcp4), tags);
		m = udp6;
		m.tags = tags;
		assert_counts(&m, cut(&udp6), tags);
	}
}

/* The minimum of Ethernet: padding is no payload. */
static void padding_is_not_cut(void **state)
{
	struct merged m = tcp4;
	struct craft c;
	struct pkt p;

	(void)state;
	m.payload = 2;
	m.size = 1;
	put_frame(&c, &m);
	craft_fill(&c, 2 + 4, 0);
	p = decode(&c, &m, (uint32_t)c.n);
	assert_int_equal(p.packets, 2);
	assert_int_equal(p.ip_bytes, 2 * 41);
}

/* --- what is not, or cannot be --------------------------------------------------- */

static void frames_with_little_payload_are_one_packet(void **state)
{
	static const uint32_t payloads[] = {0, 1, 1447, 1448};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct merged m = tcp4;

		m.payload = payloads[i];
		assert_counts(&m, whole(&m), i);
		m.size = UINT16_MAX;
		assert_counts(&m, whole(&m), i);
	}
}

static void frames_of_no_size_or_another_protocol_are_one_packet(void **state)
{
	static const uint8_t others[] = {0, PROTO_UDP, PROTO_ICMP, 255};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct merged m = tcp4;

		m.as = others[i];
		assert_counts(&m, whole(&m), i);
		m = tcp4;
		m.size = 0;
		assert_counts(&m, whole(&m), i);
	}
}

/* How long the headers are stands in the first 20 bytes of TCP's; UDP's are
 * always as long. */
static void frames_without_their_headers_are_one_packet(void **state)
{
	(void)state;
	for (unsigned captured = 1; captured <= 32; captured++) {
		struct merged m = tcp4;

		m.tcp_options = 12;
		m.captured = captured;
		assert_counts(&m, captured < 20 ? whole(&m) : cut(&m), captured);
		m = tcp6;
		m.tcp_options = 12;
		m.captured = captured;
		assert_counts(&m, captured < 20 ? whole(&m) : cut(&m), captured);
	}
	for (unsigned captured = 1; captured <= 8; captured++) {
		struct merged m = udp4;

		/* without its ports it is a flow of its addresses all the same */
		m.captured = captured;
		assert_counts(&m, cut(&m), captured);
	}
}

/* One byte short, before a transport header that may be the whole of it. */
static void options_that_are_not_captured_make_it_one_packet(void **state)
{
	static const struct merged *const kinds[] = {&tcp4, &udp4, &tcp6, &udp6};

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct merged m = *kinds[k];
		struct craft c;
		uint32_t wirelen;
		struct pkt p;

		m.ip_options = 40;
		m.extensions = 1;
		wirelen = put_frame(&c, &m);
		c.n -= transport_bytes(&m) + 1;
		p = decode(&c, &m, wirelen);
		assert_int_equal(p.packets, 1);
		assert_int_equal(p.ip_bytes, whole(&m).bytes);
	}
}

/* A header length that no TCP header has: nothing tells how to cut. */
static void tcp_headers_of_impossible_length_make_it_one_packet(void **state)
{
	(void)state;
	for (unsigned words = 0; words < 16; words++) {
		struct merged m = tcp4;
		struct craft c;
		const uint32_t wirelen = put_frame(&c, &m);
		struct pkt p;

		craft_set(&c, c.n - 8, 1, words << 4);
		p = decode(&c, &m, wirelen);
		m.tcp_options = words < 5 ? 0 : words * 4 - 20;
		m.payload = tcp4.payload - m.tcp_options; /* what they take from it */
		assert_int_equal(p.packets, words < 5 ? 1 : cut(&m).packets);
		assert_int_equal(p.ip_bytes, words < 5 ? whole(&m).bytes : cut(&m).bytes);
	}
}

/* And one that is longer than the packet. */
static void tcp_headers_longer_than_the_packet_make_it_one_packet(void **state)
{
	struct merged m = tcp4;
	struct craft c;
	uint32_t wirelen;
	struct pkt p;

	(void)state;
	m.size = 1;
	for (m.payload = 0; m.payload <= 41; m.payload++) {
		wirelen = put_frame(&c, &m);
		craft_set(&c, c.n - 8, 1, 0xf0);
		p = decode(&c, &m, wirelen);
		assert_int_equal(p.packets, 1);
		assert_int_equal(p.ip_bytes, whole(&m).bytes);
	}
}

/* Fragments and ICMP errors are never merged, whatever a device says. */
static void frames_of_no_flow_are_one_packet(void **state)
{
	struct merged m = tcp4;
	struct craft c;
	uint32_t wirelen = put_frame(&c, &m);
	struct pkt p;

	(void)state;
	craft_set(&c, c.ip + 6, 2, 0x00b9);
	p = decode(&c, &m, wirelen);
	assert_int_equal(p.kind, PKT_KIND_FRAGMENT);
	assert_int_equal(p.packets, 1);
	assert_int_equal(p.ip_bytes, whole(&m).bytes);

	/* its key is the one of what it quotes */
	memset(&c, 0, sizeof(c));
	craft_ethernet(&c, 0x0800);
	craft_ipv4(&c, 3, 1, PROTO_ICMP, 0, 8 + 20 + 20 + 4000);
	craft_icmp(&c, 3, 1, 0);
	craft_ipv4(&c, 1, 2, PROTO_TCP, 0, 4020);
	craft_set(&c, c.n - 16, 1, 0x50); /* its id: where TCP would say 20 bytes */
	craft_tcp(&c, 1000, 443, PKT_TCP_ACK);
	p = decode(&c, &m, (uint32_t)c.n + 4000);
	assert_int_equal(p.kind, PKT_KIND_ICMP_ERROR);
	assert_int_equal(p.key.proto, PROTO_TCP);
	assert_int_equal(p.packets, 1);
	assert_int_equal(p.ip_bytes, 4068);
}

/* More bytes than can be counted were on no wire: a length lies, or a size. */
static void sums_that_do_not_fit_are_one_packet(void **state)
{
	struct merged m = tcp4;

	(void)state;
	m.ip_options = m.tcp_options = 40;
	m.is_without_length = true;
	m.size = 1;
	m.payload = UINT32_MAX / 121; /* the last that fits */
	assert_counts(&m, cut(&m), 0);
	m.payload++;
	assert_counts(&m, whole(&m), 1);
	m.payload = UINT32_MAX - 200;
	assert_counts(&m, whole(&m), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_have_headers_of_their_own),
		cmocka_unit_test(last_segment_is_as_long_as_what_is_left),
		cmocka_unit_test(any_merged_frame_counts_as_when_cut),
		cmocka_unit_test(tags_in_front_make_no_difference),
		cmocka_unit_test(padding_is_not_cut),
		cmocka_unit_test(frames_with_little_payload_are_one_packet),
		cmocka_unit_test(frames_of_no_size_or_another_protocol_are_one_packet),
		cmocka_unit_test(frames_without_their_headers_are_one_packet),
		cmocka_unit_test(options_that_are_not_captured_make_it_one_packet),
		cmocka_unit_test(tcp_headers_of_impossible_length_make_it_one_packet),
		cmocka_unit_test(tcp_headers_longer_than_the_packet_make_it_one_packet),
		cmocka_unit_test(frames_of_no_flow_are_one_packet),
		cmocka_unit_test(sums_that_do_not_fit_are_one_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
