/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_config.c - files of configuration.
 */
#include "daemon/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *bytes = alone(data, n);
	struct config c = {.n = 0};
	struct err e = {""};

	if (config_parse(&c, (const char *)bytes, n, "fuzz.conf", &e) < 0)
		must(strstr(e.text, "fuzz.conf") != NULL);
	for (size_t i = 0; i < c.n; i++)
		must(c.entries[i].key && c.entries[i].value && c.entries[i].line > 0);
	config_free(&c);
	free(bytes);
	return 0;
}
