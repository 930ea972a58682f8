/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.c - what may change while workers count.
 *
 * Settings are made whole, and never changed. A new set is published by one
 * pointer; each worker compares that with its own between batches. The old set
 * is freed when no worker has it any more.
 */
#include "table/settings.h"

#include <errno.h>
#include <stdlib.h>

#include "table/internal.h"

struct settings {
	struct settings *before; /* owned; until all workers have taken this one */
	struct inner *inner;	 /* owned */
	struct flow_timeouts timeouts, emergency;
	uint32_t flows_max; /* of each worker */
};

static void free_all(struct settings *s)
{
	while (s) {
		struct settings *before = s->before;

		inner_free(s->inner);
		free(s);
		s = before;
	}
}

static int make(struct settings **out, const struct table *t, const struct table_conf *c,
		struct err *e)
{
	static const struct addr_net everything[] = {{.family = ADDR_V4}, {.family = ADDR_V6}};
	const uint64_t flows = (c->flows_max + t->workers_max - 1) / t->workers_max;
	struct settings *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_set(e, -ENOMEM, "no memory for settings");
	ret = t->by_way ? inner_new(&s->inner, everything, 2, e)
			: inner_new(&s->inner, c->inner, c->inner_n, e);
	if (ret < 0) {
		free(s);
		return ret;
	}
	s->timeouts = c->timeouts;
	flow_timeouts_emergency(&s->emergency, &s->timeouts);
	s->flows_max = flows < UINT32_MAX ? (uint32_t)flows : UINT32_MAX;
	*out = s;
	return 0;
}

int settings_open(struct table *t, const struct table_conf *c, struct err *e)
{
	t->host_timeout_ns = c->host_timeout_ns;
	return make(&t->settings, t, c, e);
}

void settings_close(struct table *t)
{
	free_all(t->settings);
}

int settings_set(struct table *t, const struct table_conf *c, struct err *e)
{
	struct settings *s = NULL;
	int ret;

	if (!settings_are_taken(t))
		return err_set(e, -EBUSY,
			       "a worker has not come to the settings of the last time yet: it "
			       "waits for packets");
	ret = make(&s, t, c, e);
	if (ret < 0)
		return ret;
	s->before = t->settings;
	host_dir_limit_set(t->hosts, c->hosts_max);
	store_relaxed(&t->host_timeout_ns, c->host_timeout_ns);
	store_release(&t->settings, s);
	return 0;
}

bool settings_are_taken(struct table *t)
{
	for (unsigned w = 0; w < t->workers; w++)
		if (load_acquire(&t->accounts[w]->settings) != t->settings)
			return false;
	free_all(t->settings->before);
	t->settings->before = NULL;
	return true;
}

void settings_take_new(struct account *a)
{
	const struct settings *s = load_acquire(a->settings_now);

	a->inner = s->inner;
	flow_table_set(a->flows, &s->timeouts, &s->emergency, s->flows_max);
	store_release(&a->settings, s); /* the last one is free */
}
