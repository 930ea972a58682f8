# SPDX-License-Identifier: BSD-2-Clause
#
# frames.py - frames to send raw.

import socket
import struct

ELSEWHERE = b"\2\0\0\0\xee\1"  # a station that nobody is
HERE = b"\2\0\0\0\xee\2"
IPV4, IPV6, MPLS, PPPOE, VLAN, SVLAN = 0x0800, 0x86DD, 0x8847, 0x8864, 0x8100, 0x88A8


def ethernet(ethertype, payload, dst=ELSEWHERE, src=HERE):
    return dst + src + struct.pack(">H", ethertype) + payload


def ipv4(src, dst, proto, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + head[12:] + payload


def ipv6(src, dst, proto, payload):
    return (struct.pack(">IHBB", 6 << 28, len(payload), proto, 64)
            + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
            + payload)


def udp(src, dst, sport=4000, dport=5000, size=30):
    """An IP packet of UDP with so many bytes in it, without a checksum."""
    datagram = struct.pack(">HHHH", sport, dport, 8 + size, 0) + b"x" * size
    return (ipv6 if ":" in src else ipv4)(src, dst, 17, datagram)


def vxlan(packet, src, dst):
    """An IP packet in VXLAN in UDP over IPv4 (RFC 7348)."""
    inside = struct.pack(">II", 0x08000000, 7 << 8) + ethernet(
        IPV6 if packet[0] >> 4 == 6 else IPV4, packet)
    return ipv4(src, dst, 17, struct.pack(">HHHH", 54321, 4789, 8 + len(inside), 0) + inside)


def gre(packet, src, dst):
    """An IP packet in GRE over IPv4 (RFC 2784)."""
    kind = IPV6 if packet[0] >> 4 == 6 else IPV4
    return ipv4(src, dst, 47, struct.pack(">HH", 0, kind) + packet)


def plain(src, dst, *args, **kwargs):
    """UDP in an Ethernet frame."""
    return ethernet(IPV6 if ":" in src else IPV4, udp(src, dst, *args, **kwargs))


def tagged(tags, ethertype, payload):
    """tags: (ethertype of the tag, VLAN id), the outer one first."""
    for kind, vlan in reversed(tags):
        payload = struct.pack(">HH", vlan, ethertype) + payload
        ethertype = kind
    return ethernet(ethertype, payload)


def labelled(labels, packet):
    stack = b"".join(struct.pack(">I", label << 12 | (i == len(labels) - 1) << 8 | 64)
                     for i, label in enumerate(labels))
    return ethernet(MPLS, stack + packet)


def session(packet, session_id=7):
    """PPPoE"""
    ppp = struct.pack(">H", 0x0057 if packet[0] >> 4 == 6 else 0x0021) + packet
    return ethernet(PPPOE, struct.pack(">BBHH", 0x11, 0, session_id, len(ppp)) + ppp)
