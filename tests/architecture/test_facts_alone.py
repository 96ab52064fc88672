"""Facts and judgement stand alone: without ``leaks.report`` a run still finds its leaks."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT, resolved

HIDE = '''
import sys, unittest

class Hidden:
    """Keeps the report from being imported."""

    def find_spec(self, name, path=None, target=None):
        if (name + ".").startswith("unittest_leakfix.leaks.report."):
            raise ImportError("hidden: " + name)

hidden = Hidden()
sys.meta_path.insert(0, hidden)
'''

LEAKING = '''
import json, os, socket, tempfile, threading, warnings
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.options import Options
from unittest_leakfix.result import LeakFixTestResult
from unittest_leakfix.suite import Run

KEPT, ORDERS, ENDS = [], [], threading.Event()

class Order:
    pass

class Tests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = ["%d" % number * 100 for number in range(5000)]
        cls.file = open(__file__)

    def test_1_kept(self):
        KEPT.append(self)

    def test_2_held_object(self):
        self.order = Order()
        ORDERS.append(self.order)

    def test_3_open_file(self):
        self.file = open(__file__)

    def test_4_thread(self):
        threading.Thread(target=ENDS.wait, name="mailer").start()

    def test_5_environment(self):
        os.environ["SHOP"] = "open"

    def test_6_temporary_folder(self):
        tempfile.mkdtemp(dir=sys.argv[1])

    def test_7_dropped(self):
        open(__file__)

    def test_8_coroutine(self):
        async def send():
            pass
        send()

    def test_9_socket_of_a_global(self):
        global connection
        connection = socket.socket()

suite = unittest.defaultTestLoader.loadTestsFromTestCase(Tests)
warnings.simplefilter("default")
finder = LeakDetector(Options(leaks="report"))
finder.start()
Run(LeakFixTestResult(), None, finder).all(suite)
finder.stop()
ENDS.set()
found = finder.findings()
loaded = [name for name in sys.modules if (name + ".").startswith("unittest_leakfix.leaks.report.")]
sys.meta_path.remove(hidden)
from unittest_leakfix.leaks.report.describe import described
print(json.dumps({
    "unmeasured": found.unmeasured, "loaded": loaded,
    "found": [(leak.kind, leak.tests[0].partition(".")[2] or leak.tests[0], leak.name,
               leak.subject + leak.remedy + leak.closed) for leak in found.leaks],
    "words": [leak.subject for leak in described(found).leaks]}))
'''

# Tests of facts and judgement that take little time.
MODULES = ("test_leaks_process", "test_leaks_complaints", "test_leaks_census", "test_leaks_sizes",
           "test_connection_records_patches")


class AloneTests(unittest.TestCase):
    maxDiff = None

    def child(self, *command):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return done

    def test_a_run_finds_its_leaks_and_makes_no_sentence(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        script = os.path.join(folder, "leaking.py")
        with open(script, "w") as file:
            file.write("import sys; sys.path.insert(0, %r)\n" % ROOT + HIDE + LEAKING)
        printed = json.loads(self.child(script, folder).stdout)
        self.assertEqual((printed["loaded"], printed["unmeasured"]), ([], []))
        self.assertEqual(sorted(map(tuple, printed["found"])), [
            ("class attribute", "Tests)", "Tests", ""),
            ("coroutine", "Tests.test_8_coroutine",
             "coroutine 'Tests.test_*_coroutine.<locals>.send' was never a", ""),
            ("environment", "Tests.test_5_environment", "SHOP", ""),
            ("file", "Tests)", "file '*'", ""),
            ("file", "Tests.test_3_open_file", "file '*'", ""),
            ("file", "Tests.test_7_dropped", "file '*'", ""),
            ("kept test", "Tests.test_1_kept", "Tests.test_*_kept", ""),
            ("object", "Tests.test_2_held_object", "Order", ""),
            ("socket", "Tests.test_9_socket_of_a_global", "socket 0.0.0.0:*", ""),
            ("temporary folder", "Tests.test_6_temporary_folder", "*", ""),
            ("thread", "Tests.test_4_thread", "mailer", "")])
        self.assertEqual([words for words in printed["words"] if not words], [])

    def test_the_tests_of_facts_and_judgement_pass(self):
        runs = HIDE + "unittest.main(module=None, argv=['facts'] + sys.argv[1:])\n"
        done = self.child("-c", runs, *(full for name in MODULES for full in resolved(name)))
        self.assertRegex(done.stderr, r"\nOK\b")
        self.assertNotIn("Ran 0 tests", done.stderr)
