/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blast.c - send a capture's frames from an interface as fast as it takes them.
 *
 * usage: blast [-r RATE] [-n COUNT] INTERFACE FILE
 *
 * The file is read into memory first. Frames go past the queueing discipline
 * (PACKET_QDISC_BYPASS, packet(7)), 64 in a system call; the file begins anew
 * until COUNT are sent. RATE is in frames a second, kept by waiting busily.
 * Prints how many were accepted, in which time. Exits 1 if something failed;
 * 2: usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	   64
#define FRAMES_MAX 100000000

struct frames {
	struct iovec *at;
	size_t n;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int fail(const char *what, const char *name, const char *why)
{
	fprintf(stderr, "blast: %s %s: %s\n", what, name, why);
	return -1;
}

static int add(struct frames *f, const uint8_t *bytes, size_t n)
{
	if ((f->n & (f->n - 1)) == 0) { /* full at powers of two */
		struct iovec *more = realloc(f->at, (f->n ? 2 * f->n : 1) * sizeof(*more));

		if (!more)
			return -1;
		f->at = more;
	}
	f->at[f->n].iov_base = malloc(n ? n : 1);
	if (!f->at[f->n].iov_base)
		return -1;
	memcpy(f->at[f->n].iov_base, bytes, n);
	f->at[f->n++].iov_len = n;
	return 0;
}

static int load(struct frames *f, const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, why);
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int ret = 0;

	if (!p)
		return fail("cannot read", path, why);
	if (pcap_datalink(p) != DLT_EN10MB)
		ret = fail("cannot send", path, "its frames are not Ethernet");
	while (ret == 0 && pcap_next_ex(p, &h, &bytes) == 1)
		if (f->n == FRAMES_MAX || add(f, bytes, h->caplen) < 0)
			ret = fail("cannot hold", path, "too many frames, or no memory");
	pcap_close(p);
	if (ret == 0 && !f->n)
		ret = fail("cannot send", path, "there is no frame in it");
	return ret;
}

static int open_socket(const char *name)
{
	const int one = 1;
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	to.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !to.sll_ifindex || bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0) {
		fail("cannot send from", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* Sends the next n; how many were accepted, or -1. A full queue is waited for. */
static int send_some(int fd, const struct frames *f, uint64_t sent, unsigned n)
{
	static struct mmsghdr m[BATCH];
	int ret;

	for (unsigned i = 0; i < n; i++) {
		m[i].msg_hdr.msg_iov = &f->at[(sent + i) % f->n];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	ret = sendmmsg(fd, m, n, 0);
	return ret < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) ? 0 : ret;
}

static int blast(int fd, const struct frames *f, uint64_t count, double rate)
{
	const uint64_t start_ns = now_ns();
	uint64_t sent = 0;
	double seconds;

	while (sent < count) {
		const uint64_t left = count - sent;
		int n;

		if (rate > 0 && (double)sent / rate * 1e9 > (double)(now_ns() - start_ns))
			continue;
		n = send_some(fd, f, sent, left < BATCH ? (unsigned)left : BATCH);
		if (n < 0)
			return fail("cannot send", "a frame", strerror(errno));
		sent += (unsigned)n;
	}
	seconds = (double)(now_ns() - start_ns) / 1e9;
	printf("sent %llu frames in %.3f s: %.3f million a second\n", (unsigned long long)sent,
	       seconds, (double)sent / seconds / 1e6);
	return 0;
}

/* A number above 0, or -1. */
static double number(const char *text)
{
	char *end;
	const double v = strtod(text, &end);

	return end == text || *end || !(v > 0) || v > 1e15 ? -1 : v;
}

static int usage(void)
{
	fputs("usage: blast [-r FRAMES_A_SECOND] [-n COUNT] INTERFACE FILE\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct frames f = {NULL, 0};
	double rate = 0, count = 0;
	int opt, fd, ret;

	while ((opt = getopt(argc, argv, "r:n:")) != -1) {
		const double v = opt == '?' ? -1 : number(optarg);

		if (v < 0)
			return usage();
		*(opt == 'r' ? &rate : &count) = v;
	}
	if (argc - optind != 2)
		return usage();
	if (load(&f, argv[optind + 1]) < 0)
		return EXIT_FAILURE;
	fd = open_socket(argv[optind]);
	if (fd < 0)
		return EXIT_FAILURE;
	ret = blast(fd, &f, count > 0 ? (uint64_t)count : f.n, rate);
	close(fd);
	for (size_t i = 0; i < f.n; i++)
		free(f.at[i].iov_base);
	free(f.at);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
