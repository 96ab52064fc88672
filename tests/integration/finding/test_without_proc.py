"""Finding where there is no /proc and no /dev/fd, as on Windows: what can be found is found, and
what cannot is named. They are hidden here from a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import unittest

from tests.integration.finding.test_leaks_files import FolderCase
from tests.support.paths import ROOT

# Before anything of ours is loaded: our modules bind these functions when they load.
HIDE = """\
import builtins, io, os, runpy, sys
def hidden(path):
    return isinstance(path, str) and path.startswith(("/proc", "/dev/fd"))
def hiding(function):
    def call(path, *args, **kwds):
        if hidden(path):
            raise FileNotFoundError(2, "No such file or directory", path)
        return function(path, *args, **kwds)
    return call
for module, names in ((os, "stat lstat listdir scandir open readlink access"), (io, "open"),
                      (builtins, "open")):
    for name in names.split():
        setattr(module, name, hiding(getattr(module, name)))
for name in ("isdir", "isfile", "exists", "lexists"):
    real = getattr(os.path, name)
    setattr(os.path, name, lambda path, real=real: not hidden(path) and real(path))
if {waitid}:
    del os.waitid
sys.argv[0] = "__main__.py"
runpy.run_module("unittest_leakfix", run_name="__main__", alter_sys=False)
"""
SAMPLE = """\
import os, socket, subprocess, sys, tempfile, threading, unittest
KEPT = []
class Tests(unittest.TestCase):
    def test_child(self):
        # It ends by itself, some time after the run has looked.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    def test_environment(self):
        os.environ["SHOP"] = "open"
    def test_file(self):
        KEPT.append(open(__file__))
    def test_instance(self):
        KEPT.append(self)
    def test_socket(self):
        KEPT.append(socket.socket())
    def test_thread(self):
        thread = threading.Thread(target=threading.Event().wait, name="mailer", daemon=True)
        thread.start()
    def test_umask(self):
        os.umask(0o027)
"""


class WithoutProcTests(FolderCase):
    def run_hidden(self, *options, sample=SAMPLE, waitid=False):
        self.put("sample.py", textwrap.dedent(sample))
        done = subprocess.run(
            [sys.executable, "-c", HIDE.replace("{waitid}", str(waitid)), *options, "sample"],
            cwd=self.folder, timeout=60,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def test_what_can_be_found_is_found_and_the_rest_is_named(self):
        for waitid in (False, hasattr(os, "waitid")):
            with self.subTest(without_waitid=waitid):
                status, output = self.run_hidden("--leaks=report", "--leaks-json=a.json",
                                                 waitid=waitid)
                self.assertEqual(0, status, output)
                value = json.loads(self.text("a.json"))
                kinds = {leak["kind"]: leak["tests"] for leak in value["leaks"]}
                for kind in ("environment", "file", "kept test", "socket", "thread", "umask"):
                    name = "instance" if kind == "kept test" else kind
                    self.assertEqual(["sample.Tests.test_%s" % name], kinds.get(kind), kind)
                if not waitid:
                    self.assertIn("child process", kinds)
                self.assertEqual(
                    [("descriptors that no object has",
                      "this system has neither /proc nor /dev/fd"),
                     ("child processes but those of multiprocessing and those whose Popen is gone",
                      "this system has no /proc")],
                    [(each["test"], each["why"]) for each in value["unmeasured"]])
                self.assertIn("Not measured: descriptors that no object has (this system has "
                              "neither /proc nor /dev/fd)\n", output)
                self.assertNotIn("switched off", output)
                self.assertNotIn("Traceback", output)

    def test_a_run_that_leaves_nothing_is_as_quiet_as_elsewhere(self):
        sample = "import unittest\nclass Tests(unittest.TestCase):\n    def test(self): pass\n"
        status, output = self.run_hidden("--leaks=report", sample=sample)
        self.assertEqual((0, False), (status, "easured" in output), output)
        self.assertIn("Not measured: ", self.run_hidden("--leaks=report", "-v", sample=sample)[1])


if __name__ == "__main__":
    unittest.main()
