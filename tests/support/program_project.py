"""The small project that test_program.py runs: file name -> text. Every outcome is in it."""

from __future__ import absolute_import

FILES = {
    "test_clean.py": u'''
    import unittest

    class Clean(unittest.TestCase):
        def test_one(self):
            """It has a description."""

        def test_two(self):
            self.kept = [1]

    class NoTest(object):
        pass
    ''',

    "test_more.py": u'''
    import unittest

    class MoreOne(unittest.TestCase):
        def test_more(self):
            pass

    def suite():
        return unittest.TestSuite([MoreOne("test_more"), unittest.TestSuite([MoreOne("test_more")])])
    ''',  # noqa: E501

    "test_empty.py": u'''
    value = 1
    ''',

    "test_outcomes.py": u'''
    import unittest

    class Outcomes(unittest.TestCase):
        def test_passes(self):
            pass

        def test_fails(self):
            """The first line.

            And more."""
            number = 3
            self.assertEqual(number, 4)

        def test_error(self):
            raise ValueError("an error")

        def test_chained(self):
            try:
                {}["missing"]
            except KeyError:
                raise RuntimeError("another")

        def test_long_difference(self):
            self.assertEqual({"a": 1, "b": [2, 3]}, {"a": 1, "b": [2, 4]})

        def test_skips(self):
            self.skipTest("in the body")

        @unittest.skip("by decorator")
        def test_skipped(self):
            pass

        @unittest.expectedFailure
        def test_expected(self):
            self.fail("expected")

        @unittest.expectedFailure
        def test_unexpected(self):
            pass

        def test_cleanups(self):
            self.addCleanup(int, "x")
            self.addCleanup(int, "y")
            self.fail("first")

        def test_exit_is_an_error_of_the_test(self):
            raise Exception("last")

    class SetUp(unittest.TestCase):
        def setUp(self):
            raise ValueError("in setUp")

        def test_one(self):
            pass

    class SetUpSkips(unittest.TestCase):
        def setUp(self):
            raise unittest.SkipTest("in setUp")

        def test_one(self):
            pass

    class TearDown(unittest.TestCase):
        def tearDown(self):
            raise ValueError("in tearDown")

        def test_passes(self):
            pass

        def test_fails(self):
            self.fail("in the test")

    @unittest.skip("all of it")
    class Skipped(unittest.TestCase):
        def test_one(self):
            pass
    ''',

    "test_skipped.py": u'''
    import unittest

    class Skipped(unittest.TestCase):
        @unittest.skip("not today")
        def test_one(self):
            pass
    ''',

    "test_subtests.py": u'''
    import unittest

    class SubTests(unittest.TestCase):
        def test_one_fails(self):
            for number in range(3):
                with self.subTest(number=number):
                    self.assertNotEqual(number, 1)

        def test_several_fail(self):
            for number in range(4):
                with self.subTest("message", number=number, word="a b"):
                    if number == 1:
                        self.skipTest("one of them")
                    if number == 2:
                        {}["key"]
                    self.assertEqual(number, 1)

        def test_nested(self):
            with self.subTest(outer=1):
                with self.subTest(inner=2):
                    self.fail("deep")

        def test_pass(self):
            with self.subTest(number=1):
                pass

        @unittest.expectedFailure
        def test_expected(self):
            with self.subTest(number=1):
                self.fail("expected")
    ''',

    "test_fixtures.py": u'''
    import unittest

    def setUpModule():
        print("setUpModule")

    def tearDownModule():
        print("tearDownModule")
        raise ValueError("in tearDownModule")

    class SetUpClass(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            raise ValueError("in setUpClass")

        def test_never(self):
            pass

    class SetUpClassSkips(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            raise unittest.SkipTest("in setUpClass")

        def test_never(self):
            pass

    class TearDownClass(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            print("setUpClass")

        @classmethod
        def tearDownClass(cls):
            print("tearDownClass")
            raise ValueError("in tearDownClass")

        def test_one(self):
            print("test_one")

        def test_two(self):
            print("test_two")
    ''',

    "test_module_fixture.py": u'''
    import unittest

    def setUpModule():
        raise ValueError("in setUpModule")

    class Never(unittest.TestCase):
        def test_never(self):
            pass
    ''',

    "test_module_skip.py": u'''
    import unittest

    def setUpModule():
        raise unittest.SkipTest("not this module")

    class Never(unittest.TestCase):
        def test_never(self):
            pass
    ''',

    "test_class_cleanups.py": u'''
    import unittest

    class ClassCleanups(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.addClassCleanup(print, "class cleanup")
            cls.addClassCleanup(int, "no number")

        def test_one(self):
            pass
    ''',

    "test_async.py": u'''
    import sys
    import unittest

    if sys.version_info >= (3, 8):
        class Async(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.value = 1

            async def test_passes(self):
                self.assertEqual(self.value, 1)

            async def test_fails(self):
                self.assertEqual(self.value, 2)

            async def test_skips(self):
                self.skipTest("later")
    ''' if __import__("sys").version_info >= (3,) else u'''
    pass
    ''',

    "test_output.py": u'''
    import sys
    import unittest

    class Output(unittest.TestCase):
        def test_a_passes(self):
            print("not seen with -b")
            sys.stdout.flush()

        def test_b_fails(self):
            print("seen on stdout")
            sys.stderr.write("seen on stderr\\n")
            self.fail("now")

        def test_c_after(self):
            print("after")
    ''',

    "test_load.py": u'''
    import unittest

    class Loaded(unittest.TestCase):
        def test_not_this(self):
            self.fail("never")

        def test_this(self):
            pass

    class Backwards(unittest.TestSuite):
        def __iter__(self):
            return iter(self._tests[::-1])

    def load_tests(loader, tests, pattern):
        return Backwards([Loaded("test_this"), unittest.FunctionTestCase(lambda: None)])
    ''',

    "test_broken.py": u'''
    import a_module_that_is_missing
    ''',

    "test_syntax.py": u'''
    def broken(:
    ''',

    "package/__init__.py": u'''
    ''',

    "package/test_inside.py": u'''
    import unittest

    class Inside(unittest.TestCase):
        def test_inside(self):
            pass
    ''',

    "loaded/__init__.py": u'''
    import unittest

    class InPackage(unittest.TestCase):
        def test_in_package(self):
            pass

    def load_tests(loader, tests, pattern):
        print("load_tests of a package, pattern %s" % (pattern,))
        return unittest.TestSuite([InPackage("test_in_package")])
    ''',

    "interrupted.py": u'''
    import os
    import signal
    import time
    import unittest

    class Interrupted(unittest.TestCase):
        def test_a_passes(self):
            pass

        def test_b_interrupted(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)     # lets Python run the handler
            print("went on")

        def test_c_fails(self):
            self.fail("not reached")
    ''',

    "interrupted_failing.py": u'''
    import os
    import signal
    import time
    import unittest

    class Interrupted(unittest.TestCase):
        def test_a_interrupted(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            self.fail("all the same")

        def test_b(self):
            self.fail("not reached")
    ''',

    "interrupted_twice.py": u'''
    import os
    import signal
    import time
    import unittest

    class Interrupted(unittest.TestCase):
        def test_a_interrupted(self):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            print("not reached")
    ''',

    "foot.py": u'''
    import importlib
    import os
    import unittest

    class Foot(unittest.TestCase):
        def test_passes(self):
            pass

        def test_fails(self):
            self.fail("here")

    if __name__ == "__main__":
        importlib.import_module(os.environ["MAIN"]).main()
    ''',

    "foot_no_exit.py": u'''
    import importlib
    import os
    import unittest

    class Foot(unittest.TestCase):
        def test_fails(self):
            self.fail("here")

    if __name__ == "__main__":
        main = importlib.import_module(os.environ["MAIN"]).main
        program = main(exit=False, argv=["a name", "Foot.test_fails"], verbosity=0, failfast=True,
                       buffer=True)
        print("%d failure, %s" % (len(program.result.failures), program.result.failures[0][0]))
    ''',

    "foot_default_test.py": u'''
    import importlib
    import os
    import unittest

    class Foot(unittest.TestCase):
        def test_passes(self):
            pass

        def test_fails(self):
            self.fail("here")

    if __name__ == "__main__":
        importlib.import_module(os.environ["MAIN"]).main(defaultTest="Foot.test_passes")
    ''',

    "foot_runner.py": u'''
    import importlib
    import os
    import sys
    import unittest

    class Foot(unittest.TestCase):
        def test_passes(self):
            pass

        def test_fails(self):
            self.fail("here")

    class Runner(unittest.TextTestRunner):
        def run(self, test):
            print("my own runner, verbosity %d" % self.verbosity)
            return super(Runner, self).run(test)

    class Plain(Runner):
        def __init__(self):
            super(Plain, self).__init__(verbosity=0)

    if __name__ == "__main__":
        runner = {"class": Runner, "plain": Plain, "instance": Runner(verbosity=0)}[sys.argv.pop()]
        importlib.import_module(os.environ["MAIN"]).main(testRunner=runner)
    ''',

    "foot_module.py": u'''
    import importlib
    import os

    importlib.import_module(os.environ["MAIN"]).main(module=None)
    ''',
}
