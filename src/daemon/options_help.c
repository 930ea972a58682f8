/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_help.c - what --help prints.
 */
#include "daemon/options.h"

static const char frames[] =
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
	"      --fanout N           number of workers, 1 to 64 (1)\n";

static const char figures[] =
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
	"      --socket-mode MODE   its file's mode, in octal (0660): who may write may ask\n"
	"      --socket-group NAME  its file's group (that of --user)\n"
	"      --linger             at the end of the files go on answering tctable\n"
	"  -q, --quiet              at the end the ledger alone, not the table of hosts\n"
	"      --json               at the end, for programs\n"
	"      --no-sandbox         keep the right to all system calls and files: to debug\n"
	"      --log-level LEVEL    how much is said: error, warning, notice (default), info,\n"
	"                           debug\n"
	"where these stand, too\n"
	"      --config FILE        a file of them (/etc/tcsniff/tcsniff.conf, if there is one):\n"
	"                           lines of 'interface = eth1'; the command line wins\n"
	"      --check-config       only say whether the command line and that file are right\n"
	"  -h, --help               this text\n"
	"  -V, --version            the version\n"
	"\n"
	"TIME is a number of seconds, or like 250ms, 30s, 5m, 1h, 7d; BYTES are like 65536,\n"
	"64K, 1M. What takes no value takes 'no': --json=no is as if it were not there.\n"
	"SIGHUP: the file is read again; --inner, --timeout, --host-timeout, --max-flows,\n"
	"--max-hosts and --log-level take effect, and nothing that was counted is lost.\n"
	"Exit status: 0 done; 1 a file could not be read to its end, or something failed;\n"
	"2 wrong usage.\n";

void options_help(FILE *out)
{
	/* In two, since a compiler need not take a text this long. */
	fputs(frames, out);
	fputs(figures, out);
}
