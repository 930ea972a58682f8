/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.c - everything that is counted.
 */
#include "table/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/units.h"
#include "table/internal.h"
#include "table/probe.h"
#include "table/settings.h"

static int fill_secret(void *secret, size_t n, struct err *e)
{
	if (getrandom(secret, n, 0) != (ssize_t)n)
		return err_sys(e, "getrandom of %zu bytes for a hash key", n);
	return 0;
}

static int fragments_open(struct account *a, const struct table_conf *c, struct err *e)
{
	struct fragments_conf conf = {
		.datagrams_max = (uint32_t)((c->fragments_max + c->workers - 1) / c->workers),
		.hash_mask = UINT64_MAX,
	};
	int ret;

	if (!c->fragments_max)
		return 0;
	ret = fill_secret(conf.secret, sizeof(conf.secret), e);
	if (ret < 0)
		return ret;
	return fragments_new(&a->fragments, &conf, a->arena, e);
}

static int account_new(struct account **out, struct table *t, const struct table_conf *c,
		       struct err *e)
{
	struct flow_table_conf conf = {
		.flows_max = (uint32_t)((c->flows_max + c->workers - 1) / c->workers),
		.timeouts = c->timeouts,
		.hash_mask = UINT64_MAX,
		.ended = account_flow_ended,
		.opened = account_flow_opened,
	};
	struct arena *arena;
	struct account *a;
	int ret;

	ret = fill_secret(conf.secret, sizeof(conf.secret), e);
	if (ret < 0)
		return ret;
	ret = arena_new(&arena, e);
	if (ret < 0)
		return ret;
	a = arena_zalloc(arena, sizeof(*a));
	if (!a) {
		ret = err_set(e, -ENOMEM, "no memory for a worker");
		goto fail;
	}
	a->rows = arena_zalloc_growing(arena, (size_t)c->hosts_max + 2, sizeof(*a->rows),
				       host_dir_end_at(t->hosts));
	if (!a->rows) {
		ret = err_set(e, -ENOMEM,
			      "no memory for the counters of %u hosts; lower --max-hosts",
			      c->hosts_max);
		goto fail;
	}
	a->rows++;
	a->arena = arena;
	a->hosts = t->hosts;
	a->settings_now = &t->settings;
	a->by_way = c->by_way;
	a->starting = (struct account_hosts){HOST_NONE, HOST_NONE};
	pkt_decoder_init(&a->decoder, &c->decap);
	memcpy(a->decoder.secret, conf.secret, sizeof(a->decoder.secret));
	a->overflow = c->hosts_max;
	a->probe = probe_new(arena, &a->decoder, c->by_way);
	if (!a->probe) {
		ret = err_set(e, -ENOMEM, "no memory for a worker");
		goto fail;
	}
	conf.arg = a;
	ret = flow_table_new(&a->flows, &conf, arena, e);
	if (ret < 0)
		goto fail;
	settings_take(a);
	ret = fragments_open(a, c, e);
	if (ret < 0)
		goto fail;
	*out = a;
	return 0;

fail:
	arena_free(arena);
	return ret;
}

static int hosts_new(struct table *t, const struct table_conf *c, struct err *e)
{
	struct host_dir_conf conf = {
		.hosts_max = c->hosts_max,
		.hash_mask = UINT64_MAX,
		.has_one_worker = c->workers == 1,
	};
	int ret = fill_secret(conf.secret, sizeof(conf.secret), e);

	if (ret < 0)
		return ret;
	ret = arena_new(&t->hosts_arena, e);
	if (ret < 0)
		return ret;
	ret = host_dir_new(&t->hosts, &conf, t->hosts_arena, e);
	return ret < 0 ? ret : forget_open(t, e);
}

int table_new(struct table **out, const struct table_conf *c, struct err *e)
{
	struct table *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_set(e, -ENOMEM, "no memory for a table");
	t->accounts = calloc(c->workers, sizeof(struct account *));
	if (!t->accounts) {
		ret = err_set(e, -ENOMEM, "no memory for %u workers", c->workers);
		goto fail;
	}
	t->workers_max = c->workers;
	t->by_way = c->by_way;
	ret = settings_open(t, c, e);
	if (ret < 0)
		goto fail;
	ret = hosts_new(t, c, e);
	if (ret < 0)
		goto fail;
	for (; t->workers < c->workers; t->workers++) {
		ret = account_new(&t->accounts[t->workers], t, c, e);
		if (ret < 0)
			goto fail;
	}
	*out = t;
	return 0;

fail:
	table_free(t);
	return ret;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (unsigned w = 0; w < t->workers; w++)
		arena_free(t->accounts[w]->arena);
	free(t->accounts);
	host_dir_fini(t->hosts);
	arena_free(t->hosts_arena);
	settings_close(t);
	free(t);
}

struct account *table_account(struct table *t, unsigned worker)
{
	return t->accounts[worker];
}

bool table_touch_ahead(struct table *t)
{
	bool any = arena_touch_ahead(t->hosts_arena);

	for (unsigned w = 0; w < t->workers; w++)
		any |= arena_touch_ahead(t->accounts[w]->arena);
	return any;
}

void table_note_losses(struct table *t, unsigned worker, uint64_t drops, uint64_t freezes)
{
	store_relaxed(&t->accounts[worker]->kernel_drops, drops);
	store_relaxed(&t->accounts[worker]->ring_freezes, freezes);
}

void table_note_ring(struct table *t, unsigned worker, uint32_t blocks, uint32_t blocks_high)
{
	store_relaxed(&t->accounts[worker]->ring_blocks, blocks);
	store_relaxed(&t->accounts[worker]->ring_blocks_high, blocks_high);
}

void table_note_nic(struct table *t, uint64_t drops)
{
	store_relaxed(&t->nic_drops, drops);
}

void table_note_mtu(struct table *t, uint32_t mtu)
{
	store_relaxed(&t->mtu, mtu);
}

void table_note_times(struct table *t, unsigned worker, const struct clock_history *h)
{
	store_relaxed(&t->accounts[worker]->jumps_back, h->back);
	store_relaxed(&t->accounts[worker]->jumps_forward, h->forward);
	if (worker || !h->shifts_n)
		return;
	seq_write_begin(&t->times_seq);
	seq_store_words(&t->times, h, sizeof(*h) / 8);
	seq_write_end(&t->times_seq);
}
