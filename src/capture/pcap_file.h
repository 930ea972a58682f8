/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_file.h - frames from one capture file, pcap or pcapng.
 *
 * Formats: pcap (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/) in
 *          both byte orders, micro- and nanoseconds, Kuznetzov's variant, old
 *          versions with swapped lengths; pcapng (draft-ietf-opsawg-pcapng)
 *          with sections of either byte order, interfaces of different link
 *          types, snap lengths and resolutions. Plain, gzip or zstd.
 * Threading: one file belongs to one thread; only pcap_file_progress() may
 *            be called from another.
 * Memory:    a plain regular file is mapped, and its frames stay valid until
 *            close; others (pipes, "-", compressed) are streamed through a
 *            bounded buffer, and frames are valid until the next recv.
 *            Nothing that a file says makes memory grow without bound. Of a
 *            frame at most SOURCE_CAP_MAX bytes are handed on.
 * Time:      stamps before 1970 are 0, those after 2262 are 2^63 - 1; simple
 *            packet blocks have none and get that of the packet before.
 */
#ifndef CAPTURE_PCAP_FILE_H
#define CAPTURE_PCAP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/frame.h"
#include "capture/source.h"

struct pcap_file;

#define PCAP_RECORD_BYTES 16 /* a record's header */

/* Opens `path` ("-": standard input) and reads its first header, or leaves it
 * to the first recv if it has not come after 50 ms. 0 and *out set; or -errno
 * (-EINVAL: not a capture file) with e naming the file, what is wrong and the
 * remedy. */
int pcap_file_open(struct pcap_file **out, const char *path, struct err *e);
void pcap_file_close(struct pcap_file *f); /* NULL is fine */

/* For several readers side by side, each with a struct of its own and in its own
 * thread: right after it was opened, how many they will be. False: not this file,
 * it is not mapped. */
bool pcap_file_share(struct pcap_file *f, unsigned readers);
/* Another one of them. One at a time. 0 and *out set, or -ENOMEM with e filled: then
 * nobody waits for it. */
int pcap_file_join(struct pcap_file **out, const struct pcap_file *f, struct err *e);
/* Whether all of them have come to the end of it. */
bool pcap_file_is_left(const struct pcap_file *f);

/* Up to max frames; 0 at the end of the file. -EAGAIN: none now, ask again (a
 * pipe had nothing for 50 ms, or there was a lot without packets). -EBADMSG,
 * once all whole records before it have been handed out: the file is cut or
 * damaged there, e names the file, the record's number (from 1), its byte
 * offset and what is wrong; -errno for reading errors. After an error: 0. */
int pcap_file_recv(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e);

/* Records that lie one behind the other in a mapped pcap file, little-endian, for whoever
 * wants only some of them and to make frames of no others. All stamps are in one second.
 * To be walked along by a copy of it in registers. */
struct pcap_run {
	const uint8_t *p, *end; /* the next record; behind the last byte */
	uint64_t s;
	uint32_t last;	/* the largest fraction so far, in units */
	uint32_t units; /* in a second */
	uint32_t record_max;
	uint32_t n; /* records so far */
	uint16_t link;
};

/* Begins a run in the second s. False: what comes next is for pcap_file_recv(). */
bool pcap_file_run_begin(struct pcap_file *f, uint64_t s, struct pcap_run *out);
/* What was walked along is read. */
void pcap_file_run_end(struct pcap_file *f, const struct pcap_run *r);

#define PCAP_RUN_AHEAD 8192 /* bytes that are asked for ahead */

/* Hot. The next record, and how many bytes it holds behind its header; NULL: the
 * run is over, at the end or at something that is not as usual. */
static inline const uint8_t *pcap_run_next(struct pcap_run *r, uint32_t *caplen)
{
	const uint8_t *p = r->p;
	uint32_t fraction;

	if ((size_t)(r->end - p) < PCAP_RECORD_BYTES)
		return NULL;
	fraction = load_le32(p + 4);
	*caplen = load_le32(p + 8);
	if (*caplen > r->record_max || *caplen > (size_t)(r->end - p) - PCAP_RECORD_BYTES ||
	    load_le32(p) != r->s || fraction >= r->units)
		return NULL;
	__builtin_prefetch(p + PCAP_RUN_AHEAD);
	__builtin_prefetch(p + PCAP_RUN_AHEAD + 64);
	r->last = fraction > r->last ? fraction : r->last;
	r->p = p + PCAP_RECORD_BYTES + *caplen;
	r->n++;
	return p;
}

/* A record of it as a frame. Its lengths are looked at anew: somebody may have
 * written to the file. */
static inline void pcap_run_frame(const struct pcap_run *r, const uint8_t *p, struct frame *out)
{
	const uint8_t *data = p + PCAP_RECORD_BYTES;
	const size_t most = (size_t)(r->end - data);
	const uint32_t caplen = load_le32(p + 8);
	const uint32_t room = most < SOURCE_CAP_MAX ? (uint32_t)most : SOURCE_CAP_MAX;

	*out = (struct frame){
		.data = data,
		.ts_ns = r->s * SOURCE_TICK_NS +
			 (uint64_t)load_le32(p + 4) * (SOURCE_TICK_NS / r->units),
		.caplen = caplen < room ? caplen : room,
		.wirelen = load_le32(p + 12),
		.link = r->link,
	};
}

/* True if frames stay valid until close. */
bool pcap_file_is_mapped(const struct pcap_file *f);

/* Any thread. How far reading is, in bytes of the file as it is on disk;
 * *total is 0 where the size is not known (pipes). */
void pcap_file_progress(const struct pcap_file *f, uint64_t *done, uint64_t *total);

#endif
