#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_check_results.py - every way in which a test can end is counted as what it is.

import json
import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                    "check-results")


def run(text):
    """Runs the tool on a log of this text: exit status, counts, what it said."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as log:
        log.write(text)
        log.flush()
        done = subprocess.run([sys.executable, TOOL, log.name], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout.strip(), done.stderr


def log_of(*tests):
    return "".join(json.dumps(dict({"name": "n", "result": "OK"}, **t)) + "\n" for t in tests)


class CheckResults(unittest.TestCase):
    def test_each_end_has_its_count(self):
        status, counts, said = run(log_of(
            {}, {"result": "EXPECTEDFAIL"}, {"name": "bad", "result": "FAIL"},
            {"result": "TIMEOUT"}, {"result": "ERROR"}, {"result": "UNEXPECTEDPASS"},
            {"result": "INTERRUPT"}, {"name": "off", "result": "SKIP", "stdout": "no such\n"}))
        self.assertEqual((status, counts), (0, "2 5 1"))
        self.assertIn("failed: bad: FAIL", said)
        self.assertIn("skipped: off: no such", said)

    def test_a_case_skipped_inside_makes_the_test_skipped(self):
        for said in ({"stderr": "Ran 3 tests in 0.1s\n\nOK (skipped=1)\n"},
                     {"stdout": "[ RUN      ] a\n[  SKIPPED ] a\n[  PASSED  ] 2 test(s).\n"}):
            with self.subTest(said=said):
                self.assertEqual(run(log_of({}, said))[:2], (0, "1 0 1"))

    def test_a_failure_is_no_skip_whatever_it_says(self):
        self.assertEqual(run(log_of({"result": "FAIL",
                                     "stderr": "FAILED (failures=1, skipped=2)\n"}))[1], "0 1 0")

    def test_slow_tests_are_named(self):
        self.assertIn("took 61 s: long", run(log_of({"name": "long", "duration": 61.2}))[2])

    def test_no_test_and_no_log_are_errors(self):
        self.assertEqual(run("")[0], 1)
        self.assertEqual(run("{\n")[0], 1)
        self.assertEqual(run("[]\n")[0], 1)
        self.assertEqual(subprocess.run([sys.executable, TOOL, "/nonexistent"], check=False,
                                        capture_output=True).returncode, 1)


if __name__ == "__main__":
    unittest.main()
