#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_overload.py - offered more than it can take: what it does not get is known
# to the frame, clients are answered meanwhile, and afterwards all is as it was.
#
# usage: test_overload.py TCSNIFF TCTABLE CHURN
#
# The worker is kept from its work by the sender: both are on one CPU, and the
# worker gets it only where nobody else wants it.

import os
import re
import signal
import subprocess
import sys
import threading
import time

import netns
import programs
from frames import plain
from netns import veth, wait_until
from programs import LiveTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "query"))
import client  # noqa: E402

CHURN = os.path.abspath(sys.argv.pop(3))
RING = ["--ring-blocks", "4", "--ring-block-size", "64K"]
LATENCY_S = 0.1 * programs.SLOWER
FRAMES = 400000


class Asker(threading.Thread):
    """Asks one thing after the other on one connection; how long each took."""

    def __init__(self, path):
        super().__init__()
        self.path, self.took, self.said, self.end = path, [], None, threading.Event()

    def run(self):
        try:
            with client.Client(self.path) as c:
                asks = (c.stats, c.count, c.info, c.hosts)
                while not self.end.wait(0.005):
                    begin = time.monotonic()
                    asks[len(self.took) % len(asks)]()
                    self.took.append(time.monotonic() - begin)
        except Exception as e:  # pylint: disable=broad-except
            self.said = repr(e)

    def stop(self):
        self.end.set()
        self.join()


class Overload(LiveTest):
    def setUp(self):
        super().setUp()
        self.cpus = sorted(os.sched_getaffinity(0))
        if len(self.cpus) < 2:
            netns.skip("needs two CPUs: one for the sender, one for whoever asks")
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")

    def start(self, *args):
        return self.tcsniff(self.right, "-i", "v2", "--user", "root", *RING, *args)

    def starve(self, daemon):
        """Its workers run on the first CPU, when that is idle."""
        for task in os.listdir("/proc/%d/task" % daemon.pid):
            with open("/proc/%d/task/%s/comm" % (daemon.pid, task), encoding="ascii") as f:
                if f.read().startswith("worker"):
                    os.sched_setaffinity(int(task), {self.cpus[0]})
                    os.sched_setscheduler(int(task), os.SCHED_IDLE, os.sched_param(0))

    def blast(self, frames):
        """Sends as fast as can be; how many frames."""
        done = subprocess.run(
            self.left.command("taskset", "-c", self.cpus[0], CHURN, "-n", frames, "-f", "500", "-H",
                              "300", "-l", "20", "-i", "v1"),
            check=True, capture_output=True, text=True, timeout=netns.LIMIT)
        return int(re.search(r"churn: (\d+) packets", done.stderr).group(1))

    def arrived(self):
        return self.right.counters("v2")["rx_packets"]

    def ledger(self, daemon):
        return daemon.ask("-S")["total"]["ledger"]

    def wait_all(self, daemon, arrived):
        """Until all that arrived is in the books, as received or as dropped."""
        def missing():
            now = self.ledger(daemon)
            return arrived - now["received"] - now["kernel_drops"]

        wait_until(lambda: "%d frames are in no book" % missing(), lambda: missing() <= 0)
        time.sleep(0.3)
        self.assertEqual(missing(), 0)
        return self.ledger(daemon)

    def state(self, daemon):
        """What must be after the load as it was before."""
        with open("/proc/%d/status" % daemon.pid, encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":", 1) for line in f if ":" in line)
        # A client that has gone takes its descriptor with it a moment later.
        fds = []
        for _ in range(10):
            fds.append(len(os.listdir("/proc/%d/fd" % daemon.pid)))
            time.sleep(0.02)
        return {"threads": int(status["Threads"]), "kb": int(status["VmRSS"].split()[0]),
                "fds": min(fds)}

    def overload(self, *args):
        daemon = self.start(*args)
        before = self.arrived()
        self.blast(5000)  # what there will be: hosts, connections, memory
        self.wait_all(daemon, self.arrived() - before)
        calm = self.state(daemon)
        self.starve(daemon)

        asker = Asker(daemon.socket)
        asker.start()
        try:
            sent = self.blast(FRAMES)
        finally:
            asker.stop()
        offered = self.arrived() - before
        self.assertEqual(offered, 5000 + sent)
        ledger = self.wait_all(daemon, offered)
        print("%d offered, %d dropped; %d answers, the slowest %.1f ms" % (
            sent, ledger["kernel_drops"], len(asker.took), 1000 * max(asker.took)))

        self.assertIsNone(asker.said)
        self.assertGreater(len(asker.took), 20)
        late = sum(t > LATENCY_S for t in asker.took)
        self.assertLessEqual(late, len(asker.took) // 100, sorted(asker.took)[-5:])
        self.assertGreater(ledger["kernel_drops"], sent // 10)
        self.assertGreater(ledger["received"], 5000 // programs.SLOWER)
        self.assert_sums(daemon.ask("-a"))
        self.check_calm(daemon, calm, ledger, offered, before)

    def check_calm(self, daemon, calm, ledger, offered, before):
        """Nothing more is lost, and nothing is left behind."""
        for _ in range(10):
            self.blast(100)
            time.sleep(0.02)
        after = self.wait_all(daemon, self.arrived() - before)
        self.assertEqual(after["kernel_drops"], ledger["kernel_drops"])
        self.assertEqual(after["received"], ledger["received"] + 1000)
        now = self.state(daemon)
        self.assertEqual((now["threads"], now["fds"]), (calm["threads"], calm["fds"]))
        if not programs.SANITIZER:  # which keeps what is freed
            self.assertLess(now["kb"], calm["kb"] + 4096)
        status, said, _ = daemon.stop()
        self.assertEqual(status, 0)
        self.assertIn("received %d = " % after["received"], said)
        self.assertEqual(offered + 1000, after["received"] + after["kernel_drops"])

    def test_one_worker(self):
        self.overload()

    def test_three_workers(self):
        self.overload("--fanout", "3")

    def test_stopped_in_slices(self):
        """The whole process, as by a debugger or a cgroup that is frozen."""
        daemon = self.start()
        sender = self.sender(self.left, "v1")
        end = threading.Event()

        def slice_it():
            while not end.is_set():
                daemon.process.send_signal(signal.SIGSTOP)
                end.wait(0.05)
                daemon.process.send_signal(signal.SIGCONT)
                end.wait(0.005)

        before = self.arrived()
        slicer = threading.Thread(target=slice_it)
        slicer.start()
        try:
            sent = self.blast(FRAMES)
        finally:
            end.set()
            slicer.join()
        ledger = self.wait_all(daemon, self.arrived() - before)
        self.assertEqual(ledger["received"] + ledger["kernel_drops"], sent)
        self.assertGreater(ledger["kernel_drops"], 1000)
        for i in range(100):
            sender.send(plain("10.0.0.%d" % (i + 1), "192.0.2.9"))
        self.assertEqual(self.wait_all(daemon, sent + 100)["received"], ledger["received"] + 100)
        self.assert_sums(daemon.ask("-a"))


if __name__ == "__main__":
    programs.main("taskset")
