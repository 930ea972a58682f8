#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_faults_calls.py - every system call of a live capture fails in turn, with
# every error, once and again and again; and every allocation of its start.
#
# usage: test_faults_calls.py TCSNIFF TCTABLE LIBRARY [--long]

import collections
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
import programs
import shim
from frames import plain
from netns import LIMIT, veth, wait_until
from programs import LiveTest

AWAY = "192.0.2.9"
LONG = "--long" in sys.argv and bool(sys.argv.remove("--long") or True)
LIBRARY = os.path.abspath(sys.argv.pop(3))
FRAMES = 40
# Without memory it ends the process where a thread comes to need its variables,
# without a word of ours. How often, at most.
IN_THEIR_OWN_WAY = {"ld-linux-x86-64": 2}
STEP = 1 if LONG else 3  # by files, test_alloc.py goes through all places
ALL = ",".join(shim.ERRORS)


def ways(i):
    """Which of call i fail, and how: the first, so that a start has to do without;
    every third, by every error in turn."""
    if not LONG:
        return ((1, 0, shim.ERRORS[i % len(shim.ERRORS)]), (2, 3, ALL))
    return [(first, every, error) for error in shim.ERRORS
            for first, every in ((1, 0), (2, 0), (3, 0), (1, 5), (2, 3), (5, 7))]


# Before a start has come to its first sentence nobody can be told anything.
READY = "answering tctable"


class Calls(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")
        self.ends = collections.Counter()

    def ask(self, path):
        """The ledger; None: not now."""
        done = subprocess.run([programs.TCTABLE, "-S", "--json", "--socket", path], check=False,
                              capture_output=True, timeout=LIMIT)
        return json.loads(done.stdout)["total"]["ledger"] if done.returncode == 0 else None

    def live(self, library=LIBRARY, **how):
        """One run of a daemon to which that happens."""
        path = tempfile.mktemp(prefix="sock-", dir=self.folder)
        faults = shim.Faults(library, **how)
        with tempfile.TemporaryFile("w+") as errors:
            def said():
                errors.seek(0)
                return errors.read()

            process = faults.popen(
                self.right.command(*faults.preload, programs.TCSNIFF, "-i", "v2", "--fanout", "2",
                                   "--socket", path, "--max-flows", "1000", "--ring-blocks",
                                   "4", "udp"),
                stdout=subprocess.DEVNULL, stderr=errors)
            try:
                self.watch(process, path, said)
            finally:
                process.kill()
                process.wait()
                self.told = faults.told()
            return said()

    def watch(self, process, path, said):
        def is_decided():
            return READY in said() or process.poll() is not None

        wait_until(lambda: "it starts, or not: " + said(), is_decided)
        if process.poll() is None:
            self.out.send(*[plain("10.0.0.%d" % (i % 9 + 1), AWAY) for i in range(FRAMES)])

            def is_right():
                ledger = self.ask(path)
                return ledger and ledger["received"] + ledger["kernel_drops"] >= FRAMES

            wait_until(lambda: "the books: %s; %s" % (self.ask(path), said()), is_right, limit=10)
            process.send_signal(signal.SIGTERM)
            status = process.wait(LIMIT)
            self.assertIn(status, (0, 1), said())
            self.assertRegex(said(), r"received %d |\btcsniff: " % FRAMES)
            self.ends["went on, its books right" if status == 0 else "went on, and said so"] += 1
            return
        status = process.wait()
        self.assertRegex(said(), r"(?m)^tcsniff: \S.{8}")
        by_library = re.search("^tcsniff: ended while .*: a library (.*), as", said(), re.M)
        if by_library:
            self.assertIn(status, (1, 2, -signal.SIGSEGV, -signal.SIGABRT), said())
            self.ends["a library %s, which was said" % by_library[1]] += 1
            return
        self.assertIn(status, (1, 2), said())
        self.ends["said so and ended"] += 1

    def made(self):
        """The calls that such a run makes."""
        self.assertIn("received %d = " % FRAMES, self.live())
        return dict(line.split() for line in self.told.splitlines())

    def test_every_system_call(self):
        begin = time.monotonic()
        # Signals' masks cannot fail to be set, and a library that looks up users
        # aborts if they do.
        calls = sorted(set(self.made()) - {"alloc", "sigaction", "sigprocmask"})
        for one in ("accept4", "epoll_ctl", "poll", "setsockopt", "mmap64", "pthread_create"):
            self.assertIn(one, calls)
        tried = 0
        for i, name in enumerate(calls):
            for first, every, error in ways(i):
                with self.subTest(call=name, error=error, first=first, every=every):
                    self.live(call=name, error=error, first=first, every=every)
                    tried += 1
        print("%d system calls, %d runs in %d s: %s" % (
            len(calls), tried, time.monotonic() - begin,
            ", ".join("%d %s" % (n, what) for what, n in self.ends.items())), file=sys.stderr)

    def test_every_allocation_of_a_start(self):
        n = 1 - STEP
        self.told = "?"
        while self.told:
            n += STEP
            with self.subTest(n=n):
                try:
                    self.live(call="alloc", first=n, places=True)
                except AssertionError:
                    library = re.match(r"failed ([\w-]+)\.so", self.told)
                    if not library or library[1] not in IN_THEIR_OWN_WAY:
                        raise
                    self.ends["ended by %s in its own way" % library[1]] += 1
        self.assertGreater(n, 100)
        for library, most in IN_THEIR_OWN_WAY.items():
            self.assertLessEqual(self.ends["ended by %s in its own way" % library], most)
        print("%d places, of which each of %d: %s" % (n - STEP, STEP, ", ".join(
            "%d %s" % (count, what) for what, count in self.ends.items())), file=sys.stderr)

    def test_what_is_called_can_be_made_to_fail(self):
        """No call that the program comes to make escapes these tests."""
        def names(*options):
            out = subprocess.run(["nm", "-D", *options], check=True, capture_output=True,
                                 text=True).stdout
            return {line.split()[-1].split("@")[0] for line in out.splitlines()}

        with open("/usr/include/asm-generic/unistd.h", encoding="utf-8") as f:
            system = set(re.findall(r"#define __NR(?:3264)?_(\w+)", f.read()))
        system |= {"open", "stat", "lstat", "unlink", "mkdir", "chmod", "chown", "poll", "access"}
        called = {name for name in names("--undefined-only", programs.TCSNIFF)
                  if re.sub("64$", "", name) in system}
        self.assertGreater(len(called), 30)
        # These cannot fail.
        self.assertEqual(called - names("--defined-only", LIBRARY),
                         {"getpid", "geteuid", "sched_yield"})


if __name__ == "__main__":
    programs.main("nm")
