#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_protocol.py - every request, by a client that knows the document alone.
#
# usage: test_protocol.py FAKE_SERVER

import os
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import client as c

SERVER = sys.argv.pop(1)
HOSTS = 1000
CONNS = 10000
NOW_NS = 1700000000000000000


def ip_of(n):
    return c.ipaddress.ip_address("2001:db8::%x" % n if n & 1 else "10.0.%d.%d" % divmod(n, 256))


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "made", "s")  # its directory is missing
        cls.server = subprocess.Popen([SERVER, cls.path, str(HOSTS), str(CONNS)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert cls.server.stdout.readline() == b"ready\n"

    @classmethod
    def tearDownClass(cls):
        cls.server.communicate(timeout=60)
        assert cls.server.returncode == 0
        assert not os.path.exists(cls.path)
        cls.folder.cleanup()

    def setUp(self):
        self.client = c.Client(self.path)
        self.addCleanup(self.client.close)

    def refused(self, status, *request, **options):
        with self.assertRaises(c.Refused) as caught:
            self.client.ask(*request, **options)
        self.assertEqual(caught.exception.status, status)
        return caught.exception

    def test_info_tells_version_sizes_and_source(self):
        info = self.client.info()
        self.assertEqual(info["hz"], 1000000000)
        self.assertEqual(info["workers"], 3)
        self.assertEqual(info["start_ns"], 4711)
        self.assertEqual(info["now_ns"], NOW_NS)
        self.assertEqual(info["host_timeout_ns"], 900 * 10**9)
        self.assertEqual(info["software"], "tcsniff test")
        self.assertEqual(info["source"], "made up")

    def test_count(self):
        self.assertEqual(self.client.count(), HOSTS)

    def test_all_hosts_then_overflow_and_forgotten(self):
        hosts = self.client.hosts()
        self.assertEqual([h["kind"] for h in hosts], [0] * HOSTS + [1, 2])
        self.assertEqual({h["ip"] for h in hosts[:HOSTS]}, {ip_of(n) for n in range(HOSTS)})
        self.assertIsNone(hosts[-1]["ip"])
        self.assertEqual(hosts[-2]["tcp"], (0, 7000001, 7000001000, 7000002, 7000002000))
        self.assertEqual(hosts[-1]["udp"], (0, 8000011, 8000011000, 8000012, 8000012000))
        self.assertEqual(hosts[-1]["forget_ns"], 0)

    def test_room_is_all_or_nothing(self):
        self.assertEqual(len(self.client.hosts(room=HOSTS + 2)), HOSTS + 2)
        self.assertEqual(self.refused(c.ENOMEM, c.HOSTS, room=HOSTS + 1).needed, HOSTS + 2)
        body = c.address_body(ip_of(1))
        self.assertEqual(len(self.client.conns(ip_of(1), room=CONNS)), CONNS)
        self.assertEqual(self.refused(c.ENOMEM, c.CONNS, body, room=CONNS - 1).needed, CONNS)
        self.assertEqual(self.client.count(), HOSTS)

    def test_one_host_of_either_family(self):
        for n in (2, 3):
            host = self.client.host(ip_of(n))
            first = 100 * n + 21
            self.assertEqual(host["ip"], ip_of(n))
            self.assertEqual(host["icmp"],
                             (0, first, 1000 * first, first + 1, 1000 * (first + 1)))
            self.assertEqual(host["last_ns"], NOW_NS - n)
            self.assertEqual(host["forget_ns"], NOW_NS - n + 900 * 10**9)
        busy = self.client.host(ip_of(1))
        self.assertEqual((busy["use"], busy["next_conn_id"], busy["forget_ns"]),
                         (1 + CONNS, CONNS, 0))

    def test_connections_by_ascending_id(self):
        conns = self.client.conns(ip_of(1))
        self.assertEqual([x["id"] for x in conns], list(range(CONNS)))
        for x in (conns[0], conns[77]):
            self.assertEqual((x["protocol"], x["class"], x["state"]), (6, "tcp", "established"))
            self.assertEqual(x["last_ns"], NOW_NS + x["id"])
            self.assertEqual(x["orig"][1:], (x["id"], x["id"] + 1, 100 * (x["id"] + 1)))
            self.assertEqual(x["reply"][1:], (x["id"] + 1, x["id"] + 2, 100 * (x["id"] + 2)))
            self.assertEqual(x["reply" if x["id"] & 1 else "orig"][0], ip_of(1))
        self.assertEqual(self.client.conns(ip_of(2)), [])

    def test_unknown_hosts(self):
        for number in (c.HOST, c.CONNS):
            for ip in ("203.0.113.9", "2001:db8::2", "::"):
                self.refused(c.ENOENT, number, c.address_body(ip))

    def test_statistics_are_the_sum_and_each_worker(self):
        stats = self.client.stats()
        self.assertEqual([s["worker"] for s in stats], [0xFFFFFFFF, 0, 1, 2])
        self.assertEqual(stats[0]["hosts"][:2], (HOSTS, HOSTS))
        self.assertEqual(stats[0]["ledger"][0], 5000)
        self.assertEqual([s["ledger"][1] for s in stats[1:]], [1, 1001, 2001])
        self.assertEqual(stats[1]["hosts"], (0, 0, 0, 0))
        self.assertIn("malformed_version", stats[1]["verdicts"])
        self.assertNotIn("ok", stats[1]["verdicts"])

    def test_the_top_by_every_key(self):
        ips = [ip_of(n) for n in range(HOSTS)]
        by_ip = sorted(ips, key=lambda ip: (ip.version, int(ip)))
        most = ips[::-1][:20]  # a host's counters grow with its number
        for key in range(6):
            self.assertEqual([h["ip"] for h in self.client.top(20, key)], most, key)
            self.assertEqual([h["ip"] for h in self.client.top(20, key, ascending=1)], ips[:20])
        for key in (6, 7):  # who has connections, then all others by address
            rest = [ip for ip in by_ip if key == 7 or ip != ip_of(1)]
            first = [ip_of(1)] if key == 6 else []
            self.assertEqual([h["ip"] for h in self.client.top(5, key)], (first + rest)[:5], key)
        self.assertEqual([h["ip"] for h in self.client.top(5, 8)], ips[:5])
        self.assertEqual([h["ip"] for h in self.client.top(5, 9)], by_ip[::-1][:5])
        self.assertEqual([h["ip"] for h in self.client.top(5, 9, ascending=1)], by_ip[:5])

    def test_a_row_of_the_top_is_the_host_and_more(self):
        (row,) = self.client.top(1, 0)
        host = self.client.host(ip_of(HOSTS - 1))
        self.assertEqual({k: row[k] for k in host}, host)
        self.assertEqual(row["matched"], HOSTS)
        self.assertEqual(set(row["rates"].values()), {(0, 0, 0, 0)})

    def test_more_rows_than_hosts(self):
        self.assertEqual(len(self.client.top(1024, 2)), HOSTS)

    def test_the_sample_has_its_figures_and_the_most_frequent_networks(self):
        sample = self.client.sample()
        self.assertEqual(sample["counters"], {name: 9000 + i for i, name in enumerate((
            "batches", "frames", "packets", "transit", "portless", "merged", "long",
            "longest_bytes", "repeatable", "repeated", "pairs", "half_tagged"))} | {"mtu": 1500})
        self.assertEqual(sample["nets"], [("198.51.%d.0/24" % i, 10 + i)
                                          for i in range(31, -1, -1)])

    def test_the_top_of_a_network(self):
        found = self.client.top(10, 2, net="10.0.1.0/24")
        self.assertEqual([h["ip"] for h in found], [ip_of(n) for n in range(510, 490, -2)])
        self.assertEqual(found[0]["matched"], 128)
        self.assertEqual([h["ip"] for h in self.client.top(10, 2, net="10.0.1.2/32")],
                         [ip_of(258)])
        self.assertEqual(self.client.top(1, 0, net="2001:db8::/33")[0]["matched"], HOSTS // 2)
        self.assertEqual(self.client.top(1, 0, net="0.0.0.0/0")[0]["matched"], HOSTS // 2)
        self.assertEqual(self.client.top(1, 0, net="203.0.113.0/25"), [])

    def test_what_makes_no_sense_at_the_top_is_refused(self):
        good = c.top_body(1, 0, net="10.0.0.0/9")
        self.client.ask(c.TOP, good)
        for at, value in ((0, 0), (1, 5), (4, 10), (5, 4), (6, 2), (7, 16), (8, 5), (8, 0),
                          (9, 33), (17, 64), (19, 1)):
            body = bytearray(good)
            body[at] = value
            self.refused(c.EINVAL, c.TOP, bytes(body))
        for length in (0, 24, 31, 33, 64):
            self.refused(c.EINVAL, c.TOP, good.ljust(64, b"\0")[:length])
        self.refused(c.EINVAL, c.TOP, c.top_body(0xFFFFFFFF, 0))
        self.assertEqual(len(self.client.ask(c.TOP, good[:10] + b"123456" + good[16:])), 1)

    def test_wrong_bodies_are_refused_and_the_connection_goes_on(self):
        self.refused(c.EINVAL, c.INFO, b"x")
        self.refused(c.EINVAL, c.HOST)
        self.refused(c.EINVAL, c.HOST, bytes(23))
        self.refused(c.EINVAL, c.CONNS, bytes(64))
        self.refused(c.EINVAL, c.HOST, bytes(16) + b"\x05" + bytes(7))
        for number in (0, 255, 264, 0xFFFFFFFF):
            self.refused(c.ENOSYS, number, bytes(10))
        self.assertEqual(self.client.count(), HOSTS)

    def test_a_body_beyond_measure_ends_the_connection(self):
        self.client.send(c.REQUEST.pack(c.MAGIC, c.VERSION, c.INFO, 0xFFFFFFFF, 0))
        with self.assertRaises(c.Refused) as caught:
            self.client.answer(c.INFO)
        self.assertEqual(caught.exception.status, c.EINVAL)
        with self.assertRaises((EOFError, ConnectionResetError)):
            self.client.receive(1)

    def test_other_versions_and_magics_are_told_ours(self):
        for magic, version in ((c.MAGIC, 3), (c.MAGIC, 0), (0x474554, 2)):
            with c.Client(self.path) as other:
                other.send(struct.pack("<IIII", magic, version, 999, 0))
                with self.assertRaises(c.Refused) as caught:
                    other.answer(999)
                self.assertEqual(caught.exception.status, c.EPROTO)
                self.assertEqual(c.info_of(caught.exception.body)["version"], 2)
                with self.assertRaises((EOFError, ConnectionResetError)):
                    other.receive(1)

    def test_the_example_of_the_document(self):
        self.client.send(bytes.fromhex("7a777300 02000000 03010000 18000000 0000000000000000"
                                       "c0000201 00000000 00000000 00000000 04 00000000000000"))
        self.assertEqual(self.client.receive(40), bytes.fromhex(
            "7a777300 02000000 03010000 02000000 00000000 e0000000 00000000 00000000"
            "0000000000000000"))


unittest.main()
