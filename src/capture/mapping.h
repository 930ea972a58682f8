/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.h - a file in memory, and who has come how far in it.
 *
 * One or several readers go through it, window by window. Whoever comes to a
 * window first has the next one paged in, and when all have left one, it is
 * given back. None gets far ahead of the others.
 *
 * Threading: open, join and close by one thread at a time; a reader belongs to
 *            one thread. All are known before the second one begins.
 * Memory:    two bytes a window.
 */
#ifndef CAPTURE_MAPPING_H
#define CAPTURE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPPING_WINDOW_BYTES  ((size_t)1 << 20)
#define MAPPING_WINDOWS_APART 32 /* that a reader may be ahead of another */

struct mapping;

/* Maps the file, for one reader, which begins at `start`. Borrows fd until close.
 * NULL: it cannot be. */
struct mapping *mapping_open(int fd, size_t bytes, size_t start);
/* For as many readers, itself included, 255 at most: before it enters a window. */
void mapping_share(struct mapping *m, unsigned readers);
/* One of them joins. Each one closes it. */
void mapping_join(struct mapping *m);
void mapping_close(struct mapping *m);

const uint8_t *mapping_base(const struct mapping *m);
size_t mapping_start(const struct mapping *m);

/* A reader comes to a window, having come to all those before. False, after a
 * moment: the others are too far behind, ask again. *bytes: how long the file is,
 * which is less than it was if somebody has cut it. */
bool mapping_enter(struct mapping *m, size_t window, size_t *bytes);

/* A reader has come to its end; whether all have. */
void mapping_leave(struct mapping *m);
bool mapping_is_left(const struct mapping *m);
/* One that was to come does not: nobody waits for it. Any thread. */
void mapping_excuse(struct mapping *m);

#endif
