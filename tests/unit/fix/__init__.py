"""The command ``fix``: which lines change, and that nothing else does."""

from tests.support.python import needs

needs(3, 8)
