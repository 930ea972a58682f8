/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng.c - the pcapng format (draft-ietf-opsawg-pcapng).
 *
 * A file is a row of blocks: type, length, body, length again. A section
 * header fixes the byte order and forgets all interfaces. Blocks that hold no
 * packet and describe no interface are passed over; large ones in pieces, so
 * that no buffer has to hold them.
 *
 * A simple packet block has no stamp: its packet gets the one of the packet
 * before it, so that the clock stands still.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "capture/internal.h"

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	BLOCK_SECTION = 0x0a0d0d0a, /* the same in both byte orders */
};

enum option_code { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

#define BYTE_ORDER_MAGIC 0x1a2b3c4d

#define BLOCK_MIN     12 /* bytes: type, length, length */
#define SECTION_MIN   28
#define INTERFACE_MIN 20
#define PACKET_MIN    32 /* enhanced, and obsolete: the fields needed stand alike */
#define SIMPLE_MIN    16
#define TRAILER_BYTES 4

#define BLOCK_MAX	 (16u << 20)		       /* of blocks that are looked into */
#define PACKET_BLOCK_MAX (RECORD_SNAP_MAX + BLOCK_MAX) /* of those with a packet */
#define SKIP_WHOLE_MAX	 (64u << 10)		       /* passed over at once */
#define IFS_MAX		 65536
#define BLOCKS_A_CALL	 4096 /* without a packet, before the caller is heard again */

__extension__ typedef __int128 wide;

static uint16_t load16(const struct pcapng *ng, const uint8_t *p)
{
	return ng->is_big_endian ? load_be16(p) : load_le16(p);
}

static uint32_t load32(const struct pcapng *ng, const uint8_t *p)
{
	return ng->is_big_endian ? load_be32(p) : load_le32(p);
}

/* Makes n bytes of a block stand in the window: 1. Unless `may_move`, only if
 * they do already. -ENODATA: the file ends in front of the block. */
static int need(struct pcap_file *f, size_t n, bool may_move, struct err *e)
{
	int ret;

	if (stream_left(&f->stream) >= n)
		return 1;
	if (!may_move)
		return -EAGAIN;
	ret = stream_need(&f->stream, n, e);
	if (ret)
		return ret;
	ret = pcap_file_cut(f, n, e);
	return ret ? ret : -ENODATA;
}

/* The whole of a block of `total` bytes, and its two lengths alike: 1. */
static int need_block(struct pcap_file *f, uint32_t total, bool may_move, struct err *e)
{
	const int ret = need(f, total, may_move, e);
	uint32_t trailer;

	if (ret <= 0)
		return ret;
	trailer = load32(&f->ng, f->stream.p + total - TRAILER_BYTES);
	if (trailer != total)
		return pcap_file_damaged(f, e,
					 "is damaged: its block's length is %u, and %u at its end",
					 total, trailer);
	return 1;
}

static int check_length(const struct pcap_file *f, uint32_t total, uint32_t min, uint32_t max,
			struct err *e)
{
	if (total >= min && total <= max && total % 4 == 0)
		return 0;
	return pcap_file_damaged(
		f, e, "is damaged: its block's length is %u, it can be %u to %u in steps of 4",
		total, min, max);
}

/* --- interfaces -------------------------------------------------------------- */

static uint64_t power_of_10(unsigned n)
{
	uint64_t power = 1;

	while (n--)
		power *= 10;
	return power;
}

/* if_tsresol: 10^-n, or with the top bit set 2^-n. */
static void set_resolution(struct pcapng_if *i, uint8_t resolution)
{
	const unsigned n = resolution & 0x7f;

	i->mul = 1;
	i->div = 1;
	i->shift = 0;
	if (resolution & 0x80) {
		i->mul = NS_PER_SEC;
		i->shift = (uint8_t)n;
	} else if (n <= 9) {
		i->mul = (uint32_t)power_of_10(9 - n);
	} else if (n - 9 <= 19) {
		i->div = power_of_10(n - 9);
	} else {
		i->mul = 0; /* all that 64 bits can say is less than 1 ns */
	}
}

static uint64_t stamp_ns(const struct pcapng_if *i, uint64_t ticks)
{
	wide ns = (wide)ticks * i->mul;

	ns = i->div == 1 ? ns >> i->shift : (wide)((uint64_t)ns / i->div);
	ns += (wide)i->offset_s * (wide)NS_PER_SEC;
	return ns < 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

/* Options that are cut or have another length than they should say nothing. */
static void read_options(const struct pcapng *ng, struct bytes b, struct pcapng_if *i)
{
	const uint8_t *head;

	while ((head = bytes_take(&b, 4))) {
		const uint16_t code = load16(ng, head), n = load16(ng, head + 2);
		const uint8_t *value = bytes_take(&b, (n + 3u) & ~3u);

		if (!value || code == OPTION_END)
			return;
		if (code == OPTION_TSRESOL && n == 1) {
			set_resolution(i, value[0]);
		} else if (code == OPTION_TSOFFSET && n == 8) {
			const uint32_t first = load32(ng, value), second = load32(ng, value + 4);

			i->offset_s = ng->is_big_endian ? (int64_t)((uint64_t)first << 32 | second)
							: (int64_t)((uint64_t)second << 32 | first);
		}
	}
}

static int add_interface(struct pcap_file *f, const struct pcapng_if *i, struct err *e)
{
	struct pcapng *ng = &f->ng;

	if (ng->ifs_n == ng->ifs_room) {
		const uint32_t room = ng->ifs_room ? 2 * ng->ifs_room : 4;
		struct pcapng_if *ifs;

		if (room > IFS_MAX)
			return pcap_file_damaged(f, e, "has a section of more than %u interfaces",
						 IFS_MAX);
		ifs = realloc(ng->ifs, room * sizeof(*ifs));
		if (!ifs)
			return err_set(e, -ENOMEM, "%s: no memory for %u interfaces",
				       f->stream.name, room);
		ng->ifs = ifs;
		ng->ifs_room = room;
	}
	ng->ifs[ng->ifs_n++] = *i;
	return 0;
}

static int read_interface(struct pcap_file *f, uint32_t total, bool may_move, struct err *e)
{
	const uint8_t *p;
	struct pcapng_if i = {0};
	int ret = check_length(f, total, INTERFACE_MIN, BLOCK_MAX, e);

	if (ret < 0)
		return ret;
	ret = need_block(f, total, may_move, e);
	if (ret <= 0)
		return ret;
	p = f->stream.p;
	i.link = load16(&f->ng, p + 8);
	i.snaplen = load32(&f->ng, p + 12);
	set_resolution(&i, 6);
	read_options(&f->ng, bytes_of(p + 16, total - INTERFACE_MIN), &i);
	ret = add_interface(f, &i, e);
	if (ret < 0)
		return ret;
	f->stream.p += total;
	return 0;
}

/* --- sections ------------------------------------------------------------------ */

static int read_section(struct pcap_file *f, bool may_move, struct err *e)
{
	struct pcapng *ng = &f->ng;
	const uint8_t *p = f->stream.p;
	uint32_t total;
	uint16_t major, minor;
	int ret;

	if (load_le32(p + 8) == BYTE_ORDER_MAGIC)
		ng->is_big_endian = false;
	else if (load_be32(p + 8) == BYTE_ORDER_MAGIC)
		ng->is_big_endian = true;
	else
		return pcap_file_damaged(f, e,
					 "is a section header without byte order: %02x %02x "
					 "%02x %02x",
					 p[8], p[9], p[10], p[11]);
	total = load32(ng, p + 4);
	ret = check_length(f, total, SECTION_MIN, BLOCK_MAX, e);
	if (ret < 0)
		return ret;
	ret = need_block(f, total, may_move, e);
	if (ret <= 0)
		return ret;
	major = load16(ng, f->stream.p + 12);
	minor = load16(ng, f->stream.p + 14);
	if (major != 1 || (minor != 0 && minor != 2))
		return pcap_file_damaged(f, e,
					 "is a section of pcapng version %u.%u, only 1.0 is known",
					 major, minor);
	ng->ifs_n = 0;
	f->stream.p += total;
	return 0;
}

/* --- packets ------------------------------------------------------------------- */

/* A packet of caplen bytes whose block leaves `room` for them. */
static int check_caplen(const struct pcap_file *f, const struct pcapng_if *i, uint32_t caplen,
			uint32_t room, struct err *e)
{
	if (caplen > record_max_of(i->snaplen))
		return pcap_file_damaged(f, e, "is damaged: its length is %u, the most is %u",
					 caplen, record_max_of(i->snaplen));
	if (caplen > room)
		return pcap_file_damaged(f, e,
					 "is damaged: its length is %u, its block has room for %u",
					 caplen, room);
	return 0;
}

/* The interface a packet came from, or NULL with e filled. */
static const struct pcapng_if *find_interface(const struct pcap_file *f, uint32_t id, struct err *e)
{
	if (id < f->ng.ifs_n)
		return &f->ng.ifs[id];
	pcap_file_damaged(f, e, "is damaged: it came by interface %u, %u are described", id,
			  f->ng.ifs_n);
	return NULL;
}

static void hand_out(struct pcap_file *f, struct frame *out, const struct frame *frame,
		     uint32_t total)
{
	*out = *frame;
	if (out->caplen > SOURCE_CAP_MAX)
		out->caplen = SOURCE_CAP_MAX;
	f->ng.last_ns = frame->ts_ns;
	f->stream.p += total;
	f->records++;
}

/* An enhanced or an obsolete packet block. */
static int read_packet(struct pcap_file *f, struct frame *out, uint32_t type, uint32_t total,
		       struct err *e)
{
	const struct pcapng *ng = &f->ng;
	const uint8_t *p = f->stream.p;
	const struct pcapng_if *i;
	const uint32_t caplen = load32(ng, p + 20);
	struct frame frame = {.data = p + 28, .caplen = caplen, .wirelen = load32(ng, p + 24)};
	int ret;

	i = find_interface(f, type == BLOCK_PACKET ? load16(ng, p + 8) : load32(ng, p + 8), e);
	if (!i)
		return -EBADMSG;
	ret = check_caplen(f, i, caplen, total - PACKET_MIN, e);
	if (ret < 0)
		return ret;
	frame.link = i->link;
	frame.ts_ns = stamp_ns(i, (uint64_t)load32(ng, p + 12) << 32 | load32(ng, p + 16));
	hand_out(f, out, &frame, total);
	return 1;
}

static int read_simple(struct pcap_file *f, struct frame *out, uint32_t total, struct err *e)
{
	const uint8_t *p = f->stream.p;
	const struct pcapng_if *i = find_interface(f, 0, e);
	struct frame frame = {.data = p + 12, .wirelen = load32(&f->ng, p + 8)};
	int ret;

	if (!i)
		return -EBADMSG;
	frame.caplen = i->snaplen && i->snaplen < frame.wirelen ? i->snaplen : frame.wirelen;
	ret = check_caplen(f, i, frame.caplen, total - SIMPLE_MIN, e);
	if (ret < 0)
		return ret;
	frame.link = i->link;
	frame.ts_ns = f->ng.last_ns;
	hand_out(f, out, &frame, total);
	return 1;
}

static int read_packet_block(struct pcap_file *f, struct frame *out, bool may_move, struct err *e)
{
	const uint32_t type = load32(&f->ng, f->stream.p), total = load32(&f->ng, f->stream.p + 4);
	int ret = check_length(f, total, type == BLOCK_SIMPLE ? SIMPLE_MIN : PACKET_MIN,
			       PACKET_BLOCK_MAX, e);

	if (ret < 0)
		return ret;
	ret = need_block(f, total, may_move, e);
	if (ret <= 0)
		return ret;
	return type == BLOCK_SIMPLE ? read_simple(f, out, total, e)
				    : read_packet(f, out, type, total, e);
}

/* --- blocks -------------------------------------------------------------------- */

/* On with a large block that is passed over. */
static int skip_on(struct pcap_file *f, bool may_move, struct err *e)
{
	struct pcapng *ng = &f->ng;
	const int ret = need(f, ng->skip ? 1 : TRAILER_BYTES, may_move, e);
	size_t n;

	if (ret == -ENODATA)
		return pcap_file_damaged(f, e, "is behind a block of %u bytes that is cut",
					 ng->skip_end);
	if (ret <= 0)
		return ret;
	n = stream_left(&f->stream) < ng->skip ? stream_left(&f->stream) : ng->skip;
	if (!ng->skip) {
		if (load32(ng, f->stream.p) != ng->skip_end)
			return pcap_file_damaged(f, e,
						 "is behind a block of %u bytes that is damaged",
						 ng->skip_end);
		ng->skip_end = 0;
		n = TRAILER_BYTES;
	} else {
		ng->skip -= (uint32_t)n;
	}
	f->stream.p += n;
	return 0;
}

static int skip_block(struct pcap_file *f, uint32_t total, bool may_move, struct err *e)
{
	int ret = check_length(f, total, BLOCK_MIN, UINT32_MAX, e);

	if (ret < 0)
		return ret;
	if (total > SKIP_WHOLE_MAX && !f->stream.is_mapped) {
		f->ng.skip = total - TRAILER_BYTES;
		f->ng.skip_end = total;
		return 0;
	}
	ret = need_block(f, total, may_move, e);
	if (ret <= 0)
		return ret;
	f->stream.p += total;
	return 0;
}

/* One block, or a piece of one. 1: *out is its packet. 0: there was none in
 * it. -ENODATA: the file's end. -EAGAIN: not without moving the window. */
static int read_block(struct pcap_file *f, struct frame *out, bool may_move, struct err *e)
{
	uint32_t total;
	int ret;

	if (f->ng.skip_end)
		return skip_on(f, may_move, e);
	ret = need(f, BLOCK_MIN, may_move, e);
	if (ret <= 0)
		return ret;
	total = load32(&f->ng, f->stream.p + 4);
	switch (load32(&f->ng, f->stream.p)) {
	case BLOCK_SECTION:
		return read_section(f, may_move, e);
	case BLOCK_INTERFACE:
		return read_interface(f, total, may_move, e);
	case BLOCK_PACKET:
	case BLOCK_SIMPLE:
	case BLOCK_ENHANCED:
		return read_packet_block(f, out, may_move, e);
	default:
		return skip_block(f, total, may_move, e);
	}
}

static int read_blocks(struct pcap_file *f, struct frame *frames, unsigned max, struct err *e)
{
	unsigned n = 0;

	for (unsigned blocks = 0; n < max && blocks < BLOCKS_A_CALL; blocks++) {
		const int ret = read_block(f, &frames[n], n == 0, e);

		if (ret < 0 && n)
			break;
		if (ret < 0)
			return ret == -ENODATA ? 0 : ret;
		n += (unsigned)ret;
	}
	return n ? (int)n : -EAGAIN;
}

int pcapng_start(struct pcap_file *f, struct err *e)
{
	int ret;

	if (load_le32(f->stream.p) != BLOCK_SECTION)
		return -ENOTSUP;
	ret = need(f, BLOCK_MIN, true, e);
	if (ret > 0)
		ret = read_section(f, true, e);
	if (ret < 0)
		return ret == -EBADMSG ? -EINVAL : ret;
	f->read = read_blocks;
	return 0;
}

void pcapng_fini(struct pcap_file *f)
{
	free(f->ng.ifs);
	f->ng.ifs = NULL;
}
