"""FinishedTest: what a result keeps in place of the instance.

Whatever a reporter reads from a test after it ran still answers; what the test
held is gone. Who reads what: unittest's own ``printErrors`` calls ``str()`` and
``shortDescription()``, unittest-xml-reporting reads the class's name, testtools
``id()``, nose2 all of them, Django's debug-sql result the description.
"""

from __future__ import absolute_import

import gc
import sys
import unittest
import unittest.case

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import PASSING, PLAIN, function_of

__unittest = True
bind(globals())

# object: what unittest has in place of a message that was not given.
_ATOMS = PLAIN | frozenset([object])


def _call_text(test, name, otherwise):
    """Call a method that the user may have overridden; *otherwise* when it raises."""
    try:
        return getattr(test, name)()
    except PASSING:
        raise
    except BaseException:
        return otherwise


def _has(test, name):
    """Return an attribute, whatever ``__getattr__`` does; None when there is none."""
    try:
        return getattr(test, name, None)
    except PASSING:
        raise
    except BaseException:
        return None


class FinishedTest(object):
    """The light stand-in for a test that ran: no reference to it, and under 2 kB
    with its texts.

    It says ``isinstance(x, unittest.TestCase)`` and has the test's ``__class__``,
    id, description, equality and hash, and it can be pickled if the test's class
    can. It cannot be run: load the test again for that.

    :param test: the ``unittest.TestCase`` (or subtest) that is finished.
    """

    __slots__ = ("_class", "_id", "_str", "_repr", "_short", "_key", "_count",
                 "_testMethodName", "_testMethodDoc", "__weakref__")

    def __init__(self, test):
        self._class = kind = type(test)
        if _describes_itself(kind, test):
            try:
                self._testMethodName = test._testMethodName
                self._testMethodDoc = test._testMethodDoc
                self._str = _STR(test)
                self._short = _SHORT(test)
                # unittest's own functions return the others when they are called.
                self._id = self._repr = _DEFERRED
                self._count = 1
                self._key = None
                return
            except Exception:   # somebody took one away, or put something else there
                pass
        self._testMethodName = _has(test, "_testMethodName")
        self._testMethodDoc = _has(test, "_testMethodDoc")
        self._take_texts(test)
        self._repr = _call_text(test, "__repr__", "<%s>" % (self._id,))
        self._short = _call_text(test, "shortDescription", None)
        self._count = _call_text(test, "countTestCases", 1)
        # What equality goes by: unittest's own is the class and the method's name.
        self._key = None
        if not _compares_by_name(kind):
            self._key = _call_text(test, "__hash__", None), self._id

    def _take_texts(self, test):
        self._id = _call_text(test, "id", "%s.%s.%s" % (
            self._class.__module__, self._class.__name__, self._testMethodName))
        self._str = _call_text(test, "__str__", self._id)

    def __getattribute__(self, name):
        # The class of the stand-in has these two as well.
        if name in ("__module__", "__doc__"):
            return getattr(object.__getattribute__(self, "_class"), name)
        return object.__getattribute__(self, name)

    @property
    def __class__(self):
        return _class_of(self)

    @property
    def failureException(self):
        """The exception that counts as a failure of the test's class."""
        return getattr(self._class, "failureException", AssertionError)

    def id(self):
        """Return the test's id, as it was."""
        return self._text_of("_id")

    def __str__(self):
        return _str_of(self)

    def __repr__(self):
        return self._text_of("_repr")

    def shortDescription(self):
        """Return the first line of the test's document, or None, as it was."""
        return _short_of(self)

    def _text_of(self, slot):
        """Return the text in *slot*; what was left for later is said now."""
        text = getattr(self, slot)
        if text is _DEFERRED:
            text = _TEXT_OF[slot](self)
        return text

    def countTestCases(self):
        """Return how many tests it was."""
        return self._count

    def __eq__(self, other):
        if not issubclass(type(other), FinishedTest):
            if type(other) is not self._class:
                return NotImplemented
            other = finished(other)
        return (self._class is other._class and self._key == other._key
                and self._testMethodName == other._testMethodName)

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self):
        if self._key is None or self._key[0] is None:
            return hash((self._class, self._testMethodName))
        return self._key[0]

    def __call__(self, *args, **kwds):
        """Raise ``TypeError``: it is over."""
        raise TypeError("%s is finished and was let go; to run it again, load it "
                        "again" % (self,))

    run = debug = __call__

    def __reduce_ex__(self, protocol):
        # Not __reduce__: the default __reduce_ex__ looks for that in __class__.
        names = [name for base in type(self).__mro__
                 for name in getattr(base, "__slots__", ())]
        return _unpickled, (type(self), dict(
            (name, self._text_of(name)) for name in names if name != "__weakref__"))


class FinishedSubTest(FinishedTest):
    """The stand-in for a subtest that did not pass.

    ``test_case`` is the stand-in of the test it was part of; ``params`` are the
    parameters, each as its ``repr`` unless it is a number, a text or None.
    """

    __slots__ = ("test_case", "params", "_message", "_sub")

    def _take_texts(self, subtest):
        # Parameters may be long: they are written out once, in _sub.
        self._id = self._str = None
        self._sub = _call_text(subtest, "_subDescription", "(<subtest>)")
        self._message = _light(subtest._message)
        self.params = dict((key, _light(value))
                           for key, value in subtest.params.items())
        self.test_case = FinishedTest(subtest.test_case)

    @property
    def failureException(self):
        """The exception that counts as a failure of the test's class."""
        return self.test_case.failureException

    def id(self):
        """Return the subtest's id, as it was."""
        return "%s %s" % (self.test_case.id(), self._sub)

    def __str__(self):
        return "%s %s" % (self.test_case, self._sub)

    def _subDescription(self):
        return self._sub


class FinishedFunctionTest(FinishedTest):
    """The stand-in for a ``FunctionTestCase``.

    That one compares by its functions, those of the other side too.
    """

    __slots__ = ("_setUpFunc", "_tearDownFunc", "_testFunc", "_description")

    def __init__(self, test):
        FinishedTest.__init__(self, test)
        for name in FinishedFunctionTest.__slots__:
            setattr(self, name, _EqualTo(_has(test, name)))


class _EqualTo(object):
    """Equal to what it was made of, and does not hold it."""

    __slots__ = ("_hash",)

    def __init__(self, value):
        self._hash = _call_text(value, "__hash__", id(value))

    def __eq__(self, other):
        return self._hash == _call_text(other, "__hash__", id(other))

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return self._hash

    def __reduce__(self):
        return _unpickled, (_EqualTo, {"_hash": self._hash})


def finished(test):
    """Return the stand-in for *test*, a ``TestCase`` or one of its subtests."""
    kind = type(test)
    if kind is _SubTest:
        return FinishedSubTest(test)
    if issubclass(kind, _FunctionTestCase):
        return FinishedFunctionTest(test)
    return FinishedTest(test)


def _compares_by_name(cls):
    """Tell whether *cls* has the equality and the hash of ``unittest.TestCase``."""
    return all(function_of(cls, name) is function_of(unittest.TestCase, name)
               for name in ("__eq__", "__hash__"))


#: Stands for a text that unittest's own function returns later, when it is needed.
_DEFERRED = None, None
_TestCase = unittest.TestCase
_FunctionTestCase = unittest.FunctionTestCase
_SubTest = getattr(unittest.case, "_SubTest", None)     # 3.4
_ID, _STR, _REPR, _SHORT, _COUNT, _EQ, _HASH = [function_of(_TestCase, name) for name in (
    "id", "__str__", "__repr__", "shortDescription", "countTestCases", "__eq__", "__hash__")]
_TEXT_OF = {"_id": _ID, "_repr": _REPR}
# Past our __getattribute__.
_str_of = FinishedTest.__dict__["_str"].__get__
_class_of = FinishedTest.__dict__["_class"].__get__
_short_of = FinishedTest.__dict__["_short"].__get__


def _describes_itself(kind, test):
    """Tell whether *test* of the class *kind* is described, compared and counted by unittest's own
    functions, which read no more of it than we keep. False if in doubt, and on 2.7.

    The class is looked at each time: a test may patch it. With a metaclass it is in doubt.
    """
    return (
        type(kind) is type
        and kind.id is _ID
        and kind.__str__ is _STR
        and kind.__repr__ is _REPR
        and kind.shortDescription is _SHORT
        and kind.countTestCases is _COUNT
        and kind.__eq__ is _EQ
        and kind.__hash__ is _HASH
        and kind.__getattribute__ is object.__getattribute__
        # Without more attributes than each test has, it has none of these; and their __dict__
        # would have to be made first (3.11).
        and (len(_get_referents(test)) == _BARE
             or not _DESCRIBING.intersection(_attribute(test, "__dict__")))
    )


_DESCRIBING = frozenset(["id", "shortDescription", "countTestCases", "__str__", "__repr__"])
_attribute = object.__getattribute__
_get_referents = gc.get_referents
# What a test without any other attribute refers to: these and its class.
_BARE = len(vars(_TestCase("run"))) + 1 if sys.version_info >= (3, 11) else sys.maxsize


def _unpickled(kind, state):
    """Make a stand-in from its pickled slots."""
    made = kind.__new__(kind)
    for name in state:
        setattr(made, name, state[name])
    return made


def _light(value):
    """Return *value* if it is small and holds nothing, else how it looks."""
    kind = type(value)
    if type(kind) is type and kind in _ATOMS:
        return value
    try:
        return repr(value)
    except PASSING:
        raise
    except BaseException:
        return object.__repr__(value)
