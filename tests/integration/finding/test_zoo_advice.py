"""What the report advises, typed into a copy of the zoo by machine, ends the leak and breaks nothing.

Each animal runs once for its report, and once more with the advice in it, together with the tests of
`tests.zoo.afterwards`, which use the same applications: nothing may be reported, and all must pass.
"""  # noqa: E501
from __future__ import annotations

import io
import json
import os
import re
import sys
import unittest

from tests.support.schema import jsonschema, strict_problems
from tests.tiers import NEWEST, full_on, nightly
from tests.zoo.case import ROOT, ZooCase, each_animal, keeper
from tests.zoo.healing import CannotType, heal

# What is advised in words, since nobody can know the code: the beginning of the sentence.
WORDS = {
    "running.Running.test_thread": "let it end with the test, and join it",
    "running.Running.test_daemon_thread": "let it end with the test, and join it",
    "coroutines.Asyncio.test_async_generator": "await its aclose()",
    "coroutines.Asyncio.test_task_destroyed": "cancel it and await it",
    "coroutines.Asyncio.test_exception_never_retrieved": "await the task",
    "state.ForeignClose.test_file": "open it in setUp",
    "state.ForeignClose.test_connection": "open it in setUp",
    "coroutines.AsyncTest.test_exception_never_retrieved": "await the task",
    "settings.Raised.test_in_a_thread": "let the test see it",
    "settings.Logging.test_level_of_a_handler": "give the handler its old level",
    "settings.Libraries.test_dialect": "take out what it has registered",
}
# Where the number is of no object: the machine would have to rewrite an ``if``.
REWRITTEN = ("running.Running.test_child_process_ended",)


def tearDownModule():
    keeper.close()


class AdviceCase(ZooCase):
    """Types the advice for each animal, and runs it once more."""

    def see(self, name):
        module, _, _ = name.partition(".")
        leaks = self.leaks(name)
        remedies = [leak["remedy"] for leak in leaks]
        self.assertTrue(all(remedies), leaks)
        if name in WORDS:
            self.assertTrue(remedies[0].startswith(WORDS[name]), remedies)
            with self.assertRaises(CannotType):
                heal("", "", remedies[0])
            return
        if name in REWRITTEN:
            self.assertRegex(remedies[0], "^keep the .* in self.*, then self.addCleanup")
            return
        with io.open(os.path.join(ROOT, "tests", "zoo", module + ".py")) as file:
            source = file.read()
        if name.endswith("never_awaited"):
            source = source.replace("sleep(60)", "sleep(0)")
        for leak in leaks:
            # Of what is looked at once per class it is not known which test it was.
            tests = [test for test in leak["tests"]
                     if " (" not in test or "def %s(" % test.partition(" (")[0] in source]
            leak["left_by"] = (tests or ["tests.zoo." + name])[0]
            source = heal(source, _function(leak), leak["remedy"], _line(leak, module))
        healed = "healed_" + module
        answer = keeper.ask(files={healed + ".py": source}, first=["tests.zoo.afterwards"],
                            modules=[healed + name[len(module):], "tests.zoo.afterwards"])
        reported = "%s\n\n%s\n%s" % (remedies, source, answer["output"])
        self.assertTrue(answer["successful"], reported)
        self.assertEqual("", answer["report"], reported)
        self.assertEqual("", answer["stray"], reported)

    def leaks(self, name):
        answer = keeper.ask(name, options={"leaks_json": "ZOO/leaks.json"})
        value = json.loads(answer["files"]["leaks.json"])
        if jsonschema is not None:
            self.assertEqual([], strict_problems(value, "docs/report.schema.json"))
        return value["leaks"]


@unittest.skipIf(sys.version_info < (3, 9), "ast.unparse came with Python 3.9")
@full_on(NEWEST)
@each_animal("kept", "advised", "changed")
class AdviceTests(AdviceCase):
    """The core: all ways out of what keeps something, all kinds of resources."""


@unittest.skipIf(sys.version_info < (3, 9), "ast.unparse came with Python 3.9")
@nightly
@each_animal("opened", "running", "state", "coroutines", "advised_scopes")
class MoreAdviceTests(AdviceCase):
    """The other animals."""


def _function(leak):
    """Return the function in which the report has one type: "Class.test_it", "setUpModule"."""
    acquisition = leak["acquisition"]
    by = leak["left_by"]
    if acquisition and " (" in acquisition["test"]:
        by = acquisition["test"]
    name, _, scope = by.partition(" (")
    path = scope[:-1] + "." + name if scope else by
    path = re.sub(r"\Atests\.zoo\.\w+\.", "", path)
    for frame in (acquisition or {}).get("frames", ()):
        if frame["function"].startswith("setUp"):
            path = path.rpartition(".")[0] + "." + frame["function"]
    return path.lstrip(".")


def _line(leak, module):
    """Return the line of the module that the report shows."""
    frames = (leak["acquisition"] or {}).get("frames", ())
    return next((frame["line"] for frame in frames
                 if frame["file"].endswith("/%s.py" % module)), 0)


if __name__ == "__main__":
    unittest.main()
