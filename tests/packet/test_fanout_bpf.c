/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fanout_bpf.c - the kernel's program says what pkt_fanout() says.
 *
 * What is shown to the program is what Linux shows to a socket of a fanout
 * group. A frame that arrives: the outermost 802.1Q or 802.1ad tag taken off, the
 * protocol that was behind it, the network header behind all of that. A frame
 * that leaves: its tags in place; the protocol is the first one's, the network
 * header at that one, or behind those that Linux put in itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/if_arp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf_vm.h"
#include "packet/fanout_bpf.h"
#include "talk.h"

#define SEED	40961
#define TALKS	4000
#define DAMAGED 200000

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const unsigned sockets[] = {1, 2, 3, 4, 8};
#define SOCKETS_MAX 8

static struct sock_filter program[FANOUT_BPF_MAX];
static const struct decap_conf closed;
static struct bpf_vm vm = {.program = program};

/* --- links -------------------------------------------------------------------- */

/* What stands before the IP header. */
struct link {
	unsigned tags, labels;
	enum { NO_PPP, PPP, PPP_SHORT } ppp; /* of the protocol number, one byte */
	bool is_raw;			     /* no link header at all */
	bool is_leaving;
	bool is_pushed; /* its tags by Linux, on the way out */
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
		.is_pushed = random_below(r, 2),
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
		s->bpf = (struct bpf_frame){
			.bytes = bytes, .n = n, .protocol = type, .hatype = ARPHRD_NONE};
		return true;
	}
	if (!l->is_leaving)
		take_tag(&s->f, bytes);
	type = load_be16(bytes + 12);
	s->bpf = (struct bpf_frame){
		.bytes = bytes,
		.n = s->f.caplen,
		.net = 14 + (l->is_leaving && l->is_pushed ? 4 * l->tags : 0),
		.protocol = type < 0x600 ? 0x0004 : type, /* IEEE 802.2 */
		.hatype = l->is_pushed ? ARPHRD_ETHER : ARPHRD_LOOPBACK,
	};
	return true;
}

static uint32_t run(const struct bpf_frame *f)
{
	const uint32_t got = bpf_run(&vm, f);

	assert_true(vm.is_valid);
	return got;
}

/* Both say the same of the first n bytes behind that link; which of 8 sockets. */
static unsigned socket_of_first(struct onion *o, size_t n, const struct link *l, unsigned step)
{
	struct seen s;
	struct pkt p;
	uint32_t got;

	expect(see(&s, l, onion_at(o), n), SEED, step);
	expect(pkt_decode(&s.f, &p) == PKT_OK, SEED, step);
	got = run(&s.bpf);
	for (unsigned i = 0; i < COUNT(sockets); i++)
		expect(got % sockets[i] == pkt_fanout(&s.f, sockets[i]), SEED, step);
	return got % SOCKETS_MAX;
}

static unsigned socket_of(struct onion *o, const struct link *l, unsigned step)
{
	return socket_of_first(o, o->n, l, step);
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
	assert_int_equal(pkt_fanout_program(program, &closed), vm.n);
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
		const struct talk t = talk_any(&r);
		unsigned first = 0;

		for (unsigned k = 0; k < 2 * TALK_KINDS; k++) {
			const unsigned n = random_below(&r, FANOUT_BPF_EXTENSIONS);
			const enum talk_kind what = (enum talk_kind)(k / 2);
			const struct link l = any_link(&r);
			struct onion o;
			unsigned socket;

			talk_put(&o, &r, &t, what, k % 2, n);
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
		const struct talk t = talk_any(&r);
		struct talk own = {.family = t.family};
		const struct link l = any_link(&r);
		struct onion o, plain;
		uint8_t *end;

		talk_put(&o, &r, &t, TALK_ERROR_CUT, 0, random_below(&r, 4));
		put_link(&o, &r, &l);
		end = o.b + ONION_BYTES;
		if (i % 2) { /* 64 bytes behind it */
			memmove(onion_at(&o) - 64, onion_at(&o), o.n);
			o.n += 64;
			memset(end - 64, t.family == ADDR_V4 ? 0x45 : 0x60, 64);
		}
		memcpy(own.end[0], t.router, 16);
		memcpy(own.end[1], t.end[0], 16);
		talk_put(&plain, &r, &own, TALK_TCP, 0, 0);
		put_link(&plain, &r, &l);
		expect(socket_of(&o, &l, i) == socket_of(&plain, &l, i), SEED, i);
	}
}

/* --- every value of a field ----------------------------------------------------- */

static const struct link no_link = {.is_raw = true};

static struct onion error_with(struct random *r, const struct talk *t, unsigned n)
{
	struct onion o;

	talk_put(&o, r, t, TALK_ERROR_OPTIONS, 0, n);
	return o;
}

/* Wherever the packet ends by its own length: in options, in extension headers,
 * in the ICMP header, in the quote. The rest of the frame is padding, or there
 * is none. */
static void errors_of_every_length_go_where_pkt_fanout_says(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		const struct talk t = talk_any(&r);
		const unsigned n = random_below(&r, FANOUT_BPF_EXTENSIONS + 1);
		const bool is_v4 = t.family == ADDR_V4;
		struct onion o = error_with(&r, &t, n);
		const unsigned header = is_v4 ? 20 + n * 4 : 40;

		for (unsigned end = header + !is_v4; end <= o.n; end++) {
			uint8_t *length = onion_at(&o) + (is_v4 ? 2 : 4);
			const unsigned value = is_v4 ? end : end - header;

			length[0] = (uint8_t)(value >> 8);
			length[1] = (uint8_t)value;
			assert_int_equal(socket_of(&o, &no_link, i * 1000 + end),
					 socket_of_first(&o, end, &no_link, i * 1000 + end));
		}
	}
}

static void every_icmp_type_goes_where_pkt_fanout_says(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned type = 0; type < 2 * 256; type++) {
		struct talk t = talk_any(&r);
		struct onion o;

		t.family = type % 2 ? ADDR_V4 : ADDR_V6;
		o = error_with(&r, &t, 0);
		onion_at(&o)[t.family == ADDR_V4 ? 20 : 40] = (uint8_t)(type / 2);
		socket_of(&o, &no_link, type);
	}
}

static void every_first_byte_of_a_quote_goes_where_pkt_fanout_says(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned first = 0; first < 2 * 256; first++) {
		struct talk t = talk_any(&r);
		struct onion o;

		t.family = first % 2 ? ADDR_V4 : ADDR_V6;
		o = error_with(&r, &t, 0);
		onion_at(&o)[(t.family == ADDR_V4 ? 20 : 40) + 8] = (uint8_t)(first / 2);
		socket_of(&o, &no_link, first);
	}
}

/* --- how deep the program goes --------------------------------------------------- */

/* Two ends whose packets do not go to the first of 8 sockets. */
static struct talk talk_elsewhere(struct random *r, uint8_t family)
{
	for (;;) {
		struct talk t = talk_any(r);
		struct onion o;

		t.family = family;
		talk_put(&o, r, &t, TALK_TCP, 0, 0);
		if (socket_of(&o, &no_link, 0) != 0)
			return t;
	}
}

static uint32_t run_behind(struct random *r, const struct talk *t, const struct link *l)
{
	struct onion o;
	struct seen s;
	struct pkt p;

	talk_put(&o, r, t, TALK_TCP, 0, 0);
	put_link(&o, r, l);
	assert_true(see(&s, l, onion_at(&o), o.n));
	assert_int_equal(pkt_decode(&s.f, &p), PKT_OK);
	assert_int_not_equal(pkt_fanout(&s.f, SOCKETS_MAX), 0);
	return run(&s.bpf);
}

static void frames_of_more_tags_go_to_the_first_socket(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned leaving = 0; leaving < 2; leaving++) {
		for (unsigned extra = 0; extra < 4; extra++) {
			/* the one that is taken off does not count */
			const unsigned most = FANOUT_BPF_TAGS + !leaving;
			const struct link l = {.tags = most + extra, .is_leaving = leaving};
			const struct talk t = talk_elsewhere(&r, ADDR_V4);
			const uint32_t got = run_behind(&r, &t, &l);

			assert_true(extra ? got == 0 : got % SOCKETS_MAX != 0);
		}
	}
}

static void frames_of_more_labels_go_to_the_first_socket(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned extra = 0; extra < 4; extra++) {
		const struct link l = {.labels = FANOUT_BPF_LABELS + extra};
		const struct talk t = talk_elsewhere(&r, ADDR_V6);
		const uint32_t got = run_behind(&r, &t, &l);

		assert_true(extra ? got == 0 : got % SOCKETS_MAX != 0);
	}
}

/* As deep as it goes, an error goes with what it is about; any deeper, by its
 * own addresses. All else goes by its own at any depth. */
static void errors_behind_more_extensions_go_by_their_own_addresses(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned n = 0; n < FANOUT_BPF_EXTENSIONS + 4; n++) {
			const struct talk t = talk_elsewhere(&r, ADDR_V6);
			struct onion o = error_with(&r, &t, n), plain;
			struct talk own = t;
			struct seen s;
			uint32_t got;

			assert_true(see(&s, &no_link, onion_at(&o), o.n));
			got = run(&s.bpf);
			if (n > FANOUT_BPF_EXTENSIONS)
				memcpy(own.end[1], t.router, 16);
			talk_put(&plain, &r, &own, TALK_UDP, 0, n);
			assert_int_equal(got % SOCKETS_MAX, socket_of(&plain, &no_link, i));
		}
	}
}

/* As the daemon's ring captures them: built by offload, larger than a length
 * field tells. */
static void packets_without_a_length_go_with_their_connection(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		const struct talk t = talk_any(&r);
		const enum talk_kind what = i % 2 ? TALK_TCP : TALK_ERROR;
		struct onion o;
		unsigned socket;

		talk_put(&o, &r, &t, what, 0, 0);
		socket = socket_of(&o, &no_link, i);
		memset(onion_at(&o) + (t.family == ADDR_V4 ? 2 : 4), 0, 2);
		assert_int_equal(socket_of(&o, &no_link, i), socket);
	}
}

/* A quote of which the frame holds one byte too few, in a packet that is as
 * long as the frame: without a length of its own only the frame's end tells,
 * and a load beyond it ends the program. */
static void errors_without_a_length_that_are_cut_go_to_the_first_socket(void **state)
{
	struct random r = {SEED};

	(void)state;
	for (uint8_t family = ADDR_V4; family <= ADDR_V6; family += ADDR_V6 - ADDR_V4) {
		const struct talk t = talk_elsewhere(&r, family);
		const unsigned header = family == ADDR_V4 ? 20 : 40;
		struct onion o;
		struct seen s;

		talk_put(&o, &r, &t, TALK_ERROR, 0, 0);
		memset(onion_at(&o) + (family == ADDR_V4 ? 2 : 4), 0, 2);
		assert_true(see(&s, &no_link, onion_at(&o), header + 8 + header - 1));
		assert_int_equal(run(&s.bpf), 0);
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
	struct pkt_decoder plain;

	(void)state;
	pkt_decoder_init(&plain, &closed);
	for (unsigned i = 0; i < DAMAGED; i++) {
		const struct talk t = talk_any(&r);
		struct link l = any_link(&r);
		struct onion o;
		struct seen s;
		struct pkt p;
		size_t ip_n, n;
		uint8_t *alone;
		uint32_t got;

		l.tags %= 3; /* that damage does not make more than are walked */
		l.labels %= 3;
		talk_put(&o, &r, &t, (enum talk_kind)random_below(&r, TALK_ERROR_CUT + 1),
			 random_below(&r, 2), random_below(&r, 2));
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
		/* The short way of usual frames, whole or damaged. */
		for (unsigned k = 0; k < COUNT(sockets); k++)
			expect(pkt_fanout_with(&plain, &s.f, sockets[k]) ==
				       pkt_fanout(&s.f, sockets[k]),
			       SEED, i);
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
		cmocka_unit_test(errors_of_every_length_go_where_pkt_fanout_says),
		cmocka_unit_test(every_icmp_type_goes_where_pkt_fanout_says),
		cmocka_unit_test(every_first_byte_of_a_quote_goes_where_pkt_fanout_says),
		cmocka_unit_test(frames_of_more_tags_go_to_the_first_socket),
		cmocka_unit_test(frames_of_more_labels_go_to_the_first_socket),
		cmocka_unit_test(errors_behind_more_extensions_go_by_their_own_addresses),
		cmocka_unit_test(packets_without_a_length_go_with_their_connection),
		cmocka_unit_test(errors_without_a_length_that_are_cut_go_to_the_first_socket),
		cmocka_unit_test(damaged_frames_go_where_pkt_fanout_says),
	};

	vm.n = pkt_fanout_program(program, &closed);
	vm.is_valid = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
