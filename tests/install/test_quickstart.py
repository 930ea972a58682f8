#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_quickstart.py - a fresh copy of the checkout, in a folder with a blank in
# its name, comes to a table of hosts; twice.
#
# Builds as quickstart does, so it takes a while. Needs the packages of the
# build, as whoever runs the tests has them.

import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PARTS = ("contrib", "include", "man", "pcaps", "src", "tools", "meson.build", "meson_options.txt")


class Quickstart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="quick start's ")
        cls.root = os.path.join(cls.scratch.name, "my copy")
        os.mkdir(cls.root)
        for part in PARTS:
            there = os.path.join(ROOT, part)
            if os.path.isdir(there):
                shutil.copytree(there, os.path.join(cls.root, part))
            else:
                shutil.copy(there, cls.root)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def quickstart(self, *args, folder=None):
        return subprocess.run([os.path.join(self.root, "tools", "quickstart"), *args],
                              capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, cwd=folder or self.root)

    def assert_table_and_next(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^len=[1-9]")
        self.assertRegex(lines[1], r"^[0-9a-f.:]+ conn=\d+ pcnt=\d+ bcnt=\d+ ")
        self.assertRegex(lines[-1], r"^Next: ")
        return lines[-1][len("Next: "):]

    def test_twice_from_anywhere_and_the_next_command_works(self):
        self.assert_table_and_next(self.quickstart())
        following = self.assert_table_and_next(self.quickstart(folder=self.scratch.name))
        command = re.sub(r"\bYOUR\.pcap.*", "--version", following)
        done = subprocess.run(["sh", "-c", command.replace(" -r --version", " --version")],
                              capture_output=True, text=True, check=False,
                              cwd=self.scratch.name)
        self.assertRegex(done.stdout, r"^tcsniff \d")

    def test_a_capture_that_is_not_there_is_named(self):
        done = self.quickstart("no such.pcap")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such.pcap", done.stderr)

    def test_wrong_usage(self):
        self.assertEqual(self.quickstart("--nonsense").returncode, 2)
        self.assertEqual(self.quickstart("a", "b").returncode, 2)


if __name__ == "__main__":
    unittest.main()
