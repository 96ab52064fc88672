"""What was seen, in words: the headline of each leak, its notes, what was done, and its remedy."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Callable, Dict, List, Match, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import fault_text
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.ids import is_pytest_fixture, readable_id
from unittest_leakfix.leaks.model.kinds import amount
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.model.remedy import (
    Call,
    CodeScope,
    Remedy,
    When,
)
from unittest_leakfix.leaks.model.seen import (
    Changed,
    ChangedState,
    ClassAttributes,
    Complained,
    Complaint,
    Grown,
    Resource,
    Retained,
)
from unittest_leakfix.leaks.report import change_words, remedies, remedy_text, state_words
from unittest_leakfix.leaks.report.change_words import Notes, Words, place_text
from unittest_leakfix.leaks.report.user_code import Site, name_in
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())


def described(findings: Findings) -> Findings:
    """Return *findings* with each leak in words."""
    return replace(findings, leaks=tuple(map(_worded, findings.leaks)),
                   known=tuple(Known(_worded(leak), reason, where)
                               for leak, reason, where in findings.known))


def _worded(leak: Leak) -> Leak:
    """Return *leak* in words. A fault of ours in one of them does not take the others away."""
    try:
        return in_words(leak)
    except Exception:
        return replace(leak, subject=leak.cause or leak.kind, seen=None,
                       notes=leak.notes + (("not described", fault_text()),))


def in_words(leak: Leak) -> Leak:
    """Return *leak* with its sentences; the same where it has them already."""
    seen = leak.seen
    if seen is None:
        return leak
    words = _WORDS[type(seen)](seen, leak)
    leak = replace(leak, subject=steady_words(words.subject, leak.kind),
                   notes=words.notes + leak.notes, closed=words.closed, seen=None)
    return written(leak, words.remedy)


_OBJECT = re.compile(r"<([\w.]+?)(?: object)? at 0x[0-9a-fA-F]+>")
_ADDRESS = re.compile(r"(?: at)? 0x[0-9a-fA-F]{6,}")
# What tempfile makes up, by itself or after a prefix of the user's; pytest's folders are numbered.
_RANDOM = re.compile(r"(?<=/tmp)[a-z0-9_]{8}(?![a-z0-9_])"
                     r"|(?<=/pytest-of-)[^/'\"]+/pytest-\d+(?:/popen-gw\d+)?")
# "127.0.0.1:45424", "[::1]:45424", "('127.0.0.1', 45424)"
_PORT = re.compile(r"([\d\]]:|', )(\d{5})(?!\d)")
_MADE_UP = 32768        # the first that Linux gives to who wants any port; others begin at 49152

_OF_SOCKETS = ("socket", "descriptor", "closed descriptor")


def steady_words(text: str, kind: str = "") -> str:
    """Return a headline without addresses and made up names, which differ from run to run; paths in
    the folder of the run are relative to it. Of a leak of this *kind*: a socket's port says
    something only where it was chosen."""
    text = text.replace(START, "") if len(START) > 1 else text
    if kind in _OF_SOCKETS:
        text = _PORT.sub(_port, text)
    return _RANDOM.sub("*", _ADDRESS.sub("", _OBJECT.sub(r"\1", text)))


def _port(match: Match[str]) -> str:
    return match.group() if int(match.group(2)) < _MADE_UP else match.group(1) + "*"


def written(leak: Leak, remedy: Optional[Remedy], scope: Optional[CodeScope] = None) -> Leak:
    """Return *leak* with a *remedy*, as it is written in *scope*: by default where its first test
    or fixture stands."""
    if remedy is None:
        return leak
    site = _site(leak)
    frames = leak.acquisition.frames if leak.acquisition is not None else ()
    line = site.line
    if ("::" in leak.left_by or is_pytest_fixture(leak.left_by)) and frames and (
            frames[0].function == remedy.it or frames[0] == remedy.site
            and remedy.scope is CodeScope.FIXTURE):
        # A fixture of pytest's, which is called so, has opened it, under a name of its own.
        scope, line = CodeScope.FIXTURE, frames[0]
        remedy = remedy.of(name_in(line) or remedy.it)
    remedy = remedy.at(site.scope if scope is None else scope)._replace(site=line)
    if remedy.manager and site.in_set_up:
        remedy = remedy._replace(in_set_up=True)
    known = [remedy.it.partition(".")[0]] if remedy.it else []
    remedy = remedy._replace(imports=site.imports(remedy.code, known))
    text = remedy_text.render(remedy)
    if redaction.redact(text) != text:      # what is typed would not be what is shown
        return leak
    return replace(leak, remedy=text, ends=remedy)


def _site(leak: Leak) -> Site:
    return Site(leak.left_by, leak.acquisition)


# Objects.

_AWAITED = (
    "let go for you: nothing else referred to it, and there was no loop left to await its close()"
)


def _resource(seen: Resource, leak: Leak) -> Words:
    remedy = remedies.of_resource(seen, leak.chain, _site(leak))
    closed = "closed for you: nothing else referred to it" if seen.was_closed else ""
    return Words("%s %s" % (seen.called, seen.state or kinds.named(leak.kind).state), remedy,
                 closed=_AWAITED if seen.without_loop else closed)


def _whose(leak: Leak) -> str:
    """Return which test left it: where the process was not looked at after each, one of several."""
    if leak.tests or len(leak.candidates) == 1:
        return readable_id((leak.tests or leak.candidates)[0])
    return "one of %d tests" % len(leak.candidates) if leak.candidates else "a test"


def _retained(seen: Retained, leak: Leak) -> Words:
    test = _whose(leak)
    if leak.kind == "growth":
        return Words("%s objects grow test after test" % seen.type,
                     remedies.let_go(leak.chain, "", _site(leak)))
    if leak.kind == "kept test":
        return Words("%s was kept after it finished" % test,
                     remedies.let_go(leak.chain, "self", _site(leak)))
    where = " (its %s%s)" % ("fixture " if seen.fixture else "", seen.name) if seen.name else ""
    return Words("%s was kept after %s%s" % (seen.type, test, where),
                 remedies.let_go(leak.chain, seen.name, _site(leak)))


def _class_attributes(seen: ClassAttributes, leak: Leak) -> Words:
    cls = seen.cls.rpartition(".")[2]
    attribute = leak.holding[0][0].lstrip(".")
    return Words("%s still holds %s after its last test" % (cls, amount(seen.size)),
                 Remedy((Call("delattr", ("cls", '"%s"' % attribute)),),
                        advice="class %s(ClassLeakFixMixin, ...), or " % cls))


# The application's state.

def _grown(seen: Grown, leak: Leak) -> Words:
    return Words(*state_words.grown(seen, leak, _site(leak)))


def _changed_state(seen: ChangedState, leak: Leak) -> Words:
    words = state_words.changed(seen, leak, _site(leak))
    return Words(*words, closed="put back for you, as --restore asks" if seen.put_back else "")


# What the interpreter or asyncio complained about.

def _changed(seen: Changed, leak: Leak) -> Words:
    return change_words.changed(seen, leak, _site(leak))


def _complained(seen: Complained, leak: Leak) -> Words:
    complaint, called = seen
    places = _places_but(complaint, leak.user_line)
    if complaint.kind == "ResourceWarning" and complaint.acquisition is not None:
        return Words("%s was dropped without being closed" % called,
                     remedies.dropped(complaint.acquisition.what, _site(leak)),
                     places)
    remedy: Optional[Remedy] = None
    if leak.kind == "coroutine":
        subject = called
        remedy = _awaiting(complaint, _site(leak))
    elif leak.kind == "task":
        subject = "task%s was destroyed but it is pending" % (" '%s'" % called if called else "")
        remedy = Remedy(advice="cancel it and await it before the loop is closed")
    elif complaint.kind == "exception in thread":
        subject = 'thread "%s" ended with an exception' % called
        remedy = Remedy(advice="let the test see it: run it in an executor, and ask its future for "
                               "the result()")
    elif leak.kind == "exception":
        task = complaint.acquisition.detail if complaint.acquisition is not None else ""
        of = " of task '%s'" % task if task else ""
        subject = "exception%s was never retrieved: %s" % (of, called)
        remedy = Remedy(advice="await the task before the test is over")
    else:
        subject = "%s: %s" % (complaint.kind, called)
    return Words(subject, remedy, places)


def _awaiting(complaint: Complaint, site: Site) -> Optional[Remedy]:
    """Return what awaits a coroutine; of a test that is one, what lets it be awaited."""
    called = complaint.called
    if not called:
        return None
    if site.test_case_called(called):
        return Remedy(advice="derive %s from unittest.IsolatedAsyncioTestCase: a plain TestCase "
                             "does not await its tests" % called.rpartition(".")[0])
    call = site.made_in(called)
    when = When.INSTEAD if call else When.AFTER
    call = call or "%s(...)" % called
    if site.scope is CodeScope.TEST and site.names is not None and not site.awaits:
        return Remedy(statement="asyncio.run(%s)" % call, when=when)
    return Remedy(awaits=call, when=when)


def _places_but(complaint: Complaint, opened: Optional[Frame]) -> Notes:
    """Return labelled places, without the line that it was opened on."""
    places = _places(complaint)
    if opened is not None:
        here = "%s:%d" % (opened.file, opened.line)
        places = [each for each in places if each[1].partition(" in ")[0] != here]
    return tuple(places)


def _places(complaint: Complaint) -> List[Tuple[str, str]]:
    """Return labelled places: where it was dropped, written, made or raised."""
    found = [("%s at" % how, place_text(frame)) for how, frame in complaint.spots]
    if complaint.error and complaint.kind in ("unraisable exception", "exception in thread"):
        found.append(("it was", complaint.error))
    return found


_WORDS: Dict[type, Callable[[Any, Leak], Words]] = {
    Resource: _resource, Retained: _retained, ClassAttributes: _class_attributes, Changed: _changed,
    Complained: _complained, Grown: _grown, ChangedState: _changed_state,
}
