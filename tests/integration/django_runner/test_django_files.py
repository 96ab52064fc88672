"""Options, settings, files and Ctrl-C under Django's runner: as on unittest's command line."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import unittest

try:
    import django  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs Django")

from tests.integration.django_runner.django_project import OURS, SETTINGS, ProjectCase, wanted
from tests.support.paths import ROOT
from tests.unit.leaks.page_samples import Page

SAMPLE = """\
import os, tempfile
from django.test import SimpleTestCase
kept, payloads = [], []
class A(SimpleTestCase):
    def test_a(self):
        kept.append(open(__file__))
    def test_b(self):
        os.environ["SHOP"] = "open"
class B(SimpleTestCase):
    def test_last(self):
        last()
def setUpModule():
    os.environ.pop("SHOP", None)
def last():
    pass
"""
ASIDE = """\
def last():
    os.chdir(tempfile.gettempdir())
"""
PRESS = """\
def last():
    import signal
    import unittest_leakfix.leaks.%s as module
    original = module.%s
    def pressing(*arguments, **options):
        module.%s = original
        # Django has unittest's handler in place, which takes the first.
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return original(*arguments, **options)
    module.%s = pressing
"""
OLD = '{"version": 1, "leaks": []}\n'
NEED = "needs --leaks=report or --leaks=fail"
RUNS = {
    "json": wanted("--leaks-json=a.json"),
    "parallel": wanted("--leaks-json=parallel.json", "--leaks-write-baseline=written.json",
                       "--leaks-html=parallel.html", "--parallel=2"),
    "stacks": wanted("--leaks-stacks"),
    "restore": wanted("--restore"),
    "setting": wanted(LEAKFIX_LEAKS_BASELINE="known.json"),
    "setting, off": wanted(LEAKFIX_LEAKS_BASELINE="known.json", LEAKFIX_LEAKS="off"),
    "setting, option off": wanted("--leaks=off", LEAKFIX_LEAKS_BASELINE="known.json"),
    "option against setting": wanted("--leaks-failed", LEAKFIX_LEAKS="off"),
    "no setting": wanted(LEAKFIX_LEAKS_BASELINE=None),
    "off": wanted("--leaks=off", "--leaks-json=off.json"),
    "same": wanted("--leaks-json=same.json", "--leaks-write-baseline=./same.json"),
    "same as setting": wanted("--leaks-json=./known.json", LEAKFIX_LEAKS_BASELINE="known.json"),
    "nowhere": wanted("--leaks-json=nowhere/a.json"),
}


class FilesTest(ProjectCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", SAMPLE)
        cls.write("known.json", OLD)
        runs = cls.run_all(list(RUNS.values()))
        cls.runs = dict(zip(RUNS, runs))

    def json(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return json.load(file)

    def test_each_implies_report(self):
        for name in ("json", "parallel", "stacks", "restore", "setting", "option against setting"):
            with self.subTest(name):
                self.assertIn("LEAKS  ", self.runs[name].text)
                self.assertEqual(0, self.runs[name].status)

    def test_off(self):
        for name in ("setting, off", "setting, option off", "no setting"):
            with self.subTest(name):
                self.assertNotIn("LEAKS  ", self.runs[name].text)
                self.assertEqual(0, self.runs[name].status, self.runs[name].text)

    def test_files_of_a_parallel_run(self):
        for name in ("parallel.json", "written.json"):
            self.assertEqual({"environment", "file"},
                             {leak["kind"] for leak in self.json(name)["leaks"]})
        self.assertEqual(json.loads(OLD), self.json("known.json"))

    def test_a_page_of_a_parallel_run(self):
        with open(os.path.join(self.folder, "parallel.html"), encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual([], page.faults)
        self.assertIn('environment variable "SHOP" was added',
                      page.texts("span", class_="subject"))
        self.assertEqual({"test_a", "test_b", "test_last"}, set(page.data()["names"]))

    def test_one_line_before_any_test(self):
        for name, line in (
                ("off", "--leaks-json %s, and --leaks=off was given" % NEED),
                ("same",
                 "--leaks-json and --leaks-write-baseline are the same file (FOLDER/same.json): "
                 "each needs its own"),
                ("same as setting",
                 "--leaks-json would overwrite the baseline that --leaks-baseline reads "
                                    "(FOLDER/known.json): each needs its own file"),
                ("nowhere",
                 "--leaks-json: FOLDER/nowhere/a.json cannot be written: there is no folder "
                 "FOLDER/nowhere")):
            with self.subTest(name):
                ran = self.runs[name]
                self.assertEqual((1, "CommandError: " + line), (
                    ran.status, ran.text.replace(os.path.realpath(self.folder),
                                                 "FOLDER").replace(self.folder, "FOLDER")))


class EnvironmentTest(ProjectCase):
    """Environment variables come after the command line, and before the settings."""

    def run_with(self, *options, setting="off", **variables):
        self.write("settings.py", SETTINGS + "TEST_RUNNER = %r\nLEAKFIX_LEAKS = %r\n" % (
            OURS, setting))
        self.write("shop/tests.py", SAMPLE)
        return self.python("-m", "django", "test", *options, environment={
            "DJANGO_SETTINGS_MODULE": "settings",
            **{"UNITTEST_LEAKFIX_" + name: value for name, value in variables.items()}})

    def test_before_the_setting(self):
        self.assertIn("LEAKS  ", self.run_with(LEAKS="report"))
        self.assertIn("LEAKS  ", self.run_with(LEAKS_STACKS="1"))
        self.assertNotIn("LEAKS  ", self.run_with(LEAKS="off", setting="report"))

    def test_after_the_option(self):
        self.assertNotIn("LEAKS  ", self.run_with("--leaks=off", LEAKS="fail"))
        text = self.run_with("--leaks=report", LEAKS="fail")
        self.assertIn("LEAKS  ", text)
        self.assertIn("\nOK\n", text)

    def test_what_makes_no_sense(self):
        self.assertIn("CommandError: UNITTEST_LEAKFIX_LEAKS=yes: choose from off, report, fail\n",
                      self.run_with(LEAKS="yes"))


class ProcessTest(ProjectCase):
    """Runs in a process of their own."""

    def run_with(self, last, status):
        """Run; return the kinds of leaks in the JSON report, and how many are in the baseline."""
        self.write("settings.py", SETTINGS + "TEST_RUNNER = %r\n" % OURS)
        self.write("shop/tests.py", SAMPLE + last)
        for old in ("a.json", "known.json"):
            self.write(old, OLD)
        done = subprocess.run(
            [sys.executable, "-m", "django", "test", "--leaks-json=a.json",
             "--leaks-write-baseline=known.json"],
            cwd=self.folder, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=dict(os.environ, PYTHONPATH=ROOT, DJANGO_SETTINGS_MODULE="settings"))
        self.assertEqual(status, done.returncode, done.stdout)
        self.assertEqual(status != 0, done.stdout.splitlines()[-1] == "KeyboardInterrupt")
        found = []
        for old in ("a.json", "known.json"):
            with open(os.path.join(self.folder, old), encoding="utf-8") as file:
                found.append(json.load(file)["leaks"])
        return sorted(leak["kind"] for leak in found[0]), len(found[1])

    def test_a_working_directory_that_changes(self):
        self.assertEqual((["cwd", "environment", "file"], 3), self.run_with(ASIDE, 0))

    def test_ctrl_c_while_it_is_written(self):
        for module, name in (
                ("report.text_report", "render"), ("report.json_report", "to_text"),
                ("report.whole_file", "_replace")):
            with self.subTest(name):
                self.assertEqual((["environment", "file"], 2),
                                 self.run_with(PRESS % (module, name, name, name), -signal.SIGINT))

    def test_ctrl_c_while_it_is_judged(self):
        # The file is an object: these are judged last.
        self.assertEqual((["environment"], 0),
                         self.run_with(PRESS
                                       % ("detector", "LeakDetector.stop", "LeakDetector.stop",
                                          "LeakDetector.stop"),
                                       -signal.SIGINT))


if __name__ == "__main__":
    unittest.main()
