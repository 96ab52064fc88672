"""Tests that somebody keeps: tried again when something has changed, seldom otherwise, and given
up."""
from __future__ import annotations

from tests.integration.pytest_plugin.pytest_case import PytestCase

# How often the plugin walked through what each instance holds, by its class.
COUNTS = '''
    import collections
    from unittest_leakfix._core import ownership

    walks = collections.Counter()
    original = ownership._judged

    def judged(held, *arguments):
        walks[type(held[0]).__name__] += 1
        return original(held, *arguments)

    ownership._judged = judged

    def pytest_terminal_summary(terminalreporter):
        terminalreporter.write_line("walks: %d" % walks["TestKept"])
'''
KEPT = '''
    import unittest
    import pytest

    KEEP = []

    class TestKept(%s):
        def test_kept(self):
            KEEP.append(self)
'''
MANY = '''
    @pytest.mark.parametrize("number", range(300))
    def test_after(number):
        pass
'''
CASES = '''
    class TestCases(unittest.TestCase):
        pass

    for number in range(300):
        setattr(TestCases, "test_%03d" % number, lambda self: None)
'''
FIXTURES = '''
    @pytest.fixture(scope="module", params=range(300))
    def number(request):
        return request.param

    def test_after(number):
        pass
'''


class KeptTests(PytestCase):
    """A try costs up to 5 ms: one test that is kept must not cost that after each test that
    follows."""

    def walks(self, text):
        return int(text.split("walks: ")[1].split()[0])

    def seldom(self, kept, after, mode="release"):
        self.write(test_sample=KEPT % kept + after, conftest=COUNTS)
        text, status = self.pytest("-v", "--leaks=" + mode)
        self.assertEqual(0, status, text)
        self.assertIn("301 passed", text)
        self.assertIn("1 test still held by other code", text)
        # Once when it is over, once when its reports are made, the last time, and at doubling
        # distances.
        self.assertIn(self.walks(text), range(2, 15))
        return text

    def test_functions_after_a_case(self):
        self.seldom("unittest.TestCase", MANY)

    def test_functions_after_a_plain_class(self):
        self.seldom("object", MANY)

    def test_cases_after_it(self):
        self.seldom("unittest.TestCase", CASES)

    def test_fixtures_after_it(self):
        self.seldom("unittest.TestCase", FIXTURES)

    def test_fixtures_after_a_plain_class(self):
        self.seldom("object", FIXTURES)

    def test_report(self):
        self.assertEqual(["test_sample.py::TestKept::test_kept was kept after it finished"],
                         self.causes(self.seldom("unittest.TestCase", MANY, "report")))

    def test_all_are_kept(self):
        self.write(test_sample=KEPT % "unittest.TestCase" + '''
    for number in range(300):
        setattr(TestKept, "test_%03d" % number, lambda self: KEEP.append(self))
    ''', conftest=COUNTS + '''
        terminalreporter.write_line("full collections: %d" % len(full))

    full = []

    def pytest_collection_finish():
        from unittest_leakfix._core.gc_control import heap
        of_all = heap.full
        heap.full = lambda: (full.append(1), of_all())
    ''')
        for mode in ("release", "report"):
            with self.subTest(mode=mode):
                text, status = self.pytest("-q", "--leaks=" + mode)
                self.assertEqual(0, status, text)
                self.assertLessEqual(self.walks(text), 4 * 301)
                self.assertLessEqual(int(text.split("full collections: ")[1].split()[0]), 10)


class FreedLaterTests(PytestCase):
    """What frees a kept test in the end lets go of it, and of what it owns."""

    def freed(self, kept, free, *more):
        self.write(test_sample='''
            import sqlite3
            import unittest
            import pytest
            KEEP, OPEN = [], []

            class Connection(sqlite3.Connection):
                def close(self):
                    OPEN.remove("own.db")
                    super().close()

            class Helper:
                pass

            class TestKept(unittest.TestCase):
                def test_kept(self):
                    self.db = sqlite3.connect("own.db", factory=Connection)
                    OPEN.append("own.db")
                    %s

            def test_open():
                assert OPEN == ["own.db"]

            def test_free():
                %s

            @pytest.mark.parametrize("number", range(20))
            def test_after(number):
                pass

            def test_closed():
                assert OPEN == []
        ''' % (kept, free))
        text, status = self.pytest("-q", "--leaks=release", *more)
        self.assertEqual(0, status, text)
        self.assertIn("closed 1 resource left open (1 sqlite3 connection)", self.section(text))
        self.assertNotIn("still held", text)

    def test_the_end_of_a_cycle(self):
        """The instance has as many references as before: only a try, or a full collection,
        tells."""
        self.freed("self.helper = Helper(); self.helper.test = self; KEEP.append(self.helper)",
                   "KEEP.clear()")

    def test_a_longer_cycle(self):
        self.freed("self.run_again = [Helper()]; self.run_again[0].me = [self.run_again, self]; "
                   "KEEP.append(self.run_again)", "del KEEP[:]")

    def test_one_reference_of_two(self):
        """It has fewer references, and is in a cycle of its own."""
        self.freed("self.again = self.test_kept; KEEP.append(self)", "KEEP.pop()")
