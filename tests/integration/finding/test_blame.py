"""Whose a leak is: the test in whose window it came, one of a class's tests where that is all that
is known, and never a fixture that does not exist."""
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT


class BlameCase(unittest.TestCase):
    """Each class runs its module ``SAMPLE`` once, in a process of its own."""

    SAMPLE = ""
    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "sample.py"), "w") as file:
                file.write(textwrap.dedent(cls.SAMPLE))
            ran = subprocess.run(
                [sys.executable, "-m", "unittest_leakfix", "--leaks=report", "--leaks-json=r.json",
                 *cls.OPTIONS, "sample"], cwd=folder, env=dict(os.environ, PYTHONPATH=ROOT),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
            cls.output = ran.stdout
            with open(os.path.join(folder, "r.json")) as file:
                cls.report = json.load(file)

    def named(self, *words):
        return [leak for leak in self.report["leaks"]
                if all(word in json.dumps(leak) for word in words)]

    def one(self, *words):
        found = self.named(*words)
        self.assertEqual(1, len(found), "%s: %s\n%s" % (words, found, self.output))
        return found[0]

    def assertLeftBy(self, tests, *words):
        """One leak that mentions *words* is left by *tests* of the sample, and known to be so."""
        leak = self.one(*words)
        self.assertEqual(["sample." + test for test in tests], leak["tests"], self.output)
        self.assertEqual([], leak["candidates"])
        return leak


class DiesLaterTest(BlameCase):
    """What is kept until a later test runs, and dies there unclosed, is its opener's."""

    SAMPLE = """
        import os, socket, tempfile, unittest

        class Loop:
            handler = None

        KEPT = []

        class T(unittest.TestCase):
            loop = Loop()

            def setUp(self):
                self.loop.handler = self.handle     # takes the place of the last test's
                self.server = socket.create_server(("127.0.0.1", 0))
                self.other = socket.socket()

            def handle(self):
                pass

            def test_a(self):
                self.skipTest("no")

            def test_b(self):
                pass

            def test_c(self):
                self.loop.handler = None

        class Files(unittest.TestCase):
            def test_1_opens(self):
                KEPT.append(open(os.devnull))

            def test_2_nothing(self):
                pass

            def test_3_drops(self):
                KEPT.clear()

        class Fails(unittest.TestCase):
            def test_1_opens_and_fails(self):
                KEPT.append(open(os.__file__))
                self.fail("no")

            def test_2_drops(self):
                KEPT.clear()
        """

    def test_each_line_is_a_cause(self):
        lines = {leak["acquisition"]["frames"][0]["line"]: leak["tests"]
                 for leak in self.named("socket", "dropped without being closed")}
        self.assertEqual({14: ["sample.T.test_a", "sample.T.test_b"],
                          15: ["sample.T.test_a", "sample.T.test_b"]}, lines, self.output)

    def test_a_file_of_an_earlier_test(self):
        self.assertLeftBy(["Files.test_1_opens"], "dev/null", "dropped")

    def test_of_a_failing_test_it_is_only_counted(self):
        self.assertEqual([], self.named("os.py"), self.output)
        self.assertEqual(1, self.report["failed"])
        self.assertIn("Failing tests left 1 more cause (--leaks-failed shows it)", self.output)


if __name__ == "__main__":
    unittest.main()
