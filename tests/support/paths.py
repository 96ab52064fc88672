"""Where things are, and which test modules there are. Every Python imports this."""

from __future__ import absolute_import

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = os.path.join(ROOT, "tests")
GOLDEN = os.path.join(TESTS, "golden")


def modules(below=TESTS):
    """Return the full names of the test modules: "tests.unit.test_runner"."""
    found = []
    for folder, folders, files in os.walk(below):
        folders[:] = [f for f in folders if os.path.exists(os.path.join(folder, f, "__init__.py"))]
        found += [os.path.relpath(os.path.join(folder, name), ROOT)[:-len(".py")].replace(
            os.sep, ".") for name in files if name.startswith("test_") and name.endswith(".py")]
    return sorted(found)


def resolved(name):
    """Return the full names that *name* chooses, wherever its module stands.

    It is a test module (``test_runner``), a class or method in one, or a folder (``unit``,
    ``integration.databases``), from ``tests.`` on or without that. A module that is not a test's
    is named with its folder.
    """
    parts = name.split(".")
    if parts[0] == "tests":
        del parts[0]
    for number, part in enumerate(parts):
        if part.startswith("test_"):
            for module in modules():
                if module.endswith("." + part):
                    return [".".join([module] + parts[number + 1:])]
            break
    if parts and os.path.isdir(os.path.join(TESTS, *parts)):
        return modules(os.path.join(TESTS, *parts))
    return [".".join(["tests"] + parts)]
