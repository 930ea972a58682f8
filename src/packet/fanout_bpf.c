/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout_bpf.c - pkt_fanout() as a program for the kernel.
 *
 * The program walks what pkt_decode() walks as far as addresses need: tags,
 * labels, PPPoE, IP, the header that an ICMP error quotes. Classic BPF has no
 * loops, so each level is written out, and no way back, so they stand in the
 * order in which headers follow each other. A load beyond the frame ends the
 * program with 0.
 *
 * Of Ethernet the walk starts at the type in the link header (SKF_LL_OFF): the
 * only place where frames that arrive and frames that leave agree. A tag that
 * Linux itself puts into a leaving frame, because the NIC does not, makes
 * SKF_AD_PROTOCOL its own, but leaves SKF_NET_OFF at the IP header. Devices
 * without a link header have nothing else than those two.
 *
 * How long the frame is cannot be known (BPF_LEN counts the link header of those
 * that leave alone), but where the IP packet ends can: M_END. What is behind is
 * padding, and says nothing.
 *
 * What is in tunnels is out of reach, and connections may change from one tunnel to
 * another; so all that is opened goes to the first socket. Errors about tunnels go
 * there, too, as what could not be opened counts by itself.
 *
 * X is the offset of the header at hand from SKF_NET_OFF, which the link header
 * is below, so that one load reads from either; and M_AT keeps it while X is
 * needed for something else.
 */
#include "packet/fanout_bpf.h"

#include <linux/if_arp.h>
#include <stdint.h>

#include "packet/pkt.h"

#define GOLDEN	 0x9e3779b1		    /* as in fanout.c */
#define ETHERNET (SKF_LL_OFF - SKF_NET_OFF) /* X for the start of a link header */

enum memory { M_AT, M_SUM, M_OWN, M_TYPE, M_END };

enum label {
	ON_ETHERNET,
	TAGS,
	TAGS_DONE,
	PPPOE,
	PPP_SHORT,
	PPP,
	MPLS,
	LABELS_DONE,
	IPV4,
	IPV4_ERROR,
	IPV4_QUOTED,
	IPV4_OWN,
	IPV4_SUM,
	IPV6,
	EXTENSIONS_DONE,
	IPV6_ERROR,
	IPV6_QUOTED,
	IPV6_OWN,
	NOTHING,
	LABELS, /* and from here on those of levels */
	LABELS_MAX = LABELS + 64
};

struct program {
	struct decap_conf decap; /* without defaults */
	struct sock_filter *out;
	unsigned n;
	unsigned at[LABELS_MAX];	 /* where a label stands */
	unsigned wanted[FANOUT_BPF_MAX]; /* 1 + the label that a jump goes to */
	unsigned labels;
};

static void emit(struct program *p, unsigned code, uint32_t k)
{
	p->wanted[p->n] = 0;
	p->out[p->n++] = (struct sock_filter){(uint16_t)code, 0, 0, k};
}

static void place(struct program *p, unsigned label)
{
	p->at[label] = p->n;
}

static unsigned new_label(struct program *p)
{
	return p->labels++;
}

static void jump(struct program *p, unsigned label)
{
	emit(p, BPF_JMP | BPF_JA, 0);
	p->wanted[p->n - 1] = 1 + label;
}

/* Goes to label if A is k. As two steps, for only a plain jump goes far. */
static void jump_equal(struct program *p, uint32_t k, unsigned label)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k);
	p->out[p->n - 1].jf = 1;
	jump(p, label);
}

/* Goes to label if A has one of the bits. */
static void jump_set(struct program *p, uint32_t bits, unsigned label)
{
	emit(p, BPF_JMP | BPF_JSET | BPF_K, bits);
	p->out[p->n - 1].jf = 1;
	jump(p, label);
}

/* Goes to label if A is from first to last. */
static void jump_within(struct program *p, uint32_t first, uint32_t last, unsigned label)
{
	emit(p, BPF_JMP | BPF_JGE | BPF_K, first);
	p->out[p->n - 1].jf = 2;
	emit(p, BPF_JMP | BPF_JGT | BPF_K, last);
	p->out[p->n - 1].jt = 1;
	jump(p, label);
}

/* A = what stands k bytes behind X. */
static void load(struct program *p, unsigned size, uint32_t k)
{
	emit(p, BPF_LD | size | BPF_IND, (uint32_t)SKF_NET_OFF + k);
}

static void keep(struct program *p, enum memory m)
{
	emit(p, BPF_ST, m);
}

/* X += A */
static void step_a(struct program *p)
{
	emit(p, BPF_ALU | BPF_ADD | BPF_X, 0);
	emit(p, BPF_MISC | BPF_TAX, 0);
}

/* X += n, A kept */
static void step(struct program *p, uint32_t n)
{
	keep(p, M_TYPE);
	emit(p, BPF_MISC | BPF_TXA, 0);
	emit(p, BPF_ALU | BPF_ADD | BPF_K, n);
	emit(p, BPF_MISC | BPF_TAX, 0);
	emit(p, BPF_LD | BPF_MEM, M_TYPE);
}

/* M_END = X + k + the length that stands `at` bytes behind X; without end if
 * that is 0: as far as the frame goes. */
static void keep_end(struct program *p, uint32_t at, uint32_t k)
{
	load(p, BPF_H, at);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0);
	p->out[p->n - 1].jt = 3;
	emit(p, BPF_ALU | BPF_ADD | BPF_K, k);
	emit(p, BPF_ALU | BPF_ADD | BPF_X, 0);
	emit(p, BPF_JMP | BPF_JA, 1);
	emit(p, BPF_LD | BPF_IMM, UINT32_MAX);
	keep(p, M_END);
}

/* Goes to label, X and A lost, unless n bytes from X on belong to the packet. */
static void need(struct program *p, uint32_t n, unsigned label)
{
	emit(p, BPF_STX, M_AT);
	emit(p, BPF_MISC | BPF_TXA, 0);
	emit(p, BPF_ALU | BPF_ADD | BPF_K, n);
	emit(p, BPF_LDX | BPF_MEM, M_END);
	emit(p, BPF_JMP | BPF_JGT | BPF_X, 0);
	p->out[p->n - 1].jf = 1;
	jump(p, label);
	emit(p, BPF_LDX | BPF_MEM, M_AT);
}

/* Ends with the hash of `words` words that stand k bytes behind X. */
static void sum_and_return(struct program *p, uint32_t k, unsigned words)
{
	emit(p, BPF_STX, M_AT);
	load(p, BPF_W, k);
	keep(p, M_SUM);
	for (unsigned i = 1; i < words; i++) {
		emit(p, BPF_LDX | BPF_MEM, M_AT);
		load(p, BPF_W, k + 4 * i);
		emit(p, BPF_LDX | BPF_MEM, M_SUM);
		emit(p, BPF_ALU | BPF_ADD | BPF_X, 0);
		keep(p, M_SUM);
	}
	emit(p, BPF_ALU | BPF_MUL | BPF_K, GOLDEN);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 16);
	emit(p, BPF_RET | BPF_A, 0);
}

/* A = the type of what stands at X, behind the link header. */
static void link_header(struct program *p)
{
	emit(p, BPF_LD | BPF_H | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_HATYPE);
	jump_equal(p, ARPHRD_ETHER, ON_ETHERNET);
	jump_equal(p, ARPHRD_LOOPBACK, ON_ETHERNET);
	emit(p, BPF_LDX | BPF_IMM, 0);
	emit(p, BPF_LD | BPF_H | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PROTOCOL);
	jump(p, TAGS);
	place(p, ON_ETHERNET);
	emit(p, BPF_LDX | BPF_IMM, (uint32_t)ETHERNET);
	load(p, BPF_H, 12);
	step(p, 14);
	place(p, TAGS);
}

/* A is the type of what stands at X; the same behind the tags. */
static void tags(struct program *p)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100, 0x9200, 0x9300};

	for (unsigned level = 0; level < FANOUT_BPF_TAGS; level++) {
		const unsigned is_tag = new_label(p);

		for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			jump_equal(p, types[i], is_tag);
		jump(p, TAGS_DONE);
		place(p, is_tag);
		load(p, BPF_H, 2);
		step(p, 4);
	}
	place(p, TAGS_DONE);
	jump_equal(p, 0x0800, IPV4);
	jump_equal(p, 0x86dd, IPV6);
	jump_equal(p, 0x8847, MPLS);
	jump_equal(p, 0x8848, MPLS);
	jump_equal(p, 0x8864, PPPOE);
	jump(p, NOTHING);
}

/* PPP's protocol number is one byte if that is odd (RFC 1661 section 6.5): each
 * end may have agreed to it for its own direction. */
static void pppoe(struct program *p)
{
	place(p, PPPOE);
	load(p, BPF_B, 1);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0); /* data in a session */
	p->out[p->n - 1].jt = 1;
	jump(p, NOTHING);
	load(p, BPF_B, 6);
	jump_set(p, 1, PPP_SHORT);
	load(p, BPF_H, 6);
	step(p, 8);
	jump(p, PPP);
	place(p, PPP_SHORT);
	step(p, 7);
	place(p, PPP);
	jump_equal(p, 0x0021, IPV4);
	jump_equal(p, 0x0057, IPV6);
	jump_equal(p, 0x0281, MPLS);
	jump_equal(p, 0x0283, MPLS);
	jump(p, NOTHING);
}

static void labels(struct program *p)
{
	place(p, MPLS);
	for (unsigned level = 0; level < FANOUT_BPF_LABELS; level++) {
		load(p, BPF_W, 0);
		step(p, 4);
		jump_set(p, 0x100, LABELS_DONE); /* the bottom of the stack */
	}
	jump(p, NOTHING);
	place(p, LABELS_DONE);
	load(p, BPF_B, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 4);
	jump_equal(p, 4, IPV4);
	jump_equal(p, 6, IPV6);
	jump(p, NOTHING);
}

/* --- tunnels that are opened ------------------------------------------------- */

static bool opens(const struct program *p, uint32_t kinds)
{
	return p->decap.kinds & kinds;
}

/* A is an IP protocol: ends with the first socket if it is that of a tunnel. */
static void tunnel_protocols(struct program *p, uint8_t family)
{
	const bool is_v4 = family == ADDR_V4;

	if (opens(p, 1u << DECAP_GRE | 1u << DECAP_ERSPAN))
		jump_equal(p, PROTO_GRE, NOTHING);
	if (opens(p, 1u << (is_v4 ? DECAP_IPIP : DECAP_4IN6)))
		jump_equal(p, PROTO_IPIP, NOTHING);
	if (opens(p, 1u << (is_v4 ? DECAP_6IN4 : DECAP_IP6IP6)))
		jump_equal(p, PROTO_IPV6, NOTHING);
}

static bool opens_udp(const struct program *p)
{
	return opens(p, 1u << DECAP_VXLAN | 1u << DECAP_GENEVE | 1u << DECAP_GTPU);
}

/* X is at a UDP header: ends with the first socket if it is a tunnel's. */
static void tunnel_ports(struct program *p)
{
	const struct decap_conf *c = &p->decap;

	for (uint32_t at = 0; at < 4; at += 2) {
		load(p, BPF_H, at);
		if (opens(p, 1u << DECAP_VXLAN)) {
			jump_equal(p, c->vxlan_port, NOTHING);
			jump_equal(p, c->vxlan_gpe_port, NOTHING);
		}
		if (opens(p, 1u << DECAP_GENEVE))
			jump_equal(p, c->geneve_port, NOTHING);
		if (opens(p, 1u << DECAP_GTPU))
			jump_equal(p, c->gtpu_port, NOTHING);
	}
}

/* X is at an IPv4 header: the same of all that it may be. M_OWN is lost, A too. */
static void ipv4_tunnels(struct program *p)
{
	const unsigned done = new_label(p);

	load(p, BPF_B, 9);
	tunnel_protocols(p, ADDR_V4);
	if (!opens_udp(p))
		return;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, PROTO_UDP);
	p->out[p->n - 1].jt = 1;
	jump(p, done);
	load(p, BPF_H, 6);
	jump_set(p, 0x3fff, done); /* a fragment, which is not opened */
	emit(p, BPF_STX, M_OWN);
	load(p, BPF_B, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0x0f);
	emit(p, BPF_ALU | BPF_LSH | BPF_K, 2);
	step_a(p);
	tunnel_ports(p);
	emit(p, BPF_LDX | BPF_MEM, M_OWN);
	place(p, done);
}

/* --- IP ------------------------------------------------------------------------ */

static void ipv4(struct program *p)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};

	place(p, IPV4);
	ipv4_tunnels(p);
	load(p, BPF_B, 9);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, PROTO_ICMP);
	p->out[p->n - 1].jt = 1;
	jump(p, IPV4_SUM);
	load(p, BPF_H, 6);
	jump_set(p, 0x1fff, IPV4_SUM); /* a later fragment */
	emit(p, BPF_STX, M_OWN);
	keep_end(p, 2, 0);
	load(p, BPF_B, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0x0f);
	emit(p, BPF_ALU | BPF_LSH | BPF_K, 2);
	step_a(p);
	need(p, 8 + 20, IPV4_OWN);
	load(p, BPF_B, 0);
	for (unsigned i = 0; i < sizeof(errors); i++)
		jump_equal(p, errors[i], IPV4_ERROR);
	jump(p, IPV4_OWN);
	place(p, IPV4_ERROR);
	step(p, 8);
	load(p, BPF_B, 0);
	jump_within(p, 0x45, 0x4f, IPV4_QUOTED); /* if it can be one */
	jump(p, IPV4_OWN);
	place(p, IPV4_QUOTED);
	ipv4_tunnels(p);
	jump(p, IPV4_SUM);
	place(p, IPV4_OWN);
	emit(p, BPF_LDX | BPF_MEM, M_OWN);
	place(p, IPV4_SUM);
	sum_and_return(p, 12, 2);
}

/* A is a header's number, X where it stands: steps over it if it is one of
 * the extensions, the shortest of which have 8 bytes. */
static void extensions(struct program *p)
{
	for (unsigned level = 0; level < FANOUT_BPF_EXTENSIONS; level++) {
		const unsigned eights = new_label(p), fragment = new_label(p);
		const unsigned fours = new_label(p), next = new_label(p);

		jump_equal(p, PROTO_HOPOPTS, eights);
		jump_equal(p, PROTO_ROUTING, eights);
		jump_equal(p, PROTO_DSTOPTS, eights);
		jump_equal(p, PROTO_FRAGMENT, fragment);
		jump_equal(p, PROTO_AH, fours);
		jump(p, EXTENSIONS_DONE);

		place(p, fragment);
		need(p, 8, IPV6_OWN);
		load(p, BPF_B, 0);
		tunnel_protocols(p, ADDR_V6);
		load(p, BPF_H, 2);
		/* A later one; or, where UDP would be a tunnel if it were whole, any. */
		jump_set(p, opens_udp(p) ? 0xfff9 : 0xfff8, IPV6_OWN);
		load(p, BPF_B, 0);
		step(p, 8);
		jump(p, next);

		place(p, eights);
		need(p, 8, IPV6_OWN);
		load(p, BPF_B, 0);
		keep(p, M_SUM);
		load(p, BPF_B, 1);
		emit(p, BPF_ALU | BPF_ADD | BPF_K, 1);
		emit(p, BPF_ALU | BPF_LSH | BPF_K, 3);
		step_a(p);
		emit(p, BPF_LD | BPF_MEM, M_SUM);
		jump(p, next);

		place(p, fours);
		need(p, 8, IPV6_OWN);
		load(p, BPF_B, 0);
		keep(p, M_SUM);
		load(p, BPF_B, 1);
		emit(p, BPF_ALU | BPF_ADD | BPF_K, 2);
		emit(p, BPF_ALU | BPF_LSH | BPF_K, 2);
		step_a(p);
		emit(p, BPF_LD | BPF_MEM, M_SUM);
		place(p, next);
	}
	place(p, EXTENSIONS_DONE);
}

/* A is the protocol of what stands at X, behind IPv6 extensions, and stays. */
static void ipv6_tunnels(struct program *p)
{
	const unsigned done = new_label(p);

	tunnel_protocols(p, ADDR_V6);
	if (!opens_udp(p))
		return;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, PROTO_UDP);
	p->out[p->n - 1].jt = 1;
	jump(p, done);
	tunnel_ports(p);
	jump(p, IPV6_OWN);
	place(p, done);
}

static void ipv6(struct program *p)
{
	place(p, IPV6);
	emit(p, BPF_STX, M_OWN);
	keep_end(p, 4, 40);
	load(p, BPF_B, 6);
	step(p, 40);
	extensions(p);
	ipv6_tunnels(p);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, PROTO_ICMPV6);
	p->out[p->n - 1].jt = 1;
	jump(p, IPV6_OWN);
	need(p, 8 + 40, IPV6_OWN);
	load(p, BPF_B, 0);
	jump_within(p, 1, 4, IPV6_ERROR);
	jump(p, IPV6_OWN);
	place(p, IPV6_ERROR);
	step(p, 8);
	load(p, BPF_B, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 4);
	jump_equal(p, 6, IPV6_QUOTED);
	jump(p, IPV6_OWN);
	place(p, IPV6_QUOTED);
	emit(p, BPF_STX, M_OWN);
	load(p, BPF_B, 6);
	step(p, 40);
	ipv6_tunnels(p);
	place(p, IPV6_OWN);
	emit(p, BPF_LDX | BPF_MEM, M_OWN);
	sum_and_return(p, 8, 8);
}

static void resolve(struct program *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->wanted[i])
			p->out[i].k = p->at[p->wanted[i] - 1] - i - 1;
}

unsigned pkt_fanout_program(struct sock_filter out[FANOUT_BPF_MAX], const struct decap_conf *c)
{
	struct program p = {.out = out, .labels = LABELS};
	struct pkt_decoder d;

	pkt_decoder_init(&d, c); /* which knows the ports */
	p.decap = d.conf;
	link_header(&p);
	tags(&p);
	pppoe(&p);
	labels(&p);
	ipv4(&p);
	ipv6(&p);
	place(&p, NOTHING);
	emit(&p, BPF_RET | BPF_K, 0);
	resolve(&p);
	return p.n;
}
