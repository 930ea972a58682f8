/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout_bpf.h - pkt_fanout() as a program for the kernel.
 *
 * A classic BPF program for PACKET_FANOUT_DATA (packet(7)): what it returns,
 * modulo the number of sockets, is what pkt_fanout() says of the same frame,
 * wholly captured. But for:
 * - malformed frames, which belong to no connection: they go anywhere;
 * - more tags or labels than below: the frame goes to the first socket, and so
 *   do all of its connection;
 * - more IPv6 extension headers than below: an ICMPv6 error behind them goes by
 *   its own addresses, not by the quoted ones. All else goes by its own anyway;
 * - an IP length of 0 (a packet larger than 64 KiB, built by offload): where an
 *   ICMP error or an extension header is cut in it, the frame goes to the first
 *   socket;
 * - tunnels that are opened, and ICMP errors about them: all go to the first
 *   socket, for connections in them may change from one tunnel to another.
 *   Fragments of UDP are not opened, and go by their addresses.
 */
#ifndef PACKET_FANOUT_BPF_H
#define PACKET_FANOUT_BPF_H

#include <linux/filter.h>

#include "packet/decap.h"

#define FANOUT_BPF_TAGS	      4 /* VLAN tags, one that the NIC took off not counted */
#define FANOUT_BPF_LABELS     8 /* of MPLS */
#define FANOUT_BPF_EXTENSIONS 4 /* IPv6 extension headers before ICMPv6 */
#define FANOUT_BPF_MAX	      1024

/* Writes the program, for workers that open what c says, and returns its length, at
 * most FANOUT_BPF_MAX. */
unsigned pkt_fanout_program(struct sock_filter out[FANOUT_BPF_MAX], const struct decap_conf *c);

#endif
