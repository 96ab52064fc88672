"""Each recipe of docs/recipes.md is run as it stands, lets go of its tests, and says when one
failed.

The commands are run as they are printed, in a folder with nothing but the tests, in an environment
in which this package is installed: no variable sends Python anywhere.
"""

from __future__ import absolute_import

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.installed import Environment
from tests.support.paths import ROOT

SHOP = '''\
import os, unittest, weakref

# trial runs its tests in a folder of its own.
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.txt")
payloads = []


class Payload(object):
    pass


class ShopTests(unittest.TestCase):
    def setUp(self):
        self.payload = Payload()
        payloads.append((self._testMethodName, weakref.ref(self.payload)))

    def test_passes(self):
        pass

    def test_fails(self):
        self.fail("of the test")

    def test_skip(self):
        self.skipTest("of the test")


class ZProbe(unittest.TestCase):
    def test_probe(self):
        with open(PROBE, "w") as probe:
            probe.write("%d begun, alive: %s" % (len(payloads), ", ".join(
                name for name, each in payloads if each() is not None)))
'''
NEEDS = {"xmlrunner": "unittest-xml-reporting", "teamcity": "teamcity-messages",
         "subunit": "python-subunit", "django": "Django", "testtools": "testtools",
         "twisted": "Twisted"}
PASSING = SHOP.replace('self.fail("of the test")', "pass")
# Two more ways to be unsuccessful.
ERROR = SHOP.replace('self.fail("of the test")', 'raise ValueError("of the test")')
UNEXPECTED = PASSING.replace("    def test_fails",
                             "    @unittest.expectedFailure\n    def test_fails")
MIXED = "Runners that have their own suites and results: the mixin"
# Lines that say how it ended, whatever the runner.
VERDICT = re.compile(r"^.*(?:\bRan \d+ test|FAILED|\d+ failed).*$", re.MULTILINE)
TIMES = re.compile(r"\d+\.\d+ ?s(?:econds)?")


def _text():
    with io.open(os.path.join(ROOT, "docs", "recipes.md"), encoding="utf-8") as text:
        return text.read()


def recipes():
    """Return {title: code}."""
    return dict(re.findall(r"## (.*?)\n.*?```python\n(.*?)```", _text(), re.DOTALL))


def commands():
    """List the command lines that run ``test_mixed.py``."""
    return re.search(r"```sh\n(.*?)```", _text(), re.DOTALL).group(1).splitlines()


class RecipesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.environment = Environment()

    @classmethod
    def tearDownClass(cls):
        cls.environment.remove()

    def perform(self, code=None, command="python recipe.py", shop=SHOP):
        """Run the command line with *code* in its file, and return what the probe wrote."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        second = "recipe.py" if command == "python recipe.py" else "test_mixed.py"
        for name, text in (("test_shop.py", shop), (second, code or "")):
            with io.open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text if isinstance(text, type(u"")) else text.decode("ascii"))
        child = subprocess.Popen(command, shell=True, cwd=folder, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, env=self.environment.variables)
        self.text = child.communicate()[0].decode("utf-8", "replace")
        self.status = child.returncode
        path = os.path.join(folder, "probe.txt")
        self.assertTrue(os.path.exists(path), self.text)
        with io.open(path, encoding="utf-8") as probe:
            return probe.read()

    def verdict(self):
        """Return the exit status, and the lines that say how it ended, without names and times."""
        printed = TIMES.sub("N s", self.text).replace("test_mixed",
                                                      "test_shop").replace("MixedTests",
                                                                                      "ShopTests")
        # pytest fills its last line up to 80 columns.
        return [self.status] + [each.strip("= ") for each in VERDICT.findall(printed)]

    def test_plain_unittest_keeps_them(self):
        kept = self.perform(command="python -m unittest test_shop")
        self.assertIn("test_fails", kept)
        self.assertIn("test_skip", kept)

    def test_errors_and_unexpected_successes(self):
        """Where the recipe has a result of its own, whether that records all of them."""
        for title in ("Your own result class", "python-subunit and testtools", "testtools.run"):
            code = recipes()[title]
            if _missing(code):
                self.skipTest("needs " + _missing(code))
            self.perform(code, shop=ERROR)
            self.assertNotEqual(self.status, 0, self.text)
            if sys.version_info >= (3, 4):  # before, unittest called it a success
                self.perform(code, shop=UNEXPECTED)
                self.assertNotEqual(self.status, 0, self.text)


def _missing(code):
    for module in NEEDS:
        if re.search("^(import|from) %s" % module, code, re.MULTILINE):
            try:
                __import__(module)
            except ImportError:
                return NEEDS[module]
    return None


def _runs(title, code):
    def test(self):
        if _missing(code):
            self.skipTest("needs " + _missing(code))
        if "unittest_leakfix.django" in code:
            if sys.version_info < (3, 8):
                self.skipTest("needs Python 3.8")
            try:
                import unittest_leakfix.django  # noqa: F401
            except ImportError as error:
                self.skipTest(str(error))
        probe = self.perform(code)
        self.assertEqual(probe, "3 begun, alive: ", self.text)
        self.assertIn("of the test", self.text)
        self.assertNotEqual(self.status, 0, self.text)
        self.perform(code, shop=PASSING)
        self.assertEqual(self.status, 0, self.text)
    test.__doc__ = title
    return test


def _mixes(command):
    def test(self):
        if not self.environment.has(command):
            self.skipTest("needs "
                          + NEEDS.get(command.split()[2].partition(".")[0], command.split()[0]))
        self.perform(SHOP, command.replace("test_mixed", "test_shop"))
        theirs = self.verdict()
        self.assertNotEqual(self.status, 0, self.text)
        self.assertEqual(len(theirs), len(set(theirs)), theirs)
        probe = self.perform(recipes()[MIXED], command)
        self.assertEqual(probe, "3 begun, alive: ", self.text)
        self.assertEqual(self.verdict(), theirs, self.text)
    test.__doc__ = command
    return test


for _title, _code in recipes().items():
    _name = "test_" + re.sub(r"\W+", "_", _title.lower()).strip("_")
    setattr(RecipesTest, _name, _runs(_title, _code))
for _command in commands():
    _name = re.sub(r"^python -m (twisted\.)?", "",
                   _command).split()[0].replace(".", "_").replace("-", "_")
    setattr(RecipesTest, "test_mixin_under_" + _name, _mixes(_command))


if __name__ == "__main__":
    unittest.main()
