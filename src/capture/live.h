/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h - live capture: a ring for each worker, on one or more interfaces.
 *
 * All rings are one fanout group (packet(7)), so the kernel hands each frame to
 * one of them. They are bound to no device; a test of the interface's index
 * stands in front of the filter instead. So several interfaces are one
 * capture (the two halves of a TAP meet in one worker), and one that goes and
 * comes back under another index is followed by renewing the filter: a socket
 * of a fanout group cannot be bound again.
 *
 * Threading: open, watch, stats and close by one thread; source i belongs to
 *            worker i.
 */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/ring.h"
#include "capture/source.h"

struct live;

enum live_fanout {
	LIVE_FANOUT_CBPF, /* by conf.split */
	LIVE_FANOUT_HASH,
	LIVE_FANOUT_CPU,
	LIVE_FANOUT_QM,
};

#define LIVE_ANY	"any" /* all interfaces */
#define LIVE_GROUP_OWN	(-1)  /* a fanout group that nobody else has */
#define LIVE_INTERFACES 16

/* Something that its user should know: an interface went or came back, ... */
typedef void (*live_say_fn)(void *arg, const char *sentence);

struct live_conf {
	const char *const *names; /* borrowed until close */
	size_t names_n;		  /* 1 .. LIVE_INTERFACES; or LIVE_ANY alone */
	unsigned workers;
	struct ring_conf ring;
	uint32_t snap; /* bytes of a frame that the kernel copies */
	bool promisc;
	enum live_fanout fanout;
	int group;			 /* 0 .. 65535, or LIVE_GROUP_OWN */
	const struct sock_filter *split; /* copied by the kernel */
	unsigned split_n;
	const char *filter; /* BPF expression, or NULL; borrowed until close */
	live_say_fn say;
	void *arg;
};

/* Captures from now on. 0 and *out set, or -errno with e filled: -ENODEV, no
 * such interface; -EINVAL, the filter; -EPERM; ... */
int live_open(struct live **out, const struct live_conf *c, struct err *e);
void live_close(struct live *t); /* NULL is fine */

/* Lets nothing more in, and waits until the kernel has handed over what is in:
 * a retire time, but LIVE_SHUT_MS at most. Call before the workers are stopped. */
#define LIVE_SHUT_MS 700
void live_shut(struct live *t);

struct source live_source(struct live *t, unsigned i);

/* Readable when interfaces have changed; then call live_watch(), which says
 * what has, and goes on with what there is. */
int live_watch_fd(const struct live *t);
void live_watch(struct live *t);

struct live_stats {
	struct ring_stats ring;
	uint32_t blocks, high; /* of the ring; the most that ever waited at once */
};

void live_stats(struct live *t, unsigned i, struct live_stats *out);

/* The sum over the interfaces of what the NICs dropped and missed since the
 * start (rx_dropped, rx_missed_errors). */
uint64_t live_nic_drops(const struct live *t);

#endif
