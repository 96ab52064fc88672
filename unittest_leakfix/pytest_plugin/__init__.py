"""The pytest plugin: inert until ``--leaks`` or ``leakfix`` in the ini file asks for it.

Found by pytest itself, through the entry point ``pytest11``. Needs pytest 7.0 or later, Python 3.8 or
later.
"""
from __future__ import annotations

__unittest = True
