#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_replay_cut.py - tcsniff on captures that end too early.

usage: test_replay_cut.py TCSNIFF [reference]

Each capture (ours; or the reference ones) is cut in its headers and at places drawn
by chance, given as a file and through standard input. tcsniff must count to the last
whole record, as read_capture.py does, print its table, name what is cut, and exit 1;
where not even the first record is whole, it may do without the table.
"""
import concurrent.futures
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))

import accounts  # noqa: E402
import read_capture  # noqa: E402

HEADER_CUTS = (0, 3, 23, 24, 39, 60)
CHANCE_CUTS = 2
SEED = 20100602


def run_piped(tcsniff, path):
    """The same through standard input, which cannot be mapped."""
    with open(path, "rb") as f:
        cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE)
        ended = subprocess.run([tcsniff, "-r", "-", "--host-timeout", "0", "--json"],
                               stdin=cat.stdout, capture_output=True, timeout=accounts.LIMIT)
        cat.stdout.close()
        cat.wait()
    return ended


def is_empty(text):
    """A table of nothing."""
    account = json.loads(text)
    return account["ledger"]["received"] == 0 and account["hosts"] == []


def expected_of(path):
    """(account, is_whole), or (None, False) of what is no capture file (any more)."""
    try:
        return read_capture.read([path])
    except ValueError:
        return None, False


def check(tcsniff, path, name, size, folder):
    """The faults of one capture cut behind `size` bytes."""
    cut = os.path.join(folder, "%d-%s" % (size, name))
    with open(path, "rb") as f, open(cut, "wb") as to:
        to.write(f.read(size))
    want, is_whole = expected_of(cut)
    run = accounts.Run(tcsniff, [cut])
    faults = []
    if run.status != (0 if is_whole else 1):
        faults.append("exit status %d: %s" % (run.status, run.said))
    if not is_whole and os.path.basename(cut) not in run.said:
        faults.append("does not name the file: %r" % run.said)
    if want and want["ledger"]["received"] and not run.account:
        faults.append("no account: %s" % run.said)
    if run.account:
        faults += accounts.identity_faults(run.account)
    if want and run.account:
        faults += accounts.account_faults(want, run.account)
    piped = run_piped(tcsniff, cut)
    # The header of a pipe may come after the start, and then too little of it.
    is_same = piped.stdout == run.text or (not run.text and is_empty(piped.stdout))
    if piped.returncode != run.status or not is_same:
        faults.append("through standard input otherwise: exit status %d: %s" % (
            piped.returncode, piped.stderr.decode(errors="replace").strip()))
    os.unlink(cut)
    return faults


def cases(captures):
    chance = random.Random(SEED)
    for path in captures:
        size = os.path.getsize(path)
        cuts = set(HEADER_CUTS) | {chance.randrange(size) for _ in range(CHANCE_CUTS)}
        for cut in sorted(c for c in cuts if c < size):
            yield path, cut


def main(args):
    if not args or args[0].startswith("-") or args[1:] not in ([], ["reference"]):
        return accounts.usage(__doc__)
    folder = os.path.join(ROOT, "pcaps")
    if args[1:]:
        folder = accounts.captures_folder()
        if not folder:
            return accounts.captures_missing()
    captures = sorted(os.path.join(folder, n) for n in os.listdir(folder) if ".pcap" in n)
    tally = accounts.Tally()
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        todo = {pool.submit(check, args[0], path, os.path.basename(path), cut, scratch):
                "%s cut behind byte %d" % (os.path.basename(path), cut)
                for path, cut in cases(captures)}
        for done in concurrent.futures.as_completed(todo):
            try:
                faults = done.result()
            except Exception as e:  # a test must end with its sum, whatever breaks
                faults = ["%s: %s" % (type(e).__name__, e)]
            tally.note(todo[done], faults)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
