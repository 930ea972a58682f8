# SPDX-License-Identifier: BSD-2-Clause
"""
accounts.py - what the golden tests share: running tcsniff, and comparing the
accounts that it and others give.
"""
import ipaddress
import json
import os
import subprocess
import sys

CLASSES = ("tcp", "udp", "icmp", "other")
WAYS = ("tx", "rx")
LIMIT = 300  # seconds that one run of tcsniff may take
SKIPPED = 77  # the exit status that meson takes for "skipped"

# Counters of the ledger that a reader without a flow table knows, too.
LEDGER = ("received", "counted", "counted_bytes", "internal", "internal_bytes",
          "transit", "not_ip", "malformed")


def captures_folder():
    """Where the reference captures are, or None."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    path = os.environ.get("TCSNIFF_CAPTURES", os.path.join(root, "..", "shared", "pcaps"))
    path = os.path.normpath(path)
    return path if os.path.isdir(os.path.join(path, "expected")) else None


def captures_missing():
    """Says so, and returns the exit status: skipped, but failed in CI."""
    print("no reference captures: name their folder in TCSNIFF_CAPTURES")
    return 1 if os.environ.get("CI") == "true" else SKIPPED


def capture_names(folder):
    """The captures that have an account beside them, sorted."""
    told = set(os.listdir(os.path.join(folder, "expected")))
    here = set(os.listdir(folder))
    absent = sorted(n for n in told if n[:-len(".json")].endswith((".pcap", ".pcapng", ".gz"))
                    and n[:-len(".json")] not in here)
    if absent:
        print("accounts whose captures are not there: %s" % ", ".join(absent))
    return sorted(n for n in here if n + ".json" in told)


class Run:
    """One run of tcsniff --json: .account (None if it printed none), .status, .said"""

    def __init__(self, tcsniff, paths, *options):
        command = [tcsniff]
        for path in paths:
            command += ["-r", path]
        ended = subprocess.run(command + ["--host-timeout", "0", "--json", *options],
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        self.status = ended.returncode
        self.said = ended.stderr.decode(errors="replace").strip()
        self.text = ended.stdout
        self.account = None
        if ended.stdout:
            self.account = json.loads(ended.stdout)


def host_key(ip):
    """An address as a value, so that its spelling does not matter."""
    return ipaddress.ip_address(ip)


def counters_of(account):
    """{address: {(class, way): (packets, bytes)}} of an account's hosts, without
    those that have had no packet."""
    hosts = {}
    for host in account["hosts"]:
        counters = {(c, w): (host[c][w]["packets"], host[c][w]["bytes"])
                    for c in CLASSES for w in WAYS}
        if any(packets for packets, _ in counters.values()):
            hosts[host_key(host["ip"])] = counters
    return hosts


def sum_of(record):
    """(packets, bytes), sent and received over all classes of a host record."""
    return tuple(sum(record[c][w][unit] for c in CLASSES for w in WAYS)
                 for unit in ("packets", "bytes"))


def identity_faults(account):
    """What is wrong with the ledger's sums; an empty list if nothing is."""
    faults = []
    ledger = account["ledger"]

    def must_equal(left, right, what):
        if left != right:
            faults.append("%s: %d != %d" % (what, left, right))

    must_equal(ledger["received"],
               ledger["counted"] + ledger["transit"] + ledger["not_ip"] + ledger["malformed"],
               "received = counted + transit + not_ip + malformed")
    must_equal(ledger["counted"], ledger["tracked"] + sum(ledger["untracked"].values()),
               "counted = tracked + untracked")
    records = account["hosts"] + [account["overflow"], account["forgotten"]]
    packets, size = (sum(sums) for sums in zip(*map(sum_of, records)))
    must_equal(packets, ledger["counted"] + ledger["internal"],
               "packets of all hosts = counted + internal")
    must_equal(size, ledger["counted_bytes"] + ledger["internal_bytes"],
               "bytes of all hosts = counted_bytes + internal_bytes")
    return faults


def host_faults(expected, got, limit=5):
    """How the hosts' counters (counters_of) differ, a line each."""
    faults = []
    for ip in sorted(set(expected) | set(got), key=lambda a: (a.version, a)):
        if ip not in got:
            faults.append("%s: is missing" % ip)
        elif ip not in expected:
            faults.append("%s: should not be there" % ip)
        else:
            faults += ["%s %s %s: expected %d packets, %d bytes; got %d, %d" % (
                (ip,) + key + expected[ip][key] + got[ip][key])
                for key in sorted(expected[ip]) if expected[ip][key] != got[ip][key]]
    if len(faults) > limit:
        faults[limit:] = ["and %d more" % (len(faults) - limit)]
    return faults


def account_faults(expected, got):
    """How `got` differs from an account of a reader without a flow table."""
    faults = ["ledger %s: expected %d, got %d" % (k, expected["ledger"][k], got["ledger"][k])
              for k in LEDGER if expected["ledger"][k] != got["ledger"][k]]
    faults += host_faults(counters_of(expected), counters_of(got))
    last = {host_key(h["ip"]): h["last_ns"] for h in got["hosts"]}
    # Where stamps jump, the largest one need not be the last.
    wrong = [h["ip"] for h in expected["hosts"]
             if not h.get("first_ns", h["last_ns"])
             <= last.get(host_key(h["ip"]), h["last_ns"]) <= h["last_ns"]]
    if wrong:
        faults.append("last_ns differs on %d hosts, the first %s" % (len(wrong), wrong[0]))
    return faults


class Tally:
    """Counts checks that passed and failed, and names the latter at once."""

    def __init__(self):
        self.passed = self.failed = 0

    def note(self, name, faults):
        if not faults:
            self.passed += 1
            return
        self.failed += 1
        for fault in faults:
            print("%s: %s" % (name, fault), flush=True)

    def finish(self):
        """Prints the sum; returns the exit status."""
        print("%d passed, %d failed" % (self.passed, self.failed))
        return 0 if self.passed and not self.failed else 1


def usage(module_doc):
    sys.stderr.write(next(line for line in module_doc.split("\n") if line.startswith("usage:")))
    sys.stderr.write("\n")
    return 2
