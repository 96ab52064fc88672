"""unittest's own reporter: our output is its, to the byte, and no finished test stays."""

from __future__ import absolute_import

import sys
import unittest

from tests.integration.frameworks import reporter_samples as samples
from unittest_leakfix import (
    LeakFixResultMixin,
    LeakFixTestLoader,
    LeakFixTestResult,
    LeakFixTestRunner,
    LeakFixTextTestResult,
)


def output(runner_class, loader=None, classes=None, **options):
    """Run the sample suite; return what was written and the result."""
    stream = samples.Output()
    runner = runner_class(stream=stream, **options)
    result = runner.run(samples.suite(loader, classes))
    text = samples.steady(stream.getvalue())
    lines = text.splitlines(True)
    if lines[-1].startswith("unittest_leakfix: "):
        lines.pop()         # ours, at verbosity 2
    return samples.durations_sorted("".join(lines)), result


class StockTextTest(unittest.TestCase):
    maxDiff = None

    def assertSameOutput(self, alive=(), classes=None, **options):
        expected, plain = output(unittest.TextTestRunner, None, classes, **options)
        for loader in (None, LeakFixTestLoader()):
            text, result = output(LeakFixTestRunner, loader, classes, **options)
            self.assertEqual(samples.alive, list(alive))
            self.assertEqual(text, expected)
            for name in ("failures", "errors", "skipped", "expectedFailures"):
                self.assertEqual([(str(test), samples.steady(words))
                                  for test, words in getattr(result, name)],
                                 [(str(test), samples.steady(words))
                                  for test, words in getattr(plain, name)])
            self.assertEqual(result.unexpectedSuccesses, plain.unexpectedSuccesses)
        return expected

    def test_quiet(self):
        self.assertSameOutput(verbosity=0)

    def test_dots(self):
        text = self.assertSameOutput(verbosity=1)
        self.assertIn("of the test", text)

    def test_verbose(self):
        self.assertSameOutput(verbosity=2)

    def test_without_descriptions(self):
        self.assertSameOutput(verbosity=2, descriptions=False)

    def test_failfast(self):
        for classes in (samples.CLASSES, [samples.Outcomes], samples.CLASSES[5:6]):
            self.assertSameOutput(["the probe never ran"], classes, failfast=True)

    def test_buffer(self):
        self.assertSameOutput(buffer=True)

    @unittest.skipIf(sys.version_info < (3, 5), "needs tb_locals (Python 3.5)")
    def test_locals(self):
        text = self.assertSameOutput(tb_locals=True)
        self.assertIn("kept = [", text)

    @unittest.skipIf(sys.version_info < (3, 12), "needs durations (Python 3.12)")
    def test_durations(self):
        self.assertIn("Slowest test durations", self.assertSameOutput(verbosity=2, durations=0))

    def test_our_result_with_the_stock_runner(self):
        expected, _ = output(unittest.TextTestRunner)
        text, _ = output(unittest.TextTestRunner, LeakFixTestLoader(),
                         resultclass=LeakFixTextTestResult)
        self.assertEqual(text, expected)
        self.assertEqual(samples.alive, [])

    def test_a_bare_result(self):
        for kind, loader in ((LeakFixTestResult, LeakFixTestLoader()),
                             (unittest.TestResult, None)):
            result = kind()
            suite = samples.suite(loader)
            if kind is unittest.TestResult:
                suite(result)
                plain = result
            else:
                suite.run(result)
                self.assertEqual(samples.alive, [])
                ours = result
        self.assertEqual(repr(ours).partition(" ")[2], repr(plain).partition(" ")[2])
        self.assertEqual([str(test) for test, _ in ours.errors],
                         [str(test) for test, _ in plain.errors])


class ReadsLiveTest(unittest.TestCase):
    """A subclass's handlers get the test itself, with what setUp assigned."""

    def test_below_and_above(self):
        read = []

        class Theirs(unittest.TextTestResult):
            def addFailure(self, test, err):
                super(Theirs, self).addFailure(test, err)
                read.append(("addFailure", test.payload[0]))

            def addError(self, test, err):
                super(Theirs, self).addError(test, err)
                if isinstance(test, samples.Leaky):
                    read.append(("addError", test.payload[0]))

            def addSubTest(self, test, subtest, err):
                super(Theirs, self).addSubTest(test, subtest, err)
                read.append(("addSubTest", subtest.test_case.payload[0]))

            def addSkip(self, test, reason):
                super(Theirs, self).addSkip(test, reason)
                test = getattr(test, "test_case", test)
                read.append(("addSkip", vars(test).get("payload", ["no setUp"])[0]))

            def stopTest(self, test):
                super(Theirs, self).stopTest(test)
                read.append(("stopTest", vars(test).get("payload", ["no setUp"])[0]))

        class Above(LeakFixResultMixin, Theirs):
            def stopTest(self, test):
                super(Above, self).stopTest(test)
                read.append(("Above.stopTest", vars(test).get("payload", ["no setUp"])[0]))

        output(unittest.TextTestRunner, resultclass=Theirs)
        expected = list(read)
        self.assertIn(("addFailure", samples.__name__ + ".Outcomes.test_02_fails"), expected)
        del read[:]
        output(LeakFixTestRunner, resultclass=Theirs)
        self.assertEqual(read, expected)
        self.assertEqual(samples.alive, [])
        del read[:]
        output(unittest.TextTestRunner, LeakFixTestLoader(), resultclass=Above)
        self.assertEqual([each for each in read if each[0] != "Above.stopTest"], expected)
        self.assertEqual([each[1] for each in read if each[0] == "Above.stopTest"],
                         [each[1] for each in read if each[0] == "stopTest"])
        self.assertEqual(samples.alive, [])


class HTMLResult(unittest.TestResult):
    """As the many HTMLTestRunners: a list of its own, with the passed tests too."""

    def __init__(self, stream=None, descriptions=None, verbosity=None):
        super(HTMLResult, self).__init__(stream, descriptions, verbosity)
        self.stream = stream
        self.result = []
        self.by_class = {}

    def addSuccess(self, test):
        super(HTMLResult, self).addSuccess(test)
        self.result.append((0, test, "output", ""))
        self.by_class.setdefault(type(test).__name__, []).append(test)

    def addFailure(self, test, err):
        super(HTMLResult, self).addFailure(test, err)
        self.result.append([1, test, "output", self._exc_info_to_string(err, test)])

    def addError(self, test, err):
        super(HTMLResult, self).addError(test, err)
        self.result.append((2, test, "output", self._exc_info_to_string(err, test)))

    def printErrors(self):
        classes = []
        for number, test, words, trace in self.result:
            kind = test.__class__
            if kind not in classes:
                classes.append(kind)
            self.stream.write(u"<tr class='%s'><td>%s.%s<td>%s<td>%s<td>%s<td>%s\n" % (
                "passed failed error".split()[number], kind.__module__, kind.__name__,
                test.id(), test.shortDescription(), words, trace))
        for name in sorted(self.by_class):
            self.stream.write(u"%s: %s\n" % (name, ", ".join(map(str, self.by_class[name]))))

    def printTotal(self):
        """3.12's runner asks for nothing more."""

    separator1 = separator2 = "-"


class HTMLTest(unittest.TestCase):
    maxDiff = None

    def test_lists_of_its_own(self):
        class Mixed(LeakFixResultMixin, HTMLResult):
            pass

        expected, _ = output(unittest.TextTestRunner, resultclass=HTMLResult)
        self.assertIn("test_01_passes", expected)
        for runner, loader, kind in (
                (LeakFixTestRunner, None, HTMLResult), (LeakFixTestRunner, None, Mixed),
                (unittest.TextTestRunner, LeakFixTestLoader(), Mixed)):
            text, _ = output(runner, loader, resultclass=kind)
            self.assertEqual(text, expected)
            self.assertEqual(samples.alive, [])


class AnyFailureTest(unittest.TestCase):
    """The checks of this module can fail."""

    def test_a_plain_run_keeps_its_tests(self):
        output(unittest.TextTestRunner)
        self.assertIn(samples.__name__ + ".Outcomes.test_02_fails", samples.alive)


if __name__ == "__main__":
    unittest.main()
