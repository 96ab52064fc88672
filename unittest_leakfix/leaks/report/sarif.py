"""SARIF 2.1.0, which GitHub's code scanning, Azure DevOps and editors read.

docs.oasis-open.org/sarif/sarif/v2.1.0. Known leaks are in it as suppressed results, with their
reason.
"""
from __future__ import annotations

import json
from typing import Any, Dict, List
from urllib.parse import quote

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import named
from unittest_leakfix.leaks.report.annotations import Annotation, Place, Report
from unittest_leakfix.version import __version__

__unittest = True
bind(globals())
_dumps = json.dumps
_quote = quote

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "SRCROOT"


def text(report: Report) -> str:
    """Return *report* as the text of a SARIF file."""
    return _dumps(to_value(report), indent=2) + "\n"


def to_value(report: Report) -> Dict[str, Any]:
    """Return *report* as a SARIF log of one run."""
    every = [*report.annotations, *report.known]
    kinds = list(dict.fromkeys(each.kind for each in every))
    level = "error" if report.failing else "warning"
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "unittest_leakfix", "version": __version__,
                "rules": [_rule(kind, level) for kind in kinds]}},
            "columnKind": "unicodeCodePoints",
            "results": [_result(each, kinds.index(each.kind), level) for each in every],
        }],
    }


def _id(kind: str) -> str:
    return "leak/" + kind.replace(" ", "-")


def _rule(kind: str, level: str) -> Dict[str, Any]:
    return {
        "id": _id(kind), "name": "".join(map(str.capitalize, kind.split())),
        "shortDescription": {"text": "Leak of a test: %s" % named(kind).singular},
        "fullDescription": {"text": "A test left behind what outlives it: %s."
                                    % named(kind).singular},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["tests", "leaks"]},
    }


def _result(annotation: Annotation, rule: int, level: str) -> Dict[str, Any]:
    found: Dict[str, Any] = {
        "ruleId": _id(annotation.kind), "ruleIndex": rule, "level": level,
        "message": {"text": annotation.text},
        "partialFingerprints": {"leakFingerprint/v1": annotation.identity},
    }
    if annotation.place is not None:
        found["locations"] = [_location(annotation.place)]
    others: List[Dict[str, Any]] = [dict(_location(place), message={"text": "led to it"})
                                    for place in annotation.others]
    if others:
        found["relatedLocations"] = others
    if annotation.tests:
        found["properties"] = {"tests": list(annotation.tests)}
    if annotation.reason:
        found["suppressions"] = [{"kind": "external", "status": "accepted",
                                  "justification": annotation.reason}]
    return found


def _location(place: Place) -> Dict[str, Any]:
    uri = _quote(place.file.encode("utf-8", "surrogateescape"), safe="/")
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT},
                                 "region": {"startLine": place.line}}}
