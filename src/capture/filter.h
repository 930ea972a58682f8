/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - a BPF filter expression, compiled by libpcap for each link type
 * that is met.
 *
 * Syntax: pcap-filter(7). Threading: one filter belongs to one thread.
 * Memory: programs are kept until free; one per link type.
 */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/frame.h"

struct filter;

/* 0 and *out set (`text` is copied), or -ENOMEM, or -EINVAL if the expression
 * is no valid one for Ethernet frames nor for any other link type that we
 * decode: e has libpcap's words and the expression. */
int filter_new(struct filter **out, const char *text, struct err *e);
void filter_free(struct filter *f); /* NULL is fine */

/* 1: let it pass, 0: not. The first frame of a link type compiles the
 * program for it; -EINVAL with e filled if the expression cannot be (say,
 * `ether host` on raw IP). One that no frame of it can match (`ip6` on raw
 * IPv4) matches none. Hot but for that: a call of bpf_filter(). */
int filter_match(struct filter *f, const struct frame *frame, struct err *e);

#endif
