"""In a child process: which tests run, and what becomes of the victim. Also unittest's program.

What is to run stands in a *plan*, a JSON file that the environment names. What happens is appended
to another file, line by line, so that it is known also of a process that died.
"""
from __future__ import annotations

import json
import os
import sys
import unittest
from copy import copy
from types import FunctionType
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Set

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import PASSING
from unittest_leakfix.cli import LeakFixProgram
from unittest_leakfix.polluter.frameworks import top_of
from unittest_leakfix.polluter.growth import Growth
from unittest_leakfix.polluter.ids import FAILED, PASSED, PLAN, SKIPPED, NotOne, Numbered, match
from unittest_leakfix.runner import LeakFixTestRunner

__unittest = True
bind(globals())

_open, _write, _close = os.open, os.write, os.close
_flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_dumps, _loads = json.dumps, json.loads
_getpid = os.getpid

# The worst counts.
_WORSE = (PASSED, SKIPPED, FAILED)


class Plan:
    """The plan of this process, and the file that it writes to.

    ``only``: the tests that run, by their names, the victim last; None: all up to the victim.
    """

    def __init__(self) -> None:
        # Out of the environment: it is not meant for the tests' own processes.
        with open(os.environ.pop(PLAN), encoding="utf-8") as file:
            value = _loads(file.read())
        self.only: Optional[List[str]] = value["only"]
        self.times: int = value.get("times", 1)
        self._growth = Growth(value["growth"]) if value.get("growth") else None
        self._file: str = value["events"]
        self._pid = _getpid()
        self.typed: str = value["victim"]
        self.victim = ""        # its whole name, once the tests are known
        self._outcome = ""
        self._text = ""
        self._ended = False
        self._started = Numbered()

    def note(self, event: str, **facts: Any) -> None:
        """Write that *event* happened; not in the child of a test that forked."""
        if _getpid() != self._pid:
            return
        try:
            file = _open(self._file, _flags, 0o600)
            try:
                _write(file, (_dumps(dict(facts, event=event)) + "\n").encode("ascii"))
            finally:
                _close(file)
        except OSError:     # a test has used up the descriptors
            pass

    def chosen(self, names: Sequence[str], modules: Iterable[str], **facts: Any) -> List[bool]:
        """Return of each of *names*, those of all tests that were collected, whether it is to run.

        Where the victim is not among them, nothing is. *modules* are those of the tests, as they
        are typed; they and *facts* are noted with the list.
        """
        try:
            self.victim = match(self.typed, names)
        except NotOne as error:
            self.note("absent", victim=self.typed, like=error.like, count=len(names))
            return [False] * len(names)
        before = names[:names.index(self.victim)]
        self.note("tests", victim=self.victim, before=before, total=len(names),
                  modules=list(dict.fromkeys(modules)), **facts)
        if self._growth is not None:
            self._growth.begin()
        wanted = set(before if self.only is None else self.only) | {self.victim}
        return [name in wanted for name in names]

    def started(self, name: str) -> None:
        """The test *name* starts."""
        self.note("start", test=name)
        if self._growth is not None:
            self._growth.look()

    def became(self, outcome: str, error: Optional[BaseException] = None, text: str = "") -> None:
        """The victim got *outcome*, perhaps one of several."""
        if not self._outcome or _WORSE.index(outcome) > _WORSE.index(self._outcome):
            self._outcome = outcome
            self._text = redaction.cut(redaction.redact(text or _message(error)), 300)

    def ended(self) -> None:
        """The victim is over."""
        if not self._ended and self._outcome:
            self._ended = True
            self.note("end", outcome=self._outcome, text=self._text)

    def over(self) -> None:
        """The run is over."""
        if self._growth is not None:
            self._growth.write()
        self.ended()
        self.note("over")

    # unittest's tests, and Django's.

    def name_of(self, test: Any) -> str:
        """Return the name of a test that starts now."""
        return self._started(test.id())

    def is_fixture_of_victim(self, test: Any) -> bool:
        """Tell whether *test* stands for a fixture around the victim that failed or skipped."""
        name = _id(test)
        inner = name[name.find("(") + 1:-1] if name.endswith(")") else ""
        return bool(inner) and (self.victim + ".").startswith(inner + ".")

    def pruned(self, suite: Any, **facts: Any) -> Any:
        """Take out of *suite* what is not to run, and return it. What has another order stays in
        its suite, so that its own fixtures do."""
        tests = list(_tests(suite))
        numbered = Numbered()
        names = [numbered(_id(test)) for test in tests]
        modules = [type(test).__module__ for test in tests]
        module = _module_of(self.typed, names, modules)
        chosen = self.chosen(names, modules, uses=used_modules(module), top=top_of(module), **facts)
        chosen_ids = {id(test) for test, wanted in zip(tests, chosen) if wanted}
        if issubclass(type(suite), unittest.TestSuite):
            _prune(suite, chosen_ids, self.times)
            return suite
        return suite if chosen_ids else unittest.TestSuite()


def _id(test: Any) -> str:
    try:
        return str(test.id())
    except PASSING:
        raise
    except BaseException:   # one that needs what its setUp makes
        return "%s.%s.%s" % (type(test).__module__, type(test).__qualname__,
                             getattr(test, "_testMethodName", "?"))


def _tests(suite: Any) -> Iterator[Any]:
    if isinstance(suite, unittest.TestCase) or not hasattr(suite, "__iter__"):
        yield suite
    else:
        for each in suite:
            yield from _tests(each)


def _prune(suite: Any, chosen_ids: Set[int], times: int) -> None:
    tests = getattr(suite, "_tests", None)
    if type(tests) is not list:
        return
    for each in tests:
        if not isinstance(each, unittest.TestCase):
            _prune(each, chosen_ids, times)
    suite._tests = [twin for each in tests if id(each) in chosen_ids or not isinstance(
        each, unittest.TestCase) and any(True for _ in _tests(each))
        for twin in ([each] if not isinstance(each, unittest.TestCase)
                     else [each] + [_twin(each) for _ in range(times - 1)])]


def _twin(test: unittest.TestCase) -> unittest.TestCase:
    """Return another instance of *test*, which has not run: as it was made, whatever its
    ``__init__`` took."""
    twin = copy(test)
    twin._cleanups = []     # type: ignore[attr-defined]
    return twin


def _module_of(victim: str, names: Sequence[str], modules: Sequence[str]) -> str:
    """Return the one of *modules* that has the *victim*, "" for none."""
    try:
        return modules[names.index(match(victim, names))]
    except NotOne:
        return ""


def used_modules(name: str) -> List[str]:
    """Return the names of modules of which the module *name* has something, itself among them."""
    if name not in sys.modules:
        return []
    found = {name}
    for value in list(vars(sys.modules[name]).values()):
        if type(value) is type(sys):
            origin = value.__name__
        elif isinstance(value, (type, FunctionType)):
            origin = value.__module__
        else:
            origin = type(value).__module__
        if isinstance(origin, str) and origin != "builtins":
            found.add(origin)
    return sorted(found)


def _message(error: Optional[BaseException]) -> str:
    if error is None:
        return ""
    try:
        text = str(error).strip()
    except PASSING:
        raise
    except BaseException:   # a __str__ of its own
        text = ""
    return "%s: %s" % (type(error).__name__, text.splitlines()[0]) if text else type(error).__name__


class RecordingMixin:
    """Put before a result class: writes down what becomes of the victim.

    With a plan for the whole suite it stops the run after the victim.
    """

    leakfix_plan: Plan
    _leakfix_is_victim = False
    _leakfix_after = False      # the victim is over
    _leakfix_open = False       # a test has started

    def startTest(self, test: Any) -> None:
        """Called when *test* starts."""
        name = self.leakfix_plan.name_of(test)
        self._leakfix_is_victim = name == self.leakfix_plan.victim
        self._leakfix_open = True
        self.leakfix_plan.started(name)
        super().startTest(test)     # type: ignore[misc]

    def stopTest(self, test: Any) -> None:
        """Called when *test* is over."""
        super().stopTest(test)      # type: ignore[misc]
        if self._leakfix_is_victim:
            self._leakfix_is_victim = False
            self.leakfix_plan.ended()
        self._leakfix_open = False

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)    # type: ignore[misc]
        self._leakfix_became(test, PASSED)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)   # type: ignore[misc]
        self._leakfix_became(test, FAILED, err)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)     # type: ignore[misc]
        self._leakfix_became(test, FAILED, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)      # type: ignore[misc]
        if err is not None:
            self._leakfix_became(test, FAILED, err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)   # type: ignore[misc]
        if not self._leakfix_open and isinstance(test, unittest.TestCase):
            # 3.12.1 starts no test that a decorator skips.
            if self.leakfix_plan.name_of(test) == self.leakfix_plan.victim:
                self.leakfix_plan.became(SKIPPED, text=reason)
                self.leakfix_plan.ended()
            return
        self._leakfix_became(test, SKIPPED, text=reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)   # type: ignore[misc]
        self._leakfix_became(test, PASSED)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)      # type: ignore[misc]
        self._leakfix_became(test, FAILED, text="unexpected success")

    def _leakfix_became(self, test: Any, outcome: str, err: Any = None, text: str = "") -> None:
        if self._leakfix_is_victim or (not self._leakfix_open
                                       and self.leakfix_plan.is_fixture_of_victim(test)):
            self.leakfix_plan.became(outcome, err[1] if err else None, text)


def recording(kind: Any, plan: Plan) -> Any:
    """Return a result class like *kind* that records for *plan*."""
    return type(kind.__name__, (RecordingMixin, kind), {"leakfix_plan": plan})


class SelectingProgram(LeakFixProgram):
    """unittest's command line, with the tests of a plan."""

    plan: Plan
    test: Any

    def _run_tests(self, watch: Any = None) -> None:
        if self.shuffle is not None:
            from unittest_leakfix.shuffle import shuffled
            self.test, self.shuffle = shuffled(self.test, self.shuffle), None
        self.failfast = False
        self.test = self.plan.pruned(self.test)
        self.testRunner = type("Runner", (LeakFixTestRunner,), {
            "resultclass": recording(LeakFixTestRunner.resultclass, self.plan)})
        super()._run_tests(watch)   # type: ignore[misc]

    def runTests(self) -> None:
        """Run the tests of the plan."""
        try:
            super().runTests()
        finally:
            self.plan.over()


def main() -> None:
    """Run unittest's command line with the plan that the environment names."""
    SelectingProgram.plan = Plan()
    sys.argv[0] = "python -m unittest_leakfix"
    SelectingProgram(module=None)


if __name__ == "__main__":
    main()
