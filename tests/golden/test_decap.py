#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_decap.py - tcsniff --decap against what tshark shows inside of tunnels.

usage: test_decap.py TCSNIFF [CAPTURE...]

decap/tunnels.tsv holds the outermost and the innermost IP header of every frame of
the reference captures that has several, made from tshark's output by
decap/from_tshark.py. With all tunnels opened, every capture must count what it
counts without, but for those frames: they leave the outer addresses and come to the
inner ones, packets and bytes, whatever the number of workers. Then one kind at a
time, where a capture has but one.
"""
import collections
import os
import sys

import accounts

FANOUTS = (2, 4, 8)
PROTOCOLS = {1: "icmp", 58: "icmp", 6: "tcp", 17: "udp"}
KINDS = ("gre", "erspan", "ipip", "6in4", "4in6", "ip6ip6", "vxlan", "geneve", "gtpu")
ONLY_KIND = {
    "arkime-gtp-u.pcap": "gtpu",
    "pcpp-Ftp.pcap": "6in4",
    "sv-geneve-decoder.pcap": "geneve",
    "sv-middleware-pkt-flows.pcap": "4in6",
    "sv-temp1.pcap": "gre",
    "sv-vxlan.pcap": "vxlan",
    "zeek-tunnel-direct-bypass.pcap": "gre",
}


def read_tunnels():
    """{capture: [(outer, inner)]}, each (source, destination, class, bytes)."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "decap", "tunnels.tsv")
    tunnels = collections.defaultdict(list)
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("#"):
                continue
            fields = line.rstrip("\n").split("\t")
            tunnels[fields[0]].append((header_of(fields[2:6]), header_of(fields[6:10])))
    return tunnels


def header_of(fields):
    src, dst, proto, size = fields
    return (accounts.host_key(src), accounts.host_key(dst),
            PROTOCOLS.get(int(proto), "other"), int(size))


def add(hosts, header, sign):
    src, dst, name, size = header
    for ip, way in ((src, "tx"), (dst, "rx")):
        if ip not in hosts:
            hosts[ip] = {(c, w): (0, 0) for c in accounts.CLASSES for w in accounts.WAYS}
        packets, octets = hosts[ip][name, way]
        hosts[ip][name, way] = (packets + sign, octets + sign * size)


def opened(plain, tunnels):
    """The counters of an account with the tunnels opened."""
    hosts = accounts.counters_of(plain)
    for outer, inner in tunnels:
        add(hosts, outer, -1)
        add(hosts, inner, +1)
    return {ip: counters for ip, counters in hosts.items()
            if any(counter != (0, 0) for counter in counters.values())}


def check(tcsniff, path, tunnels):
    def run(*options):
        return accounts.Run(tcsniff, [path], "--inner", "all", *options)

    plain = run()
    told = opened(plain.account, tunnels)
    faults = []
    for workers in (1,) + FANOUTS:
        all_open = run("--decap", "all", "--fanout", str(workers))
        if all_open.account is None:
            return ["exit status %d and no account: %s" % (all_open.status, all_open.said)]
        for name in ("received", "not_ip", "malformed"):
            if all_open.account["ledger"][name] != plain.account["ledger"][name]:
                faults.append("opened tunnels change %s" % name)
        faults += accounts.identity_faults(all_open.account)
        faults += ["--fanout %d: %s" % (workers, fault) for fault in
                   accounts.host_faults(told, accounts.counters_of(all_open.account))]
    kind = ONLY_KIND.get(os.path.basename(path))
    if kind:
        others = ",".join(k for k in KINDS if k != kind)
        if run("--decap", kind).account["hosts"] != run("--decap", "all").account["hosts"]:
            faults.append("--decap %s is not --decap all" % kind)
        if run("--decap", others).account["hosts"] != plain.account["hosts"]:
            faults.append("--decap %s opens something" % others)
    return faults


def main(args):
    if not args or args[0].startswith("-"):
        return accounts.usage(__doc__)
    folder = accounts.captures_folder()
    if not folder:
        return accounts.captures_missing()
    tunnels = read_tunnels()
    tally = accounts.Tally()
    for name in args[1:] or accounts.capture_names(folder):
        tally.note(name, check(args[0], os.path.join(folder, name), tunnels.pop(name, [])))
    if not args[1:]:
        tally.note("captures of decap/tunnels.tsv", ["%s is missing" % name for name in tunnels])
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
