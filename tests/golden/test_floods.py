#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_floods.py - tcsniff while its tables are full, on traces whose account mktrace knows.

usage: test_floods.py TCSNIFF MKTRACE

Whatever the flood, sums stay exact, and who was there before survives it.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import accounts

TCSNIFF = MKTRACE = None
SURVIVE = 0.99


class Trace:
    """One made by mktrace: .path, .expected"""

    def __init__(self, folder, *options):
        self.path = os.path.join(folder, "trace.pcap")
        expect = os.path.join(folder, "expect.json")
        subprocess.run([MKTRACE, "--expect", expect, *options, self.path], check=True)
        with open(expect, encoding="utf-8") as f:
            self.expected = json.load(f)


def survivors(expected, account):
    """How many connections beneath a flood were there all the time."""
    got = {accounts.host_key(h["ip"]): h for h in account["hosts"]}
    number = 0
    for host in expected["hosts"]:
        if not host["established"] or host["next_conn_id"] > host["established"]:
            continue
        h = got[accounts.host_key(host["ip"])]
        anew = h["next_conn_id"] - host["next_conn_id"]
        number += max(0, h["conns"] - anew)
    return number


class Floods(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_one(self, trace, *options):
        run = accounts.Run(TCSNIFF, [trace.path], *options)
        self.assertEqual(run.status, 0, run.said)
        self.assertEqual(accounts.identity_faults(run.account), [])
        return run.account

    def run_exact(self, trace, *options):
        account = self.run_one(trace, *options)
        self.assertEqual(accounts.account_faults(trace.expected, account), [])
        return account

    def assert_survived(self, mode, packets, established, flows):
        trace = Trace(self.folder, "--packets", str(packets), "--established", str(established),
                      "--hosts", "200", "--span", "20s", mode)
        self.assertEqual(trace.expected["established"], established)
        for fanout in ("1", "2"):
            account = self.run_exact(trace, "--max-flows", str(flows), "--max-hosts",
                                     str(packets), "--fanout", fanout)
            self.assertGreaterEqual(survivors(trace.expected, account), SURVIVE * established)
            conns = sum(h["conns"] for h in account["hosts"])
            self.assertGreater(conns, flows / 2)
            # Twice for a connection between two inner hosts; there is none.
            self.assertLessEqual(conns, flows + 1)
            self.assertLess(account["ledger"]["untracked"]["table_full"], packets / 100)
            self.assertEqual(account["ledger"]["untracked"]["host_limit"], 0)

    def test_connections_survive_a_flood_of_ten_times_the_table(self):
        for mode in ("synflood", "udpflood", "icmpflood"):
            with self.subTest(mode):
                self.assert_survived(mode, 480000, 10000, 40000)

    def test_connections_survive_scans(self):
        for mode in ("scan4", "scan6"):
            with self.subTest(mode):
                self.assert_survived(mode, 50000, 1000, 4000)

    def test_a_table_with_room_forgets_nobody(self):
        for mode in ("synflood", "udpflood", "icmpflood", "scan4", "scan6"):
            trace = Trace(self.folder, "--packets", "20k", "--established", "1k", "--hosts", "50",
                          "--span", "5s", mode)
            ids = {accounts.host_key(h["ip"]): h["next_conn_id"] for h in trace.expected["hosts"]}
            for fanout in ("1", "4"):
                account = self.run_exact(trace, "--max-flows", "60k", "--fanout", fanout)
                self.assertEqual({accounts.host_key(h["ip"]): h["next_conn_id"]
                                  for h in account["hosts"]}, ids, mode)
                self.assertEqual(sum(h["conns"] for h in account["hosts"]), sum(ids.values()))

    def test_the_overflow_record_of_a_scan_is_exact(self):
        trace = Trace(self.folder, "--packets", "60k", "--established", "500", "--hosts", "100",
                      "scan4")
        every = {accounts.host_key(h["ip"]): h for h in trace.expected["hosts"]}
        for fanout in ("1", "3"):
            account = self.run_one(trace, "--inner", "10.0.0.0/8", "--inner", "fd00::/8",
                                   "--max-hosts", "10000", "--fanout", fanout)
            self.assertEqual(len(account["hosts"]), 10000)
            kept = {accounts.host_key(h["ip"]) for h in account["hosts"]}
            self.assertEqual(accounts.host_faults(
                accounts.counters_of({"hosts": [every[ip] for ip in kept]}),
                accounts.counters_of(account)), [])
            over = [every[ip] for ip in every if ip not in kept]
            for c in accounts.CLASSES:
                for way in accounts.WAYS:
                    for unit in ("packets", "bytes"):
                        self.assertEqual(account["overflow"][c][way][unit],
                                         sum(h[c][way][unit] for h in over))
            self.assertEqual(account["ledger"]["untracked"]["host_limit"],
                             accounts.sum_of(account["overflow"])[0])

    def test_tuples_that_are_used_again_are_new_connections(self):
        trace = Trace(self.folder, "--packets", "100k", "--hosts", "100", "reuse")
        ids = {accounts.host_key(h["ip"]): h["next_conn_id"] for h in trace.expected["hosts"]}
        self.assertGreater(sum(ids.values()), 10000)
        for fanout in ("1", "4"):
            account = self.run_exact(trace, "--fanout", fanout)
            self.assertEqual({accounts.host_key(h["ip"]): h["next_conn_id"]
                              for h in account["hosts"]}, ids)
            self.assertEqual(sum(h["conns"] for h in account["hosts"]), 1000)

    def test_fragments_count_on_their_datagrams_flow(self):
        trace = Trace(self.folder, "--packets", "100k", "--hosts", "100", "fragments")
        self.assertGreater(trace.expected["astray"], 10000)
        for fanout in ("1", "4"):
            ledger = self.run_exact(trace, "--fanout", fanout)["ledger"]
            self.assertEqual(ledger["tracked"], trace.expected["tracked"])
            self.assertEqual(ledger["untracked"]["fragment"], trace.expected["astray"])

    def test_tunnels_count_as_what_they_are_or_as_what_is_inside(self):
        for options in ([], ["--decap"]):
            trace = Trace(self.folder, "--packets", "50k", "--hosts", "100", *options, "tunnels")
            for fanout in ("1", "4"):
                self.run_exact(trace, *(["--decap", "all"] if options else []),
                               "--fanout", fanout)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(accounts.usage(__doc__))
    TCSNIFF, MKTRACE = sys.argv[1:3]
    del sys.argv[1:3]
    unittest.main()
