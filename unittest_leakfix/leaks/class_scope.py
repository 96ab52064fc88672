"""What belongs to a class or module: resources no test may close, and what fixtures left."""

from __future__ import annotations

import sys
import threading
import weakref
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Container, Dict, List, NamedTuple, Optional, Set, Tuple

from unittest_leakfix._core.code_origin import short
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.introspection import mro, names_in, qualified
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.resources.scan import is_atom
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition, Acquisitions
from unittest_leakfix.tracing.frameworks import stays_open
from unittest_leakfix.tracing.stacks import Frame

if TYPE_CHECKING:
    from unittest_leakfix.leaks import identify, resource_parts, sizes
    from unittest_leakfix.leaks.model import kinds
    from unittest_leakfix.leaks.model.leak import Leak
else:
    identify = later(globals(), "leaks.identify")
    resource_parts = later(globals(), "leaks.resource_parts")
    sizes = later(globals(), "leaks.sizes")
    kinds = later(globals(), "leaks.model.kinds")

__unittest = True
bind(globals())
_ref = weakref.ref
_Thread = threading.Thread

HEAVY = 100000
"""From this many bytes on what a class's attributes still hold after its tests is reported."""


class _Shared(NamedTuple):
    holder: Any
    name: str
    type: type
    ref: Optional["weakref.ref[Any]"]
    oid: int
    fd: int
    described: str
    owner: str
    acquisition: Optional[Acquisition]


class SharedResources:
    """Remembers what hangs open on a class and its module, by name; keeps none of it alive."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._cls: Any = None
        self._found: List[_Shared] = []

    def take(self, cls: type) -> None:
        """Look at *cls* and its module, when the first test of the class is about to run."""
        if cls is self._cls:
            return
        self._cls = cls
        name = objects.module_of(cls)
        module = sys.modules.get(name)
        self._found = self._open_ones(cls, objects.qualified_name(cls))
        if module is not None:
            self._found += self._open_ones(module, name)

    @property
    def any(self) -> bool:
        """Tell whether there is anything to look at."""
        return bool(self._found)

    def runs_thread(self, thread: int) -> bool:
        """Tell whether the thread of that number is a part of what the class or its module has, a
        pool's or a loop's, and ends with it."""
        if self._cls is None:
            return False
        for holder in (self._cls, sys.modules.get(objects.module_of(self._cls))):
            for value in list(objects.namespace_of(holder).values()):
                if kind_of(value) is not None and not objects.inherits(value, _Thread):
                    if ("thread", thread) in resource_parts.held_resources(value, None)[0]:
                        return True
        return False

    def forget(self) -> None:
        """The class is over: its own may be closed now."""
        self._cls, self._found = None, []

    def closed(self) -> List[Tuple[Change, Optional[Acquisition]]]:
        """Return a "closed descriptor" change for each that is closed now, and where it had been
        opened; forget those."""
        changes: List[Tuple[Change, Optional[Acquisition]]] = []
        for each in list(self._found):
            value = objects.namespace_of(each.holder).get(each.name)
            # What is gone may have left its id to another.
            if id(value) != each.oid or type(
                    value) is not each.type or each.ref is not None and each.ref() is not value:
                self._found.remove(each)
                continue
            kind = kind_of(value)
            if kind is None or kind.is_open(value) is not False:
                continue
            self._found.remove(each)
            change = Change("closed descriptor", each.described, fd=each.fd, owner=each.owner)
            changes.append((change, each.acquisition))
        return changes

    def _open_ones(self, holder: Any, owner: str) -> List[_Shared]:
        found: List[_Shared] = []
        values: Dict[str, Any] = dict(objects.namespace_of(holder))
        types = list(map(id, map(type, values.values())))
        resources = {key for key, value in dict(zip(types, values.values())).items()
                     if kind_of(value) is not None}
        if not resources:
            return found    # as a rule, also for a module with a thousand names
        for name, value in values.items():
            kind = kind_of(value) if id(type(value)) in resources and type(
                name) is str and not name.startswith("__") else None
            if kind is None or kind.is_open(value) is not True:
                continue
            opened = self._acquisitions.of(value)
            fd = max(os_facts.descriptor_of(value), os_facts.socket_descriptor(value))
            try:
                ref = _ref(value)
            except TypeError:
                ref = None
            found.append(_Shared(holder, name, type(value), ref, id(value), fd,
                                 identify.described(kind, value, opened), "%s.%s" % (owner, name),
                                 opened))
        return found


# What the fixtures of the class and the module under way left on them.


class Fixtures:
    """Knows what the class had before its ``setUpClass``."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._had: Dict[str, Any] = {}
        self.cls: Optional[type] = None
        """The class under way."""
        self.covered: Set[object] = set()
        """What the class or module was reported to hold: its parts are not reported again."""

    def begin(self, cls: type) -> None:
        """Called before ``setUpClass``."""
        self.cls = cls
        self._had = dict(names_in(cls))

    def held_by(self, cls: type) -> List[Leak]:
        """Return a leak for what the attributes that *cls* gained still hold, if that is much."""
        if cls is not self.cls:
            return []
        had, self._had = self._had, {}
        self.cls = None
        new = [(".%s" % name, value) for name, value in names_in(cls).items()
               if had.get(name, had) is not value and not is_atom(value)
               and not name.startswith("_") and name != "tearDown_exceptions"]
        del had
        holding = sizes.heaviest(new, floor=HEAVY) if new else ()
        if not holding:
            return []
        total = sum(item[2] for item in holding)
        attribute = holding[0][0].lstrip(".")
        return [identify.of_class(qualified(cls), holding, total,
                                  qualified(giver_of(cls, attribute)))]

    def left_open(self, holder: Any, form: str, fixtures: Container[str]) -> List[Leak]:
        """Return a leak for each resource that one of the *fixtures* opened and that is still open
        on
        *holder*, its class or module."""
        leaks: List[Leak] = []
        for name, value in list(objects.namespace_of(holder).items()):
            kind = kind_of(value)
            # A patch is reported as a change of the process.
            if kind is None or kind.name == "mock patch" or kind.is_open(value) is not True:
                continue
            opened = self._acquisitions.of(value)
            if opened is not None and opened.test in fixtures:
                leaks.append(identify.of_scope(form % name, value, kind, opened, opened.test))
                self.covered |= resource_parts.held_resources(value, opened)[0]
                self._acquisitions.mark_connection_reported(value)
        return leaks


def fixture_of(holder: Any, *names: str) -> str:
    """Return the first of these fixtures that a class or module has: "setUpClass"; "" for none.
    unittest's own, which do nothing, do not count."""
    holders = mro(holder) if isinstance(holder, type) else [holder] if holder is not None else []
    written = [space for space in map(objects.namespace_of, holders)
               if space.get("__module__") not in ("unittest.case", "unittest.async_case")]
    return next((name for name in names if any(name in space for space in written)), "")


_FIXTURES = ("setUpClass", "setUpTestData")


def giver_of(cls: type, attribute: str) -> type:
    """Return the class in whose fixture *cls* was given an attribute: one of its bases, perhaps."""
    first = None
    for base in cls.__mro__:
        for name in _FIXTURES:
            given = objects.namespace_of(base).get(name)
            function = given.__func__ if type(given) is classmethod else None
            module = objects.module_of(base).partition(".")[0]
            if type(function) is FunctionType and module not in ("unittest", "django"):
                if attribute in function.__code__.co_names:
                    return base
                first = first or base
    return first or cls


# What class bodies and modules opened while they were imported.


class ImportedResources:
    """Remembers what a module, and the classes in it, had open before its first test."""

    _KINDS = frozenset(["connection", "socket", "file", "child process"])
    # These open something when they are used first, by any test.
    _LATE = frozenset(["connection pool", "client"])

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._seen: Set[str] = set()
        self._open: List[Tuple[Any, str, int, type]] = []

    def take(self, holder: Any, name: str, first: bool) -> None:
        """Look at a module or class of this *name*, when it is met the first time; *first*: no
        test has run yet."""
        if name in self._seen:
            return
        self._seen.add(name)
        for key, value in list(objects.namespace_of(holder).items()):
            kind = kind_of(value) if type(key) is str and not key.startswith("__") else None
            if kind is None or kind.client and not first or kind.is_open(value) is not True:
                continue
            row = kinds.of_resource(kind.name).name
            if row not in self._KINDS and not (first and row in self._LATE) or stays_open(value):
                continue
            opened = self._acquisitions.of(value)
            # A database in memory has nothing outside of it.
            if (opened is None or not opened.test) and ":memory:" not in kind.describe(value):
                self._open.append((holder, key, id(value), type(value)))

    def left(self, name: str) -> List[Leak]:
        """Return a leak for each that is still open now that the module *name* is over."""
        found, self._open = self._open, []
        leaks: List[Leak] = []
        for holder, key, oid, cls in found:
            value = objects.namespace_of(holder).get(key)
            kind = kind_of(value)
            if (id(value) != oid or type(value) is not cls or kind is None
                    or kind.is_open(value) is not True or _is_elsewhere(value, name)):
                continue
            opened = self._acquisitions.of(value) or _written_at(holder, name, key)
            leaks.append(identify.of_import(key, value, kind, opened, name,
                                            objects.inherits(holder, type)))
        return leaks


def _is_elsewhere(value: object, name: str) -> bool:
    """Tell whether a module has *value* besides that of this *name*, which got it from there."""
    for module in list(sys.modules.values()):
        space = objects.own_dict(module) if type(module) is ModuleType else None
        if space is not None and space.get("__name__") != name and any(
                each is value for each in list(space.values())):
            return True
    return False


def _written_at(holder: Any, name: str, key: str) -> Optional[Acquisition]:
    """Return the line of the source that gives *holder*, a module or class of it, its *key*."""
    import ast  # no test runs, and this is seldom
    module: Any = os_facts.loaded(name)
    file: Any = (objects.own_dict(module) or {}).get("__file__")
    try:
        with open(file, "rb") as source:
            body: List[Any] = ast.parse(source.read()).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return None
    function = "<module>"
    if objects.inherits(holder, type):
        function = objects.qualified_name(holder)
        for part in function.split("."):
            body = next((each.body for each in body
                         if isinstance(each, ast.ClassDef) and each.name == part), [])
    for each in body:
        targets = each.targets if isinstance(each, ast.Assign) else [
            each.target] if isinstance(each, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == key for target in targets):
            return Acquisition("", "", "", "MainThread",
                               (Frame(short(file), each.lineno, function),))
    return None
