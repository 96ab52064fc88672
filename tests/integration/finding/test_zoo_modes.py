"""What is done with leaks: known, listed, failing, put back, written as JSON."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from importlib.util import find_spec

from tests.support.paths import ROOT
from tests.zoo.case import ZooCase, keeper, plain
from unittest_leakfix.leaks.report import json_report as leaks_json


def tearDownModule():
    keeper.close()


class KnownTests(ZooCase):

    def test_leakfix_ignore_adds_up_along_the_classes(self):
        answer = keeper.ask("known.Ignoring")
        self.assertGolden("modes.leakfix_ignore", plain(answer["report"]))
        self.assertIn("Known: 2 (ignored with a reason in Base.leakfix_ignore, "
                      "Ignoring.leakfix_ignore)",
                      answer["report"])

    def test_ignore_in_code(self):
        for pattern in ("mailer-*", "mailer-1"):
            with self.subTest(pattern=pattern):
                answer = keeper.ask("known.Threads.test_1", ignore=[
                    {"thread": pattern, "reason": "the mailer lives as long as the process"}])
                self.assertEqual("", answer["report"])

    def test_ignore_of_another_kind_or_test(self):
        for entry in ({"timer": "*"}, {"thread": "x*"}, {"thread": "*", "test": "*.test_2"}):
            with self.subTest(entry):
                answer = keeper.ask("known.Threads.test_1",
                                    ignore=[dict(entry, reason="of another")])
                self.assertIn('thread "mailer-1" was still running', answer["report"])

    def test_known_leaks_are_reported_when_asked_for(self):
        answer = keeper.ask("known.Threads.test_1", options={"verbosity": 2}, ignore=[
            {"thread": "mailer-*", "reason": "the mailer lives as long as the process"}])
        self.assertIn("LEAKS  none in 1 test\nKnown: 1 (ignored with a reason in "
                      "tests/zoo/keeper.py:", answer["report"])
        self.assertIn('    thread "mailer-1" was still running after its test: '
                      "the mailer lives as long as the process", answer["report"])

    def test_same_cause_under_two_names(self):
        answer = keeper.ask("known.Threads")
        self.assertGolden("modes.threads", plain(answer["report"]))


class BaselineTests(ZooCase):

    def baseline(self, *names):
        answer = keeper.ask(*names, options={"leaks_write_baseline": "ZOO/known.json"})
        return answer["files"]["known.json"]

    def ask(self, text, *names):
        return keeper.ask(*names, files={"known.json": text},
                          options={"leaks_baseline": "ZOO/known.json"})

    def test_listed_ones_are_not_reported_again(self):
        text = self.baseline("known.Ignoring.test_connection", "opened.File.test_on_self")
        self.assertEqual("", self.ask(text, "known.Ignoring.test_connection")["report"])

    def test_written_by_names_never_by_counts(self):
        one = self.baseline("scopes.Same.test_1")
        self.assertNotRegex(one, r"0x|/tmp/")
        self.assertEqual("", self.ask(one, "scopes.Same")["report"])

    def test_new_ones_are_reported_and_gone_ones_named(self):
        text = self.baseline("opened.File.test_on_self", "known.Several.test_two")
        value = json.loads(text)
        for entry in value["leaks"]:
            if entry["kind"] == "kept test":
                entry["fingerprint"] = "kept test by shop.elsewhere"
        answer = self.ask(json.dumps(value), "opened.File.test_on_self", "known.Several.test_two")
        self.assertGolden("modes.baseline", plain(answer["report"]))

    def test_of_tests_that_did_not_run_nothing_is_reported(self):
        text = self.baseline("opened.File.test_on_self", "known.Several.test_two")
        self.assertEqual("", self.ask(text, "opened.File.test_on_self")["report"])


class FailedTests(ZooCase):

    def test_leaks_of_failing_tests_are_reported_when_asked_for(self):
        self.assertEqual("LEAKS  none, but failing tests left 1 cause (--leaks-failed shows it)",
                         keeper.ask("known.Several.test_fails")["report"])
        answer = keeper.ask("known.Several.test_fails", options={"leaks_failed": True})
        self.assertIn("Several.test_fails was kept after it finished", answer["report"])


class RestoreTests(ZooCase):

    def ask(self, name):
        plainly, restored = keeper.ask(name), keeper.ask(name, options={"restore": True})
        self.assertIn("put back for you, as --restore asks", restored["report"])
        self.assertNotIn("put back for you", plainly["report"])
        return plainly, restored

    def test_environment(self):
        for name, before in (("added", "https://shop.example"), ("changed", "https://shop.example"),
                             ("removed", "https://shop.example")):
            plainly, restored = self.ask("state.Environment.test_" + name)
            self.assertEqual({"SHOP_DEBUG": None, "SHOP_URL": before}, restored["environment"])
            self.assertNotEqual(restored["environment"], plainly["environment"])

    def test_cwd(self):
        plainly, restored = self.ask("state.Process.test_cwd")
        self.assertEqual(["/", ROOT], [plainly["cwd"], restored["cwd"]])

    def test_sys_path(self):
        plainly, restored = self.ask("state.Process.test_sys_path")
        self.assertIn("/srv/shop/plugins", plainly["path"])
        self.assertNotIn("/srv/shop/plugins", restored["path"])

    def test_patch(self):
        plainly, restored = self.ask("state.Process.test_patch")
        self.assertIn("MagicMock", plainly["price"])
        self.assertIn("lru_cache", restored["price"])

    def test_the_next_test_finds_everything_as_it_was(self):
        answer = keeper.ask("state.Environment.test_changed", "state.Environment.test_removed",
                            options={"restore": True})
        self.assertTrue(answer["successful"])
        self.assertEqual(2, answer["report"].count("was https://shop.example"))

    def test_of_a_module(self):
        _, restored = self.ask("scopes_module.OfModule")
        self.assertIsNone(restored["environment"]["SHOP_DEBUG"])


class JsonTests(ZooCase):

    def test_round_trip(self):
        answer = keeper.ask("kept", "opened.File", "known.Ignoring",
                            options={"leaks_json": "ZOO/leaks.json"})
        text = answer["files"]["leaks.json"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            found = leaks_json.load(file.name)
            self.assertEqual(24, len(found.leaks))     # two took the place of others
            self.assertEqual(2, len(found.known))
            again = os.path.join(os.path.dirname(file.name), "again-%d.json" % os.getpid())
            self.addCleanup(os.remove, again)
            leaks_json.dump(found, again)
            with open(again) as other:
                self.assertEqual(text, other.read())


class FailTests(ZooCase):
    """--leaks=fail: each leak is a failure of its test, in any result class."""

    PRINTED = ("1 leak was left behind:\n  KeptTest.test_in_list was kept after it finished: "
            "held by tests.zoo.shop.orders[0]")

    def test_stock_result(self):
        answer = keeper.ask("kept.KeptTest.test_in_list", "silent.Caches.test_re",
                            options={"leaks": "fail"}, resultclass="unittest.TextTestResult")
        self.assertFalse(answer["successful"])
        (test, text), = answer["failures"]
        self.assertEqual("tests.zoo.kept.KeptTest.test_in_list", test)
        self.assertIn(self.PRINTED, text)
        self.assertIn("FAILED (failures=1)", answer["output"])

    def test_our_result(self):
        answer = keeper.ask("known.Several", options={"leaks": "fail"})
        self.assertGolden("modes.fail", plain(answer["report"]))
        self.assertEqual(["tests.zoo.known.Several.test_fails", "tests.zoo.known.Several.test_two"],
                         [test for test, _ in answer["failures"]])

    def test_fixture(self):
        answer = keeper.ask("scopes.OpenedByClass", options={"leaks": "fail"})
        (test, text), = answer["failures"]
        self.assertEqual("setUpClass (tests.zoo.scopes.OpenedByClass)", test)
        self.assertIn("file 'tests/zoo/scopes.py' was left open", text)

    @unittest.skipUnless(find_spec("xmlrunner"), "needs unittest-xml-reporting")
    def test_unittest_xml_reporting(self):
        answer = keeper.ask("kept.KeptTest.test_in_list", options={"leaks": "fail"},
                            resultclass="xmlrunner.result._XMLTestResult")
        (name, text), = answer["files"].items()
        self.assertIn("KeptTest", name)
        self.assertRegex(text,
                         r'<testcase classname="tests.zoo.kept.KeptTest" '
                         r'name="test_in_list"[^>]*>\s*<failure')
        self.assertIn("was kept after it finished: held by tests.zoo.shop.orders[0]", text)

    @unittest.skipUnless(find_spec("teamcity"), "needs teamcity-messages")
    def test_teamcity(self):
        answer = keeper.ask("kept.KeptTest.test_in_list", options={"leaks": "fail"},
                            resultclass="teamcity.unittestpy.TeamcityTestResult")
        self.assertRegex(answer["output"] + answer["stray"],
                         r"##teamcity\[testFailed .*KeptTest.test_in_list was kept after it "
                         r"finished")


class ExitStatusTests(unittest.TestCase):

    def run_it(self, *arguments):
        return subprocess.run([sys.executable, "-m", "unittest_leakfix", *arguments], cwd=ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True)

    def test_report_changes_nothing(self):
        name = "tests.zoo.kept.KeptTest.test_in_list"
        self.assertEqual(0, self.run_it("--leaks=off", name).returncode)
        done = self.run_it("--leaks=report", name)
        self.assertEqual(0, done.returncode)
        self.assertIn("LEAKS  1 cause in 1 of 1 test: 1 kept test", done.stdout)
        self.assertEqual(1, self.run_it("--leaks=fail", name).returncode)

    def test_dropped_unclosed_is_reported(self):
        done = self.run_it("--leaks=report", "tests.zoo.opened.File.test_dropped_unclosed")
        self.assertIn("[1] file 'tests/zoo/opened.py' was dropped without being closed",
                      done.stdout)
