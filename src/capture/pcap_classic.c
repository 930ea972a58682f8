/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_classic.c - the pcap format (draft-ietf-opsawg-pcap).
 *
 * Versions before 2.3 wrote a record's two lengths the other way round, as did
 * DG/UX (543.0); writers of 2.3 did either, and there the captured length is
 * the smaller one. Kuznetzov's variant has 8 bytes more in a record's header.
 */
#include <errno.h>

#include "base/bytes.h"
#include "base/units.h"
#include "capture/internal.h"

#define MAGIC_MICRO	0xa1b2c3d4
#define MAGIC_NANO	0xa1b23c4d
#define MAGIC_KUZNETZOV 0xa1b2cd34

#define HEADER_BYTES	       24
#define RECORD_HEADER_BYTES    PCAP_RECORD_BYTES
#define KUZNETZOV_HEADER_BYTES 24
#define DG_UX_VERSION	       543
#define PREFETCH_BYTES	       4096 /* in front of the record that is read */

enum classic_swap { SWAP_NEVER, SWAP_ALWAYS, SWAP_IF_MORE };

static uint32_t load32(const struct pcap_classic *c, const uint8_t *p)
{
	return c->is_big_endian ? load_be32(p) : load_le32(p);
}

struct record {
	uint32_t s, fraction, caplen, wirelen;
};

static struct record load_record(const struct pcap_classic *c, const uint8_t *p)
{
	struct record r = {load32(c, p), load32(c, p + 4), load32(c, p + 8), load32(c, p + 12)};

	if (c->swap == SWAP_ALWAYS || (c->swap == SWAP_IF_MORE && r.caplen > r.wirelen)) {
		const uint32_t wirelen = r.caplen;

		r.caplen = r.wirelen;
		r.wirelen = wirelen;
	}
	return r;
}

static inline void fill_frame(const struct pcap_classic *c, struct frame *out,
			      const struct record *r, const uint8_t *data)
{
	*out = (struct frame){
		.data = data,
		.ts_ns = r->s * NS_PER_SEC + (uint64_t)r->fraction * c->ns_per_unit,
		.caplen = r->caplen < SOURCE_CAP_MAX ? r->caplen : SOURCE_CAP_MAX,
		.wirelen = r->wirelen,
		.link = c->link,
	};
}

/* Makes n bytes of a record stand in the window: 1. If not: what to return
 * when no record has been read before it. */
static int need(struct pcap_file *f, size_t n, struct err *e)
{
	const int ret = stream_left(&f->stream) >= n ? 1 : stream_need(&f->stream, n, e);

	return ret == 0 ? pcap_file_cut(f, n, e) : ret;
}

/* One record of any variant, wherever it stands: 1, or 0, or -errno. */
static int read_record(struct pcap_file *f, struct frame *out, struct err *e)
{
	const struct pcap_classic *c = &f->classic;
	struct record r;
	int ret;

	ret = need(f, c->header_bytes, e);
	if (ret <= 0)
		return ret;
	r = load_record(c, f->stream.p);
	if (r.caplen > c->record_max)
		return pcap_file_damaged(f, e, "is damaged: its length is %u, the most is %u",
					 r.caplen, c->record_max);
	ret = need(f, (size_t)c->header_bytes + r.caplen, e);
	if (ret <= 0)
		return ret;
	fill_frame(c, out, &r, f->stream.p + c->header_bytes);
	f->stream.p += c->header_bytes + r.caplen;
	f->records++;
	return 1;
}

/* Is a whole record in the window, and nothing wrong with it? */
static bool is_whole(const struct pcap_file *f)
{
	const struct pcap_classic *c = &f->classic;
	const size_t left = stream_left(&f->stream);
	struct record r;

	if (left < c->header_bytes)
		return false;
	r = load_record(c, f->stream.p);
	return r.caplen <= c->record_max && r.caplen <= left - c->header_bytes;
}

static int read_any(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e)
{
	unsigned n = 1;
	int ret = read_record(f, &frames[0], e);

	while (ret > 0 && n < max && is_whole(f))
		ret = read_record(f, &frames[n++], e);
	return ret > 0 ? (int)n : ret;
}

/* Little-endian records with their lengths in order, as nearly all files have.
 * Hot. Whatever is not a whole good record is left to read_any(). */
static int read_usual(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e)
{
	const struct pcap_classic c = f->classic;
	const uint8_t *p = f->stream.p, *const end = f->stream.end;
	unsigned n = 0;

	while (n < max && (size_t)(end - p) >= RECORD_HEADER_BYTES) {
		const struct record r = {load_le32(p), load_le32(p + 4), load_le32(p + 8),
					 load_le32(p + 12)};

		if (r.caplen > c.record_max || r.caplen > (size_t)(end - p) - RECORD_HEADER_BYTES)
			break;
		p += RECORD_HEADER_BYTES;
		__builtin_prefetch(p + PREFETCH_BYTES);
		fill_frame(&c, &frames[n++], &r, p);
		p += r.caplen;
	}
	f->stream.p = p;
	f->records += n;
	return n ? (int)n : read_any(f, frames, max, e);
}

/* False: the first bytes are no pcap file's. */
static bool read_magic(struct pcap_classic *c, const uint8_t *p)
{
	uint32_t magic = load_le32(p);

	if (magic != MAGIC_MICRO && magic != MAGIC_NANO && magic != MAGIC_KUZNETZOV) {
		magic = load_be32(p);
		c->is_big_endian = true;
	}
	c->ns_per_unit = magic == MAGIC_NANO ? 1 : 1000;
	c->header_bytes = magic == MAGIC_KUZNETZOV ? KUZNETZOV_HEADER_BYTES : RECORD_HEADER_BYTES;
	return magic == MAGIC_MICRO || magic == MAGIC_NANO || magic == MAGIC_KUZNETZOV;
}

static int read_version(struct pcap_classic *c, const char *name, const uint8_t *p, struct err *e)
{
	const uint16_t major = c->is_big_endian ? load_be16(p) : load_le16(p);
	const uint16_t minor = c->is_big_endian ? load_be16(p + 2) : load_le16(p + 2);

	if (!(major == 2 && minor <= 4) && !(major == DG_UX_VERSION && minor == 0))
		return err_set(
			e, -EINVAL,
			"%s is a pcap file of version %u.%u, only 2.0 to 2.4 are known; let the "
			"program that wrote it write version 2.4",
			name, major, minor);
	if (major == DG_UX_VERSION || minor < 3)
		c->swap = SWAP_ALWAYS;
	else
		c->swap = minor == 3 ? SWAP_IF_MORE : SWAP_NEVER;
	return 0;
}

int pcap_classic_start(struct pcap_file *f, struct err *e)
{
	struct pcap_classic c = {0};
	struct stream *s = &f->stream;
	int ret;

	if (!read_magic(&c, s->p))
		return -ENOTSUP;
	ret = stream_need(s, HEADER_BYTES, e);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(e, -EINVAL, "%s: its header is cut: %zu of %u bytes are there%s%s",
			       s->name, stream_left(s), HEADER_BYTES, s->fault ? "; " : "",
			       s->fault ? s->fault : "");
	ret = read_version(&c, s->name, s->p + 4, e);
	if (ret < 0)
		return ret;
	c.record_max = record_max_of(load32(&c, s->p + 16));
	c.link = (uint16_t)load32(&c, s->p + 20); /* above: flags, and the length of an FCS */
	s->p += HEADER_BYTES;
	f->classic = c;
	f->read = read_any;
	if (!c.is_big_endian && !c.swap && c.header_bytes == RECORD_HEADER_BYTES) {
		f->read = read_usual;
		f->has_runs = s->is_mapped;
	}
	return 0;
}
