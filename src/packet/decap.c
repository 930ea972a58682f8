/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decap.c - names and counters of tunnels and layers.
 */
#include "packet/decap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/atomics.h"
#include "base/err.h"
#include "packet/internal.h"

/* Every name once: X(enum decap_kind without DECAP_, text). */
#define KINDS(X)                                                                                   \
	X(GRE, "gre")                                                                              \
	X(ERSPAN, "erspan")                                                                        \
	X(IPIP, "ipip")                                                                            \
	X(6IN4, "6in4")                                                                            \
	X(4IN6, "4in6")                                                                            \
	X(IP6IP6, "ip6ip6")                                                                        \
	X(VXLAN, "vxlan")                                                                          \
	X(GENEVE, "geneve")                                                                        \
	X(GTPU, "gtpu")

#define LIST_NAME(kind, text)	    text ", "
#define KIND_NAME(kind, text)	    [DECAP_##kind] = text,
#define SEEN_NAME(kind, text)	    [LAYER_SEEN + LAYER_TUNNEL + DECAP_##kind] = "layer_" text,
#define OPENED_NAME(kind, text)	    [LAYER_OPENED + DECAP_##kind] = "decap_" text,
#define UNREADABLE_NAME(kind, text) [LAYER_UNREADABLE + DECAP_##kind] = "decap_" text "_unreadable",

static const char *const kind_names[DECAP_KINDS] = {KINDS(KIND_NAME)};

static const char *const counter_names[LAYER_COUNTERS] = {
	[LAYER_SEEN + LAYER_VLAN] = "layer_vlan",
	[LAYER_SEEN + LAYER_QINQ] = "layer_qinq",
	[LAYER_SEEN + LAYER_MPLS] = "layer_mpls",
	[LAYER_SEEN + LAYER_PPPOE] = "layer_pppoe",
	[LAYER_TOO_DEEP] = "decap_too_deep",
	KINDS(SEEN_NAME) KINDS(OPENED_NAME) KINDS(UNREADABLE_NAME)};

const char *decap_kind_name(enum decap_kind k)
{
	return k < DECAP_KINDS ? kind_names[k] : "unknown";
}

const char *layer_counter_name(unsigned i)
{
	return i < LAYER_COUNTERS ? counter_names[i] : "unknown";
}

uint64_t layer_counter_read(const struct layer_counts *c, unsigned i)
{
	return load_relaxed(&c->n[i]);
}

/* The kinds of one name of n characters; 0: there is none of that name. */
static uint32_t kinds_of(const char *name, size_t n)
{
	if (n == 3 && memcmp(name, "all", 3) == 0)
		return DECAP_ALL;
	for (unsigned k = 0; k < DECAP_KINDS; k++)
		if (strlen(kind_names[k]) == n && memcmp(kind_names[k], name, n) == 0)
			return 1u << k;
	return 0;
}

int decap_parse(uint32_t *kinds, const char *text, struct err *e)
{
	uint32_t all = 0;

	for (const char *at = text;; at++) {
		const size_t n = strcspn(at, ",");
		const uint32_t some = kinds_of(at, n);

		if (!some)
			return err_set(e, -EINVAL,
				       "'%.*s' is no kind of tunnel; there are " KINDS(
					       LIST_NAME) "and all of them: all",
				       n < 64 ? (int)n : 64, at);
		all |= some;
		at += n;
		if (!*at)
			break;
	}
	*kinds = all;
	return 0;
}

static uint16_t port_or(uint16_t port, uint16_t otherwise)
{
	return port ? port : otherwise;
}

static void note_port(struct pkt_decoder *d, unsigned i, uint16_t port)
{
	const uint8_t be[] = {(uint8_t)(port >> 8), (uint8_t)port};

	memcpy(&d->udp_ports[2 * i], be, sizeof(be));
	memcpy(&d->udp_ports[2 * i + 1], be, sizeof(be));
}

void pkt_decoder_init(struct pkt_decoder *d, const struct decap_conf *c)
{
	memset(d, 0, sizeof(*d));
	d->conf = (struct decap_conf){
		.kinds = c->kinds & DECAP_ALL,
		.vxlan_port = port_or(c->vxlan_port, DECAP_VXLAN_PORT),
		.vxlan_gpe_port = port_or(c->vxlan_gpe_port, DECAP_VXLAN_GPE_PORT),
		.geneve_port = port_or(c->geneve_port, DECAP_GENEVE_PORT),
		.gtpu_port = port_or(c->gtpu_port, DECAP_GTPU_PORT),
	};
	note_port(d, 0, d->conf.vxlan_port);
	note_port(d, 1, d->conf.vxlan_gpe_port);
	note_port(d, 2, d->conf.geneve_port);
	note_port(d, 3, d->conf.gtpu_port);
}
