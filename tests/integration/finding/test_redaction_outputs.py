"""A secret is in no output of a run: report, JSON, baseline, warnings, errors, pytest's sections.
Nor is what cannot be seen.

Each story runs in a process of its own.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT
from tests.unit.leaks.leak_samples import Acquisition, Chain, Frame, Step
from unittest_leakfix.databases import connection_limit
from unittest_leakfix.databases.server_sessions import Session, Sessions, table
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.model.chain import Thing
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.report import json_report as leaks_json
from unittest_leakfix.leaks.report import whole_file
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.leaks.report.text_report import failure_text, one_line, render
from unittest_leakfix.tracing.opened_connections import ConnectionRecord

try:
    from hypothesis import given, settings, strategies
except ImportError:
    given = None
try:
    import pytest
except ImportError:
    pytest = None

UNSEEN = "\x07\x1b\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202e\u2066\u2069\ud800"

# Each leaks something that has the secret in its name, key, value, arguments or line.
LEAKY = '''
    import logging, os, subprocess, sys, threading, unittest, warnings

    KEEP, CLIENTS, OPEN = [], {}, []
    SECRET = "q9hunter2zz7"
    class Client: pass
    class Unclosable:
        def __init__(self): self.open = True
        def close(self): raise OSError("no route: password=%s host=db" % SECRET)
        commit = rollback = cursor = close
    EVENT = threading.Event()

    class TokenTests(unittest.TestCase):
        def test_thread(self):
            thread = threading.Thread(target=EVENT.wait, name="worker token=" + SECRET, daemon=True)
            thread.start()

        def test_logger(self):
            logging.getLogger("app.user:%s@db" % SECRET).addHandler(logging.FileHandler(os.devnull))

        def test_environment(self):
            os.environ["GITHUB_PAT"] = os.environ["JWT"] = os.environ["COOKIE"] = SECRET
            os.environ["AUTH"] = "Basic " + SECRET
            os.environ["SSL"] = "-----BEGIN RSA PRIVATE KEY-----\\\\n%s\\\\n-----END RSA PRIVATE KEY-----" % SECRET
            os.environ["SENTRY_DSN"] = "https://%s@o1.example/2" % SECRET

        def test_environment_changed(self):
            os.environ["GITHUB_PAT"] = SECRET + "new"

        def test_key(self):
            CLIENTS["Bearer " + SECRET] = self.client = Client()

        def test_another_key(self):
            CLIENTS["mysql://user:%s@host" % (SECRET * 9)] = self.client = Client()

        def test_command(self):
            self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)", "-u", "me:" + SECRET,
                                           "--user", "me:" + SECRET, "-H", "Authorization: Bearer " + SECRET])
            OPEN.append(self.child)

        def test_lines(self):
            self.rows = [open(os.devnull), "--secret", "q9hunter2zz7", "Authorization: Bearer q9hunter2zz7"]
            OPEN.append(self.rows)

        def test_more_lines(self):
            OPEN.append(open(os.devnull, errors=dict(password=
                "q9hunter2zz7", dsn="my://h/d?password=q9hunter2zz7") and None))

        def test_warns(self):
            self.db = Unclosable()

        def test_fails_to_close(self):
            self.fail("not this")

    def tearDownModule():
        for each in OPEN:
            if isinstance(each, subprocess.Popen):
                each.kill()
                each.wait()
        EVENT.set()
'''  # noqa: E501


class Folder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_python(self, *arguments, **files):
        for name, text in files.items():
            with open(self.path(name + ".py"), "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text))
        done = subprocess.run([sys.executable, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                              timeout=120,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=dict(
                                  os.environ, PYTHONPATH=ROOT, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
                                  PYTHONIOENCODING="utf-8:backslashreplace"))
        return done.stdout.decode("utf-8", "surrogateescape")

    def contents(self):
        """Return the text of the JSON file and of the baseline."""
        texts = []
        for name in ("leaks.json", "baseline.json"):
            with open(self.path(name), encoding="utf-8") as file:
                texts.append(file.read())
        return texts


class Runs(Folder):
    def test_unittest(self):
        out = self.run_python("-m", "unittest_leakfix", "--leaks=report", "--leaks-stacks",
                              "--leaks-json=leaks.json",
                              "--leaks-write-baseline=baseline.json", "--leaks-failed", "test_it",
                              test_it=LEAKY)
        report, baseline = self.contents()
        kinds = {leak["kind"] for leak in json.loads(report)["leaks"]}
        self.assertLessEqual({"thread", "logging handler", "environment", "object", "child process",
                              "file"}, kinds, out)
        self.assertIn("LeakFixWarning", out)
        for text in (out, report, baseline):
            self.assertNotIn("hunter2", text)
        self.assertIn("token=***", baseline)
        # What is not secret is there.
        self.assertIn("TokenTests.test_thread", out)
        self.assertIn("test_it.TokenTests.test_thread", baseline)
        self.assertIn("CLIENTS['mysql://user:***@host']", out)
        key = self.run_python("-m", "unittest_leakfix", "--leaks=report",
                              "test_it.TokenTests.test_key", test_it=LEAKY)
        self.assertIn("CLIENTS['Bearer ***']", key)
        self.assertNotIn("hunter2", key)

    def test_the_baseline_is_met_again(self):
        options = ("-m", "unittest_leakfix", "--leaks=fail", "test_it.TokenTests.test_thread",
                   "test_it.TokenTests.test_logger", "test_it.TokenTests.test_key")
        first = self.run_python(*options, "--leaks-write-baseline=baseline.json", test_it=LEAKY)
        self.assertIn("FAILED (failures=3)", first)
        self.assertNotIn("hunter2", first)
        again = self.run_python(*options, "--leaks-baseline=baseline.json", test_it=LEAKY)
        self.assertIn("OK", again.split())
        self.assertNotIn("Gone", again)

    def test_the_mixin(self):
        out = self.run_python("-m", "unittest", "test_it", test_it='''
            import unittest
            from unittest_leakfix import CloseError, LeakFixMixin
            class Unclosable(object):
                def __init__(self): self.open = True
                def close(self): raise OSError("no route: password=hunter2 host=db")
                commit = rollback = cursor = close
            class Outer(unittest.TestCase):
                def test_it(self):
                    class Inner(LeakFixMixin, unittest.TestCase):
                        def test_it(self): self.db = Unclosable()
                    result = unittest.TestResult()
                    said = []
                    result.addError = lambda test, error: said.append(error)
                    Inner("test_it").run(result)
                    (kind, error, trace), = said
                    self.assertIs(kind, CloseError)
                    print("said:", error)
            ''')
        self.assertRegex(
            out, r"said: closing self.db .* raised OSError: no route: password=\*\*\* host=db")

    @unittest.skipIf(pytest is None, "needs pytest")
    def test_pytest(self):
        parametrised = '''
            import threading, pytest
            KEEP = []
            class TestCredentialFetcher:
                @pytest.mark.parametrize("x", [1], ids=["password=q9hunter2zz7"])
                def test_one(self, x): KEEP.append(open(__file__))
                def test_two(self): KEEP.append(open(__file__))
            '''
        for mode in ("report", "fail"):
            out = self.run_python("-m", "pytest", "-q", "-p", "unittest_leakfix.pytest_plugin",
                                  "--leaks=" + mode,
                                  "--leaks-json=leaks.json", "--leaks-write-baseline=baseline.json",
                                  "--leaks-stacks",
                                  "-k", "not fails_to_close", "test_it.py", "test_cred.py",
                                  test_it=LEAKY, test_cred=parametrised)
            # pytest itself shows the parameters of a test that fails.
            ours = re.search(r"^=+ leaks =+\n(.*?)^(?:=+ short|[0-9]+ passed)", out,
                             re.M | re.S).group(1)
            for text in (ours, *self.contents()):
                self.assertNotIn("hunter2", text)
            self.assertIn("TestCredentialFetcher::test_two", ours)
            self.assertIn("TestCredentialFetcher::test_one[password=***]",
                          ours + self.contents()[1])
            errors = out.replace("test_one[password=q9hunter2zz7]", "")
            self.assertNotIn("hunter2", re.sub(r"(?m)^.*parametrize.*$", "", errors))

    def test_long_and_unseen_names(self):
        out = self.run_python("-m", "unittest_leakfix", "--leaks=report", "--leaks-stacks",
                              "--leaks-json=leaks.json",
                              "--leaks-write-baseline=baseline.json", "test_it", test_it='''
            import threading, unittest, os, logging
            UNSEEN = "\\x07\\x1b\\x85\\x9b\\u061c\\u200e\\u200f\\u2028\\u2029\\u202e\\u2066\\u2069\\ud800"
            KEEP, HELD = [], {}
            EVENT = threading.Event()
            class Client: pass
            Long = type("Long" + "x" * 10 ** 6, (), {})
            class Tests(unittest.TestCase):
                def test_thread(self):
                    threading.Thread(target=EVENT.wait, name="a" + UNSEEN, daemon=True).start()
                def test_long_thread(self):
                    threading.Thread(target=EVENT.wait, name="w" * 10 ** 6, daemon=True).start()
                def test_logger(self):
                    logging.getLogger("b" + UNSEEN).addHandler(logging.FileHandler(os.devnull))
                def test_long_logger(self):
                    logging.getLogger("l" * 10 ** 6).addHandler(logging.FileHandler(os.devnull))
                def test_key(self):
                    HELD["c" + UNSEEN] = self.client = Client()
                def test_long_class(self):
                    KEEP.append(Long()); self.long = KEEP[-1]
            def long_name(self):
                KEEP.append(self)
            long_name.__name__ = "test_" + "n" * 10 ** 6
            setattr(Tests, long_name.__name__, long_name)
            def tearDownModule(): EVENT.set()
            ''')  # noqa: E501
        report, baseline = self.contents()
        leaks = out[out.index("\nLEAKS"):]
        self.assertLess(len(leaks), 30000)
        self.assertGreater(leaks.count("\n["), 4, leaks)
        for char in UNSEEN:
            self.assertNotIn(char, leaks + baseline)
        # The id of a test is whole.
        self.assertTrue(any(test.endswith("n" * 10 ** 6) for leak in json.loads(report)["leaks"]
                            for test in leak["tests"]))
        self.assertTrue(any(test.endswith("n" * 10 ** 6) for leak in json.loads(baseline)["leaks"]
                            for test in leak["tests"]))
        self.assertTrue(all(len(leak["subject"]) < 400 and len(leak["remedy"]) < 10 ** 6
                            for leak in json.loads(report)["leaks"]))


def sample(text, test="t.Tests.test_a"):
    """Return findings with *text* wherever a text can be."""
    chain = Chain(
        "m.CLIENTS[%r]" % text,
        True,
        (
            Step("", Thing("module", "m"), "", False),
            Step(".CLIENTS", Thing("container", "dict", length=1), "", True),
            Step("[%r]" % text, Thing("object", text), "", False),
        ),
        "module m",
        None,
    )
    opened = Acquisition("connection", text, test, "thread " + text, (Frame("a.py", 1, "test_a"),))
    leaks = tuple(Leak(kind, "%s %s was left" % (kind, text), (test,), 0,
                       chain if kind == "object" else None,
                       ((".x " + text, "str", 1),), opened,
                       (("now at", text), ("was", text), ("is", text)),
                       "closed: " + text, "close(%r)" % text, 'connection="%s"' % text, 0,
                       kind + " by " + text)
                  for kind in ("object", "connection"))
    return Findings(leaks, (Known(leaks[0], "why " + text, "x.py:3"),), ("gone " + text,), 3,
                    ((test, "why " + text),), 1)


class Outputs(Folder):
    style = Style(root=os.sep + "nowhere")

    def outputs(self, text, test="t.Tests.test_a"):
        found = sample(text, test)
        yield render(found, self.style, stacks=True, verbose=True)
        yield render(found, self.style)
        yield failure_text(found.leaks) + one_line(found.leaks[1])
        yield json.dumps(leaks_json.to_value(found), ensure_ascii=False)
        whole_file.write(self.path("b"), suppressions.baseline_text(found.leaks))
        with open(self.path("b"), encoding="utf-8") as file:
            yield file.read()
        record = ConnectionRecord("x", "x connection to " + text, test, text, True, 1, 2, False, ())
        yield connection_limit.message(1, "max_connections=1", (record,))
        yield table(Sessions((Session(1, text, application=text, database="d", statement=text,
                                      opened_by=record),)), self.style)

    def test_unseen(self):
        for output in self.outputs("a%sb" % UNSEEN):
            if not output.startswith('{"version": 1, "worker"'):    # JSON's file is ASCII
                for char in UNSEEN:
                    self.assertNotIn(char, output)

    def test_ids_are_left_alone(self):
        for test in ("test_cred.py::TestCredentialFetcher::test_one",
                     "tests.test_token.SecretTests.test_password"):
            for output in self.outputs("password=hunter2", test):
                self.assertNotIn("hunter2", output)
                self.assertIn("password=***" if "statement" not in output else "***", output)
                if not output.startswith(("2 leaks", "one connection", "1 session")):
                    self.assertIn(test.rpartition("tests.test_token.")[2], output)

    def test_names_are_cut(self):
        long = "n" * 10 ** 6
        outputs = list(self.outputs(long, "t.Tests.test_" + long))
        for output in outputs[:3] + outputs[5:]:
            self.assertLess(len(output), 20000)

    if given is not None:
        FORMS = ["password=%s", "user:%s@host", "my://u:%s@h/d", "Bearer %s", "{'api_key': '%s'}",
                 "--secret %s",
                 "-u me:%s", "X-Api-Key: %s", "https://%s@h/3", "Cookie: a=%s; b=1",
                 "{\"token\": \"%s\"}", "ghp_%s",
                 "password='a %s'", "aws_secret_access_key = %s", "('password', '%s')"]

        @settings(max_examples=60, deadline=None)
        @given(strategies.sampled_from(FORMS),
               strategies.text("qzxj01379", min_size=8, max_size=12), strategies.sampled_from(
            ["%s", "worker %s", "x %s y", "a, %s", "<%s>", "x=1 %s", "%s" + " z" * 200,
             "m" * 250 + " %s"]))
        def test_a_planted_secret(self, form, secret, around):
            for output in self.outputs(around % (form % ("Q9" + secret))):
                self.assertNotIn(secret, output)


if __name__ == "__main__":
    unittest.main()
