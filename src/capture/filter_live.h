/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_live.h - the program that the kernel asks of each frame.
 *
 * In front a test of the interface; then the filter's own program, compiled by
 * libpcap on an open handle of an interface (only there it knows that the
 * kernel has taken the VLAN tag off, and `vlan` means the tag and not the
 * bytes), for each type of device; an accepted frame is cut to the snap length.
 *
 * libpcap needs the right to capture. What it has compiled is kept, once for
 * Ethernet and once for bare IP, so that the program can be made for other
 * interfaces when that right is given up.
 *
 * Threading: one filter belongs to one thread.
 */
#ifndef CAPTURE_FILTER_LIVE_H
#define CAPTURE_FILTER_LIVE_H

#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct filter_device {
	const char *name;
	int index;
	uint16_t hatype;
};

#define FILTER_LIVE_TYPES 16   /* of devices */
#define FILTER_LIVE_MAX	  4096 /* the kernel's limit of a program */

/* Fill text and snap; the rest is the filter's own. */
struct filter_live {
	const char *text; /* borrows; NULL: all frames */
	uint32_t snap;
	struct filter_live_kept {
		bool is_there;
		struct bpf_program program;
	} ethernet, raw;
};

/* The program for these devices, or for all there are (any: then they are one
 * of each type). Its length, or -EINVAL with e filled: libpcap's words and the
 * expression; -EPERM; -E2BIG. */
int filter_live_compile(struct filter_live *f, struct sock_filter out[FILTER_LIVE_MAX],
			const struct filter_device *devices, size_t n, bool any, struct err *e);

void filter_live_fini(struct filter_live *f);

#endif
