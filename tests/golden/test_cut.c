/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cut.c - whole captures, cut: the file after each of its first bytes, and
 * every frame after each of its own.
 *
 * Goes from file to books with the layers as they are, in one process, because
 * there are more cuts than processes could be started for. A frame's bytes stand
 * in a block of just their size, so that a sanitizer sees who reads beyond.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/replay.h"
#include "table/table.h"
#include "table/view.h"

#define CUTS		128
#define FRAMES_PER_FILE 500 /* of large captures, the first */

/* ---- captures --------------------------------------------------------------- */

static const char *root(void)
{
	const char *path = getenv("TCSNIFF_ROOT");

	return path ? path : ".";
}

static void find_captures(glob_t *found, const char *folder)
{
	char pattern[4096];

	snprintf(pattern, sizeof(pattern), "%s/*.pcap*", folder);
	if (glob(pattern, 0, NULL, found) != 0)
		found->gl_pathc = 0;
}

static void find_own(glob_t *found)
{
	char folder[4000];

	snprintf(folder, sizeof(folder), "%s/pcaps", root());
	find_captures(found, folder);
	assert_true(found->gl_pathc > 0);
}

/* The reference captures; skips the test where they are not, but not in CI. */
static void find_reference(glob_t *found)
{
	const char *named = getenv("TCSNIFF_CAPTURES"), *ci = getenv("CI");
	char folder[4000];

	snprintf(folder, sizeof(folder), "%s/../shared/pcaps", root());
	find_captures(found, named ? named : folder);
	if (found->gl_pathc)
		return;
	print_message("no reference captures: name their folder in TCSNIFF_CAPTURES\n");
	if (ci && !strcmp(ci, "true"))
		fail();
	skip();
}

/* ---- books ------------------------------------------------------------------ */

static struct table *new_table(void)
{
	struct table_conf conf = {.workers = 1, .flows_max = 4096, .hosts_max = 4096};
	struct table *t;
	struct err e;

	flow_timeouts_init(&conf.timeouts);
	assert_int_equal(table_new(&t, &conf, &e), 0);
	return t;
}

static void add_host(struct view_counter *sum, const struct view_host *host)
{
	for (unsigned c = 0; c < PKT_CLASSES; c++) {
		sum->packets += host->cls[c].tx.packets + host->cls[c].rx.packets;
		sum->bytes += host->cls[c].tx.bytes + host->cls[c].rx.bytes;
	}
}

/* The ledger's identity, in packets and in bytes. */
static void assert_books_agree(const struct table *t)
{
	struct view_counter sum = {0, 0};
	struct view_totals v;
	struct view_host host;
	const struct view_ledger *l = &v.ledger;

	table_totals_view(t, &v);
	for (uint32_t i = 0; i < table_hosts_end(t); i++)
		if (table_host_view(t, i, &host) == 0)
			add_host(&sum, &host);
	table_overflow_view(t, &host);
	add_host(&sum, &host);
	table_forgotten_view(t, &host);
	add_host(&sum, &host);
	assert_int_equal(l->received, l->counted.packets + l->transit + l->not_ip + l->malformed);
	assert_int_equal(l->counted.packets,
			 l->tracked + l->untracked_table_full + l->untracked_host_limit +
				 l->untracked_icmp_error + l->untracked_icmp_other +
				 l->untracked_fragment);
	assert_int_equal(sum.packets, l->counted.packets + l->internal.packets);
	assert_int_equal(sum.bytes, l->counted.bytes + l->internal.bytes);
}

/* ---- files cut ---------------------------------------------------------------- */

static void note_damage(void *arg, const char *sentence)
{
	assert_true(strlen(sentence) > 0);
	(*(unsigned *)arg)++;
}

/* Counts a file to its end; how many frames it had. Damage is told at most once. */
static uint64_t count_file(const char *path, struct account *a)
{
	unsigned damages = 0;
	struct replay_conf conf = {
		.paths = &path, .paths_n = 1, .damage = note_damage, .arg = &damages};
	const struct frame *frames;
	struct replay *r;
	struct source source;
	struct err e = {""};
	uint64_t now_ns = 0, n = 0;
	int ret = replay_open(&r, &conf, &e);

	if (ret < 0) { /* no capture file (any more): says so */
		assert_true(strlen(e.text) > 0);
		return 0;
	}
	source = replay_source(r);
	while ((ret = source_recv(&source, &frames, &now_ns, &e)) >= 0) {
		account_clock(a, now_ns);
		account_batch(a, frames, (unsigned)ret);
		n += (unsigned)ret;
		source_release(&source);
	}
	assert_int_equal(ret, -ENODATA);
	assert_true(damages <= 1);
	source_close(&source);
	return n;
}

/* Makes fd hold the first n bytes of `from`. */
static void put_first(int fd, const uint8_t *from, size_t n)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, from, n, 0), (ssize_t)n);
}

/* The same bytes as a stream that cannot be mapped. */
static uint64_t count_piped(const uint8_t *from, size_t n, struct account *a)
{
	int ends[2], kept = dup(STDIN_FILENO);
	uint64_t frames;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], from, n), (ssize_t)n);
	close(ends[1]);
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	close(ends[0]);
	frames = count_file("-", a);
	if (kept >= 0)
		dup2(kept, STDIN_FILENO);
	close(kept);
	return frames;
}

static void cut_file(const char *path)
{
	struct table *t = new_table();
	struct account *a = table_account(t, 0);
	int whole = open(path, O_RDONLY | O_CLOEXEC), cut = memfd_create("cut", MFD_CLOEXEC);
	uint64_t before = 0;
	uint8_t first[CUTS];
	char name[64];
	ssize_t size;

	assert_true(whole >= 0 && cut >= 0);
	size = read(whole, first, sizeof(first));
	assert_true(size > 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", cut);
	for (size_t n = 0; n <= (size_t)size; n++) {
		uint64_t frames;

		put_first(cut, first, n);
		frames = count_file(name, a);
		if (frames < before || count_piped(first, n, a) != frames)
			fail_msg("%s cut behind byte %zu: %llu frames; one byte less: %llu", path,
				 n, (unsigned long long)frames, (unsigned long long)before);
		before = frames;
		assert_books_agree(t);
	}
	close(whole);
	close(cut);
	table_free(t);
}

/* ---- frames cut ---------------------------------------------------------------- */

/* What is left of a frame may say less than the whole, but nothing else. */
static void assert_says_no_other(const struct pkt *cut, const struct pkt *whole)
{
	if (cut->verdict != PKT_OK)
		return;
	assert_int_equal(whole->verdict, PKT_OK);
	assert_int_equal(cut->ip_bytes, whole->ip_bytes);
	assert_true(addr_equal(pkt_src(cut), pkt_src(whole)));
	assert_true(addr_equal(pkt_dst(cut), pkt_dst(whole)));
	assert_true(cut->class == whole->class || cut->class == PKT_OTHER);
}

static void cut_frame(const struct frame *f, struct account *a)
{
	struct pkt whole, cut;

	pkt_decode(f, &whole);
	for (uint32_t n = 0; n <= CUTS && n <= f->caplen; n++) {
		struct frame part = *f;
		uint8_t *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, f->data, n);
		part.data = copy;
		part.caplen = n;
		pkt_decode(&part, &cut);
		assert_says_no_other(&cut, &whole);
		assert_true(pkt_fanout(&part, 5) < 5);
		account_batch(a, &part, 1);
		free(copy);
	}
}

static void cut_frames_of(const char *path)
{
	unsigned damages = 0, left = FRAMES_PER_FILE;
	struct replay_conf conf = {
		.paths = &path, .paths_n = 1, .damage = note_damage, .arg = &damages};
	struct table *t = new_table();
	struct account *a = table_account(t, 0);
	const struct frame *frames;
	struct replay *r;
	struct source source;
	struct err e = {""};
	uint64_t now_ns;
	int n;

	assert_int_equal(replay_open(&r, &conf, &e), 0);
	source = replay_source(r);
	while (left && (n = source_recv(&source, &frames, &now_ns, &e)) >= 0) {
		account_clock(a, now_ns);
		for (int i = 0; i < n && left; i++, left--)
			cut_frame(&frames[i], a);
		source_release(&source);
	}
	assert_books_agree(t);
	source_close(&source);
	table_free(t);
}

/* ---- tests -------------------------------------------------------------------- */

static void each(void (*find)(glob_t *), void (*cut)(const char *))
{
	glob_t found = {0};

	find(&found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		cut(found.gl_pathv[i]);
	globfree(&found);
}

static void own_files_cut_at_each_byte_keep_the_books(void **state)
{
	(void)state;
	each(find_own, cut_file);
}

static void reference_files_cut_at_each_byte_keep_the_books(void **state)
{
	(void)state;
	each(find_reference, cut_file);
}

static void own_frames_cut_at_each_byte_say_nothing_else(void **state)
{
	(void)state;
	each(find_own, cut_frames_of);
}

static void reference_frames_cut_at_each_byte_say_nothing_else(void **state)
{
	(void)state;
	each(find_reference, cut_frames_of);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_files_cut_at_each_byte_keep_the_books),
		cmocka_unit_test(reference_files_cut_at_each_byte_keep_the_books),
		cmocka_unit_test(own_frames_cut_at_each_byte_say_nothing_else),
		cmocka_unit_test(reference_frames_cut_at_each_byte_say_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
