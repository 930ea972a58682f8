/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.h - reading the tables from another thread while workers write.
 *
 * Threading: every call may be made by any thread at any time and never
 *            makes a worker wait. Each view is a state that existed: the
 *            packets and bytes of one counter belong together.
 * Memory:    fills the caller's structs; nothing is allocated.
 * Order of use: hosts are numbered 0 .. table_hosts_end()-1, with gaps;
 *            connections 0 .. table_conns_end(worker)-1, with gaps. Both ends
 *            may grow while one walks.
 */
#ifndef TABLE_VIEW_H
#define TABLE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "packet/decap.h"
#include "packet/pkt.h"
#include "table/probe.h"

struct table;

struct view_counter {
	uint64_t packets;
	uint64_t bytes; /* IP bytes */
};

struct view_class {
	uint64_t conns; /* live connections */
	struct view_counter tx, rx;
};

struct view_host {
	struct addr ip;
	uint8_t family; /* ADDR_V4, ADDR_V6; 0 for the overflow and forgotten records */
	uint32_t index;
	struct view_class cls[PKT_CLASSES]; /* by enum pkt_class */
	uint64_t half_open;		    /* of its live connections */
	uint64_t last_ns;		    /* stamp of its last packet */
	uint64_t next_conn_id;		    /* how many connections it ever had */
	uint64_t use;			    /* 1 + live connections */
	uint64_t idle_ns;		    /* since when it has had no packet and no
					     * connection; 0: it has one now */
};

/* What can be said of a host at a glance; meant for looking at all of them. */
struct view_glance {
	struct addr ip;
	uint8_t family;
	uint32_t seq;		     /* another one: another host has the index */
	uint32_t changes;	     /* the same one: nothing has been counted */
	uint32_t conns[PKT_CLASSES]; /* live connections */
	uint32_t half_open;	     /* of these */
	uint64_t last_ns;	     /* its last packet, on the line of base/clock.h */
};

/* Sent and received, by enum pkt_class. */
struct view_sums {
	struct view_counter tx[PKT_CLASSES], rx[PKT_CLASSES];
};

struct view_end {
	struct addr ip;
	uint16_t port; /* host order; 0 if the protocol has none */
	struct view_counter sent;
};

struct view_conn {
	uint64_t id; /* in the host that was asked for */
	uint64_t last_ns;
	uint8_t family;
	uint8_t proto;	      /* IP protocol number */
	uint8_t class;	      /* enum pkt_class */
	uint8_t state;	      /* enum flow_state */
	bool is_icmp;	      /* then type, code and id hold, and the ports are 0 */
	uint8_t icmp_type[2]; /* of the original direction and of the reply */
	uint8_t icmp_code;
	uint16_t icmp_id;
	uint32_t icmp_errors;	/* ICMP errors that quoted it */
	struct view_end end[2]; /* 0: originator, 1: the other */
};

/* One worker's books, or the sum of all. */
struct view_ledger {
	uint64_t received;
	struct view_counter counted;
	struct view_counter internal; /* of counted: inner host at both ends */
	uint64_t tracked;
	uint64_t untracked_table_full;
	uint64_t untracked_host_limit;
	uint64_t untracked_icmp_error;
	uint64_t untracked_icmp_other;
	uint64_t untracked_fragment;
	uint64_t transit;
	uint64_t verdict[PKT_VERDICTS]; /* by reason; [PKT_OK] = counted + transit */
	uint64_t not_ip, malformed;	/* their sums */
	uint64_t kernel_drops;
	uint64_t ring_freezes;
};

struct view_flows {
	uint64_t capacity; /* --max-flows share of this worker */
	uint64_t live;
	uint64_t started;	    /* ever */
	uint64_t expired;	    /* ended by their timeout */
	uint64_t replaced;	    /* ended by a new SYN on a closing tuple */
	uint64_t early_drops;	    /* ended early to make room */
	uint64_t emergencies;	    /* nearly full tables, with shorter timeouts: flow_table.h */
	uint64_t emergency_expired; /* of `expired`, those that this ended before their time */
	uint64_t in_emergency;	    /* 0 or 1: now; in the sum, how many workers */
	uint64_t arena_bytes;	    /* this worker's memory (jemalloc arena, mapped) */
};

/* Datagrams in fragments: flow/fragments.h. Packets, unless it says else. */
struct view_fragments {
	uint64_t capacity; /* datagrams: --max-fragments share of this worker */
	uint64_t firsts;   /* first fragments */
	uint64_t matched;  /* later ones whose first was known */
	uint64_t early;	   /* later ones whose first was not */
	uint64_t credited; /* of these, those whose first came in time */
	uint64_t evicted;  /* datagrams, to make room */
};

/* Of a ring; nothing of a file. */
struct view_ring {
	uint64_t blocks;
	uint64_t blocks_high; /* the most that ever waited at once; in the sum, of any worker */
};

/* How often stamps jumped by more than a clock can. */
struct view_jumps {
	uint64_t back, forward;
};

/* Frames by the layers they had, in the order of packet/decap.h. */
struct view_layers {
	uint64_t n[LAYER_COUNTERS];
};

struct view_worker {
	struct view_ledger ledger;
	struct view_flows flows;
	struct view_fragments fragments;
	struct view_ring ring;
	struct view_jumps jumps;
	struct view_layers layers;
};

struct view_totals {
	struct view_ledger ledger; /* summed over the workers */
	struct view_flows flows;
	struct view_fragments fragments;
	struct view_ring ring;
	struct view_jumps jumps;
	struct view_layers layers;
	uint64_t nic_drops;	  /* by the NICs, since the start */
	uint64_t hosts;		  /* now */
	uint64_t hosts_max;	  /* --max-hosts */
	uint64_t hosts_forgotten; /* ever */
	uint64_t directory_bytes; /* memory of the host directory */
	uint64_t now_ns;	  /* the stream's clock: the latest of all workers', as stamped */
	uint64_t host_timeout_ns; /* 0: never */
};

/* What the probes have found in some of the frames, together. */
struct view_sample {
	struct probe_seen seen;
	uint64_t mtu; /* the largest of the NICs; 0: not known */
};

unsigned table_workers(const struct table *t);

/* The number of hosts now. */
uint64_t table_hosts_count(const struct table *t);
uint32_t table_hosts_end(const struct table *t);

/* Asks for the memory that table_host_view() of an index needs. */
void table_host_prefetch(const struct table *t, uint32_t index);

/* One host, merged over the workers. 0, or -ENOENT for a gap. */
int table_host_view(const struct table *t, uint32_t index, struct view_host *out);

/* One host at a glance, and, if it is to be had in full, what it counted. The
 * glance reads one line of memory for each worker, the sums three. As above. */
int table_host_glance(const struct table *t, uint32_t index, struct view_glance *out);
void table_host_sums(const struct table *t, uint32_t index, struct view_sums *out);
void table_host_glance_prefetch(const struct table *t, uint32_t index);

/* The index of a host by address; 0, or -ENOENT. */
int table_host_find(const struct table *t, const struct addr *ip, uint8_t family, uint32_t *index);

/* The overflow record (hosts beyond --max-hosts) and the forgotten one (what
 * forgotten hosts had counted). */
void table_overflow_view(const struct table *t, struct view_host *out);
void table_forgotten_view(const struct table *t, struct view_host *out);

uint32_t table_conns_end(const struct table *t, unsigned worker);

/* Connection `slot` of `worker` if it is live and belongs to host `host`.
 * 0, or -ENOENT. Cheap for a slot of another host: meant to be called for
 * every slot in turn. */
int table_conn_view(const struct table *t, unsigned worker, uint32_t slot, uint32_t host,
		    struct view_conn *out);

void table_worker_view(const struct table *t, unsigned worker, struct view_worker *out);
void table_totals_view(const struct table *t, struct view_totals *out);
uint64_t table_host_timeout_ns(const struct table *t); /* it may change */
void table_sample_view(const struct table *t, struct view_sample *out);

#endif
