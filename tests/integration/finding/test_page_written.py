"""The page of a real run: whatever its tests do to the process, it is whole, and all of it."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT
from tests.unit.leaks.page_samples import Page

SAMPLE = '''
    import builtins, html, io, json, os, tokenize, unittest, unittest.mock

    KEPT = []

    class OrderTests(unittest.TestCase):
        def test_a_folder(self):
            os.chdir("/")

        def test_b_keeps(self):
            KEPT.append(self)
            self.rows = list(range(100000))

        def test_c_replaces(self):
            for module, name in ((html, "escape"), (io, "open"), (builtins, "open"),
                                 (json, "dumps"), (tokenize, "generate_tokens")):
                setattr(module, name, None)

        def test_d_uses_up(self):
            try:
                while True:
                    KEPT.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
'''
LIMITED = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)); " \
          "from unittest_leakfix.__main__ import main; sys.argv[0] = 'x'; main()"


class PageWrittenTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(self.folder, "test_shop.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(SAMPLE))

    def run_it(self, *arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=dict(os.environ, PYTHONPATH=ROOT),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def page(self):
        with open(os.path.join(self.folder, "leaks.html"), encoding="utf-8") as file:
            return Page(file.read())

    @unittest.skipUnless(os.path.isdir("/proc/self/fd"), "needs limits of descriptors")
    def test_tests_that_take_all_that_writing_needs(self):
        status, text = self.run_it("-c", LIMITED, "--leaks-html=leaks.html", "test_shop")
        self.assertEqual(0, status, text)
        self.assertIn("[1] ", text)
        page = self.page()
        self.assertEqual([], page.faults)
        self.assertIn("OrderTests.test_b_keeps was kept after it finished",
                      page.texts("span", class_="subject"))
        self.assertEqual(["test_a_folder", "test_b_keeps", "test_c_replaces", "test_d_uses_up"],
                         page.data()["names"])
        self.assertIn("resident", [lane["key"] for lane in page.data()["lanes"]])

    def test_one_file_for_two_reports(self):
        status, text = self.run_it("-m", "unittest_leakfix", "--leaks-html=leaks.html",
                                   "--leaks-json=./leaks.html", "test_shop")
        self.assertNotEqual(0, status)
        self.assertIn("--leaks-json and --leaks-html are the same file", text)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "leaks.html")))
