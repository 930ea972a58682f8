/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen.c - the daemon's side of a live capture.
 */
#include "daemon/listen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "capture/netdev.h"
#include "daemon/report.h"
#include "packet/fanout_bpf.h"
#include "table/view.h"

#define SAY_EVERY_NS (10 * NS_PER_SEC)
#define MTU_USUAL    1500 /* of what is mirrored, at least */
#define SNAPLEN_LOW  128  /* Ethernet, two tags, IPv6, TCP: 114; with a tunnel more */

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void say(void *arg, const char *sentence)
{
	(void)arg;
	report_say(sentence);
}

void listen_source_text(const struct options *o, char *text, size_t n)
{
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < o->interfaces_n && used < n; i++)
		used += (size_t)snprintf(text + used, n - used, "%s%s", i ? ", " : "",
					 o->interfaces[i]);
}

/* Returns the largest MTU; 0: not known. */
static uint32_t warn_of_hidden(const struct options *o)
{
	char sentence[256];
	uint32_t mtu = 0;

	if (o->snaplen < SNAPLEN_LOW) {
		snprintf(sentence, sizeof(sentence),
			 "--snaplen %u may cut headers behind tags, options or IPv6 extension "
			 "headers: such packets count without their ports",
			 o->snaplen);
		report_say(sentence);
	}
	for (size_t i = 0; i < o->interfaces_n; i++) {
		struct netdev dev;

		if (netdev_find(&dev, o->interfaces[i], NULL) < 0)
			continue;
		mtu = dev.mtu > mtu ? dev.mtu : mtu;
		if (dev.mtu >= MTU_USUAL)
			continue;
		snprintf(sentence, sizeof(sentence),
			 "interface %s has an MTU of %u: longer frames may be dropped before "
			 "they are seen; raise it with 'ip link set %s mtu 9000'",
			 o->interfaces[i], dev.mtu, o->interfaces[i]);
		report_say(sentence);
	}
	return mtu;
}

int listen_open(struct listen *l, const struct options *o, struct table *table, struct err *e)
{
	struct sock_filter split[FANOUT_BPF_MAX];
	const struct live_conf conf = {
		.names = o->interfaces,
		.names_n = o->interfaces_n,
		.workers = o->workers,
		.ring = o->ring,
		.snap = o->snaplen,
		.promisc = o->promisc && !o->by_way,
		.fanout = o->fanout,
		.group = o->fanout_group,
		.split = split,
		.split_n = pkt_fanout_program(split, &o->decap),
		.filter = o->filter,
		.say = say,
	};
	int ret;

	*l = (struct listen){.o = o, .table = table};
	ret = live_open(&l->live, &conf, e);
	if (ret == 0)
		table_note_mtu(table, warn_of_hidden(o));
	return ret;
}

void listen_close(struct listen *l)
{
	live_close(l->live);
	l->live = NULL;
}

/* Whether it is time to say that *said has become now. */
static bool has_grown(uint64_t *said, uint64_t *said_ns, uint64_t now, uint64_t now_ns)
{
	if (now <= *said || (*said_ns && now_ns - *said_ns < SAY_EVERY_NS))
		return false;
	*said_ns = now_ns;
	return true;
}

static void say_drops(struct listen *l, uint64_t drops, uint64_t freezes, uint64_t now_ns)
{
	char sentence[256];

	if (!has_grown(&l->drops, &l->drops_said_ns, drops, now_ns))
		return;
	snprintf(sentence, sizeof(sentence),
		 "the kernel dropped %" PRIu64 " frames since the last word (%" PRIu64
		 " in all, %" PRIu64 " freezes): workers are too slow; raise --fanout or "
		 "--ring-blocks, or narrow the filter",
		 drops - l->drops, drops, freezes);
	l->drops = drops;
	report_say(sentence);
}

static void say_nic_drops(struct listen *l, uint64_t drops, uint64_t now_ns)
{
	char sentence[256];

	if (!has_grown(&l->nic_drops, &l->nic_said_ns, drops, now_ns))
		return;
	snprintf(sentence, sizeof(sentence),
		 "the network interface dropped %" PRIu64 " frames since the last word (%" PRIu64
		 " in all): raise its ring with 'ethtool -G', or its queues with 'ethtool -L'",
		 drops - l->nic_drops, drops);
	l->nic_drops = drops;
	report_say(sentence);
}

/* Linux counts as dropped a frame with one tag under another that nobody but us
 * took: so many may be none. */
static uint64_t dropped_by_nic(const struct view_totals *t)
{
	const uint64_t tagged = t->layers.n[LAYER_SEEN + LAYER_QINQ];
	const uint64_t ours = tagged ? tagged + t->ledger.kernel_drops : 0;

	return t->nic_drops > ours ? t->nic_drops - ours : 0;
}

static void say_cut(struct listen *l, uint64_t cut, uint64_t now_ns)
{
	char sentence[256];

	if (!has_grown(&l->cut, &l->cut_said_ns, cut, now_ns))
		return;
	snprintf(sentence, sizeof(sentence),
		 "%" PRIu64 " frames were cut by --snaplen %u before their IP header's end: "
		 "raise it",
		 cut - l->cut, l->o->snaplen);
	l->cut = cut;
	report_say(sentence);
}

void listen_look(struct listen *l)
{
	const uint64_t now_ns = monotonic_ns();
	uint64_t drops = 0, freezes = 0;
	struct view_totals totals;

	for (unsigned i = 0; i < l->o->workers; i++) {
		struct live_stats s;

		live_stats(l->live, i, &s);
		table_note_losses(l->table, i, s.ring.drops, s.ring.freezes);
		table_note_ring(l->table, i, s.blocks, s.high);
		table_note_times(l->table, i, &s.ring.times);
		drops += s.ring.drops;
		freezes += s.ring.freezes;
	}
	table_note_nic(l->table, live_nic_drops(l->live));
	table_totals_view(l->table, &totals);
	say_drops(l, drops, freezes, now_ns);
	say_nic_drops(l, dropped_by_nic(&totals), now_ns);
	say_cut(l, totals.ledger.verdict[PKT_MALFORMED_CUT], now_ns);
}
