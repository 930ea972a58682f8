/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_nets.c - which networks the hosts may be of that nobody named.
 *
 * Every packet has an end in one's own network, and the other end is anywhere.
 * So a network that is in nearly all packets, or some that are together, are
 * one's own, or look so.
 */
#include <string.h>

#include "cli/doctor.h"

#define NEARLY_ALL 90 /* percent of the packets */
#define FREQUENT   10 /* percent that a network of several must have */
#define V4_WIDEST  16
#define V6_WIDEST  48

static void cut_to(struct tctable_net *net, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		net->ip.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	net->bits = (uint8_t)bits;
}

static bool is_same(const struct tctable_net *a, const struct tctable_net *b)
{
	return a->ip.family == b->ip.family && a->bits == b->bits &&
	       memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) == 0;
}

/* Networks of prefixes shorter by `wider`, down to the widest of each family. */
static unsigned widen(struct tctable_net *out, const struct tctable_sample *s, unsigned wider)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < s->nets; i++) {
		struct tctable_net net = s->net[i];
		const unsigned widest = net.ip.family == 4 ? V4_WIDEST : V6_WIDEST;
		unsigned at = 0;

		cut_to(&net, net.bits > widest + wider ? net.bits - wider
			     : net.bits > widest       ? widest
						       : net.bits);
		while (at < n && !is_same(&out[at], &net))
			at++;
		if (at < n)
			out[at].packets += net.packets;
		else
			out[n++] = net;
	}
	return n;
}

static unsigned most_of(const struct tctable_net *nets, unsigned n)
{
	unsigned most = 0;

	for (unsigned i = 1; i < n; i++)
		if (nets[i].packets > nets[most].packets)
			most = i;
	return most;
}

/* Two halves of a network become it. */
static unsigned join(struct tctable_net *nets, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 1; j < n; j++) {
			struct tctable_net a = nets[i], b = nets[j];

			if (!a.bits || a.bits != b.bits)
				continue;
			cut_to(&a, a.bits - 1u);
			cut_to(&b, b.bits - 1u);
			if (!is_same(&a, &b))
				continue;
			a.packets += b.packets;
			nets[i] = a;
			nets[j] = nets[n - 1];
			return join(nets, n - 1);
		}
	return n;
}

unsigned doctor_nets(struct tctable_net out[DOCTOR_NETS], const struct tctable_sample *s,
		     uint64_t packets)
{
	for (unsigned wider = 0; wider <= 64 - V6_WIDEST; wider++) {
		struct tctable_net nets[TCTABLE_SAMPLE_NETS];
		unsigned n = widen(nets, s, wider), picked = 0;
		uint64_t sum = 0;

		while (n && picked < DOCTOR_NETS && sum * 100 < packets * NEARLY_ALL) {
			const unsigned most = most_of(nets, n);

			if (nets[most].packets * 100 < packets * FREQUENT)
				break;
			sum += nets[most].packets;
			out[picked++] = nets[most];
			nets[most] = nets[--n];
		}
		if (packets && sum * 100 >= packets * NEARLY_ALL)
			return join(out, picked);
	}
	return 0;
}
