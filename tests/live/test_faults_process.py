#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_faults_process.py - what may happen to a running daemon: stopped and
# continued, one of its threads held, killed at any moment, nowhere to write to.
#
# usage: test_faults_process.py TCSNIFF TCTABLE [--long]

import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import time

import programs
from frames import plain
from netns import LIMIT, libc, veth, wait_until
from programs import LiveTest, threads

AWAY = "192.0.2.9"
LONG = "--long" in sys.argv and bool(sys.argv.remove("--long") or True)
KILLS = 200 if LONG else 20
STOPPED = 10 if LONG else 4
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class Held:
    """A thread that a tracer has stopped."""

    def __init__(self, tid):
        self.tid = tid
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            if libc.ptrace(request, tid, 0, 0) < 0:
                raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(tid, WALL)

    def let_go(self):
        libc.ptrace(PTRACE_DETACH, self.tid, 0, 0)


def thread_named(pid, name):
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, task), encoding="utf-8") as f:
            if f.read().strip() == name:
                return int(task)
    raise AssertionError("no thread " + name)


class Process(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")

    def start(self, *args, **kwargs):
        return self.tcsniff(self.right, "-i", "v2", *args, **kwargs)

    def send(self, n):
        self.out.send(*[plain("10.0.%d.%d" % divmod(i % 1000, 250), AWAY) for i in range(n)])

    # --- stopped ---

    def test_stopped_and_continued_it_tells_the_drops_and_nothing_else(self):
        daemon = self.start("--fanout", "2", "--ring-blocks", "2", "--ring-block-size", "16K")
        self.send(100)
        daemon.wait_received(100)
        daemon.process.send_signal(signal.SIGSTOP)
        wait_until("it stops", lambda: all(
            status["State"].startswith("T") for _, status in threads(daemon.pid)))
        until = time.monotonic() + STOPPED
        sent = 100
        while time.monotonic() < until:
            self.send(200)
            sent += 200
            time.sleep(0.1)
        daemon.process.send_signal(signal.SIGCONT)

        def all_told():
            ledger = daemon.ask("-S")["total"]["ledger"]
            return ledger["received"] + ledger["kernel_drops"] == sent

        wait_until(lambda: "%d frames: %s" % (sent, daemon.ask("-S")), all_told)
        daemon.wait_said("the kernel dropped")
        time.sleep(2.5)  # so long a worker that still stood would be told
        self.send(50)
        sent += 50
        wait_until(lambda: "%d frames: %s" % (sent, daemon.ask("-S")), all_told)
        total = daemon.ask("-S")["total"]
        print("stopped for %d s: %d sent = %d received + %d dropped" % (
            STOPPED, sent, total["ledger"]["received"], total["ledger"]["kernel_drops"]),
            file=sys.stderr)
        self.assertGreater(total["ledger"]["kernel_drops"], 0)
        self.assertEqual(total["counters"]["workers_stalled"], 0)
        self.assertNotIn("stands still", daemon.said())
        self.assert_sums(self.books(daemon))
        self.assertEqual(daemon.stop()[0], 0)

    @staticmethod
    def books(daemon):
        hosts = daemon.ask("-a")
        return {"ledger": daemon.ask("-S")["total"]["ledger"], "hosts": hosts["hosts"],
                "overflow": hosts["overflow"], "forgotten": hosts["forgotten"]}

    # --- a worker held ---

    def test_a_worker_that_stands_still_is_named(self):
        daemon = self.start("--fanout", "3")
        begin = time.time()
        held = Held(thread_named(daemon.pid, "worker-1"))
        daemon.wait_said("worker-1 stands still since ")
        since = float(re.search(r"still since (\d+\.\d+)", daemon.said())[1])
        self.assertLess(abs(since - begin), 3)
        counters = [w["counters"]["stalled_ms"] for w in daemon.ask("-S")["workers"]]
        self.assertGreater(counters[1], 1000)
        self.assertEqual((counters[0], counters[2]), (0, 0))
        self.assertEqual(daemon.ask("-S")["total"]["counters"]["workers_stalled"], 1)
        self.send(1000)  # the others go on
        wait_until("frames of others", lambda: daemon.received() > 300)
        self.assertLess(daemon.received(), 1000)
        held.let_go()
        daemon.wait_said("worker-1 goes on after ")
        daemon.wait_received(1000)
        self.assertEqual(daemon.ask("-S")["total"]["counters"]["workers_stalled"], 0)
        self.assertEqual(daemon.said().count("stands still"), 1)
        self.assertEqual(daemon.stop()[0], 0)

    # --- killed ---

    def test_killed_at_any_moment_it_starts_again(self):
        path = os.path.join(self.folder, "sock")
        dice = random.Random(4711)
        for i in range(KILLS):
            process = subprocess.Popen(
                self.right.command(programs.TCSNIFF, "-i", "v2", "--fanout", "2", "--socket", path,
                                   "udp or icmp"),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(dice.random() ** 2 * 0.3)
            self.send(10)
            self.assertIsNone(process.poll(), (i, process.stderr.read()
                                               if process.poll() is not None else ""))
            process.kill()
            process.communicate(timeout=LIMIT)
        daemon = self.start(socket_path=path)
        self.send(100)
        daemon.wait_received(100)
        self.assertEqual(daemon.stop()[0], 0)
        self.assertFalse(os.path.exists(path))
        self.assertFalse(self.right.is_promisc("v2"))
        print("killed %d times" % KILLS, file=sys.stderr)

    # --- nowhere to write to ---

    def test_a_full_disk_for_its_messages_changes_nothing(self):
        path = os.path.join(self.folder, "sock")
        with open("/dev/full", "wb") as full:
            process = subprocess.Popen(
                self.right.command(programs.TCSNIFF, "-i", "v2", "--socket", path),
                stdin=subprocess.DEVNULL, stdout=full, stderr=full)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def ask():
            done = subprocess.run([programs.TCTABLE, "-S", "--socket", path], check=False,
                                  capture_output=True, timeout=LIMIT)
            return done.stdout.decode()

        wait_until("it answers", ask)
        for _ in range(3):  # each is something to say
            self.right.ip("link", "set", "v2", "down")
            self.right.ip("link", "set", "v2", "up")
        self.send(200)
        wait_until(ask, lambda: re.search(r"received (\d+)", ask()).group(1) >= "200")
        process.send_signal(signal.SIGTERM)
        self.assertIn(process.wait(LIMIT), (0, 1))  # the books could not be written

    def test_nobody_reads_its_messages(self):
        """A pipe that is full; and at the end one without a reader."""
        path = os.path.join(self.folder, "sock")
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        process = subprocess.Popen(
            self.right.command(programs.TCSNIFF, "-i", "v2", "--socket", path),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writing)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(writing)

        def asked(option):
            done = subprocess.run([programs.TCTABLE, option, "--socket", path], check=False,
                                  capture_output=True, timeout=LIMIT)
            return done.stdout.decode()

        wait_until("it answers", lambda: asked("-c"))
        self.right.ip("link", "set", "v2", "down")
        self.right.ip("link", "set", "v2", "up")
        self.send(200)
        wait_until("it counts", lambda: "received 200 " in asked("-S"))
        held = Held(thread_named(process.pid, "worker-0"))
        wait_until("it is told elsewhere", lambda: "workers_stalled" in asked("-S")
                   and not re.search(r"workers_stalled 0", asked("-S")))
        held.let_go()
        os.close(reading)
        process.send_signal(signal.SIGTERM)
        self.assertIn(process.wait(LIMIT), (0, 1))


if __name__ == "__main__":
    programs.main()
