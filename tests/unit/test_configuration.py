# -*- coding: utf-8 -*-
"""The configuration file: which one is found, what it says, and what is wrong with it."""

from __future__ import absolute_import

import io
import os
import shutil
import sys
import tempfile
import unittest

from unittest_leakfix import _optional, configuration
from unittest_leakfix.options import decided, options_in

try:
    from contextlib import redirect_stderr
except ImportError:     # 2.7
    redirect_stderr = None

NEW = sys.version_info >= (3, 8)
TOML = configuration._toml_parser() is not None
CFG = u"[unittest_leakfix]\npatience = 3\n"


class FolderCase(unittest.TestCase):
    """Each test runs in a folder of its own."""

    maxDiff = None

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def put(self, name, text=CFG):
        folder = os.path.dirname(name)
        if folder and not os.path.isdir(folder):
            os.makedirs(folder)
        with io.open(name, "w", encoding="utf-8") as file:
            file.write(text)

    def cfg(self, text, pytest=False):
        self.put("unittest_leakfix.cfg", u"[unittest_leakfix]\n" + text)
        return _optional.configuration(pytest=pytest)

    def toml(self, text):
        self.put("pyproject.toml", text)
        return _optional.configuration()

    def refused(self, expected, read, text):
        with self.assertRaises(ValueError) as caught:
            read(text)
        self.assertEqual(expected, str(caught.exception))


class WhichTests(FolderCase):
    """Which file is taken."""

    def found(self, folder=""):
        path = _optional.configuration_file(folder)
        return os.path.relpath(path, self.folder).replace(os.sep, "/") if path else ""

    def test_none(self):
        self.assertEqual("", self.found())
        self.put("setup.cfg", u"[metadata]\nname = shop\n")
        self.put("pyproject.toml", u"[project]\n")
        self.assertEqual("", self.found())

    def test_of_one_folder_the_first(self):
        for name in ("setup.cfg", "pyproject.toml", "unittest_leakfix.cfg"):
            self.put(name)
            self.assertEqual(name, self.found())

    def test_the_nearest_up_to_the_root_of_the_repository(self):
        self.put("setup.cfg")
        self.put("repo/.git/HEAD")
        self.put("repo/deep/er/README", u"")
        os.chdir("repo/deep/er")
        self.assertEqual("", self.found(), "what is above the repository is another's")
        self.put("../../setup.cfg")
        self.assertEqual("repo/setup.cfg", self.found())
        self.put("../pyproject.toml", u"[tool.unittest_leakfix]\n")
        self.assertEqual("repo/deep/pyproject.toml", self.found())
        self.put("unittest_leakfix.cfg")
        self.assertEqual("repo/deep/er/unittest_leakfix.cfg", self.found())
        os.chdir("../../..")
        self.assertEqual("repo/deep/pyproject.toml", self.found(os.path.join("repo", "deep")))

    def test_outside_a_repository_this_folder_only(self):
        self.put("setup.cfg")
        os.mkdir("inner")
        os.chdir("inner")
        self.assertEqual("", self.found())

    def test_what_is_not_a_file(self):
        os.mkdir("setup.cfg")
        if hasattr(os, "mkfifo"):
            os.mkfifo("pyproject.toml")     # which would be waited for
        self.assertEqual({}, _optional.configuration())

    def test_a_folder_that_is_gone(self):
        os.mkdir("inner")
        os.chdir("inner")
        os.rmdir(os.path.join(self.folder, "inner"))
        self.addCleanup(os.chdir, self.folder)
        self.assertEqual({}, _optional.configuration())


class CfgTests(FolderCase):
    def test_what_a_project_says(self):
        found = self.cfg(u"""\
# A comment
leaks = report
  ; another
leaks_baseline: tests/known.json
restore = yes
leaks_output =
    github
    sarif:build/a.sarif

max_connections = 5
patience = 2.5
suppressions =
    thread="mailer-*"  # it lives on
    # not a rule
    file="x=y"  # why: because
[other]
leaks = nonsense
""")
        self.assertEqual(2.5, found["patience"])
        if not NEW:     # what needs a later Python is passed over
            self.assertEqual({"patience": 2.5}, found)
            return
        self.assertEqual({
            "leaks": "report", "restore": True, "max_connections": 5, "patience": 2.5,
            "leaks_baseline": os.path.join(self.folder, "tests", "known.json"),
            "leaks_output": ["github", "sarif:" + os.path.join(self.folder, "build", "a.sarif")],
            "suppressions": (("thread=\"mailer-*\"  # it lives on", "unittest_leakfix.cfg:14"),
                             ("file=\"x=y\"  # why: because", "unittest_leakfix.cfg:16"))}, found)

    def test_files_are_beside_the_file(self):
        if not NEW:
            self.skipTest("finding is 3.8+")
        self.put("repo/.git/HEAD")
        self.put("repo/setup.cfg", u"[unittest_leakfix]\nleaks_json = a.json\n")
        os.mkdir("repo/inner")
        os.chdir("repo/inner")
        found = _optional.configuration()
        self.assertEqual(os.path.join(self.folder, "repo", "a.json"), found["leaks_json"])
        self.assertEqual("off", found["leaks"])

    def test_no_mode_switches_nothing_on(self):
        if not NEW:
            self.skipTest("finding is 3.8+")
        found = self.cfg(u"leaks_failed = 1\nmax_connections = 3\n")
        self.assertEqual({"leaks": "off", "max_connections": 3}, decided({}, [{}, found]))
        self.assertEqual({"leaks": "report", "leaks_failed": True, "max_connections": 3},
                         decided({"leaks": "report"}, [{}, found]))
        self.assertEqual("report", decided({"restore": True}, [{}, found])["leaks"])

    def test_release_is_pytest_s(self):
        if not NEW:
            self.skipTest("finding is 3.8+")
        self.assertEqual({"leaks": "release"}, self.cfg(u"leaks = release\n", pytest=True))
        self.assertEqual({"leaks": "off"}, self.cfg(u"leaks = release\n"))

    def test_what_makes_no_sense(self):
        name = "unittest_leakfix.cfg:"
        for text, expected in (
            (u"leak = report", name + "2: leak is not a key, did you mean leaks?"),
            (u"\nleaks-json = x", name + "3: leaks-json is not a key, did you mean leaks_json?"),
            (u"leaks = yes", name + "2: leaks = yes: choose from off, release, report, fail"),
            (u"restore = perhaps", name + "2: restore = perhaps: choose from 1 and 0, true and "
                                          "false, yes and no, on and off"),
            (u"max_connections = few", name + "2: max_connections = few: give a number of "
                                              "connections, 0 or more"),
            (u"patience = -1", name + "2: patience = -1: give a number of seconds, 0 or more"),
            (u"leaks_json =", name + "2: leaks_json = : give the name of a file"),
            (u"patience = 3\n\npatience = 4", name + "4: patience is given twice"),
            (u"report", name + "2: report: give key = value"),
            (u"  patience = 3", name + "2: a key must begin its line"),
        ):
            self.refused(expected, self.cfg, text)
        self.refused("unittest_leakfix.cfg has no section [unittest_leakfix]",
                     lambda text: (self.put("unittest_leakfix.cfg", text)
                                   or _optional.configuration()), u"# unittest_leakfix\n[other]\n")

    def test_a_key_like_no_other_names_all(self):
        with self.assertRaises(ValueError) as caught:
            self.cfg(u"colour = red")
        self.assertIn("colour is not a key; the keys are exit_after, leaks,", str(caught.exception))
        for option in options_in("key"):
            self.assertIn(option.key, str(caught.exception))

    def test_setup_cfg_without_our_section(self):
        self.put("setup.cfg", u"[options]\ninstall_requires = unittest_leakfix\n [x]\nbad line\n")
        self.assertEqual({}, _optional.configuration())

    def test_windows_lines_and_a_mark(self):
        self.put("setup.cfg", u"\ufeff[unittest_leakfix]\r\npatience = 3\r\n")
        self.assertEqual({"patience": 3.0}, _optional.configuration())


@unittest.skipUnless(TOML and NEW, "needs tomllib or tomli")
class TomlTests(FolderCase):
    def test_what_a_project_says(self):
        found = self.toml(u"""\
[project]
dependencies = ["unittest_leakfix"]
[tool.unittest_leakfix]
leaks = "fail"
restore = true
max_connections = 5
patience = 2
leaks_output = ["junit"]
suppressions = [
    'thread="a"  # one',
    # between
    "thread=\\"b\\"  # two",
    {file = "c", reason = "three"},
]
""")
        self.assertEqual(
            {"leaks": "fail", "restore": True, "max_connections": 5, "patience": 2,
             "leaks_output": ["junit"],
             "suppressions": (('thread="a"  # one', "pyproject.toml:10"),
                              ('thread="b"  # two', "pyproject.toml:12"),
                              ({"file": "c", "reason": "three"}, "pyproject.toml:13"))}, found)

    def test_other_ways_to_write_a_table(self):
        for text in (u"[tool]\nunittest_leakfix = {patience = 3}\n",
                     u"[ tool . 'unittest_leakfix' ]\npatience = 3\n",
                     u"tool.unittest_leakfix.patience = 3\n",
                     u"[tool]\nunittest_leakfix.patience = 3\n"):
            self.assertEqual({"patience": 3.0}, self.toml(text), text)

    def test_what_makes_no_sense(self):
        head = u"[tool.other]\nleak = 1\n[tool.unittest_leakfix]\n"
        for text, expected in (
            (u"leak = 'x'", "pyproject.toml:4: leak is not a key, did you mean leaks?"),
            (u"\n'Leaks-Json' = 1", "pyproject.toml:5: Leaks-Json is not a key, did you mean "
                                    "leaks_json?"),
            (u"leaks = true", "pyproject.toml:4: leaks = true: choose from off, release, report, "
                              "fail"),
            (u"leaks = ['fail']", "pyproject.toml:4: leaks = [...]: give one value, not a list"),
            (u"leaks = {a = 1}", "pyproject.toml:4: leaks = {...}: give one value, not a table"),
            (u"max_connections = 1.5", "pyproject.toml:4: max_connections = 1.5: give a number of "
                                       "connections, 0 or more"),
            (u"suppressions = 3", "pyproject.toml:4: suppressions = 3: give a list"),
        ):
            self.refused(expected, self.toml, head + text)
        self.refused("pyproject.toml:2: tool.unittest_leakfix is not a table", self.toml,
                     u"[tool]\nunittest_leakfix = 3\n")
        with self.assertRaises(ValueError) as caught:
            self.toml(u"[tool.unittest_leakfix]\nleaks = \n")
        self.assertRegex(str(caught.exception), r"\Apyproject.toml is not TOML: .*line 2")

    def test_a_dependency_loads_no_parser(self):
        for name in ("tomllib", "tomli"):
            self.addCleanup(sys.modules.__setitem__, name, sys.modules.get(name)) if (
                name in sys.modules) else self.addCleanup(sys.modules.pop, name, None)
            sys.modules.pop(name, None)
        self.assertEqual({}, self.toml(u"[project]\ndependencies = [\n  'unittest_leakfix',\n]\n"
                                       u"[tool.mypy]\nexclude = ['unittest_leakfix.x']\n"))
        self.assertEqual(set(), {"tomllib", "tomli"} & set(sys.modules))


@unittest.skipIf(redirect_stderr is None, "2.7 has no such helper")
class WithoutTomlTests(FolderCase):
    def test_one_line_says_so(self):
        real = configuration._toml_parser
        self.addCleanup(setattr, configuration, "_toml_parser", real)
        configuration._toml_parser = lambda: None
        printed = io.StringIO()
        with redirect_stderr(printed):
            self.assertEqual({}, self.toml(u"[tool.unittest_leakfix]\nleaks = 'report'\n"))
            self.assertEqual({}, self.toml(u"[project]\ndependencies = ['unittest_leakfix']\n"))
        self.assertEqual(
            "unittest_leakfix: [tool.unittest_leakfix] in pyproject.toml is not read: that needs "
            "Python 3.11 or later, or tomli; unittest_leakfix.cfg is read by every Python\n",
            printed.getvalue())


if __name__ == "__main__":
    unittest.main()
