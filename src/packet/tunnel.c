/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tunnel.c - whether the IP packet just read is a tunnel, and the step into
 * it; IP in IP (RFC 2003, 2473, 4213), which has no header of its own.
 *
 * Each packet on the way in is read whole before a tunnel in it is opened, and
 * kept until the one inside has been read as well. So there is always one to
 * go back to, and it is never farther away than one tunnel.
 */
#include "packet/internal.h"

#define UDP_BYTES 8

static enum decap_kind port_kind(const struct decap_conf *c, uint16_t port)
{
	if (port == c->vxlan_port || port == c->vxlan_gpe_port)
		return DECAP_VXLAN;
	if (port == c->geneve_port)
		return DECAP_GENEVE;
	return port == c->gtpu_port ? DECAP_GTPU : DECAP_KINDS;
}

enum decap_kind udp_tunnel_kind(const struct decap_conf *c, uint16_t sport, uint16_t dport)
{
	const enum decap_kind kind = port_kind(c, dport);

	return kind == DECAP_KINDS ? port_kind(c, sport) : kind;
}

/* The same of what is captured of a UDP header. */
static enum decap_kind udp_kind(const struct decap_conf *c, const struct bytes *b)
{
	const uint8_t *h = bytes_peek(b, 4);

	return h ? udp_tunnel_kind(c, load_be16(h), load_be16(h + 2)) : DECAP_KINDS;
}

/* Whether it is VXLAN-GPE's port that makes a UDP header one of a tunnel. */
static bool is_gpe(const struct decap_conf *c, const uint8_t *h)
{
	const uint16_t sport = load_be16(h), dport = load_be16(h + 2);

	return dport == c->vxlan_gpe_port || (dport != c->vxlan_port && sport == c->vxlan_gpe_port);
}

/* What tunnel the packet is; DECAP_KINDS: none. */
static enum decap_kind tunnel_kind_of(const struct walk *w, const struct pkt *p)
{
	switch (w->proto) {
	case PROTO_IPIP:
		return p->family == ADDR_V4 ? DECAP_IPIP : DECAP_4IN6;
	case PROTO_IPV6:
		return p->family == ADDR_V4 ? DECAP_6IN4 : DECAP_IP6IP6;
	case PROTO_GRE:
		return gre_kind(&w->l4);
	case PROTO_UDP:
		return udp_kind(&w->decoder->conf, &w->l4);
	default:
		return DECAP_KINDS;
	}
}

/* The tunnel's header is next. */
static enum walk_next enter(struct walk *w, enum decap_kind kind)
{
	const uint8_t *udp;

	switch (kind) {
	case DECAP_GRE:
	case DECAP_ERSPAN:
		return gre_walk(w);
	case DECAP_IPIP:
	case DECAP_4IN6:
		return walk_ip(w, ADDR_V4);
	case DECAP_6IN4:
	case DECAP_IP6IP6:
		return walk_ip(w, ADDR_V6);
	default:
		break;
	}
	udp = walk_take(w, UDP_BYTES);
	if (!udp)
		return walk_end(w, PKT_NOT_IP_CUT);
	if (kind == DECAP_GENEVE)
		return geneve_walk(w);
	if (kind == DECAP_GTPU)
		return gtpu_walk(w);
	return vxlan_walk(w, is_gpe(&w->decoder->conf, udp));
}

enum walk_next tunnel_walk(struct walk *w, struct pkt *p)
{
	enum decap_kind kind;

	if (!w->decoder)
		return walk_end(w, PKT_OK);
	if (w->is_opening)
		layer_count(w->decoder, LAYER_OPENED + w->kind);
	w->is_opening = false;
	kind = tunnel_kind_of(w, p);
	if (kind == DECAP_KINDS)
		return walk_end(w, PKT_OK);
	layer_count(w->decoder, LAYER_SEEN + LAYER_TUNNEL + kind);
	if (!(w->decoder->conf.kinds >> kind & 1))
		return walk_end(w, PKT_OK);
	if (w->depth == DECAP_DEPTH_MAX) {
		layer_count(w->decoder, LAYER_TOO_DEEP);
		return walk_end(w, PKT_OK);
	}
	if (p->fragment != PKT_WHOLE || !w->l4.p) {
		layer_count(w->decoder, LAYER_UNREADABLE + kind);
		return walk_end(w, PKT_OK);
	}
	*w->outer = *p;
	w->outer_ip = w->ip;
	w->outer_l4 = w->l4;
	w->kind = (uint8_t)kind;
	w->is_opening = true;
	w->depth++;
	w->b = w->l4;
	w->wire = p->ip_bytes - (uint64_t)(w->l4.p - w->ip);
	return enter(w, kind);
}

void tunnel_leave(struct walk *w, struct pkt *p)
{
	layer_count(w->decoder, LAYER_UNREADABLE + w->kind);
	*p = *w->outer;
	w->ip = w->outer_ip;
	w->l4 = w->outer_l4;
	w->verdict = PKT_OK;
}
