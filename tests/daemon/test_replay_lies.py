#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_replay_lies.py - capture files that were made to harm: small ones that unpack to a
lot, lengths that no file has, blocks without end. They are read to their end or named
with what is wrong, in bounded memory and time.

usage: test_replay_lies.py TCSNIFF
"""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

TCSNIFF = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds
PLAIN_KB = 64 << 10  # whatever the file
BLOCK_KB = 400 << 10  # with the longest block there may be
BLOCK_MAX = 150994944
ZEROS = bytes(1 << 20)

PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
INTERFACE = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)


def zeros(n):
    for at in range(0, n, len(ZEROS)):
        yield ZEROS[:n - at]


def packet_block(length):
    """Of 60 bytes of a frame, the rest a comment."""
    yield struct.pack("<7I", 6, length, 0, 0, 0, 60, 60)
    yield from zeros(length - 32)
    yield struct.pack("<I", length)


class Lies(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tcsniff-lies-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "lie")

    def write(self, *parts):
        with open(self.path, "wb") as f:
            for part in parts:
                f.write(part)

    def write_gzip(self, *parts):
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        self.write(*(packer.compress(part) for part in parts), packer.flush())

    def read(self, most_kb=PLAIN_KB):
        """Exit status and standard error."""
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen([TCSNIFF, "-r", self.path, "--quiet"], stderr=errors,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            signal.signal(signal.SIGALRM, lambda *_: process.kill())
            signal.alarm(LIMIT)
            _, status, usage = os.wait4(process.pid, 0)
            signal.alarm(0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            said = errors.read()
        self.assertIn(process.returncode, (0, 1), said)
        self.assertLess(usage.ru_maxrss, most_kb)
        return process.returncode, said

    def is_refused(self, words):
        status, said = self.read()
        self.assertEqual(status, 1)
        self.assertIn(words, said)

    def test_gzip_of_half_a_gigabyte_of_empty_records(self):
        self.write_gzip(PCAP, *zeros(512 << 20))
        self.assertLess(os.path.getsize(self.path), 1 << 20)
        self.assertEqual(self.read()[0], 0)

    def test_gzip_of_nothing_else_than_zeros(self):
        self.write_gzip(*zeros(512 << 20))
        self.is_refused("is no capture file")

    def test_gzip_in_gzip_is_not_unpacked_twice(self):
        self.write_gzip(zlib.compressobj(9, zlib.DEFLATED, 31).flush())
        self.is_refused("is no capture file")

    @unittest.skipUnless(shutil.which("zstd"), "needs zstd")
    def test_zstd_that_wants_2_gigabytes_to_unpack(self):
        zstd = subprocess.Popen(["zstd", "-q", "-1", "--long=31", "-f", "-o", self.path],
                                stdin=subprocess.PIPE)
        for part in (PCAP, *zeros(256 << 20)):
            zstd.stdin.write(part)
        zstd.stdin.close()
        self.assertEqual(zstd.wait(LIMIT), 0)
        self.is_refused("requires too much memory")

    def test_record_of_2_gigabytes(self):
        self.write_gzip(PCAP, struct.pack("<4I", 1, 0, 0x7FFFFFFF, 0x7FFFFFFF), *zeros(64 << 20))
        self.is_refused("its length is 2147483647")

    def test_block_of_4_gigabytes(self):
        self.write(SECTION, INTERFACE, struct.pack("<II", 6, 0xFFFFFFF0), bytes(100))
        self.is_refused("its block's length is 4294967280")
        # Of a kind that nobody knows it is stepped over.
        self.write_gzip(SECTION, INTERFACE, struct.pack("<II", 0xBAD, 0xFFFFFFF0),
                        *zeros(256 << 20))
        self.is_refused("is behind a block of 4294967280 bytes that is cut")

    def test_blocks_that_do_not_move_on(self):
        for length in (0, 4, 8, 11, 12, 31):
            self.write(SECTION, INTERFACE, *[struct.pack("<III", 6, length, length)] * 1000)
            self.is_refused("its block's length is %d," % length)

    def test_more_interfaces_than_there_can_be(self):
        self.write(SECTION, INTERFACE * 70000)
        self.is_refused("more than 65536 interfaces")

    def test_half_a_million_sections(self):
        self.write((SECTION + INTERFACE) * 500000)
        self.assertEqual(self.read()[0], 0)

    def test_the_longest_blocks_in_a_small_file(self):
        self.write_gzip(SECTION, INTERFACE, *(part for _ in range(3)
                                              for part in packet_block(BLOCK_MAX)))
        self.assertLess(os.path.getsize(self.path), 1 << 20)
        status, said = self.read(BLOCK_KB)
        self.assertEqual(status, 0, said)


if __name__ == "__main__":
    unittest.main(verbosity=1)
