#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_packages.py - the Debian packages as a new user meets them: built from a
# copy of the tree, installed into a scratch root, run as their service says,
# asked, reloaded, removed, purged.
#
# The scratch root lies over this machine's own (overlayfs, with all changes in
# memory), in namespaces that end with the test; dpkg and the maintainer scripts
# are the real ones.
#
# usage: test_packages.py VERSION [unittest's options]; as root

import glob
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

from hardening import wanting

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "live")]
PARTS = ("LICENSE", "README.md", "SECURITY.md", "contrib", "debian", "docs", "examples", "include",
         "man", "meson.build", "meson_options.txt", "src", "tools")
TOOLS = ("dpkg-buildpackage", "dh", "lintian", "systemd-analyze", "systemd-sysusers",
         "systemd-tmpfiles", "ip", "unshare", "gcc", "pkg-config")
PACKAGES = ("tcsniff", "libtctable0", "libtctable-dev")
# Of tools/packages' build list: what any build of a Debian package has, or the
# package of another name that brings it.
IMPLIED = {"dpkg-dev", "gcc", "libc6-dev", "ninja-build"}
LIMIT = 120
INSIDE = "TCSNIFF_IN_NAMESPACES"
EXPOSURE = 2.0  # the most that 'systemd-analyze security' may say
VERSION = None


def skip(why):
    print(why, file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def run(*command, **more):
    more.setdefault("timeout", LIMIT)
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, **more)


def build(folder):
    """The packages' files, by name; and what the build said."""
    source = os.path.join(folder, "source")
    os.mkdir(source)
    for part in PARTS:
        there = os.path.join(ROOT, part)
        if os.path.isdir(there):
            shutil.copytree(there, os.path.join(source, part), symlinks=True)
        else:
            shutil.copy(there, source)
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    # As a build server has it; another python may come first here.
    env.update(DEB_BUILD_OPTIONS="parallel=2 noautodbgsym", LC_ALL="C.UTF-8",
               PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    done = run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=source, env=env, timeout=280)
    if done.returncode:
        raise RuntimeError("dpkg-buildpackage: %s" % (done.stdout + done.stderr)[-5000:])
    return {name: glob.glob(os.path.join(folder, name + "_*.deb"))[0] for name in PACKAGES}, \
        done.stdout + done.stderr


def make_root(folder):
    """A root of our own over the machine's."""
    paper = os.path.join(folder, "paper")
    root = os.path.join(folder, "root")
    os.mkdir(paper)
    os.mkdir(root)
    for command in (
            ["mount", "-t", "tmpfs", "tmpfs", paper],
            ["mkdir", paper + "/upper", paper + "/work"],
            ["mount", "-t", "overlay", "overlay", "-o",
             "lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (paper, paper), root],
            ["mount", "-t", "proc", "proc", root + "/proc"],
            ["mount", "-t", "sysfs", "sysfs", root + "/sys"],
            ["mount", "--rbind", "/dev", root + "/dev"],
            ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root + "/run"],
            ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", root + "/tmp"]):
        done = run(*command)
        if done.returncode:
            raise RuntimeError("%s: %s" % (" ".join(command), done.stderr))
    # Of a tcsniff that this machine may have.
    for path in ("etc/tcsniff", "etc/systemd/system/multi-user.target.wants/tcsniff.service"):
        run("rm", "-rf", os.path.join(root, path))
    return root


class Packages(unittest.TestCase):
    """In the order of a life, as one test: building takes most of the time."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="tcsniff-packages-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.debs, cls.said = build(cls.scratch.name)
        cls.root = make_root(cls.scratch.name)
        cls.addClassCleanup(run, "umount", "-l", os.path.join(cls.scratch.name, "paper"))
        cls.addClassCleanup(run, "umount", "-R", "-l", cls.root)

    def path(self, *parts):
        return os.path.join(self.root, *(part.lstrip("/") for part in parts))

    def run_in(self, *command, status=0, **more):
        """In the scratch root; what it said."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
               "LC_ALL": "C.UTF-8"}
        done = run("chroot", self.root, *command, env=env, **more)
        self.assertEqual(done.returncode, status, (command, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def dpkg(self, *args):
        return self.run_in("dpkg", "--force-confold", *args)

    # --- as files ---

    def test_1_build_wants_what_the_list_says(self):
        with open(os.path.join(ROOT, "debian", "control"), encoding="utf-8") as f:
            control = f.read()
        wanted = re.search(r"^Build-Depends:\n((?: .*\n)+)", control, re.MULTILINE).group(1)
        names = set(re.findall(r"^ ([a-z0-9.+-]+)", wanted, re.MULTILINE))
        with open(os.path.join(ROOT, "tools", "packages"), encoding="utf-8") as f:
            listed = set(re.findall(r"^build (\S+)", f.read(), re.MULTILINE))
        self.assertEqual(names - {"debhelper-compat", "dh-sequence-installsysusers"},
                         listed - IMPLIED)

    def test_1_version_is_the_project_s(self):
        for name, path in self.debs.items():
            self.assertEqual(run("dpkg-deb", "-f", path, "Version").stdout.strip(), VERSION, name)

    def test_1_build_warns_of_nothing(self):
        self.assertNotRegex(self.said, r"(?m)^.*warning: .*$")

    def test_1_lintian_finds_nothing(self):
        changes = glob.glob(os.path.join(self.scratch.name, "*.changes"))
        done = run("lintian", "--allow-root", "--fail-on", "warning,error", *changes)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_1_files_are_hardened(self):
        for name in PACKAGES[:2]:
            files = os.path.join(self.scratch.name, "files of " + name)
            self.assertEqual(run("dpkg-deb", "-x", self.debs[name], files).returncode, 0)
            elves = [path for pattern in ("usr/*bin/tc*", "usr/lib/*/libtctable.so.0")
                     for path in glob.glob(os.path.join(files, pattern))]
            self.assertTrue(elves, name)
            for path in elves:
                self.assertEqual(wanting(path), set(), path)
        compiled = [line for line in self.said.splitlines() if re.search(r" -c \S*src/", line)]
        self.assertGreater(len(compiled), 50)
        for line in compiled:
            self.assertEqual(re.findall(r"-D_FORTIFY_SOURCE=\d", line)[-1:],
                             ["-D_FORTIFY_SOURCE=3"], line)

    # --- as a new user ---

    def test_2_life_of_an_installation(self):
        self.install()
        self.look_at_the_unit()
        self.build_with_the_library()
        service = self.start()
        self.ask()
        self.reload(service)
        self.assertEqual(service.stop(), 0, service.said())
        self.assertIn("received 7 = counted 5", service.said())
        self.assertFalse(os.path.exists(self.path("/run/tcsniff/tctable.sock")))
        self.remove()

    def install(self):
        inside = []
        for path in self.debs.values():
            shutil.copy(path, self.path("/tmp"))
            inside.append("/tmp/" + os.path.basename(path))
        self.dpkg("-i", *inside)
        self.assertEqual(self.run_in("dpkg", "--verify", *PACKAGES), "")
        for name in PACKAGES:
            self.assertIn("install ok installed", self.run_in("dpkg", "-s", name))
        self.assertIn("tcsniff", self.run_in("getent", "passwd", "tcsniff"))
        self.assertRegex(self.run_in("stat", "-c", "%U:%G %a", "/run/tcsniff"),
                         "^tcsniff:tcsniff 750")
        # Not before somebody has told it where to listen.
        self.assertIn("disabled", self.run_in("systemctl", "is-enabled", "tcsniff", status=1))
        self.assertIn("disabled", self.run_in("systemctl", "is-enabled", "tctable-metrics",
                                              status=1))
        self.assertIn("nothing to listen to", self.run_in("tcsniff", "--check-config", status=2))
        with open(self.path("/etc/tcsniff/tcsniff.conf"), "a", encoding="utf-8") as f:
            f.write("interface = v2\nfilter = udp\ninner = 10.1.0.0/16\n")
        self.assertEqual(self.run_in("tcsniff", "--check-config"),
                         "/etc/tcsniff/tcsniff.conf: no errors\n")
        # Once more, as an upgrade does it: what was written there stays.
        self.dpkg("-i", *inside)
        self.assertIn("no errors", self.run_in("tcsniff", "--check-config"))
        self.assertIn("tcsniff(8)", self.run_in("mandoc", "-Tascii", "-l",
                                                "/usr/share/man/man8/tcsniff.8.gz").lower())

    def look_at_the_unit(self):
        units = glob.glob(self.path("/lib/systemd/system/tc*.service"))
        self.assertEqual({os.path.basename(unit) for unit in units},
                         {"tcsniff.service", "tctable-metrics.service"})
        for unit in units:
            path = "/lib/systemd/system/" + os.path.basename(unit)
            self.assertEqual(self.run_in("systemd-analyze", "verify", "--man=no", path), "")
        said = self.run_in("systemd-analyze", "security", "--offline=yes", "--no-pager",
                           "--threshold=%d" % (EXPOSURE * 10),
                           "/lib/systemd/system/tcsniff.service")
        figure = re.search(r"exposure level for tcsniff.service: ([0-9.]+)", said).group(1)
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            told = re.search("`systemd-analyze security` says ([0-9.]+) ", f.read()).group(1)
        self.assertEqual(told, figure)

    def build_with_the_library(self):
        shutil.copy(os.path.join(HERE, "example.c"), self.path("/tmp"))
        self.run_in("sh", "-ec", "gcc -Wall -Werror -o /tmp/example /tmp/example.c "
                                 "$(pkg-config --cflags --libs tctable)")
        self.assertIn("cannot tell", self.run_in("/tmp/example", "/run/no.sock", "10.1.0.1",
                                                 status=1))

    def start(self):
        from unit import Service  # pylint: disable=import-outside-toplevel

        for command in (["ip", "link", "add", "v1", "type", "veth", "peer", "name", "v2"],
                        ["ip", "link", "set", "v1", "up"], ["ip", "link", "set", "v2", "up"]):
            self.assertEqual(run(*command).returncode, 0)
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.wire.bind(("v1", 0))
        self.addCleanup(self.wire.close)
        service = Service(self.root, "/lib/systemd/system/tcsniff.service")
        self.addCleanup(service.close)
        service.start()
        service.wait_note("READY=1")
        status = service.status()
        uid = self.run_in("id", "-u", "tcsniff").strip()
        self.assertEqual(status["Uid"].split(), [uid] * 4)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[kind], 16), 0, kind)
        self.assertEqual(status["NoNewPrivs"], "1")
        # The unit's, the process's and the thread's.
        self.assertEqual(status.get("Seccomp_filters", "3"), "3")
        self.assertIn("answering tctable on /run/tcsniff/tctable.sock", service.said())
        self.assertNotIn("refused", service.said())
        return service

    def send(self, *ends):
        from frames import plain  # pylint: disable=import-outside-toplevel

        for src, dst, port in ends:
            self.wire.send(plain(src, dst, port))

    def ask(self):
        """As somebody of the group tcsniff, and of none."""
        gid = int(self.run_in("getent", "group", "tcsniff").split(":")[2])
        self.send(*[("10.1.0.1", "192.0.2.1", 4000)] * 3, ("10.2.0.1", "192.0.2.1", 4000))
        for _ in range(200):
            said = self.run_in("setpriv", "--reuid=65534", "--regid=65534",
                               "--groups=%d" % gid, "tctable", "-S")
            if "received 4 " in said:
                break
        self.assertIn("received 4 = counted 3 + transit 1", said)
        self.assertRegex(self.run_in("tctable", "-a"), r"len=1\n10\.1\.0\.1 conn=1 pcnt=3 ")
        self.assertIn("ermission", self.run_in("setpriv", "--reuid=65534", "--regid=65534",
                                               "--clear-groups", "tctable", "-a", status=3))
        mode = os.stat(self.path("/run/tcsniff/tctable.sock"))
        self.assertEqual((stat.S_IMODE(mode.st_mode), mode.st_gid), (0o660, gid))

    def reload(self, service):
        """As 'systemctl reload' does: one command after the other, while they succeed."""
        path = self.path("/etc/tcsniff/tcsniff.conf")
        with open(path, encoding="utf-8") as f:
            good = f.read()
        check, tell = service.reload_commands()
        with open(path, "w", encoding="utf-8") as f:
            f.write(good + "inner = 10.2.0.0/33\n")
        self.assertIn("/33", self.run_in(*check, status=2))
        self.run_in(*tell)  # by hand, all the same
        self.assertTrue(any("RELOADING=1" in n for n in service.wait_note("refused")))
        with open(path, "w", encoding="utf-8") as f:
            f.write(good + "inner = 10.2.0.0/16\nfanout = 2\n")
        self.assertIn("no errors", self.run_in(*check))
        self.run_in(*tell)
        service.wait_note("READY=1")
        self.assertIn("'fanout' has changed, and needs a restart", service.said())
        self.send(("10.1.0.1", "192.0.2.1", 4000), ("10.2.0.1", "192.0.2.1", 4001),
                  ("172.16.0.1", "192.0.2.1", 4000))
        for _ in range(200):
            said = self.run_in("tctable", "-S")
            if "received 7 " in said:
                break
        self.assertIn("received 7 = counted 5 + transit 2", said)
        self.assertRegex(self.run_in("tctable", "-a"), r"10\.1\.0\.1 conn=1 pcnt=4 ")
        self.assertNotIn("sandbox refused", service.said())

    def remove(self):
        self.dpkg("-r", "tcsniff")
        self.assertFalse(os.path.exists(self.path("/usr/sbin/tcsniff")))
        self.assertTrue(os.path.exists(self.path("/etc/tcsniff/tcsniff.conf")))
        self.dpkg("-P", *PACKAGES)
        for folder in ("/etc", "/run", "/lib/systemd", "/usr/bin", "/usr/sbin", "/usr/include",
                       "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "/usr/share", "/var/lib"):
            left = run("find", self.path(folder), "-name", "*tcsniff*", "-o", "-name", "*tctable*")
            self.assertEqual(left.stdout, "", "left behind")
        self.assertIn("tcsniff", self.run_in("getent", "passwd", "tcsniff"))


def main():
    global VERSION
    if os.geteuid() != 0:
        skip("needs root, to install packages")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip("needs %s: tools/install-packages test check" % ", ".join(missing))
    if INSIDE not in os.environ:
        os.execvpe("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                               "--mount-proc", "--propagation", "private", sys.executable,
                               *sys.argv], dict(os.environ, **{INSIDE: "1"}))
    VERSION = sys.argv.pop(1)
    unittest.main()


main()
