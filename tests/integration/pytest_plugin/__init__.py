"""The pytest plugin."""

from tests.support.python import needs

needs(3, 8)
