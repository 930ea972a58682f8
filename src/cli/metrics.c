/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.c - 'tctable metrics': the books for Prometheus, printed or served.
 *
 * Each scrape is a conversation of its own with the daemon, so that one that went
 * and came back is found again, and nothing is kept between two.
 */
#include "cli/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "base/units.h"
#include "cli/exit.h"
#include "cli/hosts.h"
#include "cli/metrics_print.h"
#include "cli/print.h"

#define TOP_DEFAULT	  20
#define TOP_MAX		  1024
#define CONNECTIONS_MAX	  16 /* of scrapers at once */
#define CONNECTION_SEC	  10 /* of silence */
#define CONNECTION_MEMORY 16384
#define HOSTS_MOST	  (1u << 27) /* whoever sends them */

static const char help[] =
	"usage: tctable metrics [option...]\n\n"
	"Prints the books in Prometheus' text format, or serves them as /metrics.\n\n"
	"  --listen ADDRESS:PORT  serve them there: 127.0.0.1:9410, [::1]:9410\n"
	"  --top N                how many hosts by name, those of most bytes: 0 to 1024 (20)\n"
	"  --all-hosts            every host by name\n"
	"  --group BITS           sums of networks as well: /24,/64 (of IPv4, of IPv6)\n"
	"  --socket PATH          where the daemon answers (" TCTABLE_SOCKET_DEFAULT ")\n"
	"  -h, --help             print this\n";

struct options {
	struct sockaddr_storage listen; /* ss_family 0: print once */
	const char *listen_text;
	const char *socket;
	size_t top;
	bool is_grouped, help;
	struct group_conf group;
};

static int complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int complain(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("tctable: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(status == EXIT_USAGE ? "\nTry 'tctable metrics --help'.\n" : "\n", stderr);
	return status;
}

/* --- the command line -------------------------------------------------------------- */

int metrics_word(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--socket") == 0)
			i++;
		else if (strcmp(argv[i], "metrics") == 0)
			return i;
		else if (argv[i][0] != '-')
			return 0;
	}
	return 0;
}

/* "127.0.0.1:9410", "[::1]:9410". */
static int take_listen(struct options *o, const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&o->listen;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&o->listen;
	const char *colon = strrchr(text, ':');
	char ip[TCTABLE_ADDR_TEXT + 2] = "";
	size_t n = colon ? (size_t)(colon - text) : sizeof(ip);
	uint64_t port;

	o->listen_text = text;
	if (n < sizeof(ip) && units_count_parse(&port, colon + 1, 1, 65535, NULL) == 0) {
		memcpy(ip, text, n);
		if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
			v4->sin_family = AF_INET;
			v4->sin_port = htons((uint16_t)port);
			return EXIT_DONE;
		}
		if (n > 2 && ip[0] == '[' && ip[n - 1] == ']') {
			ip[n - 1] = '\0';
			if (inet_pton(AF_INET6, ip + 1, &v6->sin6_addr) == 1) {
				v6->sin6_family = AF_INET6;
				v6->sin6_port = htons((uint16_t)port);
				return EXIT_DONE;
			}
		}
	}
	return complain(EXIT_USAGE,
			"--listen '%.64s': give an address and a port, as in 127.0.0.1:9410 or "
			"[::1]:9410",
			text);
}

static int take_top(struct options *o, const char *text)
{
	uint64_t n;

	if (units_count_parse(&n, text, 0, TOP_MAX, NULL) < 0)
		return complain(EXIT_USAGE, "--top '%.40s': give a number from 0 to %d", text,
				TOP_MAX);
	o->top = (size_t)n;
	return EXIT_DONE;
}

static int take_group(struct options *o, const char *text)
{
	struct err e;

	o->is_grouped = true;
	if (group_parse(&o->group, text, &e) < 0)
		return complain(EXIT_USAGE, "--group %s", e.text);
	return EXIT_DONE;
}

enum { OPT_LISTEN = 256, OPT_TOP, OPT_ALL, OPT_GROUP_BITS, OPT_SOCKET };

static int take_option(struct options *o, int opt, const char *word)
{
	switch (opt) {
	case OPT_LISTEN:
		return take_listen(o, optarg);
	case OPT_TOP:
		return take_top(o, optarg);
	case OPT_ALL:
		o->top = SIZE_MAX;
		return EXIT_DONE;
	case OPT_GROUP_BITS:
		return take_group(o, optarg);
	case OPT_SOCKET:
		o->socket = optarg;
		if (!*optarg)
			return complain(EXIT_USAGE, "--socket '': give the path of a socket");
		return EXIT_DONE;
	case 'h':
		o->help = true;
		return EXIT_DONE;
	case ':':
		return complain(EXIT_USAGE, "metrics: %.40s needs a value behind it", word);
	default:
		return complain(EXIT_USAGE, "metrics: %.40s: no such option, or it takes no value",
				word);
	}
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"listen", required_argument, NULL, OPT_LISTEN},
		{"top", required_argument, NULL, OPT_TOP},
		{"all-hosts", no_argument, NULL, OPT_ALL},
		{"group", required_argument, NULL, OPT_GROUP_BITS},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt, status = EXIT_DONE;

	opterr = 0;
	while (status == EXIT_DONE && !o->help &&
	       (opt = getopt_long(argc, argv, ":h", longs, NULL)) != -1)
		status = take_option(o, opt, argv[optind - 1]);
	if (status == EXIT_DONE && !o->help && optind < argc)
		return complain(EXIT_USAGE, "metrics: '%.64s': a word too many", argv[optind]);
	return status;
}

/* --- asking ------------------------------------------------------------------------ */

struct books {
	struct metrics m;
	struct tctable_host *hosts;
	size_t n, room;
	struct tctable_host *sums;
	struct group_net *nets;
	size_t *order;
};

static void books_free(struct books *b)
{
	free(b->hosts);
	free(b->sums);
	free(b->nets);
	free(b->order);
}

static int take_host(const struct tctable_host *host, void *arg)
{
	struct books *b = arg;

	if (host->kind != TCTABLE_HOST) {
		*(host->kind == TCTABLE_HOST_OVERFLOW ? &b->m.overflow : &b->m.forgotten) = *host;
		return 0;
	}
	if (b->n == b->room) {
		const size_t room = b->room ? 2 * b->room : 64;
		struct tctable_host *hosts =
			room <= HOSTS_MOST ? reallocarray(b->hosts, room, sizeof(*hosts)) : NULL;

		if (!hosts)
			return -ENOMEM;
		b->hosts = hosts;
		b->room = room;
	}
	b->hosts[b->n++] = *host;
	return 0;
}

static int take_total(const struct tctable_stats *stats, void *arg)
{
	struct books *b = arg;

	if (stats->worker == UINT32_MAX)
		b->m.total = *stats;
	return 0;
}

static int sum_networks(struct books *b, const struct options *o)
{
	const size_t room = b->n ? b->n : 1;

	b->sums = reallocarray(NULL, room, sizeof(*b->sums));
	b->nets = reallocarray(NULL, room, sizeof(*b->nets));
	if (!b->sums || !b->nets)
		return -ENOMEM;
	if (b->n)
		memcpy(b->sums, b->hosts, b->n * sizeof(*b->sums));
	b->m.nets_n = group_sum(&o->group, b->sums, b->nets, b->n);
	b->m.sums = b->sums;
	b->m.nets = b->nets;
	return 0;
}

/* Fills b, which the caller frees in any case. */
static int ask(struct books *b, struct tctable *t, const struct options *o)
{
	int ret = tctable_info(t, &b->m.info);

	if (ret == 0)
		ret = tctable_stats(t, take_total, b);
	if (ret == 0)
		ret = tctable_hosts(t, take_host, b);
	if (ret < 0)
		return ret;
	print_hosts_sort(b->hosts, b->n);
	if (o->is_grouped)
		ret = sum_networks(b, o);
	b->order = reallocarray(NULL, b->n ? b->n : 1, sizeof(*b->order));
	if (ret == 0)
		ret = b->order ? hosts_order(b->order, b->hosts, NULL, b->n,
					     o->top == SIZE_MAX ? HOSTS_BY_IP : HOSTS_BY_BYTES)
			       : -ENOMEM;
	b->m.hosts = b->hosts;
	b->m.n = b->n;
	b->m.top = b->order;
	b->m.top_n = o->top < b->n ? o->top : b->n;
	return ret;
}

/* One look, printed; a daemon that does not answer is a metric, too. 0, or -errno
 * with the words in `why`. */
static int look(FILE *out, const struct options *o, struct err *why)
{
	struct books b = {.n = 0};
	struct tctable *t;
	int ret = tctable_open(&t, o->socket);

	if (!t)
		return err_set(why, -ENOMEM, "out of memory");
	if (ret == 0)
		ret = ask(&b, t, o);
	if (ret < 0)
		err_set(why, ret, "%s", ret == -ENOMEM ? "out of memory" : tctable_error(t));
	metrics_print(out, ret == 0 ? &b.m : NULL);
	books_free(&b);
	tctable_close(t);
	return ret;
}

static int print_once(const struct options *o)
{
	struct err why, e;
	const int ret = look(stdout, o, &why);

	if (print_finish(stdout, "standard output", &e) < 0)
		return complain(EXIT_NOT_FOUND, "%s", e.text);
	if (ret == 0)
		return EXIT_DONE;
	return complain(ret == -EPROTO ? EXIT_VERSION : EXIT_UNREACHABLE, "%s", why.text);
}

/* --- serving ------------------------------------------------------------------------ */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, size_t n, char *text,
			     enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(n, text, mode);
	enum MHD_Result ret;

	if (!r) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned status, const char *text)
{
	char *copy = strdup(text);

	return copy ? reply(c, status, strlen(copy), copy, MHD_RESPMEM_MUST_FREE) : MHD_NO;
}

/* MHD's: a request's headers have come (first call), and all of it (second). */
static enum MHD_Result serve(void *arg, struct MHD_Connection *c, const char *url,
			     const char *method, const char *version, const char *upload,
			     size_t *upload_n, void **seen)
{
	static int marker;
	char *text = NULL;
	struct err why;
	size_t n = 0;
	FILE *out;

	(void)version;
	(void)upload;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	if (!*seen) {
		*seen = &marker;
		return MHD_YES;
	}
	*upload_n = 0;
	if (strcmp(url, "/") == 0)
		return reply_text(c, MHD_HTTP_OK, "tcsniff: see /metrics\n");
	if (strcmp(url, "/metrics") != 0)
		return reply_text(c, MHD_HTTP_NOT_FOUND, "no such page; see /metrics\n");
	out = open_memstream(&text, &n);
	if (!out)
		return MHD_NO;
	look(out, arg, &why);
	if (fclose(out) != 0) {
		free(text);
		return MHD_NO;
	}
	return reply(c, MHD_HTTP_OK, n, text, MHD_RESPMEM_MUST_FREE);
}

static int serve_until_told(struct options *o)
{
	struct MHD_Daemon *d;
	sigset_t ends;
	int signal;
	/* Not epoll: it would see the end of who has sent half a request only when
	 * its time is over. */
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD;

	if (o->listen.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	errno = 0;
	d = MHD_start_daemon(flags, 0, NULL, NULL, serve, o, MHD_OPTION_SOCK_ADDR, &o->listen,
			     MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
			     MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)CONNECTIONS_MAX,
			     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SEC,
			     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
			     MHD_OPTION_END);
	if (!d)
		return complain(EXIT_NOT_FOUND, "cannot listen on %s: %s", o->listen_text,
				errno ? strerror(errno) : "give another address or port");
	fprintf(stderr, "tctable: serving http://%s/metrics\n", o->listen_text);
	while (sigwait(&ends, &signal) != 0)
		;
	MHD_stop_daemon(d);
	return EXIT_DONE;
}

int metrics_main(int argc, char **argv, int word)
{
	struct options o = {.top = TOP_DEFAULT};
	struct err e;
	int status;

	memmove(&argv[word], &argv[word + 1], (size_t)(argc - word) * sizeof(*argv));
	status = parse(&o, argc - 1, argv);
	if (status != EXIT_DONE)
		return status;
	if (o.help) {
		fputs(help, stdout);
		if (print_finish(stdout, "standard output", &e) < 0)
			return complain(EXIT_NOT_FOUND, "%s", e.text);
		return EXIT_DONE;
	}
	return o.listen.ss_family ? serve_until_told(&o) : print_once(&o);
}
