"""What a run reports of itself to observers. Loaded only where there is one."""

from __future__ import absolute_import

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import qualified

__unittest = True
bind(globals())


class RunObserver(object):
    """What a `Run` (`suite.py`) calls as it goes. This one does nothing."""

    def run_started(self, result):
        """Called once, before all else: the tests run into *result*."""

    def test_started(self, test):
        """Called before *test* runs, when the fixtures around it are set up."""

    def test_finished(self, test):
        """Called when *test* is finished, before what it owns is closed."""

    def test_runs_again(self):
        """Called after ``test_finished`` when that test stands in the suite once more, which so
        holds it."""

    def test_released(self):
        """Called when that test was let go of, or could not be."""

    def before_fixture(self, name):
        """Called before a fixture: "setUpClass (tests.test_orders.OrderTests)"."""

    def class_started(self, cls):
        """Called before ``setUpClass``."""

    def class_finished(self, cls):
        """Called after ``tearDownClass`` and the class cleanups."""

    def module_started(self, name):
        """Called before ``setUpModule`` of the module *name*."""

    def module_finished(self):
        """Called after ``tearDownModule`` and the module cleanups."""


class ForwardingObserver(RunObserver):
    """An observer that forwards every call to another one, ``inner``; None: to none.

    ``start`` and ``stop`` are called around the run.
    """

    def __init__(self, inner=None):
        self.inner = RunObserver() if inner is None else inner

    def start(self):
        """Begin to watch."""
        if isinstance(self.inner, ForwardingObserver):
            self.inner.start()

    def stop(self):
        """End it."""
        if isinstance(self.inner, ForwardingObserver):
            self.inner.stop()

    def run_started(self, result):
        self.inner.run_started(result)

    def test_started(self, test):
        self.inner.test_started(test)

    def test_finished(self, test):
        self.inner.test_finished(test)

    def test_runs_again(self):
        self.inner.test_runs_again()

    def test_released(self):
        self.inner.test_released()

    def before_fixture(self, name):
        self.inner.before_fixture(name)

    def class_started(self, cls):
        self.inner.class_started(cls)

    def class_finished(self, cls):
        self.inner.class_finished(cls)

    def module_started(self, name):
        self.inner.module_started(name)

    def module_finished(self):
        self.inner.module_finished()


class RunningTest(object):
    """The name of a test, without the test: class and method."""

    def __init__(self, test):
        self._kind = type(test)
        self._method = getattr(test, "_testMethodName", "")

    def __str__(self):
        return "%s.%s" % (qualified(self._kind), self._method)
