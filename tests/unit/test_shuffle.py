"""The order of --shuffle: blocks stay together, a seed is one order, and nothing else changes."""

from __future__ import absolute_import

import gc
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import weakref

from tests.support.paths import ROOT
from unittest_leakfix import LeakFixTestRunner
from unittest_leakfix.options import seeded
from unittest_leakfix.shuffle import shuffled

ran = []


def make(module, name, methods="abcdef", **more):
    """Return a class of tests, each of which says in `ran` that it ran."""
    def note(self):
        ran.append(self.id())
    members = dict(("test_" + each, note) for each in methods)
    members.update(more, __module__=module)
    return type(str(name), (unittest.TestCase,), members)


def load(*classes):
    loader = unittest.TestLoader()
    return unittest.TestSuite([
        unittest.TestSuite([loader.loadTestsFromTestCase(each)]) for each in classes])


def ids(suite):
    return [test.id() for test in suite]


def run(suite):
    del ran[:]
    result = LeakFixTestRunner(stream=io.StringIO() if str is not bytes else io.BytesIO(),
                               verbosity=0).run(suite)
    return result, list(ran)


def blocks(names):
    """Return *names* with those that follow their like left out."""
    return [name for number, name in enumerate(names) if number == 0 or name != names[number - 1]]


class OrderTests(unittest.TestCase):
    def classes(self):
        return [make(module, name) for module in ("one", "two", "three", "four")
                for name in ("A", "B", "C")]

    def test_modules_and_classes_stay_together(self):
        for seed in range(20):
            found = ids(shuffled(load(*self.classes()), seed))
            self.assertEqual(sorted(ids(load_flat(self.classes()))), sorted(found))
            modules = [name.split(".")[0] for name in found]
            classes = [name.rpartition(".")[0] for name in found]
            self.assertEqual(4, len(blocks(modules)), found)
            self.assertEqual(12, len(blocks(classes)), found)

    def test_each_level_is_shuffled(self):
        found = [ids(shuffled(load(*self.classes()), seed)) for seed in range(20)]
        self.assertGreater(len(set(blocks([name.split(".")[0] for name in each])[0]
                                   for each in found)), 1)
        self.assertGreater(len(set(tuple(blocks([name.rpartition(".")[0] for name in each
                                                 if name.startswith("two.")]))
                                   for each in found)), 1)
        self.assertGreater(len(set(tuple(name for name in each if name.startswith("two.B."))
                                   for each in found)), 1)

    def test_one_seed_is_one_order_also_of_some_of_the_tests(self):
        classes = self.classes()
        whole = ids(shuffled(load(*classes), 7))
        self.assertEqual(whole, ids(shuffled(load(*reversed(classes)), 7)))
        some = ids(shuffled(load(*classes[::2]), 7))
        self.assertEqual([name for name in whole if name in some], some)
        self.assertNotEqual(whole, ids(shuffled(load(*classes), 8)))

    def test_the_order_is_the_same_on_every_python(self):
        self.assertEqual(["m.A.test_b", "m.A.test_a", "m.A.test_c"],
                         ids(shuffled(load(make("m", "A", "abc")), 1)))

    def test_classes_of_one_name_do_not_mix(self):
        one, two = make("m", "A", one=1), make("m", "A", one=2)
        found = [test.one for test in shuffled(load(one, two), 3)]
        self.assertEqual(2, len(blocks(found)), found)

    def test_fixtures_run_once(self):
        calls = []
        classes = [make("m%d" % number, "A", setUpClass=classmethod(lambda cls: calls.append(cls)))
                   for number in range(5)]
        result, _ = run(shuffled(load(*classes), 11))
        self.assertEqual(30, result.testsRun)
        self.assertEqual(sorted(map(id, classes)), sorted(map(id, calls)))

    def test_suites_with_a_way_of_their_own_stay_whole(self):
        class Reversed(unittest.TestSuite):
            def __iter__(self):
                return iter(list(super(Reversed, self).__iter__())[::-1])

        class Runs(unittest.TestSuite):
            def run(self, result, debug=False):
                ran.append("before")
                return super(Runs, self).run(result)

        class Kept(unittest.TestSuite):
            _cleanup = False

            def __init__(self, tests):
                super(Kept, self).__init__(tests)
                self._cleanup = False

        for kind in (Reversed, Runs, Kept):
            expected = run(kind(load_flat([make("own", "Own", "abc")])))[1]
            for seed in range(5):
                ours = kind(load_flat([make("own", "Own", "abc")]))
                found = run(shuffled(unittest.TestSuite([load(*self.classes()), ours]), seed))[1]
                start = found.index(expected[0])
                self.assertEqual(expected, found[start:start + len(expected)])

    def test_a_suite_that_an_own_module_made(self):
        """One of load_tests: nested, with tests of two modules."""
        a, b = make("one", "A"), make("two", "A")
        mixed = unittest.TestSuite([unittest.TestSuite([a("test_a"), b("test_a")]), a("test_b")])
        found = ids(shuffled(mixed, 4))
        self.assertEqual(["one.A.test_a", "one.A.test_b", "two.A.test_a"], sorted(found))
        self.assertEqual(2, len(blocks([name.split(".")[0] for name in found])))

    def test_a_test_that_is_there_twice_runs_twice(self):
        a = make("one", "A")("test_a")
        self.assertEqual(["one.A.test_a"] * 2,
                         run(shuffled(unittest.TestSuite([a, a]), 4))[1])

    def test_tests_are_still_let_go_of(self):
        alive = []

        def note(self):
            gc.collect()
            alive.append(len([each for each in made if each() is not None]))
        kind = type("Kept", (unittest.TestCase,), dict(
            ("test_%d" % number, note) for number in range(6)))
        suite = load(kind)      # which somebody still has
        made = [weakref.ref(test) for each in suite for inner in each for test in inner]
        run(shuffled(suite, 2) if str is not bytes else shuffled(load(kind), 2))
        if str is not bytes:
            self.assertEqual([6, 5, 4, 3, 2, 1], alive)


def load_flat(classes):
    return [test for each in classes for test in unittest.TestLoader().loadTestsFromTestCase(each)]


class SeedTests(unittest.TestCase):
    def test_where_the_seed_is(self):
        self.assertEqual(["x", "--shuffle=12", "tests"], seeded(["x", "--shuffle", "12", "tests"]))
        self.assertEqual(["x", "--shuffle=0"], seeded(["x", "--shuffle", "0"]))
        self.assertEqual(["x", "--shuffle=7", "-v"], seeded(["x", "--shuffle=7", "-v"]))
        for more in ([], ["tests"], ["-v"], ["discover"]):
            found = seeded(["x", "--shuffle"] + more)
            self.assertEqual(["x"] + more, found[:1] + found[2:])
            self.assertTrue(re.match("--shuffle=[0-9]+$", found[1]), found)

    def test_a_new_seed_is_another_one(self):
        self.assertGreater(len(set(seeded(["--shuffle"])[0] for _ in range(20))), 1)


TESTS = u"""
import unittest, sys
class Tests%(name)s(unittest.TestCase):
    def test_passes(self): sys.stdout.write(self.id() + "\\n")
    def test_too(self): sys.stdout.write(self.id() + "\\n")
    def test_fails(self): sys.stdout.write(self.id() + "\\n"); self.fail("always")
"""


class CommandTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        for name in "ab":
            with io.open(os.path.join(cls.folder, "test_%s.py" % name), "w") as file:
                file.write(TESTS % {"name": name.upper()})

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def run_it(self, *arguments):
        """Return the order, the rest of the output, and the status."""
        child = subprocess.Popen(
            (sys.executable, "-m", "unittest_leakfix") + arguments, cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = (printed.decode() for printed in child.communicate())
        return out.split(), err.splitlines(), child.returncode

    def test_the_last_line_has_the_seed_and_the_verdict_is_as_ever(self):
        order, printed, status = self.run_it("--shuffle", "discover")
        self.assertEqual(1, status, printed)
        self.assertEqual("FAILED (failures=2)", printed[-2])
        last = re.match("unittest_leakfix: shuffled; the same order again: (--shuffle=[0-9]+)$",
                        printed[-1])
        self.assertTrue(last, printed)
        self.assertEqual((order, printed[-1], 1), (lambda one, two, three: (one, two[-1], three))(
            *self.run_it("discover", last.group(1))))
        self.assertEqual(sorted(order), sorted(self.run_it("discover")[0]))

    def test_names_after_it(self):
        order, printed, status = self.run_it("--shuffle", "3", "test_a.TestsA.test_too",
                                          "test_b.TestsB.test_passes")
        self.assertEqual(0, status, printed)
        self.assertEqual(["test_a.TestsA.test_too", "test_b.TestsB.test_passes"], sorted(order))
        self.assertEqual("unittest_leakfix: shuffled; the same order again: --shuffle=3",
                         printed[-1])

    def test_what_makes_no_sense(self):
        _, printed, status = self.run_it("--shuffle=often")
        self.assertEqual(2, status)
        self.assertIn("--shuffle", printed[-1])


if __name__ == "__main__":
    unittest.main()
