# needs Python 3.8
"""One root, one cause: what hangs on a reported thing is part of it, whatever else it keeps."""
from __future__ import annotations

import json
import sys
import unittest

from tests.integration.finding.test_zoo_advice import AdviceCase
from tests.tiers import NEWEST, full_on, nightly
from tests.zoo.case import ZooCase, animals, each_animal, keeper

KINDS = {
    "Interpreter.test_hook": "hook", "Interpreter.test_hook_in_a_closure": "hook",
    "Interpreter.test_hook_of_threads": "hook", "Interpreter.test_warnings": "hook",
    "Interpreter.test_profile": "hook", "Interpreter.test_signal": "signal handler",
    "Interpreter.test_finder": "sys.path", "Interpreter.test_path_hook": "sys.path",
    "Interpreter.test_stream": "stream", "Interpreter.test_module": "module",
    "Interpreter.test_warnings_filter": "warnings filter",
    "Libraries.test_log_handler": "logging handler", "Libraries.test_log_filter": "logging filter",
    "Libraries.test_logger_class": "patch", "Libraries.test_adapter": "library setting",
    "Libraries.test_pickle": "library setting", "Libraries.test_patch_by_hand": "patch",
    "Libraries.test_patch_of_a_builtin": "patch", "Libraries.test_started_patch": "patch",
    "Libraries.test_started_patch_whose_mock_has_a_name": "patch",
    "Runs.test_thread": "thread", "Runs.test_timer": "timer", "Runs.test_executor": "executor",
    "Runs.test_function_of_a_connection": "connection", "Runs.test_child_dropped": "child process",
    "Runs.test_child_dropped_with_its_pipe": "child process",
    "Runs.test_both_ends_of_a_pipe": "descriptor", "Runs.test_one_end_of_a_pipe": "descriptor",
}


def tearDownModule():
    keeper.close()


@each_animal("one_root")
class OneRootTests(ZooCase):

    def see(self, name):
        if name.endswith("function_of_a_connection") and sys.version_info < (3, 10):
            self.skipTest("before Python 3.10 the collector does not know sqlite3's connections")
        answer = keeper.ask(name, options={"leaks_json": "ZOO/leaks.json"})
        self.assertTrue(answer["successful"], answer["output"])
        leaks = json.loads(answer["files"]["leaks.json"])["leaks"]
        self.assertEqual([KINDS[name.partition(".")[2]]], [leak["kind"] for leak in leaks],
                         answer["report"])
        self.assertNotIn("unittest_leakfix", str(leaks[0]["chain"]))


class CompleteTests(unittest.TestCase):

    def test_all_have_a_kind(self):
        self.assertEqual(set(animals("one_root")), set(KINDS))


@unittest.skipIf(sys.version_info < (3, 9), "ast.unparse came with Python 3.9")
@nightly
@each_animal("one_root")
class AdviceTests(AdviceCase):
    """What is advised, typed in by machine, leaves nothing to be reported."""

    def see(self, name):
        if name in ("one_root.Runs.test_thread", "one_root.Runs.test_executor"):
            return      # in words; and one that is shut down still has its function
        super().see(name)


WRONG = ["one_root." + each for each in (
    "Libraries.test_log_handler", "Libraries.test_started_patch_whose_mock_has_a_name",
    "Runs.test_both_ends_of_a_pipe", "Runs.test_one_end_of_a_pipe",
    "Runs.test_child_dropped_with_its_pipe")]


@unittest.skipIf(sys.version_info < (3, 9), "ast.unparse came with Python 3.9")
@full_on(NEWEST)
class WrongBeforeTests(AdviceCase):
    """The advice that was wrong once is typed in each day."""

    def test_it(self):
        for name in WRONG:
            with self.subTest(name):
                self.see(name)


if __name__ == "__main__":
    unittest.main()
