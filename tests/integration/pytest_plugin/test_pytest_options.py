"""The plugin's options beside other plugins', and the plugin found twice: by its entry point and by
-p."""
from __future__ import annotations

import importlib.util
import os
import unittest

from tests.integration.pytest_plugin.pytest_case import PLUGIN, VERSION, PytestCase

LEAKY = '''
    KEPT = []

    def test_keeps():
        KEPT.append(open(__file__))
'''
# As pytest-leaks has it.
OTHER = '''
    def pytest_addoption(parser):
        parser.getgroup("leaks").addoption("-R", "%s", action="store", dest="other")

    def pytest_configure(config):
        print("other:", config.getvalue("other"))
'''
OURS = PLUGIN[1]
LEFT_OPEN = "file 'test_sample.py' was left open"
INSTALLED = "unittest_leakfix-0.1.0.dist-info"


class EnvironmentTests(PytestCase):
    """Environment variables come after the command line, and before the ini file."""

    def setUp(self):
        super().setUp()
        self.write(test_sample=LEAKY)

    def test_alone(self):
        text, status = self.pytest(UNITTEST_LEAKFIX_LEAKS="fail")
        self.assertEqual(([LEFT_OPEN], 1), (self.causes(text), status), text)
        text, status = self.pytest(UNITTEST_LEAKFIX_LEAKS_JSON="a.json")
        self.assertEqual(([LEFT_OPEN], 0), (self.causes(text), status), text)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "a.json")))

    def test_precedence(self):
        with open(os.path.join(self.folder, "pytest.ini"), "w", encoding="utf-8") as file:
            file.write("[pytest]\nleakfix = report\n")
        for arguments, variable, expected in (
                (("--leaks=off",), "fail", (0, 0)), (("--leaks=report",), "fail", (1, 0)),
                ((), "fail", (1, 1)), ((), "off", (0, 0)), ((), "", (1, 0))):
            with self.subTest(arguments=arguments, variable=variable):
                text, status = self.pytest(*arguments, UNITTEST_LEAKFIX_LEAKS=variable)
                self.assertEqual(expected, (len(self.causes(text)), status), text)

    def test_what_makes_no_sense(self):
        text, status = self.pytest(UNITTEST_LEAKFIX_MAX_CONNECTIONS="some")
        self.assertEqual(4, status, text)
        self.assertIn("ERROR: UNITTEST_LEAKFIX_MAX_CONNECTIONS=some: give a number of connections, "
                      "0 or more\n", text)


class ClashTests(PytestCase):
    """An option that another plugin has too is its, and ours has a name of its own."""

    def orders(self, option, *arguments, ours):
        """Run with the other plugin before ours, and after it; check what each was given."""
        self.write(test_sample=LEAKY, other=OTHER % option)
        for plugins in (("other", OURS), (OURS, "other")):
            with self.subTest(plugins=plugins):
                text, status = self.pytest(*(part for each in plugins for part in ("-p", each)),
                                           *arguments,
                                           plugin=False)
                self.assertEqual(["file 'test_sample.py' was left open"], self.causes(text), text)
                self.assertIn("other: theirs\n", text)
                self.assertEqual(ours, status)
                yield text

    def test_leaks(self):
        for text in self.orders("--leaks", "--leakfix=report", "--leaks=theirs", ours=0):
            self.assertIn("More: --leakfix-stacks  ·  As failures: --leakfix=fail\n", text)

    def test_the_short_form_of_another_option(self):
        for _ in self.orders("--leaks-json", "--leaks=fail", "--leakfix-json=mine.json",
                             "--leaks-json=theirs", ours=1):
            self.assertTrue(os.path.exists(os.path.join(self.folder, "mine.json")))
            os.remove(os.path.join(self.folder, "mine.json"))

    def test_max_connections(self):
        for _ in self.orders("--max-connections", "--leaks=report", "--leakfix-max-connections=3",
                             "--max-connections=theirs", ours=0):
            pass

    def test_the_option_of_a_conftest(self):
        self.write(test_sample=LEAKY, conftest=OTHER % "--leaks")
        text, status = self.pytest("--leakfix=report", "-R", "theirs")
        self.assertEqual((["file 'test_sample.py' was left open"], 0), (self.causes(text), status),
                         text)
        self.assertIn("other: theirs\n", text)

    def test_ours_named_by_a_conftest(self):
        self.write(test_sample=LEAKY, conftest="pytest_plugins = ['%s']" % OURS)
        text, _ = self.pytest("--leaks=report", plugin=False)
        self.assertEqual(["file 'test_sample.py' was left open"], self.causes(text), text)
        self.write(other=OTHER % "--leaks")
        text, _ = self.pytest("--leakfix=report", "-p", "other", "--leaks=theirs", plugin=False)
        self.assertEqual(["file 'test_sample.py' was left open"], self.causes(text), text)

    def test_all_have_a_name_of_their_own(self):
        self.write(test_sample=LEAKY, other=OTHER % "--leaks")
        text, status = self.pytest("-p", "other", "--leakfix=fail", "--leakfix-failed",
                                   "--leakfix-stacks",
                                   "--leakfix-restore", "--leakfix-json=leaks.json",
                                   "--leakfix-write-baseline=known")
        self.assertEqual((["file 'test_sample.py' was left open"], 1), (self.causes(text), status),
                         text)
        text, status = self.pytest("-p", "other", "--leakfix=fail", "--leakfix-baseline=known")
        self.assertEqual(([], 0), (self.causes(text), status), text)

    def test_a_value_apart_is_no_file(self):
        """pytest looks for conftests before it knows our short options."""
        self.write(test_sample=LEAKY, conftest='''
            def pytest_addoption(parser):
                parser.addoption("--shop", action="store_true")
        ''', report__test_inner="def test_inner(): pass")
        text, status = self.pytest("--leaks", "report", "--leaks-json", "report/leaks.json",
                                   "--shop")
        self.assertEqual((["file 'test_sample.py' was left open"], 0),
                         (self.causes(text)[:1], status), text)
        text, status = self.pytest("--leaks", "report", "--leaks-json", "report/leaks.json",
                                   "--shop")
        self.assertIn("2 passed", text)
        text, status = self.pytest("--leaks", "report", "report", "--shop")
        self.assertIn("1 passed", text)

    @unittest.skipUnless(importlib.util.find_spec("pytest_leaks"), "needs pytest-leaks")
    def test_pytest_leaks(self):
        self.write(test_sample=LEAKY)
        for plugins in (("pytest_leaks.plugin", OURS), (OURS, "pytest_leaks.plugin")):
            with self.subTest(plugins=plugins):
                arguments = [part for each in plugins for part in ("-p", each)]
                text, status = self.pytest(*arguments, "--leakfix=report", plugin=False)
                self.assertEqual((["file 'test_sample.py' was left open"], 0),
                                 (self.causes(text), status), text)
                text, status = self.pytest(*arguments, "--leaks=x", plugin=False)
                self.assertIn("pytest-leaks: ", text)
                self.assertEqual(4, status)


class InstalledTests(PytestCase):
    """The entry point of the installed package, and the same plugin named beside it."""

    def setUp(self):
        super().setUp()
        self.write(test_sample=LEAKY)
        os.makedirs(os.path.join(self.folder, INSTALLED))
        for name, text in (("METADATA",
                            "Metadata-Version: 2.1\nName: unittest_leakfix\nVersion: 0.1.0\n"),
                           ("entry_points.txt",
                            "[pytest11]\nunittest_leakfix = "
                            "unittest_leakfix.pytest_plugin.installed\n")):
            with open(os.path.join(self.folder, INSTALLED, name), "w") as file:
                file.write(text)

    def installed(self, *arguments, autoload=True, **environment):
        # `python -m` has the working directory on its path, and so what is installed there.
        return self.pytest(*arguments, plugin=False, **dict(
            environment, PYTEST_DISABLE_PLUGIN_AUTOLOAD="" if autoload else "1"))

    def finds(self, *arguments, **environment):
        text, status = self.installed("--leaks=fail", *arguments, **environment)
        self.assertEqual((["file 'test_sample.py' was left open"], 1), (self.causes(text), status),
                         text)

    def test_alone(self):
        self.finds()

    def test_named_too(self):
        self.finds(*PLUGIN)

    def test_named_twice(self):
        self.finds(*PLUGIN, *PLUGIN)

    def test_named_in_the_environment(self):
        self.finds(PYTEST_PLUGINS=OURS)

    def test_named_by_a_conftest(self):
        self.write(conftest="pytest_plugins = ['%s']" % OURS)
        self.finds()

    def test_named_by_its_entry_point(self):
        self.finds("-p", "unittest_leakfix")
        self.finds("-p", "unittest_leakfix", *PLUGIN)

    def test_named_and_nothing_loaded_by_itself(self):
        self.finds(*PLUGIN, autoload=False)
        if VERSION >= (8, 0):       # before, -p takes modules only
            self.finds("-p", "unittest_leakfix", autoload=False)

    def test_switched_off(self):
        for block in ("no:unittest_leakfix", "no:" + OURS):
            with self.subTest(block=block):
                text, status = self.installed("-p", block, "--leaks=fail")
                self.assertEqual(4, status, text)
        self.finds("-p", "no:unittest_leakfix", *PLUGIN)


if __name__ == "__main__":
    unittest.main()
