"""Workflow commands of GitHub Actions: each cause is shown in the pull request, at its line.

docs.github.com, "Workflow commands for GitHub Actions". What a runner reads is the output of the
step, so these are lines to print.
"""
from __future__ import annotations

from typing import List

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import count
from unittest_leakfix.leaks.report.annotations import Annotation, Report

__unittest = True
bind(globals())

MOST = 50
"""GitHub shows ten of a step, and fifty of a job."""


def text(report: Report) -> str:
    """Return a command for each cause of *report*, the heaviest first, one a line; "" for none."""
    level = "error" if report.failing else "warning"
    lines = [_command(level, each) for each in report.annotations[:MOST]]
    more = len(report.annotations) - len(lines) + report.more
    if more:
        lines.append("::notice title=Leaks::and %s" % count(more, "more cause"))
    return "".join(line + "\n" for line in lines)


def _command(level: str, annotation: Annotation) -> str:
    properties: List[str] = []
    if annotation.place is not None:
        properties += ["file=" + in_property(annotation.place.file),
                       "line=%d" % annotation.place.line]
    properties.append("title=" + in_property("Leak: %s" % annotation.title))
    return "::%s %s::%s" % (level, ",".join(properties), in_message(annotation.text))


def in_message(text: str) -> str:
    """Return *text* as the runner takes it after the second ``::``: on one line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def in_property(text: str) -> str:
    """Return *text* as the runner takes it for the value of a property."""
    return in_message(text).replace(":", "%3A").replace(",", "%2C")
