#!/usr/bin/env python
"""Run the tests on every interpreter of this machine: ``python tests/everywhere.py``.

Finds CPython 2.7 and 3.6 to 3.14 (a pyenv's and those on the PATH), makes an environment for each
under .envs/ (kept for the next run), runs the tests in each, three at a time, and says what was
skipped and why. The last line is ``N passed, M failed, K skipped``; the exit status is 1 when
anything failed or nothing ran.

For developers: ``--list`` says which interpreters there are, ``--only 3.12 --only 2.7`` (or
``--only 3.12,2.7``) runs on those, and names after the options choose test modules, classes or
methods (``test_runner``, ``test_runner.RunnerTests.test_passes``).
"""

from __future__ import absolute_import

import argparse
import os
import shutil
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[0] = ROOT  # not tests/: its modules are the package's

from tests import interpreters, runs  # noqa: E402

AT_ONCE = 3  # on two cores: a third of the time is spent waiting for servers and child processes


def main(arguments=None):
    """Run, print, and return the exit status."""
    options = _options(arguments)
    found = interpreters.find()
    if options.list:
        for version in interpreters.VERSIONS:
            here = found.get(version)
            _say("%-5s %s" % (version, "%-8s %s" % (here.full, here.path) if here else "-"))
        return 0
    chosen = [runs.Run(version, found.get(version))
              for version in options.only or interpreters.VERSIONS]
    for run in chosen:
        if run.interpreter is None:
            run.skip("interpreter", "Python %s not found" % run.version)
    _perform([run for run in chosen if run.interpreter is not None], options.names)
    _print_failures(chosen)
    _print_skipped(chosen)
    passed, failed = sum(run.passed for run in chosen), sum(run.failed for run in chosen)
    _say("%d passed, %d failed, %d skipped" % (passed, failed, sum(run.skipped for run in chosen)))
    return 0 if passed and not failed else 1


def _options(arguments):
    parser = argparse.ArgumentParser(description="Run the tests on every interpreter found.")
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


def _perform(chosen, names):
    folder = tempfile.mkdtemp(prefix="leakfix-everywhere-")
    waiting, printing = list(chosen), threading.Lock()

    def work():
        while waiting:
            try:
                run = waiting.pop()  # the newest first
            except IndexError:
                return
            try:
                run.perform(names, folder)
            except Exception as problem:  # a worker that dies would lose its interpreters
                run.fail("tests/everywhere.py", repr(problem))
            with printing:
                _say(run.line())

    workers = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for worker in workers:
        worker.daemon = True
        worker.start()
    try:
        for worker in workers:
            while worker.is_alive():  # with a limit, so that Ctrl-C is heard on 2.7
                worker.join(3600)
    finally:
        runs.stop()
        _keep_logs(folder)


def _keep_logs(folder):
    kept = os.path.join(interpreters.ENVIRONMENTS, "logs")
    if not os.path.isdir(kept):
        os.makedirs(kept)
    for name in os.listdir(folder):
        shutil.copy(os.path.join(folder, name), kept)
    shutil.rmtree(folder)


def _say(text):
    # 2.7 has no encoding for a pipe, and a console's may lack what a failure's text holds.
    encoding = sys.stdout.encoding or "utf-8"
    encoded = (text + "\n").encode(encoding, "backslashreplace")
    sys.stdout.write(encoded if str is bytes else encoded.decode(encoding))
    sys.stdout.flush()


def _print_failures(chosen):
    for run in chosen:
        for test, text in run.failures:
            _say("\n%s\nFAIL: %s [%s]\n%s\n%s" % ("=" * 70, test, run.name, "-" * 70,
                                                 text.rstrip("\n")))


def _print_skipped(chosen):
    reasons = {}
    for run in chosen:
        for _, reason in run.skips:
            reasons.setdefault(reason, []).append(run.version)
    _say("\nSkipped:" if reasons else "")
    for reason in sorted(reasons):
        versions = [v for v in interpreters.VERSIONS if v in reasons[reason]]
        _say("%5d  %s (%s)" % (len(reasons[reason]), reason, ", ".join(versions)))
    _say("")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
