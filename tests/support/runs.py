"""The tests on one interpreter: started, watched over, and their outcomes counted as they
happen."""

from __future__ import absolute_import

import io
import json
import os
import re
import signal
import time

from tests import tiers
from tests.support import children, interpreters, passwords

LONG = 10  # seconds after which the progress names the test that runs
# Where faulthandler begins to write: what stands before it is of no use then.
STACKS = re.compile(r"^(?:Fatal Python error: |(?:Current thread|Thread) 0x)", re.MULTILINE)


class Run(object):
    """The tests on one version: lists of (test, text) ``failures`` and ``skips``, and the counts
    ``passed``, ``failed`` and ``skipped``. ``seconds`` is None when they did not run. ``modules``
    has (seconds, name) of each test module that is over.

    *announce* is called with the name of each test that fails, as it fails.
    """

    def __init__(self, version, interpreter, announce=None):
        self.version, self.interpreter = version, interpreter
        self._announce = announce or (lambda test: None)
        self.failures, self.skips, self.modules, self.seconds = [], [], [], None
        self.passed = self.failed = self.skipped = 0
        self.name = "Python " + (interpreter.full if interpreter else version)
        self.interrupted = None  # in what, when Ctrl-C came
        self._step, self._since = "waiting", time.time()
        self._test = self._module = self._entered = None
        self._begun, self._outcomes, self._over = 0, {}, False

    def perform(self, names, folder, runner, tier=tiers.FULL, measuring=None):
        """Make the environment and run the tests ``names`` there.

        ``folder`` is this command's own: several may run at a time. What was said is left there,
        in a file of the version's name. ``runner`` (`children.Children`) runs the processes.
        ``measuring`` (`measured.Measuring`) measures which lines the tests reach.
        """
        output = os.path.join(folder, self.version + ".txt")
        with io.open(output, "w", encoding="utf-8") as log:
            try:
                left_out, problems = self.interpreter.prepare(Log(log), runner, self._begin)
            except interpreters.CannotPrepare as problem:
                made = self.interpreter.maker is not None
                return (self.fail if made else self.skip)("environment", str(problem))
            except children.Stopped:
                self.interrupted = self._step
                return None
            for reason in left_out:
                self.skip("environment", reason)
            for problem in problems:
                self.fail("environment", problem)
            variables = {tiers.VARIABLE: tier}
            if measuring is not None:
                try:
                    variables.update(measuring.variables(
                        self.interpreter, folder, Log(log), runner, self._begin))
                except interpreters.CannotPrepare as problem:
                    self.skip("environment", "no coverage: %s" % str(problem).splitlines()[0])
            self._begin("the beginning")
            self._perform(names, folder, runner, variables, Log(log))
        return None

    def _perform(self, names, folder, runner, variables, log):
        known = os.path.join(folder, self.version + ".passwords")
        report = _Report(os.path.join(folder, self.version + ".json"))
        variables = dict(passwords.environment(known), **variables)
        started = time.time()
        # faulthandler (3.x) shows the stacks when the tests hang and are ended by SIGABRT.
        options = [] if self.interpreter.full.startswith("2.") else ["-X", "faulthandler"]
        try:
            status = runner.run(
                [self.interpreter.python] + options
                + ["-m", "tests.support.outcomes", report.path] + names,
                log, watched=[report.path], poll=lambda: self._read(report),
                folder=interpreters.ROOT, variables=interpreters.environment(**variables))
            if not self._over:
                self._crashed(_how(status), log.name)
        except children.Silent as silent:
            self._crashed("was ended: %s" % silent, log.name)
        except children.Stopped:
            self.interrupted = self._during()
        self.seconds = time.time() - started
        self._search(known, log.name, report.path)

    def _search(self, known, *files):
        """No password of a private server may stand in what the run has written."""
        for name in files:
            if not os.path.exists(name):
                continue
            with io.open(name, encoding="utf-8", errors="replace") as file:
                if passwords.found(file.read(), known):
                    self.fail("the output",
                              "the password of a server is in %s" % os.path.basename(name))
        if os.path.exists(known):
            os.remove(known)

    def fail(self, test, text):
        """One more failure that is not an outcome of a test."""
        self.failed += 1
        self.failures.append((test, text))
        self._announce(test)

    def skip(self, test, reason):
        """One more skip that is not an outcome of a test."""
        self.skipped += 1
        self.skips.append((test, reason))

    def _begin(self, step):
        self._step, self._since = step, time.time()

    def _read(self, report):
        for line in report.lines():
            if line["event"] in ("module", "over"):
                if self._entered:
                    name, since = self._entered
                    self.modules.append((line["at"] - since, name))
                self._entered = line.get("name"), line["at"]
            if line["event"] == "module":
                self._module = "module %d of %d" % (line["number"], line["of"])
                self._begin("the beginning of " + line["name"])
            elif line["event"] == "began":
                self._begun += 1
                self._test = line["test"]
                self._begin(self._test)
            elif line["event"] == "finished":
                if (line["test"], self._begun) in self._outcomes:  # not so after an interrupt
                    self._test = None
                self._begin("what came after " + line["test"])
            elif line["event"] == "outcome":
                self._count(line)
            elif line["event"] == "over":
                self._over = True

    def _count(self, line):
        test, outcome = line["test"], line["outcome"]
        # A test may fail in several subtests, and another of the same name may run later.
        seen = self._outcomes.setdefault((test, self._begun), set())
        if outcome == "failed" and outcome not in seen:
            self._announce(test)
        if outcome != "passed":
            (self.failures if outcome == "failed" else self.skips).append((test, line["text"]))
        for change in (-1, 1):
            self.failed += change * ("failed" in seen)
            self.passed += change * ("failed" not in seen and "passed" in seen)
            self.skipped += change * (seen == set(["skipped"]))
            seen.add(outcome)

    def _during(self):
        """Name what runs, or ran when the process ended."""
        return self._test or self._step

    def _crashed(self, how, output):
        with io.open(output, encoding="utf-8", errors="replace") as log:
            text = log.read()
        stacks = STACKS.search(text)
        printed = text[stacks.start():][:20000] if stacks else text[-6000:]
        self.fail(self._during(), "the interpreter %s\n%s" % (how, printed))

    def progress(self):
        """Say what is going on, in a few words."""
        if self._step.startswith(("waiting", "environment")):
            return "%s %s (%d s)" % (self.version, self._step, time.time() - self._since)
        text = "%s: %d tests, %d failed" % (
            self.version, self.passed + self.failed + self.skipped, self.failed)
        if self._module:
            text += ", " + self._module
        since = time.time() - self._since
        return text + (", %s for %d s" % (self._step, since) if since >= LONG else "")

    def line(self):
        """What is printed when this run is over."""
        text = "%-15s %5d passed, %d failed, %d skipped" % (
            self.name, self.passed, self.failed, self.skipped)
        text += "" if self.seconds is None else "  %d s" % self.seconds
        return text + (", interrupted in %s" % self.interrupted if self.interrupted else "")


class Log(object):
    """A text file that children write to as well, at its end."""

    def __init__(self, file):
        self._file, self.name = file, file.name

    def write(self, text):
        self._file.write(text if isinstance(text, type(u"")) else text.decode("utf-8"))

    def flush(self):
        self._file.flush()

    def fileno(self):
        return self._file.fileno()


class _Report(object):
    """The file that `tests.support.outcomes` writes, read while it grows."""

    def __init__(self, path):
        self.path, self._read = path, 0

    def lines(self):
        """List what came since the last time."""
        try:
            with io.open(self.path, "rb") as file:
                file.seek(self._read)
                whole, end, _ = file.read().rpartition(b"\n")
        except (IOError, OSError):  # not begun
            return []
        self._read += len(whole + end)
        return [json.loads(line.decode("utf-8")) for line in whole.splitlines()]


def _how(status):
    names = [name for name in dir(signal) if re.match("SIG[A-Z]", name)
             and getattr(signal, name) == -status]
    if status < 0:
        return "was killed by %s" % (names[0] if names else "signal %d" % -status)
    return "ended with status %d" % status
