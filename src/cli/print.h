/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.h - the records of tctable.h as text for people and JSON for programs.
 *
 * One place for what tctable prints and for what tcsniff prints at the end of
 * a file, so that both print the same.
 *
 * Threading: any thread, one at a time for a stream.
 * Memory:    borrows what it is given for the call; allocates nothing, but for
 *            sorting, which can do without.
 * Errors:    a print_* call returns nothing; when all is printed,
 *            print_finish() tells whether all of it was written.
 * Foreign bytes: texts in the records may hold anything; what is not a
 *            printable character of UTF-8 is replaced, so that no terminal
 *            is told what to do and JSON stays JSON.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "tctable.h"

struct doctor_report;

/* Writes out what is still buffered. 0, or the -errno of whichever write
 * failed, with e filled; `what` names the stream ("standard output"). */
int print_finish(FILE *out, const char *what, struct err *e);

/* Sorts by address, IPv4 before IPv6; records without one come last. */
void print_hosts_sort(struct tctable_host *hosts, size_t n);

/* "tcp", "esp", ...; NULL if IP's protocol number has no name here. */
const char *print_protocol_name(uint8_t protocol);

/* ---- text ---- */

/* doctor: what it found; NULL: it could not be asked. */
void print_info(FILE *out, const struct tctable_info *info, const struct doctor_report *doctor);
void print_count(FILE *out, uint64_t hosts);

/* -a and -s: "len=N", before as many hosts or connections. */
void print_len(FILE *out, uint64_t n);
void print_host_line(FILE *out, const struct tctable_host *host);
void print_conn_line(FILE *out, const struct tctable_conn *conn);

/* -a, after the hosts: a line for the record, if anything counted on it. */
void print_rest_line(FILE *out, const struct tctable_host *rest);

/* -d: all classes of one host. */
void print_host(FILE *out, const struct tctable_host *host);

/* -p: everything about a host in one line. now_ns: the stream's clock. */
void print_host_proc(FILE *out, const struct tctable_host *host, uint64_t now_ns);

/* The ledger in a few lines, each an identity that the eye can check. */
void print_ledger(FILE *out, const struct tctable_ledger *ledger);

/* -S: one worker, or their sum. */
void print_stats(FILE *out, const struct tctable_stats *stats);

/* ---- JSON ---- */

void print_info_json(FILE *out, const struct tctable_info *info,
		     const struct doctor_report *doctor);
void print_count_json(FILE *out, uint64_t hosts);
void print_host_json(FILE *out, const struct tctable_host *host);

/* The ledger alone: {"ledger"}. */
void print_ledger_json(FILE *out, const struct tctable_ledger *ledger);

/* What is printed in pieces: begin, each record, end. */
struct print_json {
	FILE *out;
	bool has_some; /* a record was printed: the next one needs a comma */
};

/* -a: {"ledger", "hosts", "overflow", "forgotten"}. */
void print_hosts_json_begin(struct print_json *j, FILE *out, const struct tctable_ledger *ledger);
void print_hosts_json_add(struct print_json *j, const struct tctable_host *host);
void print_hosts_json_end(struct print_json *j, const struct tctable_host *overflow,
			  const struct tctable_host *forgotten);

/* -p: {"now_ns", "hosts"}; each host has "forget_ns" besides, or null for none. */
void print_proc_json_begin(struct print_json *j, FILE *out, uint64_t now_ns);
void print_proc_json_add(struct print_json *j, const struct tctable_host *host);
void print_proc_json_end(struct print_json *j);

/* -s: {"ip", "connections"}. */
void print_conns_json_begin(struct print_json *j, FILE *out, const struct tctable_addr *ip);
void print_conns_json_add(struct print_json *j, const struct tctable_conn *conn);
void print_conns_json_end(struct print_json *j);

/* -S: {"total", "workers"}; the sum comes first. */
void print_stats_json_begin(struct print_json *j, FILE *out, const struct tctable_stats *total);
void print_stats_json_add(struct print_json *j, const struct tctable_stats *worker);
void print_stats_json_end(struct print_json *j);

/* ---- both ---- */

/* The table of all hosts, as -a prints it; hosts sorted by the caller. */
struct print_table {
	const struct tctable_ledger *ledger;
	const struct tctable_host *hosts;
	size_t hosts_n;
	const struct tctable_host *overflow, *forgotten;
};

void print_table_text(FILE *out, const struct print_table *t);
void print_table_json(FILE *out, const struct print_table *t);

#endif
