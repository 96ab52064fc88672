"""The open resources of a class and its module, which no single test may close."""
from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.resources import kind_of

from . import identity, labels
from .acquisitions import Acquisition, Acquisitions
from .change import Change
from .later import Later

if TYPE_CHECKING:
    from . import phrases
else:
    phrases = Later("phrases")

__unittest = True
bind(globals())


class _Shared(NamedTuple):
    holder: Any
    name: str
    type: type
    ref: Optional["weakref.ref[Any]"]
    oid: int
    fd: int
    spoken: str
    acquisition: Optional[Acquisition]


class SharedResources:
    """Remembers what hangs open on a class and its module, by name; keeps none of it alive."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._cls: Any = None
        self._found: List[_Shared] = []

    def take(self, cls: type) -> None:
        """Look at *cls* and its module, when the first test of the class is about to run."""
        if cls is self._cls:
            return
        self._cls = cls
        name = labels.module_of(cls)
        module = sys.modules.get(name)
        self._found = self._open_ones(cls, labels.qualified_name(cls))
        if module is not None:
            self._found += self._open_ones(module, name)

    @property
    def any(self) -> bool:
        """Tell whether there is anything to look at."""
        return bool(self._found)

    def forget(self) -> None:
        """The class is over: its own may be closed now."""
        self._cls, self._found = None, []

    def closed(self) -> List[Tuple[Change, Optional[Acquisition]]]:
        """Return a "closed descriptor" change for each that is closed now, and where it had been
        opened; forget those."""
        changes: List[Tuple[Change, Optional[Acquisition]]] = []
        for each in list(self._found):
            value = labels.namespace_of(each.holder).get(each.name)
            # What is gone may have left its id to another.
            if id(value) != each.oid or type(value) is not each.type or each.ref is not None and each.ref() is not value:
                self._found.remove(each)
                continue
            kind = kind_of(value)
            if kind is None or kind.is_open(value) is not False:
                continue
            self._found.remove(each)
            change = Change("closed descriptor", each.spoken, "", "open", "closed", fd=each.fd)
            changes.append((change, each.acquisition))
        return changes

    def _open_ones(self, holder: Any, owner: str) -> List[_Shared]:
        found: List[_Shared] = []
        values: Dict[str, Any] = dict(labels.namespace_of(holder))
        for name, value in values.items():
            kind = kind_of(value) if type(name) is str and not name.startswith("__") else None
            if kind is None or kind.is_open(value) is not True:
                continue
            opened = self._acquisitions.of(value)
            fd = max(identity.descriptor_of(value), identity.socket_descriptor(value))
            try:
                ref = weakref.ref(value)
            except TypeError:
                ref = None
            found.append(_Shared(holder, name, type(value), ref, id(value), fd, "%s (%s.%s)" % (
                phrases.spoken(kind, value, opened), owner, name), opened))
        return found
