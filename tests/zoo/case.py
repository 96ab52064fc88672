"""A keeper at work, and test cases that ask it for each animal of a module."""
from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import unittest

from tests.support.paths import GOLDEN, ROOT
from tests.unit.leaks.leak_samples import WRITE

_ZOO = os.path.join(ROOT, "tests", "zoo")
_COUNT = re.compile(r"\s+(?=\d[\d,]* (?:tests?|fixtures?)\b[^\n]*$)")
_VARIES = (
    (re.compile(r"shop-\w{8}\b"), "shop-XXXXXXXX"),
    (re.compile(r"\bpid \d+"), "pid N"),
    (re.compile(r"\bdescriptor \d+ \("), "descriptor N ("),
    (re.compile(r"(127\.0\.0\.1):(?:\d+|\*(?= ))"), r"\1:PORT"),
    # The standard library's own lines, and what one test alone weighs.
    (re.compile(r"(?<![/\w])((?:\w+/)*(?!tests/)\w+\.py):\d+(?= in )"), None),
    (re.compile(r"\b\d[\d.]* kB\b"), "N kB"),
    # 3.13 knows where classes are written; what a thread local keys its values by has had many
    # names.
    (re.compile(r"([┬├╰][─→]? class \w+)\s+tests/\S+:\d+$"), r"\1"),
    (re.compile(r"\[<(?:ReferenceType|weakref|_localdummy)>\]"), "[<key>]"),
    (re.compile(r"(gc\.get_referents\((?:tests\.zoo\.shop\.\w+|atexit)\))\[\d\]"), r"\1[N]"),
)


class Keeper:
    """The process that runs animals; started at the first question."""

    def __init__(self):
        self._process = None

    def ask(self, *names, **request):
        """Run the animals of these names (below tests.zoo) in one run, and return the answer."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.zoo.keeper"], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, universal_newlines=True)
        request["names"] = ["tests.zoo." + name if name else "tests.zoo" for name in names]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """Send it home."""
        if self._process is not None:
            process, self._process = self._process, None
            with process:
                process.stdin.close()


keeper = Keeper()


def animals(module):
    """Return "Class.test" for each test of a module of the zoo, in order; it is not imported."""
    with io.open(os.path.join(_ZOO, module + ".py"), encoding="utf-8") as source:
        tree = ast.parse(source.read())
    return ["%s.%s" % (cls.name, each.name) for cls in tree.body if isinstance(cls, ast.ClassDef)
            for each in cls.body if getattr(each, "name", "").startswith("test_")]


def plain(report):
    """Return the report without what differs from run to run and from Python to Python."""
    lines = []
    for line in report.replace(ROOT, "HERE").splitlines():
        reported = line
        for pattern, by in _VARIES:
            reported = pattern.sub(by if by is not None else _of_library, reported)
        lines.append(_COUNT.sub("  ", reported) if reported != line else line)
    return "\n".join(lines)


def _of_library(match):
    return match.group() if match.group().startswith("tests/") else match.group(1) + ":N"


@unittest.skipUnless(hasattr(os, "fork"), "needs os.fork")
class ZooCase(unittest.TestCase):
    """Has the assertions; a subclass that names its ``modules`` gets a test for each animal."""

    maxDiff = None

    def assertGolden(self, name, text):
        path = os.path.join(GOLDEN, "zoo", name + ".txt")
        # Where a Python tells it otherwise, there is a text for the newest that does.
        for minor in range(sys.version_info[1], 20):
            other = os.path.join(GOLDEN, "zoo", "%s.3.%d.txt" % (name, minor))
            if os.path.exists(other):
                path = other
                break
        if WRITE:
            with io.open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text + "\n")
        with io.open(path, encoding="utf-8", newline="") as file:
            self.assertEqual(file.read(), text + "\n")


def each_animal(*modules):
    """A class decorator: a test method for each animal of the *modules*, calling ``see``."""
    def decorate(cls):
        for module in modules:
            for animal in animals(module):
                setattr(cls, "test_%s__%s" % (module, animal.replace(".test_", "_")),
                        _method("%s.%s" % (module, animal)))
        return cls
    return decorate


def _method(name):
    def test(self):
        self.see(name)
    return test
