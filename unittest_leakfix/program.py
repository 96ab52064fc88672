"""The command line: unittest's own, with our runner and our options beside."""

from __future__ import absolute_import, print_function

import sys
import unittest

from unittest_leakfix.runner import LeakFixTestRunner
from unittest_leakfix.version import __version__

__unittest = True

_VERSION = "unittest_leakfix %s (Python %s)" % (__version__, sys.version.split()[0])
_OURS = ("--version",)
_OLD_HELP = """\
Options of unittest_leakfix:
  --version        Show the version and exit
"""


class LeakFixProgram(unittest.TestProgram):
    """``unittest.TestProgram`` (that is ``unittest.main``) with `LeakFixTestRunner`.

    Takes what ``unittest.main`` takes, ``testRunner`` included.
    """

    _leakfix_asked = False

    def runTests(self):
        """Run them, with our runner unless another was asked for."""
        if self.testRunner is None:
            self.testRunner = LeakFixTestRunner
        super(LeakFixProgram, self).runTests()

    if sys.version_info >= (3,):
        def parseArgs(self, argv):
            """Read the command line *argv* as unittest does, and our options."""
            # Else they are unknown, so that unittest's abbreviations ("--ver")
            # and the usage that it shows with an error stay as they are.
            self._leakfix_asked = any(map(_asks, argv[1:]))
            super(LeakFixProgram, self).parseArgs(argv)

        def _getParentArgParser(self):
            parser = super(LeakFixProgram, self)._getParentArgParser()
            if self._leakfix_asked:
                ours = parser.add_argument_group("options of unittest_leakfix")
                ours.add_argument("--version", action="version", version=_VERSION,
                                  help="Show the version and exit")
            return parser
    else:
        # 2.7 parses with getopt.
        def parseArgs(self, argv):
            """Read the command line *argv* as unittest does, and our options."""
            if "--version" in argv[1:]:
                print(_VERSION)
                sys.exit(0)
            super(LeakFixProgram, self).parseArgs(argv)

        def usageExit(self, msg=None):
            """Show how to use it and exit, as unittest does; with help, our options."""
            try:
                super(LeakFixProgram, self).usageExit(msg)
            finally:
                if not msg:
                    print(_OLD_HELP)


def _asks(argument):
    """Tell whether *argument* is an option of ours, or asks for help."""
    return (argument == "-h" or argument.startswith(_OURS)
            or len(argument) > 2 and "--help".startswith(argument))


main = LeakFixProgram
