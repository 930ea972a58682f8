/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_config.c - files of configuration, and the values in them as options.
 *
 * The first byte chooses the command line that they stand beside.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/options.h"
#include "fuzz.h"

static void check_entries(const uint8_t *bytes, size_t n)
{
	struct config c = {.n = 0};
	struct err e = {""};

	if (config_parse(&c, (const char *)bytes, n, "fuzz.conf", &e) < 0)
		must(strstr(e.text, "fuzz.conf") != NULL);
	for (size_t i = 0; i < c.n; i++)
		must(c.entries[i].key && c.entries[i].value && c.entries[i].line > 0);
	config_free(&c);
}

/* What a start relies on. */
static void check_values(const struct options *o)
{
	must((o->reads_n > 0) != (o->interfaces_n > 0));
	must(o->interfaces_n <= LIVE_INTERFACES && o->cpus_n <= OPTIONS_CPUS_MAX);
	must(o->workers >= 1 && o->workers <= OPTIONS_WORKERS_MAX);
	must(o->flows_max >= 1 && o->hosts_max >= 1 && o->socket_mode <= 0777);
	must(o->speed >= 0 && (o->interfaces_n == 0 || o->speed == 0));
	for (size_t i = 0; i < o->reads_n; i++)
		must(o->reads[i][0] != 0);
	for (size_t i = 0; i < o->interfaces_n; i++)
		must(o->interfaces[i][0] != 0);
	for (size_t i = 0; i < o->cpus_n; i++)
		must(o->cpus[i] < OPTIONS_CPUS_MAX);
	if (o->interfaces_n) {
		must((o->ring.block_bytes & (o->ring.block_bytes - 1)) == 0);
		must(o->ring.blocks >= 2 && o->snaplen < o->ring.block_bytes);
	}
}

static void count_name(void *arg, const char *name)
{
	must(name[0] != 0);
	++*(unsigned *)arg;
}

/* A start with that file, and a reload of it. */
static void check_options(const char *path, unsigned which)
{
	static char lines[][2][24] = {
		{"", ""}, {"-r", "x.pcap"}, {"-i", "eth0"}, {"--timeout=udp=1s", "--inner=all"}};
	char(*line)[24] = lines[which % (sizeof(lines) / sizeof(lines[0]))];
	char program[] = "tcsniff", config[64], *argv[] = {program, config, line[0], line[1], NULL};
	struct err e = {""};
	struct options o, again;
	unsigned changed = 0;
	const int argc = line[0][0] ? 4 : 2;
	int ret;

	snprintf(config, sizeof(config), "--config=%s", path);
	ret = options_parse(&o, argc, argv, &e);
	if (ret < 0) {
		must(e.text[0] != 0);
	} else {
		check_values(&o);
		must(options_parse(&again, argc, argv, &e) == 0);
		options_need_restart(&o, &again, count_name, &changed);
		must(changed == 0);
		options_free(&again);
	}
	options_free(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const unsigned which = take(&data, &n, 1);
	uint8_t *bytes = alone(data, n);
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz.conf", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	must(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
	check_entries(bytes, n);
	check_options(path, which);
	free(bytes);
	return 0;
}
