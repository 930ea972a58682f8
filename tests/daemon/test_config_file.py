#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_config_file.py - the configuration file: every option is a key, the
# command line wins, and what is wrong is named with its line.
#
# usage: test_config_file.py TCSNIFF

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TCSNIFF = None
LIMIT = 60  # seconds that any one run may take
CAPTURE = os.path.join(os.environ.get("TCSNIFF_ROOT", "."), "pcaps", "dns.pcap")
SAMPLE = os.path.join(os.environ.get("TCSNIFF_ROOT", "."), "contrib", "tcsniff.conf")
COMMAND_ONLY = {"help", "version", "config", "check-config"}
GOOD = {
    "interface": "eth7", "direction": "nic", "no-promisc": "yes", "no-segments": "no",
    "snaplen": "256", "ring-block-size": "512K", "ring-blocks": "8", "retire": "30ms",
    "fanout-mode": "hash", "fanout-group": "77", "cpus": "0", "user": "daemon",
    "read": CAPTURE, "speed": "10", "fanout": "2", "inner": "10.0.0.0/8,fd00::/8",
    "decap": "vxlan,gre", "vxlan-port": "4790", "max-flows": "1k", "max-fragments": "0",
    "max-hosts": "100", "host-timeout": "1h", "timeout": "tcp-established=1d", "quiet": "yes",
    "json": "yes", "linger": "no", "socket": "/run/x.sock", "socket-mode": "0600",
    "socket-group": "daemon", "no-sandbox": "no", "log-level": "info", "filter": "not port 22",
}
BAD = {"direction": "up", "no-promisc": "perhaps", "snaplen": "12", "ring-block-size": "100000",
       "ring-blocks": "one", "retire": "2h", "fanout-mode": "any", "fanout-group": "-1",
       "cpus": "4-2", "speed": "0", "fanout": "0", "inner": "10.0.0.0/40", "decap": "vxlon",
       "vxlan-port": "0", "max-flows": "0", "max-fragments": "x", "max-hosts": "0",
       "host-timeout": "1ms", "timeout": "tcp=1s", "quiet": "1", "json": "true", "linger": "on",
       "socket-mode": "rw", "log-level": "loud"}


class ConfigFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "t.conf")

    def write(self, *lines):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in lines))

    def run_it(self, *args):
        return subprocess.run([TCSNIFF, "--config", self.path, *args], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=LIMIT, check=False, text=True)

    def check(self, *args):
        return self.run_it("--check-config", *args)

    def assert_right(self, *args):
        done = self.check(*args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, self.path + ": no errors\n")

    def assert_wrong(self, *words):
        """Whether it is to be checked or to be used."""
        for args in (["--check-config"], []):
            done = self.run_it(*args)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)

    def books(self, *args):
        done = self.run_it("--json", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def hosts(self, *args):
        return [host["ip"] for host in self.books(*args)["hosts"]]

    # --- keys ---

    def options_of_help(self):
        done = subprocess.run([TCSNIFF, "--help"], capture_output=True, check=True, text=True)
        return set(re.findall(r"^  (?:-\w, |    )--([a-z-]+)", done.stdout, re.MULTILINE))

    def test_every_option_of_the_help_is_a_key(self):
        options = self.options_of_help()
        self.assertEqual(options, set(GOOD) - {"filter"} | COMMAND_ONLY)
        for key in options - COMMAND_ONLY | {"filter"}:
            with self.subTest(key=key):
                source = [] if key in ("interface", "read") else (
                    ["read = " + CAPTURE] if key in ("speed", "linger") else ["interface = eth7"])
                self.write(*source, "%s = %s" % (key, GOOD[key]))
                self.assert_right()

    def test_sample_has_every_key_and_all_are_right(self):
        """With the values that hold without them."""
        with open(SAMPLE, encoding="utf-8") as f:
            lines = [re.sub("^#(?=[a-z]+[a-z-]* = |\t[0-9a-f])", "", line) for line in f]
        keys = {line.partition(" = ")[0] for line in lines if re.match("[a-z-]+ = ", line)}
        self.assertEqual(keys, set(GOOD))
        self.write(*(line.rstrip("\n") for line in lines if not line.startswith("interface")))
        self.assert_right()

    def test_options_of_the_command_line_alone_are_no_keys(self):
        for key in COMMAND_ONLY:
            self.write("interface = eth7", key + " = yes")
            self.assert_wrong(self.path + ":2: '%s' is for the command line" % key)

    def test_bad_values_are_named_with_their_line(self):
        for key, value in BAD.items():
            with self.subTest(key=key):
                self.write("# of live and of files", "interface = eth7", "", key + " = " + value)
                self.assert_wrong("%s:4: %s: " % (self.path, key), value.partition("=")[0])
        for key in ("interface", "read", "user", "socket", "socket-group", "cpus"):
            with self.subTest(key=key):
                self.write(key + " =")
                self.assert_wrong(self.path + ":1: " + key)

    def test_what_is_no_key_is_named_with_its_line(self):
        self.write("interface = eth7", "inerface = eth8")
        self.assert_wrong(self.path + ":2: unknown key 'inerface'", "--help")
        self.write("interface = eth7", "json")
        self.assert_wrong(self.path + ":2: ", "key = value")
        self.write("interface = eth7", "[live]", "snaplen = 100")
        self.assert_wrong(self.path + ":3: ", "[live]")
        self.write("interface = eth7", "snaplen = 100", "snaplen = 200")
        self.assert_wrong(self.path + ":3: ", "snaplen", "line 2")
        self.write("interface = eth7", "snaplen = 100", " fanout = 2")
        self.assert_wrong(self.path + ":3: ", "blank")
        self.write("interface = eth7", "filter = " + "x" * 3000)
        self.assert_wrong(self.path + ":2: ", "longer than")

    def test_what_does_not_go_together_names_the_file(self):
        self.write("read = x", "interface = eth7")
        self.assert_wrong("not both", self.path)
        self.write("snaplen = 100")
        self.assert_wrong("nothing to listen to", self.path)
        self.write("interface = eth7", "snaplen = 60000", "ring-block-size = 16384")
        self.assert_wrong("--ring-block-size", self.path)
        self.write("interface = eth7", "filter = tcp and and")
        done = self.check()
        self.assertEqual(done.returncode, 2)
        self.assertIn("tcp and and", done.stderr)

    def test_file_that_is_not_there(self):
        done = self.check()
        self.assertEqual(done.returncode, 2)
        self.assertIn(self.path, done.stderr)

    def test_empty_file_says_nothing(self):
        done = subprocess.run([TCSNIFF, "--config", "/dev/null", "-r", CAPTURE, "--check-config"],
                              capture_output=True, check=False, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, "/dev/null: no errors\n"))

    def test_environment_names_a_file(self):
        self.write("read = " + CAPTURE, "inner = 10.7.1.1/32", "json = yes")
        done = subprocess.run([TCSNIFF], env=dict(os.environ, TCSNIFF_CONFIG=self.path),
                              capture_output=True, timeout=LIMIT, check=False)
        self.assertEqual(len(json.loads(done.stdout)["hosts"]), 1, done.stderr)
        done = subprocess.run([TCSNIFF, "--config", self.path, "--inner", "10.7.1.2,10.7.1.1"],
                              env=dict(os.environ, TCSNIFF_CONFIG="/nowhere"),
                              capture_output=True, timeout=LIMIT, check=False)
        self.assertEqual(len(json.loads(done.stdout)["hosts"]), 2, done.stderr)

    # --- what they do ---

    def test_file_is_as_good_as_the_command_line(self):
        self.write("read = " + CAPTURE, "inner = 10.7.1.1/32", "  fd07:1::1", "fanout = 2",
                   "filter = port 53", "  and udp")
        here = self.books()
        self.write("")
        there = self.books("-r", CAPTURE, "--inner", "10.7.1.1/32,fd07:1::1", "--fanout", "2",
                           "port 53 and udp")
        self.assertEqual(here, there)
        self.assertEqual([host["ip"] for host in here["hosts"]], ["10.7.1.1", "fd07:1::1"])
        self.assertGreater(here["ledger"]["received"], 0)

    def test_command_line_wins(self):
        self.write("read = /nowhere.pcap", "inner = 10.7.1.1/32", "quiet = yes",
                   "filter = port 1", "max-hosts = 1")
        self.assertEqual(self.hosts("-r", CAPTURE, "--inner", "10.7.1.2/32", "--quiet=no", "udp"),
                         ["10.7.1.2"])

    def test_what_the_command_line_reads_is_not_listened_to(self):
        self.write("interface = eth7", "direction = nic", "snaplen = 300")
        self.assertEqual(len(self.hosts("-r", CAPTURE)), 6)
        self.write("read = " + CAPTURE, "speed = 2", "linger = yes")
        self.assert_right("-i", "eth7")

    def test_what_is_overruled_has_to_be_right_all_the_same(self):
        self.write("inner = 10.0.0.0/99")
        done = self.run_it("-r", CAPTURE, "--inner", "all")
        self.assertEqual(done.returncode, 2)
        self.assertIn(self.path + ":1: inner", done.stderr)

    def test_timeouts_are_overruled_by_name(self):
        self.write("read = " + CAPTURE, "timeout = udp=1s", "timeout = tcp-established=1h")
        self.assert_right("--timeout", "udp=30s")

    def test_many_networks(self):
        self.write("read = " + CAPTURE, "inner = 10.7.1.1/32",
                   *("  10.%d.%d.0/24" % (100 + i // 256, i % 256) for i in range(10000)))
        self.assertEqual(self.hosts(), ["10.7.1.1"])

    def test_little_is_said_if_so_asked(self):
        with open(CAPTURE, "rb") as f:
            data = f.read()
        cut = self.path + ".pcap"
        with open(cut, "wb") as f:
            f.write(data[:-7])
        self.write("quiet = yes", "log-level = error", "socket = %s.sock" % self.path)
        done = self.run_it("-r", cut)
        self.assertEqual(done.returncode, 1)
        self.assertIn("record", done.stderr)
        self.assertNotIn("answering", done.stderr)
        self.assertIn("answering", self.run_it("-r", cut, "--log-level", "notice").stderr)

    def test_journal_gets_levels(self):
        with open(self.path + ".log", "w+", encoding="utf-8") as log:
            st = os.fstat(log.fileno())
            self.write("socket = %s.sock" % self.path, "quiet = yes")
            env = dict(os.environ, JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino))
            subprocess.run([TCSNIFF, "--config", self.path, "-r", CAPTURE], stderr=log, env=env,
                           stdout=subprocess.DEVNULL, check=True, timeout=LIMIT)
            log.seek(0)
            self.assertIn("<5>tcsniff: answering", log.read())

    # --- SIGHUP, of capture files ---

    def start(self):
        """A daemon, and a function that waits for its words, all of which it returns."""
        log = open(self.path + ".log", "w+b")
        self.addCleanup(log.close)
        daemon = subprocess.Popen([TCSNIFF, "--config", self.path], stderr=log,
                                  stdout=subprocess.PIPE)
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

        def wait_for(words):
            until = time.monotonic() + LIMIT
            said = ""
            while words not in said:
                self.assertLess(time.monotonic(), until, said)
                self.assertIsNone(daemon.poll(), said)
                time.sleep(0.02)
                with open(log.name, encoding="utf-8") as f:
                    said = f.read()
            return said

        return daemon, wait_for

    def test_reload_while_it_lingers(self):
        always = ["read = " + CAPTURE, "linger = yes", "quiet = yes",
                  "socket = %s.sock" % self.path]
        self.write(*always, "log-level = error")
        daemon, wait_for = self.start()
        daemon.stdout.readline()
        self.write(*always, "log-level = notice", "fanout = 2")
        daemon.send_signal(signal.SIGHUP)
        self.assertIn("'fanout' has changed, and needs a restart", wait_for("is in force"))
        daemon.terminate()
        self.assertEqual(daemon.wait(LIMIT), 0)

    def test_reload_in_the_middle_of_a_file(self):
        frames = [struct.pack("<IIII", i // 100, i % 100 * 10000, 28, 28)
                  + struct.pack(">BBHHHBBH4B4BHHHH", 0x45, 0, 28, 1, 0, 64, 17, 0,
                                10, i % 2, 0, 1, 8, 8, 8, 8, 1024 + i, 53, 8, 0)
                  for i in range(6000)]  # of a minute
        with open(self.path + ".pcap", "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + b"".join(frames))
        always = ["read = %s.pcap" % self.path, "speed = 1", "json = yes", "fanout = 2",
                  "socket = %s.sock" % self.path]
        self.write(*always, "inner = 10.0.0.0/16")
        daemon, wait_for = self.start()
        wait_for("answering")
        time.sleep(0.5)
        self.write(*always, "inner = 10.1.0.0/16", "host-timeout = 1h")
        daemon.send_signal(signal.SIGHUP)
        self.assertIn("'host-timeout' has changed, and needs a restart", wait_for("in force"))
        time.sleep(0.5)
        daemon.terminate()
        books = json.loads(daemon.stdout.read())
        self.assertEqual(daemon.wait(LIMIT), 1)  # before its end
        sent = {host["ip"]: host["udp"]["tx"]["packets"] for host in books["hosts"]}
        ledger = books["ledger"]
        self.assertEqual(set(sent), {"10.0.0.1", "10.1.0.1"})
        self.assertEqual(sum(sent.values()), ledger["counted"])
        self.assertEqual(ledger["received"], ledger["counted"] + ledger["transit"])
        self.assertAlmostEqual(ledger["counted"], ledger["transit"], delta=50)


if __name__ == "__main__":
    TCSNIFF = os.path.abspath(sys.argv.pop(1))
    unittest.main()
