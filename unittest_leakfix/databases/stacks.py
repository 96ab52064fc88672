"""Short stacks of what opened a connection: the user's lines, without those of drivers and pools."""
from __future__ import annotations

import os
from types import CodeType, FrameType
from typing import Any, Dict, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.frames import HARNESS, RUNNER, USER, Frame, frames, kind_of as code_of, short

__unittest = True
bind(globals())

_KINDS: Dict[str, int] = {}
_PACKAGE = -1    # a kind of code beside those of `frames`: of an installed package
_FRAMES = 10
_PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


def stack(frame: Optional[FrameType]) -> Tuple[object, ...]:
    """Return the user's frames, without those of drivers and pools on the inside: code, place, ...

    None at all where nobody's code but theirs is on the stack. The number of the line is left for
    `frames_of` to find: a frame takes longer to find its own than all the rest.
    """
    known = _KINDS
    found: List[object] = []
    inside = True
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        kind = known.get(filename)
        if kind is None:
            kind = _find_kind(filename)
        if kind == USER or kind == _PACKAGE and not inside:
            inside = False
            found += (code, frame.f_lasti)
            if len(found) == 2 * _FRAMES:
                break
        elif kind == RUNNER or kind == HARNESS:
            break
        frame = frame.f_back
    return tuple(found)


def entry(frame: Optional[FrameType]) -> Tuple[object, ...]:
    """Return the outermost frame of an installed package, as `stack` does: what a thread was given to do."""
    found: Tuple[object, ...] = ()
    while frame is not None:
        if _find_kind(frame.f_code.co_filename) == _PACKAGE:
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
    """Tell whether a file is no user's: of an installed package, the standard library, or ours."""
    return _find_kind(filename) not in (USER, RUNNER, HARNESS)


def _find_kind(filename: str) -> int:
    kind = code_of(filename)
    if kind == USER and any(part in filename for part in _PACKAGES):
        kind = _PACKAGE
    if len(_KINDS) < 10000:     # generated code may have a file name of its own each time
        _KINDS[filename] = kind
    return kind
