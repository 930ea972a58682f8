/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - 'tctable metrics': the books for Prometheus, printed or served.
 */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

/* Where in argv the word "metrics" stands as the command; 0: it does not. */
int metrics_word(int argc, char **argv);

/* What main() returns. word: as above. */
int metrics_main(int argc, char **argv, int word);

#endif
