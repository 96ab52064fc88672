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
import unittest, weakref

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
        with open("probe.txt", "w") as probe:
            probe.write("%d begun, alive: %s" % (len(payloads), ", ".join(
                name for name, each in payloads if each() is not None)))
'''
NEEDS = {"xmlrunner": "unittest-xml-reporting", "teamcity": "teamcity-messages",
         "subunit": "python-subunit", "django": "Django"}


def recipes():
    """Return {title: code}."""
    with io.open(os.path.join(ROOT, "docs", "recipes.md"), encoding="utf-8") as text:
        return dict(re.findall(r"## (.*?)\n.*?```python\n(.*?)```", text.read(), re.DOTALL))


class RecipesTest(unittest.TestCase):
    def perform(self, code=None):
        """Run *code*, or plain unittest, and return what the probe wrote."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        for name, text in (("test_shop.py", SHOP), ("recipe.py", code or "")):
            with io.open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text if isinstance(text, type(u"")) else text.decode("ascii"))
        arguments = ["recipe.py"] if code else ["-m", "unittest", "test_shop"]
        child = subprocess.Popen(
            [sys.executable] + arguments, cwd=folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(
                os.environ, PYTHONPATH=os.pathsep.join(
                    [folder, ROOT, os.environ.get("PYTHONPATH", "")])))
        self.text = child.communicate()[0].decode("utf-8", "replace")
        path = os.path.join(folder, "probe.txt")
        self.assertTrue(os.path.exists(path), self.text)
        with io.open(path, encoding="utf-8") as probe:
            return probe.read()

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
        probe = self.perform(code)
        self.assertEqual(probe, "3 begun, alive: ", self.text)
        self.assertIn("of the test", self.text)
    test.__doc__ = title
    return test


for _title, _code in recipes().items():
    _name = "test_" + re.sub(r"\W+", "_", _title.lower()).strip("_")
    setattr(RecipesTest, _name, _runs(_title, _code))


if __name__ == "__main__":
    unittest.main()
