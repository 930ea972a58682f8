#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_check_headers.py - the header guard passes what stands alone and names the rest.

import os
import subprocess
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                    "check-headers")
GOOD = "#ifndef G\n#define G\n#include <stdint.h>\nstruct g { uint8_t b; };\n#endif\n"


def run(files):
    """Runs the guard on a tree of {path: text}; exit status and what it said."""
    with tempfile.TemporaryDirectory() as root:
        for folder in ("src", "include"):
            os.mkdir(os.path.join(root, folder))
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run(["sh", TOOL, root], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr


class CheckHeaders(unittest.TestCase):
    def assert_fault(self, files, word):
        status, said = run(files)
        self.assertEqual(status, 1, said)
        self.assertIn(word, said)

    def test_headers_that_stand_alone_pass(self):
        self.assertEqual(run({"src/base/g.h": GOOD, "include/tctable.h": GOOD}), (0, ""))

    def test_missing_include_is_a_fault(self):
        self.assert_fault({"src/base/g.h": GOOD, "src/base/x.h": "struct x { uint8_t b; };\n"},
                          "base/x.h does not compile alone")

    def test_missing_guard_is_a_fault(self):
        self.assert_fault({"src/base/x.h": "struct x { int b; };\n"}, "base/x.h does not compile")

    def test_warning_is_a_fault(self):
        self.assert_fault({"src/base/x.h": "#ifndef X\n#define X\nstatic int unused;\n#endif\n"},
                          "base/x.h does not compile")

    def test_public_header_that_is_not_cplusplus_is_a_fault(self):
        header = "#ifndef X\n#define X\nint f(int class);\n#endif\n"
        self.assert_fault({"include/tctable.h": header}, "does not compile alone (g++")

    def test_nothing_to_compile_is_a_fault(self):
        self.assert_fault({}, "no header compiled")


if __name__ == "__main__":
    unittest.main()
