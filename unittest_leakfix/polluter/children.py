"""The child processes: started with a plan, watched, ended if they stand still."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind
from unittest_leakfix.polluter.frameworks import Framework, Tests
from unittest_leakfix.polluter.ids import AGAIN, FAILED, PLAN, RECORDED

__unittest = True
bind(globals())

LOST = "lost"
"""What became of a victim that did not run, since the process ended or stood still before it."""

_PATIENCE = 10.0    # for the end of a process whose tests are over
_POLL = 0.05
_TAIL = 4000


class CannotRun(Exception):
    """The tests cannot be run at all; the text says why."""


class Outcome(NamedTuple):
    """What one run showed."""

    kind: str
    """``passed``, ``failed``, ``skipped``, or ``lost``."""
    text: str = ""
    """What the victim said, or why it is lost."""
    seconds: float = 0.0
    tests: Optional[Tests] = None
    leaks: Tuple[Dict[str, Any], ...] = ()
    """Of the JSON report, if leaks were found."""
    stuck: str = ""
    """The test in which the process ended or stood still."""
    state: Tuple[Dict[str, Any], ...] = ()
    """Of the JSON report: what was changed in the application, a leak or not."""
    report: Optional[Dict[str, Any]] = None
    """The JSON report itself."""
    growth: Optional[Dict[str, Any]] = None
    """What `growth.Growth` has written."""


class Children:
    """Runs tests in child processes.

    *limit*: a child in which no test starts or ends for that many seconds is ended.
    """

    def __init__(self, framework: Framework, victim: str, limit: float) -> None:
        self.framework = framework
        self.victim = victim
        self.limit = limit
        self._folder = tempfile.mkdtemp(prefix="leakfix-polluter-")
        self._number = 0
        self._running: Set["subprocess.Popen[bytes]"] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, only: Optional[Sequence[str]] = None, find: bool = False,
            named: Optional[Sequence[str]] = None, tests: Optional[Tests] = None,
            shown: bool = False, times: int = 1, traces: bool = False) -> Outcome:
        """Run the tests *only*, the victim among them; None: all up to it.

        *named*: of these tests or modules, which *tests* are of, and no other module is loaded.
        *find*: leaks are found as well. *shown*: its output goes where ours goes. *times*: how
        often each test runs, one time after the other; what each takes is recorded then, where
        leaks are found. *traces*: what grows with each time is traced, and not what finding takes.
        Raises `CannotRun`.
        """
        with self._lock:
            self._number += 1
            stem = os.path.join(self._folder, str(self._number))
        report = stem + ".leaks" if find else ""
        arguments, variables = self.framework.arguments, {}     # type: Any, Dict[str, str]
        recorded = {RECORDED: "0"} if find and times > 1 else {}
        if named is not None and tests is not None:
            arguments, variables = self.framework.naming(named, tests)
        command, more = self.framework.run(arguments, self._folder, report)
        with open(stem + ".plan", "w", encoding="utf-8") as file:
            json.dump({"victim": self.victim, "events": stem + ".events",
                       "only": None if only is None else list(only), "times": times,
                       "growth": stem + ".growth" if traces else ""}, file)
        paths = [place["PYTHONPATH"] for place in (variables, more, os.environ)
                 if place.get("PYTHONPATH")]
        environment = {**os.environ, **recorded, **more, PLAN: stem + ".plan", AGAIN: "1"}
        if paths:
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        started = time.monotonic()
        with open(stem + ".out", "w+b") as output:
            child, stuck = self._watch(command, environment, stem + ".events",
                                       None if shown else output, find or times > 1)
            output.seek(0, os.SEEK_END)
            output.seek(max(0, output.tell() - _TAIL))
            printed = output.read().decode("utf-8", "replace")
        outcome = _outcome(_events(stem + ".events"), child, stuck, printed, report,
                           time.monotonic() - started)
        return outcome._replace(growth=_json(stem + ".growth")) if traces else outcome

    def _watch(self, command: List[str], environment: Dict[str, str], events: str,
               output: Any, find: bool) -> Tuple[int, bool]:
        """Start the child and wait for it. Return its status, and whether it stood still."""
        with self._lock:
            if self._stopped:
                raise CannotRun("stopped")
            child = subprocess.Popen(
                command, env=environment, cwd=START, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output and subprocess.STDOUT, start_new_session=True)
            self._running.add(child)
        try:
            size, since = -1, time.monotonic()
            while True:
                try:
                    return child.wait(_POLL), False
                except subprocess.TimeoutExpired:
                    pass
                grown = os.path.getsize(events) if os.path.exists(events) else 0
                if grown != size:
                    size, since = grown, time.monotonic()
                    continue
                idle = time.monotonic() - since
                if idle > self.limit or (idle > _PATIENCE and not find and _is_over(events)):
                    return 0, True
        finally:
            _end(child)
            with self._lock:
                self._running.discard(child)

    def stop(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _end(child)

    def close(self) -> None:
        """End what runs, and remove the files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End *child* and what it has started."""
    try:
        if hasattr(os, "killpg"):
            # The group is its own, and lives as long as one of it does.
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except OSError:     # they are gone
        pass
    child.wait()


def _events(path: str) -> List[Dict[str, Any]]:
    try:
        with open(path, encoding="ascii") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]
    except OSError:     # nothing was written
        return []


def _is_over(path: str) -> bool:
    return any(each["event"] in ("end", "over") for each in _events(path)[-2:])


def _outcome(events: List[Dict[str, Any]], status: int, stood: bool, printed: str, report: str,
             seconds: float) -> Outcome:
    tests: Optional[Tests] = None
    last, over = "", False
    for each in events:
        kind = each.pop("event")
        over = over or kind == "over"
        if kind == "absent":
            raise CannotRun(_absent(each))
        if kind == "tests":
            values: Dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in each.items()}
            tests = Tests(**values)
        elif kind == "start":
            last = each["test"]
        elif kind == "end":
            found = _json(report) or {"leaks": (), "known": ()}
            leaks = (*found["leaks"], *(known["leak"] for known in found["known"]))
            return Outcome(each["outcome"], each["text"], seconds, tests, leaks,
                           state=tuple(found.get("state", ())),
                           report=found if "version" in found else None)
    if tests is None:
        raise CannotRun("the tests could not be run:\n%s" % (
            _indented(printed) or "    (exit status %s, and no output)" % status))
    how = "" if over else "stood still" if stood else "ended (%s)" % _status(status)
    if last == tests.victim and how:
        return Outcome(FAILED, "the process %s in it" % how, seconds, tests, stuck=last)
    if how and last:
        return Outcome(LOST, "the process %s in %s" % (how, last), seconds, tests, stuck=last)
    return Outcome(LOST, "it did not run", seconds, tests)


def _json(path: str) -> Optional[Dict[str, Any]]:
    try:
        with open(path, encoding="utf-8") as file:
            found: Dict[str, Any] = json.load(file)
            return found
    except (OSError, ValueError):   # none was wanted, or the process died
        return None


def _status(status: int) -> str:
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return "signal %d" % -status
    return "exit status %d" % status


def _absent(facts: Dict[str, Any]) -> str:
    count = "1 test was" if facts["count"] == 1 else "%s tests were" % format(facts["count"], ",")
    lines = ["%s is not the name of just one test; %s found" % (facts["victim"], count)]
    lines += ["    " + each for each in facts["like"]]
    return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.strip().splitlines()[-12:])
