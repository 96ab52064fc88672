"""Instances in a cycle of their own, and instances that others hold."""

from __future__ import absolute_import

import atexit
import functools
import sys
import threading
import unittest

from tests.retention.harness import (
    FREE,
    KEPT,
    LIGHT,
    LIGHT_UNTIL_GC,
    UNTIL_GC,
    Payload,
    case,
    since,
)
from tests.retention.outcomes import PASSED

CYCLE = dict(stock=since(KEPT, py36=UNTIL_GC), mixin=since(LIGHT, py36=FREE))


@case(**CYCLE)
def cycle_self_attr(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.me = self
    return Tests


@case(**CYCLE)
def cycle_closure(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.callback = lambda: self.payload
    return Tests


@case(**CYCLE)
def cycle_bound_method(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.callback = self.helper

        def helper(self):
            pass
    return Tests


@case(**CYCLE)
def cycle_payload_backref(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.payload.test = self
    return Tests


@case(stock=since(LIGHT, py36=LIGHT_UNTIL_GC), mixin=since(LIGHT, py36=FREE))
def cycle_tearDown_del_payload(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.me = self

        def tearDown(self):
            del self.payload
    return Tests


def fail():
    raise ValueError("broken")


@case(**PASSED)
def assertRaises_cm_local(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            with self.assertRaises(ValueError) as caught:
                fail()
            self.assertEqual(str(caught.exception), "broken")
    return Tests


@case(**PASSED)
def assertRaises_callable(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.assertRaises(ValueError, fail)
    return Tests


@case(**CYCLE)
def assertRaises_cm_on_self(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.caught = self.assertRaises(ValueError)
            with self.caught:
                fail()
    return Tests


@case(needs=(3, 6))
def assertLogs_cm_on_self(kit):
    class Tests(kit.base):
        def test(self):
            import logging
            self.payload = Payload(self)
            with self.assertLogs("retention") as self.logs:
                logging.getLogger("retention").warning("broken")
    return Tests


@case(**PASSED)
def caught_exception_passing(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            try:
                fail()
            except ValueError:
                pass
    return Tests


@case(**CYCLE)
def caught_exception_on_self(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            try:
                fail()
            except ValueError as error:
                self.error = error
    return Tests


# A local that holds its own frame: what hangs on the frame goes with the collector only.
@case(stock=since(KEPT, py36=UNTIL_GC), mixin=since(LIGHT, py36=LIGHT_UNTIL_GC))
def caught_exception_local_kept(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            try:
                fail()
            except ValueError as error:
                kept = error
            self.assertEqual(str(kept), "broken")
    return Tests


@case(stock=since(KEPT, py36=UNTIL_GC), mixin=since(LIGHT, py36=LIGHT_UNTIL_GC))
def exc_info_local_kept(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            try:
                fail()
            except ValueError:
                kept = sys.exc_info()
            self.assertEqual(str(kept[1]), "broken")
    return Tests


# From here on somebody outside of the test refers to it: the runner touches nothing.
HELD = dict(stock=KEPT, runner=KEPT, mixin=LIGHT, both=LIGHT)


@case(**HELD)
def timer_thread_leftover(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            timer = threading.Timer(600, self.helper)
            timer.daemon = True
            timer.start()

        def helper(self):
            pass
    kit.undo(_stop_timers)
    return Tests


def _stop_timers():
    for thread in threading.enumerate():
        if hasattr(thread, "cancel"):
            thread.cancel()
            thread.join()


@case(needs=(3, 6), **HELD)
def lru_cache_on_method(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.answer()

    def answer(self):
        return 42
    if sys.version_info >= (3,):
        Tests.answer = functools.lru_cache(None)(answer)
    return Tests


@case(**HELD)
def atexit_registered(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            atexit.register(self.helper)
            kit.undo(_unregister, self.helper)

        def helper(self):
            pass
    return Tests


def _unregister(function):
    if sys.version_info >= (3,):
        atexit.unregister(function)
    else:
        atexit._exithandlers[:] = [
            each for each in atexit._exithandlers if each[0] != function]


@case(stock=since(KEPT, py36=FREE), mixin=since(KEPT, py36=FREE))
def init_attribute(kit):
    class Tests(kit.base):
        def __init__(self, name):
            unittest.TestCase.__init__(self, name)
            self.payload = Payload(name)

        def test(self):
            pass
    return Tests


@case(**PASSED)
def slots_class(kit):
    class Tests(kit.base):
        __slots__ = ("payload",)

        def test(self):
            self.payload = Payload(self)
    return Tests
