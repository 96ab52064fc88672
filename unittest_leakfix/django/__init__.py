"""Django's test runner, with everything given back. Needs Django 4.2 or later, Python 3.8 or later.

``TEST_RUNNER = "unittest_leakfix.django.LeakFixDiscoverRunner"``; ``LeakFixRunnerMixin`` is for
those who have a runner of their own. docs/django.md has the rest.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unittest_leakfix._core.early import bind

try:
    from django import VERSION, get_version
except ImportError as _error:
    raise ImportError("unittest_leakfix.django needs Django 4.2 or later (python -m pip install "
                      "Django): %s"
                      % _error) from None
if VERSION < (4, 2):
    raise ImportError("unittest_leakfix.django needs Django 4.2 or later; this is Django %s. "
                      "unittest_leakfix.LeakFixMixin works with it" % get_version())

if TYPE_CHECKING:
    from unittest_leakfix.django.runner import LeakFixDiscoverRunner, LeakFixRunnerMixin

__unittest = True
bind(globals())
__all__ = ["LeakFixDiscoverRunner", "LeakFixRunnerMixin"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: Django's own modules are loaded with it."""
    if name not in __all__:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    return getattr(import_module(__name__ + ".runner"), name)
