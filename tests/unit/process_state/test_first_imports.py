"""What a library sets up while a test imports it first is not a test's change, and is not undone;
what the test itself does is."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT
from unittest_leakfix.process_state.first_imports import FirstImports, _bootstrap
from unittest_leakfix.process_state.monitors import ProcessState

#: name: what the library does as it is imported
SETS_UP = {
    "environ": "import os\nos.environ['LEAKFIX_FIRST'] = 'set'",
    "environ_removed": "import os\nos.environ.pop('LEAKFIX_BEFORE')",
    "environ_changed": "import os\nos.environ['LEAKFIX_BEFORE'] = 'changed'",
    "meta_path": "import sys\nsys.meta_path.append(type('Importer', (), {'find_spec': lambda *_: "
                 "None})())",
    "meta_path_first": "import sys\nsys.meta_path.insert(0, type('Importer', (), {'find_spec': "
                       "lambda *_: None})())",
    "path_hooks": "import sys\ndef hook(path): raise ImportError\nsys.path_hooks.insert(0, hook)",
    "path": "import sys\nsys.path.insert(0, '/nowhere/vendored')",
    "path_replaced": "import sys\nsys.path = sys.path + ['/nowhere/vendored']",
    "filters": "import warnings\nwarnings.filterwarnings('ignore', message='noisy')",
    "filters_default": "import warnings\nwarnings.simplefilter('default', DeprecationWarning, "
                       "append=True)",
    "showwarning": "import warnings\ndef show(*_, **__): pass\nwarnings.showwarning = show",
    "root_handler": "import logging\nlogging.getLogger().addHandler(logging.NullHandler())",
    "other_handler": "import "
                     "logging\nlogging.getLogger('somebody.else').addHandler(logging.NullHandler())",
    "root_level": "import logging\nlogging.getLogger().setLevel(17)",
    "other_level": "import logging\nlogging.getLogger('somebody.else').setLevel(17)",
    "logging_disable": "import logging\nlogging.disable(5)",
    "signal": "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)",
    "rare_signal": "import signal\nsignal.signal(signal.SIGWINCH, lambda *_: None)",
    "excepthook": "import sys\ndef hook(*_): pass\nsys.excepthook = hook",
    "thread_hook": "import threading\ndef hook(*_): pass\nthreading.excepthook = hook",
    "patched": "import platform\ndef node(): return 'n'\nplatform.node = node",
    "mock": "from unittest import mock\nmock.patch('platform.machine').start()",
    "limit": "import sys\nsys.setrecursionlimit(sys.getrecursionlimit() + 7)",
    "chdir": "import os, tempfile\nos.chdir(tempfile.gettempdir())",
    "umask": "import os\nos.umask(0o027)",
    "thread": "import threading\nend = threading.Event()\nthreading.Thread(target=end.wait, "
              "daemon=True).start()",
    "file": "import os\nfile = os.open(__file__, os.O_RDONLY)",
    "socket": "import socket\nsock = socket.socket()",
    "temporary": "import tempfile\nfolder = tempfile.mkdtemp()",
    "loop": "import asyncio\nloop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)",
    "timeout": "import socket\nsocket.setdefaulttimeout(33)",
    "module": "import sys, types\nsys.modules['leakfix_alias'] = types.ModuleType('other')",
    "module_blocked": "import sys\nsys.modules['leakfix_blocked'] = None",
    "module_itself": "import sys\nclass Lazy:\n    DONE = True\nsys.modules[__name__] = Lazy()",
    "variable": "import contextvars\nVAR = contextvars.ContextVar('first')\nVAR.set(1)",
    "decimal": "import decimal\ndecimal.getcontext().prec = 11",
    "decimal_trap": "import decimal\ndecimal.getcontext().traps[decimal.Inexact] = True",
    "seed": "import random\nrandom.seed(3)",
    "zone": "import os, time\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()",
    "locale": "import locale\nlocale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
    "builtin": "import builtins\nbuiltins.leakfix_first = 1",
    "copyreg": "import copyreg\nclass Of: pass\ncopyreg.pickle(Of, print)",
    "dialect": "import csv\ncsv.register_dialect('first', delimiter=';')",
    "logger_class": "import logging\nclass Of(logging.Logger): pass\nlogging.setLoggerClass(Of)",
    "logger_filter": "import logging\nlogging.getLogger().addFilter(print)",
    "level_name": "import logging\nlogging.addLevelName(7, 'TRACE')",
    "handler_level": "import logging\nlogging.lastResort.setLevel(17)",
    "opener": "import urllib.request as u\nu.install_opener(u.OpenerDirector())",
    "json": "import json\njson.JSONEncoder.default = print",
    "mask": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])",
    "policy": "import asyncio\nclass Of(asyncio.DefaultEventLoopPolicy): pass\n"
              "asyncio.set_event_loop_policy(Of())",
    "callback": "import gc\ndef seen(phase, info): pass\ngc.callbacks.append(seen)",
    "lock": "import threading\nlock = threading.Lock()\nlock.acquire()",
}

class Run(unittest.TestCase):
    """In a run of its own: nothing is reported, nothing is undone."""

    def run_sample(self, sources, *options):
        with tempfile.TemporaryDirectory() as folder:
            for name, source in sources.items():
                with open(os.path.join(folder, name + ".py"), "w") as file:
                    file.write(textwrap.dedent(source))
            ran = subprocess.run(
                [sys.executable, "-m"] + list(options or (
                    "unittest_leakfix", "--leaks=report", "--restore", "--leaks-json=report.json",
                    "sample")),
                cwd=folder, env=dict(os.environ, PYTHONPATH=ROOT, LEAKFIX_BEFORE="before"),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            with open(os.path.join(folder, "report.json")) as file:
                leaks = json.load(file)["leaks"]
        return ran.returncode, ran.stdout.decode(), [(leak["kind"], leak["subject"], leak["tests"])
                                                     for leak in leaks]

    def all_libraries(self):
        return {"first_" + name: source + "\nDONE = True\n" for name, source in SETS_UP.items()}

    def sample(self, how):
        tests = "".join("""
    def test_{0}(self):
        {1}
""".format(name, how.format("first_" + name)) for name in SETS_UP)
        return "import importlib, unittest\n\nclass Sample(unittest.TestCase):\n" + tests

    def test_each_way_to_import(self):
        for how in ("import {0}", "importlib.import_module('{0}')", "from {0} import DONE",
                    "__import__('{0}')"):
            status, text, leaks = self.run_sample(dict(self.all_libraries(),
                                                       sample=self.sample(how)))
            self.assertEqual((status, leaks), (0, []), (how, text))

    def test_nothing_is_undone(self):
        library = """
            import logging, os, sys, warnings
            warnings.filterwarnings("ignore", message="noisy thing")
            os.environ["FIRST"] = "set"
            os.environ.pop("LEAKFIX_BEFORE")
            sys.path.insert(0, "/nowhere/first")
            sys.path.append("/nowhere/last")
            class Importer:
                def find_spec(self, name, path=None, target=None):
                    if name == "first_moves":
                        import importlib.machinery
                        return importlib.machinery.ModuleSpec(name, self)
                def create_module(self, spec): return None
                def exec_module(self, module): module.ok = 1
            sys.meta_path.insert(0, Importer())
            def hook(*_): pass
            sys.excepthook = hook
            """
        sample = """
            import os, sys, unittest, warnings

            class A(unittest.TestCase):
                def test_a(self):
                    os.environ["MINE_BEFORE"] = "1"
                    sys.path.append("/mine/before")
                    warnings.filterwarnings("ignore", message="mine before")
                    import library
                    os.environ["MINE_AFTER"] = "1"
                    sys.path.append("/mine/after")
                    warnings.filterwarnings("ignore", message="mine after")

            class B(unittest.TestCase):
                def test_library_stands(self):
                    import library, first_moves
                    self.assertEqual(first_moves.ok, 1)
                    self.assertEqual(os.environ["FIRST"], "set")
                    self.assertNotIn("LEAKFIX_BEFORE", os.environ)
                    self.assertEqual(sys.path[0], "/nowhere/first")
                    self.assertIn("/nowhere/last", sys.path)
                    self.assertIs(sys.excepthook, library.hook)
                    self.assertTrue([each for each in warnings.filters if each[1] and each[1].pattern == "noisy thing"])

                def test_mine_is_put_back(self):
                    self.assertNotIn("MINE_BEFORE", os.environ)
                    self.assertNotIn("MINE_AFTER", os.environ)
                    self.assertNotIn("/mine/before", sys.path)
                    self.assertNotIn("/mine/after", sys.path)
                    self.assertFalse([each for each in warnings.filters if each[1] and "mine" in each[1].pattern])
            """  # noqa: E501
        status, text, leaks = self.run_sample({"library": library, "sample": sample})
        self.assertEqual(status, 0, text)
        found = sorted(subject for _, subject, _ in leaks)
        self.assertEqual(found, [
            'environment variable "MINE_AFTER" was added',
            'environment variable "MINE_BEFORE" was added',
            "sys.path was changed", "the warnings filters were changed"], text)
        for _, _, tests in leaks:
            self.assertEqual(tests, ["sample.A.test_a"])
        self.assertNotIn("nowhere", text)

    def test_in_setupclass_and_setupmodule(self):
        sample = """
            import os, unittest

            def setUpModule():
                import first_environ
                os.environ["OF_MODULE"] = "1"

            class A(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    import first_path
                    import first_filters
                    os.environ["OF_CLASS"] = "1"

                def test_a(self):
                    pass
            """
        status, text, leaks = self.run_sample(dict(self.all_libraries(), sample=sample))
        self.assertEqual(status, 0, text)
        self.assertEqual(sorted(subject for _, subject, _ in leaks), [
            'environment variable "OF_CLASS" was added',
            'environment variable "OF_MODULE" was added'], text)

    def test_import_that_fails_shows_no_frame_of_ours(self):
        library = """
            import os
            os.environ["HALF"] = "done"
            import does_not_exist
            """
        sample = """
            import traceback, unittest

            class A(unittest.TestCase):
                def test_a(self):
                    try:
                        import library
                    except ImportError:
                        text = traceback.format_exc()
                    self.assertNotIn("leakfix", text)
                    self.assertNotIn("importlib", text)

                def test_b(self):
                    import library
            """
        status, text, leaks = self.run_sample({"library": library, "sample": sample})
        self.assertEqual((status, leaks), (1, []), text)
        self.assertIn("FAILED (errors=1)", text)
        self.assertNotIn("frozen importlib", text)
        self.assertNotIn("first_imports", text)

    def test_package_with_parts_and_a_warning(self):
        sample = """
            import unittest, warnings

            class A(unittest.TestCase):
                def test_a(self):
                    with warnings.catch_warnings(record=True) as caught:
                        warnings.simplefilter("always")
                        import library
                    self.assertEqual(caught[0].filename, __file__)
            """
        library = "import warnings, first_environ, first_path\nwarnings.warn('old', stacklevel=2)\n"
        status, text, leaks = self.run_sample(dict(self.all_libraries(), library=library,
                                                   sample=sample))
        self.assertEqual((status, leaks), (0, []), text)

    def test_in_another_thread_the_test_is_watched(self):
        sample = """
            import os, threading, unittest

            class A(unittest.TestCase):
                def test_a(self):
                    thread = threading.Thread(target=__import__, args=("slow",))
                    thread.start()
                    os.environ["MINE"] = "1"
                    thread.join()
            """
        library = "import time\ntime.sleep(0.05)\n"
        status, text, leaks = self.run_sample({"slow": library, "sample": sample})
        self.assertEqual(status, 0, text)
        self.assertEqual([subject for _, subject, _ in leaks],
                         ['environment variable "MINE" was added'], text)

    def test_pytest(self):
        if importlib.util.find_spec("pytest") is None:
            self.skipTest("needs pytest")
        sample = """
            import os, sys

            def test_a():
                os.environ["MINE"] = "1"
                import first_environ, first_path, first_meta_path, first_root_level, first_environ_removed

            def test_b():
                assert os.environ["LEAKFIX_FIRST"] == "set"
                assert "LEAKFIX_BEFORE" not in os.environ
                assert sys.path[0] == "/nowhere/vendored"
                assert "MINE" not in os.environ
            """  # noqa: E501
        status, text, leaks = self.run_sample(
            dict(self.all_libraries(), test_sample=sample), "pytest", "-q", "-p",
            "no:cacheprovider", "-p", "no:unittest_leakfix",
            "-p", "unittest_leakfix.pytest_plugin", "--leaks=report", "--leaks-restore",
            "--leaks-json=report.json", "test_sample.py")
        self.assertEqual(status, 0, text)
        self.assertEqual([subject for _, subject, _ in leaks],
                         ['environment variable "MINE" was added'], text)


class Hook(unittest.TestCase):
    """importlib is as it was, and costs nothing for what is loaded."""

    def setUp(self):
        self.original = _bootstrap._find_and_load
        self.made = []
        self.imports = FirstImports(lambda: self.made.append(1) or ProcessState())
        self.imports.install()
        self.addCleanup(self.imports.remove)

    def test_loaded_module(self):
        importlib.import_module("json")
        importlib.import_module("os.path")
        self.assertEqual(self.made, [])

    def test_removed(self):
        self.assertIsNot(_bootstrap._find_and_load, self.original)
        self.imports.remove()
        self.assertIs(_bootstrap._find_and_load, self.original)

    def test_somebody_has_wrapped_it(self):
        ours = _bootstrap._find_and_load

        def theirs(name, import_):
            return ours(name, import_)
        _bootstrap._find_and_load = theirs
        self.addCleanup(setattr, _bootstrap, "_find_and_load", self.original)
        self.imports.remove()
        self.assertIs(_bootstrap._find_and_load, theirs)
        with self.assertRaises(ImportError):
            importlib.import_module("leakfix_is_not_there")
        self.assertEqual(self.made, [])

    def test_error_passes(self):
        with self.assertRaises(ImportError) as raised:
            importlib.import_module("leakfix_is_not_there")
        self.assertEqual(raised.exception.name, "leakfix_is_not_there")
        self.assertEqual(self.made, [1])

    def test_fault_of_ours_does_no_harm(self):
        self.imports._make = lambda: 1 / 0
        with self.assertRaises(ImportError):
            importlib.import_module("leakfix_is_not_there")


if __name__ == "__main__":
    unittest.main()
