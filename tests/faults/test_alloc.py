#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_alloc.py - memory fails at every place of a run in turn: the program says
# so and ends, or it can do without, and then its books are right.
#
# usage: test_alloc.py LIBRARY TCSNIFF FOLDER [--long]
#
# By default at every place in the program, by the calls that led there; with
# --long at every single allocation, thousands of them.

import collections
import os
import re
import signal
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import shim

LONG = "--long" in sys.argv
LIBRARY, TCSNIFF, FOLDER = sys.argv[1:4]
del sys.argv[1:]


class Alloc(unittest.TestCase):
    def every_place(self, *args):
        command = [TCSNIFF, *args]
        status, right, said, _ = shim.run(LIBRARY, command)
        self.assertEqual(status, 0, said)
        ends = collections.Counter()
        n = 0
        while True:
            n += 1
            status, out, said, told = shim.run(LIBRARY, command, call="alloc", first=n,
                                               places=not LONG)
            if not told:
                break
            with self.subTest(n=n):
                if status == 0:
                    self.assertEqual(out, right)
                    ends["went on"] += 1
                    continue
                self.assertRegex(said, r"(?m)^tcsniff: \S.*")
                by_library = re.search("^tcsniff: ended while .*: a library (.*), as", said, re.M)
                if by_library and re.match(r"failed lib(pcap|seccomp)\.so", told):
                    self.assertIn(status, (1, 2, -signal.SIGSEGV))
                    ends["a library %s, which was said" % by_library[1]] += 1
                    continue
                self.assertIn(status, (1, 2), said)
                ends["said so and ended"] += 1
        self.assertEqual((status, out), (0, right), said)
        self.assertGreater(n, 100)
        self.assertGreater(ends["said so and ended"], 20)
        print("%d places: %s" % (n - 1, ", ".join("%d %s" % (v, k) for k, v in ends.items())),
              file=sys.stderr)

    def test_of_a_file(self):
        self.every_place("-r", os.path.join(FOLDER, "dns.pcap"), "--quiet", "--max-flows", "1000")

    def test_of_files_by_two_workers_with_a_filter_and_a_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            self.every_place("-r", os.path.join(FOLDER, "dns.pcap"), "-r",
                             os.path.join(FOLDER, "dns.pcap"), "--fanout", "2", "--socket",
                             os.path.join(folder, "s"), "--max-flows", "1000", "--inner",
                             "10.0.0.0/8,fd00::/8", "udp")


unittest.main(verbosity=1)
