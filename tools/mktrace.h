/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace.h - an invented trace while it is made: what the parts of mktrace
 * share.
 *
 * Threading: one thread. Calls that write return 0, or the -errno of write().
 */
#ifndef TOOLS_MKTRACE_H
#define TOOLS_MKTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/units.h"

#define SIZES_MAX      16
#define HOSTS_MAX      8000000
#define PREFIX	       8     /* of 10/8 */
#define OUTERS_MAX     65536 /* of each family: 198.18.0.0/15 has twice as many */
#define SNAPLEN_MIN    128   /* all headers that are made, but in tunnels */
#define SNAPLEN_TUNNEL 192
#define MTU	       1500
#define TAGS_MAX       2
#define NOBODY	       UINT32_MAX /* a multicast destination: nobody's counter */
#define OUT_BYTES      (1 << 20)
#define RECORD_HEADER  16

enum mode {
	MODE_TRAFFIC,
	MODE_SYNFLOOD,
	MODE_UDPFLOOD,
	MODE_ICMPFLOOD,
	MODE_SCAN4,
	MODE_SCAN6,
	MODE_REUSE,
	MODE_FRAGMENTS,
	MODE_TUNNELS,
	MODES
};

enum share {
	SHARE_TCP,
	SHARE_UDP,
	SHARE_ICMP,
	SHARE_IPV6,
	SHARE_INTERNAL,
	SHARE_TRANSIT,
	SHARE_VLAN,
	SHARE_QINQ,
	SHARE_FRAGMENTS,
	SHARE_NOT_IP,
	SHARE_MALFORMED,
	SHARES
};

enum class { CLASS_TCP, CLASS_UDP, CLASS_ICMP, CLASS_OTHER, CLASSES };

enum proto {
	ICMP = 1,
	IPIP = 4,
	TCP = 6,
	UDP = 17,
	FRAGMENT = 44,
	GRE = 47,
	ESP = 50,
	ICMP6 = 58,
	SIX_IN_FOUR = 41,
	SCTP = 132
};

struct conf {
	enum mode mode;
	bool decap, flat;
	uint64_t established; /* connections beneath a flood */
	uint64_t packets, hosts, prefix, peers, flows, longest, rate, start, snaplen, seed;
	uint64_t span_ns;
	double share[SHARES]; /* 0 .. 1 */
	struct {
		uint32_t bytes;
		double up_to; /* share of packets of this size or one before */
	} sizes[SIZES_MAX];
	unsigned sizes_n;
	const char *path, *expect, *expect_all;
};

struct counter {
	uint64_t packets, bytes;
};

/* An address with what it sent [0] and received [1]. */
struct entity {
	struct addr ip;
	uint8_t family;
	uint64_t last_ns;
	/* Connections that it ever had, not known of MODE_TRAFFIC; those beneath the
	 * flood. */
	uint64_t conns, established;
	struct counter sum[CLASSES][2];
};

/* Where a connection is in its life. The TCP ones stand in tcp_steps. */
enum step {
	STEP_NEW,
	STEP_SYN,
	STEP_SYN_ACK,
	STEP_ACK,
	STEP_FIN,
	STEP_FIN_ACK,
	STEP_LAST_ACK,
	STEP_RESET,
	STEP_REFUSED,
	STEP_DATA,
	STEP_UNREACHABLE,
};

struct flow {
	uint32_t end[2]; /* entity of originator and of the other; NOBODY: multicast */
	uint32_t seq[2];
	uint32_t left; /* data packets to come */
	uint16_t port[2];
	uint16_t vlan[TAGS_MAX];
	uint8_t tags;
	uint8_t proto, class, family;
	uint8_t step;
	bool one_way; /* never answered */
	bool answers; /* the other's turn */
};

/* One IP packet on its way to the file. */
struct packet {
	const struct flow *flow;
	unsigned from; /* which end of the flow sends it */
	uint8_t proto, class;
	uint8_t head[96]; /* first bytes behind the IP header */
	uint32_t head_n;
	uint32_t body_n; /* bytes behind the IP header, head and all */
	bool is_fragment, more;
	uint16_t offset; /* of a fragment, in bytes */
	uint32_t ident;
};

struct trace {
	struct conf c;
	int fd;
	uint8_t *out;
	size_t out_n;
	uint64_t random;
	uint64_t ts_ns, gap_ns;
	/* Hosts, then the inner addresses that are flooded, then outer ones, IPv4 and
	 * IPv6 by turns, then one whose address is another for each packet. */
	struct entity *entities;
	uint32_t inners; /* hosts and flooded ones */
	uint32_t outers; /* of each family */
	uint32_t stranger;
	struct flow *flows;
	uint32_t opened; /* flows that have had their first turn */
	uint32_t ident;
	uint64_t made, not_ip, malformed;
	struct counter inner, internal, transit, received_by_one;
	uint64_t astray; /* fragments whose first one never comes */
	bool in_tunnel;	 /* packets go through one */
};

/* splitmix64 (Steele, Lea, Flood 2014): also a bijection of its argument. */
static inline uint64_t scramble(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline uint64_t draw(struct trace *t)
{
	return scramble(t->random += 0x9e3779b97f4a7c15);
}

static inline uint32_t draw_below(struct trace *t, uint32_t n)
{
	return (uint32_t)((draw(t) >> 32) * n >> 32);
}

static inline double draw_unit(struct trace *t)
{
	return (double)(draw(t) >> 11) * 0x1p-53;
}

static inline bool happens(struct trace *t, double share)
{
	return share > 0 && draw_unit(t) < share;
}

static inline uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static inline uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static inline uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

/* mktrace_frame.c: writes a frame of `wire` bytes: head, then zeros. */
int put_frame(struct trace *t, const uint8_t *head, size_t head_n, size_t wire);
/* One IP packet, noted on both its ends, unless the file has all its frames. */
int put_packet(struct trace *t, const struct packet *k);
/* The same in 2 or 3 fragments; now and then the last comes first. */
int put_fragments(struct trace *t, const struct packet *whole);
void put_file_header(struct trace *t);
/* What still stands in the buffer. */
int flush(struct trace *t);

/* IP header and head of a packet; *bytes is its IP length. */
uint8_t *put_ip(const struct trace *t, uint8_t *p, const struct packet *k, uint32_t *bytes);
/* Notes a packet on both its ends and in the ledger. */
void account(struct trace *t, const struct packet *k, uint32_t bytes);

uint8_t *put_link(uint8_t *p, unsigned tags, const uint16_t *vlan, uint16_t ethertype);
uint8_t *put_ipv4(uint8_t *p, const struct packet *k, const struct addr *src,
		  const struct addr *dst);
uint8_t *put_ipv6(uint8_t *p, const struct packet *k, const struct addr *src,
		  const struct addr *dst);
const struct addr *flow_addr(const struct trace *t, const struct flow *f, unsigned end);
void counter_add(struct counter *c, uint64_t bytes);

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

/* mktrace_flow.c: one packet of a connection, from one of its ends. body_n:
 * bytes behind the IP header; the headers themselves if it is less. */
int put_tcp(struct trace *t, struct flow *f, unsigned from, uint8_t flags, uint32_t body_n);
int put_udp(struct trace *t, struct flow *f, unsigned from, uint32_t body_n);
int put_echo(struct trace *t, struct flow *f, unsigned from);
/* All frames of MODE_TRAFFIC. */
int make_traffic(struct trace *t);

struct packet udp_packet(struct trace *t, const struct flow *f, unsigned from, uint32_t body_n);
struct packet echo_packet(struct trace *t, const struct flow *f, unsigned from);

/* mktrace_flood.c: a flow of two ends that no other number's has. */
void open_pair(struct trace *t, struct flow *f, uint32_t i);
/* All frames of a flood or a scan. */
int make_flood(struct trace *t);

/* mktrace_reuse.c, mktrace_fragment.c, mktrace_tunnel.c: all frames of these modes. */
int make_reuse(struct trace *t);
int make_fragments(struct trace *t);
int make_tunnels(struct trace *t);
/* mktrace_tunnel.c: the packet in a tunnel. */
int put_tunneled(struct trace *t, const struct packet *k);

#endif
