/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mktrace.c - make a capture file of invented traffic, and the account that an
 * exact counter must give of it.
 *
 * Connections begin, carry data and end; hosts and connections are drawn from
 * Zipf's distribution, so a few carry most of the traffic. What each host sent
 * and received is noted while the packets are made, never read back from them.
 * The same options make the same file.
 */
#include "mktrace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

static const char help[] =
	"usage: mktrace [option...] [MODE] FILE\n"
	"\n"
	"Makes a pcap file (Ethernet, nanoseconds) of invented traffic; FILE '-' is\n"
	"standard output. N may end in k, M or G; a SHARE is in percent.\n"
	"\n"
	"modes\n"
	"  traffic               connections that begin, carry data and end (default)\n"
	"  synflood              SYNs from random sources to one inner server, which\n"
	"                        answers one of 8\n"
	"  udpflood              datagrams from 16 sources to random ports of one host\n"
	"  icmpflood             echo requests with random ids to one host, unanswered\n"
	"  scan4                 SYNs to ever other addresses of 10/8\n"
	"  scan6                 SYNs to ever other addresses of an inner /64\n"
	"  reuse                 TCP connections one after the other on the same tuples\n"
	"  fragments             nothing but fragments: in order, reversed, mixed, some\n"
	"                        datagrams without their first\n"
	"  tunnels               connections in GRE, ERSPAN I to III, IPIP, 6in4, VXLAN,\n"
	"                        GENEVE and GTP-U between two inner hosts\n"
	"Every packet of a flood, but for those answers, has a tuple of its own.\n"
	"\n"
	"how much\n"
	"      --packets N         frames in the file (1M)\n"
	"      --hosts N           inner addresses, in 10/8 and fd00::/8 (1000)\n"
	"      --prefix N          those of IPv4 in 10.0.0.0/N, 8 to 24 (8)\n"
	"      --peers N           outer addresses of either family (as many as hosts,\n"
	"                          64 to 65536)\n"
	"      --flows N           connections at once (10 * hosts)\n"
	"      --longest N         data packets of the longest connections; most have few,\n"
	"                          2 at least (401)\n"
	"      --flat              how much more some connections, hosts and peers have to\n"
	"                          say than others: the k-th k^-2/3, not 1/k\n"
	"      --span TIME         time from the first to the last frame (60s)\n"
	"      --rate N            frames a second, instead of --span\n"
	"      --start SECONDS     when it begins, since the epoch (1700000000)\n"
	"what (modes other than traffic: as far as they say so)\n"
	"      --established N     connections beneath a flood, of --hosts, which carry\n"
	"                          traffic both ways before it, one packet of 20 during\n"
	"                          it, and one packet each after it (0)\n"
	"      --decap             --expect tells what is inside of tunnels\n"
	"      --tcp SHARE         connections that are TCP (80)\n"
	"      --udp SHARE         ... UDP (15)\n"
	"      --icmp SHARE        ... ICMP echoes (3); the rest is ESP, GRE and SCTP\n"
	"      --ipv6 SHARE        addresses that are IPv6 (20)\n"
	"      --internal SHARE    connections between two inner hosts (10)\n"
	"      --transit SHARE     connections between two outer ones (1)\n"
	"      --vlan SHARE        connections with an 802.1Q tag (10)\n"
	"      --qinq SHARE        connections with two tags (2)\n"
	"      --fragments SHARE   UDP datagrams and echoes in several fragments (2)\n"
	"      --not-ip SHARE      frames without IP: ARP, LLDP, LLC (0.5)\n"
	"      --malformed SHARE   frames with a broken IP header (0.1)\n"
	"      --sizes B:W[,B:W]   sizes of data packets in IP bytes, each with its\n"
	"                          weight (40:7,576:4,1500:1)\n"
	"how\n"
	"      --snaplen N         bytes captured of a frame, 128 to 65535 (128; 192)\n"
	"      --seed N            another trace of the same kind (1)\n"
	"      --expect FILE       write what must be counted with the default inner\n"
	"                          networks, as tcsniff --json prints it\n"
	"      --expect-all FILE   the same for --inner all; of traffic alone\n"
	"  -h, --help              this text\n"
	"\n"
	"IPv4 headers have their checksums; those of TCP and UDP are 0.\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "mktrace: %s: %s\n", what, why);
	return 1;
}

static void name_entities(struct trace *t)
{
	const uint32_t hosts = (uint32_t)t->c.hosts, inners = t->inners;
	const uint32_t host_bits = UINT32_MAX >> t->c.prefix;
	/* 198.18/15 is for benchmarks (RFC 2544), but may be too small. */
	const uint32_t outer_net = t->outers > OUTERS_MAX ? 198u << 24 : 198u << 24 | 18u << 16;
	const uint32_t outer_bits = t->outers > OUTERS_MAX ? 0xffffff : 0x1ffff;
	const double flooded_v6 = t->c.mode == MODE_SCAN6;

	for (uint32_t i = 0; i < t->stranger; i++) {
		static const uint8_t nets[2][8] = {{0xfd, 0x7c, 0x5e}, {0x20, 0x01, 0x0d, 0xb8}};
		struct entity *e = &t->entities[i];
		const bool inner = i < inners;
		const double v6 = i < hosts ? t->c.share[SHARE_IPV6] : flooded_v6;
		uint32_t k = inner ? i : (i - inners) / 2;
		uint64_t low = scramble(k);

		if (inner ? floor((i + 1) * v6) > floor(i * v6) : (i - inners) & 1) {
			e->family = ADDR_V6;
			put_bytes(e->ip.b, nets[!inner], 8);
			put32(put32(e->ip.b + 8, (uint32_t)(low >> 32)), (uint32_t)low);
		} else {
			e->family = ADDR_V4; /* odd factors: no two are equal */
			put32(e->ip.b, inner ? 10u << 24 | ((k + 1) * 0x9e3779b1u & host_bits)
					     : outer_net | (k * 0x9e37u & outer_bits));
		}
	}
}

static const struct entity *sort_base;

static int by_address(const void *a, const void *b)
{
	const struct entity *x = sort_base + *(const uint32_t *)a;
	const struct entity *y = sort_base + *(const uint32_t *)b;

	return x->family != y->family ? x->family - y->family : memcmp(x->ip.b, y->ip.b, 16);
}

/* How many connections there were, whatever the timeouts. */
static bool knows_conns(const struct trace *t)
{
	return t->c.mode >= MODE_SYNFLOOD && t->c.mode <= MODE_REUSE;
}

static void expect_host(FILE *to, const struct trace *t, const struct entity *e)
{
	static const char *const names[CLASSES] = {"tcp", "udp", "icmp", "other"};
	char text[INET6_ADDRSTRLEN];

	inet_ntop(e->family == ADDR_V4 ? AF_INET : AF_INET6, e->ip.b, text, sizeof(text));
	fprintf(to, "{\"ip\": \"%s\", \"last_ns\": %llu", text, (unsigned long long)e->last_ns);
	if (knows_conns(t))
		fprintf(to, ", \"next_conn_id\": %llu, \"established\": %llu",
			(unsigned long long)e->conns, (unsigned long long)e->established);
	for (unsigned c = 0; c < CLASSES; c++) {
		fprintf(to, ", \"%s\": {", names[c]);
		for (unsigned rx = 0; rx < 2; rx++)
			fprintf(to, "%s\": {\"packets\": %llu, \"bytes\": %llu}",
				rx ? ", \"rx" : "\"tx", (unsigned long long)e->sum[c][rx].packets,
				(unsigned long long)e->sum[c][rx].bytes);
		putc('}', to);
	}
	putc('}', to);
}

static void expect_ledger(FILE *to, const struct trace *t, bool all)
{
	struct counter counted = t->inner, internal = t->internal, transit = t->transit;

	if (all) { /* every unicast address is a host */
		counted.packets += transit.packets;
		counted.bytes += transit.bytes;
		internal.packets = counted.packets - t->received_by_one.packets;
		internal.bytes = counted.bytes - t->received_by_one.bytes;
		transit.packets = 0;
	}
	fprintf(to,
		"{\"ledger\": {\"received\": %llu, \"counted\": %llu, \"counted_bytes\": %llu, "
		"\"internal\": %llu, \"internal_bytes\": %llu, \"transit\": %llu, "
		"\"not_ip\": %llu, \"malformed\": %llu},\n",
		(unsigned long long)t->made, (unsigned long long)counted.packets,
		(unsigned long long)counted.bytes, (unsigned long long)internal.packets,
		(unsigned long long)internal.bytes, (unsigned long long)transit.packets,
		(unsigned long long)t->not_ip, (unsigned long long)t->malformed);
}

/* Writes what an exact counter says; hosts without a packet do not appear. */
static int expect(const struct trace *t, const char *path, bool all)
{
	uint32_t end = t->inners + (all ? 2 * t->outers : 0), n = 0;
	uint32_t *order = calloc(end, sizeof(*order));
	FILE *to = order ? fopen(path, "w") : NULL;
	bool wrong;

	if (!to) {
		free(order);
		return -errno;
	}
	for (uint32_t i = 0; i < end; i++)
		if (t->entities[i].last_ns)
			order[n++] = i;
	sort_base = t->entities;
	qsort(order, n, sizeof(*order), by_address);
	expect_ledger(to, t, all);
	if (t->c.mode == MODE_FRAGMENTS)
		fprintf(to, " \"tracked\": %llu, \"astray\": %llu,\n",
			(unsigned long long)(t->inner.packets - t->astray),
			(unsigned long long)t->astray);
	if (knows_conns(t))
		fprintf(to, " \"established\": %llu,\n", (unsigned long long)t->c.established);
	fputs(" \"hosts\": [", to);
	for (uint32_t i = 0; i < n; i++) {
		fputs(i ? ",\n  " : "\n  ", to);
		expect_host(to, t, &t->entities[order[i]]);
	}
	fputs("]}\n", to);
	free(order);
	wrong = ferror(to);
	return fclose(to) || wrong ? -(errno ? errno : EIO) : 0;
}

enum {
	OPT_SIZES = 256,
	OPT_SPAN,
	OPT_EXPECT,
	OPT_EXPECT_ALL,
	OPT_DECAP,
	OPT_FLAT,
	OPT_SHARE,
	OPT_COUNT = 300
};

/* Options whose values are plain counts, and where they go. */
static const struct count_option {
	size_t at;
	uint64_t min, max;
} counts[] = {
	{offsetof(struct conf, packets), 1, 1000000000000},
	{offsetof(struct conf, hosts), 1, HOSTS_MAX},
	{offsetof(struct conf, flows), 1, 100000000},
	{offsetof(struct conf, rate), 1, 1000000000},
	{offsetof(struct conf, start), 1, 4000000000},
	{offsetof(struct conf, snaplen), SNAPLEN_MIN, 65535},
	{offsetof(struct conf, seed), 0, UINT64_MAX},
	{offsetof(struct conf, established), 0, 10000000},
	{offsetof(struct conf, prefix), PREFIX, 24},
	{offsetof(struct conf, peers), 2, HOSTS_MAX},
	{offsetof(struct conf, longest), 2, 65535},
};

static const struct option longs[] = {
	{"packets", required_argument, NULL, OPT_COUNT},
	{"hosts", required_argument, NULL, OPT_COUNT + 1},
	{"flows", required_argument, NULL, OPT_COUNT + 2},
	{"rate", required_argument, NULL, OPT_COUNT + 3},
	{"start", required_argument, NULL, OPT_COUNT + 4},
	{"snaplen", required_argument, NULL, OPT_COUNT + 5},
	{"seed", required_argument, NULL, OPT_COUNT + 6},
	{"established", required_argument, NULL, OPT_COUNT + 7},
	{"prefix", required_argument, NULL, OPT_COUNT + 8},
	{"peers", required_argument, NULL, OPT_COUNT + 9},
	{"longest", required_argument, NULL, OPT_COUNT + 10},
	{"tcp", required_argument, NULL, OPT_SHARE + SHARE_TCP},
	{"udp", required_argument, NULL, OPT_SHARE + SHARE_UDP},
	{"icmp", required_argument, NULL, OPT_SHARE + SHARE_ICMP},
	{"ipv6", required_argument, NULL, OPT_SHARE + SHARE_IPV6},
	{"internal", required_argument, NULL, OPT_SHARE + SHARE_INTERNAL},
	{"transit", required_argument, NULL, OPT_SHARE + SHARE_TRANSIT},
	{"vlan", required_argument, NULL, OPT_SHARE + SHARE_VLAN},
	{"qinq", required_argument, NULL, OPT_SHARE + SHARE_QINQ},
	{"fragments", required_argument, NULL, OPT_SHARE + SHARE_FRAGMENTS},
	{"not-ip", required_argument, NULL, OPT_SHARE + SHARE_NOT_IP},
	{"malformed", required_argument, NULL, OPT_SHARE + SHARE_MALFORMED},
	{"sizes", required_argument, NULL, OPT_SIZES},
	{"span", required_argument, NULL, OPT_SPAN},
	{"expect", required_argument, NULL, OPT_EXPECT},
	{"decap", no_argument, NULL, OPT_DECAP},
	{"flat", no_argument, NULL, OPT_FLAT},
	{"expect-all", required_argument, NULL, OPT_EXPECT_ALL},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int parse_share(double *out, const char *text, struct err *e)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= 0 && v <= 100))
		return err_set(e, -EINVAL, "'%s' is no share: give 0 to 100 percent", text);
	*out = v / 100;
	return 0;
}

static int parse_sizes(struct conf *c, const char *text, struct err *e)
{
	double sum = 0;

	for (c->sizes_n = 0; *text; c->sizes_n++) {
		unsigned bytes, weight;
		int n = 0;

		if (c->sizes_n == SIZES_MAX || sscanf(text, "%5u:%9u%n", &bytes, &weight, &n) < 2 ||
		    bytes < 20 || bytes > 65535 || !weight ||
		    (text[n] && (text[n] != ',' || !text[n + 1])))
			return err_set(e, -EINVAL,
				       "sizes at '%s': give up to %d of BYTES:WEIGHT, BYTES from "
				       "20 to 65535, with commas between",
				       text, SIZES_MAX);
		sum += weight;
		c->sizes[c->sizes_n].bytes = bytes;
		c->sizes[c->sizes_n].up_to = sum;
		text += n + (text[n] == ',');
	}
	for (unsigned i = 0; i < c->sizes_n; i++)
		c->sizes[i].up_to /= sum;
	return c->sizes_n ? 0 : err_set(e, -EINVAL, "no sizes: give BYTES:WEIGHT");
}

static int parse_mode(enum mode *out, const char *text, struct err *e)
{
	static const char *const names[MODES] = {"traffic",   "synflood",  "udpflood",
						 "icmpflood", "scan4",	   "scan6",
						 "reuse",     "fragments", "tunnels"};

	for (unsigned m = 0; m < MODES; m++) {
		if (strcmp(names[m], text) != 0)
			continue;
		*out = (enum mode)m;
		return 0;
	}
	return err_set(e, -EINVAL, "'%.64s' is no mode; see mktrace --help", text);
}

static int check_mode(const struct conf *c, struct err *e)
{
	const bool is_flood = c->mode > MODE_TRAFFIC && c->mode <= MODE_SCAN6;

	if (c->established && !is_flood)
		return err_set(e, -EINVAL, "--established is for floods; name one");
	if (c->decap && c->mode != MODE_TUNNELS)
		return err_set(e, -EINVAL, "--decap is for the mode tunnels");
	if (c->mode == MODE_TUNNELS && c->snaplen < SNAPLEN_TUNNEL)
		return err_set(e, -EINVAL, "--snaplen %llu: headers in tunnels need %d",
			       (unsigned long long)c->snaplen, SNAPLEN_TUNNEL);
	if (c->mode == MODE_REUSE && c->span_ns / c->packets * c->flows > 5 * NS_PER_SEC)
		return err_set(e, -EINVAL,
			       "--flows %llu: a packet of each takes more than 5s; give fewer",
			       (unsigned long long)c->flows);
	if (c->mode != MODE_TRAFFIC && c->expect_all)
		return err_set(e, -EINVAL, "--expect-all is for the mode traffic");
	if (c->mode != MODE_TRAFFIC && c->prefix != PREFIX)
		return err_set(e, -EINVAL, "--prefix is for the mode traffic");
	if (c->packets < c->established * 5)
		return err_set(e, -EINVAL,
			       "--established %llu: they alone are %llu packets, above --packets",
			       (unsigned long long)c->established,
			       (unsigned long long)c->established * 5);
	if ((c->mode == MODE_SCAN4 || c->mode == MODE_SCAN6) && c->hosts + c->packets > HOSTS_MAX)
		return err_set(e, -EINVAL, "a scan of so many packets: %d with --hosts at most",
			       HOSTS_MAX);
	return 0;
}

static int check_conf(struct conf *c, struct err *e)
{
	const double *s = c->share;

	if (s[SHARE_TCP] + s[SHARE_UDP] + s[SHARE_ICMP] > 1 + 1e-9)
		return err_set(e, -EINVAL, "--tcp, --udp and --icmp are above 100 together");
	if (s[SHARE_INTERNAL] + s[SHARE_TRANSIT] > 1 + 1e-9)
		return err_set(e, -EINVAL, "--internal and --transit are above 100 together");
	if (s[SHARE_VLAN] + s[SHARE_QINQ] > 1 + 1e-9)
		return err_set(e, -EINVAL, "--vlan and --qinq are above 100 together");
	if (c->hosts > UINT32_MAX >> c->prefix)
		return err_set(e, -EINVAL,
			       "--prefix %llu: --hosts needs %llu addresses; give a shorter one",
			       (unsigned long long)c->prefix, (unsigned long long)c->hosts);
	if (!c->flows)
		c->flows = 10 * c->hosts;
	if (!c->peers)
		c->peers = c->hosts < 64 ? 64 : c->hosts < OUTERS_MAX ? c->hosts : OUTERS_MAX;
	if (c->rate)
		c->span_ns = (uint64_t)((double)c->packets / (double)c->rate * (double)NS_PER_SEC);
	return check_mode(c, e);
}

static int parse_option(struct conf *c, int opt, struct err *e)
{
	if (opt >= OPT_COUNT) {
		const struct count_option *o = &counts[opt - OPT_COUNT];

		return units_count_parse((uint64_t *)((char *)c + o->at), optarg, o->min, o->max,
					 e);
	}
	if (opt >= OPT_SHARE)
		return parse_share(&c->share[opt - OPT_SHARE], optarg, e);
	if (opt == OPT_SIZES)
		return parse_sizes(c, optarg, e);
	if (opt == OPT_SPAN)
		return units_duration_parse(&c->span_ns, optarg, e);
	if (opt == OPT_DECAP || opt == OPT_FLAT) {
		*(opt == OPT_FLAT ? &c->flat : &c->decap) = true;
		return 0;
	}
	*(opt == OPT_EXPECT ? &c->expect : &c->expect_all) = optarg;
	return 0;
}

/* 0; 1: nothing more to do; -EINVAL with e filled, or empty if getopt spoke. */
static int parse(struct conf *c, int argc, char **argv, struct err *e)
{
	int opt, which, ret;

	*c = (struct conf){
		.packets = 1000000,
		.hosts = 1000,
		.prefix = PREFIX,
		.longest = 401,
		.start = 1700000000,
		.seed = 1,
		.span_ns = 60 * NS_PER_SEC,
		.share = {0.80, 0.15, 0.03, 0.20, 0.10, 0.01, 0.10, 0.02, 0.02, 0.005, 0.001}};
	ret = parse_sizes(c, "40:7,576:4,1500:1", e);
	while (ret == 0 && (opt = getopt_long(argc, argv, "h", longs, &which)) != -1) {
		struct err why = {""};

		if (opt == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (opt == '?')
			return err_set(e, -EINVAL, "see mktrace --help");
		ret = parse_option(c, opt, &why);
		if (ret < 0)
			return err_set(e, ret, "--%s: %s", longs[which].name, why.text);
	}
	if (ret < 0)
		return ret;
	if (argc - optind == 2)
		ret = parse_mode(&c->mode, argv[optind++], e);
	if (ret < 0)
		return ret;
	if (optind + 1 != argc)
		return err_set(e, -EINVAL, "give one FILE to write, or '-'; see mktrace --help");
	c->path = argv[optind];
	if (!c->snaplen)
		c->snaplen = c->mode == MODE_TUNNELS ? SNAPLEN_TUNNEL : SNAPLEN_MIN;
	return check_conf(c, e);
}

static int trace_init(struct trace *t)
{
	t->inners = (uint32_t)t->c.hosts;
	if (t->c.mode == MODE_SCAN4 || t->c.mode == MODE_SCAN6)
		t->inners += (uint32_t)t->c.packets;
	else if (t->c.mode != MODE_TRAFFIC)
		t->inners += 2;
	t->outers = (uint32_t)t->c.peers;
	t->random = scramble(t->c.seed);
	t->ts_ns = t->c.start * NS_PER_SEC;
	t->gap_ns = t->c.span_ns / t->c.packets;
	t->out = malloc(OUT_BYTES);
	t->stranger = t->inners + 2 * t->outers;
	t->entities = calloc(t->stranger + 1, sizeof(*t->entities));
	t->flows = calloc(t->c.flows > t->c.established ? t->c.flows : t->c.established,
			  sizeof(*t->flows));
	if (!t->out || !t->entities || !t->flows)
		return -ENOMEM;
	name_entities(t);
	return 0;
}

static int make(struct trace *t)
{
	static int (*const makers[MODES])(struct trace *) = {
		[MODE_TRAFFIC] = make_traffic, [MODE_SYNFLOOD] = make_flood,
		[MODE_UDPFLOOD] = make_flood,  [MODE_ICMPFLOOD] = make_flood,
		[MODE_SCAN4] = make_flood,     [MODE_SCAN6] = make_flood,
		[MODE_REUSE] = make_reuse,     [MODE_FRAGMENTS] = make_fragments,
		[MODE_TUNNELS] = make_tunnels,
	};
	int ret;

	put_file_header(t);
	ret = makers[t->c.mode](t);
	return ret < 0 ? ret : flush(t);
}

static void trace_fini(struct trace *t)
{
	free(t->out);
	free(t->entities);
	free(t->flows);
}

int main(int argc, char **argv)
{
	struct trace t = {0};
	struct err e = {""};
	int ret = parse(&t.c, argc, argv, &e);

	if (ret < 0) {
		fprintf(stderr, "mktrace: %s\n", e.text);
		return 2;
	}
	if (ret > 0)
		return 0;
	if (trace_init(&t) < 0) {
		trace_fini(&t);
		return fail("memory for hosts and flows", "not enough: ask for fewer of them");
	}
	t.fd = !strcmp(t.c.path, "-")
		       ? STDOUT_FILENO
		       : open(t.c.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ret = t.fd < 0 ? -errno : make(&t);
	if (ret == 0 && close(t.fd) < 0)
		ret = -errno;
	if (ret < 0)
		ret = fail(t.c.path, strerror(-ret));
	if (ret == 0 && t.c.expect && (ret = expect(&t, t.c.expect, false)) < 0)
		ret = fail(t.c.expect, strerror(-ret));
	if (ret == 0 && t.c.expect_all && (ret = expect(&t, t.c.expect_all, true)) < 0)
		ret = fail(t.c.expect_all, strerror(-ret));
	trace_fini(&t);
	return ret;
}
