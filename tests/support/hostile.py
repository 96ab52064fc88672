"""Objects and classes that bite what looks at them otherwise than by ``type`` and ``is``.

``KINDS`` maps a name to what makes one of them. ``CALLS`` lists which of their methods were called:
looking at an object for what it is calls none. Read by `test_hostile_classes`, and by the pytest
suite that it runs.
"""

from __future__ import absolute_import

CALLS = []


class Bite(BaseException):
    """No ``Exception``, as ``asyncio.CancelledError`` and pytest's ``Failed`` are none."""


def _biting(name, error):
    def method(self, *args, **kwds):
        CALLS.append(name)
        raise error("%s was called" % name)
    method.__name__ = name
    return method


class _Array(object):
    """What an array of numpy's gives for ``==``: it has no truth."""

    __bool__ = __nonzero__ = _biting("__bool__ of an array", ValueError)


def _array(self, other):
    CALLS.append("__eq__")
    return _Array()


_OF_CLASSES = ("__hash__", "__eq__", "__ne__", "__lt__", "__instancecheck__", "__subclasscheck__",
               "__bool__",
               "__nonzero__", "__len__", "__iter__", "__contains__", "__repr__", "__str__",
               "__dir__", "__getattr__",
               "__subclasses__", "__call__")
_OF_VALUES = ("__hash__", "__eq__", "__ne__", "__lt__", "__bool__", "__nonzero__", "__len__",
              "__iter__",
              "__contains__", "__repr__", "__str__", "__dir__", "__getattr__", "__call__",
              "__sizeof__",
              "__reduce__", "__reduce_ex__", "__copy__", "__fspath__", "__index__", "__int__",
              "__format__")


def _meta(space):
    return type("Meta", (type,), space)


def _by_name(cls, other):
    CALLS.append("__eq__")
    return getattr(other, "__name__", None) == cls.__name__


def _equal_to_all(cls, other):
    CALLS.append("__eq__")
    return True


def _made(meta, space=()):
    return object.__new__(type.__call__(meta, "Hostile", (object,), dict(space)))


def _classes():
    def unhashable():
        return _made(_meta({"__eq__": _by_name, "__hash__": None}))

    def like_int():
        return _made(_meta({"__eq__": _equal_to_all,
                            "__hash__": lambda cls: CALLS.append("__hash__") or hash(int)}))

    def like_text():
        return _made(_meta({"__eq__": _equal_to_all,
                            "__hash__": lambda cls: CALLS.append("__hash__") or hash(str)}))

    def metaclass_of_metaclass():
        meta = type.__call__(_meta({name: _biting(name, Bite) for name in ("__hash__", "__eq__")}),
                             "Meta", (type,), {})
        return _made(meta)

    def arrays():
        return _made(_meta({"__eq__": _array, "__hash__": _biting("__hash__", ValueError)}))

    def named_by_object():
        return _made(type, {"__module__": _made(_meta({}), {"__hash__": _biting("__hash__", Bite),
                                                            "__eq__": _biting("__eq__", Bite)})})
    kinds = dict(unhashable=unhashable, like_int=like_int, like_text=like_text, arrays=arrays,
                 metaclass_of_metaclass=metaclass_of_metaclass, named_by_object=named_by_object)
    for label, error in (("error", ValueError), ("bite", Bite)):
        for name in _OF_CLASSES:
            kinds["class_%s_%s" % (name.strip("_"), label)] = (
                lambda name=name, error=error: _made(_meta({name: _biting(name, error)})))
        kinds["class_all_%s" % label] = lambda error=error: _made(
            _meta({name: _biting(name, error) for name in _OF_CLASSES}))
        kinds["class_getattribute_%s" % label] = lambda error=error: _made(
            _meta({"__getattribute__": _biting("__getattribute__", error)}))
    return kinds


def _values():
    def property_of(name, result):
        def read(self):
            CALLS.append(name)
            if isinstance(result, type) and issubclass(result, BaseException):
                raise result("%s was read" % name)
            return result
        return property(read)

    kinds = dict(
        value_eq_array=lambda: _made(type, {"__eq__": _array,
                                            "__hash__": _biting("__hash__", ValueError)}),
        value_eq_all=lambda: _made(type,
                                   {"__eq__": lambda self, other: CALLS.append("__eq__") or True,
                                          "__hash__": lambda self: CALLS.append("__hash__") or 1}))
    import io
    import unittest
    for kind in (list, dict, int, type, unittest.TestCase, unittest.TestSuite, io.FileIO):
        kinds["value_class_is_%s" % kind.__name__] = lambda kind=kind: _made(
            type, {"__class__": property_of("__class__", kind)})
    for label, error in (("error", ValueError), ("bite", Bite)):
        for name in _OF_VALUES:
            kinds["value_%s_%s" % (name.strip("_"), label)] = (
                lambda name=name, error=error: _made(type, {name: _biting(name, error)}))
        kinds["value_class_%s" % label] = lambda error=error: _made(
            type, {"__class__": property_of("__class__", error)})
        kinds["value_dict_%s" % label] = lambda error=error: _made(
            type, {"__slots__": (), "__dict__": property_of("__dict__", error)})
        kinds["value_getattribute_%s" % label] = lambda error=error: _made(
            type, {"__getattribute__": _biting("__getattribute__", error)})
        kinds["value_all_%s" % label] = lambda error=error: _made(
            type, dict({name: _biting(name, error) for name in _OF_VALUES},
                       __class__=property_of("__class__", error),
                       __getattribute__=_biting("__getattribute__", error)))
    return kinds


KINDS = dict(_classes(), **_values())


def _quietly(name):
    """Something whose closing, and the look whether it is open, raise."""
    def raises(self, *args):
        raise Bite(name)
    return raises


def biting_resource():
    """Return an open resource by its shape whose ``closed`` and ``close`` raise what is no
    ``Exception``."""
    return type("Connection", (object,), dict(
        cursor=_quietly("cursor"), commit=_quietly("commit"), rollback=_quietly("rollback"),
        close=_quietly("close"), closed=property(_quietly("closed"))))()
