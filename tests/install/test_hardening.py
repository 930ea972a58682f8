#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_hardening.py - the programs and the library have every protection that a
# release promises; and a file without one of them would be found out.
#
# usage: test_hardening.py COMPILE_COMMANDS OPTIMIZATION FILE... [unittest's options]

import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import unittest

from hardening import wanting

COMMANDS, OPTIMIZATION, FILES = None, None, None

# Calls that can be checked; sizes that only level 3 of fortification knows; and
# an array that wants a guard.
PROBE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *probe_copy(const char *s, size_t room, size_t n);
char *probe_copy(const char *s, size_t room, size_t n)
{
	char *p = malloc(room);

	return p ? memcpy(p, s, n) : NULL;
}

int main(int argc, char **argv)
{
	char line[64];

	snprintf(line, sizeof(line), "%s %d", argv[0], argc);
	puts(line);
	free(probe_copy(line, (size_t)argc, (size_t)argc));
	return 0;
}
"""

GOOD = ["-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-U_FORTIFY_SOURCE",
        "-D_FORTIFY_SOURCE=3", "-Wl,-z,relro,-z,now,-z,noexecstack"]
FAULTS = [
    (["-fno-pie", "-no-pie"], {"position-independent"}),
    (["-Wl,-z,norelro"], {"relro"}),
    (["-Wl,-z,lazy"], {"bind now"}),
    (["-Wl,-z,execstack"], {"no executable stack"}),
    (["-fno-stack-protector"], {"stack protector"}),
    (["-U_FORTIFY_SOURCE"], {"fortify"}),
]
if platform.machine() == "x86_64":
    GOOD += ["-fcf-protection", "-Wl,-z,ibt,-z,shstk"]
    FAULTS += [(["-fcf-protection=none"], {"landing pads"})]
    # The linker not told, and objects that have no notes.
    PLAIN = [option for option in GOOD if "shstk" not in option] + ["-fcf-protection=none"]
else:
    PLAIN = None


class Hardening(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="tcsniff-hardening-")
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.source = os.path.join(self.folder, "probe.c")
        with open(self.source, "w", encoding="utf-8") as f:
            f.write(PROBE)

    def build(self, options):
        program = os.path.join(self.folder, "probe")
        done = subprocess.run(["gcc", *options, self.source, "-o", program],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return program

    # --- what is released ---

    def test_programs_and_library_want_nothing(self):
        expected = {"fortify"} if OPTIMIZATION in ("plain", "0") else set()
        for path in FILES:
            with self.subTest(path=path):
                self.assertEqual(wanting(path), expected)

    def test_everything_is_compiled_with_level_3(self):
        """By what the compiler makes of a probe, told to do as for the file itself."""
        if OPTIMIZATION in ("plain", "0"):
            self.assertNotIn("_FORTIFY_SOURCE=3", json.dumps(COMMANDS))
            return
        ours = [c for c in COMMANDS if c["output"].startswith("src/")]
        self.assertGreater(len(ours), 50)
        for words in (shlex.split(c["command"]) for c in ours):
            self.assertIn("-D_FORTIFY_SOURCE=3", words)
            self.assertEqual([w for w in words if "FORTIFY" in w][-1], "-D_FORTIFY_SOURCE=3")
        last = shlex.split(ours[-1]["command"])
        flags = [w for w in last if w.startswith(("-O", "-D_", "-U_", "-std", "-f"))
                 and not w.startswith("-flto")]
        self.assertIn("__memcpy_chk", self.calls(last[0], flags))
        weaker = [w.replace("_SOURCE=3", "_SOURCE=2") for w in flags]
        self.assertNotIn("__memcpy_chk", self.calls(last[0], weaker))

    def calls(self, compiler, flags):
        done = subprocess.run([compiler, *flags, "-S", "-o", "-", self.source],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    # --- the checker itself ---

    def test_a_file_with_all_of_them_wants_nothing(self):
        self.assertEqual(wanting(self.build(GOOD)), set())

    def test_a_file_without_one_is_found_wanting(self):
        for options, missing in FAULTS:
            with self.subTest(options=options):
                self.assertEqual(wanting(self.build(GOOD + options)), missing)

    def test_a_file_without_notes_is_found_wanting(self):
        if PLAIN is None:
            return  # another architecture has none
        self.assertEqual(wanting(self.build(PLAIN)), {"IBT", "SHSTK", "landing pads"})


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as commands:
        COMMANDS = json.load(commands)
    OPTIMIZATION = sys.argv[2]
    FILES = [a for a in sys.argv[3:] if not a.startswith("-")]
    unittest.main(argv=sys.argv[:1] + [a for a in sys.argv[3:] if a.startswith("-")])
