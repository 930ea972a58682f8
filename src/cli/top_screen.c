/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_screen.c - the terminal: frames out, keys and the mouse in.
 *
 * ncurses compares a frame with the one before and writes what differs. Frames are
 * told by bold, reverse and dim alone: no colours.
 */
#include "cli/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REMEDY "use 'tctable top --once', which prints one frame as text"

static SCREEN *screen;

int top_screen_open(struct err *e)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(e, -ENOTTY,
			       "the live view needs a terminal, and there is none; " REMEDY);
	if (!term || !*term || strcmp(term, "dumb") == 0)
		return err_set(
			e, -ENOTTY,
			"the live view cannot be on a terminal of type '%.40s' (TERM); " REMEDY,
			term ? term : "");
	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return err_set(e, -ENOTTY,
			       "nothing is known of terminals of type '%.40s' (TERM); set TERM to "
			       "what it is, or " REMEDY,
			       term);
	set_escdelay(50);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	mousemask(BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON1_PRESSED, NULL);
	mouseinterval(0);
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

void top_screen_size(unsigned *width, unsigned *height)
{
	*width = (unsigned)COLS;
	*height = (unsigned)LINES;
}

void top_screen_show(const struct top_canvas *c)
{
	static const attr_t attrs[] = {
		[TOP_PLAIN] = A_NORMAL,
		[TOP_BOLD] = A_BOLD,
		[TOP_REVERSE] = A_REVERSE,
		[TOP_DIM] = A_DIM,
	};

	erase();
	for (unsigned y = 0; y < c->height; y++)
		for (unsigned x = 0; x < c->width; x++) {
			const size_t at = (size_t)y * c->width + x;

			if (c->text[at] != ' ' || c->look[at])
				mvaddch((int)y, (int)x,
					(chtype)(unsigned char)c->text[at] | attrs[c->look[at]]);
		}
	refresh();
}

static struct top_event mouse_event(void)
{
	struct top_event event = {.key = TOP_KEY_NONE};
	MEVENT m;

	if (getmouse(&m) != OK || m.x < 0 || m.y < 0)
		return event;
	event.key = TOP_KEY_MOUSE;
	event.x = (unsigned)m.x;
	event.y = (unsigned)m.y;
	event.is_double_click = m.bstate & BUTTON1_DOUBLE_CLICKED;
	return event;
}

static int key_of(int ch)
{
	switch (ch) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_LEFT:
		return TOP_KEY_LEFT;
	case KEY_RIGHT:
		return TOP_KEY_RIGHT;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case '\r':
	case '\n':
	case KEY_ENTER:
		return TOP_KEY_ENTER;
	case 27:
		return TOP_KEY_BACK;
	case 8:
	case 127:
	case KEY_BACKSPACE:
		return TOP_KEY_ERASE;
	case KEY_RESIZE:
		return TOP_KEY_RESIZE;
	default:
		return ch >= 0x20 && ch < 0x7f ? ch : TOP_KEY_NONE;
	}
}

struct top_event top_screen_wait(int wait_ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	int ch = getch(); /* a key may be in ncurses' hands already, or a new size */

	if (ch == ERR) {
		/* Interrupted by a new size, poll says nothing, and getch does. */
		if (poll(&in, 1, wait_ms) > 0 && !(in.revents & POLLIN))
			return (struct top_event){.key = TOP_KEY_OVER};
		ch = getch();
		if (ch == ERR && in.revents & POLLHUP)
			return (struct top_event){.key = TOP_KEY_OVER};
	}
	if (ch == KEY_MOUSE)
		return mouse_event();
	return (struct top_event){.key = ch == ERR ? TOP_KEY_NONE : key_of(ch)};
}
