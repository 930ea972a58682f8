/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.c - counts packets on their flows and hosts.
 *
 * A batch goes through stages, each for all of its packets before the next, so
 * that the memory which a stage needs has been asked for by the one before:
 * decode (and hash; index lines), prefetch (flow lines), hosts of what seems to
 * begin a flow (their entries and rows), flow (host rows), count.
 */
#include "table/account.h"

#include <string.h>

#define DECODE_PART 16

static inline void prefetch_row(struct shard_row *r, unsigned class)
{
	__builtin_prefetch(r, 1);
	__builtin_prefetch(&r->cls[class], 1);
}

/* The host of an address: its index, added to the directory if it is new; the
 * overflow record's; or HOST_NONE if the address is not inner. */
static uint32_t host_of(struct account *a, const struct addr *ip, uint8_t family)
{
	return inner_has(a->inner, ip, family) ? host_dir_touch(a->hosts, ip, family) : HOST_NONE;
}

/* Which of a connection's sides is a host is as good as random, and a wrong guess of
 * the processor at it costs more than putting them in order, HOST_NONE being the
 * highest number. */
static inline struct account_hosts hosts_by_number(const uint32_t host[2])
{
	const uint32_t low = host[0] < host[1] ? host[0] : host[1];
	const uint32_t high = host[0] < host[1] ? host[1] : host[0];

	return (struct account_hosts){low, low == high ? HOST_NONE : high};
}

/* Whether this worker has no connection of a host. */
static inline bool has_none(const struct account *a, uint32_t host)
{
	const uint32_t *n = a->rows[host].conns;

	return (n[PKT_TCP] | n[PKT_UDP] | n[PKT_ICMP] | n[PKT_OTHER]) == 0;
}

/* A worker holds a host as long as it has connections of it, so only the first
 * and the last of them write to what all workers share. */
static bool hold(struct account *a, uint32_t host)
{
	return host == HOST_NONE || !has_none(a, host) || host_dir_conn_hold(a->hosts, host);
}

static void let_go(struct account *a, uint32_t host)
{
	if (host != HOST_NONE && has_none(a, host))
		host_dir_conn_drop(a->hosts, host);
}

/* Holds both hosts for a connection, which may end others of them to get its
 * place. False if one of them is being forgotten this very moment. */
static bool hold_hosts(struct account *a, struct account_hosts h)
{
	if (!hold(a, h.first))
		return false;
	if (!hold(a, h.second)) {
		let_go(a, h.first);
		return false;
	}
	a->starting = h;
	return true;
}

/* The connection could not begin. */
static void give_up_hosts(struct account *a)
{
	const struct account_hosts h = a->starting;

	a->starting = (struct account_hosts){HOST_NONE, HOST_NONE};
	let_go(a, h.first);
	let_go(a, h.second);
}

/* The connection has begun: by being counted it holds them itself. */
static void start_is_over(struct account *a)
{
	a->starting = (struct account_hosts){HOST_NONE, HOST_NONE};
}

static uint32_t take_id(struct account *a, uint32_t host)
{
	return host == HOST_NONE ? 0 : (uint32_t)host_dir_conn_id(a->hosts, host);
}

/* An id in each of the hosts, by side. */
static void take_ids(struct account *a, const uint32_t host[2], struct account_hosts h,
		     uint32_t id[2])
{
	const uint32_t first = take_id(a, h.first), second = take_id(a, h.second);

	for (unsigned s = 0; s < 2; s++)
		id[s] = first ^ ((first ^ second) & -(uint32_t)(host[s] != h.first));
}

/* The address that is a host by the direction of the frame; NULL: neither. */
static const struct addr *end_by_way(const struct account *a, const struct pkt *p)
{
	const struct addr *ip = p->way == FRAME_WAY_OUT ? pkt_dst(p) : pkt_src(p);

	if (p->way != FRAME_WAY_IN && p->way != FRAME_WAY_OUT)
		return NULL;
	return inner_has(a->inner, ip, p->family) ? ip : NULL;
}

/* The hosts of a packet's addresses, by side. */
static void hosts_of(struct account *a, const struct pkt *p, uint32_t host[2])
{
	if (a->by_way) {
		const struct addr *ip = end_by_way(a, p);
		const unsigned side = p->way == FRAME_WAY_OUT ? !p->side : p->side;

		host[side] = ip ? host_of(a, ip, p->family) : HOST_NONE;
		host[!side] = HOST_NONE;
		return;
	}
	host[p->side] = host_of(a, pkt_src(p), p->family);
	host[!p->side] = host_of(a, pkt_dst(p), p->family);
}

static void row_conns(struct account *a, const struct flow *f, uint32_t host, int conns,
		      int half_open)
{
	struct shard_row *r = &a->rows[host];
	const enum pkt_class class = flow_class(f);

	seq_write_begin(&r->seq);
	seq_add(&r->conns[class], (uint32_t)conns);
	seq_add(&r->half_open, (uint32_t)half_open);
	seq_write_end(&r->seq);
}

static void row_conn_ended(struct account *a, const struct flow *f, uint32_t host, uint64_t end_ns)
{
	struct shard_row *r = &a->rows[host];

	seq_write_begin(&r->seq);
	seq_add(&r->conns[flow_class(f)], -1u);
	seq_add(&r->half_open, -(uint32_t)flow_state_is_half_open(f->state));
	shard_max(&r->conn_ended_ns, end_ns);
	seq_write_end(&r->seq);
}

/* Adds to the live and half-open connections of the flow's hosts. */
static void count_conns(struct account *a, const struct flow *f, int conns, int half_open)
{
	const struct account_hosts h = hosts_by_number(f->host);

	row_conns(a, f, h.first, conns, half_open);
	if (h.second != HOST_NONE)
		row_conns(a, f, h.second, conns, half_open);
}

/* At the first fragment of a batch: asks for the memory that it and the others
 * need. Batches without any are not looked through for them. */
static void ask_for_fragments(struct account *a, const struct pkt *p)
{
	if (a->has_asked)
		return;
	a->has_asked = true;
	for (; p < &a->pkts[a->pkts_n]; p++)
		if (p->fragment)
			fragments_prefetch(a->fragments, p);
}

/* p, which is counted on f, is its datagram's first fragment: those that came
 * before it belong there, too. */
static void note_first(struct account *a, const struct pkt *p, struct flow *f, struct ledger *l)
{
	struct fragments_early early;

	if (!a->fragments)
		return;
	ask_for_fragments(a, p);
	early = fragments_first(a->fragments, p);
	if (!early.packets)
		return;
	flow_table_credit(a->flows, f, p->side, early.packets, early.bytes);
	l->untracked[LEDGER_FRAGMENT] -= early.packets; /* of this batch, or before it */
}

/* Counts a later fragment on the flow of its first one. False: it has none. */
static bool count_later(struct account *a, const struct pkt *p)
{
	struct pkt of_flow = *p;

	if (!a->fragments)
		return false;
	ask_for_fragments(a, p);
	if (!fragments_later(a->fragments, &of_flow))
		return false;
	flow_table_hash(a->flows, &of_flow);
	return flow_table_count_fragment(a->flows, &of_flow);
}

/* Starts the flow of p between two hosts, by side, which may become others if
 * one is forgotten meanwhile. NULL and *reason if it cannot be tracked. */
static struct flow *start_flow(struct account *a, const struct pkt *p, uint32_t host[2],
			       enum ledger_untracked *reason)
{
	uint32_t id[2], place;
	struct account_hosts h;
	struct flow *f;

	*reason = LEDGER_HOST_LIMIT;
	for (;;) {
		h = hosts_by_number(host);
		if (h.first == a->overflow || h.second == a->overflow)
			return NULL;
		if (hold_hosts(a, h))
			break;
		hosts_of(a, p, host);
	}
	place = flow_table_place(a->flows, p);
	if (place == FLOW_NO_PLACE) {
		give_up_hosts(a);
		*reason = LEDGER_TABLE_FULL;
		return NULL;
	}
	take_ids(a, host, h, id);
	f = flow_table_start(a->flows, place, p, host, id);
	count_conns(a, f, 1, flow_state_is_half_open(f->state));
	start_is_over(a);
	return f;
}

/* Looks up the hosts of the n packets of the batch that seem to begin flows, all
 * at once. */
static void find_fresh_hosts(struct account *a, const uint8_t *at, unsigned n)
{
	struct host_dir_ask asks[2 * ACCOUNT_BATCH + 1]; /* one is written in vain */
	unsigned fresh_n = 0, asks_n = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct pkt *p = &a->pkts[at[i]];
		struct account_fresh *f = &a->fresh[fresh_n];

		if (p->kind != PKT_KIND_FLOW || a->by_way)
			continue;
		f->at = at[i];
		fresh_n++;
		for (unsigned s = 0; s < 2; s++) {
			f->host[s] = HOST_NONE;
			asks[asks_n].host = &f->host[s];
			asks[asks_n].ip = &p->key.addr[s];
			asks[asks_n].family = p->family;
			asks_n += inner_has(a->inner, &p->key.addr[s], p->family);
		}
	}
	a->fresh[fresh_n].at = ACCOUNT_BATCH;
	host_dir_touch_all(a->hosts, asks, asks_n);
	for (unsigned i = 0; i < fresh_n; i++)
		for (unsigned s = 0; s < 2; s++)
			prefetch_row(&a->rows[(int32_t)a->fresh[i].host[s]],
				     a->pkts[a->fresh[i].at].class);
}

/* A packet that is on no flow we have: its hosts, by side, unless they are
 * known, and what becomes of it. */
static void count_unknown(struct account *a, const struct pkt *p, bool is_known, uint32_t host[2],
			  struct ledger *l)
{
	static const enum ledger_untracked reasons[PKT_KINDS] = {
		[PKT_KIND_ICMP_ERROR] = LEDGER_ICMP_ERROR,
		[PKT_KIND_ICMP_OTHER] = LEDGER_ICMP_OTHER,
		[PKT_KIND_FRAGMENT] = LEDGER_FRAGMENT,
	};
	enum ledger_untracked reason = reasons[p->kind];
	struct flow *f = NULL;

	if (!is_known)
		hosts_of(a, p, host);
	if ((host[0] & host[1]) == HOST_NONE) { /* all bits of both */
		l->transit += p->packets;
		l->counted_bytes -= p->ip_bytes; /* which are added for every packet */
		return;
	}
	if (p->kind == PKT_KIND_FLOW)
		f = start_flow(a, p, host, &reason);
	else if (p->kind == PKT_KIND_ICMP_ERROR && p->quoted == PKT_QUOTE_WHOLE)
		f = flow_table_count_error(a->flows, p);
	if (!f && !(p->kind == PKT_KIND_FRAGMENT && count_later(a, p)))
		l->untracked[reason] += p->packets;
	if (f && p->kind == PKT_KIND_FLOW && p->fragment)
		note_first(a, p, f, l);
}

/* The host of a flow's side, which was not one so far: a packet goes to a host
 * by way of us that came from another. */
static uint32_t attach_host(struct account *a, struct flow *f, const struct pkt *p, unsigned side)
{
	uint32_t host[2], id[2];
	struct account_hosts h;

	do {
		hosts_of(a, p, host);
		/* The last: a host that talks to itself. */
		if (host[side] == HOST_NONE || host[side] == a->overflow ||
		    host[side] == f->host[!side])
			return host[side];
		h = hosts_by_number(host);
	} while (!hold_hosts(a, h));
	take_ids(a, host, h, id);
	flow_table_attach(a->flows, f, side, host[side], id[side]);
	row_conns(a, f, host[side], 1, flow_state_is_half_open(f->state));
	start_is_over(a);
	return host[side];
}

/* Where a frame's direction tells what is a host: only one of its ends is, and
 * which one need not be what it was for the packet before. */
static void find_hosts_by_way(struct account *a, const struct pkt *p, uint32_t host[2],
			      struct ledger *l)
{
	const unsigned side = p->way == FRAME_WAY_OUT ? !p->side : p->side;
	const bool is_host = end_by_way(a, p);
	struct flow *f = is_host && p->kind == PKT_KIND_FLOW ? flow_table_touch(a->flows, p) : NULL;

	host[!side] = HOST_NONE;
	if (!f) {
		count_unknown(a, p, false, host, l);
		return;
	}
	if (p->fragment)
		note_first(a, p, f, l);
	host[side] = f->host[side] != HOST_NONE ? f->host[side] : attach_host(a, f, p, side);
}

/* Finds or starts the flow of a packet that is not as usual, and its hosts, by
 * side. `fresh` are the hosts that are known, of a packet that seems to begin a
 * flow, or NULL. */
static void find_hosts(struct account *a, const struct pkt *p, const uint32_t *fresh,
		       uint32_t host[2], struct ledger *l)
{
	struct flow *f = NULL;

	if (p->kind == PKT_KIND_FLOW && !(fresh && flow_table_lacks(a->flows, p)))
		f = flow_table_touch(a->flows, p);
	if (f) {
		if (p->fragment)
			note_first(a, p, f, l);
		fresh = f->host;
	}
	if (fresh) {
		host[0] = fresh[0];
		host[1] = fresh[1];
	}
	if (!f)
		count_unknown(a, p, fresh != NULL, host, l);
}

/* The hosts of all packets: as their flows have them, or one by one. */
static void find_all_hosts(struct account *a, struct ledger *l)
{
	const struct account_fresh *fresh = a->fresh;
	const unsigned n = a->pkts_n;

	for (unsigned i = 0;; i++) {
		const unsigned usual = fresh->at < n ? fresh->at : n;

		i = flow_table_touch_run(a->flows, a->pkts, i, usual, a->hosts_of);
		if (i == n)
			return;
		if (i == usual)
			find_hosts(a, &a->pkts[i], fresh++->host, a->hosts_of[i].of, l);
		else
			find_hosts(a, &a->pkts[i], NULL, a->hosts_of[i].of, l);
	}
}

static void find_all_hosts_by_way(struct account *a, struct ledger *l)
{
	for (unsigned i = 0; i < a->pkts_n; i++)
		find_hosts_by_way(a, &a->pkts[i], a->hosts_of[i].of, l);
}

/* Puts an end of p behind the ones there are, and returns the place behind it.
 * Which end of a packet is a host is as good as random, and a wrong guess of the
 * processor at it costs more than writing one that does not stay: HOST_NONE is
 * the row before the first. */
static inline struct account_end *add_end(struct account_end *e, struct shard_row *rows,
					  const struct pkt *p, uint32_t host, bool is_rx)
{
	struct shard_row *row = &rows[(int32_t)host];
	struct shard_sum *sum = &row->cls[p->class].sum[is_rx];

	__builtin_prefetch(row, 1);
	__builtin_prefetch(sum, 1);
	*e = (struct account_end){row, sum, p};
	return e + (host != HOST_NONE);
}

/* Counts the packets of the batch on their hosts, and adds them up. */
static void count_hosts(struct account *a, struct ledger *l)
{
	const unsigned pkts_n = a->pkts_n;
	struct shard_row *rows = a->rows;
	uint64_t packets = 0, bytes = 0, on_hosts = 0, on_hosts_bytes = 0;
	struct account_end *end = a->ends;

	for (unsigned i = 0; i < pkts_n; i++) {
		const struct pkt *p = &a->pkts[i];

		end = add_end(end, rows, p, a->hosts_of[i].of[0], p->side);
		end = add_end(end, rows, p, a->hosts_of[i].of[1], p->side ^ 1);
		packets += p->packets;
		bytes += p->ip_bytes;
	}
	for (const struct account_end *e = a->ends; e < end; e++) {
		shard_row_count(e->row, e->sum, e->pkt);
		on_hosts += e->pkt->packets;
		on_hosts_bytes += e->pkt->ip_bytes;
	}
	l->verdict[PKT_OK] = packets;
	l->counted_bytes += bytes;
	/* On two hosts, or else on one. */
	l->internal = on_hosts - (packets - l->transit);
	l->internal_bytes = on_hosts_bytes - l->counted_bytes;
}

/* What follows from the rest: each packet is in one class. */
static void complete(struct ledger *l, unsigned bad)
{
	l->received = l->verdict[PKT_OK] + bad;
	l->counted = l->verdict[PKT_OK] - l->transit;
	l->tracked = l->counted;
	for (unsigned i = 0; i < LEDGER_UNTRACKED; i++)
		l->tracked -= l->untracked[i];
}

/* In parts, so that the index lines of one come while the next is decoded. */
static unsigned decode_all(struct account *a, const struct frame *frames, unsigned n,
			   struct ledger *l)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i += DECODE_PART) {
		const unsigned part = n - i < DECODE_PART ? n - i : DECODE_PART;
		const unsigned more =
			pkt_decode_all(&a->decoder, &frames[i], part, &a->pkts[good], l->verdict);

		flow_table_expect(a->flows, &a->pkts[good], more);
		good += more;
	}
	return good;
}

void account_batch(struct account *a, const struct frame *frames, unsigned n)
{
	struct ledger l = {0};
	uint8_t fresh[ACCOUNT_BATCH];
	const unsigned good = decode_all(a, frames, n, &l);

	a->pkts_n = good;
	a->has_asked = false;
	find_fresh_hosts(a, fresh, flow_table_prefetch(a->flows, a->pkts, good, fresh));
	if (a->by_way)
		find_all_hosts_by_way(a, &l);
	else
		find_all_hosts(a, &l);
	count_hosts(a, &l);
	complete(&l, n - good);
	ledger_add(&a->ledger, &l);
}

void account_clock(struct account *a, uint64_t now_ns)
{
	store_relaxed(&a->now_ns, now_ns);
	flow_table_clock(a->flows, now_ns);
	if (a->fragments)
		fragments_clock(a->fragments, now_ns);
}

static void host_conn_ended(struct account *a, const struct flow *f, uint32_t host, uint64_t end_ns)
{
	row_conn_ended(a, f, host, end_ns);
	if (host != a->starting.first && host != a->starting.second)
		let_go(a, host);
}

void account_flow_ended(void *arg, const struct flow *f, uint64_t end_ns)
{
	const struct account_hosts h = hosts_by_number(f->host);

	host_conn_ended(arg, f, h.first, end_ns);
	if (h.second != HOST_NONE)
		host_conn_ended(arg, f, h.second, end_ns);
}

void account_flow_opened(void *arg, const struct flow *f)
{
	count_conns(arg, f, 0, -1);
}
