"""What the interpreter and asyncio complain about while the test itself runs.

A pass-through: `warnings._showwarnmsg` and asyncio's logger are listened at, everything goes on to
where it went before, and the filters are the test's own. What the test catches (``assertWarns``,
``catch_warnings(record=True)``, ``assertLogs``) it expects, and is no news.
"""
from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Any, List, Optional, Set, Tuple

from unittest_leakfix._core.early import bind

from . import identity
from .acquisitions import Acquisitions
from .complaints import Complaints, _Ear
from .frames import HARNESS, RUNNER, USER, kind_of, short

__unittest = True
bind(globals())

_getframe = sys._getframe


def _catchers() -> Tuple[Any, ...]:
    module: Any = warnings
    return module._showwarnmsg_impl, module.showwarning


_CATCHERS = _catchers()


class Overheard(Complaints):
    """Listens between `install()` and `remove()`, and holds nothing back."""

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        super().__init__(acquisitions)
        self._shown: Set[Tuple[Any, ...]] = set()
        self._logger: Any = None
        self.catchers: Tuple[Any, ...] = _CATCHERS
        """Who shows warnings when no test catches them; a runner may have its own."""

    def install(self) -> None:
        """Begin to listen, to asyncio too once that is loaded. Twice is once."""
        if self._swapped:
            if self._logger is not None or "asyncio.base_events" not in sys.modules:
                return
            self.remove()
        self._show = warnings._showwarnmsg  # type: ignore[attr-defined]
        swapped: List[Tuple[Any, str, Any, Any]] = [(warnings, "_showwarnmsg", self._show, self._hears[0])]
        asyncio: Any = identity.loaded("asyncio.base_events")
        self._logger = getattr(asyncio, "logger", None)
        if self._logger is not None:
            swapped.append((asyncio, "logger", self._logger, _Ear(self._logger, self._on_asyncio)))
        self._swapped = swapped
        for place, name, _, new in swapped:
            setattr(place, name, new)

    def remove(self) -> None:
        """Listen no more."""
        if self._swapped:
            # What died meanwhile is no matter of ours, as it is in the window after the test.
            acquisitions, self._acquisitions = self._acquisitions, None
            super().remove()
            self._acquisitions = acquisitions

    def _on_warning(self, message: Any) -> None:
        try:
            shown = self._is_shown(message)
        except Exception:   # the test's own code warns here: what a test has broken is not to end it
            shown = True
        if shown:
            self._show(message)

    def _is_shown(self, message: Any) -> bool:
        """Take note of the *message* if it is a complaint; tell whether it is to be shown."""
        text = str(message.message)
        unclosed = message.category is ResourceWarning
        if not unclosed and not (message.category is RuntimeWarning and text.startswith("coroutine ")
                                 and "was never awaited" in text):
            return True
        if not self._expected():
            place = _dropped()
            if unclosed:
                self._add("ResourceWarning", text, place, self._opened(message.source, text))
            else:
                self._add("coroutine was never awaited", text.partition("\n")[0], place)
        return not self._repeated(message, text)

    def _repeated(self, message: Any, text: str) -> bool:
        """Tell whether the filters would have held this warning back, had we not made them forget it.

        By default a warning is shown once for each place; but each test is to be told of its own.
        """
        frame: Optional[FrameType] = _getframe(3)
        for _ in range(4):
            registry = frame.f_globals.get("__warningregistry__") if frame is not None else None
            key = (text, message.category, message.lineno)
            if type(registry) is dict and registry.pop(key, None):
                shown = (message.filename, registry.get("version")) + key
                if shown in self._shown:
                    return True
                self._shown.add(shown)
                return False
            frame = frame.f_back if frame is not None else None
        return False

    def _expected(self) -> bool:
        """Tell whether the running code catches warnings itself."""
        return _catchers() != self.catchers

    def _on_asyncio(self, text: str, exc_info: Any, context: Any) -> bool:
        handlers = getattr(self._logger, "handlers", ())
        if not any(type(each).__name__ == "_CapturingHandler" for each in handlers):
            super()._on_asyncio(text, exc_info, context)
        return False


def _dropped() -> str:
    """Say where the user's code is that dropped something just now; "" if the test has returned."""
    frame: Optional[FrameType] = _getframe(2)
    while frame is not None and kind_of(frame.f_code.co_filename) not in (USER, RUNNER, HARNESS):
        frame = frame.f_back
    if frame is None or kind_of(frame.f_code.co_filename) != USER:
        return ""
    return "dropped at %s:%d" % (short(frame.f_code.co_filename), frame.f_lineno)
