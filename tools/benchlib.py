# SPDX-License-Identifier: BSD-2-Clause
#
# benchlib.py - what bench and its neighbours have in common: traces, and the CPU
# time of a command with all its processes, on one CPU.

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
TOUCHED = "3G"  # before each program: memory that was never used is slow at first

# Hosts, connections at once and peers; the floor's arguments, which follow from these.
TRACES = {
    "A": (4000, 200000, 1000000, []),
    "B": (500000, 2000000, 1000000, ["23", "19"]),
    "C": (200, 1000, 200, ["16", "8"]),
}
# Plain Ethernet, every frame with its IP addresses where the floor looks for them.
TRAFFIC = ("--rate", "1M", "--snaplen", "128", "--longest", "5000", "--flat", "--tcp", "85",
           "--udp", "13", "--icmp", "1.5", "--ipv6", "15", "--sizes", "64:3,576:1,1500:2",
           "--internal", "0", "--transit", "0", "--vlan", "0", "--qinq", "0", "--fragments", "0",
           "--not-ip", "0", "--malformed", "0")
TABLES = ("--max-flows", "4000000", "--max-hosts", "1000000")


def program(build, path):
    found = os.path.join(os.path.abspath(build), path)
    if not os.access(found, os.X_OK):
        sys.exit("%s: %s is no build directory: it has no %s" % (
            os.path.basename(sys.argv[0]), build, path))
    return found


def tcsniff(build, path, *options):
    return [program(build, "src/daemon/tcsniff"), "-r", path, "--quiet", *TABLES, *options]


def floor(build, name, path):
    return [program(build, "tests/bench/floor"), "host", path, *TRACES[name][3]]


def last_cpu(wanted=None):
    cpus = sorted(os.sched_getaffinity(0))
    return wanted if wanted in cpus else cpus[-1]


def run_once(command, cpus, cwd=None, limit=1200):
    """CPU seconds of a command and all that it leaves behind, and seconds."""
    # Orphans become children of this process, so that it can wait for them.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=said, cwd=cwd,
                                   preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            sys.exit("%s did not end within %d s" % (" ".join(command), limit))
        took = time.monotonic() - begin
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        if status:
            said.seek(0)
            sys.exit("%s: exit %d: %s" % (" ".join(command), status,
                                          said.read().decode(errors="replace")))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took


def by_turns(build, commands, runs, cpus):
    """Medians of (CPU seconds, seconds) of each command, which take turns; memory is
    touched before each."""
    taken = {name: [] for name in commands}
    touch = [program(build, "tests/bench/bench"), "touch", TOUCHED]
    for _ in range(runs):
        for name, command in commands.items():
            subprocess.run(touch, check=True)
            taken[name].append(run_once(command, cpus))
    return {name: tuple(statistics.median(column) for column in zip(*rows))
            for name, rows in taken.items()}


def trace(build, folder, name, packets):
    """The path of a trace; it is made if it is not there."""
    path = os.path.join(folder, name + ".pcap")
    if not os.path.exists(path):
        hosts, flows, peers, _ = TRACES[name]
        subprocess.run([program(build, "tools/mktrace"), "--packets", str(packets), "--hosts",
                        str(hosts), "--flows", str(flows), "--peers", str(peers), *TRAFFIC, path],
                       check=True)
    return path


def packets_of(build, path):
    said = subprocess.run([program(build, "tests/bench/floor"), "walk", path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return int(said.split("packets=")[1].split()[0])
