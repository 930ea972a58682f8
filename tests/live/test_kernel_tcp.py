#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kernel_tcp.py - TCP connections, one by one as the kernel tracks them:
# tuples, packets, bytes, the state at each stage, and the end. kernel.py lists
# what may differ.
#
# usage: test_kernel_tcp.py TCSNIFF TCTABLE

import errno
import socket
import struct
import time

import programs
from kernel import A, B, CLIENT, HOLE, NOBODY, SERVER, Ends, KernelTest, Tcp
from netns import wait_until


class ByHand(KernelTest):
    """Segments made by hand: each state stands until both have told it."""

    def setUp(self):
        super().setUp()
        self.listen()
        self.pair = self.new()

    def new(self, port=4001, **kwargs):
        return [Tcp(self, v6, port, **kwargs) for v6 in (False, True)]

    def send(self, end, flags, state, size=0, seq=0):
        """The same segment over IPv4 and IPv6; the state of both connections then. seq:
        so far from where it should be."""
        for tcp in self.pair:
            tcp.send(end, flags, size, tcp.next[end] + seq if seq else None)
        return self.same(state, state)

    def again(self, end, state):
        for tcp in self.pair:
            tcp.again(end)
        return self.same(state, state)

    def open(self):
        for tcp in self.pair:
            tcp.open()
        return self.same("established", "established")

    def test_a_connection_in_each_of_its_states(self):
        self.send(A, "S", "syn_sent")
        self.send(B, "SA", "syn_recv")
        self.send(A, "A", "established")
        self.send(A, "PA", "established", 500)
        self.send(B, "PA", "established", 1400)
        self.send(A, "FA", "fin_wait")
        self.send(B, "A", "close_wait")
        self.send(B, "PA", "close_wait", 700)
        self.send(A, "A", "close_wait")
        self.send(B, "FA", "last_ack")
        self.send(A, "A", "time_wait")

    def test_closed_by_the_other_end_and_by_both_at_once(self):
        self.open()
        self.send(B, "FA", "fin_wait")
        self.send(A, "A", "close_wait")
        self.send(A, "FA", "last_ack")
        self.send(B, "A", "time_wait")
        self.pair = self.new(first=(90000, 1700000))
        self.send(A, "S", "syn_sent")  # in place of the other one
        self.send(B, "SA", "syn_recv")
        self.send(A, "A", "established")
        self.send(A, "FA", "fin_wait")
        self.send(B, "FA", "last_ack")
        self.send(A, "A", "time_wait")
        self.send(B, "A", "time_wait")

    def test_opened_by_both_at_once(self):
        self.send(A, "S", "syn_sent")
        self.uncounted("again", "reply")
        self.send(B, "S", "syn_sent2")
        self.send(B, "SA", "syn_recv", seq=-1)
        self.send(A, "SA", "syn_recv", seq=-1)
        self.send(A, "A", "established")
        self.send(B, "A", "established")
        self.send(B, "PA", "established", 100)

    def test_sent_again(self):
        self.send(A, "S", "syn_sent")
        self.uncounted("again", "orig")
        self.again(A, "syn_sent")
        self.send(B, "SA", "syn_recv")
        self.uncounted("ignored", "reply")
        self.again(B, "syn_recv")
        self.uncounted("ignored", "orig")
        self.again(A, "syn_recv")
        self.send(A, "A", "established")
        self.send(A, "PA", "established", 500)
        self.again(A, "established")
        self.send(B, "A", "established")
        self.send(A, "A", "established", seq=-1)  # keepalive
        self.send(B, "A", "established")
        self.send(B, "A", "established", 1, seq=-1)  # another one's, with a byte
        self.send(A, "A", "established")
        self.send(A, "FA", "fin_wait")
        self.again(A, "last_ack")  # to either, this might be the other end's
        self.send(B, "FA", "last_ack")
        self.again(B, "last_ack")
        self.send(A, "A", "time_wait")
        self.again(B, "time_wait")
        self.send(A, "A", "time_wait")
        self.send(A, "R", "close")
        self.again(A, "close")


    def test_reset_in_each_state(self):
        """The exact RST that an end sends, from either; and once more."""
        before = {
            "syn_recv": ((A, "S"), (B, "SA")),
            "established": ((A, "S"), (B, "SA"), (A, "A")),
            "fin_wait": ((A, "S"), (B, "SA"), (A, "A"), (B, "FA")),
            "close_wait": ((A, "S"), (B, "SA"), (A, "A"), (B, "FA"), (A, "A")),
            "last_ack": ((A, "S"), (B, "SA"), (A, "A"), (B, "FA"), (A, "FA")),
            "time_wait": ((A, "S"), (B, "SA"), (A, "A"), (B, "FA"), (A, "FA"), (B, "A"))}
        tcps = [(end, tcp, state, segments) for i, (state, segments) in enumerate(before.items())
                for end in (A, B) for tcp in self.new(5000 + 2 * i + end)]
        for _, tcp, _, segments in tcps:
            for segment in segments:
                tcp.send(*segment)
        self.same(*(state for _, _, state, _ in tcps))
        for end, tcp, _, _ in tcps:
            tcp.send(end, "RA")
        self.same(*["close"] * len(tcps))
        for end, tcp, _, _ in tcps:
            tcp.again(end)
        self.same(*["close"] * len(tcps))

    def test_refused(self):
        ends = Ends(self)
        self.send(A, "S", "syn_sent")
        for tcp in self.pair:
            tcp.send(B, "RA", seq=0)

        def refused(rows):
            return rows + [row._replace(state="close") for row in ends.rows()]

        self.differ("refused", refused)
        self.same("close", "close")
        self.changes.clear()
        self.pair = self.new(first=(90000, 1700000))
        self.send(A, "S", "syn_sent")

    def test_segments_that_an_end_would_not_take(self):
        self.open()
        self.send(A, "PA", "established", 500)
        self.send(B, "A", "established")
        self.uncounted("windows", "reply", 600)
        self.send(B, "PA", "established", 600, seq=10000000)
        self.differ("windows", lambda rows: [row._replace(state="close") for row in rows])
        self.send(B, "R", "close", seq=2000)

    def test_used_again(self):
        """A SYN on a connection that is over begins another one."""
        self.open()
        self.send(A, "FA", "fin_wait")
        self.send(B, "FA", "last_ack")
        self.send(A, "A", "time_wait")
        self.pair = self.new(first=(5000000, 6000000))
        self.send(A, "S", "syn_sent")
        self.send(B, "SA", "syn_recv")
        self.send(A, "A", "established")
        self.send(A, "R", "close")
        self.pair = self.new(first=(7000000, 8000000))
        self.send(A, "S", "syn_sent")
        self.send(B, "SA", "syn_recv")
        self.send(A, "A", "established")
        self.send(B, "FA", "fin_wait")
        self.send(A, "FA", "last_ack")
        self.send(B, "A", "time_wait")
        self.ids(2)
        self.pair = self.new(first=(9000000, 9900000))
        self.send(B, "S", "syn_sent")  # from the other end
        self.send(A, "SA", "syn_recv")
        self.send(B, "A", "established")
        self.ids(3)

    def ids(self, number):
        """There is one connection per host, with this number."""
        self.assertEqual([c["id"] for c in self.connections()], [number, number])
        self.assertEqual([host["next_conn_id"] for host in self.daemon.ask("-a")["hosts"]
                          if host["conns"]], [number + 1, number + 1])

    def test_used_again_after_the_other_ends_reset(self):
        self.open()
        self.send(B, "R", "close")
        self.pair = self.new(first=(5000000, 6000000))
        self.uncounted("reused", "orig", segments=2 - 1 - 2)
        self.uncounted("reused", "reply", segments=-2)
        self.differ("reused", lambda rows: [row._replace(state="syn_sent") for row in rows])
        self.send(A, "S", "syn_sent")
        self.changes.pop()
        self.send(B, "SA", "syn_recv")
        self.send(A, "A", "established")
        self.ids(1)

    def test_used_again_by_the_end_that_was_reset(self):
        self.open()
        before = self.send(A, "R", "close")
        self.pair = self.new(first=(5000000, 6000000))
        for tcp in self.pair:
            tcp.send(B, "S")
        wait_until("new ones", lambda: [row.state for row in self.ours()] == ["syn_sent"] * 2)
        self.assertEqual(self.theirs(), before)
        self.assertEqual([row.orig.src for row in self.ours()], [ips[B] for ips in NOBODY])
        self.ids(1)

    def test_picked_up_in_the_middle(self):
        for tcp in self.pair:
            tcp.open()
        self.same("established", "established")
        for first in (A, B):
            self.forget()
            self.send(first, "PA", "established", 300)
            self.send(1 - first, "A", "established")
            self.send(1 - first, "PA", "established", 30)
            self.ids(0)
            for row in self.ours():
                self.assertIn(row.orig.src, [ips[first] for ips in NOBODY])
        self.send(A, "FA", "fin_wait")
        self.send(B, "FA", "last_ack")
        self.send(A, "A", "time_wait")

    def test_begun_with_what_the_kernel_does_not_take_for_a_beginning(self):
        for i, flags in enumerate(("SA", "FA", "RA", "P")):
            for tcp in self.new(4100 + i):
                tcp.send(B, flags)
        wait_until("8 connections", lambda: len(self.ours()) == 8)
        self.assertEqual(self.theirs(), [])  # so it differs: "not_loose"
        begun = {(row.state, row.orig.src, row.orig.packets, row.reply.src, row.reply.packets)
                 for row in self.ours()}
        self.assertEqual(begun, {
            begin for inner, outer in NOBODY for begin in (
                ("syn_recv", inner, 0, outer, 1), ("fin_wait", outer, 1, inner, 0),
                ("close", outer, 1, inner, 0), ("established", outer, 1, inner, 0))})


class BySockets(KernelTest):
    """The kernel's own TCP at both ends."""

    def setUp(self):
        super().setUp()
        self.listen()

    def socket(self, ns, ip, port=0):
        with ns.inside():
            s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        self.addCleanup(s.close)
        s.settimeout(10)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port:
            s.bind((ip, port))
        return s

    def connect(self, v6, port=0):
        """Both ends of a new connection."""
        listener = self.socket(self.server, SERVER[v6], 80)
        listener.listen()
        client = self.socket(self.client, CLIENT[v6], port)
        client.connect((SERVER[v6], 80))
        server = listener.accept()[0]
        self.addCleanup(server.close)
        server.settimeout(10)
        listener.close()
        return client, server

    def transfer(self, source, sink, size, chunk=20000):
        for _ in range(0, size, chunk):
            source.sendall(b"x" * chunk)
            got = 0
            while got < chunk:
                got += len(sink.recv(chunk - got))

    def test_data_both_ways_and_closed_from_either_end(self):
        for v6 in (False, True):
            pairs = [self.connect(v6) for _ in range(4)]
            for i, pair in enumerate(pairs):
                self.transfer(*pair, 200000)
                self.transfer(*reversed(pair), 300000)
                first, second = pair[i & 1], pair[~i & 1]
                if i & 2:  # SO_LINGER of 0: a RST
                    first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                first.close()
                if not i & 2:
                    self.assertEqual(second.recv(1), b"")
            self.same("close_wait", "close_wait", "close", "close")
            for pair in pairs:
                for s in pair:
                    s.close()
            self.same("time_wait", "time_wait", "close", "close")
            self.forget()
            self.same()

    def test_half_closed_for_seconds_with_data_the_other_way(self):
        pairs = [self.connect(v6) for v6 in (False, True)]
        for client, server in pairs:
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(server.recv(1), b"")
        begin = time.monotonic()
        while time.monotonic() < begin + 3:
            for client, server in pairs:
                self.transfer(server, client, 60000)
            self.same("close_wait", "close_wait")
            time.sleep(0.3)
        for client, server in pairs:
            server.close()
            self.assertEqual(client.recv(1), b"")
        self.same("time_wait", "time_wait")

    def test_refused_and_unanswered(self):
        ends = Ends(self)
        for ip in SERVER:
            with self.assertRaises(ConnectionRefusedError):
                self.socket(self.client, ip).connect((ip, 9))

        def refused(rows):
            return rows + [row._replace(state="close") for row in ends.rows()]

        self.differ("refused", refused)
        self.same("close", "close")
        tries = [self.socket(self.client, ip) for ip in HOLE]
        for s, ip in zip(tries, HOLE):
            s.setblocking(False)
            self.assertEqual(s.connect_ex((ip, 80)), errno.EINPROGRESS)
        self.same("close", "close", "syn_sent", "syn_sent")
        wait_until("a SYN that is sent again", lambda: all(
            row.orig.packets == 2 for row in self.ours() if row.state == "syn_sent"))
        for s in tries:
            s.close()
        self.uncounted("again", "orig", 20, of=80)  # bytes of options
        self.same("close", "close", "syn_sent", "syn_sent")

    def test_keepalives(self):
        pairs = [self.connect(v6) for v6 in (False, True)]
        for client, _ in pairs:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        before = self.same("established", "established")[0].reply.packets
        wait_until("answers", lambda: all(row.reply.packets > before for row in self.ours()))
        for client, _ in pairs:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        self.same("established", "established")

    def test_the_same_ports_again(self):
        for number in range(3):
            for v6 in (False, True):
                client, server = self.connect(v6, 6000)
                self.transfer(client, server, 20000)
                server.close()
                self.assertEqual(client.recv(1), b"")
                client.close()
            self.same("time_wait", "time_wait")
            self.assertEqual([c["id"] for c in self.connections()], [number] * 2)

    def test_connecting_to_each_other(self):
        """The SYN towards the server is lost, and the server's meets it."""
        self.server.run("nft", "add table inet t; add chain inet t i { type filter hook input "
                        "priority 0; }; add rule inet t i tcp flags syn / syn,ack drop")
        self.addCleanup(self.server.run, "nft", "delete table inet t")
        pairs = [(self.socket(self.client, CLIENT[v6], 6001), self.socket(self.server, SERVER[v6],
                                                                          6002))
                 for v6 in (False, True)]
        for client, server in pairs:
            client.setblocking(False)
            self.assertEqual(client.connect_ex((server.getsockname()[0], 6002)),
                             errno.EINPROGRESS)
            server.connect((client.getsockname()[0], 6001))
        self.uncounted("again", "reply", 20)
        self.same("established", "established")
        for client, server in pairs:
            client.setblocking(True)
            self.transfer(client, server, 20000)
            self.transfer(server, client, 20000)
        self.same("established", "established")


if __name__ == "__main__":
    programs.main("nft", "conntrack")
