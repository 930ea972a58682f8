/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_file.c - frames from one capture file: what both formats share.
 */
#include "capture/pcap_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "capture/internal.h"

#define MAGIC_BYTES    4
#define SENTENCE_BYTES 256

int pcap_file_damaged(const struct pcap_file *f, struct err *e, const char *fmt, ...)
{
	const struct stream *s = &f->stream;
	char sentence[SENTENCE_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	return err_set(e, -EBADMSG, "%s: record %llu, at byte %llu%s, %s", s->name,
		       (unsigned long long)f->records + 1, (unsigned long long)stream_at(s),
		       s->unpack ? " (unpacked)" : "", sentence);
}

int pcap_file_cut(const struct pcap_file *f, uint64_t n, struct err *e)
{
	const struct stream *s = &f->stream;
	const size_t left = stream_left(s);

	if (s->fault)
		return pcap_file_damaged(f, e, "is not whole: %s", s->fault);
	if (left == 0)
		return 0;
	return pcap_file_damaged(f, e, "is cut: %zu of its %llu bytes or more are there", left,
				 (unsigned long long)n);
}

static int no_capture(const struct stream *s, struct err *e)
{
	const uint8_t *p = s->p;

	if (s->fault)
		return err_set(e, -EINVAL, "%s: %s", s->name, s->fault);
	if (stream_left(s) == 0)
		return err_set(e, -EINVAL, "%s is empty; give a pcap or pcapng file", s->name);
	if (stream_left(s) < MAGIC_BYTES)
		return err_set(e, -EINVAL, "%s is no capture file: it has only %zu bytes", s->name,
			       stream_left(s));
	return err_set(e, -EINVAL,
		       "%s is no capture file: it begins with %02x %02x %02x %02x; give a pcap or "
		       "pcapng file, plain or packed by gzip or zstd",
		       s->name, p[0], p[1], p[2], p[3]);
}

static int start(struct pcap_file *f, struct err *e)
{
	struct stream *s = &f->stream;
	int ret = stream_need(s, MAGIC_BYTES, e);

	if (ret < 0)
		return ret;
	if (ret == 0)
		return no_capture(s, e);
	ret = pcapng_start(f, e);
	if (ret == -ENOTSUP)
		ret = pcap_classic_start(f, e);
	return ret == -ENOTSUP ? no_capture(s, e) : ret;
}

/* The first batch of a file whose header had not yet come when it was opened. */
static int start_and_read(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e)
{
	const int ret = start(f, e);

	return ret < 0 ? ret : f->read(f, frames, max, e);
}

static void end(struct pcap_file *f)
{
	if (f->has_ended)
		return;
	f->has_ended = true;
	if (f->stream.is_mapped)
		mapping_leave(f->stream.mapping);
	pcapng_fini(f);
	stream_end(&f->stream);
}

int pcap_file_recv(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e)
{
	struct stream *s = &f->stream;
	int n;

	if (f->has_ended || !max)
		return 0;
	if (!stream_look_ahead(s))
		return -EAGAIN;
	n = f->read(f, frames, max, e);
	if (s->is_mapped)
		store_relaxed(&s->done, stream_at(s));
	if (n <= 0 && n != -EAGAIN)
		end(f);
	return n;
}

bool pcap_file_run_begin(struct pcap_file *f, uint64_t s, struct pcap_run *out)
{
	const struct stream *stream = &f->stream;

	if (f->has_ended || !f->has_runs || !stream_look_ahead(&f->stream))
		return false;
	*out = (struct pcap_run){.p = stream->p,
				 .end = stream->end,
				 .s = s,
				 .units = (uint32_t)(SOURCE_TICK_NS / f->classic.ns_per_unit),
				 .record_max = f->classic.record_max,
				 .link = f->classic.link};
	return true;
}

void pcap_file_run_end(struct pcap_file *f, const struct pcap_run *r)
{
	f->stream.p = r->p;
	f->records += r->n;
	store_relaxed(&f->stream.done, stream_at(&f->stream));
}

bool pcap_file_is_mapped(const struct pcap_file *f)
{
	return f->stream.is_mapped;
}

void pcap_file_progress(const struct pcap_file *f, uint64_t *done, uint64_t *total)
{
	stream_progress(&f->stream, done, total);
}

int pcap_file_open(struct pcap_file **out, const char *path, struct err *e)
{
	struct pcap_file *f = calloc(1, sizeof(*f));
	int ret;

	if (f)
		f->path = strdup(path);
	if (!f || !f->path) {
		free(f);
		return err_set(e, -ENOMEM, "%s: no memory to read it", path);
	}
	ret = stream_open(&f->stream, f->path, e);
	if (ret < 0)
		goto fail_free;
	f->read = start_and_read;
	ret = start(f, e);
	if (ret < 0 && ret != -EAGAIN)
		goto fail_close;
	*out = f;
	return 0;

fail_close:
	end(f);
	stream_close(&f->stream);
fail_free:
	free(f->path);
	free(f);
	return ret;
}

bool pcap_file_share(struct pcap_file *f, unsigned readers)
{
	if (f->stream.is_mapped)
		mapping_share(f->stream.mapping, readers);
	return f->stream.is_mapped;
}

int pcap_file_join(struct pcap_file **out, const struct pcap_file *other, struct err *e)
{
	struct pcap_file *f = calloc(1, sizeof(*f));
	int ret = -ENOMEM;

	if (!f) {
		mapping_excuse(other->stream.mapping);
		return err_set(e, ret, "%s: no memory to read it", other->path);
	}
	stream_join(&f->stream, &other->stream);
	f->read = start_and_read;
	ret = start(f, e);
	if (ret < 0) {
		mapping_excuse(f->stream.mapping);
		pcap_file_close(f);
		return ret;
	}
	*out = f;
	return 0;
}

bool pcap_file_is_left(const struct pcap_file *f)
{
	return mapping_is_left(f->stream.mapping);
}

void pcap_file_close(struct pcap_file *f)
{
	if (!f)
		return;
	end(f);
	stream_close(&f->stream);
	free(f->path);
	free(f);
}
