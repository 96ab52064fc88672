"""The examples and the README do what they say: each is run as a person would run it."""

from __future__ import absolute_import

import glob
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT

MODERN = sys.version_info >= (3, 8)

CLOSED = ("1 child process, 3 sockets, 6 sqlite3 connections, 2 temporary files"
          + (", 1 temporary folder" if sys.version_info >= (3,) else ""))

# Too long to run here: what is run in its place.
INSTALL = ["-m", "pip", "install", "."]
INSTEAD = {"tests/everywhere.py": ["tests/everywhere.py", "--list"]}


def run(arguments, folder=ROOT, warnings=()):
    """Run this Python with ``arguments``. Returns (exit status, output)."""
    environment = dict(os.environ, PYTHONPATH=ROOT)
    for name in ("PYTHONWARNINGS", "MYSQL_HOST", "PYTHONIOENCODING"):
        environment.pop(name, None)
    child = subprocess.Popen([sys.executable] + list(warnings) + arguments, cwd=folder,
                             env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = child.communicate()[0].decode("utf-8", "replace")
    return child.returncode, printed


def page(name):
    with io.open(os.path.join(ROOT, name), encoding="utf-8") as source:
        return source.read()


def readme(pages=("README.md", "docs/ways-in.md", "docs/report.md")):
    """List the code blocks of the README and of the pages that go on from there: (language,
    text)."""
    return [block for name in pages for block in re.findall(
        r"^```(\w*)\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)]


class Examples(unittest.TestCase):
    def test_all(self):
        status, printed = run(["-m", "unittest_leakfix", "discover", "-s", "examples"])
        self.assertEqual(status, 0, printed)
        resources = 12 + (sys.version_info >= (3,))
        self.assertEqual(printed.rstrip().splitlines()[-1],
                         "unittest_leakfix: let go of 15 finished tests, closed %d resources left "
                         "open (%s)" % (resources, CLOSED))
        self.assertNotIn("Warning", printed)

    def test_each_by_itself(self):
        for name in ("test_leaky.py", "test_class_mixin.py", "test_mixin.py"):
            status, printed = run([os.path.join("examples", name)])
            self.assertEqual(status, 0, printed)
            self.assertNotIn("Warning", printed)

    def test_mixin_under_plain_unittest(self):
        status, printed = run(["-m", "unittest", "discover", "-s", "examples", "-p",
                               "test_mixin.py"])
        self.assertEqual(status, 0, printed)
        self.assertNotIn("Warning", printed)

    @unittest.skipUnless(MODERN, "ClassLeakFixMixin needs our suite before Python 3.8")
    def test_class_mixin_under_plain_unittest(self):
        status, printed = run(["-m", "unittest", "discover", "-s", "examples", "-p",
                            "test_class_mixin.py"])
        self.assertEqual(status, 0, printed)
        self.assertNotIn("Warning", printed)

    def test_leaky_suite_is_leaky(self):
        # It would prove nothing otherwise.
        if sys.version_info < (3,):
            self.skipTest("Python 2.7 has no ResourceWarning")
        status, printed = run(["-m", "unittest", "discover", "-s", "examples", "-p",
                               "test_leaky.py"])
        self.assertEqual(status, 0, printed)
        self.assertIn("ResourceWarning: unclosed <socket", printed)
        self.assertIn("ResourceWarning: Implicitly cleaning up <TemporaryDirectory", printed)

    def test_own_runner(self):
        status, printed = run([os.path.join("examples", "own_runner.py")])
        self.assertEqual(status, 0, printed)
        self.assertRegex(printed, r"15 tests, of the [12] skipped there is left: FinishedTest\s*$")

    def test_mysql_without_a_server_is_a_skip(self):
        status, printed = run(["-m", "unittest_leakfix", "discover", "-s", "examples/mysql", "-v"])
        if sys.version_info >= (3, 12):
            self.assertIn(status, (0, 5), printed)
        elif sys.version_info >= (3,):
            self.assertEqual(status, 0, printed)
        self.assertTrue("no server is named: set MYSQL_HOST" in printed
                        or "PyMySQL is missing" in printed, printed)

    if sys.version_info < (3,):
        assertRegex = unittest.TestCase.assertRegexpMatches


class Readme(unittest.TestCase):
    """Every code block."""

    def test_every_block_is_of_a_kind_that_is_run(self):
        kinds = [language for language, _ in readme(["README.md"])]
        self.assertEqual(sorted(set(kinds)), ["console", "python"])
        self.assertGreaterEqual(kinds.count("python"), 2)

    def test_is_read_in_two_minutes(self):
        self.assertLess(len(page("README.md").splitlines()), 120)

    def test_python_blocks(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        os.mkdir(os.path.join(folder, "examples"))
        for language, text in readme():
            if language != "python":
                continue
            self.assertLess(len(text.strip().splitlines()), 13, text)
            path = os.path.join(folder, "test_block.py")
            with io.open(path, "w", encoding="utf-8") as block:
                block.write(text)
            if not MODERN and ("assertNoLeaks" in text or ".leaks import" in text):
                continue    # finding is for 3.8 and later
            has_tests = "def test_" in text
            for arguments in ([path], ["-m", "unittest", "test_block"],
                              ["-m", "unittest_leakfix", "test_block"]):
                if has_tests or arguments == [path]:
                    status, printed = run(arguments, folder)
                    self.assertEqual(status, 0, printed)
                    self.assertNotIn("Warning", printed)
                    self.assertTrue("Ran 1 test in" in printed or arguments == [path], printed)

    def test_commands(self):
        for language, text in readme():
            for line in text.splitlines() if language == "console" else ():
                words = line.split()
                self.assertEqual(words[:2], ["$", "python"], line)
                if words[2:] == INSTALL:
                    continue    # see below
                if not MODERN and "--leaks=report" in words:
                    continue
                arguments = INSTEAD.get(words[2], words[2:])
                if "discover" == words[-1]:
                    if not MODERN:
                        continue
                    arguments = arguments + ["-s", "examples"]    # not our own tests
                status, printed = run(arguments)
                self.assertEqual(status, 0, printed)

    def test_install(self):
        try:    # in a process of its own: setuptools does not like what is imported here already
            subprocess.check_output([sys.executable, "-c", "import setuptools, pip, wheel"],
                                    stderr=subprocess.STDOUT)
        except subprocess.CalledProcessError as error:
            self.skipTest(error.output.decode("utf-8", "replace").strip().splitlines()[-1])
        self.assertIn("$ python %s\n" % " ".join(INSTALL), [text for _, text in readme()])
        # In a copy, as pip builds in the folder itself; and it may not ask the network for
        # setuptools.
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        clone, target = os.path.join(folder, "clone"), os.path.join(folder, "installed")
        os.mkdir(clone)
        for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md",
                     "CHANGELOG.md"):
            shutil.copy(os.path.join(ROOT, name), clone)
        shutil.copytree(os.path.join(ROOT, "unittest_leakfix"),
                        os.path.join(clone, "unittest_leakfix"))
        status, printed = run(INSTALL + ["--no-index", "--no-build-isolation", "--target", target],
                           clone)
        self.assertEqual(status, 0, printed)
        self.assertIn("unittest_leakfix", os.listdir(target))

    def test_picture_is_of_a_real_run(self):
        """What docs/picture.py drew is what the command prints, but for times."""
        if not MODERN:
            self.skipTest("finding is for Python 3.8 and later")
        import html

        drawn = html.unescape(re.sub(r"<[^>]*>", "", page("docs/pictures/report.svg")))
        status, printed = run(["-m", "unittest_leakfix", "--leaks=report", "discover", "-s",
                               "examples/shop"])
        self.assertEqual(status, 0, printed)
        def bare(text):
            return re.sub(r"\s|(?<=\d)\.\d+(?= MB)", "", text.replace(u"\xa0", " "))

        drawn = bare(drawn)     # sizes differ a little from one Python to the next
        for line in printed.partition("LEAKS")[2].splitlines():
            for words in line.split(u"\u00b7"):
                self.assertIn(bare(words), drawn)

    def test_links(self):
        for path in ["README.md"] + glob.glob(os.path.join(ROOT, "docs", "*.md")) + glob.glob(
                os.path.join(ROOT, "docs", "messages", "*.md")):
            path = os.path.join(ROOT, path)
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page(path)):
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(path), target)),
                                "%s: %s" % (path, target))


if __name__ == "__main__":
    unittest.main()
