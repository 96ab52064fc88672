"""Whole runs that find leaks."""

from tests.support.python import needs

needs(3, 8)
