/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - tctable: asks tcsniff who uses the network, and how much.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/hosts_options.h"
#include "cli/metrics.h"
#include "cli/print.h"
#include "cli/top.h"

enum { OPT_JSON = 256, OPT_SOCKET };

struct options {
	const struct command *command;
	struct tctable_addr ip;
	const char *ip_text;
	const char *socket;
	struct hosts_conf list;
	int list_option; /* the last of them; 0: none was given */
	bool json, help, version;
};

static int complain(enum exit_status status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* "tctable: ..." on standard error; returns the status. */
static int complain(enum exit_status status, const char *fmt, ...)
{
	va_list ap;

	fputs("tctable: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(status == EXIT_USAGE ? "\nTry 'tctable --help'.\n" : "\n", stderr);
	return (int)status;
}

static void print_help(FILE *out)
{
	fputs("usage: tctable COMMAND [option...] [--json] [--socket PATH]\n\n"
	      "Asks a running tcsniff who uses the network, and how much.\n\n",
	      out);
	for (unsigned i = 0; i < commands_n; i++)
		if (commands[i].word)
			fprintf(out, "  %-16s%s\n", commands[i].word, commands[i].help);
		else
			fprintf(out, "  -%c%-14s%s\n", commands[i].letter,
				commands[i].has_ip ? " IP" : "", commands[i].help);
	fputs("  metrics         for Prometheus: 'tctable metrics --help'\n", out);
	fputs("  -t, top         a live view in the terminal: 'tctable top --help'\n", out);
	fputs("\n"
	      "Of -a:\n"
	      "  NETWORK         only hosts in it: 10.0.0.0/8\n"
	      "  --sort KEY      tx, rx, bytes, packets, conns, ip or last (ip)\n"
	      "  -n N            only the first N\n"
	      "  --group BITS    sums of networks: /24,/64 (of IPv4, of IPv6)\n"
	      "  --human         columns, short numbers, local time\n"
	      "  --csv           comma-separated values with a header, for programs\n"
	      "  --names         names of addresses, by reverse DNS\n"
	      "  -w SECONDS      again and again, with rates\n\n"
	      "  --json          print JSON, for programs\n"
	      "  --socket PATH   where the daemon answers (" TCTABLE_SOCKET_DEFAULT ")\n"
	      "  -h, --help      print this\n"
	      "  -V, --version   print the version\n\n"
	      "Exit status: 0 done, 1 no such host or another failure, 2 wrong usage,\n"
	      "3 the daemon cannot be reached, 4 it speaks another version, 5 the doctor\n"
	      "has findings.\n",
	      out);
}

/* --- the command line ------------------------------------------------------- */

static int take_command(struct options *o, const struct command *c)
{
	if (o->command)
		return complain(EXIT_USAGE, "-%c and -%c: give one command at a time",
				o->command->letter, c->letter);
	o->command = c;
	if (!c->has_ip)
		return EXIT_DONE;
	o->ip_text = optarg;
	if (tctable_addr_parse(&o->ip, optarg) < 0)
		return complain(EXIT_USAGE,
				"-%c '%.64s': not an IP address; write one like 192.168.1.250 or "
				"2001:db8::1",
				c->letter, optarg);
	return EXIT_DONE;
}

static int take_list_option(struct options *o, int opt)
{
	struct err e;

	o->list_option = opt;
	if (hosts_options_take(&o->list, opt, optarg, &e) < 0)
		return complain(EXIT_USAGE, "%s %s", hosts_options_name(opt), e.text);
	return EXIT_DONE;
}

/* Whether all that was said of the list goes together. */
static int check_list(const struct options *o)
{
	if (o->list_option && o->command->letter != 'a')
		return complain(EXIT_USAGE, "%s goes with -a alone",
				hosts_options_name(o->list_option));
	if (o->list.human + o->list.csv + o->json > 1)
		return complain(EXIT_USAGE, "--human, --csv and --json: give one of them at most");
	if (o->list.with_names && o->list.is_grouped)
		return complain(EXIT_USAGE, "--names and --group: networks have no names");
	return EXIT_DONE;
}

/* Behind the options: a command that is a word, or the network of -a. */
static int take_words(struct options *o, int argc, char **argv)
{
	struct err e;

	if (optind < argc && !o->command) {
		o->command = command_of_word(argv[optind]);
		optind += o->command != NULL;
	} else if (optind < argc && o->command->letter == 'a') {
		if (group_net_parse(&o->list.net, &o->list.net_bits, argv[optind], &e) < 0)
			return complain(EXIT_USAGE, "%s", e.text);
		optind++;
	}
	if (optind < argc)
		return complain(EXIT_USAGE, "'%.64s': a word too many%s", argv[optind],
				o->command ? "" : "; an address goes behind -d or -s");
	if (!o->command)
		return complain(EXIT_USAGE, "nothing is asked for; give a command, as in "
					    "'tctable -a'");
	return check_list(o);
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, OPT_JSON},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"sort", required_argument, NULL, OPT_SORT},
		{"group", required_argument, NULL, OPT_GROUP},
		{"human", no_argument, NULL, OPT_HUMAN},
		{"csv", no_argument, NULL, OPT_CSV},
		{"names", no_argument, NULL, OPT_NAMES},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	char shorts[64];
	size_t n = 0;
	int opt, status;

	shorts[n++] = ':'; /* a missing operand is told from an unknown option */
	for (unsigned i = 0; i < commands_n; i++) {
		if (!commands[i].letter)
			continue;
		shorts[n++] = commands[i].letter;
		if (commands[i].has_ip)
			shorts[n++] = ':';
	}
	strcpy(shorts + n, "hVn:w:");

	opterr = 0;
	while ((opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (opt) {
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_SOCKET:
			o->socket = optarg;
			if (!*optarg)
				return complain(EXIT_USAGE,
						"--socket '': give the path of a socket");
			break;
		case 'h':
			o->help = true;
			return EXIT_DONE;
		case 'V':
			o->version = true;
			return EXIT_DONE;
		case ':':
			if (optopt == OPT_SOCKET)
				return complain(EXIT_USAGE, "--socket needs a path behind it");
			if (hosts_options_has(optopt))
				return complain(EXIT_USAGE, "%s needs a value behind it",
						hosts_options_name(optopt));
			return complain(EXIT_USAGE, "-%c needs an IP address behind it", optopt);
		case '?':
			if (optopt > 0 && optopt < 256 && !command_lookup(optopt) &&
			    !strchr("hVnw", optopt))
				return complain(EXIT_USAGE, "-%c: no such option", optopt);
			return complain(EXIT_USAGE, "%s: no such option, or it takes no value",
					argv[optind - 1]);
		default:
			status = hosts_options_has(opt) ? take_list_option(o, opt)
							: take_command(o, command_lookup(opt));
			if (status != EXIT_DONE)
				return status;
		}
	}
	return take_words(o, argc, argv);
}

/* --- asking ----------------------------------------------------------------- */

/* What to do about a daemon that cannot be reached. */
static const char *remedy_of(int ret)
{
	switch (-ret) {
	case EACCES:
	case EPERM:
		return "You lack the permission to ask it: become root, or a member of the "
		       "group that owns the socket.";
	case ENOENT:
	case ECONNREFUSED:
		return "No tcsniff answers there. Start one, as in 'tcsniff -r FILE --linger "
		       "--socket PATH', and name its socket with --socket PATH.";
	case ETIMEDOUT:
	case ECONNRESET:
	case EPIPE:
	case EAGAIN:
		return "Is it tcsniff that listens there, and does it run? Try again.";
	default:
		return NULL;
	}
}

static int unreachable(const struct tctable *t, int ret)
{
	const char *remedy = remedy_of(ret);

	complain(EXIT_UNREACHABLE, "%s", tctable_error(t));
	if (remedy)
		fprintf(stderr, "%s\n", remedy);
	return EXIT_UNREACHABLE;
}

/* What a failed request comes to. */
static int failed(const struct options *o, const struct tctable *t, int ret)
{
	switch (-ret) {
	case EPROTO:
		return complain(EXIT_VERSION, "%s", tctable_error(t));
	case ENOENT:
		if (o->command->has_ip)
			return complain(EXIT_NOT_FOUND,
					"%s: tcsniff knows no such host (see 'tctable -a')",
					o->ip_text);
		break;
	case ENOMEM:
		return complain(EXIT_NOT_FOUND, "out of memory");
	case ETIMEDOUT:
	case ECONNRESET:
	case EPIPE:
		return unreachable(t, ret);
	}
	return complain(EXIT_NOT_FOUND, "%s", tctable_error(t));
}

static int ask(const struct options *o)
{
	struct command_request r = {.ip = o->ip, .list = o->list, .json = o->json, .out = stdout};
	int status = EXIT_DONE;
	struct err e;
	int ret = tctable_open(&r.t, o->socket);

	if (!r.t)
		return complain(EXIT_NOT_FOUND, "out of memory");
	if (ret == -EPROTO) {
		status = complain(EXIT_VERSION, "%s", tctable_error(r.t));
	} else if (ret < 0) {
		status = unreachable(r.t, ret);
	} else {
		ret = o->command->run(&r);
		if (ret < 0)
			status = failed(o, r.t, ret);
		else if (print_finish(stdout, "standard output", &e) < 0)
			status = complain(EXIT_NOT_FOUND, "%s", e.text);
		else
			status = ret;
	}
	tctable_close(r.t);
	return status;
}

/* A standard stream that is closed would be the next file opened: the socket.
 * /dev/null takes its place, opened so that using it fails. */
static void fill_standard_streams(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			exit(EXIT_NOT_FOUND);
}

int main(int argc, char **argv)
{
	struct options o = {.command = NULL};
	struct err e;
	int status, word;

	fill_standard_streams();
	word = top_word(argc, argv);
	if (word)
		return top_main(argc, argv, word);
	word = metrics_word(argc, argv);
	if (word)
		return metrics_main(argc, argv, word);
	status = parse_options(&o, argc, argv);
	if (status != EXIT_DONE)
		return status;
	if (!o.help && !o.version)
		return ask(&o);
	if (o.help)
		print_help(stdout);
	else
		puts("tctable " TCSNIFF_VERSION);
	if (print_finish(stdout, "standard output", &e) < 0)
		return complain(EXIT_NOT_FOUND, "%s", e.text);
	return EXIT_DONE;
}
