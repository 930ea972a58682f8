/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * geneve.c - step into a Geneve payload (RFC 8926), over its options.
 */
#include "packet/internal.h"

#define GENEVE_BYTES	   8
#define GENEVE_VERSION	   0xc0
#define GENEVE_OPTIONS	   0x3f /* their length, in words */
#define GENEVE_IS_CONTROL  0x80
#define GENEVE_OPTION_UNIT 4

enum walk_next geneve_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, GENEVE_BYTES);

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	if (h[0] & GENEVE_VERSION || h[1] & GENEVE_IS_CONTROL)
		return walk_end(w, PKT_NOT_IP);
	if (!walk_take(w, (h[0] & GENEVE_OPTIONS) * (size_t)GENEVE_OPTION_UNIT))
		return walk_end(w, PKT_NOT_IP_CUT);
	return walk_payload(w, load_be16(h + 2));
}
