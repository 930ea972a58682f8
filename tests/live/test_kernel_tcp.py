#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kernel_tcp.py - TCP connections of segments made by hand, one by one as
# the kernel tracks them: tuples, packets, bytes, the state at each stage.
# kernel.py lists what may differ.
#
# usage: test_kernel_tcp.py TCSNIFF TCTABLE

import programs
from kernel import A, B, NOBODY, Ends, KernelTest, Tcp
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

    def test_half_open_and_reset_by_the_answer_to_a_new_syn(self):
        """The originator has forgotten the connection, and learns of it."""
        self.open()
        self.send(B, "PA", "established", 100)
        self.send(A, "A", "established")
        forgotten = self.pair
        self.pair = self.new(first=(5000000, 6000000))
        self.uncounted("ignored", "orig")
        self.send(A, "S", "established")
        self.pair = forgotten
        self.send(B, "A", "established")  # "challenge ACK"
        self.send(A, "R", "close")
        self.pair = self.new(first=(5000000, 6000000))
        self.changes.clear()
        self.send(A, "S", "syn_sent")
        self.send(B, "SA", "syn_recv")
        self.ids(1)

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


if __name__ == "__main__":
    programs.main("nft", "conntrack", "ping")
