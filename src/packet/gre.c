/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gre.c - step into a GRE payload (RFC 2784, 2890 and 1701).
 *
 * Version 1 (PPTP, RFC 2637) carries PPP that is mostly compressed or
 * encrypted: it is left closed.
 */
#include "packet/internal.h"

#define GRE_CHECKSUM  0x8000
#define GRE_ROUTING   0x4000
#define GRE_KEY	      0x2000
#define GRE_SEQUENCE  0x1000
#define GRE_VERSION   0x0007
#define GRE_ERSPAN    0x88be
#define GRE_ERSPAN_3  0x22eb
#define GRE_BYTES     4
#define GRE_SRE_BYTES 4

enum decap_kind gre_kind(const struct bytes *b)
{
	const uint8_t *h = bytes_peek(b, GRE_BYTES);

	if (!h || load_be16(h) & GRE_VERSION)
		return DECAP_GRE;
	switch (load_be16(h + 2)) {
	case GRE_ERSPAN:
	case GRE_ERSPAN_3:
		return DECAP_ERSPAN;
	default:
		return DECAP_GRE;
	}
}

/* Steps over the source routes of RFC 1701: entries of family, offset, length
 * and as many bytes, up to one of family 0 and length 0. */
static bool skip_routes(struct walk *w)
{
	const uint8_t *h;

	do {
		h = walk_take(w, GRE_SRE_BYTES);
		if (!h || !walk_take(w, h[3]))
			return false;
	} while (load_be16(h) || h[3]);
	return true;
}

enum walk_next gre_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, GRE_BYTES);
	uint16_t flags, type;
	size_t options = 0;

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	flags = load_be16(h);
	type = load_be16(h + 2);
	if (flags & GRE_VERSION)
		return walk_end(w, PKT_NOT_IP);
	/* A checksum and the offset of the active route come together. */
	options += flags & (GRE_CHECKSUM | GRE_ROUTING) ? 4 : 0;
	options += flags & GRE_KEY ? 4 : 0;
	options += flags & GRE_SEQUENCE ? 4 : 0;
	if (!walk_take(w, options) || (flags & GRE_ROUTING && !skip_routes(w)))
		return walk_end(w, PKT_NOT_IP_CUT);
	if (type == GRE_ERSPAN || type == GRE_ERSPAN_3)
		return erspan_walk(w, type == GRE_ERSPAN && !(flags & GRE_SEQUENCE));
	return walk_payload(w, type);
}
