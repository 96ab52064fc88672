"""pytest with the plugin in a child process, in a folder of its own."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT

try:
    import pytest
except ImportError:
    raise unittest.SkipTest("needs pytest")

LIMIT = 60
PLUGIN = ("-p", "unittest_leakfix.pytest_plugin")
# No plugins but those that a test asks for: the environments have many.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
VERSION = tuple(map(int, pytest.__version__.split(".")[:2]))


class PytestCase(unittest.TestCase):
    """``write()`` files, then ``pytest()`` runs them."""

    maxDiff = None

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, **files):
        """Write each as a Python module; ``ini=`` as pytest.ini."""
        for name, text in files.items():
            name = "pytest.ini" if name == "ini" else name.replace("__", "/") + ".py"
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text).lstrip("\n"))

    def pytest(self, *arguments, typed="", plugin=True, **environment):
        """Run pytest there; return its output, with times and paths levelled out, and its
        status."""
        environ = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", COLUMNS="80",
                       **dict(dict(ALONE, PYTHONPATH=ROOT), **environment))
        for name in ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "NO_COLOR", "FORCE_COLOR"):
            environ.pop(name, None)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *(PLUGIN if plugin else ()), "-p", "no:cacheprovider",
             *arguments],
            cwd=self.folder, env=environ, input=typed, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT, encoding="utf-8", errors="replace")
        return self.steady(done.stdout), done.returncode

    def steady(self, text):
        text = text.replace(self.folder, "FOLDER")
        text = re.sub(r"\d+\.\d\ds\b", "0 s", text)
        return re.sub(r"0x[0-9a-f]{6,}", "0x0", text)

    def section(self, text):
        """Return our section of the output, "" without one."""
        found = re.search(r"^=+ leaks =+\n(.*?)(?=^\n?(?:=|!)+ |^\d+ (?:passed|failed|error)|\Z)",
                          text,
                          re.MULTILINE | re.DOTALL)
        return found.group(1) if found else ""

    def causes(self, text):
        """Return the headlines of the leaks, without their counts."""
        return [re.sub(r"  +\S.*", "", line)
                for line in re.findall(r"^\[\d+\] (.*)$", self.section(text), re.M)]
