/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fast.c - the short way says of a frame exactly what the walk says.
 *
 * Good frames of all kinds, damaged where the short way looks; each that it
 * takes is walked as well. Both write into a struct filled with a pattern of
 * their own, so a field that only one of them fills is seen.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../flow/random.h"
#include "craft.h"
#include "packet/fast.h"

#define FRAMES	300000
#define SEED	20101
#define PAYLOAD 12

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a frame is before it is damaged. The first ones are for the short way. */
enum shape { PLAIN, V4_OPTIONS, V4_FRAGMENT, V6_EXTENSION, TAGGED, QUERY, SHAPES };

struct sample {
	struct craft c;
	struct frame f; /* without data */
};

static unsigned transport_bytes(uint8_t proto)
{
	return proto == PROTO_TCP ? 20 : 8;
}

static void put_transport(struct craft *c, uint8_t proto)
{
	if (proto == PROTO_TCP)
		craft_tcp(c, 1000, 443, PKT_TCP_SYN | PKT_TCP_ACK);
	else if (proto == PROTO_UDP)
		craft_udp(c, 1000, 53);
	else
		craft_icmp(c, proto == PROTO_ICMP ? 8 : 128, 0, 77);
	craft_fill(c, PAYLOAD, 0x5a);
}

static void put_frame(struct sample *s, enum shape shape, uint8_t family, uint8_t proto)
{
	const unsigned rest = transport_bytes(proto) + PAYLOAD;
	const uint16_t type = family == ADDR_V4 ? 0x0800 : 0x86dd;
	struct craft *c = &s->c;

	memset(s, 0, sizeof(*s));
	craft_ethernet(c, shape == TAGGED ? 0x8100 : type);
	if (shape == TAGGED)
		craft_be(c, 4, 0x000a0000u | type);
	c->ip = c->n;
	if (family == ADDR_V6 && shape == V6_EXTENSION) {
		craft_ipv6(c, 2, 1, PROTO_DSTOPTS, 8 + rest);
		craft_be(c, 1, proto);
		craft_fill(c, 7, 0);
	} else if (family == ADDR_V6) {
		craft_ipv6(c, 2, 1, proto, rest);
	} else {
		craft_ipv4(c, 1, 2, proto, shape == V4_OPTIONS ? 8 : 0, rest);
	}
	if (family == ADDR_V4 && shape == V4_FRAGMENT)
		craft_set(c, c->ip + 6, 2, 0x2000);
	put_transport(c, proto);
	s->f = (struct frame){
		.caplen = (uint32_t)c->n,
		.wirelen = (uint32_t)c->n,
		.link = LINK_ETHERNET,
		.ts_ns = 1700000000123456789,
		.way = FRAME_WAY_OTHER,
	};
}

/* Half of them plain TCP and UDP. */
static void put_any(struct sample *s, struct random *r)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	const enum shape shape = random_below(r, 2) ? PLAIN : (enum shape)random_below(r, SHAPES);
	const uint8_t family = families[random_below(r, 2)];
	uint8_t proto = random_below(r, 2) ? PROTO_TCP : PROTO_UDP;

	if (shape == QUERY)
		proto = family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6;
	put_frame(s, shape, family, proto);
}

/* --- damage ------------------------------------------------------------------- */

static uint32_t any_length(struct random *r, uint32_t was)
{
	static const uint32_t lengths[] = {0,  1,  13, 14,    19,	  20,	     27,
					   28, 33, 34, 39,    40,	  47,	     48,
					   53, 54, 67, 65535, 0x7fffffff, 0xffffffff};

	return random_below(r, 2) ? lengths[random_below(r, COUNT(lengths))]
				  : was + random_below(r, 33) - 16;
}

/* Addresses and ports alike, in one bit unlike, or changed places: what is
 * lower decides the key. */
static void damage_key(struct sample *s, struct random *r)
{
	const bool is_v4 = s->c.b[s->c.ip] >> 4 == ADDR_V4;
	uint8_t *src = s->c.b + s->c.ip + (is_v4 ? 12 : 8);
	const size_t n = is_v4 ? 4 : 16;
	uint8_t *ports = s->c.b + s->c.ip + (is_v4 ? 20 : 40);

	memcpy(src + n, src, n);
	if (random_below(r, 2))
		src[random_below(r, (uint32_t)(2 * n))] ^= (uint8_t)(1u << random_below(r, 8));
	if (random_below(r, 2))
		memcpy(ports + 2, ports, 2);
	else if (random_below(r, 2))
		ports[random_below(r, 4)] ^= (uint8_t)(1u << random_below(r, 8));
}

static void damage(struct sample *s, struct random *r)
{
	static const uint8_t bytes[] = {0, 1, 4, 6, 17, 0x3f, 0x45, 0x46, 0x60, 0x80, 0xff};
	static const uint16_t links[] = {LINK_RAW, LINK_LINUX_SLL, LINK_IPV4, LINK_NULL, 105};
	uint8_t *header = s->c.b + random_below(r, (uint32_t)s->c.n - PAYLOAD);
	const size_t length_at = s->c.ip + (s->c.b[s->c.ip] >> 4 == ADDR_V4 ? 2 : 4);

	switch (random_below(r, 12)) {
	case 0:
	case 1:
		*header ^= (uint8_t)(1u << random_below(r, 8));
		break;
	case 2:
		*header = (uint8_t)random_next(r);
		break;
	case 3:
		*header = bytes[random_below(r, COUNT(bytes))];
		break;
	case 4: /* the IP header's length */
		craft_set(&s->c, length_at, 2,
			  any_length(r, load_be16(s->c.b + length_at)) & 0xffff);
		break;
	case 5: /* fewer bytes captured, never more than there are */
		s->f.caplen = any_length(r, s->f.caplen);
		if (s->f.caplen > s->c.n)
			s->f.caplen = random_below(r, (uint32_t)s->c.n + 1);
		break;
	case 6:
		s->f.wirelen = any_length(r, s->f.wirelen);
		break;
	case 7:
		s->f.gso_size = (uint16_t)any_length(r, PAYLOAD / 2);
		s->f.gso_proto = random_below(r, 2) ? 0 : bytes[random_below(r, 5)];
		break;
	case 8:
		s->f.way = (uint8_t)random_below(r, FRAME_WAY_OUT + 1);
		s->f.ts_ns = random_next(r);
		s->f.vlan_tpid = (uint16_t)random_next(r);
		break;
	case 9:
		s->f.link = links[random_below(r, COUNT(links))];
		break;
	default:
		damage_key(s, r);
		break;
	}
}

/* --- comparison --------------------------------------------------------------- */

#define expect_same(field, a, b, step)                                                             \
	do {                                                                                       \
		if ((a)->field != (b)->field)                                                      \
			fail_msg("seed %u, frame %u: " #field " is %llu, the walk says %llu",      \
				 SEED, step, (unsigned long long)(a)->field,                       \
				 (unsigned long long)(b)->field);                                  \
	} while (0)

static void expect_same_pkt(const struct pkt *fast, const struct pkt *walk, unsigned step)
{
	expect_same(verdict, fast, walk, step);
	expect_same(class, fast, walk, step);
	expect_same(kind, fast, walk, step);
	expect_same(side, fast, walk, step);
	expect_same(tcp_flags, fast, walk, step);
	expect_same(ip_bytes, fast, walk, step);
	expect_same(packets, fast, walk, step);
	expect_same(family, fast, walk, step);
	expect_same(way, fast, walk, step);
	expect_same(quoted, fast, walk, step);
	expect_same(is_reply, fast, walk, step);
	expect_same(fragment, fast, walk, step);
	expect_same(is_simple, fast, walk, step);
	expect_same(ts_ns, fast, walk, step);
	expect(memcmp(&fast->key, &walk->key, sizeof(fast->key)) == 0, SEED, step);
}

/* Whether the short way took the frame; if so, the walk has agreed. The bytes
 * lie alone on the heap, so that a sanitizer sees every read behind them. */
static bool agrees(const struct sample *s, struct pkt *fast, unsigned step)
{
	static const uint64_t secret[PKT_KEY_SECRETS] = {5, 4, 3, 2, 1, 99};
	uint8_t *alone = malloc(s->f.caplen ? s->f.caplen : 1);
	struct frame f = s->f;
	uint32_t ports = 0;
	struct pkt walk;
	bool is_fast;

	memcpy(alone, s->c.b, f.caplen);
	f.data = alone;
	memset(fast, 0xa5, sizeof(*fast));
	memset(&walk, 0x5a, sizeof(walk));
	is_fast = fast_decode(&f, fast, &ports, secret);
	if (is_fast) {
		const uint8_t *at = (const uint8_t *)&ports;

		expect(frame_walk(NULL, &f, &walk) == PKT_OK, SEED, step);
		expect_same_pkt(fast, &walk, step);
		expect(fast->hash == pkt_key_hash(&walk.key, secret), SEED, step);
		/* as they stand in the frame, source first; ICMP has none */
		expect(walk.class == PKT_ICMP || load_be16(at) == walk.key.port[walk.side], SEED,
		       step);
		expect(walk.class == PKT_ICMP || load_be16(at + 2) == walk.key.port[!walk.side],
		       SEED, step);
	}
	free(alone);
	return is_fast;
}

static void damaged_frames_are_the_same_by_both_ways(void **state)
{
	unsigned taken = 0, per_class[PKT_CLASSES] = {0}, per_family[ADDR_V6 + 1] = {0};
	unsigned per_side[2] = {0};
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < FRAMES; i++) {
		struct sample s;
		struct pkt p;

		put_any(&s, &r);
		for (unsigned n = random_below(&r, 5); n; n--)
			damage(&s, &r);
		if (!agrees(&s, &p, i))
			continue;
		taken++;
		per_class[p.class]++;
		per_family[p.family]++;
		per_side[p.side]++;
	}
	/* Both ways were gone often, and the short one for all that it is for. */
	assert_in_range(taken, FRAMES / 5, FRAMES - FRAMES / 5);
	assert_true(per_class[PKT_TCP] > FRAMES / 20 && per_class[PKT_UDP] > FRAMES / 20);
	assert_true(per_class[PKT_ICMP] > FRAMES / 50);
	assert_int_equal(per_class[PKT_OTHER], 0);
	assert_true(per_family[ADDR_V4] > FRAMES / 20 && per_family[ADDR_V6] > FRAMES / 20);
	assert_true(per_side[0] > FRAMES / 20 && per_side[1] > FRAMES / 20);
}

/* --- who goes which way -------------------------------------------------------- */

static bool is_taken(const struct sample *s)
{
	struct pkt p;

	return agrees(s, &p, 0);
}

static void plain_frames_go_the_short_way_and_no_others(void **state)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP};
	struct sample s;

	(void)state;
	for (unsigned i = 0; i < COUNT(protos); i++) {
		for (uint8_t family = ADDR_V4; family <= ADDR_V6; family += ADDR_V6 - ADDR_V4) {
			put_frame(&s, PLAIN, family, protos[i]);
			assert_true(is_taken(&s));
			put_frame(&s, TAGGED, family, protos[i]);
			assert_false(is_taken(&s));
		}
		put_frame(&s, V4_OPTIONS, ADDR_V4, protos[i]);
		assert_false(is_taken(&s));
		put_frame(&s, V4_FRAGMENT, ADDR_V4, protos[i]);
		assert_false(is_taken(&s));
		put_frame(&s, V6_EXTENSION, ADDR_V6, protos[i]);
		assert_false(is_taken(&s));
	}
}

static void only_echoes_of_icmp_go_the_short_way(void **state)
{
	static const struct {
		uint8_t family, proto, type;
		bool is_fast;
	} cases[] = {
		{ADDR_V4, PROTO_ICMP, 8, true},	     {ADDR_V4, PROTO_ICMP, 0, true},
		{ADDR_V4, PROTO_ICMP, 13, false},    {ADDR_V4, PROTO_ICMP, 3, false},
		{ADDR_V4, PROTO_ICMPV6, 128, false}, {ADDR_V6, PROTO_ICMPV6, 128, true},
		{ADDR_V6, PROTO_ICMPV6, 129, true},  {ADDR_V6, PROTO_ICMPV6, 135, false},
		{ADDR_V6, PROTO_ICMPV6, 1, false},   {ADDR_V6, PROTO_ICMP, 8, false},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		const uint8_t proto = cases[i].proto;
		struct sample s;

		put_frame(&s, QUERY, cases[i].family, proto);
		craft_set(&s.c, s.c.ip + (cases[i].family == ADDR_V4 ? 20 : 40), 1, cases[i].type);
		assert_int_equal(is_taken(&s), cases[i].is_fast);
	}
}

/* The flags stand in the 14th byte of TCP: with one less captured, or of
 * another packet, only the walk can say. */
static void frames_cut_before_the_flags_are_walked(void **state)
{
	(void)state;
	for (uint8_t family = ADDR_V4; family <= ADDR_V6; family += ADDR_V6 - ADDR_V4) {
		const size_t header = family == ADDR_V4 ? 20 : 40;
		struct sample s;

		put_frame(&s, PLAIN, family, PROTO_TCP);
		s.f.caplen = (uint32_t)(14 + header + 14);
		assert_true(is_taken(&s));
		s.f.caplen--;
		assert_false(is_taken(&s));

		put_frame(&s, PLAIN, family, PROTO_TCP);
		craft_set(&s.c, s.c.ip + (family == ADDR_V4 ? 2 : 4), 2,
			  family == ADDR_V4 ? 20 + 13 : 13);
		assert_false(is_taken(&s));
		craft_set(&s.c, s.c.ip + (family == ADDR_V4 ? 2 : 4), 2,
			  family == ADDR_V4 ? 20 + 14 : 14);
		assert_true(is_taken(&s));
	}
}

/* As long as the wire had it is good, however little is captured; one byte
 * more is malformed. */
static void frames_longer_than_on_the_wire_are_walked(void **state)
{
	(void)state;
	for (uint8_t family = ADDR_V4; family <= ADDR_V6; family += ADDR_V6 - ADDR_V4) {
		struct sample s;
		struct pkt p;

		put_frame(&s, PLAIN, family, PROTO_TCP);
		s.f.caplen -= PAYLOAD;
		assert_true(is_taken(&s));
		s.f.wirelen--;
		assert_false(is_taken(&s));
		s.f.data = s.c.b;
		assert_int_equal(frame_walk(NULL, &s.f, &p), PKT_MALFORMED_LONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_frames_are_the_same_by_both_ways),
		cmocka_unit_test(plain_frames_go_the_short_way_and_no_others),
		cmocka_unit_test(only_echoes_of_icmp_go_the_short_way),
		cmocka_unit_test(frames_cut_before_the_flags_are_walked),
		cmocka_unit_test(frames_longer_than_on_the_wire_are_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
