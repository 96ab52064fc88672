import unittest
from typing import Any, ClassVar

class Limited:
    leakfix_max_connections: ClassVar[int | None]

def most_connections(cls: type) -> int | None: ...
# A Budget of unittest_leakfix.databases.
def begin_budget(test: unittest.TestCase) -> Any: ...
