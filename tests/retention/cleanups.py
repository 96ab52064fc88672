"""Cleanups and mocks."""

from __future__ import absolute_import

from tests.retention.harness import (
    FREE,
    KEPT,
    LIGHT,
    LIGHT_PAYLOAD_UNTIL_GC,
    PAYLOAD_UNTIL_GC,
    UNTIL_GC,
    Payload,
    case,
    left,
    since,
)
from tests.retention.outcomes import FAILED, PASSED

try:
    from unittest import mock
except ImportError:
    try:
        import mock
    except ImportError:     # Python 2.7 without it
        mock = None

NEEDS_MOCK = (2, 7) if mock else (3, 6)


@case(**PASSED)
def cleanup_closure(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.addCleanup(lambda: self.payload)
    return Tests


@case(**FAILED)
def cleanup_closure_fail(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.addCleanup(lambda: self.payload)
            self.assertEqual(1, 2)
    return Tests


@case(needs=(3, 11))
def enter_context(kit):
    class Context(object):
        def __init__(self, test):
            self.payload = Payload(test)

        def __enter__(self):
            return self.payload

        def __exit__(self, *error):
            pass

    class Tests(kit.base):
        def test(self):
            self.payload = self.enterContext(Context(self))
    return Tests


@case(needs=NEEDS_MOCK, stock=since(left(
    tuple(n + s for n in KEPT.payloads for s in ("", ".new")), KEPT.instances), py36=FREE),
    mixin=since(LIGHT, py36=FREE))
def mock_patch_object_self(kit):
    class Tests(kit.base):
        value = None

        def test(self):
            self.payload = Payload(self)
            self.new = Payload(self, ".new")
            patcher = mock.patch.object(self, "value", self.new)
            patcher.start()
            self.addCleanup(patcher.stop)
    return Tests


# A bare MagicMock is in a cycle with the class that was made for it.
@case(needs=NEEDS_MOCK, stock=since(KEPT, py36=PAYLOAD_UNTIL_GC),
      runner=FREE,
      mixin=since(LIGHT_PAYLOAD_UNTIL_GC, py36=PAYLOAD_UNTIL_GC))
def mock_patch_object_self_automock(kit):
    class Tests(kit.base):
        def helper(self):
            pass

        def test(self):
            payload = self.payload = Payload(self)
            patcher = mock.patch.object(self, "helper")
            patcher.start().payload = payload
            self.addCleanup(patcher.stop)
    return Tests


@case(needs=NEEDS_MOCK, **PASSED)
def mock_attr_plain(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.mock = mock.Mock()
            self.mock.method()
    return Tests


@case(needs=NEEDS_MOCK, stock=since(KEPT, py36=UNTIL_GC),
      # Before 3.7 the heap cannot be frozen, so old objects are left to the collector.
      runner=since(UNTIL_GC, py37=FREE),
      mixin=since(LIGHT_PAYLOAD_UNTIL_GC, py36=UNTIL_GC), both=FREE)
def mock_attr_return_payload(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.mock = mock.MagicMock(return_value=self.payload)
            self.mock.owner = self
            self.mock()
    return Tests


@case(needs=NEEDS_MOCK, stock=since(KEPT, py36=PAYLOAD_UNTIL_GC),
      runner=FREE,
      mixin=since(LIGHT_PAYLOAD_UNTIL_GC, py36=PAYLOAD_UNTIL_GC))
def mock_patch_decorator(kit):
    class Tests(kit.base):
        @mock.patch("os.path.basename")
        def test(self, basename):
            self.payload = Payload(self)
            basename.return_value = self.payload
            basename("name")
    return Tests
