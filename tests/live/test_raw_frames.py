#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_raw_frames.py - tags, labels, sessions, filters, and interfaces that are
# no Ethernet.
#
# usage: test_raw_frames.py TCSNIFF TCTABLE

import os
import subprocess

import frames
import programs
from frames import IPV4, IPV6, SVLAN, VLAN, labelled, plain, session, tagged, udp
from netns import LIMIT, Tun, veth
from programs import LiveTest

AWAY, AWAY6 = "192.0.2.9", "2001:db8::9"


class RawFrames(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.sender_1 = self.sender(self.left, "v1")

    def assert_sent(self, daemon, counts):
        """What each host sent over UDP: {ip: (packets, bytes)}"""
        table = daemon.ask("-a")
        self.assert_sums(table)
        self.assertEqual({h["ip"]: (h["udp"]["tx"]["packets"], h["udp"]["tx"]["bytes"])
                          for h in table["hosts"]}, counts)

    def test_what_stands_before_ip_is_stepped_through(self):
        kinds = {
            "10.0.0.1": lambda p: tagged([(VLAN, 7)], IPV4, p),
            "10.0.0.2": lambda p: tagged([(SVLAN, 100), (VLAN, 7)], IPV4, p),
            "10.0.0.3": lambda p: tagged([(VLAN, 8), (VLAN, 9)], IPV4, p),
            "10.0.0.4": lambda p: labelled([16], p),
            "10.0.0.5": lambda p: labelled([1000, 17], p),
            "10.0.0.6": session,
            "10.0.0.7": lambda p: frames.ethernet(IPV4, p),
            "fd00::1": lambda p: tagged([(SVLAN, 5)], IPV6, p),
            "fd00::2": lambda p: labelled([18], p),
            "fd00::3": session,
        }
        sent = {}
        for workers in (1, 3):
            daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", str(workers))
            for n, (ip, wrap) in enumerate(kinds.items(), 1):
                packet = udp(ip, AWAY6 if ":" in ip else AWAY, size=20 + n)
                self.sender_1.send(*[wrap(packet)] * n)
                sent[ip] = n, n * len(packet)
            daemon.wait_received(sum(n for n, _ in sent.values()))
            self.assert_sent(daemon, sent)
            self.assertEqual(daemon.ask("-S")["total"]["ledger"]["not_ip"], 0)
            self.assertEqual(daemon.stop()[0], 0)

    def test_connections_that_change_tunnels_are_not_split(self):
        """There by one tunnel, back by another: between other ends, of another kind."""
        hosts = ["10.0.0.%d" % n for n in range(1, 25)]
        for workers in (1, 4):
            daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", str(workers), "--decap",
                                  "vxlan,gre")
            for n, ip in enumerate(hosts):
                there = frames.vxlan(udp(ip, AWAY), "198.51.100.1", "198.51.100.%d" % (n + 2))
                back = frames.gre(udp(AWAY, ip, 5000, 4000), "203.0.113.%d" % (n + 2),
                                  "203.0.113.1")
                self.sender_1.send(*[frames.ethernet(IPV4, p) for p in (there, back, there)])
            daemon.wait_received(3 * len(hosts))
            for ip in hosts:
                connections = daemon.connections(ip)
                self.assertEqual([(c["orig"]["packets"], c["reply"]["packets"])
                                  for c in connections], [(2, 1)], ip)
            self.assert_sums(daemon.ask("-a"))
            self.assertEqual(daemon.stop()[0], 0)

    # --- filters ---

    def test_vlan_in_a_filter_is_the_tag(self):
        daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", "2", "vlan 7 and host 10.0.0.1")
        for vlan in (6, 7, 8):
            for ip in ("10.0.0.1", "10.0.0.2"):
                self.sender_1.send(*[tagged([(VLAN, vlan)], IPV4, udp(ip, AWAY))] * vlan)
        self.sender_1.send(plain("10.0.0.1", AWAY))
        self.sender_1.send(tagged([(VLAN, 7)], IPV4, udp(AWAY, "10.0.0.1")))
        daemon.wait_received(8)
        self.assert_sent(daemon, {"10.0.0.1": (7, 7 * 58)})
        self.assertEqual(daemon.host("10.0.0.1")["udp"]["rx"]["packets"], 1)

    def test_a_filter_limits_what_is_counted(self):
        daemon = self.tcsniff(self.right, "-i", "v2", "udp", "dst", "port", "5001", "or", "ip6")
        for port in (5000, 5001, 5002):
            self.sender_1.send(*[plain("10.0.0.1", AWAY, 1, port)] * 5)
            self.sender_1.send(*[plain("fd00::1", AWAY6, 1, port)] * 2)
        daemon.wait_received(11)
        self.assert_sent(daemon, {"10.0.0.1": (5, 290), "fd00::1": (6, 6 * 78)})

    def test_a_wrong_filter_is_refused_with_libpcaps_words(self):
        for text, words in (("host and and", "syntax error"), ("port 99999", "99999"),
                            ("host 10.0.0.0.1", "10.0.0.0.1"), ("wlan type mgt", "802.11")):
            with self.subTest(filter=text):
                path = os.path.join(self.folder, "none")
                done = subprocess.run(
                    self.right.command(programs.TCSNIFF, "-i", "v2", "--socket", path, text),
                    capture_output=True, timeout=LIMIT, check=False)
                said = done.stderr.decode()
                self.assertEqual((done.returncode, done.stdout), (1, b""), said)
                self.assertIn("filter '%s'" % text, said)
                self.assertIn(words, said)
                self.assertNotIn("received", said)
                self.assertFalse(os.path.exists(path))

    # --- other interfaces ---

    def test_loopback_is_counted_once(self):
        daemon = self.tcsniff(self.right, "-i", "lo", "--inner", "all")
        self.udp_echo(self.right, "127.0.0.1", 53)
        self.assertTrue(self.udp_ask(self.right, "127.0.0.1", 53, times=25))
        daemon.wait_received(50)
        udp_counts = daemon.host("127.0.0.1")["udp"]
        self.assertEqual((udp_counts["tx"]["packets"], udp_counts["rx"]["packets"]), (50, 50))
        [c] = daemon.connections("127.0.0.1")
        self.assertEqual((c["orig"]["packets"], c["reply"]["packets"]), (25, 25))

    def test_tun_carries_bare_ip(self):
        tun = Tun(self.right, "tun0")
        self.addCleanup(tun.close)
        for args in ([], ["src net 10.0.0.0/8 or src host fd00::1"]):
            daemon = self.tcsniff(self.right, "-i", "tun0", *args)
            tun.send(*[udp("10.0.0.1", AWAY)] * 5, *[udp("fd00::1", AWAY6)] * 3)
            daemon.wait_received(8)
            self.assert_sent(daemon, {"10.0.0.1": (5, 290), "fd00::1": (3, 3 * 78)})
            self.assertEqual(daemon.stop()[0], 0)

    def test_any_is_all_interfaces(self):
        tun = Tun(self.right, "tun0")
        self.addCleanup(tun.close)
        self.udp_echo(self.right, "127.0.0.1", 53)
        for args, sent in (([], {"10.0.0.1": (5, 290), "10.0.0.2": (3, 174)}),
                           (["host 10.0.0.1 or host 10.0.0.2 or port 53"],
                            {"10.0.0.1": (4, 232), "10.0.0.2": (3, 174)})):
            daemon = self.tcsniff(self.right, "-i", "any", "--fanout", "2",
                                  "--inner", "10.0.0.0/8,127.0.0.0/8", *args)
            self.sender_1.send(*[plain("10.0.0.1", AWAY)] * 4)
            if not args:
                self.sender_1.send(tagged([(VLAN, 7)], IPV4, udp("10.0.0.1", AWAY)))
            else:
                self.sender_1.send(plain("10.0.0.3", AWAY))
            tun.send(*[udp("10.0.0.2", AWAY)] * 3)
            self.assertTrue(self.udp_ask(self.right, "127.0.0.1", 53, times=5))
            packets = sum(n for n, _ in sent.values())
            daemon.wait_received(packets + 10)
            self.assert_sent(daemon, {**sent, "127.0.0.1": (10, 10 * 58)})
            self.assertEqual(daemon.ask("-i")["source"], "any")
            self.assertEqual(daemon.stop()[0], 0)


if __name__ == "__main__":
    programs.main()
