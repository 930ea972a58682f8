/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates.c - what each host sends and receives a second.
 *
 * Kept once for all clients, and only as long as there are some that ask for
 * the top of hosts: nothing is measured for nobody. Each host has the sums as
 * they were when it was looked at last, and for each window a mean that a look
 * moves towards what was counted since, by the share of the window that has
 * passed: all the way if a whole window has. So a host costs two cache lines
 * at a look, whatever the windows, and looks of several clients fit together.
 *
 * What makes it hard: a host that is new since the last look at all of them was
 * silent then, and its rate is known at once; but of a host that was there when
 * nobody looked nothing is. And after a long silence of all clients, what was
 * counted meanwhile is no rate of now.
 */
#include <string.h>

#include "query/internal.h"

#define LOOK_MS	 250   /* sooner, there is nothing new to see */
#define STALE_MS 60000 /* after that, measuring begins anew */

enum { TX_PACKETS, TX_BYTES, RX_PACKETS, RX_BYTES, SUMS };

struct rate {
	uint64_t sum[SUMS];
	float mean[TCTABLE_TOP_WINDOWS - 1][SUMS]; /* a second */
	uint32_t seq;				   /* of the host that it is about */
	uint32_t began_ms, at_ms;		   /* first and last look; 0: none */
	uint32_t zero;
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

static void sum_up(uint64_t sum[SUMS], const struct view_sums *s)
{
	memset(sum, 0, SUMS * sizeof(sum[0]));
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		sum[TX_PACKETS] += s->sum[c][0].packets;
		sum[TX_BYTES] += s->sum[c][0].bytes;
		sum[RX_PACKETS] += s->sum[c][1].packets;
		sum[RX_BYTES] += s->sum[c][1].bytes;
	}
}

/* Clients look in turn, so one may have begun a little before the other's look. */
static int32_t ms_since(uint32_t then_ms, uint32_t now_ms)
{
	return (int32_t)(now_ms - then_ms);
}

/* Of a host that was not looked at before. */
static void begin(const struct rates *r, struct rate *h, uint32_t seq, uint32_t now_ms)
{
	memset(h, 0, sizeof(*h));
	h->seq = seq;
	if (r->pass_ms && ms_since(r->pass_ms, now_ms) < STALE_MS)
		h->began_ms = h->at_ms = r->pass_ms;
}

static void measure(struct rate *h, const uint64_t sum[SUMS], uint32_t now_ms)
{
	const float passed_ms = (float)(now_ms - h->at_ms);
	float now[SUMS];

	for (unsigned i = 0; i < SUMS; i++)
		now[i] = (float)(sum[i] - h->sum[i]) * 1000 / passed_ms;
	for (unsigned w = 0; w < TCTABLE_TOP_WINDOWS - 1; w++) {
		/* As long as less than a window was measured, all of that counts. */
		const float known_ms = (float)(now_ms - h->began_ms);
		const float whole_ms = known_ms < window_ms[w] ? known_ms : window_ms[w];
		const float share = passed_ms < whole_ms ? passed_ms / whole_ms : 1;

		for (unsigned i = 0; i < SUMS; i++)
			h->mean[w][i] += (now[i] - h->mean[w][i]) * share;
	}
}

void rates_look(struct rates *r, uint32_t index, const struct view_sums *s, uint32_t now_ms)
{
	struct rate *h = &r->at[index];
	uint64_t sum[SUMS];

	if (h->seq != s->seq)
		begin(r, h, s->seq, now_ms);
	else if (h->at_ms && ms_since(h->at_ms, now_ms) >= STALE_MS)
		*h = (struct rate){.seq = s->seq};
	if (h->at_ms && ms_since(h->at_ms, now_ms) < LOOK_MS)
		return;
	sum_up(sum, s);
	if (h->at_ms)
		measure(h, sum, now_ms);
	else
		h->began_ms = now_ms;
	memcpy(h->sum, sum, sizeof(sum));
	h->at_ms = now_ms;
}

static uint64_t rounded(float v)
{
	return (uint64_t)(v + 0.5f);
}

void rates_read(const struct rates *r, uint32_t index, struct tctable_top_row *out)
{
	const struct rate *h = &r->at[index];

	memset(out->rate, 0, sizeof(out->rate));
	out->measured_ms = h->at_ms - h->began_ms;
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
