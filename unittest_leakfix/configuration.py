"""The configuration file: what stands in one for a project, read as the values of `options`.

``[tool.unittest_leakfix]`` in pyproject.toml (``tomllib``, which is there from 3.11 on, or
``tomli``), ``[unittest_leakfix]`` in unittest_leakfix.cfg or setup.cfg, which is read here: 2.7's
parser and 3's do not agree on comments, and neither knows the line of a key. `_optional` looks for
the file, and loads this module only where one has our name in it. docs/configuration.md says which
file is taken.
"""

from __future__ import absolute_import

import io
import os
import re
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix.options import FILE, FINDING, OUTPUTS, RULES, options_in, output, read_text

__unittest = True
bind(globals())

SECTION = "unittest_leakfix"
_HEAD = re.compile(r"[ \t]*\[\[?[ \t]*([^\]]*?)[ \t]*\]\]?")
# A table of this name, or one that may have it: [tool] with unittest_leakfix = {...} below.
_TABLE = re.compile(r"(?m)^[ \t]*\[*[ \t]*[\"']?tool[\"']?[ \t]*"
                    r"(?:\.[ \t]*[\"']?unittest_leakfix\b|\][ \t]*(?:#.*)?$)")


class _Value(object):
    """What is given for a key: a text, a list, a truth value or a number, and on which line.

    Of a list in a .cfg file each item has a line of its own.
    """

    def __init__(self, value, line, lines=()):
        self.value, self.line, self.lines = value, line, lines


def read(path, pytest=False):
    """Return what the file *path* says, by the names of the options; {} where it has no section.

    The names of files in it are relative to its folder. What needs a later Python is passed over.
    "leaks" is "off" where nothing is said of it: a file does not switch finding on by what it says
    about how. *pytest*: "release" is a mode. Raises ``ValueError``, whose text names the file and
    the line.
    """
    name = _shown(path)
    with io.open(path, encoding="utf-8-sig", errors="replace") as file:
        text = file.read()
    given = _from_toml(text, name) if path.endswith(".toml") else _from_cfg(text, name)
    if not given:
        return {}
    found = {}
    for key, each in given:
        option = _option_called(key, "%s:%d" % (name, each.line))
        if option.name in found:
            raise ValueError("%s:%d: %s is given twice" % (name, each.line, key))
        try:
            value = _value_of(option, each, path)
        except ValueError as error:
            raise ValueError("%s:%d: %s = %s: %s" % (name, each.line, key, _as_given(each.value),
                                                     error))
        if option.works():
            found[option.name] = value
    if found.get("leaks") == "release" and not pytest:
        found["leaks"] = "off"      # which lets go of tests as well
    if any(option.part == FINDING and option.name in found for option in options_in("key")):
        found.setdefault("leaks", "off")
    return found


def _option_called(key, place):
    rows = dict((option.key, option) for option in options_in("key"))
    if key in rows:
        return rows[key]
    import difflib
    near = difflib.get_close_matches(key.replace("-", "_").lower(), sorted(rows), 1, 0.5)
    raise ValueError("%s: %s is not a key%s" % (
        place, key, ", did you mean %s?" % near[0] if near
        else "; the keys are %s" % ", ".join(sorted(rows))))


def _value_of(option, given, path):
    """Return the value of *option*. Raises ``ValueError`` without the place."""
    value, folder = given.value, os.path.dirname(path)
    if option.type == RULES:
        return _rules(given, _shown(path))
    if option.type == OUTPUTS:
        texts = value if isinstance(value, list) else re.split(r"[,\n]", _text(value))
        texts = [_text(each).strip() for each in texts]
        return [output(each, folder) for each in texts if each]
    if isinstance(value, (list, dict)):
        raise ValueError("give one value, not a %s" % ("list" if isinstance(value, list)
                                                       else "table"))
    text = _text(value).strip()
    if option.type == FILE:
        if not text or "\n" in text:
            raise ValueError("give the name of a file")
        return os.path.abspath(os.path.join(folder, text))
    return read_text(option, text, option.pytest_choices or option.choices)


def _rules(given, name):
    """Return the rules of a list as pairs: the rule, and "file:line". `leaks.rules` reads them."""
    value = given.value
    if not isinstance(value, list):
        if not isinstance(value, type(u"")):
            raise ValueError("give a list")
        value = value.split("\n")
    lines = list(given.lines) + [given.line] * len(value)
    return tuple((rule, "%s:%d" % (name, line)) for rule, line in zip(value, lines)
                 if not isinstance(rule, type(u"")) or rule.strip())


def _text(value):
    if value is True or value is False:
        return u"true" if value else u"false"
    return value if isinstance(value, type(u"")) else str(value)


def _as_given(value):
    return _text(value).replace("\n", " ")[:60] if not isinstance(value, (list, dict)) else (
        "[...]" if isinstance(value, list) else "{...}")


def _shown(path):
    """Return the name of the file as it is typed from here."""
    try:
        name = os.path.relpath(path)
    except (OSError, ValueError):   # this folder is gone, or it is on another drive
        return path
    return path if name.startswith(os.pardir) else name


# pyproject.toml

def _from_toml(text, name):
    """Return the keys of our table with their values."""
    if not _TABLE.search(text):
        return []
    parser = _toml_parser()
    if parser is None:
        sys.stderr.write("unittest_leakfix: [tool.%s] in %s is not read: that needs Python 3.11 or "
                         "later, or tomli; unittest_leakfix.cfg is read by every Python\n"
                         % (SECTION, name))
        return []
    try:
        table = parser.loads(text)
    except ValueError as error:
        raise ValueError("%s is not TOML: %s" % (name, error))
    tool = table.get("tool")
    ours = tool.get(SECTION) if isinstance(tool, dict) else None
    if ours is None:
        return []
    if not isinstance(ours, dict):
        raise ValueError("%s:%d: tool.%s is not a table" % (name, _line_of(text, SECTION), SECTION))
    found = []
    for key, value in ours.items():
        line = _line_of(text, key)
        found.append((key, _Value(value, line, _lines_of(text, value, line))))
    return found


def _toml_parser():
    for name in ("tomllib", "tomli"):
        try:
            return __import__(name)
        except ImportError:
            pass
    return None


def _line_of(text, key):
    """Return the line on which *key* is given in our table, as well as that can be seen."""
    mine = re.compile(r"""[ \t]*(?:(?:tool[ \t]*\.[ \t]*)?["']?%s["']?[ \t]*\.[ \t]*)?"""
                      r"""["']?%s["']?[ \t]*[.=]""" % (SECTION, re.escape(key)))
    inside, head = False, 0
    for number, line in enumerate(text.split("\n"), 1):
        title = _HEAD.match(line)
        if title is not None:
            parts = re.sub("[\"' \t]", "", title.group(1)).split(".")
            inside = parts == ["tool"] or parts[:2] == ["tool", SECTION]
            if parts[:3] == ["tool", SECTION, key]:
                return number
        elif mine.match(line) and (inside or line.lstrip().startswith("tool")):
            return number
        if not head and SECTION in line and (inside or line.lstrip().startswith("tool")):
            head = number
    return head or 1


def _lines_of(text, value, start):
    """Return the line of each item of a list that begins on the line *start*."""
    if not isinstance(value, list):
        return []
    lines, found, number = text.split("\n"), [], start
    for item in value:
        words = [item] if isinstance(item, type(u"")) else [
            each for each in getattr(item, "values", list)() if isinstance(each, type(u""))]
        forms = [form for each in words for form in (each, each.replace('"', '\\"')) if each]
        number = next((place for place in range(number, len(lines) + 1)
                       if any(form in lines[place - 1] for form in forms)), number)
        found.append(number)
    return found


# unittest_leakfix.cfg, setup.cfg

def _from_cfg(text, name):
    """Return the keys of our section with their values."""
    found, inside, there = [], False, False
    for number, line in enumerate(text.splitlines(), 1):
        title = _HEAD.match(line) if line[:1] == "[" else None
        if title is not None:
            inside = title.group(1) == SECTION
            there = there or inside
        elif not inside or not line.strip() or line.lstrip()[:1] in "#;":
            continue
        elif line[0] in " \t":
            if not found:
                raise ValueError("%s:%d: a key must begin its line" % (name, number))
            each = found[-1][1]
            each.value += u"\n" + line.strip()
            each.lines.append(number)
        else:
            match = re.match(r"([^=:]+?)[ \t]*[=:][ \t]*(.*)\Z", line)
            if match is None:
                raise ValueError("%s:%d: %s: give key = value" % (name, number, line.strip()[:60]))
            found.append((str(match.group(1)), _Value(match.group(2).strip(), number, [number])))
    if not there and os.path.basename(name) == SECTION + ".cfg":
        raise ValueError("%s has no section [%s]" % (name, SECTION))
    return found
