#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
read_capture.py - a second, slow reader of capture files, to check tcsniff by.

usage: read_capture.py [--inner all] FILE...

Written from the decode rules alone, with nothing of tcsniff's: pcap and pcapng,
plain or gzip, to the ledger and the hosts in the form of `tcsniff --json`, less
what needs connections. A file cut short counts to its last whole record.
"""
import ipaddress
import json
import struct
import sys
import zlib

CLASSES = ("tcp", "udp", "icmp", "other")
TCP, UDP, ICMP, OTHER = range(4)

DEFAULT_INNER = [ipaddress.ip_network(n) for n in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "169.254.0.0/16", "fc00::/7", "fe80::/10")]

VLAN_TYPES = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
MPLS_TYPES = (0x8847, 0x8848)
PPPOE_SESSION = 0x8864
ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
PPP_TO_ETHERTYPE = {0x0021: ETHERTYPE_IPV4, 0x0057: ETHERTYPE_IPV6,
                    0x0281: 0x8847, 0x0283: 0x8848}

LINK_NULL, LINK_ETHERNET, LINK_PPP, LINK_PPP_HDLC = 0, 1, 9, 50
LINK_RAW = (12, 14, 101)
LINK_C_HDLC, LINK_LOOP, LINK_SLL, LINK_IPV4, LINK_IPV6, LINK_SLL2 = 104, 108, 113, 228, 229, 276
C_HDLC_FIRST = (b"\x0f", b"\x8f")  # link type 50 is PPP, or Cisco's framing (RFC 1547)
AF_INET, AF_INET6 = 2, (10, 24, 28, 30)

EXTENSIONS = (0, 43, 44, 51, 60)


class NotIp(Exception):
    """No IP inside, or the way to it was not captured."""


class Malformed(Exception):
    """An IP header that cannot be one."""


class Cut(Exception):
    """The file is cut or damaged here; what came before counts."""


class Frame:
    """What a capture file says of one frame."""
    __slots__ = ("ts_ns", "link", "data", "wire")

    def __init__(self, ts_ns, link, data, wire):
        self.ts_ns, self.link, self.data, self.wire = ts_ns, link, data, wire


# ---- files ------------------------------------------------------------------

def read_whole(path):
    """(what the file holds, unpacked; whether the packing ended as it must)"""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] != b"\x1f\x8b":
        return data, True
    out = b""
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(data)
        except zlib.error:
            return out, False
        if not member.eof:
            return out, False
        data = member.unused_data.lstrip(b"\0")
    return out, True


def frames_of(path):
    """Yields the frames of one file; raises Cut behind the last whole one."""
    data, is_whole = read_whole(path)
    reader = None
    for order in "<>":
        number = int.from_bytes(data[:4], "little" if order == "<" else "big")
        if number in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34):
            reader = pcap_frames(data, order, number)
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        reader = pcapng_frames(data)
    if not reader:
        raise ValueError("%s: neither pcap nor pcapng" % path)
    yield from reader
    if not is_whole:
        raise Cut


def pcap_frames(data, order, magic):
    if len(data) < 24:
        raise Cut
    major, minor, _, _, _, link = struct.unpack_from(order + "HHiIII", data, 4)
    header = 24 if magic == 0xA1B2CD34 else 16
    unit = 1 if magic == 0xA1B23C4D else 1000
    always_swapped = (major, minor) < (2, 3)
    may_be_swapped = (major, minor) in ((2, 3), (543, 0))
    at = 24
    while at + header <= len(data):
        sec, fraction, captured, wire = struct.unpack_from(order + "IIII", data, at)
        if always_swapped or (may_be_swapped and captured > wire):
            captured, wire = wire, captured
        at += header
        if at + captured > len(data):
            raise Cut
        yield Frame(sec * 10**9 + fraction * unit, link & 0xFFFF, data[at:at + captured], wire)
        at += captured
    if at < len(data):
        raise Cut


def pcapng_options(order, body):
    at = 0
    while at + 4 <= len(body):
        code, n = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            return
        yield code, body[at + 4:at + 4 + n]
        at += 4 + (n + 3 & ~3)


class Interface:
    def __init__(self, order, body):
        self.link, _, self.snaplen = struct.unpack_from(order + "HHI", body)
        self.units, self.offset = 10**6, 0  # stamps a second
        for code, value in pcapng_options(order, body[8:]):
            if code == 9 and len(value) == 1:
                exponent = value[0] & 0x7F
                self.units = 2**exponent if value[0] & 0x80 else 10**exponent
            elif code == 14 and len(value) == 8:
                self.offset = struct.unpack(order + "q", value)[0]

    def ns(self, high, low):
        return (high << 32 | low) * 10**9 // self.units + self.offset * 10**9


def pcapng_frames(data):
    order, interfaces, at = "<", [], 0
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = ">" if data[at + 8:at + 12] == b"\x1a\x2b\x3c\x4d" else "<"
            interfaces = []
        kind, total = struct.unpack_from(order + "II", data, at)
        if total < 12 or total % 4 or at + total > len(data):
            raise Cut
        body = data[at + 8:at + total - 4]
        at += total
        if kind == 1:
            interfaces.append(Interface(order, body))
        elif kind in (2, 6) and len(body) >= 20:
            if kind == 6:
                number, high, low, captured, wire = struct.unpack_from(order + "IIIII", body)
            else:
                number, _, high, low, captured, wire = struct.unpack_from(order + "HHIIII", body)
            if number >= len(interfaces) or captured > len(body) - 20:
                raise Cut
            i = interfaces[number]
            yield Frame(i.ns(high, low), i.link, body[20:20 + captured], wire)
        elif kind == 3 and len(body) >= 4 and interfaces:
            wire = struct.unpack_from(order + "I", body)[0]
            captured = min(wire, len(body) - 4, interfaces[0].snaplen or wire)
            yield Frame(0, interfaces[0].link, body[4:4 + captured], wire)
    if at < len(data):
        raise Cut


# ---- from the link header to IP -----------------------------------------------

def need(data, at, n):
    if len(data) < at + n:
        raise NotIp
    return data[at:at + n]


def be16(data, at):
    return int.from_bytes(need(data, at, 2), "big")


def ppp_protocol(data, at):
    """(ethertype, where its payload starts); the protocol may be compressed."""
    if need(data, at, 1)[0] & 1:
        protocol, at = data[at], at + 1
    else:
        protocol, at = be16(data, at), at + 2
    if protocol not in PPP_TO_ETHERTYPE:
        raise NotIp
    return PPP_TO_ETHERTYPE[protocol], at


def family_ethertype(family):
    if family == AF_INET:
        return ETHERTYPE_IPV4
    if family in AF_INET6:
        return ETHERTYPE_IPV6
    raise NotIp


def link_header(link, data):
    """(ethertype or None for raw IP, where its payload starts)"""
    if link == LINK_ETHERNET:
        need(data, 0, 14)
        return be16(data, 12), 14
    if link in LINK_RAW:
        return None, 0
    if link == LINK_IPV4:
        return ETHERTYPE_IPV4, 0
    if link == LINK_IPV6:
        return ETHERTYPE_IPV6, 0
    if link == LINK_NULL:  # in the byte order of whoever captured
        family = need(data, 0, 4)
        little, big = (int.from_bytes(family, o) for o in ("little", "big"))
        return family_ethertype(min(little, big)), 4
    if link == LINK_LOOP:
        return family_ethertype(int.from_bytes(need(data, 0, 4), "big")), 4
    if link == LINK_C_HDLC or link in (LINK_PPP, LINK_PPP_HDLC) and data[:1] in C_HDLC_FIRST:
        return be16(need(data, 0, 4), 2), 4
    if link in (LINK_PPP, LINK_PPP_HDLC):
        if data[:1] == b"\xff" and need(data, 0, 2)[1] != 3:  # RFC 1662: address, control
            raise NotIp
        return ppp_protocol(data, 2 if data[:1] == b"\xff" else 0)
    if link == LINK_SLL:
        return be16(need(data, 0, 16), 14), 16
    if link == LINK_SLL2:
        return be16(need(data, 0, 20), 0), 20
    raise NotIp


def find_ip(frame):
    """(version that the link layer said, or None; where the IP header starts)"""
    data = frame.data
    kind, at = link_header(frame.link, data)
    while True:
        if kind is None:
            return None, at
        if kind in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            return 4 if kind == ETHERTYPE_IPV4 else 6, at
        if kind in VLAN_TYPES:
            kind, at = be16(need(data, at, 4), 2), at + 4
        elif kind in MPLS_TYPES:
            while not need(data, at, 4)[2] & 1:
                at += 4
            at += 4
            version = need(data, at, 1)[0] >> 4
            if version not in (4, 6):
                raise NotIp
            return version, at
        elif kind == PPPOE_SESSION:
            if need(data, at, 6)[1]:  # RFC 2516: 0 is data of a session
                raise NotIp
            kind, at = ppp_protocol(data, at + 6)
        else:
            raise NotIp


# ---- IP ---------------------------------------------------------------------

class Packet:
    __slots__ = ("src", "dst", "cls", "bytes")


def class_of(protocol, icmp):
    return {6: TCP, 17: UDP, icmp: ICMP}.get(protocol, OTHER)


def ipv4(ip, wire):
    if len(ip) < 20 or ip[0] >> 4 != 4:
        raise Malformed
    header, total = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big") or wire
    if header < 20 or total < header or total > wire:
        raise Malformed
    p = Packet()
    p.bytes, p.src, p.dst, p.cls = total, ip[12:16], ip[16:20], class_of(ip[9], 1)
    return p


def ipv6_class(ip):
    kind, at = ip[6], 40
    while kind in EXTENSIONS:
        if len(ip) < at + 8:
            return OTHER
        following = ip[at]
        if kind == 44:
            if int.from_bytes(ip[at + 2:at + 4], "big") >> 3:  # a later fragment
                return OTHER if following in EXTENSIONS else class_of(following, 58)
            size = 8
        elif kind == 51:
            size = (ip[at + 1] + 2) * 4
        else:
            size = (ip[at + 1] + 1) * 8
        if len(ip) < at + size:
            return OTHER
        kind, at = following, at + size
    return class_of(kind, 58)


def ipv6(ip, wire):
    if len(ip) < 40 or ip[0] >> 4 != 6:
        raise Malformed
    payload = int.from_bytes(ip[4:6], "big")
    total = 40 + payload if payload else wire
    if total < 40 or total > wire:
        raise Malformed
    p = Packet()
    p.bytes, p.src, p.dst = total, ip[8:24], ip[24:40]
    p.cls = ipv6_class(ip[:total])  # what stands behind is padding
    return p


def decode(frame):
    """The Packet in a frame; raises NotIp or Malformed."""
    version, at = find_ip(frame)
    ip = frame.data[at:]
    if version is None:
        version = ip[0] >> 4 if ip else 0
    wire = frame.wire - at
    if version == 4:
        return ipv4(ip, wire)
    if version == 6:
        return ipv6(ip, wire)
    raise Malformed


# ---- the account --------------------------------------------------------------

BACK_NS = 60 * 10 ** 9
FORWARD_NS = 30 * 86400 * 10 ** 9


class Account:
    """Counts frames as tcsniff must. `networks` None: every address is inner."""

    def __init__(self, networks=DEFAULT_INNER):
        self.networks = networks
        self.known = {}
        # packed address -> [last_ns, [class][tx, rx] -> [packets, bytes], first_ns]
        self.hosts = {}
        self.clock_ns = 0
        self.jumped = False  # a stamp was farther from the clock than a clock is off
        self.ledger = dict.fromkeys(("received", "counted", "counted_bytes", "internal",
                                     "internal_bytes", "transit", "not_ip", "malformed"), 0)

    def is_host(self, packed):
        if packed not in self.known:
            ip = ipaddress.ip_address(packed)
            never = (ip.is_multicast or int(ip) == 0
                     or packed == b"\xff\xff\xff\xff")
            inner = self.networks is None or any(ip in n for n in self.networks
                                                 if n.version == ip.version)
            self.known[packed] = inner and not never
        return self.known[packed]

    def count(self, packed, cls, way, size, ts_ns):
        host = self.hosts.get(packed)
        if host is None:
            host = self.hosts[packed] = [0, [[[0, 0], [0, 0]] for _ in CLASSES], ts_ns]
        host[0] = max(host[0], ts_ns)
        host[2] = min(host[2], ts_ns)
        counter = host[1][cls][way]
        counter[0] += 1
        counter[1] += size

    def add(self, frame):
        ledger = self.ledger
        ledger["received"] += 1
        if self.clock_ns:
            self.jumped |= not -BACK_NS <= frame.ts_ns - self.clock_ns <= FORWARD_NS
        self.clock_ns = max(self.clock_ns, frame.ts_ns)
        try:
            p = decode(frame)
        except NotIp:
            ledger["not_ip"] += 1
            return
        except Malformed:
            ledger["malformed"] += 1
            return
        sent, received = self.is_host(p.src), self.is_host(p.dst)
        if sent:
            self.count(p.src, p.cls, 0, p.bytes, frame.ts_ns)
        if received:
            self.count(p.dst, p.cls, 1, p.bytes, frame.ts_ns)
        if not sent and not received:
            ledger["transit"] += 1
            return
        ledger["counted"] += 1
        ledger["counted_bytes"] += p.bytes
        if sent and received:
            ledger["internal"] += 1
            ledger["internal_bytes"] += p.bytes

    def as_json(self):
        hosts = []
        for packed in sorted(self.hosts, key=lambda a: (len(a), a)):
            last_ns, classes, first_ns = self.hosts[packed]
            host = {"ip": str(ipaddress.ip_address(packed)), "last_ns": last_ns}
            if self.jumped:
                host["first_ns"] = first_ns
            for name, (tx, rx) in zip(CLASSES, classes):
                host[name] = {"tx": {"packets": tx[0], "bytes": tx[1]},
                              "rx": {"packets": rx[0], "bytes": rx[1]}}
            hosts.append(host)
        return {"ledger": self.ledger, "hosts": hosts}


def read(paths, inner_all=False):
    """(the account of files, in order, as tcsniff --json would give it; whether
    all of them are whole)"""
    account, is_whole = Account(None if inner_all else DEFAULT_INNER), True
    for path in paths:
        try:
            for frame in frames_of(path):
                account.add(frame)
        except Cut:
            is_whole = False
    return account.as_json(), is_whole


def main(args):
    inner_all = args[:2] == ["--inner", "all"]
    paths = args[2:] if inner_all else args
    if not paths or paths[0].startswith("-"):
        sys.stderr.write("usage: read_capture.py [--inner all] FILE...\n")
        return 2
    try:
        account, is_whole = read(paths, inner_all)
        json.dump(account, sys.stdout, indent=1)
    except (OSError, ValueError) as e:
        sys.stderr.write("read_capture: %s\n" % e)
        return 1
    print()
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
