/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fanout_bpf.c - the kernel's program says what pkt_fanout() says.
 *
 * What is shown to the program is what Linux shows to a socket of a fanout
 * group. A frame that arrives: the outermost 802.1Q or 802.1ad tag taken off, the
 * protocol that was behind it, the network header behind all of that. A frame
 * that leaves: its tags in place, the network header at the first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "../flow/random.h"
#include "bpf_vm.h"
#include "onion.h"
#include "packet/fanout_bpf.h"

#define SEED	40961
#define TALKS	4000
#define DAMAGED 200000

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const unsigned sockets[] = {1, 2, 3, 4, 8};
#define SOCKETS_MAX 8

static struct sock_filter program[FANOUT_BPF_MAX];
static struct bpf_vm vm = {.program = program};

/* --- packets ------------------------------------------------------------------ */

/* Two ends, and somebody between them. */
struct talk {
	uint8_t family;
	uint8_t end[2][16];
	uint8_t router[16];
};

enum what {
	TCP,
	UDP,
	ESP,
	ECHO,
	OTHER_ICMP,
	FIRST_FRAGMENT,
	LATER_FRAGMENT,
	ERROR,		/* a header quoted, and 8 bytes */
	ERROR_OPTIONS,	/* options or extension headers in the quote */
	ERROR_FRAGMENT, /* about a later fragment */
	WHATS,
	ERROR_CUT = WHATS, /* its quote too short to tell: about nothing known */
};

static struct talk any_talk(struct random *r)
{
	struct talk t = {.family = random_below(r, 2) ? ADDR_V4 : ADDR_V6};

	for (unsigned i = 0; i < 16; i++) {
		t.end[0][i] = (uint8_t)random_next(r);
		t.end[1][i] = (uint8_t)random_next(r);
		t.router[i] = (uint8_t)random_next(r);
	}
	return t;
}

static void put_ip(struct onion *o, uint8_t family, const uint8_t *src, const uint8_t *dst,
		   uint8_t proto, unsigned options)
{
	const size_t at = family == ADDR_V4 ? 12 : 8, n = family == ADDR_V4 ? 4 : 16;
	struct craft c = {0};

	if (family == ADDR_V4)
		craft_ipv4(&c, 1, 2, proto, options, (unsigned)o->n);
	else
		craft_ipv6(&c, 1, 2, proto, (unsigned)o->n);
	memcpy(c.b + at, src, n);
	memcpy(c.b + at + n, dst, n);
	onion_put(o, c.b, c.n);
}

/* A fragment header, or as one of the others with 8 to 24 bytes. Returns its
 * number. */
static uint8_t put_extension(struct onion *o, struct random *r, uint8_t next)
{
	static const uint8_t kinds[] = {PROTO_HOPOPTS, PROTO_ROUTING, PROTO_DSTOPTS, PROTO_AH,
					PROTO_FRAGMENT};
	const uint8_t kind = kinds[random_below(r, COUNT(kinds))];
	const unsigned eights = kind == PROTO_FRAGMENT ? 1 : 1 + random_below(r, 3);
	uint8_t h[24] = {next};

	if (kind == PROTO_AH)
		h[1] = (uint8_t)(eights * 2 - 2);
	else if (kind != PROTO_FRAGMENT)
		h[1] = (uint8_t)(eights - 1);
	onion_put(o, h, eights * 8);
	return kind;
}

static uint8_t put_extensions(struct onion *o, struct random *r, uint8_t proto, unsigned n)
{
	while (n--)
		proto = put_extension(o, r, proto);
	return proto;
}

static void put_transport(struct onion *o, enum what what, unsigned from)
{
	if (what == UDP)
		onion_udp(o, from ? 53 : 1000, from ? 1000 : 53);
	else
		onion_tcp(o, from ? 443 : 1000, from ? 1000 : 443, PKT_TCP_ACK);
}

static void put_echo(struct onion *o, uint8_t family, bool is_echo, unsigned from)
{
	static const uint8_t echo[2][2] = {{8, 0}, {128, 129}};
	struct craft c = {0};

	if (is_echo)
		craft_icmp(&c, echo[family != ADDR_V4][from], 0, 77);
	else
		craft_icmp(&c, family == ADDR_V4 ? 9 : 135, 0, 0);
	onion_put(o, c.b, c.n);
}

/* Of IPv4 in the header that was put last, of IPv6 one in front of what is
 * there. */
static uint8_t put_fragment_header(struct onion *o, uint8_t next, bool is_first)
{
	const uint8_t h[8] = {next, 0, is_first ? 0 : 5, is_first ? 1 : 0xc8, 1, 2, 3, 4};

	onion_put(o, h, sizeof(h));
	return PROTO_FRAGMENT;
}

static void set_fragment(struct onion *o, bool is_first)
{
	onion_at(o)[6] = is_first ? 0x20 : 0x00;
	onion_at(o)[7] = is_first ? 0x00 : 0xb9;
}

static uint8_t icmp_of(uint8_t family)
{
	return family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6;
}

/* An IP packet from an end, other than an error, with n extension headers or n
 * words of options. */
static void put_packet(struct onion *o, struct random *r, const struct talk *t, enum what what,
		       unsigned from, unsigned n)
{
	const bool is_v4 = t->family == ADDR_V4;
	uint8_t proto = what == UDP ? PROTO_UDP : PROTO_TCP;

	onion_fill(o, 16, 0x5a);
	if (what == ECHO || what == OTHER_ICMP) {
		put_echo(o, t->family, what == ECHO, from);
		proto = icmp_of(t->family);
	} else if (what == ESP) {
		proto = 50;
	} else if (what != LATER_FRAGMENT) {
		put_transport(o, what, from);
	}
	if (what == FIRST_FRAGMENT || what == LATER_FRAGMENT) {
		if (!is_v4)
			proto = put_fragment_header(o, proto, what == FIRST_FRAGMENT);
		else if (what == LATER_FRAGMENT && random_below(r, 2))
			proto = PROTO_ICMP; /* whose bytes are no ICMP header */
	}
	if (!is_v4)
		proto = put_extensions(o, r, proto, n);
	put_ip(o, t->family, t->end[from], t->end[!from], proto, n * 4);
	if (is_v4 && (what == FIRST_FRAGMENT || what == LATER_FRAGMENT))
		set_fragment(o, what == FIRST_FRAGMENT);
}

/* An error about the first `bytes` bytes of the packet that o is, to an end. */
static void put_error(struct onion *o, struct random *r, const struct talk *t, unsigned to,
		      size_t bytes, unsigned n)
{
	static const uint8_t types[2][5] = {{3, 4, 5, 11, 12}, {1, 2, 3, 4, 1}};
	uint8_t proto = icmp_of(t->family);
	uint8_t quote[ONION_BYTES];
	struct craft c = {0};

	memcpy(quote, onion_at(o), bytes);
	o->n = 0;
	onion_put(o, quote, bytes);
	craft_icmp(&c, types[t->family != ADDR_V4][random_below(r, 5)], 1, 0);
	onion_put(o, c.b, c.n);
	if (t->family == ADDR_V6)
		proto = put_extensions(o, r, proto, n);
	put_ip(o, t->family, t->router, t->end[to], proto, n * 4);
}

/* Sent from an end, or about what was sent from it. n as above. */
static void put_any(struct onion *o, struct random *r, const struct talk *t, enum what what,
		    unsigned from, unsigned n)
{
	const unsigned header = t->family == ADDR_V4 ? 20 : 40;
	const enum what quoted = what == ERROR_FRAGMENT ? LATER_FRAGMENT
				 : random_below(r, 2)	? TCP
							: UDP;

	o->n = 0;
	if (what < ERROR) {
		put_packet(o, r, t, what, from, n);
		return;
	}
	put_packet(o, r, t, quoted, from, what == ERROR_OPTIONS ? 1 + random_below(r, 3) : 0);
	if (what == ERROR)
		put_error(o, r, t, from, header + 8, n);
	else if (what == ERROR_CUT)
		put_error(o, r, t, from, random_below(r, header), n);
	else
		put_error(o, r, t, from, o->n, n);
}

/* --- links -------------------------------------------------------------------- */

/* What stands before the IP header. */
struct link {
	unsigned tags, labels;
	enum { NO_PPP, PPP, PPP_SHORT } ppp; /* of the protocol number, one byte */
	bool is_raw;			     /* no link header at all */
	bool is_leaving;
};

static struct link any_link(struct random *r)
{
	static const unsigned labels[] = {0, 0, 0, 1, 2, FANOUT_BPF_LABELS};
	struct link l = {
		.tags = random_below(r, FANOUT_BPF_TAGS + 1),
		.labels = labels[random_below(r, COUNT(labels))],
		.ppp = random_below(r, 2)   ? NO_PPP
		       : random_below(r, 2) ? PPP
					    : PPP_SHORT,
		.is_raw = random_below(r, 8) == 0,
		.is_leaving = random_below(r, 2),
	};

	if (!l.is_leaving) /* which takes one off */
		l.tags = random_below(r, FANOUT_BPF_TAGS + 2);
	if (l.labels)
		l.ppp = l.ppp == NO_PPP ? NO_PPP : PPP; /* their number is an even one */
	return l;
}

/* Puts the link in front of the IP packet that o is. */
static void put_link(struct onion *o, struct random *r, const struct link *l)
{
	static const uint16_t tags[] = {0x8100, 0x88a8, 0x9100, 0x9200, 0x9300};
	const bool is_v4 = onion_at(o)[0] >> 4 == ADDR_V4;
	uint16_t type = is_v4 ? 0x0800 : 0x86dd, ppp = is_v4 ? 0x0021 : 0x0057;
	struct craft c = {0};

	if (l->is_raw)
		return;
	for (unsigned i = 0; i < l->labels; i++) {
		const uint8_t label[4] = {0, 1, i ? 0x20 : 0x21, 64};

		onion_put(o, label, 4);
		type = random_below(r, 2) ? 0x8847 : 0x8848;
		ppp = type == 0x8847 ? 0x0281 : 0x0283;
	}
	if (l->ppp != NO_PPP) {
		craft_be(&c, 4, 0x11000007);
		craft_be(&c, 2, (uint32_t)o->n + (l->ppp == PPP ? 2 : 1));
		craft_be(&c, l->ppp == PPP ? 2 : 1, ppp);
		onion_put(o, c.b, c.n);
		type = 0x8864;
	}
	for (unsigned i = 0; i < l->tags; i++) {
		const uint8_t tag[4] = {0, 10, (uint8_t)(type >> 8), (uint8_t)type};

		onion_put(o, tag, 4);
		/* the outermost is one that is taken off */
		type = tags[random_below(r, i + 1 == l->tags ? 2 : COUNT(tags))];
	}
	onion_ethernet(o, type);
}

/* --- as they are seen ---------------------------------------------------------- */

/* A frame as the daemon is handed it, and as the program is shown it. */
struct seen {
	struct frame f;
	struct bpf_frame bpf;
};

/* Takes off the outermost tag, if there is one that Linux knows. */
static void take_tag(struct frame *f, uint8_t *bytes)
{
	const uint16_t type = load_be16(bytes + 12);

	if (f->caplen < 18 || (type != 0x8100 && type != 0x88a8))
		return;
	f->vlan_tpid = type;
	f->vlan_tci = load_be16(bytes + 14);
	memmove(bytes + 12, bytes + 16, f->caplen - 16);
	f->caplen -= 4;
	f->wirelen = f->caplen;
}

/* `bytes` are changed. A frame shorter than its link header is no frame. */
static bool see(struct seen *s, const struct link *l, uint8_t *bytes, size_t n)
{
	uint16_t type;

	if (n < (l->is_raw ? 1 : 14))
		return false;
	*s = (struct seen){.f = onion_frame(bytes, l->is_raw ? LINK_RAW : LINK_ETHERNET, n, n)};
	if (l->is_raw) {
		type = bytes[0] >> 4 == ADDR_V4 ? 0x0800 : bytes[0] >> 4 == ADDR_V6 ? 0x86dd : 0;
		s->bpf = (struct bpf_frame){.net = bytes, .n = n, .protocol = type};
		return true;
	}
	if (!l->is_leaving)
		take_tag(&s->f, bytes);
	type = load_be16(bytes + 12);
	s->bpf = (struct bpf_frame){
		.net = bytes + 14,
		.n = s->f.caplen - 14,
		.protocol = type < 0x600 ? 0x0004 : type, /* IEEE 802.2 */
	};
	return true;
}

static uint32_t run(const struct bpf_frame *f)
{
	const uint32_t got = bpf_run(&vm, f);

	assert_true(vm.is_valid);
	return got;
}

/* Both say the same of the packet with that link; which of 8 sockets. */
static unsigned socket_of(struct onion *o, const struct link *l, unsigned step)
{
	struct seen s;
	struct pkt p;
	uint32_t got;

	expect(see(&s, l, onion_at(o), o->n), SEED, step);
	expect(pkt_decode(&s.f, &p) == PKT_OK, SEED, step);
	got = run(&s.bpf);
	for (unsigned i = 0; i < COUNT(sockets); i++)
		expect(got % sockets[i] == pkt_fanout(&s.f, sockets[i]), SEED, step);
	return got % SOCKETS_MAX;
}

/* --- tests -------------------------------------------------------------------- */

/* The checks that it makes are the same for every socket. */
static void kernel_takes_the_program(void **state)
{
	struct sock_fprog f = {.len = (unsigned short)vm.n, .filter = program};
	int pair[2];

	(void)state;
	assert_in_range(vm.n, 1, FANOUT_BPF_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)), 0);

	/* and would not have taken anything */
	program[vm.n - 1].code = BPF_LD | BPF_IMM;
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)), -1);
	assert_int_equal(pkt_fanout_program(program), vm.n);
	close(pair[0]);
	close(pair[1]);
}

/* Each by a link of its own: tags and labels may differ by direction. */
static void all_of_a_connection_meets_in_one_socket(void **state)
{
	unsigned per_socket[SOCKETS_MAX] = {0};
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < TALKS; i++) {
		const struct talk t = any_talk(&r);
		unsigned first = 0;

		for (unsigned k = 0; k < 2 * WHATS; k++) {
			const unsigned n = random_below(&r, FANOUT_BPF_EXTENSIONS);
			const enum what what = (enum what)(k / 2);
			const struct link l = any_link(&r);
			struct onion o;
			unsigned socket;

			put_any(&o, &r, &t, what, k % 2, n);
			put_link(&o, &r, &l);
			socket = socket_of(&o, &l, i * 100 + k);
			if (k == 0)
				first = socket;
			expect(socket == first, SEED, i * 100 + k);
		}
		per_socket[first]++;
	}
	for (unsigned i = 0; i < SOCKETS_MAX; i++) /* even, to a few standard deviations */
		assert_in_range(per_socket[i], TALKS / SOCKETS_MAX - 100,
				TALKS / SOCKETS_MAX + 100);
}

/* A quote that tells no addresses: the error is about nothing that is known,
 * and goes by its own, whatever the padding behind it looks like. */
static void errors_that_quote_too_little_go_by_their_own_addresses(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < TALKS; i++) {
		const struct talk t = any_talk(&r);
		struct talk own = {.family = t.family};
		const struct link l = any_link(&r);
		struct onion o, plain;
		uint8_t *end;

		put_any(&o, &r, &t, ERROR_CUT, 0, random_below(&r, 4));
		put_link(&o, &r, &l);
		end = o.b + ONION_BYTES;
		if (i % 2) { /* 64 bytes behind it */
			memmove(onion_at(&o) - 64, onion_at(&o), o.n);
			o.n += 64;
			memset(end - 64, t.family == ADDR_V4 ? 0x45 : 0x60, 64);
		}
		memcpy(own.end[0], t.router, 16);
		memcpy(own.end[1], t.end[0], 16);
		put_any(&plain, &r, &own, TCP, 0, 0);
		put_link(&plain, &r, &l);
		expect(socket_of(&o, &l, i) == socket_of(&plain, &l, i), SEED, i);
	}
}

/* --- damage ------------------------------------------------------------------- */

static void damage(struct onion *o, struct random *r)
{
	static const uint8_t bytes[] = {0, 1, 3, 4, 5, 6, 11, 44, 51, 58, 60, 0x45, 0x60, 0xff};
	uint8_t *at = onion_at(o) + random_below(r, (uint32_t)(o->n < 160 ? o->n : 160));

	switch (random_below(r, 4)) {
	case 0:
		*at ^= (uint8_t)(1u << random_below(r, 8));
		break;
	case 1:
		*at = bytes[random_below(r, COUNT(bytes))];
		break;
	case 2:
		*at = (uint8_t)random_next(r);
		break;
	default: /* two bytes to a type or a small length */
		at[0] = random_below(r, 2) ? 0 : 0x08;
		if (at + 1 < o->b + ONION_BYTES)
			at[1] = (uint8_t)random_below(r, 120);
		break;
	}
}

/* Whether the IP packet, which is the last `ip_n` bytes of n, says that it has
 * no length of its own. */
static bool is_without_length(const uint8_t *bytes, size_t n, size_t ip_n)
{
	const uint8_t *ip = bytes + n - ip_n;

	return n >= ip_n && ip_n >= 6 && load_be16(ip + (ip[0] >> 4 == ADDR_V4 ? 2 : 4)) == 0;
}

static void damaged_frames_go_where_pkt_fanout_says(void **state)
{
	unsigned ok = 0, spread = 0, errors = 0, not_ip = 0, malformed = 0, excused = 0;
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < DAMAGED; i++) {
		const struct talk t = any_talk(&r);
		struct link l = any_link(&r);
		struct onion o;
		struct seen s;
		struct pkt p;
		size_t ip_n, n;
		uint8_t *alone;
		uint32_t got;

		l.tags %= 3; /* that damage does not make more than are walked */
		l.labels %= 3;
		put_any(&o, &r, &t, (enum what)random_below(&r, ERROR_CUT + 1), random_below(&r, 2),
			random_below(&r, 2));
		ip_n = o.n;
		put_link(&o, &r, &l);
		for (unsigned k = random_below(&r, 4); k; k--)
			damage(&o, &r);
		n = random_below(&r, 8) ? o.n : random_below(&r, (uint32_t)o.n + 1);
		ip_n -= ip_n < o.n - n ? ip_n : o.n - n;

		alone = malloc(n ? n : 1);
		memcpy(alone, onion_at(&o), n);
		if (!see(&s, &l, alone, n)) {
			free(alone);
			continue;
		}
		got = run(&s.bpf);
		switch (pkt_decode(&s.f, &p)) {
		case PKT_OK:
			if (got == 0 && is_without_length(alone, s.f.caplen, ip_n)) {
				excused++;
				break;
			}
			for (unsigned k = 0; k < COUNT(sockets); k++)
				expect(got % sockets[k] == pkt_fanout(&s.f, sockets[k]), SEED, i);
			ok++;
			spread += got % SOCKETS_MAX != 0;
			errors += p.kind == PKT_KIND_ICMP_ERROR && p.quoted != PKT_QUOTE_NONE;
			break;
		case PKT_NOT_IP:
		case PKT_NOT_IP_CUT:
			expect(got == 0, SEED, i);
			not_ip++;
			break;
		default:
			malformed++;
			break;
		}
		free(alone);
	}
	assert_in_range(ok, DAMAGED / 3, DAMAGED);
	assert_in_range(spread, ok / 2, ok); /* 7 of 8, but damage is often in addresses */
	assert_in_range(errors, DAMAGED / 20, ok);
	assert_in_range(not_ip, DAMAGED / 50, DAMAGED);
	assert_in_range(malformed, DAMAGED / 50, DAMAGED);
	assert_in_range(excused, 0, DAMAGED / 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_takes_the_program),
		cmocka_unit_test(all_of_a_connection_meets_in_one_socket),
		cmocka_unit_test(errors_that_quote_too_little_go_by_their_own_addresses),
		cmocka_unit_test(damaged_frames_go_where_pkt_fanout_says),
	};

	vm.n = pkt_fanout_program(program);
	vm.is_valid = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
