/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conns.c - the connections of a host by ascending id.
 *
 * The flow tables know no order and no list of a host's flows, so that a
 * worker pays for neither. A dump therefore goes over all slots of all workers
 * and keeps references to the connections with the smallest ids, in a heap
 * whose top is the largest of them; then it sorts the heap in place, looks at
 * each connection again and sends it as it is then. If the heap could not hold
 * all, another pass goes for those with larger ids.
 *
 * Invariant: every id below next_id was sent or has ended; an id at or above
 * limit_id began after the dump and is left out, so that a dump ends.
 * What makes it hard: while it runs, connections end, their slots are reused,
 * and the host may be forgotten and its index given to another address. So
 * nothing is believed but a view that shows the id and the address expected.
 */
#include <string.h>

#include "query/internal.h"
#include "query/record.h"

/* Each about half a millisecond. */
#define SCAN_SLICE	16384 /* slots, most of them of other hosts, ... */
#define SCAN_FOUND_COST 15    /* ... and one that is not costs as many more */
#define SORT_SLICE	4096  /* references taken from the heap */
#define SEND_SLICE	1024  /* connections */

enum wire_status conns_begin(struct answer *a)
{
	struct conns_dump *d = &a->conns;
	struct view_host host;
	size_t max = QUERY_REFS_MIN;

	memset(d, 0, sizeof(*d));
	if (answer_host(a, &d->host, &host) < 0)
		return WIRE_ENOENT;
	if (host.use > max)
		max = host.use < QUERY_REFS_MAX ? (size_t)host.use : QUERY_REFS_MAX;
	if (max > QUERY_REFS_MIN && max > a->ctx->refs_left)
		max = QUERY_REFS_MIN;
	d->refs = query_calloc(a->ctx, max, sizeof(*d->refs));
	if (!d->refs)
		return WIRE_EAGAIN;
	d->refs_max = max;
	if (max > QUERY_REFS_MIN)
		a->ctx->refs_left -= max;
	d->limit_id = host.next_conn_id;
	return WIRE_OK;
}

void conns_end(struct answer *a)
{
	struct conns_dump *d = &a->conns;

	if (d->refs_max > QUERY_REFS_MIN)
		a->ctx->refs_left += d->refs_max;
	query_free(a->ctx, d->refs, d->refs_max, sizeof(*d->refs));
	d->refs = NULL;
	d->refs_max = 0;
}

/* Whether the slot holds a connection of the host asked for, by address. */
static bool view_slot(const struct answer *a, unsigned worker, uint32_t slot, struct view_conn *out)
{
	if (table_conn_view(a->ctx->table, worker, slot, a->conns.host, out) < 0 ||
	    out->family != a->ip.family)
		return false;
	return memcmp(out->end[0].ip.b, a->ip.bytes, sizeof(a->ip.bytes)) == 0 ||
	       memcmp(out->end[1].ip.b, a->ip.bytes, sizeof(a->ip.bytes)) == 0;
}

/* --- the heap: refs[0] has the largest id -------------------------------------- */

/* Puts ref where the hole at i belongs, among the first n. */
static void sift_down(struct conn_ref *refs, size_t n, size_t i, struct conn_ref ref)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && refs[child + 1].id > refs[child].id)
			child++;
		if (refs[child].id <= ref.id)
			break;
		refs[i] = refs[child];
		i = child;
	}
	refs[i] = ref;
}

static void sift_up(struct conn_ref *refs, size_t i, struct conn_ref ref)
{
	while (i > 0 && refs[(i - 1) / 2].id < ref.id) {
		refs[i] = refs[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	refs[i] = ref;
}

static void offer(struct conns_dump *d, struct conn_ref ref)
{
	if (d->refs_n < d->refs_max)
		sift_up(d->refs, d->refs_n++, ref);
	else if (ref.id < d->refs[0].id)
		sift_down(d->refs, d->refs_n, 0, ref);
}

/* --- the phases ------------------------------------------------------------------ */

/* True: all slots of all workers were looked at. */
static bool scan(struct answer *a)
{
	struct conns_dump *d = &a->conns;
	const struct table *t = a->ctx->table;
	struct view_conn view;

	for (unsigned n = 0; n < SCAN_SLICE; n++) {
		while (d->slot >= table_conns_end(t, d->worker)) {
			d->slot = 0;
			if (++d->worker >= table_workers(t))
				return true;
		}
		if (view_slot(a, d->worker, d->slot, &view) && view.id >= d->next_id &&
		    view.id < d->limit_id) {
			n += SCAN_FOUND_COST;
			d->found++;
			offer(d, (struct conn_ref){view.id, d->slot, d->worker});
		}
		d->slot++;
	}
	return false;
}

/* True: they stand in ascending order. */
static bool sort(struct conns_dump *d)
{
	for (unsigned n = 0; n < SORT_SLICE && d->done > 1; n++) {
		const struct conn_ref last = d->refs[--d->done];

		d->refs[d->done] = d->refs[0];
		sift_down(d->refs, d->done, 0, last);
	}
	return d->done <= 1;
}

/* What was counted fits. But should a host be forgotten and come back while its
 * dump runs, its ids begin anew: never send more than was asked for. */
static bool room_is_full(const struct answer *a)
{
	return a->request.room && a->conns.sent == a->request.room;
}

/* True: all are sent. */
static bool send_refs(struct answer *a)
{
	struct conns_dump *d = &a->conns;
	struct tctable_conn conn;
	struct view_conn view;
	uint8_t *at;

	for (unsigned n = 0; n < SEND_SLICE && d->done < d->refs_n; n++) {
		const struct conn_ref *ref = &d->refs[d->done];

		if (room_is_full(a))
			return true;
		if (ref->id >= d->next_id && view_slot(a, ref->worker, ref->slot, &view) &&
		    view.id == ref->id) {
			at = answer_add(a, WIRE_CONN_BYTES);
			if (!at)
				return false;
			record_conn(&conn, &view);
			wire_conn_encode(at, &conn);
			d->sent++;
		}
		if (ref->id >= d->next_id)
			d->next_id = ref->id + 1;
		d->done++;
	}
	return d->done == d->refs_n;
}

/* After a scan. True: the client has no room for what was found. */
static bool is_too_much(struct answer *a)
{
	struct conns_dump *d = &a->conns;

	if (d->again || !a->request.room || d->found <= a->request.room)
		return false;
	a->status = WIRE_ENOMEM;
	a->needed = d->found;
	return true;
}

static void scan_again(struct conns_dump *d)
{
	d->again = true;
	d->phase = CONNS_SCAN;
	d->worker = 0;
	d->slot = 0;
	d->found = 0;
	d->refs_n = 0;
}

bool conns_step(struct answer *a)
{
	struct conns_dump *d = &a->conns;

	switch (d->phase) {
	case CONNS_SCAN:
		if (!scan(a))
			return false;
		if (is_too_much(a))
			return true;
		d->phase = CONNS_SORT;
		d->done = d->refs_n;
		return false;
	case CONNS_SORT:
		if (!sort(d))
			return false;
		d->phase = CONNS_SEND;
		d->done = 0;
		return false;
	case CONNS_SEND:
		if (!send_refs(a))
			return false;
		if (d->found == d->refs_n || room_is_full(a))
			return true;
		scan_again(d);
	}
	return false;
}
