"""pytest-xdist: each worker finds on its own, the controller tells all of it."""
from __future__ import annotations

import json
import os
import unittest
from importlib.util import find_spec

from tests.integration.pytest_plugin.pytest_case import PytestCase
from tests.tiers import NEWEST, OLDEST, full_on
from tests.unit.leaks.page_samples import Page

SAMPLE = '''
    import os
    import sqlite3
    import unittest

    import pytest

    KEPT = []


    @pytest.mark.parametrize("number", range(8))
    def test_keeps(number):
        KEPT.append(open(__file__))


    class OrderTests(unittest.TestCase):
        def setUp(self):
            self.db = sqlite3.connect("orders.db")

        def test_one(self):
            pass

        def test_fails(self):
            self.fail("of the test")
'''


@unittest.skipUnless(find_spec("xdist"), "needs pytest-xdist")
@full_on(OLDEST, NEWEST)
class WorkerTests(PytestCase):

    def xdist(self, *arguments):
        return self.pytest("-p", "xdist.plugin", *arguments)

    def test_one_merged_report(self):
        self.write(test_sample=SAMPLE)
        text, status = self.xdist("-n4", "--dist=load", "--leaks=report", "--leaks-json=leaks.json",
                                  "--leaks-html=leaks.html", "-q")
        self.assertEqual(1, status)
        self.assertIn("LEAKS  2 causes in 9 of 10 tests: 1 connection, 1 file\n", text)
        self.assertEqual(["sqlite3 connection to orders.db was left open",
                          "file 'test_sample.py' was left open"],
                         self.causes(text))
        self.assertIn("    in worker gw0, gw1, gw2, gw3\n", text)
        self.assertIn("1 failed, 9 passed in 0 s\n", text)
        with open(os.path.join(self.folder, "leaks.json"), encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual(10, found["tests"])
        self.assertEqual(["test_sample.py::test_keeps[%d]" % number for number in range(8)],
                         sorted(found["leaks"][0]["tests"] if found["leaks"][0]["kind"] == "file"
                                else found["leaks"][1]["tests"]))

        with open(os.path.join(self.folder, "leaks.html"), encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual([], page.faults)
        self.assertEqual(["2 causes in 9 of 10 tests"], page.texts("h1"))
        self.assertEqual({"test_one", "test_fails", *("test_keeps[%d]" % n for n in range(8))},
                         set(page.data()["names"]))
        self.assertIn("@pytest.mark.leakfix_ignore(", page.texts("dl", class_="more")[0])

    def test_the_same_without_workers(self):
        self.write(test_sample=SAMPLE)
        text, status = self.xdist("-n0", "--leaks=report", "-q")
        self.assertEqual(1, status)
        self.assertIn("LEAKS  2 causes in 9 of 10 tests: 1 connection, 1 file\n", text)
        self.assertNotIn("in worker", text)

    def test_errors_baseline_and_scopes(self):
        self.write(test_sample=SAMPLE)
        text, status = self.xdist("-n2", "--dist=loadscope", "--leaks=fail", "-q")
        self.assertEqual(1, status)
        for number in range(8):
            self.assertIn("ERROR test_sample.py::test_keeps[%d]" % number, text)
        self.assertIn("1 failed, 9 passed, 9 errors in 0 s\n", text)
        self.xdist("-n2", "--leaks=report", "--leaks-write-baseline=known.json")
        text, status = self.xdist("-n2", "--leaks=fail", "--leaks-baseline=known.json", "-v")
        self.assertIn("1 failed, 9 passed in 0 s", text)
        self.assertIn("(listed in known.json)\n", text)

    def test_what_is_gone_and_an_update(self):
        self.write(test_sample=SAMPLE)
        path = os.path.join(self.folder, "known.json")
        with open(path, "w") as file:
            json.dump({"version": 1, "leaks": [
                {"kind": "file", "cause": "file of old",
                 "tests": ["test_sample.py::test_keeps[%d]" % number for number in range(8)]},
                {"kind": "umask", "cause": "umask umask",
                 "tests": ["test_sample.py::test_keeps[3]"]},
                {"kind": "cwd", "cause": "cwd changed", "tests": ["test_other.py::test_a"]}]}, file)
        text, _ = self.xdist("-n2", "--dist=load", "--leaks-baseline=known.json")
        self.assertEqual(["sqlite3 connection to orders.db was left open"],
                         self.causes(text))
        self.assertIn("Gone: 1 baseline entry no longer occurs (--leaks-update-baseline takes it "
                      "out)\n    umask umask\n", text)
        self.assertEqual(1, text.count("known.json is a baseline of version 1"))
        text, _ = self.xdist("-n2", "--dist=load", "--leaks-baseline=known.json",
                             "--leaks-update-baseline")
        self.assertIn("known.json was updated\n", text)
        with open(path) as file:
            value = json.load(file)
        listed = {entry["kind"]: sorted(entry["tests"]) for entry in value["leaks"]}
        self.assertEqual(2, value["version"])
        self.assertEqual({
            "file": ["test_sample.py::test_keeps[%d]" % number for number in range(8)],
            "connection": ["test_sample.py::OrderTests::test_one"],
            "cwd": ["test_other.py::test_a"]}, listed)
        # Without workers they are the same.
        text, _ = self.xdist("-n0", "--leaks=report", "--leaks-baseline=known.json", "-v")
        self.assertIn("LEAKS  none in 10 tests\nKnown: ", text)

    def test_a_worker_that_crashes(self):
        self.write(test_sample=SAMPLE + "\n    def test_z_crashes():\n        os._exit(3)\n")
        text, status = self.xdist("-n2", "--leaks=report", "-q")
        self.assertEqual(1, status)
        self.assertRegex(self.section(text),
                         r"\nworker gw\d crashed: what its tests left behind is not known\n")
        self.assertIn("file 'test_sample.py' was left open", text)

    def test_release(self):
        self.write(test_sample=SAMPLE)
        text, status = self.xdist("-n2", "--leaks=release", "-q")
        self.assertEqual("unittest_leakfix: let go of 2 finished tests, closed 2 resources left "
                         "open "
                         "(2 sqlite3 connections)\n", self.section(text))


if __name__ == "__main__":
    unittest.main()
