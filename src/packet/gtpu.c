/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gtpu.c - step into a G-PDU of GTP-U version 1 (3GPP TS 29.281).
 *
 * Nothing in the header says what the user's packet is: its first nibble is
 * taken for an IP version. Other messages (echo, error indication, end marker)
 * carry none.
 */
#include "packet/internal.h"

#define GTPU_BYTES	    8
#define GTPU_OPTIONAL_BYTES 4	 /* all there if one of E, S and PN is set */
#define GTPU_VERSION	    0xf0 /* version and protocol type ... */
#define GTPU_VERSION_1	    0x30 /* ... of GTP, not GTP'; one bit is spare */
#define GTPU_OPTIONAL	    0x07
#define GTPU_HAS_EXTENSION  0x04
#define GTPU_G_PDU	    255
#define GTPU_EXTENSION_UNIT 4

/* Steps over the extension headers, the first being of type `next`: each is
 * its length in units, content, and the type of the next one; 0: none. */
static enum pkt_verdict skip_extensions(struct walk *w, uint8_t next)
{
	while (next) {
		const uint8_t *h = bytes_peek(&w->b, 1);
		size_t n;

		if (!h)
			return PKT_NOT_IP_CUT;
		n = h[0] * (size_t)GTPU_EXTENSION_UNIT;
		if (!n)
			return PKT_NOT_IP;
		h = walk_take(w, n);
		if (!h)
			return PKT_NOT_IP_CUT;
		next = h[n - 1];
	}
	return PKT_OK;
}

enum walk_next gtpu_walk(struct walk *w)
{
	const uint8_t *h = walk_take(w, GTPU_BYTES), *optional;
	enum pkt_verdict v = PKT_OK;

	if (!h)
		return walk_end(w, PKT_NOT_IP_CUT);
	if ((h[0] & GTPU_VERSION) != GTPU_VERSION_1 || h[1] != GTPU_G_PDU)
		return walk_end(w, PKT_NOT_IP);
	if (h[0] & GTPU_OPTIONAL) {
		optional = walk_take(w, GTPU_OPTIONAL_BYTES);
		if (!optional)
			return walk_end(w, PKT_NOT_IP_CUT);
		if (h[0] & GTPU_HAS_EXTENSION)
			v = skip_extensions(w, optional[3]);
	}
	return v == PKT_OK ? walk_ip(w, 0) : walk_end(w, v);
}
