#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_tctable.py - every letter of tctable, asked of a tcsniff that has
# replayed a capture made here, frame by frame, so that every figure is known.
#
# usage: test_tctable.py TCSNIFF TCTABLE

import ipaddress
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TCSNIFF, TCTABLE = None, None

SEC = 10 ** 9
START = 1275451200 * SEC


# --- frames -------------------------------------------------------------------

def ether(ethertype, payload):
    return b"\x02\0\0\0\0\1" + b"\x02\0\0\0\0\2" + struct.pack(">H", ethertype) + payload


def ip(src, dst, protocol, payload):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if src.version == 4:
        return ether(0x0800, struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64,
                                         protocol, 0) + src.packed + dst.packed + payload)
    return ether(0x86dd, struct.pack(">IHBB", 0x60000000, len(payload), protocol, 64)
                 + src.packed + dst.packed + payload)


def tcp(src, sport, dst, dport, flags, n=0):
    return ip(src, dst, 6, struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1024, 0, 0)
              + bytes(n))


def udp(src, sport, dst, dport, n=0):
    return ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + n, 0) + bytes(n))


def icmp(src, dst, kind, ident, n=0, protocol=1):
    return ip(src, dst, protocol, struct.pack(">BBHHH", kind, 0, 0, ident, 1) + bytes(n))


SYN, SYNACK, ACK = 0x02, 0x12, 0x10
PC, SERVER, OUTSIDE = "192.168.1.250", "192.168.1.231", "203.0.113.1"

FRAMES = [
    tcp(PC, 60222, SERVER, 22, SYN),                           # 40 bytes each, + payload
    tcp(SERVER, 22, PC, 60222, SYNACK),
    tcp(PC, 60222, SERVER, 22, ACK),
    tcp(PC, 60222, SERVER, 22, ACK, 100),
    tcp(SERVER, 22, PC, 60222, ACK, 1000),
    udp(PC, 5353, OUTSIDE, 53, 22),                            # 50
    udp(OUTSIDE, 53, PC, 5353, 72),                            # 100
    icmp(PC, OUTSIDE, 8, 77, 56),                              # 84
    icmp(OUTSIDE, PC, 0, 77, 56),
    tcp("fd00::1", 40000, "2001:db8::5", 443, SYN),            # 60: half-open
    icmp("fd00::1", "2001:db8::5", 128, 4242, 8, protocol=58),  # 56
    ip("10.0.0.7", OUTSIDE, 47, bytes(30)),                    # 50
    ip("10.0.0.7", OUTSIDE, 253, bytes(5)),                    # 25
    ip("198.51.100.1", OUTSIDE, 17, bytes(8)),                 # transit
    ether(0x0806, bytes(28)),                                  # not_ip
    ether(0x0800, b"\x44" + bytes(39)),                        # malformed: IHL 4
]


def write_pcap(path):
    """One frame every 250 ms."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(FRAMES):
            at = START + i * SEC // 4
            f.write(struct.pack("<IIII", at // SEC, at % SEC, len(frame), len(frame)) + frame)


def stamp(i):
    """How frame i's time is printed."""
    at = START + i * SEC // 4
    return "%d.%03d" % (at // SEC, at % SEC // 10 ** 6)


def wait_until_replayed(daemon):
    """Until the table is printed: a signal that comes earlier cuts the replay short."""
    readable, _, _ = select.select([daemon.stdout], [], [], 60)
    if not readable:
        raise RuntimeError("tcsniff did not print its table within a minute")
    if not daemon.stdout.readline().startswith(b"len="):
        daemon.terminate()
        raise RuntimeError("tcsniff printed no table: %s" % daemon.communicate()[1].decode())


# --- the tests ----------------------------------------------------------------

class Daemon(unittest.TestCase):
    """A tcsniff with these options, which has replayed FRAMES, to be asked."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="tctable-")
        cls.socket = os.path.join(cls.scratch.name, "t.sock")
        cls.trace = os.path.join(cls.scratch.name, "trace.pcap")
        write_pcap(cls.trace)
        cls.daemon = subprocess.Popen(
            [TCSNIFF, "-r", cls.trace, "--linger", "--socket", cls.socket, *cls.OPTIONS],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            wait_until_replayed(cls.daemon)
        except BaseException:
            cls.end_daemon()
            raise

    @classmethod
    def end_daemon(cls):
        cls.daemon.terminate()
        try:
            cls.output = cls.daemon.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            cls.daemon.kill()
            cls.output = cls.daemon.communicate()

    @classmethod
    def tearDownClass(cls):
        cls.end_daemon()
        cls.scratch.cleanup()
        if cls.daemon.returncode != 0:
            raise RuntimeError("tcsniff ended with %d: %s" % (
                cls.daemon.returncode, cls.output[1].decode()))

    @classmethod
    def ask(cls, *args):
        return subprocess.run([TCTABLE, "--socket", cls.socket, *args], capture_output=True,
                              text=True, timeout=60, check=False)

    def good(self, *args):
        done = self.ask(*args)
        self.assertEqual((done.returncode, done.stderr), (0, ""), args)
        return done.stdout

    def good_json(self, *args):
        return json.loads(self.good(*args, "--json"))


class Tctable(Daemon):
    OPTIONS = ("--fanout", "2")

    def test_count(self):
        self.assertEqual(self.good("-c"), "tc_counter_count=4\n")
        self.assertEqual(self.good_json("-c"), {"count": 4})

    def test_all_hosts_are_sorted(self):
        self.assertEqual(self.good("-a").splitlines(), [
            "len=4",
            "10.0.0.7 conn=2 pcnt=2 bcnt=75 last=%s next_id=2 use=3" % stamp(12),
            SERVER + " conn=1 pcnt=5 bcnt=1300 last=%s next_id=1 use=2" % stamp(4),
            PC + " conn=3 pcnt=9 bcnt=1618 last=%s next_id=3 use=4" % stamp(8),
            "fd00::1 conn=2 pcnt=2 bcnt=116 last=%s next_id=2 use=3" % stamp(10),
        ])

    def test_one_host(self):
        self.assertEqual(self.good("-d", PC).splitlines(), [
            PC,
            "tcp conn=1 tx pcnt=3 bcnt=220 rx pcnt=2 bcnt=1080",
            "udp conn=1 tx pcnt=1 bcnt=50 rx pcnt=1 bcnt=100",
            "icmp conn=1 tx pcnt=1 bcnt=84 rx pcnt=1 bcnt=84",
            "other conn=0 tx pcnt=0 bcnt=0 rx pcnt=0 bcnt=0",
        ])
        host = self.good_json("-d", PC)
        self.assertEqual({k: host[k] for k in (
            "ip", "conns", "half_open", "last_ns", "next_conn_id", "use", "tcp", "udp")}, {
                "ip": PC, "conns": 3, "half_open": 0, "last_ns": START + 2 * SEC,
                "next_conn_id": 3, "use": 4,
                "tcp": {"conns": 1, "tx": {"packets": 3, "bytes": 220},
                        "rx": {"packets": 2, "bytes": 1080}},
                "udp": {"conns": 1, "tx": {"packets": 1, "bytes": 50},
                        "rx": {"packets": 1, "bytes": 100}}})

    def test_address_may_be_written_in_any_form(self):
        self.assertEqual(self.good("-d", "FD00:0:0::0001").splitlines()[0], "fd00::1")

    def test_half_open_connections_are_told(self):
        self.assertEqual(self.good_json("-d", "fd00::1")["half_open"], 1)

    def test_unknown_host_is_told_and_exits_1(self):
        for letter in ("-d", "-s"):
            for more in ((), ("--json",)):
                done = self.ask(letter, "203.0.113.9", *more)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(done.stderr, "tctable: 203.0.113.9: tcsniff knows no such host "
                                              "(see 'tctable -a')\n")

    def test_connections(self):
        self.assertEqual(self.good("-s", PC).splitlines(), [
            "len=3",
            "id=0 last=%s tcp orig %s:60222->%s:22 pcnt=3 bcnt=220 "
            "reply %s:22->%s:60222 pcnt=2 bcnt=1080 state=established" % (
                stamp(4), PC, SERVER, SERVER, PC),
            "id=1 last=%s udp orig %s:5353->%s:53 pcnt=1 bcnt=50 "
            "reply %s:53->%s:5353 pcnt=1 bcnt=100 state=answered" % (
                stamp(6), PC, OUTSIDE, OUTSIDE, PC),
            "id=2 last=%s icmp orig %s->%s type=8 code=0 id=77 pcnt=1 bcnt=84 "
            "reply %s->%s type=0 code=0 id=77 pcnt=1 bcnt=84 state=answered" % (
                stamp(8), PC, OUTSIDE, OUTSIDE, PC),
        ])

    def test_connections_of_ipv6_and_of_protocols_without_ports(self):
        self.assertEqual(self.good("-s", "fd00::1").splitlines(), [
            "len=2",
            "id=0 last=%s tcp orig [fd00::1]:40000->[2001:db8::5]:443 pcnt=1 bcnt=60 "
            "reply [2001:db8::5]:443->[fd00::1]:40000 pcnt=0 bcnt=0 state=syn_sent" % stamp(9),
            "id=1 last=%s icmpv6 orig fd00::1->2001:db8::5 type=128 code=0 id=4242 pcnt=1 "
            "bcnt=56 reply 2001:db8::5->fd00::1 type=129 code=0 id=4242 pcnt=0 bcnt=0 "
            "state=unanswered" % stamp(10),
        ])
        self.assertEqual(self.good("-s", "10.0.0.7").splitlines(), [
            "len=2",
            "id=0 last=%s gre orig 10.0.0.7->%s pcnt=1 bcnt=50 reply %s->10.0.0.7 pcnt=0 bcnt=0 "
            "state=unanswered" % (stamp(11), OUTSIDE, OUTSIDE),
            "id=1 last=%s 253 orig 10.0.0.7->%s pcnt=1 bcnt=25 reply %s->10.0.0.7 pcnt=0 bcnt=0 "
            "state=unanswered" % (stamp(12), OUTSIDE, OUTSIDE),
        ])

    def test_connections_as_json(self):
        self.assertEqual(self.good_json("-s", SERVER), {
            "ip": SERVER, "connections": [{
                "id": 0, "last_ns": START + SEC, "protocol": "tcp", "state": "established",
                "orig": {"src": PC, "src_port": 60222, "dst": SERVER, "dst_port": 22,
                         "packets": 3, "bytes": 220},
                "reply": {"src": SERVER, "src_port": 22, "dst": PC, "dst_port": 60222,
                          "packets": 2, "bytes": 1080}}]})
        ping = self.good_json("-s", PC)["connections"][2]
        self.assertEqual(ping["orig"], {"src": PC, "dst": OUTSIDE, "type": 8, "code": 0,
                                        "id": 77, "packets": 1, "bytes": 84})
        self.assertEqual([c["protocol"] for c in self.good_json("-s", "10.0.0.7")["connections"]],
                         ["gre", 253])

    LEDGER = {
        "received": 16, "counted": 13, "counted_bytes": 1809, "internal": 5,
        "internal_bytes": 1300, "tracked": 13,
        "untracked": {"table_full": 0, "host_limit": 0, "icmp_error": 0, "icmp_other": 0,
                      "fragment": 0},
        "transit": 1, "not_ip": 1, "malformed": 1, "kernel_drops": 0, "ring_freezes": 0}

    def test_statistics(self):
        lines = self.good("-S").splitlines()
        self.assertEqual(lines[:7], [
            "total",
            "received 16 = counted 13 + transit 1 + not_ip 1 + malformed 1",
            "counted 13 = tracked 13 + untracked 0",
            "untracked 0 = table_full 0 + host_limit 0 + icmp_error 0 + icmp_other 0 + "
            "fragment 0",
            "on hosts 18 packets = counted 13 + internal 5",
            "on hosts 3109 bytes = counted 1809 + internal 1300",
            "lost before: kernel_drops 0, ring_freezes 0"])
        self.assertEqual([line for line in lines if line.startswith("worker")],
                         ["worker 0", "worker 1"])

    def test_statistics_as_json_add_up(self):
        stats = self.good_json("-S")
        total, workers = stats["total"], stats["workers"]
        self.assertEqual(total["ledger"], self.LEDGER)
        self.assertEqual([w["worker"] for w in workers], [0, 1])
        for key in ("received", "counted", "counted_bytes", "internal", "internal_bytes",
                    "tracked", "transit", "not_ip", "malformed"):
            self.assertEqual(sum(w["ledger"][key] for w in workers), total["ledger"][key], key)
        self.assertEqual(sum(w["flows"]["live"] for w in workers), 7)
        self.assertEqual(total["flows"]["started"], 7)
        self.assertEqual(total["hosts"]["live"], 4)
        self.assertGreater(total["arena_bytes"], 0)
        refused = [n for name, n in total["verdicts"].items() if n and name != "ok"]
        self.assertEqual(sum(refused), 2)

    def test_table_as_json_and_its_identity(self):
        table = self.good_json("-a")
        self.assertEqual(list(table), ["ledger", "hosts", "overflow", "forgotten"])
        self.assertEqual(table["ledger"], self.LEDGER)
        self.assertEqual([h["ip"] for h in table["hosts"]],
                         ["10.0.0.7", SERVER, PC, "fd00::1"])
        for unit, sum_of in (("packets", 18), ("bytes", 3109)):
            self.assertEqual(sum_of, sum(
                record[cls][way][unit]
                for record in table["hosts"] + [table["overflow"], table["forgotten"]]
                for cls in ("tcp", "udp", "icmp", "other") for way in ("tx", "rx")))
        self.assertEqual(table["hosts"][2], self.good_json("-d", PC))

    def test_table_at_the_end_of_a_file_is_the_same(self):
        for more in ((), ("--json",)):
            done = subprocess.run([TCSNIFF, "-r", self.trace, *more], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, self.good("-a", *more))

    def test_proc_has_a_line_a_host(self):
        lines = self.good("-p").splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[2], PC + " - "
                         "tcp conn=1 tx pcnt=3 bcnt=220 rx pcnt=2 bcnt=1080 "
                         "udp conn=1 tx pcnt=1 bcnt=50 rx pcnt=1 bcnt=100 "
                         "icmp conn=1 tx pcnt=1 bcnt=84 rx pcnt=1 bcnt=84 "
                         "other conn=0 tx pcnt=0 bcnt=0 rx pcnt=0 bcnt=0 "
                         "last=%s next_id=3 use=4" % stamp(8))
        self.assertEqual([h["forget_ns"] for h in self.good_json("-p")["hosts"]], [None] * 4)

    def test_info(self):
        info = self.good_json("-i")
        self.assertEqual({k: info[k] for k in ("version", "hz", "workers", "now_ns",
                                               "host_timeout_ns")},
                         {"version": 2, "hz": SEC, "workers": 2,
                          "now_ns": START + (len(FRAMES) - 1) * SEC // 4,
                          "host_timeout_ns": 900 * SEC})
        self.assertRegex(info["software"], r"^tcsniff \d")
        self.assertIn("trace.pcap", info["source"])
        self.assertLess(abs(info["start_ns"] / SEC - time.time()), 600)
        text = self.good("-i")
        self.assertIn("version=2\nhz=1000000000\n", text)
        self.assertIn("workers=2\n", text)

    def test_closed_pipe_and_full_disk_are_failures(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([TCTABLE, "--socket", self.socket, "-a"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write to standard output: No space left", done.stderr)
        # With SIGPIPE left as it is, the signal ends it; ignored, it says so.
        for restore in (True, False):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run([TCTABLE, "--socket", self.socket, "-a"], stdout=writer,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                                  restore_signals=restore)
            os.close(writer)
            self.assertNotEqual(done.returncode, 0)
            if not restore:
                self.assertIn("Broken pipe", done.stderr)


class Overflow(Daemon):
    """Room for two hosts: what the others send counts on one record."""

    OPTIONS = ("--max-hosts", "2")

    def test_overflow_stands_below_the_hosts(self):
        self.assertEqual(self.good("-c"), "tc_counter_count=2\n")
        lines = self.good("-a").splitlines()
        self.assertEqual((len(lines), lines[0], lines[3]),
                         (4, "len=2", "overflow conn=0 pcnt=4 bcnt=191"))
        self.assertEqual(len(self.good("-p").splitlines()), 2)

    def test_sums_stay_right(self):
        table = self.good_json("-a")
        self.assertEqual(table["ledger"]["untracked"]["host_limit"], 4)
        self.assertEqual(table["overflow"]["tcp"]["tx"], {"packets": 1, "bytes": 60})
        self.assertEqual(table["overflow"]["icmp"]["tx"], {"packets": 1, "bytes": 56})
        self.assertEqual(table["overflow"]["other"]["tx"], {"packets": 2, "bytes": 75})
        for unit, sum_of in (("packets", 18), ("bytes", 3109)):
            self.assertEqual(sum_of, sum(
                record[cls][way][unit]
                for record in table["hosts"] + [table["overflow"], table["forgotten"]]
                for cls in ("tcp", "udp", "icmp", "other") for way in ("tx", "rx")))

    def test_host_without_room_is_unknown(self):
        self.assertEqual(self.ask("-d", "10.0.0.7").returncode, 1)


class Ended(unittest.TestCase):
    def test_a_daemon_that_ended_cannot_be_reached(self):
        with tempfile.TemporaryDirectory(prefix="tctable-") as scratch:
            path = os.path.join(scratch, "t.sock")
            trace = os.path.join(scratch, "trace.pcap")
            write_pcap(trace)
            with subprocess.Popen([TCSNIFF, "-r", trace, "--linger", "--socket", path],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as daemon:
                wait_until_replayed(daemon)
                daemon.terminate()
                daemon.communicate(timeout=60)
                self.assertEqual(daemon.returncode, 0)
            done = subprocess.run([TCTABLE, "--socket", path, "-c"], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (3, ""))
            self.assertIn(path, done.stderr)


if __name__ == "__main__":
    TCSNIFF, TCTABLE = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
