"""pytest-xdist: each worker finds on its own and sends what it found; the controller tells all of
it."""
from __future__ import annotations

from dataclasses import replace
from json import dumps, loads
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.instance_release import Tally

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model.leak import Findings

__unittest = True
bind(globals())

_KEY = "leakfix"
_LOST = "worker %s crashed: what its tests left behind is not known"


def baseline_of(config: pytest.Config) -> Optional[str]:
    """Return the text of the baseline that the controller has read; None where this is not a
    worker.

    A worker on another machine has no such file.
    """
    text = getattr(config, "workerinput", {}).get(_KEY)
    return text if isinstance(text, str) else None


class XdistWorker:
    """Sends what this worker found."""

    def __init__(self, config: Any, following: Any, watching: Any) -> None:
        self._config = config
        self._following = following
        self._watching = watching

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Put it where xdist takes it from when all of these hooks are done."""
        tally: Tally = self._following.tally
        sent: Dict[str, Any] = {"tally": tally.counts()}
        if self._watching is not None:
            from unittest_leakfix.leaks.report import json_report
            found = replace(self._watching.findings(), worker=self._config.workerinput["workerid"])
            sent["findings"] = json_report.to_value(found)
            sent["ran"] = sorted(found.ran)
            sent["failures"] = [
                [failure.test, failure.message, [list(pair) for pair in failure.properties]]
                for failure in self._watching.reports.failures]
        # As JSON: execnet sends no surrogates, which names of files have.
        self._config.workeroutput[_KEY] = dumps(sent)


class XdistController:
    """Takes what the workers found, as each is done."""

    def __init__(self, following: Any, watching: Any) -> None:
        self.parts: List[Findings] = []
        self.lost: List[str] = []
        self._following = following
        self._watching = watching

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to start: it is given the baseline."""
        baseline = getattr(self._watching, "baseline", None)
        if baseline is not None:
            node.workerinput[_KEY] = baseline.text

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """A worker is done, or has crashed."""
        output = getattr(node, "workeroutput", None)
        if output is None:
            self.lost.append(_LOST % node.gateway.id)
            return
        sent = output.pop(_KEY, None)
        if sent is None:
            return
        sent = loads(sent)
        tally: Tally = self._following.tally
        tally.merge(sent["tally"])
        if self._watching is not None:
            from unittest_leakfix.leaks.report import json_report
            from unittest_leakfix.pytest_plugin.failure_text import FailureText
            found = json_report.from_value(sent["findings"])
            self.parts.append(replace(found, ran=frozenset(sent["ran"])))
            for test, message, properties in sent["failures"]:
                self._watching.reports.add(
                    FailureText(test, message, tuple((name, value) for name, value in properties)))

    def findings(self) -> Optional[Findings]:
        """Return what all of them found; None when there was no worker."""
        if not self.parts and not self.lost:
            return None
        from unittest_leakfix.leaks.model.leak import merge
        found = merge(self.parts)
        baseline = getattr(self._watching, "baseline", None)
        return found if baseline is None else baseline.compared(found)
