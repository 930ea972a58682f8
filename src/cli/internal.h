/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - what the printers of text and of JSON share.
 */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tctable.h"

extern const char *const print_class_names[TCTABLE_CLASSES];

/* A string of JSON, quoted. */
void print_string_json(FILE *out, const char *s);

/* All keys of a host but its address, each with a comma before it; of a sum of hosts
 * without those that make no sense of one. */
void print_host_keys_json(FILE *out, const struct tctable_host *host, bool is_host);
/* "tcp" and so on, behind `before`. */
void print_classes_json(FILE *out, const char *before, const struct tctable_host *host);
/* The ledger's object. */
void print_ledger_value_json(FILE *out, const struct tctable_ledger *ledger);

/* print_host_line() without the end of the line. */
void print_host_fields(FILE *out, const struct tctable_host *host);

/* Whether connections of the protocol are told apart by ports. */
bool print_protocol_has_ports(uint8_t protocol);

/* Room for an address, with its NUL. Any other family than 4 and 6: "none". */
const char *print_addr(char buf[TCTABLE_ADDR_TEXT], const struct tctable_addr *ip);

/* The length of the printable UTF-8 character at s, which ends with a NUL;
 * 0: there is none (the end, a control character, or no UTF-8). */
unsigned print_char_bytes(const char *s);

#endif
