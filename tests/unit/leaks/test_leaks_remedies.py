"""Kinds of leaks and remedies as values: one row for each kind, one text for each place a remedy
may stand."""

from __future__ import annotations

import os
import unittest
from unittest import mock

import unittest_leakfix
from unittest_leakfix.leaks import identify
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.remedy import Call, CodeScope, Remedy, calling, restoring
from unittest_leakfix.leaks.report import describe, remedies, remedy_text
from unittest_leakfix.process_state.base import Change

PACKAGE = os.path.dirname(os.path.abspath(unittest_leakfix.__file__))


def change_in_words(*about):
    return describe.in_words(identify.of_change(*about))


def texts(remedy):
    return {scope.name: remedy_text.render(remedy.at(scope)) for scope in CodeScope}


class RenderTests(unittest.TestCase):
    maxDiff = None

    def test_a_call(self):
        self.assertEqual(texts(calling("db.close")), {
            "TEST": "self.addCleanup(db.close)", "CLASS": "cls.addClassCleanup(db.close)",
            "MODULE": "unittest.addModuleCleanup(db.close)",
            "FUNCTION": "request.addfinalizer(db.close)",
            "FIXTURE": "db.close(), after the fixture's yield",
            "XUNIT": "db.close(), in its tear-down"})

    def test_a_call_with_arguments_that_have_brackets_and_commas(self):
        self.assertEqual(texts(calling("shop.CACHE['a, (b)'].pop", "('x', 1)", "None")), {
            "TEST": "self.addCleanup(shop.CACHE['a, (b)'].pop, ('x', 1), None)",
            "CLASS": "cls.addClassCleanup(shop.CACHE['a, (b)'].pop, ('x', 1), None)",
            "MODULE": "unittest.addModuleCleanup(shop.CACHE['a, (b)'].pop, ('x', 1), None)",
            "FUNCTION": "request.addfinalizer(lambda: shop.CACHE['a, (b)'].pop(('x', 1), None))",
            "FIXTURE": "shop.CACHE['a, (b)'].pop(('x', 1), None), after the fixture's yield",
            "XUNIT": "shop.CACHE['a, (b)'].pop(('x', 1), None), in its tear-down"})

    def test_an_awaited_call(self):
        found = texts(Remedy((Call("db.close", awaited=True),)))
        self.assertEqual(found["TEST"], "self.addAsyncCleanup(db.close)")
        self.assertEqual(found["FUNCTION"], "await db.close()")
        self.assertEqual(found["FIXTURE"], "await db.close(), after the fixture's yield")

    def test_two_calls_are_registered_backwards_and_written_out_forwards(self):
        remedy = remedies.end("child process", "child")
        self.assertEqual(remedy_text.render(remedy),
                         "self.addCleanup(child.wait); self.addCleanup(child.kill)")
        self.assertEqual(remedy_text.render(remedy.at(CodeScope.FUNCTION)),
                         "request.addfinalizer(child.wait); request.addfinalizer(child.kill)")
        self.assertEqual(remedy_text.render(remedy.at(CodeScope.FIXTURE)),
                         "child.kill(); child.wait(), after the fixture's yield")

    def test_statements_and_advice_are_the_same_everywhere(self):
        for remedy, text in ((Remedy(manager="open(...)", target="file"),
                              "with open(...) as file:"),
                             (Remedy(awaits="rows.aclose()"), "await rows.aclose()"),
                             (Remedy(advice="open it in setUp"), "open it in setUp")):
            self.assertEqual(set(texts(remedy).values()), {text})
        self.assertEqual(remedy_text.render(None), "")

    def test_advice_before_calls(self):
        found = texts(calling("thread.join")._replace(advice="tell it to end, and "))
        self.assertEqual(found["TEST"], "tell it to end, and self.addCleanup(thread.join)")
        self.assertEqual(found["FIXTURE"],
                         "tell it to end, and thread.join(), after the fixture's yield")

    def test_what_has_no_name_yet_is_given_one_that_is_there_when_the_clean_up_runs(self):
        remedy = remedies.end("thread timer")
        self.assertEqual(texts(remedy), {
            "TEST": "keep the timer in self.timer, then self.addCleanup(self.timer.cancel)",
            "CLASS": "keep the timer in cls.timer, then cls.addClassCleanup(cls.timer.cancel)",
            "MODULE": "keep the timer in timer, then unittest.addModuleCleanup(timer.cancel)",
            "FUNCTION": "keep the timer in timer, then request.addfinalizer(timer.cancel)",
            "FIXTURE": "keep the timer in timer, then timer.cancel(), after the fixture's yield",
            "XUNIT": "keep the timer in self.timer, then self.timer.cancel(), in its tear-down"})
        self.assertEqual(set(texts(remedies.end("thread timer", "shop.timer")).values()), {
            "self.addCleanup(shop.timer.cancel)", "cls.addClassCleanup(shop.timer.cancel)",
            "unittest.addModuleCleanup(shop.timer.cancel)",
            "request.addfinalizer(shop.timer.cancel)",
            "shop.timer.cancel(), after the fixture's yield",
            "shop.timer.cancel(), in its tear-down"})

    def test_what_is_saved_is_read_before_the_change(self):
        found = texts(restoring("setattr", "shop", '"last"', saved="shop.last"))
        self.assertEqual(found["TEST"], 'self.addCleanup(setattr, shop, "last", shop.last)'
                                        "  # before the change")
        self.assertEqual(found["FUNCTION"],
                         'request.addfinalizer(lambda saved=shop.last: setattr(shop, "last", '
                         "saved))  # before the change")
        self.assertEqual(found["FIXTURE"],
                         'saved = shop.last before the change, and setattr(shop, "last", saved), '
                         "after the fixture's yield")

    def test_monkeypatch_in_test_functions_only(self):
        found = texts(kinds.named("cwd").remedy)
        self.assertEqual(found["FUNCTION"], "monkeypatch.chdir(...)")
        self.assertEqual(found["TEST"],
                         "self.addCleanup(os.chdir, os.getcwd())  # before the change")


class KindTests(unittest.TestCase):
    def test_a_made_up_kind_takes_its_row_and_what_watches_it(self):
        row = kinds.LeakKind("airship", "stray airship", verb="launched", changes=("zeppelin",),
                             subject="airship %s was not moored",
                             remedy=calling("mast.moor", "airship"))
        with mock.patch.dict(kinds.KINDS, {"airship": row}), \
                mock.patch.dict(kinds._OF_CHANGES, {"zeppelin": row}):
            leak = change_in_words(Change("zeppelin", "LZ 129", before="Lakehurst"),
                                      "m.ATests.test_a", None)
            self.assertEqual((leak.kind, leak.subject, leak.remedy, leak.silence, leak.cause,
                              leak.notes), (
                "airship", "airship LZ 129 was not moored", "self.addCleanup(mast.moor, airship)",
                'airship="LZ *"', "airship LZ *", (("was", "Lakehurst"),)))
            self.assertEqual(kinds.leak_kind_of(leak).plural, "stray airships")
            leak = change_in_words(Change("zeppelin", "LZ 129"), "setUpClass (m.ATests)", None)
            self.assertEqual(leak.remedy, "cls.addClassCleanup(mast.moor, airship)")
            leak = change_in_words(Change("zeppelin", "LZ 129"), "fixture mast (t.py)", None)
            self.assertEqual(leak.remedy, "mast.moor(airship), after the fixture's yield")

    def test_a_kind_without_a_row_goes_by_its_own_name(self):
        row = kinds.leak_kind_of(Leak("zeppelin", "a zeppelin"))
        self.assertEqual((row.singular, row.plural, row.state),
                         ("zeppelin", "zeppelins", "was left open"))

    def test_each_change_of_the_process_is_put_back_or_has_the_reason_why_not(self):
        for row in kinds.KINDS.values():
            if row.watched_by.startswith("process_state."):
                with self.subTest(row.name):
                    self.assertNotEqual(row.restored, bool(row.why_not_restored))
        self.assertEqual(sorted(kinds.restored_changes()), [
            "alarm", "context variable", "current event loop", "decimal context", "environment",
            "event loop policy", "hook", "interpreter setting", "library setting", "locale",
            "lock", "logging filter", "logging handler", "logging level", "module", "patch",
            "random state",
            "signal handler", "socket timeout", "stream", "sys.path", "umask", "warning filter",
            "working directory"])

    def test_what_watches_a_kind_is_there(self):
        for row in kinds.KINDS.values():
            path = os.path.join(PACKAGE, *row.watched_by.split(".")) + ".py"
            self.assertTrue(os.path.exists(path), path)

    def test_no_resource_or_change_is_of_two_kinds(self):
        for names in ([each for row in kinds.KINDS.values() for each in row.resources],
                      [each for row in kinds.KINDS.values() for each in row.changes
                       or (row.name,)]):
            self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
