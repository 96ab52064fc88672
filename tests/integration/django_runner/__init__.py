"""Django's test runner with ours in its place."""

from tests.support.python import needs

needs(3, 8)
