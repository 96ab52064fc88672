from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

CHOICE: str
FLAG: str
FILE: str
NUMBER: str
VERSION: str
SEED: str
OUTPUTS: str
RULES: str
SIZE: str
SOME: str
FINDING: str
COUNTING: str
FINDS: tuple[str, ...]
FINDS_NOT: tuple[str, ...]

class Option:
    name: str
    type: str
    help: str
    choices: tuple[str, ...] | None
    default: Any
    metavar: str | None
    unit: str | None
    bare: int | None
    part: str | None
    implies: bool
    python: tuple[int, int]
    command: str | None
    keyword: str | None
    django: str | None
    setting: str | None
    pytest: str | None
    pytest_short: str | None
    pytest_choices: tuple[str, ...] | None
    pytest_help: str | None
    ini: str | None
    environment: str | None
    key: str | None
    def __init__(self, name: str, type: str, help: str, **more: Any) -> None: ...
    @property
    def dest(self) -> str: ...
    def works(self) -> bool: ...
    def since(self) -> str: ...

OPTIONS: tuple[Option, ...]
KEYWORDS: tuple[str, ...]
FINDING_KEYWORDS: tuple[str, ...]
SETTINGS: dict[str, Option]

class Options:
    # options: attributes, written by docs/options.py
    leaks: Literal["off", "report", "fail"]
    leaks_failed: bool
    leaks_baseline: str | None
    leaks_suppressions: str | None
    suppressions: Iterable[tuple[Any, str]] | None
    leaks_write_baseline: str | None
    leaks_update_baseline: bool
    leaks_only_new: bool
    leaks_json: str | None
    leaks_html: str | None
    leaks_output: Iterable[str] | None
    leaks_stacks: bool
    restore: bool
    memory: int | None
    max_memory: int | str | None
    memory_traced: bool
    # end of options
    def __init__(self, **given: Any) -> None: ...

def options_in(place: str) -> tuple[Option, ...]: ...
def choose(choices: Iterable[str]) -> str: ...
def decided(
    given: Mapping[str, Any], defaults: Iterable[Mapping[str, Any]] = (), place: str = "command"
) -> dict[str, Any]: ...
def read_text(option: Option, text: str, choices: Iterable[str] | None) -> Any: ...
def from_environment(pytest: bool = False) -> dict[str, Any]: ...
def add_arguments(group: Any, place: str) -> None: ...
def how(
    option: Option, choices: tuple[str, ...] | None, file: Callable[[str], Any] | None = None
) -> dict[str, Any]: ...
def spelled(argv: Sequence[str]) -> list[str]: ...
def seeded(argv: Sequence[str]) -> list[str]: ...
def path(name: str) -> str: ...
def output(given: str, folder: str = "") -> str: ...
def version() -> str: ...
