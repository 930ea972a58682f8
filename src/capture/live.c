/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.c - live capture: a ring for each worker, on one or more interfaces.
 *
 * Order of a start: rings, a filter that lets nothing in, bind, fanout, and
 * only then the filter that was asked for. A socket can join a group only when
 * it is bound; without the closed filter each ring would take every frame until
 * it has.
 */
#include "capture/live.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "capture/filter_live.h"
#include "capture/netdev.h"

struct interface {
	const char *name;
	struct netdev dev;
	uint64_t dropped_before; /* by the NIC, when we started */
};

struct live {
	struct live_conf conf;
	bool any;
	int watch_fd;
	bool look_again; /* the kernel did not tell all that was asked */
	struct filter_live filter;
	struct interface interfaces[LIVE_INTERFACES]; /* none for "any" */
	size_t interfaces_n;
	struct ring **rings;
	unsigned rings_n;
};

static void say(const struct live *t, const char *name, const char *what)
{
	char sentence[160];

	snprintf(sentence, sizeof(sentence), "interface %s %s", name, what);
	t->conf.say(t->conf.arg, sentence);
}

/* --- filter ------------------------------------------------------------------ */

/* For "any": one device of each type there is. */
static size_t one_of_each_type(struct filter_device *out, char names[][IF_NAMESIZE])
{
	struct if_nameindex *all = if_nameindex();
	size_t n = 0;

	for (size_t i = 0; all && all[i].if_index && n < FILTER_LIVE_TYPES; i++) {
		struct netdev dev;
		size_t j = 0;

		if (netdev_find(&dev, all[i].if_name, NULL) < 0 || !dev.is_up)
			continue;
		while (j < n && out[j].hatype != dev.hatype)
			j++;
		if (j < n)
			continue;
		snprintf(names[n], IF_NAMESIZE, "%s", all[i].if_name);
		out[n] = (struct filter_device){names[n], dev.index, dev.hatype};
		n++;
	}
	if_freenameindex(all);
	return n;
}

static size_t devices_there(const struct live *t, struct filter_device *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t->interfaces_n; i++) {
		const struct interface *f = &t->interfaces[i];

		if (f->dev.index)
			out[n++] = (struct filter_device){f->name, f->dev.index, f->dev.hatype};
	}
	return n;
}

static int attach(const struct live *t, const struct sock_fprog *program, struct err *e)
{
	for (unsigned i = 0; i < t->rings_n; i++)
		if (setsockopt(ring_fd(t->rings[i]), SOL_SOCKET, SO_ATTACH_FILTER, program,
			       sizeof(*program)) < 0)
			return err_sys(e, "the kernel refuses a filter of %u steps", program->len);
	return 0;
}

static int set_filter(struct live *t, struct err *e)
{
	struct sock_filter *code = calloc(FILTER_LIVE_MAX, sizeof(*code));
	struct filter_device devices[FILTER_LIVE_TYPES];
	char names[FILTER_LIVE_TYPES][IF_NAMESIZE];
	const size_t n = t->any ? one_of_each_type(devices, names) : devices_there(t, devices);
	struct sock_fprog program = {.filter = code};
	int ret;

	if (!code)
		return err_set(e, -ENOMEM, "no memory for a filter");
	ret = filter_live_compile(&t->filter, code, devices, n, t->any, e);
	if (ret > 0) {
		program.len = (unsigned short)ret;
		ret = 0;
	}
	if (ret == 0)
		ret = attach(t, &program, e);
	free(code);
	return ret;
}

static int let_nothing_in(const struct live *t, struct err *e)
{
	struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
	const struct sock_fprog program = {.len = 1, .filter = &nothing};

	return attach(t, &program, e);
}

/* --- fanout ------------------------------------------------------------------ */

static int join_group(const struct ring *r, unsigned group, unsigned type, struct err *e)
{
	const unsigned arg = group | type << 16;

	if (setsockopt(ring_fd(r), SOL_PACKET, PACKET_FANOUT, &arg, sizeof(arg)) < 0)
		return err_sys(e,
			       "cannot join fanout group %u; another program may have it with "
			       "another mode: name another with --fanout-group",
			       group);
	return 0;
}

/* The first ring makes the group, under a number that is free, or the one asked
 * for; the others join it. */
static int join_all(const struct live *t, struct err *e)
{
	static const unsigned types[] = {
		[LIVE_FANOUT_CBPF] = PACKET_FANOUT_CBPF,
		[LIVE_FANOUT_HASH] = PACKET_FANOUT_HASH,
		[LIVE_FANOUT_CPU] = PACKET_FANOUT_CPU,
		[LIVE_FANOUT_QM] = PACKET_FANOUT_QM,
	};
	const unsigned type = types[t->conf.fanout];
	const bool own = t->conf.group == LIVE_GROUP_OWN;
	struct sock_fprog split = {.len = (unsigned short)t->conf.split_n,
				   .filter = (struct sock_filter *)(uintptr_t)t->conf.split};
	unsigned group = own ? 0 : (unsigned)t->conf.group;
	socklen_t size = sizeof(group);
	int ret;

	if (t->rings_n == 1 && own)
		return 0;
	ret = join_group(t->rings[0], group, type | (own ? PACKET_FANOUT_FLAG_UNIQUEID : 0), e);
	if (ret < 0)
		return ret;
	if (getsockopt(ring_fd(t->rings[0]), SOL_PACKET, PACKET_FANOUT, &group, &size) < 0)
		return err_sys(e, "the kernel does not tell the fanout group");
	group &= 0xffff;
	if (t->conf.fanout == LIVE_FANOUT_CBPF &&
	    setsockopt(ring_fd(t->rings[0]), SOL_PACKET, PACKET_FANOUT_DATA, &split,
		       sizeof(split)) < 0)
		return err_sys(e, "the kernel refuses the program that splits frames");
	for (unsigned i = 1; ret == 0 && i < t->rings_n; i++)
		ret = join_group(t->rings[i], group, type, e);
	return ret;
}

/* --- interfaces -------------------------------------------------------------- */

static uint64_t nic_drops(const char *name)
{
	return netdev_counter(name, "rx_dropped") + netdev_counter(name, "rx_missed_errors");
}

uint64_t live_nic_drops(const struct live *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->interfaces_n; i++) {
		const struct interface *f = &t->interfaces[i];
		const uint64_t now = nic_drops(f->name);

		sum += now > f->dropped_before ? now - f->dropped_before : 0;
	}
	return sum;
}

/* The membership ends with the socket, or with the interface. */
static int join_promisc(const struct live *t, const struct interface *f, struct err *e)
{
	const struct packet_mreq m = {.mr_ifindex = f->dev.index, .mr_type = PACKET_MR_PROMISC};

	if (!t->conf.promisc || f->dev.hatype != 1 /* ARPHRD_ETHER */)
		return 0;
	if (setsockopt(ring_fd(t->rings[0]), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)) < 0)
		return err_sys(e, "cannot make %s promiscuous (see --no-promisc)", f->name);
	return 0;
}

static int find_interfaces(struct live *t, struct err *e)
{
	for (size_t i = 0; i < t->conf.names_n; i++) {
		const char *name = t->conf.names[i];
		struct interface *f = &t->interfaces[i];
		int ret;

		if (!strcmp(name, LIVE_ANY)) {
			t->any = true;
			continue;
		}
		f->name = name;
		ret = netdev_find(&f->dev, name, e);
		if (ret < 0)
			return ret;
		f->dropped_before = nic_drops(name);
		t->interfaces_n++;
	}
	if (t->any && t->conf.names_n > 1)
		return err_set(e, -EINVAL, "interface any stands for all: name it alone");
	return 0;
}

static void say_change(const struct live *t, const char *name, const struct netdev *before,
		       const struct netdev *now)
{
	if (before->index && !now->index)
		say(t, name, "is gone; waiting for it to come back");
	else if (!before->index && now->index)
		say(t, name, now->is_up ? "is back; capture goes on" : "is back, but down");
	else if (before->index != now->index)
		say(t, name, "was made anew; capture goes on");
	else if (before->is_up && !now->is_up)
		say(t, name, "is down; waiting for it to come up");
	else if (!before->is_up && now->is_up)
		say(t, name, "is up; capture goes on");
}

static bool is_another(const struct netdev *before, const struct netdev *now)
{
	return before->index != now->index || before->hatype != now->hatype;
}

int live_watch_fd(const struct live *t)
{
	return t->watch_fd;
}

void live_watch(struct live *t)
{
	struct netdev before[LIVE_INTERFACES];
	bool changed = false;
	struct err e;
	int ret;

	if (!netdev_watch_drain(t->watch_fd) && !t->look_again)
		return;
	t->look_again = false;
	for (size_t i = 0; i < t->interfaces_n; i++) {
		struct interface *f = &t->interfaces[i];

		before[i] = f->dev;
		ret = netdev_look(&f->dev, f->name, t->watch_fd);
		if (ret < 0 && ret != -ENODEV) {
			f->dev = before[i];
			t->look_again = true;
		}
		changed = changed || is_another(&before[i], &f->dev);
	}
	if (changed && set_filter(t, &e) < 0)
		t->conf.say(t->conf.arg, e.text);
	for (size_t i = 0; i < t->interfaces_n; i++) {
		const struct interface *f = &t->interfaces[i];

		say_change(t, f->name, &before[i], &f->dev);
		if (is_another(&before[i], &f->dev) && f->dev.index && join_promisc(t, f, &e) < 0)
			t->conf.say(t->conf.arg, e.text);
	}
}

/* --- set-up ------------------------------------------------------------------ */

static int open_rings(struct live *t, struct err *e)
{
	int ret = 0;

	t->rings = calloc(t->conf.workers, sizeof(struct ring *));
	if (!t->rings)
		return err_set(e, -ENOMEM, "no memory for %u rings", t->conf.workers);
	while (ret == 0 && t->rings_n < t->conf.workers) {
		ret = ring_open(&t->rings[t->rings_n], &t->conf.ring, e);
		t->rings_n += ret == 0;
	}
	return ret;
}

static int set_up(struct live *t, struct err *e)
{
	int ret = find_interfaces(t, e);

	if (ret == 0)
		ret = open_rings(t, e);
	if (ret == 0)
		ret = let_nothing_in(t, e);
	for (unsigned i = 0; ret == 0 && i < t->rings_n; i++)
		ret = ring_bind(t->rings[i], e);
	if (ret == 0)
		ret = join_all(t, e);
	if (ret == 0)
		ret = set_filter(t, e);
	for (size_t i = 0; ret == 0 && i < t->interfaces_n; i++) {
		ret = join_promisc(t, &t->interfaces[i], e);
		if (!t->interfaces[i].dev.is_up)
			say(t, t->interfaces[i].name, "is down; waiting for it to come up");
	}
	if (ret == 0) {
		t->watch_fd = netdev_watch_open(e);
		ret = t->watch_fd < 0 ? t->watch_fd : 0;
	}
	return ret;
}

int live_open(struct live **out, const struct live_conf *c, struct err *e)
{
	struct live *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_set(e, -ENOMEM, "no memory for a capture");
	t->conf = *c;
	t->watch_fd = -1;
	t->filter = (struct filter_live){.text = c->filter, .snap = c->snap};
	ret = set_up(t, e);
	if (ret < 0) {
		live_close(t);
		return ret;
	}
	*out = t;
	return 0;
}

void live_shut(struct live *t)
{
	const uint32_t retired = t->conf.ring.retire_ms + 10;
	const uint32_t ms = retired < LIVE_SHUT_MS ? retired : LIVE_SHUT_MS;
	const struct timespec pause = {.tv_nsec = (long)(ms * NS_PER_MSEC)};
	struct err ignored;

	if (let_nothing_in(t, &ignored) == 0)
		nanosleep(&pause, NULL);
}

void live_close(struct live *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->rings_n; i++)
		ring_close(t->rings[i]);
	free(t->rings);
	filter_live_fini(&t->filter);
	if (t->watch_fd >= 0)
		close(t->watch_fd);
	free(t);
}

struct source live_source(struct live *t, unsigned i)
{
	return ring_source(t->rings[i]);
}

void live_stats(struct live *t, unsigned i, struct live_stats *out)
{
	ring_stats(t->rings[i], &out->ring);
	out->blocks = t->conf.ring.blocks;
	/* It is looked at now and then; a freeze is a ring that was full. */
	out->high = out->ring.freezes ? out->blocks : ring_high(t->rings[i]);
}
