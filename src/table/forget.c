/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forget.c - hosts that have been silent for long leave the table.
 *
 * Every index that was ever used hangs on a timer wheel, whoever has it now, at
 * a time before which no host of that index can be due: when it is looked at, a
 * host that is silent says when it will be; one that is busy, or comes later to
 * an index that is free, cannot be due before a whole timeout. So packets and
 * directory know nothing of the timers, and a look at the wheel costs what is due
 * and, in the time of a timeout, one look at each index.
 */
#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "table/internal.h"

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Adds what a row has counted to another; conns and stamps too. */
static void row_add(struct shard_row *to, const struct shard_row *from)
{
	to->half_open += from->half_open;
	to->last_ns = max64(to->last_ns, from->last_ns);
	to->conn_ended_ns = max64(to->conn_ended_ns, from->conn_ended_ns);
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		to->conns[c] += from->conns[c];
		to->cls[c].sum[SHARD_TX].packets += from->cls[c].sum[SHARD_TX].packets;
		to->cls[c].sum[SHARD_TX].bytes += from->cls[c].sum[SHARD_TX].bytes;
		to->cls[c].sum[SHARD_RX].packets += from->cls[c].sum[SHARD_RX].packets;
		to->cls[c].sum[SHARD_RX].bytes += from->cls[c].sum[SHARD_RX].bytes;
	}
}

void table_row_merge(const struct table *t, uint32_t index, struct shard_row *out)
{
	struct shard_row row;

	memset(out, 0, sizeof(*out));
	for (unsigned w = 0; w < t->workers; w++) {
		shard_row_read(&t->accounts[w]->rows[index], &row);
		row_add(out, &row);
	}
}

static void row_clear(struct shard_row *r)
{
	const struct shard_row zero = {0};

	seq_write_begin(&r->seq);
	/* All but the first word, which holds the number that guards it. */
	seq_store_words(&r->conns, &zero.conns, (sizeof(zero) - 8) / 8);
	seq_set(&r->half_open, 0);
	seq_write_end(&r->seq);
}

static void give_back(struct table *t, uint32_t index)
{
	struct shard_row sum = t->forgotten, merged;

	table_row_merge(t, index, &merged);
	row_add(&sum, &merged);
	seq_write_begin(&t->forgotten.seq);
	seq_store_words(&t->forgotten.conns, &sum.conns, (sizeof(sum) - 8) / 8);
	seq_write_end(&t->forgotten.seq);
	for (unsigned w = 0; w < t->workers; w++)
		row_clear(&t->accounts[w]->rows[index]);
	host_dir_release(t->hosts, index);
	counter_add(&t->hosts_forgotten, 1);
}

/* A host is in the directory before its first packet is in a row. */
static bool is_counted(const struct shard_row *r)
{
	uint64_t packets = 0;

	for (unsigned c = 0; c < PKT_CLASSES; c++)
		packets |= r->cls[c].sum[SHARD_TX].packets | r->cls[c].sum[SHARD_RX].packets;
	return packets != 0;
}

/* The second at which it is over: the first one that is not before. */
static uint64_t tick_of(uint64_t ns)
{
	return (ns + NS_PER_SEC - 1) / NS_PER_SEC;
}

/* wheel_due_fn: forgets the host of an index if it is due now; when to look again. */
static uint64_t look_at(void *arg, uint32_t i, uint64_t now)
{
	struct table *t = arg;
	const uint64_t busy_until = now + tick_of(t->forget->timeout_ns);
	struct host_dir_entry entry;
	struct shard_row merged;
	uint64_t due;

	if (!host_dir_read(t->hosts, i, &entry) || entry.conns)
		return busy_until;
	table_row_merge(t, i, &merged);
	if (!is_counted(&merged))
		return now + 1;
	due = tick_of(max64(merged.last_ns, merged.conn_ended_ns) + t->forget->timeout_ns);
	if (due > now)
		return due;
	if (host_dir_remove(t->hosts, i))
		t->gone[t->gone_n++] = i;
	return busy_until;
}

/* Indices that are new, or all when there is another timeout, are looked at now. */
static void enlist(struct table *t, uint64_t timeout_ns, uint64_t tick)
{
	struct forget *f = t->forget;

	if (f->timeout_ns != timeout_ns) {
		f->timeout_ns = timeout_ns;
		f->listed = 0;
		wheel_init(&f->wheel, f->links, sizeof(f->links[0]));
		wheel_start(&f->wheel, tick);
	}
	for (; f->listed < host_dir_end(t->hosts); f->listed++)
		wheel_add(&f->wheel, f->listed, tick);
}

uint64_t table_forget_begin(struct table *t, uint64_t now_ns)
{
	const uint64_t timeout_ns = load_relaxed(&t->host_timeout_ns);
	const uint64_t tick = now_ns / NS_PER_SEC;
	uint32_t room, asked;
	uint64_t next;

	if (!timeout_ns)
		return UINT64_MAX;
	enlist(t, timeout_ns, tick);
	do { /* whoever is asked may be gone */
		room = TABLE_GONE_MAX - t->gone_n;
		asked = wheel_sweep(&t->forget->wheel, tick, room, look_at, t);
	} while (asked == room && t->gone_n < TABLE_GONE_MAX);
	if (t->gone_n == TABLE_GONE_MAX)
		return now_ns;
	/* Hosts that come from now on cannot be due before a timeout. */
	next = wheel_next(&t->forget->wheel, tick + tick_of(timeout_ns));
	return next * NS_PER_SEC;
}

void table_forget_finish(struct table *t)
{
	while (t->gone_n)
		give_back(t, t->gone[--t->gone_n]);
}

uint64_t table_forget_hosts(struct table *t, uint64_t now_ns)
{
	uint64_t next_ns;
	bool all;

	do {
		next_ns = table_forget_begin(t, now_ns);
		all = t->gone_n < TABLE_GONE_MAX;
		table_forget_finish(t);
	} while (!all);
	return next_ns;
}

int forget_open(struct table *t, struct err *e)
{
	t->forget = arena_zalloc(t->hosts_arena, sizeof(*t->forget));
	if (t->forget)
		t->forget->links = arena_zalloc_growing(t->hosts_arena, host_dir_max(t->hosts),
							sizeof(t->forget->links[0]),
							host_dir_end_at(t->hosts));
	if (!t->forget || !t->forget->links)
		return err_set(e, -ENOMEM,
			       "no memory for the timers of %u hosts; lower --max-hosts",
			       host_dir_max(t->hosts));
	return 0;
}
