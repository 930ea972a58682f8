/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * see.c - gives the bytes of a file to a reader, and keeps what it read.
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

#include "base/err.h"
#include "capture/pcap_file.h"
#include "files.h"

#define CALLS_MAX 1000000 /* of recv for one file: more, and it hangs */

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
	/* A header that had not come in time when the pipe was opened is refused
	 * by the first recv. */
	if (s->status == -EINVAL && s->n == 0 && !s->was_mapped) {
		s->opened = s->status;
		s->status = 0;
		snprintf(s->err, sizeof(s->err), "%s", e.text);
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

void check_cut(const struct made *m, size_t n, const struct seen *s, const char *name)
{
	size_t whole = 0, at = 0;
	char place[80];

	if (n < m->part[0].end) {
		assert_int_equal(s->opened, -EINVAL);
		return;
	}
	for (unsigned i = 0; i < m->parts && m->part[i].end <= n; i++) {
		whole += m->part[i].is_packet;
		at = m->part[i].end;
	}
	if (s->opened || s->n != whole || s->status != (at == n ? 0 : -EBADMSG))
		fail_msg("%s cut at %zu: %zu of %zu packets, status %d, %s", name, n, s->n, whole,
			 s->status, s->err);
	snprintf(place, sizeof(place), ": record %zu, at byte %zu, ", whole + 1, at);
	if (at != n && (!strstr(s->err, "/proc/self/fd/") || !strstr(s->err, place)))
		fail_msg("%s cut at %zu: '%s'", name, n, s->err);
}
