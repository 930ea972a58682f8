/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_config.c - a file of keys and values, whatever is in it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../flow/random.h"
#include "daemon/config.h"

static const char sample[] = "# what to listen to\n"
			     "interface = eth1\n"
			     "\n"
			     "; also a comment\r\n"
			     "inner = 10.0.0.0/8,fc00::/7 ; ours\n"
			     "\t192.168.0.0/16\n"
			     "  # not a value\n"
			     " 172.16.0.0/12\n"
			     "timeout: tcp-established=1d\n"
			     "filter = not port 22";

static void parse(struct config *c, const char *text)
{
	struct err e = {""};

	if (config_parse(c, text, strlen(text), "x.conf", &e) < 0)
		fail_msg("%s", e.text);
}

static void assert_entry(const struct config *c, size_t i, const char *key, const char *value,
			 unsigned line, bool goes_on)
{
	assert_true(i < c->n);
	assert_string_equal(c->entries[i].key, key);
	assert_string_equal(c->entries[i].value, value);
	assert_int_equal(c->entries[i].line, line);
	assert_int_equal(c->entries[i].goes_on, goes_on);
}

static void keys_come_with_their_values_and_lines(void **state)
{
	struct config c;

	(void)state;
	parse(&c, sample);
	assert_int_equal(c.n, 6);
	assert_entry(&c, 0, "interface", "eth1", 2, false);
	assert_entry(&c, 1, "inner", "10.0.0.0/8,fc00::/7", 5, false);
	assert_entry(&c, 2, "inner", "192.168.0.0/16", 6, true);
	assert_entry(&c, 3, "inner", "172.16.0.0/12", 8, true);
	assert_entry(&c, 4, "timeout", "tcp-established=1d", 9, false);
	assert_entry(&c, 5, "filter", "not port 22", 10, false);
	config_free(&c);
	assert_int_equal(c.n, 0);
	parse(&c, "");
	assert_int_equal(c.n, 0);
	config_free(&c);
}

static void assert_bad(const char *text, size_t n, const char *line, const char *word)
{
	struct config c = {.n = 77};
	struct err e = {""};

	assert_int_equal(config_parse(&c, text, n, "x.conf", &e), -EINVAL);
	assert_ptr_equal(strstr(e.text, line), e.text);
	if (!strstr(e.text, word))
		fail_msg("'%s' is not said in '%s'", word, e.text);
	assert_int_equal(c.n, 77); /* untouched */
}

static void what_is_no_key_and_value_is_named_with_its_line(void **state)
{
	char line[2048];

	(void)state;
	assert_bad("a = 1\nnonsense\n", 15, "x.conf:2: ", "key = value");
	assert_bad("[section\na = 1\n", 15, "x.conf:1: ", "key = value");
	assert_bad("a = 1\n\n[live]\nb = 2\n", 20, "x.conf:4: ", "[live]");
	assert_bad("a = 1\nb = \0\n", 12, "x.conf:2: ", "zero byte");
	snprintf(line, sizeof(line), "ok = 1\nfilter = %01500d\n", 7);
	assert_bad(line, strlen(line), "x.conf:2: ", "longer than");
}

/* A shell's <(...) is one. It has no size, and would pass for an empty file. */
static void pipe_is_no_file(void **state)
{
	struct config c;
	struct err e = {""};
	char path[32];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "quiet\n", 6), 6);
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(config_read(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, path));
	assert_non_null(strstr(e.text, "give a file"));
	close(fds[0]);
	close(fds[1]);
}

static void files_that_are_none_are_named(void **state)
{
	struct config c;
	struct err e = {""};

	(void)state;
	assert_int_equal(config_read(&c, "/nowhere/x.conf", &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nowhere/x.conf"));
	assert_int_equal(config_read(&c, "/", &e), -EISDIR);
	assert_int_equal(config_read(&c, "/dev/null", &e), 0);
	assert_int_equal(c.n, 0);
	config_free(&c);
}

/* Each length, in memory of just that size, for the sanitizers. */
static void every_truncation_is_read_or_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(sample); n++) {
		char *text = malloc(n ? n : 1);
		struct config c = {0};
		struct err e = {""};
		int ret;

		memcpy(text, sample, n);
		ret = config_parse(&c, text, n, "x.conf", &e);
		assert_true(ret == 0 || (ret == -EINVAL && e.text[0]));
		assert_true(c.n <= 6);
		config_free(&c);
		free(text);
	}
}

static void random_bytes_are_read_or_refused(void **state)
{
	static const char likely[] = "a=b:c[]; #\n\r\t\0\xef\xbb\xbf ";
	struct random r = {41};

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		const size_t n = random_below(&r, 300);
		char *text = malloc(n ? n : 1);
		struct config c = {0};
		struct err e = {""};
		int ret;

		for (size_t k = 0; k < n; k++)
			text[k] = random_below(&r, 4) ? likely[random_below(&r, sizeof(likely) - 1)]
						      : (char)random_next(&r);
		ret = config_parse(&c, text, n, "x.conf", &e);
		expect(ret == 0 || (ret == -EINVAL && e.text[0]), 41, i);
		for (size_t k = 0; k < c.n; k++)
			expect(c.entries[k].line > 0 && c.entries[k].line <= n, 41, i);
		config_free(&c);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_with_their_values_and_lines),
		cmocka_unit_test(what_is_no_key_and_value_is_named_with_its_line),
		cmocka_unit_test(files_that_are_none_are_named),
		cmocka_unit_test(pipe_is_no_file),
		cmocka_unit_test(every_truncation_is_read_or_refused),
		cmocka_unit_test(random_bytes_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
