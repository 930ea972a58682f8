/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.h - counts packets on their flows and hosts: the work of a worker.
 *
 * Threading: one account belongs to one worker thread.
 * Memory:    account_batch() never allocates.
 */
#ifndef TABLE_ACCOUNT_H
#define TABLE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"
#include "flow/flow_table.h"
#include "flow/fragments.h"
#include "packet/decap.h"
#include "table/host_dir.h"
#include "table/inner.h"
#include "table/ledger.h"
#include "table/shard.h"

#define ACCOUNT_BATCH 64

/* A packet of the batch, and a host's sum that it counts on. */
struct account_end {
	struct shard_row *row;
	struct shard_sum *sum;
	const struct pkt *pkt;
};

/* A packet that seems to begin a flow, by its number in the batch; and the hosts
 * of its flow's sides, which are looked up beforehand. */
struct account_fresh {
	uint32_t host[2];
	uint8_t at;
};

/* The hosts of a connection, whatever their sides. It has one at least. */
struct account_hosts {
	uint32_t first, second; /* the latter is nearly always HOST_NONE */
};

struct probe;
struct settings;

struct account {
	struct flow_table *flows;
	struct fragments *fragments; /* NULL: later fragments are on no flow */
	struct shard_row *rows; /* hosts_max and the overflow record; before them one for nobody */
	struct host_dir *hosts; /* shared */
	const struct inner *inner; /* shared; of the settings */
	uint32_t overflow;	   /* index of the overflow record */
	bool by_way;		   /* what is a host is told by a frame's direction */
	uint64_t now_ns;	   /* the stream's clock; read by other threads */
	struct ledger_guarded ledger;
	struct arena *arena;
	struct probe *probe; /* in that arena; probe.h */
	/* settings.h: what it counts by; what it should, which another thread sets */
	const struct settings *settings;
	struct settings *const *settings_now;
	/* table_note_losses(), table_note_ring(), table_note_times() */
	uint64_t kernel_drops, ring_freezes, ring_blocks, ring_blocks_high;
	uint64_t jumps_back, jumps_forward;
	/* Its counts are read by other threads. */
	struct pkt_decoder decoder;
	bool has_asked; /* for the fragments of this batch */
	unsigned pkts_n;
	struct account_hosts starting; /* of the connection that begins just now */
	struct pkt pkts[ACCOUNT_BATCH];
	struct flow_hosts hosts_of[ACCOUNT_BATCH];	/* of the same packets */
	struct account_end ends[2 * ACCOUNT_BATCH + 2]; /* one at a time is written in vain */
	struct account_fresh fresh[ACCOUNT_BATCH + 1];	/* the last one ends the list */
};

/* Moves the clock of this worker and its flows. */
void account_clock(struct account *a, uint64_t now_ns);

/* Decodes and counts up to ACCOUNT_BATCH frames. Hot path. */
void account_batch(struct account *a, const struct frame *frames, unsigned n);

/* The flow table's callbacks; arg is the struct account. */
void account_flow_ended(void *arg, const struct flow *f, uint64_t end_ns);
void account_flow_opened(void *arg, const struct flow *f);

#endif
