/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_err.c - the sentence about what failed, and the number beside it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void set_notes_the_sentence_and_returns_the_number(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, -EINVAL, "'%s' is %d", "x", 3), -EINVAL);
	assert_string_equal(e.text, "'x' is 3");
}

static void sys_adds_the_words_for_errno(void **state)
{
	char want[ERR_TEXT_BYTES] = "open(a): ";
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "open(%s)", "a"), -ENOENT);
	assert_string_equal(e.text, strcat(want, strerror(ENOENT)));
}

static void nobody_need_listen(void **state)
{
	(void)state;
	errno = EPERM;
	assert_int_equal(err_sys(NULL, "socket"), -EPERM);
	assert_int_equal(err_set(NULL, -ERANGE, "%d", 1), -ERANGE);
}

/* The struct stands between two guards that must survive. */
static void endless_sentence_is_cut_inside_its_buffer(void **state)
{
	struct {
		char before[16];
		struct err e;
		char after[16];
	} box;
	char endless[2 * ERR_TEXT_BYTES];
	char guard[16];

	(void)state;
	memset(&box, 0x5a, sizeof(box));
	memset(guard, 0x5a, sizeof(guard));
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';

	assert_int_equal(err_set(&box.e, -EINVAL, "%s", endless), -EINVAL);
	assert_int_equal(strlen(box.e.text), ERR_TEXT_BYTES - 1);
	errno = EIO;
	assert_int_equal(err_sys(&box.e, "%s", endless), -EIO);
	assert_int_equal(strlen(box.e.text), ERR_TEXT_BYTES - 1);
	errno = EIO; /* room for the colon and little more */
	assert_int_equal(err_sys(&box.e, "%.*s", ERR_TEXT_BYTES - 4, endless), -EIO);
	assert_int_equal(strlen(box.e.text), ERR_TEXT_BYTES - 1);
	assert_memory_equal(box.before, guard, sizeof(guard));
	assert_memory_equal(box.after, guard, sizeof(guard));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_notes_the_sentence_and_returns_the_number),
		cmocka_unit_test(sys_adds_the_words_for_errno),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(endless_sentence_is_cut_inside_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
