/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_decap.c - tunnels of every kind, opened if asked for, and the layers
 * that are counted on the way.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/err.h"
#include "tunnels.h"

static void check_opened(const struct tunnel *t, uint8_t outer, struct onion *o,
			 const struct pkt *inner)
{
	static const uint8_t link[] = {LINK_RAW, LINK_ETHERNET};

	for (unsigned l = 0; l < 2; l++) {
		struct pkt_decoder d = onion_decoder(1u << t->kind);
		struct pkt p;

		if (l)
			onion_ethernet(o, outer == ADDR_V4 ? 0x0800 : 0x86dd);
		onion_decode(&d, o, link[l], o->n, &p);
		if (!onion_same(&p, inner))
			fail_msg("%s in IPv%u: not what is inside", t->name, outer);
		assert_int_equal(p.ip_bytes, t->inner == ADDR_V4 ? 140 : 160);
		assert_int_equal(onion_seen(&d, t->kind), 1);
		assert_int_equal(onion_opened(&d, t->kind), 1);
		assert_int_equal(onion_unreadable(&d, t->kind), 0);
	}
}

static void every_tunnel_that_is_asked_for_is_opened(void **state)
{
	(void)state;
	tunnels_each(check_opened);
}

static void check_closed(const struct tunnel *t, uint8_t outer, struct onion *o,
			 const struct pkt *inner)
{
	const uint32_t others[] = {0, DECAP_ALL & ~(1u << t->kind)};

	(void)inner;
	for (unsigned i = 0; i < 2; i++) {
		struct pkt_decoder d = onion_decoder(others[i]);
		struct pkt p, as_it_is;

		onion_decode(NULL, o, LINK_RAW, o->n, &as_it_is);
		onion_decode(&d, o, LINK_RAW, o->n, &p);
		if (!onion_same(&p, &as_it_is))
			fail_msg("%s in IPv%u: opened, though not asked for", t->name, outer);
		assert_int_equal(p.key.proto, t->proto);
		assert_int_equal(p.ip_bytes, o->n);
		assert_int_equal(onion_seen(&d, t->kind), 1);
		for (unsigned k = 0; k < DECAP_KINDS; k++) {
			assert_int_equal(onion_opened(&d, k), 0);
			assert_int_equal(onion_unreadable(&d, k), 0);
			assert_int_equal(onion_seen(&d, k), k == t->kind);
		}
	}
}

static void other_tunnels_stay_closed_but_are_seen(void **state)
{
	(void)state;
	tunnels_each(check_closed);
}

static void check_cut(const struct tunnel *t, uint8_t outer, struct onion *o,
		      const struct pkt *inner)
{
	const size_t at = o->n - inner->ip_bytes; /* where the inner packet starts */
	const size_t need = at + (t->inner == ADDR_V4 ? 20 : 40);

	for (size_t cap = 0; cap <= o->n; cap++) {
		struct pkt_decoder d = onion_decoder(DECAP_ALL);
		struct pkt p, closed;
		struct onion bare;

		onion_decode(&d, o, LINK_RAW, cap, &p);
		if (cap < need) {
			onion_decode(NULL, o, LINK_RAW, cap, &closed);
		} else {
			tunnel_inner(&bare, t->inner);
			onion_decode(NULL, &bare, LINK_RAW, cap - at, &closed);
		}
		if (!onion_same(&p, &closed))
			fail_msg("%s in IPv%u, %zu bytes captured: neither outer nor inner",
				 t->name, outer, cap);
		assert_int_equal(onion_opened(&d, t->kind), cap >= need);
		/* Too short for a port or a protocol type, its kind is not known. */
		assert_int_equal(onion_seen(&d, DECAP_GRE) +
					 onion_seen(&d, t->kind) * (t->kind != DECAP_GRE),
				 onion_opened(&d, t->kind) + onion_unreadable(&d, DECAP_GRE) +
					 onion_unreadable(&d, t->kind) * (t->kind != DECAP_GRE));
	}
}

static void a_tunnel_cut_anywhere_is_the_packet_outside_or_inside(void **state)
{
	(void)state;
	tunnels_each(check_cut);
}

static void kinds_are_parsed(void **state)
{
	static const struct {
		const char *text;
		uint32_t kinds;
	} good[] = {
		{"all", DECAP_ALL},
		{"gre", 1u << DECAP_GRE},
		{"erspan,vxlan", 1u << DECAP_ERSPAN | 1u << DECAP_VXLAN},
		{"vxlan,vxlan", 1u << DECAP_VXLAN},
		{"geneve,all", DECAP_ALL},
		{"ipip,6in4,4in6,ip6ip6",
		 1u << DECAP_IPIP | 1u << DECAP_6IN4 | 1u << DECAP_4IN6 | 1u << DECAP_IP6IP6},
	};
	static const char *const bad[] = {"",	      ",",     "gre,",	   ",gre",   "gre,,vxlan",
					  "vxlan ",   "GRE",   "vxla",	   "vxlanx", "none",
					  "gre;gtpu", "gtp-u", "gre,vxlam"};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint32_t kinds = 0;

		assert_int_equal(decap_parse(&kinds, good[i].text, &e), 0);
		assert_int_equal(kinds, good[i].kinds);
	}
	for (unsigned k = 0; k < DECAP_KINDS; k++) {
		uint32_t kinds = 0;

		assert_int_equal(decap_parse(&kinds, decap_kind_name(k), &e), 0);
		assert_int_equal(kinds, 1u << k);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t kinds = 12345;

		assert_int_equal(decap_parse(&kinds, bad[i], &e), -EINVAL);
		assert_int_equal(kinds, 12345);
		for (unsigned k = 0; k < DECAP_KINDS; k++)
			assert_non_null(strstr(e.text, decap_kind_name(k)));
	}
	assert_non_null(strstr(e.text, "'vxlam'"));
}

static void every_counter_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LAYER_COUNTERS; i++) {
		assert_non_null(layer_counter_name(i));
		assert_in_range(strlen(layer_counter_name(i)), 5, 23);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(layer_counter_name(i), layer_counter_name(j));
	}
	assert_string_equal(layer_counter_name(LAYER_UNREADABLE + DECAP_ERSPAN),
			    "decap_erspan_unreadable");
	assert_string_equal(layer_counter_name(LAYER_SEEN + LAYER_QINQ), "layer_qinq");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tunnel_that_is_asked_for_is_opened),
		cmocka_unit_test(other_tunnels_stay_closed_but_are_seen),
		cmocka_unit_test(a_tunnel_cut_anywhere_is_the_packet_outside_or_inside),
		cmocka_unit_test(kinds_are_parsed),
		cmocka_unit_test(every_counter_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
