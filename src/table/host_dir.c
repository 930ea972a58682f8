/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_dir.c - address → host index, shared by all workers.
 *
 * Chained hashing over an array of entries; links are indices. Readers follow
 * them without a lock, so an entry is filled before it is linked (release),
 * and keeps its link after it has been unlinked: a reader that stands on it
 * still gets to the end of the chain. No worker stands on it any more when it
 * is given back; another reader may, and be led into another chain. `released`
 * tells it, and it looks again.
 *
 * What makes it hard is a host that is forgotten just when a worker starts its
 * first connection of it. `conns` settles that: forgetting swaps 0 for GONE, and
 * starting adds 1 first and looks afterwards. Only one of the two can win.
 */
#include "table/host_dir.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/atomics.h"
#include "base/hash.h"

#define GONE	     0x80000000u
#define HEADS_A_HOST 4 /* a scan asks for hosts that are not there: chains are to be short */
#define LINE	     64

struct entry {
	struct addr ip;
	uint64_t next_id;
	uint32_t conns; /* how often it is held, or GONE (and those who just tried) */
	uint32_t next;	/* in its chain, or in the free list */
	uint32_t seq;	/* guards ip and family */
	uint8_t family; /* 0: no host */
	uint8_t zero[23];
};

_Static_assert(sizeof(struct entry) == 64, "an entry is one cache line");

/* What lookups read does not share a line with what changes when a host is added. */
struct host_dir {
	uint32_t *heads;
	struct entry *entries;
	uint64_t hash_mask;
	bool is_shared; /* several threads take ids */
	uint64_t secret[HOST_DIR_SECRETS];
	uint32_t heads_mask;
	uint32_t hosts_max;
	_Alignas(LINE) uint64_t released;    /* entries ever given back */
	uint32_t hosts_limit;		     /* at most hosts_max; atomic */
	_Alignas(LINE) pthread_mutex_t lock; /* for everything below, and for links */
	uint32_t free_head;
	uint32_t end;
	uint32_t count;
};

static uint32_t *head_at(const struct host_dir *d, uint64_t hash)
{
	return &d->heads[hash & d->heads_mask];
}

static uint64_t hash_of(const struct host_dir *d, const struct addr *a, uint8_t family)
{
	const uint64_t *s = d->secret;

	return hash_fold(hash_fold(a->w[0] ^ s[0], a->w[1] ^ s[1]) ^ s[2], family ^ s[3]) &
	       d->hash_mask;
}

static uint32_t *head_of(const struct host_dir *d, const struct addr *a, uint8_t family)
{
	return head_at(d, hash_of(d, a, family));
}

static uint32_t find(const struct host_dir *d, const uint32_t *head, const struct addr *a,
		     uint8_t family)
{
	uint32_t i = load_acquire(head);

	while (i != HOST_NONE) {
		const struct entry *e = &d->entries[i];

		if (load_acquire(&e->ip.w[0]) == a->w[0] && load_acquire(&e->ip.w[1]) == a->w[1] &&
		    load_acquire(&e->family) == family)
			return i;
		i = load_acquire(&e->next);
	}
	return HOST_NONE;
}

uint32_t host_dir_lookup(const struct host_dir *d, const struct addr *a, uint8_t family)
{
	const uint32_t *head = head_of(d, a, family);
	uint64_t released;
	uint32_t i;

	do {
		released = load_acquire(&d->released);
		i = find(d, head, a, family);
	} while (released != load_relaxed(&d->released));
	return i;
}

/* Under the lock. */
static uint32_t add(struct host_dir *d, uint32_t *head, const struct addr *a, uint8_t family)
{
	uint32_t i = d->free_head;
	struct entry *e;

	if (d->count >= load_relaxed(&d->hosts_limit))
		return d->hosts_max;
	if (i != HOST_NONE) {
		d->free_head = d->entries[i].next;
	} else if (d->end < d->hosts_max) {
		i = d->end;
	} else {
		return d->hosts_max;
	}
	e = &d->entries[i];
	seq_write_begin(&e->seq);
	seq_set(&e->ip.w[0], a->w[0]);
	seq_set(&e->ip.w[1], a->w[1]);
	seq_set(&e->family, family);
	seq_set(&e->next_id, 0);
	seq_write_end(&e->seq);
	/* Not a store: somebody who lost against GONE may still take his 1 off. */
	if (i != d->end)
		__atomic_fetch_and(&e->conns, ~GONE, __ATOMIC_RELEASE);
	store_release(&e->next, *head);
	store_release(head, i);
	if (i == d->end)
		store_release(&d->end, i + 1);
	store_relaxed(&d->count, d->count + 1);
	return i;
}

/* Hosts that are not there, for all of them under one lock: between workers that
 * add hosts, its line and those it guards go to and fro. */
static void add_all(struct host_dir *d, const struct host_dir_ask *asks, unsigned n)
{
	/* A scan past the limit is not worth a lock a packet. */
	if (load_relaxed(&d->count) >= load_relaxed(&d->hosts_limit)) {
		for (unsigned i = 0; i < n; i++)
			*asks[i].host = d->hosts_max;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&d->entries[load_relaxed(&d->end) + i], 1);
	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < n; i++) {
		const struct host_dir_ask *a = &asks[i];
		uint32_t *head = head_at(d, a->hash);

		*a->host = find(d, head, a->ip, a->family);
		if (*a->host == HOST_NONE)
			*a->host = add(d, head, a->ip, a->family);
	}
	pthread_mutex_unlock(&d->lock);
}

void host_dir_touch_all(struct host_dir *d, struct host_dir_ask *asks, unsigned n)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < n; i++) {
		asks[i].hash = hash_of(d, asks[i].ip, asks[i].family);
		__builtin_prefetch(head_at(d, asks[i].hash));
	}
	for (unsigned i = 0; i < n; i++) {
		const uint32_t first = load_relaxed(head_at(d, asks[i].hash));

		if (first != HOST_NONE)
			__builtin_prefetch(&d->entries[first], 1);
	}
	for (unsigned i = 0; i < n; i++) {
		*asks[i].host = find(d, head_at(d, asks[i].hash), asks[i].ip, asks[i].family);
		if (*asks[i].host == HOST_NONE)
			asks[missing++] = asks[i];
	}
	if (missing)
		add_all(d, asks, missing);
}

uint32_t host_dir_touch(struct host_dir *d, const struct addr *a, uint8_t family)
{
	uint32_t i;
	struct host_dir_ask ask = {.ip = a, .host = &i, .family = family};

	host_dir_touch_all(d, &ask, 1);
	return i;
}

bool host_dir_conn_hold(struct host_dir *d, uint32_t i)
{
	struct entry *e = &d->entries[i];

	if (__atomic_fetch_add(&e->conns, 1, __ATOMIC_ACQUIRE) & GONE) {
		__atomic_fetch_sub(&e->conns, 1, __ATOMIC_RELEASE);
		return false;
	}
	return true;
}

void host_dir_conn_drop(struct host_dir *d, uint32_t i)
{
	__atomic_fetch_sub(&d->entries[i].conns, 1, __ATOMIC_RELEASE);
}

uint64_t host_dir_conn_id(struct host_dir *d, uint32_t i)
{
	uint64_t *next = &d->entries[i].next_id;
	const uint64_t id = load_relaxed(next);

	/* A locked instruction waits for all stores before it, to lines that are
	 * still coming. */
	if (d->is_shared)
		return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
	store_relaxed(next, id + 1);
	return id;
}

bool host_dir_remove(struct host_dir *d, uint32_t i)
{
	struct entry *e = &d->entries[i];
	uint32_t none = 0;
	uint32_t *link;

	pthread_mutex_lock(&d->lock);
	if (!e->family || !__atomic_compare_exchange_n(&e->conns, &none, GONE, false,
						       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		pthread_mutex_unlock(&d->lock);
		return false;
	}
	link = head_of(d, &e->ip, e->family);
	while (*link != i)
		link = &d->entries[*link].next;
	store_release(link, e->next);
	seq_write_begin(&e->seq);
	seq_set(&e->family, 0);
	seq_write_end(&e->seq);
	pthread_mutex_unlock(&d->lock);
	return true;
}

void host_dir_release(struct host_dir *d, uint32_t i)
{
	pthread_mutex_lock(&d->lock);
	/* Before anything of the entry moves: who sees that sees this. */
	store_relaxed(&d->released, d->released + 1);
	store_release(&d->entries[i].next, d->free_head);
	d->free_head = i;
	store_relaxed(&d->count, d->count - 1);
	pthread_mutex_unlock(&d->lock);
}

uint32_t host_dir_max(const struct host_dir *d)
{
	return d->hosts_max;
}

void host_dir_limit_set(struct host_dir *d, uint32_t hosts)
{
	store_relaxed(&d->hosts_limit, hosts < d->hosts_max ? hosts : d->hosts_max);
}

uint32_t host_dir_limit(const struct host_dir *d)
{
	return load_relaxed(&d->hosts_limit);
}

uint32_t host_dir_count(const struct host_dir *d)
{
	return load_relaxed(&d->count);
}

uint32_t host_dir_end(const struct host_dir *d)
{
	return load_acquire(&d->end);
}

const uint32_t *host_dir_end_at(const struct host_dir *d)
{
	return &d->end;
}

void host_dir_prefetch_entry(const struct host_dir *d, uint32_t i)
{
	__builtin_prefetch(&d->entries[i]);
}

bool host_dir_read(const struct host_dir *d, uint32_t i, struct host_dir_entry *out)
{
	const struct entry *e = &d->entries[i];

	do {
		out->seq = load_acquire(&e->seq);
		out->ip.w[0] = load_acquire(&e->ip.w[0]);
		out->ip.w[1] = load_acquire(&e->ip.w[1]);
		out->family = load_acquire(&e->family);
		out->next_id = load_acquire(&e->next_id);
	} while (out->seq & 1 || out->seq != load_relaxed(&e->seq));
	out->conns = load_relaxed(&e->conns) & ~GONE;
	return out->family != 0;
}

/* It is held for as long as two or three lines of memory take to come, which is much
 * less than a thread takes to sleep and wake. */
static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

int host_dir_new(struct host_dir **out, const struct host_dir_conf *c, struct arena *arena,
		 struct err *e)
{
	struct host_dir *d;
	uint64_t heads = 64;

	if (c->hosts_max == 0 || c->hosts_max >= GONE)
		return err_set(e, -EINVAL, "a directory of %u hosts: 1 to 2147483647 can be",
			       c->hosts_max);
	while (heads < (uint64_t)c->hosts_max * HEADS_A_HOST && heads <= UINT32_MAX / 2)
		heads *= 2;
	d = arena_zalloc(arena, sizeof(*d));
	if (!d)
		goto no_memory;
	d->heads = arena_zalloc(arena, (size_t)heads * sizeof(*d->heads));
	d->entries = arena_zalloc_growing(arena, c->hosts_max, sizeof(*d->entries), &d->end);
	if (!d->heads || !d->entries)
		goto no_memory;
	memset(d->heads, 0xff, (size_t)heads * sizeof(*d->heads)); /* HOST_NONE */
	d->heads_mask = (uint32_t)(heads - 1);
	d->is_shared = !c->has_one_worker;
	d->hosts_max = c->hosts_max;
	d->hosts_limit = c->hosts_max;
	d->hash_mask = c->hash_mask;
	d->free_head = HOST_NONE;
	memcpy(d->secret, c->secret, sizeof(d->secret));
	lock_init(&d->lock);
	*out = d;
	return 0;

no_memory:
	return err_set(e, -ENOMEM, "no memory for a directory of %u hosts; lower --max-hosts",
		       c->hosts_max);
}

void host_dir_fini(struct host_dir *d)
{
	if (d)
		pthread_mutex_destroy(&d->lock);
}
