"""The table of our options, one row for each, and what is made of it.

From `OPTIONS` come the arguments and the help of unittest's, Django's and pytest's command lines,
the keywords of `LeakFixTestRunner`, Django's settings, pytest's ini values, environment variables,
and the tables in the docs. To add an option, add a row, read ``Options.<name>`` where it matters,
and type ``python docs/options.py``, which writes the docs and the stubs anew.

A run of unittest's that is given none of our options does not load this module; pytest, which asks
for the options of each plugin, does.
"""

from __future__ import absolute_import

import os
import re
import sys

from unittest_leakfix._core.declarations import bytes_of
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

# The types of options.
CHOICE, FLAG, FILE, NUMBER, VERSION = "choice", "flag", "file", "number", "version"
# A number that may be left out, and is then drawn (cli.py).
SEED = "seed"
# One of `choices`, with ":FILE" or without, and given more than once for several.
OUTPUTS = "outputs"
# Suppressions, each with its reason: of a configuration file alone.
RULES = "rules"
# A number that may be left out, and is then that of the row; and a number of bytes: "50 MB".
SOME, SIZE = "some", "size"
# What an option is part of, as it is named where that is not available.
FINDING, COUNTING = "finding leaks", "counting connections"
# The modes of --leaks with which leaks are found, and those with which they are not.
FINDS, FINDS_NOT = ("report", "fail"), ("off", "release")


class Option(object):
    """One row: an option, what may be given for it, and where.

    :param name: its attribute of `Options`, and where argparse stores it.
    :param type: ``CHOICE``, ``FLAG``, ``FILE``, ``NUMBER``, ``SEED``, ``OUTPUTS``, ``SIZE``,
        ``SOME`` or ``VERSION``.
    :param help: the text of the help and of the docs, without a full stop.
    :param choices: what may be given for a ``CHOICE``.
    :param default: the value where none is given.
    :param metavar: the word that stands for its value.
    :param unit: what a ``NUMBER`` or ``SOME`` counts.
    :param bare: the value of a ``SOME`` that is given without one.
    :param part: ``FINDING``, ``COUNTING`` or None.
    :param implies: whether it does nothing unless leaks are found; such an option implies
        ``--leaks=report``.
    :param python: the oldest Python that it works with.

    Where it can be given, each None for nowhere:

    :param command: its name on unittest's command line.
    :param keyword: the keyword of `LeakFixTestRunner`.
    :param django: its name on the command line of ``manage.py test``.
    :param setting: the name of Django's setting.
    :param pytest: its name on pytest's command line, which no other plugin has.
    :param pytest_short: the name that it has there too, unless another plugin has that.
    :param pytest_choices: what may be given there, where that differs from *choices*.
    :param pytest_help: the text of the help there, where that differs from *help*.
    :param ini: the value of pytest's ini file.
    :param environment: the environment variable, for a run by any of the three command lines.
    :param key: the key of a configuration file (configuration.py).
    """

    __slots__ = ("name", "type", "help", "choices", "default", "metavar", "unit", "bare", "part",
                 "implies", "python", "command", "keyword", "django", "setting", "pytest",
                 "pytest_short", "pytest_choices", "pytest_help", "ini", "environment", "key")

    def __init__(self, name, type, help, **more):
        more.setdefault("python", (2, 7))
        more.setdefault("implies", False)
        for slot, value in zip(self.__slots__, (name, type, help)):
            setattr(self, slot, value)
        for slot in self.__slots__[3:]:
            setattr(self, slot, more.pop(slot, None))
        if more:
            raise TypeError("%s: an option has no %s" % (name, ", ".join(sorted(more))))

    def __repr__(self):
        return "<Option %s>" % self.name

    @property
    def dest(self):
        """Where pytest stores it: the name of the option, as an identifier."""
        return self.pytest.lstrip("-").replace("-", "_")

    def works(self):
        """Tell whether this Python is new enough for it."""
        return sys.version_info >= self.python

    def since(self):
        """Return the oldest Python that it works with, as text."""
        return "Python %d.%d or later" % self.python


OPTIONS = (
    Option(
        "version", VERSION, "Show the version and exit",
        command="--version"),
    Option(
        "leaks", CHOICE,
        "Find what each test left behind: say so at the end (report), or make the test fail as "
        "well (fail). Each --leaks-* option, and --restore, implies report",
        choices=("off", "report", "fail"), default="off", metavar="MODE",
        part=FINDING, python=(3, 8),
        command="--leaks", keyword="leaks", django="--leaks", setting="LEAKFIX_LEAKS",
        pytest="--leakfix", pytest_short="--leaks", ini="leakfix", key="leaks",
        pytest_choices=("off", "release", "report", "fail"),
        pytest_help="Let go of finished tests, and close what they alone own (release); say as "
        "well what each test left behind (report), or make it an error of the test (fail). Each "
        "other --leaks-* option implies report",
        environment="UNITTEST_LEAKFIX_LEAKS"),
    Option(
        "leaks_failed", FLAG, "Report the leaks of failing tests too",
        default=False, part=FINDING, implies=True, python=(3, 8),
        command="--leaks-failed", keyword="leaks_failed", django="--leaks-failed",
        pytest="--leakfix-failed", pytest_short="--leaks-failed", ini="leakfix_failed",
        key="leaks_failed", environment="UNITTEST_LEAKFIX_LEAKS_FAILED"),
    Option(
        "leaks_baseline", FILE, "The leaks listed in FILE are known: only new ones are reported",
        metavar="FILE", part=FINDING, implies=True, python=(3, 8),
        command="--leaks-baseline", keyword="leaks_baseline", django="--leaks-baseline",
        setting="LEAKFIX_LEAKS_BASELINE",
        pytest="--leakfix-baseline", pytest_short="--leaks-baseline", ini="leakfix_baseline",
        key="leaks_baseline", environment="UNITTEST_LEAKFIX_LEAKS_BASELINE"),
    Option(
        "leaks_suppressions", FILE,
        "The leaks that the rules in FILE name are known, each for its reason: one rule a line, "
        "as thread=\"mailer-*\"  # why it is known",
        metavar="FILE", part=FINDING, implies=True, python=(3, 8),
        command="--leaks-suppressions", keyword="leaks_suppressions",
        django="--leaks-suppressions",
        pytest="--leakfix-suppressions", pytest_short="--leaks-suppressions",
        key="leaks_suppressions", environment="UNITTEST_LEAKFIX_LEAKS_SUPPRESSIONS"),
    Option(
        "suppressions", RULES,
        "The leaks that these rules name are known, each for its reason",
        part=FINDING, python=(3, 8), key="suppressions"),
    Option(
        "leaks_write_baseline", FILE, "List the leaks of this run in FILE",
        metavar="FILE", part=FINDING, implies=True, python=(3, 8),
        command="--leaks-write-baseline", keyword="leaks_write_baseline",
        django="--leaks-write-baseline",
        pytest="--leakfix-write-baseline", pytest_short="--leaks-write-baseline",
        environment="UNITTEST_LEAKFIX_LEAKS_WRITE_BASELINE"),
    Option(
        "leaks_update_baseline", FLAG,
        "Write the file of --leaks-baseline anew: with the new leaks of this run, without those "
        "that no longer occur",
        default=False, part=FINDING, implies=True, python=(3, 8),
        command="--leaks-update-baseline", keyword="leaks_update_baseline",
        django="--leaks-update-baseline",
        pytest="--leakfix-update-baseline", pytest_short="--leaks-update-baseline",
        environment="UNITTEST_LEAKFIX_LEAKS_UPDATE_BASELINE"),
    Option(
        "leaks_only_new", FLAG,
        "Report, and fail, what is new only: the first run lists all leaks in the file of "
        "--leaks-baseline, by default leaks-baseline.json, and fails none of them",
        default=False, part=FINDING, implies=True, python=(3, 8),
        command="--leaks-only-new", keyword="leaks_only_new", django="--leaks-only-new",
        pytest="--leakfix-only-new", pytest_short="--leaks-only-new", ini="leakfix_only_new",
        key="leaks_only_new", environment="UNITTEST_LEAKFIX_LEAKS_ONLY_NEW"),
    Option(
        "leaks_json", FILE, "Write the report to FILE as JSON",
        metavar="FILE", part=FINDING, implies=True, python=(3, 8),
        command="--leaks-json", keyword="leaks_json", django="--leaks-json",
        pytest="--leakfix-json", pytest_short="--leaks-json", key="leaks_json",
        environment="UNITTEST_LEAKFIX_LEAKS_JSON"),
    Option(
        "leaks_html", FILE,
        "Write the report to FILE as one HTML page, with a timeline of what each test took",
        metavar="FILE", part=FINDING, implies=True, python=(3, 8),
        command="--leaks-html", keyword="leaks_html", django="--leaks-html",
        pytest="--leakfix-html", pytest_short="--leaks-html", key="leaks_html",
        environment="UNITTEST_LEAKFIX_LEAKS_HTML"),
    Option(
        # argparse up to 3.12 fails to wrap a usage with brackets in it.
        "leaks_output", OUTPUTS,
        "Write the report for a CI system: github (annotations), gitlab (code quality), sarif, "
        "markdown (a summary) or junit, or each with its file, as in sarif:leaks.sarif. May be "
        "given more than once",
        metavar="OUTPUT", part=FINDING, implies=True, python=(3, 8),
        command="--leaks-output", keyword="leaks_output", django="--leaks-output",
        pytest="--leakfix-output", pytest_short="--leaks-output", key="leaks_output",
        environment="UNITTEST_LEAKFIX_LEAKS_OUTPUT"),
    Option(
        "leaks_stacks", FLAG, "Show whole stacks, chains and lists of tests",
        default=False, part=FINDING, implies=True, python=(3, 8),
        command="--leaks-stacks", keyword="leaks_stacks", django="--leaks-stacks",
        pytest="--leakfix-stacks", pytest_short="--leaks-stacks", key="leaks_stacks",
        environment="UNITTEST_LEAKFIX_LEAKS_STACKS"),
    Option(
        "restore", FLAG,
        "Put back what a test changed and left so: environment, working directory, sys.path, "
        "sys.modules, patches, logging, signals, locale, random state and other settings",
        default=False, part=FINDING, implies=True, python=(3, 8),
        command="--restore", keyword="restore", django="--restore",
        pytest="--leakfix-restore", pytest_short="--leaks-restore", ini="leakfix_restore",
        key="restore", environment="UNITTEST_LEAKFIX_RESTORE"),
    Option(
        "memory", SOME,
        "List after the run the N tests that kept the most memory and those that took the most, "
        "and the classes and modules; 10 where N is not given",
        metavar="N", unit="tests", bare=10, part=FINDING, implies=True, python=(3, 8),
        command="--memory", keyword="memory", django="--memory",
        pytest="--leakfix-memory", pytest_short="--memory", key="memory",
        environment="UNITTEST_LEAKFIX_MEMORY"),
    Option(
        "max_memory", SIZE,
        "Fail the test that keeps more than SIZE (50MB), once that is confirmed: it runs again, "
        "twice, in a child process after the run, and the second time counts",
        metavar="SIZE", part=FINDING, implies=True, python=(3, 8),
        command="--max-memory", keyword="max_memory", django="--max-memory",
        pytest="--leakfix-max-memory", pytest_short="--max-memory", key="max_memory",
        environment="UNITTEST_LEAKFIX_MAX_MEMORY"),
    Option(
        "memory_traced", FLAG,
        "With --memory: trace Python's own allocations as well (tracemalloc; the tests take two to "
        "four times as long)",
        default=False, part=FINDING, implies=True, python=(3, 8),
        command="--memory-traced", keyword="memory_traced", django="--memory-traced",
        pytest="--leakfix-memory-traced", pytest_short="--memory-traced", key="memory_traced",
        environment="UNITTEST_LEAKFIX_MEMORY_TRACED"),
    Option(
        "max_connections", NUMBER,
        "Fail the call that would open more than N connections to database servers at the same "
        "time, with a list of those that are open",
        metavar="N", unit="connections", part=COUNTING, python=(3, 8),
        command="--max-connections", keyword="max_connections", django="--max-connections",
        setting="LEAKFIX_MAX_CONNECTIONS",
        pytest="--leakfix-max-connections", pytest_short="--max-connections",
        ini="leakfix_max_connections", key="max_connections",
        environment="UNITTEST_LEAKFIX_MAX_CONNECTIONS"),
    Option(
        "patience", NUMBER,
        "Say on standard error with the stacks of all threads when a test or fixture takes longer "
        "than N seconds, and what keeps the process when it has not ended N seconds after the run; "
        "without it, only the latter is said, after 5 seconds",
        metavar="N", unit="seconds", command="--patience", django="--patience",
        pytest="--leakfix-patience", pytest_short="--patience", key="patience"),
    Option(
        "exit_after", NUMBER,
        "End the process N seconds after the run, if it has not ended by then, with the run's own "
        "status, after what is registered with atexit",
        metavar="N", unit="seconds", command="--exit-after", django="--exit-after",
        pytest="--leakfix-exit-after", pytest_short="--exit-after", key="exit_after"),
    # What Django and pytest have, each in its own way.
    Option(
        "progress", FLAG,
        "Show a bar on a terminal while the tests run: how many are done, how fast, what is left, "
        "failures, memory, leaks so far, and the test that takes long",
        default=False, python=(3, 6), command="--progress"),
    Option(
        "shuffle", SEED,
        "Run modules, the classes of each and their methods in an order that the number SEED "
        "decides; one is drawn where none is given, and the last line says it",
        metavar="SEED", command="--shuffle"),
    # What is only a setting of Django's.
    Option(
        "release_classes", FLAG, "Put classes back to what they had before their setUpClass",
        default=False, python=(3, 8), setting="LEAKFIX_RELEASE_CLASSES"),
    Option(
        "terminate_sessions", FLAG,
        "End the sessions that are in the way of a test database; False lists them only",
        default=True, python=(3, 8), setting="LEAKFIX_TERMINATE_SESSIONS"),
    Option(
        "flush_patience", NUMBER,
        "How many seconds a flush may wait for another thread's connection",
        default=10.0, unit="seconds", python=(3, 8), setting="LEAKFIX_PATIENCE"),
)


def options_in(place):
    """Return the rows of what can be given in *place*, a column of the table such as "keyword"."""
    return tuple(option for option in OPTIONS if getattr(option, place))


KEYWORDS = tuple(option.keyword for option in options_in("keyword"))
FINDING_KEYWORDS = tuple(option.keyword for option in options_in("keyword")
                         if option.part == FINDING)
SETTINGS = dict((option.name, option) for option in options_in("setting"))


class Options(object):
    """The options of finding that hold, an attribute for each. Those not given have their default.

    Raises ``ValueError`` for a value that is not one of the choices.
    """

    def __init__(self, **given):
        for option in OPTIONS:
            if option.part == FINDING:
                value = given.pop(option.name, option.default)
                if option.choices and value not in option.choices:
                    raise ValueError("%s=%r: %s" % (option.name, value, choose(option.choices)))
                if option.type == SIZE and value is not None:
                    value = bytes_of(value)
                setattr(self, option.name, value)
        if given:
            raise TypeError("finding has no option %s" % ", ".join(sorted(given)))


def choose(choices):
    """Return "choose from 'off', 'report', 'fail'"."""
    return "choose from %s" % ", ".join(map(repr, choices))


def decided(given, defaults=(), place="command"):
    """Return the options that hold, "leaks" among them: those *given* with the run, then those of
    each of *defaults*: of the environment, of settings or an ini file, and of a configuration file.

    None is an option that is not there, and so is False among those *given*. Where "leaks" is not
    given, an option of finding implies "report", or the mode that stands after it if that finds.
    Raises ``ValueError`` when a mode that finds nothing is given together with such an option,
    which is called what the column *place* says; such a mode of the *defaults* simply holds.
    Where nothing is found, the options of finding are not returned.
    """
    layers = [dict(each for each in layer.items() if each[1] is not None)
              for layer in [_there(given)] + list(defaults)]
    needing = [getattr(option, place) for option in OPTIONS
               if option.implies and option.name in layers[0]]
    if needing and layers[0].get("leaks") in FINDS_NOT:
        leaks = _called("leaks", place)
        raise ValueError("%s needs %s=report or %s=fail, and %s=%s was given" % (
            " and ".join(needing), leaks, leaks, leaks, layers[0]["leaks"]))
    mode = _mode(layers)
    found = {}
    for layer in reversed(layers):
        found.update(layer)
    if mode not in FINDS:
        for option in OPTIONS:
            if option.part == FINDING:
                found.pop(option.name, None)
    found["leaks"] = mode or "off"
    if found.get("leaks_only_new") is True:
        _only_new(found, place)
    return found


BASELINE = "leaks-baseline.json"
"""What --leaks-only-new lists leaks in, where no other file is named."""


def _only_new(found, place):
    """Put in what --leaks-only-new stands for: the baseline is read where there is one, and
    written where there is none; then nothing fails. "leaks_only_new" becomes its path."""
    if found.get("leaks_write_baseline"):
        names = [_called(name, place) or name for name in (
            "leaks_only_new", "leaks_write_baseline", "leaks_baseline")]
        raise ValueError("%s writes its own file: leave out %s, or name that file by %s"
                         % tuple(names))
    file = found.get("leaks_baseline") or path(BASELINE)
    found["leaks_only_new"] = file
    if os.path.exists(file):
        found["leaks_baseline"] = file
        return
    for name in ("leaks_baseline", "leaks_update_baseline"):
        found.pop(name, None)
    found["leaks_write_baseline"] = file
    if found["leaks"] == "fail":
        found["leaks"] = "report"


def _mode(layers):
    """Return what the first of *layers* that says or implies "leaks" has for it; None if none."""
    if not layers:
        return None
    if layers[0].get("leaks") is not None:
        return layers[0]["leaks"]
    after = _mode(layers[1:])
    implied = any(option.implies and option.name in _there(layers[0]) for option in OPTIONS)
    return "report" if implied and after not in FINDS else after


def _there(layer):
    return dict(each for each in layer.items() if each[1] is not None and each[1] is not False)


def _called(name, place):
    return [getattr(option, place) for option in OPTIONS if option.name == name][0]


# The environment.

def from_environment(pytest=False):
    """Return what environment variables say, by the names of the options.

    An empty variable says nothing. *pytest*: with the choices that pytest has. Raises
    ``ValueError`` for what makes no sense.
    """
    found = {}
    for option in options_in("environment"):
        text = os.environ.get(option.environment)
        if text:
            try:
                found[option.name] = read_text(
                    option, text, pytest and option.pytest_choices or option.choices)
            except ValueError as error:
                raise ValueError("%s=%s: %s" % (option.environment, text, error))
    return found


_FLAGS = {"1": True, "true": True, "yes": True, "on": True,
          "0": False, "false": False, "no": False, "off": False}


def read_text(option, text, choices):
    """Return the value of *option* that is given as *text*. Raises ``ValueError`` for what makes no
    sense."""
    if option.type == FLAG:
        if text.lower() not in _FLAGS:
            raise ValueError("choose from 1 and 0, true and false, yes and no, on and off")
        return _FLAGS[text.lower()]
    if option.type == SIZE:
        return bytes_of(text)
    if option.type in (NUMBER, SOME):
        seconds = option.unit == "seconds"
        if not re.match(r"[0-9]+(\.[0-9]+)?$" if seconds else "[0-9]+$", text):
            raise ValueError("give a number of %s, 0 or more" % option.unit)
        return float(text) if seconds else int(text)
    if option.type == CHOICE and text not in choices:
        raise ValueError("choose from %s" % ", ".join(choices))
    if option.type == OUTPUTS:
        return [output(each.strip()) for each in text.split(",") if each.strip()]
    return path(text) if option.type == FILE else text


# The seed of --shuffle.

_LARGEST_SEED = 999999      # of those that are drawn: short enough to be typed


def seeded(argv):
    """Return *argv* with the seed of each ``--shuffle`` joined to it; a new one where none is
    given.

    What follows is a seed if it is a number, so that ``--shuffle tests.test_orders`` works.
    """
    found = []
    place = 0
    while place < len(argv):
        if argv[place] == "--shuffle":
            given = place + 1 < len(argv) and argv[place + 1].isdigit()
            place += given
            found.append("--shuffle=%d" % (int(argv[place]) if given else _new_seed()))
        else:
            found.append(argv[place])
        place += 1
    return found


def spelled(argv):
    """Return *argv* with the number of each ``SOME`` joined to it: what follows is that if it is
    a number, and otherwise it is the number of the row."""
    rows = dict((option.command, option) for option in options_in("command")
                if option.type == SOME)
    found = []
    place = 0
    while place < len(argv):
        word = argv[place]
        if word in rows:
            given = place + 1 < len(argv) and argv[place + 1].isdigit()
            place += given
            word += "=%s" % (argv[place] if given else rows[word].bare)
        found.append(word)
        place += 1
    return found


def _new_seed():
    import random
    # The random numbers of the tests stay as they are.
    return random.SystemRandom().randint(1, _LARGEST_SEED)


# For argparse, which is unittest's and Django's, and pytest's own form of it.

def add_arguments(group, place):
    """Add the options of the column *place* to *group*, of argparse."""
    for option in options_in(place):
        text = option.help
        if not option.works():
            text += ". Needs %s" % option.since()
        if option.type == VERSION:
            group.add_argument(getattr(option, place), action="version", version=version(),
                               help=text)
        else:
            group.add_argument(getattr(option, place), dest=option.name, help=text,
                               **how(option, option.choices, path))


def how(option, choices, file=None):
    """Return the keywords with which argparse takes the value of *option*.

    *file* makes the value of what is given for a file.
    """
    if option.type == FLAG:
        return {"action": "store_true"}
    if option.type == CHOICE:
        return {"choices": choices}
    if option.type == OUTPUTS:
        return dict({"metavar": option.metavar, "action": "append"},
                    **({"type": output} if file else {}))
    if option.type == SIZE:
        return {"metavar": option.metavar, "type": _size}
    if option.type == SOME:
        return {"metavar": option.metavar, "nargs": "?", "const": option.bare,
                "type": _some(option)}
    if option.type in (NUMBER, SEED):
        return {"metavar": option.metavar, "type": float if option.unit == "seconds" else int}
    return dict({"metavar": option.metavar}, **({"type": file} if file else {}))


def _size(text):
    import argparse
    try:
        return bytes_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("%r: %s" % (text, error))


def _some(option):
    """Return what makes the value of the text that stands after an option whose number may be left
    out."""
    def number(text):
        if re.match("[0-9]+$", text):
            return int(text)
        # Argparse takes what follows for the number.
        import argparse
        raise argparse.ArgumentTypeError(
            "%r is not a number of %s; without one the option comes last, or is written with =%s"
            % (text, option.unit, option.bare))
    return number


def path(name):
    """Return the path of the file *name*, which a test module that goes to another folder
    does not change."""
    try:
        return os.path.abspath(name) if name else name
    except OSError:     # this folder is gone
        return name


def output(given, folder=""):
    """Return what is *given* for an output, "sarif:leaks.sarif", with the path of its file, which
    is relative to *folder*."""
    name, colon, file = given.partition(":")
    return name + colon + path(os.path.join(folder, file)) if file else given


def version():
    """Return the line that ``--version`` prints."""
    from unittest_leakfix.version import __version__
    return "unittest_leakfix %s (Python %s)" % (__version__, sys.version.split()[0])
