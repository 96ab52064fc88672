"""``compare`` and ``merge``: what they print, write and end with."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from unittest import mock

from tests.support.paths import ROOT
from tests.support.schema import problems
from tests.unit.leaks.leak_kinds import every_kind
from tests.unit.leaks.leak_samples import TextCase
from tests.unit.leaks.page_samples import Page
from unittest_leakfix.leaks import report_commands
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.report import json_report
from unittest_leakfix.leaks.report.comparison import compare


class CommandCase(TextCase):
    def setUp(self):
        self.here = self.file("reports")
        os.makedirs(self.here)
        self.addCleanup(shutil.rmtree, self.here)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.here)

    def put(self, name, *leaks, **more):
        json_report.dump(Findings(leaks, **dict({"tests": 2041}, **more)), name)
        return name

    def run_command(self, command, *arguments):
        """Return its status, and what it wrote to both streams."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = command(arguments)
            except SystemExit as end:
                status = end.code
        return status, out.getvalue(), err.getvalue()


class CompareTests(CommandCase):
    def compare(self, *arguments):
        return self.run_command(report_commands.compare, *arguments)

    def put_both(self):
        lost = Leak("file", "file log.txt was left open", ("t.T.test",), cause="file log")
        hidden = replace(lost, cause="file known")
        self.put("old.json", self.connection(37), self.kept(), lost, hidden)
        self.put("new.json", self.connection(40), self.kept(), self.thread(), tests=2050,
                 known=(Known(hidden, "it is known", "x.py:1"),))

    def test_whole_text(self):
        self.put_both()
        status, text, _ = self.compare("old.json", "new.json")
        self.assertEqual(1, status)
        self.assertGolden("compared", text.replace(self.root, "ROOT"))

    def test_whole_markdown(self):
        self.put_both()
        status, text, _ = self.compare("old.json", "new.json", "--markdown")
        self.assertEqual(1, status)
        self.assertGolden("compared.md", text)

    def test_the_status(self):
        fewer, more, same = self.connection(2), self.connection(3), self.kept()
        for old, new, status in (
            ([], [], 0), ([same], [same], 0), ([same], [], 0), ([more], [fewer], 0),
            ([], [same], 1), ([fewer], [more], 1), ([fewer], [same], 1),
            ([same], [replace(same, size=41300000)], 0), ([same], [replace(same, size=46e6)], 1),
            ([replace(same, size=1000)], [replace(same, size=90000)], 0),
        ):
            with self.subTest(old=old, new=new):
                self.put("old.json", *old)
                self.put("new.json", *new)
                self.assertEqual(status, self.compare("old.json", "new.json")[0])
                self.assertEqual(status, self.compare("--markdown", "old.json", "new.json")[0])

    def test_two_lines_of_one_fingerprint_are_one_cause(self):
        one = self.connection(2)
        other = replace(one, acquisition=None)
        compared = compare(Findings((one, other)), Findings((replace(one, tests=one.tests * 2),)))
        self.assertEqual(((), (), (), 1), (compared.new, compared.gone, compared.grown,
                                           compared.same))

    def test_a_candidate_s_class_is_one(self):
        leak = Leak("cwd", "x", candidates=("t.T.a", "t.T.b"), cause="cwd")
        more = replace(leak, candidates=leak.candidates + ("t.T.c",))
        self.assertFalse(compare(Findings((leak,)), Findings((more,))).worse)

    def test_what_cannot_be_read(self):
        self.put("good.json", self.kept())
        for name, text in (("bad.json", "no"), ("list.json", "[]"), ("deep.json", "[" * 100000),
                           ("odd.json", '{"version": 1, "leaks": 3}'), ("old.json",
                                                                        '{"version": 9}')):
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
            status, out, err = self.compare("good.json", name)
            self.assertEqual((2, ""), (status, out), name)
            self.assertRegex(err, r"\Aerror: %s: .*\n\Z" % name)
        self.assertEqual((2, "", "error: none.json cannot be read: No such file or directory\n"),
                         self.compare("none.json", "good.json"))
        self.assertEqual(2, self.compare("good.json")[0])

    def test_what_a_file_says_does_what_it_says_only(self):
        value = json_report.to_value(Findings((self.thread(),), tests=1))
        value["leaks"][0]["subject"] = "\x1b[31m </code> @all | password=hunter2 \n::error::x"
        with open("new.json", "w", encoding="utf-8") as file:
            json.dump(value, file)
        self.put("old.json")
        for arguments in ((), ("--markdown",)):
            text = self.compare("old.json", "new.json", *arguments)[1]
            self.assertNotRegex(text, "hunter2|\x1b|\n::")
        self.assertNotIn("@all", text)


class MergeTests(CommandCase):
    def merge(self, *arguments):
        return self.run_command(report_commands.merged, *arguments)

    def test_shards_are_one_report(self):
        self.put("a.json", self.connection(2), self.kept(), tests=10)
        self.put("b.json", self.connection(3), tests=20)
        status, text, err = self.merge("a.json", "b.json", "--json", "whole.json")
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(text, r"\ALEAKS  2 causes in \d of 30 tests: 1 kept test, 1 connection\n")
        self.assertIn("in worker a, b\n", text)
        whole = json_report.load("whole.json")
        self.assertEqual((30, 2), (whole.tests, len(whole.leaks)))

    def test_every_kind_goes_through(self):
        self.put("a.json", *every_kind(self))
        self.put("b.json", *every_kind(self))
        self.assertEqual(0, self.merge(
            "a.json", "b.json", "--json=c.json", "--html=c.html", "--output=sarif:c.sarif",
            "--output", "junit:c.xml")[0])
        with open("c.sarif", encoding="utf-8") as file:
            self.assertEqual([], problems(json.load(file), "sarif-2.1.0.json"))
        self.assertTrue(os.path.exists("c.xml"))
        with open("c.html", encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual([], page.faults)
        self.assertEqual(len(every_kind(self)), len(page.texts("details", class_="cause")))
        self.assertEqual(len(every_kind(self)), len(json_report.load("c.json").leaks))

    def test_files_of_one_name(self):
        for folder in ("3.8", "3.13"):
            os.mkdir(folder)
            self.put(os.path.join(folder, "leaks.json"), self.thread())
        for given in ([os.path.join("*", "leaks.json")],
                      [os.path.join(folder, "leaks.json") for folder in ("3.8", "3.13")]):
            self.assertIn("in worker %s, %s\n" % tuple(
                os.path.join(folder, "leaks.json") for folder in ("3.8", "3.13")),
                self.merge(*given)[1])

    def test_one_file_is_itself(self):
        self.put("a.json", self.thread())
        self.assertNotIn("worker", self.merge("a.json", "a.json")[1])
        self.assertEqual(1, self.merge("a.json", "--fail")[0])
        self.put("b.json")
        self.assertEqual((0, "LEAKS  none in 2,041 tests\n"), self.merge("b.json", "--fail")[:2])

    def test_what_cannot_be_read_or_written(self):
        self.put("a.json", self.thread())
        self.assertEqual((2, "", "error: *.no cannot be read: No such file or directory\n"),
                         self.merge("a.json", "*.no"))
        status, out, err = self.merge("a.json", "--json=none/b.json")
        self.assertEqual((2, ""), (status, out))
        self.assertIn("there is no folder", err)
        self.assertIn("did you mean sarif", self.merge("a.json", "--output=sarf")[2])
        with mock.patch("unittest_leakfix.leaks.report.whole_file._whole",
                        side_effect=OSError(28, "No space left on device")):
            status, out, _ = self.merge("a.json", "--json=b.json")
        self.assertEqual(2, status)
        self.assertIn("b.json could not be written: No space left on device\n", out)


class ProgramTests(CommandCase):
    def test_they_are_words_of_the_command_line(self):
        self.put("old.json")
        self.put("new.json", self.thread())
        for arguments, status, begin in (
            (["compare", "old.json", "new.json"], 1, "COMPARED  old.json: 0 causes in 2,041 tests"),
            (["merge", "old.json", "new.json"], 0, "LEAKS  1 cause in 1 of 4,082 tests: 1 thread"),
        ):
            done = subprocess.run([sys.executable, "-m", "unittest_leakfix", *arguments],
                                  env=dict(os.environ, PYTHONPATH=ROOT, PYTHONIOENCODING="ascii"),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            text = done.stdout.decode("ascii").replace("\r\n", "\n")
            self.assertEqual((status, begin), (done.returncode, text[:len(begin)]), text)
