"""The command ``python -m unittest_leakfix polluter VICTIM``: which tests break this one."""
from __future__ import annotations

import argparse
import sys
from typing import Any, List, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.options import seeded
from unittest_leakfix.polluter import text
from unittest_leakfix.polluter.children import CannotRun, Children
from unittest_leakfix.polluter.frameworks import FRAMEWORKS, Framework, add_arguments, check_name
from unittest_leakfix.polluter.ids import PASSED
from unittest_leakfix.polluter.inquiry import FOUND, Inquiry, Run

__unittest = True
bind(globals())

# The exit status.
DONE, NOTHING, FAULT, INTERRUPTED = 0, 1, 2, 130

LIMIT = 300.0

_USAGE = ("python -m unittest_leakfix polluter [--pytest | --django] [--jobs N] [--json FILE] "
          "[--limit SECONDS] VICTIM [ARGUMENTS]")
_DESCRIPTION = """\
Find the tests that make VICTIM fail: it fails after others, and passes alone. Also the other way
round: the tests that it needs to have run before it. The tests run in child processes; ARGUMENTS
are those with which they are run as a whole, by python -m unittest_leakfix ("discover -s tests",
"--shuffle 7"; none: discovery from here), by pytest or by manage.py test.
"""
_EPILOG = """\
VICTIM is the name of a test, as unittest or as pytest writes it, or the end of it:
  tests.test_shop.OrderTests.test_total, OrderTests.test_total, tests/test_shop.py::test_total

exit status: 0 found; 1 nothing to find: it fails alone, passes, or is not the same each time; 2
  wrong arguments, no such test, or the tests cannot be run; 130 Ctrl-C. With --after 0 if it
  passes, else 1.
A test module of the name "polluter" is run by: python -m unittest_leakfix polluter.py
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with these *arguments*, and return its exit status."""
    options, rest = _options(arguments)
    victim, rest = rest[0], rest[1:]
    framework = FRAMEWORKS[options.framework](
        seeded(rest) if options.framework == "unittest" else rest)
    children = Children(framework, victim, options.limit)
    try:
        if options.after:
            return _after(children, options.after, framework)
        return _inquire(children, framework, options)
    except CannotRun as error:
        sys.stderr.write("error: %s\n" % error)
        return FAULT
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        children.close()


def _inquire(children: Children, framework: Framework, options: argparse.Namespace) -> int:
    shown: List[Run] = []

    def progress(run: Run) -> None:
        shown.append(run)
        if run.outcome.tests is not None and len(shown) == 1:
            sys.stderr.write("%s: %s of %s tests stand before it\n" % (
                run.outcome.tests.victim, format(len(run.outcome.tests.before), ","),
                format(run.outcome.tests.total, ",")))
        sys.stderr.write(text.progress(len(shown), run) + "\n")
        sys.stderr.flush()
    sys.stderr.write("polluter: all tests up to %s run first, in a child process\n"
                     % children.victim)
    answer = Inquiry(children, options.jobs, progress).answer()
    sys.stderr.write("\n")
    sys.stderr.flush()
    sys.stdout.write(text.render(answer, framework))
    sys.stdout.flush()
    if options.json:
        try:
            with open(options.json, "w", encoding="utf-8") as file:
                file.write(text.to_json(answer, framework))
        except OSError as error:
            sys.stderr.write("error: --json: %s\n" % error)
            return FAULT
    return DONE if answer.answer in FOUND else NOTHING


def _after(children: Children, names: List[str], framework: Framework) -> int:
    outcome = children.run([*names, children.victim], shown=True)
    sys.stderr.write("polluter: after %s it %s\n" % (", ".join(names), outcome.kind))
    return DONE if outcome.kind == PASSED else NOTHING


def _options(arguments: Sequence[str]) -> Tuple[Any, List[str]]:
    """Return our options, and the other arguments with the victim first. Ours may stand anywhere:
    the rest is for the framework."""
    parser = argparse.ArgumentParser(
        prog="python -m unittest_leakfix polluter", usage=_USAGE, description=_DESCRIPTION,
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "unittest", "run the tests by pytest", "run them")
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N",
                        help="run N child processes at the same time; tests that share a database "
                        "or files do not bear it (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="write the answer to FILE as JSON")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS",
                        help="end a child process in which no test starts or ends for so long "
                        "(default: %d)" % LIMIT)
    parser.add_argument("--after", action="append", metavar="TEST",
                        help="do not search: run TEST (several times: each) and then VICTIM, with "
                        "all modules loaded")
    ours: List[str] = []
    rest: List[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word in ("-h", "--help") and not rest:
            ours.append(word)
        elif word in ("--pytest", "--django"):
            ours.append(word)
        elif word.partition("=")[0] in ("--jobs", "--json", "--limit", "--after"):
            ours.append(word)
            if "=" not in word and words:
                ours.append(words.pop(0))
        else:
            rest.append(word)
    options = parser.parse_args(ours)
    check_name(parser, rest)
    return options, rest


def _jobs(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number
