"""What keeps an object for good: modules, classes, running threads, the interpreter's own
tables."""

from __future__ import annotations

import contextvars
import sys
import threading
from types import CodeType, FrameType, ModuleType
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import qualname_slot
from unittest_leakfix._core.swap import originals
from unittest_leakfix.leaks.model.chain import Link, Thing
from unittest_leakfix.leaks.retention import edges, objects, registries

__unittest = True
bind(globals())
running: Optional[Harness] = None
# The order in which roots are preferred; from WARM on they do not end a search.
MODULE, CLASS, THREAD, LIBRARY, BUILTINS, ATEXIT, INTERPRETER, WARM, FRAME, LEAK = range(10)
_current_frames = sys._current_frames
_get_ident = threading.get_ident
_PACKAGE = __name__.partition(".")[0]
_FINDING = tuple(_PACKAGE + "." + name for name in ("leaks.", "tracing.", "process_state."))
_KIND_OF = {"builtins": (BUILTINS, "builtins"), "atexit": (ATEXIT, "atexit")}
_IDENTS = "{t.name: t.ident for t in threading.enumerate()}"
_THREADS = "{t.name: t for t in threading.enumerate()}"

# What runs the tests, where that keeps objects of its own while they run: pytest, by its plugin.


class NamedObject(NamedTuple):
    """An object by which a harness keeps others, and what it is called: "fixture registry"."""

    value: Any
    name: str
    place: str


class Harness:
    """What runs the tests, if it keeps objects of its own for the whole run.

    While one is `running`, the frames of this thread are its own, and do not count as holders.
    """

    def named(self) -> Iterable[NamedObject]:
        """Return what of it keeps objects for good."""
        return ()


class Hop(NamedTuple):
    """One object of a chain in the making; ``silent`` ones lend their access to the next."""

    access: str
    what: Thing
    place: str
    oid: int = 0
    lasting: bool = False
    container: bool = False
    silent: bool = False
    link: Link = Link.ROOT
    key: str = ""


class Root(NamedTuple):
    """Where a chain begins: ``entry`` names the edge to the object found, None if that is the root
    itself."""

    rank: int
    kind: str
    expression: str
    evaluates: bool
    hop: Hop
    entry: Optional[edges.Edge] = None


class Roots:
    """The roots as they are now. Holds modules and context variables, never a frame or a local."""

    def __init__(self, ignored: Set[int]) -> None:
        self.modules: Dict[int, str] = {}
        self.namespaces: Dict[int, ModuleType] = {}
        self.threads: Dict[int, str] = {}
        self.values: Dict[int, List[Root]] = {}
        self.counts: Dict[int, int] = {}
        self.variables: Dict[int, contextvars.ContextVar[Any]] = {}
        self.named: Dict[int, Root] = {}
        self._swapped: Set[int] = set()
        if running is not None:
            for value, name, place in running.named():
                hop = Hop(name, Thing("named", name), place, id(value), lasting=True)
                self.named[id(value)] = Root(CLASS, "harness", name, False, hop)
        self._note_modules()
        self._note_threads(ignored)
        self._note_handlers()
        self._note_swapped()
        for value, registry, access in registries.entries():
            self.values.setdefault(id(value), []).append(_registry_root(registry, access))
        for variable, value in contextvars.copy_context().items():
            self.variables[id(value)] = variable

    def hidden(self) -> Set[int]:
        """The ids of this object and its tables, which are not holders."""
        return {id(self), id(self.__dict__)} | self._swapped | {
            id(table) for table in self.__dict__.values()}

    def _note_modules(self) -> None:
        for name, module in objects.items(sys.modules):
            if type(name) is str and module is not None and not is_ours(name):
                self.modules.setdefault(id(module), name)
                if objects.inherits(module, ModuleType):
                    self.namespaces[id(objects.own_dict(module))] = module

    def _note_threads(self, ignored: Set[int]) -> None:
        names: Dict[int, str] = {}
        for ident, thread in objects.items(threading._active):  # type: ignore[attr-defined]
            name = (objects.own_dict(thread) or {}).get("_name")
            names[ident] = name if type(name) is str else "?"
            self.threads[id(thread)] = names[ident]
        frames = _current_frames()
        for ident in list(frames):
            here = ident == _get_ident()
            expression = "sys._current_frames()[%d]" % ident
            if list(names.values()).count(names.get(ident, "?")) == 1:
                expression = "sys._current_frames()[%s[%r]]" % (_IDENTS, names[ident])
            # popped, as this very frame is among them: a local that holds it would be a cycle
            self._note_frames(frames.pop(ident), here, expression, names.get(ident, "?"), ignored)

    def _note_frames(self, top: Any, here: bool, expression: str, name: str,
                     ignored: Set[int]) -> None:
        frame = top
        while frame is not None:
            module = frame.f_globals.get("__name__")
            machinery = here and running is not None or id(frame) in ignored or (
                type(module) is str and module.partition(".")[0] == _PACKAGE)
            plain = frame.f_code.co_flags & 1 == 0 and frame.f_locals is frame.f_globals
            if not plain and module not in _OUR_FRAMES:
                root = _frame_root(frame, here, expression, name)
                for variable, value in edges.frame_locals(frame):
                    self.counts[id(value)] = self.counts.get(id(value), 0) + _held(frame.f_code,
                                                                                   variable)
                    if not machinery:
                        access = ".f_locals[%r]" % variable
                        entry = edges.Edge(access, "", access, not here)
                        self.values.setdefault(id(value), []).append(root._replace(entry=entry))
            frame, expression = frame.f_back, expression + ".f_back"

    def _note_handlers(self) -> None:
        signals = sys.modules.get("_signal")
        if signals is None:
            return
        hop = Hop("signal", Thing("module", "signal"), "", lasting=True)
        for number in range(1, getattr(signals, "NSIG", 65)):
            try:
                handler = signals.getsignal(number)
            except (ValueError, OSError):
                continue
            if handler is not None and type(handler) is not int:
                access = ".getsignal(%d)" % number
                root = Root(INTERPRETER, "interpreter", "signal", True, hop,
                            edges.Edge(access, "", access))
                self.values.setdefault(id(handler), []).append(root)

    def _note_swapped(self) -> None:
        """What tests have put in the place of the standard library's own functions, and is out of
        it only as long as we look, hangs on the module there."""
        done = originals.swapped()
        self._swapped.update([id(done), *map(id, done)])
        for place, name, value, _ in done:
            if id(place) in self.modules:
                root = self.module(place)
                entry = edges.Edge("." + name, "", "." + name, True, Link.ATTRIBUTE, name)
                self.values.setdefault(id(value), []).append(root._replace(entry=entry))

    def find(self, obj: object) -> List[Root]:
        """The roots that an object is, or hangs on with nothing between."""
        found = list(self.values.get(id(obj), ()))
        if id(obj) in self.named:
            found.append(self.named[id(obj)])
        elif id(obj) in self.modules:
            found.append(self.module(obj))
        elif id(obj) in self.threads:
            name = self.threads[id(obj)]
            alone = list(self.threads.values()).count(name) == 1
            expression = _THREADS + "[%r]" % name
            hop = Hop(expression, Thing("thread", name), "", id(obj), lasting=True)
            found.append(Root(THREAD, "thread", expression, alone, hop))
        elif objects.inherits(obj, type):
            found.extend(_class_root(obj))  # type: ignore[arg-type]
        elif registries.is_of_atexit(obj) or registries.callbacks.has(obj):
            found.append(_registry_root("atexit", ".register()"))
        return found

    def imported(self, obj: object) -> List[Root]:
        """For a module itself: its place in ``sys.modules``."""
        if id(obj) not in self.modules:
            return []
        access = "[%r]" % self.modules[id(obj)]
        hop = Hop("sys.modules", Thing("named", "sys.modules"), "", lasting=True)
        return [
            Root(
                INTERPRETER, "interpreter", "sys.modules", True, hop, edges.Edge(access, "", access)
            )
        ]

    def module(self, module: Any) -> Root:
        """The root that a module of ``sys.modules`` is."""
        name = self.modules[id(module)]
        expression = name if resolve(name, "") is module else "sys.modules[%r]" % name
        rank, kind = LIBRARY if _library(name) else MODULE, "module"
        if name in _KIND_OF:
            rank, kind = _KIND_OF[name]
        known = id(objects.own_dict(module)) in self.namespaces
        what = objects.thing(module) if known else Thing("entry", name)
        return Root(
            rank, kind, expression, True, Hop(expression, what, "", id(module), lasting=True)
        )


_OUR_FRAMES = tuple(__name__.rpartition(".")[0] + "." + name for name in ("search", "roots"))


def is_ours(module: str) -> bool:
    """Tell whether a module of this name is a part of what finds, which holds nothing for good."""
    return module.startswith(_FINDING)


def resolve(module_name: str, path: str) -> object:
    """What a dotted name leads to, by namespaces only: ``resolve("a.b", "")`` or ``resolve("a.b",
    "C.D")``."""
    found: object = sys.modules.get(module_name.partition(".")[0] if not path else module_name)
    for name in (path or module_name.partition(".")[2]).split("."):
        if not name:
            continue
        if not edges.attribute(name) or found is None:
            return None
        is_class = objects.inherits(found, type)
        namespace = objects.class_dict(found) if is_class else objects.own_dict(found)  # type: ignore[arg-type]
        found = (namespace or {}).get(name)
    return found


def _library(name: str) -> bool:
    module = sys.modules.get(name)
    return type(module) is ModuleType and objects.is_library(module)


def _registry_root(registry: str, access: str) -> Root:
    """The root that a registry in C is: it can be asked, but no expression leads into it."""
    rank, kind = _KIND_OF.get(registry, (INTERPRETER, "interpreter"))
    hop = Hop(registry, Thing("module", registry), "", lasting=True)
    return Root(rank, kind, registry, False, hop, edges.Edge(access, "", access, False))


def _class_root(cls: type) -> List[Root]:
    module, path = objects.module_of(cls), qualname_slot(cls)
    if not module or resolve(module, path) is not cls:
        return []
    known = sys.modules.get(module)
    dotted = module if resolve(module, "") is known else "sys.modules[%r]" % module
    expression = dotted + "." + path
    rank = LIBRARY if _library(module) else CLASS
    hop = Hop(expression, objects.thing(cls), objects.place(cls), id(cls), lasting=True)
    return [Root(rank, "class", expression, True, hop)]


def _frame_root(frame: FrameType, here: bool, expression: str, name: str) -> Root:
    where = objects.place(frame)
    if here:
        shown = "<frame of %s()>" % frame.f_code.co_name
        return Root(
            FRAME, "frame", shown, False, Hop(shown, objects.thing(frame), where, lasting=True)
        )
    # short file name, as the line is to be read: the place has the path
    line = where.replace("\\", "/").rpartition("/")[2]
    what = Thing("thread", name, frame.f_code.co_name, at=line)
    return Root(THREAD, "thread", expression, True, Hop(expression, what, where, lasting=True))


def _held(code: CodeType, variable: str) -> int:
    # Up to 3.10 the caller's value stack holds an argument for as long as the call lasts.
    is_argument = variable in code.co_varnames[:code.co_argcount]
    return 2 if is_argument and sys.version_info < (3, 11) else 1
