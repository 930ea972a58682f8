/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_format.h - numbers and shares in few characters. Pure.
 */
#ifndef CLI_TOP_FORMAT_H
#define CLI_TOP_FORMAT_H

#include "tctable.h"

#define TOP_NUMBER_BYTES 16

/* 0 to 9999, then "12.3k", "4.56M", ...: at most 5 characters. Returns buf. */
const char *top_format_number(char buf[TOP_NUMBER_BYTES], double v);

/* `width` letters, T, U, I and O for the classes, by their shares of all bytes; who
 * has any has one letter at least, if there is room. Dots: nothing was counted.
 * buf has width + 1 bytes. */
const char *top_format_shares(char *buf, unsigned width,
			      const struct tctable_traffic cls[TCTABLE_CLASSES]);

/* Text in at most `room` characters: what is longer loses its middle to "..". buf has
 * room + 1 bytes. */
const char *top_format_short(char *buf, unsigned room, const char *text);

#endif
