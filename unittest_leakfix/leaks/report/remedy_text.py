"""How each `CodeScope` writes a `Remedy`: as one line, which can be typed as it stands."""
from __future__ import annotations

from typing import Optional

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
    stored = IT in text and not it
    if stored:
        it = _OWNERS.get(remedy.scope, "") + remedy.variable
        text = "keep the %s in %s, then %s" % (remedy.noun, it, text)
    text = text.replace(IT, it)
    saves = any(call.saved for call in remedy.calls) and remedy.scope in _WHEN
    notes = [remedy.when.value] if remedy.when is not When.AFTER and not saves else []
    if remedy.monkeypatch and remedy.scope is CodeScope.FUNCTION or (
            remedy.enters and not (stored or remedy.advice)):
        notes = []
    return text + ("  # " + "; ".join(notes + list(remedy.imports))
                   if notes or remedy.imports else "")


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
