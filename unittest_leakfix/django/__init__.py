"""Django's test runner, with everything given back. Needs Django 4.2 or later, Python 3.8 or later.

``TEST_RUNNER = "unittest_leakfix.django.LeakFixDiscoverRunner"``; ``LeakFixRunnerMixin`` is for those
who have a runner of their own.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runner import LeakFixDiscoverRunner, LeakFixRunnerMixin

__unittest = True
__all__ = ["LeakFixDiscoverRunner", "LeakFixRunnerMixin"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: only then Django is needed."""
    if name not in __all__:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    return getattr(import_module(__name__ + ".runner"), name)
