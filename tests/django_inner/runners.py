"""Runners of people who want no databases, or make them in another way."""
from __future__ import annotations

from unittest_leakfix.django import LeakFixDiscoverRunner


class NoDatabases(LeakFixDiscoverRunner):
    """As it stands in many projects."""

    def setup_databases(self, **kwargs):
        """Make none."""

    def teardown_databases(self, old_config, **kwargs):
        """So there is none to destroy."""


class NoneReturned(LeakFixDiscoverRunner):
    """Makes none, but destroys."""

    def setup_databases(self, **kwargs):
        """Make none."""

    def teardown_databases(self, old_config, **kwargs):
        """Have them destroyed."""
        super().teardown_databases(old_config or [], **kwargs)
