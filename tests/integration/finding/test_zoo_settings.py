"""Settings of the process: each change is one cause with its test and a remedy, the remedy is
proven, `--restore` puts all of them back before the next test, and without it a later one fails."""
from __future__ import annotations

import json
import sys
import unittest

from tests.integration.finding.test_zoo_advice import AdviceCase
from tests.tiers import NEWEST, full_on, nightly
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
