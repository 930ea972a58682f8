/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_canvas.h - a frame of text, before a terminal or a file gets it.
 *
 * Threading: one thread. Memory: init allocates for a size, fini frees.
 * All of it is printable ASCII: what is not becomes '?'.
 */
#ifndef CLI_TOP_CANVAS_H
#define CLI_TOP_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How a cell looks; never the only thing that says something. */
enum top_look { TOP_PLAIN, TOP_BOLD, TOP_REVERSE, TOP_DIM };

struct top_canvas {
	unsigned width, height;
	char *text;    /* width * height; owned */
	uint8_t *look; /* likewise */
};

/* 0, or -ENOMEM. Blank. */
int top_canvas_init(struct top_canvas *c, unsigned width, unsigned height);
void top_canvas_fini(struct top_canvas *c);

/* Text from (x, y) on, cut where its `room` or the canvas ends; right-aligned in
 * its room if is_right. */
void top_canvas_put(struct top_canvas *c, unsigned x, unsigned y, unsigned room, bool is_right,
		    const char *text);
void top_canvas_look(struct top_canvas *c, unsigned y, unsigned x, unsigned n, enum top_look look);

/* As lines of text, without blanks at their ends. */
void top_canvas_print(const struct top_canvas *c, FILE *out);

#endif
