/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_frame.h - the live view's model as a frame of text, and what is where in it.
 *
 * Pure, but for the names that it asks top_names.h for.
 */
#ifndef CLI_TOP_FRAME_H
#define CLI_TOP_FRAME_H

#include "cli/top_canvas.h"
#include "cli/top_model.h"

#define TOP_FRAME_WIDTH_MIN  40
#define TOP_FRAME_HEIGHT_MIN 8

/* How many rows of a list fit into a frame of so many lines. */
size_t top_frame_rows(const struct top_model *m, unsigned height);

/* Draws onto a blank canvas. */
void top_frame_draw(struct top_canvas *c, const struct top_model *m);

/* What is at a place, for the mouse: the column whose title it is, -1: none; the row
 * of the list (from its first shown), -1: none. */
int top_frame_column_at(const struct top_model *m, unsigned width, unsigned x, unsigned y);
long top_frame_row_at(const struct top_model *m, unsigned height, unsigned y);

#endif
