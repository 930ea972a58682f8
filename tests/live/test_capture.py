#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_capture.py - what real programs say to each other, counted live and by
# tcsniff -r from tcpdump's file of the same link: equal, host by host.
#
# usage: test_capture.py TCSNIFF TCTABLE

import programs
from netns import veth
from programs import FOREVER, LiveTest, books_of

LEFT = ("10.7.0.1", "fd00:7::1")
RIGHT = ("10.7.0.2", "10.7.0.3", "10.7.0.4", "fd00:7::2", "fd00:7::3")  # for several workers
PREFIX = {False: "/24", True: "/64"}


class Capture(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")

    def talk(self):
        """Every kind of traffic, both families, both ways."""
        for ns, dev, ips in ((self.left, "v1", LEFT), (self.right, "v2", RIGHT)):
            ns.address(dev, *(ip + PREFIX[":" in ip] for ip in ips))
        self.iperf3_server(self.right)
        self.http_server(self.right)
        for ip in RIGHT:
            url = "http://[%s]/" % ip if ":" in ip else "http://%s/" % ip
            self.left.run("ping", "-c", 3, "-i", 0.05, "-W", 5, ip)
            self.left.run("ping", "-c", 3, "-i", 0.05, "-W", 5, "-s", 4000, ip)
            self.left.run("iperf3", "-c", ip, "-n", "2M", "-P", 2)
            self.left.run("iperf3", "-c", ip, "-n", "1M", "-R")
            for _ in range(3):
                self.left.run("curl", "-s", "-S", "-o", "/dev/null", url)
            self.udp_echo(self.right, ip, 53)
            self.assertTrue(self.udp_ask(self.left, ip, 53, times=20))
            self.assertTrue(self.udp_ask(self.left, ip, 53, b"?" * 4000, times=20))
            self.assertFalse(self.udp_ask(self.left, ip, 9, times=5))
        for ip in (RIGHT[0], RIGHT[-1]):  # those that the server answers from
            self.left.run("iperf3", "-c", ip, "-u", "-b", "20M", "-n", "300K", "-l", "4000")

    def check(self, workers):
        before = self.right.frames("v2")
        daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", str(workers), *FOREVER)
        dump = self.tcpdump(self.right, "v2")
        self.assertEqual(self.right.frames("v2"), before)
        self.talk()
        self.left.hang_up("v1")
        frames = self.right.frames("v2") - before
        daemon.wait_received(frames)
        path = dump.stop(frames)

        live = daemon.ask("-a")
        self.assertEqual(live["ledger"]["kernel_drops"], 0)
        self.assert_sums(live)
        filed = books_of(path, *FOREVER)
        self.assertEqual(self.comparable(live), self.comparable(filed))
        self.assertEqual(live["ledger"]["untracked"]["fragment"], 0)
        for ip in RIGHT:
            self.assertGreater(daemon.host(ip)["tcp"]["rx"]["packets"], 1000)
        self.check_connections(daemon)
        self.check_workers(daemon, workers)

    def check_connections(self, daemon):
        """Each connection is listed once, with both of its directions."""
        for ip in LEFT + RIGHT:
            seen = set()
            for c in daemon.connections(ip):
                port = "src_port" if "src_port" in c["orig"] else "id"
                key = (c["protocol"], *sorted([(c["orig"]["src"], c["orig"][port]),
                                               (c["reply"]["src"], c["reply"][port])]))
                self.assertNotIn(key, seen)
                seen.add(key)
                if c["protocol"] == "tcp":
                    self.assertGreater(c["orig"]["packets"], 2)
                    self.assertGreater(c["reply"]["packets"], 2)
            self.assertGreater(len(seen), 10)

    def check_workers(self, daemon, workers):
        stats = daemon.ask("-S")
        self.assertEqual(len(stats["workers"]), workers)
        for key in ("received", "counted", "counted_bytes", "tracked", "kernel_drops"):
            self.assertEqual(sum(w["ledger"][key] for w in stats["workers"]),
                             stats["total"]["ledger"][key])
        busy = [w for w in stats["workers"] if w["ledger"]["tracked"]]
        self.assertGreaterEqual(len(busy), min(workers, 3))

    def test_one_worker(self):
        self.check(1)

    def test_two_workers(self):
        self.check(2)

    def test_four_workers(self):
        self.check(4)


if __name__ == "__main__":
    programs.main("iperf3", "curl", "ping", "tcpdump")
