/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readers.c - capture files as sources for one worker or several.
 *
 * Files that can be mapped are read by every worker, and each picks its own frames:
 * to hand over what was found would take longer than to find it anew, because the
 * memory between two processors is slow. What only one can read is split.
 */
#include "daemon/readers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/pick.h"
#include "capture/split.h"
#include "daemon/options.h"
#include "packet/fanout.h"

struct reader {
	struct replay *replay;
	struct pick *pick;
	_Alignas(64) struct pkt_decoder decoder; /* tells which worker a frame is for */
};

struct readers {
	struct split *split; /* NULL: one worker, or each reads */
	unsigned n;	     /* that read */
	struct reader reader[];
};

/* --- which worker ------------------------------------------------------------ */

static unsigned of_frame(void *decoder, const struct frame *f, unsigned n)
{
	return pkt_fanout_with(decoder, f, n);
}

static bool is_own(void *decoder, const struct frame *f, unsigned i, unsigned n)
{
	return pkt_fanout_with(decoder, f, n) == i;
}

/* Out of line: few need it. */
static __attribute__((noinline)) unsigned of_odd_record(struct pkt_decoder *d,
							const struct pcap_run *run,
							const uint8_t *p, unsigned n)
{
	struct frame f;

	pcap_run_frame(run, p, &f);
	return pkt_fanout_with(d, &f, n);
}

/* Hot: every worker asks this of every record. Whether one is its own is as good as
 * random, so there is no branch. */
static unsigned own_of(void *decoder, struct pcap_run *run, unsigned i, unsigned n,
		       const uint8_t **own, unsigned most)
{
	const bool is_usual = fanout_is_usual(decoder, run->link);
	struct pcap_run r = *run;
	unsigned own_n = 0;

	while (own_n < most && r.n < PICK_RECORDS) {
		uint32_t caplen, sum;
		const uint8_t *p = pcap_run_next(&r, &caplen);
		unsigned worker;

		if (!p)
			break;
		if (__builtin_expect(is_usual && fanout_sum(p + PCAP_RECORD_BYTES, caplen, &sum),
				     1))
			worker = fanout_of_sum(sum, n);
		else
			worker = of_odd_record(decoder, run, p, n);
		own[own_n] = p;
		own_n += worker == i;
	}
	*run = r;
	return own_n;
}

/* --- up and down ------------------------------------------------------------- */

static int open_one(struct readers *r, struct source *source, const struct replay_conf *c,
		    struct err *e)
{
	const int ret = replay_open(&r->reader[0].replay, c, e);

	if (ret < 0)
		return ret;
	r->n = 1;
	*source = replay_source(r->reader[0].replay);
	return 0;
}

static int open_split(struct readers *r, struct source *sources, unsigned n,
		      const struct replay_conf *c, struct err *e)
{
	const struct split_conf conf = {.n = n, .fanout = of_frame, .arg = &r->reader[0].decoder};
	int ret = open_one(r, sources, c, e);

	if (ret == 0)
		ret = split_open(&r->split, r->reader[0].replay, &conf, e);
	for (unsigned i = 0; ret == 0 && i < n; i++)
		sources[i] = split_share(r->split, i);
	return ret;
}

static int open_team(struct readers *r, struct source *sources, unsigned n,
		     const struct replay_conf *c, struct err *e)
{
	struct replay *replays[OPTIONS_WORKERS_MAX];
	int ret = replay_open_team(replays, n, c, e);

	if (ret < 0)
		return ret;
	for (; r->n < n; r->n++)
		r->reader[r->n].replay = replays[r->n];
	for (unsigned i = 0; i < n && ret == 0; i++) {
		const struct pick_conf conf = {.i = i,
					       .n = n,
					       .is_own = is_own,
					       .own_of = own_of,
					       .arg = &r->reader[i].decoder};

		ret = pick_open(&r->reader[i].pick, r->reader[i].replay, &conf, e);
		if (ret == 0)
			sources[i] = pick_source(r->reader[i].pick);
	}
	return ret;
}

int readers_open(struct readers **out, struct source *sources, unsigned n,
		 const struct replay_conf *c, const struct decap_conf *decap, struct err *e)
{
	struct readers *r = aligned_alloc(64, sizeof(*r) + n * sizeof(r->reader[0]));
	int ret;

	if (!r)
		return err_set(e, -ENOMEM, "no memory to read for %u workers", n);
	memset(r, 0, sizeof(*r) + n * sizeof(r->reader[0]));
	for (unsigned i = 0; i < n; i++)
		pkt_decoder_init(&r->reader[i].decoder, decap);
	ret = n == 1 ? open_one(r, sources, c, e) : open_team(r, sources, n, c, e);
	if (ret == -ENOTSUP)
		ret = open_split(r, sources, n, c, e);
	if (ret < 0) {
		readers_close(r);
		return ret;
	}
	*out = r;
	return 0;
}

void readers_close(struct readers *r)
{
	if (!r)
		return;
	split_close(r->split);
	for (unsigned i = 0; i < r->n; i++) {
		pick_close(r->reader[i].pick);
		replay_close(r->reader[i].replay);
	}
	free(r);
}

const struct replay *readers_replay(const struct readers *r)
{
	return r->reader[0].replay;
}
