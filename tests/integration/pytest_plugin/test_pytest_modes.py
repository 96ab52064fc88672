"""The plugin's modes, options, markers and fixture, and what is said of bad input."""
from __future__ import annotations

import json
import os
import unittest
from xml.etree import ElementTree

from tests.integration.pytest_plugin.pytest_case import VERSION, PytestCase

KEEPS = '''
    import threading

    KEPT = []


    class Order:
        pass


    def test_keeps():
        KEPT.append(open(__file__))


    def test_clean():
        pass
'''
SUMMARY = """\
==================================== leaks =====================================
LEAKS  1 cause in 1 of 2 tests: 1 file

[1] file 'test_sample.py' was left open                              1 test
    test_sample.KEPT[0]
    ┬ module test_sample
    ├─ list (1 item)  .KEPT
    │                 ~~~~~
    │    ↓ [0]
    ╰→ TextIOWrapper
    opened by test_sample.py::test_keeps   test_sample.py:11
      10 def test_keeps():
    > 11     KEPT.append(open(__file__))
    in your code: keep the file in file, then request.addfinalizer(file.close)

More: --leaks-stacks  ·  As failures: --leaks=fail
Silence one: @pytest.mark.leakfix_ignore(file="file 'test_sample.py'", reason="...")
"""
ERROR = """\
==================================== ERRORS ====================================
_______________________ ERROR at teardown of test_keeps ________________________
leak: file 'test_sample.py' was left open: held by test_sample.KEPT[0]
"""


class ModeTests(PytestCase):

    def test_report(self):
        self.write(test_sample=KEEPS)
        text, status = self.pytest("-q", "--leaks=report")
        self.assertEqual("..%s[100%%]\n%s2 passed in 0 s\n" % (" " * 71, SUMMARY), text)
        self.assertEqual(0, status)

    def test_colour_is_pytests(self):
        self.write(test_sample=KEEPS)
        text, _ = self.pytest("-q", "--leaks=report", "--color=yes")
        self.assertIn("\033[1;31mLEAKS", text)

    def test_clean_is_quiet(self):
        self.write(test_sample="def test_clean(): pass")
        text, _ = self.pytest("-q", "--leaks=report")
        self.assertNotIn("leaks", text)
        text, _ = self.pytest("-v", "--leaks=report")
        self.assertIn("LEAKS  none in 1 test\n", self.section(text))

    def test_fail(self):
        self.write(test_sample=KEEPS)
        text, status = self.pytest("-q", "--leaks=fail", "--junitxml=junit.xml")
        self.assertEqual(1, status)
        self.assertIn(ERROR, text)
        # pytest 7.0 has no words in its short summary for what has no traceback.
        self.assertIn("ERROR test_sample.py::test_keeps" + (
            " - leak: file 'test_sample.py' was left open" if VERSION >= (7, 3) else "\n"), text)
        self.assertIn("2 passed, 1 error in 0 s\n", text)
        self.assertNotIn("As failures", text)
        suite = ElementTree.parse(os.path.join(self.folder, "junit.xml")).getroot()[0]
        errors = [(case.get("name"), error.get("message")) for case in suite
                  for error in case.findall("error")]
        self.assertEqual(["test_keeps"], [name for name, _ in errors])
        self.assertIn("held by test_sample.KEPT[0]", errors[0][1])

    def test_fail_stops_at_the_first(self):
        self.write(test_a=KEEPS, test_b=KEEPS)
        text, status = self.pytest("-q", "-x", "--leaks=fail")
        self.assertIn("stopping after 1 failures", text)
        self.assertEqual((1, 0), (status, text.count("test_b.py")))

    def test_fail_for_a_scope(self):
        self.write(test_sample='''
            import sqlite3
            import pytest

            @pytest.fixture(scope="session")
            def whole():
                return sqlite3.connect("whole.db")

            def test_one(whole): pass
            def test_two(whole): pass
        ''')
        text, status = self.pytest("-q", "--leaks=fail")
        self.assertEqual(1, status)
        self.assertIn("ERROR at teardown of test_two", text)
        self.assertIn("sqlite3 connection to whole.db was left open, opened at "
                      "test_sample.py:6 in "
                      "fixture whole (session)\n",
                      text.replace(" (by fixture whole (session))", ""))

    def test_changes_of_the_application_are_counted_once(self):
        # At the end all is judged when the session is over, and again after it.
        self.write(shop='''
            rows, log = [], []
            def price(): return 2
        ''', test_functions='''
            import shop
            def test_rows(): shop.rows.append(bytearray(2000000))
            def test_again(): shop.rows.append(bytearray(2000000))
            def test_patched(): shop.price = lambda: 1
        ''', test_cases='''
            import unittest, pytest, shop
            @pytest.fixture(scope="module", autouse=True)
            def log():
                shop.log.append(bytearray(2000000))
            class Tests(unittest.TestCase):
                def test_rows(self): shop.rows.append(bytearray(2000000))
                def test_again(self): shop.rows.append(bytearray(2000000))
        ''')
        text, status = self.pytest("-q", "--leaks=fail", "--leaks-json=leaks.json")
        errors = text.partition("= leaks =")[0]
        for headline in ("shop.rows grew by", "shop.log grew by", "shop.price was replaced"):
            self.assertEqual(1, errors.count(headline), text)
        with open(os.path.join(self.folder, "leaks.json"), encoding="utf-8") as file:
            leaks = {leak["subject"].partition(" ")[0]: leak for leak in json.load(file)["leaks"]}
        self.assertEqual({"shop.rows", "shop.log", "shop.price"}, set(leaks))
        self.assertEqual(4, leaks["shop.rows"]["growth"])
        self.assertLess(leaks["shop.rows"]["size"], 10000000)
        self.assertEqual(["test_functions.py::test_patched"], leaks["shop.price"]["tests"])

    def test_properties(self):
        self.write(test_sample=KEEPS, conftest='''
            def pytest_sessionfinish(session):
                for reports in session.config.pluginmanager.getplugin("terminalreporter").stats.values():
                    for report in reports:
                        for name, value in getattr(report, "user_properties", ()):
                            print("PROPERTY", report.nodeid, name, value)
        ''')  # noqa: E501
        text, _ = self.pytest("-q", "-s", "--leaks=report", "--junitxml=junit.xml")
        self.assertIn("PROPERTY test_sample.py::test_keeps leak file 'test_sample.py' was left "
                      "open: "
                      "held by test_sample.KEPT[0]\n", text)
        suite = ElementTree.parse(os.path.join(self.folder, "junit.xml")).getroot()[0]
        self.assertEqual(
            {"test_keeps": ["file 'test_sample.py' was left open: held by test_sample.KEPT[0]"],
                          "test_clean": []},
                         {case.get("name"): [each.get("value") for each in case.iter("property")]
                          for case in suite})
        self.assertEqual("0", suite.get("errors"))

    def test_release(self):
        self.write(test_sample='''
            import sqlite3
            import unittest
            import weakref
            import pytest

            SEEN = []
            # Before pytest 8.2 the first test of a TestCase is held by the generator that calls setUpClass.
            FIRST = pytest.__version__ < "8.2"

            class Plain:
                def keep(self):
                    SEEN.append(weakref.ref(self))
                    self.again = self.keep
                    self.db = sqlite3.connect("own.db")

            class TestPlain(Plain):
                def test_passes(self):
                    self.keep()

                def test_fails(self):
                    self.keep()
                    raise ValueError("of the test")

                def test_all_gone(self):
                    assert [each() for each in SEEN if each() is not None] == []

            class CaseTests(Plain, unittest.TestCase):
                def setUp(self):
                    assert [each() for each in SEEN if each() is not None][FIRST:] == []
                    self.keep()

                def test_fails(self):
                    self.fail("of the test")

                def test_passes(self):
                    pass

                def test_skips(self):
                    self.skipTest("today")

            class TearDownTests(CaseTests):
                def tearDown(self):
                    raise ValueError("of tearDown")

            def test_nothing_left():
                assert [each() for each in SEEN if each() is not None] == []
                assert len(SEEN) == 8
        ''')  # noqa: E501
        text, status = self.pytest("-q", "-p", "no:randomly", "--leaks=release")
        self.assertEqual(
            "unittest_leakfix: let go of 9 finished tests, closed 8 resources left open (8 sqlite3 "
            "connections)\n",
            self.section(text), text)
        self.assertEqual(1, status)


class OptionTests(PytestCase):

    def test_help_has_one_group(self):
        text, _ = self.pytest("--help")
        group = text[text.index("\nunittest_leakfix: what tests leave behind:\n"):].split("\n\n")[0]
        for option in ("--leaks=", "--leaks-failed", "--leaks-baseline=", "--leaks-write-baseline=",
                       "--leaks-json=",
                       "--leaks-stacks", "--leaks-restore", "--max-connections="):
            self.assertIn(option, group)
        for name in ("leakfix (string)", "leakfix_baseline (string)", "leakfix_failed (bool)"):
            self.assertIn(name, text)

    def test_nothing_is_loaded_until_asked(self):
        self.write(test_sample='''
            import sys

            def test_modules():
                mine = {name for name in sys.modules if name.startswith("unittest_leakfix")}
                assert mine == {"unittest_leakfix", "unittest_leakfix.pytest_plugin",
                                "unittest_leakfix._core", "unittest_leakfix._core.early",
                                "unittest_leakfix.options",
                                # What looks for a configuration file, and what that loads.
                                "unittest_leakfix._optional", "unittest_leakfix._core.declarations",
                                "unittest_leakfix._core.introspection"}
        ''')
        text, status = self.pytest()
        self.assertEqual(0, status, text)

    def test_json(self):
        self.write(test_sample=KEEPS)
        self.pytest("--leaks=report", "--leaks-json=leaks.json", "-p", "no:terminal")
        with open(os.path.join(self.folder, "leaks.json"), encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual((2, ["test_sample.py::test_keeps"]),
                         (found["tests"], found["leaks"][0]["tests"]))

    def test_baseline(self):
        self.write(test_sample=KEEPS)
        self.pytest("--leaks=report", "--leaks-write-baseline=known.json")
        text, status = self.pytest("--leaks=fail", "--leaks-baseline=known.json", "-v")
        self.assertEqual(0, status, text)
        self.assertIn("LEAKS  none in 2 tests\nKnown: 1 (listed in known.json)\n", text)
        self.write(test_sample=KEEPS.replace("test_clean():\n        pass",
                                             "test_clean():\n        keep()")
                   + "\n    def keep():\n        KEPT.append(Order())\n        "
                     "KEPT.append(open('new', 'w'))\n")
        text, status = self.pytest("--leaks=fail", "--leaks-baseline=known.json")
        self.assertEqual(1, status)
        self.assertIn("ERROR at teardown of test_clean", text)
        self.assertNotIn("ERROR at teardown of test_keeps", text)

    def test_leaks_of_failing_tests(self):
        self.write(test_sample=KEEPS
                   + "    def test_fails():\n        KEPT.append(Order()); assert 0\n")
        self.assertEqual(1, len(self.causes(self.pytest("--leaks=report")[0])))
        self.assertEqual(2, len(self.causes(self.pytest("--leaks=report", "--leaks-failed")[0])))

    def test_restore(self):
        self.write(test_sample='''
            import os

            def test_changes():
                os.environ["SHOP"] = "1"

            def test_after():
                assert "SHOP" not in os.environ
        ''')
        text, status = self.pytest("--leaks=report", "--leaks-restore")
        self.assertEqual(0, status)
        self.assertIn("put back for you", text)

    def test_bad_input(self):
        self.write(test_sample=KEEPS)
        for arguments, ini, printed in (
                (["--leaks=nonsense"], "", "argument --leaks: invalid choice: 'nonsense'"),
                ([], "leakfix = nonsense",
                 "ERROR: leakfix = nonsense in the ini file: choose from off, release, report, "
                 "fail\n"),
                (["--leaks=report", "--leaks-baseline=nowhere.json"], "",
                 "ERROR: baseline FOLDER/nowhere.json cannot be read: No such file or directory\n"),
                (["--leaks=report", "--leaks-baseline=test_sample.py"], "",
                 "ERROR: baseline FOLDER/test_sample.py is not one: "),
                (["--max-connections=-1"], "",
                 "ERROR: max connections -1: give a number of connections, 0 or more\n")):
            with self.subTest(arguments or ini):
                self.write(ini="[pytest]\n%s\n" % ini)
                text, status = self.pytest(*arguments)
                self.assertEqual(4, status, text)
                self.assertIn(printed, text)
                self.assertNotIn("Traceback", text)

    def test_a_file_that_cannot_be_written(self):
        self.write(test_sample=KEEPS)
        text, status = self.pytest("--leaks=report", "--leaks-json=nowhere/leaks.json")
        self.assertEqual(4, status)
        self.assertEqual("ERROR: --leaks-json: FOLDER/nowhere/leaks.json cannot be written: there "
                         "is no folder "
                         "FOLDER/nowhere\n\n", text)


class MarkerTests(PytestCase):

    def test_ignore(self):
        self.write(test_sample='''
            import pytest
            KEPT = []

            pytestmark = pytest.mark.leakfix_ignore(environment="SHOP_*", reason="of the module")

            @pytest.mark.leakfix_ignore(file="*.py'", reason="kept for the next")
            def test_file():
                KEPT.append(open(__file__))

            @pytest.fixture(scope="module")
            def setting():
                import os
                os.environ["SHOP_SETTING"] = "1"

            class TestSome:
                pytestmark = pytest.mark.leakfix_ignore(file="*", reason="of the class")

                def test_file(self, setting):
                    KEPT.append(open(__file__))

            def test_told():
                KEPT.append(open(__file__))
        ''')
        text, status = self.pytest("--leaks=report", "--strict-markers", "-W", "error", "-v")
        self.assertEqual(0, status, text)
        self.assertEqual(["file 'test_sample.py' was left open"], self.causes(text))
        self.assertIn("opened by test_sample.py::test_told   test_sample.py:", text)
        self.assertIn("Known: 3 (ignored with a reason in leakfix_ignore of test_sample.py, "
                      "leakfix_ignore of test_sample.py::test_file, "
                      "leakfix_ignore of test_sample.py::TestSome)\n", text)

    def test_bad_markers(self):
        for mark, printed in (
                ('leakfix_ignore(file="*")',
                 "ignore() needs a reason that a colleague understands in a year"),
                ('leakfix_ignore("file", reason="x")',
                 "it takes names only, as in leakfix_ignore(thread=")):
            with self.subTest(mark):
                self.write(test_sample="import pytest\n@pytest.mark.%s\ndef test_it(): pass\n"
                           % mark)
                text, status = self.pytest("--leaks=report")
                self.assertEqual(4, status, text)
                self.assertIn("ERROR: test_sample.py::test_it: the marker leakfix_ignore: "
                              + printed,
                              text)

    def test_markers_are_listed(self):
        text, _ = self.pytest("--markers")
        self.assertIn("@pytest.mark.leakfix_ignore(kind=", text)
        self.assertIn("@pytest.mark.leakfix_max_connections(number): ", text)


class BlockTests(PytestCase):

    def test_a_block(self):
        self.write(test_sample='''
            KEPT = []

            class Order:
                pass

            def test_watch(leakfix):
                with leakfix.watch() as found:
                    KEPT.append(open(__file__))
                assert [leak.kind for leak in found.leaks] == ["file"]
                with leakfix.watch() as found:
                    local = Order()
                assert found.leaks == []

            def test_assert(leakfix):
                with leakfix.assert_no_leaks("the order is kept"):
                    KEPT.append(Order())
        ''')
        for arguments in ((), ("--leaks=report",)):
            with self.subTest(arguments):
                text, status = self.pytest("-q", "-rf", *arguments)
                self.assertIn(".F", text)
                self.assertIn("the order is kept: 1 leak was left behind:\n", text)
                self.assertIn("Order was kept after the block in test_sample.py::test_assert: held "
                              "by "
                              "test_sample.KEPT[1]", text)
                self.assertIn("1 failed, 1 passed in 0 s\n", text)


if __name__ == "__main__":
    unittest.main()
