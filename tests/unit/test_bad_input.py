"""What the user got wrong: one clear line, and plain unittest's exit status.

The command line's own mistakes are compared with unittest's to the byte in test_program.
"""

from __future__ import absolute_import

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT
from unittest_leakfix import (
    ClassLeakFixMixin,
    LeakFixMixin,
    LeakFixResultMixin,
    LeakFixTestCase,
    LeakFixTestRunner,
    LeakFixTestSuite,
)

try:
    from StringIO import StringIO
except ImportError:
    from io import StringIO

PY2 = sys.version_info < (3,)


class Passes(unittest.TestCase):
    def test(self):
        pass


def made(name, bases, **values):
    """Make a class and use it: 2.7 says it at the first instance, 3.6 and later at once."""
    values.setdefault("test", lambda self: None)
    cls = type(name, bases, values)
    if PY2:
        cls("test")
    return cls


class Mixed(unittest.TestCase):
    """The mixins and what is declared with them."""

    def refused(self, text, *arguments, **values):
        with self.assertRaises(TypeError) as raised:
            made(*arguments, **values)
        self.assertEqual(str(raised.exception), text)

    def test_mixin_behind(self):
        for mixin in (LeakFixMixin, ClassLeakFixMixin):
            self.refused("%s must stand before the TestCase, or it is never called: "
                         "class OrderTests(%s, TestCase)" % (mixin.__name__, mixin.__name__),
                         "OrderTests", (unittest.TestCase, mixin))

    def test_mixin_behind_a_project_s_own_class(self):
        class ProjectTests(unittest.TestCase):
            pass
        self.refused("LeakFixMixin must stand before the TestCase, or it is never called: "
                     "class OrderTests(LeakFixMixin, ProjectTests)",
                     "OrderTests", (ProjectTests, LeakFixMixin))

    def test_mixin_inside_another_mixin(self):
        # LeakFixMixin itself cannot stand before what inherits it.
        class Closing(LeakFixMixin):
            pass
        self.refused("LeakFixMixin must stand before the TestCase, or it is never called: "
                     "class OrderTests(Closing, TestCase, object)",
                     "OrderTests", (unittest.TestCase, Closing, object))

    @unittest.skipUnless(PY2, "3.6 and later refuse the base already")
    def test_fault_in_a_base(self):
        base = type("Base", (unittest.TestCase, LeakFixMixin), {})
        self.refused("LeakFixMixin must stand before the TestCase, or it is never called: "
                     "class Base(LeakFixMixin, TestCase)", "OrderTests", (base,))

    def test_right_orders(self):
        class Closing(LeakFixMixin):
            pass

        class Other(object):
            pass
        for bases in ((LeakFixMixin, unittest.TestCase), (Closing, Other, unittest.TestCase),
                      (LeakFixMixin, ClassLeakFixMixin, unittest.TestCase),
                      (Other, LeakFixTestCase)):
            made("OrderTests", bases)

    def test_no_test_case_at_all(self):
        class Helper(LeakFixMixin, ClassLeakFixMixin):
            pass
        Helper()

    def test_string_for_names(self):
        for name in ("leakfix_keep", "leakfix_close"):
            for mixin in (LeakFixMixin, ClassLeakFixMixin):
                self.refused("OrderTests.%s = 'client' is a string; write a tuple of names: "
                             "%s = ('client',)" % (name, name),
                             "OrderTests", (mixin, unittest.TestCase), **{name: "client"})

    def test_string_in_a_base(self):
        base = type("Settings", (object,), {"leakfix_keep": "client"})
        self.refused("Settings.leakfix_keep = 'client' is a string; write a tuple of names: "
                     "leakfix_keep = ('client',)",
                     "OrderTests", (base, LeakFixMixin, unittest.TestCase))

    def test_no_names(self):
        for listed, shown in ((None, "None"), ((3,), "(3,)"), (7, "7"), ({"a": 1}, "{'a': 1}")):
            self.refused("OrderTests.leakfix_keep = %s is not a tuple of names; write "
                         "leakfix_keep = (\"client\",)" % shown,
                         "OrderTests", (LeakFixMixin, unittest.TestCase), leakfix_keep=listed)

    def test_names_in_other_shapes(self):
        for listed in ((), [], ["client"], set(["client"]), frozenset(["client"]), (u"client",)):
            made("OrderTests", (LeakFixMixin, unittest.TestCase), leakfix_keep=listed)


class NoResult(unittest.TestCase):
    """A result class that is not one."""

    def test_refused(self):
        for kind, shown in ((42, "42"), ("text", "'text'"), (object, "object"), (int, "int"),
                            (unittest.TestCase, "TestCase")):
            stream = StringIO()
            runner = LeakFixTestRunner(stream=stream, resultclass=kind)
            with self.assertRaises(TypeError) as raised:
                runner.run(unittest.TestSuite([Passes("test")]))
            self.assertEqual(
                str(raised.exception), "resultclass = %s is not a result class: give a subclass of "
                "unittest.TestResult, or what makes one of (stream, descriptions, verbosity)"
                % shown)
            self.assertEqual(stream.getvalue(), "")

    def test_what_is_made_is_no_result(self):
        # As under unittest: the first use of it says what it lacks.
        for make in (lambda *args, **kwds: None, lambda *args, **kwds: 42,
                     lambda *args, **kwds: object()):
            errors = []
            for kind in (unittest.TextTestRunner, LeakFixTestRunner):
                runner = kind(stream=StringIO(), resultclass=make)
                with self.assertRaises((TypeError, AttributeError)) as raised:
                    runner.run(unittest.TestSuite([Passes("test")]))
                errors.append((type(raised.exception), str(raised.exception)))
            self.assertEqual(errors[1], errors[0])

    def test_delegating_class_is_one(self):
        class Delegates(object):
            def __init__(self, *args, **kwds):
                self.__dict__["inner"] = unittest.TextTestResult(*args, **kwds)

            def __getattr__(self, name):
                return getattr(self.inner, name)

            def __setattr__(self, name, value):
                setattr(self.inner, name, value)
        result = LeakFixTestRunner(stream=StringIO(), resultclass=Delegates).run(
            unittest.TestSuite([Passes("test")]))
        self.assertEqual(result.testsRun, 1)

    def test_mixin_on_no_result(self):
        Result = type("Result", (LeakFixResultMixin, object), {})
        with self.assertRaises(AttributeError):
            LeakFixTestRunner(stream=StringIO(), resultclass=lambda *args, **kwds: Result()).run(
                unittest.TestSuite([Passes("test")]))


class NoTest(unittest.TestCase):
    """Something to run that is not a test: as unittest does."""

    def test_same_error(self):
        for test in (None, 42, "tests.unit.test_bad_input", [Passes("test")], object()):
            errors = []
            for kind in (unittest.TextTestRunner, LeakFixTestRunner):
                with self.assertRaises(Exception) as raised:
                    kind(stream=StringIO()).run(test)
                errors.append((type(raised.exception), str(raised.exception)))
            self.assertEqual(errors[1], errors[0])

    def test_in_a_suite(self):
        for kind in (unittest.TestSuite, LeakFixTestSuite):
            for test in (None, 42, Passes):
                with self.assertRaises(TypeError):
                    kind([test])

    def test_suite_without_a_result(self):
        for nothing in (None, 42, object()):
            errors = []
            for kind in (unittest.TestSuite, LeakFixTestSuite):
                with self.assertRaises(AttributeError) as raised:
                    kind([Passes("test")]).run(nothing)
                errors.append(str(raised.exception))
            self.assertEqual(errors[1], errors[0])


class CommandLine(unittest.TestCase):
    """The same mistakes in a user's file, from the command line."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def printed(self, source, *arguments):
        with open(os.path.join(self.folder, "test_orders.py"), "w") as file:
            file.write("import unittest\nimport unittest_leakfix\n" + source)
        child = subprocess.Popen(
            [sys.executable] + list(arguments), cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=ROOT))
        stderr = child.communicate()[1].decode("utf-8")
        return child.returncode, stderr

    def check(self, source, line, status=1):
        """*line* is said once, and no other line of ours."""
        found, stderr = self.printed(source, "-m", "unittest_leakfix", "test_orders")
        self.assertEqual(found, status, stderr)
        self.assertEqual([each for each in stderr.splitlines() if line in each], [line])
        plain, _ = self.printed(source, "-m", "unittest", "test_orders")
        self.assertEqual(plain, found)

    def test_mixin_behind(self):
        self.check("class OrderTests(unittest.TestCase, unittest_leakfix.LeakFixMixin):\n"
                   "    def test(self): pass\n",
                   "TypeError: LeakFixMixin must stand before the TestCase, or it is never "
                   "called: class OrderTests(LeakFixMixin, TestCase)")

    def test_string_for_names(self):
        self.check("class OrderTests(unittest_leakfix.LeakFixTestCase):\n"
                   "    leakfix_keep = 'client'\n"
                   "    def test(self): pass\n",
                   "TypeError: OrderTests.leakfix_keep = 'client' is a string; write a tuple of "
                   "names: leakfix_keep = ('client',)")

    def test_result_class(self):
        source = ("class OrderTests(unittest.TestCase):\n"
                  "    def test(self): pass\n"
                  "runner = unittest_leakfix.LeakFixTestRunner(resultclass=dict)\n"
                  "unittest_leakfix.main(testRunner=runner)\n")
        status, stderr = self.printed(source, "test_orders.py")
        self.assertEqual(status, 1)
        self.assertEqual(stderr.splitlines()[-1], (
            "TypeError: resultclass = dict is not a result class: give a subclass of "
            "unittest.TestResult, or what makes one of (stream, descriptions, verbosity)"))

    def test_class_that_is_no_test_case(self):
        for package in ("unittest", "unittest_leakfix"):
            status, stderr = self.printed("class Orders(unittest_leakfix.LeakFixMixin): pass\n",
                                       "-m", package, "test_orders.Orders")
            self.assertEqual(status, 1)
            self.assertIn("TypeError: calling <class 'test_orders.Orders'> returned "
                          "<test_orders.Orders object at", stderr.splitlines()[-1])
            self.assertIn(", not a test", stderr.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
