/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_judge.c - what is wrong with the mirror: one function for each thing
 * that can be.
 *
 * Each writes what it judged by, whatever the verdict; and if it has found
 * something, what to do about it. A share is judged only of enough packets to be
 * one.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli/doctor.h"

#define FEW 20 /* fewer of anything are no finding */

/* Percent of those looked at that are too many. */
#define ONE_WAY_SHARE	 20 /* of hosts, and of their packets */
#define DUPLICATES_SHARE 1
#define TRANSIT_SHARE	 50
#define UNTAGGED_SHARE	 10
#define TUNNEL_SHARE	 5
#define UNREADABLE_SHARE 5

/* Of so many frames one that was lost or cut is too many. */
#define LOST_ONE_OF 10000
#define CUT_ONE_OF  1000

#define LONGEST_USUAL 9216 /* IP bytes on a link whose MTU is not known */

static void evidence(struct doctor_check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void remedy(struct doctor_check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(char text[DOCTOR_TEXT], const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Both are one sentence after the other. */
static void add(char text[DOCTOR_TEXT], const char *fmt, va_list ap)
{
	const size_t n = strlen(text);

	vsnprintf(text + n, DOCTOR_TEXT - n, fmt, ap);
}

static void evidence(struct doctor_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(c->evidence, fmt, ap);
	va_end(ap);
}

static void remedy(struct doctor_check *c, const char *fmt, ...)
{
	va_list ap;

	c->is_finding = true;
	va_start(ap, fmt);
	add(c->remedy, fmt, ap);
	va_end(ap);
}

static uint64_t percent(uint64_t part, uint64_t all)
{
	return all ? (uint64_t)((double)part * 100 / (double)all + 0.5) : 0;
}

static bool is_share(uint64_t part, uint64_t all, unsigned least_percent)
{
	return part >= FEW && (double)part * 100 >= (double)all * least_percent;
}

static bool is_one_of(uint64_t part, uint64_t all, unsigned of)
{
	return part && (double)part * of >= (double)all;
}

static bool is_live(const struct doctor_facts *f)
{
	return f->info.flags & TCTABLE_INFO_LIVE;
}

/* --- figures by name ------------------------------------------------------------ */

static uint64_t of_named(const struct tctable_named *named, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(named[i].name, name))
			return named[i].value;
	return 0;
}

static uint64_t counter(const struct doctor_facts *f, const char *name)
{
	return of_named(f->total.counter, f->total.counters, name);
}

static uint64_t sampled(const struct doctor_facts *f, const char *name)
{
	return of_named(f->sample.counter, f->sample.counters, name);
}

static uint64_t verdict(const struct doctor_facts *f, const char *name)
{
	for (uint32_t i = 0; i < f->total.verdicts; i++)
		if (!strcmp(f->total.verdict[i].name, name))
			return f->total.verdict[i].frames;
	return 0;
}

/* --- what comes ----------------------------------------------------------------- */

static void judge_frames(const struct doctor_facts *f, struct doctor_check *c)
{
	const struct tctable_ledger *l = &f->total.ledger;

	evidence(c, "%" PRIu64 " frames received in %" PRIu64 " s, %" PRIu64 " of them IP packets",
		 l->received, f->age_sec, l->counted.packets + l->transit);
	if (l->received == 0)
		remedy(c, is_live(f) ? "Look whether the interface is up and its cable plugged in, "
				       "whether the switch mirrors to that port, and whether the "
				       "filter lets anything in."
				     : "The files have no frame, or the filter lets none in.");
	else if (l->counted.packets + l->transit == 0 && l->received >= FEW)
		remedy(c, "Look at the reasons in 'tctable -S': what comes is no IP, or of a link "
			  "type that is not decoded.");
}

static void judge_one_way(const struct doctor_facts *f, struct doctor_check *c)
{
	const struct doctor_hosts *h = &f->hosts;
	const uint64_t one_way = h->tcp_tx_only + h->tcp_rx_only;
	bool found = h->tcp && one_way * 100 >= h->tcp * ONE_WAY_SHARE &&
		     is_share(h->tcp_one_way, h->tcp_packets, ONE_WAY_SHARE);

	if (h->tcp) {
		evidence(c,
			 "of %" PRIu64 " hosts with TCP, %" PRIu64 " only sent and %" PRIu64
			 " only received (%" PRIu64 " %% of their TCP packets)",
			 h->tcp, h->tcp_tx_only, h->tcp_rx_only,
			 percent(h->tcp_one_way, h->tcp_packets));
	} else {
		evidence(c,
			 "no host with TCP; all hosts sent %" PRIu64
			 " packets and received %" PRIu64,
			 h->tx, h->rx);
		found = h->tx + h->rx >= 5 * FEW && (!h->tx || !h->rx);
	}
	if (found)
		remedy(c, "Nothing on a network is answered by nobody: have the switch mirror both "
			  "directions of the port (rx and tx); of a TAP, name both halves: "
			  "-i tap0 -i tap1.");
}

static void judge_duplicates(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t all = sampled(f, "repeatable"), twice = sampled(f, "repeated");

	evidence(c,
		 "%" PRIu64 " of %" PRIu64 " sampled packets (%" PRIu64
		 " %%) came a second time within 100 ms",
		 twice, all, percent(twice, all));
	if (is_share(twice, all, DUPLICATES_SHARE))
		remedy(c,
		       "Mirror each packet once: of one port both directions, or of all ports one "
		       "direction, and not both sides of a router. In place of -i any, name the "
		       "interface that the hosts are behind.");
}

/* "203.0.113.0/24" */
static const char *net_text(char buf[TCTABLE_ADDR_TEXT + 4], const struct tctable_net *net)
{
	char ip[TCTABLE_ADDR_TEXT];

	snprintf(buf, TCTABLE_ADDR_TEXT + 4, "%s/%u", tctable_addr_format(&net->ip, ip), net->bits);
	return buf;
}

static void suggest_inner(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t packets = sampled(f, "transit");
	struct tctable_net nets[DOCTOR_NETS];
	const unsigned n = doctor_nets(nets, &f->sample, packets);
	char text[TCTABLE_ADDR_TEXT + 4];

	for (uint32_t i = 0; i < f->sample.nets && i < DOCTOR_NETS; i++)
		evidence(c, "%s%s (%" PRIu64 " %%)",
			 i ? ", " : "; their busiest networks: ", net_text(text, &f->sample.net[i]),
			 percent(f->sample.net[i].packets, packets));
	remedy(c, "Name your networks with --inner");
	for (unsigned i = 0; i < n; i++)
		remedy(c, "%s%s", i ? "," : ", perhaps --inner ", net_text(text, &nets[i]));
	remedy(c, "; or count every address with --inner all.");
}

static void judge_inner(const struct doctor_facts *f, struct doctor_check *c)
{
	const struct tctable_ledger *l = &f->total.ledger;
	const uint64_t packets = l->transit + l->counted.packets;

	evidence(c,
		 "%" PRIu64 " of %" PRIu64 " IP packets (%" PRIu64
		 " %%) have an inner address at neither end",
		 l->transit, packets, percent(l->transit, packets));
	if (!is_share(l->transit, packets, TRANSIT_SHARE))
		return;
	if (f->info.flags & TCTABLE_INFO_NIC)
		remedy(c,
		       "Those are frames between other stations: --direction nic is for the inner "
		       "interface of a gateway alone. At a mirror leave it out.");
	else
		suggest_inner(f, c);
}

/* --- what is cut ---------------------------------------------------------------- */

static void judge_snaplen(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t cut = verdict(f, "malformed_cut") + verdict(f, "not_ip_cut");
	const uint64_t portless = sampled(f, "portless"), packets = sampled(f, "packets");

	evidence(c,
		 "%" PRIu64 " of %" PRIu64 " frames were captured without their whole IP header, "
		 "%" PRIu64 " of %" PRIu64 " sampled packets without their ports",
		 cut, f->total.ledger.received, portless, packets);
	if ((cut < FEW || !is_one_of(cut, f->total.ledger.received, CUT_ONE_OF)) &&
	    (portless < FEW || !is_one_of(portless, packets, CUT_ONE_OF)))
		return;
	if (is_live(f))
		remedy(c, "Raise --snaplen.");
	else
		remedy(c,
		       "Record with a larger snap length: 'tcpdump -s 256', or 'editcap' and the "
		       "like without cutting.");
}

static void judge_truncated(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t cut = verdict(f, "malformed_length_long");

	evidence(c,
		 "%" PRIu64 " of %" PRIu64
		 " frames were shorter than the IP packet in them says, and are not counted",
		 cut, f->total.ledger.received);
	if (cut >= FEW && is_one_of(cut, f->total.ledger.received, CUT_ONE_OF))
		remedy(c,
		       "Whoever mirrors or records them cuts them: turn off the truncation of the "
		       "mirror session%s.",
		       is_live(f) ? ""
				  : ", or have the recorder note how long frames were on the wire");
}

static void judge_merged(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t packets = sampled(f, "packets"), merged = sampled(f, "merged");
	const uint64_t longest = sampled(f, "longest_bytes"), mtu = sampled(f, "mtu");
	const uint64_t usual = !mtu ? LONGEST_USUAL : mtu > 1500 ? mtu : 1500;

	evidence(c, "%" PRIu64 " of %" PRIu64 " sampled packets longer than 1500 bytes",
		 sampled(f, "long"), packets);
	if (longest)
		evidence(c, ", the longest of %" PRIu64, longest);
	if (mtu)
		evidence(c, " (the interface's MTU is %" PRIu64 ")", mtu);
	if (merged)
		evidence(c, "; %" PRIu64 " merged frames, counted as the packets that they were",
			 merged);
	if (longest <= usual)
		return;
	if (!is_live(f))
		remedy(c,
		       "Segments were merged (GRO, LRO, TSO) before they were recorded, and each "
		       "such frame counts as one packet: record with 'ethtool -K IF gro off lro "
		       "off tso off gso off'.");
	else if (f->info.flags & TCTABLE_INFO_SEGMENTS)
		remedy(c, "They were merged by the interface itself, which does not tell how long "
			  "they were: 'ethtool -K IF lro off'; or raise its MTU, if frames are so "
			  "long here.");
	else
		remedy(c, "Each merged frame counts as one packet: leave out --no-segments, or "
			  "'ethtool -K IF gro off lro off tso off gso off'.");
}

static void judge_vlan(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t pairs = sampled(f, "pairs"), half = sampled(f, "half_tagged");

	evidence(c,
		 "%" PRIu64 " frames with VLAN tags; of %" PRIu64 " sampled connections, %" PRIu64
		 " have tags in one direction and not in the other",
		 counter(f, "layer_vlan") + counter(f, "layer_qinq"), pairs, half);
	if (half >= FEW / 4 && half * 100 >= pairs * UNTAGGED_SHARE)
		remedy(c,
		       "The switch strips the tags of one direction: have it mirror frames as they "
		       "are ('encapsulation replicate' and the like). Sums are right without them, "
		       "but a filter such as 'vlan 7' lets one direction in.");
}

/* --- what is lost --------------------------------------------------------------- */

static void judge_drops(const struct doctor_facts *f, struct doctor_check *c)
{
	const struct tctable_ledger *l = &f->total.ledger;
	const uint64_t blocks = counter(f, "ring_blocks"), high = counter(f, "ring_blocks_high");
	const uint64_t per_ring = f->info.workers ? blocks / f->info.workers : 0;

	evidence(c, "%" PRIu64 " frames dropped by the kernel, beside %" PRIu64 " received",
		 l->kernel_drops, l->received);
	if (per_ring)
		evidence(c,
			 "; at most %" PRIu64 " of the %" PRIu64 " blocks of a ring were waiting",
			 high, per_ring);
	if (!is_one_of(l->kernel_drops, l->received + l->kernel_drops, LOST_ONE_OF))
		return;
	evidence(c, "; %u of %" PRIu32 " workers lost some", f->workers_lossy, f->info.workers);
	if (f->info.workers > 1 && f->workers_lossy == 1)
		remedy(c,
		       "One worker has more than it can take, and more workers would not share it: "
		       "raise --ring-blocks for bursts, give it a CPU of its own with --cpus, or "
		       "narrow the filter.");
	else
		remedy(c,
		       "Raise --ring-blocks if it comes in bursts, --fanout (now %" PRIu32
		       ") if it goes on; or narrow the filter.",
		       f->info.workers);
}

static void judge_nic_drops(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t told = counter(f, "nic_drops"), tagged = counter(f, "layer_qinq");
	/* Linux counts as dropped a frame with one tag under another that nobody but us
	 * took. */
	const uint64_t ours = tagged ? tagged + f->total.ledger.kernel_drops : 0;
	const uint64_t drops = told > ours ? told - ours : 0;

	evidence(c, "%" PRIu64 " frames dropped by the network interface since the start", drops);
	if (told && tagged)
		evidence(c, ", and up to %" PRIu64 " that it counts so for their VLAN tags", ours);
	if (drops >= FEW && is_one_of(drops, f->total.ledger.received + drops, LOST_ONE_OF))
		remedy(c,
		       "Raise the interface's own ring with 'ethtool -G IF rx 4096', or its queues "
		       "with 'ethtool -L'; 'ethtool -S IF' tells why it dropped.");
}

static void judge_clock(const struct doctor_facts *f, struct doctor_check *c)
{
	const uint64_t back = counter(f, "clock_jumps_back");
	const uint64_t forward = counter(f, "clock_jumps_forward");

	evidence(c,
		 "stamps jumped back %" PRIu64 " times by more than 60 s, forward %" PRIu64
		 " times by more than 30 days",
		 back, forward);
	if (!back && !forward)
		return;
	if (is_live(f))
		remedy(c, "The clock was set while frames were stamped: let NTP slew it, and start "
			  "after it has been set. Timeouts were kept by the old one.");
	else
		remedy(c,
		       "Name files in the order in which they were recorded, or put their frames "
		       "in order with 'reordercap'.");
}

static void judge_limits(const struct doctor_facts *f, struct doctor_check *c)
{
	const struct tctable_stats *s = &f->total;
	const uint64_t full = counter(f, "emergencies");

	evidence(c,
		 "%" PRIu64 " of %" PRIu64 " connections, nearly full %" PRIu64
		 " times, no room for %" PRIu64 " packets; %" PRIu64 " of %" PRIu64
		 " hosts, no room for %" PRIu64 " packets",
		 s->flows_live, s->flows_capacity, full, s->ledger.table_full, s->hosts,
		 s->hosts_max, s->ledger.host_limit);
	if (full || s->ledger.table_full)
		remedy(c,
		       "Raise --max-flows, unless it was a scan or a flood (see 'tctable -S'). ");
	if (s->ledger.host_limit)
		remedy(c, "Raise --max-hosts, or name fewer networks with --inner.");
}

/* --- tunnels --------------------------------------------------------------------- */

/* What is not asked for has been neither opened nor tried. */
static void judge_tunnels(const struct doctor_facts *f, struct doctor_check *closed,
			  struct doctor_check *unreadable)
{
	static const char *const kinds[] = {"gre",    "erspan", "ipip",	  "6in4", "4in6",
					    "ip6ip6", "vxlan",	"geneve", "gtpu"};
	bool any = false, any_open = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char name[3][TCTABLE_NAME_BYTES];
		uint64_t seen, opened, failed;

		snprintf(name[0], sizeof(name[0]), "layer_%s", kinds[i]);
		snprintf(name[1], sizeof(name[1]), "decap_%s", kinds[i]);
		snprintf(name[2], sizeof(name[2]), "decap_%s_unreadable", kinds[i]);
		seen = counter(f, name[0]);
		opened = counter(f, name[1]);
		failed = counter(f, name[2]);
		if (!seen)
			continue;
		if (opened || failed) {
			evidence(unreadable,
				 "%s%s: %" PRIu64 " of %" PRIu64 " frames could not be opened",
				 any_open ? "; " : "", kinds[i], failed, seen);
			any_open = true;
			if (is_share(failed, seen, UNREADABLE_SHARE) && !unreadable->is_finding)
				remedy(unreadable,
				       "Raise --snaplen, so that the inner headers are "
				       "captured; and let the tunnel not be fragmented: "
				       "raise the MTU of the network that it crosses.");
			continue;
		}
		evidence(closed, "%s%s in %" PRIu64 " of %" PRIu64 " frames (%" PRIu64 " %%)",
			 any ? ", " : "", kinds[i], seen, f->total.ledger.received,
			 percent(seen, f->total.ledger.received));
		any = true;
		if (is_share(seen, f->total.ledger.received, TUNNEL_SHARE))
			remedy(closed, "%s%s", closed->is_finding ? "," : "--decap ", kinds[i]);
	}
	if (!any)
		evidence(closed, "no tunnel that is not opened");
	if (!any_open)
		evidence(unreadable, "no tunnel that was to be opened");
	if (closed->is_finding)
		remedy(closed, " counts what is inside, by its own addresses.");
}

static void judge_closed(const struct doctor_facts *f, struct doctor_check *c)
{
	struct doctor_check other = {.code = ""};

	judge_tunnels(f, c, &other);
}

static void judge_unreadable(const struct doctor_facts *f, struct doctor_check *c)
{
	struct doctor_check other = {.code = ""};

	judge_tunnels(f, &other, c);
}

/* --- all of it ------------------------------------------------------------------- */

static const struct rule {
	const char *code, *title;
	void (*judge)(const struct doctor_facts *f, struct doctor_check *c);
	bool is_sampled;
} rules[] = {
	{"silent", "nothing comes that could be counted", judge_frames, false},
	{"one_way", "one direction only", judge_one_way, false},
	{"duplicates", "packets come twice", judge_duplicates, true},
	{"inner", "few or no inner addresses", judge_inner, false},
	{"snaplen", "headers are cut", judge_snaplen, false},
	{"truncated", "frames are cut before they come", judge_truncated, false},
	{"merged", "segments are merged into one packet (GRO, LRO)", judge_merged, true},
	{"vlan", "VLAN tags in one direction only", judge_vlan, true},
	{"drops", "the kernel drops frames", judge_drops, false},
	{"nic_drops", "the network interface drops frames", judge_nic_drops, false},
	{"clock", "the clock jumps", judge_clock, false},
	{"decap", "tunnels count as what they are", judge_closed, false},
	{"unreadable", "tunnels that cannot be opened", judge_unreadable, false},
	{"limits", "tables are full", judge_limits, false},
};

void doctor_judge(struct doctor_report *out, const struct doctor_facts *f)
{
	_Static_assert(sizeof(rules) / sizeof(rules[0]) <= DOCTOR_CHECKS, "room for every check");
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct doctor_check *c = &out->check[out->n++];

		c->code = rules[i].code;
		c->title = rules[i].title;
		if (rules[i].is_sampled && !f->has_sample)
			evidence(c, "not looked at: this tcsniff is too old to tell");
		else
			rules[i].judge(f, c);
		out->findings += c->is_finding;
	}
}
