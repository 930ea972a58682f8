/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_capture.c - capture files, mapped, from a pipe, compressed.
 *
 * The first byte says how it is read; the rest is the file.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/pcap_file.h"
#include "capture/source.h"
#include "fuzz.h"

#define FRAMES	 64
#define PIPE_MAX 60000 /* what a pipe holds */
#define LOOKS	 100000

/* Reads all of it, and touches every byte of every frame. */
static void read_all(const char *path)
{
	struct frame frames[FRAMES];
	struct pcap_file *f;
	struct err e = {""};
	unsigned sum = 0;
	int n;

	if (pcap_file_open(&f, path, &e) < 0) {
		must(e.text[0] != 0);
		return;
	}
	for (unsigned look = 0; look < LOOKS; look++) {
		n = pcap_file_recv(f, frames, FRAMES, &e);
		must(n <= FRAMES);
		for (int i = 0; i < n; i++) {
			must(frames[i].caplen <= SOURCE_CAP_MAX);
			for (uint32_t at = 0; at < frames[i].caplen; at++)
				sum += frames[i].data[at];
		}
		if (n == 0)
			break;
		must(n > 0 || e.text[0] != 0 || n == -EAGAIN);
	}
	must(sum + 1 != 0 || sum == UINT32_MAX);
	pcap_file_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const bool is_pipe = take(&data, &n, 1) & 1;
	char path[64];
	int fd[2] = {-1, -1};

	if (is_pipe) {
		must(pipe(fd) == 0);
		n = n < PIPE_MAX ? n : PIPE_MAX;
	} else {
		fd[0] = fd[1] = memfd_create("capture", 0);
	}
	must(fd[0] >= 0 && write(fd[1], data, n) == (ssize_t)n);
	if (is_pipe)
		close(fd[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[0]);
	read_all(path);
	close(fd[0]);
	return 0;
}
