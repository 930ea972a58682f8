#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_metrics.py - tctable metrics: as promtool reads them, served, and scraped by
# Prometheus.
#
# usage: test_metrics.py TCSNIFF TCTABLE; needs promtool, prometheus

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import test_tctable

ROOT = os.environ["TCSNIFF_ROOT"]
LIMIT = 60  # seconds


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, holds):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s" % (LIMIT, what))


def values(text):
    """A metric with its labels: its value."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if not line.startswith("#")}


class Metrics(test_tctable.Daemon):
    def ask_metrics(self, *args):
        done = subprocess.run([test_tctable.TCTABLE, "metrics", "--socket", self.socket, *args],
                              capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def serve(self, path=None, *args):
        address = "127.0.0.1:%d" % free_port()
        process = subprocess.Popen(
            [test_tctable.TCTABLE, "metrics", "--listen", address, "--socket",
             path or self.socket, *args], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.assertEqual(process.stderr.readline(),
                         "tctable: serving http://%s/metrics\n" % address)
        return address, process

    @staticmethod
    def get(address, path="/metrics"):
        with urllib.request.urlopen("http://%s%s" % (address, path), timeout=LIMIT) as reply:
            return reply.read().decode()

    def test_promtool_has_nothing_to_say(self):
        for args in ((), ("--top", "0"), ("--all-hosts", "--group", "/24,/64")):
            done = subprocess.run(["promtool", "check", "metrics"], input=self.ask_metrics(*args),
                                  capture_output=True, text=True, timeout=LIMIT, check=False)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), args)

    def test_they_are_the_books(self):
        v = values(self.ask_metrics("--group", "/8"))
        ledger = json.loads(self.ask("-S", "--json").stdout)["total"]["ledger"]
        self.assertEqual(v["tcsniff_up"], 1)
        for name in ("received", "counted", "tracked", "transit", "not_ip", "malformed"):
            self.assertEqual(v["tcsniff_%s_packets_total" % name], ledger[name], name)
        self.assertEqual(v["tcsniff_counted_bytes_total"], ledger["counted_bytes"])
        for reason, n in ledger["untracked"].items():
            self.assertEqual(v['tcsniff_untracked_packets_total{reason="%s"}' % reason], n)
        host = json.loads(self.ask("-d", test_tctable.PC, "--json").stdout)
        for way in ("tx", "rx"):
            for what in ("packets", "bytes"):
                self.assertEqual(
                    v['tcsniff_host_%s_total{ip="%s",direction="%s"}' % (
                        what, test_tctable.PC, way)],
                    sum(host[c][way][what] for c in ("tcp", "udp", "icmp", "other")))
                self.assertEqual(
                    v['tcsniff_class_%s_total{class="udp",direction="%s"}' % (what, way)],
                    host["udp"][way][what])
        self.assertEqual(v['tcsniff_network_hosts{network="192.0.0.0/8"}'], 2)
        self.assertEqual(v['tcsniff_host_connections{ip="10.0.0.7"}'], 2)
        self.assertEqual(v["tcsniff_hosts"], 4)

    def test_few_hosts_have_names_unless_all_are_asked_for(self):
        def hosts(*args):
            return re.findall(r'tcsniff_host_connections\{ip="(.*)"\}', self.ask_metrics(*args))

        self.assertEqual(hosts("--top", "1"), [test_tctable.PC])
        self.assertEqual(hosts("--top", "0"), [])
        self.assertEqual(len(hosts("--all-hosts")), 4)

    def test_served(self):
        address, process = self.serve(None, "--top", "2")
        text = self.get(address)
        self.assertEqual(text, self.ask_metrics("--top", "2"))
        self.assertIn("/metrics", self.get(address, "/"))
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.get(address, "/hosts")
        self.assertEqual(refused.exception.code, 404)
        refused.exception.close()
        connection = http.client.HTTPConnection(address, timeout=LIMIT)
        connection.request("POST", "/metrics", body=b"x")
        self.assertEqual(connection.getresponse().status, 405)
        connection.close()
        process.terminate()
        self.assertEqual(process.wait(LIMIT), 0)

    def test_a_daemon_that_goes_and_comes_back(self):
        path = self.socket + ".other"
        address, _ = self.serve(path)
        self.assertEqual(values(self.get(address)), {"tcsniff_up": 0})
        daemon = subprocess.Popen([test_tctable.TCSNIFF, "-r", self.trace, "--linger", "--socket",
                                   path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until("up", lambda: values(self.get(address))["tcsniff_up"] == 1)
        finally:
            daemon.kill()
            daemon.wait()
        self.assertEqual(values(self.get(address)), {"tcsniff_up": 0})

    def test_clients_that_only_connect_do_not_keep_others_out_for_long(self):
        address, process = self.serve()
        host, _, port = address.partition(":")
        idle = [socket.create_connection((host, int(port)), LIMIT) for _ in range(16)]

        def answers():
            try:
                return "tcsniff_up 1" in self.get(address)
            except (OSError, http.client.HTTPException):
                return False

        wait_until("an answer", answers)
        for s in idle:
            s.close()
        self.assertIsNone(process.poll())

    def test_a_crowd_that_has_gone_keeps_nobody_out(self):
        address, process = self.serve()
        host, _, port = address.partition(":")
        crowd = []
        for _ in range(400):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host, int(port)))
            crowd.append(s)
        for s in crowd:
            with contextlib.suppress(OSError):
                s.send(b"GET /metrics HTTP/1.1\r\nX: ")
        for s in crowd:
            s.close()

        def answers():
            try:
                return "tcsniff_up 1" in self.get(address)
            except (OSError, http.client.HTTPException):
                return False

        wait_until("an answer", answers)
        self.assertIsNone(process.poll())

    def test_wrong_usage(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        where = "127.0.0.1:%d" % taken.getsockname()[1]
        for args, status, says in (
                (("--listen", "9410"), 2, "--listen '9410': give an address and a port"),
                (("--listen", "localhost:9410"), 2, "--listen 'localhost:9410': give"),
                (("--listen", "::1:9410"), 2, "--listen '::1:9410': give"),
                (("--listen", "127.0.0.1:65536"), 2, "--listen '127.0.0.1:65536': give"),
                (("--listen", where), 1, "cannot listen on %s: Address already in use" % where),
                (("--listen",), 2, "metrics: --listen needs a value behind it"),
                (("--top", "1025"), 2, "--top '1025': give a number from 0 to 1024"),
                (("--group", "/33,/64"), 2, "--group '/33,/64': give the length"),
                (("--frobnicate",), 2, "metrics: --frobnicate: no such option"),
                (("now",), 2, "metrics: 'now': a word too many"),
                (("--socket", self.socket + ".none"), 3, "cannot connect to ")):
            done = subprocess.run([test_tctable.TCTABLE, "metrics", *args], capture_output=True,
                                  text=True, timeout=LIMIT, check=False)
            self.assertEqual(done.returncode, status, args)
            self.assertTrue(done.stderr.startswith("tctable: " + says), done.stderr)

    def test_prometheus_scrapes_them(self):
        address, _ = self.serve()
        own = "127.0.0.1:%d" % free_port()
        conf = os.path.join(self.scratch.name, "prometheus.yml")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("global: {scrape_interval: 1s}\nscrape_configs:\n"
                    "  - job_name: tcsniff\n    static_configs: [{targets: ['%s']}]\n" % address)
        process = subprocess.Popen(
            ["prometheus", "--config.file", conf, "--web.listen-address", own,
             "--storage.tsdb.path", os.path.join(self.scratch.name, "tsdb")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def value(metric):
            try:
                reply = json.loads(self.get(own, "/api/v1/query?query=" + metric))
            except OSError:
                return None
            result = reply["data"]["result"]
            return float(result[0]["value"][1]) if result else None

        wait_until("Prometheus has them", lambda: value("tcsniff_up") == 1)
        self.assertEqual(value("tcsniff_hosts"), 4)
        self.assertEqual(value("sum(tcsniff_class_packets_total)"), 18)

    def test_dashboard_names_what_there_is(self):
        text = self.ask_metrics("--group", "/24")
        path = os.path.join(ROOT, "contrib", "grafana", "tcsniff.json")
        with open(path, encoding="utf-8") as f:
            board = json.load(f)
        used = {name for panel in board["panels"] for target in panel["targets"]
                for name in re.findall(r"\btcsniff_\w+", target["expr"])}
        self.assertGreater(len(used), 10)
        self.assertLessEqual(used, set(re.findall(r"# TYPE (\w+)", text)))


if __name__ == "__main__":
    test_tctable.TCSNIFF, test_tctable.TCTABLE = (os.path.abspath(p) for p in sys.argv[1:3])
    for name in ("promtool", "prometheus"):
        if not shutil.which(name):
            print("needs %s: tools/install-packages test" % name)
            sys.exit(77)
    del sys.argv[1:3]
    unittest.main()
