"""Rows that libraries ship themselves: entry points of the group ``unittest_leakfix.resources``.

In the metadata of a library (``pyproject.toml``)::

    [project.entry-points."unittest_leakfix.resources"]
    acme = "acme.testing:register"

``acme`` is the module that the user imports: only when it is there, ``acme.testing`` is imported
and its function called, without arguments. It calls ``register_resource``. The metadata are read
once, when the first object of an installed package is looked at, or when finding begins; not by
``importlib.metadata``, which takes longer to import than all the rest (and is new in 3.8).
"""
from __future__ import absolute_import

import os
import sys

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

GROUP = "unittest_leakfix.resources"
_METADATA = (".dist-info", ".egg-info")
_INSTALLED = ("site-packages", "dist-packages")
_MOST = 1 << 20     # bytes of a file
_join = os.path.join
_listdir = os.listdir
_modules = sys.modules

_waiting = None     # {module of the user's import: "module:function"}, None before they were read


def waiting():
    """Return {module: "module:function"} of what was not called yet."""
    global _waiting
    if _waiting is None:
        _waiting = {}
        for folder in list(sys.path):
            for name, target in read(folder):
                _waiting.setdefault(name, target)
    return _waiting


def read(folder):
    """Return the pairs (module, "module:function") in the metadata of a *folder* of packages."""
    try:
        names = [name for name in _listdir(folder or ".") if name.endswith(_METADATA)]
    except EnvironmentError:
        return []
    found = []
    for name in sorted(names):
        try:
            with open(_join(folder, name, "entry_points.txt"), "rb") as file:
                text = file.read(_MOST).decode("utf-8")
        except (EnvironmentError, UnicodeError):    # most have none
            continue
        found += _of_group(text)
    return found


def _of_group(text):
    if GROUP not in text:
        return []
    found, inside = [], False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line[1:].partition("]")[0].strip() == GROUP
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            found.append((str(name.strip()), str(target.partition("[")[0].strip())))
    return found


def load(names=None):
    """Call the functions of those whose module is imported; of these *names* only, if given.

    Returns whether there was one. A fault in one is a warning.
    """
    called = False
    for name in [name for name in waiting() if name in _modules]:
        if names is None or name in names:
            target = _waiting.pop(name)
            called = True
            try:
                _call(target)
            except errors.PASSING:
                raise
            except BaseException:
                errors.warn_text("the entry point %s = %s of %s failed: %s" % (
                    name, target, GROUP, errors.fault_text()))
    return called


def _call(target):
    module, _, path = target.partition(":")
    __import__(module)
    value = _modules[module]
    for part in path.split("."):
        value = getattr(value, part)
    value()


def of_class(module):
    """Load those that a class of this *module* may need. Returns whether there was one."""
    if type(module) is not str:
        return False
    parts = module.split(".")
    if _waiting is None:
        file = getattr(_modules.get(parts[0]), "__file__", None)
        if type(file) is not str or not any(each in file for each in _INSTALLED):
            return False
    if not waiting():
        return False
    return load([".".join(parts[:place + 1]) for place in range(len(parts))])
