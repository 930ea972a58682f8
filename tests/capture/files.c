/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c - capture files made byte by byte, and what a reader made of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/err.h"
#include "capture/pcap_file.h"
#include "files.h"

#define CALLS_MAX 1000000 /* of recv for one file: more, and it hangs */

struct made *made_new(bool is_big_endian)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->is_big_endian = is_big_endian;
	return m;
}

void put_bytes(struct made *m, const void *bytes, size_t n)
{
	assert_true(n <= MADE_BYTES - m->n);
	if (n)
		memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

static void put_number(struct made *m, uint64_t v, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[m->is_big_endian ? n - 1 - i : i] = (uint8_t)(v >> 8 * i);
	put_bytes(m, b, n);
}

void put16(struct made *m, uint16_t v)
{
	put_number(m, v, 2);
}

void put32(struct made *m, uint32_t v)
{
	put_number(m, v, 4);
}

void put64(struct made *m, uint64_t v)
{
	put_number(m, v, 8);
}

void end_part(struct made *m, bool is_packet)
{
	assert_true(m->parts < MADE_PARTS);
	m->part[m->parts].end = m->n;
	m->part[m->parts++].is_packet = is_packet;
}

static void put_data(struct made *m, uint32_t caplen)
{
	const uint8_t byte = made_fill(caplen);

	for (uint32_t i = 0; i < caplen; i++)
		put_bytes(m, &byte, 1);
}

void put_classic_header(struct made *m, uint32_t magic, uint16_t major, uint16_t minor,
			uint32_t snaplen, uint32_t link)
{
	put32(m, magic);
	put16(m, major);
	put16(m, minor);
	put64(m, 0);
	put32(m, snaplen);
	put32(m, link);
	end_part(m, false);
}

void put_classic_record(struct made *m, uint32_t s, uint32_t fraction, uint32_t caplen,
			uint32_t wirelen)
{
	put32(m, s);
	put32(m, fraction);
	put32(m, caplen);
	put32(m, wirelen);
	put_data(m, caplen);
	end_part(m, true);
}

void put_block(struct made *m, uint32_t type, const struct made *body, bool is_packet)
{
	const uint32_t padded = ((uint32_t)body->n + 3) & ~3u;

	put32(m, type);
	put32(m, padded + 12);
	put_bytes(m, body->bytes, body->n);
	put_bytes(m, "\0\0\0", padded - body->n);
	put32(m, padded + 12);
	end_part(m, is_packet);
}

/* A block's body to fill, in m's byte order. */
static struct made *body_of(const struct made *m)
{
	return made_new(m->is_big_endian);
}

static void put_body(struct made *m, uint32_t type, struct made *body, bool is_packet)
{
	put_block(m, type, body, is_packet);
	free(body);
}

void put_section(struct made *m)
{
	struct made *b = body_of(m);

	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put64(b, UINT64_MAX); /* length not said */
	put_body(m, 0x0a0d0d0a, b, false);
}

void put_interface(struct made *m, uint16_t link, uint32_t snaplen)
{
	struct made *b = body_of(m);

	put16(b, link);
	put16(b, 0);
	put32(b, snaplen);
	put_body(m, 1, b, false);
}

void put_interface_ticks(struct made *m, uint16_t link, uint8_t tsresol, int64_t tsoffset)
{
	struct made *b = body_of(m);
	const uint8_t value[4] = {tsresol, 0, 0, 0};

	put16(b, link);
	put16(b, 0);
	put32(b, 0);
	put16(b, 2); /* if_name, to be passed over */
	put16(b, 3);
	put_bytes(b, "lo0", 4);
	put16(b, 9);
	put16(b, 1);
	put_bytes(b, value, 4);
	put16(b, 14);
	put16(b, 8);
	put64(b, (uint64_t)tsoffset);
	put32(b, 0);
	put_body(m, 1, b, false);
}

void put_enhanced(struct made *m, uint32_t interface, uint64_t ticks, uint32_t caplen,
		  uint32_t wirelen)
{
	struct made *b = body_of(m);

	put32(b, interface);
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	put32(b, caplen);
	put32(b, wirelen);
	put_data(b, caplen);
	put_body(m, 6, b, true);
}

void put_simple(struct made *m, uint32_t caplen, uint32_t wirelen)
{
	struct made *b = body_of(m);

	put32(b, wirelen);
	put_data(b, caplen);
	put_body(m, 3, b, true);
}

uint8_t *pack_gzip(const void *bytes, size_t n, size_t *packed_n)
{
	z_stream z = {0};
	uint8_t *out;

	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	*packed_n = deflateBound(&z, n);
	out = malloc(*packed_n);
	assert_non_null(out);
	z.next_in = (void *)(uintptr_t)bytes;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)*packed_n;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*packed_n -= z.avail_out;
	deflateEnd(&z);
	return out;
}

uint8_t *pack_zstd(const void *bytes, size_t n, size_t *packed_n)
{
	uint8_t *out = malloc(ZSTD_compressBound(n));

	assert_non_null(out);
	*packed_n = ZSTD_compress(out, ZSTD_compressBound(n), bytes, n, 1);
	assert_false(ZSTD_isError(*packed_n));
	return out;
}

/* --- staging ----------------------------------------------------------------- */

struct writer {
	pthread_t thread;
	int fd;
	size_t n;
	uint8_t bytes[];
};

static void *write_main(void *arg)
{
	struct writer *w = arg;

	for (size_t at = 0; at < w->n;) {
		const ssize_t put = write(w->fd, w->bytes + at, w->n - at);

		if (put <= 0)
			break; /* the reader has closed */
		at += (size_t)put;
	}
	close(w->fd);
	return NULL;
}

void stage(struct staged *st, const void *bytes, size_t n, enum how how)
{
	int ends[2];
	struct writer *w;

	st->writer = NULL;
	if (how == MAPPED) {
		st->fd = memfd_create("capture", MFD_CLOEXEC);
		assert_true(st->fd >= 0);
		assert_int_equal(write(st->fd, bytes, n), n);
		assert_int_equal(lseek(st->fd, 0, SEEK_SET), 0);
	} else {
		signal(SIGPIPE, SIG_IGN);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		st->fd = ends[0];
		w = malloc(sizeof(*w) + n);
		assert_non_null(w);
		w->fd = ends[1];
		w->n = n;
		memcpy(w->bytes, bytes, n);
		assert_int_equal(pthread_create(&w->thread, NULL, write_main, w), 0);
		st->writer = w;
	}
	snprintf(st->path, sizeof(st->path), "/proc/self/fd/%d", st->fd);
}

void unstage(struct staged *st)
{
	struct writer *w = st->writer;

	close(st->fd);
	if (w)
		pthread_join(w->thread, NULL);
	free(w);
}

/* --- reading ------------------------------------------------------------------ */

/* FNV-1a: every byte is touched, so a sanitizer sees a frame that is not
 * wholly in memory. */
static uint64_t hash_of(const uint8_t *p, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	return hash;
}

static void note(struct seen *s, const struct frame *frames, unsigned n)
{
	s->frames = realloc(s->frames, (s->n + n) * sizeof(*s->frames));
	assert_non_null(s->frames);
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[i];

		assert_int_equal(f->vlan_tpid, 0);
		assert_int_equal(f->way, FRAME_WAY_UNKNOWN);
		s->frames[s->n++] = (struct seen_frame){
			.ts_ns = f->ts_ns,
			.hash = hash_of(f->data, f->caplen),
			.caplen = f->caplen,
			.wirelen = f->wirelen,
			.link = f->link,
			.first = f->caplen ? f->data[0] : 0,
		};
	}
}

void see_path(struct seen *s, const char *path, unsigned max)
{
	struct pcap_file *f;
	struct frame frames[64];
	struct err e = {""};
	uint64_t done_before = 0;

	memset(s, 0, sizeof(*s));
	s->opened = pcap_file_open(&f, path, &e);
	snprintf(s->err, sizeof(s->err), "%s", e.text);
	if (s->opened < 0) {
		assert_true(e.text[0]);
		return;
	}
	s->was_mapped = pcap_file_is_mapped(f);
	for (unsigned calls = 0;; calls++) {
		const int n = pcap_file_recv(f, frames, max, &e);
		uint64_t done, total;

		assert_true(calls < CALLS_MAX);
		pcap_file_progress(f, &done, &total);
		assert_true(done >= done_before && (!total || done <= total));
		done_before = done;
		if (n == -EAGAIN)
			continue;
		s->status = n;
		if (n <= 0)
			break;
		assert_true((unsigned)n <= max);
		note(s, frames, (unsigned)n);
	}
	if (s->status < 0) {
		assert_true(e.text[0]);
		snprintf(s->err, sizeof(s->err), "%s", e.text);
		assert_int_equal(pcap_file_recv(f, frames, max, &e), 0);
	}
	assert_int_equal(pcap_file_recv(f, frames, max, &e), 0);
	pcap_file_close(f);
}

void see_bytes(struct seen *s, const void *bytes, size_t n, enum how how)
{
	struct staged st;

	stage(&st, bytes, n, how);
	see_path(s, st.path, 64);
	unstage(&st);
}

void seen_free(struct seen *s)
{
	free(s->frames);
	memset(s, 0, sizeof(*s));
}

bool seen_equal(const struct seen *a, const struct seen *b)
{
	if (a->n != b->n || a->opened != b->opened || a->status != b->status)
		return false;
	return a->n == 0 || memcmp(a->frames, b->frames, a->n * sizeof(*a->frames)) == 0;
}
