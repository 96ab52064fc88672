"""Each file compiles on each Python that it is for: what ruff cannot say of 2.7 and 3.6."""

from __future__ import absolute_import

import io
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(ROOT, "unittest_leakfix")
MODERN = sys.version_info >= (3, 8)
# The folders that every Python can read; "" is the package's own. All others are for 3.8 and later.
CORE = ("", "_core", "resources")
# Only new Pythons can read these.
ANNOTATED = re.compile(r"^# needs Python|^from __future__ import annotations", re.MULTILINE)


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
        for _, path in sources(os.path.join(ROOT, "tests")):
            with io.open(path, encoding="utf-8") as source:
                text = source.read(6000)
            if MODERN or not ANNOTATED.search(text):
                compiled(path)


if __name__ == "__main__":
    unittest.main()
