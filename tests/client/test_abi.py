#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_abi.py - what programs were compiled with stays true: the layout of every
# public struct and the value of every public constant, as abi.txt has them.
#
# usage: test_abi.py [--record] CC
#
# --record writes abi.txt anew: after an addition that no program that exists can
# notice, or together with a new soname.

import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = os.path.join(HERE, "abi.txt")
INCLUDE = os.path.join(HERE, "..", "..", "include")
CC = "cc"


def header():
    with open(os.path.join(INCLUDE, "tctable.h"), encoding="utf-8") as f:
        return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)


def structs(text):
    """Names of structs, and of their fields."""
    for name, body in re.findall(r"struct (\w+) \{(.*?)\n\};", text, re.DOTALL):
        fields = []
        for line in body.split(";"):
            fields += re.findall(r"(\w+)(?:\[\w+(?: - \d+)?\])?(?:,|$)", line.strip())
        yield name, fields


def constants(text):
    for body in re.findall(r"enum \w+ \{(.*?)\}", text, re.DOTALL):
        yield from re.findall(r"\bTCTABLE_\w+", body)
    yield from re.findall(r"#define (TCTABLE_\w+)\s+\d", text)


def layout(text):
    """One line for each of them, by the compiler's word."""
    lines = ["#include <stddef.h>", "#include <stdio.h>", text, "int main(void) {"]
    for name, fields in structs(text):
        lines.append('printf("struct %s: %%zu bytes\\n", sizeof(struct %s));' % (name, name))
        for field in fields:
            lines.append('printf("%s.%s: at %%zu, %%zu bytes\\n", offsetof(struct %s, %s), '
                         "sizeof(((struct %s *)0)->%s));" % (name, field, name, field, name, field))
    for name in constants(text):
        lines.append('printf("%s = %%ld\\n", (long)%s);' % (name, name))
    with tempfile.TemporaryDirectory(prefix="tcsniff-abi-") as scratch:
        source, program = (os.path.join(scratch, n) for n in ("abi.c", "abi"))
        with open(source, "w", encoding="utf-8") as f:
            f.write("\n".join([*lines, "return 0; }", ""]))
        subprocess.run([CC, "-o", program, source], check=True)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout


class Abi(unittest.TestCase):
    def test_nothing_has_changed(self):
        with open(RECORD, encoding="utf-8") as f:
            self.assertEqual(layout(header()).splitlines(), f.read().splitlines())

    def test_every_struct_is_looked_at(self):
        text = header()
        found = dict(structs(text))
        self.assertEqual(set(found), set(re.findall(r"^struct (\w+) \{", text, re.MULTILINE)))
        self.assertEqual(found["tctable_conn"][-3:], ["state", "orig", "reply"])
        self.assertEqual(found["tctable_traffic"], ["conns", "tx", "rx"])
        self.assertEqual(found["tctable_top_row"][1], "rate")

    def test_changes_are_found(self):
        text, known = header(), layout(header())
        for old, new in (("uint64_t half_open;", "uint32_t half_open;"),
                         ("uint16_t port;", "uint16_t port; uint16_t more;"),
                         ("uint64_t packets;\n\tuint64_t bytes;",
                          "uint64_t bytes;\n\tuint64_t packets;"),
                         ("TCTABLE_TCP, TCTABLE_UDP", "TCTABLE_UDP, TCTABLE_TCP"),
                         ("char state[16];", "char state[20];")):
            self.assertIn(old, text)
            self.assertNotEqual(layout(text.replace(old, new, 1)), known, new)


if __name__ == "__main__":
    if sys.argv[1] == "--record":
        CC = sys.argv[2]
        with open(RECORD, "w", encoding="utf-8") as out:
            out.write(layout(header()))
        sys.exit(0)
    CC = sys.argv.pop(1)
    if sys.maxsize < 2 ** 32:
        print("the record is of machines of 64 bits")
        sys.exit(77)
    unittest.main()
