/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_format.c - numbers and shares in few characters.
 */
#include "cli/top_format.h"

#include <stdio.h>
#include <string.h>

const char *top_format_number(char buf[TOP_NUMBER_BYTES], double v)
{
	static const char units[] = "kMGTPE";
	unsigned u = 0;

	if (v < 9999.5) {
		snprintf(buf, TOP_NUMBER_BYTES, "%.0f", v);
		return buf;
	}
	for (v /= 1000; v >= 999.5 && u + 2 < sizeof(units); u++)
		v /= 1000;
	snprintf(buf, TOP_NUMBER_BYTES, "%.*f%c", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, units[u]);
	return buf;
}

static unsigned most_of(const unsigned n[TCTABLE_CLASSES])
{
	unsigned most = 0;

	for (unsigned c = 1; c < TCTABLE_CLASSES; c++)
		most = n[c] > n[most] ? c : most;
	return most;
}

const char *top_format_shares(char *buf, unsigned width,
			      const struct tctable_traffic cls[TCTABLE_CLASSES])
{
	static const char letters[TCTABLE_CLASSES] = {'T', 'U', 'I', 'O'};
	double bytes[TCTABLE_CLASSES], all = 0;
	unsigned n[TCTABLE_CLASSES], used = 0, largest = 0, at = 0;

	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		bytes[c] = (double)cls[c].tx.bytes + (double)cls[c].rx.bytes;
		all += bytes[c];
	}
	memset(buf, '.', width);
	buf[width] = '\0';
	if (all <= 0 || width < TCTABLE_CLASSES)
		return buf;
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++) {
		n[c] = (unsigned)(bytes[c] / all * width + 0.5);
		if (bytes[c] > 0 && n[c] == 0)
			n[c] = 1;
		used += n[c];
		largest = bytes[c] > bytes[largest] ? c : largest;
	}
	for (; used < width; used++) /* what rounding left, ... */
		n[largest]++;
	for (; used > width; used--) /* ... or took too much */
		n[most_of(n)]--;
	for (unsigned c = 0; c < TCTABLE_CLASSES; c++)
		for (unsigned i = 0; i < n[c] && at < width; i++)
			buf[at++] = letters[c];
	return buf;
}

const char *top_format_short(char *buf, unsigned room, const char *text)
{
	const size_t n = strlen(text);

	if (n <= room || room < 5) {
		snprintf(buf, (size_t)room + 1, "%s", text);
		return buf;
	}
	snprintf(buf, (size_t)room + 1, "%.*s..%s", (int)(room - 2) / 2, text,
		 text + n - (room - 2 - (room - 2) / 2));
	return buf;
}
