#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_faults_clock.py - the clock is set back and forth while packets come, and
# an interface goes to another namespace and comes back.
#
# usage: test_faults_clock.py TCSNIFF TCTABLE LIBRARY
#
# The program's clock is moved (a preloaded library adds to it), not the machine's;
# frames carry the kernel's. So to the program its packets' stamps jump against
# its clock, as they do when the clock is set between a packet and a look at it.

import os
import struct
import sys
import time

sys.dont_write_bytecode = True
import programs
from frames import plain
from netns import veth, wait_until
from programs import LiveTest

AWAY = "192.0.2.9"
LIBRARY = os.path.abspath(sys.argv.pop(3))
HOUR, DAY, YEAR = 3600, 86400, 365 * 86400


class Clock(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")
        self.sent = 0

    def count(self, daemon, n=20):
        self.out.send(*[plain("10.0.0.%d" % (i % 9 + 1), AWAY) for i in range(n)])
        self.sent += n
        daemon.wait_received(self.sent)

    def test_the_clock_is_set_back_and_forth(self):
        path = os.path.join(self.folder, "clock")

        def set_clock(seconds):
            with open(path, "r+b") as f:
                f.write(struct.pack("=q", seconds))

        with open(path, "wb") as f:
            f.write(bytes(8))
        daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", "2", command=[
            "env", "LD_PRELOAD=" + LIBRARY, "FAULTS_CLOCK=" + path, programs.TCSNIFF])
        self.count(daemon)
        for seconds in (-HOUR, HOUR, -30, 30, -DAY, 40 * DAY, -YEAR, YEAR, 0):
            set_clock(seconds)
            time.sleep(0.3)  # it looks at its clock while nothing comes
            self.count(daemon)
        total = daemon.ask("-S")["total"]
        self.assertEqual(total["ledger"]["counted"], self.sent)
        self.assertEqual(total["ledger"]["kernel_drops"], 0)
        hosts = daemon.ask("-a")
        self.assert_sums({"ledger": total["ledger"], "hosts": hosts["hosts"],
                          "overflow": hosts["overflow"], "forgotten": hosts["forgotten"]})
        counters = total["counters"]
        print("clock set 9 times: %d frames counted; jumps seen: %d back, %d forward" % (
            self.sent, counters["clock_jumps_back"], counters["clock_jumps_forward"]),
            file=sys.stderr)
        self.assertGreater(counters["clock_jumps_back"] + counters["clock_jumps_forward"], 0)
        status, said, seconds = daemon.stop()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 2)
        self.assertIn("time stamps jumped", said)

    def test_an_interface_goes_to_another_namespace_and_comes_back(self):
        for args in ((), ("udp",)):
            with self.subTest(args=args):
                daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", "2", *args)
                self.sent = 0
                self.count(daemon)
                self.right.ip("link", "set", "v2", "netns", self.left.name)
                daemon.wait_said("interface v2 is gone; waiting")
                self.left.ip("link", "set", "v2", "up")
                self.left.ip("link", "set", "v1", "up")
                self.out.send(plain("10.0.0.1", AWAY))  # there nobody listens
                said = len(daemon.said())
                self.left.ip("link", "set", "v2", "netns", self.right.name)
                wait_until(lambda: daemon.said()[said:],
                           lambda: "is back" in daemon.said()[said:])
                self.right.ip("link", "set", "v2", "up")
                wait_until(lambda: daemon.said()[said:],
                           lambda: "capture goes on" in daemon.said()[said:])
                self.count(daemon)
                self.assertEqual(daemon.stop()[0], 0)


if __name__ == "__main__":
    programs.main()
