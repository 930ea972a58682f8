/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace_flow.c - connections begin, carry data and end; each has a turn when
 * it is drawn, and sends one packet.
 */
#include "mktrace.h"

#include <math.h>

/* 0 .. n-1, the k-th with a chance of about 1/(k+1). */
static uint32_t draw_zipf(struct trace *t, uint32_t n)
{
	uint32_t k = (uint32_t)exp(draw_unit(t) * log((double)n + 1)) - 1;

	return k < n ? k : n - 1;
}

/* Of n hosts, peers or connections, of which some have more to say than others. */
static uint32_t draw_one(struct trace *t, uint32_t n)
{
	double u;

	if (!t->c.flat)
		return draw_zipf(t, n);
	u = draw_unit(t);
	return (uint32_t)(u * u * u * n);
}

static uint32_t draw_size(struct trace *t)
{
	double u = draw_unit(t);
	unsigned i = 0;

	while (i + 1 < t->c.sizes_n && u >= t->c.sizes[i].up_to)
		i++;
	return t->c.sizes[i].bytes;
}

static struct packet packet_of(struct trace *t, const struct flow *f, unsigned from)
{
	return (struct packet){
		.flow = f, .from = from, .proto = f->proto, .class = f->class, .ident = ++t->ident};
}

/* Bytes behind an IP header of a data packet that has `head` bytes of its own. */
static uint32_t body_size(struct trace *t, const struct flow *f, uint32_t head)
{
	uint32_t size = draw_size(t), ip = f->family == ADDR_V4 ? 20 : 40;

	return size < ip + head ? head : size - ip;
}

static const struct tcp_step {
	uint8_t flags;
	uint8_t from;
	uint8_t next;
} tcp_steps[] = {
	[STEP_SYN] = {TCP_SYN, 0, STEP_SYN_ACK},
	[STEP_SYN_ACK] = {TCP_SYN | TCP_ACK, 1, STEP_ACK},
	[STEP_ACK] = {TCP_ACK, 0, STEP_DATA},
	[STEP_FIN] = {TCP_FIN | TCP_ACK, 0, STEP_FIN_ACK},
	[STEP_FIN_ACK] = {TCP_FIN | TCP_ACK, 1, STEP_LAST_ACK},
	[STEP_LAST_ACK] = {TCP_ACK, 0, STEP_NEW},
	[STEP_RESET] = {TCP_RST | TCP_ACK, 1, STEP_NEW},
	[STEP_REFUSED] = {TCP_RST | TCP_ACK, 1, STEP_NEW},
};

int put_tcp(struct trace *t, struct flow *f, unsigned from, uint8_t flags, uint32_t body_n)
{
	struct packet k = packet_of(t, f, from);
	uint32_t options = flags & TCP_SYN ? 4 : 0;
	uint8_t *p = k.head;

	p = put16(p, f->port[from]);
	p = put16(p, f->port[!from]);
	p = put32(p, f->seq[from]);
	p = put32(p, flags & TCP_ACK ? f->seq[!from] : 0);
	p = put16(p, (20 + options) / 4 << 12 | flags);
	p = put16(p, 65535);
	p = put32(p, 0);
	if (options)
		p = put32(p, 2 << 24 | 4 << 16 | 1460);
	k.head_n = (uint32_t)(p - k.head);
	k.body_n = body_n > k.head_n ? body_n : k.head_n;
	f->seq[from] += k.body_n - k.head_n + !!(flags & (TCP_SYN | TCP_FIN));
	return put_packet(t, &k);
}

static int tcp_turn(struct trace *t, struct flow *f)
{
	const struct tcp_step *s = &tcp_steps[f->step];
	bool server;

	if (f->step != STEP_DATA) {
		f->step = f->one_way ? STEP_NEW : s->next;
		return put_tcp(t, f, s->from, s->flags, 0);
	}
	if (--f->left == 0)
		f->step = happens(t, 0.1) ? STEP_RESET : STEP_FIN;
	server = happens(t, 0.6);
	if (!server && happens(t, 0.5))
		return put_tcp(t, f, 0, TCP_ACK, 0);
	return put_tcp(t, f, server, TCP_ACK | TCP_PSH, body_size(t, f, 20));
}

static int put_data(struct trace *t, struct flow *f, struct packet *k)
{
	bool may = f->class == CLASS_UDP || f->class == CLASS_ICMP;

	f->answers = !f->answers && !f->one_way;
	if (--f->left == 0)
		f->step = STEP_NEW;
	return may && happens(t, t->c.share[SHARE_FRAGMENTS]) ? put_fragments(t, k)
							      : put_packet(t, k);
}

struct packet udp_packet(struct trace *t, const struct flow *f, unsigned from, uint32_t body_n)
{
	struct packet k = packet_of(t, f, from);
	uint8_t *p = k.head;

	k.body_n = body_n < 8 ? 8 : body_n;
	p = put16(p, f->port[from]);
	p = put16(p, f->port[!from]);
	p = put16(p, k.body_n);
	p = put16(p, 0);
	k.head_n = (uint32_t)(p - k.head);
	return k;
}

int put_udp(struct trace *t, struct flow *f, unsigned from, uint32_t body_n)
{
	const struct packet k = udp_packet(t, f, from, body_n);

	return put_packet(t, &k);
}

static int udp_turn(struct trace *t, struct flow *f)
{
	struct packet k = udp_packet(t, f, f->answers, body_size(t, f, 8));

	return put_data(t, f, &k);
}

/* The other end has no such port, and says so about the originator's datagram. */
static int unreachable_turn(struct trace *t, struct flow *f)
{
	bool v4 = f->family == ADDR_V4;
	struct packet k = packet_of(t, f, 1), quoted = packet_of(t, f, 0);
	uint8_t *p = k.head;

	k.proto = v4 ? ICMP : ICMP6;
	k.class = CLASS_ICMP;
	quoted.body_n = 40;
	p = put32(p, v4 ? 0x03030000 : 0x01040000);
	p = put32(p, 0);
	p = (v4 ? put_ipv4 : put_ipv6)(p, &quoted, flow_addr(t, f, 0), flow_addr(t, f, 1));
	p = put16(p, f->port[0]);
	p = put16(p, f->port[1]);
	p = put16(p, quoted.body_n);
	p = put16(p, 0);
	k.head_n = (uint32_t)(p - k.head);
	k.body_n = k.head_n + 32;
	f->step = STEP_NEW;
	return put_packet(t, &k);
}

struct packet echo_packet(struct trace *t, const struct flow *f, unsigned from)
{
	static const uint8_t types[2][2] = {{8, 0}, {128, 129}};
	struct packet k = packet_of(t, f, from);
	uint8_t *p = k.head;

	p = put16(p, types[f->family == ADDR_V6][from] << 8);
	p = put16(p, 0);
	p = put16(p, f->port[0]);
	p = put16(p, f->left);
	k.head_n = (uint32_t)(p - k.head);
	k.body_n = 64;
	return k;
}

int put_echo(struct trace *t, struct flow *f, unsigned from)
{
	const struct packet k = echo_packet(t, f, from);

	return put_packet(t, &k);
}

static int icmp_turn(struct trace *t, struct flow *f)
{
	struct packet k = echo_packet(t, f, f->answers);

	return put_data(t, f, &k);
}

static int other_turn(struct trace *t, struct flow *f)
{
	unsigned from = f->answers;
	struct packet k = packet_of(t, f, from);
	uint8_t *p = k.head;

	if (f->proto == SCTP)
		p = put16(put16(p, f->port[from]), f->port[!from]);
	else
		p = put32(p, f->proto == GRE ? 0x0000880b : f->port[from]);
	p = put32(p, f->left);
	p = put32(p, 0);
	k.head_n = (uint32_t)(p - k.head);
	k.body_n = body_size(t, f, k.head_n);
	return put_data(t, f, &k);
}

/* Spreads the connections over the kinds in the shares asked for: the golden
 * ratio's multiples fall evenly, however few connections there are. */
static double spread(uint64_t i, double by)
{
	double x = (double)i * by;

	return x - floor(x);
}

static uint32_t outer(struct trace *t, unsigned family)
{
	return (uint32_t)t->c.hosts + 2 * draw_one(t, t->outers) + (family == ADDR_V6);
}

/* Another inner host of this family, or an outer one if none is near. */
static uint32_t neighbour(struct trace *t, uint32_t host)
{
	uint32_t hosts = (uint32_t)t->c.hosts, i = draw_one(t, hosts);

	for (unsigned tries = 0; tries < 1000; tries++, i = (i + 1) % hosts)
		if (i != host && t->entities[i].family == t->entities[host].family)
			return i;
	return outer(t, t->entities[host].family);
}

static void open_ends(struct trace *t, struct flow *f, uint32_t index, bool first)
{
	uint32_t hosts = (uint32_t)t->c.hosts;
	uint32_t host = first && index < hosts ? index : draw_one(t, hosts);
	double u = draw_unit(t);
	bool inbound = happens(t, 0.15);

	f->family = t->entities[host].family;
	f->end[inbound] = host;
	if (u < t->c.share[SHARE_TRANSIT] && !(first && index < hosts)) {
		f->end[0] = outer(t, f->family);
		do
			f->end[1] = outer(t, f->family);
		while (f->end[1] == f->end[0]);
	} else if (u < t->c.share[SHARE_TRANSIT] + t->c.share[SHARE_INTERNAL]) {
		f->end[!inbound] = neighbour(t, host);
	} else {
		f->end[!inbound] = outer(t, f->family);
	}
}

static void open_kind(struct trace *t, struct flow *f, uint32_t index)
{
	static const uint8_t others[] = {ESP, GRE, SCTP};
	const double *share = t->c.share;
	double u = spread(index + 1, 0.6180339887498949);

	f->step = STEP_DATA;
	f->left = 2 + draw_zipf(t, (uint32_t)t->c.longest - 1);
	if (u < share[SHARE_TCP]) {
		f->proto = TCP;
		f->class = CLASS_TCP;
		f->step = happens(t, 0.02) ? STEP_DATA : STEP_SYN; /* some began before us */
		f->one_way = happens(t, 0.02);			   /* scans */
	} else if (u < share[SHARE_TCP] + share[SHARE_UDP]) {
		f->proto = UDP;
		f->class = CLASS_UDP;
		f->one_way = happens(t, 0.05);
		if (f->one_way && happens(t, 0.5) && f->end[0] < t->c.hosts)
			f->end[1] = NOBODY;
	} else if (u < share[SHARE_TCP] + share[SHARE_UDP] + share[SHARE_ICMP]) {
		f->proto = f->family == ADDR_V4 ? ICMP : ICMP6;
		f->class = CLASS_ICMP;
	} else {
		f->proto = others[draw_below(t, 3)];
		f->class = CLASS_OTHER;
	}
}

static void open_flow(struct trace *t, struct flow *f, uint32_t index)
{
	static const uint16_t services[] = {443, 80, 53, 22, 123, 8080, 25, 5060};
	bool first = index == t->opened;
	double tag = spread(index + 1, 0.7548776662466927);

	*f = (struct flow){0};
	open_ends(t, f, index, first);
	open_kind(t, f, index);
	f->port[0] = (uint16_t)(32768 + draw_below(t, 28232));
	f->port[1] = services[draw_zipf(t, sizeof(services) / sizeof(services[0]))];
	f->seq[0] = (uint32_t)draw(t);
	f->seq[1] = (uint32_t)draw(t);
	if (tag < t->c.share[SHARE_VLAN] + t->c.share[SHARE_QINQ])
		f->tags = tag < t->c.share[SHARE_QINQ] ? 2 : 1;
	f->vlan[0] = (uint16_t)(1 + index % 4094);
	f->vlan[1] = (uint16_t)(1 + index / 7 % 4094);
	t->opened += first;
}

static int flow_turn(struct trace *t, uint32_t index)
{
	struct flow *f = &t->flows[index];

	if (f->step == STEP_NEW)
		open_flow(t, f, index);
	if (f->step == STEP_UNREACHABLE)
		return unreachable_turn(t, f);
	if (f->class == CLASS_TCP) {
		if (f->step == STEP_SYN && !f->one_way && happens(t, 0.03)) {
			f->step = STEP_REFUSED;
			return put_tcp(t, f, 0, TCP_SYN, 0);
		}
		return tcp_turn(t, f);
	}
	if (f->class == CLASS_UDP) {
		int ret = udp_turn(t, f);

		if (f->answers && f->end[1] != NOBODY && happens(t, 0.02))
			f->step = STEP_UNREACHABLE;
		return ret;
	}
	return f->class == CLASS_ICMP ? icmp_turn(t, f) : other_turn(t, f);
}

static int not_ip_turn(struct trace *t)
{
	static const uint16_t types[] = {0x0806, 0x88cc, 0x0026};
	static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t frame[64];
	unsigned kind = draw_below(t, 3);
	uint8_t *p = put_link(frame, 0, NULL, types[kind]);

	if (kind == 0)
		p = put_bytes(p, arp, sizeof(arp));
	else
		p = put32(p, kind == 1 ? 0x02070400 : 0x42420300);
	t->not_ip++;
	return put_frame(t, frame, (size_t)(p - frame), 60);
}

/* One header that is wrong in one way. */
static int malformed_turn(struct trace *t)
{
	static const struct {
		uint16_t type;
		uint8_t head[8];
		uint8_t bytes; /* on the wire, behind the link header */
	} broken[] = {
		{0x0800, {0x44, 0, 0, 46}, 46},		     /* header below 20 bytes */
		{0x0800, {0x45, 0, 0, 19}, 46},		     /* length below it */
		{0x0800, {0x45, 0, 2, 0}, 46},		     /* length above the wire's */
		{0x0800, {0x65, 0, 0, 46}, 46},		     /* version 6 as IPv4 */
		{0x0800, {0x45, 0, 0, 19}, 19},		     /* half a header */
		{0x86dd, {0x40, 0, 0, 0, 0, 6, 59, 64}, 46}, /* version 4 as IPv6 */
		{0x86dd, {0x60, 0, 0, 0, 1, 0, 59, 64}, 46}, /* length above the wire's */
		{0x86dd, {0x60, 0, 0, 0, 0, 0, 59, 64}, 39}, /* half a header */
	};
	unsigned kind = draw_below(t, sizeof(broken) / sizeof(broken[0]));
	uint8_t frame[64];
	uint8_t *p = put_link(frame, 0, NULL, broken[kind].type);

	p = put_bytes(p, broken[kind].head, sizeof(broken[kind].head));
	t->malformed++;
	return put_frame(t, frame, (size_t)(p - frame), 14 + broken[kind].bytes);
}

int make_traffic(struct trace *t)
{
	const double *share = t->c.share;
	uint32_t flows = (uint32_t)t->c.flows;
	double first = fmin(0.5, 1.5 * (double)flows / (double)t->c.packets);

	while (t->made < t->c.packets) {
		int ret;

		if (happens(t, share[SHARE_NOT_IP]))
			ret = not_ip_turn(t);
		else if (happens(t, share[SHARE_MALFORMED]))
			ret = malformed_turn(t);
		else if (t->opened < flows && happens(t, first))
			ret = flow_turn(t, t->opened);
		else
			ret = flow_turn(t, draw_one(t, t->opened ? t->opened : 1));
		if (ret < 0)
			return ret;
	}
	return 0;
}
