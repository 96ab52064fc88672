"""What is settled when the package is loaded, whatever a test does later: the builtins, and our own
code.

A test may leave ``builtins.open``, ``len`` or ``__import__`` patched, and what runs next is ours.
Each module of the package calls ``bind(globals())`` above its first function. The functions of
``os``, ``io``, ``time``, ``gc``, ``threading``, ``socket`` and ``json`` that are called later are
bound to a name of the module that calls them. What those call in turn is for ``swap.originals``.

A test may leave no descriptor, or an empty ``sys.path``. So all that a run can need is loaded
before its first test; but most runs from the command line need a third of it, and loading the rest
would take more than all that we do for their tests. There (`defer`), the byte code of the others
is read, and `late` returns what stands for such a module until something of it is used: then it is
loaded from memory. What each such run needs is loaded by `load_now`, past the finders: to find and
open a module takes longer than to load it. Without valid byte code, and wherever the package is
only imported, all is imported as ever.
"""

from __future__ import absolute_import

import os
import sys

__unittest = True

_builtins = dict(vars(sys.modules["builtins" if sys.version_info >= (3,) else "__builtin__"]))
_modules = sys.modules
_HEAD = __name__.rpartition("_core")[0]
_ours = {}      # our modules that have functions, as each is loaded

if sys.version_info >= (3,):
    def bind(namespace):
        """Give the functions of the module with this *namespace* the builtins as they were.

        To be called before they are made: since 3.10 a function takes its builtins then.
        """
        namespace["__builtins__"] = _builtins
        name = namespace.get("__name__", "")
        if name.startswith(_HEAD):
            for each in name, name.rpartition(".")[0]:
                _ours[each] = _modules.get(each)
else:
    def bind(namespace):
        """Give the functions of the module with this *namespace* the builtins as they were.

        As names of the module: code with other builtins runs restricted on 2.7.
        """
        for name, value in _builtins.items():
            if not name.startswith("_"):
                namespace.setdefault(name, value)
bind(globals())

_SEPARATOR = os.sep
_FOLDER = __file__.rpartition("_core")[0]       # that of the package, with a separator
_spec = globals().get("__spec__")               # not on 2.7
_stat = os.stat
_open, _read, _close = os.open, os.read, os.close
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_MOST = 1 << 18     # bytes of a file
_importlib = _modules.get("_frozen_importlib_external")
_MAGIC = getattr(_importlib, "MAGIC_NUMBER", None)
_CACHE = "__pycache__" + _SEPARATOR
_TAIL = None        # of the names of files with byte code, which are valid for this interpreter
_before, _named, _after = (getattr(_spec, "cached", None) or "").rpartition("early")
if (sys.version_info >= (3, 7) and _MAGIC
        and type(_spec.loader) is getattr(_importlib, "SourceFileLoader", None)
        and _before == _FOLDER + "_core" + _SEPARATOR + _CACHE):
    _TAIL = _after
    from marshal import loads as _code_of
    _module_from_spec = _modules["_frozen_importlib"].module_from_spec

_around = []        # what puts the library's functions in their places while something is loaded
_deferred = []      # what stands for the modules that are not loaded yet
_defers = [False]


def defer():
    """Load late from here on what most runs never need: this is a run from the command line."""
    _defers[0] = _TAIL is not None


class Held(object):
    """Modules of ours that were read, and can be loaded without a descriptor.

    While one is loaded, this is the first of the finders, and the loader.
    """

    def __init__(self):
        self.codes = {}     # {name: (path of the source, byte code or source)}
        self._sources = False       # whether sources are loaded as well

    def read(self, names, source=False):
        """Read those of these *names*, "_core.redaction" or "resources.__init__", that are not
        loaded; return whether all of them are there.

        Their byte code; if there is none that is valid, and with *source*, their source.
        """
        whole = True
        for name in names:
            full = _HEAD + name.partition(".__init__")[0]
            if full in _modules or full in self.codes:
                continue
            path = _path(name)
            found = _byte_code(name, path) if _TAIL is not None else None
            if found is None and source:
                try:
                    found = (_contents(path) if _TAIL is not None
                             else __loader__.get_data(path))    # noqa: F821  it may be an archive
                except Exception:   # there is byte code alone
                    pass
            if found is None:
                whole = False
            else:
                self.codes[full] = path, found
        return whole

    def load(self, full):
        """Import the module of this *full* name, and return it. Nothing is opened where it and all
        that it imports of ours was read."""
        if _spec is None:
            __import__(full)
            return _modules[full]
        gone = [name for name in _ours if name not in _modules]
        for name in gone:       # a test has emptied sys.modules
            _modules[name] = _ours[name]
        sys.meta_path.insert(0, self)
        try:
            try:
                __import__(full)    # of which there is but the source is imported as ever
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:   # such as no descriptor left
                self._sources = True
                __import__(full)
            return _modules[full]
        finally:
            self._sources = False
            sys.meta_path[:] = [each for each in sys.meta_path if each is not self]
            for name in [name for name in _ours if name not in _modules]:
                del _ours[name]     # it could not be loaded
            for name in gone:
                _modules.pop(name, None)

    def find_spec(self, name, path=None, target=None):
        """As a finder does: return the spec of the module *name*, None for what is not ours."""
        path, code = self.codes.get(name, ("", b""))
        if not path or code[:4] != _MAGIC and not self._sources:
            return None
        spec = type(_spec)(name, self, origin=path)
        if path.endswith("__init__.py"):
            spec.submodule_search_locations = [path.rpartition(_SEPARATOR)[0]]
        return spec

    def create_module(self, spec):
        """As a loader does: an ordinary module."""

    def exec_module(self, module):
        """As a loader does: run the code of *module*."""
        path, code = self.codes[module.__name__]
        module.__file__ = path
        if code[:4] == _MAGIC:
            exec(_code_of(memoryview(code)[16:]), module.__dict__)
        else:
            exec(compile(code, path, "exec"), module.__dict__)


def _path(name):
    return _FOLDER + name.replace(".", _SEPARATOR) + ".py"


def _cached(name):
    folder, dot, last = name.rpartition(".")
    folder = folder.replace(".", _SEPARATOR)
    return _FOLDER + folder + (_SEPARATOR if dot else "") + _CACHE + last + _TAIL


def _contents(path):
    """Return what is in this file. ``open`` takes three times as long."""
    number = _open(path, _FLAGS)
    try:
        return _read(number, _MOST)
    finally:
        _close(number)


def _byte_code(name, path):
    """Return what is in the file with the byte code of the module *name*, None if there is none, or
    it is not of the source *path*."""
    try:
        source = _stat(path)
        found = _contents(_cached(name))
    except EnvironmentError:
        return None
    # Without flags it goes by the time and the size of the source. The eighth is whole seconds.
    made = (source[8] & 0xFFFFFFFF) | (source.st_size & 0xFFFFFFFF) << 32
    head = _MAGIC + b"\0\0\0\0" + made.to_bytes(8, "little")
    return found if found[:16] == head and len(found) < _MOST else None


def load_now(names):
    """Load our modules of these *names* in this order, until there is one that was not compiled:
    that, and those after it, are imported when they are asked for.

    What a module knows of itself is what it knows when it was imported.
    """
    for name in names if _TAIL is not None else ():
        full = _HEAD + name
        if full in _modules:
            continue
        path = _path(name)
        found = _byte_code(name, path)
        if found is None:
            return
        spec = type(_spec)(full, _importlib.SourceFileLoader(full, path), origin=path)
        spec.has_location = True
        spec.cached = _cached(name)
        module = _modules[full] = _module_from_spec(spec)
        try:
            exec(_code_of(memoryview(found)[16:]), module.__dict__)
        except BaseException:
            del _modules[full]
            raise
        setattr(_modules[full.rpartition(".")[0]], name.rpartition(".")[2], module)


class _Late(object):
    """Stands for a module of ours in the namespace of another one, until something of it is used.
    """

    __slots__ = ("_name", "_namespace")

    def __init__(self, name, namespace):
        self._name = name
        self._namespace = namespace

    def __getattr__(self, attribute):
        return getattr(self._load(), attribute)

    def _load(self):
        module = _ours.get(self._name)
        if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
            module = loaded(self._name)
        for name, value in list(self._namespace.items()):
            if value is self:
                self._namespace[name] = module
        _deferred[:] = [each for each in _deferred if each is not self]
        return module


def loaded(full):
    """Return the module of ours of this *full* name, which was read beforehand, and load it if it
    is not loaded."""
    for place in _around:
        with place:     # it may bind what a test has replaced
            return held.load(full)
    return held.load(full)


def late(namespace, name, *below):
    """Return our module *name*, or what stands for it in this *namespace* until it is needed.

    *below* are those that it imports, and that may not be loaded by then.
    """
    full = _HEAD + name
    if _defers[0] and full not in _modules and held.read((name,)):
        held.read(below, source=True)
        stand_in = _Late(full, namespace)
        _deferred.append(stand_in)
        return stand_in
    __import__(full)
    return _modules[full]


def later(namespace, name):
    """Return our module *name*, or what stands for it in this *namespace* until it is needed, in
    any run: for what explains and reports what was found. That is mostly nothing, or not until the
    tests have run. What it imports is read with `held`."""
    full = _HEAD + name
    if full not in _modules and _TAIL is not None and held.read((name,)):
        return _Late(full, namespace)
    __import__(full)
    return _modules[full]


def if_loaded(module):
    """Return this *module*, which `late` returned, or None if it was not needed so far."""
    if type(module) is not _Late:
        return module
    return module._load() if module._name in _ours else None


def load_late():
    """Load all that was to be loaded late: for finding, which imports nothing while tests run."""
    for each in tuple(_deferred):
        each._load()


def around_loading(place):
    """Have what is loaded late loaded inside ``with place``."""
    _around[:] = [place]


held = Held()
