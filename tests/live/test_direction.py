#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_direction.py - on the gateway itself: hosts are what is behind its inner
# interface, whatever their addresses.
#
# usage: test_direction.py TCSNIFF TCTABLE

import programs
from frames import HERE, plain
from netns import veth
from programs import CLASSES, FOREVER, LiveTest, books_of

# None of these is in an inner network by default.
INNER, OUTER = ("198.51.100.2", "2001:db8:1::2"), ("192.0.2.2", "2001:db8:2::2")
INNER_GW, OUTER_GW = ("198.51.100.1", "2001:db8:1::1"), ("192.0.2.1", "2001:db8:2::1")
PREFIX = {False: "/24", True: "/64"}


class Direction(LiveTest):
    def setUp(self):
        super().setUp()
        self.inner, self.gateway, self.outer = map(self.namespace, ("inner", "gateway", "outer"))
        veth(self.inner, "i1", self.gateway, "g1")
        veth(self.gateway, "g2", self.outer, "o1")
        self.gateway.sysctl("net.ipv4.ip_forward", 1)
        self.gateway.sysctl("net.ipv6.conf.all.forwarding", 1)

    def configure(self, families=2):
        for ns, dev, ips in ((self.inner, "i1", INNER), (self.gateway, "g1", INNER_GW),
                             (self.gateway, "g2", OUTER_GW), (self.outer, "o1", OUTER)):
            ns.address(dev, *(ip + PREFIX[":" in ip] for ip in ips[:families]))
        for ns, ips in ((self.inner, INNER_GW), (self.outer, OUTER_GW)):
            for ip in ips[:families]:
                ns.ip("route", "add", "default", "via", ip)

    def start(self, *args):
        return self.tcsniff(self.gateway, "-i", "g1", "--direction", "nic", *args, *FOREVER)

    def talk(self):
        """From the inside, from the outside, and with the gateway itself."""
        for ns in (self.inner, self.outer, self.gateway):
            self.http_server(ns)
        for i, ip in enumerate(OUTER):
            self.inner.run("ping", "-c", 3, "-i", 0.05, "-W", 5, ip)
            for ns, to in ((self.inner, ip), (self.outer, INNER[i]), (self.inner, INNER_GW[i]),
                           (self.outer, OUTER_GW[i]), (self.gateway, INNER[i])):
                url = "http://[%s]/" % to if ":" in to else "http://%s/" % to
                ns.run("curl", "-s", "-S", "-o", "/dev/null", url)
            self.udp_echo(self.outer, ip, 53)
            self.assertTrue(self.udp_ask(self.inner, ip, 53, times=9))
        self.inner.hang_up("i1")

    def test_hosts_are_behind_the_inner_interface(self):
        before = self.gateway.frames("g1")
        daemon = self.start("--fanout", "2", "--inner", "192.0.2.0/24,2001:db8:2::/64")
        self.assertFalse(self.gateway.is_promisc("g1"))
        self.assertEqual(daemon.ask("-i")["direction"], "nic")
        dump = self.tcpdump(self.gateway, "g1", "-p")
        self.configure()
        self.talk()
        frames = self.gateway.frames("g1") - before
        daemon.wait_received(frames)

        live = daemon.ask("-a")
        self.assert_sums(live)
        self.assertEqual(live["ledger"]["internal"], 0)
        hosts = {h["ip"]: h for h in live["hosts"] if not h["ip"].startswith("fe80:")}
        self.assertEqual(set(hosts), set(INNER))
        filed = books_of(dump.stop(frames), "--inner", "198.51.100.2/32,2001:db8:1::2/128",
                         *FOREVER)
        for host in filed["hosts"]:
            with self.subTest(host=host["ip"]):
                mine = hosts[host["ip"]]
                for key in ("conns", "next_conn_id", *CLASSES):
                    self.assertEqual(mine[key], host[key], key)
                self.assertGreater(mine["tcp"]["rx"]["packets"], 100)
                self.assertGreater(mine["tcp"]["tx"]["packets"], 100)
                self.check_connections(daemon, host["ip"])

    def check_connections(self, daemon, ip):
        connections = daemon.connections(ip)
        tcp = [c for c in connections if c["protocol"] == "tcp"]
        self.assertEqual(len(tcp), 4)
        self.assertEqual(len([c for c in tcp if c["orig"]["src"] == ip]), 2)
        for c in connections:
            self.assertGreater(c["orig"]["packets"], 2)
            self.assertGreater(c["reply"]["packets"], 2)

    def test_between_two_inner_hosts_each_has_its_own(self):
        """What comes in and leaves again by the same interface is one's tx and
        the other's rx."""
        daemon = self.start()
        self.configure(1)
        self.gateway.sysctl("net.ipv4.conf.all.send_redirects", 0)
        self.gateway.sysctl("net.ipv4.conf.g1.send_redirects", 0)
        self.gateway.ip("neighbor", "add", "198.51.100.3", "lladdr", "02:00:00:00:00:03",
                        "dev", "g1")
        to_gateway = bytes.fromhex(self.gateway.mac("g1").replace(":", ""))
        frame = to_gateway + HERE + plain("198.51.100.2", "198.51.100.3", size=22)[12:]
        sender = self.sender(self.inner, "i1")
        sender.send(*[frame] * 10)
        daemon.wait_received(20)
        counts = {ip: {(c, way): (host[c][way]["packets"], host[c][way]["bytes"])
                       for c in CLASSES for way in ("tx", "rx") if host[c][way]["packets"]}
                  for ip in ("198.51.100.2", "198.51.100.3") for host in [daemon.host(ip)]}
        self.assertEqual(counts, {"198.51.100.2": {("udp", "tx"): (10, 500)},
                                  "198.51.100.3": {("udp", "rx"): (10, 500)}})
        for ip in counts:
            self.assertEqual(len(daemon.connections(ip)), 1)

    def test_frames_for_other_stations_are_transit(self):
        daemon = self.start()
        self.sender(self.inner, "i1").send(*[plain("198.51.100.2", "192.0.2.2")] * 10)
        daemon.wait_received(10)
        table = daemon.ask("-a")
        self.assertEqual((table["hosts"], table["ledger"]["transit"]), ([], 10))


if __name__ == "__main__":
    programs.main("curl", "ping", "tcpdump")
