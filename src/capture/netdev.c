/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.c - what the kernel says of its network interfaces.
 */
#include "capture/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/link.h"

/* "eth0, lo" into text, as many as fit. */
static void list_names(char *text, size_t n)
{
	struct if_nameindex *all = if_nameindex();
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; all && all[i].if_index && used < n; i++)
		used += (size_t)snprintf(text + used, n - used, "%s%s", i ? ", " : "",
					 all[i].if_name);
	if_freenameindex(all);
}

static int no_such(const char *name, struct err *e)
{
	char names[256];

	list_names(names, sizeof(names));
	return err_set(e, -ENODEV, "there is no interface '%.32s'; there are: %s, any", name,
		       names);
}

int netdev_look(struct netdev *out, const char *name, int fd)
{
	struct netdev dev = {0};
	struct ifreq r;

	memset(out, 0, sizeof(*out));
	if (strlen(name) >= sizeof(r.ifr_name))
		return -ENODEV;
	memset(&r, 0, sizeof(r));
	memcpy(r.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFINDEX, &r) < 0)
		return -errno;
	dev.index = r.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		return -errno;
	dev.hatype = r.ifr_hwaddr.sa_family;
	if (ioctl(fd, SIOCGIFMTU, &r) < 0)
		return -errno;
	dev.mtu = (uint32_t)r.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return -errno;
	dev.is_up = r.ifr_flags & IFF_UP;
	*out = dev;
	return 0;
}

int netdev_find(struct netdev *out, const char *name, struct err *e)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return err_sys(e, "socket to ask about interface %s", name);
	ret = netdev_look(out, name, fd);
	close(fd);
	if (ret < 0 && ret != -ENODEV)
		return err_set(e, ret, "cannot ask about interface %s: %s", name, strerror(-ret));
	return ret < 0 ? no_such(name, e) : 0;
}

uint16_t netdev_link(uint16_t hatype)
{
	switch (hatype) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return LINK_ETHERNET;
	case ARPHRD_NONE: /* tun, WireGuard */
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return LINK_RAW;
	default:
		return NETDEV_LINK_UNKNOWN;
	}
}

uint64_t netdev_counter(const char *name, const char *counter)
{
	char path[128], text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%.16s/statistics/%s", name, counter);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	return strtoull(text, NULL, 10);
}

int netdev_watch_open(struct err *e)
{
	const struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int ret;

	if (fd < 0)
		return err_sys(e, "socket to watch interfaces");
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		ret = err_sys(e, "socket to watch interfaces");
		close(fd);
		return ret;
	}
	return fd;
}

bool netdev_watch_drain(int fd)
{
	char buf[8192];
	bool any = false;

	/* What exactly has changed is asked anew, so a lost message (ENOBUFS)
	 * loses nothing. */
	while (recv(fd, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		any = true;
	return any;
}
