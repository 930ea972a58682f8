#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_replay_trace.py - tcsniff on a large invented trace, whose account mktrace knows.

usage: test_replay_trace.py TCSNIFF MKTRACE [large]

One million packets of 5,000 hosts; large: 10 million of 100,000 (needs 1 GB in TMPDIR).
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))

import accounts  # noqa: E402

LARGE = ["--packets", "10M", "--hosts", "100k", "--flows", "400k", "--span", "10m"]
SMALL = ["--packets", "1M", "--hosts", "5k", "--span", "5m"]
ROOM = ["--max-hosts", "500000", "--max-flows", "4000000"]


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Trace:
    def __init__(self, mktrace, folder, size):
        self.path = os.path.join(folder, "trace.pcap")
        self.expect = os.path.join(folder, "expect.json")
        self.expect_all = os.path.join(folder, "expect-all.json")
        subprocess.run([mktrace, *size, "--expect", self.expect,
                        "--expect-all", self.expect_all, self.path], check=True)


def run_faults(tcsniff, trace, expected, *options):
    """The run, and how it differs from what mktrace expects."""
    start = time.monotonic()
    run = accounts.Run(tcsniff, [trace.path], *options)
    print("%s: %.1f s" % (" ".join(options) or "defaults", time.monotonic() - start), flush=True)
    if run.account is None or run.status:
        return run, ["exit status %d: %s" % (run.status, run.said)]
    faults = accounts.identity_faults(run.account)
    if expected:
        faults += accounts.account_faults(expected, run.account)
    return run, faults


def check_exact(tally, tcsniff, trace):
    """All counters, of one worker and of several."""
    for options, path, fanouts in (([], trace.expect, ("2", "4")),
                                   (["--inner", "all"], trace.expect_all, ("4",))):
        name = " ".join(options) or "default inner networks"
        run, faults = run_faults(tcsniff, trace, load(path), *ROOM, *options)
        tally.note(name, faults)
        for n in fanouts:
            other, faults = run_faults(tcsniff, trace, None, *ROOM, *options, "--fanout", n)
            if other.text != run.text:
                faults.append("prints otherwise than one worker")
            tally.note("%s, %s workers" % (name, n), faults)


def check_limits(tally, tcsniff, trace):
    """With too little room nothing may get lost: sums stay right."""
    ledger = load(trace.expect)["ledger"]
    for options, shows in (
            (["--max-flows", "1000"], lambda a: a["ledger"]["untracked"]["table_full"] > 0),
            (["--max-hosts", "100"], lambda a: len(a["hosts"]) == 100
             and accounts.sum_of(a["overflow"])[0] > 0 and a["ledger"]["untracked"]["host_limit"]),
            (["--host-timeout", "1s", "--timeout", "tcp-established=1s",
              "--timeout", "udp-stream=1s"], lambda a: accounts.sum_of(a["forgotten"])[0] > 0)):
        for fanout in ("1", "3"):
            run, faults = run_faults(tcsniff, trace, None, *options, "--fanout", fanout)
            if run.account:
                faults += ["ledger %s: expected %d, got %d" % (k, ledger[k],
                                                               run.account["ledger"][k])
                           for k in accounts.LEDGER if ledger[k] != run.account["ledger"][k]]
                if not shows(run.account):
                    faults.append("does not show what it was to show")
            tally.note("%s, %s workers" % (" ".join(options), fanout), faults)


def check_twice(tally, tcsniff, trace):
    """The same file again is twice as much."""
    once = accounts.Run(tcsniff, [trace.path])
    twice = accounts.Run(tcsniff, [trace.path, trace.path])
    faults = []
    if not once.account or not twice.account:
        faults = ["exit status %d: %s" % (twice.status, twice.said)]
    else:
        faults = accounts.identity_faults(twice.account)
        doubled = {ip: {k: (2 * p, 2 * b) for k, (p, b) in counters.items()}
                   for ip, counters in accounts.counters_of(once.account).items()}
        faults += accounts.host_faults(doubled, accounts.counters_of(twice.account))
    tally.note("one file twice", faults)


def main(args):
    if len(args) < 2 or args[0].startswith("-") or args[2:] not in ([], ["large"]):
        return accounts.usage(__doc__)
    tcsniff, mktrace = args[:2]
    tally = accounts.Tally()
    with tempfile.TemporaryDirectory() as folder:
        trace = Trace(mktrace, folder, LARGE if args[2:] else SMALL)
        check_exact(tally, tcsniff, trace)
        if not args[2:]:
            check_limits(tally, tcsniff, trace)
            check_twice(tally, tcsniff, trace)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
