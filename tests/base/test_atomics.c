/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_atomics.c - counters with one writer, and records that are read whole,
 * with a second thread reading all the while.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>

#include "base/atomics.h"

#define ROUNDS 1000000

struct record {
	uint64_t seq;
	struct {
		uint64_t packets;
		uint64_t bytes; /* always 1500 * packets */
		uint64_t last;	/* always packets + 7 */
	} v;
};

static uint64_t counter;
static struct record record;
static bool stop;

static void *write_record(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		seq_write_begin(&record.seq);
		seq_add(&record.v.packets, 1);
		seq_add(&record.v.bytes, 1500);
		seq_set(&record.v.last, i + 7);
		seq_write_end(&record.seq);
		counter_add(&counter, 3);
	}
	store_release(&stop, true);
	return NULL;
}

/* One copy; false if the writer was inside or passed by. */
static bool copy_record(struct record *out)
{
	const uint64_t seq = load_acquire(&record.seq);

	if (seq & 1)
		return false;
	seq_copy_words(&out->v, &record.v, sizeof(out->v) / sizeof(uint64_t));
	return load_relaxed(&record.seq) == seq;
}

static void record_read_beside_its_writer_is_whole_and_never_goes_back(void **state)
{
	uint64_t packets_before = 0, counter_before = 0, whole = 0;
	struct record r = {0};
	pthread_t writer;
	bool last_look = false;

	(void)state;
	record = (struct record){.v.last = 7};
	assert_int_equal(pthread_create(&writer, NULL, write_record, NULL), 0);
	while (!last_look) {
		uint64_t c;

		last_look = load_acquire(&stop);
		c = load_relaxed(&counter);
		assert_true(c >= counter_before && c % 3 == 0);
		counter_before = c;
		if (!copy_record(&r))
			continue;
		whole++;
		assert_true(r.v.packets >= packets_before);
		assert_true(r.v.bytes == 1500 * r.v.packets);
		assert_true(r.v.last == r.v.packets + 7);
		packets_before = r.v.packets;
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_true(whole > 0);
	assert_int_equal(packets_before, ROUNDS);
	assert_int_equal(counter_before, 3 * ROUNDS);
	assert_int_equal(record.seq, 2 * ROUNDS);
}

static void record_is_not_copied_while_its_writer_is_inside(void **state)
{
	struct record r = {0};

	(void)state;
	record = (struct record){.v = {1, 1500, 8}};
	assert_true(copy_record(&r));
	seq_write_begin(&record.seq);
	assert_false(copy_record(&r));
	seq_add(&record.v.packets, 1);
	assert_false(copy_record(&r));
	seq_write_end(&record.seq);
	assert_true(copy_record(&r));
	assert_int_equal(r.v.packets, 2);
	assert_int_equal(record.seq, 2);
}

static void counters_of_every_width_add_and_wrap(void **state)
{
	uint64_t u64 = UINT64_MAX;
	uint32_t u32 = UINT32_MAX;
	uint16_t u16 = 5;

	(void)state;
	counter_add(&u64, 2);
	counter_add(&u32, 2);
	counter_add(&u16, 2);
	assert_int_equal(u64, 1);
	assert_int_equal(u32, 1);
	assert_int_equal(u16, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_read_beside_its_writer_is_whole_and_never_goes_back),
		cmocka_unit_test(record_is_not_copied_while_its_writer_is_inside),
		cmocka_unit_test(counters_of_every_width_add_and_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
