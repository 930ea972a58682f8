#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_conntrack.py - a router's own connection tracking, in whose place tcsniff
# stands, lists the same connections with the same counts.
#
# The router between client and server tracks with nf_conntrack, and tcsniff
# listens to its interface towards the client. Fragments and ICMP errors are left
# out: conntrack counts what it has put together, and errors nowhere.
#
# usage: test_conntrack.py TCSNIFF TCTABLE

import re
import socket
import struct

import programs
from netns import veth, wait_until
from programs import FOREVER, LiveTest

CLIENT, SERVER = ("10.1.0.2", "fd00:1::2"), ("10.2.0.2", "fd00:2::2")
CLIENT_GW, SERVER_GW = ("10.1.0.1", "fd00:1::1"), ("10.2.0.1", "fd00:2::1")
PREFIX = {False: "/24", True: "/64"}

LINE = re.compile(
    r"ipv[46] +\d+ (?P<protocol>tcp|udp|icmp|icmpv6) +\d+ (\d+ )?((?P<state>[A-Z_0-9]+) )?"
    r"(?P<orig>src=.*?bytes=\d+ )(?P<unreplied>\[UNREPLIED\] )?(?P<reply>src=.*?bytes=\d+ )")


def end(fields):
    values = dict(f.split("=") for f in fields.split())
    if values["src"].count(":"):
        for name in ("src", "dst"):
            packed = socket.inet_pton(socket.AF_INET6, values[name])
            values[name] = socket.inet_ntop(socket.AF_INET6, packed)
    what = ("type", "code", "id") if "type" in values else ("sport", "dport")
    return (values["src"], values["dst"], *(int(values[name]) for name in what),
            int(values["packets"]), int(values["bytes"]))


def by_conntrack(text):
    """Of /proc/net/nf_conntrack what tctable -s says, too."""
    out = []
    for line in text.splitlines():
        m = LINE.match(line)
        if not m:
            raise AssertionError("not understood: " + line)
        state = (m["state"] or ("unanswered" if m["unreplied"] else "answered")).lower()
        out.append((m["protocol"], state, end(m["orig"]), end(m["reply"])))
    return sorted(out)


def by_tctable(connections):
    out = []
    for c in connections:
        ends = []
        for way in ("orig", "reply"):
            e = c[way]
            what = ("type", "code", "id") if "type" in e else ("src_port", "dst_port")
            ends.append((e["src"], e["dst"], *(e[name] for name in what), e["packets"], e["bytes"]))
        # An answered UDP flow that lasts is an assured one there.
        state = "answered" if c["state"] == "stream" else c["state"]
        out.append((c["protocol"], state, *ends))
    return sorted(out)


class Conntrack(LiveTest):
    def setUp(self):
        super().setUp()
        self.client, self.router, self.server = map(self.namespace, ("client", "router", "server"))
        veth(self.client, "c1", self.router, "r1")
        veth(self.router, "r2", self.server, "s1")
        for name, value in (("net.netfilter.nf_conntrack_acct", 1),
                            ("net.netfilter.nf_conntrack_tcp_timeout_close", 600),
                            ("net.ipv4.ip_forward", 1),
                            ("net.ipv6.conf.all.forwarding", 1)):
            self.router.sysctl(name, value)
        self.router.run("nft", "add table inet t; add chain inet t f { type filter hook forward "
                        "priority 0; }; add rule inet t f ct state new,established accept")

    def configure(self):
        for ns, dev, ips in ((self.client, "c1", CLIENT), (self.router, "r1", CLIENT_GW),
                             (self.router, "r2", SERVER_GW), (self.server, "s1", SERVER)):
            ns.address(dev, *(ip + PREFIX[":" in ip] for ip in ips))
        for ns, ips in ((self.client, CLIENT_GW), (self.server, SERVER_GW)):
            for ip in ips:
                ns.ip("route", "add", "default", "via", ip)
        self.server.run("nft", "add table inet t; add chain inet t i { type filter hook input "
                        "priority 0; }; add rule inet t i tcp dport 81 drop; "
                        "add rule inet t i udp dport 82 drop")

    def talk(self, ip):
        url = "http://[%s]/" % ip if ":" in ip else "http://%s/" % ip
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.udp_echo(self.server, ip, 53)
        self.client.run("ping", "-c", 3, "-i", 0.05, "-W", 5, ip)
        self.client.run("iperf3", "-c", ip, "-n", "2M", "-P", 2)
        self.client.run("iperf3", "-c", ip, "-n", "1M", "-R")
        self.client.run("iperf3", "-c", ip, "-u", "-b", "20M", "-n", "200K", "-l", "1000")
        for _ in range(3):
            self.client.run("curl", "-s", "-S", "-o", "/dev/null", url)
            self.assertTrue(self.udp_ask(self.client, ip, 53, times=4))
        for kind, port, how in ((socket.SOCK_STREAM, 80, "keep"), (socket.SOCK_STREAM, 80, "reset"),
                                (socket.SOCK_STREAM, 81, "drop"), (socket.SOCK_DGRAM, 82, "keep")):
            with self.client.inside():
                s = socket.socket(family, kind)
            self.addCleanup(s.close)
            s.settimeout(0.3)  # a SYN that is sent again conntrack does not count
            try:
                s.connect((ip, port))
                s.send(b"x")
            except TimeoutError:
                self.assertEqual(how, "drop")
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how != "keep":
                s.close()

    def both(self, daemon):
        """What conntrack lists, and what tctable does."""
        theirs = by_conntrack(self.router.run("cat", "/proc/net/nf_conntrack"))
        ours = [c for ip in CLIENT for c in daemon.connections(ip)]
        return theirs, by_tctable(ours)

    def agree(self, daemon):
        theirs, ours = self.both(daemon)
        return theirs == ours

    def test_the_same_connections_with_the_same_counts(self):
        before = self.router.frames("r1")
        daemon = self.tcsniff(self.router, "-i", "r1", "--fanout", "2", *FOREVER)
        self.configure()
        self.iperf3_server(self.server)
        self.http_server(self.server)
        for ip in SERVER:
            self.talk(ip)
        wait_until("agreement", lambda: self.agree(daemon), 5, fail=False)
        theirs, ours = self.both(daemon)
        self.assertEqual(theirs, ours)
        states = {(c[0], c[1]) for c in ours}
        for state in (("tcp", "established"), ("tcp", "syn_sent"), ("tcp", "time_wait"),
                      ("tcp", "close"), ("udp", "unanswered"), ("udp", "answered"),
                      ("icmp", "answered"), ("icmpv6", "answered")):
            self.assertIn(state, states)
        self.check_hosts(daemon)
        self.check_interface(daemon, before)

    def check_hosts(self, daemon):
        """A host has what its connections have."""
        for ip in CLIENT + SERVER:
            host = daemon.host(ip)
            connections = daemon.connections(ip)
            self.assertEqual(host["next_conn_id"], len(connections))
            for name in ("tcp", "udp", "icmp")[:2 if ":" in ip else 3]:  # icmp: and discovery
                mine = [c for c in connections if c["protocol"] == name]
                self.assertEqual(host[name]["conns"], len(mine))
                for unit in ("packets", "bytes"):
                    for way, here in (("tx", "src"), ("rx", "dst")):
                        total = sum(c[e][unit] for c in mine for e in ("orig", "reply")
                                    if c[e][here] == ip)
                        self.assertEqual(host[name][way][unit], total, (ip, name, way, unit))

    def check_interface(self, daemon, before):
        """Every frame that the kernel counted on the interface is in the books."""
        self.client.hang_up("c1")
        daemon.wait_received(self.router.frames("r1") - before)
        self.assertEqual(daemon.ask("-S")["total"]["ledger"]["kernel_drops"], 0)


if __name__ == "__main__":
    programs.main("nft", "iperf3", "curl", "ping")
