/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pick.c - files that every worker reads: each frame is picked by one, in order,
 * clocks go the same way, and nobody gets far ahead.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../flow/random.h"
#include "capture/mapping.h"
#include "capture/pick.h"
#include "files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define START_S	    1275451200
#define FRAMES	    9000 /* in each of two files */
#define ALL	    (2 * FRAMES)
#define WORKERS_MAX 8
#define DATA_BYTES  40

/* Frame i holds i, over and over. Stamps go on, stand still, lag behind, leave seconds
 * out; one in 2000 jumps back by an hour, and the next one forth again. */
static struct made *numbered_frames(uint32_t from)
{
	struct made *m = made_new(false);
	struct random r = {from};
	uint32_t us = 5000000 + from / FRAMES * 1000000 * 500; /* since START_S */

	put_classic_header(m, 0xa1b2c3d4, 2, 4, 65535, 1);
	for (uint32_t i = from; i < from + FRAMES; i++) {
		uint32_t at;

		us += random_below(&r, 3) ? random_below(&r, 3000) : 0;
		us += random_below(&r, 300) ? 0 : random_below(&r, 5000000);
		at = us - (random_below(&r, 50) ? 0 : random_below(&r, 2000000));
		put32(m, START_S + at / 1000000 - (i % 2000 == 1999 ? 3600 : 0));
		put32(m, at % 1000000);
		put32(m, DATA_BYTES);
		put32(m, DATA_BYTES);
		for (unsigned b = 0; b < DATA_BYTES; b += 4)
			put32(m, i);
	}
	return m;
}

static unsigned worker_of(const uint8_t *data, unsigned n)
{
	uint32_t number;

	memcpy(&number, data, 4);
	return (number * 2654435761u >> 8) % n;
}

static bool is_own(void *arg, const struct frame *f, unsigned i, unsigned n)
{
	(void)arg;
	return worker_of(f->data, n) == i;
}

static unsigned own_of(void *arg, struct pcap_run *run, unsigned i, unsigned n, const uint8_t **own,
		       unsigned most)
{
	unsigned own_n = 0;

	(void)arg;
	while (own_n < most && run->n < PICK_RECORDS) {
		uint32_t caplen;
		const uint8_t *p = pcap_run_next(run, &caplen);

		if (!p)
			break;
		assert_int_equal(caplen, DATA_BYTES);
		own[own_n] = p;
		own_n += worker_of(p + PCAP_RECORD_BYTES, n) == i;
	}
	return own_n;
}

/* --- a team -------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	struct pick *pick;
	struct source source;
	unsigned i, n;
	uint8_t seen[ALL];
	uint32_t frames;
	uint64_t ticks, now_ns; /* a digest of all seconds of the clock; and its end */
	uint64_t wrong;
	int status;
};

struct team {
	struct staged files[2];
	const char *paths[3];
	unsigned damages;
	struct replay *replays[WORKERS_MAX];
	struct worker workers[WORKERS_MAX];
	unsigned n;
};

static void note_damage(void *arg, const char *sentence)
{
	(void)sentence;
	++*(unsigned *)arg;
}

static int team_open(struct team *t, size_t paths_n, unsigned n, const char *filter, double speed)
{
	const struct replay_conf c = {.paths = t->paths,
				      .paths_n = paths_n,
				      .filter = filter,
				      .speed = speed,
				      .damage = note_damage,
				      .arg = &t->damages};
	struct err e = {""};
	const int ret = replay_open_team(t->replays, n, &c, &e);

	for (unsigned i = 0; i < n && ret == 0; i++) {
		struct worker *w = &t->workers[i];
		const struct pick_conf pick = {.i = i, .n = n, .is_own = is_own, .own_of = own_of};

		assert_int_equal(pick_open(&w->pick, t->replays[i], &pick, &e), 0);
		w->source = pick_source(w->pick);
		w->i = i;
		w->n = n;
		t->n++;
	}
	return ret;
}

static void team_close(struct team *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		source_close(&t->workers[i].source);
		pick_close(t->workers[i].pick);
		replay_close(t->replays[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		if (t->files[i].fd > 0)
			unstage(&t->files[i]);
	free(t);
}

/* The two files, of the second the first `bytes`; 0: all. */
static struct team *team_new(enum how how, size_t bytes)
{
	struct team *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (unsigned i = 0; i < 2; i++) {
		struct made *m = numbered_frames(i * FRAMES);

		stage(&t->files[i], m->bytes, i && bytes ? bytes : m->n, i ? how : MAPPED);
		t->paths[i] = t->files[i].path;
		free(m);
	}
	t->paths[2] = "/nonexistent/file.pcap";
	return t;
}

/* --- workers ------------------------------------------------------------------- */

static void check_frame(struct worker *w, const struct frame *f, uint32_t *next)
{
	uint32_t number;

	memcpy(&number, f->data, 4);
	if (number < *next || number >= ALL || f->caplen != DATA_BYTES ||
	    f->wirelen != DATA_BYTES || f->link != 1) {
		w->wrong++;
		return;
	}
	w->wrong += worker_of(f->data, w->n) != w->i;
	w->wrong += f->ts_ns > w->now_ns;
	w->seen[number]++;
	w->frames++;
	*next = number + 1;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t now_ns = 0;
	uint32_t next = 0;
	struct err e;

	for (;;) {
		const struct frame *frames;
		const int n = source_recv(&w->source, &frames, &now_ns, &e);

		w->status = n;
		if (n < 0)
			return NULL;
		w->wrong += now_ns < w->now_ns || n > SOURCE_BATCH;
		if (now_ns / SOURCE_TICK_NS != w->now_ns / SOURCE_TICK_NS)
			w->ticks = w->ticks * 31 + now_ns / SOURCE_TICK_NS;
		w->now_ns = now_ns;
		for (int i = 0; i < n; i++)
			check_frame(w, &frames[i], &next);
		if (n)
			source_release(&w->source);
	}
}

static void run(struct team *t)
{
	for (unsigned i = 0; i < t->n; i++)
		assert_int_equal(pthread_create(&t->workers[i].thread, NULL, work, &t->workers[i]),
				 0);
	for (unsigned i = 0; i < t->n; i++)
		assert_int_equal(pthread_join(t->workers[i].thread, NULL), 0);
}

static void check(const struct team *t, uint32_t frames)
{
	uint64_t jumps = 0;

	for (unsigned i = 0; i < t->n; i++) {
		const struct worker *w = &t->workers[i];
		struct clock_history times;

		assert_int_equal(w->status, -ENODATA);
		assert_int_equal(w->wrong, 0);
		assert_int_equal(w->now_ns, t->workers[0].now_ns);
		assert_int_equal(w->ticks, t->workers[0].ticks);
		replay_times(t->replays[i], &times);
		assert_true(i == 0 || times.back + times.forward == jumps);
		jumps = times.back + times.forward;
	}
	assert_true(jumps > 0);
	for (unsigned k = 0; k < ALL; k++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < t->n; i++)
			seen += t->workers[i].seen[k];
		if (seen != (k < frames))
			fail_msg("%u workers: frame %u came %u times", t->n, k, seen);
	}
}

/* --- the tests ------------------------------------------------------------------ */

static void every_frame_is_picked_once_and_in_order(void **state)
{
	static const unsigned workers[] = {1, 2, 3, 8};

	(void)state;
	for (size_t k = 0; k < COUNT(workers); k++) {
		struct team *t = team_new(MAPPED, 0);

		assert_int_equal(team_open(t, 2, workers[k], NULL, 0), 0);
		run(t);
		check(t, ALL);
		assert_int_equal(t->damages, 0);
		team_close(t);
	}
}

static void what_only_one_can_read_is_no_teams(void **state)
{
	static const uint8_t packed[4096] = {0x1f, 0x8b, 8};
	struct team *t = team_new(PIPED, 0);

	(void)state;
	assert_int_equal(team_open(t, 2, 2, NULL, 0), -ENOTSUP);
	assert_int_equal(team_open(t, 1, 2, "tcp", 0), -ENOTSUP);
	assert_int_equal(team_open(t, 1, 2, NULL, 1), -ENOTSUP);
	unstage(&t->files[1]);
	stage(&t->files[1], packed, sizeof(packed), MAPPED);
	t->paths[1] = t->files[1].path;
	assert_int_equal(team_open(t, 2, 2, NULL, 0), -ENOTSUP);
	t->paths[0] = "/nonexistent/file.pcap";
	assert_int_equal(team_open(t, 1, 2, NULL, 0), -ENOTSUP);
	team_close(t);
}

static void damage_is_told_once(void **state)
{
	const size_t whole = 24 + 100 * (16 + DATA_BYTES);

	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		struct team *t = team_new(MAPPED, whole + 30);

		assert_int_equal(team_open(t, 2, n, NULL, 0), 0);
		run(t);
		check(t, FRAMES + 100);
		assert_int_equal(t->damages, 1);
		team_close(t);
	}
}

/* Asks one again and again, until it has nothing to give: how many frames it gave. */
static unsigned take_all(struct worker *w)
{
	unsigned frames_n = 0;

	for (unsigned none = 0; none < 100;) {
		const struct frame *frames;
		struct err e;
		const int n = source_recv(&w->source, &frames, &w->now_ns, &e);

		if (n < 0)
			break;
		none = n ? 0 : none + 1;
		frames_n += (unsigned)n;
		if (n)
			source_release(&w->source);
	}
	return frames_n;
}

static void nobody_is_more_than_a_second_ahead(void **state)
{
	struct team *t = team_new(MAPPED, 0);
	struct worker *w = t->workers;
	unsigned rounds = 0, taken = 0;

	(void)state;
	assert_int_equal(team_open(t, 2, 2, NULL, 0), 0);
	/* The other one has not come to any second yet. */
	taken = take_all(&w[0]);
	assert_true(taken > 0);
	assert_int_equal(w[0].now_ns / SOURCE_TICK_NS, START_S + 5);
	while (taken < ALL) {
		const unsigned i = ++rounds % 2;

		taken += take_all(&w[i]);
		if (rounds > 1 && taken < ALL)
			assert_true(w[i].now_ns / SOURCE_TICK_NS >= w[!i].now_ns / SOURCE_TICK_NS);
	}
	assert_true(rounds > 10);
	team_close(t);
}

static void nobody_gets_far_ahead(void **state)
{
	static const uint8_t zero[1 << 16];
	FILE *f = tmpfile();
	struct mapping *m;
	size_t bytes = 0, n = 0;

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < 16 * (MAPPING_WINDOWS_APART + 8) + 1; i++)
		bytes += fwrite(zero, 1, sizeof(zero), f);
	fflush(f);
	m = mapping_open(fileno(f), bytes, 0);
	assert_non_null(m);
	mapping_share(m, 2);
	mapping_join(m);
	while (mapping_enter(m, n, &bytes))
		n++;
	assert_int_equal(n, MAPPING_WINDOWS_APART);
	assert_true(mapping_enter(m, 0, &bytes)); /* the other one */
	assert_true(mapping_enter(m, n++, &bytes));
	assert_false(mapping_enter(m, n, &bytes));
	mapping_leave(m);
	assert_false(mapping_is_left(m));
	mapping_excuse(m);
	assert_true(mapping_is_left(m));
	for (; n < MAPPING_WINDOWS_APART + 9; n++)
		assert_true(mapping_enter(m, n, &bytes));
	mapping_close(m);
	mapping_close(m);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_is_picked_once_and_in_order),
		cmocka_unit_test(what_only_one_can_read_is_no_teams),
		cmocka_unit_test(damage_is_told_once),
		cmocka_unit_test(nobody_is_more_than_a_second_ahead),
		cmocka_unit_test(nobody_gets_far_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
