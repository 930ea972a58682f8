#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
from_tshark.py - what tshark shows of the outermost and the innermost IP header.

usage: from_tshark.py CAPTURE... > tunnels.tsv

Of each frame in which an IP header stands behind another: a line of capture,
frame number, and for either header source, destination, protocol and IP bytes,
tab separated. Headers behind a layer of CLOSED do not count. Bytes are the length
that the header tells: IPv6's with its 40.
"""
import os
import subprocess
import sys
import xml.etree.ElementTree as xml

TSHARK = ["tshark", "-T", "pdml", "-o", "ip.defragment:false", "-o", "ipv6.defragment:false"]
EXTENSIONS = {0, 43, 44, 51, 60}
# What an ICMP error quotes is in no tunnel. The others are tunnels that are not opened.
CLOSED = {"icmp", "icmpv6", "ah", "esp", "teredo", "ppp", "l2tp"}


def number(text):
    return int(text, 0)


def fields_of(layer):
    fields = {}
    for field in layer.iter("field"):
        fields.setdefault(field.get("name"), []).append(field.get("show"))
    return fields


def header_of(layer):
    """Source, destination, protocol and bytes of an IP header; None if they are not there."""
    fields = fields_of(layer)
    try:
        if layer.get("name") == "ip":
            return (fields["ip.src"][0], fields["ip.dst"][0], number(fields["ip.proto"][0]),
                    number(fields["ip.len"][0]))
        # Extension headers that tshark shows inside the header name the next in turn.
        nexts = [number(fields["ipv6.nxt"][0])]
        for name in fields:
            if name.startswith("ipv6.") and name.endswith(".nxt"):
                nexts += map(number, fields[name])
        proto = next((n for n in nexts if n not in EXTENSIONS), nexts[-1])
        return (fields["ipv6.src"][0], fields["ipv6.dst"][0], proto,
                40 + number(fields["ipv6.plen"][0]))
    except KeyError:
        return None


def tunnel_of(packet):
    """The outermost and the innermost header; None if there is but one."""
    headers = []
    for layer in packet.findall("proto"):
        name = layer.get("name")
        if name in CLOSED:
            break
        if name in ("ip", "ipv6"):
            header = header_of(layer)
            if header:
                headers.append(header)
        elif name.startswith("ipv6.") and headers:
            nexts = [number(v) for k, vs in fields_of(layer).items() if k.endswith(".nxt")
                     for v in vs]
            if nexts:
                headers[-1] = headers[-1][:2] + (nexts[-1],) + headers[-1][3:]
    return (headers[0], headers[-1]) if len(headers) > 1 else None


def packets_of(pdml):
    try:
        for _, element in xml.iterparse(pdml):
            if element.tag == "packet":
                yield element
                element.clear()
    except xml.ParseError:  # of a capture without packets tshark writes nothing
        pass


def version():
    said = subprocess.run(["tshark", "--version"], capture_output=True, check=True, text=True)
    return " ".join(said.stdout.split()[:3]).rstrip(".")


def main(args):
    if not args:
        sys.exit(__doc__.strip())
    print("# Made by from_tshark.py with %s from every reference capture:" % version())
    print("#\tcd CAPTURES && from_tshark.py *.pcap *.pcapng *.gz > tunnels.tsv")
    print("# capture\tframe\touter source\tdestination\tprotocol\tbytes"
          "\tinner source\tdestination\tprotocol\tbytes")
    for path in args:
        with subprocess.Popen(TSHARK + ["-r", path], stdout=subprocess.PIPE) as tshark:
            for n, packet in enumerate(packets_of(tshark.stdout), 1):
                found = tunnel_of(packet)
                if found:
                    print(os.path.basename(path), n,
                          *(str(v) for header in found for v in header), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
