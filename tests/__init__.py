"""The tests. ``python tests/everywhere.py`` runs them on every interpreter of this machine."""
