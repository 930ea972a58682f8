#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_golden.py - what tcsniff prints of our own captures, byte for byte.

usage: test_golden.py TCSNIFF [--update]

For each of pcaps/ the JSON and the text are compared with expected/NAME.json and
expected/NAME.txt. --update writes these files anew, but only of captures that
read_capture.py and tshark, where it is installed, count as tcsniff does.
"""
import difflib
import os
import shutil
import subprocess
import sys

import accounts
import read_capture

HERE = os.path.dirname(os.path.abspath(__file__))
PCAPS = os.path.join(HERE, "..", "..", "pcaps")
EXPECTED = os.path.join(HERE, "expected")
TSHARK_FIELDS = ("ip.src", "ip.dst", "ip.len", "ipv6.src", "ipv6.dst", "ipv6.plen")


def printed(tcsniff, path, *options):
    """What tcsniff prints on standard output, and its exit status."""
    ended = subprocess.run([tcsniff, "-r", path, "--host-timeout", "0", *options],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=accounts.LIMIT)
    return ended.stdout, ended.returncode


def tshark_hosts(path):
    """{address: [sent packets, bytes, received packets, bytes]} by tshark: of the
    outermost IP header, all addresses."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f"]
    for field in TSHARK_FIELDS:
        command += ["-e", field]
    # A datagram must not be put together again: fragments count one by one.
    command += ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
    lines = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=True).stdout.decode()
    hosts = {}
    for line in lines.splitlines():
        src4, dst4, size4, src6, dst6, size6 = line.split("\t")
        if not src4 and not src6:
            continue
        size = int(size4) if src4 else 40 + int(size6)
        for at, ip in ((0, src4 or src6), (2, dst4 or dst6)):
            counters = hosts.setdefault(accounts.host_key(ip), [0, 0, 0, 0])
            counters[at] += 1
            counters[at + 1] += size
    return hosts


def tshark_faults(path, account):
    if not shutil.which("tshark"):
        print("tshark is not installed: not asked about %s" % os.path.basename(path))
        return []
    told = tshark_hosts(path)
    faults = []
    for ip, counters in accounts.counters_of(account).items():
        sums = [sum(counters[c, w][unit] for c in accounts.CLASSES)
                for w in accounts.WAYS for unit in (0, 1)]
        if sums != told.get(ip):
            faults.append("tshark on %s: %s, not %s" % (ip, told.get(ip), sums))
    return faults


def reader_faults(tcsniff, path):
    """Where an independent reader of the file says otherwise, with both inner lists."""
    faults = []
    for inner_all in (False, True):
        run = accounts.Run(tcsniff, [path], *(["--inner", "all"] if inner_all else []))
        if run.account is None:
            return ["exit status %d and no account: %s" % (run.status, run.said)]
        read, _ = read_capture.read([path], inner_all)
        faults += accounts.identity_faults(run.account)
        faults += accounts.account_faults(read, run.account)
    return faults


def golden_faults(name, got):
    path = os.path.join(EXPECTED, name)
    if not os.path.exists(path):
        return ["no expected/%s: look at what is printed, then --update" % name]
    with open(path, "rb") as f:
        want = f.read()
    if got == want:
        return []
    lines = difflib.unified_diff(want.decode(errors="replace").splitlines(),
                                 got.decode(errors="replace").splitlines(),
                                 "expected/" + name, "printed", lineterm="", n=0)
    return ["differs\n" + "\n".join(list(lines)[:12])]


def update(name, got):
    os.makedirs(EXPECTED, exist_ok=True)
    with open(os.path.join(EXPECTED, name), "wb") as f:
        f.write(got)


def main(args):
    if not args or args[0].startswith("-") or args[1:] not in ([], ["--update"]):
        return accounts.usage(__doc__)
    tcsniff, is_update = args[0], bool(args[1:])
    tally = accounts.Tally()
    captures = sorted(n for n in os.listdir(PCAPS) if n.endswith(".pcap"))
    for capture in captures:
        name, path = capture[:-len(".pcap")], os.path.join(PCAPS, capture)
        faults = reader_faults(tcsniff, path)
        if is_update and not faults:
            faults = tshark_faults(path, accounts.Run(tcsniff, [path], "--inner", "all").account)
        for suffix, options in ((".json", ["--json"]), (".txt", [])):
            got, status = printed(tcsniff, path, *options)
            if status:
                faults.append("exit status %d" % status)
            elif is_update and not faults:
                update(name + suffix, got)
            faults += golden_faults(name + suffix, got)
        tally.note(capture, faults)
    for left in sorted(set(os.listdir(EXPECTED) if os.path.isdir(EXPECTED) else ())
                       - {c[:-5] + s for c in captures for s in (".json", ".txt")}):
        tally.note(left, ["there is no such capture (any more)"])
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
