"""GitLab's code quality report, which a merge request shows beside the changed lines.

docs.gitlab.com, "Code Quality report format": a list of objects, each with a ``description``,
``check_name``, ``fingerprint``, ``severity`` and ``location``.
"""
from __future__ import annotations

import json
from typing import Any, Dict

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.report.annotations import Annotation, Report, one_line

__unittest = True
bind(globals())
_dumps = json.dumps

_NOWHERE = "unknown"
"""A path must be given; GitLab shows it as it is."""


def text(report: Report) -> str:
    """Return the causes of *report* as the JSON of a code quality report."""
    severity = "major" if report.failing else "minor"
    return _dumps([_issue(each, severity) for each in report.annotations], indent=2) + "\n"


def _issue(annotation: Annotation, severity: str) -> Dict[str, Any]:
    place = annotation.place
    description = annotation.title
    if annotation.owner and annotation.name not in annotation.title:
        description += "; left by %s.%s" % (annotation.owner.rpartition(".")[2], annotation.name)
    if annotation.remedy:
        description += "; in your code: %s" % annotation.remedy
    return {
        "description": one_line(description),
        "check_name": "leak/%s" % annotation.kind.replace(" ", "-"),
        "fingerprint": annotation.identity,
        "severity": severity,
        "location": {"path": place.file if place is not None else _NOWHERE,
                     "lines": {"begin": place.line if place is not None else 1}},
        "content": {"body": "```\n%s\n```" % annotation.text.replace("```", "'''")},
    }
