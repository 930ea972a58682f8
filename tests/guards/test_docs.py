#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_docs.py - what README and HACKING name is there: files, functions, links.

import os
import re
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DOCS = ("README.md", "HACKING.md", "SECURITY.md")
# A word in backticks that begins with one of our folders is a path.
FOLDERS = [name for top in ("", "src") for name in os.listdir(os.path.join(ROOT, top))
           if os.path.isdir(os.path.join(ROOT, top, name)) and name not in ("build", ".git")]


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def all_source():
    texts = []
    for top in ("src", "include"):
        for folder, _, files in os.walk(os.path.join(ROOT, top)):
            texts += [text_of(os.path.join(folder, name)) for name in files
                      if name.endswith((".c", ".h"))]
    return "\n".join(texts)


class Docs(unittest.TestCase):
    def test_every_path_is_there(self):
        for doc in DOCS:
            words = re.findall(r"`([\w.-]+/[\w./-]*)`", text_of(doc))
            paths = [w for w in words if w.split("/")[0] in FOLDERS]
            self.assertTrue(paths, doc)
            for path in paths:
                with self.subTest(doc=doc, path=path):
                    self.assertTrue(any(os.path.exists(os.path.join(ROOT, top, path))
                                        for top in ("", "src")))

    def test_every_link_leads_somewhere(self):
        for doc in DOCS:
            text = text_of(doc)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
                       for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                with self.subTest(doc=doc, link=link):
                    if link.startswith("#"):
                        self.assertIn(link[1:], anchors)
                    elif "://" not in link:
                        self.assertTrue(os.path.exists(os.path.join(ROOT, link)))

    def test_every_function_is_there(self):
        source = all_source()
        for doc in DOCS:
            for name in re.findall(r"`(\w+)\(\)`", text_of(doc)):
                with self.subTest(doc=doc, name=name):
                    self.assertTrue(re.search(r"\b%s\(" % name, source))


if __name__ == "__main__":
    unittest.main()
