"""The tests of which test_finished.py makes stand-ins. Not to be run as tests."""

from __future__ import absolute_import

import doctest
import unittest


class Payload(object):
    """Something a test holds."""


class Orders(unittest.TestCase):
    """The class's own words."""

    def setUp(self):
        self.payload = Payload()

    def test_checkout(self):
        """Check out.

        And more.
        """

    def test_refund(self):
        pass


class Named(unittest.TestCase):
    """Its texts need what setUp assigned."""

    def setUp(self):
        self.order = 7

    def id(self):
        return "order-%d" % self.order

    def __str__(self):
        return "the order %d" % self.order

    def __repr__(self):
        return "<order %d>" % self.order

    def shortDescription(self):
        return "about the order %d" % self.order

    def test_it(self):
        pass


class Faulty(unittest.TestCase):
    """Everything that can be overridden raises."""

    def _raise(self, *args):
        raise RuntimeError("of the user")

    id = __str__ = __repr__ = shortDescription = countTestCases = _raise
    __eq__ = __ne__ = __hash__ = __getattr__ = _raise

    def test_it(self):
        pass


class OwnFailure(unittest.TestCase):
    class failureException(AssertionError):
        """Cannot be pickled by its name."""

    def test_it(self):
        pass


def function():
    pass


def other_function():
    pass


other_function.__name__ = "function"


def doctests(name="shop"):
    """Return a doctest case."""
    example = doctest.DocTestParser().get_doctest(
        ">>> 1 + 1\n2\n", {"payload": Payload()}, name, "shop.py", 3)
    return doctest.DocTestCase(example)


def subtest(message=None, **params):
    """Return a live subtest, as addSubTest gets it."""
    from unittest.case import _SubTest
    return _SubTest(Orders("test_checkout"), message, params)


def ran(case):
    """Run *case* and return it."""
    case.run(unittest.TestResult())
    return case
