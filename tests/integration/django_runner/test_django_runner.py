"""LeakFixDiscoverRunner against Django's own: the same verdicts in every mode, and nothing kept."""
from __future__ import annotations

import sys
import unittest

from tests.integration.django_runner.django_project import PLAIN, ProjectCase, wanted

try:
    import django
    import django.test.runner
except ImportError:
    raise unittest.SkipTest("needs Django")
try:
    import tblib
except ImportError:
    tblib = None

SAMPLE = '''\
import unittest, weakref
from django.db import IntegrityError, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase, tag
from shop.models import Order

payloads = []


class Payload:
    pass


class Taking:
    def setUp(self):
        super().setUp()
        self.payload = Payload()
        payloads.append((self.id(), weakref.ref(self.payload)))
        self.orders = list(Order.objects.all())


class Outcomes(Taking, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(name="of the class")

    def test_a_passes(self):
        self.assertEqual(self.order.name, "of the class")
        self.order.name = "changed"

    @tag("slow")
    def test_b_fails(self):
        local = self.payload
        self.assertEqual(self.order.name, "other")

    def test_c_error(self):
        print("of the error")
        list(Order.objects.filter(name="asked"))
        raise ValueError("of the test")

    def test_d_skip(self):
        self.skipTest("of the test")

    @unittest.skip("by a decorator")
    def test_e_decorated(self):
        pass

    @unittest.expectedFailure
    def test_f_expected(self):
        self.fail("as expected")

    @unittest.expectedFailure
    def test_g_unexpected(self):
        pass

    def test_h_subtests(self):
        for number in range(3):
            with self.subTest("number", number=number):
                self.assertEqual(number, 1)

    async def test_i_async(self):
        self.payload_too = self.payload

    async def test_j_async_fails(self):
        self.fail("asynchronously")

    def test_ja_breaks_a_transaction(self):
        order = Order.objects.create(name="twice")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Order.objects.create(pk=order.pk, name="twice")

    def test_k_cycle(self):
        self.again = self.test_k_cycle

    def test_z_alive(self):
        self.again = None
        with open("probe.txt", "a") as probe:
            probe.write("".join(name + " " for name, each in payloads[:-1] if each() is not None))


class SetUpErrors(Taking, TestCase):
    def setUp(self):
        super().setUp()
        raise ValueError("of setUp")

    def test_one(self):
        pass


class PostTeardown(Taking, TestCase):
    def _post_teardown(self):
        super()._post_teardown()
        raise ValueError("of _post_teardown")

    def test_one(self):
        pass


class SetUpClassErrors(TestCase):
    @classmethod
    def setUpTestData(cls):
        raise ValueError("of setUpTestData")

    def test_one(self):
        pass


class Transaction(Taking, TransactionTestCase):
    def test_one(self):
        Order.objects.create(name="committed")
        self.fail("of the transaction test")

    def test_two(self):
        self.assertEqual(self.orders, [])


class Simple(SimpleTestCase):
    def test_one(self):
        with self.settings(LANGUAGE_CODE="de"):
            pass

    def test_two(self):
        Order.objects.count()


class ZLast(unittest.TestCase):
    def test_alive(self):
        with open("probe.txt", "a") as probe:
            probe.write("".join(name + " " for name, each in payloads if each() is not None))
'''

BROKEN = '''\
import shop.missing
'''

MODULE = '''\
from django.test import TestCase


def setUpModule():
    raise ValueError("of setUpModule")


class Never(TestCase):
    def test_one(self):
        pass
'''

SERIAL = {
    "plain": [], "verbose": ["-v2"], "debug_sql": ["--debug-sql"], "buffer": ["--buffer"],
    "failfast": ["--failfast"], "reverse": ["--reverse"], "shuffle": ["--shuffle=4711"],
    "tag": ["--tag=slow"], "exclude_tag": ["--exclude-tag=slow"], "pattern": ["-k", "alive"],
    "timing": ["--timing"], "keepdb": ["--keepdb"], "pdb": ["--pdb"],
    "report": ["--leaks=report"], "report_of_failed": ["--leaks=report", "--leaks-failed"],
    "budget": ["--max-connections=20"],
}
if sys.version_info >= (3, 12) and django.VERSION >= (5,):
    SERIAL["durations"] = ["--durations=0"]
PARALLEL = {"parallel": ["--parallel=4"], "parallel_verbose": ["--parallel=2", "-v2"],
            "parallel_report": ["--parallel=4", "--leaks=report"]}
if sys.version_info >= (3, 11):     # before, Django's own run ends in an AttributeError
    PARALLEL["parallel_buffer"] = ["--parallel=2", "--buffer"]
OPTIONS = ("--leaks", "--max-connections")      # Django knows nothing of


def _theirs(args):
    return [arg for arg in args if not arg.startswith(OPTIONS)]


class VerdictsTest(ProjectCase):
    """What is printed is the same but for our own lines; and no finished test is alive."""

    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", SAMPLE)
        cls.write("shop/test_broken.py", BROKEN)
        cls.write("shop/test_module.py", MODULE)
        modes = dict(SERIAL, **(PARALLEL if tblib is not None else {}))
        # Django runs once for the modes that only we know.
        plain = {tuple(_theirs(args)): None for args in modes.values()}
        ran = cls.run_all([wanted(*args, runner=PLAIN) for args in plain]
                          + [wanted(*args) for args in modes.values()])
        theirs = dict(zip(plain, ran))
        cls.runs = {name: (theirs[tuple(_theirs(args))], ours)
                    for (name, args), ours in zip(modes.items(), ran[len(plain):])}

    def check(self, mode, alive):
        if mode not in self.runs:
            self.skipTest("needs tblib")
        theirs, ours = self.runs[mode]
        text = ours.steady()
        if "--leaks=report" in dict(SERIAL, **PARALLEL)[mode] and "\nLEAKS" in text:
            text = text.partition("\nLEAKS")[0] + text[text.index("\nDestroying") + 1:]
        expected = theirs.steady()
        if mode.startswith("parallel") or mode == "durations":      # their order is that of time
            text, expected = _lines(text), _lines(expected)
        self.assertEqual(text, expected)
        self.assertEqual(ours.status, theirs.status)
        self.assertEqual(ours.alive, alive)
        return theirs

    def test_plain_django_keeps_them(self):
        theirs, _ = self.runs["plain"]
        kept = " ".join(theirs.alive)
        for name in ("Outcomes.test_b_fails", "Outcomes.test_d_skip", "Outcomes.test_h_subtests",
                     "SetUpErrors.test_one", "Transaction.test_one"):
            self.assertIn("shop.tests." + name, kept)


def _lines(text):
    """Return the lines in some order, without the letters of outcomes and the times of fast
    tests."""
    return sorted(line for line in text.splitlines() if not set(line) <= set(".FEsxu")
                  and not line.startswith("0 s "))


def _mode(mode):
    def test(self):
        self.check(mode, [])
    test.__doc__ = " ".join(SERIAL.get(mode, PARALLEL.get(mode, []))) or "no options"
    return test


for _name in (*SERIAL, *PARALLEL):
    setattr(VerdictsTest, "test_" + _name, _mode(_name))


if __name__ == "__main__":
    unittest.main()
