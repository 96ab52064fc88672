"""Logging: handlers, filters, levels, switches. Kinds: "logging handler", "logging filter",
"logging level"."""
from __future__ import annotations

import sys
from functools import partial
from operator import attrgetter, is_
from typing import Any, Dict, List, Sequence, Set, Tuple
from weakref import ref

from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import (
    SURELY,
    Change,
    FoundChange,
    Monitor,
    Undo,
    merged,
)
from unittest_leakfix.tracing import os_facts, value_text

__unittest = True
bind(globals())

#: handlers, level, disabled, propagate, filters
State = Tuple[Tuple[Any, ...], int, bool, bool, Tuple[Any, ...]]
#: that of a logger that was just made
NEW: State = ((), 0, False, True, ())


#: Up to this many loggers, each is looked at after each test; with more, only the root is.
FEW = 24
_state_of = attrgetter("level", "disabled", "propagate", "handlers", "filters")


class Logging(Monitor):
    """Watches the root logger at each look, and every logger while they are `FEW`, when a handler
    was made, or in full."""

    def __init__(self) -> None:
        self._loggers: List[Any] = []
        self._states: List[Any] = []    # what `_state_of` said of them
        self._number = 0                # of loggers and place-holders
        self._quick: Tuple[Any, ...] = ()
        self._handlers: List[Any] = []
        self._base: Dict[str, State] = {}
        self._of: Dict[str, "ref[Any]"] = {}    # whose they are: a name may get another logger
        self._disable = 0
        self._modules: Set[str] = set()

    def take(self) -> None:
        module = os_facts.loaded("logging")
        if module is not None and not (self._quick and self.same()):
            self.retake()

    def retake(self) -> None:
        """Take the base of every logger."""
        module = os_facts.loaded("logging")
        if module is None:
            return
        loggers = _named(module)
        self._of = {name: ref(logger) for name, logger in loggers.items()}
        self._base = _states(loggers)
        self._prepare(module, loggers)
        if len(sys.modules) != len(self._modules):
            self._modules = set(sys.modules)
        self._quick = _look(module)
        self._handlers = list(module.root.handlers)
        self._disable = module.root.manager.disable

    def _prepare(self, module: Any, loggers: Dict[str, Any]) -> None:
        """Lay out the base as `same` and `exactly` want it."""
        self._loggers = list(loggers.values())
        self._states = []
        for name in loggers:
            handlers, level, disabled, propagate, filters = self._base.get(name, NEW)
            self._states.append((level, disabled, propagate, list(handlers), list(filters)))
        self._number = len(module.root.manager.loggerDict)
        self.sharp = len(self._loggers) <= FEW

    def absorb(self, since: "Logging") -> None:
        module = os_facts.loaded("logging")
        if module is None:
            return
        if not since._quick or not self._quick:     # it was imported meanwhile
            self.retake()
            return
        loggers = _named(module)
        for name, state in _states(loggers).items():
            before = since._base.get(name, NEW)
            if _same_state(state, before):
                continue
            mine = self._base.get(name, NEW)
            handlers = tuple(merged(list(mine[0]), list(before[0]), list(state[0]), is_))
            filters = tuple(merged(list(mine[4]), list(before[4]), list(state[4]), is_))
            rest = tuple(now if now != old else noted
                         for noted, old, now in zip(mine[1:4], before[1:4], state[1:4]))
            self._base[name] = (handlers, *rest, filters)  # type: ignore[assignment]
            self._of[name] = ref(loggers[name])
        look, root = _look(module), self._base["root"]
        count = self._quick[2] + look[2] - since._quick[2]
        if look[1] != since._disable:
            self._disable = look[1]
        self._quick = (root[1], self._disable, count)
        self._handlers = list(root[0])
        self._prepare(module, loggers)

    def same(self) -> bool:
        module = os_facts.loaded("logging")
        if module is None:
            return True
        if not self._quick:  # imported since
            return not module.root.handlers
        if self.sharp:
            return (_look(module) == self._quick
                    and len(module.root.manager.loggerDict) == self._number
                    and list(map(_state_of, self._loggers)) == self._states)
        handlers = module.root.handlers
        return (_alike(handlers, self._handlers)
                and _look(module) == self._quick)

    def exactly(self) -> bool:
        module = os_facts.loaded("logging")
        if module is None or not self._quick or not self.same():
            return self.same()
        if self.sharp:
            return True
        return (len(module.root.manager.loggerDict) == self._number
                and list(map(_state_of, self._loggers)) == self._states)

    def changes(self) -> List[FoundChange]:
        module = os_facts.loaded("logging")
        found: List[FoundChange] = []
        if module is None:
            return found
        if module.root.manager.disable != self._disable:
            old = self._disable
            found.append((Change("logging level", "logging.disable()", "", str(old),
                                 str(module.root.manager.disable), True, windows=SURELY),
                                 lambda: module.disable(old)))
        loggers = _named(module)
        more = len(module._handlerList) - self._quick[2] if self._quick else 0
        made = {id(each()) for each in module._handlerList[-more:]} if more > 0 else set()
        for name, state in _states(loggers).items():
            known = self._of.get(name)
            if known is not None and known() is not loggers[name]:
                continue    # another logger of that name, which has not been seen before
            if name not in self._base and name in sys.modules and name not in self._modules:
                continue    # a library that was imported meanwhile has set up its own
            base = self._base.get(name, NEW)
            if not _same_state(state, base):
                found += _differences(module, name, base, state, made)
        return found


def _alike(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _same_state(one: State, other: State) -> bool:
    return one[1:4] == other[1:4] and _alike(one[0], other[0]) and _alike(one[4], other[4])


def _look(module: Any) -> Tuple[Any, ...]:
    """Return what is cheap: a handler that was made lengthens the module's list of handlers."""
    root = module.root
    return (root.level, root.manager.disable, len(module._handlerList))


def _named(module: Any) -> Dict[str, Any]:
    loggers = {"root": module.root}
    for name, logger in list(module.root.manager.loggerDict.items()):
        if issubclass(type(logger), module.Logger):
            loggers[str(name)] = logger
    return loggers


def _states(loggers: Dict[str, Any]) -> Dict[str, State]:
    return {
        name: (tuple(logger.handlers), logger.level, bool(logger.disabled), bool(logger.propagate),
               tuple(logger.filters))
        for name, logger in loggers.items()
    }


def _differences(module: Any, name: str, base: State, state: State,
                 made: Set[int]) -> List[FoundChange]:
    """*made*: the ids of the handlers that were made in the window that has just ended."""
    logger = module.root if name == "root" else module.root.manager.loggerDict[name]
    found: List[FoundChange] = []

    def undo() -> None:
        logger.handlers[:] = base[0]

    back: Undo = undo
    for handler in state[0]:
        if not any(handler is each for each in base[0]):
            change = _handler(handler, "added", name)
            found.append((change._replace(windows=SURELY) if id(handler) in made else change, back))
    for handler in base[0]:
        if not any(handler is each for each in state[0]):
            found.append((_handler(handler, "removed", name), back))
    for place, what in enumerate(("level", "disabled", "propagate"), 1):
        old, new = base[place], state[place]
        if old != new:
            before, after = (str(module.getLevelName(each)) if what == "level" else str(each)
                             for each in (old, new))
            found.append((Change("logging level", "logger %s" % name, "", before, after, True,
                                 owner="" if what == "level" else what),
                          partial(_put, logger, what, old)))
    for how, entries, others in (("added", state[4], base[4]), ("removed", base[4], state[4])):
        for each in entries:
            if not any(each is other for other in others):
                found.append((Change("logging filter", value_text.name_text(each), how,
                                     restorable=True, owner=name),
                              partial(_put_filters, logger, base[4])))
    if name == "root":      # which is looked at in each window
        found = [(change._replace(windows=SURELY), undo) for change, undo in found]
    return found


def is_attached(value: Any) -> bool:
    """Tell whether *value* is one of a logger's handlers: the monitor reports it there."""
    module = os_facts.loaded("logging")
    return module is not None and any(each is value for logger in _named(module).values()
                                      for each in list(logger.handlers))


def _handler(handler: Any, how: str, logger: str) -> Change:
    return Change("logging handler", value_text.qualified(type(handler)), how, restorable=True,
                  owner=logger, oid=id(handler))


def _put_filters(logger: Any, filters: Tuple[Any, ...]) -> None:
    logger.filters[:] = filters


def _put(logger: Any, what: str, value: Any) -> None:
    if what == "level":
        logger.setLevel(value)      # which forgets what is enabled
    else:
        setattr(logger, what, value)
