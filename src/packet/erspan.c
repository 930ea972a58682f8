/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * erspan.c - step into the frame that a switch mirrors (ERSPAN types I, II and
 * III; draft-foschiano-erspan-03).
 *
 * Type I has no header, and GRE without a sequence number; in the others the
 * version tells which it is. A frame that the switch cut is marked: then its
 * IP length may be above what is left of it.
 */
#include "packet/internal.h"

#define ERSPAN_2_BYTES	     8
#define ERSPAN_3_BYTES	     12
#define ERSPAN_SUBHEADER     8
#define ERSPAN_CUT	     0x0400 /* T, in the second 16 bits of both types */
#define ERSPAN_HAS_SUBHEADER 0x0001 /* O, in the last 16 bits of type III */
#define ERSPAN_FRAME_IP	     2	    /* frame types of type III */
#define ERSPAN_FRAME_ETHER   0

enum walk_next erspan_walk(struct walk *w, bool is_type_1)
{
	const uint8_t *h;
	uint16_t last;

	if (is_type_1)
		return ethernet_walk(w);
	h = bytes_peek(&w->b, 1);
	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	switch (h[0] >> 4) {
	case 1:
		h = walk_take(w, ERSPAN_2_BYTES);
		if (!h)
			return walk_end(w, PKT_NOT_IP_CUT);
		w->is_cut = load_be16(h + 2) & ERSPAN_CUT;
		return ethernet_walk(w);
	case 2:
		h = walk_take(w, ERSPAN_3_BYTES);
		if (!h)
			return walk_end(w, PKT_NOT_IP_CUT);
		last = load_be16(h + 10);
		if (last & ERSPAN_HAS_SUBHEADER && !walk_take(w, ERSPAN_SUBHEADER))
			return walk_end(w, PKT_NOT_IP_CUT);
		w->is_cut = load_be16(h + 2) & ERSPAN_CUT;
		switch (last >> 10 & 0x1f) {
		case ERSPAN_FRAME_ETHER:
			return ethernet_walk(w);
		case ERSPAN_FRAME_IP:
			return walk_ip(w, 0);
		default:
			return walk_end(w, PKT_NOT_IP);
		}
	default:
		return walk_end(w, PKT_NOT_IP);
	}
}
