/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_values.c - what the options' values mean, whether they come from the
 * command line or from a file: getopt's optarg is the value of either.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "daemon/internal.h"
#include "flow/fragments.h"

#define FLOWS_DEFAULT	 1048576
#define FLOWS_MAX	 1000000000
#define HOSTS_DEFAULT	 65536
#define HOSTS_MAX	 100000000
#define FRAGMENTS_MAX	 100000000
#define HOST_TIMEOUT_NS	 (900 * NS_PER_SEC)
#define SPEED_MAX	 1e6
#define SOCKET_MODE	 0660
#define INNER_NETS_MAX	 1000000
#define FILTER_BYTES_MAX 65536

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "no memory for the options");
}

void options_values_init(struct options *o)
{
	*o = (struct options){
		.workers = 1,
		.flows_max = FLOWS_DEFAULT,
		.hosts_max = HOSTS_DEFAULT,
		.fragments_max = FRAGMENTS_MAX_DEFAULT,
		.host_timeout_ns = HOST_TIMEOUT_NS,
		.socket_mode = SOCKET_MODE,
		.log_level = REPORT_NOTICE,
	};
	flow_timeouts_init(&o->timeouts);
	options_live_init(o);
}

int options_room(struct options *o, size_t reads, struct err *e)
{
	o->reads = calloc(reads + 1, sizeof(*o->reads));
	return o->reads ? 0 : no_memory(e);
}

void options_values_free(struct options *o)
{
	free(o->reads);
	free(o->inner);
	free(o->filter);
}

static int add_read(struct options *o, const char *path, struct err *e)
{
	if (!*path)
		return err_set(e, -EINVAL, "--read: the file's name is empty");
	for (size_t i = 0; i < o->reads_n; i++)
		if (!strcmp(path, "-") && !strcmp(o->reads[i], "-"))
			return err_set(e, -EINVAL, "--read -: standard input can be read once");
	o->reads[o->reads_n++] = path; /* see options_room() */
	return 0;
}

static int add_net(struct options *o, const struct addr_net *net, struct err *e)
{
	struct addr_net *more;

	if (o->inner_n == INNER_NETS_MAX)
		return err_set(e, -EINVAL, "--inner: more than %d networks", INNER_NETS_MAX);
	if ((o->inner_n & (o->inner_n - 1)) == 0) { /* full at powers of two */
		more = realloc(o->inner, (o->inner_n ? 2 * o->inner_n : 1) * sizeof(*more));
		if (!more)
			return no_memory(e);
		o->inner = more;
	}
	o->inner[o->inner_n++] = *net;
	return 0;
}

/* "10.0.0.0/8,fc00::/7" or "all". */
static int add_inner(struct options *o, const char *list, struct err *e)
{
	const char *all = strcmp(list, "all") ? list : "0.0.0.0/0,::/0";

	for (const char *at = all;;) {
		const size_t n = strcspn(at, ",");
		struct addr_net net;
		struct err why;
		char text[128];
		int ret;

		if (n == 0 || n >= sizeof(text))
			return err_set(e, -EINVAL,
				       "--inner: '%.64s' is not a list of networks like "
				       "10.0.0.0/8,fc00::/7, nor 'all'",
				       list);
		memcpy(text, at, n);
		text[n] = 0;
		if (addr_net_parse(&net, text, &why) < 0)
			return err_set(e, -EINVAL, "--inner: %s", why.text);
		ret = add_net(o, &net, e);
		if (ret < 0 || !at[n])
			return ret;
		at += n + 1;
	}
}

static int parse_count(uint64_t *out, const char *name, uint64_t min, uint64_t max, struct err *e)
{
	struct err why;
	int ret = units_count_parse(out, optarg, min, max, &why);

	return ret < 0 ? err_set(e, -EINVAL, "--%s: %s", name, why.text) : 0;
}

static int parse_workers(struct options *o, struct err *e)
{
	uint64_t n;
	int ret = parse_count(&n, "fanout", 1, OPTIONS_WORKERS_MAX, e);

	if (ret == 0)
		o->workers = (unsigned)n;
	return ret;
}

static int parse_decap(struct options *o, struct err *e)
{
	struct err why;
	uint32_t kinds;

	if (decap_parse(&kinds, optarg, &why) < 0)
		return err_set(e, -EINVAL, "--decap: %s", why.text);
	o->decap.kinds |= kinds;
	return 0;
}

static int parse_vxlan_port(struct options *o, struct err *e)
{
	uint64_t port;
	int ret = parse_count(&port, "vxlan-port", 1, UINT16_MAX, e);

	if (ret == 0)
		o->decap.vxlan_port = (uint16_t)port;
	return ret;
}

static int parse_host_timeout(struct options *o, struct err *e)
{
	struct err why;

	if (units_duration_parse(&o->host_timeout_ns, optarg, &why) < 0)
		return err_set(e, -EINVAL, "--host-timeout: %s", why.text);
	if (o->host_timeout_ns && o->host_timeout_ns < NS_PER_SEC)
		return err_set(e, -EINVAL, "--host-timeout: '%.64s' is below 1s (0: never)",
			       optarg);
	return 0;
}

static int parse_timeout(struct options *o, struct err *e)
{
	struct err why;

	return flow_timeouts_parse(&o->timeouts, optarg, &why) < 0
		       ? err_set(e, -EINVAL, "--timeout: %s", why.text)
		       : 0;
}

static int parse_speed(struct options *o, struct err *e)
{
	char *end;

	errno = 0;
	o->speed = strtod(optarg, &end);
	if (end == optarg || *end || errno || !isfinite(o->speed) || o->speed <= 0 ||
	    o->speed > SPEED_MAX)
		return err_set(e, -EINVAL,
			       "--speed: '%.64s' is not a number above 0, such as 1 (as recorded) "
			       "or 10; leave it out for as fast as possible",
			       optarg);
	return 0;
}

static int parse_socket_mode(struct options *o, struct err *e)
{
	const size_t digits = strspn(optarg, "01234567");
	unsigned long mode;

	if (digits == 0 || digits > 4 || optarg[digits])
		mode = ~0ul;
	else
		mode = strtoul(optarg, NULL, 8);
	if (mode > 0777)
		return err_set(e, -EINVAL,
			       "--socket-mode: '%.64s' is not a file's mode in octal, such as 0660 "
			       "or 600; who may write may ask",
			       optarg);
	o->socket_mode = (mode_t)mode;
	return 0;
}

/* Which of the words optarg is, or -EINVAL. */
int options_word(const char *option, const char *const words[], const char *all, struct err *e)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], optarg))
			return i;
	return err_set(e, -EINVAL, "--%s: '%.32s' is none of %s", option, optarg, all);
}

static int parse_log_level(struct options *o, struct err *e)
{
	static const char *const words[] = {
		[REPORT_ERROR] = "error", [REPORT_WARNING] = "warning", [REPORT_NOTICE] = "notice",
		[REPORT_INFO] = "info",	  [REPORT_DEBUG] = "debug",	NULL,
	};
	const int i = options_word("log-level", words, "error, warning, notice, info, debug", e);

	if (i >= 0)
		o->log_level = (enum report_level)i;
	return i < 0 ? i : 0;
}

/* Words of a filter come one by one, and are joined by blanks. */
static int add_filter(struct options *o, struct err *e)
{
	const size_t n = o->filter ? strlen(o->filter) + 1 : 0;
	const size_t more = strlen(optarg) + 1;
	char *filter;

	if (n + more > FILTER_BYTES_MAX)
		return err_set(e, -EINVAL, "the filter is longer than %d bytes", FILTER_BYTES_MAX);
	filter = realloc(o->filter, n + more);
	if (!filter)
		return no_memory(e);
	if (n)
		filter[n - 1] = ' ';
	memcpy(filter + n, optarg, more);
	o->filter = filter;
	return 0;
}

/* "yes" and "no"; a switch without a value is on. */
static int parse_switch(bool *out, const char *name, struct err *e)
{
	static const char *const words[] = {"no", "yes", NULL};
	int i = 1;

	if (optarg)
		i = options_word(name, words, "yes, no", e);
	if (i >= 0)
		*out = i == 1;
	return i < 0 ? i : 0;
}

static int parse_unswitch(bool *out, const char *name, struct err *e)
{
	bool on = false;
	const int ret = parse_switch(&on, name, e);

	if (ret == 0)
		*out = !on;
	return ret;
}

static int take_text(const char **out, const char *name, struct err *e)
{
	if (!*optarg)
		return err_set(e, -EINVAL, "--%s: it is empty", name);
	*out = optarg;
	return 0;
}

int options_value_parse(struct options *o, int opt, struct err *e)
{
	switch (opt) {
	case 'r':
		return add_read(o, optarg, e);
	case OPT_SPEED:
		return parse_speed(o, e);
	case OPT_FANOUT:
		return parse_workers(o, e);
	case OPT_INNER:
		return add_inner(o, optarg, e);
	case OPT_DECAP:
		return parse_decap(o, e);
	case OPT_VXLAN_PORT:
		return parse_vxlan_port(o, e);
	case OPT_MAX_FLOWS:
		return parse_count(&o->flows_max, "max-flows", 1, FLOWS_MAX, e);
	case OPT_MAX_FRAGMENTS:
		return parse_count(&o->fragments_max, "max-fragments", 0, FRAGMENTS_MAX, e);
	case OPT_MAX_HOSTS:
		return parse_count(&o->hosts_max, "max-hosts", 1, HOSTS_MAX, e);
	case OPT_HOST_TIMEOUT:
		return parse_host_timeout(o, e);
	case OPT_TIMEOUT:
		return parse_timeout(o, e);
	case OPT_FILTER:
		return add_filter(o, e);
	case 'q':
		return parse_switch(&o->quiet, "quiet", e);
	case OPT_JSON:
		return parse_switch(&o->json, "json", e);
	case OPT_LINGER:
		return parse_switch(&o->linger, "linger", e);
	case OPT_NO_SANDBOX:
		return parse_switch(&o->no_sandbox, "no-sandbox", e);
	case OPT_NO_PROMISC:
		return parse_unswitch(&o->promisc, "no-promisc", e);
	case OPT_NO_SEGMENTS:
		return parse_unswitch(&o->ring.segments, "no-segments", e);
	case OPT_SOCKET:
		return take_text(&o->socket, "socket", e);
	case OPT_SOCKET_MODE:
		return parse_socket_mode(o, e);
	case OPT_SOCKET_GROUP:
		return take_text(&o->socket_group, "socket-group", e);
	case OPT_USER:
		return take_text(&o->user, "user", e);
	case OPT_LOG_LEVEL:
		return parse_log_level(o, e);
	default:
		return options_live_parse(o, opt, e);
	}
}
