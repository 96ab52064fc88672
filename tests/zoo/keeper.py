"""Runs animals, each in a forked process of its own: ``python -m tests.zoo.keeper``.

Reads a request a line from standard input, {"names": [...], "options": {...}}, and answers with a
line: {"report", "output", "successful", "stray", "files", ...}. The fork takes everything with it
that the animal left: threads, children, temporary files.
"""
from __future__ import annotations

import asyncio.base_subprocess  # noqa: F401 (not an animal's doing)
import concurrent.futures.thread  # noqa: F401
import importlib
import io
import json
import logging.handlers  # noqa: F401
import multiprocessing.pool  # noqa: F401
import os
import re
import shutil
import signal
import sqlite3  # noqa: F401
import sys
import tempfile
import time
import unittest
import unittest.mock  # noqa: F401
import warnings

from unittest_leakfix import LeakFixTestLoader, LeakFixTestRunner
from unittest_leakfix.leaks import run  # noqa: F401
from unittest_leakfix.leaks.suppressions import ignore

LIMIT = 30
_REPORT = re.compile(r"^(?:OK|FAILED|NO TESTS RAN).*\n(?:unittest_leakfix: .*\n)?", re.MULTILINE)


def serve():
    """Answer until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        folder = os.path.realpath(tempfile.mkdtemp(prefix="zoo-"))
        for name, text in request.get("files", {}).items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        try:
            answer = _forked(request, folder)
        finally:
            shutil.rmtree(folder)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _forked(request, folder):
    stray, written = os.path.join(folder, "stray"), os.path.join(folder, "answer")
    pid = os.fork()
    if not pid:
        try:
            os.setsid()
            with open(stray, "w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            answer = _run(request, folder)
            with open(written, "w") as file:
                json.dump(answer, file)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(0)
    _wait(pid)
    try:
        with open(written) as file:
            answer = json.load(file)
    except (OSError, ValueError):
        answer = {"report": "", "output": "", "successful": False}
    with open(stray) as file:
        answer["stray"] = file.read()
    return json.loads(json.dumps(answer).replace(folder, "ZOO"))


def _wait(pid):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and os.waitpid(pid, os.WNOHANG) == (0, 0):
        time.sleep(0.002)
    try:
        os.killpg(pid, signal.SIGKILL)  # and what the animal started
    except ProcessLookupError:
        pass


def _run(request, folder):
    os.environ.update(ZOO=folder, SHOP_URL="https://shop.example")
    tempfile.tempdir = os.path.join(folder, "tmp")
    os.mkdir(tempfile.tempdir)
    options = json.loads(json.dumps(request.get("options", {})).replace("ZOO", folder))
    options.setdefault("leaks", "report")
    options.setdefault("warnings", "default")   # as unittest.main does
    if request.get("files"):
        sys.path.insert(0, folder)
    for name in request.get("first", ()):
        importlib.import_module(name)
    stream = io.StringIO()
    for entry in request.get("ignore", ()):
        ignore(**entry)
    if "resultclass" in request:
        module, _, name = request["resultclass"].rpartition(".")
        options["resultclass"] = getattr(importlib.import_module(module), name)
    runner = LeakFixTestRunner(stream=stream, **options)
    result = runner.run(LeakFixTestLoader().loadTestsFromNames(
        request["names"] + request.get("modules", [])))
    output = stream.getvalue()
    if "resultclass" in request and hasattr(result, "generate_reports"):
        import xmlrunner
        result.generate_reports(xmlrunner.XMLTestRunner(output=folder, outsuffix="now",
                                                        stream=io.StringIO()))
    return {"output": output, "report": _REPORT.split(output, 1)[-1].strip("\n"),
            "successful": result.wasSuccessful(), "files": _files(folder),
            "environment": {name: os.environ.get(name) for name in ("SHOP_DEBUG", "SHOP_URL")},
            "cwd": os.getcwd(), "path": list(sys.path), "filters": str(warnings.filters),
            "price": str(type(sys.modules["tests.zoo.shop"].price))
            if "tests.zoo.shop" in sys.modules else "",
            "failures": [[str(getattr(test, "id", lambda: test)()), str(text)]
                         for test, text in result.failures]}


def _files(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith((".xml", ".json")):
            with open(os.path.join(folder, name)) as file:
                found[name] = file.read()
    return found


if __name__ == "__main__":
    serve()
