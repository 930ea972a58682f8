/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.h - what the kernel says of its network interfaces.
 *
 * Threading: any thread; a watch belongs to one. Never allocates but in
 *            netdev_names().
 */
#ifndef CAPTURE_NETDEV_H
#define CAPTURE_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct netdev {
	int index;	 /* 0: there is none of that name */
	uint16_t hatype; /* ARPHRD_* of linux/if_arp.h */
	uint32_t mtu;
	bool is_up;
};

/* 0 and *out filled; or -ENODEV with e naming the interfaces there are, or what
 * kept the kernel from telling. */
int netdev_find(struct netdev *out, const char *name, struct err *e);

/* The same by a socket of any kind that is open: makes none. -ENODEV, or what
 * kept the kernel from telling; then *out is all 0. */
int netdev_look(struct netdev *out, const char *name, int fd);

/* The LINKTYPE_ of frames that a packet socket gives for a device of this
 * type; NETDEV_LINK_UNKNOWN if we cannot read them. */
#define NETDEV_LINK_UNKNOWN 0xffff
uint16_t netdev_link(uint16_t hatype);

/* A counter of the interface from /sys/class/net/NAME/statistics; 0 if it has
 * none. */
uint64_t netdev_counter(const char *name, const char *counter);

/* A socket that becomes readable when an interface comes, goes or changes
 * (rtnetlink(7)): the descriptor, or -errno with e filled. */
int netdev_watch_open(struct err *e);
/* Reads away what has been told; true if there was anything. */
bool netdev_watch_drain(int fd);

#endif
