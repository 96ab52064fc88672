"""The application's state in words: what was changed and what grew, and what would put it back."""
from __future__ import annotations

from typing import Any, NamedTuple, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.remedy import Call, Remedy, When, calling
from unittest_leakfix.leaks.model.seen import ChangedState, Grown
from unittest_leakfix.leaks.report.user_code import Site
from unittest_leakfix.process_state.places import CLOSURE, DEFAULT, Place

__unittest = True
bind(globals())

_FIXED = ("setUp", "asyncSetUp", "setup_method", "setup", "setUpClass", "setUpModule")
_NEW = {"mock": "a mock", "lambda": "a lambda", "function": "another function",
        "class": "another class"}


class StateWords(NamedTuple):
    """What is said of one change or growth."""

    subject: str
    remedy: Optional[Remedy]
    notes: Tuple[Tuple[str, str], ...] = ()


def grown(seen: Grown, leak: Leak, site: Site) -> StateWords:
    """Return what is said of a container that grows."""
    worded = _worded(seen.place, seen.container)
    more = kinds.count(seen.items, "result" if seen.container == "cache" else "item")
    by = "%s (%s)" % (kinds.amount(seen.size), more) if seen.size >= 1000 else more
    return StateWords("%s grew by %s" % (worded, by),
                      _left_as_it_was(seen.place, seen.container, leak, site))


def changed(seen: ChangedState, leak: Leak, site: Site) -> StateWords:
    """Return what is said of a place that is not what it was."""
    difference = seen.difference
    place = difference.place
    notes = tuple(each for each in (("was", difference.before), ("is", difference.after))
                  if each[1])
    if difference.items or difference.how == "changed items":
        container = _container(difference)
        worded = _worded(place, container)
        items = difference.items
        how = "was changed" if not items or place.key else "has %s %s" % (
            "gained" if items > 0 else "lost", kinds.count(abs(items), "item"))
        if container == "cache":
            how = "was filled"
        return StateWords("%s %s" % (worded, how), _left_as_it_was(
            place, container, leak, site), notes if place.key else ())
    if seen.others:
        return _several((difference, *seen.others), leak, site)
    how = "was %s" % difference.how
    if difference.how == "changed" and difference.new in _NEW:
        how = "was replaced by %s" % _NEW[difference.new]
    return StateWords("%s %s" % (place.expression, how),
                      _name_back(difference, leak, site), notes)


def _worded(place: Place, container: str) -> str:
    if place.within == DEFAULT:
        return "a default argument of %s" % place.function
    if place.within == CLOSURE:
        return "what %s has in its closure" % place.function
    return "the cache of %s" % place.expression if container == "cache" else place.expression


def _is_dotted(expression: str) -> bool:
    """Tell whether an expression is a name, or names with dots between."""
    return all(part.isidentifier() for part in expression.split("."))


def _several(differences: Tuple[Any, ...], leak: Leak, site: Site) -> StateWords:
    """Return what is said of several names of one class or module."""
    names = [each.place.name for each in differences]
    listed = ", ".join(names[:4]) + (", and %d more" % (len(names) - 4) if len(names) > 4 else "")
    remedies = [_name_back(each, leak, site) for each in differences]
    calls = tuple(call for each in remedies if each is not None for call in each.calls)
    notes = tuple(("%s was" % each.place.name, each.before) for each in differences if each.before)
    return StateWords("%s: %d names were set: %s" % (
        differences[0].place.owner, len(names), listed),
        Remedy(calls, when=When.BEFORE) if all(remedies) and len(names) <= 6 else Remedy(
            advice="give %s its old values back" % site.local(differences[0].place.owner)),
        notes[:6])


def _container(difference: Any) -> str:
    return str(difference.container)


def _in_fixture(leak: Leak) -> bool:
    frames = leak.acquisition.frames if leak.acquisition is not None else ()
    return bool(frames) and not frames[0].function.startswith("test")


def _name_back(difference: Any, leak: Leak, site: Site) -> Optional[Remedy]:
    """Return what gives a name its old value back."""
    place = difference.place
    if not _is_dotted(place.owner) or not place.name.isidentifier():
        return None
    owner = site.local(place.owner)
    name, value = '"%s"' % place.name, difference.literal
    if len(value) > 60 or redaction.redact(value) != value:
        value = ""
    arguments = [owner, name] + [value] * bool(value)
    if difference.how == "added":
        manager = "mock.patch.object(%s, create=True)" % ", ".join(arguments)
        call = Call("delattr", (owner, name))
        when = When.AFTER
    else:
        manager = "mock.patch.object(%s)" % ", ".join(arguments)
        call = Call("setattr", (owner, name), "%s.%s" % (owner, place.name))
        when = When.BEFORE
    monkeypatch = "setattr(%s, %s, %s)" % (owner, name, value or "...")
    if difference.how == "removed":
        monkeypatch = "delattr(%s, %s)" % (owner, name)
    elif difference.how == "added":
        monkeypatch = monkeypatch[:-1] + ", raising=False)"
    return Remedy((call,), manager="" if _in_fixture(leak) else manager, when=when,
                  monkeypatch=monkeypatch)


def _left_as_it_was(place: Place, container: str, leak: Leak, site: Site) -> Optional[Remedy]:
    """Return what takes out of a container what a test has put in."""
    if place.within == DEFAULT:
        return Remedy(advice="make the default argument None, and the container in the function")
    expression = place.container or place.expression
    if not _is_dotted(expression):
        return None
    owner, _, name = expression.rpartition(".")
    here = site.alias(owner, name) or "%s.%s" % (site.local(owner), name)
    if container == "cache":
        return calling(here + ".cache_clear")
    if container == "dict":
        return Remedy((Call(here + ".update", (), "dict(%s)" % here), Call(here + ".clear")),
                      manager="" if _in_fixture(leak) else "mock.patch.dict(%s)" % here,
                      when=When.BEFORE)
    if container == "set":
        return Remedy((Call(here + ".intersection_update", (), "set(%s)" % here),),
                      when=When.BEFORE)
    if container == "deque":
        return Remedy((Call(here + ".extend", (), "list(%s)" % here), Call(here + ".clear")),
                      when=When.BEFORE)
    return Remedy((Call(here + ".__setitem__", ("slice(None)",), here + "[:]"),),
                  when=When.BEFORE)
