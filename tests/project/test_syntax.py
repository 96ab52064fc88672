"""Each file compiles on each Python that it is for: what ruff cannot say of 2.7 and 3.6."""

from __future__ import absolute_import

import io
import os
import re
import sys
import unittest

from tests.retention import cases
from tests.support.paths import ROOT

PACKAGE = os.path.join(ROOT, "unittest_leakfix")
MODERN = sys.version_info >= (3, 8)
# The folders that every Python can read; "" is the package's own. All others are for 3.8 and later.
CORE = ("", "_core", "resources")
ANNOTATED = re.compile(r"^from __future__ import annotations", re.MULTILINE)
# What the ``__init__`` of a folder of tests says when it is not for every Python.
NEEDS = re.compile(r"^needs\((\d+), (\d+)\)$", re.MULTILINE)


def sources(top):
    """Yield (folder below *top*, path) of each source."""
    for folder, _, names in os.walk(top):
        below = os.path.relpath(folder, top)
        for name in sorted(names):
            if name.endswith(".py"):
                yield "" if below == "." else below, os.path.join(folder, name)


def compiled(path):
    """Compile a source; raises SyntaxError."""
    with io.open(path, "rb") as source:
        compile(source.read(), path, "exec", 0, True)


class SyntaxTests(unittest.TestCase):
    def test_package(self):
        for folder, path in sources(PACKAGE):
            if MODERN or folder in CORE:
                compiled(path)

    def test_core_is_not_annotated(self):
        marked = []
        for folder, path in sources(PACKAGE):
            with io.open(path, encoding="utf-8") as source:
                if folder in CORE and ANNOTATED.search(source.read()):
                    marked.append(os.path.relpath(path, ROOT))
        self.assertEqual(marked, [])

    def test_tests_that_every_python_loads(self):
        """What stands outside the folders that need a newer one."""
        read = []
        for folder, path in sources(os.path.join(ROOT, "tests")):
            needed = needs(folder)
            if folder == "retention":
                theme = os.path.basename(path)[:-len(".py")]
                needed = cases.NEEDS.get(theme, needed)
            if needed <= sys.version_info[:2]:
                compiled(path)
                read.append(folder)
        self.assertIn("unit", read)
        self.assertEqual("unit/leaks" in read, MODERN)


def needs(folder):
    """Return the first Python that can read the tests of that folder; its ``__init__`` says so."""
    found = (2, 7)
    while folder:
        init = os.path.join(ROOT, "tests", folder, "__init__.py")
        if not os.path.exists(init):
            return (3, 8)   # programs of their own
        with io.open(init, encoding="utf-8") as source:
            printed = NEEDS.search(source.read())
        if printed:
            found = max(found, (int(printed.group(1)), int(printed.group(2))))
        folder = os.path.dirname(folder)
    return found


if __name__ == "__main__":
    unittest.main()
