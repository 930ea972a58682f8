/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_split.c - a replay split among workers: every frame once, in order, and
 * nobody waits for one that has stopped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../flow/random.h"
#include "capture/split.h"
#include "files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define START_S	   1275451200
#define FRAMES	   9000 /* in each of two files */
#define ALL	   (2 * FRAMES)
#define WORKERS	   8
#define DATA_BYTES 40

/* --- frames that know their place --------------------------------------------- */

/* Frame i holds i, over and over. Stamps stand still, go on, or leave seconds
 * out. */
static struct made *numbered_frames(uint32_t from)
{
	struct made *m = made_new(false);
	struct random r = {from};
	uint32_t us = from / FRAMES * 1000000 * 500; /* since START_S */

	put_classic_header(m, 0xa1b2c3d4, 2, 4, 65535, 1);
	for (uint32_t i = from; i < from + FRAMES; i++) {
		us += random_below(&r, 3) ? random_below(&r, 5000) : 0;
		us += random_below(&r, 300) ? 0 : random_below(&r, 5000000);
		put32(m, START_S + us / 1000000);
		put32(m, us % 1000000);
		put32(m, DATA_BYTES);
		put32(m, DATA_BYTES);
		for (unsigned b = 0; b < DATA_BYTES; b += 4)
			put32(m, i);
	}
	return m;
}

static uint32_t number_of(const struct frame *f)
{
	uint32_t number;

	memcpy(&number, f->data, 4);
	return number;
}

static unsigned by_number(void *arg, const struct frame *f, unsigned n)
{
	(void)arg;
	return number_of(f) * 2654435761u % n;
}

static unsigned all_to_the_last(void *arg, const struct frame *f, unsigned n)
{
	(void)arg;
	(void)f;
	return n - 1;
}

static void ignore_damage(void *arg, const char *sentence)
{
	(void)sentence;
	++*(unsigned *)arg;
}

/* Two files, the second by `how`, and their replay. */
struct scene {
	struct staged files[2];
	const char *paths[2];
	unsigned damages;
	struct replay *replay;
};

static void scene_open(struct scene *s, enum how how, const char *filter)
{
	struct replay_conf c = {.paths = s->paths,
				.paths_n = 2,
				.filter = filter,
				.damage = ignore_damage,
				.arg = &s->damages};
	struct err e = {""};

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < 2; i++) {
		struct made *m = numbered_frames(i * FRAMES);

		stage(&s->files[i], m->bytes, m->n, i ? how : MAPPED);
		s->paths[i] = s->files[i].path;
		free(m);
	}
	if (replay_open(&s->replay, &c, &e) < 0)
		fail_msg("%s", e.text);
}

static void scene_close(struct scene *s)
{
	replay_close(s->replay);
	for (unsigned i = 0; i < 2; i++)
		unstage(&s->files[i]);
}

/* --- workers ---------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	struct source source;
	unsigned share, shares;
	split_fanout_fn fanout;
	uint32_t frames_max; /* stop after these */
	uint8_t seen[ALL];   /* how often each frame */
	uint32_t n;
	uint64_t seconds, now_ns; /* that the clock was in; and at the end */
	uint64_t wrong;
	int status;
	struct err err;
};

static void check_frame(struct worker *w, const struct frame *f, uint32_t *next)
{
	const uint32_t number = number_of(f);
	uint32_t word;

	if (number < *next || number >= ALL || f->caplen != DATA_BYTES) {
		w->wrong++;
		return;
	}
	for (unsigned b = 0; b < DATA_BYTES; b += 4) {
		memcpy(&word, f->data + b, 4);
		w->wrong += word != number;
	}
	w->wrong += w->fanout(NULL, f, w->shares) != w->share;
	w->wrong += f->ts_ns > w->now_ns;
	w->wrong += f->ts_ns / SOURCE_TICK_NS != w->now_ns / SOURCE_TICK_NS;
	w->seen[number]++;
	w->n++;
	*next = number + 1;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint32_t next = 0;
	uint64_t now_ns = 0;

	while (w->n < w->frames_max) {
		const struct frame *frames;
		const int n = source_recv(&w->source, &frames, &now_ns, &w->err);

		w->status = n;
		if (n < 0)
			break;
		w->wrong += now_ns < w->now_ns || n > SOURCE_BATCH;
		w->seconds += now_ns / SOURCE_TICK_NS != w->now_ns / SOURCE_TICK_NS;
		w->now_ns = now_ns;
		for (int i = 0; i < n; i++)
			check_frame(w, &frames[i], &next);
		if (n)
			source_release(&w->source);
	}
	source_close(&w->source);
	return NULL;
}

static struct worker *start_workers(struct split *s, unsigned n, split_fanout_fn fanout,
				    const uint32_t frames_max[])
{
	struct worker *workers = calloc(n, sizeof(*workers));

	assert_non_null(workers);
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &workers[i];

		w->source = split_share(s, i);
		w->share = i;
		w->shares = n;
		w->fanout = fanout;
		w->frames_max = frames_max ? frames_max[i] : UINT32_MAX;
		assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
	}
	return workers;
}

static void join_workers(struct worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

static struct split *split_of(struct scene *scene, unsigned n, split_fanout_fn fanout)
{
	const struct split_conf c = {.n = n, .fanout = fanout};
	struct err e = {""};
	struct split *s;

	if (split_open(&s, scene->replay, &c, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* --- the tests -------------------------------------------------------------------- */

static void check_whole(const struct worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(workers[i].status, -ENODATA);
		assert_int_equal(workers[i].wrong, 0);
		/* Every clock goes the same way. */
		assert_int_equal(workers[i].now_ns, workers[0].now_ns);
		assert_int_equal(workers[i].seconds, workers[0].seconds);
	}
	assert_true(workers[0].seconds > 10);
	for (unsigned k = 0; k < ALL; k++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < n; i++)
			seen += workers[i].seen[k];
		if (seen != 1)
			fail_msg("%u workers: frame %u came %u times", n, k, seen);
	}
}

static void every_frame_comes_once_to_its_share_and_in_order(void **state)
{
	static const unsigned shares[] = {1, 2, 4, 8};

	(void)state;
	for (size_t k = 0; k < COUNT(shares) * HOWS; k++) {
		const unsigned n = shares[k / HOWS];
		struct worker *workers;
		struct scene scene;
		struct split *s;

		scene_open(&scene, (enum how)(k % HOWS), NULL);
		s = split_of(&scene, n, by_number);
		workers = start_workers(s, n, by_number, NULL);
		join_workers(workers, n);
		check_whole(workers, n);
		assert_int_equal(scene.damages, 0);
		split_close(s);
		scene_close(&scene);
		free(workers);
	}
}

static void shares_without_frames_have_the_clock(void **state)
{
	struct worker *workers;
	struct scene scene;
	struct split *s;

	(void)state;
	scene_open(&scene, PIPED, NULL);
	s = split_of(&scene, WORKERS, all_to_the_last);
	workers = start_workers(s, WORKERS, all_to_the_last, NULL);
	join_workers(workers, WORKERS);
	check_whole(workers, WORKERS);
	assert_int_equal(workers[0].n, 0);
	assert_int_equal(workers[WORKERS - 1].n, ALL);
	split_close(s);
	scene_close(&scene);
	free(workers);
}

static void share_that_stops_early_lets_the_split_close(void **state)
{
	/* Never begun; stopped in the middle; all stopped. */
	static const uint32_t stops[][4] = {
		{0, 1000, 1000, 1000}, {500, 1, 1000, 100}, {0, 0, 0, 0}};

	(void)state;
	for (size_t k = 0; k < COUNT(stops) * HOWS; k++) {
		struct worker *workers;
		struct scene scene;
		struct split *s;

		scene_open(&scene, (enum how)(k % HOWS), NULL);
		s = split_of(&scene, 4, by_number);
		workers = start_workers(s, 4, by_number, stops[k / HOWS]);
		join_workers(workers, 4);
		split_close(s); /* hangs if anything does */
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(workers[i].wrong, 0);
			assert_true(workers[i].n >= stops[k / HOWS][i]);
			assert_true(workers[i].n < stops[k / HOWS][i] + SOURCE_BATCH);
		}
		scene_close(&scene);
		free(workers);
	}
}

static void error_reaches_every_share_behind_the_frames(void **state)
{
	struct made *m = made_new(false);
	struct worker *workers;
	struct staged raw;
	struct scene scene;
	struct split *s;

	(void)state;
	put_classic_header(m, 0xa1b2c3d4, 2, 4, 65535, 101);
	put_classic_record(m, START_S + 5000, 0, 60, 60);
	stage(&raw, m->bytes, m->n, MAPPED);
	scene_open(&scene, MAPPED, "not ether host 2:2:2:2:2:2");
	scene.paths[1] = raw.path; /* it is not opened yet */
	s = split_of(&scene, 4, by_number);
	workers = start_workers(s, 4, by_number, NULL);
	join_workers(workers, 4);
	for (unsigned i = 0, n = 0; i < 4; i++) {
		assert_int_equal(workers[i].status, -EINVAL);
		assert_int_equal(workers[i].wrong, 0);
		assert_non_null(strstr(workers[i].err.text, "link type 101"));
		n += workers[i].n;
		assert_int_equal(i == 3 ? n : FRAMES, FRAMES);
	}
	split_close(s);
	scene_close(&scene);
	unstage(&raw);
	free(workers);
	free(m);
}

/* Asks both shares in turn until `frames` have come, or both have ended. */
static void ask_both(struct split *s, unsigned frames)
{
	unsigned n = 0, ended = 0;

	for (unsigned calls = 0; n < frames && ended < 2; calls++) {
		struct source share = split_share(s, calls % 2);
		const struct frame *f;
		struct err e = {""};
		uint64_t now_ns;
		const int ret = source_recv(&share, &f, &now_ns, &e);

		assert_true(calls < 1000); /* of 50 ms */
		assert_true(ret >= 0 || ret == -ENODATA);
		ended = ret < 0 ? ended + 1 : 0;
		n += ret > 0 ? (unsigned)ret : 0;
		if (ret > 0)
			source_release(&share);
	}
	assert_int_equal(frames == UINT_MAX ? 0 : frames, n);
}

static void frames_do_not_wait_for_a_source_that_pauses(void **state)
{
	struct made *m = numbered_frames(0);
	const size_t bytes = m->part[0].end + 3 * (16 + DATA_BYTES);
	struct scene scene = {0};
	struct replay_conf c = {.paths = scene.paths, .paths_n = 1, .damage = ignore_damage};
	struct err e = {""};
	struct split *s;
	char path[64];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	scene.paths[0] = path;
	c.arg = &scene.damages;
	assert_int_equal(write(ends[1], m->bytes, bytes), bytes);
	assert_int_equal(replay_open(&scene.replay, &c, &e), 0);
	s = split_of(&scene, 2, by_number);
	ask_both(s, 3);
	close(ends[1]);
	ask_both(s, UINT_MAX); /* no more, but the end */
	assert_int_equal(scene.damages, 0);
	split_close(s);
	replay_close(scene.replay);
	split_close(NULL);
	close(ends[0]);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_comes_once_to_its_share_and_in_order),
		cmocka_unit_test(shares_without_frames_have_the_clock),
		cmocka_unit_test(share_that_stops_early_lets_the_split_close),
		cmocka_unit_test(frames_do_not_wait_for_a_source_that_pauses),
		cmocka_unit_test(error_reaches_every_share_behind_the_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
