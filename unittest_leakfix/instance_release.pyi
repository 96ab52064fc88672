from typing import Any

from unittest_leakfix.resources.kind import Kind

class Tally:
    pid: int
    released: int
    kept: int
    closed: dict[str, int]
    off: list[str]
    def close(self, kind: Kind) -> None: ...

def release(hand: list[Any], tally: Tally) -> None: ...

def give_back(hand: list[Any], alone: bool, tally: Tally) -> None: ...
