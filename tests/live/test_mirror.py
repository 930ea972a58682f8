#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_mirror.py - behind a mirror port made by tc, with other stations' frames
# alone; and behind the two halves of a TAP.
#
# usage: test_mirror.py TCSNIFF TCTABLE

import json
import signal

import programs
from frames import plain
from netns import veth
from programs import FOREVER, LiveTest, books_of

CLIENT, SERVER = ("10.3.0.1", "fd00:3::1"), ("10.3.0.2", "fd00:3::2")


class Mirror(LiveTest):
    def setUp(self):
        super().setUp()
        self.client, self.server, self.tap = map(self.namespace, ("client", "server", "tap"))
        veth(self.client, "c1", self.server, "s1")
        veth(self.server, "m1", self.tap, "t1")

    def mirror(self, way, dev):
        self.server.run("tc", "filter", "add", "dev", "s1", way, "protocol", "all",
                        "u32", "match", "u32", "0", "0", "action", "mirred", "egress",
                        "mirror", "dev", dev)

    def talk(self):
        self.iperf3_server(self.server)
        self.http_server(self.server)
        for ns, dev, ips in ((self.client, "c1", CLIENT), (self.server, "s1", SERVER)):
            ns.address(dev, ips[0] + "/24", ips[1] + "/64")
        for ip in SERVER:
            url = "http://[%s]/" % ip if ":" in ip else "http://%s/" % ip
            self.client.run("ping", "-c", 3, "-i", 0.05, "-W", 5, "-s", 3000, ip)
            # No faster: what a busy kernel cannot queue is not on the mirror.
            self.client.run("iperf3", "-c", ip, "-n", "2M", "-b", "30M")
            self.client.run("curl", "-s", "-S", "-o", "/dev/null", url)
            self.assertFalse(self.udp_ask(self.client, ip, 9, times=3))
        self.client.wait_quiet("c1")
        # Without a cable the mirror would still show what cannot be sent.
        self.server.run("tc", "qdisc", "del", "dev", "s1", "clsact")
        self.client.ip("link", "set", "c1", "down")

    def promiscuity(self, dev):
        """How many have asked for it."""
        [link] = json.loads(self.tap.ip("-json", "-details", "link", "show", "dev", dev))
        return link["promiscuity"]

    def check_against_dump(self, *args):
        """What is seen behind the mirror is what tcpdump saw before it."""
        before = self.server.frames("s1")
        daemon = self.tcsniff(self.tap, *args, *FOREVER)
        dump = self.tcpdump(self.server, "s1")
        self.talk()
        frames = self.server.frames("s1") - before
        daemon.wait_received(frames)
        filed = books_of(dump.stop(frames), *FOREVER)
        live = daemon.ask("-a")
        self.assertEqual(self.comparable(live), self.comparable(filed))
        self.assertEqual(live["ledger"]["untracked"]["fragment"], 0)
        self.assert_sums(live)
        for ip in SERVER:
            self.assertGreater(daemon.host(ip)["tcp"]["rx"]["packets"], 500)
        return daemon

    def assert_both_directions(self, daemon):
        for ip in SERVER:
            tcp = [c for c in daemon.connections(ip) if c["protocol"] == "tcp"]
            self.assertEqual(len(tcp), 3)  # iperf3 has two
            for c in tcp:
                self.assertGreater(c["orig"]["packets"], 2)
                self.assertGreater(c["reply"]["packets"], 2)
                self.assertIn(c["state"], ("time_wait", "close"))

    def test_a_mirror_of_both_ways(self):
        self.server.run("tc", "qdisc", "add", "dev", "s1", "clsact")
        for way in ("ingress", "egress"):
            self.mirror(way, "m1")
        self.assert_both_directions(self.check_against_dump("-i", "t1", "--fanout", "2"))

    def test_the_two_halves_of_a_tap_meet(self):
        veth(self.server, "n1", self.tap, "u1")
        self.server.run("tc", "qdisc", "add", "dev", "s1", "clsact")
        self.mirror("ingress", "m1")
        self.mirror("egress", "n1")
        daemon = self.check_against_dump("-i", "t1", "-i", "u1", "--fanout", "2")
        self.assert_both_directions(daemon)
        self.assertEqual(daemon.ask("-i")["source"], "t1, u1")
        for dev in ("t1", "u1"):
            self.assertGreater(self.tap.counters(dev)["rx_packets"], 100)

    # --- promiscuous ---

    def bridge(self):
        """An interface that, unlike a veth, hands up other stations' frames only
        if it is asked to."""
        self.tap.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.tap.ip("link", "set", "t1", "master", "br0")
        self.tap.ip("link", "set", "br0", "up")
        return self.sender(self.server, "m1")

    def test_the_interface_is_promiscuous_while_it_runs_and_not_after(self):
        self.bridge()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            before = self.promiscuity("br0")
            self.assertFalse(self.tap.is_promisc("br0"))
            daemon = self.tcsniff(self.tap, "-i", "br0", "--fanout", "2")
            self.assertEqual(self.promiscuity("br0"), before + 1)
            self.assertTrue(self.tap.is_promisc("br0"))
            daemon.stop(number)
            self.assertEqual(self.promiscuity("br0"), before)
            self.assertFalse(self.tap.is_promisc("br0"))

    def test_without_it_less_is_seen(self):
        sender = self.bridge()
        broadcast = b"\xff" * 6
        for args, promisc, count in (([], True, 30), (["--no-promisc"], False, 10)):
            daemon = self.tcsniff(self.tap, "-i", "br0", *args)
            self.assertEqual(self.tap.is_promisc("br0"), promisc)
            sender.send(*[plain("10.0.0.1", "192.0.2.9")] * 20)
            sender.send(*[broadcast + plain("10.0.0.1", "192.0.2.9")[6:]] * 10)
            daemon.wait_received(count)
            self.assertEqual(daemon.stop()[0], 0)


if __name__ == "__main__":
    programs.main("tc", "iperf3", "curl", "ping", "tcpdump")
