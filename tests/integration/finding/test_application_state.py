# needs Python 3.8
"""What tests change in an application, and the containers that grow in it: as a run reports it."""
from __future__ import annotations

import json

from tests.zoo.case import ZooCase, keeper

MARKET = "tests.zoo.market."


STEPS = """
import unittest
orders = []
class Steps(unittest.TestCase):
    number = 0
    rows = []
    def test_1_make(self):
        type(self).number = 17
        self.rows.append(17)
        orders.append(17)
    def test_2_use(self):
        self.assertEqual((17, [17], [17]), (self.number, self.rows, orders))
"""


def tearDownModule():
    keeper.close()


class StateCase(ZooCase):

    def report(self, *names, **options):
        answer = keeper.ask(*names, options=dict(options, leaks_json="ZOO/leaks.json"))
        self.output = answer["output"]
        return json.loads(answer["files"]["leaks.json"])

    def leaks(self, *names, **options):
        report = self.report(*names, **options)
        self.assertEqual([], report["unmeasured"])
        return report["leaks"]


class GrowthTests(StateCase):

    def test_by_name_size_and_test(self):
        for case, name, worded in (
                ("InList", "ROWS", "%s"), ("InDict", "BY_KEY", "%s"), ("InSet", "NAMES", "%s"),
                ("InBytes", "BUFFER", "%s"), ("InClass", "Config.rows", "%s"),
                ("InCache", "load", "the cache of %s"),
                ("InDefaultArgument", "collect", "a default argument of %s")):
            with self.subTest(case):
                leak, = self.leaks("grown." + case)
                subject = worded % (MARKET + name) + " grew by 1.2 MB"
                self.assertEqual(subject, leak["subject"][:len(subject)])
                self.assertEqual(["tests.zoo.grown.%s.test_%d" % (case, number)
                                  for number in (1, 2, 3)], leak["tests"])
                self.assertAlmostEqual(1200000, leak["size"], delta=20000)

    def test_at_once(self):
        leak, = self.leaks("grown.InOneOfThree")
        self.assertEqual(["tests.zoo.grown.InOneOfThree.test_2"], leak["tests"])

    def test_small_items(self):
        leak, = self.leaks("grown.SmallItems")
        self.assertEqual("a default argument of %scollect grew by 10 items" % MARKET,
                         leak["subject"])

    def test_caches_registries_and_fixtures(self):
        for case in ("Cleared", "Bounded", "BoundedCache", "LoadedOnce", "OfFixture",
                     "FilledEarly"):
            with self.subTest(case):
                self.assertEqual([], self.leaks("grown." + case))


class RestoreTests(StateCase):

    def test_the_next_test_finds_it_as_it_was(self):
        for name in ("Setting", "Replaced", "Contained"):
            with self.subTest(name):
                leaks = self.leaks("changed." + name, "afterwards", restore=True)
                self.assertIn("\nOK", self.output)
                self.assertEqual({"put back for you, as --restore asks"},
                                 {leak["closed"] for leak in leaks})

    def test_without_it_the_next_one_fails(self):
        self.leaks("changed.Contained", "afterwards")
        self.assertIn("FAILED (failures=1)", self.output)

    def test_what_the_application_did(self):
        self.leaks("silent.State", "afterwards", restore=True)
        self.assertIn("\nOK", self.output)

    def test_what_tests_leave_for_each_other(self):
        for name in ("test_steps", "steps"):    # tests are tests, whatever the file is called
            answer = keeper.ask(files={name + ".py": STEPS}, modules=[name],
                                options={"restore": True})
            self.assertTrue(answer["successful"], answer["output"])


class RecordedTests(StateCase):

    def test_also_what_is_no_leak(self):
        report = self.report("silent.State.test_made_when_first_wanted",
                             "changed.Setting.test_global")
        self.assertEqual(
            {MARKET + "Session._one": ["tests.zoo.silent.State.test_made_when_first_wanted"],
             MARKET + "MODE": ["tests.zoo.changed.Setting.test_global"]},
            {each["place"]: each["tests"] for each in report["state"]})
        self.assertEqual([MARKET + "MODE was changed"],
                         [leak["subject"] for leak in report["leaks"]])


APP = '''
MODE = "prod"
RATES = {"EUR": 1}
CACHE = {}
HOOKS = []
slot = None
def rate(currency):
    if currency not in CACHE:
        CACHE[currency] = RATES[currency]
    return CACHE[currency]
user = None
seen = set()
log = []
count = None
class Thing:
    pass
class Loop:
    pending = set()
    def add(self, what):
        self.pending.add(what)
def login(name):
    global user
    user = name
def look(page):
    seen.add(page)
    log.append(page)
def tick():
    global count
    count = (count or 0) + 1
'''
PLUGIN = '''
import rules_app
rules_app.HOOKS.append("plugin")
rules_app.MODE = "plugged"
'''
TESTS = '''
import unittest
from unittest import mock
import rules_app
'''


class RuleTests(StateCase):
    """What is reported of all that is recorded."""

    def leaks_of(self, tests):
        answer = keeper.ask(files={"rules_app.py": APP, "rules_plugin.py": PLUGIN,
                                   "rules_tests.py": TESTS + tests},
                            modules=["rules_tests"], options={"leaks_json": "ZOO/leaks.json"})
        self.output = answer["output"]
        report = json.loads(answer["files"]["leaks.json"])
        self.assertEqual([], report["unmeasured"])
        return report["leaks"]

    def test_what_a_failing_test_reads(self):
        leak, = self.leaks_of("""
class A(unittest.TestCase):
    def test_stub(self):
        with mock.patch.dict(rules_app.RATES, EUR=5):
            rules_app.rate("EUR")
class B(unittest.TestCase):
    def test_rate(self):
        self.assertEqual(1, rules_app.rate("EUR"))
""")
        self.assertIn("FAILED (failures=1)", self.output)
        self.assertEqual("rules_app.CACHE has gained 1 item", leak["subject"])
        self.assertEqual(["rules_tests.A.test_stub"], leak["tests"])
        self.assertIn({"label": "read by", "text": "rules_tests.B.test_rate"}, leak["notes"])

    def test_what_no_failing_test_reads(self):
        self.assertEqual([], self.leaks_of("""
class A(unittest.TestCase):
    def test_stub(self):
        rules_app.rate("EUR")
class B(unittest.TestCase):
    def test_fails(self):
        self.fail(rules_app.MODE)
"""))

    def test_what_a_failing_test_left(self):
        leak, = self.leaks_of("""
class A(unittest.TestCase):
    def test_fails_midway(self):
        rules_app.MODE = "test"
        self.fail()
        rules_app.MODE = "prod"
class B(unittest.TestCase):
    def test_later(self):
        pass
""")
        self.assertEqual(["rules_tests.A.test_fails_midway"], leak["tests"])

    def test_slot_that_each_test_fills(self):
        self.assertEqual([], self.leaks_of("""
class A(unittest.TestCase):
    def setUp(self):
        rules_app.slot = rules_app.Thing()
    def test_1(self): pass
    test_2 = test_3 = test_4 = test_5 = test_1
"""))

    def test_what_an_import_sets_up(self):
        self.assertEqual([], self.leaks_of("""
class A(unittest.TestCase):
    def test_plugin(self):
        import rules_plugin
"""))

    def test_what_fixtures_put_back(self):
        self.assertEqual([], self.leaks_of("""
class A(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rules_app.MODE = "test"
    @classmethod
    def tearDownClass(cls):
        rules_app.MODE = "prod"
        del rules_app.HOOKS[:]
    def test_it(self):
        rules_app.MODE = "more"
        rules_app.HOOKS.append(1)
class B(unittest.TestCase):
    def test_it(self):
        pass
"""))

    def test_by_two_tests(self):
        leak, = self.leaks_of("""
class A(unittest.TestCase):
    def test_a(self):
        rules_app.HOOKS.append("a")
    def test_b(self):
        rules_app.HOOKS.append("b")
    def test_c(self): pass
    test_d = test_e = test_f = test_c
""")
        self.assertEqual(["rules_tests.A.test_a", "rules_tests.A.test_b"], leak["tests"])

    def test_what_another_test_changes_again(self):
        for place, change, subject in (
                ("user", "rules_app.login(self.id())", "rules_app.user was changed"),
                ("seen", "rules_app.look(self.id())", "rules_app.seen has gained 2 items"),
                ("log", "rules_app.look(self.id())", "rules_app.log has gained 2 items"),
                ("Loop.pending", "rules_app.Loop().add(self.id())",
                 "rules_app.Loop.pending has gained 2 items")):
            with self.subTest(place):
                found = {leak["subject"]: leak for leak in self.leaks_of("""
class A(unittest.TestCase):
    def test_a(self):
        %s
class B(unittest.TestCase):
    def test_b(self):
        %s
class C(unittest.TestCase):
    def test_c(self): pass
    test_d = test_e = test_f = test_c
""" % (change, change))}
                self.assertEqual(["rules_tests.A.test_a", "rules_tests.B.test_b"],
                                 found[subject]["tests"])

    def test_what_no_other_test_changes_again(self):
        for name, first, second in (
                ("set once", "rules_app.login('me')", "self.assertEqual('me', rules_app.user)"),
                ("filled once", "rules_app.look('/')", "self.assertTrue(rules_app.log)"),
                ("set back", "rules_app.login('me')", "rules_app.login(None)"),
                ("a cache by keys", "rules_app.rate('EUR')",
                 "rules_app.RATES['USD'] = 2; rules_app.rate('USD'); del rules_app.RATES['USD']"),
                ("a number", "rules_app.tick()", "rules_app.tick()"),
                ("what tests reset", "rules_app.login(rules_app.Thing())",
                 "rules_app.user = None; rules_app.login(rules_app.Thing())")):
            with self.subTest(name):
                self.assertEqual([], self.leaks_of("""
class A(unittest.TestCase):
    def test_a(self):
        %s
class B(unittest.TestCase):
    def test_b(self):
        %s
class C(unittest.TestCase):
    def test_c(self): pass
    test_d = test_e = test_f = test_c
""" % (first, second)))

    SET_UP = """
class A(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        %s
    def test_a(self): pass
    test_b = test_a
class B(unittest.TestCase):
    def test_c(self): pass
"""

    def test_what_a_fixture_sets_up_and_leaves(self):
        for change, subject, remedy in (
                ('rules_app.MODE = "test"', "rules_app.MODE was changed",
                 'cls.addClassCleanup(setattr, rules_app, "MODE", rules_app.MODE)'),
                ("rules_app.Thing.size = lambda self: 1", "rules_app.Thing.size was added",
                 'cls.addClassCleanup(delattr, rules_app.Thing, "size")'),
                ("rules_app.HOOKS.append(1)", "rules_app.HOOKS has gained 1 item",
                 "cls.addClassCleanup(rules_app.HOOKS.__setitem__")):
            with self.subTest(change):
                leak, = self.leaks_of(self.SET_UP % change)
                self.assertEqual(subject, leak["subject"])
                self.assertEqual(["setUpClass (rules_tests.A)"], leak["tests"])
                self.assertEqual(["setUpClass"], [frame["function"] for frame in
                                                  leak["acquisition"]["frames"]])
                self.assertEqual(remedy, leak["remedy"][:len(remedy)])

    def test_what_setUpModule_sets_up_and_leaves(self):
        leak, = self.leaks_of("""
def setUpModule():
    rules_app.MODE = "test"
class A(unittest.TestCase):
    def test_a(self): pass
""")
        self.assertEqual(["setUpModule (rules_tests)"], leak["tests"])
        self.assertIn("unittest.addModuleCleanup(", leak["remedy"])

    def test_what_a_fixture_puts_back(self):
        for change in (
                "cls.addClassCleanup(setattr, rules_app, 'MODE', 'prod'); rules_app.MODE = 'test'",
                "cls.addClassCleanup(rules_app.HOOKS.remove, 1); rules_app.HOOKS.append(1)",
                "cls.mode = rules_app.MODE = 'test'\n"
                "    @classmethod\n"
                "    def tearDownClass(cls):\n"
                "        rules_app.MODE = 'prod'",
                "cls.mode = 'test'",
                "rules_app.slot = None",
                "rules_app.rate('EUR')"):
            with self.subTest(change):
                self.assertEqual([], self.leaks_of(self.SET_UP % change))

    def test_what_each_fixture_sets_as_it_needs_it(self):
        self.assertEqual([], self.leaks_of("".join("""
class %s(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rules_app.MODE = "%s"
    def test_a(self): pass
""" % (name, name) for name in "ABCDE")))

    def test_one_cause_where_the_object_is_reported(self):
        leak, = self.leaks_of("""
class A(unittest.TestCase):
    def test_a(self):
        rules_app.HOOKS.append(self)
""")
        self.assertEqual("kept test", leak["kind"])
