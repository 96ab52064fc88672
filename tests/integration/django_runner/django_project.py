"""A Django project with tests of every outcome, run in a process of its own by Django's runner and
by ours.

One process does many runs, since Django takes long to load. Each run returns what it printed.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from typing import Any, Dict, List, Optional, Sequence

from tests.support.paths import ROOT

LIMIT = 120     # seconds for one process, which takes one to five

SETTINGS = '''\
import os
SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
'''

MODELS = '''\
from django.db import models


class Order(models.Model):
    name = models.CharField(max_length=20)
'''

# What a run is asked for comes as a list of {"args", "settings", "labels"}; what it printed goes
# back.
RUN = '''\
import io, json, os, sys, time, weakref
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test.utils import override_settings
django.setup()
sys.stdin = io.StringIO("q\\n" * 200)
outputs = []
for wanted in json.load(open("wanted.json")):
    sys.stdout = sys.stderr = stream = io.StringIO()
    status = None
    if "shop.tests" in sys.modules:
        del sys.modules["shop.tests"].payloads[:]
    if os.path.exists("probe.txt"):
        os.remove("probe.txt")
    try:
        with override_settings(**wanted["settings"]):
            call_command("test", *wanted["labels"], *wanted["args"])
        status = 0
    except SystemExit as end:
        status = end.code
    except CommandError as error:
        stream.write("CommandError: %s" % error)
        status = 1
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    probe = open("probe.txt").read().split() if os.path.exists("probe.txt") else []
    outputs.append({"status": status, "text": stream.getvalue(), "alive": sorted(probe)})
json.dump(outputs, open("reported.json", "w"))
'''

OURS = "unittest_leakfix.django.LeakFixDiscoverRunner"
PLAIN = "django.test.runner.DiscoverRunner"


class Ran:
    """What one run came to: its exit ``status``, the ``text`` that it printed, and the payloads
    that were ``alive`` in its last test."""

    def __init__(self, reported: Dict[str, Any]) -> None:
        self.status: int = reported["status"]
        self.text: str = reported["text"]
        self.alive: List[str] = reported["alive"]

    def steady(self) -> str:
        """Return the text without what differs from run to run, and without our own line."""
        text = re.sub(r"(?m)^unittest_leakfix: .*\n", "", self.text)
        for pattern, instead in ((r"\d+\.\d+ ?s(econds)?\b", "0 s"), (r"0x[0-9a-f]+", "0x0"),
                                 (r"\(\d+\.\d{3}\)", "(0.000)"), (r"\d+\.\d+s", "0s")):
            text = re.sub(pattern, instead, text)
        return text

    def report(self) -> str:
        """Return what was reported of leaks."""
        return self.text.partition("\nLEAKS")[2].partition("\nDestroying")[0]


def wanted(*args: str, runner: str = OURS, labels: Sequence[str] = ("shop",),
          **settings: Any) -> Dict[str, Any]:
    """Return one run to be done: options, TEST_RUNNER and further settings."""
    return {"args": list(args), "labels": list(labels),
            "settings": dict(settings, TEST_RUNNER=runner)}


class ProjectCase(unittest.TestCase):
    """A project in a folder of its own, `write` to it, and `run_all`."""

    folder = ""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="leakfix-django-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.write("settings.py", SETTINGS)
        cls.write("run.py", RUN)
        cls.write("shop/__init__.py", "")
        cls.write("shop/models.py", MODELS)

    @classmethod
    def write(cls, name: str, text: str) -> None:
        """Write a file of the project."""
        path = os.path.join(cls.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    @classmethod
    def run_all(cls, runs: Sequence[Dict[str, Any]],
                environment: Optional[Dict[str, str]] = None) -> List[Ran]:
        """Do the *runs* in one process, and return what each came to."""
        cls.write("wanted.json", json.dumps(runs))
        output = cls.python("run.py", environment=environment)
        try:
            with open(os.path.join(cls.folder, "reported.json"), encoding="utf-8") as reported:
                return [Ran(each) for each in json.load(reported)]
        except OSError:
            raise AssertionError("the runs ended with:\n%s" % output)
        finally:
            if os.path.exists(os.path.join(cls.folder, "reported.json")):
                os.remove(os.path.join(cls.folder, "reported.json"))

    @classmethod
    def python(cls, *arguments: str, environment: Optional[Dict[str, str]] = None) -> str:
        """Run Python in the project's folder and return what it printed."""
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=cls.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(os.environ, PYTHONPATH=ROOT, **(environment or {})))
        limit = threading.Timer(LIMIT, child.kill)
        limit.start()
        try:
            return child.communicate()[0].decode("utf-8", "replace")
        finally:
            limit.cancel()
