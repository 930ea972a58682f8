#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_reference_counts.py - is every packet of the reference captures received?

usage: test_reference_counts.py TCSNIFF

For each capture of MANIFEST.tsv: as many packets as it says, from the file and
from a pipe; and both ways the same account, byte for byte. The captures are
found by TCSNIFF_CAPTURES.
"""
import concurrent.futures
import csv
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import accounts  # noqa: E402 (the golden tests' helpers are no package)


def packets_told(folder):
    """{capture: packets} of the manifest."""
    with open(os.path.join(folder, "MANIFEST.tsv"), encoding="utf-8", newline="") as f:
        rows = csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["file"]: int(row["packets"]) for row in rows}


def run_piped(tcsniff, path):
    """The output of tcsniff --json for a capture that comes by a pipe."""
    command = [tcsniff, "-r", "-", "--host-timeout", "0", "--json"]
    with open(path, "rb") as f:
        whole = f.read()
    ended = subprocess.run(command, input=whole, capture_output=True, timeout=accounts.LIMIT)
    return ended.returncode, ended.stdout, ended.stderr.decode(errors="replace").strip()


def check(tcsniff, folder, name, packets):
    path = os.path.join(folder, name)
    run = accounts.Run(tcsniff, [path])
    if run.account is None:
        return ["exit status %d and no account: %s" % (run.status, run.said)]
    faults = []
    received = run.account["ledger"]["received"]
    if received != packets:
        faults.append("%d packets are told, %d were received: %s" % (packets, received, run.said))
    status, text, said = run_piped(tcsniff, path)
    if (status, text) != (run.status, run.text):
        told = json.loads(text)["ledger"]["received"] if text else "no"
        faults.append("from a pipe: exit status %d, %s packets: %s" % (status, told, said))
    return faults


def main(args):
    if len(args) != 1 or args[0].startswith("-"):
        return accounts.usage(__doc__)
    folder = accounts.captures_folder()
    if not folder:
        return accounts.captures_missing()
    tally = accounts.Tally()
    told = packets_told(folder)
    if not told:
        tally.note("MANIFEST.tsv", ["tells of no capture"])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        todo = {pool.submit(check, args[0], folder, *case): case[0] for case in told.items()}
        for done in concurrent.futures.as_completed(todo):
            try:
                faults = done.result()
            except Exception as e:  # a test must end with its sum, whatever breaks
                faults = ["%s: %s" % (type(e).__name__, e)]
            tally.note(todo[done], faults)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
