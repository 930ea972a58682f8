/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_screen.h - the terminal: frames out, keys and the mouse in.
 *
 * Threading: one thread, and one screen in a process.
 */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "base/err.h"
#include "cli/top_canvas.h"

enum top_key {
	TOP_KEY_NONE, /* or a character, as it is */
	TOP_KEY_UP = 256,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_BACK, /* Escape */
	TOP_KEY_ERASE,
	TOP_KEY_RESIZE,
	TOP_KEY_MOUSE,
	TOP_KEY_OVER /* the terminal is gone */
};

struct top_event {
	int key;	      /* enum top_key, or a character */
	unsigned x, y;	      /* of the mouse */
	bool is_double_click; /* likewise */
};

/* 0, or -ENOTTY with e filled: there is no terminal that can do it. */
int top_screen_open(struct err *e);
void top_screen_close(void);

void top_screen_size(unsigned *width, unsigned *height);
void top_screen_show(const struct top_canvas *c);

/* Waits for at most wait_ms. */
struct top_event top_screen_wait(int wait_ms);

#endif
