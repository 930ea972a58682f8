#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
test_replay_mutated.py - tcsniff and read_capture.py on frames that were damaged.

usage: test_replay_mutated.py TCSNIFF [SEED [ROUNDS]]

Takes frames of all captures that are there, of every link type, damages headers by
chance and cuts some, writes them as pcap files, and compares the two readers' accounts,
and those of one worker and of four. Where they differ, the first frame by which they do
is told.
"""
import collections
import os
import random
import struct
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))

import accounts  # noqa: E402
import read_capture  # noqa: E402

FRAMES_PER_CAPTURE = 300
FRAMES_PER_FILE = 4000
SEED, ROUNDS = 20100602, 4
# Values that mean something in one header or another.
TELLING = (0, 1, 4, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132, 0x40, 0x45, 0x46, 0x4F, 0x60, 0x65,
           0x81, 0x88, 0x91, 0x08, 0xDD, 0x86, 0x47, 0x64, 0x21, 0x57, 0xFF, 0xA8, 0x7F, 0xE0)


def captures():
    folders = [os.path.join(ROOT, "pcaps"), accounts.captures_folder()]
    return [os.path.join(f, n) for f in folders if f for n in sorted(os.listdir(f))
            if ".pcap" in n]


def frames_by_link():
    found = collections.defaultdict(list)
    for path in captures():
        try:
            for n, frame in enumerate(read_capture.frames_of(path)):
                if n == FRAMES_PER_CAPTURE:
                    break
                found[frame.link].append(frame)
        except read_capture.Cut:
            pass
    return found


def damaged(chance, frame):
    """(captured bytes, wire length) of a frame after some accidents."""
    data, wire = bytearray(frame.data[:160]), frame.wire
    reach = min(len(data), chance.choice((4, 16, 24, 60, 100)))
    for _ in range(chance.randrange(4) if reach else 0):
        at = chance.randrange(reach)
        if chance.random() < 0.7:
            data[at] = chance.choice(TELLING)
        else:
            data[at] ^= 1 << chance.randrange(8)
    if chance.random() < 0.2:
        data = data[:chance.randrange(len(data) + 1)]
    if chance.random() < 0.2:
        wire = max(0, wire + chance.randrange(-30, 10))
    return bytes(data), wire


def write(path, link, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
        for n, (data, wire) in enumerate(frames):
            f.write(struct.pack("<IIII", 1000 + n // 1000, n % 1000, len(data), wire) + data)


def differences(tcsniff, path):
    faults = []
    for inner_all in (False, True):
        want, _ = read_capture.read([path], inner_all)
        options = ["--inner", "all"] if inner_all else []
        run = accounts.Run(tcsniff, [path], *options)
        if run.account is None or run.status:
            return ["exit status %d: %s" % (run.status, run.said)]
        faults += accounts.identity_faults(run.account)
        faults += accounts.account_faults(want, run.account)
        if accounts.Run(tcsniff, [path], "--fanout", "4", *options).text != run.text:
            faults.append("4 workers print otherwise than one")
    return faults


def first_guilty(tcsniff, path, link, frames):
    """The first frame by which the readers differ, as hexadecimal digits."""
    low, high = 0, len(frames)  # the first `low` frames are innocent, `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        write(path, link, frames[:middle])
        if differences(tcsniff, path):
            high = middle
        else:
            low = middle
    data, wire = frames[high - 1]
    return "frame of %d bytes on the wire: %s" % (wire, data.hex())


def main(args):
    if not args or args[0].startswith("-") or len(args) > 3:
        return accounts.usage(__doc__)
    seed = int(args[1]) if args[1:] else SEED
    rounds = int(args[2]) if args[2:] else ROUNDS
    tally = accounts.Tally()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "damaged.pcap")
        for link, originals in sorted(frames_by_link().items()):
            for turn in range(rounds):
                chance = random.Random(seed * 1000 + turn)
                frames = [damaged(chance, chance.choice(originals))
                          for _ in range(FRAMES_PER_FILE)]
                write(path, link, frames)
                faults = differences(args[0], path)
                if faults:
                    faults.append(first_guilty(args[0], path, link, frames))
                tally.note("link type %d, seed %d" % (link, seed * 1000 + turn), faults)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
