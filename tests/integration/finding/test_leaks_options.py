"""The options of finding and their files on unittest's command line: none is ignored in silence."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import unittest

from tests.integration.finding.test_leaks_files import FolderCase
from tests.support.paths import ROOT
from unittest_leakfix import LeakFixTestRunner
from unittest_leakfix.options import decided

SAMPLE = """\
import os, sys, tempfile, unittest
KEPT = []
class Tests(unittest.TestCase):
    def test_changes(self):
        os.environ["SHOP"] = "open"
    def test_fails(self):
        KEPT.append(open(__file__))
        self.fail("on purpose")
    def test_later(self):
        print("SHOP" in os.environ)
"""
FAILS, NEED = ["Tests.test_fails"], "needs --leaks=report or --leaks=fail"
# A test that uses up all descriptors, as one that meets a small limit does.
USES_ALL = """
    def test_descriptors(self):
        from tests.support.descriptors import exhaust
        exhaust(KEPT)
"""  # noqa: E501


class RunCase(FolderCase):
    def run_sample(self, *options, source=SAMPLE, module="unittest_leakfix", names=("sample",),
                   **variables):
        """Run the sample; return its status and output. ``plain`` runs it under unittest."""
        with open(self.path("sample.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))
        done = subprocess.run(
            [sys.executable, "-m", module, *options, *names], cwd=self.folder, timeout=60,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1",
                     **{"UNITTEST_LEAKFIX_" + name: value for name, value in variables.items()}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def plain(self, source=SAMPLE):
        return self.run_sample(source=source, module="unittest")

    def refused(self, line, *options):
        """The run does not begin: one line, and status 2."""
        status, output = self.run_sample(*options)
        self.assertEqual((2, "error: %s\n" % line), (status, output.replace(self.folder, "FOLDER")))

    def subjects(self, name):
        return [leak["subject"] for leak in self.json(name)["leaks"]]


class AloneTests(RunCase):
    """Without --leaks each implies --leaks=report."""

    def check(self, *options):
        status, output = self.run_sample(*options)
        self.assertEqual(1, status, output)
        self.assertIn("LEAKS  ", output)
        return output

    def test_json(self):
        self.check("--leaks-json=leaks.json")
        self.assertEqual(3, self.json("leaks.json")["tests"])
        self.check("--leaks-js", "again.json")      # as argparse abbreviates
        self.assertEqual(3, self.json("again.json")["tests"])

    def test_write_baseline_and_baseline(self):
        self.check("--leaks-write-baseline", "known.json")
        self.assertEqual([["sample.Tests.test_changes"]],
                         [entry["tests"] for entry in self.json("known.json")["leaks"]])
        status, output = self.run_sample("--leaks-baseline=known.json", "-v")
        self.assertEqual(1, status)
        self.assertIn("Known: 1 (listed in known.json)", output)

    def test_stacks(self):
        self.assertNotIn("More: --leaks-stacks", self.check("--leaks-stacks"))

    def test_failed(self):
        self.assertIn("sample.py' was left open", self.check("--leaks-failed"))

    def test_restore(self):
        self.assertIn("False\n", self.check("--restore"))
        self.assertIn("True\n", self.run_sample()[1])

    def test_discover(self):
        with open(self.path("test_it.py"), "w") as file:
            file.write(SAMPLE)
        for options, names in ((["--leaks-json", "a.json"], ["discover"]),
                               (["discover"], ["--leaks-json=a.json", "-s", self.folder])):
            status, output = self.run_sample(*options, names=names)
            self.assertEqual((1, 3), (status, self.json("a.json")["tests"]), output)
            os.unlink(self.path("a.json"))

    def test_off_is_off(self):
        for options in ((), ("--leaks=off",)):
            self.assertNotIn("LEAKS", self.run_sample(*options)[1])

    def test_off_and_an_option_that_needs_it(self):
        self.refused("--leaks-json %s, and --leaks=off was given" % NEED, "--leaks=off",
                     "--leaks-json=a.json")
        self.refused("--leaks-failed and --leaks-stacks and --restore %s, and --leaks=off was given"
                     % NEED,
                     "--restore", "--leaks-stacks", "--leaks-failed", "--leaks=off")

    def test_fail_stays_fail(self):
        status, output = self.run_sample("--leaks=fail", "--leaks-json=a.json")
        self.assertIn("FAILED (failures=2)", output)

    def test_a_runner_of_one_s_own(self):
        self.write_runner = """
            import unittest, unittest_leakfix
            class Tests(unittest.TestCase):
                def test(self): pass
            unittest_leakfix.main(testRunner=unittest.TextTestRunner, argv=["x", "--leaks-json=a.json"])
        """  # noqa: E501
        with open(self.path("own.py"), "w") as file:
            file.write(textwrap.dedent(self.write_runner))
        status, output = self.child("import runpy; runpy.run_path('own.py', run_name='__main__')")
        self.assertEqual((2,
                          "error: --leaks works with LeakFixTestRunner, and this program has a "
                          "runner of its own: "
                          "pass leaks='report' to that one\n"), (status, output))


class EnvironmentTests(RunCase):
    """The same in environment variables, which the command line comes before."""

    def test_alone(self):
        for variables in ({"LEAKS": "report", "LEAKS_JSON": "a.json"}, {"LEAKS_JSON": "a.json"}):
            status, output = self.run_sample(**variables)
            self.assertEqual((1, 3), (status, self.json("a.json")["tests"]), output)
            self.assertIn("LEAKS  ", output)
            os.unlink(self.path("a.json"))

    def test_the_command_line_comes_first(self):
        variables = {"LEAKS": "fail", "LEAKS_JSON": "variable.json"}
        self.assertIn("FAILED (failures=2)", self.run_sample(**variables)[1])
        output = self.run_sample("--leaks=report", "--leaks-json=option.json", **variables)[1]
        self.assertIn("FAILED (failures=1)", output)
        self.assertEqual(["option.json", "sample.py", "variable.json"],
                         sorted(os.listdir(self.folder)))
        self.assertNotIn("LEAKS", self.run_sample("--leaks=off", **variables)[1])

    def test_a_module_that_sets_one_or_goes_elsewhere(self):
        source = ("import os, tempfile\nos.environ['UNITTEST_LEAKFIX_LEAKS'] = 'fail'\n"
                  "os.chdir(tempfile.gettempdir())\n" + SAMPLE)
        output = self.run_sample(source=source, LEAKS_JSON="a.json")[1]
        self.assertIn("FAILED (failures=1)", output)
        self.assertEqual(3, self.json("a.json")["tests"])

    def test_what_makes_no_sense(self):
        self.assertEqual(
            (2, "error: UNITTEST_LEAKFIX_LEAKS=yes: choose from off, report, fail\n"),
            self.run_sample(LEAKS="yes"))

    def test_a_runner_of_one_s_own(self):
        source = """
            import unittest, unittest_leakfix
            class Tests(unittest.TestCase):
                def test(self): pass
            if __name__ == "__main__":
                unittest_leakfix.main(testRunner=unittest.TextTestRunner)
        """
        for variables, option, keyword in (
                ({"MAX_CONNECTIONS": "3"}, "MAX_CONNECTIONS", "max_connections=3"),
                ({"RESTORE": "1"}, "LEAKS", "leaks='report'")):
            self.assertEqual(
                (2, "error: UNITTEST_LEAKFIX_%s works with LeakFixTestRunner, and this program has "
                 "a runner of its own: pass %s to that one\n" % (option, keyword)),
                self.run_sample(source=source, module="sample", names=(), **variables))


class RunnerTests(FolderCase):
    """The same in code."""

    class Sample(unittest.TestCase):
        def test(self):
            pass

    def run_with(self, kind=LeakFixTestRunner, **options):
        with open(os.devnull, "w") as stream:
            return kind(stream=stream, **options).run(unittest.TestSuite([self.Sample("test")]))

    def test_implied(self):
        self.run_with(leaks_json=self.path("leaks.json"))
        self.assertEqual(1, self.json("leaks.json")["version"])

    def test_off(self):
        with self.assertRaisesRegex(ValueError,
                                    "^--leaks-json %s, and --leaks=off was given" % NEED):
            self.run_with(leaks="off", leaks_json=self.path("leaks.json"))
        self.assertEqual([], os.listdir(self.folder))

    def test_off_against_a_subclass(self):
        class Reporting(LeakFixTestRunner):
            finding = {"leaks_json": self.path("leaks.json")}
        self.run_with(Reporting, leaks="off")
        self.assertEqual([], os.listdir(self.folder))
        self.run_with(Reporting)
        self.assertEqual(["leaks.json"], os.listdir(self.folder))

    def test_what_holds(self):
        for given, defaults, mode in (
                ({}, {}, "off"), ({"leaks": None, "restore": False}, {}, "off"),
                ({"restore": True}, {}, "report"),
                ({}, {"leaks_baseline": "a"}, "report"),
                ({"leaks": "off"}, {"leaks_baseline": "a"}, "off"),
                ({"leaks_json": "a"}, {"leaks": "fail"}, "fail"),
                ({"leaks_json": "a"}, {"leaks": "off"}, "report"),
                ({"leaks_json": "a"}, {"leaks": "release"}, "report"),
                ({}, {"leaks": "release", "leaks_baseline": "a"}, "release"),
                ({}, {"leaks": "fail"}, "fail"),
                ({"leaks": "report"}, {"leaks": "fail"}, "report")):
            with self.subTest(given=given, defaults=defaults):
                self.assertEqual(mode, decided(given, [defaults])["leaks"])
        self.assertEqual({"leaks": "report", "leaks_baseline": "b"},
                         decided({"leaks_baseline": "b"},
                                 [{"leaks": "report", "leaks_baseline": "a"}]))
        self.assertEqual({"leaks": "off"}, decided({}, [{"leaks": "off", "leaks_baseline": "a"}]))
        with self.assertRaises(ValueError):
            decided({"leaks": "release", "leaks_json": "a"})


class FileTests(RunCase):
    def test_refused_before_any_test_runs(self):
        self.put("file")
        os.symlink("known.json", self.path("link"))
        same = ("--leaks-json and --leaks-write-baseline are the same file (FOLDER/known.json): "
                "each needs its own")
        for line, *options in (
                ("--leaks-json: FOLDER/no/a.json cannot be written: there is no folder FOLDER/no",
                 "--leaks-json=no/a.json"),
                ("--leaks-write-baseline: FOLDER cannot be written: it is a folder",
                 "--leaks-write-baseline=."),
                ("--leaks-json:  cannot be written: it has no name", "--leaks-json="),
                (same, "--leaks-json=known.json", "--leaks-write-baseline=./known.json"),
                (same,
                 "--leaks-json=" + self.path("..", os.path.basename(self.folder), "known.json"),
                 "--leaks-write-baseline=link")):
            with self.subTest(line):
                self.refused(line, *options)
        self.assertFalse(os.path.exists(self.path("known.json")))

    def test_a_report_does_not_overwrite_the_baseline_that_is_read(self):
        self.put("known.json", '{"version": 1, "leaks": []}')
        os.symlink("known.json", self.path("link"))
        self.refused("--leaks-json would overwrite the baseline that --leaks-baseline reads "
                     "(FOLDER/link): "
                     "each needs its own file", "--leaks-baseline=known.json", "--leaks-json=link")
        status, output = self.run_sample("--leaks-baseline=known.json",
                                         "--leaks-write-baseline=known.json")
        self.assertEqual(1, len(self.json("known.json")["leaks"]))

    def test_a_working_directory_that_changes(self):
        leaves = SAMPLE + "    def test_aside(self):\n        os.chdir(tempfile.gettempdir())\n"
        removes = SAMPLE + ("    def test_aside(self):\n        folder = tempfile.mkdtemp()\n"
                            "        os.chdir(folder)\n        os.rmdir(folder)\n")
        imports = "import os, tempfile\nos.chdir(tempfile.gettempdir())\n" + SAMPLE
        self.put("old.json", '{"version": 1, "leaks": []}')
        for source in (leaves, removes, imports):
            status, output = self.run_sample(
                "--leaks-json=a.json", "--leaks-write-baseline", "b.json",
                "--leaks-baseline=old.json", source=source)
            self.assertEqual(1, status, output)
            for name in ("a.json", "b.json"):
                self.assertTrue(self.json(name)["leaks"], output)
                os.unlink(self.path(name))

    def test_a_folder_that_a_test_removes(self):
        os.mkdir(self.path("reports"))
        source = SAMPLE + "    def test_remove(self):\n        os.rmdir('reports')\n"
        status, output = self.run_sample("--leaks-json=reports/a.json",
                                         "--leaks-write-baseline=b.json", source=source)
        self.assertEqual(1, status)
        self.assertIn("reports/a.json could not be written: No such file or directory\n", output)
        self.assertTrue(self.json("b.json")["leaks"])

    def test_names_that_are_not_unicode(self):
        source = r"""
            import os, threading, time, unittest, logging
            NAME = os.fsdecode(b"caf\xe9")
            class Tests(unittest.TestCase):
                def test_thread(self):
                    threading.Thread(target=time.sleep, args=(3,), name="copy " + NAME, daemon=True).start()
                def test_environment(self):
                    os.environb[b"CAF\xc9"] = b"1"
                def test_file(self):
                    Tests.kept = open(NAME + ".txt", "w")
            """  # noqa: E501
        first, output = self.run_sample("--leaks-json=a.json", "--leaks-write-baseline=known.json",
                                        source=source)
        self.assertEqual((0, 3), (first, len(self.json("known.json")["leaks"])), output)
        self.assertIn("\\udce9", self.text("known.json"))
        self.assertEqual(3, len(self.json("a.json")["leaks"]))
        second, output = self.run_sample("--leaks=fail", "--leaks-baseline=known.json",
                                         source=source)
        self.assertEqual(0, second, output)

    def test_an_existing_file_outlives_a_full_disk(self):
        for name in ("known.json", "a.json"):
            self.put(name, "old\n")
        source = SAMPLE + """
    def test_limit(self):
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
"""
        status, output = self.run_sample("--leaks-json=a.json", "--leaks-write-baseline=known.json",
                                         source=source)
        self.assertEqual((1, "old\n", "old\n"),
                         (status, self.text("known.json"), self.text("a.json")), output)
        for name in ("a.json", "known.json"):
            self.assertIn("%s could not be written: File too large\n" % name, output)
        self.assertEqual(["a.json", "known.json", "sample.py"], sorted(os.listdir(self.folder)))

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_a_full_device(self):
        status, output = self.run_sample("--leaks-json=/dev/full")
        self.assertEqual(1, status)
        self.assertIn("\n/dev/full could not be written: No space left on device\n", output)

    def test_standard_output(self):
        status, output = self.run_sample("--leaks-json=/dev/stdout",
                                         "--leaks-write-baseline=/dev/null")
        self.assertEqual(1, status)
        self.assertEqual(
            3, json.JSONDecoder().raw_decode(output[output.index("\n{") + 1:])[0]["tests"])

    def test_a_broken_stream(self):
        source = SAMPLE + """
class Broken:
    def write(self, text):
        if "LEAKS" in text:
            raise OSError("broken pipe")
    def flush(self):
        pass
sys.stderr = Broken()
"""
        self.assertEqual(1, self.run_sample("--leaks-json=a.json", source=source)[0])
        self.assertEqual(["environment"], [leak["kind"] for leak in self.json("a.json")["leaks"]])

    def test_no_descriptor_left(self):
        status, output = self.run_sample(
            "--leaks-json=a.json", "--leaks-write-baseline=b.json", source=SAMPLE + USES_ALL)
        self.assertEqual(1, status)
        self.assertNotIn("could not be written", output)
        self.assertEqual(4, self.json("a.json")["tests"], output)
        self.assertTrue(self.json("b.json")["leaks"])

    def test_no_descriptor_left_and_the_reserve_is_gone(self):
        status, output = self.child("""
            import os, resource
            from unittest_leakfix.leaks.report_files import Files, Run
            from unittest_leakfix.leaks.model.leak import Findings
            from unittest_leakfix.options import Options
            files = Files(Run(Options(leaks="report", leaks_json="a.json")))
            files.begin()
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
            os.closerange(3, 200)
            theirs = []
            try:
                while True:
                    theirs.append(os.dup(0))
            except OSError:
                print(*files.write(Findings()))
            for number in theirs:
                os.fstat(number)
        """)
        self.assertEqual(
            (0,
             "a.json could not be written: Too many open files (the descriptor that was kept for "
             "it is gone, "
             "a test has closed it)\n", []), (status, output, os.listdir(self.folder)))

    def test_the_reserve_is_not_the_tests(self):
        """It is not reported, and a test that closes it is not blamed for that."""
        source = SAMPLE + """
    def test_close(self):
        from unittest_leakfix.process_state.descriptors import Reserve
        number = Reserve._held[0]._number
        os.close(number)
        Tests.number = number
    def test_close_then(self):
        self.assertEqual(os.dup(0), self.number)
        os.close(self.number)
"""
        status, output = self.run_sample("--leaks-json=a.json", source=source)
        self.assertIn("LEAKS  1 cause in 1 of 5 tests: 1 environment change", output)
        self.assertIn("FAILED (failures=1)", output)

    def test_a_child_that_a_test_forks_writes_nothing(self):
        for fork in ("os.fork()", "inner()"):
            source = SAMPLE + """
    def test_fork(self):
        pid = %s
        if pid:
            os.waitpid(pid, 0)
    def test_parent(self):
        pass
def inner():
    # A run inside, whose child comes back out of it.
    from unittest_leakfix import LeakFixTestRunner
    class Inner(unittest.TestCase):
        def test(self):
            KEPT.append(os.fork())
            if KEPT[-1]:
                os.waitpid(KEPT[-1], 0)
    LeakFixTestRunner(stream=open(os.devnull, "w"), leaks_json="inner.json").run(unittest.TestSuite([Inner("test")]))
    if not KEPT[-1]:
        print("child leaves", os.path.exists("inner.json"), flush=True)
        os._exit(0)
    KEPT.pop()
""" % fork  # noqa: E501
            with self.subTest(fork):
                status, output = self.run_sample("--leaks-json=a.json", source=source)
                self.assertEqual(1, status, output)
                self.assertEqual(1, output.count("LEAKS  "), output)
                self.assertEqual(5, self.json("a.json")["tests"])
                if fork == "inner()":
                    self.assertIn("child leaves False", output)


if __name__ == "__main__":
    unittest.main()
