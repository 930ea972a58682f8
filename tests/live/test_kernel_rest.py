#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kernel_rest.py - UDP, ICMP, GRE, ESP and fragments, connection by
# connection as the kernel tracks them; and when connections end. kernel.py lists
# what may differ.
#
# usage: test_kernel_rest.py TCSNIFF TCTABLE

import errno
import re
import socket
import struct
import subprocess
import time

import frames
import programs
from kernel import (A, B, BEYOND, CLIENT, DIFFERENCES, HOLE, NOBODY, NOWHERE, SERVER, TIMEOUTS,
                    KernelTest, Tcp, checksum)
from netns import wait_until

TTL = {False: (socket.IPPROTO_IP, socket.IP_TTL),
       True: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}


class Rest(KernelTest):
    def udp(self, ns, ip, port=0):
        with ns.inside():
            s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.settimeout(5)
        s.bind((ip, port))
        return s

    def by_hand(self, end, v6, protocol, payload):
        """A packet from nobody to nobody."""
        src, dst = NOBODY[v6][end], NOBODY[v6][1 - end]
        packet = (frames.ipv6 if v6 else frames.ipv4)(src, dst, protocol, payload)
        self.wires[end].send(frames.ethernet(frames.IPV6 if v6 else frames.IPV4, packet,
                                             dst=self.macs[end]))

    def datagram(self, v6):
        self.by_hand(A, v6, 17, frames.udp(*NOBODY[v6])[40 if v6 else 20:])

    def error(self, v6):
        """About that datagram: its port is closed."""
        error = struct.pack(">BBHI", *((1, 4) if v6 else (3, 3)), 0, 0) + frames.udp(*NOBODY[v6])
        pseudo = b""
        if v6:
            pseudo = (frames.ipv6(*reversed(NOBODY[v6]), 58, b"")[8:]
                      + struct.pack(">II", len(error), 58))
        self.by_hand(B, v6, 58 if v6 else 1,
                     error[:2] + struct.pack(">H", checksum(pseudo + error)) + error[4:])


class Udp(Rest):
    def test_unanswered_answered_and_a_stream(self):
        self.listen()
        pairs = [(self.udp(self.client, CLIENT[v6], 7000), self.udp(self.server, SERVER[v6], 53))
                 for v6 in (False, True)]

        def tell(end, state, size=100):
            for pair in pairs:
                pair[end].sendto(b"x" * size, pair[1 - end].getsockname()[:2])
                pair[1 - end].recv(65536)
            self.same(state, state)

        tell(A, "unanswered")
        begin = time.monotonic()
        tell(A, "unanswered", 0)
        tell(B, "answered", 1000)
        tell(A, "answered")
        wait_until("2 s", lambda: time.monotonic() > begin + 2)
        tell(A, "stream")
        tell(B, "stream")

    def test_answered_late_and_never_again(self):
        """What lasts without going on after the answer is no stream."""
        self.listen()
        pairs = [(self.udp(self.client, CLIENT[v6]), self.udp(self.server, SERVER[v6], 53))
                 for v6 in (False, True)]
        for client, server in pairs:
            client.sendto(b"?", server.getsockname()[:2])
            server.recv(1)
        self.same("unanswered", "unanswered")
        time.sleep(2.1)
        for client, server in pairs:
            server.sendto(b"!", client.getsockname()[:2])
            client.recv(1)
        self.same("answered", "answered")
        for client, server in pairs:
            client.sendto(b"?", server.getsockname()[:2])
        self.same("stream", "stream")

    def test_begun_by_the_other_side(self):
        """The originator is who sends first, not who is inner."""
        self.listen()
        for ip, inner in zip(SERVER, CLIENT):
            self.udp(self.server, ip).sendto(b"x", (inner, self.udp(self.client, inner)
                                                    .getsockname()[1]))
        for row in self.same("unanswered", "unanswered"):
            self.assertIn(row.orig.src, SERVER)


class Icmp(Rest):
    def setUp(self):
        super().setUp()
        self.listen("--fanout", "2")

    def errors(self, number, *states):
        """Each connection got so many, and the two agree on the rest."""
        self.same(*states)
        self.assertEqual([c.get("icmp_errors", 0) for c in self.connections()],
                         [number] * len(states))
        for ip in CLIENT:
            lines = subprocess.run([programs.TCTABLE, "-s", ip, "--socket", self.daemon.socket],
                                   capture_output=True, check=True, text=True).stdout.splitlines()
            self.assertTrue(all(" icmp_err=%d" % number in line for line in lines[1:]), lines)

    def test_echo_from_either_side_and_unanswered(self):
        for v6 in (False, True):
            self.client.run("ping", "-c", 3, "-i", 0.05, "-W", 5, SERVER[v6])
            self.server.run("ping", "-c", 2, "-i", 0.05, "-W", 5, "-s", 1000, CLIENT[v6])
            self.client.run("ping", "-c", 1, "-W", 0.2, HOLE[v6], check=False)
        self.same(*(["answered"] * 2 + ["unanswered"]) * 2)

    def test_timestamps_and_an_answer_without_a_question(self):
        ask, answer = (struct.pack(">BBHHH", kind, 0, 0, 77, 1) + b"t" * 12 for kind in (13, 14))
        for end, message in ((A, ask), (B, answer)):
            self.by_hand(end, False, 1, message[:2] + struct.pack(">H", checksum(message))
                         + message[4:])
        self.same("answered")

    def test_unreachable_ports_and_hosts(self):
        for ip in SERVER:
            self.assertFalse(self.udp_ask(self.client, ip, 9, b"x" * 10))
        self.uncounted("icmp_errors", "reply", (20 + 8 + 38, 40 + 8 + 58))
        self.errors(1, "unanswered", "unanswered")
        self.forget("--fanout", "2")
        for ip in NOWHERE:
            with self.client.inside():
                s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
            self.addCleanup(s.close)
            s.setblocking(False)
            self.assertEqual(s.connect_ex((ip, 80)), errno.EINPROGRESS)
            wait_until("an error", lambda: "icmp_errors" in str(self.connections()))
            s.close()
            self.client.run("ping", "-c", 1, "-s", 40, "-W", 1, ip, check=False)
        self.uncounted("icmp_errors", "reply", (20 + 8 + 60, 40 + 8 + 80), of=80)
        self.uncounted("icmp_errors", "reply", (20 + 8 + 68, 40 + 8 + 88), of=0)
        self.errors(1, "syn_sent", "syn_sent", "unanswered", "unanswered")

    def test_time_exceeded(self):
        """As traceroute does: here the second router says so, then the first."""
        for ttl in (2, 1):
            for v6 in (False, True):
                s = self.udp(self.client, CLIENT[v6], 33000 + ttl)
                s.setsockopt(*TTL[v6], ttl)
                for n in range(3):
                    s.sendto(b"x" * 10, (BEYOND[v6], 33434 + n))
            states = ["unanswered"] * 6 * (3 - ttl)
            if ttl == 1:
                self.assertEqual({row.orig.what[0] for row in self.theirs()}, {33002})
                self.differ("unforwarded", lambda rows: rows + [
                    row._replace(orig=row.orig._replace(what=(33001, row.orig.what[1])),
                                 reply=row.reply._replace(what=(row.reply.what[0], 33001)))
                    for row in rows])
            else:
                self.uncounted("icmp_errors", "reply", (20 + 8 + 38, 40 + 8 + 58))
            self.errors(1, *states)
        for v6 in (False, True):
            self.assertEqual(self.daemon.host(CLIENT[v6])["icmp"]["rx"]["packets"], 6)

    def test_an_error_about_an_unknown_connection(self):
        for v6 in (False, True):
            self.error(v6)
        wait_until("errors", lambda: self.daemon.ask("-a")["ledger"]["untracked"][
            "icmp_error"] == 2)
        self.same()


class Other(Rest):
    def test_gre_esp_and_a_protocol_without_a_name(self):
        self.listen()
        inside = frames.udp("192.0.2.1", "192.0.2.2")
        for end, state in ((A, "unanswered"), (A, "unanswered"), (B, "answered"), (A, "answered")):
            for v6 in (False, True):
                for protocol, payload in ((47, struct.pack(">HH", 0, 0x0800) + inside),
                                          (50, struct.pack(">II", 0x1001 + end, 1) + b"x" * 64),
                                          (253, b"x" * 20)):
                    self.by_hand(end, v6, protocol, payload)
            self.same(*[state] * 6)
        for host in self.daemon.ask("-a")["hosts"]:
            self.assertEqual(host["other"]["conns"], 3)

    def test_pptp(self):
        self.listen()
        for end in (A, B):
            self.by_hand(end, False, 47, struct.pack(">HHHHI", 0x3001, 0x880B, 10, 70 + end, 1)
                         + b"x" * 10)
        self.differ("pptp", lambda rows: [
            a._replace(state="answered", reply=b.orig) for a in rows for b in rows
            if a.orig.src == NOBODY[0][A] and b.orig.src == NOBODY[0][B]])
        self.same("answered")


class Fragments(Rest):
    def differ_by_fragments(self, size):
        """size: of each datagram, behind the IP header."""
        def change(rows):
            out = []
            for row in rows:
                v6 = ":" in row.orig.src
                n, head = (-(-size // 1448), 48) if v6 else (-(-size // 1480), 20)
                out.append(row._replace(**{way: getattr(row, way)._replace(
                    packets=getattr(row, way).packets * n,
                    bytes=getattr(row, way).packets * (size + n * head))
                    for way in ("orig", "reply")}))
            return out

        self.changes.clear()
        self.differ("fragments", change)

    def test_of_echo_and_of_udp_both_ways(self):
        self.listen("--fanout", "2")
        for ip in SERVER:
            self.client.run("ping", "-c", 2, "-i", 0.05, "-s", 4000, "-W", 5, ip)
        self.differ_by_fragments(4008)
        self.same("answered", "answered")
        self.forget("--fanout", "2")
        for ip in SERVER:
            self.udp_echo(self.server, ip, 53)
            self.assertTrue(self.udp_ask(self.client, ip, 53, b"x" * 5000, times=3))
        self.differ_by_fragments(5008)
        self.same("answered", "answered")

    def test_that_come_in_reverse(self):
        self.listen("--fanout", "2")
        datagram = frames.udp(*NOBODY[0], size=4000)[20:]
        for v6 in (False, True):
            src, dst = NOBODY[v6]
            step = 1448 if v6 else 1480
            for at in reversed(range(0, len(datagram), step)):
                part = datagram[at:at + step]
                more = at + step < len(datagram)
                packet = bytearray((frames.ipv6 if v6 else frames.ipv4)(
                    src, dst, 44 if v6 else 17,
                    (struct.pack(">BBHI", 17, 0, at | more, 5) if v6 else b"") + part))
                if not v6:
                    packet[6:12] = struct.pack(">HBBH", at // 8 | more << 13, 64, 17, 0)
                    packet[10:12] = struct.pack(">H", checksum(bytes(packet[:20])))
                self.wires[A].send(frames.ethernet(frames.IPV6 if v6 else frames.IPV4,
                                                   bytes(packet), dst=self.macs[A]))
        self.differ_by_fragments(len(datagram))
        self.same("unanswered", "unanswered")


class TheEnd(Rest):
    def test_connections_end_when_the_kernels_do(self):
        """Timeouts set alike; an ICMP error about a connection does not prolong it."""
        self.listen(tcp_syn_sent=3, tcp_syn_recv=4, tcp_established=5, tcp_fin_wait=3,
                    tcp_close_wait=4, tcp_last_ack=5, tcp_time_wait=3, tcp_close=4, udp=4,
                    udp_stream=5, icmp=5, other=3)
        streams = [(self.udp(self.client, CLIENT[v6]), self.udp(self.server, SERVER[v6], 53))
                   for v6 in (False, True)]
        for client, server in streams:
            client.sendto(b"x", server.getsockname()[:2])
            server.sendto(b"x", client.getsockname()[:2])
        for v6 in (False, True):
            self.datagram(v6)
        time.sleep(2.1)
        for client, server in streams:
            client.sendto(b"x", server.getsockname()[:2])
        steps = ((A, "S"), (B, "SA"), (A, "A"), (A, "FA"), (B, "A"), (B, "FA"), (A, "A"), (A, "R"))
        for v6 in (False, True):
            for n in range(1, len(steps) + 1):
                tcp = Tcp(self, v6, 4000 + n)
                for step in steps[:n]:
                    tcp.send(*step)
            self.udp(self.client, CLIENT[v6]).sendto(b"x", (HOLE[v6], 53))
            self.client.run("ping", "-c", 1, "-W", 5, SERVER[v6])
            self.by_hand(A, v6, 50, b"x" * 40)
            self.error(v6)
        self.assert_same_ends(2 * (len(steps) + 5))
        self.assertEqual(self.daemon.ask("-a")["ledger"]["untracked"]["icmp_error"], 0)

    def test_timeouts_that_only_the_kernel_has(self):
        """Were they ours, they would differ from these 900 s here, too."""
        self.listen()
        self.router.sysctl("net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", 300)
        steps = (((A, "S"),), ((A, "S"), (B, "S")),
                 ((A, "S"), (B, "SA"), (A, "A"), (A, "PA", 100)), ((A, "S"), (B, "SA"), (A, "A")))
        tcps = []
        for n, segments in enumerate(steps, 4001):
            tcps.append(Tcp(self, False, n))
            for segment in segments:
                tcps[-1].send(*segment)
        self.by_hand(A, False, 47, struct.pack(">HH", 0, 0x0800) + frames.udp(*NOBODY[0]))
        self.uncounted("again", "reply", of=4002)
        self.same("syn_sent", "syn_sent2", "established", "established", "unanswered")
        before = self.left()[("tcp", (4001,))]
        wait_until("seconds", lambda: self.left()[("tcp", (4001,))] <= before - 2)
        tcps[0].again(A)
        tcps[1].again(B)
        tcps[3].again(A)
        self.uncounted("again", "orig", of=4001)
        self.same("syn_sent", "syn_sent2", "established", "established", "unanswered")
        left = self.left()
        for name, key, low, high in (
                ("again", ("tcp", (4001,)), before - 20, before - 2),
                ("syn_sent2", ("tcp", (4002,)), 100, 120),
                ("unacknowledged", ("tcp", (4003,)), 280, 300), ("gre", ("gre", ()), 10, 30)):
            self.assertIn(name, DIFFERENCES)
            self.assertTrue(low <= left[key] <= high, (name, left[key]))
        self.assertGreater(left[("tcp", (4004,))], 898)  # as everything else, it was renewed

    def test_default_timeouts_are_the_kernels(self):
        fresh = self.namespace("fresh")
        text = subprocess.run([programs.TCSNIFF, "--help"], capture_output=True, check=True,
                              text=True).stdout
        ours = {name: int(number) * {"s": 1, "m": 60, "h": 3600}[unit] for name, number, unit in
                re.findall(r"([a-z-]+)\s+\((\d+)([smh])\)", text)}
        theirs = {}
        for name, sysctl, seconds in TIMEOUTS:
            theirs[name] = int(fresh.run("cat", "/proc/sys/net/netfilter/nf_conntrack_" + sysctl))
            self.assertEqual(theirs[name], seconds)
        self.assertEqual(ours["tcp-established"], 3600)
        self.assertIn("established", DIFFERENCES)
        for name in theirs.keys() - {"tcp-established"}:
            self.assertEqual(ours[name], theirs[name], name)


if __name__ == "__main__":
    programs.main("nft", "conntrack", "ping")
