"""The command ``python -m unittest_leakfix explain TEST``: what one test leaves, and why."""
from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, List, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import is_fixture, is_node_id
from unittest_leakfix.leaks.model.kinds import rank
from unittest_leakfix.leaks.report import json_report
from unittest_leakfix.leaks.report.terminal import style_for
from unittest_leakfix.options import seeded
from unittest_leakfix.polluter import explanation
from unittest_leakfix.polluter.children import CannotRun, Children, Outcome
from unittest_leakfix.polluter.command import DONE, FAULT, INTERRUPTED, LIMIT, NOTHING
from unittest_leakfix.polluter.frameworks import FRAMEWORKS, Tests, add_arguments, check_name

__unittest = True
bind(globals())

_NO_MODULE = "unittest.loader._FailedTest."

TIMES = 4
"""How often the test runs and is measured, unless another number is given."""

_USAGE = ("python -m unittest_leakfix explain [--pytest | --django] [--times N] [--json FILE] "
          "[--limit SECONDS] TEST [ARGUMENTS]\n"
          "       python -m unittest_leakfix explain REPORT.json [N]")
_DESCRIPTION = """\
Run one test several times in a child process and tell what it leaves each time from the warm-up
of its first: the lines that allocate what grows (tracemalloc), and of each leak where it was
opened or made, what holds it, and its size. ARGUMENTS are those with which the tests are run as a
whole, where the name alone is not enough. REPORT.json is a report of --leaks-json: the test of its
cause N is run, the first one without N.
"""
_EPILOG = """\
exit status: 0 it leaks; 1 it does not; 2 wrong arguments, no such test, or it cannot be run;
  130 Ctrl-C.
A test module of the name "explain" is run by: python -m unittest_leakfix explain.py
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with these *arguments*, and return its exit status."""
    options, rest = _options(arguments)
    try:
        test, rest = _test(rest)
    except ValueError as error:
        sys.stderr.write("error: %s\n" % error)
        return FAULT
    name = options.framework or ("pytest" if is_node_id(test) else "unittest")
    children = Children(FRAMEWORKS[name](seeded(rest) if name == "unittest" else rest), test,
                        options.limit)
    try:
        outcome, traced = _runs(children, test, rest, options.times + 1)
        if outcome.report is None:
            raise CannotRun("%s was not measured: %s" % (test, outcome.text or "no report came"))
        explained = explanation.of_outcome(outcome, traced,
                                           json_report.from_value(outcome.report))
        sys.stdout.write(explanation.render(explained, style_for(sys.stdout)))
        sys.stdout.flush()
        if options.json:
            value = dict(explanation.to_value(explained), report=outcome.report)
            with open(options.json, "w", encoding="utf-8") as file:
                file.write(json.dumps(value, indent=2) + "\n")
    except (CannotRun, OSError) as error:
        sys.stderr.write("error: %s\n" % error)
        return FAULT
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        children.close()
    return DONE if explained.leaks else NOTHING


def _runs(children: Children, test: str, rest: List[str], times: int) -> Tuple[Outcome, Outcome]:
    """Run it in two processes: one finds leaks, in the other one what grows is traced, which takes
    many times as long for what finding does. Run it by its name; where that is not enough, choose
    it among all tests."""
    named = [] if rest else [test]
    if named:
        try:
            outcome = children.run([test], find=True, named=named, tests=Tests(test, ()),
                                   times=times)
            if outcome.tests is not None and outcome.tests.victim.startswith(_NO_MODULE):
                # The end of a name, which was taken for a module: perhaps it is one of all tests.
                try:
                    return (children.run([test], find=True, times=times),
                            children.run([test], times=times, traces=True))
                except CannotRun:
                    pass
            return outcome, children.run([test], named=named, tests=Tests(test, ()), times=times,
                                         traces=True)
        except CannotRun:
            pass
    outcome = children.run([test], find=True, times=times)
    return outcome, children.run([test], times=times, traces=True)


def _test(rest: List[str]) -> Tuple[str, List[str]]:
    """Return the name of the test, and the other arguments. Raises ValueError for a report that
    does not say."""
    name, rest = rest[0], rest[1:]
    if not (name.endswith(".json") and os.path.exists(name)):
        return name, rest
    try:
        causes = sorted(json_report.load(name).leaks, key=rank)
    except (OSError, ValueError) as error:
        raise ValueError("%s: %s" % (name, error)) from None
    number = int(rest[0]) if rest and rest[0].isdigit() else 1
    rest = rest[1:] if rest and rest[0].isdigit() else rest
    if not 1 <= number <= len(causes):
        raise ValueError("%s has %d causes, and not a number %d" % (name, len(causes), number))
    tests = [each for each in (*causes[number - 1].tests, *causes[number - 1].candidates)
             if not is_fixture(each)]
    if not tests:
        raise ValueError("cause %d was left by %s, which is not a test: name one of its tests"
                         % (number, ", ".join(causes[number - 1].tests) or "no known test"))
    return tests[0], rest


def _options(arguments: Sequence[str]) -> Tuple[Any, List[str]]:
    """Return our options, and the other arguments. Ours may stand anywhere."""
    parser = argparse.ArgumentParser(
        prog="python -m unittest_leakfix explain", usage=_USAGE, description=_DESCRIPTION,
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "", "run it by pytest, as a name with :: is anyway",
                  "run it")
    parser.add_argument("--times", type=_times, default=TIMES, metavar="N",
                        help="measure N runs, of which the first is warm-up (default: %d)" % TIMES)
    parser.add_argument("--json", metavar="FILE", help="write the explanation to FILE as JSON")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS",
                        help="end the child process if a run takes longer (default: %d)" % LIMIT)
    options, rest = parser.parse_known_args(list(arguments))
    check_name(parser, rest)
    return options, rest


def _times(value: str) -> int:
    number = int(value)
    if number < 2:
        raise ValueError(value)
    return number
