"""Suites of other projects end as they do without us: what benchmarks/*verdicts.py compare."""

from __future__ import absolute_import, print_function

import glob
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from tests.support.interpreters import ENVIRONMENTS
from tests.support.paths import ROOT
from tests.tiers import NEWEST, nightly

MODERN = sys.version_info >= (3, 8)


def suites(script):
    """List the names of a script's suites. It cannot be imported before Python 3.8."""
    with io.open(os.path.join(ROOT, "benchmarks", script), encoding="utf-8") as source:
        table = re.search(r"^SUITES\b.*?^}", source.read(), re.DOTALL | re.MULTILINE).group()
    return re.findall(r'^    "([^"]+)": ', table, re.MULTILINE)


def modern():
    """Return an interpreter that runs the scripts: this one, or that of an environment."""
    if MODERN:
        return sys.executable
    found = [path for path in glob.glob(os.path.join(ENVIRONMENTS, "3.*", "bin", "python"))
             if re.search(r"/3\.(8|9|\d\d)/bin", path)]
    if not found:
        raise unittest.SkipTest("needs Python 3.8 in .envs/ to compare from")
    return sorted(found)[-1]


class CorpusCase(unittest.TestCase):
    def compare(self, script, *arguments):
        """Run the script; return what it printed."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "output")
        with open(path, "w") as output:
            child = subprocess.Popen([modern(), os.path.join(ROOT, "benchmarks", script)]
                                     + list(arguments),
                                     stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                                     cwd=ROOT)
            child.stdin.close()
            last = time.time()
            while child.poll() is None:
                time.sleep(0.2)
                # it has limits of its own: the test command need not worry
                if time.time() - last > 60:
                    last = time.time()
                    sys.stderr.write(":")
                    sys.stderr.flush()
        with io.open(path, encoding="utf-8", errors="replace") as output:
            text = output.read()
        if "CalledProcessError" in text and "'pip'" in text:
            self.skipTest("needs the package index")
        self.assertEqual(child.returncode, 0, text)
        return text


@nightly
class StandardLibraryTest(CorpusCase):
    """Under unittest and under us, on this interpreter."""

    def verdicts(self, suite):
        text = self.compare("verdicts.py", "--python", sys.executable, suite)
        if "not in this Python" in text:
            self.skipTest("the suite %s is not in this Python" % suite)
        self.assertRegex(text, r"(?m)^\| %s +\| +[1-9]\d* \|" % suite)
        self.assertIn("\n0 unexplained differences", text)

    if not hasattr(unittest.TestCase, "assertRegex"):
        assertRegex = unittest.TestCase.assertRegexpMatches


@nightly
@unittest.skipUnless(sys.version_info[:2] == NEWEST, "on Python %d.%d" % NEWEST)
class PytestTest(CorpusCase):
    """Under pytest, with the plugin and without."""

    def verdicts(self, suite):
        self.assertIn("the same", self.compare("pytest_verdicts.py", "--repeat", "1", suite))


@nightly
@unittest.skipUnless(sys.version_info[:2] == NEWEST, "on Python %d.%d" % NEWEST)
class DjangoTest(CorpusCase):
    """Under Django's runner and under ours."""

    def verdicts(self, suite):
        text = self.compare("django_verdicts.py", "--repeat", "1", "--verdicts", suite)
        self.assertRegex(text, r"(?m)^%s +[1-9]\d* tests" % suite)


@nightly
@unittest.skipUnless(sys.version_info[:2] == NEWEST, "on Python %d.%d" % NEWEST)
class ReviewedTest(CorpusCase):
    """Plain and in each mode; and the causes are those that were reviewed."""

    def verdicts(self, suite):
        text = self.compare("corpora.py", suite)
        self.assertRegex(text, r"(?m)^\| %s \| fail \| [1-9]" % re.escape(suite))


for _case, _script in ((StandardLibraryTest, "verdicts.py"), (PytestTest, "pytest_verdicts.py"),
                       (DjangoTest, "django_verdicts.py"), (ReviewedTest, "corpora.py")):
    for _suite in suites(_script):
        setattr(_case, "test_" + re.sub(r"\W", "_", _suite),
                lambda self, suite=_suite: self.verdicts(suite))


if __name__ == "__main__":
    unittest.main()
