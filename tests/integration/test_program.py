"""``python -m unittest_leakfix`` beside ``python -m unittest``: the same to the byte.

Each case runs both on one small project, in processes of their own, two at a time.
"""

from __future__ import absolute_import

import io
import multiprocessing.pool
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support import program_project
from tests.support.paths import ROOT
from unittest_leakfix.options import options_in

PY2 = sys.version_info < (3,)
NEW = sys.version_info


class Case(object):
    """One command line. ``compared`` makes of (stdout, stderr) what is compared."""

    def __init__(self, name, arguments, since=(2, 7), cwd="", compared=None, main=False,
                 verbose=False, status=None, flags=""):
        self.name, self.arguments, self.since, self.cwd = name, arguments.split(), since, cwd
        self.compared = compared or (lambda stdout, stderr: (stdout, stderr))
        self.main, self.verbose, self.status = main, verbose, status
        self.flags = flags.split()


def _sorted(stdout, stderr):
    """--durations: which of two trivial tests is slower changes."""
    return stdout, sorted(re.sub(r"(?m)^[0-9.]+s ", "0s ", stderr).splitlines())


def _without_frames(stdout, stderr):
    """A traceback that Python itself prints shows the way through the runner."""
    kept = [line for line in stderr.splitlines()
            if not re.match(r"    |  File .*(unittest|runpy|contextlib|asyncio)", line)]
    return stdout, kept


NONE = 5 if NEW >= (3, 12) else 0
CASES = [
    # What to run: nothing, names, files, discovery.
    Case("nothing", "", status=0 if PY2 else 1),
    Case("nothing_in_an_empty_folder", "", cwd="empty", status=NONE),
    Case("module", "test_outcomes", status=1),
    Case("class", "test_outcomes.Outcomes", status=1),
    Case("method", "test_clean.Clean.test_one", status=0),
    Case("several_names", "test_clean.Clean.test_two test_clean.Clean.test_one test_more",
         status=0),
    Case("file", "test_clean.py", compared=_without_frames, status=1 if PY2 else 0),
    Case("file_in_a_folder", "package/test_inside.py", compared=_without_frames,
         status=1 if PY2 else 0),
    Case("package", "package", status=NONE),
    Case("module_in_a_package", "package.test_inside", status=0),
    Case("function_that_returns_a_suite", "test_more.suite", status=0),
    Case("load_tests", "test_load", status=0),
    Case("no_tests_in_a_module", "test_empty", status=NONE),
    Case("all_skipped", "test_skipped"),
    Case("fixtures", "test_fixtures test_module_fixture test_module_skip", status=1),
    Case("subtests", "test_subtests", since=(3, 4), status=1),
    Case("async", "test_async", since=(3, 8), status=1),
    Case("class_cleanups", "test_class_cleanups", since=(3, 8), status=1),
    Case("discover", "discover", status=1),
    Case("discover_start", "discover -s package", status=0),
    Case("discover_pattern", "discover -p *_clean.py", status=0),
    Case("discover_top", "discover -s package -t .", status=0),
    Case("discover_positional", "discover package test_in*.py .", status=0),
    Case("discover_long", "discover --start-directory=package --pattern test_*.py "
         "--top-level-directory=.", since=(3, 2), status=0),
    Case("discover_package_name", "discover package", status=0),
    Case("discover_nothing", "discover -s empty", status=NONE),
    Case("discover_load_tests_in_package", "discover -s loaded -t .", status=0),
    Case("discover_case_of_letters", "Discover -p test_clean.py", status=0),
    # Options.
    Case("verbose", "-v test_outcomes test_fixtures", verbose=True, status=1),
    Case("verbose_clean", "--verbose test_clean", verbose=True, status=0),
    Case("verbose_nothing", "-v test_empty", verbose=True, status=NONE),
    Case("verbose_subtests", "-v test_subtests", since=(3, 4), verbose=True, status=1),
    Case("quiet", "-q test_outcomes", status=1),
    Case("failfast", "-f test_outcomes", status=1),
    Case("failfast_subtests", "-f test_subtests", since=(3, 4), status=1),
    Case("failfast_fixture", "--failfast test_fixtures"),
    Case("buffer", "-b test_output", status=1),
    Case("no_buffer", "test_output", status=1),
    Case("locals", "--locals test_outcomes", since=(3, 5), status=1),
    Case("pattern", "-k One -k *two test_clean test_more", since=(3, 7), status=0),
    Case("pattern_in_discovery", "discover -k test_one", since=(3, 7), status=1),
    Case("pattern_matches_nothing", "-k nothing_such test_clean", since=(3, 7), status=NONE),
    Case("durations", "-v --durations 0 test_clean", since=(3, 12), verbose=True, compared=_sorted,
         status=0),
    Case("no_durations", "--durations=3 test_empty", since=(3, 12), compared=_sorted, status=NONE),
    Case("bundled", "-vbf test_output", verbose=True, status=1),
    Case("discover_options", "discover -v -f -b -p test_output.py", verbose=True, status=1),
    Case("catch", "-c interrupted", status=0),
    Case("catch_verbose", "--catch -v interrupted", verbose=True, status=0),
    Case("catch_and_fail", "-cf interrupted_failing", status=1),
    Case("catch_discover", "discover -c -p interrupted.py", status=0),
    Case("catch_twice", "-c interrupted_twice", compared=_without_frames,
         status=-2 if NEW >= (3, 8) else 1),
    Case("interrupt_uncaught", "interrupted", compared=_without_frames,
         status=-2 if NEW >= (3, 8) else 1),
    Case("abbreviated", "--verb test_clean", verbose=True, status=0),
    Case("abbreviated_to_the_bone", "--ver test_clean", verbose=True, status=0),
    # Options of Python itself.
    Case("warnings_are_errors", "test_outcomes test_output", flags="-W error -bb", status=1),
    Case("warnings_are_shown", "test_outcomes test_output", flags="-W always", status=1),
    Case("optimised", "test_outcomes", flags="-OO", status=1),
    Case("developer_mode", "test_outcomes test_output", flags="-X dev", since=(3, 7), status=1),
    Case("safe_path", "test_clean", flags="-P", since=(3, 11), compared=_without_frames),
    # What goes wrong. The texts are unittest's.
    Case("missing_module", "missing_module", compared=_without_frames, status=1),
    Case("missing_class", "test_clean.Missing", compared=_without_frames, status=1),
    Case("missing_method", "test_clean.Clean.test_missing", compared=_without_frames, status=1),
    Case("broken_import", "test_broken", compared=_without_frames, status=1),
    Case("syntax_error", "test_syntax", compared=_without_frames, status=1),
    Case("not_a_test", "test_clean.NoTest", compared=_without_frames, status=1),
    Case("missing_folder", "discover -s missing_folder", compared=_without_frames, status=1),
    Case("missing_top", "discover -s package -t missing_folder", compared=_without_frames),
    Case("wrong_option", "--wrong test_clean", status=2),
    Case("wrong_option_in_discovery", "discover --wrong", status=2),
    Case("too_many_positionals", "discover package test*.py . more", status=2),
    Case("wrong_number", "--durations many test_clean", since=(3, 12), status=2),
    Case("missing_value", "discover -s", status=2),
    # unittest.main() at the foot of a file.
    Case("main", "foot.py", main=True, status=1),
    Case("main_options", "foot.py -v -f Foot", main=True, verbose=True, status=1),
    Case("main_method", "foot.py Foot.test_passes", main=True, status=0),
    Case("main_wrong_option", "foot.py --wrong", main=True, status=2),
    Case("main_missing_name", "foot.py Missing", main=True, compared=_without_frames, status=1),
    Case("main_no_exit", "foot_no_exit.py", main=True, status=0),
    Case("main_default_test", "foot_default_test.py", main=True, status=0),
    Case("main_runner_class", "foot_runner.py class", main=True, status=1),
    Case("main_runner_instance", "foot_runner.py instance", main=True, status=1),
    Case("main_runner_without_words", "foot_runner.py plain", main=True, status=1),
    Case("main_module_none", "foot_module.py test_clean", main=True, status=0),
]
CASES = [case for case in CASES if NEW >= case.since]


class Outcome(object):
    """What one process printed (a pair of texts) and its exit status."""

    def __init__(self, folder, package, case):
        command = [sys.executable] + case.flags
        if not case.main:
            command += ["-m", package]
        environment = dict(os.environ, PYTHONPATH=ROOT, MAIN=package, PYTHONDONTWRITEBYTECODE="1",
                           PYTHONHASHSEED="0", COLUMNS="2000")
        child = subprocess.Popen(
            command + case.arguments, cwd=os.path.join(folder, case.cwd), env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True)
        self.stdout, self.stderr = map(_normal, child.communicate())
        self.status = child.returncode


def _normal(printed):
    printed = printed.decode("utf-8", "replace").replace("\r\n", "\n")
    printed = re.sub(r"(?m)^(Ran \d+ tests?) in .*", r"\1", printed)
    printed = re.sub(r"0x[0-9a-fA-F]+", "0x0", printed)
    # asyncio says so where the machine is slow.
    printed = re.sub(r"Executing <[^\n]* took [0-9.]+ seconds\n", "", printed)
    return printed.replace("-m unittest_leakfix", "-m unittest")


class SameAsUnittest(unittest.TestCase):
    """One test for each of CASES, made below."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        for name, text in program_project.FILES.items():
            path = os.path.join(cls.folder, name)
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            with io.open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(u"\n    ", u"\n").lstrip())
        os.mkdir(os.path.join(cls.folder, "empty"))
        pool = multiprocessing.pool.ThreadPool(2)
        cls.outcomes = dict(zip([case.name for case in CASES], pool.map(cls.both, CASES, 1)))
        pool.close()
        pool.join()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def both(cls, case):
        return (Outcome(cls.folder, "unittest", case),
                Outcome(cls.folder, "unittest_leakfix", case))

    def compare(self, case):
        plain, ours = self.outcomes[case.name]
        stderr = ours.stderr
        if case.verbose:
            self.assertRegexpMatches(stderr, "(?m)^unittest_leakfix: let go of .*\n\\Z")
            stderr = re.sub("(?m)^unittest_leakfix: .*\n\\Z", "", stderr)
        printed, expected = case.compared(ours.stdout, stderr), case.compared(plain.stdout,
                                                                              plain.stderr)
        self.assertEqual(printed[0], expected[0])
        self.assertEqual(printed[1], expected[1])
        self.assertEqual(ours.status, plain.status)
        if case.status is not None:
            self.assertEqual(plain.status, case.status, "\n" + plain.stdout + plain.stderr)

    if not PY2:
        assertRegexpMatches = unittest.TestCase.assertRegex


def _method(case):
    def test(self):
        self.compare(case)
    test.__name__ = "test_" + case.name
    return test


for _case in CASES:
    assert not hasattr(SameAsUnittest, "test_" + _case.name), _case.name
    setattr(SameAsUnittest, "test_" + _case.name, _method(_case))
del _case


HELP_2 = u"""\
Options of unittest_leakfix:
  --version        Show the version and exit
"""
HELP_3 = u"""\
options of unittest_leakfix:
  Other commands, as in python -m unittest polluter --help: polluter (which test breaks another), \
explain (what one test leaks), fix (type the remedies of a report), compare and merge (reports), \
sessions (who holds the connections of a database server). Python 3.8 and later

"""
USAGE_3 = u""


def _value(option):
    """How argparse shows the value of an option."""
    if option.choices:
        return u" {%s}" % ",".join(option.choices)
    if option.bare is not None:
        return u" [%s]" % option.metavar
    return u" " + option.metavar if option.metavar else u""


for _option in options_in("command"):
    if _option.name in ("patience", "exit_after", "shuffle"):
        HELP_2 += u"  %-16s %s\n" % (_option.command + _value(_option), _option.help)
    HELP_3 += u"  %s%s %s%s\n" % (
        _option.command, _value(_option), _option.help,
        u"" if NEW >= _option.python else u". Needs Python %d.%d or later" % _option.python)
    USAGE_3 += u" [%s%s]" % (_option.command, _value(_option))
HELP_2 += u"\n"


def _flat(text):
    """*text* with single spaces: where the second column begins depends on the options."""
    return " ".join(text.split())


class OurOptions(unittest.TestCase):
    """What only we have."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def printed(self, package, arguments):
        outcome = Outcome(self.folder, package, Case("", arguments))
        self.assertEqual((outcome.stderr, outcome.status), ("", 2 if PY2 and "-h" in arguments
                                                            and "discover" not in arguments else 0))
        return outcome.stdout

    @unittest.skipUnless(PY2, "2.7's own form")
    def test_help_2(self):
        self.assertEqual(self.printed("unittest_leakfix", "-h"), self.printed("unittest",
                                                                              "-h") + HELP_2)

    @unittest.skipIf(PY2, "2.7 has a form of its own")
    def test_help(self):
        for arguments in ("-h", "--help", "--h", "discover -h"):
            theirs, ours = self.printed("unittest", arguments), self.printed("unittest_leakfix",
                                                                       arguments)
            usages, groups = ours.count(USAGE_3), ours.count("options of unittest_leakfix")
            # 3.6 to 3.8 show discovery's usage, too, under that of the names.
            self.assertEqual(usages, theirs.count("usage: "))
            self.assertEqual((groups, _flat(ours).count(_flat(HELP_3))), (theirs.count(
                "  -h, --help"),) * 2)
            self.assertEqual(_flat(_flat(ours.replace(USAGE_3, u"")).replace(_flat(HELP_3), u"")),
                             _flat(theirs))

    def test_version(self):
        from unittest_leakfix import __version__
        expected = u"unittest_leakfix %s (Python %s)\n" % (__version__, sys.version.split()[0])
        for arguments in ("--version", "discover --version", "-v --version test_x"):
            self.assertEqual(self.printed("unittest_leakfix", arguments), expected)


class MainFunction(unittest.TestCase):
    """``main`` called from code."""

    def test_result_is_kept(self):
        import unittest_leakfix

        class Quiet(unittest_leakfix.LeakFixTestRunner):
            def __init__(self, **kwds):
                super(Quiet, self).__init__(stream=io.StringIO() if not PY2 else io.BytesIO(),
                                            **kwds)

        program = unittest_leakfix.main(
            module="tests.integration.test_program", argv=["x", "MainFunction.sample"], exit=False,
            testRunner=Quiet)
        self.assertEqual(program.result.testsRun, 1)
        self.assertIsInstance(program, unittest.TestProgram)

    def sample(self):
        pass


if __name__ == "__main__":
    unittest.main()
