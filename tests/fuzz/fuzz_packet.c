/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_packet.c - frames of every link type, with tunnels closed and opened.
 *
 * Two bytes choose link type and tunnels, two say how much longer it was on the
 * wire; the rest is the frame.
 */
#include "base/link.h"
#include "fuzz.h"
#include "packet/decap.h"

static const uint16_t links[] = {
	LINK_ETHERNET, LINK_NULL, LINK_PPP,  LINK_RAW_12,     LINK_RAW_14, LINK_PPP_HDLC,  LINK_RAW,
	LINK_C_HDLC,   LINK_LOOP, LINK_IPV4, LINK_LINUX_SLL2, LINK_IPV6,   LINK_LINUX_SLL, 147,
};

static void check(const struct pkt *p)
{
	must(p->verdict < PKT_VERDICTS);
	if (p->verdict != PKT_OK)
		return;
	must(p->kind < PKT_KINDS && p->class < PKT_CLASSES && p->side < 2);
	must(p->packets >= 1 && p->ip_bytes >= 20);
	must(p->key.family == ADDR_V4 || p->key.family == ADDR_V6);
	must(!p->is_simple || (p->kind == PKT_KIND_FLOW && p->packets == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint32_t link = take(&data, &n, 1), kinds = take(&data, &n, 1);
	const uint32_t more = take(&data, &n, 2);
	const struct decap_conf conf = {.kinds = kinds | kinds << 8};
	uint8_t *bytes = alone(data, n);
	struct frame f = {
		.data = bytes,
		.caplen = (uint32_t)n,
		.wirelen = (uint32_t)n + more,
		.link = links[link % (sizeof(links) / sizeof(links[0]))],
		.vlan_tpid = link & 64 ? 0x8100 : 0,
		.gso_proto = link & 128 ? 6 : 0,
		.gso_size = (uint16_t)(more & 0x7ff),
	};
	struct pkt_decoder d;
	struct pkt p, closed;

	memset(&p, 0xa5, sizeof(p));
	memset(&closed, 0xa5, sizeof(closed));
	pkt_decoder_init(&d, &conf);
	must(pkt_decode_with(&d, &f, &p) == p.verdict);
	check(&p);
	must(pkt_decode(&f, &closed) == closed.verdict);
	check(&closed);
	if (!conf.kinds)
		must(p.verdict == closed.verdict);
	for (unsigned workers = 1; workers < 5; workers += 3) {
		must(pkt_fanout(&f, workers) < workers);
		must(pkt_fanout_with(&d, &f, workers) < workers);
	}
	free(bytes);
	return 0;
}
