/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay.c - several files as one source: order, damage, pace and clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../flow/random.h"
#include "base/units.h"
#include "capture/replay.h"
#include "files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define START_S	   1275451200
#define FRAMES_MAX 5000
#define CALLS_MAX  200000
#define FILES_MAX  8

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Files, and what a replay of them gave. A frame is known by its length. */
struct run {
	struct staged files[FILES_MAX];
	const char *paths[FILES_MAX];
	unsigned files_n;
	uint32_t caplen[FRAMES_MAX];
	uint64_t ts_ns[FRAMES_MAX], wall_ns[FRAMES_MAX];
	const uint8_t *data[FRAMES_MAX];
	unsigned n;
	uint64_t start_ns; /* on the wall */
	uint64_t moves;	   /* of the clock without a frame */
	char damage[FILES_MAX][512];
	unsigned damages;
	int status;
	struct err err;
};

static struct run *run_new(void)
{
	struct run *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	return r;
}

static void run_free(struct run *r)
{
	for (unsigned i = 0; i < r->files_n; i++)
		unstage(&r->files[i]);
	free(r);
}

static void add_bytes(struct run *r, const struct made *m, size_t n, enum how how)
{
	stage(&r->files[r->files_n], m->bytes, n, how);
	r->paths[r->files_n] = r->files[r->files_n].path;
	r->files_n++;
}

/* A file of n frames of `caplen` bytes and more, a tenth of a second apart. */
static struct made *frames_of(uint32_t s, unsigned n, uint32_t caplen, uint16_t link)
{
	struct made *m = made_new(false);

	put_classic_header(m, 0xa1b2c3d4, 2, 4, 65535, link);
	for (unsigned i = 0; i < n; i++)
		put_classic_record(m, s + i / 10, i % 10 * 100000, caplen + i, caplen + i);
	return m;
}

static void add_frames(struct run *r, uint32_t s, unsigned n, uint32_t caplen, enum how how)
{
	struct made *m = frames_of(s, n, caplen, 1);

	add_bytes(r, m, m->n, how);
	free(m);
}

static void note_damage(void *arg, const char *sentence)
{
	struct run *r = arg;

	assert_true(r->damages < FILES_MAX);
	snprintf(r->damage[r->damages++], sizeof(r->damage[0]), "%s", sentence);
}

static struct replay *open_run(struct run *r, const char *filter, double speed)
{
	const struct replay_conf c = {.paths = r->paths,
				      .paths_n = r->files_n,
				      .filter = filter,
				      .speed = speed,
				      .damage = note_damage,
				      .arg = r};
	struct replay *replay;

	if (replay_open(&replay, &c, &r->err) < 0)
		fail_msg("%s", r->err.text);
	r->start_ns = wall_ns();
	return replay;
}

/* What source.h promises of every batch, and all frames. */
static void drain(struct run *r, struct replay *replay)
{
	struct source s = replay_source(replay);
	uint64_t now_ns = 0, before_ns = 0, done_before = 0;

	for (unsigned calls = 0;; calls++) {
		const struct frame *frames;
		const int n = source_recv(&s, &frames, &now_ns, &r->err);
		uint64_t done, total;

		assert_true(calls < CALLS_MAX);
		r->status = n;
		if (n < 0)
			break;
		assert_true(n <= SOURCE_BATCH && now_ns >= before_ns);
		r->moves += n == 0 && now_ns > before_ns;
		for (int i = 0; i < n; i++) {
			assert_true(frames[i].ts_ns <= now_ns);
			assert_true(frames[i].ts_ns / SOURCE_TICK_NS <= now_ns / SOURCE_TICK_NS);
			assert_true(r->n < FRAMES_MAX);
			r->caplen[r->n] = frames[i].caplen;
			r->ts_ns[r->n] = frames[i].ts_ns;
			r->data[r->n] = replay_frames_stay(replay) ? frames[i].data : NULL;
			r->wall_ns[r->n++] = wall_ns();
		}
		before_ns = now_ns;
		source_release(&s);
		replay_progress(replay, &done, &total);
		assert_true(done >= done_before && (!total || done <= total));
		done_before = done;
	}
}

static void expect_frames(const struct run *r, unsigned from, unsigned n, uint32_t caplen)
{
	assert_true(from + n <= r->n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(r->caplen[from + i], caplen + i);
}

/* --- files ---------------------------------------------------------------------- */

static void files_are_replayed_one_after_the_other(void **state)
{
	(void)state;
	for (int how = 0; how < HOWS; how++) {
		struct run *r = run_new();
		struct replay *replay;
		uint64_t done, total;

		add_frames(r, START_S, 200, 1000, (enum how)how);
		add_frames(r, START_S + 20, 0, 0, MAPPED); /* an empty one */
		add_frames(r, START_S + 20, 150, 2000, MAPPED);
		add_frames(r, START_S + 35, 1, 3000, (enum how)how);
		replay = open_run(r, NULL, 0);
		drain(r, replay);
		assert_int_equal(r->status, -ENODATA);
		assert_int_equal(r->damages, 0);
		assert_int_equal(r->n, 351);
		expect_frames(r, 0, 200, 1000);
		expect_frames(r, 200, 150, 2000);
		expect_frames(r, 350, 1, 3000);
		replay_progress(replay, &done, &total);
		assert_true(how == MAPPED ? total && done == total : !total);
		/* Those of a mapped file are there until close. */
		for (unsigned i = 0; i < r->n; i++) {
			assert_int_equal(r->data[i] != NULL,
					 how == MAPPED || (i >= 200 && i < 350));
			for (uint32_t b = 0; r->data[i] && b < r->caplen[i]; b++)
				assert_int_equal(r->data[i][b], made_fill(r->caplen[i]));
		}
		replay_close(replay);
		run_free(r);
	}
}

static void damage_is_named_and_the_next_file_goes_on(void **state)
{
	struct run *r = run_new();
	struct made *m = frames_of(START_S, 10, 60, 1);
	struct replay *replay;

	(void)state;
	add_bytes(r, m, m->n - 5, MAPPED);
	add_bytes(r, m, 3, MAPPED);
	add_bytes(r, m, m->n - 5, PIPED);
	add_frames(r, START_S, 1, 100, PIPED);
	r->paths[r->files_n++] = "/nowhere/absent.pcap";
	r->files[r->files_n - 1].fd = -1;
	add_frames(r, START_S, 1, 200, MAPPED);
	replay = open_run(r, NULL, 0);
	drain(r, replay);
	assert_int_equal(r->status, -ENODATA);
	assert_int_equal(r->n, 9 + 9 + 1 + 1);
	expect_frames(r, 0, 9, 60);
	expect_frames(r, 9, 9, 60);
	expect_frames(r, 18, 1, 100);
	expect_frames(r, 19, 1, 200);
	assert_int_equal(r->damages, 4);
	assert_ptr_equal(strstr(r->damage[0], r->paths[0]), r->damage[0]);
	assert_non_null(strstr(r->damage[0], "record 10, at byte "));
	assert_ptr_equal(strstr(r->damage[1], r->paths[1]), r->damage[1]);
	assert_non_null(strstr(r->damage[2], r->paths[2]));
	assert_non_null(strstr(r->damage[2], "record 10, at byte "));
	assert_non_null(strstr(r->damage[3], "/nowhere/absent.pcap"));
	replay_close(replay);
	free(m);
	run_free(r);
}

static void first_file_that_cannot_be_read_is_refused(void **state)
{
	static const char *const paths[] = {"/nowhere/absent.pcap", "/dev/null"};
	const struct replay_conf c = {.paths = paths, .paths_n = 2, .damage = note_damage};
	struct replay *replay = (void *)&state;
	struct err e = {""};

	assert_int_equal(replay_open(&replay, &c, &e), -ENOENT);
	assert_ptr_equal(replay, &state);
	assert_non_null(strstr(e.text, "/nowhere/absent.pcap"));
	replay_close(NULL);
}

/* --- filter ----------------------------------------------------------------------- */

static void only_what_passes_the_filter_comes(void **state)
{
	struct run *r = run_new();
	struct replay *replay;

	(void)state;
	add_frames(r, START_S, 300, 60, MAPPED);
	add_frames(r, START_S, 300, 60, PIPED);
	replay = open_run(r, "greater 350", 0);
	drain(r, replay);
	assert_int_equal(r->status, -ENODATA);
	assert_int_equal(r->n, 2 * 10);
	expect_frames(r, 0, 10, 350);
	expect_frames(r, 10, 10, 350);
	replay_close(replay);
	run_free(r);
}

static void filter_that_a_file_cannot_have_ends_the_replay(void **state)
{
	struct run *r = run_new();
	struct made *m = frames_of(START_S, 10, 60, 101);
	struct replay *replay;

	(void)state;
	add_frames(r, START_S, 10, 60, MAPPED);
	add_bytes(r, m, m->n, MAPPED);
	replay = open_run(r, "not ether host 2:2:2:2:2:2", 0);
	drain(r, replay);
	assert_int_equal(r->status, -EINVAL);
	assert_int_equal(r->n, 10);
	assert_non_null(strstr(r->err.text, "'not ether host 2:2:2:2:2:2'"));
	replay_close(replay);
	free(m);
	run_free(r);
}

/* --- time ------------------------------------------------------------------------ */

static void clock_never_goes_back(void **state)
{
	struct random rnd = {3};
	struct run *r = run_new();
	struct made *m = made_new(false);
	struct replay *replay;

	(void)state;
	put_classic_header(m, 0xa1b2c3d4, 2, 4, 65535, 1);
	for (unsigned i = 0; i < 4000; i++)
		put_classic_record(m, START_S + i / 40 + random_below(&rnd, 5),
				   random_below(&rnd, 1000000), 20 + i % 200, 60);
	add_bytes(r, m, m->n, MAPPED);
	replay = open_run(r, NULL, 0);
	drain(r, replay); /* looks at the clock */
	assert_int_equal(r->n, 4000);
	for (unsigned i = 0; i < r->n; i++)
		assert_int_equal(r->caplen[i], 20 + i % 200);
	replay_close(replay);
	free(m);
	run_free(r);
}

/* The least that one of n frames came later than it should. */
static uint64_t least_lateness_ns(const struct run *r, unsigned n, double speed)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < n; i++) {
		const double due = (double)(r->ts_ns[i] - r->ts_ns[0]) / speed;
		const uint64_t came_ns = r->wall_ns[i] - r->start_ns;

		assert_true((double)came_ns >= due);
		if (came_ns - (uint64_t)due < least)
			least = came_ns - (uint64_t)due;
	}
	return least;
}

static void paced_replay_takes_its_time(void **state)
{
	static const double speeds[] = {1, 4, 1000};

	(void)state;
	for (size_t k = 0; k < COUNT(speeds); k++) {
		struct run *r = run_new();
		struct replay *replay;
		uint64_t took_ns;

		add_frames(r, START_S, 6, 60, MAPPED); /* half a second */
		add_frames(r, START_S, 6, 60, MAPPED); /* of which the time has come */
		replay = open_run(r, NULL, speeds[k]);
		drain(r, replay);
		assert_int_equal(r->n, 12);
		took_ns = r->wall_ns[5] - r->start_ns;
		assert_true((double)took_ns >= 0.5e9 / speeds[k]);
		/* Roughly: the machine may have other things to do. But none is
		 * kept back until the one behind it is due. */
		assert_true((double)took_ns < 0.5e9 / speeds[k] + 2e9);
		assert_true(least_lateness_ns(r, 5, speeds[k]) < 20 * NS_PER_MSEC);
		/* The clock goes on while frames are awaited. */
		if (speeds[k] <= 4)
			assert_true(r->moves > 0);
		replay_close(replay);
		run_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_replayed_one_after_the_other),
		cmocka_unit_test(damage_is_named_and_the_next_file_goes_on),
		cmocka_unit_test(first_file_that_cannot_be_read_is_refused),
		cmocka_unit_test(only_what_passes_the_filter_comes),
		cmocka_unit_test(filter_that_a_file_cannot_have_ends_the_replay),
		cmocka_unit_test(clock_never_goes_back),
		cmocka_unit_test(paced_replay_takes_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
