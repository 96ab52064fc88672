"""A leaky suite with every outcome there is, for the tests of the reporters.

`suite()` makes it; its last test notes in `alive` which finished tests still are.
"""

from __future__ import absolute_import

import io
import os
import re
import shutil
import sys
import tempfile
import unittest
import weakref

alive = []      # the ids of the finished tests that the last test found alive


class Leaky(unittest.TestCase):
    """Each test leaves an attribute behind."""

    def setUp(self):
        self.payload = [self.id()]


class Outcomes(Leaky):
    def test_01_passes(self):
        """A test with a document.

        And more of it.
        """

    def test_02_fails(self):
        kept = self.payload
        self.assertEqual(len(kept), 2)

    def test_03_error(self):
        raise ValueError("of the test")

    def test_04_skip_in_the_test(self):
        self.skipTest("skipped by the test")

    @unittest.skip("skipped by its decorator")
    def test_05_skip_by_decorator(self):
        pass

    @unittest.expectedFailure
    def test_06_expected_failure(self):
        self.fail("expected")

    @unittest.expectedFailure
    def test_07_unexpected_success(self):
        """Documented success."""

    def test_08_cleanup_error(self):
        self.addCleanup(self.fail, "in a cleanup")

    def test_09_cycle(self):
        self.again = self.test_09_cycle


class SetUpError(Leaky):
    def setUp(self):
        super(SetUpError, self).setUp()
        raise ValueError("of setUp")

    def test_it(self):
        pass


class TearDownError(Leaky):
    def tearDown(self):
        raise ValueError("of tearDown")

    def test_fails_too(self):
        self.fail("and the test")

    def test_passes(self):
        pass


class SkipInSetUp(Leaky):
    def setUp(self):
        super(SkipInSetUp, self).setUp()
        self.skipTest("skipped in setUp")

    def test_it(self):
        pass


@unittest.skip("skipped as a class")
class SkippedClass(Leaky):
    def test_it(self):
        pass


class SubTests(Leaky):
    def test_several(self):
        for number in range(4):
            with self.subTest("part", number=number, text="t%d" % number):
                self.assertNotIn(number, (1, 2))
        with self.subTest(error=True):
            raise ValueError("of a subtest")

    def test_skipped_part(self):
        with self.subTest(number=1):
            self.skipTest("skipped in a subtest")
        with self.subTest(number=2):
            pass


class SetUpClassError(Leaky):
    @classmethod
    def setUpClass(cls):
        raise ValueError("of setUpClass")

    def test_one(self):
        pass

    def test_two(self):
        pass


class Theirs(Leaky):
    """Its texts need what setUp assigned."""

    def __str__(self):
        return "own %s" % vars(self).get("payload", ["before setUp"])[0]

    def shortDescription(self):
        return "short %d" % len(vars(self).get("payload", ()))

    def test_fails(self):
        self.fail("under its own name")


class Probe(unittest.TestCase):
    finished = ()

    def test_probe(self):
        alive[:] = [name for name, test in self.finished if test() is not None]


CLASSES = [Outcomes, SetUpError, TearDownError, SkipInSetUp, SkippedClass, SetUpClassError,
           Theirs]
if hasattr(unittest.TestCase, "subTest"):
    CLASSES.insert(5, SubTests)


def suite(loader=None, classes=None, broken=True):
    """Return the suite, made by *loader*, with the probe at its end.

    *broken*: begin with a module that cannot be imported.
    """
    loader = loader or unittest.TestLoader()
    made = loader.suiteClass(
        ([_broken(loader)] if broken else [])
        + [loader.loadTestsFromTestCase(each) for each in classes or CLASSES])
    probe = Probe("test_probe")
    Probe.finished = [(test.id(), weakref.ref(test)) for test in _flat(made)]
    made.addTest(probe)
    del alive[:]
    alive.append("the probe never ran")
    return made


def _flat(each):
    if isinstance(each, unittest.TestCase):
        return [each]
    return [test for part in each for test in _flat(part)]


def _broken(loader):
    folder = tempfile.mkdtemp()
    path = list(sys.path)
    try:
        with open(os.path.join(folder, "test_broken_import.py"), "w") as module:
            module.write("import no_such_module_anywhere\n")
        return loader.discover(folder)
    finally:
        sys.path[:] = path
        shutil.rmtree(folder)


class Output(io.StringIO):
    """A stream that takes the str of every version."""

    def write(self, text):
        if not isinstance(text, type(u"")):
            text = text.decode("utf-8")
        return io.StringIO.write(self, text)


_CHANGING = [
    (r"/\S*/tmp\w+/", "/tmp/"),             # the folder of the broken import
    (r"\d+\.\d{3}s", "0.000s"),
    (r"\d+\.\d+ ms", "0 ms"),
    (r"0x[0-9a-f]+", "0x0"),
    (r"(time|timestamp|duration)(=['\"])[^'\"]*", r"\1\2"),
    (r"time: .*Z", "time: Z"),
    (r"\b\d\d:\d\d:\d\d\b", "00:00:00"),
]


def steady(text):
    """Return *text* with times, addresses and temporary folders levelled out."""
    for pattern, instead in _CHANGING:
        text = re.sub(pattern, instead, text)
    return text


def durations_sorted(text):
    """Return *text* with the lines of "Slowest test durations" in one order."""
    head, line, rest = text.partition("Slowest test durations\n")
    begin, gap, rest = rest.partition("\n\n")
    return head + line + "\n".join(sorted(begin.splitlines())) + gap + rest
