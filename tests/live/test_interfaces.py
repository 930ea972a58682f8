#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_interfaces.py - interfaces that are not there, go, come back, are down, or
# hide bytes: what is said, and that capture goes on.
#
# usage: test_interfaces.py TCSNIFF TCTABLE

import os
import signal
import subprocess

import programs
from frames import plain
from netns import LIMIT, veth
from programs import LiveTest

AWAY = "192.0.2.9"


class Interfaces(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        self.frames = 0

    def cable(self):
        veth(self.left, "v1", self.right, "v2")

    def count(self, daemon, n=10):
        """So many more frames are sent and counted."""
        sender = self.sender(self.left, "v1")
        sender.send(*[plain("10.0.0.1", AWAY)] * n)
        self.frames += n
        daemon.wait_received(self.frames)
        self.assertEqual(daemon.host("10.0.0.1")["udp"]["tx"]["packets"], self.frames)

    def refused(self, *args):
        path = os.path.join(self.folder, "none")
        done = subprocess.run(self.right.command(programs.TCSNIFF, "--socket", path, *args),
                              capture_output=True, timeout=LIMIT, check=False, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_an_unknown_name_lists_those_there_are(self):
        self.cable()
        for name in ("eth7", "v", "v22", "a-name-that-is-far-too-long-for-one"):
            said = self.refused("-i", name)
            self.assertIn("'%s'" % name[:32], said)
            for there in ("lo", "v2", "any"):
                self.assertRegex(said, r"\b%s\b" % there)
        self.assertIn("'gone'", self.refused("-i", "v2", "-i", "gone"))
        self.assertIn("any", self.refused("-i", "any", "-i", "v2"))

    # --- down and up, gone and back ---

    def check_down_and_up(self, *args):
        self.cable()
        self.right.ip("link", "set", "v2", "down")
        daemon = self.tcsniff(self.right, "-i", "v2", *args)
        daemon.wait_said("interface v2 is down; waiting")
        for _ in range(2):
            self.right.ip("link", "set", "v2", "up")
            daemon.wait_said("interface v2 is up; capture goes on")
            self.count(daemon)
            said = len(daemon.said())
            self.right.ip("link", "set", "v2", "down")
            self.wait_said_after(daemon, said, "interface v2 is down; waiting")
        self.assertEqual(daemon.stop()[0], 0)

    @staticmethod
    def wait_said_after(daemon, at, words):
        programs.wait_until(lambda: daemon.said()[at:], lambda: words in daemon.said()[at:])

    def check_gone_and_back(self, *args):
        self.cable()
        daemon = self.tcsniff(self.right, "-i", "v2", "--fanout", "2", *args)
        self.count(daemon)
        for _ in range(2):
            said = len(daemon.said())
            self.right.ip("link", "del", "v2")
            self.wait_said_after(daemon, said, "interface v2 is gone; waiting")
            said = len(daemon.said())
            self.right.ip("link", "add", "other", "type", "bridge")  # so its index is another
            self.right.ip("link", "del", "other")
            self.cable()
            self.wait_said_after(daemon, said, "interface v2 is back")
            self.wait_up(daemon, said)
            self.count(daemon)
        self.assertEqual(daemon.stop()[0], 0)

    @staticmethod
    def wait_up(daemon, at):
        programs.wait_until(lambda: daemon.said()[at:],
                            lambda: "capture goes on" in daemon.said()[at:])

    def test_down_and_up(self):
        self.check_down_and_up()

    def test_down_and_up_with_a_filter(self):
        self.check_down_and_up("udp port 4000")

    def test_gone_and_back(self):
        self.check_gone_and_back()

    def test_gone_and_back_with_a_filter(self):
        self.check_gone_and_back("udp port 4000")

    def test_gone_and_back_unseen(self):
        """Made anew before it could be looked at."""
        self.cable()
        daemon = self.tcsniff(self.right, "-i", "v2")
        self.count(daemon)
        daemon.process.send_signal(signal.SIGSTOP)
        self.right.ip("link", "del", "v2")
        self.right.ip("link", "add", "other", "type", "bridge")
        self.right.ip("link", "del", "other")
        self.cable()
        daemon.process.send_signal(signal.SIGCONT)
        daemon.wait_said("capture goes on")
        self.count(daemon)

    def test_renamed_is_gone_and_its_old_name_is_waited_for(self):
        self.cable()
        daemon = self.tcsniff(self.right, "-i", "v2")
        self.count(daemon)
        self.right.ip("link", "set", "v2", "down")
        daemon.wait_said("interface v2 is down")
        self.right.ip("link", "set", "v2", "name", "w2")
        daemon.wait_said("interface v2 is gone; waiting")
        self.right.ip("link", "set", "w2", "up")
        self.sender(self.left, "v1").send(plain("10.0.0.1", AWAY))  # into w2
        said = len(daemon.said())
        self.right.ip("link", "set", "w2", "down")
        self.right.ip("link", "set", "w2", "name", "v2")
        self.right.ip("link", "set", "v2", "up")
        self.wait_up(daemon, said)
        self.count(daemon)

    def test_one_of_two_goes_and_the_other_is_not_disturbed(self):
        self.cable()
        veth(self.left, "u1", self.right, "u2")
        daemon = self.tcsniff(self.right, "-i", "v2", "-i", "u2")
        self.count(daemon)
        self.right.ip("link", "del", "u2")
        daemon.wait_said("interface u2 is gone; waiting")
        self.count(daemon)
        veth(self.left, "u1", self.right, "u2")
        daemon.wait_said("interface u2 is back")
        self.count(daemon)
        self.sender(self.left, "u1").send(*[plain("10.0.0.2", AWAY)] * 5)
        daemon.wait_received(self.frames + 5)

    def test_any_takes_what_comes_later(self):
        for args in ([], ["udp port 4000"]):
            daemon = self.tcsniff(self.right, "-i", "any", *args)
            self.frames = 0
            self.cable()
            self.count(daemon)
            self.right.ip("link", "del", "v2")
            self.assertEqual(daemon.stop()[0], 0)

    def test_a_filter_needs_one_interface_that_is_up(self):
        self.right.ip("link", "set", "lo", "down")
        self.assertIn("not up", self.refused("-i", "any", "udp"))
        self.assertIn("not up", self.refused("-i", "lo", "udp"))

    def test_back_it_is_promiscuous_if_that_is_still_allowed(self):
        """By then the right to ask for it has been given up: it is said, unless
        it can be had otherwise."""
        self.cable()
        daemon = self.tcsniff(self.right, "-i", "v2")
        self.right.ip("link", "del", "v2")
        daemon.wait_said("interface v2 is gone")
        self.cable()
        daemon.wait_said("interface v2 is back")
        self.count(daemon)
        if not self.right.is_promisc("v2"):
            daemon.wait_said("cannot make v2 promiscuous")

    # --- hidden bytes ---

    def test_a_small_mtu_is_warned_of(self):
        self.cable()
        daemon = self.tcsniff(self.right, "-i", "v2")
        self.assertNotIn("MTU", daemon.said())
        self.right.ip("link", "set", "v2", "mtu", 1400)
        daemon = self.tcsniff(self.right, "-i", "v2")
        self.assertIn("v2 has an MTU of 1400", daemon.said())

    def test_a_low_snaplen_is_warned_of(self):
        self.cable()
        daemon = self.tcsniff(self.right, "-i", "v2", "--snaplen", "128")
        self.assertNotIn("snaplen", daemon.said())
        daemon = self.tcsniff(self.right, "-i", "v2", "--snaplen", "64")
        self.assertIn("--snaplen 64 may cut", daemon.said())
        self.count(daemon)


if __name__ == "__main__":
    programs.main()
