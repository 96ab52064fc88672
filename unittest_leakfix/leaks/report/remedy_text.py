"""How each `CodeScope` writes a `Remedy`: as one line, which can be typed as it stands."""
from __future__ import annotations

from typing import List, Optional

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.remedy import IT, Call, CodeScope, Remedy, When

__unittest = True
bind(globals())

_REGISTERS = {CodeScope.TEST: "self.addCleanup", CodeScope.CLASS: "cls.addClassCleanup",
              CodeScope.MODULE: "unittest.addModuleCleanup"}
# Where nothing registers a clean-up it is written out, and when it runs.
_WHEN = {CodeScope.FIXTURE: "after the fixture's yield", CodeScope.XUNIT: "in its tear-down"}
# Where a name must be an attribute to be there when the clean-up runs.
_OWNERS = {CodeScope.TEST: "self.", CodeScope.CLASS: "cls.", CodeScope.XUNIT: "self."}


def render(remedy: Optional[Remedy]) -> str:
    """Return *remedy* as it is written where it is to stand, in one line; "" for none."""
    if remedy is None:
        return ""
    text = _code(remedy)
    it = remedy.it
    unnamed = needs_name(remedy)
    if unnamed:
        it = name_for(remedy)
        text = "keep the %s in %s, then %s" % (remedy.noun, it, text)
    text = text.replace(IT, it)
    saves = any(call.saved for call in remedy.calls) and remedy.scope in _WHEN
    notes = [remedy.when.value] if remedy.when is not When.AFTER and not saves else []
    if remedy.monkeypatch and remedy.scope is CodeScope.FUNCTION or (
            remedy.enters and not (unnamed or remedy.advice)):
        notes = []
    return text + ("  # " + "; ".join(notes + list(remedy.imports))
                   if notes or remedy.imports else "")


def needs_name(remedy: Remedy) -> bool:
    """Tell whether the code of *remedy* speaks of a thing that has no name there yet."""
    return IT in _code(remedy) and not remedy.it


def name_for(remedy: Remedy) -> str:
    """Return the name that what has none is given there: "self.thread"."""
    return _OWNERS.get(remedy.scope, "") + remedy.variable


def statements(remedy: Remedy) -> List[str]:
    """Return the statements that carry out the calls of *remedy*, in their order, without words."""
    if remedy.scope in _WHEN:
        found = [_call(each, "saved") for each in reversed(remedy.calls)]
    else:
        found = [_registered(each, remedy.scope) for each in remedy.calls]
    return [each.replace(IT, remedy.it or name_for(remedy)) for each in found]


def with_statement(remedy: Remedy) -> str:
    """Return the head of the ``with`` statement of *remedy*."""
    return ("with %s%s:" % (remedy.manager, " as " + remedy.target if remedy.target else "")
            ).replace(IT, remedy.it or name_for(remedy))


def _code(remedy: Remedy) -> str:
    scope = remedy.scope
    if remedy.monkeypatch and scope is CodeScope.FUNCTION:
        return "monkeypatch." + remedy.monkeypatch
    if remedy.enters:
        return "%swith %s%s:" % (remedy.advice, remedy.manager,
                                 " as " + remedy.target if remedy.target else "")
    if remedy.awaits:
        return remedy.advice + "await " + remedy.awaits
    if remedy.statement:
        return remedy.advice + remedy.statement
    if scope in _WHEN and remedy.calls:
        # Written out, so in the order of running.
        calls = "; ".join(_call(each, "saved") for each in reversed(remedy.calls))
        saved = [each.saved for each in remedy.calls if each.saved]
        first = "saved = %s %s, and " % (saved[0], remedy.when.value) if saved else ""
        return "%s%s%s, %s" % (remedy.advice, first, calls, _WHEN[scope])
    return remedy.advice + "; ".join(_registered(each, scope) for each in remedy.calls)


def _registered(call: Call, scope: CodeScope) -> str:
    if scope is CodeScope.FUNCTION:
        if call.awaited:    # a finalizer cannot
            return _call(call)
        if call.saved:
            return "request.addfinalizer(lambda saved=%s: %s)" % (call.saved, _call(call, "saved"))
        return "request.addfinalizer(%s)" % (
            "lambda: " + _call(call) if call.arguments or call.late else call.function)
    # unittest has no addAsyncClassCleanup.
    registers = "self.addAsyncCleanup" if call.awaited else _REGISTERS[scope]
    if call.late:
        return "%s(lambda: %s)" % (registers, _call(call))
    arguments = call.arguments + ((call.saved,) if call.saved else ())
    return "%s(%s)" % (registers, ", ".join((call.function,) + arguments))


def _call(call: Call, saved: str = "") -> str:
    arguments = call.arguments + ((saved,) if call.saved else ())
    return "%s%s(%s)" % ("await " if call.awaited else "", call.function, ", ".join(arguments))
