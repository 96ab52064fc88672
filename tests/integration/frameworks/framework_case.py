"""The mixins under other people's runners: one sample module, run with them and without.

The sample is written to a folder of its own and run by the framework's command, once
with ``LEAKFIX=no`` and once with ``LEAKFIX=yes``. What the command prints must be the
same; what is alive in the last test is written to ``probe.json``.
"""

from __future__ import absolute_import

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from tests.support.paths import ROOT

LIMIT = 120     # seconds for one run of the sample, which takes one or two

SAMPLE = '''\
import json, os, sqlite3, unittest, weakref
%(imports)s

HERE = os.path.dirname(os.path.abspath(__file__))
if os.environ["LEAKFIX"] == "yes":
    from unittest_leakfix import ClassLeakFixMixin, LeakFixMixin
    bases = (LeakFixMixin, ClassLeakFixMixin, %(base)s)
else:
    bases = (%(base)s,)
shared = sqlite3.connect(os.path.join(HERE, "module.db"))
shared.execute("create table if not exists t (n)")
payloads = []


class Payload(object):
    pass


def connect(name):
    db = sqlite3.connect(os.path.join(HERE, name + ".db"))
    db.execute("create table if not exists t (n)")
    return db


class Leaky(object):
    of_class = shared       # trial calls no setUpClass

    @classmethod
    def setUpClass(cls):
        super(Leaky, cls).setUpClass()
        cls.of_class = connect("class_" + cls.__name__)

    def setUp(self):
        super(Leaky, self).setUp()
        self.payload = Payload()
        payloads.append((self.id(), weakref.ref(self.payload)))
        self.db = connect("test_%%d" %% len(payloads))
        self.shared, self.of_class_too = shared, self.of_class

    def tearDown(self):
        self.payload, self.db.execute("select 1"), self.of_class_too.execute("select 1")
        super(Leaky, self).tearDown()


Base = type("Base", (Leaky,) + bases, {"__module__": __name__})


class Outcomes(Base):
    def test_passes(self):
        self.more = [Payload()]
        self.of_class.execute("select 1")

    def test_passes_again(self):
        self.assertFalse(hasattr(self, "more"))
        self.shared.execute("select 1")

    def test_fails(self):
        self.fail("of the test")

    def test_error(self):
        raise ValueError("of the test")

    def test_skip(self):
        self.skipTest("in the test")

    @unittest.skip("by decorator")
    def test_skip_by_decorator(self):
        pass

    @unittest.expectedFailure
    def test_expected_failure(self):
        self.fail("expected")

    def test_cycle(self):
        self.again = self.test_cycle


class SetUpError(Base):
    def setUp(self):
        super(SetUpError, self).setUp()
        raise ValueError("of setUp")

    def test_it(self):
        pass


class TearDownError(Base):
    def tearDown(self):
        super(TearDownError, self).tearDown()
        raise ValueError("of tearDown")

    def test_it(self):
        pass


%(more)s

class ZProbe(unittest.TestCase):
    def test_probe(self):
        with open(os.path.join(HERE, "probe.json"), "w") as probe:
            json.dump({
                "alive": sorted(name for name, each in payloads if each() is not None),
                "open": sorted(set(
                    os.path.basename(path) for path in links() if path.endswith(".db"))),
                "shared": shared.execute("select 1").fetchone(),
                "begun": len(payloads),
            }, probe)


def links():
    for name in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass
'''

TRIES = '''
class Tries(Base):
    """Runs each test three times on the same instance, as retry plugins do."""

    def run(self, result=None):
        for _ in range(2):
            super(Tries, self).run(unittest.TestResult())
        return super(Tries, self).run(result)

    def test_it(self):
        self.assertFalse(hasattr(self, "tried") and os.environ["LEAKFIX"] == "yes")
        self.tried = True
'''

SUBTESTS = '''
class SubTests(Base):
    def test_several(self):
        for number in range(4):
            with self.subTest(number=number):
                self.assertNotIn(number, (1, 2))
'''

UNEXPECTED = '''
class Unexpected(Base):
    @unittest.expectedFailure
    def test_success(self):
        pass
'''


@unittest.skipUnless(os.path.isdir("/proc/self/fd"), "needs /proc/self/fd")
class FrameworkCase(unittest.TestCase):
    """``imports``, ``base`` and ``more`` fill the sample; ``command`` runs it."""

    maxDiff = None
    imports = ""
    base = "unittest.TestCase"
    more = TRIES + SUBTESTS * hasattr(unittest.TestCase, "subTest") + UNEXPECTED
    command = ()        # of this interpreter
    says = "of the test"
    class_fixtures = True

    def setUp(self):
        super(FrameworkCase, self).setUp()
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.write("test_sample.py", self.sample())

    def sample(self):
        """Return the text of the sample module."""
        return SAMPLE % {"imports": self.imports, "base": self.base, "more": self.more}

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        with open(path, "w") as file:
            file.write(text)

    def perform(self, leakfix, command=None, typed=""):
        """Run the command; return its output, levelled out, and the probe."""
        for name in os.listdir(self.folder):
            if name.endswith(".db") or name == "probe.json":
                os.remove(os.path.join(self.folder, name))
        environment = dict(
            os.environ, LEAKFIX=leakfix, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0",
            PYTHONWARNINGS="ignore",    # plain runs warn of what they leave open
            PYTHONPATH=os.pathsep.join([self.folder, ROOT, os.environ.get("PYTHONPATH", "")]))
        child = subprocess.Popen(
            [sys.executable] + list(command or self.command), cwd=self.folder,
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        limit = threading.Timer(LIMIT, child.kill)      # 2.7's communicate() has none
        limit.start()
        try:
            text = child.communicate(typed.encode("ascii"))[0].decode("utf-8", "replace")
        finally:
            limit.cancel()
        path = os.path.join(self.folder, "probe.json")
        self.assertTrue(os.path.exists(path), text)
        with io.open(path, encoding="utf-8") as probe:
            return self.steady(text), json.load(probe)

    def steady(self, text):
        for pattern, instead in [
                (r"\d+\.\d+ ?s(econds)?", "0 s"), (r"0x[0-9a-f]+", "0x0"),
                (r"\(\d+\.\d{3}\)", "(0.000)"),
                (r"\b\d\d:\d\d:\d\d\S*", "00:00:00"),
                (r"(?m)^(=+|-+)( .* |)(=+|-+)$", r"=\2="), (r"time: .*Z", "time: Z")]:
            text = re.sub(pattern, instead, text)
        return text

    def check(self):
        """The output is the same, and with the mixins nothing is alive or open."""
        expected, plain = self.perform("no")
        self.assertIn(self.says, expected)
        if self.class_fixtures:
            self.assertIn("class_Outcomes.db", plain["open"])
        text, probe = self.perform("yes")
        self.assertEqual(text, expected)
        self.assertEqual((probe["begun"], probe["alive"]), (plain["begun"], []))
        left = probe["open"]
        if sys.version_info < (3, 8):       # a class is restored by our suite alone
            left = [name for name in left if not name.startswith("class_")]
        self.assertEqual(left, ["module.db"])
        self.assertEqual(probe["shared"], [1])
        return plain
