/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_canvas.c - a frame of text, before a terminal or a file gets it.
 */
#include "cli/top_canvas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int top_canvas_init(struct top_canvas *c, unsigned width, unsigned height)
{
	const size_t n = (size_t)width * height;

	c->width = width;
	c->height = height;
	c->text = malloc(n + 1);
	c->look = calloc(n + 1, 1);
	if (!c->text || !c->look) {
		top_canvas_fini(c);
		return -ENOMEM;
	}
	memset(c->text, ' ', n);
	return 0;
}

void top_canvas_fini(struct top_canvas *c)
{
	free(c->text);
	free(c->look);
	c->text = NULL;
	c->look = NULL;
}

void top_canvas_put(struct top_canvas *c, unsigned x, unsigned y, unsigned room, bool is_right,
		    const char *text)
{
	unsigned n = (unsigned)strnlen(text, room);

	if (x >= c->width || y >= c->height)
		return;
	if (is_right)
		x += room - n;
	for (unsigned i = 0; i < n && x + i < c->width; i++) {
		const char ch = text[i];

		c->text[(size_t)y * c->width + x + i] = ch >= 0x20 && ch < 0x7f ? ch : '?';
	}
}

void top_canvas_look(struct top_canvas *c, unsigned y, unsigned x, unsigned n, enum top_look look)
{
	for (unsigned i = x; y < c->height && i < c->width && i - x < n; i++)
		c->look[(size_t)y * c->width + i] = (uint8_t)look;
}

void top_canvas_print(const struct top_canvas *c, FILE *out)
{
	for (unsigned y = 0; y < c->height; y++) {
		const char *line = c->text + (size_t)y * c->width;
		unsigned n = c->width;

		while (n && line[n - 1] == ' ')
			n--;
		fprintf(out, "%.*s\n", (int)n, line);
	}
}
