import sys
import unittest
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol, type_check_only

from typing_extensions import TypeAlias

from unittest_leakfix.instance_release import Tally
from unittest_leakfix.observer import RunObserver

@type_check_only
class _Stream(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...

# Wider than unittest's: any result class will do.
_ResultClass: TypeAlias = Callable[..., unittest.TestResult]
_Warnings: TypeAlias = Literal["default", "error", "ignore", "always", "all", "module", "once"]

class LeakFixTestRunner(unittest.TextTestRunner):
    resultclass: Callable[..., Any]
    tally: Tally | None
    finding: dict[str, Any]
    max_connections: int | None
    _to_find: str
    if sys.version_info >= (3, 12):
        def __init__(
            self,
            stream: _Stream | None = None,
            descriptions: bool = True,
            verbosity: int = 1,
            failfast: bool = False,
            buffer: bool = False,
            resultclass: _ResultClass | None = None,
            warnings: _Warnings | None = None,
            *,
            tb_locals: bool = False,
            durations: int | None = None,
            # options: keywords, written by docs/options.py
            leaks: Literal["off", "report", "fail"] = "off",
            leaks_failed: bool = False,
            leaks_baseline: str | None = None,
            leaks_suppressions: str | None = None,
            leaks_write_baseline: str | None = None,
            leaks_update_baseline: bool = False,
            leaks_only_new: bool = False,
            leaks_json: str | None = None,
            leaks_html: str | None = None,
            leaks_output: Iterable[str] | None = None,
            leaks_stacks: bool = False,
            restore: bool = False,
            memory: int | None = None,
            max_memory: int | str | None = None,
            memory_traced: bool = False,
            max_connections: int | None = None,
            # end of options
        ) -> None: ...
    else:
        def __init__(
            self,
            stream: _Stream | None = None,
            descriptions: bool = True,
            verbosity: int = 1,
            failfast: bool = False,
            buffer: bool = False,
            resultclass: _ResultClass | None = None,
            warnings: _Warnings | None = None,
            *,
            tb_locals: bool = False,
            # options: keywords, written by docs/options.py
            leaks: Literal["off", "report", "fail"] = "off",
            leaks_failed: bool = False,
            leaks_baseline: str | None = None,
            leaks_suppressions: str | None = None,
            leaks_write_baseline: str | None = None,
            leaks_update_baseline: bool = False,
            leaks_only_new: bool = False,
            leaks_json: str | None = None,
            leaks_html: str | None = None,
            leaks_output: Iterable[str] | None = None,
            leaks_stacks: bool = False,
            restore: bool = False,
            memory: int | None = None,
            max_memory: int | str | None = None,
            memory_traced: bool = False,
            max_connections: int | None = None,
            # end of options
        ) -> None: ...
    def watching(self, watcher: RunObserver | None) -> RunObserver | None: ...

class SuiteProxy:
    tally: Tally
    def __init__(self, test: Any, finding: Any, watching: Callable[[Any], Any],
                 to_find: str = "") -> None: ...
    def __call__(self, result: Any) -> None: ...
    def run(self, result: Any) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __getattr__(self, name: str) -> Any: ...
    def run_and_report(self, run: Callable[[Any], Any], stream: Any, verbose: bool) -> Any: ...
    def write_report(self, stream: Any, verbose: bool) -> None: ...

def summary_line(tally: Tally, always: bool, to_find: str = "") -> str: ...
