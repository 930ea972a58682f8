#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kernel_tcp.py - TCP connections, one by one as the kernel tracks them:
# tuples, packets, bytes, the state at each stage, and the end. kernel.py lists
# what may differ.
#
# usage: test_kernel_tcp.py TCSNIFF TCTABLE

import programs
from kernel import A, B, KernelTest, Tcp


class States(KernelTest):
    """Segments made by hand: each state stands until both have told it."""

    def pair(self, port, **kwargs):
        return [Tcp(self, v6, port, **kwargs) for v6 in (False, True)]

    def step(self, pair, end, flags, state, size=0):
        """The same segment over IPv4 and IPv6; then the state of both."""
        for tcp in pair:
            tcp.send(end, flags, size)
        return self.same(state, state)

    def test_a_connection_in_each_of_its_states(self):
        self.listen()
        tcp = self.pair(4001)
        self.step(tcp, A, "S", "syn_sent")
        self.step(tcp, B, "SA", "syn_recv")
        self.step(tcp, A, "A", "established")
        self.step(tcp, A, "PA", "established", 500)
        self.step(tcp, B, "PA", "established", 1400)
        self.step(tcp, A, "FA", "fin_wait")
        self.step(tcp, B, "A", "close_wait")
        self.step(tcp, B, "PA", "close_wait", 700)
        self.step(tcp, A, "A", "close_wait")
        self.step(tcp, B, "FA", "last_ack")
        self.step(tcp, A, "A", "time_wait")


if __name__ == "__main__":
    programs.main("nft", "conntrack")
