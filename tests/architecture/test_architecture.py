"""How the package is built: which file may import which, and what it keeps for the whole process.

Both are read from the sources, so nothing has to be loaded. An exception stands here by name and
with its reason; one that is no longer needed fails the test, so that the lists can only become
shorter.
"""
from __future__ import annotations

import ast
import os
import unittest
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

from tests.support.paths import ROOT

PACKAGE = "unittest_leakfix"

# Each layer imports from those above it here, and from itself. "" stands for the files of the
# package's own folder; what shares a line stands side by side and does not import each other.
LAYERS: Tuple[Tuple[str, ...], ...] = (
    ("_core",), ("resources",), ("",), ("tracing",), ("leaks.model",),
    ("process_state", "leaks.retention"),
    ("leaks.report",), ("leaks",), ("databases",), ("django",), ("pytest_plugin",),
    ("polluter", "fix"))

# The one module of the core that loads what stands above it, inside functions.
LOADER = "_optional"

# (file, what it imports): why.
UPWARD: Dict[Tuple[str, str], str] = {}

# Files that import each other when they run: why.
CIRCLES: Dict[Tuple[str, ...], str] = {
    ("pytest_plugin", "pytest_plugin.connection_limit", "pytest_plugin.detector_hooks",
     "pytest_plugin.options",
     "pytest_plugin.plugin", "pytest_plugin.summary"):
        "pytest loads the package itself, which has the options and loads the rest once one is "
        "given",
}

# What is not of the standard library, and the only folders that import it.
FOREIGN: Dict[str, Tuple[str, ...]] = {
    "django": ("django", "pytest_plugin.django", "polluter.django_selection"),
    "pytest": ("pytest_plugin", "polluter.pytest_selection"), "_pytest": ("pytest_plugin",),
    "pluggy": ("pytest_plugin",),
    "xdist": ("pytest_plugin",),
}
DRIVERS = ("MySQLdb", "aiomysql", "asyncpg", "mysql", "psycopg", "psycopg2", "pymysql", "sqlite3")


class Import(NamedTuple):
    """One import: of what, on which line; for types only; inside a function."""

    name: str
    line: int
    typing: bool
    lazy: bool


def module_name(path: str) -> str:
    """Return a source's name inside the package: ``leaks.run``; "" for the package itself."""
    name = os.path.relpath(path, os.path.join(ROOT, PACKAGE))[:-len(".py")].replace(os.sep, ".")
    return "" if name == "__init__" else name[
        :-len(".__init__")] if name.endswith(".__init__") else name


def sources() -> Dict[str, ast.Module]:
    """Return every module of the package, parsed, by its name."""
    found = {}
    for folder, _, names in os.walk(os.path.join(ROOT, PACKAGE)):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    found[module_name(path)] = ast.parse(file.read(), path)
    return found


SOURCES = sources()


def is_for_types(node: ast.AST) -> bool:
    """Tell whether *node* is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and isinstance(node.test,
                                                   ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(node: ast.AST, typing: bool = False, lazy: bool = False) -> Iterator[Import]:
    """Yield the imports below *node*, those inside functions as well."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for each in child.names:
                yield Import(each.name, child.lineno, typing, lazy)
        elif isinstance(child, ast.ImportFrom):
            for each in child.names:
                whole = "%s.%s" % (child.module, each.name)
                known = within(whole) in SOURCES
                yield Import(whole if known else str(child.module), child.lineno, typing, lazy)
        else:
            inside = lazy or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports(child, typing or is_for_types(child), inside)


def within(name: str) -> str:
    """Return a full name as it is inside the package; "-" for what is not of it."""
    return name[len(PACKAGE) + 1:] if name == PACKAGE or name.startswith(PACKAGE + ".") else "-"


def own_imports(name: str) -> Iterator[Import]:
    """Yield what a module of the package imports of it, by the names inside."""
    for each in imports(SOURCES[name]):
        if within(each.name) != "-":
            yield each._replace(name=within(each.name))


def is_below(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def layer(name: str) -> Tuple[int, str]:
    """Return the layer of a module: its place in `LAYERS`, and its folder."""
    fitting = [(len(folder), place, folder) for place, row in enumerate(LAYERS) for folder in row
               if folder and is_below(name, folder)]
    if fitting:
        return max(fitting)[1:]
    assert "." not in name, "%s is in a folder that LAYERS does not name" % name
    return next(place for place, row in enumerate(LAYERS) if "" in row), ""


def circles() -> List[Tuple[str, ...]]:
    """Return the groups of modules each of which imports all others, by way of others."""
    graph = {name: {
        each.name for each in own_imports(name) if not each.typing and each.name in SOURCES}
             for name in SOURCES}
    reached = {}
    for name in graph:
        known: Set[str] = set()
        todo = set(graph[name])
        while todo:
            each = todo.pop()
            known.add(each)
            todo |= graph[each] - known
        reached[name] = known
    return sorted({tuple(sorted(other for other in reached[name] if name in reached[other]))
                   for name in graph if name in reached[name]})


class ImportTests(unittest.TestCase):
    """Imports go one way."""

    def test_imports_go_one_way(self) -> None:
        upward = {}
        for name in SOURCES:
            for each in own_imports(name):
                here, there = layer(name), layer(each.name)
                if name != LOADER and (there[0] > here[0] or there[0] == here[0] and there != here):
                    upward[name, each.name] = each.line
        self.assertEqual({}, {pair: line for pair, line in upward.items() if pair not in UPWARD})
        self.assertEqual([], sorted(set(UPWARD) - set(upward)),
                         "these exceptions are no longer needed")

    def test_judgement_needs_no_sentences(self) -> None:
        # Those that print, or give out leaks that have their sentences.
        front = {"leaks.json", "leaks.report_commands", "leaks.report_files", "leaks.run",
                 "leaks.watch_block", "polluter.explain", "polluter.explanation"}
        folders = ("leaks.report", "databases", "django", "pytest_plugin", "fix")
        self.assertEqual(front, {
            name for name in SOURCES if not any(is_below(name, each) for each in folders)
            and any(is_below(each.name, "leaks.report") for each in own_imports(name))})

    def test_the_loader_of_the_upper_packages_loads_them_inside_functions(self) -> None:
        top = [each for each in own_imports(LOADER) if not each.lazy]
        self.assertEqual([], [each for each in top if layer(each.name)[0] > layer(LOADER)[0]])
        self.assertTrue(any(each.lazy for each in own_imports(LOADER)))

    def test_no_files_import_each_other(self) -> None:
        found = circles()
        self.assertEqual([], [circle for circle in found if circle not in CIRCLES])
        self.assertEqual([], sorted(set(CIRCLES) - set(found)),
                         "these exceptions are no longer needed")

    def test_imports_are_absolute(self) -> None:
        relative = [(name, node.lineno) for name, tree in SOURCES.items() for node in ast.walk(tree)
                    if isinstance(node, ast.ImportFrom) and node.level]
        self.assertEqual([], relative)

    def test_frameworks_are_imported_by_the_packages_for_them_only(self) -> None:
        strangers = []
        for name, tree in SOURCES.items():
            for each in imports(tree):
                top = each.name.partition(".")[0]
                allowed = FOREIGN.get(top, ())
                if (top in FOREIGN or top in DRIVERS) and not any(is_below(name, folder)
                                                                  for folder in allowed):
                    strangers.append((name, each.name, each.line))
        self.assertEqual([], strangers)

    def test_nothing_of_the_package_is_named_like_a_test(self) -> None:
        named = [name for name in SOURCES
                 if any(part.startswith("test_") for part in name.split("."))]
        self.assertEqual([], named)


# --- What is kept for the whole process ---

# Calls that make something that changes.
MAKERS = ("dict", "list", "set", "deque", "defaultdict", "OrderedDict", "WeakSet",
          "WeakKeyDictionary",
          "WeakValueDictionary", "count", "local", "bytearray", "lru_cache", "cache", "Lock",
          "RLock", "Event",
          "Condition", "ContextVar")
SYNCHRONISED = ("local", "Lock", "RLock", "Event", "Condition", "ContextVar")
CHANGES = ("append", "appendleft", "add", "clear", "discard", "extend", "insert", "pop", "popitem",
           "popleft",
           "remove", "setdefault", "update", "sort", "reverse")

# (module, name): why it is there, and what changes it.
STATE: Dict[Tuple[str, str], str] = {
    ("progress", "_KEPT"): "streams above the bar: one that goes closes its descriptor",
    ("leaks.retention.registries",
     "callbacks"): "what was registered with atexit while finding is on, by id",
    ("_core.attributes", "DEFAULTS"): "the mixins' classes, each entered when its module is loaded",
    ("_core.attributes",
     "drop_listeners"): "what finding wants to be called with, for the time of a run",
    ("_core.attributes", "slotless"): "a cache of classes without slots, by weak reference",
    ("_core.early", "_around"): "what is in its place while something is loaded late: `originals`",
    ("_core.early", "_deferred"): "what stands for the modules that are not loaded yet",
    ("_core.early", "_defers"): "whether this is a run from the command line, which loads late",
    ("_core.early", "_ours"): "our modules, for a test that empties `sys.modules`",
    ("_core.early", "held"): "the code of what is loaded late, read beforehand",
    ("_core.gc_control", "heap"): "the process has one heap, and runs in it may nest",
    ("_core.ownership",
     "_lasting"): "a cache of classes that their modules name, by weak reference",
    ("_core.secret_patterns",
     "PATTERNS"): "the sources of patterns; `redacted_source` adds its own when it is loaded",
    ("_core.secret_patterns",
     "_compiled"): "the patterns, each compiled when it is used for the first time",
    ("_core.secret_patterns", "_grades"): "a cache of how telling a name is, of bounded size",
    ("_core.swap",
     "originals"): "the standard library's functions as they were; noted by the outermost run",
    ("class_mixin",
     "_remembered"): "what each class had before its setUpClass, until its tests are over",
    ("_core.attributes", "_setting_up"): "the classes whose setUpClass is under way",
    ("databases.connection_limit",
     "ClientBudget._of_sort"): "the limits of redis and HTTP connections that hold now",
    ("databases.connection_limit",
     "Budget._lock"): "two threads may ask for the last place at once",
    ("databases.session_mixins",
     "_watched"): "the sessions of each class before its tests, until they are over",
    ("django.blocked_flush",
     "blocked_flushes"): "the watch over flushes: Django's commands are patched once",
    ("django.connections",
     "connections"): "Django's connections are the process's, and so is their patch",
    ("django.live_server",
     "live_servers"): "the live servers' threads of the process, whose patch is one",
    ("leaks.report.source_file",
     "source_of"): "a cache of what a few source files name: several causes are in one file",
    ("leaks.listening",
     "ListeningObserver._active"): "those who listen to closing now: listeners are registered once",
    ("leaks.fingerprint",
     "_places"): "a cache of what lines of code are called, of bounded size",
    ("leaks.report.user_code",
     "_by_path"): "a cache of which module a file is: by the paths of tests, which are few",
    ("leaks.report.whole_file",
     "_serial"): "the number of the next temporary file, which no two may share",
    ("leaks.suppressions",
     "_ignored"): "the rules of `ignore`, which the user's modules call when loaded",
    ("snapshot", "snapshots"): "the tests of mixin classes that run now, by their ids",
    ("process_state.library_settings",
     "_registered"): "what was registered with abstract classes at the last call of `register`",
    ("process_state.descriptors",
     "Reserve._held"): "descriptors held in reserve, which no report may name",
    ("process_state.monitors",
     "_live"): "the watches of this process, told of what a fixture changed",
    ("resources.entry_points", "_waiting"): "the entry points that were not called yet",
    ("resources.client_table", "KINDS"): "the table: filled when its files are imported",
    ("resources.client_table", "MADE"): "the classes of its rows, likewise",
    ("resources.client_table", "NOUNS"): "the nouns of its rows, likewise",
    ("resources.client_table", "OPENERS"): "what makes one of its rows, likewise",
    ("resources.late_kinds", "LAST"): "what is known of classes, with each part that is loaded",
    ("resources.late_kinds", "TABLE"): "what is known of classes, with each part that is loaded",
    ("resources.registry", "_kinds"): "a cache: the kind of each class that was looked at",
    ("resources.late_kinds", "_looked_at"): "how many modules there were at the last look",
    ("resources.late_kinds", "_parts"): "the parts of the table that are loaded by now",
    ("resources.late_kinds", "pending"): "the parts of the table that may be needed later",
    ("resources.registry", "_refs"): "weak references to those classes, which end their entries",
    ("resources.registry", "_registered"): "what `register_resource` was called with, for good",
    ("resources.scan", "foreign"): "what says of a resource that it is another process's",
    ("resources.scan",
     "listeners"): "what finding wants to be called with, before a resource is closed",
    ("suite", "_runs"): "the runs that are under way, the innermost last",
    ("tracing.driver_ids",
     "_noted"): "the sessions of connections of a driver that may refuse to tell, weakly",
    ("tracing.driver_ids",
     "_logins"): "the servers of connections of a driver that does not keep them, weakly",
    ("tracing.drivers",
     "drivers"): "the drivers' modules are the process's, and so are their patches",
    ("tracing.frameworks",
     "frameworks"): "the frameworks in use that open connections, as each enters itself",
    ("tracing.opened_connections",
     "connection_registry"): "the records of the process, which the drivers' patches write",
    ("tracing.opened_connections",
     "_registries"): "weak references to all such records, which a forked child empties",
    ("tracing.sources", "_listeners"): "the audit hook's: such a hook can never be removed",
    ("tracing.sources",
     "_listening_pid"): "the process the audit hook is for: a forked child has it too",
    ("tracing.stacks", "_DRIVER_KINDS"): "a cache by file name, of bounded size",
    ("_core.code_origin", "_KINDS"): "a cache by file name, of bounded size",
    ("tracing.stacks", "_USERS"): "a cache by file name, of bounded size",
}


def base_name(node: ast.AST) -> str:
    """Return the dotted name that *node* is, or begins with: ``a.b`` for ``a.b[0]``; "" for
    another."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        inner = base_name(node.value)
        return inner and "%s.%s" % (inner, node.attr)
    return node.id if isinstance(node, ast.Name) else ""


def changed_names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that the code below *tree* changes in place, or sets an attribute
    of."""
    for node in ast.walk(tree):
        targets: List[Any] = []
        if isinstance(node, (ast.Assign, ast.Delete)):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func,
                                                       ast.Attribute) and node.func.attr in CHANGES:
            yield base_name(node.func.value)
        elif isinstance(node, ast.Call) and base_name(node.func) == "next" and node.args:
            yield base_name(node.args[0])
        for target in targets:
            for each in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(each, ast.Subscript):
                    yield base_name(each)
                elif isinstance(each, ast.Attribute):
                    yield base_name(each.value)
                    yield base_name(each)


def functions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the functions below *tree*, those of classes as well."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node


def changing_classes() -> Set[str]:
    """Return the names of the package's classes whose instances change after they were made."""
    found, bases = set(), {}
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [base_name(base).rpartition(".")[2] for base in node.bases]
                if any(name.partition(".")[0] == "self" for method in node.body
                       if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef))
                       and method.name not in ("__init__", "__new__")
                       for name in changed_names(method)):
                    found.add(node.name)
    for _ in bases:
        found |= {name for name in bases if found & set(bases[name])}
    return found


def top_level(tree: ast.AST, owner: str = "") -> Iterator[Tuple[str, ast.AST]]:
    """Yield what runs when the module is loaded, with the class that it stands in and a dot."""
    for node in ast.iter_child_nodes(tree):
        yield owner, node
        if isinstance(node, ast.ClassDef):
            yield from top_level(node, node.name + ".")
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For)):
            yield from top_level(node, owner)


def state() -> Set[Tuple[str, str]]:
    """Return (module, name) of what a module keeps and code changes after the module was loaded."""
    changing = changing_classes()
    kept: Dict[Tuple[str, str], bool] = {}      # whether being kept is enough to change
    for module, tree in SOURCES.items():
        for owner, node in top_level(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if any(base_name(getattr(each, "func", each)).rpartition(".")[2] in MAKERS
                       for each in node.decorator_list):
                    kept[module, owner + node.name] = True
            value = getattr(node, "value", None)
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or value is None:
                continue
            made = base_name(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
            if isinstance(value,
                          (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)) \
                    or made in MAKERS or made in changing:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        kept[module, owner + target.id] = made in changing or made in SYNCHRONISED
    found = {place for place, enough in kept.items() if enough}
    for module, tree in SOURCES.items():
        known: Dict[str,
                    Tuple[str, str]] = {name: (home, name) for home, name in kept if home == module}
        for node in ast.walk(tree):     # what is imported from elsewhere, by the names it has here
            if isinstance(node, ast.ImportFrom):
                for each in node.names:
                    home, name = within(str(node.module)), each.name
                    here = each.asname or each.name
                    if (home, name) in kept:
                        known[here] = home, name
                    whole = "%s.%s" % (home, name) if home else name
                    known.update(("%s.%s" % (here, inner), (place, inner)) for place, inner in kept
                                 if place == whole)
        found |= {known[name] for name in changed_names(tree) if name in known
                  and known[name][0] != module}
        for function in functions(tree):
            found |= {known[name] for name in changed_names(function) if name in known}
            for node in ast.walk(function):
                if isinstance(node, ast.Global):
                    found |= {(module, name) for name in node.names}
    return found


class ProcessWideStateTests(unittest.TestCase):
    """What a module keeps and changes lives as long as the process: each is named, with its
    reason."""

    def test_what_is_kept_for_the_whole_process_is_named_here(self) -> None:
        found = state()
        self.assertEqual([], sorted(found - set(STATE)),
                         "kept for the whole process, and not named in STATE")
        self.assertEqual([], sorted(set(STATE) - found), "named in STATE, and not there any more")

    def test_each_has_a_reason(self) -> None:
        self.assertEqual([], [place for place, reason in STATE.items() if len(reason.split()) < 4])


if __name__ == "__main__":
    unittest.main()
