#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_hammer.py - eight clients ask without pause while three workers count,
# connections end and hosts are forgotten. Every answer must be a state that
# could have been. Built with ThreadSanitizer, this is its main course.
#
# usage: test_hammer.py TCSNIFF MKTRACE

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "query"))
import client as c  # noqa: E402

TCSNIFF, MKTRACE = sys.argv.pop(1), sys.argv.pop(1)
CLIENTS = 8
LIMIT = 100


class Asker(threading.Thread):
    """One client; `said` is what was wrong, or None."""

    def __init__(self, path, seed, done):
        super().__init__()
        self.path, self.random, self.done = path, random.Random(seed), done
        self.said, self.answers, self.received = None, 0, 0

    def run(self):
        try:
            with c.Client(self.path) as client:
                while not self.done.is_set():
                    self.ask(client)
                    self.answers += 1
        except Exception as e:  # pylint: disable=broad-except
            self.said = repr(e)

    def check(self, truth, *about):
        if not truth:
            raise AssertionError(about)

    def ask(self, client):
        what = self.random.randrange(4)
        if what == 0:
            self.check_ledgers(client.stats())
        elif what == 1:
            self.check(0 <= client.count() <= 400)
        else:
            hosts = client.hosts()
            self.check_hosts(hosts)
            ip = self.random.choice(hosts)["ip"]
            if ip is None:
                return
            try:
                self.check(client.host(ip)["ip"] == ip)
                self.check_conns(client.conns(ip), ip)
            except c.Refused as e:
                self.check(e.status == c.ENOENT, e)  # forgotten meanwhile

    def check_ledgers(self, stats):
        for s in stats:
            (received, counted, _, internal, _, tracked, *reasons, transit, not_ip, malformed, _,
             _) = s["ledger"]
            self.check(received == counted + transit + not_ip + malformed, s)
            self.check(counted == tracked + sum(reasons), s)
            self.check(internal <= counted, s)
        self.check(stats[0]["ledger"][0] >= self.received, stats[0], self.received)
        self.received = stats[0]["ledger"][0]

    def check_counter(self, packets, octets, about):
        # A packet has 20 bytes at least and, here, 1500 at most.
        self.check(20 * packets <= octets <= 1500 * packets, about)

    def check_hosts(self, hosts):
        self.check([h["kind"] for h in hosts][-2:] == [1, 2])
        ips = [h["ip"] for h in hosts[:-2]]
        self.check(len(ips) == len(set(ips)))
        for h in hosts:
            for name in c.CLASSES:
                _, tx, tx_bytes, rx, rx_bytes = h[name]
                self.check_counter(tx, tx_bytes, h)
                self.check_counter(rx, rx_bytes, h)

    def check_conns(self, conns, ip):
        ids = [x["id"] for x in conns]
        self.check(ids == sorted(set(ids)), ids)
        for x in conns:
            self.check(ip in (x["orig"][0], x["reply"][0]), x, ip)
            for _, _, packets, octets in (x["orig"], x["reply"]):
                self.check_counter(packets, octets, x)


class Hammer(unittest.TestCase):
    def test_answers_are_states_that_could_have_been(self):
        with tempfile.TemporaryDirectory() as folder:
            trace, sock = os.path.join(folder, "t.pcap"), os.path.join(folder, "s")
            expect = os.path.join(folder, "expect")
            subprocess.run([MKTRACE, "--packets", "600k", "--hosts", "300", "--flows", "2000",
                            "--span", "600s", "--sizes", "60:1,1500:1", "--expect", expect, trace],
                           check=True, timeout=LIMIT, stdout=subprocess.DEVNULL)
            daemon = subprocess.Popen([TCSNIFF, "-r", trace, "--fanout", "3", "--json", "--linger",
                                       "--speed", "120", "--host-timeout", "20", "--max-flows",
                                       "4000", "--timeout", "tcp-established=30", "--socket", sock],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(daemon.wait)
            self.addCleanup(daemon.kill)
            until = time.monotonic() + LIMIT
            while not os.path.exists(sock) and time.monotonic() < until:
                time.sleep(0.01)
            done = threading.Event()
            askers = [Asker(sock, seed, done) for seed in range(CLIENTS)]
            for a in askers:
                a.start()
            books = self.read_books(daemon.stdout)
            done.set()
            for a in askers:
                a.join()
            daemon.terminate()
            _, said = daemon.communicate(timeout=LIMIT)
        self.assertEqual(daemon.returncode, 0, said.decode()[-4000:])
        self.assertNotIn(b"Sanitizer", said)
        self.assertEqual([a.said for a in askers], [None] * CLIENTS)
        self.assertGreater(min(a.answers for a in askers), 0)
        self.check_books(books)
        print("%d answers" % sum(a.answers for a in askers))

    def read_books(self, stdout):
        """What it prints at the end of the file, before it lingers."""
        text = b""
        for line in stdout:
            text += line
            try:
                return json.loads(text)
            except ValueError:
                pass  # there is more
        self.fail("it has ended")

    def check_books(self, books):
        ledger = books["ledger"]
        self.assertEqual(ledger["received"], 600000)
        self.assertGreater(books["forgotten"]["tcp"]["tx"]["packets"], 0)
        for unit, internal in (("packets", "internal"), ("bytes", "internal_bytes")):
            total = sum(h[name][way][unit] for h in
                        books["hosts"] + [books["overflow"], books["forgotten"]]
                        for name in c.CLASSES for way in ("tx", "rx"))
            counted = ledger["counted" if unit == "packets" else "counted_bytes"]
            self.assertEqual(total, counted + ledger[internal])


if __name__ == "__main__":
    unittest.main(verbosity=1)
