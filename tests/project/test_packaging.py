"""The package as its users get it: built, installed by pip into an empty environment, imported."""

from __future__ import absolute_import

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from tests.support.paths import ROOT
from tests.tiers import NEWEST, full_on

MODERN = sys.version_info >= (3, 8)
TAGS = {True: "py38", False: "py2.py36.py37"}
MODERN_ONLY = ("databases/", "django/", "fix/", "leaks/", "polluter/", "process_state/",
               "pytest_plugin/", "tracing/")
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "CHANGELOG.md",
           "unittest_leakfix")

BUILD_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
# Built into the interpreter or, like __future__, nothing but names: importing them costs nothing.
FREE = {"__future__", "errno", "gc"}
if sys.version_info < (3,):
    # What 2.7 would load to write a text or to copy an array when no descriptor may be left.
    FREE |= {"array", "encodings.ascii", "encodings.unicode_escape"}
IMPORTED = """
import json, sys, unittest
before = set(sys.modules)
import unittest_leakfix
print(json.dumps([sorted(set(sys.modules) - before), unittest_leakfix.__file__]))
"""

try:
    import setuptools.build_meta  # noqa: F401
    import wheel  # noqa: F401
    if sys.version_info < (3,):
        import virtualenv  # noqa: F401
    MISSING = None
except ImportError as missing:
    MISSING = "packages of tests/requirements.txt are not installed (%s)" % missing


def run(*command, **options):
    """What the command said. Raises AssertionError with it when the command failed."""
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1")
    environment.pop("PYTHONPATH", None)
    environment.update(options.pop("variables", {}))
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=environment, **options)
    printed = child.communicate()[0].decode("utf-8", "replace")
    if child.returncode:
        raise AssertionError("%s ended with %d:\n%s" % (command, child.returncode, printed))
    return printed


def package_files(modern):
    """The package's files in this clone, as a wheel holds them: whole, or without the modern."""
    package = os.path.join(ROOT, "unittest_leakfix")
    files = []
    for folder, _, names in os.walk(package):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), package).replace(os.sep, "/")
            if not path.endswith((".py", ".pyi", ".css", ".js")) and name != "py.typed":
                continue
            if modern or not path.startswith(MODERN_ONLY):
                files.append("unittest_leakfix/" + path)
    return sorted(files)


def only_package(names):
    """Those of ``names`` that are the package's, compiled files apart, sorted."""
    return sorted(name for name in names
                  if name.startswith("unittest_leakfix/") and not name.endswith(".pyc"))


def setUpModule():
    if MISSING:
        raise unittest.SkipTest(MISSING)
    global folder, sdist, built
    folder = tempfile.mkdtemp(prefix="leakfix-packaging-")
    try:
        sdist, built = _build(os.path.join(folder, "clone"), os.path.join(folder, "dist"))
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    shutil.rmtree(folder, ignore_errors=True)


def _build(clone, dist):
    # From a copy: a build leaves folders behind, and other interpreters build at the same time.
    os.makedirs(clone)
    os.makedirs(dist)
    for name in SOURCES:
        source = os.path.join(ROOT, name)
        if os.path.isdir(source):
            shutil.copytree(source, os.path.join(clone, name),
                            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        elif os.path.exists(source):
            shutil.copy(source, clone)
    run(sys.executable, "-c", BUILD_SDIST, dist, cwd=clone)
    sdist = os.path.join(dist, os.listdir(dist)[0])
    run(sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation",
        "--wheel-dir", dist, sdist, cwd=folder)
    wheels = [name for name in os.listdir(dist) if name.endswith(".whl")]
    return sdist, os.path.join(dist, wheels[0])


class WheelTests(unittest.TestCase):
    """The wheel that this interpreter builds from the source archive."""

    maxDiff = None

    def test_files(self):
        with zipfile.ZipFile(built) as archive:
            self.assertEqual(only_package(archive.namelist()), package_files(MODERN))

    def test_the_modern_part_is_what_the_older_wheel_lacks(self):
        lacking = set(package_files(True)) - set(package_files(False))
        for name in lacking:
            self.assertTrue(name.startswith("unittest_leakfix/"), name)
            self.assertTrue(name[len("unittest_leakfix/"):].startswith(MODERN_ONLY), name)
        with zipfile.ZipFile(built) as archive:
            self.assertEqual(bool(lacking & set(archive.namelist())), MODERN)

    def test_pytest_finds_the_plugin_where_there_is_one(self):
        with zipfile.ZipFile(built) as archive:
            name, = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
            printed = archive.read(name).decode("utf-8")
        plugin = "[pytest11]\nunittest_leakfix = unittest_leakfix.pytest_plugin.installed\n"
        self.assertEqual(plugin in printed, MODERN, printed)

    def test_tag(self):
        self.assertRegexpMatches(os.path.basename(built),
                                 "^unittest_leakfix-[0-9.]+-%s-none-any.whl$"
                                 % TAGS[MODERN].replace(".", r"\."))

    if not hasattr(unittest.TestCase, "assertRegexpMatches"):  # gone in 3.12
        assertRegexpMatches = unittest.TestCase.assertRegex

    def test_pip_takes_the_wheel_made_for_this_interpreter(self):
        both, taken = os.path.join(folder, "both"), os.path.join(folder, "taken")
        os.makedirs(both)
        for tag in TAGS.values():
            name = os.path.basename(built).replace(TAGS[MODERN], tag)
            shutil.copy(built, os.path.join(both, name))
        printed = run(sys.executable, "-m", "pip", "install", "--no-index", "--find-links", both,
                   "--target", taken, "unittest_leakfix", cwd=folder)
        named = [name for name in os.listdir(both) if name in printed]
        self.assertEqual(named, [os.path.basename(built)], printed)

    def test_source_archive_has_all_files_whichever_interpreter_made_it(self):
        if sdist.endswith(".zip"):
            names = zipfile.ZipFile(sdist).namelist()
        else:
            with tarfile.open(sdist) as archive:
                names = archive.getnames()
        inside = [name.partition("/")[2] for name in names]
        found = [name for name in only_package(inside) if "." in name.rpartition("/")[2]]
        self.assertEqual(found, package_files(modern=True))


    def test_description_has_no_link_that_leads_nowhere_on_an_index(self):
        with zipfile.ZipFile(built) as archive:
            name, = [name for name in archive.namelist() if name.endswith("/METADATA")]
            text = archive.read(name).decode("utf-8")
        self.assertIn("unittest_leakfix discover -s examples", text)
        self.assertIn("docs/report.md: reading a report", text)
        self.assertEqual(re.findall(r"\]\((?!https?:)[^)]*\)", text), [])

    @full_on(NEWEST)
    def test_same_bytes_from_the_same_sources(self):
        made = []
        for name in ("first", "second"):
            target = os.path.join(folder, name)
            run(sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps",
                "--no-build-isolation", "--wheel-dir", target, sdist, cwd=folder,
                variables={"SOURCE_DATE_EPOCH": "1700000000"})
            with io.open(os.path.join(target, os.path.basename(built)), "rb") as file:
                made.append(hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(made[0], made[1])


@full_on(NEWEST)
class SourceArchiveTests(unittest.TestCase):
    """The source archive beside what is under version control."""

    def test_has_tests_and_docs_and_nothing_else(self):
        try:
            known = run("git", "ls-files", "-z", cwd=ROOT)
        except (OSError, AssertionError) as problem:
            self.skipTest("not a clone: %s" % problem)
        clone = tempfile.mkdtemp(prefix="leakfix-archive-")
        self.addCleanup(shutil.rmtree, clone)
        known = [name for name in known.split("\0") if os.path.exists(os.path.join(ROOT, name))]
        for name in filter(None, known):
            target = os.path.join(clone, "source", name)
            if not os.path.isdir(os.path.dirname(target)):
                os.makedirs(os.path.dirname(target))
            shutil.copy(os.path.join(ROOT, name), target)
        with io.open(os.path.join(clone, "source", "stray.py"), "w"):
            pass    # it is not the archive's because it lies there
        run(sys.executable, "-c", BUILD_SDIST, clone, cwd=os.path.join(clone, "source"))
        archive, = [name for name in os.listdir(clone) if name != "source"]
        with tarfile.open(os.path.join(clone, archive)) as packed:
            inside = set(each.name.partition("/")[2] for each in packed if each.isfile())
        inside = set(name for name in inside if ".egg-info/" not in name)
        self.assertEqual(
            sorted(inside - set(known) - set(("PKG-INFO", "setup.cfg"))), [])
        left = [name for name in known if name and name not in inside]
        self.assertEqual([name for name in left if not name.startswith((".ci/", ".github/"))],
                         [".editorconfig", ".gitignore"])


class InstallTests(unittest.TestCase):
    """The wheel in an environment with nothing else."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        home = os.path.join(folder, "environment")
        maker = "virtualenv" if sys.version_info < (3,) else "venv"
        run(sys.executable, "-m", maker, home, cwd=folder)
        cls.bin = os.path.join(home, "Scripts" if os.name == "nt" else "bin")
        cls.python = os.path.join(cls.bin, "python")
        run(cls.python, "-m", "pip", "install", "--no-index", built, cwd=folder)

    def test_files(self):
        where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        site = run(self.python, "-c", where, cwd=folder).strip()
        installed = []
        for parent, _, names in os.walk(os.path.join(site, "unittest_leakfix")):
            for name in names:
                installed.append(os.path.relpath(os.path.join(parent, name), site))
        installed = only_package(name.replace(os.sep, "/") for name in installed)
        self.assertEqual(installed, package_files(MODERN))

    def test_import_loads_nothing_that_unittest_does_not(self):
        loaded, path = json.loads(run(self.python, "-c", IMPORTED, cwd=folder))
        ours = [name for name in loaded if name.partition(".")[0] == "unittest_leakfix"]
        self.assertEqual(sorted(set(loaded) - set(ours) - FREE), [])
        self.assertIn("unittest_leakfix", ours)
        self.assertNotIn("unittest_leakfix.leaks", ours)
        self.assertTrue(os.path.realpath(path).startswith(os.path.realpath(folder)), path)

    def test_console_script(self):
        printed = run(os.path.join(self.bin, "unittest-leakfix"), "--version", cwd=folder)
        version = os.path.basename(built).split("-")[1]
        self.assertTrue(printed.startswith("unittest_leakfix %s " % version), printed)

    def test_module_says_the_same_version(self):
        script = run(os.path.join(self.bin, "unittest-leakfix"), "--version", cwd=folder)
        module = run(self.python, "-m", "unittest_leakfix", "--version", cwd=folder)
        self.assertEqual(script, module)

    def test_console_script_discovers_like_unittest(self):
        project = os.path.join(folder, "project")
        os.makedirs(project)
        with open(os.path.join(project, "test_one.py"), "w") as source:
            source.write("import unittest\n\n\nclass OneTests(unittest.TestCase):\n"
                         "    def test_one(self):\n        pass\n")
        for arguments in (["discover"], ["test_one"]) + (([],) if sys.version_info >= (3,) else ()):
            printed = run(os.path.join(self.bin, "unittest-leakfix"), *arguments, cwd=project)
            self.assertIn("Ran 1 test in ", printed, arguments)


if __name__ == "__main__":
    unittest.main()
