# SPDX-License-Identifier: BSD-2-Clause
#
# shim.py - runs a program with the preloaded library of faults.c.

import errno
import os
import subprocess

LIMIT = 30
ERRORS = ("ENOMEM", "ENOBUFS", "EINTR", "EAGAIN")


class Faults:
    """The environment that makes a call fail, and what became of that."""

    def __init__(self, library, call=None, error="ENOMEM", first=1, every=0, places=False):
        self.reading, self.writing = os.pipe()
        self.preload = ["env", "LD_PRELOAD=" + library]  # what is in front goes without
        self.env = dict(os.environ, FAULTS_FD=str(self.writing))
        if call:
            numbers = ",".join(str(getattr(errno, e)) for e in error.split(","))
            self.env.update(FAULTS_CALL=call, FAULTS_ERRNO=numbers,
                            FAULTS_FIRST=str(first), FAULTS_EVERY=str(every),
                            FAULTS_PLACES=str(int(places)))

    def popen(self, command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[self.writing],
                                   env=dict(self.env, **options.pop("env", {})), **options)
        os.close(self.writing)
        return process

    def told(self):
        """Once the program has ended: what the library wrote."""
        with os.fdopen(self.reading, encoding="ascii") as f:
            return f.read()


def run(library, command, **how):
    """Exit status (None: it does not end), standard output and error, and what the
    library told."""
    faults = Faults(library, **how)
    process = faults.popen(faults.preload + command, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    try:
        out, said = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
        return None, out, said, faults.told()
    return process.returncode, out, said, faults.told()
