#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_check_layers.py - the layer guard lets the allowed pass and names the rest.
#
# Each case is a made tree of one file with one include.

import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "check-layers")

# DESIGN: who may include whom, written out in full and not derived.
ALLOWED = {
    "base": {"base"},
    "packet": {"packet", "base"},
    "capture": {"capture", "base"},
    "flow": {"flow", "packet", "base"},
    "table": {"table", "flow", "packet", "base"},
    "wire": {"wire", "base", "tctable.h"},
    "query": {"query", "table", "flow", "packet", "wire", "base", "tctable.h"},
    "client": {"client", "wire", "base", "tctable.h"},
    "cli": {"cli", "client", "wire", "base", "tctable.h"},
    "daemon": {"daemon", "query", "table", "flow", "packet", "capture", "wire", "client", "cli",
               "base", "tctable.h"},
}


def run(files):
    """Runs the guard on a tree of {path: text}; exit status and what it said."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run([sys.executable, TOOL, root], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr


class CheckLayers(unittest.TestCase):
    def assert_fault(self, files, *words):
        status, said = run(files)
        self.assertEqual(status, 1, said)
        for word in words:
            self.assertIn(word, said)

    def assert_clean(self, files):
        status, said = run(files)
        self.assertEqual((status, said), (0, ""))

    def test_every_pair_of_layers_is_judged_as_the_design_says(self):
        for layer, allowed in ALLOWED.items():
            for target in list(ALLOWED) + ["tctable.h"]:
                header = target if target == "tctable.h" else target + "/x.h"
                files = {"src/%s/a.c" % layer: '#include <stdio.h>\n#include "%s"\n' % header}
                with self.subTest(layer=layer, target=target):
                    if target in allowed:
                        self.assert_clean(files)
                    else:
                        self.assert_fault(files, "src/%s/a.c:2: " % layer, '"%s"' % header)

    def test_headers_are_read_as_well(self):
        self.assert_fault({"src/packet/a.h": '#include "flow/flow_table.h"\n'}, "src/packet/a.h:1")

    def test_spaces_do_not_hide_an_include(self):
        self.assert_fault({"src/base/a.c": '  #  include\t"flow/x.h"\n'}, "src/base/a.c:1")

    def test_internal_header_is_for_its_own_folder(self):
        self.assert_clean({"src/flow/a.c": '#include "flow/internal.h"\n'})
        self.assert_fault({"src/table/a.c": '#include "flow/internal.h"\n'}, "flow/ alone")
        self.assert_fault({"src/daemon/a.c": '#include "flow/internal.h"\n'}, "flow/ alone")

    def test_own_header_without_its_folder_is_a_fault(self):
        self.assert_fault({"src/flow/a.c": '#include "wheel.h"\n'}, "begin with its folder")
        self.assert_fault({"src/flow/a.c": '#include "../base/err.h"\n'}, "begin with its folder")
        self.assert_fault({"src/flow/a.c": '#include "flow/../wire/x.h"\n'}, "climbs out")

    def test_own_header_in_angle_brackets_is_a_fault(self):
        self.assert_fault({"src/base/err.h": "", "src/flow/a.c": "#include <base/err.h>\n"},
                          '"base/err.h"')
        self.assert_fault({"include/tctable.h": "", "src/wire/a.c": "#include <tctable.h>\n"},
                          '"tctable.h"')

    def test_include_by_macro_is_a_fault(self):
        self.assert_fault({"src/flow/a.c": "#include HEADER\n"}, "src/flow/a.c:1")

    def test_public_header_includes_nothing_of_ours(self):
        self.assert_clean({"src/base/a.c": "", "include/tctable.h": "#include <stdint.h>\n"})
        self.assert_fault({"src/base/a.c": "", "include/tctable.h": '#include "base/addr.h"\n'},
                          "include/tctable.h:1")

    def test_folder_that_is_no_layer_is_a_fault(self):
        self.assert_fault({"src/misc/a.c": ""}, "misc is no layer")
        self.assert_fault({"src/base/a.c": "", "src/loose.c": ""}, "loose.c is no layer")

    def test_a_tree_without_source_is_a_fault(self):
        self.assert_fault({"README.md": ""}, "no source file")

    def test_every_fault_is_named_not_only_the_first(self):
        self.assert_fault({"src/base/a.c": '#include "wire/x.h"\n#include "flow/x.h"\n',
                           "src/flow/b.c": '#include "query/x.h"\n'},
                          "src/base/a.c:1", "src/base/a.c:2", "src/flow/b.c:1")


if __name__ == "__main__":
    unittest.main()
