#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_examples.py - the examples of the library say what tctable says; and threads
# that have a conversation each do not disturb one another.
#
# usage: test_examples.py TCSNIFF TCTABLE LIBTCTABLE

import json
import os
import subprocess
import sys
import threading
import unittest

import test_tctable

ROOT = os.environ["TCSNIFF_ROOT"]
EXAMPLES = os.path.join(ROOT, "examples")
LIBRARY = None


class Examples(test_tctable.Daemon):
    def expected(self):
        hosts = json.loads(self.ask("-a", "--json").stdout)["hosts"]
        return {(h["ip"], sum(h[c]["tx"]["bytes"] for c in ("tcp", "udp", "icmp", "other")),
                 sum(h[c]["rx"]["bytes"] for c in ("tcp", "udp", "icmp", "other")))
                for h in hosts}

    def said_by(self, *command):
        """What it prints; and a failure to be told."""
        done = subprocess.run([*command, self.socket], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        failed = subprocess.run([*command, self.socket + ".none"], capture_output=True, text=True,
                                timeout=60, check=False)
        self.assertEqual((failed.returncode, failed.stdout), (1, ""))
        self.assertIn("No such file or directory", failed.stderr)
        return {(ip, int(tx), int(rx)) for ip, tx, rx in map(str.split, done.stdout.splitlines())}

    def test_in_c(self):
        program = os.path.join(self.scratch.name, "hosts")
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(ROOT, "include"),
                        "-o", program, os.path.join(EXAMPLES, "hosts.c"), LIBRARY], check=True)
        self.assertEqual(self.said_by(program), self.expected())

    def test_in_python(self):
        self.assertEqual(self.said_by(sys.executable, os.path.join(EXAMPLES, "hosts.py")),
                         self.expected())

    def test_threads_with_a_conversation_each(self):
        sys.path.insert(0, EXAMPLES)
        import hosts  # pylint: disable=import-outside-toplevel

        expected, wrong = self.expected(), []

        def talk():
            conversation = hosts.Tctable(self.socket)
            for _ in range(50):
                if set(conversation.hosts()) != expected:
                    wrong.append(threading.current_thread().name)
            conversation.close()

        talkers = [threading.Thread(target=talk) for _ in range(8)]
        for thread in talkers:
            thread.start()
        for thread in talkers:
            thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    test_tctable.TCSNIFF, test_tctable.TCTABLE, LIBRARY = map(os.path.abspath, sys.argv[1:4])
    del sys.argv[1:4]
    unittest.main()
