"""JUnit's XML, of the leaks alone: a test case for each cause, which failed, or which is skipped
where it is known.

The form is the one that Jenkins, GitLab and Azure DevOps read: ``testsuites``, ``testsuite``,
``testcase``. A run without leaks has one case that passed, since an empty file is an error to some.
"""
from __future__ import annotations

import re
from typing import List

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.report.annotations import Annotation, Report

__unittest = True
bind(globals())

# What XML 1.0 has no character for, not even as an entity.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;",
             "\r": "&#13;"}


def text(report: Report) -> str:
    """Return *report* as the text of a JUnit file."""
    cases = [_failed(each) for each in report.annotations] + [_skipped(each)
                                                              for each in report.known]
    if not report.annotations:
        cases.insert(0, ['    <testcase classname="unittest_leakfix" name="no leaks" time="0"/>'])
    counts = 'tests="%d" failures="%d" errors="0" skipped="%d"' % (
        len(cases), len(report.annotations), len(report.known))
    lines = ['<?xml version="1.0" encoding="utf-8"?>',
             '<testsuites name="unittest_leakfix" %s time="0">' % counts,
             '  <testsuite name="leaks" %s time="0">' % counts]
    for case in cases:
        lines += case
    return "\n".join(lines + ["  </testsuite>", "</testsuites>", ""])


def _head(annotation: Annotation) -> str:
    head = "    <testcase classname=%s name=%s" % (
        _quoted(annotation.owner or "unittest_leakfix"),
        _quoted("%s: %s" % (annotation.name, annotation.title) if annotation.name
                else annotation.title))
    if annotation.place is not None:
        head += ' file=%s line="%d"' % (_quoted(annotation.place.file), annotation.place.line)
    return head + ' time="0">'


def _failed(annotation: Annotation) -> List[str]:
    return [_head(annotation),
            "      <failure type=%s message=%s>%s</failure>" % (
                _quoted(annotation.kind), _quoted(annotation.title), _escaped(annotation.text)),
            "    </testcase>"]


def _skipped(annotation: Annotation) -> List[str]:
    return [_head(annotation), "      <skipped message=%s/>" % _quoted(annotation.reason),
            "    </testcase>"]


def _escaped(text: str) -> str:
    """Return *text* as it may stand between tags."""
    return re.sub("[&<>]", lambda found: _ENTITIES[found.group()], _NOT_XML.sub(_as_escape, text))


def _quoted(text: str) -> str:
    """Return *text* as the value of an attribute."""
    return '"%s"' % re.sub('[&<>"\n\t\r]', lambda found: _ENTITIES[found.group()],
                           _NOT_XML.sub(_as_escape, text))


def _as_escape(found: "re.Match[str]") -> str:
    return found.group().encode("unicode_escape").decode("ascii")
