# SPDX-License-Identifier: BSD-2-Clause
#
# hardening.py - what a program or shared library lacks of the protections that
# a release has, as readelf and objdump see it.
#
# A module: wanting(path) gives the names of what is missing.

import platform
import re
import subprocess

# What the compiler's own start-up code (crtbeginS.o) has of them.
LANDING_PADS_OF_START = 2


def look(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL)
    return done.stdout


def wanting(path):
    """A set of names; empty if the file has everything."""
    segments = look("readelf", "-lW", path)
    dynamic = look("readelf", "-dW", path)
    symbols = set(re.findall(r" (\w+)@", look("readelf", "--dyn-syms", "-W", path)))
    is_library = "(SONAME)" in dynamic
    checked = {
        "position-independent": re.search(r"Type: +DYN ", look("readelf", "-hW", path))
                                and (is_library or re.search(r"FLAGS_1\).* PIE", dynamic)),
        "relro": "GNU_RELRO" in segments,
        "bind now": "BIND_NOW" in dynamic and re.search(r"FLAGS_1\).* NOW\b", dynamic),
        "no text relocation": "TEXTREL" not in dynamic,
        "no executable stack": re.search(r"GNU_STACK .* RW +0x", segments),
        "nothing writable and executable": not re.search(r"LOAD .* RWE +0x", segments),
        "stack protector": "__stack_chk_fail" in symbols,
        "fortify": [s for s in symbols - {"__stack_chk_fail"} if re.match(r"__\w+_chk$", s)],
    }
    if platform.machine() == "x86_64":
        note = re.search(r"x86 feature: (.*)", look("readelf", "-nW", path))
        features = re.split(r", ", note.group(1)) if note else []
        pads = look("objdump", "-d", "-j", ".text", path).count("endbr64")
        checked["IBT"] = "IBT" in features
        checked["SHSTK"] = "SHSTK" in features
        checked["landing pads"] = pads > LANDING_PADS_OF_START
    return {name for name, holds in checked.items() if not holds}
