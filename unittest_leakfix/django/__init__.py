"""Django's test runner, with everything given back. Needs Django 4.2 or later, Python 3.8 or later."""
from __future__ import annotations

__unittest = True
