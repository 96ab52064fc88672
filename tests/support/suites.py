"""Makes and runs small suites inside a test."""

from __future__ import absolute_import

import io
import unittest

try:
    from cStringIO import StringIO  # 2.7's unittest writes bytes
except ImportError:
    StringIO = io.StringIO


class Payload(object):
    """Something a test puts on itself; can be weakly referenced, named by its test."""

    def __init__(self, name=""):
        self.name = name


class Resource(object):
    """A context manager with a close, so a resource, that refers to what it *uses*. Closing it puts
    its name on the list *log*, and raises *error* if there is one."""

    def __init__(self, name, log, error=None, uses=()):
        self.name, self.log, self.error, self.uses = name, log, error, uses
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *info):
        self.close()

    def close(self):
        self.closed = True
        self.log.append(self.name)
        if self.error is not None:
            raise self.error


def load(*classes):
    """Return a plain suite of all tests of *classes*."""
    suite = unittest.TestSuite()
    for each in classes:
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(each))
    return suite


def run_plainly(*classes):
    """Run *classes* under unittest's own runner; return its result, ``text`` added."""
    return run(unittest.TextTestRunner, *classes)


def run(runner, *classes, **kwds):
    """Run *classes* under a *runner* class; return its result, ``text`` added."""
    stream = StringIO()
    result = runner(stream=stream, **kwds).run(load(*classes))
    result.text = stream.getvalue()
    return result


def outcomes(result):
    """Return the names of the test methods by outcome, as {outcome: [name]}."""
    found = {}
    for outcome in ("errors", "failures", "skipped", "expectedFailures"):
        names = [getattr(entry[0], "_testMethodName", str(entry[0]))
                 for entry in getattr(result, outcome)]
        if names:
            found[outcome] = names
    return found
