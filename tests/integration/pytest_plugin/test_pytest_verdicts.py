"""With the plugin, in every mode, pytest says and does what it does without."""
from __future__ import annotations

import re
import unittest

from tests.integration.pytest_plugin.pytest_case import VERSION, PytestCase
from tests.tiers import NEWEST, OLDEST, full_on

SAMPLE = '''
    import asyncio
    import sqlite3
    import sys
    import unittest
    import warnings

    import pytest


    class Thing:
        def __init__(self):
            self.me = self

        def __repr__(self):
            return "Thing()"


    @pytest.fixture
    def raises_late():
        yield Thing()
        raise ValueError("late")


    @pytest.fixture
    def raises_early():
        raise ValueError("early")


    @pytest.fixture(scope="module")
    def database():
        with_rows = sqlite3.connect(":memory:")
        with_rows.execute("create table t (n)")
        yield with_rows
        with_rows.execute("select * from t")
        with_rows.close()


    @pytest.fixture(params=["a", "b"], scope="class")
    def letter(request):
        return request.param


    def test_passes(database):
        database.execute("insert into t values (1)")


    def test_fails(capsys, database):
        print("said")
        thing = Thing()
        assert thing is None


    def test_late(raises_late):
        pass


    def test_early(raises_early):
        pass


    @pytest.mark.skip(reason="of old")
    def test_skip():
        pass


    @pytest.mark.xfail(reason="known")
    def test_xfail():
        assert 0


    @pytest.mark.xfail
    def test_xpass():
        pass


    def test_warns(monkeypatch, tmp_path, recwarn):
        monkeypatch.setenv("SHOP", "1")
        warnings.warn("deprecated", DeprecationWarning)
        (tmp_path / "file").write_text("x")


    def test_warns_again():
        warnings.warn("of the test")


    def test_logs(caplog):
        import logging
        logging.getLogger("shop").warning("careful")
        assert "careful" not in caplog.text


    class TestClass:
        def setup_class(cls):
            cls.shared = sqlite3.connect(":memory:")

        def teardown_class(cls):
            cls.shared.execute("select 1")
            cls.shared.close()

        def setup_method(self, method):
            self.thing = Thing()
            self.own = sqlite3.connect(":memory:")

        def teardown_method(self):
            self.own.execute("select 1")

        def test_letters(self, letter):
            assert letter == "a"

        def test_shared(self):
            self.kept = self.test_shared
            self.shared.execute("select 1")


    class CaseTests(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.shared = sqlite3.connect(":memory:")

        @classmethod
        def tearDownClass(cls):
            cls.shared.execute("select 1")
            cls.shared.close()

        def setUp(self):
            self.own = sqlite3.connect(":memory:")

        def test_passes(self):
            self.shared.execute("select 1")

        def test_fails(self):
            local = Thing()
            self.assertEqual(1, 2)

        def test_error(self):
            raise ValueError("of the test")

        def test_skip(self):
            self.skipTest("today")

        @unittest.expectedFailure
        def test_expected(self):
            self.fail("as expected")

        def test_subtests(self):
            for number in range(3):
                with self.subTest(number=number):
                    self.assertNotEqual(number, 1)


    class TearDownTests(unittest.TestCase):
        def tearDown(self):
            raise ValueError("of tearDown")

        def test_passes(self):
            pass

        def test_fails(self):
            self.fail("both")


    class AsyncTests(unittest.IsolatedAsyncioTestCase):
        async def test_passes(self):
            await asyncio.sleep(0)

        async def test_fails(self):
            self.fail("in a coroutine")
'''
EVERY = ("-v", "-rA", "--tb=long", "--showlocals", "--durations=3", "--durations-min=100", "-p",
         "no:randomly")


@full_on(OLDEST, NEWEST)
class VerdictTests(PytestCase):

    def compare(self, *arguments, modes=("report",), **more):
        """Run without the plugin, and in these modes with it: the same output but for our
        section."""
        plain, status = self.pytest(*arguments, plugin=False, **more)
        for mode in modes:
            with self.subTest(mode=mode):
                text, with_plugin = self.pytest(*arguments, "--leaks=" + mode, **more)
                self.assertEqual(self.bare(plain), self.bare(text))
                self.assertEqual(status, with_plugin)
        return plain, status

    def bare(self, text):
        """Return the output without our section, and without the names of our plugin and our
        fixture."""
        text = re.sub(r"^plugins: .*\n", "", text, flags=re.M).replace(" leakfix,", "")
        section = self.section(text)
        if section:
            text = re.sub(r"^=+ leaks =+\n" + re.escape(section), "", text, flags=re.M)
        return text

    def test_every_outcome(self):
        self.write(test_sample=SAMPLE)
        plain, status = self.compare(*EVERY, modes=("off", "release", "report"))
        self.assertEqual(1, status)
        for word in ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS"):
            self.assertIn(word, plain)

    def test_short(self):
        self.write(test_sample=SAMPLE)
        self.compare("-q")

    def test_stop_at_the_first(self):
        self.write(test_sample=SAMPLE)
        self.compare("-x")
        self.compare("--maxfail=3", "--setup-show")

    def test_collect_only(self):
        self.write(test_sample=SAMPLE)
        self.compare("--collect-only", "-q")

    def test_without_terminal(self):
        self.write(test_sample=SAMPLE)
        self.assertEqual(("", 1), self.compare("-p", "no:terminal"))

    def test_without_pytests_own(self):
        self.write(test_sample=SAMPLE)
        self.compare("-q", "-p", "no:warnings", "-p", "no:logging", "-p", "no:unraisableexception",
                     "-s")

    def test_debugger(self):
        self.write(test_sample=SAMPLE)
        typed = "p 'see', self.own.execute('select 7').fetchone()\nc\n"
        plain, _ = self.compare("--pdb", "-k", "CaseTests and (fails or error)", typed=typed * 4)
        self.assertIn("('see', (7,))", plain)

    def test_doctest_and_own_items(self):
        self.write(conftest='''
            import pytest

            def pytest_collect_file(parent, file_path):
                if file_path.suffix == ".yaml":
                    return YamlFile.from_parent(parent, path=file_path)

            class YamlFile(pytest.File):
                def collect(self):
                    yield YamlItem.from_parent(self, name="first")
                    yield YamlItem.from_parent(self, name="second")

            class YamlItem(pytest.Item):
                def runtest(self):
                    assert self.name == "first"

                def repr_failure(self, excinfo):
                    return "not the first"
        ''', shop='''
            def price():
                """
                >>> price()
                2
                """
                return 1
        ''')
        with open(self.folder + "/test_a.yaml", "w"):
            pass
        plain, _ = self.compare("--doctest-modules", "-v")
        self.assertIn("not the first", plain)
        self.assertIn("[doctest] shop.price", plain)

    def test_hooks_of_a_conftest(self):
        self.write(conftest='''
            import pytest
            from _pytest.runner import runtestprotocol

            @pytest.hookimpl(tryfirst=True)
            def pytest_runtest_protocol(item, nextitem):
                item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
                for attempt in range(2):
                    reports = runtestprotocol(item, nextitem=nextitem, log=False)
                for report in reports:
                    item.ihook.pytest_runtest_logreport(report=report)
                return True

            @pytest.hookimpl(hookwrapper=True)
            def pytest_runtest_makereport(item, call):
                outcome = yield
                report = outcome.get_result()
                if report.when == "teardown" and getattr(item, "instance", None) is not None:
                    report.sections.append(("seen", type(item.instance).__name__))
        ''', test_sample=SAMPLE)
        self.compare("-v", "-rA", "-k", "not TearDown")

    @unittest.skipIf(VERSION < (9, 0), "pytest 9 has subtests of its own")
    def test_subtests(self):
        self.write(test_sample='''
            def test_numbers(subtests):
                for number in range(3):
                    with subtests.test(number=number):
                        assert number != 1
        ''')
        self.compare("-v")

    def test_exit(self):
        self.write(test_a="def test_a(): pass", test_b='''
            import pytest

            @pytest.fixture(scope="session")
            def whole():
                yield
                print("torn down")

            def test_exit(whole):
                pytest.exit("enough", 3)
        ''')
        _, status = self.compare("-v", "-s")
        self.assertEqual(3, status)

    def test_interrupt(self):
        self.write(test_a="def test_a(): pass", test_b="def test_b(): raise KeyboardInterrupt")
        _, status = self.compare()
        self.assertEqual(2, status)

    def test_broken_collection(self):
        self.write(test_a="def test_a(): pass", test_b="import nowhere")
        _, status = self.compare("-v")
        self.assertEqual(2, status)


if __name__ == "__main__":
    unittest.main()
