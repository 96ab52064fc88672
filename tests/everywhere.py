#!/usr/bin/env python
"""Run the tests on every interpreter of this machine: ``python tests/everywhere.py``.

Finds CPython 2.7 and 3.6 to 3.15 (a pyenv's and those on the PATH), makes an environment for each
under .envs/ (kept for the next run), runs the tests in each, three at a time, and says what was
skipped and why. Every few seconds a line says how far each interpreter is; a test that fails is
named at once. The last line is ``N passed, M failed, K skipped``; the exit status is 1 when
anything failed, nothing ran, or Ctrl-C came. Ruff, mypy and the site of
docs/ come first, in an environment of their own, and are counted as three tests; they are left out
where names choose tests.

There is no limit of time. Tests in which nothing happens for ten minutes (no test begins or ends,
nothing is printed) are ended, and the test that ran is a failure, with the stacks of its threads.

``--coverage`` says which part of the package's lines the tests reach, over all interpreters and in
all processes; under the floor (tests/support/measured.py) that is a failure. It is a run of its
own: a test that looks at what is imported or traced may fail because it is measured, so the
verdicts of the tests do not count there. Before the skips stand the ten modules that took longest.

For developers: ``--quick`` runs on the newest interpreter alone, ``--list`` says which interpreters
there are, ``--only 3.12 --only 2.7`` (or ``--only 3.12,2.7``) runs on those, and names after the
options choose test modules, classes or methods (``test_runner``,
``test_runner.RunnerTests.test_passes``) wherever they stand, or folders (``unit``,
``integration.databases``).
"""

from __future__ import absolute_import

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __name__ == "__main__":
    sys.path[0] = ROOT  # not tests/: its modules are the package's

from tests import tiers  # noqa: E402
from tests.support import checks, children, interpreters, measured, runs  # noqa: E402

AT_ONCE = 3  # on two cores: a third of the time is spent waiting for servers and child processes
MOST = ["%d.%d" % version for version in tiers.BOTH]
PROGRESS = 5  # seconds between two lines of it
LONGEST = 10  # modules that are named with their seconds
LOGS = os.path.join(interpreters.ENVIRONMENTS, "logs")
TIERS = """tiers:
  quick    --quick: the newest interpreter alone, without the tests that take their time
  full     what CI runs, and the default: every interpreter; what takes its time (servers, child
           processes) on the oldest and newest that have all packages
  nightly  --nightly: every test on every interpreter, and those that are nightly only: suites of
           other projects, whose verdicts are compared with those of plain unittest (hours)

A test says in its source to which it belongs: see tests/tiers.py."""


def main(arguments=None, found=None, runner=None, logs=LOGS, every=PROGRESS):
    """Run, print, and return the exit status.

    Tests give what they have *found* (a dict of version to Interpreter), a *runner* of processes,
    the folder that gets the logs, and how many seconds there are between two lines of progress.
    """
    options = _options(arguments)
    if found is None:
        if not options.list:
            _say("Looking for interpreters")
        found = interpreters.find()
    if options.list:
        for version in interpreters.VERSIONS:
            here = found.get(version)
            _say("%-5s %s" % (version, "%-8s %s" % (here.full, here.path) if here else "-"))
        return 0
    versions = options.only or interpreters.VERSIONS
    if options.tier == tiers.QUICK:
        versions = _newest(versions, found)
    announcers = (lambda version: None) if options.coverage else _announcer
    chosen = [runs.Run(version, found.get(version), announcers(version)) for version in versions]
    for run in chosen:
        if run.interpreter is None:
            run.skip("interpreter", "Python %s not found" % run.version)
    here = [run for run in chosen if run.interpreter is not None]
    _say("%s tier: %s"
         % (options.tier.capitalize(), ", ".join(run.name for run in here) or "no interpreter")
         + (" alone, the newest here" if options.tier == tiers.QUICK else ""))
    # What chooses tests does not ask for the checks.
    checked = [] if options.names or options.coverage else [
        checks.Checks(found, _announcer(checks.NAME))]
    here += [run for run in checked if run.interpreter is not None]
    chosen = checked + chosen
    measuring = None
    if options.coverage:
        measuring = measured.Measuring(_announcer(measured.NAME), holds=not (
            options.names or options.only or options.tier == tiers.QUICK))
        for run in chosen:
            for test, reason in run.skips:
                measuring.skip(test, reason)
    whole = _perform(here, options, runner or children.Children(), logs, every, measuring)
    _print_longest(chosen)
    if measuring is not None:
        chosen = [measuring]    # the verdicts of the tests are those of a run without it
    _print_failures(chosen)
    _print_skipped(chosen)
    if not whole:
        _say("Interrupted. Until then:")
    passed, failed = sum(run.passed for run in chosen), sum(run.failed for run in chosen)
    ran = any(run.passed for run in chosen if run not in checked)
    _say("%d passed, %d failed, %d skipped" % (passed, failed, sum(run.skipped for run in chosen)))
    return 0 if ran and not failed and whole else 1


def _options(arguments):
    parser = argparse.ArgumentParser(
        description="Run the tests on every interpreter found.", epilog=TIERS,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    tier = parser.add_mutually_exclusive_group()
    for name in (tiers.QUICK, tiers.NIGHTLY):
        tier.add_argument("--" + name, action="store_const", dest="tier", const=name,
                          default=tiers.FULL, help="the %s tier, see below" % name)
    parser.add_argument("--coverage", action="store_true",
                        help="say which part of the package's lines the tests reach, and hold the "
                             "floor; the verdicts of the tests do not count")
    parser.add_argument("--only", action="append", metavar="X.Y", help="run on this version only")
    parser.add_argument("--list", action="store_true", help="say which interpreters there are")
    parser.add_argument("names", nargs="*", metavar="NAME", help="test modules, classes, methods")
    options = parser.parse_args(arguments)
    options.only = [version for text in options.only or [] for version in text.split(",")]
    unknown = [version for version in options.only if version not in interpreters.VERSIONS]
    if unknown:
        parser.error("not a version that is tested: %s (known: %s)" % (
            ", ".join(unknown), ", ".join(interpreters.VERSIONS)))
    return options


def _newest(versions, found):
    """The newest of *versions* that is here, one that can have an environment if there is one."""
    here = [version for version in interpreters.VERSIONS if version in versions
            and version in found]
    return ([each for each in here if found[each].maker] or here or versions)[-1:]


def _announcer(version):
    return lambda test: _say("FAILED [%s] %s" % (version, test))


def _perform(chosen, options, runner, logs, every, measuring):
    """Run the chosen. Returns whether they came to their end (not Ctrl-C)."""
    folder = tempfile.mkdtemp(prefix="leakfix-everywhere-")
    # Taken from its end: the checks, then those that run the most tests, then the newest.
    waiting = sorted(chosen, key=lambda run: (run.version in MOST, run.version == checks.NAME))

    def work():
        while waiting:
            try:
                run = waiting.pop()
            except IndexError:
                return
            working.append(run)
            try:
                run.perform(options.names, folder, runner, options.tier, measuring)
            except Exception as problem:  # a worker that dies would lose its interpreters
                run.fail("tests/everywhere.py", repr(problem))
            working.remove(run)
            _say(run.line())

    working, workers = [], [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for worker in workers:
        worker.daemon = True
        worker.start()
    started = last = time.time()
    whole = False
    try:
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.05)  # not join(), so that Ctrl-C is heard on 2.7
            if time.time() - last >= every:
                last = time.time()
                _say("[%d s] %s"
                     % (last - started, " | ".join(run.progress() for run in list(working))))
        if measuring is not None:
            measuring.combine(folder, runner, chosen)
            _say(measuring.line())
        whole = True
    except KeyboardInterrupt:
        del waiting[:]
        _say("Interrupted: ending what runs")
        runner.stop()
        for worker in workers:
            worker.join(15)
    finally:
        _keep_logs(folder, logs)
    return whole


def _keep_logs(folder, kept):
    if not os.path.isdir(kept):
        os.makedirs(kept)
    for name in os.listdir(folder):
        if not name.startswith("measured."):
            shutil.copy(os.path.join(folder, name), kept)
    shutil.rmtree(folder, ignore_errors=True)


_printing = threading.Lock()


def _say(text):
    # 2.7 has no encoding for a pipe, and a console's may lack what a failure's text holds.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    encoded = (text + "\n").encode(encoding, "backslashreplace")
    with _printing:
        sys.stdout.write(encoded if str is bytes else encoded.decode(encoding))
        sys.stdout.flush()


def _print_failures(chosen):
    for run in chosen:
        for test, text in run.failures:
            _say("\n%s\nFAIL: %s [%s]\n%s\n%s" % ("=" * 70, test, run.name, "-" * 70,
                                                 text.rstrip("\n")))


def _print_longest(chosen):
    longest = sorted(((seconds, name, run.version) for run in chosen
                      for seconds, name in run.modules), reverse=True)[:LONGEST]
    if longest:
        _say("\nThe longest of %d modules:" % sum(len(run.modules) for run in chosen))
    for seconds, name, version in longest:
        _say("%5d s  %s (%s)" % (seconds, name, version))


def _print_skipped(chosen):
    reasons = {}
    for run in chosen:
        for _, reason in run.skips:
            reasons.setdefault(reason, []).append(run.version)
    _say("\nSkipped:" if reasons else "")
    for reason in sorted(reasons):
        versions = [v for v in [checks.NAME, measured.NAME] + interpreters.VERSIONS
                    if v in reasons[reason]]
        _say("%5d  %s (%s)" % (len(reasons[reason]), reason, ", ".join(versions)))
    _say("")


def listen():
    """Have SIGTERM (a job that is cancelled) end the command as Ctrl-C does, wherever it runs."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    listen()
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before anything ran, or a second time
        sys.exit("interrupted")
