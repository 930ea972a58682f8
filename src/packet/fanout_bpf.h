/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout_bpf.h - pkt_fanout() as a program for the kernel.
 *
 * A classic BPF program for PACKET_FANOUT_DATA (packet(7)): what it returns,
 * modulo the number of sockets, is what pkt_fanout() says of the same frame.
 * Where a header is deeper than the program goes (see the limits below), a
 * frame goes to the first socket, and so do all of its connection.
 */
#ifndef PACKET_FANOUT_BPF_H
#define PACKET_FANOUT_BPF_H

#include <linux/filter.h>

#define FANOUT_BPF_TAGS	      4 /* VLAN tags, one that the NIC took off not counted */
#define FANOUT_BPF_LABELS     8 /* of MPLS */
#define FANOUT_BPF_EXTENSIONS 4 /* IPv6 headers before ICMPv6 */
#define FANOUT_BPF_MAX	      1024

/* Writes the program and returns its length, at most FANOUT_BPF_MAX. */
unsigned pkt_fanout_program(struct sock_filter out[FANOUT_BPF_MAX]);

#endif
