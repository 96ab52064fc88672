"""What the fixtures of the class and the module under way left on them."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Container, Dict, List, Optional, Set

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import names_in, qualified
from unittest_leakfix.holdings import is_atom
from unittest_leakfix.resources import kind_of

from . import labels, parts, sizes
from .acquisitions import Acquisitions
from .later import Later

if TYPE_CHECKING:
    from . import wording, words
    from .leak import Leak
else:
    wording, words = Later("wording"), Later("words")

__unittest = True
bind(globals())

HEAVY = 100000
"""From so many bytes on it is told what a class's attributes still hold after its last test."""


class Fixtures:
    """Knows what the class had before its ``setUpClass``."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._had: Dict[str, Any] = {}
        self.cls: Optional[type] = None
        """The class under way."""
        self.covered: Set[object] = set()
        """What the class or module was told to hold: its parts are not told again."""

    def begin(self, cls: type) -> None:
        """Called before ``setUpClass``."""
        self.cls = cls
        self._had = dict(names_in(cls))

    def held_by(self, cls: type) -> List[Leak]:
        """Return a leak for what the attributes that *cls* gained still hold, if that is much."""
        if cls is not self.cls:
            return []
        had, self._had = self._had, {}
        self.cls = None
        new = [(".%s" % name, value) for name, value in names_in(cls).items()
               if had.get(name, had) is not value and not is_atom(value)
               and not name.startswith("_") and name != "tearDown_exceptions"]
        del had
        holding = sizes.heaviest(new, floor=HEAVY) if new else ()
        if not holding:
            return []
        total = sum(item[2] for item in holding)
        return [wording.of_class(qualified(cls), holding, words.amount(total), total)]

    def left_open(self, holder: Any, form: str, fixtures: Container[str]) -> List[Leak]:
        """Return a leak for each resource that one of the *fixtures* opened and that is still open on
        *holder*, its class or module."""
        leaks: List[Leak] = []
        for name, value in list(labels.namespace_of(holder).items()):
            kind = kind_of(value)
            if kind is None or kind.is_open(value) is not True:
                continue
            opened = self._acquisitions.of(value)
            if opened is not None and opened.test in fixtures:
                leaks.append(wording.of_scope(form % name, value, kind, opened, opened.test))
                self.covered |= parts.held(value, opened)[0]
                self._acquisitions.connection_told(value)
        return leaks
