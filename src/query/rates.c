/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates.c - what each host sends and receives a second.
 *
 * Kept once for all clients, and only as long as there are some that ask for
 * the top of hosts: nothing is measured for nobody. Each host has the sums as
 * they were when it was looked at last, and for each window a mean that a look
 * moves towards what was counted since, by the share of the window that has
 * passed: all the way if a whole window has. A look is at all hosts, and has
 * one time, which is that of each; clients that ask sooner share it.
 *
 * Invariant: a host whose count of changes is the one noted has the sums noted.
 * So of a host that is silent a look reads one line of the table, and if its
 * means have come to 0 it writes nothing: that it was looked at then follows
 * from when all were.
 *
 * What makes it hard: a host that is new since the last look at all of them was
 * not there then, and its rate is known at once; but of a host that was there
 * when nobody looked nothing is. And after a long silence of all clients, what
 * was counted meanwhile is no rate of now.
 */
#include <string.h>

#include "query/internal.h"

#define LOOK_MS	 250   /* sooner, there is nothing new to see */
#define STALE_MS 60000 /* after that, measuring begins anew */
#define LEAST	 0.01f /* a mean below it is 0 */

enum { TX_PACKETS, TX_BYTES, RX_PACKETS, RX_BYTES, SUMS };

struct rate {
	struct host_sums sums;
	uint32_t seq, changes;			   /* of the host that it is about */
	uint32_t began_ms, at_ms;		   /* first look; last one that wrote; 0: none */
	float mean[TCTABLE_TOP_WINDOWS - 1][SUMS]; /* a second */
};

_Static_assert(sizeof(struct rate) == 96, "the size that server.h states");

static const float window_ms[TCTABLE_TOP_WINDOWS - 1] = {2000, 10000, 40000};

uint64_t rates_bytes(uint64_t end)
{
	return end * sizeof(struct rate);
}

/* The most hosts that there are now or may be, so that it rarely has to grow. */
static size_t room_for(const struct answer_context *ctx, uint32_t end)
{
	struct view_totals totals;

	table_totals_view(ctx->table, &totals);
	return totals.hosts_max > end ? (size_t)totals.hosts_max : end;
}

bool rates_hold(struct answer_context *ctx, uint32_t end, bool is_new)
{
	struct rates *r = &ctx->rates;
	const size_t n = r->n < end || !r->at ? room_for(ctx, end) : r->n;

	if (n != r->n) {
		struct rate *at = query_calloc(ctx, n, sizeof(*at));

		if (!at)
			return false;
		if (r->at)
			memcpy(at, r->at, r->n * sizeof(*at));
		query_free(ctx, r->at, r->n, sizeof(*at));
		r->at = at;
		r->n = n;
	}
	r->users += is_new;
	return true;
}

void rates_release(struct answer_context *ctx)
{
	struct rates *r = &ctx->rates;

	if (--r->users)
		return;
	query_free(ctx, r->at, r->n, sizeof(*r->at));
	memset(r, 0, sizeof(*r));
}

/* Clients look in turn, so one may have begun a little before the other's look. */
static int32_t ms_since(uint32_t then_ms, uint32_t now_ms)
{
	return (int32_t)(now_ms - then_ms);
}

/* The last look, of which a silent host bears no trace. */
static uint32_t looked_ms(const struct rates *r, const struct rate *h)
{
	if (!h->at_ms || !r->pass_ms || ms_since(h->at_ms, r->pass_ms) <= 0)
		return h->at_ms;
	return r->pass_ms;
}

static void sum_up(struct host_sums *out, const struct view_sums *s)
{
	memset(out, 0, sizeof(*out));
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		out->tx_packets += s->tx[c].packets;
		out->tx_bytes += s->tx[c].bytes;
		out->rx_packets += s->rx[c].packets;
		out->rx_bytes += s->rx[c].bytes;
	}
}

/* As long as less than a window was measured, all of that counts. */
static void move_means(struct rate *h, const float now[SUMS], float passed_ms, float known_ms)
{
	for (unsigned w = 0; w < TCTABLE_TOP_WINDOWS - 1; w++) {
		const float whole_ms = known_ms < window_ms[w] ? known_ms : window_ms[w];
		const float share = passed_ms < whole_ms ? passed_ms / whole_ms : 1;

		for (unsigned i = 0; i < SUMS; i++) {
			const float mean = h->mean[w][i] + (now[i] - h->mean[w][i]) * share;

			h->mean[w][i] = mean < LEAST ? 0 : mean;
		}
	}
}

static bool is_at_rest(const struct rate *h)
{
	float sum = 0;

	for (unsigned i = 0; i < SUMS; i++)
		sum += h->mean[TCTABLE_TOP_WINDOWS - 2][i]; /* the longest: last to come to 0 */
	return sum == 0;
}

static void measure(struct rate *h, const struct host_sums *s, uint32_t at_ms, uint32_t now_ms)
{
	const float passed_ms = (float)(now_ms - at_ms), by_second = 1000 / passed_ms;
	const float now[SUMS] = {
		(float)(s->tx_packets - h->sums.tx_packets) * by_second,
		(float)(s->tx_bytes - h->sums.tx_bytes) * by_second,
		(float)(s->rx_packets - h->sums.rx_packets) * by_second,
		(float)(s->rx_bytes - h->sums.rx_bytes) * by_second,
	};

	move_means(h, now, passed_ms, (float)(now_ms - h->began_ms));
}

bool rates_begin(struct rates *r, uint32_t now_ms)
{
	if (r->look_ms && ms_since(r->look_ms, now_ms) < LOOK_MS)
		return false;
	r->look_ms = now_ms;
	return true;
}

/* Of another host than before, or anew. */
static void begin(const struct rates *r, struct rate *h, uint32_t seq, uint32_t now_ms)
{
	const bool is_other = h->seq != seq;

	memset(h, 0, sizeof(*h));
	h->seq = seq;
	if (is_other && r->pass_ms && ms_since(r->pass_ms, now_ms) < STALE_MS)
		h->began_ms = h->at_ms = r->pass_ms;
}

const struct host_sums *rates_look(struct answer_context *ctx, uint32_t index,
				   const struct view_glance *g, const struct top_pick *p)
{
	struct rates *r = &ctx->rates;
	const uint32_t now_ms = p->now_ms;
	struct rate *h = &r->at[index];
	struct host_sums sums;
	struct view_sums all;
	uint32_t at_ms;

	if (h->seq != g->seq || ms_since(looked_ms(r, h), now_ms) >= STALE_MS)
		begin(r, h, g->seq, now_ms);
	at_ms = looked_ms(r, h);
	if (at_ms && h->changes == g->changes && is_at_rest(h))
		return &h->sums;
	if (at_ms && (!p->looks || ms_since(at_ms, now_ms) <= 0))
		return &h->sums;
	sums = h->sums;
	if (h->changes != g->changes) {
		table_host_sums(ctx->table, index, &all);
		sum_up(&sums, &all);
	}
	if (at_ms)
		measure(h, &sums, at_ms, now_ms);
	else
		h->began_ms = now_ms;
	h->sums = sums;
	h->changes = g->changes;
	h->at_ms = now_ms;
	return &h->sums;
}

void rates_pass(struct rates *r, uint32_t now_ms)
{
	r->pass_ms = now_ms;
}

void rates_prefetch(const struct rates *r, uint32_t index)
{
	if (index < r->n) {
		__builtin_prefetch(&r->at[index], 1);
		__builtin_prefetch((const char *)&r->at[index] + 64, 1);
	}
}

static uint64_t rounded(float v)
{
	return (uint64_t)(v + 0.5f);
}

void rates_read(const struct rates *r, uint32_t index, struct tctable_top_row *out)
{
	const struct rate *h = &r->at[index];

	memset(out->rate, 0, sizeof(out->rate));
	out->measured_ms = looked_ms(r, h) - h->began_ms;
	if (!out->measured_ms)
		return;
	for (unsigned w = 0; w < TCTABLE_TOP_WINDOWS - 1; w++) {
		out->rate[w].tx.packets = rounded(h->mean[w][TX_PACKETS]);
		out->rate[w].tx.bytes = rounded(h->mean[w][TX_BYTES]);
		out->rate[w].rx.packets = rounded(h->mean[w][RX_PACKETS]);
		out->rate[w].rx.bytes = rounded(h->mean[w][RX_BYTES]);
	}
}

uint64_t rates_key(const struct rates *r, uint32_t index, enum tctable_top_key key,
		   enum tctable_top_window window)
{
	const float *mean = r->at[index].mean[window - 1];
	float v = 0;

	switch (key) {
	case TCTABLE_BY_TX:
		v = mean[TX_BYTES];
		break;
	case TCTABLE_BY_RX:
		v = mean[RX_BYTES];
		break;
	case TCTABLE_BY_TX_PACKETS:
		v = mean[TX_PACKETS];
		break;
	case TCTABLE_BY_RX_PACKETS:
		v = mean[RX_PACKETS];
		break;
	case TCTABLE_BY_PACKETS:
		v = mean[TX_PACKETS] + mean[RX_PACKETS];
		break;
	default:
		v = mean[TX_BYTES] + mean[RX_BYTES];
	}
	return (uint64_t)(v * 256); /* what is below one a second has an order as well */
}
