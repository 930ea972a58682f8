/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - the options, from the command line and from a file.
 *
 * The command line is gone through twice: first for what it names and where the
 * file is, since of most options the file's values count only if the command
 * line has none; then, after the file, for its values. Values that do not count
 * are looked at all the same, so that whether a file is right does not depend on
 * the command line.
 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/internal.h"

#define CONFIG_DEFAULT "/etc/tcsniff/tcsniff.conf"

enum {
	IS_SWITCH = 1,	/* takes no value; or yes, no */
	IS_LIST = 2,	/* may be given several times */
	IS_LIVE = 4,	/* of a live capture */
	IS_FILES = 8,	/* of capture files */
	IS_COMMAND = 16 /* of the command line alone */
};

struct known {
	const char *name;
	int opt;
	unsigned is;
	bool reloads; /* a reload applies it */
};

static const struct known knowns[OPTIONS_KNOWN] = {
	{"interface", 'i', IS_LIST | IS_LIVE, false},
	{"direction", OPT_DIRECTION, IS_LIVE, false},
	{"no-promisc", OPT_NO_PROMISC, IS_SWITCH, false},
	{"no-segments", OPT_NO_SEGMENTS, IS_SWITCH, false},
	{"snaplen", OPT_SNAPLEN, 0, false},
	{"ring-block-size", OPT_BLOCK_BYTES, 0, false},
	{"ring-blocks", OPT_BLOCKS, 0, false},
	{"retire", OPT_RETIRE, 0, false},
	{"fanout-mode", OPT_FANOUT_MODE, 0, false},
	{"fanout-group", OPT_FANOUT_GROUP, 0, false},
	{"cpus", OPT_CPUS, 0, false},
	{"user", OPT_USER, 0, false},
	{"read", 'r', IS_LIST | IS_FILES, false},
	{"speed", OPT_SPEED, IS_FILES, false},
	{"fanout", OPT_FANOUT, 0, false},
	{"inner", OPT_INNER, IS_LIST, true},
	{"decap", OPT_DECAP, IS_LIST, false},
	{"vxlan-port", OPT_VXLAN_PORT, 0, false},
	{"max-flows", OPT_MAX_FLOWS, 0, true},
	{"max-fragments", OPT_MAX_FRAGMENTS, 0, false},
	{"max-hosts", OPT_MAX_HOSTS, 0, true},
	{"host-timeout", OPT_HOST_TIMEOUT, 0, true},
	{"timeout", OPT_TIMEOUT, IS_LIST, true},
	{"quiet", 'q', IS_SWITCH, false},
	{"json", OPT_JSON, IS_SWITCH, false},
	{"linger", OPT_LINGER, IS_SWITCH | IS_FILES, false},
	{"socket", OPT_SOCKET, 0, false},
	{"socket-mode", OPT_SOCKET_MODE, 0, false},
	{"socket-group", OPT_SOCKET_GROUP, 0, false},
	{"no-sandbox", OPT_NO_SANDBOX, IS_SWITCH, false},
	{"log-level", OPT_LOG_LEVEL, 0, true},
	{"filter", OPT_FILTER, IS_LIST, false}, /* a key alone: the operands of the command line */
	{"config", OPT_CONFIG, IS_COMMAND, false},
	{"check-config", OPT_CHECK_CONFIG, IS_SWITCH | IS_COMMAND, false},
	{"help", 'h', IS_SWITCH | IS_COMMAND, false},
	{"version", 'V', IS_SWITCH | IS_COMMAND, false},
};

/* The number of an option in knowns, or -1. */
static int find_name(const char *name)
{
	for (int i = 0; i < OPTIONS_KNOWN; i++)
		if (!strcmp(knowns[i].name, name))
			return i;
	return -1;
}

static int find_opt(int opt)
{
	for (int i = 0; i < OPTIONS_KNOWN; i++)
		if (knowns[i].opt == opt)
			return i;
	return -1;
}

/* --- the command line ------------------------------------------------------- */

static void fill_longs(struct option longs[OPTIONS_KNOWN + 1])
{
	memset(longs, 0, (OPTIONS_KNOWN + 1) * sizeof(*longs));
	for (const struct known *k = knowns; k < knowns + OPTIONS_KNOWN; k++) {
		if (k->opt == OPT_FILTER)
			continue;
		longs->name = k->name;
		longs->val = k->opt;
		longs->has_arg = !(k->is & IS_SWITCH) ? required_argument
				 : k->is & IS_COMMAND ? no_argument
						      : optional_argument;
		longs++;
	}
}

static int bad_option(int opt, char **argv, struct err *e)
{
	if (opt == ':')
		return err_set(e, -EINVAL, "%s wants a value", argv[optind - 1]);
	/* A long one that takes no value comes with the letter of its short form. */
	if (optopt && optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0)
		return err_set(e, -EINVAL, "unknown option -%c", optopt);
	return err_set(e, -EINVAL, "unknown option, or one that takes no value: %.64s",
		       argv[optind - 1]);
}

/* What is named. */
static int look_through(struct options *o, int argc, char **argv, struct err *e)
{
	struct option longs[OPTIONS_KNOWN + 1];
	int opt;

	fill_longs(longs);
	opterr = 0;
	optind = 0; /* anew */
	while ((opt = getopt_long(argc, argv, ":i:r:qhV", longs, NULL)) != -1) {
		if (opt == ':' || opt == '?')
			return bad_option(opt, argv, e);
		o->given[find_opt(opt)] = true;
		if (opt == OPT_CONFIG)
			o->config_path = optarg;
		if (opt == OPT_CHECK_CONFIG)
			o->action = OPTIONS_CHECK;
		if (opt == 'h' || opt == 'V') {
			o->action = opt == 'h' ? OPTIONS_HELP : OPTIONS_VERSION;
			return 0;
		}
	}
	o->given[find_opt(OPT_FILTER)] = optind < argc;
	return 0;
}

static int take_command_line(struct options *o, int argc, char **argv, struct err *e)
{
	struct option longs[OPTIONS_KNOWN + 1];
	int opt, ret = 0;

	fill_longs(longs);
	optind = 0;
	while (ret == 0 && (opt = getopt_long(argc, argv, ":i:r:qhV", longs, NULL)) != -1)
		if (!(knowns[find_opt(opt)].is & IS_COMMAND))
			ret = options_value_parse(o, opt, e);
	for (; ret == 0 && optind < argc; optind++) {
		optarg = argv[optind];
		ret = options_value_parse(o, OPT_FILTER, e);
	}
	return ret;
}

/* --- the file ----------------------------------------------------------------- */

/* What the file says of it does not count: the command line has it, or takes
 * frames from elsewhere. Timeouts are told apart by their own names. */
static bool is_passed_over(const struct options *o, const struct known *k)
{
	if (k->opt == OPT_TIMEOUT)
		return false;
	return o->given[k - knowns] || (k->is & IS_LIVE && o->given[find_opt('r')]) ||
	       (k->is & IS_FILES && o->given[find_opt('i')]);
}

/* The option that an entry names, if it may. first: where each was met before. */
static int find_key(const struct options *o, const struct config_entry *entry, unsigned *first,
		    struct err *e)
{
	const int i = find_name(entry->key);

	if (i < 0)
		return err_set(e, -EINVAL,
			       "%s:%u: unknown key '%.64s'; keys are the long options that "
			       "'tcsniff --help' lists, and 'filter'",
			       o->config_path, entry->line, entry->key);
	if (knowns[i].is & IS_COMMAND)
		return err_set(e, -EINVAL, "%s:%u: '%s' is for the command line alone; remove it",
			       o->config_path, entry->line, entry->key);
	if (first[i] && !(knowns[i].is & IS_LIST))
		return err_set(e, -EINVAL, "%s:%u: '%s' takes one value, and has that of line %u%s",
			       o->config_path, entry->line, entry->key, first[i],
			       entry->goes_on ? "; a line that begins with a blank is another one"
					      : "; remove one of them");
	first[i] = entry->line;
	return i;
}

static int take_entry(struct options *o, struct options *aside, const struct config_entry *entry,
		      unsigned *first, struct err *e)
{
	const int i = find_key(o, entry, first, e);
	const char *text;
	struct err why;
	int ret;

	if (i < 0)
		return i;
	optarg = entry->value;
	ret = options_value_parse(is_passed_over(o, &knowns[i]) ? aside : o, knowns[i].opt, &why);
	if (ret == 0)
		return 0;
	text = why.text;
	return err_set(e, ret, "%s:%u: %s", o->config_path, entry->line,
		       strncmp(text, "--", 2) ? text : text + 2);
}

static int take_file(struct options *o, struct err *e)
{
	unsigned first[OPTIONS_KNOWN] = {0};
	struct options aside;
	int ret;

	options_values_init(&aside);
	ret = options_room(&aside, o->config.n, e);
	for (size_t i = 0; ret == 0 && i < o->config.n; i++)
		ret = take_entry(o, &aside, &o->config.entries[i], first, e);
	options_values_free(&aside);
	return ret;
}

static int read_file(struct options *o, struct err *e)
{
	const char *path, *slash;
	int ret;

	if (!o->config_path)
		o->config_path = getenv("TCSNIFF_CONFIG");
	path = o->config_path ? o->config_path : CONFIG_DEFAULT;
	slash = strrchr(path, '/');
	snprintf(o->config_folder, sizeof(o->config_folder), "%.*s",
		 slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	ret = config_read(&o->config, path, e);
	if (ret == -ENOENT && !o->config_path)
		return 0;
	o->config_path = path;
	return ret;
}

/* --- both ----------------------------------------------------------------------- */

static int check(const struct options *o, struct err *e)
{
	if (o->reads_n && o->interfaces_n)
		return err_set(e, -EINVAL, "either -i %s or -r %s, not both", o->interfaces[0],
			       o->reads[0]);
	if (o->interfaces_n)
		return options_live_check(o, e);
	if (o->reads_n == 0)
		return err_set(e, -EINVAL,
			       "nothing to listen to or to read: name an interface "
			       "with -i, or a capture file with -r");
	if (o->by_way)
		return err_set(e, -EINVAL, "--direction nic: files do not tell; use it with -i");
	return 0;
}

/* What does not go together may come from both. */
static int check_all(const struct options *o, struct err *e)
{
	struct err why;
	const int ret = check(o, &why);

	if (ret == 0 || !o->config_path)
		return ret < 0 ? err_set(e, ret, "%s", why.text) : 0;
	return err_set(e, ret, "%s (%s was read, too)", why.text, o->config_path);
}

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
	int ret;

	options_values_init(o);
	ret = look_through(o, argc, argv, e);
	if (ret < 0 || o->action == OPTIONS_HELP || o->action == OPTIONS_VERSION)
		return ret;
	ret = read_file(o, e);
	if (ret < 0)
		return ret;
	ret = options_room(o, (size_t)argc + o->config.n, e);
	if (ret == 0)
		ret = take_file(o, e);
	if (ret == 0)
		ret = take_command_line(o, argc, argv, e);
	return ret < 0 ? ret : check_all(o, e);
}

void options_free(struct options *o)
{
	options_values_free(o);
	config_free(&o->config);
}

/* --- a reload ------------------------------------------------------------------- */

/* The next entry of this key from *at on; NULL if there is none. */
static const struct config_entry *next_of(const struct config *c, const char *key, size_t *at)
{
	while (*at < c->n) {
		const struct config_entry *entry = &c->entries[(*at)++];

		if (!strcmp(entry->key, key))
			return entry;
	}
	return NULL;
}

static bool is_same(const struct config *a, const struct config *b, const char *key)
{
	size_t at_a = 0, at_b = 0;

	for (;;) {
		const struct config_entry *x = next_of(a, key, &at_a);
		const struct config_entry *y = next_of(b, key, &at_b);

		if (!x || !y)
			return x == y;
		if (strcmp(x->value, y->value) != 0)
			return false;
	}
}

void options_need_restart(const struct options *runs, const struct options *fresh,
			  options_named_fn fn, void *arg)
{
	for (const struct known *k = knowns; k < knowns + OPTIONS_KNOWN; k++)
		if (!k->reloads && !is_passed_over(fresh, k) &&
		    !is_same(&runs->config, &fresh->config, k->name))
			fn(arg, k->name);
}
