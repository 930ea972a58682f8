#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_config_reload.py - SIGHUP on a live capture: what changes, what does not,
# and that no counter is lost by it.
#
# usage: test_config_reload.py TCSNIFF TCTABLE

import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ.get("TCSNIFF_ROOT", "."), "tests", "live"))

import programs  # noqa: E402
from frames import plain  # noqa: E402
from netns import veth, wait_until  # noqa: E402
from programs import LiveTest  # noqa: E402


class Reload(LiveTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.namespace("left"), self.namespace("right")
        veth(self.left, "v1", self.right, "v2")
        self.out = self.sender(self.left, "v1")
        self.path = os.path.join(self.folder, "tcsniff.conf")
        self.reloads = 0

    def write(self, *lines):
        """As editors do it: a new file takes the old one's place."""
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write("interface = v2\nfilter = udp\n" + "".join(line + "\n" for line in lines))
        os.rename(self.path + ".new", self.path)

    def start(self, *args):
        return self.tcsniff(self.right, "--config", self.path, *args)

    def reload(self, daemon, *lines, words="is in force"):
        """Returns what is said of it."""
        said = len(daemon.said())
        if lines:
            self.write(*lines)
        self.reloads += 1
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.said(), lambda: words in daemon.said()[said:])
        wait_until(lambda: str(daemon.notes), lambda: sum(
            "READY=1" in note for note in daemon.noted()) == 1 + self.reloads)
        return daemon.said()[said:]

    def send(self, daemon, *sent):
        before = daemon.received()
        self.out.send(*sent)
        daemon.wait_received(before + len(sent))

    def books(self, daemon):
        """All of them, which balance."""
        books = daemon.ask("-a")
        self.assert_sums(books)
        return {host["ip"]: host["udp"]["tx"]["packets"] for host in books["hosts"]}, \
            books["ledger"]

    # --- what changes ---

    def test_inner_networks_change_and_every_counter_stays(self):
        self.write("inner = 10.1.0.0/16")
        daemon = self.start("--fanout", "2")
        old, new = plain("10.1.0.1", "192.0.2.1"), plain("10.2.0.1", "192.0.2.1")
        self.send(daemon, *[old] * 5, *[new] * 3)
        self.assertEqual(self.books(daemon)[0], {"10.1.0.1": 5})
        said = self.reload(daemon, "inner = 10.2.0.0/16")
        self.assertNotIn("restart", said)
        # A connection keeps its hosts; those that begin have others.
        self.send(daemon, old, new, plain("10.1.0.1", "192.0.2.1", 4001),
                  plain("10.1.0.2", "192.0.2.1"), plain("10.2.0.1", "192.0.2.1", 4001))
        hosts, ledger = self.books(daemon)
        self.assertEqual(hosts, {"10.1.0.1": 6, "10.2.0.1": 2})
        self.assertEqual((ledger["received"], ledger["transit"]), (13, 5))
        self.reload(daemon, "inner = 10.1.0.0/16,10.2.0.0/16")
        self.send(daemon, plain("10.1.0.2", "10.2.0.1", 4002))
        hosts, ledger = self.books(daemon)
        self.assertEqual(hosts, {"10.1.0.1": 6, "10.1.0.2": 1, "10.2.0.1": 2})
        self.assertEqual(ledger["internal"], 1)
        self.assertEqual(daemon.host("10.1.0.1")["next_conn_id"], 1)

    def test_timeouts_change_for_connections_that_live(self):
        self.write()
        daemon = self.start()
        self.send(daemon, *(plain("10.1.0.%d" % i, "192.0.2.1") for i in range(1, 101)))
        self.assertEqual(daemon.host("10.1.0.7")["conns"], 1)
        self.assertEqual(daemon.ask("-i")["host_timeout_ns"], 900 * 10**9)
        self.reload(daemon, "timeout = udp=1s", "host-timeout = 2s")
        self.assertEqual(daemon.ask("-i")["host_timeout_ns"], 2 * 10**9)
        wait_until("connections end", lambda: daemon.ask("-S")["total"]["flows"]["live"] == 0)
        wait_until("hosts are forgotten", lambda: daemon.ask("-a")["forgotten"]["udp"]["tx"][
            "packets"] == 100)
        self.assertEqual(self.books(daemon)[0], {})

    def test_limits_change_as_far_as_they_can(self):
        self.write("max-flows = 1000", "max-hosts = 100")
        daemon = self.start()
        self.send(daemon, *(plain("10.1.0.%d" % i, "192.0.2.1") for i in range(1, 11)))
        self.assertNotIn("restart", self.reload(daemon, "max-flows = 1000", "max-hosts = 10"))
        self.send(daemon, plain("10.1.0.11", "192.0.2.1"))
        hosts, ledger = self.books(daemon)
        self.assertEqual(len(hosts), 10)
        self.assertEqual(ledger["untracked"]["host_limit"], 1)
        said = self.reload(daemon, "max-flows = 2000", "max-hosts = 200")
        self.assertRegex(said, "'max-flows = 2000' needs a restart.* 1000")
        self.assertRegex(said, "'max-hosts = 200' needs a restart.* 100")
        self.send(daemon, plain("10.1.0.11", "192.0.2.1"))
        self.assertEqual(len(self.books(daemon)[0]), 11)
        stats = daemon.ask("-S")["total"]
        self.assertEqual(stats["flows"]["capacity"], 1000)

    def test_log_level_changes(self):
        self.write("log-level = error")
        daemon = self.start()
        self.assertNotIn("answering", daemon.said())
        self.assertIn("inner networks", self.reload(daemon, "log-level = info"))

    # --- what does not ---

    def test_what_needs_a_restart_is_named(self):
        self.write("fanout = 1")
        daemon = self.start("--ring-blocks", "8")
        said = self.reload(daemon, "fanout = 2", "snaplen = 128", "ring-blocks = 16",
                           "inner = 10.1.0.0/16")
        named = re.findall(r"'([a-z-]+)' has changed, and needs a restart", said)
        self.assertEqual(sorted(named), ["fanout", "snaplen"])  # the command line has the third
        # With what did change in force, and again until there is a restart.
        self.send(daemon, plain("10.2.0.1", "192.0.2.1"))
        self.assertEqual(self.books(daemon)[0], {})
        self.assertIn("'fanout'", self.reload(daemon))
        self.assertNotIn("restart", self.reload(daemon, "fanout = 1"))

    def test_wrong_file_changes_nothing(self):
        self.write("inner = 10.1.0.0/16")
        daemon = self.start()
        refused = "reload refused"
        for lines, where in ((("inner = 10.2.0.0/16", "max-hosts = none"), ":4: max-hosts"),
                             (("inner = 10.2.0.0/16", "innner = x"), ":4: unknown key 'innner'"),
                             (("inner = 10.2.0.0/16", "[x"), ":4: ")):
            said = self.reload(daemon, *lines, words=refused)
            self.assertIn(self.path + where, said)
        self.assertTrue(any("STATUS=The last reload was refused" in n for n in daemon.notes))
        os.remove(self.path)
        self.assertIn(self.path, self.reload(daemon, words=refused))
        self.send(daemon, plain("10.1.0.1", "192.0.2.1"), plain("10.2.0.1", "192.0.2.1"))
        self.assertEqual(self.books(daemon)[0], {"10.1.0.1": 1})
        self.reload(daemon, "inner = 10.2.0.0/16")
        self.send(daemon, plain("10.1.0.1", "192.0.2.2"), plain("10.2.0.1", "192.0.2.2"))
        self.assertEqual(self.books(daemon)[0], {"10.1.0.1": 1, "10.2.0.1": 1})

    # --- beside the work ---

    def test_service_manager_is_told(self):
        self.write()
        daemon = self.start()
        before = time.monotonic_ns() // 1000
        self.reload(daemon)
        note = next(n for n in daemon.notes if "RELOADING=1" in n)
        at = int(re.search("^MONOTONIC_USEC=([0-9]+)$", note, re.MULTILINE).group(1))
        self.assertGreaterEqual(at, before)
        self.assertLessEqual(at, time.monotonic_ns() // 1000)
        self.assertLess(daemon.notes.index(note), len(daemon.notes) - 1)

    def test_books_balance_while_it_reloads_under_traffic(self):
        self.write()
        daemon = self.start("--fanout", "2", "--timeout", "udp=1s")
        stop = threading.Event()
        sent = [0]

        def blast():
            while not stop.is_set():
                for i in range(256):
                    self.out.send(plain("10.%d.0.%d" % (i % 4, i % 50), "10.1.9.%d" % (i % 100),
                                        4000 + sent[0] % 5000))
                    sent[0] += 1
                time.sleep(0.002)

        thread = threading.Thread(target=blast)
        thread.start()
        many = ["inner = 10.3.0.0/16"] + ["  10.2.%d.0/28" % i for i in range(256)]
        for lines in (["inner = 10.1.0.0/16"], many, ["max-hosts = 5", "max-flows = 20"],
                      ["inner = 10.0.0.0/16", "timeout = udp=3s"], many, ["inner = all"]):
            self.reload(daemon, *lines)
            time.sleep(0.2)
        stop.set()
        thread.join()
        wait_until("all are counted", lambda: daemon.received() == sent[0])
        self.books(daemon)
        status, said, _ = daemon.stop()
        self.assertEqual(status, 0, said)


if __name__ == "__main__":
    programs.main()
