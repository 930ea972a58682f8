/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor.c - how fast one core can go through a capture at all, for this work.
 *
 * usage: floor walk|flow|host FILE [FLOW_BITS [HOST_BITS]]
 *
 *   walk  look at every header
 *   flow  and count each packet on its flow
 *   host  and on the host that sent it
 *
 * FLOW_BITS (21) and HOST_BITS (14): tables of 2^BITS slots; of flows at least
 * twice as many as there are, of hosts about as many. FILE is a classic pcap
 * file of Ethernet frames in the machine's byte order; what is neither IPv4 nor
 * IPv6 is passed over. Prints packets, bytes, flows and the rate. Exits 1 if the
 * file cannot be read or has too many flows; 2: usage.
 *
 * There are no timeouts, no TCP states, no fragments, no ledger, no second host,
 * no reader beside it, and the hash has no secret: it is a limit to compare
 * with, not something that could be used. So it is built for the very machine
 * (meson.build), which the programs are not.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH	    32
#define FILE_HEADER 24
#define HEADER	    16 /* of a record */
#define LEAST	    58 /* bytes captured: Ethernet, IPv6, ports */
#define CLASSES	    4

enum depth { WALK, FLOW, HOST };

__extension__ typedef unsigned __int128 uint128;

struct key {
	uint64_t w[5]; /* both addresses, the lower first; ports and protocol */
};

struct slot {
	struct key key;
	uint64_t sent[2]; /* by side: packets in the upper bits, bytes below */
	uint64_t is_used;
};

struct row {
	uint64_t address[2];
	struct {
		uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	} of[CLASSES];
};

struct job { /* a packet between the two passes through its batch */
	struct key key;
	uint32_t slot, row, bytes;
	uint8_t side, class;
};

struct floor {
	struct slot *slots;
	struct row *rows;
	uint32_t slots_mask, rows_mask;
	uint64_t packets, bytes, flows;
	struct job jobs[BATCH];
};

static uint64_t fold(uint64_t a, uint64_t b)
{
	const uint128 product = (uint128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_key(const struct key *k)
{
	return fold(k->w[0] ^ 0x9e3779b97f4a7c15, k->w[1] ^ 0xbf58476d1ce4e5b9) ^
	       fold(k->w[2] ^ 0x94d049bb133111eb ^ k->w[4], k->w[3] ^ 0xd6e8feb86659fd93);
}

static uint64_t hash_address(const uint64_t a[2])
{
	return fold(a[0] ^ 0x9e3779b97f4a7c15, a[1] ^ 0xbf58476d1ce4e5b9);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get16_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint8_t class_of(uint8_t protocol)
{
	return protocol == 6 ? 0 : protocol == 17 ? 1 : protocol == 1 || protocol == 58 ? 2 : 3;
}

/* Decodes and hashes a frame, and asks for the memory that it leads to. False:
 * it is passed over. */
static inline bool look(struct floor *f, struct job *j, const uint8_t *d, enum depth depth)
{
	uint64_t from[2] = {0, 0}, to[2] = {0, 0};
	const uint32_t type = get16_be(d + 12);
	uint32_t ports;
	uint8_t protocol;

	if (type == 0x0800) {
		from[0] = get32(d + 26);
		to[0] = get32(d + 30);
		protocol = d[23];
		ports = get32(d + 34);
		j->bytes = get16_be(d + 16);
	} else if (type == 0x86dd) {
		memcpy(from, d + 22, sizeof(from));
		memcpy(to, d + 38, sizeof(to));
		protocol = d[20];
		ports = get32(d + 54);
		j->bytes = 40 + get16_be(d + 18);
	} else {
		return false;
	}
	f->bytes += j->bytes;
	if (depth == WALK)
		return true;
	j->side = from[0] > to[0] || (from[0] == to[0] && from[1] > to[1]);
	j->class = class_of(protocol);
	if (j->side)
		ports = ports << 16 | ports >> 16;
	j->key.w[0] = j->side ? to[0] : from[0];
	j->key.w[1] = j->side ? to[1] : from[1];
	j->key.w[2] = j->side ? from[0] : to[0];
	j->key.w[3] = j->side ? from[1] : to[1];
	j->key.w[4] = (uint64_t)ports << 8 | protocol;
	j->slot = (uint32_t)hash_key(&j->key) & f->slots_mask;
	__builtin_prefetch(&f->slots[j->slot], 1);
	if (depth == FLOW)
		return true;
	j->row = (uint32_t)hash_address(from) & f->rows_mask;
	__builtin_prefetch(&f->rows[j->row], 1);
	return true;
}

/* The flow of a key, found or begun; NULL if there are too many. */
static inline struct slot *slot_of(struct floor *f, const struct job *j)
{
	uint32_t i = j->slot;

	while (f->slots[i].is_used && memcmp(&f->slots[i].key, &j->key, sizeof(j->key)) != 0)
		i = (i + 1) & f->slots_mask;
	if (!f->slots[i].is_used) {
		if (++f->flows > f->slots_mask / 8 * 7ull)
			return NULL;
		f->slots[i].is_used = 1;
		f->slots[i].key = j->key;
	}
	return &f->slots[i];
}

static inline bool count(struct floor *f, unsigned n, enum depth depth)
{
	for (unsigned i = 0; i < n; i++) {
		const struct job *j = &f->jobs[i];
		struct slot *s = slot_of(f, j);

		if (!s)
			return false;
		s->sent[j->side] += (1ull << 40) + j->bytes;
		if (depth == HOST) {
			struct row *r = &f->rows[j->row];

			r->of[j->class].tx_packets++;
			r->of[j->class].tx_bytes += j->bytes;
		}
	}
	return true;
}

/* One of these for each depth, so that it is not asked for at every packet. */
static inline bool go(struct floor *f, const uint8_t *p, const uint8_t *end, enum depth depth)
{
	while (end - p >= HEADER) {
		unsigned n = 0;

		while (n < BATCH && end - p >= HEADER) {
			const uint32_t caplen = get32(p + 8);
			const uint8_t *frame = p + HEADER;

			if ((size_t)(end - frame) < caplen)
				return count(f, n, depth); /* cut short */
			p = frame + caplen;
			f->packets++;
			if (caplen >= LEAST)
				n += look(f, &f->jobs[n], frame, depth);
		}
		if (depth != WALK && !count(f, n, depth))
			return false;
	}
	return true;
}

static bool go_through(struct floor *f, const uint8_t *p, const uint8_t *end, enum depth depth)
{
	switch (depth) {
	case WALK:
		return go(f, p, end, WALK);
	case FLOW:
		return go(f, p, end, FLOW);
	default:
		return go(f, p, end, HOST);
	}
}

static void *table(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("floor: no memory for a table; fewer bits need less");
		exit(EXIT_FAILURE);
	}
	madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static const uint8_t *map_file(const char *path, size_t *bytes)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < FILE_HEADER) {
		fprintf(stderr, "floor: cannot read %s\n", path);
		exit(EXIT_FAILURE);
	}
	*bytes = (size_t)st.st_size;
	p = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED || (get32(p) != 0xa1b2c3d4 && get32(p) != 0xa1b23c4d)) {
		fprintf(stderr, "floor: %s is no classic pcap file of this byte order\n", path);
		exit(EXIT_FAILURE);
	}
	return p;
}

/* A number of bits, or 0. */
static unsigned bits(const char *text)
{
	char *end;
	const unsigned long v = strtoul(text, &end, 10);

	return *text && !*end && v >= 4 && v <= 31 ? (unsigned)v : 0;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"walk", "flow", "host"};
	static struct floor f;
	const unsigned flow_bits = argc > 3 ? bits(argv[3]) : 21;
	const unsigned host_bits = argc > 4 ? bits(argv[4]) : 14;
	unsigned depth = 0;
	const uint8_t *file;
	size_t bytes;
	double took;

	while (depth < 3 && (argc < 3 || strcmp(argv[1], names[depth]) != 0))
		depth++;
	if (argc < 3 || argc > 5 || depth == 3 || !flow_bits || !host_bits) {
		fputs("usage: floor walk|flow|host FILE [FLOW_BITS [HOST_BITS]], 4 to 31 bits\n",
		      stderr);
		return 2;
	}
	file = map_file(argv[2], &bytes);
	f.slots_mask = (1u << flow_bits) - 1;
	f.rows_mask = (1u << host_bits) - 1;
	f.slots = table(sizeof(*f.slots) << flow_bits);
	f.rows = table(sizeof(*f.rows) << host_bits);
	took = -seconds();
	if (!go_through(&f, file + FILE_HEADER, file + bytes, (enum depth)depth)) {
		fprintf(stderr, "floor: more flows than %u bits hold; raise FLOW_BITS\n",
			flow_bits);
		return EXIT_FAILURE;
	}
	took += seconds();
	printf("%s packets=%llu bytes=%llu flows=%llu %.3f s %.1f ns a packet\n", argv[1],
	       (unsigned long long)f.packets, (unsigned long long)f.bytes,
	       (unsigned long long)f.flows, took, took / (double)f.packets * 1e9);
	return EXIT_SUCCESS;
}
