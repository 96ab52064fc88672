"""The checks at the start of the test command: ruff, mypy, and whether the documentation makes a
site without a warning, in an environment of their own.

They look at the source, so one interpreter is enough: the newest that is here. They are counted and
printed as tests are. Where they cannot be installed, each is skipped by name.
"""

from __future__ import absolute_import

import io
import os
import time

from tests.support import children, interpreters, runs

NAME = "checks"
REQUIREMENTS = os.path.join(interpreters.ROOT, "tests", "requirements-checks.txt")
OLDEST = (3, 11)  # what the pinned versions need
FOLDER = os.path.join(interpreters.ENVIRONMENTS, NAME)
CHECKS = (
    ("ruff", ["-m", "ruff", "check", "--output-format", "concise",
              "--cache-dir", os.path.join(FOLDER, "ruff-cache")]),
    ("mypy", ["-m", "mypy", "--cache-dir", os.path.join(FOLDER, "mypy-cache"),
              "unittest_leakfix"]),
    ("site", ["-m", "sphinx", "-q", "-W", "-b", "html", "-d", os.path.join(FOLDER, "site-cache"),
              "docs", os.path.join(FOLDER, "site")]),
)


class Checks(runs.Run):
    """The checks as one more run beside those of the tests: the same counts, failures and skips."""

    def __init__(self, found, announce=lambda test: None):
        interpreter = newest(found)
        super(Checks, self).__init__(NAME, interpreter, announce)
        self.name = NAME
        if interpreter is None:
            self._skip_all("needs Python %d.%d or later with venv" % OLDEST)

    def perform(self, names, folder, runner, tier=None, measuring=None):
        """Make the environment, or bring it up to date, and run each check there."""
        started = time.time()
        try:
            self._prepare(os.path.join(folder, NAME + ".txt"), runner)
            for name, command in CHECKS:
                self._begin(name)
                self._check(name, command, os.path.join(folder, "%s-%s.txt" % (NAME, name)), runner)
        except interpreters.CannotPrepare as problem:
            self._skip_all("could not be installed, see .envs/logs/%s.txt (%s)" % (
                NAME, str(problem).splitlines()[-1]))
        except children.Stopped:
            self.interrupted = self._step
        self.seconds = time.time() - started

    def _prepare(self, output, runner):
        with io.open(output, "w", encoding="utf-8") as log:
            interpreters.prepare_from(
                self.interpreter, REQUIREMENTS, runs.Log(log), runner, self._begin)

    def _check(self, name, command, output, runner):
        try:
            with io.open(output, "w", encoding="utf-8") as log:
                status = runner.run([self.interpreter.python] + command, runs.Log(log),
                                    folder=interpreters.ROOT, variables=interpreters.environment())
        except children.Silent as silent:
            return self.fail(name, "%s was ended: %s" % (name, silent))
        if status == 0:
            self.passed += 1
            return None
        with io.open(output, encoding="utf-8", errors="replace") as log:
            return self.fail(name, log.read()[-20000:] or "%s ended with %d" % (name, status))

    def _skip_all(self, reason):
        for name, _ in CHECKS:
            self.skip(name, "%s %s" % (name, reason))

    def progress(self):
        """Say what is going on, in a few words."""
        return "%s: %s (%d s)" % (NAME, self._step, time.time() - self._since)

    def line(self):
        """What is printed when the checks are over."""
        counts = [(self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped")]
        text = "%s: %s: %s" % (NAME, ", ".join(name for name, _ in CHECKS), ", ".join(
            "%d %s" % each for each in counts if each[0]) or "none finished")
        return text + (", interrupted in %s" % self.interrupted if self.interrupted else "")


def newest(found):
    """Return the newest interpreter of *found* that the checks can have, or None.

    *found* is a dict of version to Interpreter. What is returned has the folder of the checks.
    """
    for version in reversed(interpreters.VERSIONS):
        here = found.get(version)
        if here is None or here.maker != "venv":
            continue
        if tuple(map(int, version.split("."))) >= OLDEST:
            made = interpreters.Interpreter(here.path, here.full.split("."), here.maker)
            made.folder = FOLDER
            return made
    return None
