/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace_tunnel.c - connections inside of tunnels between two inner hosts.
 *
 * Each connection has a kind of tunnel to itself. A packet is noted either on
 * the ends of its tunnel, or on its own, as --decap says.
 */
#include "mktrace.h"

enum tunnel {
	TUNNEL_GRE,
	TUNNEL_GRE_ALL, /* checksum, key and sequence number */
	TUNNEL_GRE_ETHERNET,
	TUNNEL_ERSPAN1,
	TUNNEL_ERSPAN2,
	TUNNEL_ERSPAN3,
	TUNNEL_IPIP, /* or 6in4 */
	TUNNEL_VXLAN,
	TUNNEL_GENEVE,
	TUNNEL_GTPU,
	TUNNELS
};

static uint16_t ethertype_of(const struct flow *f)
{
	return f->family == ADDR_V4 ? 0x0800 : 0x86dd;
}

/* The header of a tunnel, up to the IP packet of f or its Ethernet header. */
static uint8_t *put_gre(uint8_t *p, enum tunnel kind, const struct packet *k)
{
	switch (kind) {
	case TUNNEL_GRE:
		return put16(put16(p, 0), ethertype_of(k->flow));
	case TUNNEL_GRE_ALL:
		p = put16(put16(p, 0xb000), ethertype_of(k->flow));
		return put32(put32(put32(p, 0), k->flow->port[0]), k->ident);
	case TUNNEL_GRE_ETHERNET:
		return put16(put16(p, 0), 0x6558);
	case TUNNEL_ERSPAN1:
		return put16(put16(p, 0), 0x88be);
	case TUNNEL_ERSPAN2:
		p = put32(put16(put16(p, 0x1000), 0x88be), k->ident);
		return put32(put32(p, 0x10010000), 0);
	default: /* ERSPAN3, with its optional part */
		p = put32(put16(put16(p, 0x1000), 0x22eb), k->ident);
		p = put32(put32(put32(p, 0x20010000), 0), 0x00000001);
		return put32(put32(p, 0), 0);
	}
}

static uint8_t *put_udp_tunnel(uint8_t *p, enum tunnel kind, const struct packet *k,
			       uint32_t inside)
{
	uint8_t *udp = p;

	p += 8;
	if (kind == TUNNEL_VXLAN) {
		p = put32(put32(p, 0x08000000), 42 << 8);
	} else if (kind == TUNNEL_GENEVE) { /* one option of 4 bytes */
		p = put16(put16(p, 0x0200), ethertype_of(k->flow));
		p = put32(put32(put32(p, 42 << 8), 0x01028001), 7);
	} else { /* sequence number, and an extension header of a PDU session */
		p = put16(put16(p, 0x36ff), inside + 8);
		p = put32(put16(put16(put32(p, 42), k->ident), 0x0085), 0x01100900);
	}
	put16(put16(put16(put16(udp, 49152 + (k->flow->port[0] & 0x3fff)),
			  kind == TUNNEL_VXLAN	  ? 4789
			  : kind == TUNNEL_GENEVE ? 6081
						  : 2152),
		    (uint32_t)(p - udp) + inside),
	      0);
	return p;
}

static bool has_ethernet(enum tunnel kind)
{
	return kind == TUNNEL_GRE_ETHERNET || (kind >= TUNNEL_ERSPAN1 && kind <= TUNNEL_ERSPAN3) ||
	       kind == TUNNEL_VXLAN;
}

int put_tunneled(struct trace *t, const struct packet *k)
{
	const enum tunnel kind = k->flow->left % TUNNELS;
	const struct flow ends = {.family = ADDR_V4,
				  .end = {(uint32_t)t->c.hosts, (uint32_t)t->c.hosts + 1}};
	struct packet outer = {.flow = &ends, .from = k->from, .ident = ++t->ident};
	uint8_t inside[160], frame[256], *p = inside, *ip, *head;
	uint32_t inner_bytes, bytes;

	if (has_ethernet(kind))
		p = put_link(p, k->flow->tags, k->flow->vlan, ethertype_of(k->flow));
	head = p;
	p = put_ip(t, p, k, &inner_bytes);
	bytes = (uint32_t)(head - inside) + inner_bytes;

	outer.class = kind > TUNNEL_IPIP ? CLASS_UDP : CLASS_OTHER;
	outer.proto = kind > TUNNEL_IPIP ? UDP : GRE;
	if (kind == TUNNEL_IPIP)
		outer.proto = k->flow->family == ADDR_V4 ? IPIP : SIX_IN_FOUR;
	else if (kind > TUNNEL_IPIP)
		outer.head_n = (uint32_t)(put_udp_tunnel(outer.head, kind, k, bytes) - outer.head);
	else
		outer.head_n = (uint32_t)(put_gre(outer.head, kind, k) - outer.head);
	outer.body_n = outer.head_n + bytes;

	ip = put_link(frame, 0, NULL, 0x0800);
	head = put_ip(t, ip, &outer, &bytes);
	head = put_bytes(head, inside, (size_t)(p - inside));
	if (t->c.decap)
		account(t, k, inner_bytes);
	else
		account(t, &outer, bytes);
	return put_frame(t, frame, (size_t)(head - frame), (size_t)(ip - frame) + bytes);
}

int make_tunnels(struct trace *t)
{
	const uint32_t flows = (uint32_t)t->c.flows;
	int ret = 0;

	t->in_tunnel = true;
	for (uint32_t i = 0; i < flows; i++) {
		open_pair(t, &t->flows[i], i);
		t->flows[i].left = i + i / TUNNELS; /* every protocol in every kind */
		t->flows[i].tags = i % 7 == 0;
		t->flows[i].vlan[0] = (uint16_t)(1 + i % 4094);
	}
	while (ret == 0 && t->made < t->c.packets) {
		struct flow *f = &t->flows[draw_below(t, flows)];
		const unsigned from = draw_below(t, 2);

		if (f->class == CLASS_TCP)
			ret = put_tcp(t, f, from, TCP_ACK | TCP_PSH, 20 + draw_below(t, 1300));
		else if (f->class == CLASS_UDP)
			ret = put_udp(t, f, from, 8 + draw_below(t, 1300));
		else
			ret = put_echo(t, f, from);
	}
	return ret;
}
