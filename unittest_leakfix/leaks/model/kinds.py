"""The kinds of leaks: one row for each, which is all there is to add for a new one, beside what
watches it.

Then words and figures: counts and sizes.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import is_fixture
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.remedy import IT, Call, Remedy, When, calling, restoring
from unittest_leakfix.resources import clients

__unittest = True
bind(globals())


@dataclass(frozen=True)
class LeakKind:
    """All that is known of one kind of leak. How to add one: docs/architecture.md."""

    name: str
    """What JSON, baselines and (with ``_`` for a space) ``ignore`` call it."""
    one: str = ""
    """The report's noun for one, if another than the name."""
    many: str = ""
    """The noun for more than one, if another than with an "s"."""
    verb: str = "left"
    """What the user's code did to make one: "opened at shop/db.py:7"."""
    traced: bool = False
    """There is an acquisition unless something hid it."""
    watched_by: str = "leaks.survivors"
    """The module that sees it."""
    resources: Tuple[str, ...] = ()
    """The kinds of resources, by their names in ``resources``, that are reported as this kind."""
    state: str = "was left open"
    """In which state an open resource of this kind was found."""
    runs: bool = False
    """It runs on its own: the line that started it tells little if that is not the test's own."""
    variable: str = ""
    """A name for one in an example."""
    ends: Tuple[str, ...] = ("close",)
    """The methods that end one, in the order of registering them as clean-ups."""
    end_is_awaited: bool = False
    """What ends one must be awaited before the test is over."""
    closing: bool = False
    """A ``with`` statement that enters one does not close it: ``contextlib.closing`` does."""
    changes: Tuple[str, ...] = ()
    """The kinds of changes of the process that are reported as this kind, if others than its
    name."""
    subject: str = "%s was changed"
    """The headline of such a change, with ``%s`` for its name."""
    remedy: Optional[Remedy] = None
    """What ends such a change."""
    restored: bool = False
    """``--restore`` puts such a change back."""
    why_not_restored: str = ""
    """Why it does not, for one that is a change of the process."""
    waits: bool = False
    """Such a change is reported when its class is over, unless an object that tells more was found
    by then."""
    once_per_class: bool = False
    """It is looked at before and after each class only, so that any of its tests may have left
    it."""
    ranked: bool = True
    """It has its own place in the report's order; the others come last, one among the other."""

    @property
    def singular(self) -> str:
        """The report's noun for one."""
        return self.one or self.name

    @property
    def plural(self) -> str:
        """The report's noun for more than one."""
        return self.many or self.singular + "s"


_RUNS_ON = "it runs on: only its own code can end it"
_OF_OTHERS = "others may have it by now"

# The order is that of the report: first what keeps memory, then what costs connections, then the
# rest.
_ROWS = (
    LeakKind("kept test"),
    LeakKind("object", verb="made"),
    LeakKind("growth", "kind that grows", "kinds that grow"),
    LeakKind("class attribute", watched_by="leaks.class_scope"),
    LeakKind(
        "state", "change of state", "changes of state", "changed",
        watched_by="leaks.application_state"),
    LeakKind(
        "connection", verb="opened", traced=True, variable="connection",
        resources=("sqlite3 connection", "database connection", "sqlite3 cursor", "cursor",
                   "sqlite3 blob", *clients.NOUNS["connection"]),
        closing=True, remedy=calling(IT + ".close")),
    LeakKind(
        "connection pool", verb="opened", variable="pool",
        resources=tuple(clients.NOUNS["connection pool"])),
    LeakKind(
        "client", verb="opened", variable="client", resources=tuple(clients.NOUNS["client"])),
    LeakKind(
        "socket", verb="opened", traced=True, variable="sock",
        resources=("asyncio server", "server", "imap connection", "http response", "response",
                   "process listener", "stream"),
        remedy=calling(IT + ".close")),
    LeakKind(
        "file", verb="opened", traced=True, variable="file",
        resources=("dbm database", "shelf", "memory map", "tar archive", "zip archive",
                   *clients.NOUNS["file"]),
        remedy=calling(IT + ".close")),
    LeakKind("figure", verb="made", variable="figure", resources=tuple(clients.NOUNS["figure"])),
    LeakKind("widget", verb="made", variable="widget", resources=tuple(clients.NOUNS["widget"])),
    LeakKind(
        "descriptor", verb="opened", watched_by="process_state.descriptors",
        resources=("process pipe", "process queue", "selector"),
        variable="descriptor", remedy=calling("os.close", IT),
        why_not_restored=_OF_OTHERS, waits=True),
    LeakKind(
        "foreign close", "resource closed by another test",
        "resources closed by other tests", "opened",
        watched_by="process_state.descriptors",
        changes=("closed descriptor",),
        remedy=Remedy(advice="open it in setUp, so that each test has its own"),
        why_not_restored="what was closed cannot be opened as it was"),
    LeakKind(
        "thread", verb="started", traced=True, watched_by="process_state.threads",
        state="was left running", runs=True,
        variable="thread", remedy=Remedy(advice="let it end with the test, and join it"),
        why_not_restored=_RUNS_ON, waits=True),
    LeakKind(
        "timer", verb="started", traced=True, watched_by="process_state.threads",
        resources=("thread timer",),
        state="was left waiting", runs=True, variable="timer", ends=("cancel",),
        subject="%s was left running", remedy=calling(IT + ".cancel"), why_not_restored=_RUNS_ON),
    LeakKind(
        "executor", verb="started", resources=("thread pool",), state="was not shut down",
        runs=True,
        variable="executor", ends=("shutdown",)),
    LeakKind(
        "child process", many="child processes", verb="started", traced=True,
        watched_by="process_state.children", resources=("process manager",),
        state="was left running",
        runs=True, variable="child", ends=("wait", "kill"),
        # The last one added is the first to run.
        remedy=Remedy((Call(IT + ".wait"), Call(IT + ".kill"))), why_not_restored=_RUNS_ON,
        waits=True),
    LeakKind(
        "pool", verb="started", resources=("process pool",), state="was not terminated", runs=True,
        variable="pool", ends=("join", "terminate")),
    LeakKind(
        "event loop", verb="opened", traced=True, watched_by="process_state.event_loops",
        resources=("asyncio runner",), variable="loop",
        subject="%s was left open", remedy=calling(IT + ".close"), why_not_restored=_OF_OTHERS,
        waits=True),
    LeakKind(
        "task", verb="started", traced=True, watched_by="process_state.event_loops",
        state="was left pending", runs=True, variable="task", ends=("cancel",),
        subject="task '%s' was left pending", remedy=calling(IT + ".cancel"),
        why_not_restored=_RUNS_ON, waits=True),
    LeakKind("coroutine", verb="made", watched_by="leaks.captured_warnings"),
    LeakKind(
        "generator", verb="made", watched_by="leaks.captured_warnings",
        resources=("async generator",),
        state="was not closed", variable="generator", ends=("aclose",), end_is_awaited=True),
    LeakKind("exception", "unretrieved exception", verb="started",
             watched_by="leaks.captured_warnings"),
    LeakKind("warning", watched_by="leaks.captured_warnings"),
    LeakKind(
        "temporary folder", verb="made", traced=True, watched_by="process_state.tempfiles",
        state="was left behind", variable="folder", ends=("cleanup",),
        remedy=calling("shutil.rmtree", IT), why_not_restored="what is in it may still be needed",
        waits=True),
    LeakKind(
        "temporary file", verb="made", traced=True, watched_by="process_state.tempfiles",
        variable="path", remedy=calling("os.remove", IT),
        why_not_restored="what is in it may still be needed",
        waits=True),
    LeakKind(
        "shared memory", "block of shared memory", "blocks of shared memory", verb="made",
        traced=True, watched_by="process_state.tempfiles", variable="block",
        ends=("unlink", "close"), subject="shared memory %s was not unlinked",
        remedy=calling(IT + ".unlink"), why_not_restored="what is in it may still be needed",
        waits=True),
    LeakKind(
        "patch", many="patches", verb="patched", watched_by="process_state.patches",
        resources=("mock patch",),
        state="was not stopped", ends=("stop",), subject="the patch of %s was not stopped",
        variable="patcher", remedy=calling(IT + ".stop"), restored=True, once_per_class=True),
    LeakKind(
        "environment", "environment change", watched_by="process_state.environment",
        restored=True),
    LeakKind(
        "cwd", "directory change", watched_by="process_state.environment",
        changes=("working directory",),
        subject="the working directory was changed",
        remedy=restoring("os.chdir", saved="os.getcwd()", monkeypatch="chdir(...)"),
        restored=True),
    LeakKind(
        "sys.path", "sys.path change", watched_by="process_state.environment",
        remedy=restoring("sys.path.__setitem__", "slice(None)", saved="sys.path[:]",
                         monkeypatch="syspath_prepend(...)"),
        restored=True),
    LeakKind(
        "module", "change of sys.modules", "changes of sys.modules", verb="changed",
        watched_by="process_state.loaded_modules", restored=True),
    LeakKind(
        "logging handler", verb="added", watched_by="process_state.logging_state", restored=True),
    LeakKind(
        "logging filter", verb="added", watched_by="process_state.logging_state", restored=True),
    LeakKind(
        "warnings filter", verb="added", watched_by="process_state.warning_filters",
        changes=("warning filter",), subject="the warnings filters were changed",
        remedy=restoring("warnings.filters.__setitem__", "slice(None)", saved="warnings.filters[:]"
                         )._replace(manager="warnings.catch_warnings()"), restored=True),
    LeakKind(
        "signal handler", verb="set", watched_by="process_state.interpreter_settings",
        subject="the handler of %s was changed", restored=True),
    LeakKind(
        "alarm", verb="set", watched_by="process_state.interpreter_settings",
        subject="%s was left running", restored=True),
    LeakKind(
        "locale", "locale change", verb="set", watched_by="process_state.interpreter_settings",
        subject="the locale was changed", restored=True),
    LeakKind(
        "umask", "umask change", verb="set", watched_by="process_state.interpreter_settings",
        subject="the umask was changed",
        remedy=Remedy((Call("os.umask", (), "os.umask(...)"),), when=When.INSTEAD),
        restored=True),
    LeakKind(
        "socket timeout", "socket timeout change", verb="set",
        watched_by="process_state.interpreter_settings",
        subject="the default socket timeout was changed", restored=True),
    LeakKind(
        "lock", verb="taken", watched_by="process_state.locks",
        subject="%s was left taken", restored=True),
    LeakKind(
        "context variable", verb="set", watched_by="process_state.contexts", waits=True,
        restored=True),
    LeakKind(
        "random state", verb="set", watched_by="process_state.library_settings",
        subject="the state of %s was set, and not put back", restored=True),
    LeakKind(
        "current event loop", verb="set", watched_by="process_state.event_loops",
        subject="%s was changed", restored=True),
    LeakKind(
        "event loop policy", many="event loop policies", verb="set",
        watched_by="process_state.event_loops", subject="the event loop policy was changed",
        remedy=restoring("asyncio.set_event_loop_policy", saved="asyncio.get_event_loop_policy()"),
        restored=True),
    LeakKind(
        "logging level", verb="set", watched_by="process_state.logging_state",
        subject="the level of %s was changed", restored=True, ranked=False),
    LeakKind(
        "hook", verb="set", watched_by="process_state.interpreter_settings",
        subject="%s was replaced", restored=True, ranked=False),
    LeakKind(
        "stream", verb="set", watched_by="process_state.interpreter_settings",
        subject="%s was replaced", restored=True, waits=True, ranked=False),
    LeakKind(
        "interpreter setting", verb="set", watched_by="process_state.interpreter_settings",
        restored=True, ranked=False),
    LeakKind(
        "library setting", verb="set", watched_by="process_state.library_settings",
        restored=True, ranked=False),
    LeakKind(
        "decimal context", verb="set", watched_by="process_state.contexts", restored=True,
        ranked=False),
)

KINDS: Dict[str, LeakKind] = {row.name: row for row in _ROWS}
"""Every kind of leak by its name, in the order of the report."""
_RANKS = {row.name: rank for rank, row in enumerate(row for row in _ROWS if row.ranked)}
_OF_RESOURCES = {resource: row for row in _ROWS for resource in row.resources}
_OF_CHANGES = {change: row for row in _ROWS for change in row.changes or (row.name,)}


ENDS: Dict[str, Tuple[str, ...]] = {
    "server": ("server_close",), "imap connection": ("shutdown",),
    "process manager": ("shutdown",), "process pool": ("join", "terminate"),
    "thread pool": ("join", "terminate"),
}
"""What ends a resource of this kind, where that is another method than that of its kind of leak; in
the order of registering them as clean-ups."""
OPENERS: Dict[str, Tuple[str, ...]] = {
    "connection": ("connect", "create_pool"),
    "socket": ("socket", "create_connection", "create_server", "fromfd", "socketpair", "accept"),
    "file": ("open", "fdopen", "makefile", "TemporaryFile", "NamedTemporaryFile"),
    "descriptor": ("open", "dup", "dup2", "mkstemp", "memfd_create", "eventfd", "epoll_create",
                   "pipe", "pipe2"),
    "thread": ("start",), "timer": ("start",),
    "executor": ("ThreadPoolExecutor", "ProcessPoolExecutor", "ThreadPool"),
    "child process": ("Popen", "start"), "pool": ("Pool",),
    "event loop": ("new_event_loop", "Runner"),
    "task": ("create_task", "ensure_future"),
    "temporary folder": ("mkdtemp", "TemporaryDirectory"),
    "shared memory": ("SharedMemory",),
    "temporary file": ("mkstemp", "NamedTemporaryFile", "mktemp"),
    "patch": ("start",),
}
"""The functions and methods whose result, or whose own object, is a resource of this kind of
leak."""
for _leak, _names in clients.OPENERS.items():
    OPENERS[_leak] = tuple(dict.fromkeys((*OPENERS.get(_leak, ()), *_names)))
NOUNS: Dict[str, str] = {"process pipe": "end of the pipe", "thread timer": "timer",
                         "mock patch": "patcher", "patch": "patcher",
                         "logging handler": "handler",
                         "logging filter": "filter", "sqlite3 connection": "connection",
                         "database connection": "connection"}
"""What a resource of this kind is called in advice, where another word than its own is plainer."""


def named(kind: str) -> LeakKind:
    """Return the row of the kind of this name; one unknown here goes by its own name."""
    return KINDS.get(kind) or LeakKind(kind)


def of_resource(resource: str) -> LeakKind:
    """Return the row by which a resource of this kind is reported."""
    return _OF_RESOURCES.get(resource) or named(resource)


def of_change(change: str) -> LeakKind:
    """Return the row by which a change of the process of this kind is reported."""
    return _OF_CHANGES.get(change) or named(change)


def restored_changes() -> Tuple[str, ...]:
    """Return the kinds of changes of the process that ``--restore`` puts back."""
    return tuple(change for change, row in _OF_CHANGES.items() if row.restored)


def leak_kind_of(leak: Leak) -> LeakKind:
    """Return the row of the kind of ``leak``; a kind unknown here goes by its own name."""
    return named(leak.kind)


def rank(leak: Leak) -> Tuple[int, int, int, str, str]:
    """Return the sort key of the report: by kind, then most tests, then heaviest, then name."""
    return (_RANKS.get(leak.kind, len(_RANKS)), -len(leak.tests), -leak.size, leak.cause,
            leak.subject)


def count(number: int, one: str, many: str = "") -> str:
    """Return "1 test", "2,041 tests"."""
    return "%s %s" % (format(number, ","), one if number == 1 else many or one + "s")


def amount(size: int) -> str:
    """Return a number of bytes with its unit: "512 B", "310 kB", "41.2 MB" (1 kB is 1000 B)."""
    if size < 1000:
        return "%d B" % size
    figure = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        figure /= 1000
        # 999.5 and more would be printed as 1000.
        if figure < 999.5 or unit == "TB":
            break
    return "%.*f %s" % (0 if figure >= 99.95 else 1, figure, unit)


def listed(names: List[str], limit: int) -> List[str]:
    """Return at most ``limit`` names, the last one telling how many more there are. Never "and 1
    more"."""
    if len(names) <= limit + 1:
        return names
    shown = names[:limit]
    return shown[:-1] + ["%s and %s more" % (shown[-1], format(len(names) - limit, ","))]


def scopes(tests: Iterable[str]) -> str:
    """Return "3 tests", "1 fixture", "3 tests, 1 fixture" for test ids; "" for none."""
    ids = list(tests)
    fixtures = sum(map(is_fixture, ids))
    parts = [count(len(ids) - fixtures, "test")] if len(ids) > fixtures else []
    return ", ".join(parts + ([count(fixtures, "fixture")] if fixtures else []))
