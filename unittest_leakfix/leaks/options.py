"""What was asked of finding: the options of the command line and of the runner."""
from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

MODES = ("off", "report", "fail")
FINDS = ("report", "fail")
NEED = {"leaks_failed": "--leaks-failed", "leaks_baseline": "--leaks-baseline",
        "leaks_write_baseline": "--leaks-write-baseline", "leaks_json": "--leaks-json",
        "leaks_stacks": "--leaks-stacks", "restore": "--restore"}
"""The options that do nothing unless leaks are found: each implies ``--leaks=report``."""


class Options(NamedTuple):
    """leaks: "off", "report" or "fail"; failed: those of failing tests too; baseline: the file of
    known leaks; write_baseline, json: files to write; stacks: whole stacks; restore: put back
    environment, cwd, sys.path, patches and filters after each test."""

    leaks: str = "off"
    failed: bool = False
    baseline: Optional[str] = None
    write_baseline: Optional[str] = None
    json: Optional[str] = None
    stacks: bool = False
    restore: bool = False

    def checked(self) -> "Options":
        """Return these options; raises ValueError when `leaks` is none of the modes."""
        if self.leaks not in MODES:
            raise ValueError("leaks=%r: choose from %s" % (self.leaks, ", ".join(map(repr, MODES))))
        return self


def decided(given: Mapping[str, Any], standing: Mapping[str, Any] = {},
            need: Mapping[str, str] = NEED) -> Dict[str, Any]:
    """Return the options that hold, "leaks" among them: those *given* with the run, then the *standing*
    ones, of settings or an ini file.

    None and False are options that are not there. Where "leaks" is not given, one of *need* implies
    "report", or the standing mode if that finds. Raises ValueError when a mode that finds nothing is
    given together with one of them; a standing mode that finds nothing simply holds. Where nothing is
    found, "leaks" is all that is returned.
    """
    given, standing = _there(given), _there(standing)
    mode, holds = given.get("leaks"), standing.get("leaks")
    needing = [need[name] for name in need if name in given]
    if mode is None:
        implied = needing or holds is None and any(name in standing for name in need)
        mode = holds if holds in FINDS or not implied else "report"
    elif needing and mode in ("off", "release"):
        raise ValueError("%s needs --leaks=report or --leaks=fail, and --leaks=%s was given"
                         % (" and ".join(needing), mode))
    return {**standing, **given, "leaks": mode} if mode in FINDS else {"leaks": mode or "off"}


def _there(options: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None and value is not False}
