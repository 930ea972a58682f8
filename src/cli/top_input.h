/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_input.h - what keys and the mouse do to the live view's model.
 */
#ifndef CLI_TOP_INPUT_H
#define CLI_TOP_INPUT_H

#include "cli/top_model.h"
#include "cli/top_screen.h"

struct top_input {
	bool is_typing; /* a filter is being typed */
	char typed[TOP_FILTER_BYTES];
};

enum top_wish {
	TOP_WISH_NOTHING,
	TOP_WISH_DRAW, /* the model has changed */
	TOP_WISH_ASK,  /* so much that something else is to be asked for at once */
	TOP_WISH_QUIT
};

/* width and height: of the frame in which it happened. */
enum top_wish top_input_take(struct top_input *in, struct top_model *m,
			     const struct top_event *event, unsigned width, unsigned height);

#endif
