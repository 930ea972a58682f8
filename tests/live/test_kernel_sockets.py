#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kernel_sockets.py - TCP connections of the kernel's own TCP, one by one as
# the kernel tracks them: tuples, packets, bytes, state. kernel.py lists what may
# differ.
#
# usage: test_kernel_sockets.py TCSNIFF TCTABLE

import errno
import socket
import struct
import time

import programs
from kernel import CLIENT, HOLE, SERVER, Ends, KernelTest
from netns import wait_until


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
    programs.main("nft", "conntrack", "ping")
