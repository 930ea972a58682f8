#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_drops.py - what the ring had no room for is known to the frame, said once,
# and shown; so is what the interface itself dropped.
#
# usage: test_drops.py TCSNIFF TCTABLE

import contextlib
import os
import signal

import programs
from frames import plain
from netns import Tun, veth, wait_until
from programs import LiveTest, threads

SMALL = ["--ring-blocks", "2", "--ring-block-size", "16K"]
AWAY = "192.0.2.9"


class Drops(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")

    def overrun(self, daemon, frames):
        """Sends while the daemon cannot take anything; until all is in the books."""
        ledger = daemon.ask("-S")["total"]["ledger"]
        before = ledger["received"] + ledger["kernel_drops"]
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            wait_until("it stops", lambda: all(
                status["State"].startswith("T") for _, status in threads(daemon.pid)))
            for i in range(frames):
                self.out.send(plain("10.0.%d.%d" % (i % 3, i % 200 + 1), AWAY))
        finally:
            daemon.process.send_signal(signal.SIGCONT)

        def all_there():
            now = daemon.ask("-S")["total"]["ledger"]
            return now["received"] + now["kernel_drops"] >= before + frames

        wait_until(lambda: daemon.ask("-S"), all_there)

    def check(self, workers):
        daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", str(workers), *SMALL)
        self.overrun(daemon, 2000)
        stats = daemon.ask("-S")
        total = stats["total"]["ledger"]
        self.assertEqual(total["received"] + total["kernel_drops"], 2000)
        self.assertGreater(total["kernel_drops"], 1000)
        self.assertGreater(total["received"], 20)
        self.assertGreater(total["ring_freezes"], 0)
        self.assertEqual(stats["total"]["counters"]["ring_blocks_high"], 2)
        for key in ("received", "kernel_drops", "ring_freezes"):
            self.assertEqual(sum(w["ledger"][key] for w in stats["workers"]), total[key])
        for w in stats["workers"]:
            self.assertGreater(w["ledger"]["kernel_drops"], 0)
            self.assertEqual(w["counters"]["ring_blocks_high"], 2)
        daemon.wait_said("the kernel dropped")

        self.overrun(daemon, 1000)  # nothing is lost by reading the kernel's counter
        total = daemon.ask("-S")["total"]["ledger"]
        self.assertEqual(total["received"] + total["kernel_drops"], 3000)
        status, said, _ = daemon.stop()
        self.assertEqual(status, 0)
        self.assertEqual(said.count("the kernel dropped"), 1, said)
        self.assertIn("kernel_drops %d" % total["kernel_drops"], said)

    def test_one_worker(self):
        self.check(1)

    def test_three_workers(self):
        self.check(3)

    def test_what_waits_at_the_end_is_counted(self):
        for retire in ("20ms", "500ms"):
            with self.subTest(retire=retire):
                daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", "2", "--retire", retire)
                for i in range(500):
                    self.out.send(plain("10.0.1.%d" % (i % 200 + 1), AWAY))
                status, said, _ = daemon.stop()
                self.assertEqual(status, 0)
                self.assertIn("received 500 = counted 500", said)

    def test_nothing_is_said_where_nothing_is_lost(self):
        daemon = self.tcsniff(self.right, "-i", "v2")
        self.overrun(daemon, 2000)
        total = daemon.ask("-S")["total"]["ledger"]
        self.assertEqual((total["received"], total["kernel_drops"]), (2000, 0))
        self.assertNotIn("dropped", daemon.stop()[1].replace("kernel_drops", ""))

    def test_what_the_interface_dropped_is_shown(self):
        tun = Tun(self.right, "tun0")
        self.addCleanup(tun.close)
        for _ in range(3):  # before: not ours
            self.drop(tun)
        self.assertEqual(self.right.counters("tun0")["rx_drop"], 3)
        daemon = self.tcsniff(self.right, "-i", "tun0")
        for _ in range(5):
            self.drop(tun)
        self.assertEqual(self.right.counters("tun0")["rx_drop"], 8)
        daemon.wait_said("the network interface dropped ")
        wait_until(lambda: daemon.ask("-S"),
                   lambda: daemon.ask("-S")["total"]["counters"]["nic_drops"] == 5)

    @staticmethod
    def drop(tun):
        with contextlib.suppress(OSError):
            os.write(tun.fd, b"\0" * 40)  # neither IPv4 nor IPv6


if __name__ == "__main__":
    programs.main()
