/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.c - the request for the first hosts in an order, and its records.
 */
#include <errno.h>
#include <stdbool.h>

#include "wire/internal.h"
#include "wire/wire.h"

void wire_top_what_encode(uint8_t out[WIRE_TOP_WHAT_BYTES], const struct tctable_top *what)
{
	struct put w = {out, out + WIRE_TOP_WHAT_BYTES};

	put_u32(&w, what->rows);
	put_u8(&w, what->key);
	put_u8(&w, what->window);
	put_u8(&w, what->ascending);
	put_u8(&w, what->classes);
	put_u8(&w, what->net.family);
	put_u8(&w, what->net_bits);
	put_zeros(&w, 6);
	put_addr(&w, &what->net);
	assert(w.p == w.end);
}

static bool net_is_good(const struct tctable_addr *net, unsigned bits)
{
	const unsigned bytes = net->family == 4 ? 4 : net->family == 6 ? 16 : 0;

	if (bits > 8 * bytes || (net->family && !bytes))
		return false;
	for (unsigned i = bits / 8; i < bytes; i++)
		if (net->bytes[i] & (i == bits / 8 ? 0xff >> bits % 8 : 0xff))
			return false;
	return true;
}

int wire_top_what_check(const struct tctable_top *what)
{
	const bool is_good = what->rows >= 1 && what->rows <= TCTABLE_TOP_ROWS_MAX &&
			     what->key < TCTABLE_TOP_KEYS && what->window < TCTABLE_TOP_WINDOWS &&
			     what->ascending <= 1 && what->classes < 1u << TCTABLE_CLASSES &&
			     net_is_good(&what->net, what->net_bits);

	return is_good ? 0 : -EINVAL;
}

int wire_top_what_decode(struct bytes *b, struct tctable_top *out)
{
	struct tctable_top got;
	struct bytes r = *b;
	uint8_t family;

	memset(&got, 0, sizeof(got));
	if (!bytes_peek(b, WIRE_TOP_WHAT_BYTES))
		return -EINVAL;
	got.rows = get_u32(&r);
	got.key = get_u8(&r);
	got.window = get_u8(&r);
	got.ascending = get_u8(&r);
	got.classes = get_u8(&r);
	family = get_u8(&r);
	got.net_bits = get_u8(&r);
	get_zeros(&r, 6);
	get_addr(&r, &got.net, family);
	if (wire_top_what_check(&got) < 0)
		return -EINVAL;
	*b = r;
	*out = got;
	return 0;
}

void wire_top_encode(uint8_t out[WIRE_TOP_BYTES], const struct tctable_top_row *row)
{
	struct put w = {out + WIRE_HOST_BYTES, out + WIRE_TOP_BYTES};

	wire_host_encode(out, &row->host);
	for (unsigned i = 0; i < TCTABLE_TOP_WINDOWS - 1; i++) {
		put_counter(&w, &row->rate[i].tx);
		put_counter(&w, &row->rate[i].rx);
	}
	put_u64(&w, row->matched);
	put_u32(&w, row->measured_ms);
	put_zeros(&w, 4);
	assert(w.p == w.end);
}

int wire_top_decode(struct bytes *b, struct tctable_top_row *out)
{
	struct tctable_top_row got;
	struct bytes r = *b;

	memset(&got, 0, sizeof(got));
	if (!bytes_peek(b, WIRE_TOP_BYTES) || wire_host_decode(&r, &got.host) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < TCTABLE_TOP_WINDOWS - 1; i++) {
		get_counter(&r, &got.rate[i].tx);
		get_counter(&r, &got.rate[i].rx);
	}
	got.matched = get_u64(&r);
	got.measured_ms = get_u32(&r);
	get_zeros(&r, 4);
	*b = r;
	*out = got;
	return 0;
}
