#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
compare_expected.py - tcsniff against the accounts beside the reference captures.

usage: compare_expected.py TCSNIFF [CAPTURE...]

Every capture, with the default inner networks and with all addresses inner: host
by host and counter by counter as its account in expected/ and as read_capture.py
reads it, the ledger's identity in packets and bytes, and the same output, byte for
byte, from 2, 4 and 8 workers. The captures are found by TCSNIFF_CAPTURES.
"""
import concurrent.futures
import json
import os
import sys

import accounts
import read_capture

FANOUTS = (2, 4, 8)


def as_account(told):
    """An account of expected/ in the form of tcsniff --json."""
    hosts = [dict(ip=ip, **{c: {w: dict(zip(("packets", "bytes"), classes[c][w]))
                                for w in accounts.WAYS} for c in accounts.CLASSES})
             for ip, classes in told["hosts"].items()]
    return {"hosts": hosts, "ledger": {"received": told["packets"], "not_ip": told["non_ip"],
                                       "malformed": told["malformed"]}}


def check(tcsniff, folder, name, inner_all):
    path = os.path.join(folder, name)
    with open(os.path.join(folder, "expected", name + (".all" if inner_all else "") + ".json"),
              encoding="utf-8") as f:
        told = as_account(json.load(f))
    options = ["--inner", "all"] if inner_all else []
    run = accounts.Run(tcsniff, [path], *options)
    if run.account is None:
        return ["exit status %d and no account: %s" % (run.status, run.said)]
    faults = accounts.identity_faults(run.account)
    faults += ["ledger %s: expected %d, got %d" % (k, v, run.account["ledger"][k])
               for k, v in told["ledger"].items() if run.account["ledger"][k] != v]
    faults += accounts.host_faults(accounts.counters_of(told), accounts.counters_of(run.account))

    read, is_whole = read_capture.read([path], inner_all)
    faults += ["against read_capture: " + f for f in accounts.account_faults(read, run.account)]
    if run.status != (0 if is_whole else 1):
        faults.append("exit status %d of a file that is %s: %s" % (
            run.status, "whole" if is_whole else "cut", run.said))
    if not is_whole and name not in run.said:
        faults.append("does not name the file that is cut: %r" % run.said)

    for workers in FANOUTS:
        other = accounts.Run(tcsniff, [path], "--fanout", str(workers), *options)
        if other.text != run.text or other.status != run.status:
            faults.append("--fanout %d says otherwise (exit status %d): %s" % (
                workers, other.status, difference(run.account, other.account)))
    return faults


def difference(one, other):
    """Where two accounts differ first."""
    if other is None:
        return "nothing at all"
    if one["ledger"] != other["ledger"]:
        return "ledger %s, not %s" % (other["ledger"], one["ledger"])
    for a, b in zip(one["hosts"], other["hosts"]):
        if a != b:
            return "%s, not %s" % (b, a)
    return "the overflow or forgotten record, the number of hosts, or the layout"


def main(args):
    if not args or args[0].startswith("-"):
        return accounts.usage(__doc__)
    folder = accounts.captures_folder()
    if not folder:
        return accounts.captures_missing()
    tally = accounts.Tally()
    cases = [(name, inner_all) for name in args[1:] or accounts.capture_names(folder)
             for inner_all in (False, True)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        todo = {pool.submit(check, args[0], folder, *case): case for case in cases}
        for done in concurrent.futures.as_completed(todo):
            name, inner_all = todo[done]
            try:
                faults = done.result()
            except Exception as e:  # a test must end with its sum, whatever breaks
                faults = ["%s: %s" % (type(e).__name__, e)]
            tally.note(name + (" --inner all" if inner_all else ""), faults)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
