"""Whose code a file holds, and how its name is shown.

The user's own is what remains: not the standard library's, not an installed package's, not that of
a test runner, not ours.
"""

from __future__ import absolute_import

import os

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

#: Origins of code, by file name.
USER, LIBRARY, RUNNER, OURS, HARNESS = range(5)

#: The folder that the run was started in, with a separator.
START = os.getcwd() + os.sep
#: What the folder of installed packages has in its path.
PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_TESTS = os.sep + "tests" + os.sep
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: The folder of the standard library.
#: The folder of the standard library, with a separator.
STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
# The standard library's own tests, and what was installed beside it, are the user's code.
_NOT_LIBRARY = tuple(STDLIB + part + os.sep
                     for part in ("site-packages", "dist-packages", "test"))
_RUNNER = tuple(STDLIB + os.path.join("unittest", name) for name in ("case.py", "suite.py"))
# pytest, Hypothesis and what runs tests for them: neither their frames nor their objects are a
# test's.
_HARNESS = tuple(os.sep + os.path.join(*parts) for parts in (
    ("_pytest", ""), ("pytest", "__main__.py"), ("pluggy", ""), ("pytest_asyncio", ""),
    ("xdist", ""), ("execnet", ""), ("pytest_timeout.py",),
    ("site-packages", "coverage", ""), ("dist-packages", "coverage", ""),
    ("pytest_django", ""), ("anyio", "pytest_plugin.py"), ("hypothesis", "")))
_KINDS = {}
_KINDS_AT_MOST = 10000
# What a person has typed in has no file either.
_TYPED = ("<stdin>", "<ipython-input", "<doctest ", "<console>")


def origin_of(filename):
    """Tell whose code `filename` holds: USER, LIBRARY, RUNNER (unittest itself), OURS, or
    HARNESS (pytest and its like)."""
    kind = _KINDS.get(filename)
    if kind is None:
        kind = _find_origin(filename)
        # generated code may have a file name of its own each time
        if len(_KINDS) >= _KINDS_AT_MOST:
            _KINDS.clear()
        _KINDS[filename] = kind
    return kind


def _find_origin(filename):
    if filename.startswith(_PACKAGE):
        return OURS
    if filename.startswith(_RUNNER):
        return RUNNER
    if filename.startswith("<frozen "):
        return LIBRARY
    if filename.startswith(STDLIB) and not filename.startswith(_NOT_LIBRARY):
        # lib2to3/tests, unittest/test on 3.10 and older
        if _TESTS not in filename:
            return LIBRARY
    return HARNESS if any(part in filename for part in _HARNESS) else USER


def is_users_file(filename):
    """Tell whether a file is the user's own: not of the standard library, not of an installed
    package, not ours, and not made up (``<string>`` is what dataclasses are made of)."""
    return (origin_of(filename) == USER and not any(part in filename for part in PACKAGES)
            and (not filename.startswith("<") or filename.startswith(_TYPED)))


def is_library_file(filename):
    """Tell whether a file is of the standard library: of unittest and of its tests, too, and not
    of a package installed in its folder."""
    return filename.startswith(STDLIB) and not any(part in filename for part in PACKAGES)


def short(filename):
    """Return `filename` relative to the folder the run was started in, or to the standard
    library's."""
    if filename.startswith(START):
        return filename[len(START):]
    if filename.startswith(STDLIB) and origin_of(filename) == LIBRARY:
        return filename[len(STDLIB):]
    return filename
