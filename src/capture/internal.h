/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - what the readers of pcap and of pcapng have in common.
 *
 * A reader fills frames from records that are wholly in the stream's window.
 * It asks the stream for more only while it has none to hand out, because
 * that may move those it has. What is wrong with a record it says when that
 * record is the first of a batch, so all before it have been handed out.
 */
#ifndef CAPTURE_INTERNAL_H
#define CAPTURE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/frame.h"
#include "capture/pcap_file.h"
#include "capture/source.h"
#include "capture/stream.h"

#define RECORD_MAX	262144u	     /* bytes, the most that anybody captures ... */
#define RECORD_SNAP_MAX (128u << 20) /* ... unless a header says more, up to this */

/* As pcap_file_recv(), or -EAGAIN. */
typedef int (*pcap_read_fn)(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e);

/* The pcap file's header. */
struct pcap_classic {
	uint32_t header_bytes; /* of a record */
	uint32_t record_max;
	uint32_t ns_per_unit; /* of a stamp's fraction */
	bool is_big_endian;
	uint8_t swap; /* enum classic_swap */
	uint16_t link;
};

/* Ticks become nanoseconds: times mul, divided by div, or by 2^shift. */
struct pcapng_if {
	int64_t offset_s;
	uint64_t div;
	uint32_t mul;
	uint32_t snaplen; /* 0: none */
	uint16_t link;
	uint8_t shift;
};

/* The section that is read. */
struct pcapng {
	struct pcapng_if *ifs; /* owned */
	uint32_t ifs_n, ifs_room;
	uint64_t last_ns;  /* stamp of the packet before */
	uint32_t skip;	   /* bytes left of a large block that is passed over ... */
	uint32_t skip_end; /* ... and the length that it is to end with; 0: none */
	bool is_big_endian;
};

struct pcap_file {
	struct stream stream;
	pcap_read_fn read;
	bool has_runs;	  /* mapped, and its records may be walked along by a pcap_run */
	uint64_t records; /* handed out */
	bool has_ended;
	struct pcap_classic classic; /* this, */
	struct pcapng ng;	     /* or this */
	char *path;		     /* owned */
};

/* Read the file's header and set f->read: 0, or -EAGAIN; -EINVAL and other
 * -errno with e filled. The first 4 bytes are in the window. -ENOTSUP, and e
 * is not filled: they are not this format's. */
int pcap_classic_start(struct pcap_file *f, struct err *e);
int pcapng_start(struct pcap_file *f, struct err *e);
void pcapng_fini(struct pcap_file *f); /* whatever its format */

/* -EBADMSG, with the file, the record and its place before the sentence. */
int pcap_file_damaged(const struct pcap_file *f, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The window ends within a record of which n bytes are needed: 0 if the file
 * just ends there, or -EBADMSG. */
int pcap_file_cut(const struct pcap_file *f, uint64_t n, struct err *e);

/* The longest record of an interface with this snap length. */
static inline uint32_t record_max_of(uint32_t snaplen)
{
	if (snaplen > RECORD_SNAP_MAX)
		return RECORD_SNAP_MAX;
	return snaplen > RECORD_MAX ? snaplen : RECORD_MAX;
}

#endif
