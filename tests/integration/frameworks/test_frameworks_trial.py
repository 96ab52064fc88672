"""The mixins on trial's classes, under ``trial`` and under unittest."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks.framework_case import TRIES, FrameworkCase

try:
    import twisted.trial.unittest  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs Twisted")

DEFERREDS = '''
from twisted.internet import defer, reactor


class Deferreds(Base):
    def test_fires(self):
        self.deferred = defer.Deferred()
        self.deferred.addCallback(lambda _: self.payload)
        reactor.callLater(0, self.deferred.callback, None)
        return self.deferred

    def test_fails_later(self):
        self.deferred = defer.Deferred()
        reactor.callLater(0, self.deferred.errback, ValueError("of a Deferred"))
        return self.deferred

    @defer.inlineCallbacks
    def test_cleanup_that_waits(self):
        def wait():
            later = defer.Deferred()
            reactor.callLater(0, later.callback, self.payload)
            return later
        self.addCleanup(wait)
        self.first = yield wait()

    def test_todo(self):
        self.fail("is known")
    test_todo.todo = "for later"

    def test_patch(self):
        self.patch(os, "sep", "/")
        self.folder = self.mktemp()
'''


class TrialTest(FrameworkCase):
    imports = "import twisted.trial.unittest"
    base = "twisted.trial.unittest.TestCase"
    more = TRIES + DEFERREDS
    command = ["-m", "twisted.trial", "test_sample"]
    says = "of a Deferred"

    def test_trial(self):
        self.class_fixtures = False
        self.check()

    def test_under_unittest(self):
        self.command = ["-m", "unittest", "-v", "test_sample"]
        self.check()


class SynchronousTest(FrameworkCase):
    imports = "import twisted.trial.unittest"
    base = "twisted.trial.unittest.SynchronousTestCase"
    more = TRIES
    command = TrialTest.command

    def test_trial(self):
        self.class_fixtures = False
        self.check()


if __name__ == "__main__":
    unittest.main()
