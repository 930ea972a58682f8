/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vxlan.c - step into a VXLAN payload (RFC 7348), or one of VXLAN-GPE
 * (draft-ietf-nvo3-vxlan-gpe), which says what its payload is.
 *
 * GPE has a port of its own but is found on VXLAN's too: there the P bit,
 * which VXLAN sends as 0, tells.
 */
#include "packet/internal.h"

#define VXLAN_BYTES	   8
#define VXLAN_HAS_VNI	   0x08
#define VXLAN_GPE_HAS_NEXT 0x04
#define VXLAN_GPE_OAM	   0x01
#define VXLAN_GPE_VERSION  0x30

enum walk_next vxlan_walk(struct walk *w, bool is_gpe)
{
	const uint8_t *h = walk_take(w, VXLAN_BYTES);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	is_gpe = is_gpe || h[0] & VXLAN_GPE_HAS_NEXT;
	if (!(h[0] & VXLAN_HAS_VNI) || (is_gpe && h[0] & (VXLAN_GPE_OAM | VXLAN_GPE_VERSION)))
		return walk_end(w, PKT_NOT_IP);
	/* On GPE's port there are senders that forget the P bit. */
	if (!is_gpe || (!(h[0] & VXLAN_GPE_HAS_NEXT) && !h[3]))
		return ethernet_walk(w);
	switch (h[3]) {
	case 1:
		return walk_ip(w, ADDR_V4);
	case 2:
		return walk_ip(w, ADDR_V6);
	case 3:
		return ethernet_walk(w);
	case 5: /* of the draft's earlier versions */
		return WALK_MPLS;
	default:
		return walk_end(w, PKT_NOT_IP);
	}
}
