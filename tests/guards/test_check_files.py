#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_check_files.py - the guard of the simplest rules names each breach, and nothing else.

import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                    "check-files")
SAYS = "SPDX-License-Identifier: BSD-2-Clause"
GOOD = "/* %s */\n/*\n * a.c - a purpose.\n */\n" % SAYS


def run(files):
    """Runs the guard on a tree of {path: bytes or text}; exit status and what it said."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as f:
                f.write(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run([sys.executable, TOOL, root], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr


class CheckFiles(unittest.TestCase):
    def assert_fault(self, path, text, word):
        status, said = run({path: text})
        self.assertEqual(status, 1, said)
        self.assertIn(path + ":", said)
        self.assertIn(word, said)

    def test_what_keeps_the_rules_passes(self):
        self.assertEqual(run({
            "src/x/a.c": GOOD + "int a; /* %s */\n" % ("x" * 80),
            "tools/a": "#!/bin/sh\n# %s\n" % SAYS,
            "man/a.8": ".\\\" %s\n%s\n" % (SAYS, "long " * 40 + "end"),
            "tests/golden/a.txt": b"\xff any \n TO" b"DO",
        }), (0, ""))

    def test_each_breach_is_named(self):
        self.assert_fault("src/x/a.c", GOOD[len(SAYS) + 7:], "does not say")
        self.assert_fault("tools/a", "#!/bin/sh\n", "does not say")
        self.assert_fault("src/x/meson.build", "\n", "does not say")
        self.assert_fault("src/x/b.c", GOOD, "does not begin with ' * b.c")
        self.assert_fault("src/x/a.c", GOOD + "int a;", "no newline")
        self.assert_fault("src/x/a.c", GOOD + "int a; \n", "5: a blank")
        self.assert_fault("src/x/a.c", GOOD + "\t" * 12 + "int a;\n", "5: more than 100 columns")
        self.assert_fault("src/x/a.c", GOOD + "\n" * 1000, "more than 1000 lines")
        self.assert_fault("src/x/a.c", GOOD + "#if 0\n#endif\n", "5: switched off")
        self.assert_fault("src/x/a.c", GOOD + "/* TO" + "DO */\n", "5: switched off or put off")
        self.assert_fault("src/x/a.c", GOOD.encode() + b"/* \xff */\n", "UTF-8")

    def test_a_tree_without_source_is_a_fault(self):
        self.assertEqual(run({"README.md": ""})[0], 1)


if __name__ == "__main__":
    unittest.main()
