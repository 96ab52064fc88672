import unittest
from collections.abc import Mapping
from typing import Any

from unittest_leakfix.attributes import Attributes

def keep_reportable(
    test: unittest.TestCase, holder: Attributes, dropped: Mapping[str, Any]
) -> None: ...
