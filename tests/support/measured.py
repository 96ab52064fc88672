"""Coverage: which lines of the package the tests reach, in all processes that they start and on all
interpreters, put together and held to a floor.

It is a run of its own, in which the verdicts of the tests do not count. Each environment gets a
``.pth`` file that starts coverage.py in every process of it while the variable
COVERAGE_PROCESS_START is set, and does nothing otherwise. What forked processes run after the fork,
and what ends by a signal or ``os._exit``, is not counted.
"""

from __future__ import absolute_import

import io
import os
import re

from tests.support import interpreters, runs
from tests.support.paths import ROOT

#: Percent of the lines, over all interpreters. It was 89.8 with 2.7, 3.6 and, on 3.13, all tests
#: but those of Django's runner and of the pytest plugin: raise it to what a whole run says.
FLOOR = 88
#: Percent of the tests that may fail because they are measured: those that look at what is
#: imported, at trace functions, at the whole heap. It was 5 % on 3.13, where coverage.py keeps an
#: object for each code object that runs, which reports then name.
DISTURBED = 10
NAME = "coverage"
PTH = "leakfix_coverage.pth"
UNDER = """\
%.2f %% of the package's lines are reached by the tests; the floor is %s %%.
Write tests for what the change has added (the table says which lines of a file are reached by none;
the files with the least come first), or take out what nothing needs. Only where a line cannot be
reached by any test, lower FLOOR in tests/support/measured.py, and say why in the commit.

%s"""
REQUIREMENTS = os.path.join(ROOT, "tests", "requirements-coverage.txt")
PACKAGE = os.path.join(ROOT, "unittest_leakfix")
# Where it writes a line of its own, a test that compares all output would fail.
SETTINGS = u"""\
[run]
include = %s
data_file = %s
parallel = true
disable_warnings = no-data-collected, module-not-measured, module-not-imported, already-imported,
    couldnt-parse, include-ignored, trace-changed, no-ctracer, no-sysmon

[report]
precision = 2
show_missing = true
"""
START = (u"import os; os.environ.get('COVERAGE_PROCESS_START') "
         u"and __import__('coverage').process_startup()\n")
WHERE = "import sysconfig; print(sysconfig.get_path('purelib'))"


class Measuring(runs.Run):
    """The measurement as one more run beside those of the tests. It counts as one test."""

    def __init__(self, announce=lambda test: None, holds=True):
        """*holds*: whether the floor is held, which needs all tests on all interpreters."""
        super(Measuring, self).__init__(NAME, None, announce)
        self.name, self.text, self._tested = NAME, "not measured", ""
        self._holds, self._measured = holds, []

    def variables(self, interpreter, folder, log, runner, step):
        """Have that environment measure, and return the variables that switch it on.

        *folder* gets the data. Raises CannotPrepare.
        """
        interpreters.install_beside(interpreter, REQUIREMENTS, log, runner, step)
        place = os.path.join(interpreters.printed([interpreter.python, "-c", WHERE]), PTH)
        with io.open(place, "w", encoding="utf-8") as file:
            file.write(START)
        return self.switched_on(interpreter, folder)

    def switched_on(self, interpreter, folder):
        """Return the variables for an environment that can measure."""
        settings = self._settings(folder)
        with io.open(settings, "w", encoding="utf-8") as file:
            file.write(SETTINGS % (os.path.join(PACKAGE, "*"), os.path.join(folder, "measured")))
        self._measured.append(interpreter)
        # From 3.12 on there is a way that leaves sys.settrace() to the tests, and takes less time.
        modern = tuple(map(int, interpreter.version.split("."))) >= (3, 12)
        return dict({"COVERAGE_PROCESS_START": settings},
                    **({"COVERAGE_CORE": "sysmon"} if modern else {}))

    def _settings(self, folder):
        return os.path.join(folder, "coverage.ini")

    def combine(self, folder, runner, tested=()):
        """Put together what was measured in the runs *tested*, and fail under the floor."""
        for run in tested:
            for test, reason in run.skips:
                if test == "environment":
                    self.skip(test, reason)
        if not self._measured:
            return self.skip(NAME, "coverage was measured on no interpreter")
        failed, of = (sum(run.failed for run in tested),
                      sum(run.failed + run.passed for run in tested))
        if failed * 100 > of * DISTURBED:
            return self.fail(NAME, "%d of %d tests failed while they were measured, more than the "
                             "measurement itself can explain: run them without --coverage" % (
                                 failed, of))
        self._tested = "; %d of %d tests failed while they were measured" % (
            failed, of) if failed else ""
        newest = max(self._measured, key=lambda each: tuple(map(int, each.version.split("."))))
        nothing = os.path.join(folder, "nothing.py")
        io.open(nothing, "w").close()
        output = os.path.join(folder, "coverage.txt")
        with io.open(output, "w", encoding="utf-8") as log:
            for command in (["run", "--source", PACKAGE, nothing],  # files that nobody imports
                            ["combine", "--quiet"], ["report", "--sort=cover"]):
                status = runner.run(
                    [newest.python, "-m", "coverage", command[0],
                     "--rcfile", self._settings(folder)] + command[1:],
                    runs.Log(log), folder=folder, variables=interpreters.environment())
        with io.open(output, encoding="utf-8") as log:
            printed = log.read()
        total = re.search(r"^TOTAL +\d+ +\d+ +([\d.]+)%", printed, re.MULTILINE)
        if status or not total:
            return self.fail(NAME, "coverage could not be put together:\n" + printed[-3000:])
        return self._judge(float(total.group(1)), printed)

    def _judge(self, percent, printed):
        self.text = "%.2f %% of the lines on %s" % (
            percent, ", ".join(each for each in interpreters.VERSIONS
                               if each in [here.version for here in self._measured]))
        if not self._holds:
            self.text += "; the floor is for all tests on all interpreters"
        elif percent < FLOOR:
            self.text += ", under the floor of %s %%" % FLOOR
            return self.fail(NAME, UNDER % (percent, FLOOR, printed))
        else:
            self.text += ", the floor is %s %%" % FLOOR
        self.text += self._tested
        self.passed += 1
        return None

    def line(self):
        """What is printed when all is over."""
        return "%s: %s" % (NAME, self.text)
