#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_doctor.py - mirrors with something wrong about them, and what tctable
# doctor says of each; and good ones, of which it says nothing.
#
# usage: test_doctor.py TCSNIFF TCTABLE

import contextlib
import json
import os
import signal
import struct
import subprocess
import tempfile

import programs
from frames import IPV4, IPV6, SVLAN, VLAN, ethernet, plain, tagged, udp
from netns import LIMIT, Tun, veth, wait_until
from programs import LiveTest, threads

CLIENT, SERVER = ("10.3.0.1", "fd00:3::1"), ("10.3.0.2", "fd00:3::2")
FINDINGS = 5  # exit status
CHECKS = ["silent", "one_way", "duplicates", "inner", "snaplen", "truncated", "merged", "vlan",
          "drops", "nic_drops", "clock", "decap", "unreadable", "limits"]


def talk(a, b, n=100, wrap=lambda packet, i: ethernet(IPV6 if packet[0] >> 4 == 6 else IPV4,
                                                      packet)):
    """n questions and answers, no two alike; wrap: a packet and its number in a frame."""
    out = []
    for i in range(n):
        out += [wrap(udp(a, b, 2000 + i, 53), 2 * i), wrap(udp(b, a, 53, 2000 + i), 2 * i + 1)]
    return out


def vxlan(packet, i):
    """In the frame of a remote mirror; i: so that no two are alike."""
    inner = ethernet(IPV4, packet)
    datagram = struct.pack(">HHHHII", 50000 + i, 4789, 16 + len(inner), 0, 1 << 27, 7 << 8) + inner
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1 + i, 0, 64, 17, 0,
                       bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2)))
    return ethernet(IPV4, head + datagram)


class Doctor(LiveTest):
    def doctor(self, daemon, *args):
        done = subprocess.run([programs.TCTABLE, "doctor", "--socket", daemon.socket, *args],
                              capture_output=True, timeout=LIMIT, check=False, text=True)
        self.assertEqual(done.stderr, "")
        return done

    def report(self, daemon):
        """As JSON, what is the same in all its forms being so."""
        done = self.doctor(daemon, "--json")
        report = json.loads(done.stdout)
        codes = [f["code"] for f in report["findings"]]
        self.assertEqual(done.returncode, FINDINGS if codes else 0)
        self.assertEqual(sorted(codes + [c["code"] for c in report["checked"]]), sorted(CHECKS))
        self.assertEqual(daemon.ask("-i")["findings"], codes)
        text = self.doctor(daemon)
        self.assertEqual(text.returncode, done.returncode)
        words = "%d finding%s" % (len(codes), "s" * (len(codes) > 1)) if codes else "no findings"
        self.assertEqual(text.stdout.split("\n")[0], words)
        for f in report["findings"]:
            self.assertIn("\n%s: %s\n" % (f["code"], f["title"]), text.stdout)
        return report

    def finds(self, daemon, code, evidence, remedy):
        """That, and nothing else."""
        report = self.report(daemon)
        self.assertEqual([f["code"] for f in report["findings"]], [code], report)
        self.assertIn(evidence, report["findings"][0]["evidence"])
        self.assertIn(remedy, report["findings"][0]["remedy"])

    def finds_nothing(self, daemon):
        report = self.report(daemon)
        self.assertEqual(report["findings"], [])
        return {c["code"]: c["evidence"] for c in report["checked"]}


class Mirror(Doctor):
    """Two that talk, and a mirror of what passes between them."""

    def setUp(self):
        super().setUp()
        self.client, self.server, self.tap = map(self.namespace, ("client", "server", "tap"))
        veth(self.client, "c1", self.server, "s1")
        veth(self.server, "m1", self.tap, "t1")
        veth(self.server, "n1", self.tap, "u1")
        self.server.run("tc", "qdisc", "add", "dev", "s1", "clsact")

    def mirror(self, way, *devs):
        actions = [["action", "mirred", "egress", "mirror", "dev", dev, "pipe"] for dev in devs]
        actions[-1].pop()
        self.server.run("tc", "filter", "add", "dev", "s1", way, "protocol", "all", "u32", "match",
                        "u32", "0", "0", *sum(actions, []))

    def converse(self, daemon):
        self.http_server(self.server)
        for ns, dev, ips in ((self.client, "c1", CLIENT), (self.server, "s1", SERVER)):
            ns.address(dev, ips[0] + "/24", ips[1] + "/64")
        for ip in SERVER:
            self.udp_echo(self.server, ip, 53)
            self.client.run("ping", "-c", 5, "-i", 0.05, "-W", 5, ip)
            for i in range(10):
                self.client.run("curl", "-s", "-S", "-o", "/dev/null", "http://[%s]/" % ip
                                if ":" in ip else "http://%s/" % ip)
                self.assertTrue(self.udp_ask(self.client, ip, 53, b"?%d" % i * 10))
        self.client.wait_quiet("c1")
        wait_until("frames", lambda: daemon.received() > 500)

    def test_a_mirror_of_both_ways_is_healthy(self):
        for way in ("ingress", "egress"):
            self.mirror(way, "m1")
        daemon = self.tcsniff(self.tap, "-i", "t1", "--fanout", "2")
        self.converse(daemon)
        checked = self.finds_nothing(daemon)
        self.assertIn("of 4 hosts with TCP, 0 only sent and 0 only received", checked["one_way"])
        self.assertRegex(checked["duplicates"], r"^0 of [1-9]\d\d+ sampled packets")
        self.assertRegex(checked["vlan"], r"of [1-9]\d+ sampled connections, 0 have")

    def test_both_halves_of_a_tap_are_healthy_and_each_alone_is_one_way(self):
        self.mirror("ingress", "m1")
        self.mirror("egress", "n1")
        both = self.tcsniff(self.tap, "-i", "t1", "-i", "u1")
        left = self.tcsniff(self.tap, "-i", "t1")
        right = self.tcsniff(self.tap, "-i", "u1", "--inner", SERVER[0] + "," + SERVER[1])
        self.converse(both)
        self.finds_nothing(both)
        self.finds(left, "one_way", "of 4 hosts with TCP, 2 only sent and 2 only received (100 %",
                   "-i tap0 -i tap1")
        self.finds(right, "one_way", "of 2 hosts with TCP, 2 only sent and 0 only received", "both")

    def test_each_frame_twice(self):
        for way in ("ingress", "egress"):
            self.mirror(way, "m1", "m1")
        daemon = self.tcsniff(self.tap, "-i", "t1")
        self.converse(daemon)
        [found] = self.report(daemon)["findings"]
        self.assertEqual(found["code"], "duplicates")
        self.assertRegex(found["evidence"], r"\((4[5-9]|50) %\) came a second time")
        self.assertIn("Mirror each packet once", found["remedy"])

    def test_one_direction_twice(self):
        self.mirror("ingress", "m1")
        self.mirror("egress", "m1", "m1")
        daemon = self.tcsniff(self.tap, "-i", "t1", "--fanout", "2")
        self.converse(daemon)
        self.finds(daemon, "duplicates", "came a second time", "Mirror each packet once")


class Gateway(Doctor):
    def setUp(self):
        super().setUp()
        self.left, self.router, self.right = map(self.namespace, ("left", "router", "right"))
        self.router.sysctl("net.ipv4.ip_forward", 1)
        veth(self.left, "l1", self.router, "r1")
        veth(self.router, "r2", self.right, "x1")
        for ns, dev, ip in (
                (self.left, "l1", "10.5.0.2/24"), (self.router, "r1", "10.5.0.1/24"),
                (self.router, "r2", "192.0.2.1/24"), (self.right, "x1", "192.0.2.2/24")):
            ns.address(dev, ip)
        for ns, gw in ((self.left, "10.5.0.1"), (self.right, "192.0.2.1")):
            ns.ip("route", "add", "default", "via", gw)

    def load(self, *daemons):
        self.http_server(self.right, content=b"x" * 1000000)
        for _ in range(5):
            self.left.run("curl", "-s", "-S", "-o", "/dev/null", "http://192.0.2.2/")
        for daemon in daemons:
            wait_until("frames", lambda d=daemon: d.received() > 100)
        self.left.wait_quiet("l1")

    def test_any_sees_what_is_forwarded_twice_and_the_inner_interface_once(self):
        every = self.tcsniff(self.router, "-i", "any")
        one = self.tcsniff(self.router, "-i", "r1", "--direction", "nic")
        self.load(every, one)
        self.finds(every, "duplicates", "came a second time", "In place of -i any")
        self.finds_nothing(one)

    def test_merged_segments_are_a_finding_if_they_count_as_one(self):
        for ns, dev in ((self.left, "l1"), (self.router, "r1"), (self.router, "r2"),
                        (self.right, "x1")):
            ns.offloads(dev, True)
        merged = self.tcsniff(self.router, "-i", "r1", "--no-segments")
        apart = self.tcsniff(self.router, "-i", "r1")
        self.load(merged, apart)
        self.finds(merged, "merged", "(the interface's MTU is 1500)", "--no-segments")
        self.assertRegex(self.finds_nothing(apart)["merged"],
                         r"^0 of .*; [1-9]\d* merged frames, counted as the packets")


class Frames(Doctor):
    """Frames sent raw."""

    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")

    def tell(self, frames, *args):
        """A daemon that has got them."""
        daemon = self.tcsniff(self.right, "-i", "v2", *args)
        self.out.send(*frames)
        daemon.wait_received(len(frames))
        return daemon

    def test_silence(self):
        self.finds(self.tcsniff(self.right, "-i", "v2"), "silent", "0 frames received", "cable")

    def test_no_inner_address(self):
        frames = [f for i in range(50) for f in talk(
            "198.51.100.%d" % (i % 10), "203.%d.113.%d" % (i, i), 5)]
        daemon = self.tell(frames)
        self.finds(daemon, "inner", "500 of 500 IP packets (100 %)", "--inner 198.51.100.0/24;")
        self.finds_nothing(self.tell(frames, "--inner", "198.51.100.0/24"))
        self.finds_nothing(self.tell(frames, "--inner", "all"))

    def test_no_inner_address_of_ipv6(self):
        frames = [f for i in range(50) for f in talk(
            "2001:db8:5:%x::1" % (i % 2), "2001:db8:%x::%d" % (1000 + i, i), 5)]
        self.finds(self.tell(frames), "inner", "2001:db8:5::/64 (5", "--inner 2001:db8:5::/63;")

    def test_between_other_stations_with_direction_nic(self):
        self.finds(self.tell(talk("10.0.0.1", "192.0.2.9"), "--direction", "nic", "--no-promisc"),
                   "inner", "(100 %)", "--direction nic is for the inner")

    def test_headers_cut_by_snaplen(self):
        def deep(packet, _):  # the first one the kernel takes off
            return tagged([(SVLAN, 5), (VLAN, 6), (VLAN, 7), (VLAN, 8)], IPV6, packet)

        def less_deep(packet, _):
            return tagged([(SVLAN, 5), (VLAN, 6), (VLAN, 7)], IPV6, packet)

        for wrap, evidence in ((deep, "200 of 400 frames"), (less_deep, "200 of 400 sampled")):
            frames = talk("fd00::1", "fd00::2", 100, wrap) + talk("10.0.0.1", "192.0.2.9")
            self.finds(self.tell(frames, "--snaplen", "64"), "snaplen", evidence,
                       "Raise --snaplen")
            self.finds_nothing(self.tell(frames))

    def test_frames_cut_by_the_mirror(self):
        frames = talk("10.0.0.1", "192.0.2.9")
        cut = [f[:60] for f in talk("10.0.0.2", "192.0.2.9", 100)]
        self.finds(self.tell(frames + cut), "truncated", "200 of 400 frames were shorter",
                   "truncation")

    def test_tags_in_one_direction(self):
        def half(packet, i):
            return ethernet(IPV4, packet) if i % 2 else tagged([(VLAN, 5)], IPV4, packet)

        def whole(packet, _):
            return tagged([(VLAN, 5)], IPV4, packet)

        self.finds(self.tell(talk("10.0.0.1", "192.0.2.9", 100, half)), "vlan",
                   "100 frames with VLAN tags; of 100 sampled connections, 100 have tags in one",
                   "strips the tags")
        daemon = self.tell(talk("10.0.0.1", "192.0.2.9", 100, whole))
        self.assertIn("200 frames with VLAN tags; of 100 sampled connections, 0",
                      self.finds_nothing(daemon)["vlan"])

    def test_what_linux_has_no_use_for_is_no_loss(self):
        def twice(packet, _):
            return tagged([(SVLAN, 5), (VLAN, 6)], IPV4, packet)

        daemon = self.tell(talk("10.0.0.1", "192.0.2.9", 100, twice))
        wait_until("drops", lambda: daemon.ask("-S")["total"]["counters"]["nic_drops"] == 200)
        self.assertIn("0 frames dropped by the network interface since the start, and up to 200",
                      self.finds_nothing(daemon)["nic_drops"])
        self.assertNotIn("dropped", daemon.stop()[1].replace("kernel_drops", ""))

    def test_a_remote_mirror_is_to_be_opened(self):
        frames = talk("10.0.0.1", "192.0.2.9", 100, vxlan)
        self.finds(self.tell(frames), "decap", "vxlan in 200 of 200 frames (100 %)",
                   "--decap vxlan counts")
        checked = self.finds_nothing(self.tell(frames, "--decap", "vxlan"))
        self.assertIn("vxlan: 0 of 200 frames could not be opened", checked["unreadable"])

    def test_tunnels_whose_inside_is_cut(self):
        self.finds(self.tell(talk("10.0.0.1", "192.0.2.9", 100, vxlan), "--decap", "vxlan",
                             "--snaplen", "80"),
                   "unreadable", "vxlan: 200 of 200 frames could not be opened", "--snaplen")

    def test_full_tables(self):
        frames = [f for i in range(200) for f in talk("10.0.%d.1" % i, "192.0.2.9", 1)]
        self.finds(self.tell(frames, "--max-hosts", "10"), "limits", "of 10 hosts", "--max-hosts")
        self.finds(self.tell(frames, "--max-flows", "16"), "limits", "of 16 connections",
                   "--max-flows")

    def test_what_the_ring_had_no_room_for(self):
        daemon = self.tcsniff(self.right, "-i", "v2", "--ring-blocks", "2", "--ring-block-size",
                              "16K")
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            wait_until("it stops", lambda: all(
                status["State"].startswith("T") for _, status in threads(daemon.pid)))
            self.out.send(*talk("10.0.0.1", "192.0.2.9", 500))
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        wait_until("drops", lambda: daemon.ask("-S")["total"]["ledger"]["kernel_drops"])
        self.finds(daemon, "drops", "2 of the 2 blocks", "Raise --ring-blocks")

    def test_what_the_interface_dropped(self):
        tun = Tun(self.right, "tun0")
        self.addCleanup(tun.close)
        daemon = self.tcsniff(self.right, "-i", "tun0")
        for packet in (udp("10.0.0.1", "192.0.2.9"), b"\0" * 40):  # the second is no IP
            for _ in range(30):
                with contextlib.suppress(OSError):
                    os.write(tun.fd, packet)
        wait_until("drops", lambda: daemon.ask("-S")["total"]["counters"]["nic_drops"] == 30)
        report = self.report(daemon)
        [found] = [f for f in report["findings"] if f["code"] == "nic_drops"]
        self.assertIn("30 frames dropped", found["evidence"])
        self.assertIn("ethtool -G", found["remedy"])

    def test_files_in_the_wrong_order(self):
        paths = []
        for sec in (1_700_000_000, 1_600_000_000):
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as f:
                f.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
                for i, frame in enumerate(talk("10.0.0.1", "192.0.2.9")):
                    f.write(struct.pack("<IIII", sec + i, i, len(frame), len(frame)) + frame)
            paths += ["-r", f.name]
        for args, said in ((paths, "clock"), (paths[2:] + paths[:2], "clock"), (paths[2:], None)):
            daemon = self.replay(*args)
            if said:
                self.finds(daemon, said, "1 times", "order in which they were recorded")
            else:
                self.finds_nothing(daemon)

    def replay(self, *args):
        """A daemon that has read files to their end."""
        path = tempfile.mktemp(prefix="sock-", dir=self.folder)
        process = subprocess.Popen(
            [programs.TCSNIFF, "--socket", path, "--linger", "--quiet", *args],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        while not process.stdout.readline().startswith("lost before"):
            self.assertIsNone(process.poll())
        return Replayed(path)

    def test_nobody_there_is_no_finding(self):
        done = subprocess.run([programs.TCTABLE, "doctor", "--socket", self.folder + "/none"],
                              capture_output=True, timeout=LIMIT, check=False)
        self.assertEqual((done.returncode, done.stdout), (3, b""))


class Replayed:
    """What a test asks of a daemon."""

    def __init__(self, path):
        self.socket = path

    ask = programs.Tcsniff.ask

    def said(self):
        return ""


if __name__ == "__main__":
    programs.main("tc", "curl", "ping")
