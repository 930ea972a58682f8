/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_live.h - the program that the kernel asks of each frame.
 *
 * In front a test of the interface; then the filter's own program, compiled by
 * libpcap on an open handle of an interface (only there it knows that the
 * kernel has taken the VLAN tag off, and `vlan` means the tag and not the
 * bytes), for each type of device; an accepted frame is cut to the snap length.
 *
 * Pure but for asking libpcap; any thread.
 */
#ifndef CAPTURE_FILTER_LIVE_H
#define CAPTURE_FILTER_LIVE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct filter_device {
	const char *name;
	int index;
	uint16_t hatype;
};

struct filter_live_conf {
	const struct filter_device *devices;
	size_t devices_n;
	bool any;	  /* no test of the interface; devices: one of each type */
	const char *text; /* NULL: all frames */
	uint32_t snap;
};

#define FILTER_LIVE_MAX 4096 /* the kernel's limit of a program */

/* The program's length, or -EINVAL with e filled: libpcap's words and the
 * expression; -EPERM; -E2BIG. */
int filter_live_compile(struct sock_filter out[FILTER_LIVE_MAX], const struct filter_live_conf *c,
			struct err *e);

#endif
