#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_segments.py - merged segments count as the packets that were on the wire.
#
# left - router - right: on the first cable segments are merged, on the second
# each is a frame, so what tcpdump sees there is what the first would have
# carried, too.
#
# usage: test_segments.py TCSNIFF TCTABLE

import socket

import programs
from netns import veth, wait_until
from programs import FOREVER, LiveTest, books_of

LEFT, RIGHT = ("10.5.0.2", "fd00:5::2"), ("10.6.0.2", "fd00:6::2")
LEFT_GW, RIGHT_GW = ("10.5.0.1", "fd00:5::1"), ("10.6.0.1", "fd00:6::1")
UDP_SEGMENT = 103
ETHERNET_BYTES, ARP_BYTES = 14, 42


class Segments(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.router, self.right = map(self.namespace, ("left", "router", "right"))
        self.router.sysctl("net.ipv4.ip_forward", 1)
        self.router.sysctl("net.ipv6.conf.all.forwarding", 1)

    def cables(self, left_merges, router_merges):
        veth(self.left, "l1", self.router, "r1")
        veth(self.router, "r2", self.right, "x1")
        self.left.offloads("l1", left_merges)
        self.router.offloads("r1", router_merges)
        for ns, dev in ([] if left_merges else [(self.left, "l1")]) + [
                (self.router, "r2"), (self.right, "x1")]:
            ns.ip("link", "set", dev, "gso_max_segs", 1)  # UDP's, too

    def configure(self, families):
        for ns, dev, ips in ((self.left, "l1", LEFT), (self.router, "r1", LEFT_GW),
                             (self.router, "r2", RIGHT_GW), (self.right, "x1", RIGHT)):
            ns.address(dev, *[ip + "/64" * (":" in ip) + "/24" * (":" not in ip)
                              for ip in ips[:families]])
        for ns, ips in ((self.left, LEFT_GW), (self.right, RIGHT_GW)):
            for ip in ips[:families]:
                ns.ip("route", "add", "default", "via", ip)

    def send_merged_udp(self, ip):
        """Ten datagrams at a time, the last one shorter."""
        with self.left.inside():
            s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        with s:
            s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
            for _ in range(20):
                s.sendto(b"x" * 9321, (ip, 53))

    def transfer(self, families):
        self.configure(families)
        self.iperf3_server(self.right)
        for ip in RIGHT[:families]:
            self.udp_echo(self.right, ip, 53)
            self.left.run("iperf3", "-c", ip, "-n", "20M")
            self.left.run("iperf3", "-c", ip, "-n", "5M", "-R")
            self.send_merged_udp(ip)
        self.left.hang_up("l1")

    def check(self, left_merges, router_merges):
        """The frames on the first cable: with their segments counted, as they were
        delivered, as the interface counts them."""
        self.cables(left_merges, router_merges)
        on_cable, wire = self.router.frames("r1"), self.router.frames("r2")
        daemon = self.tcsniff(self.router, "-i", "r1", "--fanout", "2", *FOREVER)
        as_delivered = self.tcsniff(self.router, "-i", "r1", "--no-segments", *FOREVER)
        dump = self.tcpdump(self.router, "r2")
        self.transfer(2)
        on_cable = self.router.frames("r1") - on_cable
        wire = self.router.frames("r2") - wire
        path = dump.stop(wire)
        self.assertEqual(len(dump.frames()), wire)
        filed = self.transports(books_of(path, *FOREVER))
        self.assertGreater(filed[RIGHT[0]][0]["rx"]["packets"], 5000)

        wait_until("the books of the second cable",
                   lambda: self.transports(daemon.ask("-a")) == filed, 5, fail=False)
        live = daemon.ask("-a")
        self.assert_sums(live)
        self.assertEqual(self.transports(live), filed)
        self.assertTrue(daemon.ask("-i")["segments"])
        self.assertFalse(as_delivered.ask("-i")["segments"])
        return daemon.received(), as_delivered.received(), on_cable

    @staticmethod
    def transports(books):
        """What TCP and UDP did; ARP and the like each cable has of its own."""
        return {h["ip"]: (h["tcp"], h["udp"]) for h in books["hosts"] if h["ip"] in LEFT + RIGHT}

    def test_merged_by_the_sender(self):
        received, delivered, on_cable = self.check(True, True)
        self.assertEqual(delivered, on_cable)
        self.assertGreater(received, 2 * on_cable)

    def test_merged_by_the_receiver(self):
        received, delivered, on_cable = self.check(False, True)
        self.assertEqual(received, on_cable)
        self.assertLess(delivered, on_cable)

    def test_not_merged(self):
        received, delivered, on_cable = self.check(False, False)
        self.assertEqual(received, on_cable)
        self.assertEqual(delivered, on_cable)

    def test_as_delivered_is_what_the_interface_counts(self):
        self.cables(True, True)
        before = self.router.counters("r1")
        daemon = self.tcsniff(self.router, "-i", "r1", "--no-segments", *FOREVER)
        self.transfer(1)
        after = self.router.counters("r1")
        grown = {k: after[k] - before[k] for k in after}
        daemon.wait_received(grown["rx_packets"] + grown["tx_packets"])
        ledger = daemon.ask("-S")["total"]["ledger"]
        self.assertEqual(
            ledger["counted_bytes"] + ledger["counted"] * ETHERNET_BYTES
            + ledger["not_ip"] * ARP_BYTES, grown["rx_bytes"] + grown["tx_bytes"])
        self.assertGreater(grown["rx_bytes"], 4000 * grown["rx_packets"])


if __name__ == "__main__":
    programs.main("iperf3", "tcpdump")
