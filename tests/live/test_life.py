#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_life.py - how a daemon starts, what it may do then, what it costs while
# there is nothing to do, and how it ends.
#
# usage: test_life.py TCSNIFF TCTABLE

import os
import pwd
import shutil
import signal
import struct
import subprocess
import time

import frames
import programs
from frames import ethernet, ipv4, plain
from netns import LIMIT, veth, wait_until
from programs import LiveTest, threads

AWAY = "192.0.2.9"


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ping(src, dst):
    return ethernet(frames.IPV4, ipv4(src, dst, 1, struct.pack(">BBHHH", 8, 0, 0xF7FD, 1, 1)))


class Life(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")

    def start(self, *args, **kwargs):
        return self.tcsniff(self.right, "-i", "v2", *args, **kwargs)

    def refused(self, *args, command=()):
        """A start that fails; what it says."""
        path = os.path.join(self.folder, "refused")
        args = ["-i", "v2", "--socket", path, *args]
        done = subprocess.run(self.right.command(*command or [programs.TCSNIFF], *args),
                              capture_output=True, timeout=LIMIT, check=False, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    # --- privileges ---

    def assert_powerless(self, daemon, user):
        uid, gid = pwd.getpwnam(user)[2:4]
        for name, status in threads(daemon.pid):
            with self.subTest(thread=name):
                self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
                self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
                self.assertIn(status["Groups"].split(), ([], [str(gid)]))
                for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                    self.assertEqual(int(status[kind], 16), 0, kind)
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(status["Seccomp"], "2")
        # Its own filter and the process's, as soon as each thread has begun; a sanitizer's
        # thread has but the latter.
        alone = 1 if programs.SANITIZER == "thread" else 0
        wait_until("a filter for every thread", lambda: alone >= sum(
            status.get("Seccomp_filters", "2") != "2" for _, status in threads(daemon.pid)))

    def test_nothing_is_left_of_its_privileges(self):
        try:
            user = pwd.getpwnam("tcsniff").pw_name
        except KeyError:
            user = "nobody"
        self.assert_powerless(self.start("--fanout", "2"), user)
        self.assert_powerless(self.start("--user", "daemon"), "daemon")
        self.assertIn("no-such-user", self.refused("--user", "no-such-user"))

    def test_without_the_sandbox_only_privileges_are_gone(self):
        daemon = self.start("--no-sandbox")
        for name, status in threads(daemon.pid):
            with self.subTest(thread=name):
                self.assertEqual(status["Seccomp"], "0")
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(int(status["CapEff"], 16), 0)
        self.out.send(*[plain("10.0.0.1", AWAY)] * 10)
        daemon.wait_received(10)

    def test_capabilities_are_enough_and_necessary(self):
        program = shutil.copy(programs.TCSNIFF, self.folder)
        nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        said = self.refused(command=nobody + [program])
        self.assertIn("CAP_NET_RAW", said)
        daemon = self.start(command=nobody + [
            "--inh-caps", "+net_raw,+net_admin", "--ambient-caps", "+net_raw,+net_admin", program])
        self.assertTrue(self.right.is_promisc("v2"))
        self.out.send(*[plain("10.0.0.1", AWAY)] * 10)
        daemon.wait_received(10)
        for name, status in threads(daemon.pid):
            with self.subTest(thread=name):
                self.assertEqual(status["NoNewPrivs"], "1")
                for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(status[kind], 16), 0, kind)

    # --- threads ---

    def test_threads_have_names_and_cpus(self):
        cpus = sorted(os.sched_getaffinity(0))
        first, last = cpus[0], cpus[-1]
        daemon = self.start("--fanout", "3", "--cpus", "%d,%d" % (last, first))
        names = {"tcsniff", "query", "worker-0", "worker-1", "worker-2"}  # once each has begun
        wait_until("names", lambda: names <= {name for name, _ in threads(daemon.pid)})
        allowed = {name: status["Cpus_allowed_list"] for name, status in threads(daemon.pid)}
        self.assertEqual({n: c for n, c in allowed.items() if n.startswith("worker-")},
                         {"worker-0": str(last), "worker-1": str(first), "worker-2": str(last)})
        absent = max(cpus) + 1
        self.assertIn("CPU %d" % absent, self.refused("--cpus", str(absent)))

    def test_idle_it_costs_nothing_worth_measuring(self):
        daemon = self.start("--fanout", "2")
        self.out.send(plain("10.0.0.1", AWAY))
        daemon.wait_received(1)
        begin, spent = time.monotonic(), cpu_seconds(daemon.pid)
        time.sleep(5)
        spent = cpu_seconds(daemon.pid) - spent
        self.assertLess(spent, 0.01 * (time.monotonic() - begin))

    def test_a_silent_link_ages_connections(self):
        daemon = self.start("--timeout", "icmp=2s", "--fanout", "2")
        self.out.send(ping("10.0.0.1", AWAY), ping("10.0.0.2", AWAY))
        daemon.wait_received(2)
        begin = time.monotonic()
        self.assertEqual(len(daemon.connections("10.0.0.1")), 1)
        self.assertEqual(daemon.host("10.0.0.1")["icmp"]["conns"], 1)
        wait_until("no connections", lambda: not any(
            daemon.connections(ip) for ip in ("10.0.0.1", "10.0.0.2")), 4)
        self.assertGreater(time.monotonic() - begin, 1)
        self.assertEqual(daemon.host("10.0.0.1")["icmp"]["conns"], 0)
        self.assertEqual(daemon.host("10.0.0.1")["icmp"]["tx"]["packets"], 1)

    # --- ends ---

    def test_signals_end_it_within_a_second(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            daemon = self.start("--fanout", "2")
            self.assertEqual(daemon.noted(), ["READY=1"])
            self.out.send(*[plain("10.0.0.1", AWAY)] * 7)
            daemon.wait_received(7)
            status, said, seconds = daemon.stop(number)
            self.assertEqual(status, 0, said)
            self.assertLess(seconds, 1)
            self.assertRegex(said, r"received +7\b")
            self.assertEqual(daemon.noted(), ["READY=1", "STOPPING=1"])

    def test_after_kill_it_starts_again(self):
        path = os.path.join(self.folder, "sock")
        for _ in range(2):
            daemon = self.start(socket_path=path)
            daemon.stop(signal.SIGKILL)
            self.assertTrue(os.path.exists(path))
            self.assertFalse(self.right.is_promisc("v2"))
        daemon = self.start(socket_path=path)
        self.out.send(plain("10.0.0.1", AWAY))
        daemon.wait_received(1)

    # --- several ---

    def test_a_second_one_on_the_same_socket_is_refused(self):
        path = os.path.join(self.folder, "sock")
        daemon = self.start(socket_path=path)
        said = self.refused("--socket", path)
        self.assertIn("already running", said)
        self.assertIn(path, said)
        self.out.send(plain("10.0.0.1", AWAY))
        daemon.wait_received(1)

    def test_two_on_one_interface_both_see_everything(self):
        both = [self.start("--fanout", n) for n in ("1", "2", "2")]
        for i in range(100):
            self.out.send(plain("10.0.0.%d" % (i % 30 + 1), AWAY))
        for daemon in both:
            daemon.wait_received(100)

    def test_two_of_one_group_share(self):
        both = [self.start("--fanout-group", "77", "--fanout", "2") for _ in range(2)]
        for i in range(300):
            self.out.send(plain("10.0.0.%d" % (i % 30 + 1), AWAY))
        wait_until(lambda: [d.received() for d in both],
                   lambda: sum(d.received() for d in both) == 300)
        hosts = [{h["ip"] for h in d.ask("-a")["hosts"]} for d in both]
        self.assertFalse(hosts[0] & hosts[1])
        self.assertEqual(len(hosts[0] | hosts[1]), 30)
        self.assertTrue(all(hosts))
        both[0].stop()  # the other has it all now
        before = both[1].received()
        self.out.send(*[plain("10.0.0.%d" % (i + 1), AWAY) for i in range(30)])
        both[1].wait_received(before + 30)


if __name__ == "__main__":
    programs.main("setpriv")
