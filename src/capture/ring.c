/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - one AF_PACKET socket with a TPACKET_V3 ring.
 *
 * The only file that touches a block's status: an acquire when we take it, a
 * release when we give it back. A batch is a piece of one block, so a block
 * goes back with the batch that was its last. Everything in a block was
 * written by the kernel; offsets are checked all the same, because a check
 * costs less than being wrong about that.
 */
#include "capture/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/units.h"
#include "base/clock.h"
#include "capture/netdev.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define WAIT_MS	      200 /* between looks at whether to stop, and at the clock */
#define HIGH_EVERY    16  /* blocks between looks at how many wait */
#define FRAME_ALIGNED 2048
#define AHEAD_BYTES   8192 /* of what another CPU has just written: about a batch */

struct ring {
	int fd;
	uint32_t block_bytes, blocks, retire_ms;
	bool segments;
	uint8_t *map;
	uint32_t current;      /* block that is ours, or the next one that will be */
	uint32_t left;	       /* frames in it that were not handed out; 0: not ours */
	bool is_ours, is_last; /* the block; its last frames are handed out */
	const uint8_t *next;   /* frame in it */
	struct clock clock;
	uint32_t taken; /* blocks since the last look at how many wait */
	uint32_t high;	/* read by others */
	struct ring_stats stats;
	struct frame frames[SOURCE_BATCH];
};

/* --- blocks ------------------------------------------------------------------ */

static struct tpacket_hdr_v1 *block_at(const struct ring *r, uint32_t i)
{
	return &((struct tpacket_block_desc *)(void *)(r->map + (size_t)i * r->block_bytes))
			->hdr.bh1;
}

static bool block_is_ready(const struct ring *r, uint32_t i)
{
	return load_acquire(&block_at(r, i)->block_status) & TP_STATUS_USER;
}

static void give_back(struct ring *r)
{
	store_release(&block_at(r, r->current)->block_status, TP_STATUS_KERNEL);
	r->current = r->current + 1 == r->blocks ? 0 : r->current + 1;
	r->is_ours = r->is_last = false;
}

static void note_high(struct ring *r)
{
	uint32_t n = 0;

	if (r->taken++ % HIGH_EVERY)
		return;
	while (n < r->blocks && block_is_ready(r, (r->current + n) % r->blocks))
		n++;
	if (n > r->high)
		store_relaxed(&r->high, n);
}

/* Takes the next block if the kernel is done with it. */
static bool take_block(struct ring *r)
{
	const struct tpacket_hdr_v1 *b = block_at(r, r->current);

	if (!block_is_ready(r, r->current))
		return false;
	note_high(r);
	r->is_ours = true;
	r->left = b->num_pkts;
	r->next = (const uint8_t *)b - offsetof(struct tpacket_block_desc, hdr) +
		  b->offset_to_first_pkt;
	if (!r->left)
		give_back(r); /* a block that timed out empty */
	return r->left > 0;
}

/* --- frames ------------------------------------------------------------------ */

static uint8_t way_of(uint8_t pkttype)
{
	switch (pkttype) {
	case PACKET_OUTGOING:
		return FRAME_WAY_OUT;
	case PACKET_OTHERHOST:
		return FRAME_WAY_OTHER;
	default:
		return FRAME_WAY_IN;
	}
}

/* What was merged into this frame stands before it. */
static void fill_segments(struct frame *f)
{
	struct virtio_net_hdr v;

	memcpy(&v, f->data - sizeof(v), sizeof(v));
	switch (v.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		f->gso_proto = IPPROTO_TCP;
		f->gso_size = v.gso_size;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		f->gso_proto = IPPROTO_UDP;
		f->gso_size = v.gso_size;
		break;
	default:
		break;
	}
}

static inline uint64_t stamp_of(const struct tpacket3_hdr *h)
{
	return h->tp_sec * NS_PER_SEC + h->tp_nsec;
}

static inline void fill(const struct ring *r, struct frame *f, const struct tpacket3_hdr *h,
			uint64_t ts_ns)
{
	const struct sockaddr_ll *ll =
		(const void *)((const uint8_t *)h + TPACKET_ALIGN(sizeof(*h)));

	f->data = (const uint8_t *)h + h->tp_mac;
	f->ts_ns = ts_ns;
	f->caplen = h->tp_snaplen;
	f->wirelen = h->tp_len;
	f->link = ll->sll_hatype == ARPHRD_ETHER ? 1 : netdev_link(ll->sll_hatype);
	f->vlan_tci = f->vlan_tpid = 0;
	if (h->tp_status & TP_STATUS_VLAN_VALID) {
		f->vlan_tci = (uint16_t)h->hv1.tp_vlan_tci;
		f->vlan_tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid
									: ETHERTYPE_VLAN;
	}
	f->gso_size = 0;
	f->gso_proto = 0;
	f->way = way_of(ll->sll_pkttype);
	if (r->segments)
		fill_segments(f);
}

/* Hands out frames of the block that is ours, up to the end of their second. */
static int hand_out(struct ring *r)
{
	unsigned n = 0;
	uint64_t end_ns = 0;

	while (n < SOURCE_BATCH && r->left) {
		const struct tpacket3_hdr *h = (const void *)r->next;
		const uint64_t ts_ns = clock_place(&r->clock, stamp_of(h));

		if (n && ts_ns >= end_ns)
			break;
		for (uint32_t at = 0; at < h->tp_next_offset; at += 64)
			__builtin_prefetch(r->next + AHEAD_BYTES + at);
		if (ts_ns > r->clock.now_ns)
			r->clock.now_ns = ts_ns;
		if (n == 0)
			end_ns =
				r->clock.now_ns - r->clock.now_ns % SOURCE_TICK_NS + SOURCE_TICK_NS;
		fill(r, &r->frames[n++], h, ts_ns);
		r->next += h->tp_next_offset;
		r->left--;
	}
	r->is_last = r->left == 0;
	return (int)n;
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Nothing came. What waits in the block that the kernel fills is younger than
 * this. */
static void idle_clock(struct ring *r)
{
	const uint64_t ns = clock_place(&r->clock, wall_ns() - 2 * r->retire_ms * NS_PER_MSEC);

	if (ns > r->clock.now_ns)
		r->clock.now_ns = ns;
}

/* Whether it may go by if poll(2) is asked again: a machine that is short of
 * memory now must not end the capture. */
static bool passes(int error)
{
	const struct timespec pause = {.tv_nsec = NS_PER_MSEC};

	if (error == ENOMEM || error == ENOBUFS || error == EAGAIN)
		nanosleep(&pause, NULL);
	else if (error != EINTR)
		return false;
	return true;
}

static int ring_recv(void *ctx, const struct frame **frames, uint64_t *now_ns, struct err *e)
{
	struct ring *r = ctx;
	struct pollfd p = {.fd = r->fd, .events = POLLIN | POLLERR};
	int n = 0;

	if (!r->is_ours && !take_block(r)) {
		if (poll(&p, 1, WAIT_MS) < 0 && !passes(errno))
			return err_sys(e, "waiting for frames");
		if (p.revents & POLLERR) { /* an interface went; others stay */
			int error;
			socklen_t size = sizeof(error);

			getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		}
		if (!take_block(r))
			idle_clock(r);
	}
	if (r->is_ours)
		n = hand_out(r);
	*frames = r->frames;
	*now_ns = r->clock.now_ns;
	return n;
}

static void ring_release(void *ctx)
{
	struct ring *r = ctx;

	if (r->is_last)
		give_back(r);
}

static void ring_close_source(void *ctx)
{
	(void)ctx; /* whoever opened it closes it */
}

struct source ring_source(struct ring *r)
{
	static const struct source_ops ops = {ring_recv, ring_release, ring_close_source};

	return (struct source){&ops, r};
}

/* --- set-up ------------------------------------------------------------------- */

int ring_fd(const struct ring *r)
{
	return r->fd;
}

int ring_bind(struct ring *r, struct err *e)
{
	const struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	if (bind(r->fd, (const struct sockaddr *)&all, sizeof(all)) < 0)
		return err_sys(e, "cannot capture");
	return 0;
}

void ring_stats(struct ring *r, struct ring_stats *out)
{
	struct tpacket_stats_v3 s;
	socklen_t n = sizeof(s);

	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &n) == 0) {
		r->stats.drops += s.tp_drops;
		r->stats.freezes += s.tp_freeze_q_cnt;
	}
	clock_history(&r->clock, &r->stats.times);
	*out = r->stats;
}

uint32_t ring_high(const struct ring *r)
{
	return load_relaxed(&r->high);
}

static int set_int(const struct ring *r, int option, int value, const char *what, struct err *e)
{
	if (setsockopt(r->fd, SOL_PACKET, option, &value, sizeof(value)) < 0)
		return err_sys(e, "the kernel refuses %s", what);
	return 0;
}

static int map_ring(struct ring *r, struct err *e)
{
	const struct tpacket_req3 q = {
		.tp_block_size = r->block_bytes,
		.tp_block_nr = r->blocks,
		.tp_frame_size = FRAME_ALIGNED,
		.tp_frame_nr = r->block_bytes / FRAME_ALIGNED * r->blocks,
		.tp_retire_blk_tov = r->retire_ms,
	};
	const size_t bytes = (size_t)r->block_bytes * r->blocks;
	void *map;

	if (setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)) < 0)
		return err_sys(e,
			       "the kernel gives no ring of %u blocks of %u bytes; lower "
			       "--ring-blocks or --ring-block-size",
			       r->blocks, r->block_bytes);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "cannot map a ring of %zu bytes", bytes);
	r->map = map;
	return 0;
}

static int set_up(struct ring *r, struct err *e)
{
	int ret = set_int(r, PACKET_VERSION, TPACKET_V3, "TPACKET_V3", e);

	if (ret == 0 && r->segments)
		ret = set_int(r, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR (see --no-segments)", e);
	return ret < 0 ? ret : map_ring(r, e);
}

int ring_open(struct ring **out, const struct ring_conf *c, struct err *e)
{
	struct ring *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a ring");
	r->block_bytes = c->block_bytes;
	r->blocks = c->blocks;
	r->retire_ms = c->retire_ms;
	r->segments = c->segments;
	/* Protocol 0: nothing comes before ring_bind(). */
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (r->fd < 0) {
		ret = errno == EPERM ? err_set(e, -EPERM,
					       "capturing needs root or CAP_NET_RAW; start it so, "
					       "or read a file with -r")
				     : err_sys(e, "packet socket");
		free(r);
		return ret;
	}
	ret = set_up(r, e);
	if (ret < 0) {
		ring_close(r);
		return ret;
	}
	*out = r;
	return 0;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	if (r->map)
		munmap(r->map, (size_t)r->block_bytes * r->blocks);
	close(r->fd);
	free(r);
}
