"""asyncio: loops left open, tasks left pending, which loop is current. Kinds: "event loop", "task",
"current event loop", "event loop policy"."""
from __future__ import annotations

import sys
from functools import partial
from typing import Any, Dict, List, NamedTuple, Optional
from weakref import ref

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.code_origin import short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import module_slot, name_slot
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())


# 3.14 keeps its tasks where Python cannot look.
_REGISTRY = "_scheduled_tasks" if sys.version_info >= (3, 12) else "_all_tasks"


class Loops(Monitor):
    """Watches the current event loop, the loops that acquisitions know of, and their tasks."""

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        # By id: a loop or task of the user's own class may have a hash and an equality.
        self._known: Dict[int, "ref[Any]"] = {}

    def take(self) -> None:
        if "asyncio.events" in sys.modules:
            known = {id(each): ref(each) for each in self._loops() + self._tasks()}
            if known or self._known:
                self._known = known

    def absorb(self, since: "Loops") -> None:
        if "asyncio.events" in sys.modules:
            for each in self._loops() + self._tasks():
                if not since._is_known(each):
                    self._known[id(each)] = ref(each)

    def same(self) -> bool:
        if "asyncio.events" not in sys.modules:
            return True
        if self._nothing():
            return True
        return all(map(self._is_known, self._loops() + self._tasks()))

    def _is_known(self, value: Any) -> bool:
        known = self._known.get(id(value))
        return known is not None and known() is value

    def _nothing(self) -> bool:
        """Return True when there is neither loop nor task: the usual case, known in a few
        look-ups."""
        if (self._acquisitions is not None and self._acquisitions.loops_alive
                or _current() is not None):
            return False
        registry = getattr(os_facts.loaded("asyncio.tasks"), _REGISTRY, None)
        return registry is None or not registry.data

    def changes(self) -> List[FoundChange]:
        if "asyncio.events" not in sys.modules:
            return []
        found: List[FoundChange] = []
        for loop in self._loops():
            if not self._is_known(loop):
                how = "running" if loop.is_running() else "open"
                found.append((Change("event loop", name_slot(type(loop)), how, oid=id(loop)), None))
        for task in self._tasks():
            if not self._is_known(task):
                found.append((_task(task), None))
        return found

    def _loops(self) -> List[Any]:
        loops = self._acquisitions.live("event loop") if self._acquisitions is not None else []
        current = _current()
        if current is not None and not any(current is each for each in loops):
            loops.append(current)
        return [loop for loop in loops if not _closed(loop)]

    def _tasks(self) -> List[Any]:
        module: Any = os_facts.loaded("asyncio.tasks")
        if module is None:
            return []
        tasks = _registered(module)
        if tasks is None:  # 3.14 keeps them where Python cannot look, but tells them by loop
            tasks = [task for loop in self._loops() for task in module.all_tasks(loop)]
        return [task for task in tasks if not task.done()]


class CurrentLoop(Monitor):
    """Watches which event loop is current, which runs, and the policy.

    `asyncio.run` leaves none, and no way to have one made: a test that asks for it as one did
    before 3.14 then fails. That is quiet until one does.
    """

    def __init__(self) -> None:
        self._base: _Current = _NOTHING

    def take(self) -> None:
        if "asyncio.events" in sys.modules:
            self._base = _state()

    def same(self) -> bool:
        if "asyncio.events" not in sys.modules:
            return True
        base, now = self._base, _state()
        return (now.policy is base.policy and now.loop is base.loop and now.set == base.set
                and now.running is base.running and now.closed == base.closed)

    def absorb(self, since: "CurrentLoop") -> None:
        if not since.same():
            self.take()

    def changes(self) -> List[FoundChange]:
        events: Any = os_facts.loaded("asyncio.events")
        if events is None:
            return []
        found: List[FoundChange] = []
        base, now = self._base, _state()
        back = partial(_back, events, base)
        if now.policy is not base.policy and not (_plain(base.policy) and _plain(now.policy)):
            found.append((Change(
                "event loop policy", "asyncio.get_event_loop_policy()", "",
                _policy_text(base.policy), _policy_text(now.policy), True), back))
        if now.running is not None and now.running is not base.running:
            found.append((Change("current event loop", "asyncio.get_running_loop()", "running",
                                 "", name_slot(type(now.running)), True),
                          partial(_run_no_more, events, base.running)))
        if now.loop is not base.loop or now.set != base.set or now.closed != base.closed:
            # An open one is reported itself.
            how = "closed" if now.closed else "removed" if now.loop is None else "changed"
            change = Change("current event loop", "asyncio.get_event_loop()", how,
                            _loop_text(base), _loop_text(now), True,
                            first=base.loop is None, quiet=not now.closed)
            if now.loop is not base.loop or now.set != base.set:
                found.append((change, back))
            elif now.closed:        # the one that was there: it cannot be opened again
                found.append((change._replace(restorable=False), None))
        return found


class _Current(NamedTuple):
    policy: Any
    loop: Any
    set: bool
    """None is made when one is asked for."""
    closed: bool
    running: Any


_NOTHING = _Current(None, None, False, False, None)


def _state() -> _Current:
    events: Any = os_facts.loaded("asyncio.events")
    if events is None:
        return _NOTHING
    space = vars(events)
    policy = space.get("_event_loop_policy")
    local = getattr(policy, "_local", None)
    loop = getattr(local, "_loop", None)
    running = space.get("_get_running_loop")
    return _Current(policy, loop, getattr(local, "_set_called", False) is True,
                    loop is not None and _closed(loop), None if running is None else running())


def _back(events: Any, base: _Current) -> None:
    """Put the policy and its current loop back. Where none was made yet, one is made when it is
    asked for."""
    policy = base.policy
    if policy is None:
        policy = events._event_loop_policy
        if not _plain(policy):
            events._event_loop_policy = policy = None
    else:
        events._event_loop_policy = policy
    local = getattr(policy, "_local", None)
    if local is not None:
        local._loop, local._set_called = base.loop, base.set


def _run_no_more(events: Any, running: Any) -> None:
    events._set_running_loop(running)


def _plain(policy: Any) -> bool:
    """Tell whether a policy is the usual one, which is made when it is first needed."""
    return policy is None or (module_slot(type(policy)) == "asyncio.unix_events" and name_slot(
        type(policy)) in ("_UnixDefaultEventLoopPolicy", "_DefaultEventLoopPolicy")) or (
        module_slot(type(policy)) == "asyncio.windows_events")


def _policy_text(policy: Any) -> str:
    return "the usual one" if _plain(policy) else value_text.name_text(policy)


def _loop_text(current: _Current) -> str:
    if current.loop is None:
        return "none, and none is made" if current.set else "none yet"
    return "a closed loop" if current.closed else name_slot(type(current.loop))


def _registered(module: Any) -> Optional[List[Any]]:
    """Return the tasks that asyncio has registered; None where the registry is not in Python."""
    registry = getattr(module, _REGISTRY, None)
    if sys.version_info >= (3, 14) or registry is None:
        return None
    try:
        return list(registry)
    except RuntimeError:  # another thread's loop is at work
        return []


def _current() -> Any:
    """Return the loop set for this thread, without making one."""
    events = os_facts.loaded("asyncio.events")
    policy = getattr(events, "_event_loop_policy", None)
    local = getattr(policy, "_local", None)
    return getattr(local, "_loop", None)


def _closed(loop: Any) -> bool:
    try:
        return bool(loop.is_closed())
    except errors.PASSING:
        raise
    except BaseException:  # a loop of the user's own class
        return True


def _task(task: Any) -> Change:
    get_name = getattr(task, "get_name", None)
    coro = task.get_coro()
    frame = getattr(coro, "cr_frame", None)
    at = None if frame is None else Frame(short(frame.f_code.co_filename), frame.f_lineno, "")
    name = redaction.shown(str(get_name())) if get_name is not None else "task"
    return Change("task", name, "pending", oid=id(task), at=at, runs=value_text.name_text(coro))
