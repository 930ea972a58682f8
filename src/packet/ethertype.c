/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethertype.c - what a type number says, and the VLAN tags behind some
 * (IEEE 802.1Q, 802.1ad, and the numbers in use before it).
 *
 * Numbers below 1536 are lengths of IEEE 802.3 frames: LLC, no IP for us.
 */
#include "packet/internal.h"

#define VLAN_TAG_BYTES 4 /* TCI and the next type */

void vlan_count(struct pkt_decoder *d, uint16_t type)
{
	layer_count(d, LAYER_SEEN + (type == 0x8100 ? LAYER_VLAN : LAYER_QINQ));
}

enum walk_next ethertype_walk(struct walk *w)
{
	const uint8_t *h;

	switch (w->type) {
	case 0x0800:
		return walk_ip(w, ADDR_V4);
	case 0x86dd:
		return walk_ip(w, ADDR_V6);
	case 0x8100:
	case 0x88a8:
	case 0x9100:
	case 0x9200:
	case 0x9300:
		h = walk_take(w, VLAN_TAG_BYTES);
		if (!h)
			return walk_end(w, PKT_NOT_IP_CUT);
		vlan_count(w->decoder, w->type);
		return walk_ethertype(w, load_be16(h + 2));
	case 0x8847: /* unicast and multicast labels (RFC 5332) */
	case 0x8848:
		return WALK_MPLS;
	case 0x8864:
		return WALK_PPPOE;
	default:
		return walk_end(w, PKT_NOT_IP);
	}
}
