/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.c - the first hosts in an order.
 */
#include <errno.h>

#include "client/internal.h"

struct top_sink {
	tctable_top_fn *fn;
	void *arg;
};

static int take_row(struct tctable *t, struct query *q, struct bytes *b)
{
	const struct top_sink *s = q->arg;
	struct tctable_top_row row;
	int ret;

	if (wire_top_decode(b, &row) < 0 || row.host.kind != TCTABLE_HOST)
		return query_bad_reply(t, "a record of the top is damaged");
	if (q->records >= q->top->rows)
		return query_bad_reply(t, "it has more records than were asked for");
	ret = s->fn(&row, s->arg);
	return ret ? err_set(&t->err, ret, "the caller wanted no more records") : 0;
}

__attribute__((visibility("default"))) int tctable_top(struct tctable *t,
						       const struct tctable_top *what,
						       tctable_top_fn *fn, void *arg)
{
	struct top_sink s = {.fn = fn, .arg = arg};
	struct query q = {.number = WIRE_TOP, .top = what, .take = take_row, .arg = &s};

	if (wire_top_what_check(what) < 0)
		return err_set(&t->err, -EINVAL,
			       "the top of hosts: at most %u rows, a key, a window, classes and a "
			       "network whose bits behind the prefix are 0 (see tctable.h)",
			       TCTABLE_TOP_ROWS_MAX);
	return query_run(t, &q);
}
