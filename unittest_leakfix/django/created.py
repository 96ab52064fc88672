"""The test databases that this run has made, and will destroy."""
from __future__ import annotations

from typing import Any, Iterable, List, NamedTuple, Sequence, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

#: What ``setup_databases`` returns: the wrapper, the name from before, whether to destroy.
OldConfig = Sequence[Tuple[Any, str, bool]]


class Database(NamedTuple):
    """One test database: the wrapper that made it, and its name."""

    wrapper: Any
    name: str


def created(old_config: OldConfig, parallel: int = 0, keepdb: bool = False) -> List[Database]:
    """Return the databases that Django's ``teardown_databases`` is about to destroy, clones first.

    None with *keepdb*: those may be somebody's, or shared with another run.
    """
    found: List[Database] = []
    for wrapper, _, destroy in old_config if not keepdb else ():
        if destroy:
            found += [Database(wrapper, name) for name in _names(wrapper, parallel) if name.strip()]
    return found


def _names(wrapper: Any, parallel: int) -> Iterable[str]:
    if parallel > 1:
        for index in range(parallel):
            yield str(wrapper.creation.get_test_db_clone_settings(str(index + 1))["NAME"])
    yield str(wrapper.settings_dict["NAME"] or "")
