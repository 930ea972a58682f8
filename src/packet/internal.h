/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - one frame being walked, layer by layer.
 *
 * Each step takes its own header off the cursor and says what comes next; a
 * loop in pkt.c goes on until a step ends the walk with a verdict. Every step
 * consumes bytes, so the walk is bounded by the frame. Tunnels over IP are
 * more steps of the same loop: see tunnel.c.
 */
#ifndef PACKET_INTERNAL_H
#define PACKET_INTERNAL_H

#include "base/atomics.h"
#include "base/bytes.h"
#include "packet/decap.h"
#include "packet/pkt.h"

struct walk {
	struct bytes b;	   /* what is captured of the rest */
	uint64_t wire;	   /* how long the rest was on the wire */
	uint16_t type;	   /* for WALK_ETHERTYPE */
	uint8_t verdict;   /* for WALK_END */
	uint8_t ip_family; /* for WALK_IP: what the layer below said; 0: nothing */
	uint8_t proto;	   /* of the IP packet, behind its extensions */
	const uint8_t *ip; /* where the IP header is ... */
	struct bytes l4;   /* ... and what is behind it and its extensions; empty: nothing */

	struct pkt_decoder *decoder; /* NULL: no tunnel is opened, nothing counted */
	uint8_t depth;		     /* tunnels entered */
	uint8_t kind;		     /* enum decap_kind of the last */
	bool is_opening;	     /* its inside has not been read yet ... */
	struct pkt *outer;	     /* ... and this is the packet that it is in */
	const uint8_t *outer_ip;
	struct bytes outer_l4;
	bool is_cut; /* the next IP packet may have been longer than w->wire */
};

enum walk_next {
	WALK_END,
	WALK_ETHERTYPE,
	WALK_MPLS,
	WALK_PPPOE,
	WALK_PPP,
	WALK_IP,
	WALK_TUNNEL, /* p is all read: what is in it? */
};

static inline enum walk_next walk_end(struct walk *w, enum pkt_verdict v)
{
	w->verdict = (uint8_t)v;
	return WALK_END;
}

static inline enum walk_next walk_ip(struct walk *w, uint8_t family)
{
	w->ip_family = family;
	return WALK_IP;
}

static inline enum walk_next walk_ethertype(struct walk *w, uint16_t type)
{
	w->type = type;
	return WALK_ETHERTYPE;
}

static inline void layer_count(struct pkt_decoder *d, unsigned counter)
{
	if (d)
		counter_add(&d->counts.n[counter], 1);
}

/* Whether one of two ports, as they stand in a UDP header, is a tunnel's. All
 * at once: each is compared with each, without a branch. */
static inline bool udp_ports_hit(const struct pkt_decoder *d, uint32_t ports)
{
	typedef uint16_t eight __attribute__((vector_size(16)));
	typedef uint32_t four __attribute__((vector_size(16)));
	typedef int64_t two __attribute__((vector_size(16)));
	const four both = {ports, ports, ports, ports};
	two equal;
	eight known;

	memcpy(&known, d->udp_ports, sizeof(known));
	equal = (two)((eight)both == known);
	return (equal[0] | equal[1]) != 0;
}

/* Steps over n bytes of a link header: where they start, or NULL if they are
 * not all captured. */
static inline const uint8_t *walk_take(struct walk *w, size_t n)
{
	const uint8_t *at = bytes_take(&w->b, n);

	if (at)
		w->wire = w->wire > n ? w->wire - n : 0;
	return at;
}

/* pkt.c: the walk alone, from the link header on, whatever the frame is.
 * Without a decoder as pkt_decode(), with one as pkt_decode_with(). */
enum pkt_verdict frame_walk(struct pkt_decoder *d, const struct frame *f, struct pkt *p);

/* link.c */
enum walk_next link_walk(struct walk *w, struct pkt *p, uint16_t link);
enum walk_next ethernet_walk(struct walk *w);
/* ethertype.c: what a type number says, and VLAN tags */
enum walk_next ethertype_walk(struct walk *w);
/* Counts a tag of that number. */
void vlan_count(struct pkt_decoder *d, uint16_t type);
/* mpls.c, ppp.c */
enum walk_next mpls_walk(struct walk *w);
enum walk_next pppoe_walk(struct walk *w);
enum walk_next ppp_walk(struct walk *w);
enum walk_next ppp_link_walk(struct walk *w);
enum walk_next chdlc_walk(struct walk *w);

/* segments.c: a frame that is several packets, once the walk is over */
void segments_count(struct pkt *p, const struct walk *w, const struct frame *f);

/* tunnel.c: behind an IP packet that was read, and back to it when the inside
 * of the tunnel that it is could not be */
enum walk_next tunnel_walk(struct walk *w, struct pkt *p);
void tunnel_leave(struct walk *w, struct pkt *p);
/* What is sent from and to UDP ports; DECAP_KINDS: no tunnel. */
enum decap_kind udp_tunnel_kind(const struct decap_conf *c, uint16_t sport, uint16_t dport);

/* gre.c, erspan.c, vxlan.c, geneve.c, gtpu.c: steps into tunnels. The kind is
 * erspan or gre; `b` is at its header. */
enum decap_kind gre_kind(const struct bytes *b);
enum walk_next gre_walk(struct walk *w);
enum walk_next erspan_walk(struct walk *w, bool is_type_1);
enum walk_next vxlan_walk(struct walk *w, bool is_gpe);
enum walk_next geneve_walk(struct walk *w);
enum walk_next gtpu_walk(struct walk *w);

/* What a type number in a tunnel's header says is behind it. */
static inline enum walk_next walk_payload(struct walk *w, uint16_t type)
{
	return type == 0x6558 /* transparent Ethernet bridging */ ? ethernet_walk(w)
								  : walk_ethertype(w, type);
}

/* ipv4.c, ipv6.c: they fill p. */
enum walk_next ipv4_walk(struct walk *w, struct pkt *p);
enum walk_next ipv6_walk(struct walk *w, struct pkt *p);

/* What the transport header says of a packet or of a quoted one: its ports,
 * its kind. `b` ends where the IP packet or the capture does. */
struct transport {
	uint16_t sport, dport; /* or see pkt_icmp_port() */
	uint8_t kind;	       /* enum pkt_kind */
	uint8_t tcp_flags;
	bool is_reply;
	bool has_quote; /* PKT_KIND_ICMP_ERROR, and b stands at the quote */
};

/* transport.c, icmp.c */
void transport_read(struct transport *t, struct bytes *b, uint8_t family, uint8_t proto);
void icmp_read(struct transport *t, struct bytes *b, uint8_t family);

/* The headers that an ICMP error quotes: p->key and p->side become the quoted
 * flow's, the side being the one that the error counts as sent by. */
enum pkt_quote ipv4_quote_read(struct pkt *p, struct bytes *b);
enum pkt_quote ipv6_quote_read(struct pkt *p, struct bytes *b);

/* Fills p->key from addresses and ports, lower side first; returns the side
 * of the source. */
uint8_t key_fill(struct pkt_key *k, const struct addr *src, const struct addr *dst,
		 const struct transport *t, uint8_t family, uint8_t proto);

/* After the addresses are known: transport, key, kind, class. */
void packet_finish(struct pkt *p, const struct addr *src, const struct addr *dst, struct bytes *b,
		   uint8_t family, uint8_t proto);
/* The same at the end of an IP step, `rest` being behind the header. */
static inline void walk_finish(struct walk *w, struct pkt *p, const struct addr *src,
			       const struct addr *dst, struct bytes rest, uint8_t family)
{
	w->l4 = rest;
	packet_finish(p, src, dst, &rest, family, w->proto);
}

/* The IP header is at ip; nothing is known to be behind it yet. */
static inline void walk_ip_header(struct walk *w, const uint8_t *ip, uint8_t proto)
{
	w->ip = ip;
	w->l4 = bytes_of(NULL, 0);
	w->proto = proto;
	w->is_cut = false;
}

/* The same for a packet whose transport header is not in it. */
void packet_finish_without(struct pkt *p, const struct addr *src, const struct addr *dst,
			   enum pkt_kind kind, uint8_t family, uint8_t proto);

static inline enum pkt_class class_of(uint8_t family, uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return PKT_TCP;
	case PROTO_UDP:
		return PKT_UDP;
	case PROTO_ICMP:
		return family == ADDR_V4 ? PKT_ICMP : PKT_OTHER;
	case PROTO_ICMPV6:
		return family == ADDR_V6 ? PKT_ICMP : PKT_OTHER;
	default:
		return PKT_OTHER;
	}
}

#endif
