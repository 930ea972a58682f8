/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.c - the record of what was found in some of the frames.
 */
#include <errno.h>

#include "wire/internal.h"
#include "wire/wire.h"

#define NAMED_BYTES (TCTABLE_NAME_BYTES + 8)
#define NET_BYTES   32

void wire_sample_encode(uint8_t out[WIRE_SAMPLE_BYTES], const struct tctable_sample *s)
{
	const uint32_t counters =
		s->counters < TCTABLE_SAMPLE_COUNTERS ? s->counters : TCTABLE_SAMPLE_COUNTERS;
	const uint32_t nets = s->nets < TCTABLE_SAMPLE_NETS ? s->nets : TCTABLE_SAMPLE_NETS;
	struct put w = {out, out + WIRE_SAMPLE_BYTES};

	put_u32(&w, counters);
	put_u32(&w, nets);
	for (uint32_t i = 0; i < counters; i++) {
		put_text(&w, s->counter[i].name, TCTABLE_NAME_BYTES);
		put_u64(&w, s->counter[i].value);
	}
	put_zeros(&w, (size_t)(TCTABLE_SAMPLE_COUNTERS - counters) * NAMED_BYTES);
	for (uint32_t i = 0; i < nets; i++) {
		put_addr(&w, &s->net[i].ip);
		put_u8(&w, s->net[i].ip.family);
		put_u8(&w, s->net[i].bits);
		put_zeros(&w, 6);
		put_u64(&w, s->net[i].packets);
	}
	put_zeros(&w, (size_t)(TCTABLE_SAMPLE_NETS - nets) * NET_BYTES);
	assert(w.p == w.end);
}

/* Of a network that has a family, and a prefix that fits. */
static int get_net(struct bytes *b, struct tctable_net *out)
{
	const uint8_t *at = bytes_peek(b, NET_BYTES);

	if (!at || (at[16] != 4 && at[16] != 6) || at[17] > (at[16] == 4 ? 32 : 128))
		return -EBADMSG;
	get_addr(b, &out->ip, at[16]);
	out->bits = at[17];
	get_zeros(b, 8);
	out->packets = get_u64(b);
	return 0;
}

int wire_sample_decode(struct bytes *b, struct tctable_sample *out)
{
	struct tctable_sample got;
	struct bytes r = *b;

	if (!bytes_peek(b, WIRE_SAMPLE_BYTES))
		return -EBADMSG;
	memset(&got, 0, sizeof(got));
	got.counters = get_u32(&r);
	got.nets = get_u32(&r);
	if (got.counters > TCTABLE_SAMPLE_COUNTERS || got.nets > TCTABLE_SAMPLE_NETS)
		return -EBADMSG;
	for (uint32_t i = 0; i < got.counters; i++) {
		get_text(&r, got.counter[i].name, TCTABLE_NAME_BYTES);
		got.counter[i].value = get_u64(&r);
	}
	get_zeros(&r, (size_t)(TCTABLE_SAMPLE_COUNTERS - got.counters) * NAMED_BYTES);
	for (uint32_t i = 0; i < got.nets; i++)
		if (get_net(&r, &got.net[i]) < 0)
			return -EBADMSG;
	bytes_take(b, WIRE_SAMPLE_BYTES);
	*out = got;
	return 0;
}
