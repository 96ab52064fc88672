"""Each recipe of docs/recipes.md is run as it stands, and lets go of its tests."""

from __future__ import absolute_import

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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
         "subunit": "python-subunit", "django": "Django", "testtools": "testtools"}
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


def which(command):
    """Return how this interpreter runs a command line, a list; SkipTest where the runner is missing."""
    words = command.split()
    if words[:2] == ["python", "-m"]:
        try:
            __import__(words[2])
        except ImportError:
            raise unittest.SkipTest("needs " + NEEDS[words[2].partition(".")[0]])
        return [sys.executable] + words[1:]
    script = os.path.join(os.path.dirname(sys.executable), words[0])
    if not os.path.exists(script):
        raise unittest.SkipTest("needs " + words[0])
    return [sys.executable, script] + words[1:]


class RecipesTest(unittest.TestCase):
    def perform(self, code=None, command=None):
        """Run *code*, by *command* or by itself, or plain unittest, and return what the probe wrote."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        name = "test_mixed.py" if command else "recipe.py"
        for name, text in (("test_shop.py", SHOP), (name, code or "")):
            with io.open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text if isinstance(text, type(u"")) else text.decode("ascii"))
        if command is None:
            command = [sys.executable] + (["recipe.py"] if code else ["-m", "unittest", "test_shop"])
        child = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(
                os.environ, PYTHONPATH=os.pathsep.join(
                    [folder, ROOT, os.environ.get("PYTHONPATH", "")])))
        self.text = child.communicate()[0].decode("utf-8", "replace")
        self.status = child.returncode
        path = os.path.join(folder, "probe.txt")
        self.assertTrue(os.path.exists(path), self.text)
        with io.open(path, encoding="utf-8") as probe:
            return probe.read()

    def verdict(self):
        """Return the exit status, and the lines that say how it ended, without names and times."""
        said = TIMES.sub("N s", self.text).replace("test_mixed", "test_shop").replace("MixedTests", "ShopTests")
        # pytest fills its last line up to 80 columns.
        return [self.status] + [each.strip("= ") for each in VERDICT.findall(said)]

    def test_plain_unittest_keeps_them(self):
        kept = self.perform()
        self.assertIn("test_fails", kept)
        self.assertIn("test_skip", kept)


def _runs(title, code):
    def test(self):
        for module in NEEDS:
            if re.search("^(import|from) %s" % module, code, re.MULTILINE):
                try:
                    __import__(module)
                except ImportError:
                    self.skipTest("needs " + NEEDS[module])
        if "unittest_leakfix.django" in code:
            if sys.version_info < (3, 8):
                self.skipTest("needs Python 3.8")
            try:
                import unittest_leakfix.django
            except ImportError as error:
                self.skipTest(str(error))
        probe = self.perform(code)
        self.assertEqual(probe, "3 begun, alive: ", self.text)
        self.assertIn("of the test", self.text)
    test.__doc__ = title
    return test


def _mixes(command):
    def test(self):
        words = which(command)
        plain = [word.replace("test_mixed", "test_shop") for word in words]
        self.perform(SHOP, plain)
        theirs = self.verdict()
        self.assertEqual(len(theirs), len(set(theirs)), theirs)
        probe = self.perform(recipes()[MIXED], words)
        self.assertEqual(probe, "3 begun, alive: ", self.text)
        self.assertEqual(self.verdict(), theirs, self.text)
    test.__doc__ = command
    return test


for _title, _code in recipes().items():
    _name = "test_" + re.sub(r"\W+", "_", _title.lower()).strip("_")
    setattr(RecipesTest, _name, _runs(_title, _code))
for _command in commands():
    _name = re.sub(r"^python -m ", "", _command).split()[0].replace(".", "_").replace("-", "_")
    setattr(RecipesTest, "test_mixin_under_" + _name, _mixes(_command))


if __name__ == "__main__":
    unittest.main()
