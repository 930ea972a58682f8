/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_host_dir.c - the directory beside a list, with a bad hash; and many
 * threads at it at once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "../flow/random.h"
#include "base/atomics.h"
#include "patience.h"
#include "table/host_dir.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define ADDRS 40

static struct addr addr_of(unsigned i)
{
	struct addr a = {.w = {0, 0}};

	a.b[0] = 10;
	a.b[3] = (uint8_t)i;
	return a;
}

/* Some are the same bytes in the other family. */
static uint8_t family_of(unsigned i)
{
	return i % 2 ? ADDR_V4 : ADDR_V6;
}

static struct host_dir *dir_new_for(struct arena **arena, uint32_t hosts_max, uint64_t hash_mask,
				    bool has_one_worker)
{
	const struct host_dir_conf c = {.hosts_max = hosts_max,
					.secret = {1, 2, 3, 4},
					.hash_mask = hash_mask,
					.has_one_worker = has_one_worker};
	struct host_dir *d;

	assert_int_equal(arena_new(arena, NULL), 0);
	assert_int_equal(host_dir_new(&d, &c, *arena, NULL), 0);
	return d;
}

static struct host_dir *dir_new(struct arena **arena, uint32_t hosts_max, uint64_t hash_mask)
{
	return dir_new_for(arena, hosts_max, hash_mask, false);
}

static void dir_free(struct host_dir *d, struct arena *arena)
{
	host_dir_fini(d);
	arena_free(arena);
}

/* --- beside a list ---------------------------------------------------------------- */

struct model_host {
	bool is_in, is_removed; /* removed: not yet released */
	uint32_t index, conns;
	uint64_t next_id;
};

struct model {
	struct host_dir *dir;
	struct model_host hosts[ADDRS];
	uint32_t hosts_max, used; /* indices that are in or removed */
	unsigned seed, step;
};

static void check_host(const struct model *m, unsigned k)
{
	const struct model_host *h = &m->hosts[k];
	const struct addr a = addr_of(k / 2);
	const uint32_t i = host_dir_lookup(m->dir, &a, family_of(k));
	struct host_dir_entry e;

	expect(i == (h->is_in ? h->index : HOST_NONE), m->seed, m->step);
	if (h->is_removed)
		expect(!host_dir_read(m->dir, h->index, &e), m->seed, m->step);
	if (!h->is_in)
		return;
	expect(host_dir_read(m->dir, i, &e), m->seed, m->step);
	expect(addr_equal(&e.ip, &a) && e.family == family_of(k), m->seed, m->step);
	expect(e.conns == h->conns && e.next_id == h->next_id, m->seed, m->step);
}

static void touch(struct model *m, unsigned k)
{
	struct model_host *h = &m->hosts[k];
	const struct addr a = addr_of(k / 2);
	const uint32_t i = host_dir_touch(m->dir, &a, family_of(k));

	if (h->is_in) {
		expect(i == h->index, m->seed, m->step);
	} else if (m->used == m->hosts_max) {
		expect(i == m->hosts_max, m->seed, m->step);
	} else if (!h->is_removed) {
		expect(i < m->hosts_max, m->seed, m->step);
		for (unsigned o = 0; o < ADDRS; o++) /* nobody else's */
			expect((!m->hosts[o].is_in && !m->hosts[o].is_removed) ||
				       m->hosts[o].index != i,
			       m->seed, m->step);
		*h = (struct model_host){.is_in = true, .index = i};
		m->used++;
	}
}

static void work_on(struct model *m, struct random *r, unsigned k)
{
	struct model_host *h = &m->hosts[k];

	switch (random_below(r, 6)) {
	case 0:
		if (!h->is_removed) /* its address would be in twice */
			touch(m, k);
		break;
	case 1:
		if (h->is_in || h->is_removed) {
			const bool held = host_dir_conn_hold(m->dir, h->index);

			expect(held == h->is_in, m->seed, m->step);
			h->conns += held;
		}
		break;
	case 2:
		if (h->is_in && h->conns) {
			host_dir_conn_drop(m->dir, h->index);
			h->conns--;
		}
		break;
	case 3:
		if (h->is_in && h->conns)
			expect(host_dir_conn_id(m->dir, h->index) == h->next_id++, m->seed,
			       m->step);
		break;
	case 4:
		if (h->is_in || h->is_removed) {
			const bool gone = host_dir_remove(m->dir, h->index);

			expect(gone == (h->is_in && !h->conns), m->seed, m->step);
			h->is_removed |= gone;
			h->is_in &= !gone;
		}
		break;
	default:
		if (h->is_removed) {
			host_dir_release(m->dir, h->index);
			h->is_removed = false;
			m->used--;
		}
		break;
	}
}

static void random_life_beside_a_list(void **state)
{
	static const uint64_t masks[] = {0, 1, 7, UINT64_MAX};
	static const uint32_t sizes[] = {1, 5, 64, 30};

	(void)state;
	for (unsigned seed = 0; seed < 16; seed++) {
		struct random r = {seed};
		struct model m = {.hosts_max = sizes[seed / 4], .seed = seed};
		struct arena *arena;

		m.dir = dir_new_for(&arena, m.hosts_max, masks[seed % 4], seed % 2);
		assert_int_equal(host_dir_max(m.dir), m.hosts_max);
		for (m.step = 0; m.step < 10000; m.step++) {
			work_on(&m, &r, random_below(&r, ADDRS));
			check_host(&m, random_below(&r, ADDRS));
			expect(host_dir_count(m.dir) == m.used, seed, m.step);
			expect(host_dir_end(m.dir) >= m.used && host_dir_end(m.dir) <= m.hosts_max,
			       seed, m.step);
			if (m.step % 100 == 0)
				for (unsigned k = 0; k < ADDRS; k++)
					check_host(&m, k);
		}
		dir_free(m.dir, arena);
	}
}

static void index_given_to_another_host_moves_its_number(void **state)
{
	const struct addr a = addr_of(1), b = addr_of(2);
	struct host_dir_entry before, after;
	struct arena *arena;
	struct host_dir *d = dir_new(&arena, 1, UINT64_MAX);

	(void)state;
	assert_int_equal(host_dir_touch(d, &a, ADDR_V4), 0);
	assert_true(host_dir_conn_hold(d, 0));
	assert_int_equal(host_dir_conn_id(d, 0), 0);
	host_dir_conn_drop(d, 0);
	assert_true(host_dir_read(d, 0, &before));
	assert_true(host_dir_remove(d, 0));
	assert_int_equal(host_dir_touch(d, &b, ADDR_V4), 1); /* not released yet */
	host_dir_release(d, 0);
	assert_int_equal(host_dir_touch(d, &b, ADDR_V4), 0);
	assert_true(host_dir_read(d, 0, &after));
	assert_int_not_equal(before.seq, after.seq);
	assert_int_equal(before.next_id, 1);
	assert_int_equal(after.next_id, 0);
	assert_int_equal(host_dir_lookup(d, &a, ADDR_V4), HOST_NONE);
	dir_free(d, arena);
}

static void directories_of_impossible_sizes_are_refused(void **state)
{
	struct host_dir_conf c = {.hash_mask = UINT64_MAX};
	struct host_dir *d = (void *)&c;
	struct arena *arena;
	struct err e = {""};

	(void)state;
	assert_int_equal(arena_new(&arena, NULL), 0);
	assert_int_equal(host_dir_new(&d, &c, arena, &e), -EINVAL);
	assert_non_null(strstr(e.text, " 0 hosts"));
	c.hosts_max = 1u << 31;
	assert_int_equal(host_dir_new(&d, &c, arena, &e), -EINVAL);
	assert_ptr_equal(d, &c);
	host_dir_fini(NULL);
	arena_free(arena);
}

/* --- many threads ------------------------------------------------------------------ */

#define WORKERS	  3
#define FORGOTTEN 4000 /* hosts, at least ... */
#define LOOKED	  4000 /* ... and looks at those that are held */
#define PERMANENT 4    /* addresses that are held all the time */

/* What account.c and table_forget_hosts() do with it, without the packets:
 * workers in batches, one who forgets, and a reader that nobody waits for. */
struct crowd {
	struct host_dir *dir;
	uint64_t batches[WORKERS]; /* that each has ended */
	uint32_t permanent[PERMANENT];
	bool stop;
	uint64_t forgotten; /* hosts */
	uint64_t looked;    /* by the reader; atomic */
	uint64_t wrong;	    /* of these */
};

struct worker {
	struct crowd *crowd;
	pthread_t thread;
	unsigned seed;
	uint64_t wrong;
};

static bool is_host(const struct host_dir *d, uint32_t i, const struct addr *a)
{
	struct host_dir_entry e;

	return host_dir_read(d, i, &e) && addr_equal(&e.ip, a) && e.family == ADDR_V4;
}

static void connect_once(struct worker *w, struct random *r)
{
	struct crowd *c = w->crowd;
	const unsigned k = PERMANENT + random_below(r, ADDRS - PERMANENT);
	const struct addr a = addr_of(k);
	uint32_t i;

	do {
		i = host_dir_touch(c->dir, &a, ADDR_V4);
		if (i == host_dir_max(c->dir))
			return; /* all are in use */
	} while (!host_dir_conn_hold(c->dir, i));
	host_dir_conn_id(c->dir, i);
	/* While it is held it is this host and no other. */
	w->wrong += !is_host(c->dir, i, &a);
	w->wrong += host_dir_lookup(c->dir, &a, ADDR_V4) != i;
	host_dir_conn_drop(c->dir, i);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct random r = {w->seed};

	for (uint64_t n = 1; !load_acquire(&w->crowd->stop); n++) {
		for (unsigned i = 0; i < 8; i++)
			connect_once(w, &r);
		store_release(&w->crowd->batches[w->seed], n);
		sched_yield();
	}
	return NULL;
}

static void await_batches(const struct crowd *c)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		const uint64_t at = load_acquire(&c->batches[w]);

		while (load_acquire(&c->batches[w]) == at)
			sched_yield();
	}
}

/* Some hosts at a time: out of the directory first, given back afterwards. Goes
 * on until the reader has seen enough of it, too. */
static void *forget(void *arg)
{
	struct crowd *c = arg;
	const uint64_t until_ns = patience_ends_ns();

	while (c->forgotten < FORGOTTEN ||
	       (load_relaxed(&c->looked) < LOOKED && !patience_is_over(until_ns))) {
		uint32_t gone[ADDRS], n = 0;

		for (uint32_t i = 0; i < host_dir_end(c->dir) && n < ADDRS; i++) {
			struct host_dir_entry e;

			if (host_dir_read(c->dir, i, &e) && host_dir_remove(c->dir, i))
				gone[n++] = i;
		}
		await_batches(c);
		c->forgotten += n;
		while (n)
			host_dir_release(c->dir, gone[--n]);
	}
	store_release(&c->stop, true);
	return NULL;
}

/* A thread that is not waited for, as one that answers queries. */
static void *look(void *arg)
{
	struct crowd *c = arg;

	while (!load_acquire(&c->stop)) {
		for (unsigned k = 0; k < PERMANENT; k++) {
			const struct addr a = addr_of(k);

			c->wrong += host_dir_lookup(c->dir, &a, ADDR_V4) != c->permanent[k];
			c->wrong += !is_host(c->dir, c->permanent[k], &a);
			counter_add(&c->looked, 1);
		}
		for (uint32_t i = 0; i < host_dir_end(c->dir); i++) {
			struct host_dir_entry e;

			if (host_dir_read(c->dir, i, &e))
				c->wrong += e.family != ADDR_V4 || e.ip.b[0] != 10 ||
					    e.ip.b[3] >= ADDRS;
		}
	}
	return NULL;
}

static void threads_never_mistake_one_host_for_another(void **state)
{
	static const struct {
		uint32_t hosts_max;
		uint64_t hash_mask;
	} dirs[] = {{64, 0}, {ADDRS / 2, 0}, {64, UINT64_MAX}};

	(void)state;
	for (size_t n = 0; n < COUNT(dirs); n++) {
		struct crowd c = {0};
		struct worker workers[WORKERS] = {0};
		pthread_t forgetting, looking;
		struct arena *arena;

		c.dir = dir_new(&arena, dirs[n].hosts_max, dirs[n].hash_mask);
		/* First in, so that all others stand before them in the chain. */
		for (unsigned k = 0; k < PERMANENT; k++) {
			const struct addr a = addr_of(k);

			c.permanent[k] = host_dir_touch(c.dir, &a, ADDR_V4);
			assert_true(host_dir_conn_hold(c.dir, c.permanent[k]));
		}
		assert_int_equal(pthread_create(&forgetting, NULL, forget, &c), 0);
		assert_int_equal(pthread_create(&looking, NULL, look, &c), 0);
		for (unsigned i = 0; i < WORKERS; i++) {
			workers[i].crowd = &c;
			workers[i].seed = i;
			assert_int_equal(
				pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
		}
		for (unsigned i = 0; i < WORKERS; i++)
			assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(pthread_join(forgetting, NULL), 0);
		assert_int_equal(pthread_join(looking, NULL), 0);
		for (unsigned i = 0; i < WORKERS; i++)
			assert_int_equal(workers[i].wrong, 0);
		assert_true(c.looked >= LOOKED);
		assert_int_equal(c.wrong, 0);
		/* Nobody is held but those who should be. */
		for (uint32_t i = 0; i < host_dir_end(c.dir); i++) {
			struct host_dir_entry e;

			if (host_dir_read(c.dir, i, &e))
				assert_int_equal(e.conns, e.ip.b[3] < PERMANENT);
		}
		dir_free(c.dir, arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_life_beside_a_list),
		cmocka_unit_test(index_given_to_another_host_moves_its_number),
		cmocka_unit_test(directories_of_impossible_sizes_are_refused),
		cmocka_unit_test(threads_never_mistake_one_host_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
