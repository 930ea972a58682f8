/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mpls.c - step over a label stack (RFC 3032).
 *
 * Nothing in a label says what is below it: the first nibble is taken for an
 * IP version if it is 4 or 6 (RFC 4928 section 3 keeps pseudowires away from
 * those), else this is not IP.
 */
#include "packet/internal.h"

#define LABEL_BYTES	4
#define LABEL_IS_BOTTOM 0x01 /* in its third byte */

enum walk_next mpls_walk(struct walk *w)
{
	const uint8_t *h;

	layer_count(w->decoder, LAYER_SEEN + LAYER_MPLS);
	do {
		h = walk_take(w, LABEL_BYTES);
		if (!h)
			return walk_end(w, PKT_NOT_IP_CUT);
	} while (!(h[2] & LABEL_IS_BOTTOM));

	h = bytes_peek(&w->b, 1);
	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	if (h[0] >> 4 != ADDR_V4 && h[0] >> 4 != ADDR_V6)
		return walk_end(w, PKT_NOT_IP);
	return walk_ip(w, h[0] >> 4);
}
