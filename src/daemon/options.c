/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - the command line of tcsniff.
 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "flow/fragments.h"
#include "daemon/internal.h"

#define FLOWS_DEFAULT	 1048576
#define FLOWS_MAX	 1000000000
#define HOSTS_DEFAULT	 65536
#define HOSTS_MAX	 100000000
#define FRAGMENTS_MAX	 100000000
#define HOST_TIMEOUT_NS	 (900 * NS_PER_SEC)
#define SPEED_MAX	 1e6
#define INNER_NETS_MAX	 1000000
#define FILTER_BYTES_MAX 65536

const char options_help[] =
	"usage: tcsniff -i INTERFACE [option...] [BPF filter]\n"
	"       tcsniff -r FILE [option...] [BPF filter]\n"
	"\n"
	"Counts, for every inner IP address, what it sent and received over TCP, UDP,\n"
	"ICMP and the rest, and every connection it has open. Ask it with tctable.\n"
	"\n"
	"what to listen to\n"
	"  -i, --interface NAME     a network interface, or 'any' for all; several are one\n"
	"                           capture, as the two halves of a TAP\n"
	"      --direction HOW      inner: hosts are the addresses of --inner, for a mirror\n"
	"                           port (default); nic: hosts are what is behind this\n"
	"                           interface, for a gateway's inner one\n"
	"      --no-promisc         do not ask the interface for other stations' frames\n"
	"      --no-segments        count merged segments (GRO, LRO, TSO) as one packet\n"
	"      --snaplen BYTES      how much of a frame is looked at, 64 to 65535 (192)\n"
	"      --ring-block-size B  bytes of a ring's block, a power of two (1M)\n"
	"      --ring-blocks N      blocks of each worker's ring (64)\n"
	"      --retire TIME        how long a block may fill, 1ms to 1s (20ms)\n"
	"      --fanout-mode MODE   which worker gets a frame: cbpf, the one of its\n"
	"                           connection (default); hash, cpu, qm: the kernel's ways\n"
	"      --fanout-group ID    share frames with others of this group, 0 to 65535\n"
	"                           (default: a group of its own)\n"
	"      --cpus LIST          CPUs for the workers, as in 2,4-7\n"
	"      --user NAME          become this user once all is open (tcsniff, else nobody)\n"
	"or what to read\n"
	"  -r, --read FILE          a capture file: pcap or pcapng, plain, gzip or zstd;\n"
	"                           '-': standard input; several are read in order\n"
	"      --speed X            replay in time: 1 as recorded, 10 ten times as fast\n"
	"                           (default: as fast as possible)\n"
	"and by how many\n"
	"      --fanout N           number of workers, 1 to 64 (1)\n"
	"what to count\n"
	"      --inner CIDR[,CIDR]  an inner network (repeatable), or 'all' for every\n"
	"                           address (private and link-local networks)\n"
	"      --decap KIND[,KIND]  count what is inside tunnels of these kinds, or of 'all':\n"
	"                           gre, erspan, ipip, 6in4, 4in6, ip6ip6, vxlan, geneve, gtpu\n"
	"      --vxlan-port PORT    UDP port of VXLAN (4789)\n"
	"      --max-flows N        connections at once, over all workers (1048576)\n"
	"      --max-fragments N    datagrams whose fragments are known at once (65536; 0: none)\n"
	"      --max-hosts N        inner addresses at once (65536)\n"
	"      --host-timeout TIME  forget a host that is silent for so long (15m; 0: never)\n"
	"      --timeout NAME=TIME  end connections that are silent for so long: tcp-syn-sent\n"
	"                           (2m), tcp-syn-recv (1m), tcp-established (1h), tcp-fin-wait\n"
	"                           (2m), tcp-close-wait (1m), tcp-last-ack (30s),\n"
	"                           tcp-time-wait (2m), tcp-close (10s), udp (30s), udp-stream\n"
	"                           (2m), icmp (30s), other (10m)\n"
	"what to show\n"
	"      --socket PATH        where to answer (/run/tcsniff/tctable.sock); of a file\n"
	"                           only with --linger, --speed or this option\n"
	"      --linger             at the end of the files go on answering tctable\n"
	"  -q, --quiet              at the end the ledger alone, not the table of hosts\n"
	"      --json               at the end, for programs\n"
	"      --no-sandbox         keep the right to all system calls and files: to debug\n"
	"  -h, --help               this text\n"
	"  -V, --version            the version\n"
	"\n"
	"TIME is a number of seconds, or like 250ms, 30s, 5m, 1h, 7d; BYTES are like 65536,\n"
	"64K, 1M.\n"
	"Exit status: 0 done; 1 a file could not be read to its end, or something failed;\n"
	"2 wrong usage.\n";

static const struct option longs[] = {
	{"interface", required_argument, NULL, 'i'},
	{"direction", required_argument, NULL, OPT_DIRECTION},
	{"no-promisc", no_argument, NULL, OPT_NO_PROMISC},
	{"no-segments", no_argument, NULL, OPT_NO_SEGMENTS},
	{"snaplen", required_argument, NULL, OPT_SNAPLEN},
	{"ring-block-size", required_argument, NULL, OPT_BLOCK_BYTES},
	{"ring-blocks", required_argument, NULL, OPT_BLOCKS},
	{"retire", required_argument, NULL, OPT_RETIRE},
	{"fanout-mode", required_argument, NULL, OPT_FANOUT_MODE},
	{"fanout-group", required_argument, NULL, OPT_FANOUT_GROUP},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"user", required_argument, NULL, OPT_USER},
	{"read", required_argument, NULL, 'r'},
	{"speed", required_argument, NULL, OPT_SPEED},
	{"fanout", required_argument, NULL, OPT_FANOUT},
	{"inner", required_argument, NULL, OPT_INNER},
	{"decap", required_argument, NULL, OPT_DECAP},
	{"vxlan-port", required_argument, NULL, OPT_VXLAN_PORT},
	{"max-flows", required_argument, NULL, OPT_MAX_FLOWS},
	{"max-fragments", required_argument, NULL, OPT_MAX_FRAGMENTS},
	{"max-hosts", required_argument, NULL, OPT_MAX_HOSTS},
	{"host-timeout", required_argument, NULL, OPT_HOST_TIMEOUT},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"quiet", no_argument, NULL, 'q'},
	{"json", no_argument, NULL, OPT_JSON},
	{"linger", no_argument, NULL, OPT_LINGER},
	{"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "no memory for the command line");
}

static int add_read(struct options *o, const char *path, struct err *e)
{
	if (!*path)
		return err_set(e, -EINVAL, "--read: the file's name is empty");
	for (size_t i = 0; i < o->reads_n; i++)
		if (!strcmp(path, "-") && !strcmp(o->reads[i], "-"))
			return err_set(e, -EINVAL, "--read -: standard input can be read once");
	o->reads[o->reads_n++] = path; /* argc of them fit */
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

/* The operands, with blanks between them, are the filter. */
static int join_filter(struct options *o, char **words, int n, struct err *e)
{
	size_t bytes = 1;

	for (int i = 0; i < n; i++)
		bytes += strlen(words[i]) + 1;
	if (bytes > FILTER_BYTES_MAX)
		return err_set(e, -EINVAL, "the filter is longer than %d bytes", FILTER_BYTES_MAX);
	if (n == 0)
		return 0;
	o->filter = calloc(1, bytes);
	if (!o->filter)
		return no_memory(e);
	for (int i = 0; i < n; i++) {
		if (i)
			strcat(o->filter, " ");
		strcat(o->filter, words[i]);
	}
	return 0;
}

static int parse_one(struct options *o, int opt, char **argv, struct err *e)
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
	case 'q':
		o->quiet = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_LINGER:
		o->linger = true;
		return 0;
	case OPT_NO_SANDBOX:
		o->no_sandbox = true;
		return 0;
	case OPT_SOCKET:
		if (!*optarg)
			return err_set(e, -EINVAL, "--socket: the path is empty");
		o->socket = optarg;
		return 0;
	case 'h':
		o->action = OPTIONS_HELP;
		return 0;
	case 'V':
		o->action = OPTIONS_VERSION;
		return 0;
	case ':':
		return err_set(e, -EINVAL, "%s wants a value", argv[optind - 1]);
	case '?':
		/* A long one that takes no value comes with the letter of its short form. */
		if (optopt && optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0)
			return err_set(e, -EINVAL, "unknown option -%c", optopt);
		return err_set(e, -EINVAL, "unknown option, or one that takes no value: %.64s",
			       argv[optind - 1]);
	default:
		return options_live_parse(o, opt, e);
	}
}

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

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
	int opt, ret;

	*o = (struct options){
		.workers = 1,
		.flows_max = FLOWS_DEFAULT,
		.hosts_max = HOSTS_DEFAULT,
		.fragments_max = FRAGMENTS_MAX_DEFAULT,
		.host_timeout_ns = HOST_TIMEOUT_NS,
	};
	flow_timeouts_init(&o->timeouts);
	options_live_init(o);
	o->reads = calloc((size_t)argc + 1, sizeof(*o->reads));
	if (!o->reads)
		return no_memory(e);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":i:r:qhV", longs, NULL)) != -1) {
		ret = parse_one(o, opt, argv, e);
		if (ret < 0 || o->action != OPTIONS_RUN)
			return ret;
	}
	ret = join_filter(o, argv + optind, argc - optind, e);
	return ret < 0 ? ret : check(o, e);
}

void options_free(struct options *o)
{
	free(o->reads);
	free(o->inner);
	free(o->filter);
}
