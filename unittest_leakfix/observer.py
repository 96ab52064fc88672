"""What a run tells of itself, and to whom. Loaded only where somebody listens."""

from __future__ import absolute_import

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Watcher(object):
    """What a `Run` (`suite.py`) tells of itself as it goes. This one does nothing."""

    def begin(self, test):
        """Called before *test* runs, when the fixtures around it are set up."""

    def finished(self, test):
        """Called when *test* is finished, before what it owns is closed."""

    def runs_again(self):
        """Called after ``finished`` when the suite has that test once more, and so holds it."""

    def end(self):
        """Called when that test was let go, or could not be."""

    def fixture(self, name):
        """Called before a fixture: "setUpClass (tests.test_orders.OrderTests)"."""

    def class_begins(self, cls):
        """Called before ``setUpClass``."""

    def class_over(self, cls):
        """Called after ``tearDownClass`` and the class cleanups."""

    def module_begins(self, name):
        """Called before ``setUpModule`` of the module *name*."""

    def module_over(self):
        """Called after ``tearDownModule`` and the module cleanups."""


class Passing(Watcher):
    """A watcher that stands before another, ``inner``, and tells it all; None: before nobody.

    ``start`` and ``stop`` are called around the run.
    """

    def __init__(self, inner=None):
        self.inner = Watcher() if inner is None else inner

    def start(self):
        """Begin to watch."""
        if isinstance(self.inner, Passing):
            self.inner.start()

    def stop(self):
        """End it."""
        if isinstance(self.inner, Passing):
            self.inner.stop()

    def begin(self, test):
        self.inner.begin(test)

    def finished(self, test):
        self.inner.finished(test)

    def runs_again(self):
        self.inner.runs_again()

    def end(self):
        self.inner.end()

    def fixture(self, name):
        self.inner.fixture(name)

    def class_begins(self, cls):
        self.inner.class_begins(cls)

    def class_over(self, cls):
        self.inner.class_over(cls)

    def module_begins(self, name):
        self.inner.module_begins(name)

    def module_over(self):
        self.inner.module_over()
