#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_mktrace.py - does mktrace know what is in its traces?

usage: test_mktrace.py MKTRACE
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import accounts
import read_capture

MKTRACE = None
FLOODS = ("synflood", "udpflood", "icmpflood", "scan4", "scan6")


def mktrace(*words):
    return subprocess.run([MKTRACE, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=accounts.LIMIT)


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Mktrace(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.trace, self.expect, self.expect_all = (
            os.path.join(folder.name, n) for n in ("trace.pcap", "expect", "expect-all"))

    def make(self, *options):
        done = mktrace("--packets", "30k", *options, "--expect", self.expect,
                       "--expect-all", self.expect_all, self.trace)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def assert_knows(self, *options):
        self.make(*options)
        for inner_all, path in ((False, self.expect), (True, self.expect_all)):
            read, is_whole = read_capture.read([self.trace], inner_all)
            self.assertTrue(is_whole)
            self.assertEqual(read["ledger"]["received"], 30000)
            self.assertEqual(read, load(path))

    def test_the_account_is_that_of_an_independent_reader(self):
        self.assert_knows()

    def test_so_it_is_of_unusual_mixes(self):
        self.assert_knows("--hosts", "1", "--flows", "1")
        self.assert_knows("--ipv6", "100", "--vlan", "50", "--qinq", "50")
        self.assert_knows("--ipv6", "0", "--transit", "60", "--internal", "40")
        self.assert_knows("--udp", "60", "--tcp", "0", "--icmp", "40", "--fragments", "80",
                          "--malformed", "10", "--not-ip", "10")
        self.assert_knows("--tcp", "0", "--udp", "0", "--icmp", "0")
        self.assert_knows("--snaplen", "65535", "--sizes", "20:1,9000:1,65535:1")
        self.assert_knows("--hosts", "2", "--peers", "2", "--transit", "30")
        self.assert_knows("--longest", "2", "--flat")
        self.assert_knows("--longest", "65535")
        self.assert_knows("--hosts", "2", "--peers", "1000000", "--transit", "30")

    def test_every_host_has_a_packet(self):
        self.make("--hosts", "1000")
        self.assertEqual(len(load(self.expect)["hosts"]), 1000)

    def test_addresses_have_the_prefix(self):
        self.make("--hosts", "200", "--prefix", "24", "--ipv6", "50")
        hosts = [h["ip"] for h in load(self.expect)["hosts"]]
        self.assertEqual(len(set(hosts)), 200)
        self.assertEqual(sum(ip.startswith("10.0.0.") for ip in hosts), 100)
        done = mktrace("--hosts", "256", "--prefix", "24", self.trace)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--prefix 24", done.stderr)

    def test_so_it_is_of_floods(self):
        for mode in FLOODS:
            for established in ("0", "700"):
                done = mktrace("--packets", "8k", "--established", established, "--hosts", "50",
                               "--expect", self.expect, mode, self.trace)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                read, is_whole = read_capture.read([self.trace], False)
                self.assertTrue(is_whole)
                expected = load(self.expect)
                self.assertEqual(expected.pop("established"), int(established))
                beneath = 0
                for host in expected["hosts"]:
                    self.assertGreater(host.pop("next_conn_id"), 0)
                    beneath += host.pop("established")
                self.assertEqual(beneath, int(established))
                self.assertEqual(read, expected, mode)
                self.assertEqual(read["ledger"]["received"], 8000)

    def test_so_it_is_of_reuse_fragments_and_tunnels(self):
        for mode in ("reuse", "fragments", "tunnels"):
            done = mktrace("--packets", "8k", "--hosts", "50", "--expect", self.expect, mode,
                           self.trace)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            read, is_whole = read_capture.read([self.trace], False)
            self.assertTrue(is_whole)
            expected = load(self.expect)
            for host in expected["hosts"]:
                host.pop("next_conn_id", None)
                host.pop("established", None)
            for key in ("ledger", "hosts"):
                self.assertEqual(read[key], expected[key], mode)

    def test_the_same_options_make_the_same_file_and_another_seed_another(self):
        files = []
        for seed in ("7", "7", "8"):
            self.make("--seed", seed)
            with open(self.trace, "rb") as f:
                files.append(f.read())
        self.assertEqual(files[0], files[1])
        self.assertNotEqual(files[0], files[2])

    def test_standard_output_gets_the_same_bytes(self):
        self.make()
        with open(self.trace, "rb") as f:
            self.assertEqual(mktrace("--packets", "30k", "-").stdout, f.read())

    def test_wrong_usage_is_named(self):
        for words, name in ((["--packets", "0", "x"], b"--packets"),
                            (["--tcp", "101", "x"], b"--tcp"),
                            (["--tcp", "90", "--udp", "20", "x"], b"--udp"),
                            (["--sizes", "40", "x"], b"--sizes"),
                            (["--snaplen", "20", "x"], b"--snaplen"),
                            (["--established", "5", "x"], b"--established"),
                            (["--established", "5k", "--packets", "20k", "synflood", "x"],
                             b"--established"),
                            (["--expect-all", "x", "udpflood", "x"], b"--expect-all"),
                            (["--packets", "10M", "scan4", "x"], b"scan"),
                            (["--decap", "synflood", "x"], b"--decap"),
                            (["--snaplen", "128", "tunnels", "x"], b"--snaplen"),
                            (["--flows", "10M", "reuse", "x"], b"--flows"),
                            (["deluge", "x"], b"deluge"),
                            (["--nonsense", "x"], b"nonsense"), ([], b"FILE")):
            done = mktrace(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(name, done.stderr)

    def test_a_file_that_cannot_be_written_is_named(self):
        for path in ("/nonexistent/trace.pcap", "/dev/full"):
            done = mktrace("--packets", "1k", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(path.encode(), done.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(accounts.usage(__doc__))
    MKTRACE = sys.argv.pop(1)
    unittest.main()
