"""Which of the changes that tests made in the application are leaks: one rule after the other.

docs/how-it-works.md has the rules, and what each was learned from.
"""
from __future__ import annotations

import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core.code_origin import short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot
from unittest_leakfix.leaks import identify, sizes
from unittest_leakfix.leaks.model import leak as leak_model
from unittest_leakfix.leaks.model.ids import defines, method_of, module_of, owner_of
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.seen import ChangedState
from unittest_leakfix.leaks.retention import known_caches
from unittest_leakfix.leaks.suspects import Timeline
from unittest_leakfix.process_state import places
from unittest_leakfix.process_state.module_state import Difference
from unittest_leakfix.process_state.places import Place
from unittest_leakfix.process_state.state_values import word
from unittest_leakfix.tracing.stacks import Frame
from unittest_leakfix.tracing.writers import CodeOfTests

__unittest = True
bind(globals())

LARGE = 1000000
"""From how many bytes on what a container has gained is reported."""
_DEDUCING = 200000
"""How many instructions of the tests' code may be looked through for lines: not seconds, so that
a busy machine says what an idle one does."""
_RESETS = ("clear", "set None")
"""What tests do before they begin, for an application that fills it anew."""
_GROWS, _AGAIN, _BY_KEY = 5, 2, 3
_A_CONTAINER = re.compile(r"an? \w+ of \d")
_MOST = 300     # windows of one place
_LOOKED_UP = re.compile(r"\.__dict__\['(\w+)'\]")


class Window(NamedTuple):
    """What was seen of one place at one look: after the tests since the look before."""

    nth: int        # number of the last of the tests
    tests: Tuple[str, ...]
    difference: Difference
    imported: bool
    restored: bool = False
    mixed: bool = False     # fixtures ran as well
    scope: bool = False     # a fixture of a class or module did it, and its scope is over


class Record:
    """All that was seen of one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.windows: List[Window] = []
        self.changed = 0        # how often, in all
        self.shrank = False
        self.reported = False

    def add(self, window: Window) -> None:
        """Note one more."""
        self.changed += 1
        self.shrank |= window.difference.items < 0
        if len(self.windows) < _MOST:
            self.windows.append(window)
        else:
            self.windows[-1] = window


class Judge:
    """Tells which of the recorded changes are leaks."""

    def __init__(self, timeline: Timeline, failed: Dict[str, int], windows: int,
                 scopes: int) -> None:
        self._timeline = timeline
        self._failed = failed
        self._windows = windows
        self._scopes = scopes
        self._code = CodeOfTests()
        self._modules: Dict[str, str] = {}      # of the files and classes of tests
        self._lines: Dict[Tuple[str, str, str], List[Tuple[Frame, str]]] = {}
        self._read_by: Dict[str, Set[Tuple[str, str]]] = {}

    def leak(self, record: Record) -> Optional[Leak]:
        """Return the leak that one record is; None where it is none."""
        place = record.place
        windows = self._changing(record.windows)
        if not windows:
            return None
        if place.users and any(each.difference.items for each in windows):
            grown = self._growth(record, windows)
            if grown is not None:
                return grown
        if place.of_test or places.is_test_code(place.module):
            return self._read(record, windows)
        if place.users and self._cached_a_patch(record, windows):
            return self._leak(record, windows, None)
        loud = [each for each in windows if self._by_hand(each)]
        by_line = [(each, self._written(each)) for each in windows if each not in loud]
        lines = {id(each): frame for each, frame in by_line if frame is not None}
        # What most tests rebind is a slot: the next one fills it anew.
        slot = record.changed > max(3, self._windows // 2) and not any(
            each.difference.items for each in windows)
        by_scopes = [each for each in windows if each.scope]
        if len(by_scopes) > max(2, self._scopes // 2):
            return None     # each sets up what it needs, whatever is there
        loud = [each for each in windows if each in loud or id(each) in lines and not slot
                or place.users and self._is_setting(each, record)]
        if place.users and not slot and self._changed_again(record, windows):
            loud = windows
        if not loud:
            return self._read(record, windows)
        frames = [lines.get(id(each)) or self._written(each) for each in loud]
        known = next((nth for nth, frame in enumerate(frames) if frame is not None), 0)
        # What the line did comes first.
        return self._leak(record, [loud[known]] + loud[:known] + loud[known + 1:], frames[known])

    # The rules, each on its own.

    def _changing(self, windows: List[Window]) -> List[Window]:
        """All but those that put back what was there before the first, and those that empty what
        the application fills again: a cache."""
        if not windows:
            return windows
        first = windows[0].difference
        refilled = any(each.difference.items > 0 and self._written(each) is None
                       for each in windows) if any(
                           each.difference.items < 0 for each in windows) else False
        return [each for each in windows if not (
            each is not windows[0] and first.old == each.difference.new == "atom"
            and first.before == each.difference.after
            or refilled and each.difference.items < 0
            or self._is_copy(each))]

    def _is_copy(self, window: Window) -> bool:
        """Tell whether a container was replaced by one like it, in a test that sets the name more
        than once: it puts a copy back."""
        difference = window.difference
        if (difference.how != "changed" or not difference.items == 0 or not difference.before
                or difference.before != difference.after
                or not _A_CONTAINER.match(difference.after)):
            return False
        place = difference.place
        if difference.after.endswith(" of 0 items"):
            return True     # as empty as the one before
        return any(sum(frame.line in lines for frame in self._lines_of(
            test, place.owner, place.name)) > 1
            for test in window.tests for lines in [self._code.lines_of(
                self._module_of(test), method_of(test), owner_of(test).rpartition(".")[2])])

    @staticmethod
    def _by_hand(window: Window) -> bool:
        """A mock, or a function of the tests', in the place of the application's own."""
        difference = window.difference
        if difference.how not in ("changed", "added"):
            return False
        if difference.new == "mock":
            return True
        return (difference.new in ("lambda", "function", "class") and bool(difference.home)
                and any(defines(test, difference.home) for test in window.tests))

    def _is_setting(self, window: Window, record: Record) -> bool:
        """A public name that had a plain value and has another one, which few tests change."""
        difference, first = window.difference, record.windows[0].difference
        if (difference.after, difference.new) == (first.before, first.old):
            return False    # it is what it was before any test
        return (difference.how == "changed" and difference.old == "atom"
                and difference.new in ("atom", "empty", "none")
                and not window.imported and not record.place.name.startswith("_")
                and not (_is_number(difference.before) and _is_number(difference.after))
                and record.changed <= max(2, self._windows // 4))

    def _cached_a_patch(self, record: Record, windows: List[Window]) -> bool:
        """A cache was filled while a test had another value in a global that its function
        reads."""
        first = windows[0]
        if first.difference.container != "cache" or first.difference.old != "empty":
            return False
        function = getattr(_value_of(record.place), "__wrapped__", None)
        code = getattr(function, "__code__", None)
        space = vars(sys.modules[record.place.module])
        names = [name for name in getattr(code, "co_names", ())
                 if name in space and not callable(space[name])]
        alone = len(first.tests) == 1
        return any(frame.function == method_of(test) and (
            alone or ("", record.place.name) in self._names_read(test))
            for test in first.tests for name in names
            for frame in self._lines_of(test, record.place.module, name))

    def _changed_again(self, record: Record, windows: List[Window]) -> bool:
        """What was None, or empty, was set by one test and changed by another one: it is not made
        once, for all.

        A dict is a cache or a registry by keys, each of which is a place of its own. What tests
        reset is theirs to manage, and what was only emptied again is as it was.
        """
        first = windows[0]
        sort = first.difference.container or "name"
        if (first.difference.old not in ("none", "empty") or sort in ("dict", "cache")
                or record.shrank or any(each.imported for each in windows)):
            return False
        others = [each for each in windows[1:] if not set(each.tests) & set(first.tests)
                  and each.difference.new not in ("none", "empty")
                  and not (_is_number(each.difference.before)
                           and _is_number(each.difference.after))]
        tests = [test for each in windows for test in each.tests]
        return bool(others) and not any(
            how in _RESETS for _, how in self._writers(record.place, tests))

    def _lines_of(self, test: str, owner: str, name: str) -> List[Frame]:
        """Return the lines of a test's module that set this name, for good or for a while."""
        if self._code.work > _DEDUCING:
            return []
        return [frame for frame, _ in self._code.writers(self._module_of(test), owner, name)]

    def _module_of(self, test: str) -> str:
        """Return what `module_of` does. To find pytest's by its file all modules are gone over:
        once for the tests of one class."""
        owner = owner_of(test)
        found = self._modules.get(owner)
        if found is None:
            found = self._modules[owner] = module_of(test)
        return found

    def _written(self, window: Window) -> Optional[Frame]:
        """Return the one line of a test's own module, or of what its tests inherit, that can have
        made the change."""
        found = [frame for frame, how in self._writers(window.difference.place, window.tests)
                 if how not in _RESETS or window.difference.new in ("empty", "none")]
        methods = set(map(method_of, window.tests))
        of_tests = [each for each in found if each.function in methods]
        helpers = [each for each in found if not each.function.startswith("test")
                   and not (window.mixed and each.function in places.FIXTURES)]
        return next(iter(of_tests or helpers), None)

    def _writers(self, place: Place, tests: Sequence[str]) -> List[Tuple[Frame, str]]:
        """Return the lines of the modules of these tests that change the place, and how; none once
        enough was looked through."""
        found: List[Tuple[Frame, str]] = []
        for module in dict.fromkeys(filter(
                None, map(self._module_of, tests if place.name else ()))):
            key = module, place.owner, place.name
            if key not in self._lines:
                if self._code.work > _DEDUCING:
                    return []
                self._lines[key] = self._code.writers(module, place.owner, place.name)
            found += self._lines[key]
        return found

    def _read(self, record: Record, windows: List[Window]) -> Optional[Leak]:
        """A later test that reads the place has failed."""
        place = record.place
        name = place.name or place.function.rpartition(".")[2]
        if not self._failed or self._code.work > _DEDUCING or place.of_test:
            return None
        for test in self._failed:
            before = [each for each in windows if self._ran_before(each, test)]
            names = self._names_read(test) if before else ()
            if ("", name) in names or (places.file_of(place.module), name) in names:
                return self._leak(record, before, None, test)
        return None

    def _ran_before(self, window: Window, failed: str) -> bool:
        return failed not in window.tests and window.nth < self._failed.get(failed, 0)

    def _names_read(self, test: str) -> Set[Tuple[str, str]]:
        found = self._read_by.get(test)
        if found is None:
            found = set()
            if self._code.work <= _DEDUCING:
                found = self._code.names_read(self._module_of(test), method_of(test))
            self._read_by[test] = found
        return found

    # Growth.

    def _growth(self, record: Record, windows: List[Window]) -> Optional[Leak]:
        place = record.place
        value = _value_of(place)
        gains = [each for each in windows if each.difference.items > 0]
        items = sum(each.difference.items for each in windows)
        if (record.shrank or items <= 0 or not places.is_container(value)
                or places.is_bounded(value) or places.length(value) < items):
            return None
        nths = [each.nth for each in gains]
        size = _size_of_last(value, items)
        once = len(gains) == 1 and gains[0].difference.old == "empty"
        if size >= LARGE:
            hand = any(self._written(each) is not None for each in gains)
            # What the application works out once for each name, it keeps by that name.
            least = _BY_KEY if places.is_dict(value) and gains[0].difference.old == "empty" \
                else _AGAIN
            if not (hand or not once and (len(gains) == 1 or self._timeline.grows(
                    nths, (), least))):
                return None
        elif (places.is_test_code(place.module) or not self._timeline.grows(nths, (), _GROWS)
                or not _steady(nths, self._timeline.now)):
            return None
        return identify.of_growth(place, items, size, *_blamed(gains),
                                  container=word(value))

    def together(self, leaks: Sequence[Leak]) -> List[Leak]:
        """Return the *leaks*, those as one that one function of the application has set: names of
        one class or module, in the same tests, by no line of theirs."""
        alike: Dict[Tuple[Any, ...], List[Leak]] = {}
        for leak in leaks:
            place = leak.seen.difference.place if isinstance(leak.seen, ChangedState) else None
            key = (place.module, place.owner, leak.tests, leak.candidates, leak.notes) if (
                place is not None and place.name and leak.acquisition is None) else (id(leak),)
            alike.setdefault(key, []).append(leak)
        found: List[Leak] = []
        for same in alike.values():
            if len(same) > 1:
                names = {each.seen.difference.place.name: each      # type: ignore[union-attr]
                         for each in same}
                place = same[0].seen.difference.place       # type: ignore[union-attr]
                for stored in sorted(self._code.stored_in(place.module), key=len, reverse=True):
                    mine = [name for name in names if name in stored]
                    if len(mine) > 1:
                        found.append(identify.of_states([names.pop(name) for name in mine]))
                same = list(names.values())
            found += same
        return found

    def _is_in(self, test: str, frame: Frame) -> bool:
        return short(places.file_of(self._module_of(test))) == frame.file

    def _leak(self, record: Record, windows: List[Window], frame: Optional[Frame],
              read_by: str = "") -> Leak:
        first = windows[0]
        difference = first.difference
        if difference.items and not difference.place.key:
            difference = difference._replace(
                items=sum(each.difference.items for each in windows),
                after=windows[-1].difference.after)
        tests, candidates = _blamed(windows)
        if frame is not None and candidates:
            candidates = tuple(test for test in candidates
                               if self._is_in(test, frame)) or candidates
            mine = [test for test in first.tests if method_of(test) == frame.function
                    and self._is_in(test, frame)] if len(first.tests) > 1 else []
            if len(mine) == 1:      # the line that can have done it stands in one of them
                tests, candidates = (mine[0],), ()
        notes: Tuple[Tuple[str, str], ...] = ((leak_model.READ, read_by),) if read_by else ()
        if not read_by and tests and tests[0] in self._failed:
            # What a failing test left in the application, those after it meet.
            notes = ((leak_model.MET, "the tests after it"),)
        return identify.of_state(difference, tests, candidates, frame, first.restored, notes)


def is_bounded(record: Record, reported: Set[int]) -> bool:
    """Tell whether a container drops its oldest for its newest, has a limit beside it, or is one
    that is *reported* by another name."""
    if not any(each.difference.items or each.difference.how == "changed items"
               for each in record.windows):
        return False
    value = _value_of(record.place)
    if value is None or not places.is_container(value):
        return False
    turns = any(not each.difference.items and not each.difference.place.key
                for each in record.windows)
    beside = _namespace_of(record.place) or {}
    return (turns or places.is_bounded(value) and type(value) is not places.LRU_CACHE
            or id(value) in reported
            or any(type(name) is str and type(each) is int and known_caches._LIMIT.match(name)
                   and places.length(value) <= each for name, each in list(beside.items())))


def named(expression: str) -> Any:
    """Return what the dotted name that an expression begins with leads to; None for nothing."""
    parts = expression.partition("[")[0].split(".")
    for count in range(len(parts), 0, -1):
        value: Any = sys.modules.get(".".join(parts[:count]))
        if value is not None:
            for part in parts[count:]:
                space = vars(value) if type(value) is type(sys) else dict_slot(
                    value) if issubclass(type(value), type) else {}
                value = (space or {}).get(part)
            return value if places.is_container(value) else None
    return None


def expressions_of(leak: Leak) -> List[str]:
    # A descriptor is looked up without its class's way to it: Service.__dict__['run'].
    found = [_LOOKED_UP.sub(r".\1", leak.chain.expression)] if leak.chain is not None else []
    change = getattr(leak.seen, "change", None)
    if change is not None and change.kind == "patch":
        found.append(change.name)
    return found


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("e+", "").replace("-", "").isdigit()


def _blamed(windows: Sequence[Window]) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    tests = dict.fromkeys(each.tests[0] for each in windows if len(each.tests) == 1)
    candidates = dict.fromkeys(test for each in windows if len(each.tests) > 1
                               for test in each.tests if test not in tests)
    return tuple(tests), tuple(candidates)


def _steady(nths: Sequence[int], now: int) -> bool:
    """Tell whether the second half of the time brought as much, nearly, as the first one, and the
    last quarter something."""
    first, half = nths[0], (nths[0] + now) / 2
    late = [nth for nth in nths if nth > half]
    return 3 * len(late) >= len(nths) and nths[-1] > now - (now - first) / 4 - 1


def _namespace_of(place: Place) -> Any:
    """Return the namespace that has a place; None where that is gone, or has no name."""
    module = sys.modules.get(place.module)
    if type(module) is not type(sys):
        return None
    walk = places.Walk(place.module, module, True)
    for space in walk.spaces:
        if space.expression == place.owner:
            return space.names
    return next((held.dict_of() for held in walk.held if held.expression == place.owner), None)


def _value_of(place: Place) -> Any:
    """Return what is at a place now, without running code; None where that is nothing."""
    if place.name:
        return (_namespace_of(place) or {}).get(place.name)
    module = sys.modules.get(place.module)
    if type(module) is not type(sys):
        return None
    walk = places.Walk(place.module, module, True)
    return next((cell.fetch("") for cell in walk.cells
                 if cell.expression == place.expression), None)


def _size_of_last(value: Any, items: int) -> int:
    """Return the bytes of the *items* of a container that came last, as far as that is known."""
    kind = type(value)
    if kind is bytearray:
        return items
    if kind is places.LRU_CACHE:
        return sizes.only_held_by(value)
    if kind is set:
        return sizes.only_held_by(value)
    found = places.items_of(value, 1000000)
    if found is None:
        return sizes.size_of(value)
    if places.is_dict(value):
        half = len(found) // 2
        last = found[max(0, half - items):half] + found[max(half, 2 * half - items):]
    else:
        last = found[-items:]
    del found
    few = last[:1000]
    count = len(last)
    del last
    return sum(map(sizes.size_of, few)) * count // max(1, len(few))
