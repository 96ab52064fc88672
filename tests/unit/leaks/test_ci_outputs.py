"""What --leaks-output writes: on the right file and line, valid, and with nothing of the suite's
that a reader would take for its own."""

from __future__ import annotations

import json
import os
import re
import unittest
from dataclasses import replace
from unittest import mock
from xml.etree import ElementTree

from tests.support.schema import problems
from tests.unit.leaks.leak_kinds import every_kind
from tests.unit.leaks.leak_samples import ORDERS, TextCase, chain
from unittest_leakfix.leaks import report_files
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.model.seen import ClassAttributes, Resource, Retained
from unittest_leakfix.leaks.report import (
    annotations,
    describe,
    github,
    gitlab,
    html_page,
    json_report,
    junit,
    markdown,
    outputs,
    sarif,
)
from unittest_leakfix.leaks.report.outputs import NAMES, chosen
from unittest_leakfix.leaks.report.text_report import render, render_brief
from unittest_leakfix.options import OPTIONS, Options

HOSTILE = ("</code></pre><script>alert(1)</script> | @all `x` **b** [a](http://b) ]]> "
           "\x00\x1b[31m\r\n::error::x\u202e\ud800%0A::stop-commands::a,b:c &amp; '\"")


class OutputCase(TextCase):
    def report(self, *leaks, **more):
        failing = more.pop("failing", False)
        more.setdefault("tests", 2041)
        return annotations.report_of(Findings(leaks, **more), failing, self.root, self.root)

    def examples(self, failing=False):
        return annotations.report_of(self.example(), failing, self.root, self.root)

    def hostile(self):
        """Leaks with that text wherever the suite decides on one."""
        leak = Leak("thread", "thread %r was left running: %s" % ("x", HOSTILE),
                    ("tests.test_orders.OrderTests.test_checkout (a=%s)" % HOSTILE,),
                    notes=(("was", HOSTILE),), remedy="close(%s)" % HOSTILE,
                    cause="thread " + HOSTILE,
                    acquisition=self.opened("t.T.t (%s)" % HOSTILE,
                                            ("tests/test_orders.py", 24, HOSTILE)))
        return self.report(leak, replace(leak, cause="another"),
                           known=(Known(leak, HOSTILE, "here.py:1"),))

    def every(self):
        return self.report(*every_kind(self), known=self.example().known, more=3, failed=2)


class CandidatesTests(OutputCase):
    """What one of several tests left, where no test is proven: each form of the report has it."""

    CANDIDATES = (ORDERS + "test_checkout", ORDERS + "test_cancel")

    def candidates(self, *some):
        """Yield each kind, of *some* tests that are not proven."""
        for leak in every_kind(self):
            yield replace(leak, tests=(), candidates=some)

    def facts(self, *some):
        """Yield what is not in words yet."""
        for kind, seen in (("object", Retained("Order", "self.order")),
                           ("kept test", Retained("OrderTests")), ("growth", Retained("Order")),
                           ("class attribute", ClassAttributes("t.OrderTests", 1200)),
                           ("file", Resource("file 'x'", "self.file"))):
            yield Leak(kind, "", (), candidates=some, seen=seen, cause=kind,
                       holding=((".rows", "list", 1200),))

    def test_of_each_kind(self):
        for some in (self.CANDIDATES, self.CANDIDATES[:1], ()):
            for leak in (*self.candidates(*some), *self.facts(*some)):
                found = Findings((leak,), tests=2)
                with self.subTest(leak.kind, candidates=len(some)):
                    report = self.report(leak)
                    texts = [render(found, self.style), render_brief(found, self.style),
                             html_page.to_html(found, self.style), json_report.to_text(found)]
                    texts += [made.text(report) for made in (github, gitlab, sarif, markdown,
                                                             junit)]
                    for text in texts:
                        self.assertNotIn("not described", text)

    def test_in_words(self):
        leak = describe.in_words(next(self.facts(*self.CANDIDATES)))
        self.assertEqual(leak.subject, "Order was kept after one of 2 tests (its self.order)")

    def test_a_fault_in_the_words_of_one(self):
        """The others are described as ever, and it is not lost."""
        with mock.patch.dict(describe._WORDS, {ClassAttributes: lambda seen, leak: 1 // 0}):
            text = render(Findings(tuple(self.facts(*self.CANDIDATES)), tests=2), self.style)
        self.assertIn("Order was kept after one of 2 tests", text)
        self.assertRegex(text, "not described +ZeroDivisionError")


class PlaceTests(OutputCase):
    def place(self, leak):
        return self.report(leak).annotations[0].place

    def test_the_line_of_the_test_or_fixture_where_advice_goes(self):
        self.assertEqual(("tests/test_orders.py", 17), self.place(self.connection(2)))
        opened = self.opened(ORDERS + "test_checkout", ("shop/mail.py", 48, "Mailer.start"),
                             ("tests/test_orders.py", 24, "OrderTests.test_checkout"))
        annotation = self.report(replace(self.connection(1), acquisition=opened)).annotations[0]
        self.assertEqual(("tests/test_orders.py", 24), annotation.place)
        self.assertEqual((("shop/mail.py", 48),), annotation.others[:1])

    def test_an_object_is_shown_where_its_chain_ends(self):
        self.assertEqual(("tests/test_orders.py", 24), self.place(self.kept()))

    def test_a_test_is_found_by_its_id(self):
        for name, line in (("tests.test_orders.OrderTests.test_checkout", 22),
                           ("tests.test_orders.OrderTests.test_checkout (n=1)", 22),
                           ("tests/test_orders.py::OrderTests::test_checkout[1]", 22),
                           ("setUpClass (tests.test_orders.OrderTests)", 11),
                           ("setUpModule (tests.test_orders)", 1)):
            with self.subTest(name):
                self.assertEqual(("tests/test_orders.py", line),
                                 self.place(Leak("cwd", "x was changed", (name,))))

    def test_paths_are_those_of_the_repository(self):
        inner = os.path.join(self.root, "tests")
        leak = Leak("cwd", "x", ("test_orders.OrderTests.test_checkout",))
        os.makedirs(os.path.join(self.root, ".git"), exist_ok=True)
        found = annotations.report_of(Findings((leak,)), start=inner).annotations
        self.assertEqual(("tests/test_orders.py", 22), found[0].place)

    def test_what_is_not_in_the_repository_has_no_line(self):
        opened = self.opened("x.X.test", (__file__, 3, "f"))
        self.assertIsNone(self.place(replace(self.connection(1), acquisition=opened,
                                             tests=("x.X.test",))))


class KnownTests(OutputCase):
    def test_what_is_known_is_one_cause_however_often_it_occurred(self):
        known = tuple(Known(replace(self.thread(), tests=("t.T.test_%d" % number,)), "why", "x:1")
                      for number in range(30))
        report = self.report(known=known)
        self.assertEqual([30], [len(each.tests) for each in report.known])
        self.assertEqual(["why"], [each.reason for each in report.known])


class GithubTests(OutputCase):
    def test_commands(self):
        lines = github.text(self.examples()).splitlines()
        self.assertEqual([
            "::warning file=tests/test_orders.py,line=24,title=Leak%3A OrderTests.test_checkout "
            "was kept after it finished",
            "::warning file=tests/test_orders.py,line=17,title=Leak%3A pymysql connection to "
            "db@127.0.0.1%3A3306/shop was left open",
            "::warning file=shop/mail.py,line=48,title=Leak%3A thread \"mailer-1\" was still "
            "running after its test"], [line.rpartition("::")[0] if line.count("::") == 2 else
                                line[:line.index("::", 2)] for line in lines])
        self.assertIn("%0Ain your code: self.addCleanup(self.db.close)", lines[1])
        self.assertTrue(github.text(self.examples(failing=True)).startswith("::error file="))

    def test_nothing_for_nothing(self):
        self.assertEqual("", github.text(self.report()))

    def test_what_is_too_much_is_counted(self):
        leaks = [replace(self.thread(), cause="thread %d" % number) for number in range(60)]
        lines = github.text(self.report(*leaks, more=5)).splitlines()
        self.assertEqual(("::notice title=Leaks::and 15 more causes", 51),
                         (lines[-1], len(lines)))

    def test_each_command_is_one_line_whatever_is_in_it(self):
        for line in github.text(self.hostile()).splitlines():
            match = re.match(r"::warning file=[\w/.]+,line=\d+,title=([^:,\r\n]*)::(.*)\Z", line)
            self.assertIsNotNone(match, line)
            self.assertTrue(line.isprintable(), line)
            self.assertNotRegex(line, "%(?!25|0A|3A|2C)")


class GitlabTests(OutputCase):
    def test_by_its_documentation(self):
        for report in (self.report(), self.examples(), self.every(), self.hostile()):
            value = json.loads(gitlab.text(report))
            self.assertEqual([], problems(value, "gitlab-code-quality.json"))
            self.assertEqual(len(report.annotations), len({each["fingerprint"] for each in value}))

    def test_what_it_says(self):
        found = json.loads(gitlab.text(self.examples(failing=True)))[1]
        self.assertEqual(("leak/connection", "major", {"path": "tests/test_orders.py",
                                                       "lines": {"begin": 17}}),
                         (found["check_name"], found["severity"], found["location"]))
        self.assertTrue(found["description"].endswith(
            "in your code: self.addCleanup(self.db.close)"))

    def test_a_fingerprint_is_the_same_whatever_else_is_left(self):
        both = json.loads(gitlab.text(self.report(self.thread(), self.kept())))
        alone = json.loads(gitlab.text(self.report(replace(self.thread(), size=9))))
        self.assertIn(alone[0]["fingerprint"], [each["fingerprint"] for each in both])


class SarifTests(OutputCase):
    def test_by_its_schema(self):
        for report in (self.report(), self.examples(), self.every(), self.hostile()):
            self.assertEqual([], problems(json.loads(sarif.text(report)), "sarif-2.1.0.json"))

    def test_what_it_says(self):
        run = sarif.to_value(self.examples(failing=True))["runs"][0]
        found = run["results"][1]
        self.assertEqual(
            ("leak/connection", "error", "tests/test_orders.py", 17), (
                found["ruleId"], found["level"],
                found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
                found["locations"][0]["physicalLocation"]["region"]["startLine"]))
        self.assertEqual(found["ruleId"],
                         run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"])
        self.assertEqual("the pool lives as long as the process",
                         run["results"][-1]["suppressions"][0]["justification"])

    def test_a_path_is_a_uri(self):
        annotation = self.examples().annotations[0]._replace(
            place=annotations.Place("tests/caf\xe9 %#?.py", 3))
        found = sarif.to_value(self.report()._replace(annotations=(annotation,)))
        self.assertEqual("tests/caf%C3%A9%20%25%23%3F.py", found["runs"][0]["results"][0][
            "locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


class MarkdownTests(OutputCase):
    def test_whole_text(self):
        self.assertGolden("summary.md", markdown.text(self.examples()))

    def test_none(self):
        self.assertEqual("## Leaks: none in 7 tests\n", markdown.text(self.report(tests=7)))

    def test_nothing_of_the_suite_is_markup(self):
        text = markdown.text(self.hostile())
        tags = set(re.findall(r"</?([a-z]+)", text))
        self.assertEqual({"code", "details", "summary", "pre"}, tags)
        for line in text.splitlines():
            if line.startswith("|"):
                self.assertEqual(5, line.count("|"), line)
                outside = re.sub("<code>[^<]*</code>", "", line)
                self.assertRegex(outside, r"\A[| \d,\w-]*\Z")
                self.assertNotRegex(line, r"[@`*\[\]]|\b_|_\b|:/|:\w+:")


class JunitTests(OutputCase):
    def test_it_is_xml_and_counts(self):
        for report in (self.report(), self.examples(), self.every(), self.hostile()):
            root = ElementTree.fromstring(junit.text(report).encode("utf-8", "backslashreplace"))
            cases = root.findall("testsuite/testcase")
            self.assertEqual(
                (str(len(cases)), str(len(report.annotations)), str(len(report.known))),
                tuple(root.get(name) for name in ("tests", "failures", "skipped")))
            self.assertEqual(len(report.annotations), len(root.findall(".//failure")))
            self.assertTrue(cases)

    def test_what_it_says(self):
        root = ElementTree.fromstring(junit.text(self.examples()).encode("utf-8"))
        case = root.findall("testsuite/testcase")[1]
        self.assertEqual(("tests.test_orders.OrderTests", "tests/test_orders.py", "17"),
                         (case.get("classname"), case.get("file"), case.get("line")))
        self.assertTrue(case.get("name").startswith("test_00: pymysql connection"))
        self.assertIn("in your code: self.addCleanup", case.find("failure").text)


class TableTests(TextCase):
    def test_the_help_names_each(self):
        row, = [option for option in OPTIONS if option.name == "leaks_output"]
        for name in NAMES:
            self.assertIn(name, row.help)

    def test_what_is_asked_for(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("GITHUB_STEP_SUMMARY", None)
            found = chosen(["sarif", "sarif:b.sarif", "github", "github", "markdown"])
            self.assertEqual([("sarif", "leaks.sarif"), ("sarif", "b.sarif"), ("github", ""),
                              ("markdown", "")], [(each.row.name, each.file) for each in found])
            self.assertEqual("junit", chosen("junit")[0].row.name)

    def test_what_makes_no_sense(self):
        for given, reason in (
            ("githb", "githb is not an output, did you mean github: choose from github, gitlab, "
                      "sarif, markdown, junit"),
            ("", "'' is not an output: choose from github, gitlab, sarif, markdown, junit"),
            ("sarif:", "sarif: has no name of a file after the colon"),
        ):
            with self.assertRaises(ValueError) as caught:
                chosen([given])
            self.assertEqual(reason, str(caught.exception))


class FilesTests(OutputCase):
    """The outputs among the files of a run."""

    def setUp(self):
        self.here = self.file("run")
        os.makedirs(self.here, exist_ok=True)

    def files(self, *given, **more):
        files = report_files.Files.of(
            Options(leaks="report", leaks_output=[each.replace("HERE", self.here)
                                                  for each in given], **more), None)
        self.addCleanup(files.end)
        return files

    def text(self, name):
        with open(os.path.join(self.here, name), encoding="utf-8") as file:
            return file.read()

    def test_several_at_once(self):
        printed = self.files("github", "sarif:HERE/a.sarif", "junit:HERE/b.xml",
                             "gitlab:HERE/c.json").write(self.example())
        self.assertEqual(["::warning"] * 3, [line.partition(" ")[0] for line in printed])
        self.assertEqual("2.1.0", json.loads(self.text("a.sarif"))["version"])
        self.assertEqual(3, len(json.loads(self.text("c.json"))))
        ElementTree.fromstring(self.text("b.xml").encode("utf-8"))

    def test_what_is_printed_fits_the_stream(self):
        for line in self.files("markdown", "github").write(self.example(), encoding="ascii"):
            line.encode("ascii")

    def test_github_s_summary_is_appended_to(self):
        path = os.path.join(self.here, "summary")
        with open(path, "w", encoding="utf-8") as file:
            file.write("before\n")
        with mock.patch.dict(os.environ, GITHUB_STEP_SUMMARY=path):
            files = self.files("markdown")
        self.assertEqual([], files.write(self.example()))
        self.assertEqual([], files.write(self.example()), "twice is once")
        self.assertRegex(self.text("summary"), r"\Abefore\n## Leaks: 3 causes in 2,041 tests\n")
        self.assertEqual(1, self.text("summary").count("## Leaks"))

    def test_a_named_file_comes_before_the_summary(self):
        with mock.patch.dict(os.environ, GITHUB_STEP_SUMMARY=os.path.join(self.here, "none")):
            self.files("markdown:HERE/own.md").write(self.example())
        self.assertTrue(self.text("own.md").startswith("## Leaks"))
        self.assertFalse(os.path.exists(os.path.join(self.here, "none")))

    def test_one_file_for_two(self):
        with self.assertRaisesRegex(ValueError, "--leaks-output=sarif and --leaks-output=junit are "
                                                "the same file"):
            self.files("sarif:HERE/x", "junit:HERE/x")
        with self.assertRaisesRegex(ValueError, "--leaks-json and --leaks-output=junit are the "):
            self.files("junit:HERE/x", leaks_json=os.path.join(self.here, "x"))

    def test_the_first_fault_is_said_before_the_run(self):
        with self.assertRaisesRegex(ValueError, "--leaks-output: .* there is no folder"):
            self.files("sarif:HERE/none/x")

    def test_a_fault_of_one_leaves_the_others(self):
        files = self.files("sarif:HERE/d.sarif", "junit:HERE/d.xml")
        with mock.patch.object(sarif, "text", side_effect=OSError("no room")):
            broken = self.files("sarif:HERE/e.sarif", "junit:HERE/e.xml")
        self.assertEqual([], files.write(self.example()))
        self.assertEqual(["%s could not be written: no room" % os.path.join(self.here, "e.sarif")],
                         broken.write(self.example()))
        self.assertIn("<testsuites", self.text("e.xml"))


class SecretTests(OutputCase):
    def test_no_secrets(self):
        secret = "mysql://a:hunter2@h"
        drawn = chain("shop.pool[%r]" % secret, ("", "module shop", "", False),
                      ("[%r]" % secret, secret, "", False))
        leak = Leak("connection", secret + " was left open", ("t.T.t (password='hunter2')",), 0,
                    drawn, ((secret, "str", 1),), self.opened("t"), (("was", secret),),
                    "closed: " + secret, "close(%r)" % secret)
        report = self.report(leak, known=(Known(leak, "password=hunter2", "x"),))
        for name in NAMES:
            with self.subTest(name):
                module = getattr(outputs, name, None) or {
                    "github": github, "gitlab": gitlab, "sarif": sarif, "markdown": markdown,
                    "junit": junit}[name]
                self.assertNotIn("hunter2", module.text(report))


if __name__ == "__main__":
    unittest.main()
