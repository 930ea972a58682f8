#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_list.py - the lists of tctable -a: what is chosen, in what order, in every
# form, and how fast it goes.
#
# usage: test_list.py TCSNIFF TCTABLE

import csv
import ipaddress
import json
import os
import re
import struct
import subprocess
import sys
import time
import unittest

import test_tctable
from test_tctable import SEC, START, udp

# Packets that each sends and receives, of 28 bytes and a payload.
HOSTS = {"10.0.0.1": (5, 1), "10.0.0.2": (8, 1), "10.0.1.3": (1, 9), "fd00::1": (5, 2),
         "fd00:0:0:1::1": (1, 1)}
OUTSIDE = {4: "203.0.113.1", 6: "2001:db8::1"}


def frames():
    out = []
    for ip, (tx, rx) in HOSTS.items():
        far = OUTSIDE[ipaddress.ip_address(ip).version]
        out += [udp(ip, 1000, far, 53, 10) for _ in range(tx)]
        out += [udp(far, 53, ip, 1000, 100) for _ in range(rx)]
    return out


class List(test_tctable.Daemon):
    @classmethod
    def setUpClass(cls):
        test_tctable.FRAMES[:] = frames()
        super().setUpClass()

    def ask(self, *args, env=None):
        done = subprocess.run([test_tctable.TCTABLE, "--socket", self.socket, "-a", *args],
                              capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, **(env or {})))
        self.assertEqual((done.returncode, done.stderr), (0, ""), args)
        return done.stdout

    def ips(self, *args):
        first, *lines = self.ask(*args).splitlines()
        self.assertEqual(first, "len=%d" % len(lines))
        return [line.split()[0] for line in lines]

    def test_sorted(self):
        def by(of):
            return [ip for ip, _ in sorted(HOSTS.items(), key=lambda item: -of(*item[1]))]

        def size(ip):
            return 48 if ":" in ip else 28

        every = list(HOSTS)
        self.assertEqual(self.ips("--sort", "ip"), every)
        self.assertEqual(self.ips("--sort", "packets"), by(lambda tx, rx: tx + rx))
        for key, of in (("tx", lambda ip, tx, rx: tx * (size(ip) + 10)),
                        ("rx", lambda ip, tx, rx: rx * (size(ip) + 100)),
                        ("bytes", lambda ip, tx, rx: tx * (size(ip) + 10)
                         + rx * (size(ip) + 100))):
            self.assertEqual(self.ips("--sort", key),
                             sorted(every, key=lambda ip, of=of: -of(ip, *HOSTS[ip])), key)
        self.assertEqual(self.ips("--sort", "last"), every[::-1])

    def test_first_of_them(self):
        self.assertEqual(self.ips("-n", "2"), list(HOSTS)[:2])
        self.assertEqual(self.ips("-n", "100"), list(HOSTS))
        self.assertEqual(self.ips("--sort", "rx", "-n", "1"), ["10.0.1.3"])

    def test_network(self):
        self.assertEqual(self.ips("10.0.0.0/24"), ["10.0.0.1", "10.0.0.2"])
        self.assertEqual(self.ips("10.0.1.3"), ["10.0.1.3"])
        self.assertEqual(self.ips("fd00::/16"), ["fd00::1", "fd00:0:0:1::1"])
        self.assertEqual(self.ips("192.168.0.0/16"), [])

    def test_lines_are_as_without_options(self):
        self.assertEqual(self.ask("--sort", "ip", "-n", "9"), self.ask())

    def test_sums_of_networks(self):
        lines = self.ask("--group", "/24,/56").splitlines()
        self.assertEqual(lines[0], "len=3")
        self.assertRegex(lines[1], r"^10\.0\.0\.0/24 hosts=2 conn=2 pcnt=15 bcnt=750 "
                                   r"last=\d+\.\d{3}$")
        self.assertRegex(lines[2], r"^10\.0\.1\.0/24 hosts=1 conn=1 pcnt=10 ")
        self.assertRegex(lines[3], r"^fd00::/56 hosts=2 conn=2 pcnt=9 ")
        self.assertEqual([line.split()[0] for line in self.ask(
            "--group", "8", "--sort", "packets").splitlines()[1:]],
                         ["10.0.0.0/8", "fd00::/64", "fd00:0:0:1::/64"])

    def test_csv(self):
        rows = list(csv.DictReader(self.ask("--csv").splitlines()))
        self.assertEqual([row["ip"] for row in rows], [*HOSTS, "overflow", "forgotten"])
        for row in rows[:-2]:
            tx, rx = HOSTS[row["ip"]]
            self.assertEqual((row["tx_packets"], row["rx_packets"]), (str(tx), str(rx)))
            self.assertEqual((row["udp_tx_packets"], row["udp_rx_packets"]), (str(tx), str(rx)))
            self.assertEqual((row["tcp_tx_packets"], row["conns"], row["udp_conns"]),
                             ("0", "1", "1"))
            self.assertEqual(int(row["tx_bytes"]), tx * (58 if ":" in row["ip"] else 38))
        last = rows[len(HOSTS) - 1]["last"]
        at = START + (len(frames()) - 1) * SEC // 4
        self.assertEqual(last, "%d.%09d" % (at // SEC, at % SEC))
        rows = list(csv.DictReader(self.ask("--csv", "--group", "/8,/16").splitlines()))
        self.assertEqual([(row["network"], row["hosts"]) for row in rows],
                         [("10.0.0.0/8", "3"), ("fd00::/16", "2")])

    def test_json(self):
        every = json.loads(self.ask("--json"))
        some = json.loads(self.ask("--json", "--sort", "rx", "-n", "2"))
        self.assertEqual(some["matched"], 5)
        self.assertEqual([h["ip"] for h in some["hosts"]], ["10.0.1.3", "fd00::1"])
        for h in some["hosts"]:
            self.assertIn(h, every["hosts"])
        self.assertEqual(some["ledger"], every["ledger"])
        self.assertNotIn("overflow", some)
        again = json.loads(self.ask("--json", "--sort", "tx"))
        self.assertEqual((again["overflow"], again["forgotten"]),
                         (every["overflow"], every["forgotten"]))
        nets = json.loads(self.ask("--json", "--group", "/8"))["networks"]
        self.assertEqual([(n["network"], n["hosts"], n["udp"]["tx"]["packets"]) for n in nets],
                         [("10.0.0.0/8", 3, 14), ("fd00::/64", 1, 5), ("fd00:0:0:1::/64", 1, 1)])

    def test_for_people(self):
        lines = self.ask("--human", "--sort", "packets", "-n", "1", env={"TZ": "UTC"}).splitlines()
        self.assertRegex(lines[0], r"^1 of 5 hosts at 2010-06-02 04:00:\d\d$")
        self.assertEqual(lines[1].split(), ["HOST", "TX", "RX", "TXpkt", "RXpkt", "CONN", "LAST"])
        self.assertRegex(lines[2], r"^10\.0\.1\.3 +38 +1152 +1 +9 +1  2010-06-02 04:00:\d\d$")
        there = self.ask("--human", "-n", "1", env={"TZ": "XST-5"})  # five hours ahead
        self.assertRegex(there, r"at 2010-06-02 09:00:")
        lines = self.ask("--human", "--group", "/8").splitlines()
        self.assertEqual(lines[1].split()[0], "NETWORK")
        self.assertRegex(lines[2], r"^10\.0\.0\.0/8 .* 3$")

    def test_names(self):
        began = time.monotonic()
        self.assertEqual(self.ips("--names"), list(HOSTS))
        self.assertLess(time.monotonic() - began, 10)

    def test_again_and_again_with_rates(self):
        for args, mark in (((), "len="), (("--json",), '{"ledger"'), (("--csv",), "ip,"),
                           (("--human",), "5 of 5 hosts")):
            process = subprocess.Popen([test_tctable.TCTABLE, "--socket", self.socket, "-a", "-w",
                                        "200ms", *args], stdout=subprocess.PIPE, text=True)
            looks, text = 0, ""
            for line in process.stdout:
                looks += line.startswith(mark)
                text += line
                if looks == 3:
                    break
            process.terminate()
            process.stdout.close()
            process.wait()
            self.assertEqual(looks, 3, text)
            first, second = text.split(mark)[1:3]
            for word in ("rate", "_per_s", "bit/s"):
                self.assertNotIn(word, first)
            self.assertRegex(second, "rate|_per_s|bit/s")

    def test_nobody_reads_any_more(self):
        process = subprocess.Popen([test_tctable.TCTABLE, "--socket", self.socket, "-a", "-w",
                                    "100ms"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        process.stdout.close()
        self.assertNotEqual(process.wait(20), 0)


def script_of(shell, words):
    """What a completion offers for the last word."""
    folder = os.path.join(os.environ["TCSNIFF_ROOT"], "contrib", "completions")
    if shell == "bash":
        text = 'source "%s/tcsniff.bash"; COMP_WORDS=(%s); COMP_CWORD=%d; ' \
               '_%s "${COMP_WORDS[0]}"; printf "%%s\\n" "${COMPREPLY[@]}"' % (
                   folder, " ".join("'%s'" % w for w in words), len(words) - 1,
                   os.path.basename(words[0]))
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    else:
        text = 'compadd() { shift; print -l -- "$@" }; _files() { print files }; ' \
               'words=(%s); CURRENT=%d; source "%s/_tcsniff"' % (
                   " ".join("'%s'" % w for w in words), len(words), folder)
        done = subprocess.run(["zsh", "-fc", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class Completion(unittest.TestCase):
    def test_every_option_of_the_help_is_offered(self):
        for program in (test_tctable.TCSNIFF, test_tctable.TCTABLE):
            text = subprocess.run([program, "--help"], capture_output=True, text=True,
                                  check=True).stdout
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
            self.assertGreater(len(options), 5)
            for shell in ("bash", "zsh"):
                self.assertLessEqual(options, script_of(shell, [program, "-"]) | {"--"}, shell)

    def test_values(self):
        for shell in ("bash", "zsh"):
            keys = script_of(shell, [test_tctable.TCTABLE, "-a", "--sort", ""])
            self.assertEqual(keys, {"tx", "rx", "bytes", "packets", "conns", "ip", "last"})
            keys = script_of(shell, [test_tctable.TCTABLE, "top", "--sort", ""])
            self.assertIn("half", keys)
            self.assertIn("--once", script_of(shell, [test_tctable.TCTABLE, "top", "-"]))
            for view in ("top", "metrics"):
                text = subprocess.run([test_tctable.TCTABLE, view, "--help"], capture_output=True,
                                      text=True, check=True).stdout
                self.assertLessEqual(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)),
                                     script_of(shell, [test_tctable.TCTABLE, view, "-"]))
            self.assertIn("lo", script_of(shell, [test_tctable.TCSNIFF, "-i", ""]))


if __name__ == "__main__":
    test_tctable.TCSNIFF, test_tctable.TCTABLE = (os.path.abspath(p) for p in sys.argv[1:3])
    for name in ("bash", "zsh"):
        if not any(os.access(os.path.join(folder, name), os.X_OK)
                   for folder in os.environ["PATH"].split(os.pathsep)):
            print("needs %s: tools/install-packages test" % name)
            sys.exit(77)
    del sys.argv[1:3]
    unittest.main()
