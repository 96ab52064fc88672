"""What went wrong in closing what a test left: the warning, the error, the sentence."""

from __future__ import absolute_import

import re
import sys
import warnings

from unittest_leakfix._core.early import bind, late
from unittest_leakfix._core.introspection import (  # noqa: F401  PASSING is asked for here as well
    PASSING,
    name_of,
    own_attribute,
)
from unittest_leakfix._core.swap import originals

__unittest = True
bind(globals())

redaction = late(globals(), "_core.redaction", "_core.secret_patterns", "_core.secret_search")

# Bound here once: a test may leave them patched.
_warn = warnings.warn
_exc_info = sys.exc_info


class LeakFixWarning(UserWarning):
    """Something that a finished test left could not be closed. The verdict stands."""


class CloseError(Exception):
    """Closing what a test left open raised. The text says which attribute it was.

    ``__cause__`` is the error itself.
    """


def close_error(owner, found, cause):
    """Return the `CloseError` for *cause*, raised in closing what was *found*.

    *owner* is the test or the class whose attribute it was.
    """
    with originals:
        error = CloseError(_sentence(owner, found, cause))
    error.__cause__ = cause
    return error


def warn(owner, found, cause):
    """Warn that closing what was *found* on the finished *owner* raised *cause*."""
    with originals:
        warn_text("%s is finished, but %s" % (
            redaction.cut(label(owner), redaction.LONGEST), _sentence(owner, found, cause)))


def warn_text(sentence):
    """Warn of what went wrong after a test. Where warnings are errors, or cannot be shown, it is
    only printed: the verdict stands."""
    try:
        with originals:
            _warn(sentence, LeakFixWarning, stacklevel=3)
    except Exception:
        try:
            sys.stderr.write("LeakFixWarning: %s\n" % sentence)
        except Exception:   # closed, or replaced by another object
            pass


def fault_text():
    """Return what is being handled now, in our own code, as "KeyError: 'a' at suite.py:12". Never
    raises."""
    _, error, trace = _exc_info()
    where = ""
    while trace is not None:    # the innermost line of ours: users' code has its own faults
        head, package, path = trace.tb_frame.f_code.co_filename.rpartition("unittest_leakfix")
        if package and head:
            where = " at %s:%d" % (path[1:], trace.tb_lineno)
        trace = trace.tb_next
    with originals:
        return redaction.cut(redaction.error(error), 120) + where


def label(owner):
    """Return "Class.method" for a test, "Class" for a class."""
    if issubclass(type(owner), type):
        return name_of(owner)[1]
    return "%s.%s" % (name_of(type(owner))[1], own_attribute(owner, "_testMethodName", "run"))


def _sentence(owner, found, cause):
    name = re.split(r"\W", found.label, maxsplit=1)[0]
    return ("closing %s.%s (%s) raised %s: %s. Close it in your own code, or leave it "
            "open with leakfix_keep = (%r,)" % (
                "cls" if issubclass(type(owner), type) else "self", redaction.cut(found.label),
                found.kind.describe(found.value), name_of(type(cause))[1],
                redaction.text_of_error(cause), name))
