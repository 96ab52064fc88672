"""What was asked of the plugin, on the command line or in the ini file."""
from __future__ import annotations

from typing import Any, NamedTuple, Optional

import pytest

from unittest_leakfix._core.early import bind

from . import MODES, MOST

__unittest = True
bind(globals())


class Asked(NamedTuple):
    """mode: one of MODES; the others as the options are called; most: how many connections, None for any."""

    mode: str
    failed: bool
    baseline: Optional[str]
    write_baseline: Optional[str]
    json: Optional[str]
    stacks: bool
    restore: bool
    most: Optional[int]

    @property
    def finds(self) -> bool:
        """Tell whether leaks are to be found."""
        return self.mode in ("report", "fail")


def asked(config: pytest.Config) -> Asked:
    """Return what was asked. Raises ``pytest.UsageError`` for what makes no sense."""
    def of(name: str, ini: bool = True) -> Any:
        value = vars(config.option).get(name)
        return config.getini(name) if value is None and ini else value

    mode = str(of("leakfix") or "off")
    if mode not in MODES:
        raise pytest.UsageError("leakfix = %s in the ini file: choose from %s" % (mode, ", ".join(MODES)))
    return Asked(mode, bool(of("leakfix_failed")), of("leakfix_baseline") or None,
                 of("leakfix_write_baseline", False), of("leakfix_json", False),
                 bool(of("leakfix_stacks", False)), bool(of("leakfix_restore")), _most(of(MOST)))


def _most(value: Any) -> Optional[int]:
    if value is None or value == "":
        return None
    try:
        most = int(value)
    except ValueError:
        most = -1
    if most < 0:
        raise pytest.UsageError("max connections %s: give a number of connections, 0 or more" % value)
    return most
