"""Putting something in the place of something else for a while, and taking it away again.

`Swap` is the one implementation of it. `originals` are the functions of the standard library as
they were before the first test, for the moments in which our own code calls deep into it.
"""

from __future__ import absolute_import

import sys
import types
from operator import is_

from unittest_leakfix._core.early import around_loading, bind
from unittest_leakfix._core.introspection import dict_slot, module_slot

__unittest = True
bind(globals())

_MISSING = object()


class Swap(object):
    """Values that stand in the place of others until ``back()``.

    What others have put in the same place meanwhile stays there.
    """

    def __init__(self):
        self._done = []     # place, name, what was there, what is there now

    def __bool__(self):
        return bool(self._done)

    __nonzero__ = __bool__

    def put(self, place, name, value):
        """Make *value* the attribute *name* of *place*, a module, class or instance.

        An attribute that only a base class has is hidden, and seen again afterwards. Raises what
        setting it raises; then nothing is changed.
        """
        old = _attribute_of(place, name)
        self._done.append((place, name, old, value))    # first: it may be interrupted
        try:
            setattr(place, name, value)
        except BaseException:
            if _attribute_of(place, name) is not value:
                self._done.pop()
            raise

    def put_each(self, values):
        """Do `put` for each (place, name, value) of *values*, where it cannot fail."""
        done = [(place, name, _attribute_of(place, name), value) for place, name, value in values]
        self._done += done      # before the first: it may be interrupted
        for place, name, _, value in done:
            setattr(place, name, value)

    def back(self):
        """Put back what was there, last first. Never raises."""
        while self._done:
            place, name, old, new = self._done[-1]
            try:
                if _attribute_of(place, name) is new:
                    if old is _MISSING:
                        delattr(place, name)
                    else:
                        setattr(place, name, old)
            except Exception:   # a place that refuses: nothing is to be done about it
                pass
            self._done.pop()


class LateSwap(object):
    """A `Swap` of what is in modules that may be loaded later: `look` puts what has come since.

    *wanted*: for each the module, the name of a class in it ("" for none), the attribute, and a
    function that makes the value to put there of what was there.
    """

    def __init__(self, wanted):
        self._wanted = wanted
        self._missing = []
        self._swap = Swap()

    def install(self):
        """Begin: put what can be put."""
        self._missing = list(self._wanted)
        self.look()

    def look(self, _=None):
        """Put what was loaded since. Cheap."""
        for wanted in tuple(self._missing):
            module, owner, name, make = wanted
            place = sys.modules.get(module)
            if not issubclass(type(place), types.ModuleType):
                continue    # not loaded, or something else in its place
            if owner:
                place = vars(place).get(owner)
            if place is None or name not in vars(place):
                continue    # loaded only half
            self._missing.remove(wanted)
            self._swap.put(place, name, make(vars(place)[name]))

    def remove(self):
        """Put back what was there, except where others have put something since."""
        self._missing = []
        self._swap.back()


def _attribute_of(place, name):
    """Return what *place* itself has as *name*, not a base of it; `_MISSING` if it has none."""
    return vars(place).get(name, _MISSING)


#: What our own code calls into when no test runs: text reports, JSON, warnings, source lines.
MODULES = (
    "builtins", "__builtin__", "sys", "os", "posixpath", "ntpath", "stat", "genericpath", "io",
    "time", "gc",
    "threading", "socket", "json", "json.encoder", "json.decoder", "json.scanner", "linecache",
    "traceback", "tokenize", "token", "tempfile", "codecs", "encodings", "re",
    "re._compiler", "re._parser", "sre_compile", "sre_parse", "copyreg", "enum", "functools",
    "contextlib", "collections", "itertools", "operator", "keyword", "types", "weakref", "fnmatch",
    "dataclasses", "copy", "shutil", "textwrap", "unicodedata", "unittest.util", "string")
# Those whose classes do much of it.
_CLASSES = frozenset([
    "threading", "json.encoder", "json.decoder", "traceback", "tokenize", "codecs", "re._parser",
    "sre_parse", "contextlib"])
# What is meant to be replaced, of threading and sys.
_HOOKS = frozenset(["excepthook", "displayhook", "breakpointhook", "unraisablehook", "exitfunc"])
_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType)
_METHODS = (types.FunctionType, staticmethod, classmethod, property)


class Originals(object):
    """The functions and classes of the standard library as they were when they were noted.

    ``with originals: ...`` has them all in their places, for the block, and leaves what a test
    has put there in its place again. Only what differs is touched. What is meant to be replaced
    (``sys.stdout``, ``os.environ``, the functions of ``warnings``) stays as it is.
    """

    def __init__(self, modules=MODULES):
        self._modules = modules
        self._places = []       # (module or class, which functions and classes it had)
        self._finds = True
        self._depth = 0         # of the runs
        self._entered = 0
        self._swap = Swap()

    def note(self, finds=True):
        """Take note of them, when the outermost run begins; `forget` when it is over.

        A run that *finds* what is held must not hold what else is in these modules, such as
        caches. Where nothing is found, sorting that out would cost more than all other notes.
        """
        self._depth += 1
        if self._depth == 1:
            self._finds = finds
            self._places = list(_noted(self._modules, _of_kinds if finds else _copy))

    def forget(self):
        """The run that called `note` is over. What one that finds has noted serves its report."""
        self._depth -= 1
        if self._depth == 0 and not self._finds:
            self._places = []

    def around(self, function):
        """Return *function* so that it runs with all of them in their places."""
        def surrounded(*args, **kwds):
            with self:
                return function(*args, **kwds)
        surrounded.__name__, surrounded.__doc__ = function.__name__, function.__doc__
        return surrounded

    def swapped(self):
        """Return what differs just now, within the block: (place, name, what was found there, the
        original) for each. Not a copy."""
        return self._swap._done

    def __enter__(self):
        self._entered += 1
        if self._entered == 1:
            for place, values in self._places:
                now = vars(place)
                if all(map(is_, map(now.get, values), values.values())):
                    continue    # as a rule; asking for each takes five times as long
                kinds = _METHODS if issubclass(type(place), type) else _FUNCTIONS
                for name, value in values.items():
                    if (now.get(name) is not value and name not in _HOOKS
                            and isinstance(value, kinds)):
                        try:
                            self._swap.put(place, name, value)
                        except Exception:   # it stays as the test left it
                            pass
        return self

    def __exit__(self, kind, error, trace):
        self._entered -= 1
        if not self._entered:
            self._swap.back()


def _of_kinds(namespace, kinds):
    return dict((name, value) for name, value in list(namespace.items())
                if isinstance(value, kinds))


def _copy(namespace, kinds):
    return namespace.copy()


def _noted(modules, values_of):
    for name in modules:
        module = sys.modules.get(name)
        if type(module) is not types.ModuleType:
            continue    # not loaded, or something else in its place
        yield module, values_of(vars(module), _FUNCTIONS)
        for value in list(vars(module).values()) if name in _CLASSES else ():
            if issubclass(type(value), type) and module_slot(value) == name:
                yield value, values_of(dict_slot(value), _METHODS)


originals = Originals()
around_loading(originals)
