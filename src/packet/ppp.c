/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ppp.c - PPP (RFC 1661), in HDLC-like framing (RFC 1662) or over Ethernet
 * (RFC 2516), and Cisco's HDLC, which shares its link type.
 */
#include "packet/internal.h"

#define PPP_ADDRESS	0xff
#define PPP_CONTROL	0x03
#define CHDLC_UNICAST	0x0f
#define CHDLC_MULTICAST 0x8f
#define PPPOE_BYTES	6
#define PPPOE_SESSION	0x00 /* code of data in a session */

/* At the protocol field: two bytes, or one with its low bit set where the
 * peers agreed to compress it (RFC 1661 section 6.5). */
enum walk_next ppp_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, 1);
	unsigned protocol;

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	protocol = h[0];
	if (!(protocol & 1)) {
		h = walk_take(w, 1);
		if (!h)
			return walk_end(w, PKT_NOT_IP_CUT);
		protocol = protocol << 8 | h[0];
	}
	switch (protocol) {
	case 0x0021:
		return walk_ip(w, ADDR_V4);
	case 0x0057:
		return walk_ip(w, ADDR_V6);
	case 0x0281:
	case 0x0283:
		return WALK_MPLS;
	default:
		return walk_end(w, PKT_NOT_IP);
	}
}

enum walk_next chdlc_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, 4);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	return walk_ethertype(w, load_be16(h + 2));
}

/* The first byte tells PPP with address and control (which peers may agree to
 * leave out) from Cisco's HDLC. */
enum walk_next ppp_link_walk(struct walk *w)
{
	const uint8_t *h = bytes_peek(&w->b, 1);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	if (h[0] == CHDLC_UNICAST || h[0] == CHDLC_MULTICAST)
		return chdlc_walk(w);
	if (h[0] != PPP_ADDRESS)
		return WALK_PPP;
	h = walk_take(w, 2);
	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	return h[1] == PPP_CONTROL ? WALK_PPP : walk_end(w, PKT_NOT_IP);
}

enum walk_next pppoe_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, PPPOE_BYTES);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	layer_count(w->decoder, LAYER_SEEN + LAYER_PPPOE);
	return h[1] == PPPOE_SESSION ? WALK_PPP : walk_end(w, PKT_NOT_IP);
}
