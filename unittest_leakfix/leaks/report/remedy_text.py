"""What ends a leak, where that can be said with confidence, as a `Remedy`; and how each `CodeScope`
writes it."""
from __future__ import annotations

import re
from typing import List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.chain import Chain, Step, Thing
from unittest_leakfix.leaks.model.kinds import named
from unittest_leakfix.leaks.model.remedy import Call, CodeScope, Remedy, calling

__unittest = True
bind(globals())

_DOTTED = re.compile(r"[A-Za-z_][\w.]*\Z")
_PLACE = re.compile(r"[A-Za-z_][\w.]*(?:\[(?:\d+|'[^']*')\][\w.]*)*\Z")
_REGISTERS = {CodeScope.TEST: "self.addCleanup", CodeScope.CLASS: "cls.addClassCleanup",
              CodeScope.MODULE: "unittest.addModuleCleanup"}
# Where nothing registers a clean-up it is written out, and when it runs.
_WHEN = {CodeScope.FIXTURE: "after the fixture's yield", CodeScope.XUNIT: "in its tear-down"}


def render(remedy: Optional[Remedy]) -> str:
    """Return *remedy* as it is written where it is to stand, in one line; "" for none."""
    if remedy is None:
        return ""
    scope = remedy.scope
    if remedy.monkeypatch and scope is CodeScope.FUNCTION:
        return "monkeypatch." + remedy.monkeypatch
    if remedy.manager:
        return "with %s%s:" % (remedy.manager, " as " + remedy.target if remedy.target else "")
    if remedy.awaits:
        return "await " + remedy.awaits
    if scope in _WHEN and remedy.calls:
        # Written out, so in the order of running.
        calls = "; ".join(_call(each) for each in reversed(remedy.calls))
        return "%s%s, %s" % (remedy.advice, calls, _WHEN[scope])
    return remedy.advice + "; ".join(_registered(each, scope) for each in remedy.calls)


def _registered(call: Call, scope: CodeScope) -> str:
    if scope is CodeScope.FUNCTION:
        if call.awaited:    # a finalizer cannot
            return _call(call)
        return "request.addfinalizer(%s)" % ("lambda: " + _call(call) if call.arguments
                                             else call.function)
    # There is no addAsyncClassCleanup.
    registers = "self.addAsyncCleanup" if call.awaited else _REGISTERS[scope]
    return "%s(%s)" % (registers, ", ".join((call.function,) + call.arguments))


def _call(call: Call) -> str:
    return "%s%s(%s)" % ("await " if call.awaited else "", call.function, ", ".join(call.arguments))


# What ends a resource, and what lets go of an object.

def end(kind: str, name: str = "", awaited: bool = False) -> Optional[Remedy]:
    """Return the clean-up for a resource of this kind that is reached by *name*; *awaited*: its
    close is."""
    row = named(kind)
    name = name or row.variable
    if not name:
        return None
    if row.end_is_awaited:
        return Remedy(awaits="%s.%s()" % (name, row.ends[0]))
    return Remedy(tuple(Call("%s.%s" % (name, each), awaited=awaited) for each in row.ends))


def held(kind: str, chain: Optional[Chain], awaited: bool = False) -> Optional[Remedy]:
    """Return the clean-up for an open resource that *chain* holds; *awaited*: its close is."""
    stream = chain.expression if chain is not None else ""
    if stream in STREAMS:
        return Remedy(manager=STREAMS[stream])
    dotted = chain is not None and chain.evaluates and _DOTTED.match(chain.expression)
    return end(kind, chain.expression if chain is not None and dotted else "", awaited)


STREAMS = {"sys.stdout": "contextlib.redirect_stdout(...)",
           "sys.stderr": "contextlib.redirect_stderr(...)"}
"""What replaces a standard stream for a while."""


def empty(chain: Optional[Chain]) -> Optional[Remedy]:
    """Return the clean-up that empties the container in which *chain* shows things pile up."""
    if chain is None or not chain.evaluates:
        return None
    for step, place in _places(chain):
        what = step.what
        if what.category == "container" and what.name in _CLEARED or _is(what, _WEAK):
            return calling(place + ".clear")
        if what.category == "lru_cache":
            return calling(place + ".cache_clear")
    return None


def let_go(chain: Optional[Chain], name: str) -> Optional[Remedy]:
    """Return the clean-up that takes *name* ("self", "self.order") from where *chain* keeps it."""
    if chain is None or not chain.evaluates:
        return None
    places = _places(chain)
    for index, (step, place) in enumerate(places):
        special = _special(step, place, chain.steps[index + 1:])
        if special:
            return special
    for index, step in enumerate(chain.steps):
        if step.suspect and 0 < index < len(places):
            return _take_out(index, places, chain.steps, name)
    return None


def _places(chain: Chain) -> List[Tuple[Step, str]]:
    """Return the first steps of the chain, each with the expression for it."""
    found: List[Tuple[Step, str]] = []
    at = 0
    for index, step in enumerate(chain.steps):
        if index:
            start = chain.expression.find(step.access, at)
            if not step.access or start < 0:
                break
            at = start + len(step.access)
        else:
            after = chain.steps[1].access if len(chain.steps) > 1 else ""
            at = chain.expression.find(after)
        place = chain.expression[:at].rpartition("(")[2]
        if at < 0 or not _PLACE.match(place):
            break
        found.append((step, place))
    return found


def _special(step: Step, place: str, below: Tuple[Step, ...]) -> Optional[Remedy]:
    """Return the clean-up for what has one of its own."""
    what = step.what
    if what.category == "lru_cache":
        return calling(place + ".cache_clear")
    if (
        _is(what, ("Mock", "MagicMock", "AsyncMock"))
        and below
        and below[0].access.startswith("._mock")
    ):
        return calling(place + ".reset_mock")
    if _is(what, ("ContextVar",)):
        return calling(place + ".reset", place + ".set(...)")
    if _is(what, _WEAK):
        return calling(place + ".clear")
    if what.category == "generator":
        return calling(place + ".close")
    if below and below[0].access.startswith(".__traceback__"):
        return calling(place + ".with_traceback", "None")
    if _is(what, ("_local",)) and len(below) == 3 and re.match(r"\['\w+'\]", below[2].access):
        return calling("delattr", place, '"%s"' % below[2].access[2:-2])
    return None


_CLEARED = ("list", "dict", "set", "deque")
_WEAK = ("WeakValueDictionary", "WeakKeyDictionary", "WeakSet")


def _is(what: Thing, classes: Tuple[str, ...]) -> bool:
    return what.category == "object" and what.name in classes


def _is_container(what: Thing, name: str) -> bool:
    return what.category == "container" and what.name == name


def _take_out(
    index: int, places: List[Tuple[Step, str]], steps: Tuple[Step, ...], name: str
) -> Optional[Remedy]:
    step, place = places[index]
    below = steps[index + 1] if index + 1 < len(steps) else None
    if below is not None and below.access.startswith("["):
        if _is_container(step.what, "dict") and re.match(r"\[(?:\d+|'[^']*')\]\Z", below.access):
            return calling(place + ".pop", below.access[1:-1])
        if _is_container(step.what, "list"):
            # Of a class inside another one no more is known than its name.
            method = below.what.category == "bound method" and "." not in below.what.name
            what = "%s.%s" % (name, below.what.method) if method else name
            last = index + 2 == len(steps)
            return calling(place + ".remove", what) if last or method else None
    elif step.access.startswith(".") and _DOTTED.match(step.access[1:]) and "." not in step.access[
            1:]:
        return calling("setattr", places[index - 1][1], '"%s"' % step.access[1:], "None")
    return None
