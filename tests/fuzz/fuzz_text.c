/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_text.c - addresses, networks, durations, numbers and lists from text.
 */
#include "base/addr.h"
#include "base/err.h"
#include "base/units.h"
#include "cli/hosts.h"
#include "cli/top_model.h"
#include "fuzz.h"
#include "packet/decap.h"
#include "tctable.h"

static void addresses(const char *text)
{
	char out[ADDR_TEXT_BYTES], mine[TCTABLE_ADDR_TEXT];
	struct tctable_addr ip;
	struct addr a, b;
	struct addr_net net;
	uint8_t family, again;
	struct err e = {""};

	if (addr_parse(&a, &family, text, &e) == 0) {
		must(addr_parse(&b, &again, addr_format(out, &a, family), &e) == 0);
		must(again == family && addr_equal(&a, &b));
		must(tctable_addr_parse(&ip, text) == 0);
		must(strcmp(tctable_addr_format(&ip, mine), out) == 0);
	} else {
		must(e.text[0] != 0 && tctable_addr_parse(&ip, text) < 0);
	}
	if (addr_net_parse(&net, text, &e) == 0)
		must(net.bits <= (net.family == ADDR_V4 ? 32 : 128));
}

static void networks(const char *text)
{
	char out[GROUP_NET_TEXT];
	struct tctable_addr ip, same;
	struct group_conf c;
	uint8_t bits, same_bits;
	struct err e = {""};

	if (group_net_parse(&ip, &bits, text, &e) == 0) {
		must(group_net_parse(&same, &same_bits, group_net_text(out, &ip, bits), &e) == 0);
		must(bits == same_bits && group_net_has(&ip, bits, &same));
	}
	if (group_parse(&c, text, &e) == 0)
		must(c.bits_v4 <= 32 && c.bits_v6 <= 128);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	struct top_filter filter;
	enum hosts_key key;
	struct err e = {""};
	uint32_t kinds;
	uint64_t v;

	must(text != NULL);
	memcpy(text, data, n);
	text[n] = '\0';
	addresses(text);
	networks(text);
	if (units_duration_parse(&v, text, &e) < 0)
		must(e.text[0] != 0);
	if (units_count_parse(&v, text, 5, 1000000, &e) == 0)
		must(v >= 5 && v <= 1000000);
	if (units_bytes_parse(&v, text, 4096, 1u << 30, &e) == 0)
		must(v >= 4096 && v <= 1u << 30);
	if (decap_parse(&kinds, text, &e) == 0)
		must(kinds && !(kinds & ~DECAP_ALL));
	if (hosts_key_parse(&key, text, &e) == 0)
		must(key < HOSTS_KEYS);
	top_filter_parse(&filter, text, &e);
	free(text);
	return 0;
}
