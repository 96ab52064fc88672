"""Options, files and Ctrl-C under pytest: as on unittest's command line."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import unittest

from tests.integration.pytest_plugin.pytest_case import ALONE, LIMIT, PLUGIN, PytestCase
from tests.support.paths import ROOT

try:
    import xdist
except ImportError:
    xdist = None

KEEPS = """
    import os
    KEPT = []
    def test_keeps():
        KEPT.append(open(__file__))
    def test_changes():
        os.environ["SHOP"] = "open"
    def test_later():
        print("SHOP" in os.environ)
"""
OLD = '{"version": 1, "leaks": []}\n'
NEED = "needs --leaks=report or --leaks=fail"


class FilesCase(PytestCase):
    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, name, text=OLD):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def found(self, name="a.json"):
        return sorted(leak["kind"] for leak in json.loads(self.text(name))["leaks"])


class OptionTests(FilesCase):
    def setUp(self):
        super().setUp()
        self.write(test_sample=KEEPS)

    def test_each_implies_report(self):
        for option in ("--leaks-json=a.json", "--leaks-write-baseline=known.json", "--leaks-failed",
                       "--leaks-stacks",
                       "--leaks-baseline=known.json", "--leaks-restore"):
            text, status = self.pytest(option, "-v", "-s")
            self.assertEqual(0, status, text)
            self.assertIn("LEAKS  " if "-baseline=known" not in option or "write" in option
                          else "Known: 2 (", text)
            self.assertIn("False" if "restore" in option else "True", text)
        self.assertEqual(["environment", "file"], self.found())

    def test_so_do_those_of_the_ini_file(self):
        self.put("known.json")
        for line in ("leakfix_restore = true", "leakfix_failed = true",
                     "leakfix_baseline = known.json"):
            self.write(ini="[pytest]\n" + line + "\n")
            self.assertIn("LEAKS  2 causes", self.pytest()[0])
            self.assertNotIn("LEAKS", self.pytest("--leaks=off")[0])
            for mode in ("off", "release"):
                self.write(ini="[pytest]\nleakfix = %s\n%s\n" % (mode, line))
                self.assertNotIn("LEAKS", self.pytest()[0])
                self.assertIn("LEAKS  2 causes", self.pytest("--leaks-stacks")[0])

    def test_both_on_one_line(self):
        for mode in ("off", "release"):
            text, status = self.pytest("--leaks=" + mode, "--leaks-json=a.json", "--leaks-restore")
            self.assertEqual((4,
                              "ERROR: --leaks-json and --leaks-restore %s, and --leaks=%s was "
                              "given\n\n" % (NEED, mode)),
                             (status, text))

    def test_nothing_is_queried(self):
        for ini in ("", "leakfix = off\n", "leakfix_restore = false\nleakfix_baseline =\n"):
            self.write(ini="[pytest]\n" + ini)
            self.assertNotIn("LEAKS", self.pytest("-v")[0])

    def test_the_same_file(self):
        os.symlink("a.json", self.path("link"))
        text, status = self.pytest("--leaks-json=link", "--leaks-write-baseline=./a.json")
        self.assertEqual((4,
                          "ERROR: --leaks-json and --leaks-write-baseline are the same file "
                          "(FOLDER/link): each needs "
                          "its own\n\n"), (status, text))


class FileTests(FilesCase):
    def test_a_working_directory_that_changes(self):
        aside = "    def test_aside():\n        os.chdir('/')\n"
        for files in (dict(test_sample=KEEPS + aside),
                      dict(test_sample=KEEPS, conftest="import os\nos.chdir('/')\n")):
            self.write(**files)
            text, _ = self.pytest("--leaks-json=a.json", "--leaks-write-baseline=b.json",
                                  "test_sample.py::test_keeps",
                                  *(["test_sample.py::test_aside"] if "conftest" not in files
                                    else []))
            self.assertIn("file", self.found(), text)
            self.assertTrue(json.loads(self.text("b.json"))["leaks"])
            os.unlink(self.path("a.json"))

    def test_names_that_are_not_unicode(self):
        self.names("-q")

    @unittest.skipIf(xdist is None, "needs pytest-xdist")
    def test_names_that_are_not_unicode_with_xdist(self):
        self.names("-p", "xdist", "-n2")

    def names(self, *options):
        self.write(test_sample=r"""
            import os, threading, time
            NAME = os.fsdecode(b"caf\xe9")
            KEPT = []
            def test_thread():
                threading.Thread(target=time.sleep, args=(5,), name="copy " + NAME, daemon=True).start()
            def test_environment():
                os.environb[b"CAF\xc9"] = b"1"
            def test_file():
                KEPT.append(open(NAME + ".txt", "w"))
        """)  # noqa: E501
        for mode, status in (("report", 0), ("fail", 1)):
            text, ended = self.pytest("--leaks=" + mode, "--leaks-json=a.json",
                                      "--leaks-write-baseline=b.json", *options)
            self.assertEqual(status, ended, text)
            self.assertEqual(["environment", "file", "thread"], self.found(), text)
            self.assertIn("\\udce9", self.text("b.json"))
        text, ended = self.pytest("--leaks=fail", "--leaks-baseline=b.json", *options)
        self.assertEqual(0, ended, text)

    def test_a_full_disk(self):
        self.put("a.json")
        self.write(test_sample=KEEPS + """
    def test_limit():
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
""")
        text, status = self.pytest("--leaks-json=a.json", "-s", "-p", "no:cacheprovider")
        self.assertEqual((0, OLD), (status, self.text("a.json")), text)
        self.assertIn("FOLDER/a.json could not be written: File too large\n", self.section(text))

    def test_no_descriptor_left(self):
        self.write(test_sample=KEEPS + """
    def test_all():
        from tests.support.descriptors import exhaust
        exhaust(KEPT)
""")  # noqa: E501
        text, _ = self.pytest("--leaks-json=a.json", "-s")
        self.assertEqual(4, json.loads(self.text("a.json"))["tests"], text)

    def test_a_child_that_a_test_forks_writes_nothing(self):
        self.write(test_sample=KEEPS + """
    def test_fork():
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            assert not os.path.exists("a.json")
""")
        text, status = self.pytest("--leaks-json=a.json", "-p", "no:randomly")
        self.assertEqual(0, status, text)
        self.assertEqual(["environment", "file"], self.found())


class InterruptTests(FilesCase):
    """Ctrl-C, pressed when a function is called the next time."""

    CONFTEST = """
        import os, signal
        import pytest
        from tests.support.interrupts import press_at
        def pytest_collection_finish():
            from unittest_leakfix.leaks import classify, detector, report_files, run
            from unittest_leakfix.leaks.report import text_report, whole_file
            %s
    """

    def interrupted(self, press, *options):
        self.put("known.json")
        self.put("a.json")
        self.write(conftest=self.CONFTEST % press, test_sample=KEEPS)
        environ = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", COLUMNS="80", PYTHONPATH=ROOT,
                       **ALONE)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider",
             "--leaks-json=a.json",
             "--leaks-write-baseline=known.json", *options], cwd=self.folder, env=environ,
             stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=LIMIT, encoding="utf-8", errors="replace")
        self.assertEqual([], [name for name in os.listdir(self.folder) if name.endswith(".tmp")])
        return done.stdout, done.returncode

    def test_after_the_tests(self):
        for press in ("press_at(report_files.Files, 'write')", "press_at(whole_file, '_replace')",
                      "press_at(text_report, 'render')"):
            with self.subTest(press):
                text, status = self.interrupted(press)
                self.assertEqual(-signal.SIGINT, status, text)
                self.assertEqual("KeyboardInterrupt", text.splitlines()[-1])
                self.assertEqual(["environment", "file"], self.found())
                self.assertEqual(2, len(json.loads(self.text("known.json"))["leaks"]))
                self.assertIn("LEAKS  2 causes were found before the run was interrupted\n", text)

    def test_while_it_is_judged(self):
        # After the last test pytest takes it, when all is over it does not.
        for press, status in (("press_at(classify.Classifier, 'objects')", 2),
                              ("press_at(detector.LeakDetector, 'stop')", -2)):
            with self.subTest(press):
                text, ended = self.interrupted(press)
                self.assertEqual(status, ended, text)
                self.assertIn("environment", self.found(), text)
                self.assertIn({"test": "this run", "why": "it was interrupted"},
                              json.loads(self.text("a.json"))["unmeasured"])
                self.assertEqual(OLD, self.text("known.json"))
                self.assertIn("known.json was not written: the run was interrupted", text)

    def test_in_a_test(self):
        self.put("known.json")
        self.write(test_sample=KEEPS + "    def test_press():\n        os.kill(os.getpid(), 2)\n")
        text, status = self.pytest("--leaks-json=a.json", "--leaks-write-baseline=known.json", "-p",
                                   "no:randomly")
        self.assertEqual((2, ["environment", "file"], OLD),
                         (status, self.found(), self.text("known.json")), text)
        self.assertIn("Not measured: this run (it was interrupted)", text)
        self.assertIn("known.json was not written: the run was interrupted", text)

    def test_again(self):
        text, status = self.interrupted(
            "press_at(text_report, 'render'); press_at(text_report, 'render_brief')")
        self.assertEqual(-signal.SIGINT, status, text)
        self.assertNotIn("LEAKS", text)
        text, status = self.interrupted(
            "press_at(report_files.Files, 'write'); press_at(whole_file, '_replace')")
        self.assertEqual((-signal.SIGINT, OLD), (status, self.text("a.json")), text)
        self.assertNotIn("LEAKS", text)


if __name__ == "__main__":
    unittest.main()
