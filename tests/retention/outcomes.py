"""Passed, failed, skipped and the like: what each outcome leaves."""

from __future__ import absolute_import

import unittest

from tests.retention.harness import FREE, KEPT, LIGHT, LIGHT_PAYLOAD_UNTIL_GC, Payload, case, since

PASSED = dict(stock=since(KEPT, py36=FREE), mixin=since(LIGHT, py36=FREE))
FAILED = dict(stock=KEPT, mixin=LIGHT)
# 3.12 and 3.13: the exception is in a cycle with the frames that it went through.
FAILED_LOCAL = dict(stock=KEPT, mixin=since(LIGHT, py312=LIGHT_PAYLOAD_UNTIL_GC, py314=LIGHT))


@case(**PASSED)
def passing(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
    return Tests


@case(**FAILED)
def fail_assert(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.assertEqual(1, 2)
    return Tests


@case(**FAILED_LOCAL)
def fail_assert_local(kit):
    class Tests(kit.base):
        def test(self):
            payload = self.payload = Payload(self)
            self.assertIsNone(payload)
    return Tests


@case(**FAILED)
def error_test(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            raise ValueError("broken")
    return Tests


@case(stock=KEPT, mixin=since(LIGHT, py36=LIGHT_PAYLOAD_UNTIL_GC))
def error_exc_holds_payload(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            error = ValueError("broken")
            error.payload = self.payload
            raise error
    return Tests


@case(**FAILED)
def error_chained(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            try:
                {}["missing"]
            except KeyError:
                raise ValueError("broken")
    return Tests


@case(**FAILED)
def error_setUp(kit):
    class Tests(kit.base):
        def setUp(self):
            self.payload = Payload(self)
            raise ValueError("broken")

        def test(self):
            pass
    return Tests


@case(**FAILED)
def error_tearDown(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)

        def tearDown(self):
            raise ValueError("broken")
    return Tests


@case(**FAILED)
def error_test_and_tearDown(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            raise ValueError("broken")

        def tearDown(self):
            raise KeyError("broken too")
    return Tests


@case(**FAILED)
def error_cleanup(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.addCleanup(self.clean)

        def clean(self):
            raise ValueError("broken")
    return Tests


@case(**FAILED)
def skip_in_setUp(kit):
    class Tests(kit.base):
        def setUp(self):
            self.payload = Payload(self)
            self.skipTest("not today")

        def test(self):
            pass
    return Tests


@case(**FAILED)
def skip_in_body(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.skipTest("not today")
    return Tests


# What __init__ made was there before the test: the mixin leaves it.
@case(stock=KEPT, mixin=KEPT)
def skip_decorator_method(kit):
    class Tests(kit.base):
        def __init__(self, name):
            super(Tests, self).__init__(name)
            self.payload = Payload(name)

        @unittest.skip("not today")
        def test(self):
            pass
    return Tests


@case(stock=KEPT, mixin=KEPT)
def skip_decorator_class(kit):
    @unittest.skip("not today")
    class Tests(kit.base):
        def __init__(self, name):
            unittest.TestCase.__init__(self, name)
            self.payload = Payload(name)

        def test(self):
            pass
    return Tests


@case(**FAILED)
def expected_failure(kit):
    class Tests(kit.base):
        @unittest.expectedFailure
        def test(self):
            self.payload = Payload(self)
            self.assertEqual(1, 2)
    return Tests


@case(**FAILED)
def unexpected_success(kit):
    class Tests(kit.base):
        @unittest.expectedFailure
        def test(self):
            self.payload = Payload(self)
    return Tests


@case(needs=(3, 6))
def subtest_pass(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            with self.subTest("one"):
                pass
    return Tests


@case(needs=(3, 6))
def subtest_params_pass(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            with self.subTest(payload=self.payload):
                pass
    return Tests


@case(needs=(3, 6), **FAILED)
def subtest_fail_one(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            with self.subTest("one"):
                self.assertEqual(1, 2)
    return Tests


# The parameters are the subtest's, not the test's: out of the mixin's reach.
@case(needs=(3, 6), stock=KEPT, mixin=KEPT)
def subtest_fail_several(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            for number in range(3):
                with self.subTest(number=number, payload=self.payload):
                    self.assertEqual(number, 1)
            with self.subTest(payload=self.payload):
                raise ValueError("broken")
    return Tests


@case(needs=(3, 6), **FAILED)
def subtest_skip(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            with self.subTest("one"):
                self.skipTest("not today")
    return Tests

