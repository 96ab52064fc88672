"""Patches that were not stopped, and attributes of the standard library that were replaced. Kind:
"patch"."""
from __future__ import annotations

import os
import sys
from operator import is_, itemgetter
from typing import Any, Dict, List, Optional, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.tracing import os_facts, value_text

__unittest = True
bind(globals())


class MockPatches(Monitor):
    """Watches patches of `unittest.mock` that were started and not stopped."""

    _modules = sys.modules

    def __init__(self) -> None:
        self._base: List[Any] = []
        self._active: Optional[List[Any]] = None    # mock's own list, once it is loaded

    def take(self) -> None:
        self._base = list(_active())
        self._active = _mocks_list("unittest.mock") if "mock" not in self._modules else None

    def same(self) -> bool:
        active = self._active
        if active is None:
            if "unittest.mock" not in self._modules and "mock" not in self._modules:
                return not self._base
            active = _active()
        base = self._base
        if not active:
            return not base
        return len(active) == len(base) and all(map(is_, active, base))

    def absorb(self, since: "MockPatches") -> None:
        self._base += [patch for patch in _active()
                       if not any(patch is each for each in since._base)
                       and not any(patch is each for each in self._base)]

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for patch in list(_active()):
            if any(patch is each for each in self._base):
                continue
            found.append((Change("patch", _target(patch), "started", restorable=True,
                                 oid=id(patch)), patch.stop))
        found.reverse()  # the last one started is the first to be stopped
        return found


def _active() -> List[Any]:
    return _mocks_list("unittest.mock") or _mocks_list("mock.mock") or []


def _mocks_list(name: str) -> Optional[List[Any]]:
    active = getattr(getattr(os_facts.loaded(name), "_patch", None), "_active_patches", None)
    return active if type(active) is list else None


def _target(patch: Any) -> str:
    held = patch.__dict__
    if "in_dict" in held:
        where = held["in_dict"]
        if where is sys.modules or where is os.environ:
            where = "sys.modules" if where is sys.modules else "os.environ"
        return "dictionary " + (where if type(where) is str else value_text.name_text(where))
    target = held.get("target")
    if target is None:
        try:
            target = patch.getter()
        except errors.PASSING:
            raise
        except BaseException:  # what was patched is gone
            return str(held.get("attribute"))
    name = target.__name__ if type(target) is type(sys) else value_text.name_text(target)
    return "%s.%s" % (name, held.get("attribute"))


#: Modules whose attributes tests like to replace by hand.
_WATCHED = (
    "builtins", "os", "os.path", "posixpath", "time", "datetime", "random", "socket", "ssl",
    "subprocess", "shutil",
    "tempfile", "io", "json", "threading", "uuid", "getpass", "platform", "smtplib",
    "urllib.request",
    "http.client", "logging", "locale",
)
# What these modules themselves change as they are used.
_VOLATILE = frozenset((
    "_", "tempdir", "_once_lock", "_name_sequence", "_cleanup", "_opener", "_active", "_shutdown",
    "_main_thread",
    "_uname_cache", "_platform_cache", "_sys_version_cache", "_processoroptions", "_handlerList",
    "_handlers",
    "raiseExceptions", "lastResort", "environ", "environb", "_active_limbo_lock", "_dangling",
    "_start_new_thread",
    "_counter", "_last_timestamp", "_node", "excepthook", "_default_decoder", "_default_encoder",
    "__warningregistry__",
    "_shutdown_locks", "_shutdown_locks_lock", "_profile_hook", "_trace_hook",
    "_make_invoke_excepthook", "_localecache",
    "_platform_cache", "_proxies", "tzname", "timezone", "altzone", "daylight",
))


#: Those that are replaced most, which are looked at after each test.
_USUAL = {
    "builtins": ("open", "input", "print", "__import__"),
    "time": ("time", "sleep", "monotonic", "perf_counter", "time_ns", "strftime", "localtime",
             "gmtime"),
    "datetime": ("datetime", "date"),
    "os": ("getcwd", "getenv", "system", "listdir", "remove", "urandom", "getpid", "popen"),
    "random": ("random", "randint", "choice", "shuffle"),
    "socket": ("socket", "create_connection", "getaddrinfo", "gethostname", "gethostbyname"),
    "subprocess": ("Popen", "run", "call", "check_call", "check_output"),
    "uuid": ("uuid1", "uuid4"),
    "logging": ("getLogger", "_loggerClass", "_logRecordFactory"),
    "getpass": ("getpass", "getuser"),
    "urllib.request": ("urlopen",),
}


class ModuleAttributes(Monitor):
    """Watches the attributes of `_WATCHED` modules for replacements by hand: some 15 us."""

    per_test = False
    sharp = False
    _names: Tuple[str, ...] = _WATCHED
    _whole = True       # what is not in the base was added

    def __init__(self) -> None:
        self._base: Dict[str, Tuple[Any, Dict[str, Any]]] = {}
        self._values: Dict[str, List[Any]] = {}

    def take(self) -> None:
        base = self._base
        for name in self._names:
            module = os_facts.loaded(name)
            known = base.get(name)
            if module is None:
                base.pop(name, None)
            elif known is None or known[0] is not module or not self._alike(name, module):
                base[name] = module, self._read(module, name)
                self._values[name] = self._listed(name, module)

    def _read(self, module: Any, name: str) -> Dict[str, Any]:
        usual = _USUAL.get(name, ())
        return {key: value for key, value in vars(module).items() if key not in usual}

    def _listed(self, name: str, module: Any) -> List[Any]:
        return list(vars(module).values())

    def _alike(self, name: str, module: Any) -> bool:
        # Identical values are not compared, so that none of their code runs.
        return self._listed(name, module) == self._values[name]

    def absorb(self, since: "ModuleAttributes") -> None:
        for name, (module, before) in since._base.items():
            mine = self._base.get(name)
            if mine is None or mine[0] is not module:
                continue
            listed, values = since._listed(name, module), since._values.get(name, [])
            if len(listed) == len(values) and all(map(is_, listed, values)):
                continue
            now = vars(module)
            for attribute, old in before.items():
                new = now.get(attribute, _MISSING)
                if new is not old and attribute in mine[1]:
                    mine[1][attribute] = new
                    self._values[name] = []     # looked at closely from now on
            for attribute in _added(name, now, before):
                mine[1].setdefault(attribute, now[attribute])

    def same(self) -> bool:
        differ = [name for name, (module, _) in self._base.items()
                  if not self._alike(name, module)]
        if not differ:
            return True
        if self.changes():
            return False
        for name in differ:     # in what is of no interest: not to be gone over each time
            module, base = self._base[name]
            if _is_loaded_anew(module, base):
                self._base[name] = module, self._read(module, name)
            self._values[name] = self._listed(name, module)
        return True

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for name, (module, base) in self._base.items():
            # Another module in its place is not a change of this one.
            if os_facts.loaded(name) is not module or (name == "os.path"
                                                       and "posixpath" in self._base):
                continue
            now = vars(module)
            if _is_loaded_anew(module, base):
                continue
            for attribute, old in base.items():
                new = now.get(attribute, _MISSING)
                if new is not old and attribute not in _VOLATILE and not _is_irrelevant(old, new):
                    found.append(_replaced(module, attribute, old, new))
            if self._whole:
                found += [_new(module, attribute) for attribute in _added(name, now, base)]
        return found


class UsualFunctions(ModuleAttributes):
    """Watches those that are replaced most: cheap."""

    per_test = True
    sharp = True
    _whole = False
    _names = tuple(_USUAL)

    def __init__(self) -> None:
        super().__init__()
        self._looks: List[Tuple[Any, Dict[str, Any], Tuple[Any, ...]]] = []

    def take(self) -> None:
        super().take()
        self._looks = [(_getters[name], vars(module), tuple(self._values[name]))
                       for name, (module, _) in self._base.items()]

    def absorb(self, since: ModuleAttributes) -> None:
        super().absorb(since)
        self._looks = [(getter, space, ()) for getter, space, _ in self._looks]

    def _read(self, module: Any, name: str) -> Dict[str, Any]:
        space = vars(module)
        return {key: space[key] for key in (*_USUAL[name], "__spec__") if key in space}

    def _listed(self, name: str, module: Any) -> List[Any]:
        space = vars(module)
        return [space.get(key, _MISSING) for key in _USUAL[name]]

    def same(self) -> bool:
        for getter, space, base in self._looks:
            if getter(space) != base:
                return False
        return True


_getters: Dict[str, Any] = {name: itemgetter(*(names if len(names) > 1 else names * 2))
                            for name, names in _USUAL.items()}
_MISSING = object()
_EMPTY = (dict, list, set)


def _is_loaded_anew(module: Any, base: Dict[str, Any]) -> bool:
    """Tell whether a module was loaded again (``importlib.reload``) since its *base* was taken: all
    of it is as it was, and of this load."""
    return "__spec__" in base and vars(module).get("__spec__") is not base["__spec__"]


def _is_irrelevant(old: Any, new: Any) -> bool:
    """Tell whether a change is not a replacement: a module is new, a value was worked out when it
    was first needed (urllib.request._localhost), an empty container took another's place."""
    kind = type(old)
    return (old is None or issubclass(type(new), type(sys))
            or kind is type(new) and any(kind is each for each in _EMPTY) and not old and not new)


def _added(name: str, now: Dict[str, Any], base: Dict[str, Any]) -> List[str]:
    """Return what was added to the builtins, which every module sees; of other modules nothing. The
    interactive prompt has its last value there, and `gettext` a function, under the same name; and
    ``exec`` puts ``__builtins__`` into whatever it is given as globals."""
    if name != "builtins" or len(now) == len(base) + len(_USUAL[name]):
        return []
    return [each for each in now if each not in base and each not in _USUAL[name]
            and each != "__builtins__" and (each != "_" or callable(now[each]))]


def _new(module: Any, attribute: str) -> FoundChange:
    change = Change("patch", "%s.%s" % (module.__name__, attribute), "added", "",
                    value_text.name_text(vars(module)[attribute]), True)
    return change, lambda: delattr(module, attribute)


def _replaced(module: Any, attribute: str, old: Any, new: Any) -> FoundChange:
    after = "(deleted)" if new is _MISSING else value_text.name_text(new)
    change = Change("patch", "%s.%s" % (module.__name__, attribute), "replaced",
                    value_text.name_text(old), after, True)
    return change, lambda: setattr(module, attribute, old)
