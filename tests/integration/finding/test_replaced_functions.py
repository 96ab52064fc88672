"""A test replaces a function of the standard library and leaves it so: the run ends as plain
unittest's.

All functions of the modules that we call are tried, one after the other (`replaced.py`). And what a
run needs is loaded before its first test, so that no import of ours meets what a test has left.
"""
from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import types
import unittest

from tests.integration.finding import replaced
from tests.support.paths import ROOT
from tests.tiers import BESIDE, full_on, nightly

PACKAGE = os.path.join(ROOT, "unittest_leakfix")
MODULES = ("os", "io", "time", "gc", "threading", "socket", "json", "builtins")
#: Whose functions are bound: these, and some of which few are called.
BOUND = MODULES[:-1] + ("weakref", "types", "functools", "collections", "sys")


class ReplacedCase(unittest.TestCase):
    maxDiff = None

    def same(self, module: str, how: str, at_least: int) -> None:
        child = subprocess.run(
            [sys.executable, "-m", "tests.integration.finding.replaced", module, how], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        *found, last = child.stdout.splitlines() or [""]
        wrong = [line for line in found if not line.startswith("off: ")]
        self.assertEqual(wrong, [], child.stderr)
        self.assertRegex(last, r"^compared: \d+$", child.stderr)
        # else plain unittest ends nowhere
        self.assertGreaterEqual(int(last.split()[1]), at_least)


@unittest.skipUnless(hasattr(os, "fork"), "each run is a fork")
@full_on(BESIDE)
class RaisesTests(ReplacedCase):
    """What stands in the function's place raises."""

    def test_os(self) -> None:
        self.same("os", "raises", 150)

    def test_io(self) -> None:
        self.same("io", "raises", 10)

    def test_time(self) -> None:
        self.same("time", "raises", 20)

    def test_gc(self) -> None:
        self.same("gc", "raises", 15)

    def test_threading(self) -> None:
        self.same("threading", "raises", 30)

    def test_socket(self) -> None:
        self.same("socket", "raises", 30)

    def test_json(self) -> None:
        self.same("json", "raises", 6)

    def test_builtins(self) -> None:
        self.same("builtins", "raises", 90)


@unittest.skipUnless(hasattr(os, "fork"), "each run is a fork")
class ReturnsTests(ReplacedCase):
    """What stands in its place returns None, or is a mock."""

    @full_on(BESIDE)
    def test_builtins_that_return_nothing(self) -> None:
        self.same("builtins", "nothing", 90)

    @nightly
    def test_functions_that_return_nothing(self) -> None:
        for module in MODULES[:-1]:
            with self.subTest(module):
                self.same(module, "nothing", 5)

    @nightly
    def test_mocks(self) -> None:
        for module in MODULES:
            with self.subTest(module):
                self.same(module, "mock", 5)


class LeftTests(unittest.TestCase):
    """What else a test may leave behind it: verdicts, status and output are plain unittest's."""

    maxDiff = None

    def same(self, left: str, fails: bool = True) -> "list[str]":
        """*fails*: plain unittest can still show a failure, whatever is *left*. Return the output
        of each run."""
        source = textwrap.dedent("""\
            import builtins, gc, linecache, os, socket, subprocess, sys, tempfile, threading, time, traceback
            import tokenize, unittest, warnings
            from unittest import mock
            KEPT, _open, _devnull = [], open, os.devnull
            class Thing:
                pass
            def boom(*args, **kwds):
                raise RuntimeError("left by a test")
            class Raising:
                def __getattr__(self, name):
                    raise RuntimeError("left by a test")
            class Tests(unittest.TestCase):
                def test_a_leaves(self):
                    %s
                def test_b_owns(self):
                    self.file = _open(_devnull)
                    self.thing = Thing()
                    KEPT.append(self.thing)
                def test_c_fails(self):
                    self.thing = self
                    %s
                def test_d_kept(self):
                    KEPT.append(self)
            class Then(unittest.TestCase):
                def test_then(self):
                    self.file = _open(_devnull)
            """) % (left, "self.fail('on purpose')" if fails else "pass")  # noqa: E501
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "sample.py"), "w") as file:
                file.write(source)
            runs = []
            printed = []
            for number, command in enumerate((["unittest"], ["unittest_leakfix"], [
                    "unittest_leakfix", "--leaks=report",
                    "--leaks-json=" + os.path.join(folder, "report.json")])):
                work = os.path.join(folder, str(number))
                os.mkdir(work)
                child = subprocess.run(
                    [sys.executable, "-m", *command, "-v", "sample"], cwd=work, text=True,
                    timeout=120,
                    env=dict(os.environ, PYTHONPATH=ROOT + os.pathsep + folder),
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                printed.append(child.stdout)
                runs.append((replaced.verdicts(child.stdout), child.returncode))
                self.assertNotRegex(child.stdout, r'File ".*/unittest_leakfix/', command)
            self.assertEqual(len(runs[0][0]), 7, runs[0])
            self.assertEqual(runs[1], runs[0])
            self.assertEqual(runs[2], runs[0])
            with open(os.path.join(folder, "report.json")) as report:
                self.assertEqual(json.load(report)["version"], 1)
        return printed

    def test_clock_that_stands_still(self) -> None:
        self.same("time.time = time.monotonic = time.perf_counter = lambda: 1.0; time.sleep = "
                  "lambda _: None; "
                  "threading.Thread(target=threading.Event().wait, args=(2,)).start()")

    def test_thread_start(self) -> None:
        self.same("threading.Thread.start = threading.current_thread = threading.enumerate = boom")

    def test_stderr(self) -> None:
        self.same("sys.stderr = Raising()")

    def test_stdout_that_is_closed(self) -> None:
        self.same("sys.stdout.close()")

    def test_warnings(self) -> None:
        self.same("warnings.warn = warnings.showwarning = warnings._showwarnmsg = boom")

    def test_reference_counts(self) -> None:
        self.same("sys.getrefcount = sys._getframe = lambda *_: 0")

    def test_children(self) -> None:
        self.same("subprocess.Popen = boom; os.fork = boom; os.waitpid = boom")

    def test_folders_of_the_system(self) -> None:
        self.same("os.listdir = os.scandir = os.stat = os.lstat = os.readlink = os.open = boom",
                  fails=False)

    def test_references_and_types(self) -> None:
        printed = self.same(
                  "import types, weakref, functools, collections; "
                  "weakref.ref = types.ModuleType = types.FunctionType = "
                  "types.MemberDescriptorType = boom; functools.wraps = functools.partial = "
                  "collections.deque = collections.Counter = sys.exc_info = boom", fails=False)
        for output in printed:
            self.assertNotRegex(output, "switched off|no report|failed:")
        self.assertIn("Thing", printed[2])

    def test_collector(self) -> None:
        self.same(
            "gc.collect = gc.freeze = gc.unfreeze = gc.get_objects = boom; del gc.callbacks[:]")

    def test_imports(self) -> None:
        # From 3.13 on the library itself imports to show a failure.
        self.same("builtins.__import__ = boom", fails=sys.version_info < (3, 13))

    def test_finders(self) -> None:
        self.same("del sys.meta_path[:], sys.path[:]; sys.path_importer_cache.clear()")

    def test_our_modules_are_gone(self) -> None:
        self.same("[sys.modules.pop(name) for name in list(sys.modules) if "
                  "name.startswith('unittest_leakfix')]")

    def test_working_directory_is_gone(self) -> None:
        self.same("os.rmdir(os.getcwd())")

    def test_text_of_the_library(self) -> None:
        self.same("linecache.getline = linecache.updatecache = tokenize.open = "
                  "tokenize.detect_encoding = boom",
                  fails=False)

    def test_descriptors(self) -> None:
        self.same("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); "
                  "self.take()\n"
                  "    def take(self):\n"
                  "        with self.assertRaises(OSError):\n"
                  "            while True:\n"
                  "                KEPT.append(_open(_devnull))\n"
                  "        for _ in range(2): KEPT.pop().close()")     # the tests' own

    def test_mocks_of_much(self) -> None:
        self.same("[mock.patch(name).start() for name in ('os.getpid', 'time.sleep', "
                  "'time.monotonic', "
                  "'json.dumps', 'tempfile.mkdtemp', 'os.path.isfile', 'os.fsync', 'os.replace', "
                  "'io.open')]")


class LoadedTests(unittest.TestCase):
    """After the first test began, nothing is imported by us."""

    SOURCE = textwrap.dedent("""\
        import atexit, os, socket, sqlite3, subprocess, sys, tempfile, threading, unittest, warnings
        from unittest import mock
        KEPT = []
        class Thing:
            pass
        class Spy:
            found = []
            def find_spec(self, name, path=None, target=None):
                frame = sys._getframe(1)
                while frame is not None:
                    # What watches imports stands between another's import and its finders.
                    if frame.f_code.co_name in ("find_spec", "exec_module"):
                        pass
                    elif "unittest_leakfix" in frame.f_code.co_filename.split(os.sep):
                        if frame.f_code.co_name not in ("main", "<module>"):
                            self.found.append("%s by %s" % (name, frame.f_code.co_filename))
                        return
                    if frame.f_code.co_filename in (__file__, warnings.__file__):
                        return      # the test's own, and the warnings that it causes
                    frame = frame.f_back
        def say():
            print("IMPORTED", Spy.found)
        atexit.register(say)
        class Broken:
            def __del__(self):
                raise ValueError("in a finalizer")
        class Client:
            closed = False
            def __enter__(self): return self
            def __exit__(self, *error): pass
            def close(self): raise RuntimeError("does not close")
        def setUpModule():
            KEPT.append(open(__file__))
        class Tests(unittest.TestCase):
            def test_0(self):
                sys.meta_path.insert(0, Spy())
            def test_file(self):
                KEPT.append(open(os.devnull))
                self.own = open(__file__)
            def test_socket(self):
                self.pair = socket.socketpair()
                KEPT.append(socket.socket())
            def test_sqlite(self):
                self.db = sqlite3.connect(":memory:")
                KEPT.append(sqlite3.connect(":memory:"))
            def test_thread(self):
                threading.Thread(target=threading.Event().wait, args=(3,), daemon=True).start()
            def test_child(self):
                KEPT.append(subprocess.Popen(["sleep", "3"], stdout=subprocess.PIPE))
                self.child = subprocess.Popen(["sleep", "3"])
            def test_folder(self):
                KEPT.append(tempfile.TemporaryDirectory())
                tempfile.mkdtemp()
            def test_state(self):
                os.environ["LEFT"] = "1"
                sys.path.append("/left")
                warnings.simplefilter("ignore", ImportWarning)
                mock.patch("os.getlogin").start()
            def test_complaints(self):
                open(os.devnull)
                Broken()
            def test_close(self):
                self.client = Client()
                self.client.closed = False
            def test_kept(self):
                self.rows = ["x" * 1000] * 1000
                KEPT.append(self)
            def test_things(self):
                KEPT.append(Thing())
            def test_fails(self):
                with self.subTest(n=1):
                    self.fail("on purpose")
            @unittest.expectedFailure
            def test_expected(self):
                self.fail("on purpose")
        class More(Tests):
            leakfix_ignore = [dict(thing="*", reason="known")]
            @classmethod
            def setUpClass(cls):
                cls.file = open(os.devnull)
        """)

    def imported(self, *options: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "sample.py"), "w") as file:
                file.write(self.SOURCE)
            child = subprocess.run(
                [sys.executable, "-m", "unittest_leakfix", *options, "sample"], cwd=folder,
                text=True,
                env=dict(os.environ, PYTHONPATH=ROOT + os.pathsep + folder), timeout=120,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(child.returncode, 1, child.stderr)
        if options:
            self.assertIn("LEAKS ", child.stderr)
        return child.stdout

    def test_closing(self) -> None:
        self.assertEqual(self.imported(), "IMPORTED []\n")

    def test_finding(self) -> None:
        self.assertEqual(self.imported(
            "--leaks=report", "--leaks-json=report.json", "--leaks-write-baseline=known.json",
            "--leaks-stacks",
            "--leaks-failed", "--restore"), "IMPORTED []\n")

    def test_failing(self) -> None:
        self.assertEqual(self.imported("--leaks=fail", "--leaks-json=report.json"), "IMPORTED []\n")


class BoundTests(unittest.TestCase):
    """The functions of these modules are bound by the modules that call them, not looked up when
    they are called."""

    #: What runs before the first test, or is a command of its own.
    APART = (
        "__main__.py", "cli.py", "options.py", "databases/cli.py", "_core/swap.py",
        "_core/early.py", "polluter/children.py", "polluter/frameworks.py",
        "polluter/inquiry.py", "polluter/text.py", "polluter/explain.py", "configuration.py",
        "fix/command.py", "leaks/report_commands.py")
    #: Meant to be replaced, and read as they are.
    STATE = {"threading.excepthook", "sys.unraisablehook", "sys.__unraisablehook__"}

    def test_functions(self) -> None:
        found = []
        for folder, _, names in os.walk(PACKAGE):
            for name in sorted(names):
                path = os.path.join(folder, name)
                short = os.path.relpath(path, PACKAGE).replace(os.sep, "/")
                if name.endswith(".py") and short not in self.APART:
                    with open(path, encoding="utf-8") as source:
                        found += ["%s:%d: %s" % (short, line, called)
                                  for line, called in _looked_up(source.read())
                                  if called not in self.STATE]
        self.assertEqual(found, [], "bind each to a name of its module: _getpid = os.getpid")

    def test_that_they_are_seen(self) -> None:
        self.assertEqual(list(_looked_up(
            "import os, time\nx = os.getpid()\ndef f(a=os.getpid()):\n    return os.environ, "
            "os.path.join(os.sep)\n"
            "g = lambda: time.sleep(os.getpid())\n")), [
            (4, "os.path.join"), (5, "os.getpid"), (5, "time.sleep")])
        self.assertEqual(list(_looked_up(
            "import sys, types, weakref\ndef f(a: types.FunctionType):\n"
            "    return weakref.ref(a), type(a) is types.FunctionType, sys.modules\n")), [
            (3, "types.FunctionType"), (3, "weakref.ref")])


def _looked_up(source: str) -> "list[tuple[int, str]]":
    """Return (line, "os.getpid") for each function of `BOUND` that a function in *source* looks
    up."""
    tree = _Bare().visit(ast.parse(source))
    modules = {each.asname or each.name.partition(".")[0]: each.name.partition(".")[0]
               for node in tree.body if isinstance(node, ast.Import) for each in node.names}
    found = set()
    functions = [node for node in ast.walk(tree)
                 if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))]
    for function in functions:
        body = function.body if isinstance(function.body, list) else [function.body]
        for node in (each for part in body for each in ast.walk(part)):
            if not isinstance(node, ast.Attribute):
                continue
            words = ast.unparse(node).split(".") if hasattr(ast, "unparse") else _words(node)
            if modules.get(words[0]) not in BOUND or not 2 <= len(words) <= 3:
                continue
            value = importlib.import_module(modules[words[0]])
            for word in words[1:]:
                value = getattr(value, word, None) if isinstance(value, types.ModuleType) else None
            if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
                found.add((node.lineno, ".".join(words)))
    return sorted(found)


class _Bare(ast.NodeTransformer):
    """Takes the annotations out of functions."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return ast.copy_location(ast.Expr(node.value or ast.Constant(None)), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def _words(node: ast.AST) -> "list[str]":
    if isinstance(node, ast.Attribute):
        return _words(node.value) + [node.attr]
    return [node.id] if isinstance(node, ast.Name) else ["?"]


if __name__ == "__main__":
    unittest.main()
