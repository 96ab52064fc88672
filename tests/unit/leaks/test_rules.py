"""Suppressions in files: how a rule is read, what it makes known, and what the report says."""

from __future__ import annotations

import os
import unittest
from dataclasses import replace

from tests.unit.leaks.leak_samples import TextCase
from unittest_leakfix.leaks import rules, suppressions
from unittest_leakfix.leaks.model.leak import (
    Findings,
    Ignored,
    Known,
    Leak,
    RuleUse,
    merge,
    quoted,
)
from unittest_leakfix.leaks.report.text_report import render
from unittest_leakfix.leaks.rules import RuleError, read_rule
from unittest_leakfix.leaks.suppressions import ReportedLeaks
from unittest_leakfix.options import Options


def leak(kind, name, test="tests.test_shop.T.test_it"):
    return Leak(kind, "%s %s was left" % (kind, name), (test,), cause="%s %s" % (kind, name),
                name=name)


class ReadTests(unittest.TestCase):
    def test_rules(self):
        for text, kind, pattern, test, reason in (
            ('thread="mailer-*"  # it lives on', "thread", "mailer-*", "*", "it lives on"),
            ("  thread = 'a' # b", "thread", "a", "*", "b"),
            ('kept_test="T.test", test="tests.*"#x', "kept_test", "T.test", "tests.*", "x"),
            ('file="a" test="b" # c', "file", "a", "b", "c"),
            ('sys.path="a#b"  # c # d', "sys.path", "a#b", "*", "c # d"),
            (r'file="C:\temp\new"  # a', "file", r"C:\temp\new", "*", "a"),
            (r'''file="a\"b\\"  # c''', "file", 'a"b\\', "*", "c"),
            (r'''file='it\'s'  ## c''', "file", "it's", "*", "c"),
            ('file=""  # empty', "file", "", "*", "empty"),
        ):
            with self.subTest(text):
                self.assertEqual(Ignored(kind, pattern, test, reason, "here:1"),
                                 read_rule(text, "here:1"))

    def test_what_makes_no_sense(self):
        reason = "the reason is missing: # and what a colleague understands in a year"
        for text, column, expected in (
            ('thread="a"', 11, reason),
            ('thread="a"  #  ', 13, reason),
            ('thread', 7, "an equals sign must follow thread"),
            ('thread: "a"  # b', 7, "an equals sign must follow thread"),
            ('thread=a  # b', 8, "a name in quotes must follow thread="),
            ('thread="a  # b', 8, "a name in quotes must follow thread="),
            ('"a"  # b', 1, 'a kind must be given, as in thread="mailer-*"'),
            ('thread="a", file="b"  # c', 13, "a rule has one kind: give file a line of its own"),
            ('test="a"  # b', 1, "the kind comes first, and test after it"),
            ('thread="a", # b', 13, 'a kind must be given, as in thread="mailer-*"'),
            ('__import__("os").system("x")  # y', 11, "an equals sign must follow __import__"),
        ):
            with self.subTest(text), self.assertRaises(RuleError) as caught:
                read_rule(text)
            self.assertEqual((column, expected), (caught.exception.column, str(caught.exception)))

    def test_what_is_written_is_read(self):
        for name in ("mailer-1", 'a"b', "it's", "both ' and \"", "C:\\temp\\", "a\\\\b", '\\"', "",
                     "end'\\", "caf\xe9 #1"):
            rule = Ignored("thread", name, "x*", "why", "")
            self.assertEqual(rule, read_rule(rules.rule_text(rule)))
            self.assertEqual(name, read_rule("a=%s # b" % quoted(name)).pattern)

    def test_the_line_that_the_report_says_makes_it_known(self):
        for kind, name in (("thread", "mailer-1"), ("kept test", 'T.test "x"'),
                           ("file", "C:\\temp\\new.txt"), ("sys.path", "[abc]"),
                           ("environment", "a'b\"c"), ("file", "x" * 900)):
            one = leak(kind, name)
            text = render(Findings((one,), rules=(RuleUse("x", "y", 0),), tests=1))
            line = text.split("Silence one, as a rule: ")[1].strip()
            with self.subTest(line):
                self.assertIsNotNone(suppressions.match(one, [read_rule(line)]))
                self.assertIsNone(suppressions.match(leak(kind, "other"), [read_rule(line)]))


class FileTests(TextCase):
    def rules(self, text, **more):
        path = os.path.join(self.root, "known")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return suppressions.rules_of(Options(leaks_suppressions=path, **more))

    def test_a_file(self):
        found = self.rules("\ufeff# of the shop\r\n\r\nthread=\"a\"  # b\r\n  # no\r\n"
                           "file='c' # d\r\n")
        self.assertEqual([("a", "b", "known:3"), ("c", "d", "known:5")], [
            (rule.pattern, rule.reason, os.path.basename(rule.where)) for rule in found])

    def test_before_it_those_of_the_configuration(self):
        found = self.rules("file='c' # d", suppressions=(
            ("thread='a'  # b", "setup.cfg:3"),
            ({"thread": "t", "reason": "r", "test": "x*"}, "setup.cfg:4")))
        self.assertEqual([("a", "*", "setup.cfg:3"), ("t", "x*", "setup.cfg:4"),
                          ("c", "*", "known:1")], [
            (rule.pattern, rule.test, os.path.basename(rule.where)) for rule in found])

    def test_what_makes_no_sense(self):
        with self.assertRaisesRegex(ValueError, r"known:2:8: a name in quotes must follow"):
            self.rules("# a\nthread=x  # y\n")
        with self.assertRaisesRegex(ValueError, r"\A--leaks-suppressions: .*none cannot be read: "):
            suppressions.rules_of(Options(leaks_suppressions=os.path.join(self.root, "none")))
        for rule, expected in (
            ("thread=x # y", "a.cfg:1: column 8 of thread=x # y: a name in quotes must follow "
                             "thread="),
            ({"thread": "x"}, "a.cfg:1: the reason is missing: reason = what a colleague "
                              "understands in a year"),
            ({"reason": "x"}, "a.cfg:1: a rule has one kind, as in {thread = \"mailer-*\", "
                              "reason = \"...\"}"),
            ({"thread": 3, "reason": "x"}, "a.cfg:1: all that a rule says is text"),
        ):
            with self.subTest(rule), self.assertRaises(ValueError) as caught:
                suppressions.rules_of(Options(suppressions=((rule, "a.cfg:1"),)))
            self.assertEqual(expected, str(caught.exception))


class UseTests(TextCase):
    def reported(self, *texts):
        made = [read_rule(text, "known:%d" % number) for number, text in enumerate(texts, 1)]
        return ReportedLeaks(None, False, None, made)

    def test_what_a_rule_means_is_known(self):
        leaks = self.reported('thread="mailer-*", test="tests.*"  # it lives on',
                              'file="never"  # gone', 'thred="x"  # odd')
        mine, others = leak("thread", "mailer-1"), leak("thread", "mailer-1", "other.T.test")
        self.assertEqual([others], leaks.take([mine, others]))
        self.assertEqual([Known(mine, "it lives on", "known:1")], leaks.known)
        self.assertEqual(
            (RuleUse('thread="mailer-*", test="tests.*"  # it lives on', "known:1", 1),
             RuleUse('file="never"  # gone', "known:2", 0),
             RuleUse('thred="x"  # odd', "known:3", 0, "thread")), leaks.rules_used())

    def test_the_report_says_which_were_used(self):
        used = (RuleUse('thread="a"  # b', "known:1", 3), RuleUse('thred="c"  # d', "known:2", 0,
                                                                  "thread"))
        findings = replace(self.example(), rules=used)
        text = render(findings, self.style)
        self.assertIn("\nSuppressions: 1 used, 1 not used in this run\n"
                      "    not used: known:2  thred=\"c\"  # d  (there is no kind of this name: "
                      "thread?)\n", text)
        self.assertNotIn("known:1", text)
        self.assertIn("    used for 3 leaks: known:1  thread=\"a\"  # b\n",
                      render(findings, self.style, verbose=True))
        self.assertIn("Suppressions: 0 used, 1 not used", render(Findings(rules=used[1:], tests=3)))

    def test_of_workers_one_that_used_it_is_enough(self):
        first, second = RuleUse("a", "b", 0, "c"), RuleUse("a", "b", 2)
        self.assertEqual((second,), merge([Findings(rules=(first,), worker="1"),
                                           Findings(rules=(second,), worker="2")]).rules)


if __name__ == "__main__":
    unittest.main()
