/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.h - the live view: tctable top.
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

/* Where among the words of a command line the view is asked for: "top" or "-t";
 * 0: it is not. */
int top_word(int argc, char **argv);

/* The view, asked for at that place; returns the exit status. */
int top_main(int argc, char **argv, int word);

#endif
