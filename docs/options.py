"""Writes the tables of options into the docs and the stubs, from unittest_leakfix/options.py.

    python docs/options.py      # writes what is stale, and names it

What stands between two markers is written by this script; all else stays as it is.
"""

import io
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from unittest_leakfix.options import (  # noqa: E402
    CHOICE,
    FILE,
    FINDING,
    FLAG,
    NUMBER,
    OPTIONS,
    OUTPUTS,
    RULES,
    SEED,
    SIZE,
    SOME,
    options_in,
)

COMMAND = "python docs/options.py"
_TYPES = {FLAG: "bool", FILE: "str | None", NUMBER: "int | None", OUTPUTS: "Iterable[str] | None",
          RULES: "Iterable[tuple[Any, str]] | None", SOME: "int | None", SIZE: "int | str | None"}


def _code(text):
    return "`%s`" % text if text else ""


def _text(text):
    """Return the *text* of the help in Markdown: what is typed or is Python is code."""
    return re.sub(r"(?<!\S)(--[\w*-]+|sys\.path|setUpClass|False)(?!\w)", r"`\1`", text)


def _typed(name, option, choices=None):
    """Return *name* as it is typed with its value: ``--leaks=MODE``."""
    if not name:
        return ""
    value = "\\|".join(choices or ()) or option.metavar
    if option.type == SOME:
        return "`%s[=%s]`" % (name, value)
    return "`%s=%s`" % (name, value) if value else "`%s`" % name


def _table(head, rows):
    lines = [head] + [["---"] * len(head)] + rows
    return "".join("| %s |\n" % " | ".join(line) for line in lines).replace("|  |", "| |")


def _command():
    return _table(
        ["option", "what it does"],
        [
            [_typed(option.command, option, option.choices), _text(option.help)]
            for option in options_in("command")
        ],
    )


def _everywhere():
    return _table(
        ["option", "of the runner", "Django's setting", "of pytest", "pytest.ini", "environment"],
        [
            [
                _code(option.command),
                _code(option.keyword),
                _code(option.setting),
                _code(option.pytest),
                _code(option.ini),
                _code(option.environment),
            ]
            for option in options_in("keyword")
        ],
    )


def _django():
    return _table(
        ["option", "what it does"],
        [
            [_typed(option.django, option, option.choices), _text(option.help)]
            for option in options_in("django")
        ],
    )


def _settings():
    return _table(
        ["setting", "default", "what it does"],
        [
            [
                _code(option.setting),
                _code(repr(option.default).replace("'", '"')),
                "as `%s`" % option.django if option.django else _text(option.help),
            ]
            for option in options_in("setting")
        ],
    )


def _pytest():
    return _table(
        ["option", "short", "in the ini file", "what it does"],
        [
            [
                _typed(option.pytest, option, option.pytest_choices),
                _code(option.pytest_short),
                _code(option.ini),
                _text(option.pytest_help or option.help),
            ]
            for option in options_in("pytest")
        ],
    )


_GIVEN = {FLAG: "true or false", FILE: "a file, relative to this one", NUMBER: "a number",
          SEED: "a number", SOME: "a number", SIZE: "a size, as `\"50 MB\"`",
          OUTPUTS: "a list, as `[\"github\", \"sarif:leaks.sarif\"]`",
          RULES: "a list of rules, see below"}


def _keys():
    return _table(
        ["key", "value", "option", "what it does"],
        [
            [
                _code(option.key),
                " or ".join(map(_code, option.pytest_choices or option.choices or ()))
                or _GIVEN.get(option.type, "a text"),
                _code(option.command),
                _text(option.help),
            ]
            for option in options_in("key")
        ],
    )


def _type(option):
    if option.type == CHOICE:
        return "Literal[%s]" % ", ".join(map('"%s"'.__mod__, option.choices))
    return _TYPES[option.type]


def _keywords():
    return "".join(
        "            %s: %s = %r,\n" % (option.keyword, _type(option), option.default)
        for option in options_in("keyword")
    ).replace("'", '"')


def _attributes():
    return "".join(
        "    %s: %s\n" % (option.name, _type(option))
        for option in OPTIONS
        if option.part == FINDING
    )


TABLES = {
    "command": _command,
    "everywhere": _everywhere,
    "django": _django,
    "settings": _settings,
    "pytest": _pytest,
    "keys": _keys,
    "keywords": _keywords,
    "attributes": _attributes,
}
FILES = (
    "docs/command.md",
    "docs/report.md",
    "docs/configuration.md",
    "docs/django.md",
    "docs/pytest.md",
    "unittest_leakfix/runner.pyi",
    "unittest_leakfix/options.pyi",
)
_MARKED = re.compile(
    r"(?ms)^( *(?:<!--|#) options: (\w+), written by docs/options\.py(?: -->)?\n)"
    r".*?^( *(?:<!--|#) end of options(?: -->)?)$"
)


def path(name):
    """Return the path of the file *name* of `FILES`."""
    return os.path.join(ROOT, *name.split("/"))


def written(text):
    """Return *text* with the tables between its markers as they should be."""

    def table(match):
        made = TABLES[match.group(2)]()
        # Markdown needs a line between a comment and a table.
        apart = "\n" if match.group(1).startswith("<!--") else ""
        return match.group(1) + apart + made + apart + match.group(3)

    return _MARKED.sub(table, text)


def stale():
    """Return the names of the files whose tables are stale, with the text that each should have."""
    found = {}
    for name in FILES:
        with io.open(path(name), encoding="utf-8", newline="") as file:
            text = file.read()
        if written(text) != text:
            found[name] = written(text)
    return found


def main():
    """Write what is stale."""
    for name, text in sorted(stale().items()):
        with io.open(path(name), "w", encoding="utf-8", newline="") as file:
            file.write(text)
        print("written: %s" % name)


if __name__ == "__main__":
    main()
