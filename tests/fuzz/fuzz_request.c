/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_request.c - what a client sends to the daemon.
 */
#include "fuzz.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *bytes = alone(data, n), again[WIRE_REQUEST_BYTES], what[WIRE_TOP_WHAT_BYTES];
	struct bytes b = bytes_of(bytes, n);
	struct wire_request r, same;
	struct tctable_addr ip;
	struct tctable_top top, same_top;

	if (wire_request_decode(&b, &r) == 0) {
		struct bytes c = bytes_of(again, sizeof(again));

		wire_request_encode(again, &r);
		must(wire_request_decode(&c, &same) == 0);
		must(same.number == r.number && same.body_bytes == r.body_bytes &&
		     same.room == r.room);
		must(wire_body_bytes(r.number) <= WIRE_REQUEST_BODY_MAX);
	}
	if (wire_addr_decode(&b, &ip) == 0)
		must(ip.family == 4 || ip.family == 6);
	b = bytes_of(bytes, n);
	if (wire_top_what_decode(&b, &top) == 0) {
		struct bytes c = bytes_of(what, sizeof(what));

		must(wire_top_what_check(&top) == 0);
		wire_top_what_encode(what, &top);
		must(wire_top_what_decode(&c, &same_top) == 0);
		must(same_top.rows == top.rows && same_top.key == top.key &&
		     same_top.net_bits == top.net_bits);
	}
	free(bytes);
	return 0;
}
