/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * icmp.c - ICMP (RFC 792, 950) and ICMPv6 (RFC 4443): queries, errors, others.
 *
 * A query and its reply are one flow, keyed by identifier, request type and
 * code. An error belongs to the flow whose header it quotes.
 */
#include "packet/internal.h"

#define ICMP_HEADER_BYTES 8

enum icmp_kind { ICMP_OTHER, ICMP_REQUEST, ICMP_REPLY, ICMP_ERROR };

/* What a type is; for replies *request is the type that they answer. */
static enum icmp_kind kind_of(uint8_t family, uint8_t type, uint8_t *request)
{
	*request = type;
	if (family == ADDR_V6) {
		if (type >= 1 && type <= 4)
			return ICMP_ERROR;
		*request = 128;
		return type == 128 ? ICMP_REQUEST : type == 129 ? ICMP_REPLY : ICMP_OTHER;
	}
	switch (type) {
	case 3:	 /* destination unreachable */
	case 4:	 /* source quench */
	case 5:	 /* redirect */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return ICMP_ERROR;
	case 8:	 /* echo */
	case 13: /* timestamp */
	case 15: /* information */
	case 17: /* address mask */
		return ICMP_REQUEST;
	case 0:
		*request = 8;
		return ICMP_REPLY;
	case 14:
	case 16:
	case 18:
		*request = type - 1;
		return ICMP_REPLY;
	default:
		return ICMP_OTHER;
	}
}

uint8_t pkt_icmp_reply_type(uint8_t family, uint8_t request_type)
{
	if (family == ADDR_V6)
		return request_type == 128 ? 129 : 0;
	return request_type == 8 ? 0 : request_type ? request_type + 1 : 0;
}

void icmp_read(struct transport *t, struct bytes *b, uint8_t family)
{
	const uint8_t *h = bytes_peek(b, 1);
	uint8_t request;

	if (!h)
		return;
	switch (kind_of(family, h[0], &request)) {
	case ICMP_ERROR:
		t->kind = PKT_KIND_ICMP_ERROR;
		t->has_quote = bytes_take(b, ICMP_HEADER_BYTES) != NULL;
		break;
	case ICMP_REPLY:
		t->is_reply = true;
		/* fall through */
	case ICMP_REQUEST:
		if (!bytes_peek(b, 6))
			return;
		t->sport = load_be16(h + 4);
		t->dport = pkt_icmp_port(request, h[1]);
		break;
	default:
		t->kind = PKT_KIND_ICMP_OTHER;
		break;
	}
}
