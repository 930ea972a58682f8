/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.h - what is wrong with the mirror, in words.
 *
 * Asking, judging and printing are apart: doctor_judge() is pure, and what it
 * judges by is all in struct doctor_facts.
 *
 * Threading: any thread.
 * Memory:    fills the caller's structs; nothing is allocated.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tctable.h"

/* Packets that hosts sent and received. A host is looked at for TCP if it has
 * had DOCTOR_TCP_LEAST packets of it. */
#define DOCTOR_TCP_LEAST 10

struct doctor_hosts {
	uint64_t n;			   /* hosts */
	uint64_t tx, rx;		   /* of all of them, packets */
	uint64_t tcp;			   /* hosts looked at for TCP, ... */
	uint64_t tcp_tx_only, tcp_rx_only; /* of these */
	uint64_t tcp_packets, tcp_one_way; /* their packets; those of the two above */
};

struct doctor_facts {
	struct tctable_info info;
	struct tctable_stats total;
	struct tctable_sample sample;
	bool has_sample;	/* older daemons have none */
	unsigned workers_lossy; /* whose ring the kernel found full */
	uint64_t age_sec;	/* of the daemon */
	struct doctor_hosts hosts;
};

/* The names of findings, as programs know them, are in the table in doctor_judge.c
 * and in the manual. They stay. */
#define DOCTOR_CHECKS 16
#define DOCTOR_TEXT   512

struct doctor_check {
	const char *code;  /* "one_way" */
	const char *title; /* what is wrong, if it is */
	bool is_finding;
	char evidence[DOCTOR_TEXT]; /* figures, either way */
	char remedy[DOCTOR_TEXT];   /* of a finding */
};

struct doctor_report {
	unsigned n, findings;
	struct doctor_check check[DOCTOR_CHECKS];
};

/* 0; or -errno, with the words in tctable_error(). */
int doctor_ask(struct tctable *t, struct doctor_facts *out);

/* Adds one host to the sums. */
void doctor_add_host(struct doctor_hosts *sums, const struct tctable_host *host);

void doctor_judge(struct doctor_report *out, const struct doctor_facts *facts);

void doctor_print(FILE *out, const struct doctor_report *r);
void doctor_print_json(FILE *out, const struct doctor_report *r);

/* nets.c: the networks that the unknown hosts may be of. The most specific ones
 * between /24 and /16, or /64 and /48, of which at most DOCTOR_NETS have nearly
 * all packets. Their number; 0: none stand out. */
#define DOCTOR_NETS 4
unsigned doctor_nets(struct tctable_net out[DOCTOR_NETS], const struct tctable_sample *s,
		     uint64_t packets);

#endif
