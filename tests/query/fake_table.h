/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_table.h - the calls of table/view.h over made-up data, in place of the
 * table, so that a test decides what a server finds and when.
 *
 * Threading: a lock around every call; any thread.
 */
#ifndef TESTS_QUERY_FAKE_TABLE_H
#define TESTS_QUERY_FAKE_TABLE_H

#include "table/view.h"

#define FAKE_WORKERS	  3
#define FAKE_HOST_TIMEOUT 900000000000ull
#define FAKE_NOW_NS	  1700000000000000000ull

/* hosts_max indexes, and slots_max slots for each of FAKE_WORKERS workers. */
struct table *fake_table_new(uint32_t hosts_max, uint32_t slots_max);
void fake_table_free(struct table *t);

/* Host number n, at index n: 10.x.y.z of n, or 2001:db8::n if n is odd and
 * v6 is set. Its counters are made from n: see fake_table.c. */
void fake_table_put_host(struct table *t, uint32_t n, bool v6);
/* More packets of class c, sent and received, 1000 bytes each. */
void fake_table_count(struct table *t, uint32_t n, unsigned c, uint64_t tx, uint64_t rx);
void fake_table_forget_host(struct table *t, uint32_t n);
void fake_table_addr(uint32_t n, bool v6, struct addr *ip, uint8_t *family);

/* A connection of host n; its next_conn_id moves behind id. */
void fake_table_put_conn(struct table *t, unsigned worker, uint32_t slot, uint32_t n, uint64_t id);
void fake_table_end_conn(struct table *t, unsigned worker, uint32_t slot);

#endif
