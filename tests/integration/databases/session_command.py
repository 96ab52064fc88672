"""The command as the tests run it."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from tests.integration.databases.session_case import SessionCase
from tests.support.paths import ROOT


class Run:
    """One run of the command: its `status`, and what it `printed` and `complained` of."""

    def __init__(self, case, *arguments, answer="", options=(), cwd=None, **environ):
        child = subprocess.run(
            [sys.executable, *options, "-m", "unittest_leakfix", *arguments], input=answer, cwd=cwd,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
            env=case.environment(**environ), encoding="utf-8", timeout=60)
        self.status, self.printed, self.complained = child.returncode, child.stdout, child.stderr
        if hasattr(case, "server"):
            case.shown(self.printed + self.complained)


class Environment(SessionCase):
    """A home of its own, without a password in it."""

    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("PG", "MYSQL_"))}
        kept.update({"HOME": self.home, "PYTHONPATH": ROOT, "PYTHONIOENCODING": "utf-8"}, **more)
        return kept
