#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_install.py - what `meson install` puts where, and that it is usable there.
#
# Installs the build directory into a scratch DESTDIR. The programs that look
# into what was installed (readelf, nm, mandoc, the compilers) are packages of
# tools/packages; a test without its program is skipped.

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGES = sorted(os.listdir(os.path.join(ROOT, "man")))
OPTIONS = None


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, **more)


def need(program):
    if not shutil.which(program):
        raise unittest.SkipTest("no %s here: tools/install-packages test check" % program)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="tcsniff install ")
        cls.dest = os.path.join(cls.scratch.name, "dest")
        done = run("meson", "install", "-C", OPTIONS.build, "--no-rebuild", "--destdir", cls.dest)
        if done.returncode:
            raise RuntimeError("meson install: %s%s" % (done.stdout, done.stderr))
        cls.sbin, cls.bin, cls.lib, cls.include, cls.man = (
            os.path.join(cls.dest, OPTIONS.prefix.lstrip("/"), folder) for folder in (
                OPTIONS.sbindir, OPTIONS.bindir, OPTIONS.libdir, OPTIONS.includedir,
                OPTIONS.mandir))
        cls.tcsniff = os.path.join(cls.sbin, "tcsniff")
        cls.tctable = os.path.join(cls.bin, "tctable")
        cls.library = os.path.join(cls.lib, "libtctable.so.0")
        cls.env = dict(os.environ, LD_LIBRARY_PATH=cls.lib, LC_ALL="C.UTF-8")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def good(self, *command, **more):
        """Runs what must succeed without a word on standard error; its output."""
        done = run(*command, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout

    def test_everything_is_in_its_place_and_nothing_besides(self):
        found = set()
        for folder, _, files in os.walk(self.dest):
            found |= {os.path.join(folder, name) for name in files}
        real = os.path.realpath(self.library)
        self.assertRegex(os.path.basename(real), r"^libtctable\.so\.0\.\d+\.\d+$")
        share = os.path.dirname(self.man)
        bash = os.path.join(share, "bash-completion", "completions")
        self.assertEqual(os.readlink(os.path.join(bash, "tctable")), "tcsniff")
        self.assertEqual(found, {
            os.path.join(bash, "tcsniff"), os.path.join(bash, "tctable"),
            os.path.join(share, "zsh", "vendor-completions", "_tcsniff"),
            self.tcsniff, self.tctable, self.library, real,
            os.path.join(self.lib, "libtctable.so"),
            os.path.join(self.lib, "pkgconfig", "tctable.pc"),
            os.path.join(self.include, "tctable.h"),
        } | {self.page_path(name) for name in PAGES})
        for link in (self.library, os.path.join(self.lib, "libtctable.so")):
            self.assertEqual(os.path.realpath(link), real)

    def test_the_library_is_where_debian_looks_for_it(self):
        need("dpkg-architecture")
        if OPTIONS.prefix != "/usr":
            self.assertTrue(OPTIONS.libdir.startswith("lib"))
            return
        triplet = self.good("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
        self.assertEqual(OPTIONS.libdir, "lib/" + triplet)

    def test_programs_run_and_tell_their_version(self):
        self.assertEqual(self.good(self.tcsniff, "--version", env=self.env),
                         "tcsniff %s\n" % OPTIONS.version)
        self.assertEqual(self.good(self.tctable, "--version", env=self.env),
                         "tctable %s\n" % OPTIONS.version)

    def test_nothing_installed_knows_the_build_directory(self):
        for path in (self.tcsniff, self.tctable, self.library):
            need("readelf")
            self.assertNotRegex(self.good("readelf", "-dW", path), r"\((RPATH|RUNPATH)\)")

    # --- the library -------------------------------------------------------

    def test_library_exports_what_the_header_declares_each_with_a_version(self):
        need("nm")
        with open(os.path.join(self.include, "tctable.h"), encoding="utf-8") as f:
            header = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)
        declared = set(re.findall(r"^(?!typedef)\w[\w \t*]*\b(tctable_\w+)\(", header,
                                  re.MULTILINE))
        self.assertGreater(len(declared), 5)
        exported = {}
        for line in self.good("nm", "-D", "--defined-only", "--with-symbol-versions",
                              self.library).splitlines():
            _, kind, symbol = line.split()
            if kind != "A":  # the names of the versions themselves
                name, _, version = symbol.partition("@@")
                exported[name] = version
        self.assertEqual(set(exported), declared)
        for name, version in exported.items():
            self.assertRegex(version, r"^[A-Z]+TCTABLE_[0-9.]+$|^TCTABLE_[0-9.]+$", name)

    def test_library_needs_the_c_library_alone(self):
        need("readelf")
        dynamic = self.good("readelf", "-dW", self.library)
        self.assertIn("[libtctable.so.0]", re.search(r"\(SONAME\).*", dynamic).group())
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertEqual([n for n in needed if not n.startswith("ld-linux")], ["libc.so.6"])

    def pkg_config(self, *args):
        env = dict(self.env, PKG_CONFIG_PATH=os.path.join(self.lib, "pkgconfig"),
                   PKG_CONFIG_LIBDIR="", PKG_CONFIG_SYSROOT_DIR="",
                   PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")
        return self.good("pkg-config", *args, "tctable", env=env).split()

    def staged(self, flag, *args):
        """What pkg-config says, with its directories looked for in the scratch DESTDIR."""
        return [flag + self.dest + word[len(flag):] if word.startswith(flag) else word
                for word in self.pkg_config(*args)]

    def build_example(self, compiler, *options):
        need(compiler)
        need("pkg-config")
        program = os.path.join(self.scratch.name, "example with " + compiler)
        self.good(compiler, *options, "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                  *self.staged("-I", "--cflags"), os.path.join(HERE, "example.c"),
                  "-o", program, "-x", "none", *self.staged("-L", "--libs"))
        done = run(program, os.path.join(self.scratch.name, "no.sock"), "2001:DB8:0:0::1",
                   env=self.env)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertRegex(done.stdout, r"^2001:db8::1\ncannot tell: .*no\.sock")

    def test_example_in_c_builds_with_pkg_config_and_runs(self):
        self.build_example("gcc", "-std=c11", "-x", "c")

    def test_example_in_cplusplus_builds_with_pkg_config_and_runs(self):
        self.build_example("g++", "-std=c++11", "-x", "c++")

    def test_pkg_config_tells_the_version(self):
        need("pkg-config")
        self.assertEqual(self.pkg_config("--modversion"), [OPTIONS.version])

    # --- documents -------------------------------------------------------------

    def page_path(self, name):
        return os.path.join(self.man, "man" + name[-1], name)

    def page(self, name):
        """A man page as its reader sees it."""
        return re.sub(r".\x08", "", self.good("mandoc", "-Tascii", self.page_path(name)))

    def test_man_pages_have_no_fault(self):
        need("mandoc")
        self.assertLessEqual({"tcsniff.8", "tctable.1"}, set(PAGES))
        for name in PAGES:
            with self.subTest(page=name):
                done = run("mandoc", "-Tlint", "-Wwarning", self.page_path(name))
                self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_option_of_the_help_is_in_the_man_page(self):
        need("mandoc")
        for program, name in ((self.tcsniff, "tcsniff.8"), (self.tctable, "tctable.1")):
            text = self.good(program, "--help", env=self.env)
            options = set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", text))
            self.assertGreater(len(options), 4, text)
            page = self.page(name)
            for option in sorted(options):
                with self.subTest(page=name, option=option):
                    self.assertRegex(page, r"(?<![\w-])%s(?![\w-])" % re.escape(option))

    def test_every_option_of_tcsniff_is_in_the_readme(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            readme = f.read()
        text = self.good(self.tcsniff, "--help", env=self.env)
        for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))):
            with self.subTest(option=option):
                self.assertRegex(readme, r"`[^`\n]*%s(?![\w-])" % re.escape(option))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("build", "version", "prefix", "sbindir", "bindir", "libdir", "includedir",
                   "mandir"):
        parser.add_argument("--" + option, required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)
