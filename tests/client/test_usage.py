#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_usage.py - tctable without tcsniff: its help, wrong usage (exit 2), sockets
# that nobody answers on (exit 3), and others than tcsniff that do (exit 4).
#
# usage: test_usage.py TCTABLE LIBTCTABLE

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

TCTABLE, LIBTCTABLE = None, None
NOBODY = 65534


def tctable(*args, program=None, **more):
    return subprocess.run([program or TCTABLE, *args], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL, **more)


class Usage(unittest.TestCase):
    def refused(self, *args, says):
        done = tctable(*args)
        self.assertEqual((done.returncode, done.stdout), (2, ""), args)
        first, hint = done.stderr.splitlines()
        self.assertEqual(first, "tctable: " + says)
        self.assertEqual(hint, "Try 'tctable --help'.")

    def test_help_tells_every_command_and_option(self):
        done = tctable("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, tctable("-h").stdout)
        for word in ("-i", "-c", "-a", "-d IP", "-s IP", "-S", "-p", "-t, top", "doctor",
                     "metrics", "--json", "--socket PATH", "NETWORK", "--sort KEY", "-n N",
                     "--group BITS", "--human", "--csv", "--names", "-w SECONDS", "--help",
                     "--version", "/run/tcsniff/tctable.sock"):
            self.assertRegex(done.stdout, r"(?m)^.*%s\b" % re.escape(word))

    def test_version_is_told(self):
        done = tctable("-V")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^tctable \d+\.\d+\.\d+\n$")
        self.assertEqual(tctable("--version").stdout, done.stdout)

    def test_nothing_asked(self):
        for args in ((), ("--json",), ("--socket", "x")):
            self.refused(*args, says="nothing is asked for; give a command, as in 'tctable -a'")

    def test_two_commands(self):
        self.refused("-a", "-c", says="-a and -c: give one command at a time")
        self.refused("-d", "10.0.0.1", "-s", "10.0.0.1",
                     says="-d and -s: give one command at a time")

    def test_no_address(self):
        for letter in "ds":
            self.refused("-" + letter, says="-%s needs an IP address behind it" % letter)
        self.refused("--socket", says="--socket needs a path behind it")
        self.refused("-a", "--socket", "", says="--socket '': give the path of a socket")

    def test_wrong_address(self):
        for text in ("", "10.0.0", "10.0.0.256", "10.0.0.1/8", "2001:db8::g", "fe80::1%eth0",
                     "example.org", "010.0.0.1", "1" * 64):
            self.refused("-d", text, says="-d '%s': not an IP address; write one like "
                                          "192.168.1.250 or 2001:db8::1" % text)

    def test_unknown_option(self):
        self.refused("-x", says="-x: no such option")
        self.refused("-ax", says="-x: no such option")
        self.refused("--jsno", says="--jsno: no such option, or it takes no value")
        self.refused("-a", "--json=1", says="--json=1: no such option, or it takes no value")

    def test_words_too_many(self):
        self.refused("10.0.0.1", says="'10.0.0.1': a word too many; an address goes behind -d "
                                      "or -s")
        self.refused("-a", "10.0.0.1", "10.0.0.2", says="'10.0.0.2': a word too many")
        self.refused("-c", "10.0.0.1", says="'10.0.0.1': a word too many")

    def test_networks_that_are_none(self):
        for text in ("", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0//8", "2001:db8::/129",
                     "lan", "1" * 64):
            self.refused("-a", text, says="'%s': not a network; write one like 10.0.0.0/8 or "
                                          "2001:db8::/32" % text)

    def test_list_options_say_what_is_wrong(self):
        for args, says in (
                (("--sort", "size"), "--sort 'size': give tx, rx, bytes, packets, conns, ip or "
                                     "last"),
                (("-n", "0"), "-n '0': give a number of rows from 1 on"),
                (("-n", "-5"), "-n '-5': give a number of rows from 1 on"),
                (("-w", "0"), "-w '0': give a time from 100ms to 1d, as in 5 or 500ms"),
                (("-w", "soon"), "-w 'soon': give a time from 100ms to 1d, as in 5 or 500ms"),
                (("--group", "/33,/64"), "--group '/33,/64': give the length of a prefix of IPv4 "
                                         "and of IPv6, as in /24,/64"),
                (("--group", "/24,/129"), "--group '/24,/129': give the length of a prefix of "
                                          "IPv4 and of IPv6, as in /24,/64"),
                (("--group", "/24,"), "--group '/24,': give the length of a prefix of IPv4 and "
                                      "of IPv6, as in /24,/64"),
                (("--csv", "--json"), "--human, --csv and --json: give one of them at most"),
                (("--names", "--group", "/8"), "--names and --group: networks have no names"),
                (("--sort",), "--sort needs a value behind it"),
                (("-w",), "-w needs a value behind it")):
            self.refused("-a", *args, says=says)
        self.refused("-c", "-n", "5", says="-n goes with -a alone")
        self.refused("-p", "--human", says="--human goes with -a alone")

    def test_closed_standard_output_is_a_failure(self):
        for args in ("--help", "--version"):
            done = subprocess.run([TCTABLE, args], stderr=subprocess.PIPE, text=True,
                                  stdin=subprocess.DEVNULL, timeout=60, check=False,
                                  preexec_fn=lambda: os.close(1))
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot write to standard output", done.stderr)


class Unreachable(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="tctable-")
        self.path = os.path.join(self.scratch.name, "t.sock")

    def tearDown(self):
        self.scratch.cleanup()

    def refused(self, *args, says, remedy, **more):
        done = tctable(*args, **more)
        self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)
        self.assertEqual(done.stderr.splitlines()[0], "tctable: " + says)
        self.assertIn(remedy, done.stderr.splitlines()[-1])

    def test_no_socket_tells_what_to_start(self):
        for args in (("-i",), ("-c",), ("-a",), ("-d", "10.0.0.1"), ("-s", "10.0.0.1"), ("-S",),
                     ("-p",), ("-a", "--json")):
            self.refused("--socket", self.path, *args,
                         says="cannot connect to %s: No such file or directory" % self.path,
                         remedy="tcsniff -r FILE --linger --socket PATH")

    def test_stale_socket(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path)
        self.refused("-c", "--socket", self.path,
                     says="cannot connect to %s: Connection refused" % self.path,
                     remedy="tcsniff -r FILE --linger --socket PATH")

    def test_path_that_is_too_long(self):
        long = "/" + "x" * 150
        done = tctable("-c", "--socket", long)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(done.stderr, "tctable: cannot connect to %s...: the path of a socket "
                                      "has at most 107 bytes\n" % long[:128])

    def test_socket_without_permission(self):
        program, more = TCTABLE, {}
        if os.geteuid() == 0:
            # Copies, where somebody else can reach them.
            program = shutil.copy(TCTABLE, os.path.join(self.scratch.name, "tctable"))
            library = shutil.copy(LIBTCTABLE, os.path.join(self.scratch.name,
                                                           "libtctable.so.0"))
            for path in (self.scratch.name, program, library):
                os.chmod(path, 0o755)
            more = {"user": NOBODY, "group": NOBODY, "extra_groups": [],
                    "env": dict(os.environ, LD_LIBRARY_PATH=self.scratch.name)}
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path)
            s.listen()
            os.chmod(self.path, 0)
            self.refused("-c", "--socket", self.path, program=program,
                         says="cannot connect to %s: Permission denied" % self.path,
                         remedy="lack the permission", **more)


MAGIC, VERSION, INFO = 0x0073777a, 2, 256
SIZES = (224, 120, 3304, 352)  # of the records: host, connection, statistics, info


def info_reply(version=VERSION, sizes=SIZES, software=b"tcsniff 0.1.0", source=b"lan.pcap"):
    """The reply to the request that every connection begins with."""
    record = struct.pack("<7II3Q32s256sQ", MAGIC, version, 10 ** 9, *sizes, 1, 5, 6, 7, software,
                         source, 0)
    return struct.pack("<8IQ", MAGIC, VERSION, INFO, 0, len(record), len(record), 1, 0,
                       0) + record


class OtherDaemon(unittest.TestCase):
    """Something answers, which is not the tcsniff that was expected."""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="tctable-")
        self.path = os.path.join(self.scratch.name, "t.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = None

    def tearDown(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        if self.thread:
            self.thread.join()
        self.listener.close()
        self.scratch.cleanup()

    def ask(self, reply, *args):
        """tctable's end when each of its requests is answered by `reply`."""
        def serve():
            while True:
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        while connection.recv(4096) and reply:
                            connection.sendall(reply)
                    except OSError:
                        pass

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        return tctable("--socket", self.path, *args)

    def test_other_version_exits_4(self):
        done = self.ask(struct.pack("<4I", MAGIC, 3, INFO, 0), "-a")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertRegex(done.stderr, r"^tctable: Version mismatch! .*version 2 .*version 3 ")

    def test_other_magic_exits_4(self):
        done = self.ask(b"SSH-2.0-OpenSSH_9.2\r\n", "-a")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertRegex(done.stderr, r"^tctable: Version mismatch! .*0x0073777a.*0x2d485353")

    def test_other_sizes_of_records_exit_4(self):
        for i in range(4):
            sizes = SIZES[:i] + (SIZES[i] + 8,) + SIZES[i + 1:]
            with self.subTest(sizes=sizes):
                done = self.ask(info_reply(sizes=sizes), "-c")
                self.assertEqual((done.returncode, done.stdout), (4, ""))
                self.assertRegex(done.stderr, r"^tctable: Version mismatch! .*\b%d\b.*\b%d\b" % (
                    SIZES[i], sizes[i]))
                self.tearDown()
                self.setUp()

    def test_closed_connection_exits_3(self):
        done = self.ask(b"", "-c")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("closed the connection", done.stderr)

    def test_senseless_reply_exits_1(self):
        done = self.ask(info_reply(), "-c")  # greets, and answers the count with it, too
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("makes no sense", done.stderr)

    def test_info_is_json_whatever_the_texts_hold(self):
        hostile = b'a"b\\c\x00'.rstrip(b"\0") + b"\x1b[2J\n\xff\xc3\xa9\xed\xa0\x80\x7f"
        done = self.ask(info_reply(software=hostile, source=b'","x":"' * 36), "-i", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        info = json.loads(done.stdout)
        self.assertEqual(list(info), ["version", "hz", "record_sizes", "software", "start_ns",
                                      "now_ns", "host_timeout_ns", "source", "workers",
                                      "live", "segments", "direction", "findings"])
        bad = "\ufffd"
        self.assertEqual(info["software"], 'a"b\\c' + bad + "[2J" + bad + bad + "\u00e9"
                         + bad * 3 + bad)
        self.assertEqual(info["source"], '","x":"' * 36)
        self.assertEqual(info["record_sizes"], dict(zip(
            ("host", "connection", "stats", "info"), SIZES)))


if __name__ == "__main__":
    TCTABLE, LIBTCTABLE = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
