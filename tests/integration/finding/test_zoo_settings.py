"""Settings of the process: each change is one cause with its test and a remedy, the remedy is
proven, `--restore` puts all of them back before the next test, and without it a later one fails."""
from __future__ import annotations

import json
import sys
import unittest

from tests.integration.finding.test_zoo_advice import AdviceCase
from tests.tiers import NEWEST, OLDEST, full_on, nightly
from tests.zoo.case import ZooCase, animals, each_animal, keeper

LATER = "settings.Later"
CHANGES = ["settings." + name for name in animals("settings") if not name.startswith("Later")]
NOT_PUT_BACK = ("Raised.test_in_a_thread", "Process.test_shared_memory")


def tearDownModule():
    keeper.close()


@full_on(NEWEST)
class FoundTests(ZooCase):
    """All in one run, in which each is put back."""

    def see(self, name):
        raise NotImplementedError

    def test_each_is_one_cause_and_put_back(self):
        answer = keeper.ask(*CHANGES + [LATER], options={"restore": True,
                                                         "leaks_json": "ZOO/leaks.json"})
        self.assertTrue(answer["successful"], answer["output"])
        leaks = json.loads(answer["files"]["leaks.json"])["leaks"]
        for name in CHANGES:
            with self.subTest(name):
                leak, = [each for each in leaks if "tests.zoo." + name in each["tests"]]
                self.assertTrue(leak["remedy"], leak)
                back = "" if name.endswith(NOT_PUT_BACK) else "put back for you, as --restore asks"
                self.assertEqual(back, leak["closed"], leak)
        self.assertEqual([], [each for each in leaks if any("Later" in test
                                                            for test in each["tests"])])

    def test_a_later_test_fails_where_nothing_is_put_back(self):
        answer = keeper.ask(*CHANGES + [LATER])
        self.assertFalse(answer["successful"])
        failed = {test.rpartition(".")[2] for test, _ in answer["failures"]}
        self.assertLessEqual({"test_modules", "test_contexts", "test_time", "test_process",
                              "test_logging"}, failed, answer["output"])


RUNS = """
import asyncio, unittest
class A(unittest.TestCase):
    def test_runs(self):
        %s
class B(unittest.TestCase):
    def test_asks(self):
        loop = asyncio.get_event_loop_policy().get_event_loop()
        self.addCleanup(asyncio.set_event_loop_policy, None)
        self.addCleanup(loop.close)
        loop.run_until_complete(asyncio.sleep(0))
"""


SCOPES = """
import contextvars, decimal, logging, random, sys, unittest
USER = contextvars.ContextVar("user", default=None)

def setUpModule():
    logging.disable(logging.CRITICAL)
    sys.modules["of_the_module"] = None

class A(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        decimal.getcontext().prec = 5
        USER.set("ann")
        logging.getLogger("of.class").propagate = False

    def see(self):
        self.assertEqual((5, "ann", False), (decimal.getcontext().prec, USER.get(),
                                             logging.getLogger("of.class").propagate))
        self.assertEqual(logging.CRITICAL, logging.root.manager.disable)
        self.assertIn("of_the_module", sys.modules)

    def test_a(self):
        self.see()
        decimal.getcontext().prec = 7
        USER.set("bob")

    def test_b(self):
        self.see()

class B(unittest.TestCase):
    def test_next_class(self):
        self.assertEqual((28, None, True), (decimal.getcontext().prec, USER.get(),
                                            logging.getLogger("of.class").propagate))
        self.assertEqual(logging.CRITICAL, logging.root.manager.disable)
"""


@full_on(OLDEST, NEWEST)
class ScopeTests(ZooCase):

    def see(self, name):
        raise NotImplementedError

    def test_what_fixtures_set_stays_for_their_tests(self):
        answer = keeper.ask(files={"scope_sample.py": SCOPES}, modules=["scope_sample"],
                            options={"restore": True, "leaks_json": "ZOO/leaks.json"})
        self.assertTrue(answer["successful"], answer["output"])
        found = {(leak["kind"], test) for leak in json.loads(answer["files"]["leaks.json"])["leaks"]
                 for test in leak["tests"]}
        test, cls = "scope_sample.A.test_a", "setUpClass (scope_sample.A)"
        module = "setUpModule (scope_sample)"
        self.assertEqual({
            ("decimal context", test), ("context variable", test), ("decimal context", cls),
            ("context variable", cls), ("logging level", cls), ("logging level", module),
            ("module", module)}, found)


@full_on(OLDEST, NEWEST)
@unittest.skipIf(sys.version_info >= (3, 14), "since 3.14 no loop is made when one is asked for")
class QuietTests(ZooCase):
    """That `asyncio.run` leaves no loop is reported where a later test fails, and put back."""

    def see(self, name):
        raise NotImplementedError

    def run_sample(self, line, *classes, **options):
        return keeper.ask(files={"quiet_sample.py": RUNS % line}, modules=[
            "quiet_sample." + each for each in classes or ("A", "B")],
            options=dict(options, leaks_json="ZOO/leaks.json"))

    def leaks(self, answer):
        return [(leak["kind"], leak["tests"], [note["text"] if type(note) is dict else note[1]
                                               for note in leak["notes"]])
                for leak in json.loads(answer["files"]["leaks.json"])["leaks"]]

    def test_alone(self):
        for line in ("asyncio.run(asyncio.sleep(0))", "asyncio.set_event_loop(None)"):
            self.assertEqual([], self.leaks(self.run_sample(line, "A")))

    def test_a_later_test_fails(self):
        for line in ("asyncio.run(asyncio.sleep(0))", "asyncio.set_event_loop(None)"):
            answer = self.run_sample(line)
            self.assertFalse(answer["successful"])
            (kind, tests, notes), = self.leaks(answer)
            self.assertEqual(("current event loop", ["quiet_sample.A.test_runs"]), (kind, tests))
            self.assertIn("quiet_sample.B.test_asks", notes)

    def test_put_back(self):
        for line in ("asyncio.run(asyncio.sleep(0))", "asyncio.set_event_loop(None)"):
            answer = self.run_sample(line, restore=True)
            self.assertTrue(answer["successful"], answer["output"])
            self.assertEqual([], self.leaks(answer))

    def test_another_failure_has_nothing_to_do_with_it(self):
        answer = self.run_sample("asyncio.run(asyncio.sleep(0)); self.assertTrue(False)", "A")
        self.assertEqual([], self.leaks(answer))


@unittest.skipIf(sys.version_info < (3, 9), "ast.unparse came with Python 3.9")
@nightly
@each_animal("settings")
class ProvenTests(AdviceCase):
    """What is advised, typed in by machine, leaves nothing to be reported."""

    def see(self, name):
        if name.startswith(LATER):
            return
        super().see(name)


if __name__ == "__main__":
    unittest.main()
