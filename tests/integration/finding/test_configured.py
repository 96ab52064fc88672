"""One configuration file, read by the command lines of unittest, pytest and Django alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import unittest
from importlib.util import find_spec

from tests.integration.finding.test_leaks_files import FolderCase
from tests.support.paths import ROOT
from tests.support.schema import jsonschema, strict_problems
from tests.tiers import nightly

SAMPLE = """\
import os, unittest
class Tests(unittest.TestCase):
    def test_changes(self):
        os.environ["SHOP"] = "open"
    def test_known(self):
        os.environ["KNOWN"] = "1"
"""
CFG = """\
[unittest_leakfix]
leaks = report
leaks_json = leaks.json
leaks_output = markdown:leaks.md
suppressions =
    environment="KNOWN"  # it is on purpose
    thread="nobody"  # it was there once
"""
SETTINGS = """\
SECRET_KEY = "x"
DATABASES = {}
TEST_RUNNER = "unittest_leakfix.django.LeakFixDiscoverRunner"
"""
COMMANDS = {
    "unittest": ["-m", "unittest_leakfix", "test_sample"],
    "pytest": ["-m", "pytest", "-p", "no:cacheprovider", "-p", "unittest_leakfix.pytest_plugin",
               "test_sample.py"],
    "django": ["-m", "django", "test", "--settings=settings"],
}


class ConfiguredCase(FolderCase):
    def setUp(self):
        super().setUp()
        self.put("test_sample.py", SAMPLE)
        self.put("settings.py", SETTINGS)

    def run_by(self, way, *options, **variables):
        """Run the sample; return its status and output."""
        if find_spec(way) is None:
            self.skipTest("needs %s" % way)
        environment = dict(os.environ, PYTHONPATH=ROOT + os.pathsep + self.folder,
                           PYTHONDONTWRITEBYTECODE="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
                           **{"UNITTEST_LEAKFIX_" + name: each for name, each in variables.items()})
        environment.pop("GITHUB_STEP_SUMMARY", None)
        done = subprocess.run([sys.executable, *COMMANDS[way], *options], cwd=self.folder,
                              timeout=60, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode("utf-8", "replace").replace(self.folder, "HERE")


class WaysTests(ConfiguredCase):
    def check(self, way):
        self.put("unittest_leakfix.cfg", CFG)
        status, output = self.run_by(way)
        self.assertEqual(0, status, output)
        self.assertIn('[1] environment variable "SHOP" was added', output)
        self.assertNotIn('"KNOWN" was added', output)
        self.assertIn("Suppressions: 1 used, 1 not used in this run\n    not used: "
                      'unittest_leakfix.cfg:7  thread="nobody"  # it was there once\n', output)
        self.assertIn('environment="SHOP"  # why it is known', output)
        value = self.json("leaks.json")
        if jsonschema is not None:
            self.assertEqual([], strict_problems(value, "docs/report.schema.json"))
        self.assertEqual([("it is on purpose", "unittest_leakfix.cfg:6")],
                         [(known["reason"], known["where"]) for known in value["known"]])
        self.assertEqual([1, 0], [each["used"] for each in value["suppressions"]])
        self.assertTrue(self.text("leaks.md").startswith("## Leaks: 1 cause in 2 tests\n"))

        self.put("unittest_leakfix.cfg", CFG + "leak_json = x\n")
        status, output = self.run_by(way)
        self.assertNotEqual(0, status)
        self.assertIn(
            "unittest_leakfix.cfg:8: leak_json is not a key, did you mean leaks_json?", output)
        self.assertNotIn("Traceback", output)

    def test_unittest(self):
        self.check("unittest")

    def test_pytest(self):
        self.check("pytest")
        self.put("unittest_leakfix.cfg", CFG + "    thread=x # y\n")
        status, output = self.run_by("pytest")
        self.assertNotEqual(0, status)
        self.assertIn("unittest_leakfix.cfg:8: column 8 of thread=x # y: a name in quotes must "
                      "follow thread=", output)
        self.assertNotIn("Traceback", output)

    def test_django(self):
        self.check("django")


class LayersTests(ConfiguredCase):
    """What is typed, then the environment, then settings and ini values, then the file."""

    def kind(self, way, *options, **variables):
        """Return "off", "report" or "fail"."""
        status, output = self.run_by(way, *options, **variables)
        return "off" if "LEAKS  " not in output else "fail" if status else "report"

    def test_the_order(self):
        self.put("setup.cfg", "[unittest_leakfix]\nleaks = fail\n")
        self.assertEqual("fail", self.kind("unittest"))
        self.assertEqual("report", self.kind("unittest", LEAKS="report"))
        self.assertEqual("off", self.kind("unittest", "--leaks=off", LEAKS="report"))

    def test_pytest_s_ini_values_win(self):
        self.put("setup.cfg", "[unittest_leakfix]\nleaks = fail\nrestore = true\n")
        self.assertEqual("fail", self.kind("pytest"))
        self.put("pytest.ini", "[pytest]\nleakfix = report\n")
        self.assertEqual("report", self.kind("pytest"))

    def test_django_s_settings_win(self):
        self.put("setup.cfg", "[unittest_leakfix]\nleaks = fail\n")
        self.put("settings.py", SETTINGS + "LEAKFIX_LEAKS = 'off'\n")
        self.assertEqual("off", self.kind("django"))

    def test_a_file_of_the_command_line(self):
        self.put("known", 'environment="*"  # all of it\nfile="x  # y\n')
        status, output = self.run_by("unittest", "--leaks-suppressions=known")
        self.assertEqual((2, "error: known:2:6: a name in quotes must follow file=\n"),
                         (status, output))
        self.put("known", 'environment="*"  # all of it\n')
        status, output = self.run_by("unittest", "--leaks-suppressions=known")
        self.assertIn("\nSuppressions: 1 used, 0 not used in this run\n", output)
        self.assertNotIn("was added", output)


class OnlyNewTests(ConfiguredCase):
    """One command for a suite that leaks: the first run lists, the later ones fail what is new."""

    def check(self, way, option):
        options = ("--leaks=fail", option) if way != "pytest" else ("--leakfix=fail", option)
        status, output = self.run_by(way, *options)
        self.assertEqual(0, status, output)
        self.assertIn("LEAKS  2 causes in 2 of 2 tests", output)
        self.assertIn("leaks-baseline.json was written, with 2 causes: commit it, and from now on "
                      "only what is new is reported\n", output)
        self.assertEqual(2, len(self.json("leaks-baseline.json")["leaks"]))
        before = self.text("leaks-baseline.json")
        self.put("test_sample.py", SAMPLE + "    def test_new(self):\n"
                                            "        os.environ['NEWER'] = '1'\n")
        status, output = self.run_by(way, *options)
        self.assertEqual(1, status, output)
        self.assertIn("LEAKS  1 cause in 1 of 3 tests", output)
        self.assertIn('environment variable "NEWER" was added', output)
        self.assertNotIn('[1] environment variable "SHOP" was added', output)
        self.assertEqual(before, self.text("leaks-baseline.json"))

    def test_unittest(self):
        self.check("unittest", "--leaks-only-new")

    @nightly
    def test_pytest(self):
        self.check("pytest", "--leakfix-only-new")

    @nightly
    def test_django(self):
        self.check("django", "--leaks-only-new")


class NothingTests(ConfiguredCase):
    def test_a_run_without_a_file_of_ours_pays_nothing(self):
        self.put("pyproject.toml", "[project]\nname = 'shop'\n")
        self.put("setup.cfg", "[metadata]\n")
        self.put("test_sample.py", textwrap.dedent("""\
            import sys, unittest
            class Tests(unittest.TestCase):
                def test(self):
                    print(sorted({"tomllib", "configparser", "unittest_leakfix.options",
                                  "unittest_leakfix.configuration"} & set(sys.modules)))
            """))
        self.assertTrue(self.run_by("unittest")[1].startswith("[]\n"))


class XdistTests(ConfiguredCase):
    @unittest.skipIf(find_spec("xdist") is None, "needs pytest-xdist")
    def test_workers_read_the_same_rules(self):
        self.put("unittest_leakfix.cfg", CFG)
        status, output = self.run_by("pytest", "-p", "xdist", "-n2")
        self.assertEqual(0, status, output)
        self.assertIn("Suppressions: 1 used, 1 not used in this run", output)
        self.assertEqual([1, 0], [each["used"] for each in json.loads(
            self.text("leaks.json"))["suppressions"]])


if __name__ == "__main__":
    unittest.main()
