"""Imports every theme that this Python can read, so that ``harness.CASES`` is full."""

from __future__ import absolute_import

import importlib
import sys

THEMES = ["outcomes", "groups", "fixtures", "cleanups", "cycles", "options", "suites",
          "others", "asynchronous", "resources"]
#: Those that older Pythons cannot read.
NEEDS = {"groups": (3, 11), "asynchronous": (3, 8)}

for theme in THEMES:
    if sys.version_info >= NEEDS.get(theme, (2, 7)):
        importlib.import_module("tests.retention." + theme)
