/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_dir.h - address → host index, shared by all workers.
 *
 * Threading: lookups take no lock and may run in any thread at any time;
 *            adding and removing take the directory's own lock. What a
 *            removed entry was is readable until host_dir_release(): the
 *            caller lets every worker finish its batch between the two.
 * Memory:    all allocated in host_dir_new(), from the caller's arena;
 *            touched as hosts come.
 */
#ifndef TABLE_HOST_DIR_H
#define TABLE_HOST_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"

struct host_dir;

#define HOST_NONE UINT32_MAX /* no host, or not found */

#define HOST_DIR_SECRETS 4

struct host_dir_conf {
	uint32_t hosts_max; /* 1 .. 2^31 - 1; index hosts_max is the overflow record */
	uint64_t secret[HOST_DIR_SECRETS]; /* key of the hash, random; copied */
	uint64_t hash_mask;		   /* ~0; fewer bits make a bad hash for tests */
	bool has_one_worker;		   /* only one thread ever takes connection ids */
};

/* 0 and *out set, or -EINVAL / -ENOMEM with e filled. Ends with the arena,
 * but for host_dir_fini(). */
int host_dir_new(struct host_dir **out, const struct host_dir_conf *c, struct arena *arena,
		 struct err *e);
void host_dir_fini(struct host_dir *d); /* NULL is fine */

/* The index of a host, or HOST_NONE. */
uint32_t host_dir_lookup(const struct host_dir *d, const struct addr *a, uint8_t family);

/* The index of a host, added if it is new; hosts_max if there is no room. */
uint32_t host_dir_touch(struct host_dir *d, const struct addr *a, uint8_t family);

/* The same of n hosts, which may be equal, step by step for all of them: it is mostly
 * waiting for memory. */
struct host_dir_ask {
	const struct addr *ip;
	uint32_t *host; /* where its index goes */
	uint64_t hash;	/* not to be set */
	uint8_t family;
};

void host_dir_touch_all(struct host_dir *d, struct host_dir_ask *asks, unsigned n);

/* Holds host i, as often as it is let go: as long as anybody holds it, it is not
 * removed. False if it has just been removed, and must be touched again. Not for
 * hosts_max. */
bool host_dir_conn_hold(struct host_dir *d, uint32_t i);
void host_dir_conn_drop(struct host_dir *d, uint32_t i);
/* The next connection id of a host that is held: 0, 1, 2, ... */
uint64_t host_dir_conn_id(struct host_dir *d, uint32_t i);

/* Takes host i out of the directory if it has no connection. Its index is not
 * used again before host_dir_release(). */
bool host_dir_remove(struct host_dir *d, uint32_t i);
void host_dir_release(struct host_dir *d, uint32_t i);

uint32_t host_dir_max(const struct host_dir *d);

/* Any thread. How many hosts there may be from now on, up to hosts_max, which it
 * is at first. Those who are there stay, even if they are more. */
void host_dir_limit_set(struct host_dir *d, uint32_t hosts);
uint32_t host_dir_limit(const struct host_dir *d);

uint32_t host_dir_count(const struct host_dir *d);
uint32_t host_dir_end(const struct host_dir *d);	   /* indices ever used: 0 .. end-1 */
const uint32_t *host_dir_end_at(const struct host_dir *d); /* where that stands; atomic */

struct host_dir_entry {
	struct addr ip;
	uint8_t family;
	uint64_t next_id; /* how many connections it ever had */
	uint32_t conns;	  /* how often it is held */
	uint32_t seq;	  /* moves when the index is given to another host */
};

/* Any thread. False if i is no host now. */
void host_dir_prefetch_entry(const struct host_dir *d, uint32_t i);
bool host_dir_read(const struct host_dir *d, uint32_t i, struct host_dir_entry *out);

#endif
