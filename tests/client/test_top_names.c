/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_top_names.c - names of addresses come by themselves, and nobody waits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/top_names.h"

#define WAIT_MS	  30000
#define MANY	  50000
#define AT_ONCE_S 2.0 /* for all of them: no name server answers so many in that time */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void a_name_comes_when_it_is_known(void **state)
{
	const struct tctable_addr local = {.bytes = {127, 0, 0, 1}, .family = 4};
	char name[64] = "";
	bool is_known = false;

	(void)state;
	for (unsigned ms = 0; ms < WAIT_MS && !is_known; ms += 10) {
		is_known = top_names_lookup(&local, name, sizeof(name));
		usleep(10000);
	}
	assert_true(is_known);
	assert_true(strlen(name) > 0 && strchr(name, ' ') == NULL);
	memset(name, 'x', sizeof(name));
	assert_true(top_names_lookup(&local, name, 4)); /* cut to its room */
	assert_true(strlen(name) <= 3);
}

static void asking_for_many_waits_for_none(void **state)
{
	const double began = seconds();
	char name[64];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		const struct tctable_addr ip = {.bytes = {198, 18, (uint8_t)(i >> 8), (uint8_t)i},
						.family = 4};

		top_names_lookup(&ip, name, sizeof(name));
	}
	assert_true(seconds() - began < AT_ONCE_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_comes_when_it_is_known),
		cmocka_unit_test(asking_for_many_waits_for_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
