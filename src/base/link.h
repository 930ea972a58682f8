/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - the link types that are decoded, by their LINKTYPE_ numbers
 * (https://www.tcpdump.org/linktypes.html).
 *
 * 12 and 14 are what some systems wrote for raw IP (their DLT_RAW).
 */
#ifndef BASE_LINK_H
#define BASE_LINK_H

enum link_type {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW_12 = 12,
	LINK_RAW_14 = 14,
	LINK_PPP_HDLC = 50,
	LINK_RAW = 101,
	LINK_C_HDLC = 104,
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276,
};

#endif
