/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c - the bytes of a file in order: mapped, read, or unpacked.
 */
#include "capture/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomics.h"

#define BUFFER_BYTES ((size_t)256 * 1024)
#define WAIT_MS	     50

/* --- mapped ---------------------------------------------------------------- */

/* The file is shorter than it was: so is the window. */
static void note_shorter(struct stream *s, size_t bytes)
{
	const uint8_t *end = s->base + bytes;

	if (end >= s->end)
		return;
	s->end = end > s->p ? end : s->p;
	s->fault = "the file was cut while it was read";
}

bool stream_turn(struct stream *s)
{
	while (s->p >= s->turn && s->turn < s->end) {
		size_t bytes;

		if (!mapping_enter(s->mapping, (size_t)(s->turn - s->base) / MAPPING_WINDOW_BYTES,
				   &bytes))
			return false;
		s->turn += MAPPING_WINDOW_BYTES;
		note_shorter(s, bytes);
	}
	return true;
}

/* Where in a file that we were handed open (standard input) reading begins. */
static size_t place_of(int fd, size_t size)
{
	const off_t at = lseek(fd, 0, SEEK_CUR);

	return at < 0 ? 0 : (uint64_t)at > size ? size : (size_t)at;
}

static void begin_mapped(struct stream *s, struct mapping *m)
{
	s->mapping = m;
	s->is_mapped = true;
	s->is_sniffed = true;
	s->at_end = true;
	s->base = mapping_base(m);
	s->p = s->base + mapping_start(m);
	s->turn = s->base + mapping_start(m) / MAPPING_WINDOW_BYTES * MAPPING_WINDOW_BYTES;
	s->end = s->base + s->total;
}

/* If it cannot be mapped, it is read. */
static void map(struct stream *s, size_t size)
{
	const size_t at = place_of(s->fd, size);
	uint8_t head[UNPACK_MAGIC_BYTES];
	const ssize_t got = pread(s->fd, head, sizeof(head), (off_t)at);
	struct mapping *m;

	if (got <= 0 || unpack_format_of(head, (size_t)got) != UNPACK_PLAIN)
		return;
	m = mapping_open(s->fd, size, at);
	if (m)
		begin_mapped(s, m);
}

void stream_join(struct stream *s, const struct stream *other)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->name = other->name;
	s->total = other->total;
	mapping_join(other->mapping);
	begin_mapped(s, other->mapping);
}

/* --- read ------------------------------------------------------------------ */

/* Bytes from the file itself: how many; 0 at its end. */
static ssize_t read_raw(struct stream *s, uint8_t *dst, size_t n, struct err *e)
{
	struct pollfd fd = {.fd = s->fd, .events = POLLIN};
	ssize_t got;

	if (s->must_wait) {
		const int ready = poll(&fd, 1, WAIT_MS);

		if (ready == 0 || (ready < 0 && errno == EINTR))
			return -EAGAIN;
		if (ready < 0)
			return err_sys(e, "poll(%s)", s->name);
	}
	got = read(s->fd, dst, n);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return -EAGAIN;
	if (got < 0)
		return err_sys(e, "cannot read %s", s->name);
	counter_add(&s->done, (uint64_t)got);
	return got;
}

static ssize_t read_packed(struct stream *s, uint8_t *dst, size_t n, struct err *e)
{
	for (;;) {
		const int made = unpack_run(s->unpack, dst, n);
		size_t room_bytes;
		uint8_t *room;
		ssize_t got;

		if (made > 0)
			return made;
		if (made < 0) {
			s->fault = unpack_fault(s->unpack);
			return 0;
		}
		room = unpack_room(s->unpack, &room_bytes);
		got = read_raw(s, room, room_bytes, e);
		if (got < 0)
			return got;
		if (got == 0) {
			s->fault = unpack_fault(s->unpack);
			return 0;
		}
		unpack_fed(s->unpack, (size_t)got);
	}
}

/* The window's bytes go to the front of a buffer with room behind them. */
static int make_room(struct stream *s, struct err *e)
{
	const size_t left = stream_left(s);
	uint8_t *buf = s->buf;

	s->base_at = stream_at(s);
	if (left)
		memmove(buf, s->p, left);
	if (left == s->buf_bytes) {
		const size_t bytes = left ? 2 * left : BUFFER_BYTES;

		buf = realloc(buf, bytes);
		if (buf) {
			s->buf = buf;
			s->buf_bytes = bytes;
		}
	}
	s->base = s->p = s->buf;
	s->end = s->buf ? s->buf + left : NULL;
	return buf ? 0
		   : err_set(e, -ENOMEM, "%s: no memory for a record of %zu bytes or more", s->name,
			     left);
}

/* The first bytes are there: are they packed? */
static int sniff(struct stream *s, struct err *e)
{
	const size_t n = stream_left(s);
	const enum unpack_format format = unpack_format_of(s->p, n);
	size_t room_bytes;
	int ret;

	if (format != UNPACK_PLAIN) {
		ret = unpack_new(&s->unpack, format, e);
		if (ret < 0)
			return ret;
		memcpy(unpack_room(s->unpack, &room_bytes), s->p, n);
		unpack_fed(s->unpack, n);
		s->end = s->p;
		s->at_end = false;
	}
	s->is_sniffed = true;
	return 0;
}

/* More bytes into the buffer, or s->at_end. */
static int fill(struct stream *s, struct err *e)
{
	int ret = make_room(s, e);
	uint8_t *to;
	size_t room;
	ssize_t got;

	if (ret < 0)
		return ret;
	to = s->buf + stream_left(s);
	room = s->buf_bytes - stream_left(s);
	if (!s->is_sniffed)
		room = UNPACK_MAGIC_BYTES - stream_left(s);
	got = s->unpack ? read_packed(s, to, room, e) : read_raw(s, to, room, e);
	if (got < 0)
		return (int)got;
	s->end += got;
	s->at_end = got == 0;
	if (!s->is_sniffed && (got == 0 || stream_left(s) == UNPACK_MAGIC_BYTES))
		return sniff(s, e);
	return 0;
}

int stream_need(struct stream *s, size_t n, struct err *e)
{
	while (stream_left(s) < n) {
		int ret;

		if (s->at_end)
			return 0;
		ret = fill(s, e);
		if (ret < 0)
			return ret;
	}
	return 1;
}

/* --- set-up ------------------------------------------------------------------ */

int stream_open(struct stream *s, const char *path, struct err *e)
{
	const bool is_stdin = strcmp(path, "-") == 0;
	struct stat st;

	memset(s, 0, sizeof(*s));
	s->name = is_stdin ? "standard input" : path;
	/* a FIFO that nobody writes to yet is waited for when it is read */
	s->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0)
		return err_sys(e, "cannot open %s", s->name);
	if (fstat(s->fd, &st) < 0) {
		close(s->fd);
		return err_sys(e, "fstat(%s)", s->name);
	}
	if (S_ISDIR(st.st_mode)) {
		close(s->fd);
		return err_set(e, -EISDIR, "%s is a directory; name a capture file", s->name);
	}
	s->must_wait = !S_ISREG(st.st_mode);
	if (S_ISREG(st.st_mode)) {
		s->total = (uint64_t)st.st_size;
		if (s->total && s->total <= SIZE_MAX / 2)
			map(s, (size_t)s->total);
	}
	return 0;
}

bool stream_is_plain(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t head[UNPACK_MAGIC_BYTES];
	struct stat st;
	bool is_plain;

	if (fd < 0)
		return false;
	is_plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		   pread(fd, head, sizeof(head), 0) == sizeof(head) &&
		   unpack_format_of(head, sizeof(head)) == UNPACK_PLAIN;
	close(fd);
	return is_plain;
}

void stream_end(struct stream *s)
{
	if (s->is_mapped)
		return;
	s->base_at = stream_at(s);
	unpack_free(s->unpack);
	free(s->buf);
	s->unpack = NULL;
	s->buf = NULL;
	s->buf_bytes = 0;
	s->base = s->p = s->end = NULL;
	s->at_end = true;
}

void stream_close(struct stream *s)
{
	stream_end(s);
	mapping_close(s->mapping);
	if (s->fd >= 0)
		close(s->fd);
}

void stream_progress(const struct stream *s, uint64_t *done, uint64_t *total)
{
	*done = load_relaxed(&s->done);
	*total = s->total;
}
