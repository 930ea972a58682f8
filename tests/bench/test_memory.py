#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_memory.py - what tcsniff takes at the start, with 10 million connections,
# and with a million hosts on two workers: all of the process, at its most.
#
# usage: test_memory.py TCSNIFF TCTABLE CHURN

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

TCSNIFF, TCTABLE, CHURN = (os.path.abspath(sys.argv.pop(1)) for _ in range(3))
LIMIT = 150
MB = 1000000


def wait_for(process, done):
    """What done() says, once it is not None; the process goes on meanwhile."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError("tcsniff ended with %d" % process.returncode)
        said = done()
        if said is not None:
            return said
        time.sleep(0.05)
    raise AssertionError("not within %d s" % LIMIT)


def books_in(path):
    """The books that tcsniff prints at the end of the file, if it has come there."""
    with open(path, encoding="utf-8") as f, contextlib.suppress(ValueError):
        return json.load(f)["ledger"]
    return None


class Memory(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tcsniff-memory-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def counted(self, churn, *options):
        """Has tcsniff count churn's packets, and go on answering. Its most memory in
        MB, its books, and its tables' figures."""
        books, sock = os.path.join(self.folder, "books"), os.path.join(self.folder, "sock")
        traffic = subprocess.Popen([CHURN, *churn, "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(traffic.wait)
        with open(books, "w", encoding="utf-8") as f:
            tcsniff = subprocess.Popen(
                [TCSNIFF, "-r", "-", "--quiet", "--json", "--linger", "--socket", sock, *options],
                stdin=traffic.stdout, stdout=f, stderr=subprocess.DEVNULL)
        traffic.stdout.close()
        self.addCleanup(tcsniff.wait)
        self.addCleanup(tcsniff.kill)
        ledger = wait_for(tcsniff, lambda: books_in(books))
        stats = json.loads(subprocess.run([TCTABLE, "-S", "--json", "--socket", sock], check=True,
                                          timeout=LIMIT, stdout=subprocess.PIPE).stdout)["total"]
        with open("/proc/%d/status" % tcsniff.pid, encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":", 1) for line in f if ":" in line)
        used = int(status["VmHWM"].split()[0]) * 1024 / MB
        print("%s: %.0f MB" % (" ".join(options) or "at the start", used))
        return used, ledger, stats

    def test_a_start_with_default_limits_takes_less_than_30_mb(self):
        used, ledger, _ = self.counted(["-n", "1"])
        self.assertEqual(ledger["received"], 1)
        self.assertLess(used, 30)

    def test_10_million_connections_take_less_than_1400_mb(self):
        # Below 90 % of what it may hold, lest unanswered ones end sooner.
        used, ledger, stats = self.counted(
            ["-n", "10M", "-f", "10M", "-H", "1000", "-l", "0", "-g", "100"],
            "--max-flows", "11200000")
        self.assertEqual(ledger["tracked"], 10000000)
        self.assertGreater(stats["flows"]["live"], 9990000)
        self.assertLess(used, 1400)

    def test_a_million_hosts_on_two_workers_take_less_than_700_mb(self):
        used, ledger, stats = self.counted(
            ["-n", "8M", "-f", "100k", "-H", "1M", "-l", "2"],
            "--fanout", "2", "--max-hosts", "1000000")
        self.assertEqual(ledger["received"], 8000000)
        self.assertEqual(stats["hosts"]["live"], 1000000)
        self.assertLess(used, 700)


if __name__ == "__main__":
    unittest.main(verbosity=1)
