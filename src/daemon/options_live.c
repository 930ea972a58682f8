/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_live.c - the options of a live capture.
 *
 * The defaults suit 10 Gbit/s. A frame takes up to 300 bytes of a ring (192 of
 * its own), the shortest 160. So 64 blocks of 1 MiB hold 400,000 of the
 * shortest: at 14.9 million a second, the most that 10 Gbit/s carry, a worker
 * may be kept from its work for 28 ms, at a million for 0.4 s. Blocks of 1 MiB
 * make one wake-up for thousands of frames at such rates; at low ones the
 * retire time bounds how late a frame is counted.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "daemon/internal.h"

#define BLOCK_BYTES_MIN	    16384
#define BLOCK_BYTES_MAX	    ((uint64_t)64 << 20)
#define BLOCK_BYTES_DEFAULT (1u << 20)
#define BLOCKS_MIN	    2
#define BLOCKS_MAX	    65536
#define BLOCKS_DEFAULT	    64
#define RING_BYTES_MAX	    ((uint64_t)4 << 30)
#define RETIRE_MS_MAX	    1000
#define RETIRE_MS_DEFAULT   20
#define SNAPLEN_MIN	    64
#define SNAPLEN_MAX	    65535
#define SNAPLEN_DEFAULT	    192
#define GROUP_MAX	    65535

void options_live_init(struct options *o)
{
	o->ring = (struct ring_conf){
		.block_bytes = BLOCK_BYTES_DEFAULT,
		.blocks = BLOCKS_DEFAULT,
		.retire_ms = RETIRE_MS_DEFAULT,
		.segments = true,
	};
	o->snaplen = SNAPLEN_DEFAULT;
	o->fanout_group = LIVE_GROUP_OWN;
	o->promisc = true;
}

static int add_interface(struct options *o, struct err *e)
{
	if (!*optarg)
		return err_set(e, -EINVAL, "--interface: the name is empty");
	for (size_t i = 0; i < o->interfaces_n; i++)
		if (!strcmp(o->interfaces[i], optarg))
			return err_set(e, -EINVAL, "--interface: %.32s is named twice", optarg);
	if (o->interfaces_n == LIVE_INTERFACES)
		return err_set(e, -EINVAL, "--interface: more than %d; name 'any' for all",
			       LIVE_INTERFACES);
	o->interfaces[o->interfaces_n++] = optarg;
	return 0;
}

static int parse_direction(struct options *o, struct err *e)
{
	static const char *const words[] = {"inner", "nic", NULL};
	const int i = options_word("direction", words, "inner, nic", e);

	o->by_way = i == 1;
	return i < 0 ? i : 0;
}

static int parse_fanout_mode(struct options *o, struct err *e)
{
	static const char *const words[] = {
		[LIVE_FANOUT_CBPF] = "cbpf",
		[LIVE_FANOUT_HASH] = "hash",
		[LIVE_FANOUT_CPU] = "cpu",
		[LIVE_FANOUT_QM] = "qm",
		NULL,
	};
	const int i = options_word("fanout-mode", words, "cbpf, hash, cpu, qm", e);

	if (i >= 0)
		o->fanout = (enum live_fanout)i;
	return i < 0 ? i : 0;
}

static int parse_bytes(uint32_t *out, const char *option, uint64_t min, uint64_t max, struct err *e)
{
	struct err why;
	uint64_t v;

	if (units_bytes_parse(&v, optarg, min, max, &why) < 0)
		return err_set(e, -EINVAL, "--%s: %s", option, why.text);
	*out = (uint32_t)v;
	return 0;
}

static int parse_number(uint32_t *out, const char *option, uint64_t min, uint64_t max,
			struct err *e)
{
	struct err why;
	uint64_t v;

	if (units_count_parse(&v, optarg, min, max, &why) < 0)
		return err_set(e, -EINVAL, "--%s: %s", option, why.text);
	*out = (uint32_t)v;
	return 0;
}

static int parse_block_bytes(struct options *o, struct err *e)
{
	int ret = parse_bytes(&o->ring.block_bytes, "ring-block-size", BLOCK_BYTES_MIN,
			      BLOCK_BYTES_MAX, e);

	if (ret == 0 && o->ring.block_bytes & (o->ring.block_bytes - 1))
		return err_set(e, -EINVAL, "--ring-block-size: '%.32s' is not a power of two",
			       optarg);
	return ret;
}

static int parse_retire(struct options *o, struct err *e)
{
	struct err why;
	uint64_t ns;

	if (units_duration_parse(&ns, optarg, &why) < 0)
		return err_set(e, -EINVAL, "--retire: %s", why.text);
	if (ns < NS_PER_MSEC || ns > RETIRE_MS_MAX * NS_PER_MSEC)
		return err_set(e, -EINVAL, "--retire: '%.32s' is not between 1ms and 1s", optarg);
	o->ring.retire_ms = (uint32_t)(ns / NS_PER_MSEC);
	return 0;
}

static int parse_group(struct options *o, struct err *e)
{
	uint32_t group = 0;
	const int ret = parse_number(&group, "fanout-group", 0, GROUP_MAX, e);

	if (ret == 0)
		o->fanout_group = (int)group;
	return ret;
}

static int bad_cpus(struct err *e)
{
	return err_set(e, -EINVAL, "--cpus: '%.64s' is not a list of CPUs below %d, such as 2,4-7",
		       optarg, OPTIONS_CPUS_MAX);
}

/* One of the list, at *at; steps over it. */
static int parse_cpu(unsigned long *out, const char **at)
{
	char *end;

	if (**at < '0' || **at > '9')
		return -EINVAL;
	*out = strtoul(*at, &end, 10);
	*at = end;
	return *out < OPTIONS_CPUS_MAX ? 0 : -EINVAL;
}

/* "2,4-7" */
static int parse_cpus(struct options *o, struct err *e)
{
	const char *at = optarg;

	o->cpus_n = 0;
	for (;;) {
		unsigned long first, last;

		if (parse_cpu(&first, &at) < 0)
			return bad_cpus(e);
		last = first;
		if (*at == '-') {
			at++;
			if (parse_cpu(&last, &at) < 0 || last < first)
				return bad_cpus(e);
		}
		for (; first <= last; first++) {
			if (o->cpus_n == OPTIONS_CPUS_MAX)
				return bad_cpus(e);
			o->cpus[o->cpus_n++] = (uint16_t)first;
		}
		if (!*at)
			return 0;
		if (*at++ != ',')
			return bad_cpus(e);
	}
}

int options_live_parse(struct options *o, int opt, struct err *e)
{
	switch (opt) {
	case 'i':
		return add_interface(o, e);
	case OPT_DIRECTION:
		return parse_direction(o, e);
	case OPT_SNAPLEN:
		return parse_bytes(&o->snaplen, "snaplen", SNAPLEN_MIN, SNAPLEN_MAX, e);
	case OPT_BLOCK_BYTES:
		return parse_block_bytes(o, e);
	case OPT_BLOCKS:
		return parse_number(&o->ring.blocks, "ring-blocks", BLOCKS_MIN, BLOCKS_MAX, e);
	case OPT_RETIRE:
		return parse_retire(o, e);
	case OPT_FANOUT_MODE:
		return parse_fanout_mode(o, e);
	case OPT_FANOUT_GROUP:
		return parse_group(o, e);
	case OPT_CPUS:
		return parse_cpus(o, e);
	default: /* every letter that getopt knows has its case */
		return err_set(e, -EINVAL, "option %d is not known", opt);
	}
}

int options_live_check(const struct options *o, struct err *e)
{
	const uint64_t ring_bytes = (uint64_t)o->ring.block_bytes * o->ring.blocks;

	if (ring_bytes > RING_BYTES_MAX)
		return err_set(e, -EINVAL,
			       "a ring of %u blocks of %u bytes is above 4G; lower --ring-blocks "
			       "or --ring-block-size",
			       o->ring.blocks, o->ring.block_bytes);
	if (o->snaplen + 1024 > o->ring.block_bytes)
		return err_set(e, -EINVAL,
			       "--snaplen %u does not fit a block of %u bytes; raise "
			       "--ring-block-size",
			       o->snaplen, o->ring.block_bytes);
	if (o->speed > 0)
		return err_set(e, -EINVAL, "--speed is for files (-r)");
	if (o->linger)
		return err_set(e, -EINVAL,
			       "--linger is for files (-r); a live capture always "
			       "answers until it is stopped");
	return 0;
}
