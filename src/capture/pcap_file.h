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

#include "base/err.h"
#include "base/frame.h"

struct pcap_file;

/* Opens `path` ("-": standard input) and reads its first header, or leaves it
 * to the first recv if it has not come after 50 ms. 0 and *out set; or -errno
 * (-EINVAL: not a capture file) with e naming the file, what is wrong and the
 * remedy. */
int pcap_file_open(struct pcap_file **out, const char *path, struct err *e);
void pcap_file_close(struct pcap_file *f); /* NULL is fine */

/* Up to max frames; 0 at the end of the file. -EAGAIN: none now, ask again (a
 * pipe had nothing for 50 ms, or there was a lot without packets). -EBADMSG,
 * once all whole records before it have been handed out: the file is cut or
 * damaged there, e names the file, the record's number (from 1), its byte
 * offset and what is wrong; -errno for reading errors. After an error: 0. */
int pcap_file_recv(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e);

/* True if frames stay valid until close. */
bool pcap_file_is_mapped(const struct pcap_file *f);

/* Any thread. How far reading is, in bytes of the file as it is on disk;
 * *total is 0 where the size is not known (pipes). */
void pcap_file_progress(const struct pcap_file *f, uint64_t *done, uint64_t *total);

#endif
