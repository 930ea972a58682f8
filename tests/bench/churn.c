/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn.c - endless traffic with ever other hosts and connections (traffic.h),
 * as a capture file or out of an interface.
 *
 * usage: churn [option...] FILE            ('-': standard output)
 *        churn [option...] -i INTERFACE
 *
 *   -n N   packets (1M); 0: until it is stopped or nobody reads
 *   -f N   connections open at once (10k)
 *   -H N   inner addresses (10k)
 *   -l N   packets of a connection, on average (10); 0: none ends, and each has
 *          its first packet before any has its second
 *   -g NS  between two packets' stamps (1000)
 *   -r N   packets a second, kept by waiting; 0: as fast as possible (0)
 *
 * N may end in k, M or G. Says on standard error how many packets were made, or
 * accepted by the interface, of how many connections. Exits 1 if something failed;
 * 2: usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_number.h"
#include "traffic.h"

#define BATCH 64

struct churn {
	struct traffic_conf conf;
	uint64_t packets, rate;
	const char *interface, *path;
	FILE *file;
	int fd;
};

static volatile sig_atomic_t stop;

static void note_signal(int number)
{
	(void)number;
	stop = 1;
}

static int fail(const char *what, const char *name)
{
	fprintf(stderr, "churn: %s %s: %s\n", what, name, strerror(errno));
	return -1;
}

/* --- a file ------------------------------------------------------------------ */

static int open_file(struct churn *c)
{
	const uint32_t head[6] = {0xa1b23c4d, 2 | 4u << 16, 0, 0, TRAFFIC_FRAME_MAX, 1};

	c->file = strcmp(c->path, "-") == 0 ? stdout : fopen(c->path, "wb");
	if (!c->file)
		return fail("cannot write", c->path);
	setvbuf(c->file, NULL, _IOFBF, 1 << 16);
	return fwrite(head, sizeof(head), 1, c->file) == 1 ? 0 : fail("cannot write", c->path);
}

static int write_frames(struct churn *c, const struct frame *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[i];
		const uint32_t head[4] = {(uint32_t)(f->ts_ns / 1000000000),
					  (uint32_t)(f->ts_ns % 1000000000), f->caplen, f->wirelen};

		if (fwrite(head, sizeof(head), 1, c->file) != 1 ||
		    fwrite(f->data, f->caplen, 1, c->file) != 1)
			return errno == EPIPE ? -EPIPE : fail("cannot write", c->path);
	}
	return (int)n;
}

/* --- an interface ------------------------------------------------------------- */

static int open_socket(struct churn *c)
{
	const int one = 1;
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(c->interface)};

	c->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || !to.sll_ifindex ||
	    bind(c->fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		return fail("cannot send from", c->interface);
	return 0;
}

/* All of them, as they were captured: a full queue is waited for. */
static int send_frames(struct churn *c, const struct frame *frames, unsigned n)
{
	struct mmsghdr m[BATCH] = {0};
	struct iovec at[BATCH];
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		at[i] = (struct iovec){(void *)(uintptr_t)frames[i].data, frames[i].caplen};
		m[i].msg_hdr.msg_iov = &at[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < n) {
		const int ret = sendmmsg(c->fd, m + sent, n - sent, 0);

		if (ret < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return fail("cannot send from", c->interface);
		sent += ret > 0 ? (unsigned)ret : 0;
	}
	return (int)n;
}

/* --- both --------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Until packet `made` is due. */
static void pace(const struct churn *c, uint64_t begin_ns, uint64_t made)
{
	const uint64_t due_ns = begin_ns + (uint64_t)((double)made / (double)c->rate * 1e9);
	const uint64_t at_ns = now_ns();

	if (at_ns < due_ns) {
		const struct timespec nap = {(time_t)((due_ns - at_ns) / 1000000000),
					     (long)((due_ns - at_ns) % 1000000000)};

		nanosleep(&nap, NULL);
	}
}

static int go(struct churn *c)
{
	static uint8_t bytes[BATCH * TRAFFIC_FRAME_MAX];
	struct traffic *t = traffic_new(&c->conf);
	const uint64_t begin_ns = now_ns();
	struct frame frames[BATCH];
	uint64_t made = 0;
	int ret = 0;

	if (!t)
		return fail("no memory for", "so many connections");
	if (!c->conf.life)
		traffic_opening(t);
	while (!stop && ret >= 0 && (!c->packets || made < c->packets)) {
		const uint64_t left = c->packets ? c->packets - made : BATCH;
		const unsigned n = left < BATCH ? (unsigned)left : BATCH;

		if (c->rate)
			pace(c, begin_ns, made);
		traffic_make(t, frames, bytes, n);
		ret = c->file ? write_frames(c, frames, n) : send_frames(c, frames, n);
		made += ret > 0 ? (unsigned)ret : 0;
	}
	fprintf(stderr, "churn: %llu packets, %llu connections\n", (unsigned long long)made,
		(unsigned long long)traffic_flows(t));
	traffic_free(t);
	return ret == -EPIPE ? 0 : ret;
}

static int usage(void)
{
	fputs("usage: churn [-n PACKETS] [-f FLOWS] [-H HOSTS] [-l LIFE] [-g NS] [-r RATE]\n"
	      "             FILE | -i INTERFACE\n",
	      stderr);
	return 2;
}

static int parse(struct churn *c, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:f:H:l:g:r:i:")) != -1) {
		const uint64_t v = strchr("nfHlgr", opt) ? bench_number(optarg) : 0;

		switch (opt) {
		case 'n':
			c->packets = v;
			break;
		case 'f':
			c->conf.flows = (uint32_t)v;
			break;
		case 'H':
			c->conf.hosts = (uint32_t)v;
			break;
		case 'l':
			c->conf.life = (uint32_t)v;
			break;
		case 'g':
			c->conf.gap_ns = v;
			break;
		case 'r':
			c->rate = v;
			break;
		case 'i':
			c->interface = optarg;
			c->conf.is_short = true; /* nothing is sent that is not there */
			break;
		default:
			return -1;
		}
	}
	c->path = c->interface ? NULL : argv[optind];
	return argc - optind == (c->interface ? 0 : 1) && c->conf.flows && c->conf.hosts &&
			       c->conf.hosts <= 1u << 24
		       ? 0
		       : -1;
}

int main(int argc, char **argv)
{
	const struct sigaction end = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
	struct churn c = {.packets = 1000000, .fd = -1};
	int ret;

	traffic_conf_init(&c.conf);
	c.conf.flows = 10000;
	c.conf.hosts = 10000;
	c.conf.life = 10;
	if (parse(&c, argc, argv) < 0)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	ret = c.interface ? open_socket(&c) : open_file(&c);
	if (ret == 0)
		ret = go(&c);
	if (c.file && fclose(c.file) != 0 && errno != EPIPE)
		ret = fail("cannot write", c.path);
	if (c.fd >= 0)
		close(c.fd);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
