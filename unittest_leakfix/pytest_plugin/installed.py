"""The entry point: what pytest finds where the package is installed.

It registers the plugin under the name that ``-p unittest_leakfix.pytest_plugin`` gives it, so that
one may be typed beside the other: pytest refuses to register a module under two names.
``-p no:unittest_leakfix`` switches the entry point off, ``-p no:unittest_leakfix.pytest_plugin``
both.
"""
from __future__ import annotations

import pytest

from unittest_leakfix import pytest_plugin
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugin, unless it is there."""
    if not pluginmanager.is_registered(pytest_plugin):
        pluginmanager.register(pytest_plugin, pytest_plugin.__name__)
