"""Which objects were born in a test and outlived it, and how much memory hangs on each.

`begin()` hides the whole heap (`heap.py`), `end()` looks at what has come since. A survivor is
remembered by a weak reference, or by its id where its type allows none, until its class is over:
only then is it looked up again, since what a class's tests share ends with the class.
"""

from __future__ import annotations

import gc
import sys
import unittest
import weakref
from contextlib import contextmanager
from typing import Any, Callable, Container, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.attributes import namespace
from unittest_leakfix._core.code_origin import HARNESS, LIBRARY, OURS
from unittest_leakfix._core.code_origin import origin_of as code_of
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.introspection import (
    flags_slot,
    identity,
    lists_more,
    module_slot,
    name_slot,
)
from unittest_leakfix.leaks.model.seen import Survivor
from unittest_leakfix.resources import registry
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.resources.scan import is_atom

__unittest = True
bind(globals())
_ref = weakref.ref

_CROWD = 64
"""From how many objects on those of one class that outlived one test are judged together."""
_MOST_CLASSES = 5000
_FEW = 16       # new objects, up to which they are looked at one by one
_SHORT = 100
_HEAP_TYPE = 1 << 9
_get_objects = gc.get_objects
_BARE = len(vars(unittest.TestCase("run")))


# Django fills caches of its own objects as the first tests come by: models' metadata, templates,
# resolvers, signals, catalogs. What is a test's attribute, a resource or a user's own is reported
# all the same.
_FRAMEWORKS = frozenset(["django", "asgiref"])


def survivor(what: str, test: str, name: str, value: object, fixture: bool = False) -> Survivor:
    """Return *value* as a survivor of *test*."""
    cls = type(value)
    module = module_slot(cls)
    return Survivor(
        what,
        test,
        name,
        fixture,
        str(name_slot(cls)),
        module if type(module) is str else "",
        _reference(value),
        id(value),
    )


class _Class:
    """What matters of the class of a survivor."""

    __slots__ = ("ref", "matters", "kind", "name", "module")

    def __init__(self, value: object, forget: Callable[[Any], None]) -> None:
        cls = type(value)
        self.ref = _ref(cls, forget)
        module = module_slot(cls)
        self.name, self.module = str(name_slot(cls)), module if type(module) is str else ""
        self.kind = kind_of(value)
        self.matters = _matters(value)


class SurvivorWatch:
    """Counts the survivors of one test after the other, or of several at once."""

    def __init__(self) -> None:
        self._test = ""
        self._tests: List[str] = []     # those before it whose survivors are not counted yet
        self.among: Tuple[str, ...] = ()
        """The tests of which what is found now may be, if of more than the one that ran last."""
        self._window = 0
        self._held: List[Survivor] = []
        self._test_ref: Optional[Callable[[], Any]] = None
        self._alone = False     # the test has nothing to note
        self._new = 0
        self._others: Set[int] = set()
        # Both by the `identity` of a class, and without what has died.
        self._classes: Dict[int, _Class] = {}
        self._dull: Set[int] = set()     # those whose instances do not matter
        self._known = 0     # the rows of the registry by which that was said

    @property
    def waits(self) -> bool:
        """Tell whether there are tests whose survivors are not counted yet."""
        return bool(self._tests)

    def begin(self, test: str) -> None:
        """Call when the test of this id is about to run."""
        self._test_ref, self._alone = None, False
        self._test = test
        if self._tests:
            self.among = (*self._tests, test)
            return      # its window is open
        self.among = ()
        if self._held:
            self._held = []
        if self._others:
            self._others = set()
        if self._window:
            heap.drop_window(self._window)      # something went wrong before it was used
        self._window = heap.open_window()

    def finished(self, test: unittest.TestCase) -> bool:
        """Take note of the finished test and what it holds, before it is let go.

        Returns whether there is nothing to note: there is nothing new, and nothing that the test
        has, but text and numbers, and lists of them.
        """
        # Looked at first: on 3.11 and later asking for the namespace makes a dict of it. On 3.12
        # and later the result keeps how long the test took: (str, float).
        new = None if self._tests else heap.since(self._window)
        values = namespace(test)
        self._test_ref = _ref(test)
        if self._tests or new is not None and len(new) < _FEW and all(map(_is_plain, new)):
            if len(values) == _BARE or all(map(_is_plain, values.values())):
                self._alone, self._new = True, 0 if new is None else len(new)
                return not self._tests
        new = None
        self.held(test)
        return False

    def held(self, test: object) -> None:
        """Take note of *test*, an instance of any class, and of its attributes."""
        self._note("test", test, "")
        self.attributes(namespace(test))

    def attributes(self, values: Dict[str, Any], fixture: bool = False) -> None:
        """Take note of what a test holds, or is about to lose: attributes, or the value of a
        *fixture*."""
        for name, value in values.items():
            if type(name) is str and not name.startswith("_") and not is_atom(value):
                self._note("attribute", value, name if fixture else "self." + name, fixture)

    def exclude(self, ids: Set[int]) -> None:
        """Say that the objects with these *ids*, which came since `begin`, belong to no test."""
        self._others.update(ids)

    def end(self, due: Callable[[], bool] = lambda: True) -> Optional[List[Survivor]]:
        """Call when the test was let go. Returns what outlived it, None if that is not known.

        Where *due* denies it, that waits for a test for which it does not, or for `rest`: unless
        the test itself is alive.
        """
        test = self._test_ref
        gone = test is not None and test() is None
        if self._alone:
            if gone and not self._tests:
                heap.close_window(self._new)
                return []
            if not gone and test is not None:
                self._note("test", test(), "")
        if gone and not due():
            for each in self._held:
                each.nth -= 1
            self._tests.append(self._test)
            self.among = tuple(self._tests) if len(self._tests) > 1 else ()
            return []
        return self._counted([*self._tests, self._test])

    def rest(self) -> Optional[List[Survivor]]:
        """Return what outlived the tests whose survivors are not counted yet; None if that is not
        known."""
        return self._counted(self._tests)

    def _counted(self, tests: List[str]) -> Optional[List[Survivor]]:
        window, self._window, self._tests = self._window, 0, []
        self.among = tuple(tests) if len(tests) > 1 else ()
        held, self._held = [each for each in self._held if each.ref() is not None], []
        born = heap.newborn(window, _may_matter)
        if born is None:
            return None
        noted: Set[int] = set()
        if held:
            refs = {identity(each.ref()): each for each in held}
            noted = refs.keys() & map(identity, born)
            held = [each for key, each in refs.items() if each.what == "test" or key in noted]
        if born:
            self._by_class(born, noted, held)
        return held

    def _by_class(self, born: List[Any], noted: Container[int], found: List[Survivor]) -> None:
        """Add a survivor to *found* for those *born* of each class that matter, but not for those
        *noted*; resources each for itself.

        Empties the list. There may be a million: so first by their classes, whose identities are
        compared since a metaclass may forbid to be hashed.
        """
        if self._known != registry.known():
            self._known = registry.known()
            self._dull.clear()
        types = list(map(identity, map(type, born)))
        if self._dull.issuperset(types):
            del born[:]
            return
        by_class: Dict[int, Tuple[_Class, List[Any]]] = {}
        for kind, each in dict(zip(types, born)).items():
            if kind not in self._dull:
                known = self._class_of(kind, each)
                if known.matters:
                    by_class[kind] = known, []
        each = None
        if by_class:
            others = self._others
            for kind, each in zip(types, born):
                if kind in by_class and identity(each) not in noted and not (
                        others and id(each) in others):
                    by_class[kind][1].append(each)
            each = None
        del born[:]
        first = len(found)
        while by_class:
            known, same = by_class.popitem()[1]
            if not same:
                continue
            if known.kind is not None:
                found += [self._of(known, each) for each in same]
                del same[:]
                continue
            one = self._of(known, same.pop())
            if same:
                one.more = list(map(_reference, same))
                one.apart = len(same) < _CROWD
                del same[:]
            found.append(one)
        for one in found[first:] if self.among else ():
            one.among = self.among

    def _class_of(self, key: int, value: object) -> "_Class":
        """Return what is known of the class of *value*, which has the identity *key*: there are
        few classes, and many tests."""
        known = self._classes.get(key)
        if known is None or known.ref() is not type(value) or known.kind is not kind_of(value):
            if len(self._classes) >= _MOST_CLASSES:
                self._classes.clear()
                self._dull.clear()
            known = self._classes[key] = _Class(value, _forgetter(key, self._classes, self._dull))
        if not known.matters:
            self._dull.add(key)
        return known

    def _of(self, known: "_Class", value: object) -> Survivor:
        return Survivor("instance" if known.kind is None else "resource", self._test, "", False,
                        known.name, known.module, _reference(value), id(value))

    def _note(self, what: str, value: object, name: str, fixture: bool = False) -> None:
        try:
            _ref(value)
        except TypeError:
            return
        self._held.append(survivor(what, self._test, name, value, fixture))


def _forgetter(key: int, classes: Dict[int, _Class], dull: Set[int]) -> Callable[[Any], None]:
    def forget(_: Any) -> None:
        classes.pop(key, None)
        dull.discard(key)
    return forget


def _is_plain(value: object) -> bool:
    """Tell whether *value* is text, a number, or a list of them."""
    kind = type(value)
    if kind is list or kind is tuple or kind is dict or kind is set:
        return len(value) < _SHORT and not lists_more(value)  # type: ignore[arg-type]
    return is_atom(value)


def _reference(value: object) -> Callable[[], Any]:
    try:
        return _ref(value)
    except TypeError:
        return ById(value)


class ById:
    """Finds an object that cannot be weakly referenced again: same id, same type, still tracked.

    Only sure for a resource whose acquisition names the test; the caller checks that.
    """

    __slots__ = ("_key", "_type", "_found")

    def __init__(self, value: object) -> None:
        self._key, self._type = id(value), type(value)
        self._found: Any = self

    def __call__(self) -> Any:
        if self._found is not self:
            return self._found
        return self._of(next((each for each in _get_objects() if id(each) == self._key), None))

    @property
    def key(self) -> int:
        """The id."""
        return self._key

    def lose(self) -> None:
        """The object is gone: its id is another's."""
        self._key, self._found = 0, None

    def _of(self, value: Any) -> Any:
        return value if type(value) is self._type else None


@contextmanager
def looked_up(survivors: Iterable[Survivor]) -> Iterator[None]:
    """Look up at once all that is known by id alone: going through the heap takes 20 ms a million.

    Meanwhile the ``ref`` of those refers to them. Thaws the heap if there are any.
    """
    refs: Dict[int, List[ById]] = {}       # what came later may have the id of what is gone
    for each in survivors:
        for ref in each.refs():
            if type(ref) is ById and ref.key:
                refs.setdefault(ref.key, []).append(ref)
    if refs:
        heap.thaw()
        for value in _get_objects():
            if id(value) in refs:
                for ref in refs[id(value)]:
                    ref._found = ref._of(value)
        value = None
    known = [ref for same in refs.values() for ref in same]
    for ref in known:
        if ref._found is ref:
            ref._found = None
    try:
        yield
    finally:
        for ref in known:
            ref._found = ref


def _may_matter(value: object) -> bool:
    return isinstance(value, unittest.TestCase) or _matters(value)


def _matters(value: object) -> bool:
    """Tell whether a survivor is worth a word: a resource, or an instance of a user's class."""
    cls = type(value)
    if kind_of(value) is not None:
        return not issubclass(cls, unittest.TestCase)
    if not flags_slot(cls) & _HEAP_TYPE or issubclass(cls, (type, unittest.TestCase)):
        return False
    return is_users(cls)


def is_users(cls: type) -> bool:
    """Tell whether *cls* was written neither in the standard library, nor here, nor in pytest or
    Django."""
    name = module_slot(cls)
    if type(name) is str and name.partition(".")[0] in _FRAMEWORKS:
        return False
    module = sys.modules.get(name) if type(name) is str else None
    try:
        file = getattr(module, "__file__", None)
    except errors.PASSING:
        raise
    except BaseException:   # another object in the module's place
        return True
    if type(file) is not str:
        return module is None or name == "__main__"
    return code_of(file) not in (LIBRARY, OURS, HARNESS)
