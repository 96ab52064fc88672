"""pytest's reports of the tests: what each test left is added to them, or is an error of the
test."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Collection, Dict, List, NamedTuple, Tuple

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.report import text_report

__unittest = True
bind(globals())

PROPERTY = "leak"


class FailureText(NamedTuple):
    """What is reported of one test: an error's text, and a property for each leak."""

    test: str
    message: str
    properties: Tuple[Tuple[str, str], ...]


class Reports:
    """Keeps the reports of tests of which something may be reported later: objects are judged at
    the end."""

    def __init__(self, config: pytest.Config, failing: bool) -> None:
        self.failures: List[FailureText] = []
        self._config = config
        self._failing = failing
        self._worker = hasattr(config, "workerinput")   # of xdist: the controller has the reports
        self._reports: Dict[str, Any] = {}      # by node id: that of the tear-down
        self._xml: Dict[str, Any] = {}          # by node id: the element in the making
        self._last = ""                         # the test that ended last

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the report of a tear-down."""
        if report.when == "teardown" and not getattr(report, "leakfix", False):
            self._last = report.nodeid
            self._reports[report.nodeid] = report
            if not self._worker:
                self._xml[report.nodeid] = _element_of(self._config, report)

    def over(self, wanted: Collection[str]) -> None:
        """A module is over: of its reports only those of the tests *wanted* will be needed."""
        wanted = {self._last, *wanted}
        self._reports = {name: value for name, value in self._reports.items() if name in wanted}
        self._xml = {name: value for name, value in self._xml.items() if name in wanted}

    def leaks(self, leaks: List[Leak]) -> None:
        """Add *leaks*, which are not known, to the reports of their tests.

        What a scope's fixture left goes to the test that was torn down with it, as in pytest.
        """
        of_test: Dict[str, List[Leak]] = {}
        for leak in leaks:
            of_test.setdefault(leak.left_by if leak.left_by in self._reports else self._last,
                               []).append(leak)
        for name, mine in of_test.items():
            failure = FailureText(name, _message(name, mine),
                        tuple((PROPERTY, text_report.one_line(leak)) for leak in mine))
            if self._worker:
                self.failures.append(failure)
            else:
                self.add(failure)

    def add(self, failure: FailureText) -> None:
        """Add *failure* to the report of its test; make an error of it if leaks are failures."""
        report = self._reports.get(failure.test)
        if report is not None:
            report.user_properties += failure.properties
            _add_properties(self._xml.get(failure.test), failure.properties)
        if self._failing:
            self._error(failure, report)

    def error(self, failure: FailureText) -> None:
        """Report *failure* as an error in the tear-down of its test, whatever leaks are."""
        self._error(failure, self._reports.get(failure.test))

    def _error(self, failure: FailureText, like: Any) -> None:
        """Report an error in the tear-down of a test, whose own report is *like* it."""
        report: Any = pytest.TestReport(
            nodeid=failure.test, when="teardown", outcome="failed",
            longrepr=_longrepr(failure.message),
            location=like.location if like is not None
            else (failure.test.partition("::")[0], None, failure.test),
            keywords=like.keywords if like is not None else {},
            user_properties=list(failure.properties))
        report.leakfix = True
        for name in ("node", "worker_id"):      # of xdist
            if hasattr(like, name):
                setattr(report, name, getattr(like, name))
        self._config.hook.pytest_runtest_logreport(report=report)


def _message(name: str, leaks: List[Leak]) -> str:
    """Return one line a leak; what was not left by the test *name* itself names the test that left
    it.

    The first line has the first leak: it is all that pytest's short summary shows.
    """
    shown = [leak if name in leak.tests
             else replace(leak, subject="%s (by %s)" % (leak.subject, leak.left_by))
             for leak in leaks]
    first, *others = text_report.failure_text(shown).split("\n")[1:]
    return "\n".join(["%s: %s" % ("leak" if len(shown) == 1 else "%d leaks" % len(shown),
                                  first.strip())] + others)


def _longrepr(message: str) -> Any:
    """Return *message* as pytest shows the text of a failure, with no traceback."""
    try:
        pytest.fail(message, pytrace=False)
    except BaseException:
        info: Any = pytest.ExceptionInfo.from_current().getrepr(style="value")
    if getattr(info, "reprcrash", None) is not None:
        info.reprcrash.message = message    # without "Failed: ", for the short summary
    return info


def _element_of(config: pytest.Config, report: Any) -> Any:
    """Return what makes the test's element of the JUnit file, before it is finished; None without
    one."""
    xml = _junit(config)
    if xml is None:
        return None
    try:
        return xml.node_reporter(report)
    except Exception:   # pytest's own affairs: then the file has it in the error only
        return None


def _junit(config: pytest.Config) -> Any:
    from _pytest.junitxml import xml_key
    stash = getattr(config, "stash", None)
    return None if stash is None else stash.get(xml_key, None)


def _add_properties(reporter: Any, properties: Any) -> None:
    """Add *properties* to the finished element of a test."""
    if reporter is None:
        return
    import xml.etree.ElementTree as ElementTree
    try:
        element = reporter.to_xml()
        place = element.find("properties")
        if place is None:
            place = ElementTree.Element("properties")
            element.insert(0, place)
        for name, value in properties:
            place.append(ElementTree.Element("property", name=name, value=value))
    except Exception:
        pass
