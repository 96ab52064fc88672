"""The command line: unittest's own, with our runner and our options beside."""

from __future__ import absolute_import, print_function

import os
import sys
import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import counting, finding
from unittest_leakfix.runner import FINDING, LeakFixTestRunner

__unittest = True
bind(globals())

_OURS = ("--version", "--leaks", "--restore", "--max-connections")
_WITH_VALUE = ("--leaks", "--leaks-baseline", "--leaks-write-baseline", "--leaks-json",
               "--max-connections")
_SESSIONS = ("See also: python -m unittest_leakfix sessions --help (who holds the connections of a "
             "database server; Python 3.8 and later)")
_OLD_HELP = """\
Options of unittest_leakfix:
  --version        Show the version and exit
"""


class LeakFixProgram(unittest.TestProgram):
    """``unittest.TestProgram`` (that is ``unittest.main``) with `LeakFixTestRunner`.

    Takes what ``unittest.main`` takes, ``testRunner`` included.
    """

    _leakfix_asked = False
    max_connections = None

    def runTests(self):
        """Run them, with our runner unless another was asked for."""
        if self.testRunner is None:
            self.testRunner = _like(LeakFixTestRunner, "_to_find", "--leaks=report")
        asked = dict((name, getattr(self, name)) for name in FINDING
                     if getattr(self, name, None) not in (None, False))
        if asked and asked != {"leaks": "off"}:
            self.testRunner = _finding_runner(self.testRunner, asked)
        if self.max_connections is not None:
            self.testRunner = _counting_runner(self.testRunner, self.max_connections)
        super(LeakFixProgram, self).runTests()

    def parseArgs(self, argv):
        """Read the command line *argv* as unittest does, and our options."""
        # Unless one is asked for, unittest knows nothing of them: its abbreviations
        # ("--ver") and the usage that it shows with an error stay as they are.
        self._leakfix_asked = any(map(_asks, argv[1:]))
        if sys.version_info < (3,):
            _old_options(argv[1:])
        super(LeakFixProgram, self).parseArgs(_discover_first(argv))

    if sys.version_info >= (3,):
        def _getParentArgParser(self):
            parser = super(LeakFixProgram, self)._getParentArgParser()
            if self._leakfix_asked:
                ours = parser.add_argument_group("options of unittest_leakfix", _SESSIONS)
                ours.add_argument("--version", action="version", version=_version(),
                                  help="Show the version and exit")
                add_options(ours)
            return parser
    else:
        # 2.7 parses with getopt and shows a text of its own.
        def usageExit(self, msg=None):
            """Show how to use it and exit, as unittest does; with help, our options."""
            try:
                super(LeakFixProgram, self).usageExit(msg)
            finally:
                if self._leakfix_asked:
                    print(_OLD_HELP)


def _old_options(arguments):
    """2.7: show the version, or say that finding is for 3.8."""
    if "--version" in arguments:
        print(_version())
        sys.exit(0)
    if any(each.startswith(("--leaks", "--restore")) for each in arguments):
        sys.stderr.write("error: finding leaks needs Python 3.8 or later\n")
        sys.exit(2)
    if any(each.startswith("--max-connections") for each in arguments):
        sys.stderr.write("error: counting connections needs Python 3.8 or later\n")
        sys.exit(2)


def _version():
    from unittest_leakfix.version import __version__
    return "unittest_leakfix %s (Python %s)" % (__version__, sys.version.split()[0])


def _asks(argument):
    """Tell whether *argument* is an option of ours, or asks for help."""
    return (argument in ("-h", "-H") or argument.startswith(_OURS)
            or len(argument) > 2 and "--help".startswith(argument))


def add_options(group):
    """Add our options, but for ``--version``, to *group*, of argparse."""
    group.add_argument("--leaks", choices=("off", "report", "fail"),
                       help="Find what each test left behind: say so at the end (report), "
                       "or make the test fail as well (fail). Python 3.8 and later. Each --leaks-* "
                       "option, and --restore, implies report")
    group.add_argument("--leaks-failed", action="store_true",
                       help="Tell the leaks of failing tests too")
    group.add_argument("--leaks-baseline", metavar="FILE", type=_file,
                       help="Leaks listed in FILE are known: only new ones are told")
    group.add_argument("--leaks-write-baseline", metavar="FILE", type=_file,
                       help="List the leaks of this run in FILE")
    group.add_argument("--leaks-json", metavar="FILE", type=_file,
                       help="Write the report to FILE as JSON")
    group.add_argument("--leaks-stacks", action="store_true",
                       help="Show whole stacks, chains and lists of tests")
    group.add_argument("--restore", action="store_true",
                       help="Put back what a test changed and left so: environment, working "
                       "directory, sys.path, patches, warnings filters")
    group.add_argument("--max-connections", metavar="N", type=int,
                       help="Fail the call that would open more than N connections to database "
                       "servers at the same time, with a list of those that are open. Python "
                       "3.8 and later")


def _file(name):
    """Return the path of the file *name*, which a test module that goes to another folder
    does not change."""
    try:
        return os.path.abspath(name) if name else name
    except OSError:     # this folder is gone
        return name


def _discover_first(argv):
    """Return *argv* with "discover" before options of ours, since unittest looks for
    it in the first place only."""
    place = 1
    while place < len(argv) and argv[place].startswith(_OURS):
        place += 2 if argv[place] in _WITH_VALUE else 1
    if 1 < place < len(argv) and argv[place].lower() == "discover":
        return argv[:1] + argv[place:place + 1] + argv[1:place] + argv[place + 1:]
    return argv


def _finding_runner(runner, asked):
    """Return a class like *runner* that finds what was *asked*; or say why not, and exit."""
    try:
        if not (isinstance(runner, type) and issubclass(runner, LeakFixTestRunner)):
            raise ValueError("--leaks works with LeakFixTestRunner, and this program has a "
                             "runner of its own: pass leaks=%r to that one"
                             % asked.get("leaks", "report"))
        finding(asked)
    except ValueError as error:
        sys.stderr.write("error: %s\n" % error)
        sys.exit(2)
    return _like(runner, "finding", asked)


def _counting_runner(runner, most):
    """Return a class like *runner* that allows *most* connections; or say why not, and exit."""
    try:
        if not (isinstance(runner, type) and issubclass(runner, LeakFixTestRunner)):
            raise ValueError("--max-connections works with LeakFixTestRunner, and this program "
                             "has a runner of its own: pass max_connections=%d to that one" % most)
        counting(most)
    except ValueError as error:
        sys.stderr.write("error: %s\n" % error)
        sys.exit(2)
    return _like(runner, "max_connections", most)


def _like(runner, name, value):
    return type(runner.__name__, (runner,), {name: value, "__doc__": runner.__doc__,
                                             "__module__": runner.__module__})


main = LeakFixProgram
