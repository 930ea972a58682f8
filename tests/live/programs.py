# SPDX-License-Identifier: BSD-2-Clause
#
# programs.py - the programs of a live test: tcsniff and tctable, tcpdump,
# clients and servers.
#
# usage: test_*.py TCSNIFF TCTABLE [unittest's options]

import contextlib
import http.server
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import netns
from netns import LIMIT, wait_until

TCSNIFF = TCTABLE = None
CLASSES = ("tcp", "udp", "icmp", "other")

SANITIZER = os.environ.get("TCSNIFF_SANITIZER")  # what it was built with
SLOWER = 4 if SANITIZER else 1  # so many times

# So that nothing ends or is forgotten while it is being compared.
FOREVER = ["--host-timeout", "0"] + [arg for name in (
    "tcp-syn-sent", "tcp-syn-recv", "tcp-established", "tcp-fin-wait", "tcp-close-wait",
    "tcp-last-ack", "tcp-time-wait", "tcp-close", "udp", "udp-stream", "icmp", "other")
    for arg in ("--timeout", name + "=1d")]


def main(*tools):
    """A test file's last line. tools: programs that it needs."""
    global TCSNIFF, TCTABLE
    TCSNIFF, TCTABLE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    netns.require(*tools)
    unittest.main(verbosity=1)


class Tcsniff:
    """A running tcsniff. Ready, when this returns."""

    def __init__(self, ns, folder, *args, socket_path=None, command=None):
        self.ns = ns
        self.socket = socket_path or tempfile.mktemp(prefix="sock-", dir=folder)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_path = tempfile.mktemp(prefix="notify-", dir=folder)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o777)
        self.notify.settimeout(0.05)
        self.notes = []
        self.errors = open(tempfile.mktemp(prefix="stderr-", dir=folder), "w+b")
        self.out = open(tempfile.mktemp(prefix="stdout-", dir=folder), "w+b")
        self.process = subprocess.Popen(
            ns.command(*command or [TCSNIFF], "--socket", self.socket, *args),
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.errors,
            preexec_fn=netns.children_end_with_us,
            env=dict(os.environ, NOTIFY_SOCKET=notify_path))
        self.pid = self.process.pid
        try:
            wait_until(lambda: "READY=1; " + self.said(), self.is_ready)
        except AssertionError:
            self.close()
            raise

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("tcsniff ended with %d: %s" % (self.process.returncode,
                                                                self.said()))
        return "READY=1" in self.noted()

    def noted(self):
        """What it has told its service manager."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.notes.append(self.notify.recv(256).decode())
        return self.notes

    def said(self):
        """Its standard error so far."""
        with open(self.errors.name, encoding="utf-8") as f:
            return f.read()

    def ask(self, *args):
        """tctable's answer."""
        done = subprocess.run([TCTABLE, *args, "--json", "--socket", self.socket],
                              capture_output=True, timeout=LIMIT, check=False)
        if done.returncode:
            raise AssertionError("tctable %s: exit %d: %s; tcsniff: %s" % (
                " ".join(args), done.returncode, done.stderr.decode(), self.said()))
        return json.loads(done.stdout)

    def host(self, ip):
        return self.ask("-d", ip)

    def connections(self, ip):
        return self.ask("-s", ip)["connections"]

    def received(self):
        return self.ask("-S")["total"]["ledger"]["received"]

    def wait_received(self, n):
        """Until that many frames are in the books, and no more."""
        wait_until(lambda: "%d frames; received %d; %s" % (n, self.received(), self.said()),
                   lambda: self.received() >= n)
        if self.received() != n:
            raise AssertionError("%d frames received, not %d" % (self.received(), n))

    def wait_said(self, words):
        wait_until(lambda: "'%s' in: %s" % (words, self.said()), lambda: words in self.said())

    def stop(self, number=signal.SIGTERM):
        """Exit status, what it said, and how long that took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(LIMIT)
        return status, self.said(), time.monotonic() - begin

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        said = self.said()
        for f in (self.notify, self.errors, self.out):
            f.close()
        if "the sandbox refused" in said:
            raise AssertionError(said)


class Tcpdump:
    """tcpdump, writing what passes an interface to a file."""

    def __init__(self, ns, dev, folder, *args):
        self.path = tempfile.mktemp(prefix=dev + "-", suffix=".pcap", dir=folder)
        self.process = subprocess.Popen(
            ns.command("tcpdump", "-i", dev, "-s", "0", "-B", "65536", "-U", "-n", "-Z", "root",
                       "-w", self.path, *args),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            preexec_fn=netns.children_end_with_us)
        line = self.process.stderr.readline()
        if b"listening on" not in line:
            self.close()
            raise AssertionError("tcpdump: " + line.decode())

    def frames(self):
        """(length on the wire) of every whole record written so far."""
        with open(self.path, "rb") as f:
            data = f.read()
        at, lengths = 24, []
        while at + 16 <= len(data):
            caplen, wirelen = struct.unpack_from("<II", data, at + 8)
            at += 16 + caplen
            if at <= len(data):
                lengths.append(wirelen)
        return lengths

    def stop(self, frames):
        """When that many frames are written; none may have been dropped."""
        wait_until(lambda: "%d frames in tcpdump's file; %d" % (frames, len(self.frames())),
                   lambda: len(self.frames()) >= frames)
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=LIMIT)[1].decode()
        if "\n0 packets dropped by kernel" not in said:
            raise AssertionError("tcpdump: " + said)
        return self.path

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()


def books_of(path, *args):
    """What tcsniff makes of a file."""
    done = subprocess.run([TCSNIFF, "-r", path, "--json", *args], capture_output=True,
                          timeout=LIMIT, check=False)
    if done.returncode:
        raise AssertionError("tcsniff -r: exit %d: %s" % (done.returncode, done.stderr.decode()))
    return json.loads(done.stdout)


def threads(pid):
    """Name and /proc status of each thread."""
    out = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task), encoding="utf-8") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        out.append((status["Name"], status))
    return sorted(out, key=lambda t: t[0])


class LiveTest(unittest.TestCase):
    """Namespaces, programs and servers that end with the test."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tcsniff-live-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o777)  # tcsniff becomes another user

    def namespace(self, name):
        ns = netns.Namespace(name)
        self.addCleanup(ns.remove)
        return ns

    def tcsniff(self, ns, *args, **kwargs):
        daemon = Tcsniff(ns, self.folder, *args, **kwargs)
        self.addCleanup(daemon.close)
        return daemon

    def tcpdump(self, ns, dev, *args):
        dump = Tcpdump(ns, dev, self.folder, *args)
        self.addCleanup(dump.close)
        return dump

    def sender(self, ns, dev):
        sender = netns.Sender(ns, dev)
        self.addCleanup(sender.close)
        return sender

    def background(self, ns, *args):
        """A program that runs until the test ends."""
        process = subprocess.Popen(ns.command(*args), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=netns.children_end_with_us)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    # --- servers and clients ---

    def iperf3_server(self, ns, port=5201):
        self.background(ns, "iperf3", "-s", "-p", port)
        wait_until("iperf3 listens", lambda: ":%04X " % port in ns.run(
            "cat", "/proc/net/tcp", "/proc/net/tcp6", check=False))

    def http_server(self, ns, port=80, content=b"x" * 100000):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6  # and IPv4

            def handle_error(self, *_):
                """A client went away."""

        with ns.inside():
            server = Server(("::", port), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def udp_echo(self, ns, ip, port):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        with ns.inside():
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.bind((ip, port))
        s.settimeout(0.1)
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                with contextlib.suppress(TimeoutError, ConnectionError):
                    data, peer = s.recvfrom(65535)
                    s.sendto(data, peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(s.close)
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)

    def udp_ask(self, ns, ip, port, payload=b"?" * 30, times=1):
        """Asks a UDP server. False, if there is none (ICMP says so)."""
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        with ns.inside():
            s = socket.socket(family, socket.SOCK_DGRAM)
        with s:
            s.settimeout(5)
            s.connect((ip, port))
            for _ in range(times):
                s.send(payload)
                try:
                    self.assertEqual(s.recv(65535), payload)
                except ConnectionRefusedError:
                    return False
        return True

    # --- books ---

    def comparable(self, books):
        """Of a table of hosts what two readers of the same frames agree on."""
        keys = ("ip", "conns", "half_open", "next_conn_id", *CLASSES)
        ledger = dict(books["ledger"])
        del ledger["kernel_drops"], ledger["ring_freezes"]
        return {"ledger": ledger,
                "hosts": [{k: host[k] for k in keys} for host in books["hosts"]]}

    def assert_sums(self, books):
        """Every packet is on its hosts, once."""
        ledger = books["ledger"]
        rows = books["hosts"] + [books["overflow"], books["forgotten"]]
        for what in ("packets", "bytes"):
            total = sum(row[c][way][what] for row in rows for c in CLASSES for way in ("tx", "rx"))
            suffix = "_bytes" if what == "bytes" else ""
            self.assertEqual(total, ledger["counted" + suffix] + ledger["internal" + suffix])
        self.assertEqual(ledger["received"], sum(ledger[c] for c in (
            "counted", "transit", "not_ip", "malformed")))
