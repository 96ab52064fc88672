"""Short stacks: the few frames of a call stack that the reader of a report wrote.

Those of what opened a connection are without the lines of drivers and pools.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType, ModuleType
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.code_origin import (
    HARNESS,
    OURS,
    RUNNER,
    USER,
    is_users_file,
    origin_of,
    short,
)
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_current_frames = sys._current_frames

_KINDS_AT_MOST = 10000
_USERS: Dict[str, int] = {}     # origins, with what is not the user's own apart
_DRIVER_KINDS: Dict[str, int] = {}
_OWN_FOLDER = -1    # a kind of code beside those of `frames`: of an installed package
_FRAMES = 10
_TYPED = "<string>"


class Frame(NamedTuple):
    """One frame of a stack: file as the user would write it, line, function."""

    file: str
    line: int
    function: str


def is_users_module(module: Any) -> bool:
    """Tell whether the file of a module, of exactly that type, is the user's own."""
    file = vars(module).get("__file__") if type(module) is ModuleType else None
    return type(file) is str and is_users_file(file)


def walk(frame: Optional[FrameType], limit: int = 10) -> Tuple[object, ...]:
    """Return the user's frames from `frame` outwards, flat: file, line, function, file, line, ...

    Flat, because a tuple of plain strings and numbers is left alone by the cycle collector, so that
    a record is never counted among what a test left behind. Where none is the user's, those of
    installed packages are returned: a package is tested where it is installed. Where all are the
    standard library's, its innermost one is.
    """
    kinds = _USERS
    found: List[object] = []
    installed: List[object] = []
    spare: Optional[FrameType] = None
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        kind = kinds.get(filename)
        if kind is None:
            kind = _users(filename)
        if kind == USER:
            found += (filename, frame.f_lineno, code.co_name)
            limit -= 1
            if not limit:
                break
        elif kind == _OWN_FOLDER:
            if not found and len(installed) < 30:
                installed += (filename, frame.f_lineno, code.co_name)
        elif (found or installed) and (kind == RUNNER or kind == HARNESS):
            break  # what started the test runner opened nothing
        elif spare is None and kind != OURS:
            spare = frame
        frame = frame.f_back
    found = found or installed[:3 * limit]
    if not found and spare is not None:
        found += (spare.f_code.co_filename, spare.f_lineno, spare.f_code.co_name)
    return tuple(found)


def _users(filename: str) -> int:
    """Return the kind of a file, with `_OWN_FOLDER` for USER where it is not the user's own."""
    kind = origin_of(filename)
    if kind == USER and not is_users_file(filename):
        kind = _OWN_FOLDER
    if len(_USERS) >= _KINDS_AT_MOST:
        _USERS.clear()
    _USERS[filename] = kind
    return kind


def frames(flat: Tuple[object, ...]) -> Tuple[Frame, ...]:
    """Turn what `walk` returned into `Frame`s, with file names as the user would write them."""
    parts = iter(flat)
    return tuple(
        Frame(short(str(file)), int(str(line)), str(function))
        for file, line, function in zip(parts, parts, parts)
    )


def now_at(ident: int) -> Optional[Frame]:
    """Return where the thread `ident` is now; None when it is gone."""
    flat = walk(_current_frames().get(ident), 1)
    return frames(flat)[0] if flat else None


# Short stacks of what opened a connection: the user's lines, without those of drivers and pools.


def stack(frame: Optional[FrameType]) -> Tuple[object, ...]:
    """Return the user's frames, without those of drivers and pools on the inside: code, place, ...

    None at all where only their code is on the stack. The number of the line is left for
    `frames_of` to find: a frame takes longer to find its own than all the rest.
    """
    known = _DRIVER_KINDS
    found: List[object] = []
    inside = True
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        kind = known.get(filename)
        if kind is None:
            kind = _find_driver_origin(filename)
        if kind == USER and filename == _TYPED and frame.f_globals.get("__name__") != "__main__":
            kind = _OWN_FOLDER      # generated: SQLAlchemy 2.0 decorates its methods with that
        if kind == USER or kind == _OWN_FOLDER and not inside:
            inside = False
            found += (code, frame.f_lasti)
            if len(found) == 2 * _FRAMES:
                break
        elif kind == RUNNER or kind == HARNESS:
            break
        frame = frame.f_back
    return tuple(found)


def entry(frame: Optional[FrameType]) -> Tuple[object, ...]:
    """Return the outermost frame of an installed package, as `stack` does: what a thread was given
    to do."""
    found: Tuple[object, ...] = ()
    while frame is not None:
        if _find_driver_origin(frame.f_code.co_filename) == _OWN_FOLDER:
            found = (frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return found


def frames_of(flat: Tuple[Any, ...]) -> Tuple[Frame, ...]:
    """Return what `stack`, or `walk`, has found."""
    if not flat or type(flat[0]) is str:
        return frames(flat)
    parts = iter(flat)
    return tuple(Frame(short(code.co_filename), _line(code, place), code.co_name)
                 for code, place in zip(parts, parts))


def _line(code: CodeType, place: int) -> int:
    if hasattr(code, "co_lines"):   # 3.10
        for start, end, line in code.co_lines():
            if start <= place < end:
                return line or code.co_firstlineno
        return code.co_firstlineno
    from dis import findlinestarts
    line = code.co_firstlineno
    for start, number in findlinestarts(code):
        if start > place:
            break
        line = number
    return line


def is_installed(filename: str) -> bool:
    """Tell whether a file is not the user's: of an installed package, the standard library, or
    ours."""
    return _find_driver_origin(filename) not in (USER, RUNNER, HARNESS)


def _find_driver_origin(filename: str) -> int:
    kind = origin_of(filename)
    # A library's generated function has a name in brackets; ``python -c`` is "<string>", of which
    # `stack` looks at the module.
    if kind == USER and filename != _TYPED and not is_users_file(filename):
        kind = _OWN_FOLDER
    if len(_DRIVER_KINDS) < 10000:     # generated code may have a file name of its own each time
        _DRIVER_KINDS[filename] = kind
    return kind
