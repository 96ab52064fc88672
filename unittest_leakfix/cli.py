"""The command line: unittest's own, with our runner and our options beside."""

from __future__ import absolute_import, print_function

import os
import sys
import time
import unittest

from unittest_leakfix._core.early import bind, late
from unittest_leakfix.runner import LeakFixTestRunner

__unittest = True
bind(globals())

_optional = late(globals(), "_optional")

_COMMANDS = (
    "Other commands, as in python -m unittest_leakfix polluter --help: polluter (which test breaks "
    "another), explain (what one test leaks), fix (type the remedies of a report), compare and "
    "merge (reports), sessions (who holds the connections of a database server). Python 3.8 and "
    "later")


class LeakFixProgram(unittest.TestProgram):
    """``unittest.TestProgram`` (that is ``unittest.main``) with `LeakFixTestRunner`.

    Takes what ``unittest.main`` takes, ``testRunner`` included.
    """

    _leakfix_environment = {}
    _leakfix_configuration = {}
    max_connections = None
    shuffle = None      # the seed
    progress = False
    _leakfix_progress = None    # what shows it

    patience = None
    exit_after = None

    def runTests(self):
        """Run the tests, with our runner unless another one was chosen."""
        stream = sys.stderr     # before a test changes that
        watch = None
        if self.patience is not None or self.exit_after is not None:
            watch = _watch(self.patience, self.exit_after)
        try:
            self._run_tests(watch)
            if watch is not None:
                watch.stop()
        except SystemExit as end:
            _may_not_end(watch, end.code, getattr(self, "result", None))
            raise
        except KeyboardInterrupt:
            _may_not_end(watch, 130, None)
            raise
        finally:
            if self.shuffle is not None:
                stream.write("unittest_leakfix: shuffled; the same order again: --shuffle=%d\n"
                             % self.shuffle)

    def _run_tests(self, watch=None):
        if self.testRunner is None:
            self.testRunner = _subclass_of(LeakFixTestRunner, "_to_find", "--leaks=report")
        if (self._leakfix_chosen or self._leakfix_environment or self._leakfix_configuration
                or type(self) is not LeakFixProgram):
            chosen, option = _chosen_options(self)
            most = chosen.pop("max_connections", None)
            if chosen and chosen != {"leaks": "off"}:
                self.testRunner = _runner_with(
                    self.testRunner, "finding", chosen, _optional.leak_session, option("leaks"),
                    "leaks=%r" % chosen.get("leaks", "report"))
            if most is not None:
                self.testRunner = _runner_with(
                    self.testRunner, "max_connections", most, _optional.connection_counting,
                    option("max_connections"), "max_connections=%d" % most)
        if watch is not None and isinstance(self.testRunner, type) and issubclass(
                self.testRunner, LeakFixTestRunner):
            self.testRunner = _subclass_of(self.testRunner, "_watch", watch)
        if self._leakfix_progress is not None and isinstance(
                self.testRunner, type) and issubclass(self.testRunner, LeakFixTestRunner):
            self.testRunner = _subclass_of(self.testRunner, "_progress", (
                self._leakfix_progress, self.test.countTestCases()))
        if self.shuffle is not None:
            from unittest_leakfix.shuffle import shuffled
            self.test = shuffled(self.test, self.shuffle)
        super(LeakFixProgram, self).runTests()

    def parseArgs(self, argv):
        """Read the command line *argv* as unittest does, and our options."""
        # Unless one is given, unittest knows nothing of them: its abbreviations
        # ("--ver") and the usage that it shows with an error stay as they are.
        self._leakfix_chosen = any(map(_is_ours, argv[1:]))
        # Before a test module goes to another folder, or sets a variable.
        self._leakfix_environment = _environment()
        self._leakfix_configuration = _configuration()
        if self._leakfix_chosen:
            if "--shuffle" in argv:
                from unittest_leakfix.options import seeded
                argv = seeded(argv)
            if sys.version_info < (3,):
                argv = self._old_options(argv)
            else:
                from unittest_leakfix.options import spelled
                argv = spelled(argv)
            argv = _discover_first(argv)
            if "--progress" in argv and sys.version_info >= (3, 6):
                # Before a test module is loaded that keeps one of the streams.
                from unittest_leakfix.progress import Progress
                self._leakfix_progress = Progress.made()
        super(LeakFixProgram, self).parseArgs(argv)
        for name in ("patience", "exit_after"):
            value = self._leakfix_configuration.pop(name, None)
            if getattr(self, name) is None:
                setattr(self, name, value)

    if sys.version_info >= (3,):
        def _getParentArgParser(self):
            parser = super(LeakFixProgram, self)._getParentArgParser()
            if self._leakfix_chosen:
                from unittest_leakfix.options import add_arguments
                add_arguments(parser.add_argument_group("options of unittest_leakfix", _COMMANDS),
                              "command")
            return parser
    else:
        # 2.7 parses with getopt and shows a text of its own.
        def usageExit(self, msg=None):
            """Show how to use it and exit, as unittest does; with help, our options."""
            try:
                super(LeakFixProgram, self).usageExit(msg)
            finally:
                if self._leakfix_chosen:
                    print(_old_help())

        def _old_options(self, argv):
            """Return *argv* without our options, which getopt does not know. Show the version, or
            say what an option needs."""
            _old_options(argv[1:])
            rest = []
            argv = list(argv)
            while argv:
                name, equals, value = argv.pop(0).partition("=")
                if name not in ("--shuffle", "--patience", "--exit-after"):
                    rest.append(name + equals + value)
                    continue
                value = value if equals or not argv else argv.pop(0)
                try:
                    number = (int if name == "--shuffle" else float)(value)
                except ValueError:
                    _refuse("argument %s: invalid value: %r" % (name, value))
                setattr(self, name[2:].replace("-", "_"), number)
            return rest


def _is_ours(argument):
    """Tell whether *argument* is an option of ours, or asks for help."""
    if not argument.startswith("--"):
        return argument in ("-h", "-H")
    return (argument.startswith(_our_options())
            or len(argument) > 2 and "--help".startswith(argument))


def _our_options():
    from unittest_leakfix.options import options_in
    return tuple(option.command for option in options_in("command"))


def _old_options(arguments):
    """2.7: show the version, or say what an option needs."""
    from unittest_leakfix.options import VERSION, options_in, version
    for option in options_in("command"):
        if option.type == VERSION and option.command in arguments:
            print(version())
            sys.exit(0)
        if not option.works() and any(each.startswith(option.command) for each in arguments):
            sys.stderr.write("error: %s needs %s\n" % (option.part, option.since()))
            sys.exit(2)


def _old_help():
    """Return the text of 2.7's help for the options that work there."""
    from unittest_leakfix.options import options_in
    return "Options of unittest_leakfix:\n" + "".join(
        "  %-16s %s\n" % (" ".join(filter(None, (option.command, option.metavar))), option.help)
        for option in options_in("command") if option.works())


def _discover_first(argv):
    """Return *argv* with "discover" before options of ours, since unittest looks for
    it in the first place only."""
    from unittest_leakfix.options import FLAG, VERSION, options_in
    ours = _our_options()
    with_value = [option.command for option in options_in("command")
                  if option.type not in (FLAG, VERSION)]
    place = 1
    while place < len(argv) and argv[place].startswith(ours):
        place += 2 if argv[place] in with_value else 1
    if 1 < place < len(argv) and argv[place].lower() == "discover":
        return argv[:1] + argv[place:place + 1] + argv[1:place] + argv[place + 1:]
    return argv


def _at_exit():
    """Return how many functions are registered with ``atexit``, which 2.7 need not have loaded."""
    module = sys.modules.get("atexit")
    return getattr(module, "_ncallbacks", lambda: len(getattr(module, "_exithandlers", ())))()


_registered = _at_exit()
_thread = sys.modules["_thread" if sys.version_info >= (3,) else "thread"]
_threads = _thread._count
_start_new_thread, _get_ident = _thread.start_new_thread, _thread.get_ident
_sleep = time.sleep
_clock = getattr(time, "monotonic", time.time)

_LOADED_AFTER = 4.0     # seconds: in time for the 5 after which it says what keeps the process


def _watch(patience, exit_after):
    """Return what watches a run that was given one of these."""
    from unittest_leakfix._optional import look_at_locks, two_connections
    from unittest_leakfix.patience import watch
    try:
        return watch(patience, exit_after, look_at_locks, two_connections)
    except ValueError as error:
        _refuse(error)


def _may_not_end(watch, status, result):
    """The run is over, and the process is about to end: have it watched, where something is there
    that may keep it.

    Of a run that leaves none of these, nothing is started. What says it is loaded when the process
    has not ended in time: most that have something of ``atexit`` end at once.
    """
    try:
        children = getattr(sys.modules.get("multiprocessing.process"), "_children", ())
        if watch is None and not (_threads() or children or _at_exit() > _registered):
            return
        # Up to 3.11 it is True or False.
        status = int(status) if isinstance(status, int) else int(status is not None)
        started_by = getattr(result, "_leakfix_started_by", None)
        if watch is not None:
            watch.over(status, started_by)
        else:
            _start_new_thread(_say_what_keeps_it, (_get_ident(), _clock(), status, started_by))
    except Exception:   # no descriptor or thread left: nobody says what the process waits for
        pass


def _say_what_keeps_it(main, since, status, started_by):
    """In a thread of ours: if the process is still there after a while, say what keeps it.

    *main*: the number of the main thread. *since*: when the run was over.
    """
    try:
        _sleep(_LOADED_AFTER)
        from unittest_leakfix.patience import Watch
        Watch(main=main).keep_watch(status, started_by, since)
    except:     # noqa: E722  tests have taken away what it needs, or 2.7 has, which is at its end
        pass


def _chosen_options(program):
    """Return the options of ours that hold for *program*, by their names, and a function.

    That returns what one of them is called where it was given: on the command line or in the
    environment.
    """
    from unittest_leakfix.options import decided, options_in
    given = [(option.name, getattr(program, option.name, None)) for option in options_in("keyword")]
    given = dict((name, value) for name, value in given if value is not None and value is not False)
    try:
        environment, file = program._leakfix_environment, program._leakfix_configuration
        chosen = decided(given, [environment, file]) if environment or file else dict(given)
    except ValueError as error:
        _refuse(error)

    def called(name):
        rows = dict((option.name, option) for option in options_in("keyword"))
        def part_of(layer):
            return any(each in rows and rows[each].part == rows[name].part for each in layer)
        if part_of(given):
            return rows[name].command
        return (rows[name].environment if part_of(environment)
                else "%s in the configuration file" % rows[name].key)
    return chosen, called



def _runner_with(runner, attribute, value, check, option, keyword):
    """Return a class like *runner* whose *attribute* is *value*, if *check* takes that.

    If not, say why, and exit. *option* is where it was given; another runner would take
    *keyword*.
    """
    try:
        if not (isinstance(runner, type) and issubclass(runner, LeakFixTestRunner)):
            raise ValueError("%s works with LeakFixTestRunner, and this program has a runner of "
                             "its own: pass %s to that one" % (option, keyword))
        check(value)
    except ValueError as error:
        _refuse(error)
    return _subclass_of(runner, attribute, value)


def _environment():
    if not any(name.startswith("UNITTEST_LEAKFIX_") for name in os.environ):
        return {}       # and the table is not loaded
    from unittest_leakfix.options import from_environment
    try:
        return from_environment()
    except ValueError as error:
        _refuse(error)


def _configuration():
    try:
        return _optional.configuration()
    except ValueError as error:
        _refuse(error)


def _refuse(error):
    sys.stderr.write("error: %s\n" % error)
    sys.exit(2)


def _subclass_of(runner, name, value):
    return type(runner.__name__, (runner,), {name: value, "__doc__": runner.__doc__,
                                             "__module__": runner.__module__})


main = LeakFixProgram
