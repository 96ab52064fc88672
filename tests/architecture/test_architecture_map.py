"""docs/architecture.md: its map is that of the sources, and the files that it names are there."""
from __future__ import annotations

import io
import os
import re
import sys
import unittest

from tests.support.paths import ROOT
from tests.support.scripts import load


class MapTests(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.script = load("architecture_map")

    @unittest.skipIf(sys.version_info < (3, 9), "3.8 cleans docstrings otherwise")
    def test_it_is_up_to_date(self) -> None:
        text, wanted = self.script.PART.page()
        self.assertEqual(wanted, text, "stale: run python docs/architecture_map.py")

    def test_each_folder_is_on_it(self) -> None:
        package = self.script.PACKAGE
        folders = {os.path.relpath(folder, package).replace(os.sep, "/")
                   for folder, _, names in os.walk(package) if "__init__.py" in names}
        self.assertEqual(sorted(folders), sorted(self.script.FOLDERS))

    def test_each_file_says_what_it_is(self) -> None:
        silent = [line for line in self.script.written().splitlines()
                  if re.search(r"\|\s*\|$", line)
                  and line != "| file | |"]
        self.assertEqual([], silent)

    def test_what_contributors_are_referred_to_is_there(self) -> None:
        for page in ("CONTRIBUTING.md", "docs/architecture.md"):
            with io.open(os.path.join(ROOT, page), encoding="utf-8") as file:
                text = file.read()
            named = set(re.findall(r"(?<![\w/.])(?:tests|docs|benchmarks|examples)/[\w/]+\.\w+",
                                   text))
            named |= {"unittest_leakfix/" + each for each in re.findall(
                r"`((?:_core|resources|tracing|process_state|leaks|databases)/[\w/]+\.py)`", text)}
            self.assertTrue(named)
            self.assertEqual([], sorted(each for each in named
                                        if not os.path.exists(os.path.join(ROOT, each))), page)


if __name__ == "__main__":
    unittest.main()
