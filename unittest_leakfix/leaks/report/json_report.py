"""Findings as JSON, for machines and for putting parallel workers together. docs/json-schema.md
tells the schema."""
from __future__ import annotations

import io
import json
from collections import namedtuple
from typing import Any, Callable, Dict, Optional

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model import timeline
from unittest_leakfix.leaks.model.chain import Chain, Step, Thing
from unittest_leakfix.leaks.model.leak import (
    Findings,
    Known,
    Leak,
    Overhead,
    RecordedChange,
    RuleUse,
)
from unittest_leakfix.leaks.model.remedy import Call, CodeScope, Remedy, When
from unittest_leakfix.leaks.report import describe, memory_report, whole_file
from unittest_leakfix.leaks.report.reference_chain import thing_text

__unittest = True
bind(globals())
_dumps = json.dumps
_load = json.load

VERSION = 1
"""The version of the schema: raised when a field goes or changes its meaning, not when one is
added."""

# What a report read back has in place of the values of acquisitions, with the same fields.
_Frame = namedtuple("_Frame", "file line function")
_Acquisition = namedtuple("_Acquisition", "what detail test thread frames")


def to_value(findings: Findings) -> Dict[str, Any]:
    """Return findings as dicts, lists, text and numbers, without secrets."""
    findings = describe.described(findings)
    return {
        "version": VERSION,
        "worker": findings.worker,
        "tests": findings.tests,
        "leaks": [_leak(leak) for leak in findings.leaks],
        "known": [{"leak": _leak(leak), "reason": _text(reason), "where": _text(where)}
                  for leak, reason, where in findings.known],
        "gone": [_text(cause) for cause in findings.gone],
        "unmeasured": [{"test": redaction.redact_id(test), "why": _text(why)}
                       for test, why in findings.unmeasured],
        "more": findings.more,
        "failed": findings.failed, "old_baseline": _text(findings.old_baseline),
        "overhead": _overhead(findings.overhead),
        "state": [{"place": _text(change.place),
                   "tests": list(map(redaction.redact_id, change.tests)),
                   "candidates": list(map(redaction.redact_id, change.candidates))}
                  for change in findings.state],
        "memory": memory_report.to_value(findings.timeline),
        "timeline": None if findings.timeline is None else timeline.to_value(
            findings.timeline, redaction.redact_id),
        "suppressions": [{"rule": _text(each.rule), "where": _text(each.where), "used": each.used,
                          "meant": each.meant} for each in findings.rules],
    }


def _overhead(account: Optional[Overhead]) -> Optional[Dict[str, Any]]:
    if account is None:
        return None
    return {**vars(account), "phases": dict(account.phases)}


def _overhead_from(value: Any) -> Optional[Overhead]:
    if value is None:
        return None
    return Overhead(**{**value, "phases": tuple(value["phases"].items())})


def from_value(value: Any) -> Findings:
    """Return the findings that ``to_value`` made ``value`` of.

    Raises ValueError for what is not such a value or has another version.
    """
    version = value.get("version") if isinstance(value, dict) else None
    if version != VERSION:
        raise ValueError("not a leak report of version %d, but of version %r" % (VERSION, version))
    try:
        return Findings(
            leaks=tuple(map(_leak_from, value["leaks"])),
            known=tuple(Known(_leak_from(item["leak"]), item["reason"], item["where"])
                        for item in value["known"]),
            gone=tuple(value["gone"]), tests=value["tests"],
            unmeasured=tuple((item["test"], item["why"]) for item in value["unmeasured"]),
            more=value["more"], worker=value["worker"], failed=value.get("failed", 0),
            old_baseline=value.get("old_baseline", ""),
            overhead=_overhead_from(value.get("overhead")),
            state=tuple(RecordedChange(each["place"], tuple(each["tests"]),
                                       tuple(each["candidates"]))
                        for each in value.get("state", ())),
            timeline=None if value.get("timeline") is None
            else timeline.from_value(value["timeline"]),
            rules=tuple(RuleUse(each["rule"], each["where"], each["used"], each["meant"])
                        for each in value.get("suppressions", ())))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a leak report: %s: %s" % (type(error).__name__, error)) from error


def to_text(findings: Findings) -> str:
    """Return findings as JSON text, ending in a newline."""
    return _dumps(to_value(findings), indent=2) + "\n"


def dump(findings: Findings, path: str) -> None:
    """Write findings to the file ``path`` as JSON, whole or not at all. Raises OSError."""
    whole_file.write(path, to_text(findings))


def load(path: str, _open: Callable[..., Any] = io.open) -> Findings:
    """Read what ``dump`` wrote. Raises OSError, and ValueError for what is not a report of this
    version."""
    with _open(path, encoding="utf-8") as file:
        return from_value(_load(file))


def _text(text: Any) -> str:
    return redaction.redact(str(text))


def _short(text: Any) -> str:
    """Return what is for people, cut. (What is compared, an id or a cause, is whole.)"""
    return redaction.shown(str(text), redaction.LONGEST_ERROR)


def _leak(leak: Leak) -> Dict[str, Any]:
    return {
        "kind": leak.kind, "subject": leak.subject,
        "tests": list(map(redaction.redact_id, leak.tests)),
        "candidates": list(map(redaction.redact_id, leak.candidates)), "size": leak.size,
        "growth": leak.growth, "chain": _chain(leak.chain),
        "holding": [{"name": _short(name), "type": _short(kind), "size": size}
                    for name, kind, size in leak.holding],
        "acquisition": _acquisition(leak.acquisition),
        "user_line": None if leak.user_line is None else _frame(leak.user_line),
        "notes": [{"label": label, "text": text} for label, text in leak.notes],
        "closed": _short(leak.closed), "remedy": _short(leak.remedy),
        "ends": None if leak.ends is None else _remedy(leak.ends),
        "silence": _text(leak.silence),
        "cause": _text(leak.cause), "fingerprint": _text(leak.fingerprint),
    }


def _remedy(remedy: Remedy) -> Dict[str, Any]:
    """Return what the text of a remedy is made of, as ``leaks.model.remedy`` names it."""
    value = {name: _text(part) if isinstance(part, str) else part
             for name, part in remedy._asdict().items()}
    value.update(
        calls=[dict(call._asdict(), function=_text(call.function),
                    arguments=list(map(_text, call.arguments)), saved=_text(call.saved))
               for call in remedy.calls],
        scope=remedy.scope.name, when=remedy.when.name, imports=list(remedy.imports),
        site=None if remedy.site is None else _frame(remedy.site))
    return value


def _remedy_from(value: Dict[str, Any]) -> Remedy:
    calls = tuple(_made(Call, dict(call, arguments=tuple(call["arguments"])))
                  for call in value["calls"])
    site = value["site"]
    return _made(Remedy, dict(
        value, calls=calls, scope=CodeScope[value["scope"]], when=When[value["when"]],
        imports=tuple(value["imports"]), site=None if site is None else _made(_Frame, site)))


def _chain(chain: Any) -> Optional[Dict[str, Any]]:
    if chain is None:
        return None
    expression = _text(chain.expression)
    return {
        "expression": expression,
        "evaluates": bool(chain.evaluates) and expression == chain.expression,
        "steps": [
            {
                "access": _text(step.access),
                "label": _short(thing_text(step.what)),
                "category": step.what.category,
                "place": step.place,
                "suspect": bool(step.suspect),
            }
            for step in chain.steps
        ],
        "root": _text(chain.root),
        "warm_up": None if chain.warm_up is None else _text(chain.warm_up),
    }


def _acquisition(acquisition: Any) -> Optional[Dict[str, Any]]:
    if acquisition is None:
        return None
    return {
        "what": _text(acquisition.what), "detail": _text(acquisition.detail),
        "test": redaction.redact_id(acquisition.test),
        "thread": _text(acquisition.thread),
        "frames": list(map(_frame, acquisition.frames)),
    }


def _frame(frame: Any) -> Dict[str, Any]:
    return {"file": frame.file, "line": frame.line, "function": frame.function}


def _leak_from(value: Dict[str, Any]) -> Leak:
    fields = dict(value)
    chain, acquisition = fields["chain"], fields["acquisition"]
    if chain:
        chain = _made(Chain, dict(chain, steps=tuple(map(_step_from, chain["steps"]))))
    if acquisition:
        frames = tuple(_made(_Frame, frame) for frame in acquisition["frames"])
        acquisition = _made(_Acquisition, dict(acquisition, frames=frames))
    fields.update(
        chain=chain, acquisition=acquisition, tests=tuple(fields["tests"]),
        candidates=tuple(fields.get("candidates", ())),
        holding=tuple((item["name"], item["type"], item["size"]) for item in fields["holding"]),
        notes=tuple((item["label"], item["text"]) for item in fields["notes"]),
        ends=None if not fields.get("ends") else _remedy_from(fields["ends"]))
    return Leak(
        **{name: fields[name] for name in Leak.__dataclass_fields__
           if name not in ("name", "seen")}
    )


def _step_from(value: Dict[str, Any]) -> Step:
    # The category came later than the label.
    what = Thing(value.get("category", "object"), text=value["label"])
    return Step(value["access"], what, value["place"], value["suspect"])


def _made(kind: Any, value: Dict[str, Any]) -> Any:
    # Fields that a later writer of this version added are passed over.
    return kind(**{name: value[name] for name in kind._fields if name in value})
