"""The tests on one interpreter: started, watched over, and their outcomes counted."""

from __future__ import absolute_import

import io
import json
import os
import signal
import subprocess
import time

from tests import interpreters, passwords

LIMIT = 1200  # seconds for one interpreter's tests


class Run(object):
    """The tests on one version: lists of (test, text) ``failures`` and ``skips``, and the counts
    ``passed``, ``failed`` and ``skipped``. ``seconds`` is None when they did not run."""

    def __init__(self, version, interpreter):
        self.version, self.interpreter = version, interpreter
        self.failures, self.skips, self.seconds = [], [], None
        self.passed = self.failed = self.skipped = 0
        self.name = "Python " + (interpreter.full if interpreter else version)

    def perform(self, names, folder):
        """Make the environment and run the tests ``names`` there.

        ``folder`` is this command's own: several may run at a time. What was said is left there,
        in a file of the version's name.
        """
        output = os.path.join(folder, self.version + ".txt")
        report = os.path.join(folder, self.version + ".json")
        with io.open(output, "w", encoding="utf-8") as log:
            try:
                left_out, problems = interpreters.prepare(self.interpreter, _Log(log))
            except interpreters.CannotPrepare as problem:
                made = self.interpreter.maker is not None
                return (self.fail if made else self.skip)("environment", str(problem))
            for reason in left_out:
                self.skip("environment", reason)
            for problem in problems:
                self.fail("environment", problem)
            started = time.time()
            known = os.path.join(folder, self.version + ".passwords")
            status = _run(self._command(report) + names, log, passwords.environment(known))
            self.seconds = time.time() - started
        self._read(report, status, output)
        self._search(known, output, report)

    def _search(self, known, *files):
        """No password of a private server may stand in what the run has written."""
        for name in files:
            with io.open(name, encoding="utf-8", errors="replace") as file:
                if passwords.found(file.read(), known):
                    self.fail("the output", "the password of a server is in %s" % os.path.basename(name))
        if os.path.exists(known):
            os.remove(known)

    def fail(self, test, text):
        """One more failure that is not an outcome of a test."""
        self.failed += 1
        self.failures.append((test, text))

    def skip(self, test, reason):
        """One more skip that is not an outcome of a test."""
        self.skipped += 1
        self.skips.append((test, reason))

    def _command(self, report):
        # faulthandler (3.x) shows the stacks when the tests hang and are ended by SIGABRT.
        options = [] if self.version == "2.7" else ["-X", "faulthandler"]
        return [self.interpreter.python] + options + ["-m", "tests.outcomes", report]

    def _read(self, report, status, output):
        lines, begun, outcomes = _lines(report), 0, {}
        for line in lines:
            begun += line["event"] == "began"
            if line["event"] != "outcome":
                continue
            if line["outcome"] != "passed":
                kept = self.failures if line["outcome"] == "failed" else self.skips
                kept.append((line["test"], line["text"]))
            # A test may fail in several subtests, and another of the same name may run later.
            outcomes.setdefault((line["test"], begun), set()).add(line["outcome"])
        for seen in outcomes.values():
            self.failed += "failed" in seen
            self.passed += "failed" not in seen and "passed" in seen
            self.skipped += seen == {"skipped"}
        if not lines or lines[-1]["event"] != "over":
            self._crashed(lines, status, output)

    def _crashed(self, lines, status, output):
        during = "the test run"
        for line in lines:
            if line["event"] == "began":
                during = line["test"]
            elif line["event"] == "finished":  # which 3.12.1 says of a skip that never began
                during = "the test run"
        how = "was still running after %d s" % LIMIT if status is None else (
            "ended with status %d" % status)
        with io.open(output, encoding="utf-8", errors="replace") as log:
            self.fail(during, "the interpreter %s\n%s" % (how, log.read()[-6000:]))

    def line(self):
        """What is printed when this run is over."""
        text = "%-15s %5d passed, %d failed, %d skipped" % (
            self.name, self.passed, self.failed, self.skipped)
        return text + ("" if self.seconds is None else "  %d s" % self.seconds)


class _Log(object):
    """A text file that children write to as well, at its end."""

    def __init__(self, file):
        self._file, self.name = file, file.name

    def write(self, text):
        self._file.write(text if isinstance(text, type(u"")) else text.decode("utf-8"))

    def flush(self):
        self._file.flush()

    def fileno(self):
        return self._file.fileno()


def _lines(report):
    if not os.path.exists(report):
        return []
    with io.open(report, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


_children = []


def stop():
    """End what still runs (Ctrl-C)."""
    for child in _children:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)  # so that fixtures are torn down
    for child in _children:
        if not _ended(child, 5):
            _end(child)


def _run(command, log, variables):
    """The exit status, or None when LIMIT had passed and the tests' processes were ended."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log,
                             cwd=interpreters.ROOT, env=interpreters.environment(**variables),
                             preexec_fn=getattr(os, "setsid", None))
    _children.append(child)
    child.stdin.close()
    if _ended(child, LIMIT):
        return child.returncode
    child.send_signal(signal.SIGABRT)
    _ended(child, 5)
    _end(child)
    return None


def _ended(child, seconds):
    deadline = time.time() + seconds
    while child.poll() is None and time.time() < deadline:
        time.sleep(0.1)
    return child.returncode is not None


def _end(child):
    try:
        getattr(os, "killpg", os.kill)(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:  # it and its children are gone
        pass
    child.wait()
