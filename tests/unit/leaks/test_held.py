"""The closing line of a run whose tests are still held ends with what to type, and that names the
holder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import unittest

from tests.integration.django_runner.django_project import ProjectCase, wanted
from tests.integration.pytest_plugin.pytest_case import PytestCase
from tests.support.paths import ROOT

SAMPLE = '''\
import unittest

payloads = []


class Tests(unittest.TestCase):
    def test_held(self):
        payloads.append(self)

    def test_free(self):
        pass
'''
SCRIPT = SAMPLE + '''

if __name__ == "__main__":
    from unittest_leakfix import LeakFixTestRunner
    unittest.main(testRunner=LeakFixTestRunner(verbosity=2%s))
'''
DJANGO = SAMPLE.replace("unittest.TestCase", "SimpleTestCase").replace(
    "import unittest", "from django.test import SimpleTestCase") + '''

class Others(SimpleTestCase):
    def test_free(self):
        pass
'''
LINE = re.compile(r"1 test still held by other code(?: \((.*) names the holder\))?$",
                  re.MULTILINE)
HOLDER = re.compile(r"(?:test_shop|shop\.tests)\.payloads\[0\]")


class HeldTest(unittest.TestCase):
    def hint(self, text: str) -> str:
        """Return what the closing line says to type, "" for nothing."""
        found = LINE.search(text)
        self.assertIsNotNone(found, text)
        return found.group(1) or ""

    def assertNames(self, text: str) -> None:
        """The holder is named, and nothing more is to be typed."""
        self.assertRegex(text, HOLDER)
        self.assertEqual(self.hint(text), "")


class UnittestTest(HeldTest):
    def run_python(self, *arguments: str) -> str:
        return subprocess.run([sys.executable, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=dict(os.environ, PYTHONPATH=ROOT),
                              text=True).stdout

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = place.name

    def write(self, text: str) -> None:
        with open(os.path.join(self.folder, "test_shop.py"), "w") as file:
            file.write(text)

    def test_command_line(self):
        self.write(SAMPLE)
        hint = self.hint(self.run_python("-m", "unittest_leakfix", "-v", "test_shop"))
        self.assertEqual(hint, "--leaks=report")
        self.assertNames(self.run_python("-m", "unittest_leakfix", "-v", hint, "test_shop"))

    def test_with_another_option(self):
        self.write(SAMPLE)
        self.assertEqual("--leaks=report", self.hint(self.run_python(
            "-m", "unittest_leakfix", "-v", "--max-connections=5", "test_shop")))

    def test_off(self):
        self.write(SAMPLE)
        self.assertEqual("--leaks=report", self.hint(self.run_python(
            "-m", "unittest_leakfix", "-v", "--leaks=off", "test_shop")))

    def test_runner_in_a_script(self):
        """It has no command line of ours."""
        self.write(SCRIPT % "")
        hint = self.hint(self.run_python("test_shop.py"))
        self.assertEqual(hint, 'leaks="report"')
        self.write(SCRIPT % (", " + hint))
        text = self.run_python("test_shop.py")
        self.assertIn("__main__.payloads[0]", text)
        self.assertEqual(self.hint(text), "")


class DjangoTest(ProjectCase, HeldTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", DJANGO)

    def test_runner(self):
        plain, found = self.run_all([wanted("-v2"), wanted("-v2", "--leaks=report")])
        self.assertEqual(self.hint(plain.text), "--leaks=report")
        self.assertNames(found.text)

    def test_workers(self):
        plain, found = self.run_all([wanted("-v2", "--parallel=2"),
                                     wanted("-v2", "--parallel=2", "--leaks=report")])
        self.assertEqual(self.hint(plain.text), "--leaks=report")
        self.assertNames(found.text)


class PytestTest(PytestCase, HeldTest):
    def test_plugin(self):
        self.write(test_shop=SAMPLE)
        hint = self.hint(self.pytest("-v", "--leaks=release")[0])
        self.assertEqual(hint, "--leaks=report")
        self.assertNames(self.pytest("-v", hint)[0])

    def test_another_plugin_has_the_option(self):
        self.write(test_shop=SAMPLE, other='''
            def pytest_addoption(parser):
                parser.addoption("--leaks", action="store_true")
        ''')
        hint = self.hint(self.pytest("-p", "other", "-v", "--leakfix=release")[0])
        self.assertEqual(hint, "--leakfix=report")
        self.assertNames(self.pytest("-p", "other", "-v", hint)[0])

    def test_workers(self):
        self.write(test_shop=SAMPLE)
        self.assertEqual("--leaks=report", self.hint(
            self.pytest("-v", "-p", "xdist", "-n", "1", "--leaks=release")[0]))


if __name__ == "__main__":
    unittest.main()
