/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.c - where every frame of one worker ended.
 */
#include "table/ledger.h"

#include "base/atomics.h"

#define WORDS (sizeof(struct ledger) / sizeof(uint64_t))

void ledger_add(struct ledger_guarded *l, const struct ledger *batch)
{
	const uint64_t *from = &batch->received;
	uint64_t *to = &l->sum.received;

	seq_write_begin(&l->seq);
	for (unsigned i = 0; i < WORDS; i++)
		if (from[i])
			seq_add(&to[i], from[i]);
	seq_write_end(&l->seq);
}

void ledger_read(const struct ledger_guarded *l, struct ledger *out)
{
	uint64_t seq;

	do {
		seq = load_acquire(&l->seq);
		seq_copy_words(out, &l->sum, WORDS);
	} while (seq & 1 || seq != load_relaxed(&l->seq));
}
