/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.c - the link headers of capture files and devices
 * (https://www.tcpdump.org/linktypes.html).
 */
#include "base/link.h"
#include "packet/internal.h"

#define ETHERNET_BYTES 14
#define SLL_BYTES      16
#define SLL2_BYTES     20

/* sll_pkttype of packet(7), as both cooked headers carry it. */
static uint8_t way_of(unsigned pkttype)
{
	static const uint8_t ways[] = {FRAME_WAY_IN, FRAME_WAY_IN, FRAME_WAY_IN, FRAME_WAY_OTHER,
				       FRAME_WAY_OUT};

	return pkttype < sizeof(ways) ? ways[pkttype] : FRAME_WAY_UNKNOWN;
}

static enum walk_next sll_walk(struct walk *w, struct pkt *p)
{
	const uint8_t *h = walk_take(w, SLL_BYTES);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	p->way = way_of(load_be16(h));
	return walk_ethertype(w, load_be16(h + 14));
}

static enum walk_next sll2_walk(struct walk *w, struct pkt *p)
{
	const uint8_t *h = walk_take(w, SLL2_BYTES);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	p->way = way_of(h[10]);
	return walk_ethertype(w, load_be16(h));
}

/* BSD loopback: an address family of the machine that wrote it, in its own
 * byte order (NULL) or in network order (LOOP). AF_INET is 2 everywhere;
 * AF_INET6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS. */
static enum walk_next loopback_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, 4);
	uint32_t family;

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	family = load_be32(h);
	if (family & 0xffff0000)
		family = load_le32(h);
	switch (family) {
	case 2:
		return walk_ip(w, ADDR_V4);
	case 10:
	case 24:
	case 28:
	case 30:
		return walk_ip(w, ADDR_V6);
	default:
		return walk_end(w, PKT_NOT_IP);
	}
}

enum walk_next ethernet_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, ETHERNET_BYTES);

	return h ? walk_ethertype(w, load_be16(h + 12)) : walk_end(w, PKT_NOT_IP_CUT);
}

enum walk_next link_walk(struct walk *w, struct pkt *p, uint16_t link)
{
	switch (link) {
	case LINK_ETHERNET:
		return ethernet_walk(w);
	case LINK_LINUX_SLL:
		return sll_walk(w, p);
	case LINK_LINUX_SLL2:
		return sll2_walk(w, p);
	case LINK_RAW_12:
	case LINK_RAW_14:
	case LINK_RAW:
		return walk_ip(w, 0);
	case LINK_IPV4:
		return walk_ip(w, ADDR_V4);
	case LINK_IPV6:
		return walk_ip(w, ADDR_V6);
	case LINK_NULL:
	case LINK_LOOP:
		return loopback_walk(w);
	case LINK_PPP:
	case LINK_PPP_HDLC:
		return ppp_link_walk(w);
	case LINK_C_HDLC:
		return chdlc_walk(w);
	default:
		return walk_end(w, PKT_NOT_IP_LINK);
	}
}
