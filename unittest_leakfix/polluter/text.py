"""The answer as text, and as JSON."""
from __future__ import annotations

import json
import shlex
from typing import Any, Dict, List, Optional, Sequence

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import count, listed
from unittest_leakfix.polluter.children import Outcome
from unittest_leakfix.polluter.frameworks import Framework
from unittest_leakfix.polluter.inquiry import (
    FAILS_ALONE,
    FLAKY,
    FOUND,
    IMPORT,
    NOT_RUN,
    PASSES,
    POLLUTER,
    SETTER,
    Answer,
    Run,
)

__unittest = True
bind(globals())

VERSION = 1
_SHOWN = 5      # of what a test left
_INDENT = " " * 12

_VERBS = {"passed": "passes", "failed": "fails", "skipped": "is skipped", "lost": "does not run"}


def progress(number: int, run: Run) -> str:
    """Return the line for a run that was made."""
    return "%4d  %-26s %6s before it   %-8s %6.1f s" % (
        number, run.what, format(run.tests, ","), run.outcome.kind, run.outcome.seconds)


def render(answer: Answer, framework: Framework) -> str:
    """Return the report, ending in a newline."""
    lines = [_headline(answer), ""]
    if answer.tests is not None:
        lines += _block("victim", [answer.tests.victim, *_states(answer)])
    if answer.answer in FOUND:
        lines += _block({POLLUTER: "polluter", SETTER: "setter", IMPORT: "import of"}[answer.answer]
                        if len(answer.polluters) == 1 else
                        "modules" if answer.answer == IMPORT else "together",
                        _polluters(answer))
        if answer.answer != IMPORT:
            lines += _left(answer)
        lines += _block("repeat", [repeat(answer, framework)])
    if answer.note:
        lines += _block("note", [answer.note])
    lines += _block("runs", ["%s in %.1f s" % (count(len(answer.runs), "run"), answer.seconds)])
    return "\n".join(lines) + "\n"


def _headline(answer: Answer) -> str:
    victim = answer.tests.victim if answer.tests else "the victim"
    few = len(answer.polluters)
    if answer.answer == POLLUTER:
        one = answer.polluters[0] if few == 1 else count(few, "test") + " together"
        return "POLLUTER  %s %s %s" % (one, _verb(few, "break"), victim)
    if answer.answer == SETTER:
        one = answer.polluters[0] if few == 1 else count(few, "test") + " together"
        return "STATE-SETTER  %s needs %s" % (victim, one)
    if answer.answer == IMPORT:
        return "IMPORT  what breaks %s is that %s loaded" % (
            victim, "%s is" % answer.polluters[0] if few == 1 else count(few, "module") + " are")
    return {
        FAILS_ALONE: "NO POLLUTER  %s fails alone as well",
        PASSES: "NO POLLUTER  %s %s" % ("%s", "is as it is alone, after all tests before it too"),
        FLAKY: "FLAKY  %s is not the same each time",
        NOT_RUN: "NOT RUN  the run does not get to %s",
    }[answer.answer] % victim


def _verb(number: int, verb: str) -> str:
    return verb + "s" if number == 1 else verb


def _states(answer: Answer) -> List[str]:
    lines = []
    if answer.whole is not None:
        if answer.answer == IMPORT:
            lines.append(_state(answer.whole, "where all test modules are loaded"))
        elif answer.answer == NOT_RUN:
            lines.append(answer.whole.text)
        else:
            before = len(answer.tests.before) if answer.tests else 0
            lines.append(_state(answer.whole, "after the %s before it" % (
                "test" if before == 1 else count(before, "test"))))
    if answer.alone is not None:
        lines.append(_state(answer.alone, "alone"))
    return lines


def _state(outcome: Outcome, where: str) -> str:
    return "%s %s%s" % (_VERBS[outcome.kind], where, ": " + outcome.text if outcome.text else "")


def _polluters(answer: Answer) -> List[str]:
    lines = listed(list(answer.polluters), 20)
    if not answer.smallest:
        lines.append("(not all of them may be needed)")
    return lines


def _left(answer: Answer) -> List[str]:
    named = [leak["chain"]["expression"] if leak["chain"] else leak["subject"]
             for leak in answer.left]
    others = [each for each in answer.changed if not any(each in name for name in named)]
    changed = _block("changed", listed(others, _SHOWN)) if others else []
    if changed and not answer.left:
        return changed
    if not answer.left:
        return _block("left", ["nothing that --leaks=report watches; look at what %s changes in "
                               "modules and classes" % ("it" if len(answer.polluters) == 1
                                                        else "they")])
    lines = []
    for leak in answer.left[:_SHOWN]:
        lines += _block("left", [leak["subject"], *_chain(leak), *_place(leak), *(
            "%s %s" % (note["label"], note["text"]) for note in leak["notes"])])
        if leak["remedy"]:
            lines += _block("mend", leak["remedy"].splitlines())
    if len(answer.left) > _SHOWN:
        lines += _block("left", ["%d more" % (len(answer.left) - _SHOWN)])
    return lines + changed


def _chain(leak: Dict[str, Any]) -> List[str]:
    return ["at " + leak["chain"]["expression"]] if leak["kind"] == "object" else []


def _place(leak: Dict[str, Any]) -> List[str]:
    line: Optional[Dict[str, Any]] = leak["user_line"]
    if line is None and leak["acquisition"] and leak["acquisition"]["frames"]:
        line = leak["acquisition"]["frames"][0]
    place = "  %s:%d in %s" % (line["file"], line["line"], line["function"]) if line else ""
    tests = leak["tests"] or leak["candidates"]
    return ["by %s%s" % (tests[0], place)] if tests else []


def _block(label: str, lines: Sequence[str]) -> List[str]:
    return ["  %-10s%s" % (label, lines[0])] + [_INDENT + line for line in lines[1:]]


def repeat(answer: Answer, framework: Framework) -> str:
    """Return the command that shows it again, with the polluters and the victim alone."""
    if answer.tests is None:
        return ""
    if answer.answer == IMPORT:
        # The victim runs first: nothing but the import can have broken it.
        return framework.shown([answer.tests.victim, *answer.polluters], answer.tests)
    if answer.proved:
        return framework.shown([*answer.polluters, answer.tests.victim], answer.tests)
    words = ["python", "-m", "unittest_leakfix", "polluter"]
    words += [] if framework.name == "unittest" else ["--" + framework.name]
    for each in answer.polluters:
        words += ["--after", each]
    return " ".join(map(shlex.quote, [*words, answer.tests.victim, *framework.arguments]))


def to_json(answer: Answer, framework: Framework) -> str:
    """Return the answer as JSON. docs/polluter.md has the fields."""
    tests = answer.tests
    found = answer.answer in FOUND
    return json.dumps({
        "version": VERSION,
        "framework": framework.name,
        "arguments": framework.arguments,
        "victim": tests.victim if tests else "",
        "before": len(tests.before) if tests else 0,
        "answer": answer.answer,
        "polluters": list(answer.polluters),
        "smallest": answer.smallest,
        "proved": answer.proved,
        "note": answer.note,
        "with": _facts(answer.whole),
        "alone": _facts(answer.alone),
        "repeat": repeat(answer, framework) if found else "",
        "left": list(answer.left),
        "changed": list(answer.changed),
        "runs": [{"what": run.what, "tests": run.tests, "outcome": run.outcome.kind,
                  "seconds": round(run.outcome.seconds, 3)} for run in answer.runs],
        "seconds": round(answer.seconds, 3),
    }, indent=2) + "\n"


def _facts(outcome: Optional[Outcome]) -> Optional[Dict[str, str]]:
    return None if outcome is None else {
        "outcome": outcome.kind, "text": outcome.text, "stuck": outcome.stuck}
