"""The table of options, and what is made of it: each place takes the options that it says."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import unittest_leakfix
from tests.support.paths import ROOT
from tests.support.scripts import load
from unittest_leakfix import options
from unittest_leakfix.options import OPTIONS, Option, Options, decided, options_in


class TableTests(unittest.TestCase):
    """The rows."""

    def test_no_name_is_given_twice(self):
        for place in (
            "name",
            "command",
            "keyword",
            "django",
            "setting",
            "pytest",
            "pytest_short",
            "ini",
            "environment",
            "key",
        ):
            names = [getattr(option, place) for option in OPTIONS if getattr(option, place)]
            self.assertEqual(sorted(set(names)), sorted(names), place)

    def test_a_name_is_one_name_everywhere(self):
        """The keyword is --the-keyword, and pytest stores --leakfix-x as it calls the ini value."""
        for option in OPTIONS:
            with self.subTest(option.name):
                if option.command:
                    self.assertEqual("--" + option.name.replace("_", "-"), option.command)
                for name in (option.keyword, option.key):
                    self.assertIn(name, (None, option.name))
                # LEAKFIX_PATIENCE is older than --patience, which is another one.
                name = option.name.replace("flush_", "")
                self.assertIn(option.setting, (None, "LEAKFIX_" + name.upper()))
                if option.pytest:
                    self.assertTrue(option.pytest.startswith("--leakfix"))
                    self.assertIn(option.ini, (None, option.dest))

    def test_values_of_each_type(self):
        for option in OPTIONS:
            with self.subTest(option.name):
                self.assertEqual(option.type == options.CHOICE, bool(option.choices))
                self.assertEqual(option.type in (options.NUMBER, options.SOME), bool(option.unit))
                self.assertEqual(option.type == options.SOME, option.bare is not None)
                self.assertEqual(
                    option.command is not None
                    and option.type in (options.CHOICE, options.FILE, options.NUMBER, options.SEED,
                                        options.OUTPUTS, options.SIZE, options.SOME),
                    bool(option.metavar),
                )
                self.assertFalse(option.implies and option.part != options.FINDING)
                if option.choices:
                    self.assertIn(option.default, option.choices)
                if option.pytest_choices:
                    self.assertLessEqual(set(option.choices), set(option.pytest_choices))
                self.assertFalse(option.help.endswith("."))

    def test_a_column_there_is_none_of(self):
        with self.assertRaisesRegex(TypeError, "shop: an option has no colour, size"):
            Option("shop", options.FLAG, "", size=1, colour=2)


class OptionsTests(unittest.TestCase):
    """What holds for a run."""

    def test_defaults(self):
        for option in OPTIONS:
            if option.part == options.FINDING:
                self.assertEqual(option.default, getattr(Options(), option.name))

    def test_what_makes_no_sense(self):
        with self.assertRaisesRegex(
            ValueError, "^leaks='yes': choose from 'off', 'report', 'fail'$"
        ):
            Options(leaks="yes")
        with self.assertRaisesRegex(TypeError, "finding has no option colour"):
            Options(colour=True)

    def test_layers(self):
        """Of several places the first that says something holds, for each option."""
        for layers, expected in (
            ([{}, {}, {"leaks": "report"}], {"leaks": "report"}),
            ([{}, {"leaks": "off"}, {"leaks": "report", "restore": True}], {"leaks": "off"}),
            (
                [{"leaks": "fail"}, {"leaks": "off"}, {"restore": True}],
                {"leaks": "fail", "restore": True},
            ),
            ([{}, {"leaks_json": "a"}, {"leaks": "off"}], {"leaks": "report", "leaks_json": "a"}),
            (
                [{}, {"leaks_json": "a"}, {"leaks": "fail", "leaks_json": "b"}],
                {"leaks": "fail", "leaks_json": "a"},
            ),
            (
                [{"max_connections": 0}, {"max_connections": 5}],
                {"leaks": "off", "max_connections": 0},
            ),
            (
                [{"max_connections": None}, {"leaks": "off", "max_connections": 5}],
                {"leaks": "off", "max_connections": 5},
            ),
        ):
            with self.subTest(layers):
                self.assertEqual(expected, decided(layers[0], layers[1:]))

    def test_only_new_reads_the_baseline_or_writes_it(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "known.json")
            given = {"leaks": "fail", "leaks_only_new": True, "leaks_baseline": file}
            first = {"leaks": "report", "leaks_only_new": file, "leaks_write_baseline": file}
            self.assertEqual(first, decided(given))
            self.assertEqual(first, decided(first), "as often as it is called")
            self.assertEqual(first, decided(dict(given, leaks_update_baseline=True)))
            with open(file, "w"):
                pass
            later = {"leaks": "fail", "leaks_only_new": file, "leaks_baseline": file}
            self.assertEqual(later, decided(given))
            self.assertEqual(later, decided(later))
            self.assertEqual("report", decided({"leaks_only_new": True})["leaks"])
            self.assertEqual(os.path.abspath("leaks-baseline.json"),
                             decided({"leaks_only_new": True})["leaks_only_new"])
            with self.assertRaises(ValueError) as caught:
                decided(dict(given, leaks_write_baseline=file), place="pytest_short")
            self.assertEqual("--leaks-only-new writes its own file: leave out "
                             "--leaks-write-baseline, or name that file by --leaks-baseline",
                             str(caught.exception))

    def test_an_error_calls_the_options_as_they_were_given(self):
        for place, names in (
            ("command", ("--restore", "--leaks")),
            ("pytest", ("--leakfix-restore", "--leakfix")),
            ("pytest_short", ("--leaks-restore", "--leaks")),
        ):
            with self.assertRaises(ValueError) as caught:
                decided({"leaks": "off", "restore": True}, place=place)
            self.assertEqual(
                "%s needs %s=report or %s=fail, and %s=off was given" % (names[:1] + names[1:] * 3),
                str(caught.exception),
            )


class EnvironmentTests(unittest.TestCase):
    """Environment variables, as values."""

    def given(self, pytest=False, **variables):
        variables = {"UNITTEST_LEAKFIX_" + name: value for name, value in variables.items()}
        with mock.patch.dict(os.environ, variables):
            return options.from_environment(pytest)

    def test_every_type(self):
        self.assertEqual({}, self.given(LEAKS="", RESTORE="", MAX_CONNECTIONS="", OTHER="1"))
        self.assertEqual(
            {
                "leaks": "fail",
                "leaks_stacks": True,
                "restore": False,
                "max_connections": 0,
                "leaks_json": os.path.abspath("a.json"),
            },
            self.given(
                LEAKS="fail",
                LEAKS_STACKS="1",
                RESTORE="No",
                MAX_CONNECTIONS="0",
                LEAKS_JSON="a.json",
            ),
        )
        self.assertEqual({"leaks": "release"}, self.given(True, LEAKS="release"))

    def test_what_makes_no_sense(self):
        for name, value, reason in (
            ("LEAKS", "yes", "choose from off, report, fail"),
            ("LEAKS", "release", "choose from off, report, fail"),
            (
                "LEAKS_FAILED",
                "perhaps",
                "choose from 1 and 0, true and false, yes and no, on and off",
            ),
            ("MAX_CONNECTIONS", "-1", "give a number of connections, 0 or more"),
            ("MAX_CONNECTIONS", "5.0", "give a number of connections, 0 or more"),
        ):
            with self.assertRaises(ValueError) as caught:
                self.given(**{name: value})
            self.assertEqual(
                "UNITTEST_LEAKFIX_%s=%s: %s" % (name, value, reason), str(caught.exception)
            )

    def test_a_flag_that_is_off_comes_before_one_that_stands(self):
        held = decided(
            {},
            [self.given(RESTORE="0"), {"leaks": "report", "restore": True, "leaks_failed": False}],
        )
        self.assertEqual({"leaks": "report", "restore": False, "leaks_failed": False}, held)
        self.assertEqual("off", decided({"restore": False}, [self.given(RESTORE="0")])["leaks"])
        self.assertTrue(decided({"restore": True}, [self.given(RESTORE="0")])["restore"])


class PlacesTests(unittest.TestCase):
    """What is made of the table."""

    def test_arguments(self):
        for place in ("command", "django"):
            parser = argparse.ArgumentParser()
            options.add_arguments(parser, place)
            found = {
                name: action.dest for action in parser._actions for name in action.option_strings
            }
            for option in options_in(place):
                self.assertEqual(option.name, found[getattr(option, place)])

    def test_keywords_of_the_runner(self):
        given = {
            "leaks": "report",
            "leaks_baseline": "known.json",
            "leaks_stacks": True,
            "max_connections": 3,
        }
        runner = unittest_leakfix.LeakFixTestRunner(verbosity=0, **given)
        self.assertEqual(3, runner.max_connections)
        self.assertEqual(
            {name: value for name, value in given.items() if name != "max_connections"},
            runner.finding,
        )

    def test_the_table_is_loaded_for_options_only(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "test_it.py"), "w", encoding="utf-8") as file:
                file.write(
                    "import sys, unittest\nclass Tests(unittest.TestCase):\n    def test(self):\n"
                    "        print('unittest_leakfix.options' in sys.modules)\n"
                )
            for arguments, loaded in (
                ([], "False"),
                (["-v", "--failfast"], "True"),
                (["--leaks=off"], "True"),
            ):
                done = subprocess.run(
                    [sys.executable, "-m", "unittest_leakfix", *arguments, "test_it"],
                    cwd=folder,
                    env=dict(os.environ, PYTHONPATH=ROOT),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    check=True,
                )
                self.assertEqual(loaded, done.stdout.decode().strip(), arguments)

    def test_unittest_s_own_keywords_load_nothing(self):
        """Those of this Python are all in the list; one that is missing would only cost a load."""
        from unittest_leakfix import runner

        ours = set(inspect.signature(unittest.TextTestRunner.__init__).parameters) - {"self"}
        self.assertEqual(set(), ours - runner._UNITTESTS)
        self.assertEqual(set(), runner._UNITTESTS & set(options.KEYWORDS))


@unittest.skipUnless(os.path.exists(os.path.join(ROOT, "docs", "options.py")), "needs the docs")
class DocsTests(unittest.TestCase):
    """The tables in the docs and in the stubs."""

    @classmethod
    def setUpClass(cls):
        cls.docs = load("options")

    def test_tables_are_as_the_table_says(self):
        self.assertEqual([], sorted(self.docs.stale()), "stale: type %s" % self.docs.COMMAND)

    def test_every_table_stands_somewhere(self):
        found = set()
        for name in self.docs.FILES:
            with open(self.docs.path(name), encoding="utf-8") as file:
                found.update(match.group(2) for match in self.docs._MARKED.finditer(file.read()))
        self.assertEqual(set(self.docs.TABLES), found)

    def test_a_stale_table_is_seen(self):
        text = (
            "before\n<!-- options: settings, written by docs/options.py -->\nold\n"
            "<!-- end of options -->\n"
            "after\n"
        )
        written = self.docs.written(text)
        self.assertRegex(
            written, re.compile(r"\Abefore\n.*`LEAKFIX_PATIENCE`.*\nafter\n\Z", re.DOTALL)
        )
        self.assertNotIn("old", written)
        self.assertEqual(written, self.docs.written(written))


if __name__ == "__main__":
    unittest.main()
