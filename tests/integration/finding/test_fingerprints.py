"""Fingerprints: a cause is known again in the next run, in another folder and in another worker."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest
from unittest import mock

from tests.integration.finding.test_leaks_files import FolderCase
from tests.support.paths import ROOT
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.fingerprint import (
    place,
    steady,
    without_counters,
    without_random,
)
from unittest_leakfix.leaks.model.leak import Leak, group
from unittest_leakfix.leaks.report import whole_file
from unittest_leakfix.leaks.report_files import Files
from unittest_leakfix.options import Options
from unittest_leakfix.tracing.stacks import Frame

VARIED = '''\
import os, secrets, socket, tempfile, threading, unittest, uuid

KEPT, ENDS, FILES = {}, threading.Event(), set()

class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = ["%d" % number * 100 for number in range(5000)]

    def setUp(self):
        self.file = open(__file__)
        KEPT[id(self), "shop-%s" % uuid.uuid4()] = self

class OneTests(Base):
    def test_thread(self):
        name = "job-%s" % secrets.token_hex(6)
        threading.Thread(target=ENDS.wait, name=name, daemon=True).start()

    def test_threads_with_counters(self):
        for number in range(secrets.randbelow(3) + 1):
            threading.Thread(target=ENDS.wait, name="worker%d" % number, daemon=True).start()

    def test_path(self):
        os.environ["SHOP_HOME"] = tempfile.mkdtemp(prefix="shop")
        FILES.add(open(os.path.join(os.environ["SHOP_HOME"], str(uuid.uuid4())), "w"))

    def test_two_lines(self):
        FILES.add(open(__file__))
        FILES.add(open(__file__))

class TwoTests(Base):
    def test_port(self):
        self.server = socket.create_server(("127.0.0.1", 0))

class ThreeTests(Base):
    def test_dropped(self):
        socket.create_connection(TwoTests.address)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        TwoTests.server_ = socket.create_server(("127.0.0.1", 0))
        TwoTests.address = TwoTests.server_.getsockname()
'''

KNOWN = '''\
import os, threading, unittest
KEPT = []

class Tests(unittest.TestCase):
    def test_file(self):
        KEPT.append(open(__file__))

    def test_environment(self):
        os.environ["SHOP"] = "open"
'''

OLD = {"version": 1, "leaks": [
    {"kind": "environment", "cause": "environment SHOP added",
     "tests": ["sample.Tests.test_environment"]},
    {"kind": "file", "cause": "file opened in sample.py:test_file, held by sample.KEPT[*]",
     "tests": ["sample.Tests.test_file"]},
    {"kind": "thread", "cause": "thread mailer started in sample.py:test_mail",
     "tests": ["sample.Tests.test_mail"]},
    {"kind": "umask", "cause": "umask umask", "tests": ["sample.Tests.test_file"]}]}


class ProjectCase(FolderCase):
    def run_sample(self, *options, source=KNOWN, names=("sample",), seed="0", folder=None):
        """Run the sample; return its status and output."""
        folder = folder or self.folder
        with open(os.path.join(folder, "sample.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))
        temporary = os.path.join(folder, "temporary")
        os.makedirs(temporary, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "unittest_leakfix", *options, *names], cwd=folder, timeout=120,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED=seed,
                     TMPDIR=temporary), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def found(self, *options, **how):
        """Return the causes of a run: tests by fingerprint."""
        path = os.path.join(how.get("folder") or self.folder, "leaks.json")
        _, output = self.run_sample("--leaks-json", path, *options, **how)
        with open(path, encoding="utf-8") as file:
            return {leak["fingerprint"]: leak["tests"] for leak in json.load(file)["leaks"]}, output

    def write(self, value, name="known.json"):
        with open(self.path(name), "w", encoding="utf-8") as file:
            json.dump(value, file)

    def listed(self, name="known.json"):
        return {entry.get("fingerprint", entry.get("cause")): entry["tests"]
                for entry in self.json(name)["leaks"]}


class RunTests(ProjectCase):
    maxDiff = None

    def test_the_same_in_each_run_and_folder_and_with_each_hash_seed(self):
        with tempfile.TemporaryDirectory() as other:
            first, output = self.found(source=VARIED, seed="1")
            second, _ = self.found(source=VARIED, seed="77", folder=other)
        self.assertEqual(sorted(first), sorted(second), output)
        for fingerprint in first:
            self.assertNotRegex(fingerprint, r"0x|/tmp|temporary/|[0-9a-f]{8}")
        ports = [re.findall(":[0-9]+", fingerprint) for fingerprint in first]
        self.assertEqual([each for each in ports if each], [])

    def test_one_cause_for_all_subclasses_and_one_for_each_line(self):
        found, output = self.found(source=VARIED)
        names = ["OneTests.test_path", "OneTests.test_thread",
                 "OneTests.test_threads_with_counters", "OneTests.test_two_lines",
                 "ThreeTests.test_dropped", "TwoTests.test_port"]
        of_all = {cause for cause, tests in found.items()
                  if sorted(tests) == ["sample." + name for name in names]}
        self.assertEqual(of_all, {"kept test by sample.KEPT[*]"}, output)
        self.assertEqual(found["class attribute sample.Base.rows"],
                         ["setUpClass (sample.%s)" % name
                          for name in ("OneTests", "ThreeTests", "TwoTests")])
        two = [cause for cause, tests in sorted(found.items())
               if tests == ["sample.OneTests.test_two_lines"]]
        line = "`FILES.add(open(__file__))`"
        self.assertEqual([re.findall("`.*` [(]2[)]|`.*`", cause)[0] for cause in two],
                         [line + " (2)", line])

    def test_an_edit_elsewhere_changes_none(self):
        before, _ = self.found()
        moved = KNOWN.replace("class Tests", "# one\n# two\n\nclass Tests").replace(
            "        KEPT.append", "        pass\n        KEPT.append")
        self.assertEqual(self.found(source=moved)[0], before)


class BaselineTests(ProjectCase):
    maxDiff = None

    def test_written_and_met_again(self):
        self.run_sample("--leaks-write-baseline=known.json")
        self.assertEqual(self.json("known.json")["version"], 2)
        status, output = self.run_sample("--leaks=fail", "--leaks-baseline=known.json")
        self.assertEqual((status, "LEAKS" in output), (0, False), output)

    def test_a_second_leak_of_the_same_kind_is_new(self):
        self.run_sample("--leaks-write-baseline=known.json")
        more = KNOWN.replace("KEPT.append(open(__file__))",
                             "KEPT.append(open(__file__)); KEPT.append(1)\n"
                             "        KEPT.append(open(os.devnull))")
        found, output = self.found("--leaks-baseline=known.json", source=more)
        self.assertIn("KEPT.append(open(os.devnull))", "".join(found), output)

    def test_version_1_is_matched_by_kind_and_test(self):
        self.write(OLD)
        found, output = self.found("--leaks-baseline=known.json")
        self.assertEqual(found, {})
        self.assertIn("\nknown.json is a baseline of version 1, matched by kind and test: "
                      "--leaks-update-baseline writes it anew\n", output)
        self.assertIn("Gone: 1 baseline entry no longer occurs", output)
        self.assertIn("umask umask", output)
        self.assertEqual(self.json("known.json"), OLD)

    def test_version_1_does_not_hide_another_kind_or_test(self):
        self.write({"version": 1, "leaks": [dict(OLD["leaks"][0], tests=["sample.Tests.test_file"]),
                                            dict(OLD["leaks"][1], kind="socket")]})
        found, _ = self.found("--leaks-baseline=known.json")
        self.assertEqual(sorted(tests for tests in found.values()),
                         [["sample.Tests.test_environment"], ["sample.Tests.test_file"]])

    def test_an_update_of_version_1(self):
        self.write(OLD)
        status, output = self.run_sample("--leaks-baseline=known.json", "--leaks-update-baseline")
        self.assertEqual(output.count("known.json"), 1, output)
        self.assertIn("known.json was updated\n", output)
        self.assertEqual(self.json("known.json")["version"], 2)
        self.assertEqual(self.listed(), {
            "environment SHOP added": ["sample.Tests.test_environment"],
            "file opened in sample.py:Tests.test_file by `KEPT.append(open(__file__))`, held by "
            "sample.KEPT[*]": ["sample.Tests.test_file"],
            # Its test did not run: still known by kind and test.
            "thread mailer started in sample.py:test_mail": ["sample.Tests.test_mail"]})
        mail = KNOWN + ("    def test_mail(self):\n"
                        "        threading.Thread(target=threading.Event().wait, daemon=True)"
                        ".start()\n")
        found, output = self.found("--leaks-baseline=known.json", source=mail)
        self.assertEqual((found, "version 1" in output), ({}, False), output)

    def test_an_update_adds_what_is_new_and_takes_out_what_is_gone(self):
        self.run_sample("--leaks-write-baseline=known.json", names=["sample.Tests.test_file"])
        fixed = KNOWN.replace("KEPT.append(open(__file__))", "pass")
        self.run_sample("--leaks-baseline=known.json", "--leaks-update-baseline", source=fixed)
        self.assertEqual(self.listed(),
                         {"environment SHOP added": ["sample.Tests.test_environment"]})

    def test_an_update_of_some_tests_keeps_the_entries_of_the_others(self):
        self.run_sample("--leaks-write-baseline=known.json")
        before = self.listed()
        self.run_sample("--leaks-baseline=known.json", "--leaks-update-baseline",
                        names=["sample.Tests.test_file"])
        self.assertEqual(self.listed(), before)

    def test_wrong_versions(self):
        for version, words in (("3", "3"), ("0", "0"), ("true", "True"), ('"2"', "'2'")):
            with open(self.path("known.json"), "w") as file:
                file.write('{"version": %s, "leaks": []}' % version)
            status, output = self.run_sample("--leaks-baseline=known.json")
            self.assertEqual(status, 2)
            self.assertIn("known.json is not one: it has version %s, this release reads 1 and 2;"
                          % words, output)

    def test_what_is_no_entry(self):
        for entry in ("{}", '{"kind": "file", "tests": []}', '{"kind": "file", "cause": "x"}',
                      '{"kind": "file", "fingerprint": "x"}', "1"):
            with open(self.path("known.json"), "w") as file:
                file.write('{"version": 2, "leaks": [%s]}' % entry)
            self.assertEqual(self.run_sample("--leaks-baseline=known.json")[0], 2, entry)

    def test_an_update_needs_a_baseline_that_can_be_read_and_written(self):
        status, output = self.run_sample("--leaks-update-baseline")
        self.assertEqual((status, output), (2, "error: --leaks-update-baseline needs "
                                               "--leaks-baseline=FILE, the file to be updated\n"))
        status, output = self.run_sample("--leaks-baseline=none.json", "--leaks-update-baseline")
        self.assertEqual(status, 2)
        self.assertIn("none.json cannot be read", output)
        self.write(OLD)
        status, output = self.run_sample("--leaks-baseline=known.json", "--leaks-update-baseline",
                                         "--leaks-write-baseline=known.json")
        self.assertEqual(status, 2)
        self.assertIn("--leaks-write-baseline and --leaks-update-baseline are the same file",
                      output)

    def test_an_update_of_a_file_that_is_read_only(self):
        self.write(OLD)
        path = self.path("known.json")
        baseline = suppressions.Baseline(path)
        with mock.patch.object(whole_file, "_access", lambda *_, **__: False), \
                self.assertRaisesRegex(ValueError, "--leaks-update-baseline: .*known.json cannot "):
            Files.of(Options(leaks="report", leaks_baseline=path, leaks_update_baseline=True),
                     baseline)

    def test_a_run_that_was_interrupted_updates_nothing(self):
        self.write(OLD)
        stopped = KNOWN + "    def test_z(self):\n        raise KeyboardInterrupt\n"
        status, output = self.run_sample("--leaks-baseline=known.json", "--leaks-update-baseline",
                                         source=stopped)
        self.assertIn("known.json was not written: the run was interrupted", output)
        self.assertEqual(self.json("known.json"), OLD)


class TextTests(unittest.TestCase):
    def test_steady(self):
        for text, expected in (
                ("job-5d41402abc4b", "job-*"),
                ("job-4b1d7f6e-0d0c-4f3c-9f6e-2b7c0d1e8a90", "job-*"),
                ("lock tmpab_cd3xy", "lock *"), ("127.0.0.1:5433", "127.0.0.1:*"),
                ("Thread-7 (run)", "Thread-* (run)"), ("h2server", "h2server"),
                ("template_folders", "template_folders"), ("facade", "facade"),
                ("shop.CACHE[(3, 'x')].rows", "shop.CACHE[*].rows"), ("at 0x7f3a", "at *")):
            with self.subTest(text):
                self.assertEqual(steady(text), expected)
                self.assertEqual(steady(expected), expected)

    def test_counters(self):
        for text, expected in (
                ("worker12", "worker*"), ("pool_3_worker_9", "pool_*_worker_*"),
                ("file 'out/test_shop_gw3.db'", "file 'out/test_shop_gw*.db'"),
                ("a3f9c2", "*"), ("10.0.0.7:80", "10.0.0.7:*"), ("caf\\udce9", "caf\\udce9")):
            with self.subTest(text):
                self.assertEqual(without_counters(text), expected)
                self.assertEqual(without_counters(expected), expected)

    def test_a_number_in_a_name_of_the_users(self):
        self.assertEqual(without_random("HTTP2_PROXY_1"), "HTTP2_PROXY_1")
        self.assertEqual(without_random("LOCK-5d41402abc4b2a76"), "LOCK-*")

    def test_a_line_is_known_by_its_text_class_and_function(self):
        with open(__file__, encoding="utf-8") as source:
            here = [at for at, line in enumerate(source, 1) if line.endswith("1  # marked\n")]
        self.assertEqual([place(Frame(__file__, line, "inner")) for line in here], [
            FILE + ":TextTests.marked.inner by `return 1  # marked`",
            FILE + ":TextTests.marked.inner by `return 1  # marked` (2)"])

    def marked(self):
        def inner():
            if self:
                return 1  # marked
            return 1  # marked
        return inner

    def test_a_file_that_is_not_there_or_has_no_such_line(self):
        self.assertEqual(place(Frame("shop/gone.py", 3, "connect")), "shop/gone.py:connect")
        self.assertEqual(place(Frame("<string>", 3, "f")), "<string>:f")
        self.assertEqual(place(Frame(__file__, 10 ** 6, "f")), FILE + ":f")
        self.assertEqual(place(Frame(ROOT, 1, "f")).rpartition(":")[2], "f")

    def test_a_secret_in_the_line_is_hidden(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sample.py")
            with open(path, "w") as file:
                file.write('db = connect(password="hunter2")\n')
            self.assertNotIn("hunter2", place(Frame(path, 1, "<module>")))

    def test_leaks_of_one_fingerprint_are_one_cause(self):
        one, two = Leak("file", "a", ("t.T.test_a",), cause="file x"), Leak(
            "file", "b", ("t.T.test_b",), cause="file x")
        self.assertEqual(one.fingerprint, two.fingerprint)
        self.assertEqual([each.tests for each in group([one, two])],
                         [("t.T.test_a", "t.T.test_b")])
        self.assertEqual(Leak("executor", "x", cause="thread pool opened").fingerprint,
                         "executor: thread pool opened")


FILE = "tests/integration/finding/test_fingerprints.py"
