/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - everything that is counted: the shared directory, and an account
 * (flows, counter shard, ledger) for each worker. To be read through view.h.
 *
 * Threading: new and free by one thread; account w belongs to worker w;
 *            table_forget_hosts() only while no worker is inside a batch.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "flow/flow_state.h"
#include "table/account.h"

struct table;

struct table_conf {
	unsigned workers;
	uint64_t flows_max; /* over all workers */
	/* Datagrams whose fragments are known at once, over all workers. 0: none,
	 * and later fragments are on no flow. */
	uint64_t fragments_max;
	uint32_t hosts_max;
	uint64_t host_timeout_ns; /* 0: hosts are never forgotten */
	struct flow_timeouts timeouts;
	struct decap_conf decap;      /* tunnels to be opened */
	const struct addr_net *inner; /* copied */
	size_t inner_n;		      /* 0: the default list */
	/* Captured on a gateway's inner interface: the source of a frame that
	 * came in is a host, the destination of one that leaves; and `inner`
	 * is not looked at. */
	bool by_way;
};

/* 0 and *out set, or -EINVAL / -ENOMEM / -errno with e filled. */
int table_new(struct table **out, const struct table_conf *c, struct err *e);
void table_free(struct table *t); /* NULL is fine */

/* Touches memory that flows and hosts will soon come to, so that no worker waits
 * for it. True: something was; call again soon. By one thread, while all work. */
bool table_touch_ahead(struct table *t);

struct account *table_account(struct table *t, unsigned worker);

/* Forgets all hosts that have had neither a packet nor a connection for the
 * host timeout, up to the whole second of now_ns; what they had counted goes
 * to the forgotten record. Returns the earliest time at which there can be
 * another to forget: calling before that is of no use. UINT64_MAX: never. */
uint64_t table_forget_hosts(struct table *t, uint64_t now_ns);

/* The same in two steps, while workers go on. After begin no lookup finds the
 * hosts, but a worker may still count on one in the batch that it is in. Once
 * every worker has left that batch, finish gives them back. At most some at a
 * time: if begin returns now_ns, more are due. Both by the same thread. */
uint64_t table_forget_begin(struct table *t, uint64_t now_ns);
void table_forget_finish(struct table *t);

/* What a worker's ring has lost since the start. Any one thread. */
void table_note_losses(struct table *t, unsigned worker, uint64_t drops, uint64_t freezes);
/* How many blocks its ring has, and the most that ever waited; what the NICs
 * have dropped. As above. */
void table_note_ring(struct table *t, unsigned worker, uint32_t blocks, uint32_t blocks_high);
/* How the clock of its source jumped. Views tell times as they were stamped, by
 * what the first worker's source says. As above. */
void table_note_times(struct table *t, unsigned worker, const struct clock_history *h);
void table_note_nic(struct table *t, uint64_t drops);
/* The largest MTU of the NICs. As above. */
void table_note_mtu(struct table *t, uint32_t mtu);

#endif
