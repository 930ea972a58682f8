/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.c - the live view: asks, draws, and waits for keys, in turn.
 *
 * What a key changes is drawn at once from what is known; what has to be asked for
 * is asked for at once as well. While it is paused nothing is asked, unless a key wants
 * something else than is shown.
 */
#include "cli/top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/exit.h"
#include "cli/print.h"
#include "cli/top_ask.h"
#include "cli/top_frame.h"
#include "cli/top_input.h"
#include "cli/top_options.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX     1000
#define FRAME_LINES   5 /* of a frame, beside its rows */

int top_word(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--socket") == 0) {
			i++;
			continue;
		}
		if (strcmp(argv[i], "-t") == 0 || strcmp(argv[i], "top") == 0)
			return i;
		if (argv[i][0] != '-')
			return 0;
	}
	return 0;
}

static int complain(int status, const char *text)
{
	fprintf(stderr, "tctable: %s\n%s", text,
		status == EXIT_USAGE ? "Try 'tctable top --help'.\n" : "");
	return status;
}

/* Into a canvas of its own, which the caller takes. */
static int draw(struct top_canvas *c, struct top_model *m, unsigned width, unsigned height)
{
	if (top_canvas_init(c, width, height) < 0)
		return -ENOMEM;
	top_model_fit(m, top_frame_rows(m, height));
	top_frame_draw(c, m);
	return 0;
}

/* --- one frame ------------------------------------------------------------------- */

static unsigned width_of_lines(void)
{
	const char *text = getenv("COLUMNS");
	const long n = text ? strtol(text, NULL, 10) : 0;

	return n >= TOP_FRAME_WIDTH_MIN && n <= WIDTH_MAX ? (unsigned)n : WIDTH_DEFAULT;
}

static void wait_ms(uint64_t ms)
{
	struct timespec left = {.tv_sec = (time_t)(ms / 1000),
				.tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0)
		;
}

static int failed(struct top_asker *a, const struct top_model *m, int ret)
{
	(void)a;
	return complain(ret == -EPROTO ? EXIT_VERSION : EXIT_UNREACHABLE, m->trouble);
}

static int show_once(struct top_asker *a, struct top_model *m, const struct top_options *o)
{
	struct top_canvas c;
	struct err e;
	int ret;

	top_model_fit(m, o->rows);
	ret = top_ask(a, m);
	if (ret == 0) {
		wait_ms(o->interval_ms); /* rates are between two answers */
		ret = top_ask(a, m);
	}
	if (ret < 0)
		return failed(a, m, ret);
	if (draw(&c, m, width_of_lines(),
		 FRAME_LINES + (unsigned)(m->rows_n < o->rows ? m->rows_n : o->rows)) < 0)
		return complain(EXIT_NOT_FOUND, "out of memory");
	c.height--; /* the last line is about keys */
	top_canvas_print(&c, stdout);
	top_canvas_fini(&c);
	if (print_finish(stdout, "standard output", &e) < 0)
		return complain(EXIT_NOT_FOUND, e.text);
	return EXIT_DONE;
}

/* --- frame after frame ------------------------------------------------------------- */

static int show(struct top_model *m)
{
	unsigned width, height;
	struct top_canvas c;

	top_screen_size(&width, &height);
	if (draw(&c, m, width, height) < 0)
		return -ENOMEM;
	top_screen_show(&c);
	top_canvas_fini(&c);
	return 0;
}

/* One key, or until it is time to ask again. */
static enum top_wish wait_for_key(struct top_input *in, struct top_model *m, uint64_t due_ms)
{
	const uint64_t now_ms = top_clock_ms();
	struct top_event event;
	unsigned width, height;

	event = top_screen_wait(due_ms > now_ms ? (int)(due_ms - now_ms) : 0);
	top_screen_size(&width, &height);
	return top_input_take(in, m, &event, width, height);
}

static int show_live(struct top_asker *a, struct top_model *m, const struct top_options *o)
{
	struct top_input in = {.is_typing = false};
	enum top_wish wish = TOP_WISH_ASK;
	uint64_t due_ms = 0;
	int ret = 0;

	while (wish != TOP_WISH_QUIT && ret == 0) {
		const uint64_t now_ms = top_clock_ms();
		unsigned width, height;

		top_screen_size(&width, &height);
		top_model_fit(m, top_frame_rows(m, height));
		if (wish == TOP_WISH_ASK || (now_ms >= due_ms && !m->is_paused))
			top_ask(a, m);
		if (now_ms >= due_ms)
			due_ms = now_ms + o->interval_ms;
		ret = show(m);
		do
			wish = wait_for_key(&in, m, due_ms);
		while (wish == TOP_WISH_NOTHING && top_clock_ms() < due_ms);
	}
	return ret;
}

static int run_live(struct top_asker *a, struct top_model *m, const struct top_options *o)
{
	struct err e;
	int ret = top_screen_open(&e);

	if (ret < 0)
		return complain(EXIT_USAGE, e.text);
	/* A daemon that is not there, or not for us, is told before the screen is. */
	ret = top_ask(a, m);
	if (ret < 0) {
		top_screen_close();
		return failed(a, m, ret);
	}
	ret = show_live(a, m, o);
	top_screen_close();
	return ret < 0 ? complain(EXIT_NOT_FOUND, "out of memory") : EXIT_DONE;
}

int top_main(int argc, char **argv, int word)
{
	struct top_asker asker = {.t = NULL};
	struct top_model *m = malloc(sizeof(*m));
	struct top_options o;
	int status;
	struct err e;

	if (!m)
		return complain(EXIT_NOT_FOUND, "out of memory");
	top_model_init(m);
	memmove(argv + word, argv + word + 1, (size_t)(argc - word) * sizeof(*argv));
	if (top_options_parse(&o, m, argc - 1, argv, &e) < 0) {
		status = complain(EXIT_USAGE, e.text);
	} else if (o.help) {
		fputs(top_options_help, stdout);
		status = print_finish(stdout, "standard output", &e) < 0
				 ? complain(EXIT_NOT_FOUND, e.text)
				 : EXIT_DONE;
	} else {
		asker.path = o.socket;
		status = o.once ? show_once(&asker, m, &o) : run_live(&asker, m, &o);
	}
	top_asker_fini(&asker);
	top_model_fini(m);
	free(m);
	return status;
}
