"""The types: a typed program of a user's passes mypy, mistakes do not, and the .pyi files
say what the code does."""

from __future__ import absolute_import

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT

PROGRAMS = os.path.join(ROOT, "tests", "project", "typed_program")

try:
    import mypy
except ImportError:
    mypy = None


@unittest.skipIf(mypy is None, "mypy is installed in the 3.12 environment only")
class TypesTests(unittest.TestCase):
    """mypy and stubtest, run as a user runs them, away from the clone."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def check(self, *command):
        """The status and the output of a module of mypy's, with the clone to be found."""
        child = subprocess.Popen(
            [sys.executable, "-m"] + list(command), stdout=subprocess.PIPE, cwd=self.folder,
            stderr=subprocess.STDOUT, env=dict(
                os.environ, MYPYPATH=ROOT, PYTHONPATH=ROOT,
                # stubtest looks at all that a module has: Django's settings too
                DJANGO_SETTINGS_MODULE="django.conf.global_settings"))
        printed = child.communicate()[0].decode("utf-8", "replace")
        return child.returncode, printed

    def strict(self, name, *options):
        """As ``check``, for mypy --strict on one of the programs."""
        return self.check("mypy", "--strict", "--cache-dir", self.folder,
                          os.path.join(PROGRAMS, name), *options)

    def test_typed_program(self):
        for version in ("3.12", "3.14"):    # the runner's constructor goes by version
            status, printed = self.strict("orders.py", "--python-version", version)
            self.assertEqual(status, 0, printed)

    def test_program_uses_every_public_name(self):
        with io.open(os.path.join(PROGRAMS, "orders.py"), encoding="utf-8") as source:
            used = set(re.findall(r"\w+", source.read()))
        import unittest_leakfix
        self.assertEqual(sorted(set(unittest_leakfix.__all__) - used), [])

    def test_mistakes_are_refused(self):
        with io.open(os.path.join(PROGRAMS, "mistakes.py"), encoding="utf-8") as source:
            expected = [(number, line.split("# E: ")[1].strip())
                        for number, line in enumerate(source, 1) if "# E: " in line]
        status, printed = self.strict("mistakes.py", "--show-error-codes")
        found = [(int(number), code) for number, code in
                 re.findall(r"mistakes\.py:(\d+): error: .*\[([\w-]+)\]$", printed, re.MULTILINE)]
        self.assertEqual(found, expected, printed)
        self.assertEqual(status, 1)

    def test_stubs_say_what_the_code_does(self):
        status, printed = self.check("mypy.stubtest", "unittest_leakfix", "--ignore-missing-stub",
                                  "--allowlist",
                                  os.path.join(PROGRAMS, "allowlist.txt"), "--mypy-config-file",
                                  os.path.join(ROOT, "pyproject.toml"))
        self.assertEqual(status, 0, printed)
