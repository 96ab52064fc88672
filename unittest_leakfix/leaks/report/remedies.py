"""What ends a leak, where that can be said with confidence, as a `Remedy`: of a resource its own
way to be closed, of an object the way out of what holds it."""
from __future__ import annotations

import re
from keyword import iskeyword
from types import MemberDescriptorType
from typing import List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.chain import Chain, Link, Step, Thing
from unittest_leakfix.leaks.model.ids import owner_of
from unittest_leakfix.leaks.model.remedy import (
    IT,
    Call,
    CodeScope,
    Remedy,
    When,
    calling,
    restoring,
)
from unittest_leakfix.leaks.model.seen import Resource
from unittest_leakfix.leaks.report import user_code
from unittest_leakfix.leaks.report.user_code import Site
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.resources.client_table import KEEPERS

__unittest = True
bind(globals())

_PACKAGE = __name__.partition(".")[0]
_ITEMS = (Link.INDEX, Link.VALUE, Link.KEY, Link.MEMBER)
_WEAK = ("WeakValueDictionary", "WeakKeyDictionary", "WeakSet")
# What passes on to another object what it was made of: nothing of it is replaced.
_WRAPPERS = ("partial", "partialmethod", "property", "staticmethod", "classmethod",
             "cached_property", "singledispatchmethod", "WeakMethod", "finalize", "Future", "Task")
_PAIRS = ("socketpair", "Pipe")
_ENDS = ("close", "shutdown", "stop", "disconnect", "terminate")
_BY_THE_LINE = (CodeScope.TEST, CodeScope.CLASS, CodeScope.MODULE)
_POOL = re.compile(r"Pool\Z")
_MOCKS = ("Mock", "MagicMock", "AsyncMock", "NonCallableMock", "NonCallableMagicMock")


# What ends a resource.

def end(resource: str, name: str = "", awaited: bool = False,
        ends: Tuple[str, ...] = ()) -> Optional[Remedy]:
    """Return the clean-up for a resource of this kind, which is called *name*. *awaited*: its close
    is; *ends*: its methods, if others than its kind's."""
    row = kinds.of_resource(resource)
    methods = ends or kinds.ENDS.get(resource, row.ends)
    if row.end_is_awaited:
        return Remedy(advice="await its %s() in the loop that it belongs to" % methods[0])
    return named(Remedy(tuple(_ending(each, awaited) for each in methods)), resource, name)


def _ending(method: str, awaited: bool) -> Call:
    """Return the call of a method, or of a function that takes what it ends."""
    waits, _, name = method.rpartition(" ")
    if _is_function(name):
        return Call(name, (IT,))
    return Call(_method(IT, name), awaited=awaited or bool(waits))


def _is_function(name: str) -> bool:
    """Tell whether this end of a resource is a function which takes it: "plt.close"."""
    return "." in name[1:] and name[:1] != "."


def _method(of: str, name: str) -> str:
    """Return the method of what is called *of*: "close", or ".pool.close" of an attribute."""
    return "%s.%s" % (of, name.lstrip("."))


def named(remedy: Remedy, resource: str, name: str = "") -> Remedy:
    """Return *remedy* for a resource of this kind, which is called *name*, or is to be called
    something."""
    row = kinds.of_resource(resource)
    return remedy.of(name, remedy.noun or kinds.NOUNS.get(resource, resource),
                     remedy.variable or row.variable or _snake(row.name.rpartition(" ")[2]))


def opened(resource: str, site: Site, made: str = "") -> Tuple[str, bool]:
    """Return what the user's own statement calls the resource that it opened, "" for nothing; and
    whether that is the very resource, of the class *made*, rather than what has it inside."""
    statement = site.opening(kinds.OPENERS.get(kinds.of_resource(resource).name, ()), made)
    if statement is not None:
        return site.bound(statement), True
    return site.bound(site.statement), False


def end_of_opened(seen: Resource, site: Site) -> Optional[Remedy]:
    """Return the clean-up for a resource by what the user's own statement calls it."""
    owner, method = site.owner_of_what_opened(_ENDS)
    if owner:
        return Remedy((Call("%s.%s" % (IT, method)),)).of(owner)
    name, itself = opened(seen.resource, site, seen.type)
    pair = site.opening(_PAIRS)
    if pair is not None and len(pair.targets) > 1 and all(pair.targets):
        # Which of them it is, is not known; to close one twice is not an error.
        return Remedy(tuple(Call("%s.close" % each) for each in pair.targets)).of(pair.targets[0])
    openers = (*kinds.OPENERS.get(kinds.of_resource(seen.resource).name, ()), seen.type)
    names = site.several(openers)
    methods = seen.ends or kinds.of_resource(seen.resource).ends
    if names and all(names) and len(methods) == 1 and not seen.awaited:
        call = _ending(methods[0], False)
        return Remedy(tuple(call._replace(
            function=call.function.replace(IT, each),
            arguments=tuple(part.replace(IT, each) for part in call.arguments))
            for each in names)).of(names[0])
    if names:
        return Remedy(advice="that line opens more than one: give each of them a name, and "
                             "register the %s() of each" % "() and ".join([
                                 each.lstrip(".") for each in methods or ("close",)]))
    if name and not itself:     # a library's, which has it inside
        return Remedy((Call(IT + ".close"),)).of(name)
    if not name and site.statement is not None and not site.call_of(openers):
        return Remedy(advice="close what opened it there, in its own way: that line has no name "
                             "for this")
    return end(seen.resource, name, seen.awaited, seen.ends)


def of_resource(seen: Resource, chain: Optional[Chain], site: Site) -> Optional[Remedy]:
    """Return the clean-up for an open resource, which *chain* may hold."""
    if seen.advice:
        return Remedy(advice=seen.advice)
    seen = seen._replace(ends=tuple(site.local(each) if _is_function(each) else each
                                    for each in seen.ends))
    if seen.reached:
        name, itself = opened(seen.resource, site, seen.type)
        if name and itself and site.scope in _BY_THE_LINE:
            # Where the clean-up is to stand, the attribute may not be there yet.
            return end(seen.resource, name, seen.awaited, seen.ends)
        remedy = end(seen.resource, seen.reached, seen.awaited, seen.ends)
        return remedy and remedy._replace(calls=remedy.calls + tuple(
            call._replace(function=call.function.replace(IT, each))
            for each in seen.others for call in remedy.calls if call.function.startswith(IT)))
    if chain is None:
        return end_of_opened(seen, site)
    if chain.expression in STREAMS:
        back = stream(chain.expression)
        return back._replace(monkeypatch="", calls=(
            *back.calls, Call(chain.expression + ".close", late=True)))
    remedy = _by_its_keeper(chain, site)
    if remedy is not None:
        return remedy
    keeper = next((step.what.name for step in chain.steps[:-1] if step.what.category == "object"
                 and _POOL.search(step.what.name)), "")
    if keeper:
        return Remedy(advice="give it back to the %s that keeps it, or close that" % keeper)
    places = _Places(chain, site)
    place = places.of(len(chain.steps) - 1) if all(
        step.link in (Link.ROOT, Link.ATTRIBUTE) for step in chain.steps) else ""
    # What the application made for itself, it would use again: closed, it is of no use to it.
    lazily = chain.root in ("module", "class") and (
        site.opened_elsewhere or _is_of_application(chain, places, site))
    pool = seen.resource == "process pool"
    old = _put_back(chain.steps, places, site) if place and (pool or lazily) else None
    if old is not None and old.when is When.BEFORE:
        # One that has ended has open descriptors as long as it is there.
        return old._replace(monkeypatch="", calls=(*old.calls, *(
            Call(_method(place, each), late=True) for each in seen.ends)))
    if opened(seen.resource, site, seen.type) != ("", False):
        return end_of_opened(seen, site)
    return (end(seen.resource, place, seen.awaited, seen.ends) if place
            else end_of_opened(seen, site))


def _is_of_application(chain: Chain, places: _Places, site: Site) -> bool:
    """Tell whether the last attribute of a chain is one that the application declares as None: it
    makes it when it is first wanted."""
    index = len(chain.steps) - 1
    module, path = user_code.split(places.dotted(index)) if places.dotted(index) else ("", "")
    return bool(module) and module != (site.names or {}).get("__name__") and user_code.existed(
        module, path) == "None"


def _by_its_keeper(chain: Chain, site: Site) -> Optional[Remedy]:
    """Return what has the one that keeps a connection for others let go of it; None where there is
    none: ``SS.remove`` of a scoped session."""
    for index, step in enumerate(chain.steps):
        ends = KEEPERS.get(step.what.name) if step.what.category == "object" else None
        place = _Places(chain, site).of(index) if ends else ""
        if place:
            return Remedy((Call("%s.%s" % (place, ends)),)).of(place)
    return None


def dropped(resource: str, site: Site) -> Optional[Remedy]:
    """Return what closes a resource that was not kept: a ``with`` statement around the call that
    opened it."""
    row = kinds.of_resource(resource)
    call = site.call_of(kinds.OPENERS.get(row.name, ()))
    # The pipes of a child are closed by communicate().
    ends = ("communicate", "kill") if row.name == "child process" and "PIPE" in call else ()
    if ends or opened(resource, site)[0] or site.owner_of_what_opened(_ENDS)[0]:
        return end_of_opened(Resource("", resource=resource, ends=ends), site)
    if not call or row.name in ("event loop", "temporary file", "child process") or (
            row.name == "temporary folder" and "TemporaryDirectory" not in call):
        return named(row.remedy, resource) if row.remedy is not None else None
    return Remedy(manager="contextlib.closing(%s)" % call if row.closing else call,
                  target=row.variable)


STREAMS = ("sys.stdout", "sys.stderr", "sys.stdin")
"""The standard streams, which tests replace."""


def stream(name: str) -> Remedy:
    """Return what puts a standard stream, or a hook, back."""
    owner, _, attribute = name.rpartition(".")
    return restoring("setattr", owner, '"%s"' % attribute, saved=name,
                     monkeypatch='setattr(%s, "%s", ...)' % (owner, attribute))


# What lets go of an object.

class _Places:
    """The expression for each object of a chain, by the names of the user's module."""

    def __init__(self, chain: Chain, site: Site) -> None:
        self._found: List[str] = []
        self.roots: List[str] = []
        """The same by full dotted names, "" from the first step on that is not one."""
        self._add(chain, site)

    def of(self, index: int) -> str:
        """Return the expression for the step of this *index*; "" where there is no plain one."""
        return self._found[index] if 0 <= index < len(self._found) else ""

    def dotted(self, index: int) -> str:
        """Return the full dotted name of the step of this *index*; "" where it has none."""
        return self.roots[index] if 0 <= index < len(self.roots) else ""

    def _add(self, chain: Chain, site: Site) -> None:
        steps = chain.steps
        if not chain.evaluates or chain.root not in ("module", "class") or not steps:
            return
        root = steps[0].access
        if not user_code.split(root)[0] or root.partition(".")[0] == _PACKAGE:
            return
        if _is_internal(root):
            return
        place, dotted = site.local(root), root
        self._found, self.roots = [place], [dotted]
        # Its own class, or one that shares a base's fixture with it.
        of_test = chain.root == "class" and site.scope is CodeScope.TEST and root == owner_of(
            site.test)
        library = user_code.is_library(user_code.split(root)[0])
        for index, step in enumerate(steps[1:], 1):
            if library and step.key.startswith("_"):
                return      # nobody is to reach into what a library has for itself
            if step.link is Link.ATTRIBUTE and step.access == "." + step.key:
                alias = site.alias(root, step.key) if index == 1 else ""
                place = alias or "%s.%s" % (place, step.key)
                dotted = "%s.%s" % (dotted, step.key) if dotted else ""
            elif step.link is Link.ATTRIBUTE:
                place, dotted = place + step.access, ""
            elif step.link in (Link.INDEX, Link.VALUE) and step.key:
                place, dotted = "%s[%s]" % (place, step.key), ""
            else:
                return
            if index == 1 and of_test and step.link is Link.ATTRIBUTE:
                place = "self" + step.access
            self._found.append(place)
            self.roots.append(dotted)


def _is_internal(dotted: str) -> bool:
    """Tell whether a dotted name is one that a library has for itself."""
    module, path = user_code.split(dotted)
    return user_code.is_library(module) and any(
        part.startswith("_") for part in dotted.split(".")) and not path.startswith("__")


class _Named(NamedTuple):
    """What is to be taken out of something: what the test calls it, or what to call it."""

    it: str
    noun: str
    variable: str


def let_go(chain: Optional[Chain], name: str, site: Site) -> Optional[Remedy]:
    """Return the clean-up that takes an object from where *chain* keeps it. *name*: what the test
    calls it ("self", "self.order"), "" for nothing."""
    if chain is None or len(chain.steps) < 2:
        return None
    steps, places = chain.steps, _Places(chain, site)
    if chain.root == "atexit":
        index = next((index for index, step in enumerate(steps) if step.what.category in (
            "bound method", "function")), 0)
        return calling("atexit.unregister", IT).of(*_named(steps, index, name)) if index else None
    for index, step in enumerate(steps):
        place = places.of(index)
        special = _special(step, place, steps[index + 1:], name) if place else None
        if special is not None:
            return special
    index = next((index for index, step in enumerate(steps) if step.link in _ITEMS), 0)
    if not index:
        return _put_back(steps, places, site)
    while index:
        while index + 1 < len(steps) and steps[index + 1].link in _ITEMS:
            index += 1
        below = next((place for place in range(index + 1, len(steps))
                      if steps[place].link in _ITEMS), 0)
        # What others had put in before is not taken out: perhaps something in it is the test's.
        if index == len(steps) - 1 or not below or not _has_key(places.dotted(index - 1)):
            return _taken_out(steps, index, places, name)
        index = below
    return None


def _named(steps: Tuple[Step, ...], index: int, name: str) -> _Named:
    """Return what the object of the step of this *index* is called, or may be called."""
    what, last = steps[index].what, len(steps) - 1
    if index == last and name:
        return _Named(name, "", "")
    if what.category == "bound method" and index == last - 1 and name and "." not in what.name:
        return _Named("%s.%s" % (name, what.method), "", "")
    noun = {"object": what.name, "test": what.name, "class": what.name,
            "function": what.name, "generator": "generator " + what.name,
            "coroutine": "coroutine " + what.name}.get(what.category, "") if what.name else ""
    noun = noun if "<" not in noun else ""
    return _Named("", noun or {"container": "entry", "bound method": "method"}.get(
        what.category, what.category), _variable(what))


def _variable(what: Thing) -> str:
    """Return a name for an object: "order_line" for an OrderLine."""
    if what.category == "container" or not what.name.rpartition(".")[2].isidentifier():
        return {"container": "entry", "function": "function"}.get(what.category, "it")
    return _snake(what.method or what.name.rpartition(".")[2])


def _snake(name: str) -> str:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    return name if name.isidentifier() and not iskeyword(name) else "it"


def _special(step: Step, place: str, below: Tuple[Step, ...], name: str) -> Optional[Remedy]:
    """Return the clean-up for what has one of its own."""
    what = step.what
    if what.category == "lru_cache":
        return calling(place + ".cache_clear")
    if not below:
        return None
    if _is(what, _MOCKS):
        return _reset(place, below)
    if _is(what, ("ContextVar",)):
        value = name if len(below) == 1 and name else "..."
        return Remedy((Call(place + ".reset", (), "%s.set(%s)" % (place, value)),),
                      when=When.INSTEAD)
    if _is(what, _WEAK):
        if what.name == "WeakValueDictionary" and len(below) > 1 and below[1].link is Link.KEY:
            target = _named((step, *below), 2, name)
            return calling(place + ".pop", IT, "None").of(*target)
        return Remedy(advice="let no value of %s refer to its own key: that keeps both"
                             % place) if what.name != "WeakSet" else None
    if _is(what, ("_local",)) and len(below) == 3 and re.match(r"\['\w+'\]", below[2].access):
        return calling("delattr", place, '"%s"' % below[2].access[2:-2])
    return None


def _reset(place: str, below: Tuple[Step, ...]) -> Optional[Remedy]:
    """Return what takes what was put into a mock, or called it, out of it."""
    inner, at = place, 0
    # A child's calls are noted by all mocks above it, so they are forgotten from the top.
    while at + 2 < len(below) and below[at].key == "_mock_children" and below[at + 1].key and _is(
            below[at + 1].what, _MOCKS):
        inner, at = "%s.%s" % (inner, below[at + 1].key.strip("'\"")), at + 2
    key = below[at].key if at < len(below) else ""
    if key in ("_mock_side_effect", "_mock_return_value"):
        return calling(_public(inner) + ".reset_mock", key[len("_mock_"):] + "=True")
    return calling(_public(place) + ".reset_mock") if key in _CALLS else None


_CALLS = ("method_calls", "_mock_call_args", "_mock_call_args_list", "_mock_mock_calls",
          "_mock_await_args", "_mock_await_args_list")


def _public(place: str) -> str:
    """Return the expression by which tests reach a mock's child."""
    return re.sub(r"\._mock_children\['(\w+)'\]", r".\1", place).replace("._mock_return_value",
                                                                          ".return_value")


def _is(what: Thing, classes: Tuple[str, ...]) -> bool:
    return what.category == "object" and what.name in classes


_DICT = "mock.patch.dict(%s)"


def _taken_out(steps: Tuple[Step, ...], index: int, places: _Places,
               name: str) -> Optional[Remedy]:
    """Return what takes the item of this *index* out of its container."""
    step, place = steps[index], places.of(index - 1)
    if not place:
        return None
    target = _named(steps, index, name)
    if step.link is Link.VALUE and step.key:
        if _has_key(places.dotted(index - 1)):
            return Remedy(manager=_DICT % place)
        return calling(place + ".pop", step.key, "None")
    if step.link in (Link.VALUE, Link.KEY):
        if step.link is Link.KEY and target.it:
            return calling(place + ".pop", IT, "None").of(*target)
        return Remedy(manager=_DICT % place)
    return calling("%s.%s" % (place, "discard" if step.link is Link.MEMBER else "remove"),
                   IT).of(*target)


def _has_key(dotted: str) -> bool:
    """Tell whether a dict may have had entries before the test: it is not declared as empty."""
    module, path = user_code.split(dotted) if dotted else ("", "")
    return user_code.existed(module, path) == "value" if module and path else False


def _put_back(steps: Tuple[Step, ...], places: _Places, site: Site) -> Optional[Remedy]:
    """Return what gives the attribute that was set its old value back."""
    for index in range(len(steps) - 1, 0, -1):
        step, holder, place = steps[index], steps[index - 1].what, places.of(index - 1)
        if step.link is not Link.ATTRIBUTE or not place or holder.category == "function" or _is(
                holder, _WRAPPERS):
            continue
        return _attribute(step, holder, place, places, index, site)
    return None


def _attribute(step: Step, holder: Thing, place: str, places: _Places, index: int,
               site: Site) -> Optional[Remedy]:
    key = step.key
    # On the class itself, not by way of an instance.
    attribute = places.of(index) if index > 1 else place + step.access
    dotted = places.dotted(index - 1)
    module, path = user_code.split(dotted) if dotted else ("", "")
    full = ".".join(filter(None, (path, key)))
    gone = calling("delattr", place, '"%s"' % key)
    if holder.category in ("module", "class"):
        as_what = user_code.existed(module, full) if module else "?"
        if not as_what:
            return gone
        if as_what == "def" and _is_still(step, full, site):
            return None     # the very function: what keeps it is inside of it
        if holder.category == "class" and (as_what == "def" or "__dict__" in attribute):
            attribute = 'vars(%s)["%s"]' % (place, key)
        return restoring("setattr", place, '"%s"' % key, saved=attribute,
                         monkeypatch='setattr(%s, "%s", ...)' % (place, key))
    value = user_code.static(dotted) if dotted else None
    named = value is not None and any(key in objects.class_dict(cls)
                                      for cls in objects.mro(type(value)))
    default = objects.type_attribute(type(value), key) if named else None
    slot = type(default) is MemberDescriptorType
    if default is not None and not slot and objects.type_attribute(
            type(default), "__get__") is not None:
        return gone     # a cached property: reading it would fill it
    if named and not slot and not _is_set_by_init(type(value), key):
        return gone     # and the class's own value is there again
    if _sure(module, path):
        return restoring("setattr", place, '"%s"' % key, saved=attribute)
    return Remedy(advice="give %s its old value back" % attribute)


def _is_set_by_init(cls: type, key: str) -> bool:
    """Tell whether the objects of a class get an attribute of their own by their ``__init__``."""
    code = getattr(objects.type_attribute(cls, "__init__"), "__code__", None)
    return key in getattr(code, "co_names", ())


def _is_still(step: Step, name: str, site: Site) -> bool:
    """Tell whether a function or class is the one that its module defines under its *name*: not one
    that the test has put there."""
    file = step.place.rpartition(":")[0]
    here = (site.names or {}).get("__file__")
    return (step.what.category in ("function", "class") and step.what.name == name
            and not (file and type(here) is str and here.endswith(file)))


def _sure(module: str, path: str) -> bool:
    """Tell whether what is called so was there before the test: nothing of it is set later."""
    parts = path.split(".") if path else []
    return bool(module) and user_code.existed(module, parts[0] if parts else "") not in (
        "", "None") and (len(parts) < 2 or user_code.existed(module, ".".join(parts[:2])) != "None")

