"""What goes wrong in user code, in the tests and around them, does not break the session."""
from __future__ import annotations

import json
import os
import re
import unittest

from tests.integration.pytest_plugin.pytest_case import PytestCase


class LeftTests(PytestCase):
    """What a test leaves replaced or used up: the session ends as without us."""

    def same(self, text, *present):
        self.write(test_sample=text)
        plain, status = self.pytest(plugin=False)
        counts = re.findall(r"\d+ failed, .* in|\d+ passed in", plain)[-1:]
        self.assertTrue(counts, plain)
        for mode in ("release", "report"):
            printed, ours = self.pytest("--leakfix=" + mode,
                                     "--leaks-json=report.json" if mode == "report" else "-q")
            self.assertEqual((re.findall(r"\d+ failed, .* in|\d+ passed in", printed)[-1:], ours),
                             (counts, status), printed)
            self.assertNotIn("INTERNALERROR", printed)
            self.assertNotRegex(printed, r"finding failed|switched off|no report")
            self.assertIn("closed 1 resource left open (1 file)", printed)
        for each in present:
            self.assertIn(each, printed)
        with open(os.path.join(self.folder, "report.json")) as report:
            self.assertEqual(json.load(report)["version"], 1)

    def test_no_descriptor(self):
        self.same('''
            import os, unittest
            from tests.support.descriptors import exhaust
            HELD = []

            class Thing:
                pass

            class Tests(unittest.TestCase):
                def test_a_takes_all(self):
                    self.file = open(os.devnull)
                    exhaust(HELD, 60, lambda: open(os.devnull))

                def test_b_keeps(self):
                    self.thing = Thing()
                    HELD.append(self.thing)

                def test_c_fails(self):
                    self.thing = Thing()
                    assert 0

            def test_function():
                HELD.append(Thing())
        ''', "Thing was kept")  # noqa: E501

    def test_functions_of_the_library(self):
        self.same('''
            import builtins, json, os, time, unittest
            HELD = []
            _open, _devnull = open, os.devnull

            class Thing:
                pass

            def left(*args, **kwds):
                raise RuntimeError("left by a test")

            class Tests(unittest.TestCase):
                def test_a_leaves(self):
                    os.getpid = os.listdir = os.readlink = json.dumps = json.dump = left
                    builtins.vars = time.sleep = left

                def test_b_owns(self):
                    self.file = _open(_devnull)
                    HELD.append(Thing())

                def test_c_fails(self):
                    self.thing = Thing()
                    assert 0

            def test_function():
                HELD.append(Thing())
        ''')

    def test_getpid_in_a_fixture(self):
        self.same('''
            import os
            import pytest

            @pytest.fixture(scope="module", autouse=True)
            def other():
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(os, "getpid", lambda: 7)
                    yield

            class TestSome:
                def test_owns(self):
                    self.file = open(os.devnull)
        ''')


class FaultTests(PytestCase):

    def test_a_close_that_raises(self):
        self.write(test_sample='''
            import sqlite3
            import pytest

            class Connection(sqlite3.Connection):
                def close(self):
                    raise OSError("gone away")

            @pytest.fixture
            def database():
                return sqlite3.connect(":memory:", factory=Connection)

            def test_fixture(database):
                pass

            class TestSome:
                def test_attribute(self):
                    self.database = sqlite3.connect(":memory:", factory=Connection)

            def test_after():
                pass
        ''')
        for arguments in ((), ("-W", "error::DeprecationWarning")):
            text, status = self.pytest("--leaks=release", *arguments)
            self.assertEqual(0, status, text)
            self.assertIn("LeakFixWarning: fixture database is over, but closing it (", text)
            self.assertIn(") raised OSError: gone away. Close it in the fixture, after its yield",
                          text)
            self.assertIn("3 passed", text)

    def test_warnings_that_are_errors(self):
        self.write(test_sample='''
            import sqlite3
            import pytest

            class Connection(sqlite3.Connection):
                def close(self):
                    raise OSError("gone away")

            class TestSome:
                def test_attribute(self):
                    self.database = sqlite3.connect(":memory:", factory=Connection)

            @pytest.fixture
            def database():
                return sqlite3.connect(":memory:", factory=Connection)

            def test_fixture(database):
                pass
        ''')
        text, status = self.pytest("--leaks=report", "-W", "error::UserWarning")
        self.assertEqual(0, status, text)
        self.assertIn("2 passed", text)
        self.assertIn("LeakFixWarning: TestSome.run is finished, but closing self.database (", text)

    def test_objects_that_lie(self):
        self.write(test_sample='''
            import pytest

            KEPT = []

            class Liar:
                def __getattr__(self, name):
                    raise RuntimeError(name)
                def __repr__(self):
                    raise RuntimeError("repr")
                def __eq__(self, other):
                    raise RuntimeError("eq")
                __hash__ = None

            @pytest.fixture
            def liar():
                liar = Liar()
                KEPT.append(liar)
                return liar

            @pytest.fixture(scope="module")
            def module_liar():
                return Liar()

            def test_liar(liar, module_liar):
                pass

            class TestLiar:
                def test_it(self):
                    self.liar = Liar()
        ''')
        text, status = self.pytest("--leaks=report")
        self.assertEqual(0, status, text)
        self.assertEqual(["Liar was kept after test_sample.py::test_liar (its fixture liar)"],
                         self.causes(text))
        self.assertNotIn("Not measured", text)

    def test_output_is_captured_and_the_report_is_not(self):
        self.write(test_sample='''
            import os

            class Loud:
                def __del__(self):
                    os.write(1, b"NOISE")

            def test_loud():
                loud = Loud()
                loud.me = loud

            def test_changes():
                os.environ["SHOP"] = "1"
        ''')
        text, status = self.pytest("-q", "--leaks=report")
        self.assertEqual(0, status, text)
        self.assertNotIn("NOISE", text)
        self.assertIn('environment variable "SHOP" was added', text)

    def test_a_session_in_a_test(self):
        self.write(test_sample='''
            import os
            import pytest

            def test_inner(tmp_path):
                (tmp_path / "test_inner.py").write_text("def test_it():\\n    import os; os.environ['INNER'] = '1'\\n")
                assert pytest.main(["-q", "-p", "unittest_leakfix.pytest_plugin", "--leaks=report",
                                    "-p", "no:cacheprovider", str(tmp_path)]) == 0
                del os.environ["INNER"]
                os.environ["OUTER"] = "1"
        ''')  # noqa: E501
        text, status = self.pytest("--leaks=report")
        self.assertEqual(0, status, text)
        # pytest.main() itself leaves the folder of the inner module on sys.path.
        self.assertEqual(['environment variable "OUTER" was added', "sys.path was changed"],
                         self.causes(text))

    def test_budgets(self):
        self.write(test_sample='''
            import sys, types, unittest
            import pytest
            from unittest_leakfix.databases.connection_limit import Budget

            @pytest.mark.leakfix_max_connections(2)
            def test_marked():
                assert Budget._budgets[-1].most == 2
                assert Budget._budgets[-1].given == "leakfix_max_connections(2)"
                assert Budget._budgets[-1].current == "test_sample.py::test_marked"

            def test_not_marked():
                assert Budget._budgets == [] or Budget._budgets[-1].most == 5

            class LimitedTests(unittest.TestCase):
                leakfix_max_connections = 3

                def test_limited(self):
                    self.assertEqual(3, Budget._budgets[-1].most)
        ''')
        for arguments in ((), ("--max-connections=5",)):
            text, status = self.pytest(*arguments)
            self.assertEqual(0, status, text)
        self.write(test_sample="import pytest\ndef test_first(): pass\n"
                               "@pytest.mark.leakfix_max_connections('x')\ndef test_it(): pass\n")
        text, status = self.pytest()
        self.assertEqual(4, status, text)
        self.assertIn(" no tests ran ", text)
        self.assertIn("the marker leakfix_max_connections takes a number of connections", text)


if __name__ == "__main__":
    unittest.main()
