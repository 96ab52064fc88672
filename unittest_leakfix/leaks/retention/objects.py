"""Looking at foreign objects without running a line of their code, and naming them in a few
words."""

from __future__ import annotations

import collections
import functools
import sys
import weakref
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.code_origin import is_library_file, short
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.introspection import dict_slot, mro_slot, name_slot, qualname_slot

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model import chain
    from unittest_leakfix.leaks.model.chain import Thing
else:
    chain = later(globals(), "leaks.model.chain")

__unittest = True
bind(globals())
_ref = weakref.ref

_MODULE_DICT: Any = vars(ModuleType)["__dict__"].__get__
_DESCRIPTORS = (GetSetDescriptorType, MemberDescriptorType)
CONTAINERS = (list, tuple, dict, set, frozenset, collections.deque)
LRU_CACHE = type(functools.lru_cache(maxsize=1)(lambda: None))
_WRAPPERS = 20
"""Through how many decorators a function is looked for."""
_SIMPLE = (str, int, bool, bytes, type(None))


def mro(cls: type) -> Tuple[type, ...]:
    """The method resolution order of a class, past any metaclass."""
    # None for a type that C code has not readied yet (3.8: async_generator_asend)
    return mro_slot(cls) or (cls,)


def qualified_name(cls: type) -> str:
    """The qualified name of a class, past any metaclass."""
    return str(qualname_slot(cls))


def class_name(cls: type) -> str:
    """The qualified name of a class without the functions around it."""
    return str(qualname_slot(cls).rpartition("<locals>.")[2])


def class_dict(cls: type) -> Any:
    """The read-only namespace of a class, past any metaclass."""
    return dict_slot(cls) or {}


def inherits(obj: object, base: type) -> bool:
    """Tells whether ``type(obj)`` has `base` in its MRO; ``__class__`` is not read."""
    return any(cls is base for cls in mro(type(obj)))


def type_attribute(cls: type, name: str) -> Any:
    """What the classes of the MRO have under `name`, unbound, or None."""
    for base in mro(cls):
        namespace = class_dict(base)
        if name in namespace:
            return namespace[name]
    return None


def own_dict(obj: object) -> Optional[Dict[Any, Any]]:
    """The ``__dict__`` of a module or an instance by its C descriptor, or None. Classes have none
    here."""
    if inherits(obj, ModuleType):
        names: Dict[Any, Any] = _MODULE_DICT(obj)
        return names
    if inherits(obj, type):
        return None
    for cls in mro(type(obj)):
        descriptor = class_dict(cls).get("__dict__")
        if any(type(descriptor) is kind for kind in _DESCRIPTORS):
            found: Dict[Any, Any] = descriptor.__get__(obj, type(obj))
            return found if inherits(found, dict) else None
    return None


def namespace_of(holder: object) -> Any:
    """What a class or a module defines, by name; without running code of theirs."""
    found = class_dict(holder) if inherits(holder, type) else own_dict(holder)  # type: ignore[arg-type]
    return found or {}


def items(mapping: Any) -> List[Tuple[Any, Any]]:
    """The items of a dict at one moment; empty when another thread keeps changing it."""
    for _ in range(3):
        try:
            return list(dict.items(mapping))
        except RuntimeError:
            continue
    return []


def short_key(key: object) -> str:
    """A dict's key in a few characters: its repr for plain values, else ``<Type>``."""
    if _is_simple(key):
        text = redaction.redact(repr(key))
        return text if len(text) <= 40 else text[:37] + "..."
    return "<%s>" % name_slot(type(key))


def _is_simple(key: object) -> bool:
    kind = type(key)
    return type(kind) is type and kind in _SIMPLE


def plain_key(key: object) -> bool:
    """Tells whether ``repr(key)`` can stand in an expression: plain values up to 200 characters."""
    if type(key) is tuple:
        return len(key) < 9 and all(_is_simple(part) and plain_key(part) for part in key)
    return _is_simple(key) and len(repr(key)) <= 200


def is_library(module: Optional[ModuleType]) -> bool:
    """Tells whether a module belongs to the standard library or is built in."""
    namespace = _MODULE_DICT(module) if module is not None else {}
    path = namespace.get("__file__")
    if type(path) is not str:
        return namespace.get("__name__") in sys.builtin_module_names
    return is_library_file(path)


def _code_place(code: CodeType, line: Optional[int] = None) -> str:
    return "%s:%s" % (short(code.co_filename), line or code.co_firstlineno)


def place(obj: object) -> str:
    """``file:line`` of a function, method, class (3.13+), test or running frame, else an empty
    text."""
    if type(obj) is MethodType:
        obj = obj.__func__
    if type(obj) is FunctionType:
        return _code_place(obj.__code__)
    if type(obj) is FrameType:
        return _code_place(obj.f_code, obj.f_lineno)
    for prefix, kind in _FRAMED:
        if type(obj) is kind:
            frame = getattr(obj, prefix + "_frame")
            return place(frame) if frame is not None else _code_place(getattr(obj,
                                                                              prefix + "_code"))
    if inherits(obj, type):
        return _class_place(obj)  # type: ignore[arg-type]
    method = _test_method(obj)
    return place(unwrapped(type_attribute(type(obj), method), method)) if method else ""


def unwrapped(function: Any, name: str) -> Any:
    """Return the function called *name* that decorators have wrapped: what ``functools.wraps``
    noted, or what a closure without that has under this name."""
    for _ in range(_WRAPPERS):
        inner = (own_dict(function) or {}).get("__wrapped__")
        plain = type(function) is FunctionType
        if inner is None and plain and function.__code__.co_name != name:
            inner = next((each for each in _in_cells(function)
                          if type(each) is FunctionType and each.__name__ == name), None)
        if inner is None:
            break
        function = inner
    return function


def _in_cells(function: FunctionType) -> List[Any]:
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:      # not filled yet
            pass
    return found


_FRAMED = (("gi", GeneratorType), ("cr", CoroutineType),
           ("ag", AsyncGeneratorType))


def _class_place(cls: type) -> str:
    line = class_dict(cls).get("__firstlineno__")  # 3.13 and later
    module = sys.modules.get(module_of(cls))
    path = _MODULE_DICT(module).get("__file__") if type(module) is ModuleType else None
    return "%s:%d" % (short(path), line) if type(line) is int and type(path) is str else ""


def module_of(cls: type) -> str:
    """The name of the module a class says it is from, or an empty text."""
    name = class_dict(cls).get("__module__")
    return name if type(name) is str else ""


def _test_method(obj: object) -> str:
    case = sys.modules.get("unittest.case")
    base = _MODULE_DICT(case).get("TestCase") if type(case) is ModuleType else None
    if type(base) is not type or not inherits(obj, base):
        return ""
    name = (own_dict(obj) or {}).get("_testMethodName")
    return name if type(name) is str else ""


def _callable_name(obj: Any) -> str:
    name = obj.__qualname__ if type(obj) is FunctionType else name_slot(type(obj))
    return str(name).rpartition("<locals>.")[2]


def thing(obj: object) -> Thing:
    """What an object is: a module, a class, a container with its number of items, an object of a
    class."""
    try:
        return _thing(obj)
    except errors.PASSING:
        raise
    except BaseException:  # some C type that is half made
        return chain.Thing("object", str(name_slot(type(obj))))


def _thing(obj: object) -> Thing:
    if inherits(obj, ModuleType):
        name = _MODULE_DICT(obj).get("__name__")
        return chain.Thing("module", name if type(name) is str else "?")
    if inherits(obj, type):
        return chain.Thing("class", class_name(obj))  # type: ignore[arg-type]
    if type(obj) is MethodType:
        owner: Any = obj.__self__ if inherits(obj.__self__, type) else type(obj.__self__)
        return chain.Thing(
            "bound method", class_name(owner), _callable_name(obj.__func__).rpartition(".")[2]
        )
    if type(obj) is FunctionType:
        return chain.Thing("function", _callable_name(obj))
    if type(obj) is FrameType:
        return chain.Thing("frame", obj.f_code.co_name)
    for prefix, kind in _FRAMED:
        if type(obj) is kind:
            return chain.Thing(str(name_slot(kind)), getattr(obj, prefix + "_code").co_name)
    if type(obj) is LRU_CACHE:
        return chain.Thing("lru_cache", _callable_name((own_dict(obj) or {}).get("__wrapped__")))
    base: Any
    for base in CONTAINERS:
        if inherits(obj, base):
            return chain.Thing("container", str(name_slot(type(obj))), length=base.__len__(obj))
    if type(obj) is _ref:
        return chain.Thing("weak reference")
    method = _test_method(obj)
    return chain.Thing("test" if method else "object", class_name(type(obj)), method)
