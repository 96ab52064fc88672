"""Faults: what a test breaks breaks neither the run nor its verdicts, and finding says what it
missed.

Each sample runs in a process of its own, under plain unittest and with finding on.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from typing import NamedTuple

from tests.support.paths import ROOT

HEAD = """\
import atexit, contextlib, gc, os, signal, sys, threading, time, unittest, warnings
KEPT = []
class Thing:
    pass
class Later:
    pass
class After(unittest.TestCase):
    def test_clean(self):
        pass
    def test_leaves(self):
        KEPT.append(Later())
"""


class Ran(NamedTuple):
    verdicts: list[str]     # "test_a (m.Tests.test_a) ... ok", the last line
    report: str
    status: int
    output: str


def run(source: str, *options: str, module: str = "unittest_leakfix", folder: str = "") -> Ran:
    """Run a module of tests of this text in a process of its own."""
    with tempfile.TemporaryDirectory() as made:
        with open(os.path.join(made, "sample.py"), "w") as file:
            file.write(HEAD + textwrap.dedent(source))
        work = os.path.join(made, "work")
        os.mkdir(work)
        environment = dict(os.environ, PYTHONPATH=ROOT + os.pathsep + made, PYTHONWARNINGS="")
        child = subprocess.run(
            [sys.executable, "-m", module, *options, "-v", "sample"], cwd=work, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    output = child.stdout.decode("utf-8", "replace")
    output = re.sub(r" at 0x[0-9a-f]+", "", output)
    verdicts = re.findall(r"(?m)^test_\S+ \(.*$|^OK.*$|^FAILED.*$|^KeyboardInterrupt.*$", output)
    report = output.partition("\nunittest_leakfix: ")[2]
    return Ran(verdicts, report, child.returncode, output)


class FaultCase(unittest.TestCase):
    maxDiff = None

    def found(self, source: str, *options: str) -> Ran:
        """Run a sample both ways; the verdicts must be the same. Returns the run with finding."""
        plain = run(source, module="unittest")
        ours = run(source, "--leaks=report", *options)
        self.assertEqual(plain.verdicts, ours.verdicts, ours.output)
        self.assertEqual(plain.status, ours.status, ours.output)
        self.assertNotIn("finding failed", ours.report, ours.output)
        return ours

    def assertFindsOn(self, ran: Ran) -> None:
        """What the well-behaved test after the fault leaves is found."""
        self.assertIn("Later was kept after After.test_leaves", ran.report, ran.output)


OBJECTS = """
class Raises:
    def fail(self, *args):
        raise RuntimeError("no business of yours")
    __repr__ = __str__ = __eq__ = __ne__ = __hash__ = __bool__ = __len__ = __iter__ = fail
    __sizeof__ = __reduce__ = __getattr__ = __dir__ = __format__ = __call__ = __enter__ = fail
    __class__ = property(fail)

class Slow:
    def wait(self, *args):
        time.sleep(1)
        return 1
    __repr__ = __eq__ = __hash__ = __sizeof__ = __getattr__ = __bool__ = __len__ = wait

class Lies:
    __class__ = property(lambda self: int)
    def __eq__(self, other): return True
    def __hash__(self): return 1
    def __sizeof__(self): return -5
    def __repr__(self): return 5
    def __getattr__(self, name): return self
    def __len__(self): return -1
    closed = False
    open = property(lambda self: 1 / 0)
    def close(self): raise OSError("closed already")
    def __exit__(self, *error): pass
    def __enter__(self): pass

class Dies:
    def __del__(self):
        raise RuntimeError("in __del__")

class Key:
    def __init__(self): self.armed = False
    def __hash__(self):
        if self.armed: raise RuntimeError("hash")
        return 1
    def __eq__(self, other):
        if self.armed: raise RuntimeError("eq")
        return self is other
    def __repr__(self): raise RuntimeError("repr")

class Meta(type):
    def __getattribute__(cls, name): raise RuntimeError("meta")
    def __repr__(cls): raise RuntimeError("meta")
    def __instancecheck__(cls, other): raise RuntimeError("meta")
    def __subclasscheck__(cls, other): raise RuntimeError("meta")

class OfMeta(metaclass=Meta):
    pass

def attribute(make):
    def test(self):
        self.it = make()
        self.more = [make(), {"a": make()}]
    return test

def survivor(make):
    def test(self):
        KEPT.append(make())
        Tests.last = make()
    return test

def key(make):
    def test(self):
        one = Key()
        KEPT.append({one: make()})
        one.armed = True
    return test

class Tests(unittest.TestCase):
    pass
for make in MAKERS:
    for way in (attribute, survivor, key):
        setattr(Tests, "test_%s_%s" % (type.__getattribute__(make, "__name__"), way.__name__), way(make))
"""  # noqa: E501


class ObjectTests(FaultCase):
    def test_objects_that_raise_lie_or_die_badly(self) -> None:
        ran = self.found(OBJECTS.replace("MAKERS", "(Raises, Lies, Dies, OfMeta)"))
        self.assertFindsOn(ran)
        for subject in ("Raises was kept after Tests.test_Raises_survivor",
                        "Lies was left open",
                        "OfMeta was kept after Tests.test_OfMeta_survivor"):
            self.assertIn(subject, ran.report, ran.output)

    def test_objects_that_hang_are_not_asked(self) -> None:
        begin = time.monotonic()
        ran = self.found(OBJECTS.replace("MAKERS", "(Slow,)"))
        self.assertFindsOn(ran)
        self.assertIn("Slow was kept after Tests.test_Slow_survivor", ran.report)
        self.assertLess(time.monotonic() - begin, 20)

    def test_a_test_with_an_id_that_raises(self) -> None:
        ran = self.found("""
            class Tests(unittest.TestCase):
                done = False
                def id(self):
                    if self.done: raise RuntimeError("id")
                    return super().id()
                def test_it(self):
                    Tests.done = True
                def test_other(self):
                    Tests.done = False
                    KEPT.append(self)
            """)
        self.assertFindsOn(ran)

    def test_a_million_survivors(self) -> None:
        begin = time.monotonic()
        ran = self.found("""
            import resource
            class Tests(unittest.TestCase):
                def test_many(self):
                    KEPT.extend([Thing() for _ in range(1000000)])
            @atexit.register
            def tell():
                print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
            """)
        self.assertFindsOn(ran)
        self.assertIn("Thing was kept after Tests.test_many", ran.report)
        self.assertNotIn(" more", ran.report.replace("More", ""))
        self.assertLess(time.monotonic() - begin, 60)
        self.assertLess(int(re.findall(r"peak (\d+)", ran.output)[0]), 600)

    def test_a_million_survivors_without_weak_references(self) -> None:
        ran = self.found("""
            class Slotted:
                __slots__ = ()
            class Tests(unittest.TestCase):
                def test_many(self):
                    KEPT.extend([[Slotted()] for _ in range(300000)])
                    class Tracked:
                        __slots__ = ("a",)
                    KEPT.extend([Tracked() for _ in range(300000)])
            """)
        self.assertFindsOn(ran)


class CollectorTests(FaultCase):
    def test_what_a_test_may_do_to_the_collector(self) -> None:
        for does in ("gc.freeze()", "gc.unfreeze()", "gc.collect()", "gc.get_objects()",
                     "gc.callbacks.clear()", "raw_unfreeze()", "raw_freeze()"):
            with self.subTest(does):
                ran = self.found("""
                    from gc import freeze as raw_freeze, unfreeze as raw_unfreeze
                    class A(unittest.TestCase):
                        def test_it(self):
                            %s
                            KEPT.append(Thing())
                    """ % does)
                self.assertFindsOn(ran)
                if does != "raw_unfreeze()":
                    self.assertIn("Thing was kept after A.test_it", ran.report)
                    self.assertNotIn("Not measured", ran.report)
                else:
                    self.assertIn("Not measured: A.test_it (what came in it is not known",
                                  ran.report)

    def measured(self, body: str, *left: str, head: str = "") -> None:
        """Run one test of this *body*: these are *left*, no more, and nothing is "not measured"."""
        ran = self.found("""
            %s
            class Cycle:
                def __init__(self):
                    self.me = self
            class Many:
                pass
            class A(unittest.TestCase):
                def test_it(self):
                    %s
            """ % (head, "\n                    ".join(textwrap.dedent(body).strip().split("\n"))))
        self.assertFindsOn(ran)
        self.assertNotIn("Not measured", ran.report)
        found = re.findall(r"(?m)^\[\d+\] (\w+) was kept after A.test_it", ran.report)
        self.assertEqual(sorted(left), sorted(found), ran.report)

    QUESTIONS = ("gc.collect()", "gc.get_objects()", "gc.get_referrers(KEPT)", "gc.freeze()",
                 "gc.unfreeze()",
                 "gc.collect(); gc.freeze(); gc.collect(); gc.unfreeze()",
                 "[len(gc.get_objects()) for _ in range(3)]")

    def test_what_came_before_and_after_a_question(self) -> None:
        for asks in self.QUESTIONS:
            with self.subTest(asks):
                self.measured("""
                    KEPT.append(Thing())
                    garbage = Cycle()
                    %s
                    KEPT.append(Many())
                    garbage = Cycle()
                    """ % asks, "Thing", "Many")

    def test_what_went_again_is_no_leak(self) -> None:
        for asks in self.QUESTIONS:
            with self.subTest(asks):
                self.measured("""
                    KEPT.append(Thing())
                    %s
                    KEPT.clear()
                    """ % asks)

    def test_the_collector_came_after_the_question(self) -> None:
        """What came after it is no longer among the young ones."""
        self.measured("""
            gc.collect()
            KEPT.append(Thing())
            many = [[] for _ in range(100000)]
            gc.collect(1)
            KEPT.append(Many())
            """, "Thing", "Many")

    def test_a_block_in_a_test(self) -> None:
        for block in ("leaks.watch()", "self.assertNoLeaks()"):
            for inside in ("pass", "gc.collect()", "self.garbage = Cycle()"):
                with self.subTest(block=block, inside=inside):
                    self.measured("""
                        KEPT.append(Thing())
                        garbage = Cycle()
                        with %s:
                            %s
                        KEPT.append(Many())
                        """ % (block.replace("self.", "unittest_leakfix.LeakFixTestCase('run')."),
                               inside),
                        "Thing", "Many",
                        head="import unittest_leakfix; from unittest_leakfix import leaks")

    def test_what_a_block_found_is_also_the_tests(self) -> None:
        self.measured("""
            with leaks.watch() as found:
                KEPT.append(Thing())
                with leaks.watch() as inner:
                    KEPT.append(Many())
            assert len(found.leaks) == 2 and len(inner.leaks) == 1, (found.leaks, inner.leaks)
            """, "Thing", "Many", head="from unittest_leakfix import leaks")

    def test_switched_off(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_it(self):
                    gc.disable()
            """)
        self.assertFindsOn(ran)
        self.assertIn("gc.isenabled() was changed", ran.report)

    def test_debugging_the_collector(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_it(self):
                    gc.set_debug(gc.DEBUG_SAVEALL)
                def test_back(self):
                    gc.set_debug(0)
                    gc.garbage.clear()
            """)
        self.assertIn("Not measured: A.test_it", ran.report)

    def test_gc_collect_replaced(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_it(self):
                    gc.collect = gc.get_objects = gc.get_referrers = gc.freeze = None
            """)
        self.assertFindsOn(ran)


class ProcessTests(FaultCase):
    def test_what_a_test_may_replace(self) -> None:
        ran = self.found("""
            def fail(*args, **kwds):
                raise RuntimeError("replaced")
            class A(unittest.TestCase):
                def test_names(self):
                    import builtins, io
                    os.getpid = time.sleep = time.monotonic = os.stat = os.listdir = fail
                    os.readlink = os.fstat = os.getcwd = os.dup = os.pipe = os.close = fail
                    threading.current_thread = threading.enumerate = sys._current_frames = fail
                    builtins.open = io.open = fail
                    self.addCleanup(KEPT.append, Thing())
            """)
        self.assertFindsOn(ran)
        self.assertIn("os.getpid was replaced and not put back", ran.report)

    def test_hooks(self) -> None:
        ran = self.found("""
            def hook(*args):
                raise RuntimeError("hook")
            class A(unittest.TestCase):
                def test_hooks(self):
                    sys.unraisablehook = threading.excepthook = hook
                    warnings.showwarning = hook
                    sys.excepthook = hook
            """)
        self.assertFindsOn(ran)
        for name in ("sys.unraisablehook", "threading.excepthook", "warnings.showwarning"):
            self.assertIn("%s was replaced" % name, ran.report)

    def test_environment_rebound(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_rebound(self):
                    os.environ = {"HOME": "/", 5: object()}
            """)
        self.assertFindsOn(ran)
        self.assertIn('os.environ was replaced', ran.report)

    def test_modules_deleted(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_deleted(self):
                    for name in ("os", "gc", "threading", "warnings", "logging", "sample", "time",
                                 "asyncio", "unittest.mock", "signal", "weakref", "io", "linecache"):
                        sys.modules.pop(name, None)
                def test_nonsense(self):
                    class Odd:
                        def __getattr__(self, name): raise RuntimeError(name)
                    for name in ("subprocess", "socket", "_socket", "sqlite3", "asyncio.events",
                                 "logging", "unittest.mock", "odd"):
                        sys.modules[name] = Odd()
                    Thing.__module__ = "odd"
            """)  # noqa: E501
        self.assertFindsOn(ran)

    def test_folder_removed(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_removed(self):
                    os.rmdir(os.getcwd())
            """)
        self.assertFindsOn(ran)
        self.assertIn("working directory was changed", ran.report)

    def test_audit_hooks(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_hook(self):
                    heard = []
                    sys.addaudithook(lambda event, args: heard.append(event))
                    with open(os.devnull): pass
                    self.assertIn("open", heard)
                def test_strict(self):
                    on = [True]
                    def strict(event, args):
                        if on and event == "open": raise RuntimeError("no")
                    sys.addaudithook(strict)
                    with self.assertRaises(RuntimeError):
                        open(os.devnull)
                    on.clear()
            """)
        self.assertFindsOn(ran)

    def test_recursion_at_the_limit(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_deep(self):
                    def deep(): deep()
                    with self.assertRaises(RecursionError): deep()
                def test_error(self):
                    def deep(): deep()
                    deep()
                def test_long(self):
                    chain = None
                    for _ in range(100000): chain = [chain]
                    KEPT.append((Thing(), chain))
            """)
        self.assertFindsOn(ran)
        self.assertIn("Thing was kept after A.test_long", ran.report)

    def test_a_low_limit_left_behind(self) -> None:
        run("""
            class A(unittest.TestCase):
                def test_low(self):
                    depth, frame = 0, sys._getframe()
                    while frame: depth, frame = depth + 1, frame.f_back
                    sys.setrecursionlimit(depth + 25)
                @classmethod
                def tearDownClass(cls):
                    sys.setrecursionlimit(1000)
            """, "--leaks=report")

    def test_a_thread_that_goes_on(self) -> None:
        ran = self.found("""
            stop = []
            def busy():
                while not stop:
                    data = {n: [Thing()] for n in range(100)}
                    os.environ["N"] = str(len(data)); os.environ.pop("N", None)
                    threading.Thread(target=len, args=((),)).start()
            class A(unittest.TestCase):
                def test_starts(self):
                    thread = threading.Thread(target=busy, name="busy", daemon=True)
                    thread.start()
            for n in range(30):
                def test(self): KEPT.append([Thing()])
                setattr(A, "test_x%d" % n, test)
            def tearDownModule():
                stop.append(1)
            """)
        self.assertIn('thread "busy" was still running after its test', ran.report)


class ForkTests(FaultCase):
    def test_a_child_that_runs_on(self) -> None:
        for fork in ("os.fork()", "in_thread()"):
            with self.subTest(fork):
                ran = run("""
                    def in_thread():
                        pids = []
                        thread = threading.Thread(target=lambda: pids.append(os.fork()))
                        thread.start(); thread.join()
                        return pids[0]
                    class A(unittest.TestCase):
                        def test_fork(self):
                            pid = %s
                            if pid:
                                os.waitpid(pid, 0)
                        def test_later(self):
                            KEPT.append(self)
                    """ % fork, "--leaks=report", "--leaks-json=found.json")
                self.assertEqual(0, ran.status, ran.output)
                self.assertEqual(1, ran.output.count("LEAKS  "), ran.output)
                self.assertFindsOn(ran)

    def test_a_child_that_exits(self) -> None:
        ran = self.found("""
            class A(unittest.TestCase):
                def test_exit(self):
                    pid = os.fork()
                    if not pid:
                        os._exit(0)
                    os.waitpid(pid, 0)
                def test_zombie(self):
                    if not os.fork():
                        os._exit(0)
            """)
        self.assertFindsOn(ran)
        self.assertRegex(ran.report, "child process 'fork' h")


class InnerTests(FaultCase):
    def test_a_suite_inside(self) -> None:
        ran = run("""
            class Inner:
                class Tests(unittest.TestCase):
                    def test_inner(self):
                        KEPT.append(self)
            class A(unittest.TestCase):
                def test_outer(self):
                    import io
                    stream = io.StringIO()
                    from unittest_leakfix import LeakFixTestRunner
                    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Inner.Tests)
                    result = LeakFixTestRunner(stream=stream, leaks="report").run(suite)
                    self.assertTrue(result.wasSuccessful(), stream.getvalue())
                    self.assertIn("Not measured", stream.getvalue())
                    KEPT.append(Thing())
            """, "--leaks=report")
        self.assertEqual("OK", ran.verdicts[-1], ran.output)
        self.assertIn("Thing was kept after A.test_outer", ran.report)
        self.assertFindsOn(ran)

    def test_interrupted(self) -> None:
        for when in ("raise KeyboardInterrupt",
                     "self.addCleanup(os.kill, os.getpid(), signal.SIGINT)",
                     "self.it = Late()"):
            with self.subTest(when):
                ran = run("""
                    import _thread
                    class Late:
                        def __del__(self):
                            signal.raise_signal(signal.SIGINT)
                    class A(unittest.TestCase):
                        def test_it(self):
                            %s
                    @atexit.register
                    def tell(filters=warnings.filters, names=(gc.collect, gc.get_objects, gc.freeze),
                             show=warnings._showwarnmsg, hook=sys.unraisablehook):
                        KEPT.clear()
                        from unittest_leakfix.tracing import sources as audit
                        from unittest_leakfix.resources import scan
                        print("filters", warnings.filters is filters)
                        print("gc", (gc.collect, gc.get_objects, gc.freeze) == names)
                        print("show", warnings._showwarnmsg is show, sys.unraisablehook is hook)
                        # 3.12 hides some hundred of its own at each full collection
                        print("frozen", gc.get_freeze_count() > 1000)
                        print("audited", audit._listeners, scan.listeners)
                    """ % when, "--leaks=report")  # noqa: E501
                for line in ("filters True", "gc True", "show True True", "frozen False",
                             "audited {} []"):
                    self.assertIn(line, ran.output)


class OwnFaultTests(FaultCase):
    """A mistake in finding itself costs what it found out, not the run."""

    def test_each_part_may_fail(self) -> None:
        for part, _ in (("leaks.survivors.SurvivorWatch.begin", "After.test_leaves"),
                           ("leaks.survivors.SurvivorWatch.finished", "After.test_leaves"),
                           ("leaks.survivors.SurvivorWatch.end", "After.test_leaves"),
                           ("process_state.monitors.ProcessState.after", "After.test_leaves"),
                           ("leaks.classify.Classifier.objects", "After.test_leaves"),
                           ("process_state.monitors.ProcessState.full", "setUpModule (sample)"),
                           ("leaks.suppressions.ReportedLeaks.take", "sample.After")):
            with self.subTest(part):
                module, cls, name = part.rsplit(".", 2)
                source = """
                    def setUpModule():
                        import unittest_leakfix.%s as module
                        def fail(*args):
                            raise LookupError("a mistake of ours")
                        module.%s.%s = fail
                    def tearDownModule():
                        pass
                    """ % (module, cls, name)
                plain = run("", module="unittest")
                ours = run(source, "--leaks=report")
                self.assertEqual(plain.verdicts, ours.verdicts, ours.output)
                self.assertRegex(ours.report,
                                 r"(?s)Not measured: .*\(finding failed: LookupError: a "
                                 r"mistake of ours\s+at "
                                 r"leaks/(detector|explanation|looks).py:\d+\)")


if __name__ == "__main__":
    unittest.main()
