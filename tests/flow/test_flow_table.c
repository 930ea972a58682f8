/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flow_table.c - the flow table beside a naive model: one array of
 * connections, looked through from end to end.
 *
 * The model knows what flow_table.h and flow.h promise, not how buckets work.
 * Only which droppable flow is "near by" is the table's own affair, but for
 * hashes so bad that all flows are: then the model knows that, too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "flow/flow_table.h"
#include "random.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define KEYS	   48
#define NEAR_FLOWS 20 /* what two buckets hold */
#define NO_KEY	   KEYS
#define START_NS   (1700000000 * NS_PER_SEC + 123456789)

struct model_flow {
	bool is_live, is_answered, is_aged;
	uint8_t state;
	uint8_t orig; /* side of the originator */
	uint32_t slot;
	uint64_t born_ns, last_ns;
	struct flow_sum sent[2];
	uint32_t icmp_errors;
	uint32_t id[2];
};

struct model {
	struct flow_table *table;
	struct arena *arena;
	struct pkt_key keys[KEYS];
	struct model_flow flows[KEYS];
	struct flow_timeouts timeouts;
	struct flow_stats stats;
	uint64_t now_ns;    /* the clock */
	uint32_t limit;	    /* flows that fit */
	bool all_near;	    /* whatever its key, a flow is near by */
	bool is_placing;    /* room may be made */
	uint64_t ts_ns;	    /* of the packet at hand */
	unsigned replacing; /* the key whose flow this packet ends by its SYN */
	unsigned opening;   /* the key whose flow this packet opens */
	unsigned seed, step;
};

/* --- what the model knows -------------------------------------------------- */

static uint64_t deadline_of(const struct model *m, const struct model_flow *f)
{
	return f->last_ns + m->timeouts.ns[f->state];
}

static bool is_over(const struct model *m, const struct model_flow *f, uint64_t ts_ns)
{
	const uint64_t second_ns = m->now_ns - m->now_ns % NS_PER_SEC;

	return deadline_of(m, f) <= ts_ns || deadline_of(m, f) <= second_ns;
}

static bool is_half_open(const struct model_flow *f)
{
	return f->state == FLOW_TCP_SYN_SENT || f->state == FLOW_TCP_SYN_SENT2 ||
	       f->state == FLOW_TCP_SYN_RECV || f->state == FLOW_TCP_SYN_RECV2;
}

static bool is_droppable(const struct model_flow *f)
{
	return is_half_open(f) || !f->is_answered;
}

static bool is_syn(const struct pkt *p)
{
	return p->class == PKT_TCP && flow_tcp_event(p->tcp_flags) == FLOW_TCP_EV_SYN;
}

static void model_count(struct model_flow *f, const struct pkt *p)
{
	f->sent[p->side].packets += p->packets;
	f->sent[p->side].bytes += p->ip_bytes;
}

/* The state after p, which does not end it. */
static uint8_t model_next(struct model_flow *f, const struct pkt *p)
{
	const unsigned direction = p->side != f->orig;
	const bool was_answered = f->is_answered;

	f->is_answered |= direction;
	if (p->class == PKT_TCP)
		return (uint8_t)flow_next_state((enum flow_state)f->state, direction,
						flow_tcp_event(p->tcp_flags));
	if (p->class == PKT_UDP) {
		if (p->ts_ns > f->last_ns &&
		    p->ts_ns / NS_PER_MSEC - f->born_ns / NS_PER_MSEC >= 2000)
			f->is_aged = true;
		if (f->state == FLOW_UDP_STREAM || (was_answered && f->is_aged))
			return FLOW_UDP_STREAM;
		return f->is_answered ? FLOW_UDP_ANSWERED : FLOW_UDP_UNANSWERED;
	}
	if (p->class == PKT_ICMP)
		return f->is_answered ? FLOW_ICMP_ANSWERED : FLOW_ICMP_UNANSWERED;
	return f->is_answered ? FLOW_OTHER_ANSWERED : FLOW_OTHER_UNANSWERED;
}

static void model_start(struct model *m, unsigned k, const struct pkt *p, uint32_t slot)
{
	struct model_flow *f = &m->flows[k];

	memset(f, 0, sizeof(*f));
	f->is_live = true;
	f->slot = slot;
	f->orig = p->side;
	f->born_ns = f->last_ns = p->ts_ns;
	f->id[0] = m->step;
	f->id[1] = ~m->step;
	if (p->class == PKT_TCP) {
		const enum flow_tcp_event ev = flow_tcp_event(p->tcp_flags);

		f->state = (uint8_t)flow_tcp_first(ev);
		f->orig ^= ev == FLOW_TCP_EV_SYNACK; /* its destination is the originator */
		f->is_answered = ev == FLOW_TCP_EV_SYNACK;
	} else if (p->class == PKT_UDP) {
		f->state = FLOW_UDP_UNANSWERED;
	} else {
		f->state = p->class == PKT_ICMP ? FLOW_ICMP_UNANSWERED : FLOW_OTHER_UNANSWERED;
	}
	if (is_over(m, f, 0)) /* stamped long ago: it comes now */
		f->born_ns = f->last_ns = m->now_ns - m->now_ns % NS_PER_SEC;
	model_count(f, p);
	m->stats.started++;
	m->stats.live++;
}

/* --- what the table tells --------------------------------------------------- */

static unsigned key_of(const struct model *m, const struct flow *f)
{
	for (unsigned k = 0; k < KEYS; k++)
		if (memcmp(f->addr, m->keys[k].addr, sizeof(f->addr)) == 0 &&
		    memcmp(f->port, m->keys[k].port, sizeof(f->port)) == 0 &&
		    f->proto == m->keys[k].proto && f->family == m->keys[k].family)
			return k;
	fail_msg("seed %u, step %u: a flow of no key", m->seed, m->step);
	return NO_KEY;
}

static uint32_t host_of(unsigned k, unsigned side)
{
	return 1000 + 2 * k + side;
}

/* The rules of making room, for the flow that went. */
static void check_drop(const struct model *m, const struct model_flow *gone)
{
	expect(m->is_placing, m->seed, m->step);
	expect(is_droppable(gone), m->seed, m->step);
	expect(m->stats.live == m->limit || !m->all_near, m->seed, m->step);
}

static void flow_ended(void *arg, const struct flow *f, uint64_t end_ns)
{
	struct model *m = arg;
	const unsigned k = key_of(m, f);
	struct model_flow *mf = &m->flows[k];

	expect(mf->is_live, m->seed, m->step); /* else it has ended twice */
	expect(f->flags & FLOW_LIVE, m->seed, m->step);
	expect(f->state == mf->state, m->seed, m->step);
	expect(f->last_ns == mf->last_ns, m->seed, m->step);
	expect(flow_is_droppable(f) == is_droppable(mf), m->seed, m->step);
	expect(f->host[0] == host_of(k, 0) && f->host[1] == host_of(k, 1), m->seed, m->step);
	if (is_over(m, mf, m->ts_ns)) {
		expect(end_ns == deadline_of(m, mf), m->seed, m->step);
		m->stats.expired++;
	} else if (m->replacing == k) {
		expect(end_ns == m->ts_ns, m->seed, m->step);
		m->stats.replaced++;
	} else {
		expect(end_ns == m->ts_ns, m->seed, m->step);
		check_drop(m, mf);
		m->stats.early_drops++;
	}
	mf->is_live = false;
	m->stats.live--;
}

static void flow_opened(void *arg, const struct flow *f)
{
	struct model *m = arg;

	expect(m->opening == key_of(m, f), m->seed, m->step);
	expect(!flow_state_is_half_open(f->state), m->seed, m->step);
	m->opening = NO_KEY;
}

/* --- packets ------------------------------------------------------------------ */

static void hash(const struct model *m, struct pkt *p)
{
	uint8_t fresh;

	flow_table_hash(m->table, p);
	flow_table_prefetch(m->table, p, 1, &fresh);
}

/* A place for p, and the model's opinion of whether there should be one. */
static void start_or_refuse(struct model *m, unsigned k, const struct pkt *p)
{
	const uint32_t host[2] = {host_of(k, 0), host_of(k, 1)};
	const uint64_t live = m->stats.live;
	uint32_t place;

	m->is_placing = true;
	place = flow_table_place(m->table, p);
	m->is_placing = false;
	if (place == FLOW_NO_PLACE) {
		expect(m->stats.live == live, m->seed, m->step); /* nobody had to go for nothing */
		expect(live == m->limit || !m->all_near, m->seed, m->step);
		for (unsigned i = 0; m->all_near && i < KEYS; i++)
			expect(!m->flows[i].is_live || (!is_droppable(&m->flows[i]) &&
							!is_over(m, &m->flows[i], p->ts_ns)),
			       m->seed, m->step);
		return;
	}
	model_start(m, k, p, place);
	expect(m->stats.live <= m->limit, m->seed, m->step);
	expect(flow_table_start(m->table, place, p, host, m->flows[k].id) != NULL, m->seed,
	       m->step);
}

static void send(struct model *m, unsigned k, struct pkt *p)
{
	struct model_flow *f = &m->flows[k];
	const bool closing = f->state == FLOW_TCP_TIME_WAIT || f->state == FLOW_TCP_CLOSE;
	struct flow *got;

	hash(m, p);
	m->ts_ns = p->ts_ns;
	m->replacing = f->is_live && closing && is_syn(p) ? k : NO_KEY;
	m->opening = NO_KEY;
	/* It may think that there is one where there is none, not the other way round. */
	expect(!f->is_live || !flow_table_lacks(m->table, p), m->seed, m->step);
	if (!f->is_live || is_over(m, f, p->ts_ns) || m->replacing == k) {
		expect(flow_table_touch(m->table, p) == NULL, m->seed, m->step);
		expect(!f->is_live, m->seed, m->step);
		start_or_refuse(m, k, p);
	} else {
		const bool was_half_open = is_half_open(f);
		struct model_flow next = *f;

		next.state = model_next(&next, p);
		if (was_half_open && !is_half_open(&next))
			m->opening = k;
		model_count(&next, p);
		got = flow_table_touch(m->table, p);
		expect(got != NULL, m->seed, m->step);
		expect(f->is_live, m->seed, m->step);
		next.last_ns = p->ts_ns > next.last_ns ? p->ts_ns : next.last_ns;
		*f = next;
		/* Whether it is a stream is settled when it is read or ends. */
		expect(got->state == f->state ||
			       (got->state == FLOW_UDP_ANSWERED && f->state == FLOW_UDP_STREAM),
		       m->seed, m->step);
		expect(got->last_ns == f->last_ns, m->seed, m->step);
	}
	expect(m->opening == NO_KEY, m->seed, m->step);
	m->replacing = NO_KEY;
	m->ts_ns = 0;
}

static void send_error(struct model *m, unsigned k, struct pkt *p)
{
	struct model_flow *f = &m->flows[k];
	const bool known = f->is_live && !is_over(m, f, p->ts_ns);

	hash(m, p);
	expect((flow_table_count_error(m->table, p) != NULL) == known, m->seed, m->step);
	if (known) {
		model_count(f, p);
		f->icmp_errors++;
	}
}

/* --- comparing ------------------------------------------------------------------ */

static void check_flow(const struct model *m, unsigned k)
{
	const struct model_flow *f = &m->flows[k];
	struct flow_copy c;

	for (unsigned side = 0; side < 2; side++) {
		expect(flow_table_read(m->table, f->slot, host_of(k, side), &c), m->seed, m->step);
		expect(memcmp(c.hot.addr, m->keys[k].addr, 32) == 0, m->seed, m->step);
		expect(c.hot.state == f->state, m->seed, m->step);
		expect(c.hot.last_ns == f->last_ns, m->seed, m->step);
		expect(flow_orig_side(&c.hot) == f->orig, m->seed, m->step);
		expect(c.cold.icmp_errors == f->icmp_errors, m->seed, m->step);
		for (unsigned s = 0; s < 2; s++) {
			expect(c.cold.conn_id[s] == f->id[s], m->seed, m->step);
			expect(c.sent[s].packets == f->sent[s].packets, m->seed, m->step);
			expect(c.sent[s].bytes == f->sent[s].bytes, m->seed, m->step);
		}
	}
	expect(!flow_table_read(m->table, f->slot, 999, &c), m->seed, m->step);
}

/* Every flow of the model is in the table as it should be, and no other is. */
static void check_all(const struct model *m)
{
	struct flow_stats s;
	unsigned live = 0;

	for (unsigned k = 0; k < KEYS; k++)
		if (m->flows[k].is_live)
			check_flow(m, k);
	for (uint32_t i = 0; i < flow_table_end(m->table); i++)
		for (unsigned k = 0; k < KEYS; k++) {
			struct flow_copy c;

			live += flow_table_read(m->table, i, host_of(k, 0), &c);
		}
	flow_table_stats(m->table, &s);
	expect(live == m->stats.live, m->seed, m->step);
	expect(s.live == m->stats.live, m->seed, m->step);
	expect(s.capacity == m->stats.capacity, m->seed, m->step);
	expect(s.started == m->stats.started, m->seed, m->step);
	expect(s.expired == m->stats.expired, m->seed, m->step);
	expect(s.replaced == m->stats.replaced, m->seed, m->step);
	expect(s.early_drops == m->stats.early_drops, m->seed, m->step);
	expect(s.started == s.live + s.expired + s.replaced + s.early_drops, m->seed, m->step);
	expect(flow_table_end(m->table) <= s.capacity, m->seed, m->step);
}

/* --- a random life ----------------------------------------------------------------- */

static void make_keys(struct model *m, struct random *r)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_TCP,	PROTO_TCP, PROTO_UDP,
					 PROTO_UDP, PROTO_ICMP, 50};

	for (unsigned k = 0; k < KEYS; k++) {
		struct pkt_key *key = &m->keys[k];

		key->family = random_below(r, 4) ? ADDR_V4 : ADDR_V6;
		key->proto = protos[random_below(r, COUNT(protos))];
		if (key->proto == PROTO_ICMP && key->family == ADDR_V6)
			key->proto = PROTO_ICMPV6;
		/* They differ by little: often in one port or one address only. */
		key->addr[0].b[3] = (uint8_t)random_below(r, 3);
		key->addr[1].b[3] = (uint8_t)(3 + random_below(r, 3));
		key->port[0] = (uint16_t)k;
		key->port[1] = (uint16_t)random_below(r, 3);
	}
}

static struct model *model_new(unsigned seed, uint32_t flows_max, uint64_t hash_mask)
{
	struct random r = {seed};
	struct model *m = calloc(1, sizeof(*m));
	struct flow_table_conf c = {
		.flows_max = flows_max,
		.hash_mask = hash_mask,
		.ended = flow_ended,
		.opened = flow_opened,
		.arg = m,
	};

	assert_non_null(m);
	m->seed = seed;
	m->stats.capacity = flows_max;
	m->all_near = hash_mask <= 0xff;
	m->limit = m->all_near && flows_max > NEAR_FLOWS ? NEAR_FLOWS : flows_max;
	m->replacing = m->opening = NO_KEY;
	for (size_t i = 0; i < PKT_KEY_SECRETS; i++)
		c.secret[i] = random_next(&r);
	flow_timeouts_init(&c.timeouts);
	m->timeouts = c.timeouts;
	make_keys(m, &r);
	assert_int_equal(arena_new(&m->arena, NULL), 0);
	assert_int_equal(flow_table_new(&m->table, &c, m->arena, NULL), 0);
	m->now_ns = START_NS;
	flow_table_clock(m->table, m->now_ns);
	return m;
}

static void model_free(struct model *m)
{
	arena_free(m->arena);
	free(m);
}

static void move_clock(struct model *m, uint64_t ns)
{
	if (ns <= m->now_ns)
		return;
	m->now_ns = ns;
	flow_table_clock(m->table, ns);
}

/* Sizes that fill a delta word quickly, or do not fit at all. */
static uint32_t random_bytes(struct random *r)
{
	static const uint32_t edges[] = {
		20,	   40, 65535, FLOW_DELTA_BYTES, FLOW_DELTA_BYTES - 1, FLOW_DELTA_BYTES + 1,
		UINT32_MAX};

	return random_below(r, 10) ? 40 + random_below(r, 1461)
				   : edges[random_below(r, COUNT(edges))];
}

/* Mostly what moves a connection on; now and then anything. */
static uint8_t random_flags(struct random *r)
{
	static const uint8_t flags[] = {0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0x00, 0x01};
	static const uint8_t odds[] = {4, 3, 7, 3, 4, 1, 1, 1, 1};
	int32_t n = (int32_t)random_below(r, 26);

	for (size_t i = 0; i < COUNT(flags); i++) {
		n -= odds[i];
		if (n < 0)
			return flags[i];
	}
	return (uint8_t)random_next(r);
}

static uint64_t random_pause(struct random *r)
{
	switch (random_below(r, 40)) {
	case 0:
		return random_below(r, 40) * NS_PER_SEC;
	case 1:
		return random_below(r, 3000) * NS_PER_MSEC;
	case 2:
		return random_below(r, 200) == 0 ? random_below(r, 9000) * NS_PER_SEC : 0;
	default:
		return random_below(r, 200) * NS_PER_MSEC + random_below(r, 3);
	}
}

/* Around the clock; or to the nanosecond around the end of a flow. */
static uint64_t random_stamp(const struct model *m, struct random *r, unsigned k)
{
	const struct model_flow *f = &m->flows[k];
	const bool at_its_end = random_below(r, 8) == 0;

	if (at_its_end && f->is_live && deadline_of(m, f) > m->now_ns &&
	    deadline_of(m, f) < m->now_ns + 200 * NS_PER_SEC)
		return deadline_of(m, f) + random_below(r, 3) - 1;
	if (random_below(r, 16) == 0)
		return m->now_ns - random_below(r, 3000) * NS_PER_MSEC;
	if (random_below(r, 16) == 0) /* long ago: about as long as a timeout, or longer */
		return m->now_ns - (random_below(r, 2) ? 29000 : 90000) * NS_PER_MSEC -
		       random_below(r, 2000) * NS_PER_MSEC;
	return m->now_ns + random_pause(r);
}

static void random_packet(struct model *m, struct random *r)
{
	const unsigned k = random_below(r, KEYS);
	struct pkt p;

	memset(&p, 0xa5, sizeof(p));
	p.key = m->keys[k];
	p.family = p.key.family;
	p.class = p.key.proto == PROTO_TCP   ? PKT_TCP
		  : p.key.proto == PROTO_UDP ? PKT_UDP
		  : p.key.proto == 50	     ? PKT_OTHER
					     : PKT_ICMP;
	p.kind = PKT_KIND_FLOW;
	p.side = (uint8_t)random_below(r, 2);
	p.tcp_flags = p.class == PKT_TCP ? random_flags(r) : 0;
	p.is_reply = p.class == PKT_ICMP && random_below(r, 2);
	p.ip_bytes = random_bytes(r);
	p.packets = random_below(r, 8) ? 1 : random_below(r, 3000) + 1; /* merged on the way */
	p.ts_ns = random_stamp(m, r, k);
	if (random_below(r, 4))
		move_clock(m, p.ts_ns);
	if (random_below(r, 10) == 0)
		send_error(m, k, &p);
	else
		send(m, k, &p);
}

/* A sweep that has caught up leaves nothing whose time is over by the clock. */
static void sweep_all(struct model *m)
{
	const uint64_t second_ns = m->now_ns - m->now_ns % NS_PER_SEC;

	while (flow_table_sweep(m->table, 3) == 3)
		;
	for (unsigned k = 0; k < KEYS; k++)
		expect(!m->flows[k].is_live || deadline_of(m, &m->flows[k]) > second_ns, m->seed,
		       m->step);
}

static void live(struct model *m, struct random *r, unsigned steps, unsigned sweep_odds)
{
	for (m->step = 1; m->step <= steps; m->step++) {
		random_packet(m, r);
		if (random_below(r, 100) < sweep_odds)
			flow_table_sweep(m->table, random_below(r, 4));
		if (sweep_odds && random_below(r, 50) == 0)
			sweep_all(m);
		if (m->step % 16 == 0)
			check_all(m);
	}
}

static void random_packets_count_as_in_a_naive_model(void **state)
{
	static const struct {
		uint32_t flows_max;
		uint64_t hash_mask;
	} tables[] = {
		{1, UINT64_MAX},
		{4, 0},
		{NEAR_FLOWS, 0},
		{64, 0},
		{16, 1},
		{32, 0xff},
		{8, UINT64_MAX},
		{16, UINT64_MAX},
		{40, 0xffff0000ffff0000}, /* every tag the same */
		{40, 0x000000000000ffff}, /* the second bucket tells nothing */
		{1000, UINT64_MAX},
	};
	struct flow_stats sum = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(tables); i++)
		for (unsigned seed = 1; seed <= 4; seed++) {
			struct random r = {seed * 1000 + i};
			struct model *m = model_new((unsigned)(seed * 1000 + i),
						    tables[i].flows_max, tables[i].hash_mask);

			live(m, &r, 30000, 20);
			/* Nothing lives for ever. */
			move_clock(m, m->now_ns + 20000 * NS_PER_SEC);
			sweep_all(m);
			expect(m->stats.live == 0, m->seed, m->step);
			check_all(m);
			sum.expired += m->stats.expired;
			sum.replaced += m->stats.replaced;
			sum.early_drops += m->stats.early_drops;
			model_free(m);
		}
	/* Each way to end has been gone often. */
	assert_true(sum.expired > 1000 && sum.replaced > 1000 && sum.early_drops > 1000);
}

/* The model does not know when sweeps are; so their number must not matter. */
static void sweeps_make_no_difference_to_what_is_counted(void **state)
{
	static const unsigned odds[] = {0, 1, 100};

	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct model_flow flows[COUNT(odds)][KEYS];
		struct flow_stats stats[COUNT(odds)];

		for (size_t i = 0; i < COUNT(odds); i++) {
			struct random r = {seed}, sweeps = {i};
			struct model *m = model_new(seed, 1000, UINT64_MAX);

			for (m->step = 1; m->step <= 8000; m->step++) {
				random_packet(m, &r);
				if (random_below(&sweeps, 100) < odds[i])
					flow_table_sweep(m->table, random_below(&sweeps, 5));
			}
			sweep_all(m);
			check_all(m);
			memcpy(flows[i], m->flows, sizeof(flows[i]));
			stats[i] = m->stats;
			for (unsigned k = 0; k < KEYS; k++) { /* which slot it has is no result */
				flows[i][k].slot = 0;
				if (!flows[i][k].is_live)
					memset(&flows[i][k], 0, sizeof(flows[i][k]));
			}
			model_free(m);
			assert_memory_equal(flows[i], flows[0], sizeof(flows[0]));
			assert_memory_equal(&stats[i], &stats[0], sizeof(stats[0]));
		}
	}
}

/* --- single things -------------------------------------------------------------------- */

static struct pkt packet_of(const struct model *m, unsigned k, unsigned side, uint8_t flags,
			    uint64_t ts_ns)
{
	struct pkt p = {
		.key = m->keys[k],
		.ts_ns = ts_ns,
		.ip_bytes = 100,
		.packets = 1,
		.kind = PKT_KIND_FLOW,
		.class = PKT_TCP,
		.side = (uint8_t)side,
		.tcp_flags = flags,
		.family = m->keys[k].family,
	};

	return p;
}

static struct model *tcp_model_new(uint32_t flows_max, uint64_t hash_mask)
{
	struct model *m = model_new(1, flows_max, hash_mask);

	for (unsigned k = 0; k < KEYS; k++) {
		m->keys[k].proto = PROTO_TCP;
		m->keys[k].family = ADDR_V4;
	}
	return m;
}

static void counters_stay_exact_through_every_spill(void **state)
{
	static const uint32_t sizes[] = {40, 1500, 65535, FLOW_DELTA_BYTES, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct model *m = tcp_model_new(16, UINT64_MAX);

		for (m->step = 0; m->step < 5000; m->step++) {
			struct pkt p = packet_of(m, 0, m->step % 3 == 0, PKT_TCP_ACK, START_NS);

			p.ip_bytes = sizes[i];
			send(m, 0, &p);
			check_flow(m, 0);
		}
		model_free(m);
	}
}

static void flow_ends_on_its_last_nanosecond(void **state)
{
	struct model *m = tcp_model_new(16, UINT64_MAX);
	const uint64_t end_ns = START_NS + 3600 * NS_PER_SEC;
	struct pkt p = packet_of(m, 0, 0, PKT_TCP_ACK, START_NS);

	(void)state;
	send(m, 0, &p);
	p.ts_ns = end_ns - 1; /* still its own: and this moves the end */
	send(m, 0, &p);
	assert_int_equal(m->stats.started, 1);
	p.ts_ns = end_ns - 1 + 3600 * NS_PER_SEC;
	send(m, 0, &p);
	assert_int_equal(m->stats.started, 2);
	assert_int_equal(m->stats.expired, 1);
	check_all(m);
	model_free(m);
}

static void sweep_ends_a_flow_within_one_tick(void **state)
{
	struct model *m = tcp_model_new(16, UINT64_MAX);
	struct pkt p = packet_of(m, 0, 0, PKT_TCP_SYN, START_NS);
	const uint64_t end_ns = START_NS + 120 * NS_PER_SEC;
	const uint64_t tick_ns = end_ns - end_ns % NS_PER_SEC + NS_PER_SEC;

	(void)state;
	send(m, 0, &p);
	move_clock(m, tick_ns - 1);
	flow_table_sweep(m->table, 100);
	assert_int_equal(m->stats.live, 1);
	move_clock(m, tick_ns);
	flow_table_sweep(m->table, 100);
	assert_int_equal(m->stats.live, 0);
	model_free(m);
}

/* Opens a connection, lets it idle for so many seconds, closes it as far as `steps`
 * say, and sees its slot given back within a tick after its timeout, not before. */
static void expect_end_within_one_tick(unsigned idle_sec, unsigned steps)
{
	static const struct {
		unsigned side;
		uint8_t flags;
	} life[] = {
		{0, PKT_TCP_SYN},
		{1, PKT_TCP_SYN | PKT_TCP_ACK},
		{0, PKT_TCP_ACK},
		{0, PKT_TCP_FIN | PKT_TCP_ACK}, /* FIN_WAIT */
		{1, PKT_TCP_ACK},		/* CLOSE_WAIT */
		{1, PKT_TCP_FIN | PKT_TCP_ACK}, /* LAST_ACK */
		{0, PKT_TCP_ACK},		/* TIME_WAIT */
		{1, PKT_TCP_RST},		/* CLOSE */
	};
	struct model *m = tcp_model_new(16, UINT64_MAX);
	uint64_t ns = START_NS, end_ns;

	assert_in_range(steps, 3, COUNT(life));
	for (unsigned i = 0; i < steps; i++) {
		struct pkt p = packet_of(m, 0, life[i].side, life[i].flags, ns);

		for (unsigned s = 0; i == 3 && s < idle_sec; s++) {
			ns += NS_PER_SEC;
			move_clock(m, ns);
			flow_table_sweep(m->table, 100);
		}
		p.ts_ns = ns;
		send(m, 0, &p);
	}
	end_ns = deadline_of(m, &m->flows[0]);
	end_ns += NS_PER_SEC - 1 - (end_ns - 1) % NS_PER_SEC;
	for (; ns < end_ns; ns += NS_PER_SEC) {
		assert_int_equal(m->stats.live, 1);
		move_clock(m, ns);
		flow_table_sweep(m->table, 100);
	}
	assert_int_equal(m->stats.live, 1);
	move_clock(m, end_ns);
	flow_table_sweep(m->table, 100);
	assert_int_equal(m->stats.live, 0);
	model_free(m);
}

static void closing_flows_end_within_one_tick_however_old_they_are(void **state)
{
	static const unsigned idle_sec[] = {0, 1, 29, 30, 31, 45, 200};

	(void)state;
	for (unsigned i = 0; i < COUNT(idle_sec); i++)
		for (unsigned steps = 3; steps <= 8; steps++)
			expect_end_within_one_tick(idle_sec[i], steps);
}

static void new_syn_replaces_only_a_closing_flow(void **state)
{
	for (unsigned side = 0; side < 2; side++) {
		struct model *m = tcp_model_new(16, UINT64_MAX);
		struct pkt syn = packet_of(m, 0, side, PKT_TCP_SYN, START_NS + 5);
		struct pkt p = packet_of(m, 0, 0, PKT_TCP_ACK, START_NS);

		(void)state;
		send(m, 0, &p);
		send(m, 0, &syn); /* established: it stays */
		assert_int_equal(m->stats.started, 1);
		p.tcp_flags = PKT_TCP_RST;
		send(m, 0, &p);
		p.tcp_flags = PKT_TCP_SYN | PKT_TCP_ACK;
		send(m, 0, &p);
		assert_int_equal(m->stats.started, 1);
		send(m, 0, &syn);
		assert_int_equal(m->stats.started, 2);
		assert_int_equal(m->stats.replaced, 1);
		assert_int_equal(m->flows[0].orig, side);
		check_all(m);
		model_free(m);
	}
}

static void full_table_drops_no_established_flow(void **state)
{
	struct model *m = tcp_model_new(NEAR_FLOWS, 0);

	(void)state;
	for (unsigned k = 0; k < NEAR_FLOWS; k++) {
		struct pkt p = packet_of(m, k, 0, PKT_TCP_ACK, START_NS + k);

		send(m, k, &p);
		p.side = 1;
		if (k != 7)
			send(m, k, &p);
	}
	/* One was never answered: it goes, and then nobody does. */
	for (unsigned k = NEAR_FLOWS; k < NEAR_FLOWS + 2; k++) {
		struct pkt p = packet_of(m, k, 0, PKT_TCP_ACK, START_NS + k);

		send(m, k, &p);
		p.side = 1;
		send(m, k, &p);
	}
	assert_false(m->flows[7].is_live);
	assert_true(m->flows[NEAR_FLOWS].is_live);
	assert_false(m->flows[NEAR_FLOWS + 1].is_live);
	assert_int_equal(m->stats.early_drops, 1);
	assert_int_equal(m->stats.live, NEAR_FLOWS);
	check_all(m);
	model_free(m);
}

/* A real table: as many flows as it is made for find a place with a good hash,
 * but for a few whose buckets are both full. */
static void table_takes_as_many_flows_as_it_was_made_for(void **state)
{
	enum { FLOWS = 100000 };
	struct model *m = tcp_model_new(FLOWS, UINT64_MAX);
	const uint32_t host[2] = {1, 2}, id[2] = {0, 0};
	unsigned refused = 0, lacked = 0;

	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct pkt p = packet_of(m, 0, 0, PKT_TCP_ACK, START_NS);
		uint32_t place;

		memcpy(p.key.addr[0].b + 8, &i, sizeof(i));
		p.key.family = ADDR_V6;
		hash(m, &p);
		lacked += flow_table_lacks(m->table, &p);
		assert_null(flow_table_touch(m->table, &p));
		place = flow_table_place(m->table, &p);
		if (place == FLOW_NO_PLACE) {
			refused++;
			continue;
		}
		assert_ptr_not_equal(flow_table_start(m->table, place, &p, host, id), NULL);
		p.side = 1; /* answered at once, so that none is droppable */
		assert_non_null(flow_table_touch(m->table, &p));
		assert_false(flow_table_lacks(m->table, &p));
	}
	assert_in_range(refused, 0, FLOWS / 1000);
	assert_in_range(lacked, FLOWS - FLOWS / 1000,
			FLOWS); /* the index tells, as good as always */
	model_free(m);
}

static void flow_costs_128_bytes(void **state)
{
	enum { FLOWS = 1 << 20 };
	struct model *m = tcp_model_new(FLOWS, UINT64_MAX);

	(void)state;
	assert_int_equal(sizeof(struct flow) + sizeof(struct flow_cold), 120);
	/* With the index, and what every table has: its wheel, page ends. */
	assert_in_range(arena_bytes(m->arena), 1, (uint64_t)FLOWS * 128 + (8 << 20));
	model_free(m);
}

static void tables_of_impossible_sizes_are_refused(void **state)
{
	struct flow_table_conf c = {.hash_mask = UINT64_MAX};
	struct flow_table *t = (void *)&c;
	struct arena *arena;
	struct err e = {""};

	(void)state;
	assert_int_equal(arena_new(&arena, NULL), 0);
	assert_int_equal(flow_table_new(&t, &c, arena, &e), -EINVAL);
	assert_non_null(strstr(e.text, " 0 flows"));
	c.flows_max = 1u << 31;
	assert_int_equal(flow_table_new(&t, &c, arena, &e), -EINVAL);
	assert_non_null(strstr(e.text, "2147483648"));
	assert_ptr_equal(t, &c);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_packets_count_as_in_a_naive_model),
		cmocka_unit_test(sweeps_make_no_difference_to_what_is_counted),
		cmocka_unit_test(counters_stay_exact_through_every_spill),
		cmocka_unit_test(flow_ends_on_its_last_nanosecond),
		cmocka_unit_test(sweep_ends_a_flow_within_one_tick),
		cmocka_unit_test(closing_flows_end_within_one_tick_however_old_they_are),
		cmocka_unit_test(new_syn_replaces_only_a_closing_flow),
		cmocka_unit_test(full_table_drops_no_established_flow),
		cmocka_unit_test(table_takes_as_many_flows_as_it_was_made_for),
		cmocka_unit_test(flow_costs_128_bytes),
		cmocka_unit_test(tables_of_impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
