/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * err.h - a sentence about what failed, carried up to whoever may print it.
 *
 * The place that knows most fills a struct err; only main() and thread tops
 * print it. Threading: a struct err belongs to one thread. Never allocates.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_BYTES 512

struct err {
	char text[ERR_TEXT_BYTES]; /* NUL-terminated, no newline at the end */
};

/* Notes the sentence and returns `ret` (a -errno), so that callers can write
 * `return err_set(e, -EINVAL, "...")`. e may be NULL. */
int err_set(struct err *e, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with ": " and the words for errno behind it; returns -errno. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
