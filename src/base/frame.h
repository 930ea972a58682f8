/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - one captured frame, as a source hands it to a decoder.
 *
 * The word that capture and packet have in common; neither knows the other.
 * Memory: data is borrowed until the source's release().
 * Time:   ts_ns is nanoseconds since the epoch, as the capture stamped it.
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stdint.h>

/* Which way a frame passed the NIC (sockaddr_ll.sll_pkttype). */
enum frame_way {
	FRAME_WAY_UNKNOWN, /* a capture file does not say */
	FRAME_WAY_IN,	   /* to us: host, broadcast or multicast */
	FRAME_WAY_OTHER,   /* for another station, seen in promiscuous mode */
	FRAME_WAY_OUT,	   /* sent by this machine (PACKET_OUTGOING) */
};

struct frame {
	const uint8_t *data;
	uint64_t ts_ns;
	uint32_t caplen;    /* bytes at data */
	uint32_t wirelen;   /* bytes the frame had on the wire; files may lie */
	uint16_t link;	    /* LINKTYPE_*, as in capture files (base/link.h) */
	uint16_t vlan_tci;  /* the tag that the NIC took off, host order ... */
	uint16_t vlan_tpid; /* ... and its TPID, host order; 0: there was none */
	uint16_t gso_size;  /* payload bytes of each segment, of which this frame ... */
	uint8_t gso_proto;  /* ... is several of this IP protocol merged; 0: it is not */
	uint8_t way;	    /* enum frame_way */
};

#endif
