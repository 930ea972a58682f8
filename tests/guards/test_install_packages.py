#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_install_packages.py - packages are installed if missing, without a question,
# or it is said which and how.
#
# dpkg-query, apt-get, dpkg and id are stand-ins: files in a folder are the
# packages that are there.

import os
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOOL = os.path.join(ROOT, "tools", "install-packages")

STAND_INS = {
    "dpkg-query": 'for name; do :; done\n[ ! -e "$STATE/$name" ] || printf "ii "\n',
    "dpkg": "exit 0\n",
    "sleep": "exit 0\n",
    "id": 'echo "$ID"\n',
    "apt-get": 'echo "$DEBIAN_FRONTEND apt-get $*" >>"$LOG"\n'
               'case "$* $APT" in *" install "*works) ;; *) exit 0 ;; esac\n'
               'for name; do touch "$STATE/$name" 2>/dev/null; done\n',
}


def build_packages():
    with open(os.path.join(ROOT, "tools", "packages"), encoding="utf-8") as f:
        return [line.split()[1] for line in f if line.startswith("build ")]


class InstallPackages(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="with blank ")
        self.addCleanup(scratch.cleanup)
        self.bin, self.state = (os.path.join(scratch.name, name) for name in ("bin", "state"))
        self.log = os.path.join(scratch.name, "log")
        os.mkdir(self.bin)
        os.mkdir(self.state)
        for name, text in STAND_INS.items():
            path = os.path.join(self.bin, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + text)
            os.chmod(path, 0o755)

    def have(self, packages):
        for name in packages:
            with open(os.path.join(self.state, name), "w", encoding="utf-8"):
                pass

    def run_tool(self, *purposes, uid="0", apt="works"):
        env = dict(os.environ, PATH=self.bin + ":" + os.environ["PATH"], STATE=self.state,
                   LOG=self.log, ID=uid, APT=apt)
        done = subprocess.run(["sh", TOOL, *purposes], env=env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        calls = ""
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as f:
                calls = f.read()
        return done.returncode, done.stderr, calls

    def test_nothing_is_done_if_all_are_there(self):
        self.have(build_packages())
        self.assertEqual(self.run_tool("build"), (0, "", ""))
        self.assertEqual(self.run_tool("build", uid="1000"), (0, "", ""))

    def test_root_gets_what_is_missing_without_a_question(self):
        self.have(build_packages()[1:])
        status, _, calls = self.run_tool("build")
        self.assertEqual(status, 0)
        for call in calls.splitlines():
            self.assertRegex(call, r"^noninteractive apt-get -y ")
        self.assertTrue(calls.rstrip().endswith(" " + build_packages()[0]), calls)

    def test_others_are_told_what_is_missing_and_how_to_get_it(self):
        self.have(build_packages()[2:])
        status, said, calls = self.run_tool("build", uid="1000")
        self.assertEqual((status, calls), (1, ""))
        self.assertIn("apt-get install " + " ".join(build_packages()[:2]), said)

    def test_what_cannot_be_installed_is_named(self):
        self.have(build_packages()[1:])
        status, said, calls = self.run_tool("build", apt="fails")
        self.assertEqual(status, 1)
        self.assertIn("could not install: " + build_packages()[0], said)
        self.assertIn("update", calls)

    def test_wrong_usage(self):
        self.assertEqual(self.run_tool()[0], 2)
        status, said, _ = self.run_tool("nonsense")
        self.assertEqual(status, 2)
        self.assertIn("nonsense", said)


if __name__ == "__main__":
    unittest.main()
