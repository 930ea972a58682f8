/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h - capture files made byte by byte, given to a reader in every way it
 * takes them, and what it read.
 *
 * A file that the reader shall map is one in memory; one that it shall stream
 * is a pipe. Both are opened by their names in /proc.
 */
#ifndef TESTS_CAPTURE_FILES_H
#define TESTS_CAPTURE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

#define MADE_BYTES ((size_t)1 << 20)
#define MADE_PARTS 4096

/* A file, and where its parts end: the header first, then records or blocks. */
struct made {
	uint8_t bytes[MADE_BYTES];
	size_t n;
	bool is_big_endian;
	struct {
		size_t end;
		bool is_packet;
	} part[MADE_PARTS];
	unsigned parts;
};

void put_bytes(struct made *m, const void *bytes, size_t n);
void put16(struct made *m, uint16_t v);
void put32(struct made *m, uint32_t v);
void put64(struct made *m, uint64_t v); /* high half first if big-endian */
void end_part(struct made *m, bool is_packet);

/* pcap: the header, and a record of which data are all the same byte. */
void put_classic_header(struct made *m, uint32_t magic, uint16_t major, uint16_t minor,
			uint32_t snaplen, uint32_t link);
void put_classic_record(struct made *m, uint32_t s, uint32_t fraction, uint32_t caplen,
			uint32_t wirelen);

/* pcapng. */
void put_block(struct made *m, uint32_t type, const struct made *body, bool is_packet);
void put_section(struct made *m);
void put_interface(struct made *m, uint16_t link, uint32_t snaplen);
void put_interface_ticks(struct made *m, uint16_t link, uint8_t tsresol, int64_t tsoffset);
void put_enhanced(struct made *m, uint32_t interface, uint64_t ticks, uint32_t caplen,
		  uint32_t wirelen);
void put_simple(struct made *m, uint32_t caplen, uint32_t wirelen);
void put_obsolete(struct made *m, uint16_t interface, uint64_t ticks, uint32_t caplen,
		  uint32_t wirelen);
void put_unknown(struct made *m, uint32_t type, size_t n); /* with n bytes in it */

struct made *made_new(bool is_big_endian);

/* The byte that a record's data begin with, from its length. */
static inline uint8_t made_fill(uint32_t caplen)
{
	return (uint8_t)(caplen * 7 + 1);
}

/* gzip or zstd of n bytes; malloc'ed. */
uint8_t *pack_gzip(const void *bytes, size_t n, size_t *packed_n);
uint8_t *pack_zstd(const void *bytes, size_t n, size_t *packed_n);

struct seen_frame {
	uint64_t ts_ns, hash; /* of the data */
	uint32_t caplen, wirelen;
	uint32_t link;
	uint32_t first; /* byte of the data */
};

struct seen {
	struct seen_frame *frames;
	size_t n;
	int opened; /* what pcap_file_open() returned, or found when bytes came ... */
	int status; /* ... and the last pcap_file_recv() */
	bool was_mapped;
	char err[512];
};

enum how { MAPPED, PIPED, HOWS };

/* All frames of a file of these bytes. */
void see_bytes(struct seen *s, const void *bytes, size_t n, enum how how);
/* All frames of the file `path`, `max` at a time. */
void see_path(struct seen *s, const char *path, unsigned max);
void seen_free(struct seen *s);
bool seen_equal(const struct seen *a, const struct seen *b);

/* Is this what the first n bytes of a made file are to give? All whole packets,
 * and if n is within a part, what is cut, by its number and place. */
void check_cut(const struct made *m, size_t n, const struct seen *s, const char *name);

/* A descriptor of a file in memory, or of a pipe that a thread writes to; and
 * its path. The thread is joined by unstage(). */
struct staged {
	int fd;
	char path[64];
	void *writer;
};
void stage(struct staged *st, const void *bytes, size_t n, enum how how);
void unstage(struct staged *st);

#endif
