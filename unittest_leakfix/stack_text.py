"""Where the process is now, as text: lines and stacks of its threads, its children, what it runs at
its end."""

from __future__ import absolute_import

import sys

from unittest_leakfix._core.code_origin import (
    HARNESS,
    OURS,
    RUNNER,
    is_users_file,
    origin_of,
    short,
)
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.redaction import shown

__unittest = True
bind(globals())

_FRAMES = 12    # of a stack that are shown


def _children_of_multiprocessing():
    module = sys.modules.get("multiprocessing.process")
    return getattr(module, "_children", None) or getattr(
        getattr(module, "_current_process", None), "_children", None) or ()


def child_texts():
    """Return texts for the children that multiprocessing waits for."""
    found = []
    for child in list(_children_of_multiprocessing()):
        popen = getattr(child, "_popen", None)
        if popen is not None and getattr(popen, "returncode", None) is None:
            found.append('"%s" (%s), process %s' % (
                shown(str(getattr(child, "_name", "?"))), type(child).__name__,
                getattr(popen, "pid", "?")))
    return found


def is_of_executor(thread):
    """Tell whether a thread is one of an executor of ``concurrent.futures``."""
    target = getattr(thread, "_target", None)
    return getattr(target, "__module__", "") == "concurrent.futures.thread"


def outermost_at_exit(frame):
    """Return the frame of the function of ``atexit`` that the main thread runs, whose innermost
    *frame* this is; None if it runs none.

    Such a function is called by C code, so its frame is the outermost one; so is the interpreter's
    wait for threads, of `threading`.
    """
    if frame is None:
        return None
    while frame.f_back is not None:
        frame = frame.f_back
    if frame.f_code.co_name == "<module>" or frame.f_globals.get("__name__") in (
            "threading", "runpy"):
        return None
    return frame


def function_at_exit(frame):
    """Return what that function is called, "" for none, and for the waits for executors (3.8) and
    for children."""
    frame = outermost_at_exit(frame)
    module = "?" if frame is None else frame.f_globals.get("__name__", "?")
    if frame is None or module in ("concurrent.futures.thread", "multiprocessing.util"):
        return ""
    return "%s.%s (%s)" % (module, getattr(frame.f_code, "co_qualname", frame.f_code.co_name),
                           _line(frame.f_code.co_filename, frame.f_code.co_firstlineno))


def place(frame):
    """Return the innermost line of the user's code at *frame*, or its own: "shop/mail.py:61 in
    _loop"."""
    if frame is None:
        return "an unknown place"
    each = frame
    while each is not None and not is_users_file(each.f_code.co_filename):
        each = each.f_back
    found = frame if each is None else each
    text = "%s in %s" % (_line(found.f_code.co_filename, found.f_lineno), found.f_code.co_name)
    if found is not frame:
        text += ", in %s of %s" % (frame.f_code.co_name, frame.f_globals.get("__name__", "?"))
    return text


#: Where a test's own part is over, and its fixtures end.
_ENDING = frozenset(["tearDown", "asyncTearDown", "doCleanups", "tearDownClass", "doClassCleanups",
                     "tearDownModule", "doModuleCleanups", "_fixture_teardown", "_post_teardown"])


def line_of_user(frame):
    """Return what tells the innermost line of the user's code, as it runs now, from others."""
    innermost = frame
    while frame is not None and not is_users_file(frame.f_code.co_filename):
        frame = frame.f_back
    frame = innermost if frame is None else frame
    return None if frame is None else (id(frame), frame.f_lasti)


def is_ending(frame):
    """Tell whether the test or fixture at *frame* is in its clean-ups."""
    while frame is not None:
        if frame.f_code.co_name in _ENDING:
            return True
        frame = frame.f_back
    return False


def stack(frame):
    """Return the lines of a stack, outermost first, without the runner's and ours: the innermost
    ones, and of those further out the user's."""
    lines = []
    while frame is not None and len(lines) < 2 * _FRAMES:
        name = frame.f_code.co_filename
        if frame.f_globals.get("__unittest") or origin_of(name) in (OURS, RUNNER, HARNESS):
            if any(is_users_file(each) for each, _ in lines):
                break       # the rest is the way to the test
        elif len(lines) < _FRAMES or is_users_file(name):
            lines.append((name, "%s in %s" % (_line(name, frame.f_lineno), frame.f_code.co_name)))
        frame = frame.f_back
    return [line for _, line in reversed(lines)]


def _line(name, number):
    return "%s:%d" % (short(name), number)
