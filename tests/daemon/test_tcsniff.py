#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_tcsniff.py - the tcsniff program as its user meets it: options, errors,
# exit statuses, signals.
#
# usage: test_tcsniff.py TCSNIFF

import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TCSNIFF = None
LIMIT = 60  # seconds that any one run may take


def udp_frame(src, dst, sport, dport, payload=b"x" * 20):
    """An Ethernet frame of IPv4 and UDP; addresses as dotted quads."""
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0x4000, 64, 17, 0,
                     socket.inet_aton(src), socket.inet_aton(dst))
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + udp


def pcap(frames, link=1):
    """A little-endian microsecond pcap of (seconds, frame)s."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for stamp, frame in frames:
        sec = int(stamp)
        out += struct.pack("<IIII", sec, round((stamp - sec) * 1e6), len(frame), len(frame))
        out += frame
    return out


def conversation(n=10, start=1000.0, step=0.01):
    """n frames, every other one the answer."""
    ends = [("10.0.0.1", "192.0.2.7", 4000, 53), ("192.0.2.7", "10.0.0.1", 53, 4000)]
    return [(start + i * step, udp_frame(*ends[i % 2])) for i in range(n)]


class Tcsniff(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, content=None):
        path = os.path.join(self.folder.name, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content)
        return path

    def run_it(self, *args, stdin=b"", env=None):
        return subprocess.run([TCSNIFF, *args], input=stdin, capture_output=True, timeout=LIMIT,
                              check=False, env=env)

    def ledger(self, *args, **kwargs):
        done = self.run_it("--json", *args, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["ledger"]

    # --- usage ---

    def assert_usage(self, args, *words):
        done = self.run_it(*args)
        said = done.stderr.decode()
        self.assertEqual(done.returncode, 2, said)
        self.assertEqual(done.stdout, b"")
        for word in words:
            self.assertIn(word, said)
        self.assertIn("--help", said)

    def test_wrong_options_are_named(self):
        self.assert_usage([], "-r")
        self.assert_usage(["--bogus"], "--bogus")
        self.assert_usage(["-Z"], "-Z")
        self.assert_usage(["-r"], "-r")
        self.assert_usage(["-r", "x", "--fanout"], "--fanout")
        self.assert_usage(["-r", ""], "empty")
        self.assert_usage(["-r", "-", "-r", "-"], "standard input")
        self.assert_usage(["-r", "x", "--quiet=maybe"], "--quiet", "yes, no")

    def test_wrong_values_are_named(self):
        for option, value in (("--fanout", "0"), ("--fanout", "65"), ("--fanout", "two"),
                              ("--max-flows", "0"), ("--max-flows", "-1"), ("--max-hosts", "0"),
                              ("--max-hosts", "1e3"), ("--host-timeout", "soon"),
                              ("--host-timeout", "500ms"), ("--timeout", "udp"),
                              ("--timeout", "xyz=3"), ("--timeout", "udp=0"),
                              ("--inner", "10.0.0.0/33"), ("--inner", "10.0.0.1/8"),
                              ("--inner", "everything"), ("--inner", "10.0.0.0/8,"),
                              ("--speed", "0"), ("--speed", "-1"), ("--speed", "nan"),
                              ("--speed", "inf"), ("--speed", "fast"), ("--socket", "")):
            with self.subTest(option=option, value=value):
                self.assert_usage(["-r", "x", option, value], option)

    def test_help_and_version_go_to_standard_output(self):
        for option, word in (("-h", b"--max-flows"), ("--help", b"--inner"),
                             ("-V", b"tcsniff "), ("--version", b"tcsniff ")):
            done = self.run_it(option)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(word, done.stdout)

    def test_every_long_option_is_in_the_help(self):
        text = self.run_it("--help").stdout.decode()
        for option in ("read", "speed", "fanout", "inner", "max-flows", "max-hosts",
                       "host-timeout", "timeout", "quiet", "json", "linger", "socket"):
            self.assertIn("--" + option, text)

    # --- files ---

    def assert_fails(self, args, *words, stdin=b""):
        done = self.run_it(*args, stdin=stdin)
        self.assertEqual(done.returncode, 1, done)
        for word in words:
            self.assertIn(word, done.stderr.decode())
        return done

    def test_a_missing_file_is_named_before_anything_is_read(self):
        there = self.path("a.pcap", pcap(conversation()))
        done = self.assert_fails(["-r", there, "-r", self.path("none.pcap")], "none.pcap",
                                 "No such file")
        self.assertEqual(done.stdout, b"")

    def test_what_is_no_capture_is_refused(self):
        self.assert_fails(["-r", self.path("text", b"hello, world\n" * 9)], "text")
        self.assert_fails(["-r", self.path("empty", b"")], "empty")
        self.assert_fails(["-r", self.folder.name], self.folder.name)

    def test_a_cut_file_counts_to_its_last_whole_record(self):
        whole = pcap(conversation(10))
        done = self.assert_fails(["--json", "-r", self.path("cut.pcap", whole[:-5])], "cut.pcap")
        self.assertEqual(json.loads(done.stdout)["ledger"]["received"], 9)

    def test_files_are_read_in_order(self):
        a = self.path("a.pcap", pcap(conversation(10, 1000)))
        b = self.path("b.pcap", pcap(conversation(5, 2000)))
        done = self.run_it("--json", "-r", a, "--read", b, "--host-timeout", "0")
        books = json.loads(done.stdout)
        self.assertEqual(books["ledger"]["received"], 15)
        host = books["hosts"][0]
        self.assertEqual((host["ip"], host["next_conn_id"]), ("10.0.0.1", 2))

    def test_a_cut_file_does_not_keep_the_next_from_being_read(self):
        a = self.path("a.pcap", pcap(conversation(10))[:-5])
        b = self.path("b.pcap", pcap(conversation(5, 2000)))
        done = self.assert_fails(["--json", "-r", a, "-r", b], "a.pcap")
        self.assertEqual(json.loads(done.stdout)["ledger"]["received"], 14)

    def test_standard_input_and_compression(self):
        whole = pcap(conversation(10))
        self.assertEqual(self.ledger("-r", "-", stdin=whole)["received"], 10)
        self.assertEqual(self.ledger("-r", "-", stdin=gzip.compress(whole))["received"], 10)
        packed = self.path("a.pcap.gz", gzip.compress(whole))
        self.assertEqual(self.ledger("-r", packed)["received"], 10)

    def test_filter(self):
        path = self.path("a.pcap", pcap(conversation(10)))
        self.assertEqual(self.ledger("-r", path, "src host 10.0.0.1")["received"], 5)
        self.assertEqual(self.ledger("-r", path, "src", "host", "10.0.0.1")["received"], 5)
        self.assertEqual(self.ledger("-r", path, "--fanout", "3", "tcp")["received"], 0)
        self.assert_fails(["-r", path, "src hots 10.0.0.1"], "src hots 10.0.0.1")

    def test_an_unknown_link_type_is_named_once(self):
        path = self.path("wlan.pcap", pcap(conversation(200), link=105))
        done = self.run_it("--json", "-r", path)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["ledger"]["not_ip"], 200)
        self.assertEqual(done.stderr.decode().count("link type 105"), 1)

    def test_full_standard_output_is_an_error(self):
        path = self.path("a.pcap", pcap(conversation(10)))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([TCSNIFF, "-r", path], stdout=full, stderr=subprocess.PIPE,
                                  timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)

    # --- what is counted ---

    def test_inner_networks(self):
        path = self.path("a.pcap", pcap(conversation(10)))
        books = json.loads(self.run_it("--json", "-r", path, "--inner", "all").stdout)
        self.assertEqual([h["ip"] for h in books["hosts"]], ["10.0.0.1", "192.0.2.7"])
        self.assertEqual(books["ledger"]["internal"], 10)
        ledger = self.ledger("-r", path, "--inner", "172.16.0.0/12,fc00::/7")
        self.assertEqual((ledger["transit"], ledger["counted"]), (10, 0))

    def test_timeouts(self):
        path = self.path("a.pcap", pcap(conversation(10, step=5)))
        for args, conns in ((["--timeout", "udp=4"], 10), (["--timeout", "udp=6",
                            "--timeout", "udp-stream=6"], 1)):
            books = json.loads(self.run_it("--json", "-r", path, *args).stdout)
            self.assertEqual(books["hosts"][0]["next_conn_id"], conns)

    # --- stamps that jump ---

    YEAR = 365 * 86400

    def host_of(self, *paths):
        done = self.run_it("--json", "--host-timeout", "0", *[a for p in paths for a in ("-r", p)])
        self.assertEqual(done.returncode, 0, done.stderr)
        hosts = [h for h in json.loads(done.stdout)["hosts"] if h["ip"] == "10.0.0.1"]
        return hosts[0], done.stderr.decode()

    def test_a_damaged_stamp_ends_nothing(self):
        frames = conversation(20, start=1.7e9, step=1)
        for years in (-20, 30):
            with self.subTest(years=years):
                bad = list(frames)
                bad[10] = (bad[10][0] + years * self.YEAR, bad[10][1])
                host, said = self.host_of(self.path("bad.pcap", pcap(bad)))
                self.assertEqual((host["conns"], host["next_conn_id"]), (1, 1))
                self.assertEqual(host["last_ns"], int((1.7e9 + 19) * 1e9))
                self.assertIn("jumped back 1 times and forward 1 times", said)

    def test_an_older_file_after_a_newer_one(self):
        """Its time goes on: flows end on time in it, and stamps are told as they are."""
        new = self.path("new.pcap", pcap(conversation(4, start=1.7e9)))
        old = pcap([(1.6e9 + t, udp_frame("10.0.0.1", "192.0.2.7", 7, 7)) for t in (0, 100, 200)])
        host, said = self.host_of(new, self.path("old.pcap", old))
        self.assertEqual(host["next_conn_id"], 4)  # the first, and each of the three
        self.assertEqual(host["conns"], 1)
        self.assertEqual(host["last_ns"], int((1.6e9 + 200) * 1e9))
        self.assertIn("jumped back 1 times and forward 0 times", said)

    def test_a_pause_of_days_is_no_jump(self):
        pause = pcap(conversation(4, start=1.7e9) + conversation(4, start=1.7e9 + 5 * 86400))
        host, said = self.host_of(self.path("pause.pcap", pause))
        self.assertEqual((host["conns"], host["next_conn_id"]), (1, 2))
        self.assertNotIn("jumped", said)

    def test_limits_keep_the_sums(self):
        frames = [(1000 + i / 1000, udp_frame(f"10.0.{i // 200}.{i % 200 + 1}", "192.0.2.7", 1, 2))
                  for i in range(1000)]
        path = self.path("many.pcap", pcap(frames))
        for workers in ("1", "3"):
            done = self.run_it("--json", "-r", path, "--max-hosts", "100", "--fanout", workers)
            books = json.loads(done.stdout)
            self.assertEqual(len(books["hosts"]), 100)
            self.assertEqual(books["ledger"]["untracked"]["host_limit"], 900)
            self.assertEqual(books["overflow"]["udp"]["tx"]["packets"], 900)
            ledger = self.ledger("-r", path, "--max-flows", "10", "--fanout", workers)
            self.assertEqual(ledger["counted"], 1000)
            self.assertEqual(ledger["tracked"] + ledger["untracked"]["table_full"], 1000)

    def test_hosts_are_forgotten(self):
        frames = conversation(10) + [(5000, udp_frame("10.0.0.2", "192.0.2.7", 1, 2))]
        path = self.path("a.pcap", pcap(frames))
        for workers in ("1", "2"):
            done = self.run_it("--json", "-r", path, "--fanout", workers)
            books = json.loads(done.stdout)
            self.assertEqual([h["ip"] for h in books["hosts"]], ["10.0.0.2"])
            self.assertEqual(books["forgotten"]["udp"]["tx"]["packets"], 5)
            done = self.run_it("--json", "-r", path, "--host-timeout", "0", "--fanout", workers)
            self.assertEqual(len(json.loads(done.stdout)["hosts"]), 2)

    # --- what is shown ---

    def test_the_table_and_the_ledger(self):
        path = self.path("a.pcap", pcap(conversation(10)))
        done = self.run_it("-r", path)
        self.assertEqual(done.returncode, 0)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(lines[0], "len=1")
        self.assertEqual(lines[1], "10.0.0.1 conn=1 pcnt=10 bcnt=480 last=1000.090 next_id=1 use=2")
        self.assertIn("received", done.stderr.decode())
        quiet = self.run_it("-r", path, "--quiet")
        self.assertIn("received", quiet.stdout.decode())
        self.assertNotIn("10.0.0.1", quiet.stdout.decode())
        self.assertEqual(quiet.stderr, b"")

    # --- signals, socket ---

    def start(self, *args):
        daemon = subprocess.Popen([TCSNIFF, *args], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.stderr.close)
        return daemon

    def wait_for(self, path):
        until = time.monotonic() + LIMIT
        while not os.path.exists(path):
            self.assertLess(time.monotonic(), until, "no socket")
            time.sleep(0.01)

    def test_linger_ends_on_either_signal_and_takes_its_socket_away(self):
        path = self.path("a.pcap", pcap(conversation(10)))
        for number in (signal.SIGINT, signal.SIGTERM):
            sock = self.path("sock")
            daemon = self.start("-r", path, "--linger", "--socket", sock)
            self.wait_for(sock)
            time.sleep(0.3)  # the file is there before all may use it
            self.assertEqual(os.stat(sock).st_mode & 0o777, 0o660)
            self.assertIsNone(daemon.poll())
            daemon.send_signal(number)
            out, _ = daemon.communicate(timeout=LIMIT)
            self.assertEqual(daemon.returncode, 0)
            self.assertIn(b"10.0.0.1", out)
            self.assertFalse(os.path.exists(sock))

    def test_a_second_one_on_the_same_socket_is_refused(self):
        path = self.path("a.pcap", pcap(conversation(10)))
        sock = self.path("sock")
        first = self.start("-r", path, "--linger", "--socket", sock)
        self.wait_for(sock)
        self.assert_fails(["-r", path, "--linger", "--socket", sock], "already running", sock)
        self.assertTrue(os.path.exists(sock))
        first.kill()
        first.wait()
        self.assertTrue(os.path.exists(sock))  # stale: no obstacle for the next
        again = self.start("-r", path, "--linger", "--socket", sock)
        time.sleep(0.5)
        self.assertIsNone(again.poll())
        again.terminate()
        self.assertEqual(again.wait(LIMIT), 0)

    def test_speed_replays_in_time_and_can_be_stopped(self):
        path = self.path("a.pcap", pcap(conversation(11, step=0.1)))
        begin = time.monotonic()
        done = self.run_it("--json", "-r", path, "--speed", "2", "--socket", self.path("s"))
        self.assertGreater(time.monotonic() - begin, 0.45)
        self.assertEqual(json.loads(done.stdout)["ledger"]["received"], 11)
        for workers in ("1", "2"):
            slow = self.start("-r", path, "--speed", "0.01", "--fanout", workers, "--json",
                              "--socket", self.path("s2"))
            time.sleep(0.5)
            begin = time.monotonic()
            slow.terminate()
            out, said = slow.communicate(timeout=LIMIT)
            self.assertLess(time.monotonic() - begin, 1.5)
            self.assertEqual(slow.returncode, 1)
            self.assertIn(b"signal", said)
            self.assertLess(json.loads(out)["ledger"]["received"], 11)


if __name__ == "__main__":
    TCSNIFF = sys.argv.pop(1)
    unittest.main(verbosity=1)
